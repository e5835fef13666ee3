"""Feasible implies met, for random policies that pass every check; 100,000 of them are the full suite's."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.soundness import policies
from tests.support.soundness.policies import (
    PART,
    Generator,
    Outcome,
    Rule,
    attack,
    attack_all,
    compute_bare,
    find_feasible_cash,
    is_met,
)
from zkmargin.engine.account import AccountState
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.policy.record import HelperKind


@pytest.mark.property("P-19")
@pytest.mark.parametrize("count", [150, pytest.param(100_000, marks=(pytest.mark.slow, pytest.mark.timeout(1_800)))])
def test_no_feasible_policy_is_unmet(count):
    outcome = attack_all(count) if count > PART else attack(count)
    assert outcome.policies == count and outcome.attacked > count // 2
    assert outcome.cheated == []


@pytest.mark.property("P-19")
def test_without_the_checks_policies_are_cheated(monkeypatch):
    """The attack can succeed: policies of wrong forms, which the checks refuse, are feasible and not met."""

    def check_pairs(policy, listed):
        for plus in policy.get_columns(HelperKind.FREE_PLUS):
            if policy.helper_kinds[plus + 1 :][:1] != (HelperKind.FREE_MINUS,):
                raise PolicyError("half a pair")

    monkeypatch.setattr(policies, "check_policy", check_pairs)
    outcome: Outcome = attack(300, seed=2)
    assert outcome.cheated


def test_the_rule_is_the_engines_too():
    """At the least feasible cash the engine finds a certificate, and a little below it there is none."""
    compared = 0
    for policy in Generator(11).policies(40):
        lots = {1: 7, 2: -3, 3: 11, 5: -20}
        found = find_feasible_cash(policy, lots)
        if found is None or abs(found[0]) > 10**5:
            continue
        positions = np.zeros(policy.preset.slots, dtype=np.int64)
        positions[list(lots)] = list(lots.values())
        find_certificate(policy, AccountState(positions, found[0] + 1_000))
        below = found[0] - 1_000
        assert not Rule(policy, compute_bare(policy, lots, below)).is_met()
        with pytest.raises(RequirementNotMet):
            find_certificate(policy, AccountState(positions, below))
        assert is_met(policy, lots, found)
        compared += 1
    assert compared >= 10


def test_a_value_counted_twice_is_seen():
    """A loss with a positive coefficient in the sum, which the checks refuse: the prover raises it, and needs less."""
    policy = next(Generator(5).policies(1))
    helpers = policy.helpers.copy()
    loss = policy.helper_kinds.index(HelperKind.LOSS)
    (use,) = np.flatnonzero(helpers[:, loss] < 0)[:1]
    helpers[use, loss] = 1
    evil = replace(policy, helpers=helpers)
    lots = {1: 40, 2: 40, 3: -40, 5: -40}
    found = find_feasible_cash(evil, lots)
    assert found is None or found[0] < find_feasible_cash(policy, lots)[0]
