"""Findings of static analysers, and the reasons why they stand."""

import json

import pytest

from tests.support import circomspect, slither, triage


def test_new_findings_and_reasons_without_one_are_told():
    known = {"shadowing": {"House.a": "why"}, "unused": {"*": "why"}, "equality": {"*": "why"}}
    found = {"shadowing": {"House.b": "text"}, "unused": {"House.c": "text", "House.d": "text"}}
    assert triage.compare(found, known) == (
        {("shadowing", "House.b"): "text"},
        [("shadowing", "House.a"), ("equality", "*")],
    )


@pytest.mark.parametrize("reasons", [slither.TRIAGE, circomspect.REASONS], ids=lambda path: path.stem)
def test_every_reason_is_a_sentence(reasons):
    for places in json.loads(reasons.read_text())["findings"].values():
        assert all(reason.endswith(".") and len(reason) > 20 for reason in places.values())


def test_a_difference_ends_the_run(tmp_path, capsys):
    reasons = tmp_path / "reasons.json"
    reasons.write_text(json.dumps({"findings": {"unused": {"House.a": "why"}}}))
    triage.report({"unused": {"House.a": "text"}}, reasons)
    assert capsys.readouterr().out == "1 findings, 0 new, 0 reasons without one\n"
    for found in ({"unused": {"House.a": "text", "House.b": "text"}}, {}):
        with pytest.raises(SystemExit, match="1"):
            triage.report(found, reasons)
