"""What slither finds in the contracts has a reason, and a reason has a finding."""

import pytest

from tests.support import slither
from zkmargin.prover.paths import BUILD

PROGRAM = BUILD / "slither/bin/slither"
"""Where `make slither` and `make test-full` put it."""


def test_a_place_is_contract_and_function():
    function = {"type": "function", "name": "end", "type_specific_fields": {"parent": {"name": "RiskOracle"}}}
    node = {"type": "node", "name": "x == 0", "type_specific_fields": {"parent": function}}
    assert slither.name_place({"elements": [node, function]}) == "RiskOracle.end"


@pytest.mark.slow
def test_every_finding_has_a_reason(capsys):
    assert PROGRAM.is_file(), "`make slither` installs it"
    slither.main([str(PROGRAM)])
    assert " 0 new, 0 reasons without one" in capsys.readouterr().out
