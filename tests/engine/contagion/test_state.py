"""The state multiplier: bounds, monotone, quick to rise and slow to fall, no flicker, limited steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.contagion.state import StateRule
from zkmargin.engine.errors import OutOfRange

RULE = StateRule()
ratio = st.floats(0, 5)


@given(ratio, ratio, ratio, ratio)
def test_the_raw_multiplier_is_bounded_and_monotone(n, more_n, g, more_g):
    raw = RULE.compute_raw(n, g)
    assert 1.0 <= raw <= RULE.largest
    assert RULE.compute_raw(n + more_n, g + more_g) >= raw


def test_a_calm_market_is_one_and_the_slope_is_capped():
    assert RULE.compute_raw(RULE.calm_branching, RULE.calm_gain) == 1.0
    assert RULE.compute_raw(0.0, 0.0) == 1.0
    wide = StateRule(largest=4.0, calm_branching=0.85)
    assert wide.compute_raw(0.9, RULE.calm_gain) == wide.compute_raw(2.0, RULE.calm_gain) == pytest.approx(1.5)


def test_a_chain_reaction_is_the_product_of_both_factors():
    found = StateRule(largest=4.0).compute_raw(0.5, 0.7)
    assert found == pytest.approx((0.8 / 0.5) * (0.47 / 0.3))


@given(st.floats(1.0, 2.0), ratio, ratio, st.floats(0.1, 100))
def test_a_step_goes_towards_the_raw_value_within_the_limit(previous, n, g, hours):
    raw, after = RULE.compute_raw(n, g), RULE.update(previous, n, g, hours)
    assert min(previous, raw) <= after <= max(previous, raw)
    assert abs(after - previous) <= RULE.largest_step * hours + 1e-12


def test_it_rises_in_hours_and_falls_in_weeks():
    up = RULE.follow(1.0, [(0.9, 0.9)] * 48)
    down = RULE.follow(up[-1], [(0.0, 0.0)] * 48)
    assert up[5] == pytest.approx(1.5, abs=0.01) and up[-1] > 1.99
    assert down[-1] > 1.85
    assert RULE.follow(up[-1], [(0.0, 0.0)] * 240)[-1] == pytest.approx(1 + (up[-1] - 1) / 2, abs=0.06)


def test_small_falls_release_nothing():
    rule = StateRule(largest=4.0)
    high = rule.compute_raw(0.6, 0.53)
    assert rule.update(high, 0.59, 0.53) == high
    flicker = rule.follow(high, [(0.6, 0.53), (0.59, 0.53)] * 20)
    assert set(flicker) == {high}


def test_the_step_limit_binds_a_sudden_rise():
    path = np.array(StateRule(largest=4.0, rise_half_life=0.1).follow(1.0, [(0.9, 0.9)] * 4))
    np.testing.assert_allclose(np.diff(path, prepend=1.0), 0.25)


def test_what_is_no_state_is_refused():
    for n, g in ((-0.1, 0.0), (float("nan"), 0.0), (0.0, float("nan"))):
        with pytest.raises(OutOfRange):
            RULE.compute_raw(n, g)
    with pytest.raises(OutOfRange, match="previous"):
        RULE.update(0.5, 0.1, 0.1)
    with pytest.raises(OutOfRange, match="largest"):
        StateRule(largest=9.0)
