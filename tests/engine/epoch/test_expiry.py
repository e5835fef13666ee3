"""Expiry steps composed: one vector does what two did, for every account."""

import numpy as np
import pytest

from zkmargin.engine.epoch.expiry import ExpiryStep, compose_expiry_steps, identity_expiry_step
from zkmargin.engine.policy.errors import MalformedPolicy
from zkmargin.engine.presets import get_preset

MINI = get_preset("mini")
RANDOM = np.random.default_rng(20260822)


def make_step() -> ExpiryStep:
    drop = RANDOM.integers(0, 2, MINI.slots)
    drop[list(MINI.collateral_slots)] = 0
    return ExpiryStep(MINI, drop, drop * RANDOM.integers(-(2**36) + 1, 2**36, MINI.slots))


def settle(step: ExpiryStep, positions: np.ndarray, cash: int) -> tuple[np.ndarray, int]:
    """Positions and cash after the step, as step 4 of the statement has them."""
    return positions * (1 - step.drop), cash + int(step.payoff @ positions)


@pytest.mark.property("P-123")
def test_a_composed_step_is_one_after_the_other():
    for _ in range(50):
        first, second, third = make_step(), make_step(), make_step()
        positions = RANDOM.integers(-(2**20), 2**20, MINI.slots)
        composed = compose_expiry_steps([first, second, third])
        kept, cash = settle(third, *settle(second, *settle(first, positions, 5)))
        at_once, cash_at_once = settle(composed, positions, 5)
        assert np.array_equal(kept, at_once) and cash == cash_at_once
        assert composed.settle(positions.tolist(), 5) == (kept.tolist(), cash)
        assert composed == compose_expiry_steps([first, compose_expiry_steps([second, third])])


def test_the_identity_changes_no_step():
    step, identity = make_step(), identity_expiry_step(MINI)
    assert compose_expiry_steps([step, identity]) == compose_expiry_steps([identity, step]) == step


def test_steps_of_different_sizes_are_not_composed():
    with pytest.raises(MalformedPolicy, match="standard; allowed: mini"):
        compose_expiry_steps([identity_expiry_step(MINI), identity_expiry_step(get_preset("standard"))])
