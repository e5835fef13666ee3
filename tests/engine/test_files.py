"""Files: what a strict reader refuses, and that a written file is whole or not there."""

import os
import stat

import pytest

from zkmargin.engine.errors import DuplicateName, MalformedFile
from zkmargin.engine.files import PRIVATE, PROGRAM, StrictModel, read_model, write_whole


class Quote(StrictModel):
    """A file of one number."""

    ask: float | None


def test_a_number_is_read():
    assert read_model(Quote, '{"ask": 1.5}', "quotes").ask == 1.5
    assert read_model(Quote, '{"ask": null}', "quotes").ask is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_refused(number):
    with pytest.raises(MalformedFile, match=r"quotes: ask: Input should be a finite number; found (nan|inf|-inf)"):
        read_model(Quote, f'{{"ask": {number}}}', "quotes")


def test_a_model_takes_no_missing_number_from_memory_either():
    with pytest.raises(ValueError, match="finite number"):
        Quote(ask=float("nan"))


def test_a_key_that_is_repeated_is_refused():
    with pytest.raises(DuplicateName, match="key in quotes 'ask' appears more than once"):
        read_model(Quote, '{"ask": 1.0, "ask": 2.0}', "quotes")


@pytest.mark.parametrize("content", [b"two", "two"])
def test_a_file_is_replaced_whole(tmp_path, content):
    path = tmp_path / "folder" / "file"
    write_whole(path, "one")
    write_whole(path, content)
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("failure", ["fsync", "write"])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch, failure):
    path = tmp_path / "file"
    write_whole(path, "old")

    def fail(*_):
        raise OSError("no space left")

    if failure == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_whole(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]


def test_a_secret_is_never_readable_by_others_and_never_replaced(tmp_path, monkeypatch):
    path, modes = tmp_path / "secret", []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (modes.append(os.fstat(handle).st_mode), sync(handle)))
    write_whole(path, "key", mode=PRIVATE, may_replace=False)
    assert [stat.S_IMODE(mode) for mode in (*modes, path.stat().st_mode)] == [0o600, 0o600]
    with pytest.raises(FileExistsError):
        write_whole(path, "another", mode=PRIVATE, may_replace=False)
    assert path.read_text() == "key" and os.listdir(tmp_path) == ["secret"]


def test_a_program_can_be_run_and_the_mask_holds(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "program", b"", mode=PROGRAM)
        write_whole(tmp_path / "file", b"")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"program": 0o750, "file": 0o640}
