"""The baseline of type errors shrinks: what it does not allow is found, and what is cured is taken out of it."""

from pathlib import Path

from tests.support import types

ROOT = Path(__file__).parents[1]
OUTPUT = """\
build/types/zkmargin/engine/account.py:7: error: Returning Any from function declared to return "int"  [no-any-return]
build/types/zkmargin/engine/account.py:9: error: Returning Any from function declared to return "str"  [no-any-return]
build/types/zkmargin/engine/account.py:9: note: See the documentation
build/types/zkmargin/__init__.py:3: error: Missing type arguments for generic type "dict"  [type-arg]
"""
ACCOUNT, FACE = ("engine/account.py", "no-any-return"), ("zkmargin/__init__.py", "type-arg")


def test_errors_are_counted_by_file_and_kind():
    errors = types.read_errors(OUTPUT)
    assert {kind: len(lines) for kind, lines in errors.items()} == {ACCOUNT: 2, FACE: 1}
    assert errors[FACE] == ['zkmargin/__init__.py:3: error: Missing type arguments for generic type "dict"  [type-arg]']


def test_more_errors_than_the_baseline_allows_are_new():
    errors = types.read_errors(OUTPUT)
    assert types.find_new(errors, {ACCOUNT: 2, FACE: 1}) == []
    assert types.find_new(errors, {ACCOUNT: 1, FACE: 1}) == errors[ACCOUNT]
    assert types.find_new(errors, {ACCOUNT: 2}) == errors[FACE]


def test_fewer_errors_than_the_baseline_allows_are_cured():
    errors = types.read_errors(OUTPUT)
    assert types.find_cured(errors, {ACCOUNT: 2, FACE: 3}) == {FACE: 2}
    assert types.find_cured({}, {ACCOUNT: 2}) == {ACCOUNT: 2}


def test_shrinking_takes_out_what_is_cured_and_adds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(types, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(types, "run_mypy", lambda: OUTPUT)
    types.write_baseline({ACCOUNT: 1, FACE: 3})
    assert types.main(["--shrink"]) == 1
    assert types.load_baseline() == {ACCOUNT: 1, FACE: 1}


def test_more_and_fewer_errors_than_the_baseline_says_both_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(types, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(types, "run_mypy", lambda: OUTPUT)
    for allowed, status in (({ACCOUNT: 2, FACE: 1}, 0), ({ACCOUNT: 1, FACE: 1}, 1), ({ACCOUNT: 2, FACE: 2}, 1)):
        types.write_baseline(allowed)
        assert types.main([]) == status


def test_only_files_of_scripts_have_errors_left():
    assert all(file.startswith("scripts/") and (ROOT / file).is_file() for file, _ in types.load_baseline())
