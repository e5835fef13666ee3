"""Generated sources: they are what the single sources say, and a stale one is named."""

import json
from pathlib import Path

import pytest

from zkmargin.scripts.generate import __main__ as generate
from zkmargin.scripts.generate import actions, circom

ROOT = Path(__file__).parents[2]


def test_nothing_that_is_committed_is_stale():
    assert generate.find_stale(generate.render_all()) == []
    assert generate.main(["--check"]) == 0


def test_a_changed_or_missing_file_is_stale_until_written(tmp_path):
    files = circom.render()
    assert generate.write(files, tmp_path) == sorted(files)
    assert generate.find_stale(files, tmp_path) == []
    constants = "prover/circuits/generated/constants.circom"
    (tmp_path / constants).write_text(files[constants].replace("return 84;", "return 83;"))
    (tmp_path / "prover/circuits/generated/open.mini.circom").unlink()
    assert generate.find_stale(files, tmp_path) == [constants, "prover/circuits/generated/open.mini.circom"]
    assert generate.write(files, tmp_path) == [constants, "prover/circuits/generated/open.mini.circom"]
    assert generate.find_stale(files, tmp_path) == []


def test_check_says_what_is_stale(monkeypatch, capsys):
    path = "prover/circuits/generated/constants.circom"
    monkeypatch.setattr(generate, "render_all", lambda: {path: "other"})
    assert generate.main(["--check"]) == 1
    assert f"stale: {path}" in capsys.readouterr().err
    assert (ROOT / path).read_text() != "other"


def test_no_two_generators_write_one_file(monkeypatch):
    monkeypatch.setattr(circom, "render", lambda: {"contracts/src/generated/Statement.sol": ""})
    with pytest.raises(generate.DuplicateOutput, match=r"Statement\.sol"):
        generate.render_all()


def test_constants_are_those_of_the_sources():
    bits = json.loads((ROOT / "engine/presets.json").read_text())["bits"]
    tags = json.loads((ROOT / "prover/statement/statement.json").read_text())["tags"]
    text = circom.render_constants(tags, bits)
    assert f"function LANE_BITS() {{ return {bits['lane']}; }}" in text
    assert f"function TAG_PAD() {{ return {int.from_bytes(tags['PAD'].encode(), 'big')}; }}" in text
    assert text.count("function ") == len(tags) + len(circom.CONSTANTS)


def test_a_main_names_the_public_signals_in_order():
    text = circom.render_main("open", (16,), [{"name": "b"}, {"name": "a"}])
    assert 'include "../open.circom";' in text
    assert "component main\n    {public [b, a]}\n    = Open(16);" in text


TABLE = json.loads((ROOT / actions.SOURCE).read_text())


def test_the_table_of_actions_goes_between_the_documents_markers():
    begin, end = actions.MARKERS
    text = actions.render_document(TABLE, f"before\n{begin}| old |\n{end}after\n")
    assert text.startswith(f"before\n{begin}") and text.endswith(f"{end}after\n") and "| old |" not in text
    assert "| withdraw flat | flat | out | none | keep | no | yes | yes | yes | yes | no |" in text
    assert actions.render_document(TABLE, text) == text
    for broken in ("no markers", f"{end}{begin}", f"{begin}{end}{begin}{end}"):
        with pytest.raises(ValueError, match="actions: begin"):
            actions.render_document(TABLE, broken)


def test_a_table_that_does_not_fit_a_word_is_refused():
    kinds = [*TABLE["kinds"], *(f"LATER_{number}" for number in range(actions.WORD_BITS // actions.ROW_BITS))]
    with pytest.raises(ValueError, match="allowed: 13"):
        actions.encode_table({**TABLE, "kinds": kinds})
    columns = {**TABLE["columns"], "later": {"meaning": "one more"}}
    with pytest.raises(ValueError, match="has 20 cells; allowed: 19"):
        actions.list_cells(columns)
