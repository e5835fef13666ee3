"""Altered witnesses do not pass with another meaning; 100,000 of them are the full suite's."""

import pytest

from tests.support.soundness.malicious import PART, Attacker, Attempt, attack, attack_all


@pytest.mark.property("P-286")
@pytest.mark.parametrize("count", [120, pytest.param(100_000, marks=(pytest.mark.slow, pytest.mark.timeout(1_800)))])
def test_no_altered_witness_passes_with_another_meaning(count):
    outcome = attack_all(count) if count > PART else attack(count)
    assert outcome.breaks == []
    assert outcome.tried.total() == count
    assert len(outcome.tried) == 8 and min(outcome.tried.values()) >= count // 8


def test_a_witness_of_another_statement_would_be_seen():
    """The attack can succeed: an accepted witness with other signals counts as a break."""
    attacker = Attacker(0)
    assert attacker.is_break(Attempt("", "deposit", attacker.honest["withdrawal"]))
    assert not attacker.is_break(Attempt("", "deposit", attacker.honest["deposit"]))
