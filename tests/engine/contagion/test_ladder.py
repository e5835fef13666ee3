"""The liquidation ladder: from known accounts, with options, and from public data."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkmargin.engine.contagion.concentration import compute_concentration, compute_fragility
from zkmargin.engine.contagion.ladder import (
    Accounts,
    Ladder,
    add_prints,
    build_ladder,
    compute_nearness,
    estimate_ladder,
    find_liquidations,
    fit_distance_scale,
)
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.black76 import black76_greeks

PRICE, MAINTENANCE, BAND = 100.0, 0.05, 0.2


def make_accounts(linear, equity, options=None, **terms) -> Accounts:
    count = len(linear)
    options = np.zeros((count, 0)) if options is None else np.array(options, dtype=float)
    kinds = options.shape[1]
    given = {"strike": [90.0], "years": [0.1], "volatility": [0.6], "is_call": [False], **terms}
    shape = {name: np.array(value)[:kinds] for name, value in given.items()}
    return Accounts(np.array(linear, float), np.array(equity, float), options, **shape, maintenance=MAINTENANCE)


def test_a_linear_account_is_closed_where_arithmetic_says():
    """10 coins long, equity 150: 150 + 10 (P - 100) = 0.05 * 10 P at P = 89.47, a fall of 10.5 %."""
    fall = 1 - (1000 - 150) / (10 * (1 - MAINTENANCE)) / PRICE
    ladder = build_ladder(make_accounts([10.0], [150.0]), PRICE, BAND, "down", buckets=200)
    place = np.flatnonzero(ladder.notional)
    assert len(place) == 1 and ladder.edges[place[0]] <= fall <= ladder.edges[place[0] + 1]
    assert ladder.notional.sum() == pytest.approx(10 * PRICE * (1 - ladder.edges[place[0] + 1]))
    assert build_ladder(make_accounts([10.0], [150.0]), PRICE, BAND, "up").notional.sum() == 0


def test_sides_mirror_and_an_account_below_maintenance_stands_in_the_first_bucket():
    short = build_ladder(make_accounts([-10.0], [100.0]), PRICE, BAND, "up")
    assert (
        short.notional.sum() > 0
        and build_ladder(make_accounts([-10.0], [100.0]), PRICE, BAND, "down").notional.sum() == 0
    )
    late = build_ladder(make_accounts([10.0], [1.0]), PRICE, BAND, "down")
    assert late.notional[0] > 0 and not late.notional[1:].any()


def test_an_options_delta_is_the_one_where_its_account_is_closed():
    """A short put: its delta grows as the price falls, so more is sold than today's delta."""
    accounts = make_accounts([0.0], [90.0], [[-10.0]])
    moves = -np.linspace(0, BAND, 401)[1:]
    rung, delta = find_liquidations(accounts, PRICE, moves)
    level = PRICE * (1 + moves[rung[0]])
    then = 10 * -black76_greeks(level, 90.0, 0.1, 0.6, False).delta
    today = 10 * -black76_greeks(PRICE, 90.0, 0.1, 0.6, False).delta
    assert rung[0] > 0 and delta[0] == pytest.approx(then) and then > 1.2 * today
    ladder = build_ladder(accounts, PRICE, BAND, "down", buckets=400)
    assert ladder.notional.sum() == pytest.approx(then * level)
    alive = rung[0] - 1
    value = lambda price: accounts.value_options(price)[0][0]  # noqa: E731
    before = PRICE * (1 + moves[alive])
    assert 90 + value(before) - value(PRICE) >= MAINTENANCE * 10 * before


def test_what_is_bought_on_the_way_down_is_not_selling():
    """A long put closed in a fall is bought back as a hedge: it does not add to the ladder "down"."""
    accounts = make_accounts([-1.0], [4.0], [[3.0]])
    assert not build_ladder(accounts, PRICE, BAND, "down").notional.any()


