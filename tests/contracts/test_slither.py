"""What slither finds in the contracts has a reason, and a reason has a finding."""

import json

import pytest

from tests.support import slither
from zkmargin.prover.paths import BUILD

PROGRAM = BUILD / "slither/bin/slither"
"""Where `make slither` and `make test-full` put it."""


def test_new_findings_and_reasons_without_one_are_told():
    known = {"shadowing": {"House.a": "why"}, "unused": {"*": "why"}, "equality": {"*": "why"}}
    found = {"shadowing": {"House.b": "text"}, "unused": {"House.c": "text", "House.d": "text"}}
    assert slither.compare(found, known) == (
        {("shadowing", "House.b"): "text"},
        [("shadowing", "House.a"), ("equality", "*")],
    )


def test_a_place_is_contract_and_function():
    function = {"type": "function", "name": "end", "type_specific_fields": {"parent": {"name": "RiskOracle"}}}
    node = {"type": "node", "name": "x == 0", "type_specific_fields": {"parent": function}}
    assert slither.name_place({"elements": [node, function]}) == "RiskOracle.end"


@pytest.mark.slow
def test_every_finding_has_a_reason(capsys):
    assert PROGRAM.is_file(), "`make slither` installs it"
    slither.main([str(PROGRAM)])
    assert " 0 new, 0 reasons without one" in capsys.readouterr().out


def test_every_reason_is_a_sentence():
    for places in json.loads(slither.TRIAGE.read_text())["findings"].values():
        assert all(reason.endswith(".") and len(reason) > 20 for reason in places.values())
