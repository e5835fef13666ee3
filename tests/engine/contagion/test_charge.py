"""Properties of the buffer's curve: size, crowd, depth, hedges, splitting over accounts, fake depth."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zkmargin.engine.contagion.depth import DepthRule, DepthSeries, average_over_time
from zkmargin.engine.margin.buffer import compute_charge, make_chords
from zkmargin.engine.market.crowding import MIN_DEPTH, Crowding

notional = st.floats(0, 1e10)
crowdings = st.builds(Crowding, notional, notional, st.floats(1e5, 1e10), st.floats(1e5, 1e10), st.floats(1e-4, 0.2))
exposure = st.floats(-1e10, 1e10)
stress = st.floats(1, 4)
TINY = 1e-9


@pytest.mark.property("P-66")
@given(crowdings, exposure, st.floats(0, 1), stress)
def test_never_negative_and_monotone_in_size(crowding, size, part, theta):
    whole = compute_charge(size, crowding, theta)
    assert 0 <= compute_charge(part * size, crowding, theta) <= whole * (1 + TINY)
    assert compute_charge(0.0, crowding, theta) == 0


@pytest.mark.property("P-66")
@given(crowdings, st.floats(0, 1e10), st.floats(0, 1e10), st.floats(0, 1), st.sampled_from([1, -1]), stress)
def test_convex_in_size(crowding, one, other, weight, sign, theta):
    between = compute_charge(sign * (weight * one + (1 - weight) * other), crowding, theta)
    line = weight * compute_charge(sign * one, crowding, theta) + (1 - weight) * compute_charge(
        sign * other, crowding, theta
    )
    assert between <= line * (1 + TINY) + TINY


@pytest.mark.property("P-66")
@given(crowdings, exposure, st.floats(1, 1e9), stress)
def test_rises_with_the_crowd_and_falls_with_depth_of_its_own_side_only(crowding, size, more, theta):
    assume(abs(size) > 1)
    charge, own = compute_charge(size, crowding, theta), "down" if size > 0 else "up"
    for side in ("down", "up"):
        crowded = Crowding(
            **{**vars(crowding), f"ladder_{side}": min(getattr(crowding, f"ladder_{side}") + more, 1e12)}
        )
        deeper = Crowding(**{**vars(crowding), f"depth_{side}": min(getattr(crowding, f"depth_{side}") + more, 1e12)})
        if side == own:
            assert compute_charge(size, crowded, theta) > charge > compute_charge(size, deeper, theta)
        else:
            assert compute_charge(size, crowded, theta) == charge == compute_charge(size, deeper, theta)


@pytest.mark.property("P-66")
@given(crowdings, exposure, st.floats(0, 1), stress)
def test_a_hedge_never_raises_it(crowding, size, part, theta):
    assert compute_charge(size - part * size, crowding, theta) <= compute_charge(size, crowding, theta) * (1 + TINY)


@pytest.mark.property("P-66")
@given(crowdings, st.floats(1, 1e9), st.integers(2, 50), stress)
def test_splitting_outside_the_ladder_saves_the_square_term_and_nothing_else(crowding, size, count, theta):
    """n well-margined siblings: n charge(D / n) keeps the crowd's part and a 1 / n of the square."""
    square = theta * crowding.impact * size**2 / (2 * crowding.depth_down)
    whole, split = compute_charge(size, crowding, theta), count * compute_charge(size / count, crowding, theta)
    assert whole - split == pytest.approx(square * (1 - 1 / count), rel=1e-6, abs=1e-6 * whole)


@pytest.mark.property("P-66")
@given(crowdings, st.floats(1e5, 1e9), st.integers(2, 50), stress)
def test_splitting_inside_the_ladder_costs_more(crowding, size, count, theta):
    """n fragile siblings stand in the ladder that each of them is charged for: the saving turns into a cost."""
    ladder = crowding.ladder_down + size * (1 - 1 / count)
    siblings = Crowding(**{**vars(crowding), "ladder_down": ladder})
    split = count * compute_charge(size / count, siblings, theta)
    whole = compute_charge(size, crowding, theta)
    extra = theta * crowding.impact * size**2 * (1 - 1 / count) / (2 * crowding.depth_down)
    assert split - whole == pytest.approx(extra, rel=1e-3, abs=1e-6 * split) and split > whole


@given(st.floats(1e-13, 1e-9), st.floats(0, 1e9), st.integers(1, 6), st.floats(0, 1), st.floats(0, 1))
def test_chords_are_convex_and_monotone(curvature, ladder, count, first, second):
    chords = make_chords(curvature, ladder, count, 0.02, 0.16)
    low, high = sorted((first * chords.largest, second * chords.largest))
    middle = chords.get_charge((low + high) / 2)
    assert chords.get_charge(low) <= chords.get_charge(high) * (1 + TINY)
    assert middle <= (chords.get_charge(low) + chords.get_charge(high)) / 2 * (1 + TINY)
    assert np.all(np.diff(chords.slopes) > 0) and chords.get_charge(0.0) == 0


@pytest.mark.property("P-67")
def test_a_burst_of_fake_depth_buys_no_lower_charge():
    time = 30.0 * np.arange(1, 121)
    honest = np.full(120, 2e8)
    shown = np.where(np.arange(120) % 5 < 2, 1e12, honest)
    rule, now = DepthRule(window=3_600.0), float(time[-1])
    charges = [
        compute_charge(1e7, Crowding(1e8, 1e8, average_over_time(DepthSeries(time, depth), now, rule), 1e8, 0.04), 1.0)
        for depth in (honest, shown)
    ]
    assert charges[0] == charges[1] > 0
    naive = compute_charge(1e7, Crowding(1e8, 1e8, shown.mean(), 1e8, 0.04), 1.0)
    assert naive < 0.01 * charges[0]


def test_depth_cannot_be_declared_away():
    with pytest.raises(ValueError, match="depth_down"):
        Crowding(0.0, 0.0, MIN_DEPTH - 1.0, 1e6, 0.01)