@given(
    st.lists(st.tuples(st.floats(-20, 20), st.floats(1, 2_000)), min_size=1, max_size=12),
    st.integers(0, 11),
    st.floats(1.0, 3.0),
)
@settings(max_examples=40, deadline=None)
def test_more_equity_never_raises_the_ladder(rows, which, factor):
    linear, equity = np.array(rows).T
    base = make_accounts(linear, equity)
    richer = equity.copy()
    richer[which % len(rows)] *= factor
    for side in ("down", "up"):
        one, other = (build_ladder(a, PRICE, BAND, side, 12) for a in (base, replace(base, equity=richer)))
        assert other.get_weighted() <= one.get_weighted() * (1 + 1e-9) + 1e-9
        assert 0 <= one.get_weighted() <= one.notional.sum() * (1 + 1e-12)


def test_nearness_falls_from_one_to_zero():
    np.testing.assert_allclose(compute_nearness(np.array([0.0, 0.1, 0.2, 0.5]), BAND), [1.0, 0.5, 0.0, 0.0])


def test_the_estimate_closes_the_stated_share_and_counts_its_gain():
    scale = fit_distance_scale(0.16, 0.14)
    ladder = estimate_ladder(1e9, scale, 0.16)
    assert ladder.notional.sum() == pytest.approx(0.14e9)
    first = 1e9 * -np.expm1(-0.01 / scale)
    assert ladder.get_gain(2e8, 0.04) == pytest.approx(0.04 * first / 2e8 / 0.01, rel=1e-2)
    assert 0.4 * 0.14e9 < ladder.get_weighted() < 0.6 * 0.14e9


def test_prints_take_away_what_is_gone():
    ladder = estimate_ladder(1e9, 1.0, 0.16, buckets=16)
    less = add_prints(ladder, {0.005: 4e6, 0.5: 1e12})
    assert less.notional[0] == pytest.approx(ladder.notional[0] - 4e6)
    assert less.notional[-1] == 0 and less.notional[5] == ladder.notional[5]


@pytest.mark.parametrize(
    "call",
    [
        lambda: estimate_ladder(-1.0, 1.0, 0.16),
        lambda: estimate_ladder(1e9, 1.0, 1.5),
        lambda: fit_distance_scale(0.1, 1.0),
        lambda: build_ladder(make_accounts([1.0], [1.0]), float("nan"), BAND, "down"),
        lambda: make_accounts([1.0, 2.0], [1.0]),
        lambda: make_accounts([np.inf], [1.0]),
    ],
)
def test_what_is_no_ladder_is_refused(call):
    with pytest.raises(OutOfRange, match="allowed"):
        call()


def test_concentration_counts_each_side_alone():
    assert compute_concentration(np.array([1.0, 1.0, 1.0, 1.0])).long == pytest.approx(0.25)
    mixed = compute_concentration(np.array([3.0, 1.0, -5.0]))
    assert mixed.long == pytest.approx((9 + 1) / 16) and mixed.short == 1.0
    assert compute_concentration(np.zeros(3)).short == 0.0


def test_fragility_is_one_at_the_brink_and_zero_when_safe():
    brink = compute_fragility(make_accounts([10.0, -10.0], [50.0, 1e6]), PRICE, BAND)
    assert brink["long"] == pytest.approx(1.0, abs=0.02) and brink["short"] == 0.0
    mixed = compute_fragility(make_accounts([10.0, 30.0], [50.0, 1e6]), PRICE, BAND)
    assert mixed["long"] == pytest.approx(0.25, abs=0.01)


def test_a_missing_delta_is_no_sign_of_a_dispersed_market():
    with pytest.raises(OutOfRange, match="delta is nan"):
        compute_concentration(np.array([1.0, math.nan, -1.0]))


@pytest.mark.parametrize("prints", [{0.1: math.nan}, {math.nan: 1e6}])
def test_a_print_without_its_number_closes_nothing(prints):
    with pytest.raises(OutOfRange, match="of a liquidation is nan"):
        add_prints(estimate_ladder(1e9, 0.1, 0.16), prints)


def test_a_ladder_of_missing_numbers_is_refused():
    ladder = estimate_ladder(1e9, 0.1, 0.16)
    notional = ladder.notional.copy()
    notional[3] = math.nan
    with pytest.raises(OutOfRange, match="notional of a ladder is nan"):
        Ladder(ladder.edges, notional)
    with pytest.raises(OutOfRange, match="impact is nan"):
        ladder.get_gain(1e8, math.nan)
