"""The simulator: same seeds, same numbers; money is conserved; rules differ only in size at entry; known limits."""

import math
import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkmargin.engine.errors import OutOfRange, UnknownName, WrongKind
from zkmargin.engine.margin.buffer import compute_charge
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.simulation.cascade import Cascade
from zkmargin.engine.simulation.experiment import run_scenario
from zkmargin.engine.simulation.market_model import RANGES, MarketModel
from zkmargin.engine.simulation.order_book import Book
from zkmargin.engine.simulation.population import draw_population
from zkmargin.engine.simulation.position_sizing import (
    RULES,
    compute_distance,
    compute_largest_notional,
    compute_trigger,
    get_ladder,
    size_positions,
)
from zkmargin.engine.simulation.scenarios import CROWDED, SCENARIOS, Scenario, get_scenarios, override
from zkmargin.engine.simulation.statistics import Bootstrap

SMALL = replace(CROWDED, agents=120, writers=8)
SEEDS = 12


@pytest.fixture(scope="module")
def population():
    return draw_population(SMALL, SEEDS)


@pytest.fixture(scope="module")
def sized(population):
    return {rule: size_positions(SMALL, population, rule) for rule in RULES}


def test_a_seed_gives_the_same_market_whatever_the_number_of_seeds(population):
    fewer = draw_population(SMALL, 3)
    for field in fields(population):
        np.testing.assert_array_equal(getattr(population, field.name)[:3], getattr(fewer, field.name))
    later = draw_population(SMALL, 2, first_seed=1)
    np.testing.assert_array_equal(later.noise, fewer.noise[1:])


def test_a_run_is_the_same_twice(population, sized):
    first, second = (Cascade(SMALL, population, sized["buffer"]).run() for _ in range(2))
    np.testing.assert_array_equal(first.price, second.price)
    np.testing.assert_array_equal(first.bad_debt, second.bad_debt)


@given(st.floats(1e3, 1e9), st.floats(0.01, 0.5), st.floats(0, 2e9), st.floats(1e7, 1e10))
def test_the_size_taken_uses_up_the_equity_under_the_buffers_own_formula(equity, rate, ladder, depth):
    crowding = Crowding(ladder, 0.0, depth, 1e6, 0.04)
    curvature = 1.5 * crowding.impact / (2 * crowding.depth_down)
    taken = float(compute_largest_notional(equity, rate, curvature, crowding.ladder_down))
    assert rate * taken + compute_charge(taken, crowding, 1.5) == pytest.approx(equity, rel=1e-9)


def test_the_buffer_only_makes_positions_smaller_and_its_fixed_point_is_reached(population, sized):
    base, buffer = sized["base"], sized["buffer"]
    assert (buffer.notional <= base.notional * (1 + 1e-12)).all() and (buffer.options <= base.options).all()
    assert buffer.notional.sum() < 0.99 * base.notional.sum()
    np.testing.assert_allclose(buffer.ladder, get_ladder(SMALL, population, buffer.notional), rtol=1e-3)
    assert (buffer.cost > base.cost).all()


def test_the_flat_surcharge_asks_as_much_per_notional(sized):
    np.testing.assert_allclose(sized["flat"].cost, sized["buffer"].cost, rtol=1e-12)


def test_maintenance_is_the_same_under_every_rule(population, sized):
    """The price at which a given position is liquidated does not depend on the rule: only the position does."""
    same = np.isclose(sized["buffer"].notional, sized["base"].notional, rtol=1e-12)
    assert same.any() and not same.all()
    base, buffer = (compute_distance(SMALL, population, sized[rule].notional) for rule in ("base", "buffer"))
    np.testing.assert_allclose(buffer[same], base[same])
    assert (buffer >= base - 1e-12).all()


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("held", [0.0, 0.2])
def test_the_trigger_is_where_equity_meets_maintenance(side, held):
    coins, cash = 5.0, -side * 5.0 * 100.0 + 60.0
    price = float(compute_trigger(SMALL, side, coins, cash, held))
    equity = cash + (side * coins + held) * price
    assert equity == pytest.approx(SMALL.maintenance * coins * price)
    assert compute_trigger(SMALL, side, 0.0, cash, held) == -side * np.inf


def test_an_account_that_holds_more_coins_than_it_is_short_of_has_no_trigger():
    assert compute_trigger(SMALL, -1.0, 5.0, 0.0, 6.0) == np.inf
    assert compute_trigger(SMALL, 1.0, 5.0, 10.0, 0.0) == -np.inf


def test_accounts_are_worth_what_they_had_and_gained(population, sized):
    """Closing at executed prices moves cash and coins together: equity changes by price moves of what is held only."""
    run = Cascade(SMALL, population, sized["base"])
    before = run.cash + (population.side * run.coins + run.collateral) * SMALL.price
    alive = (population.entry == 0) & (run.coins > 0)
    gain = population.side * sized["base"].notional * np.expm1(population.drift)
    np.testing.assert_allclose(before[alive], (population.equity + gain)[alive])
    rows, columns = np.nonzero(alive)
    paid = np.full(SEEDS, 0.9 * SMALL.price)
    equity = run.cash + (population.side * run.coins + run.collateral) * paid[:, None]
    run._close(rows, columns, 0.5 * run.coins[rows, columns], paid)
    after = run.cash + (population.side * run.coins + run.collateral) * paid[:, None]
    np.testing.assert_allclose(after, equity, atol=1e-3)


@given(st.floats(-5e9, 5e9))
@settings(max_examples=40)
def test_the_book_is_finite_and_refills(net):
    book = Book(SMALL, np.zeros((1, SMALL.minutes)))
    price = book.observe(0)
    filled, executed = book.execute(np.array([net]), price)
    side = SMALL.depth_down if net > 0 else SMALL.depth_up
    assert abs(net) * filled[0] <= SMALL.book_levels * side * (1 + 1e-9)
    assert (executed[0] <= price[0]) if net >= 0 else (executed[0] > price[0] or abs(net) < 1)
    used = abs(book.used[0])
    for _ in range(round(SMALL.refill_half_life * 2)):
        book.refill()
    assert abs(book.used[0]) == pytest.approx(used / 4, rel=1e-9)


def test_makers_withdraw_as_the_price_moves_but_never_wholly():
    book = Book(SMALL, np.zeros((1, SMALL.minutes)))
    calm = book.get_depth(np.array([True]))[0]
    book.variance = np.array([(100 * book.normal) ** 2])
    assert calm == SMALL.depth_down
    assert SMALL.least_depth * calm <= book.get_depth(np.array([True]))[0] < 0.3 * calm


def test_where_depth_is_at_its_least_more_withdrawal_does_nothing_and_the_run_says_so(population, sized):
    """What bounds the effect is the least depth: minutes at it are counted, and lowering it is felt."""
    runs = {
        (withdrawal, least): Cascade(
            replace(SMALL, withdrawal=withdrawal, least_depth=least), population, sized["base"]
        ).run()
        for withdrawal, least in ((0.0, 0.25), (1.0, 0.25), (1.0, 0.05))
    }
    none, at_least, further = runs.values()
    assert not none.minutes_at_least_depth.any() and at_least.minutes_at_least_depth.mean() > 10
    assert further.drawdown.mean() > at_least.drawdown.mean() > none.drawdown.mean()
    with pytest.raises(OutOfRange, match=r"withdrawal is 1\.1; allowed: 0\.0 to 1\.0"):
        replace(SMALL, withdrawal=1.1)


def test_without_impact_there_is_no_cascade_beyond_the_news(population, sized):
    still = replace(SMALL, impact=1e-6)
    outcome = Cascade(still, population, sized["base"]).run()
    news = np.exp(np.interp(np.arange(SMALL.minutes), *zip(*SMALL.news, strict=True)) + population.noise.cumsum(axis=1))
    np.testing.assert_allclose(outcome.price, SMALL.price * news, rtol=1e-4)
    crash = Cascade(SMALL, population, sized["base"]).run()
    assert crash.drawdown.mean() > outcome.drawdown.mean() and crash.liquidated.sum() > outcome.liquidated.sum()


def test_a_slow_oracle_owes_more_when_the_price_does_not_come_back(population, sized):
    """Without feedback: accounts are closed later and lower. (With a price that recovers, being late can also spare
    them.)"""
    falling = replace(SMALL, impact=1e-6, news=((0, 0.0), (100, 0.0), (130, -0.2)))
    owed = [
        Cascade(replace(falling, oracle_lag=lag), population, sized["base"]).run().bad_debt.mean() for lag in (0, 15)
    ]
    assert owed[1] > 1.2 * owed[0] > 0


def test_positions_built_before_are_not_touched(population, sized):
    late = size_positions(replace(SMALL, governed_from=1), population, "buffer")
    before = population.entry == 0
    np.testing.assert_allclose(late.notional[before], sized["base"].notional[before])
    assert late.notional[~before].sum() < sized["base"].notional[~before].sum()
    np.testing.assert_array_equal(late.options, sized["base"].options)


def test_splitting_takes_larger_positions_and_accounts_outside_are_not_charged(population, sized):
    split = size_positions(replace(SMALL, split=50), population, "buffer")
    assert sized["buffer"].notional.sum() < split.notional.sum() < sized["base"].notional.sum()
    abroad = replace(SMALL, governed_share=0.0)
    elsewhere = draw_population(abroad, SEEDS)
    assert elsewhere.outside.all()
    np.testing.assert_allclose(
        size_positions(abroad, elsewhere, "buffer").notional, size_positions(abroad, elsewhere, "base").notional
    )


def test_differences_are_paired():
    result = run_scenario(Scenario("small", "", SMALL), SEEDS)
    for pair, figures in result.differences.items():
        first, second = pair.split(" - ")
        for name, found in figures.items():
            expected = result.figures[first][name].mean - result.figures[second][name].mean
            assert found.mean == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert found.low <= found.mean <= found.high


@pytest.mark.slow
def test_the_buffer_helps_where_the_crowd_decides_and_less_where_it_cannot_reach():
    """At 200 seeds: less bad debt than without it and than under a flat surcharge in `crowded`; a smaller effect when
    positions were built before or traded elsewhere; in `october` no smaller fall of the price that can be told from 0.
    """
    found = {name: run_scenario(SCENARIOS[name], 200) for name in ("october", "crowded", "positioned", "outside")}
    for pair in ("buffer - base", "buffer - flat"):
        assert found["crowded"].differences[pair]["bad_debt_usd"].high < 0
        assert found["crowded"].differences[pair]["drawdown"].high < 0
    gain = {name: -result.differences["buffer - base"]["liquidated_usd"].mean for name, result in found.items()}
    assert gain["positioned"] < 0.5 * gain["crowded"] and gain["outside"] < 0.5 * gain["crowded"]
    assert not found["october"].differences["buffer - base"]["drawdown"].excludes_zero


def test_bootstrap_intervals_hold_the_mean_as_often_as_they_say():
    generator, bootstrap = np.random.default_rng(1), Bootstrap(40)
    held = 0
    for _ in range(200):
        found = bootstrap.get_interval(generator.exponential(1.0, 40))
        held += found.low <= 1.0 <= found.high
    assert 175 <= held <= 198
    assert np.isnan(bootstrap.get_interval(np.full(40, np.nan)).mean)
    partly = np.where(np.arange(40) < 20, 2.0, np.nan)
    assert bootstrap.get_interval(partly).mean == 2.0


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"no_such": "1"}, UnknownName, "no_such"),
        ({"news": "1"}, UnknownName, "news"),
        ({"agents": "many"}, WrongKind, "many"),
        ({"agents": "1"}, OutOfRange, "20"),
        ({"maintenance": "0.5"}, OutOfRange, "maintenance"),
        ({"stress": "nan"}, OutOfRange, "stress"),
    ],
)
def test_bad_parameters_are_refused_by_name(changes, error, words):
    with pytest.raises(error, match=words):
        override(SCENARIOS["october"], changes)


def test_scenarios_by_name():
    assert [item.name for item in get_scenarios(None)] == list(SCENARIOS)
    assert override(SCENARIOS["calm"], {"agents": "50"}).model.agents == 50
    with pytest.raises(UnknownName, match="octobre"):
        get_scenarios(["octobre"])
    with pytest.raises(OutOfRange, match="seeds"):
        run_scenario(SCENARIOS["calm"], 1)
    assert MarketModel().maintenance < MarketModel().initial_margin


NUMBERS = {field.name for field in fields(MarketModel) if isinstance(getattr(MarketModel(), field.name), int | float)}


def test_every_number_of_the_market_has_a_range():
    assert set(RANGES) == NUMBERS
    assert all(low <= getattr(MarketModel(), name) <= high for name, (low, high) in RANGES.items())


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e30, None, "1", True])
def test_what_is_no_number_of_its_range_is_refused(name, value):
    with pytest.raises(OutOfRange, match=f"{name} is"):
        replace(MarketModel(), **{name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"news": ((0, 0.0), (10, math.nan))}, "log change of news is nan"),
        ({"news": ((10, 0.0), (0, 0.0))}, "minutes of news"),
        ({"activity": (1.0, math.nan)}, "weight of activity is nan"),
        ({"activity": (0.0, 0.0)}, "sum of the weights of activity is 0.0"),
        ({"put_strikes": (0.9, math.nan)}, "strike of a put is nan"),
    ],
)
def test_a_path_with_a_missing_number_is_refused(change, message):
    with pytest.raises(OutOfRange, match=re.escape(message)):
        replace(MarketModel(), **change)


def test_an_infinite_figure_is_not_left_out_of_its_mean():
    bootstrap = Bootstrap(3)
    assert bootstrap.get_interval(np.array([1.0, math.nan, 3.0])).mean == 2.0
    with pytest.raises(OutOfRange, match="figure of a seed is inf"):
        bootstrap.get_interval(np.array([1.0, math.inf, 3.0]))


def test_a_market_without_longs_has_one():
    population = draw_population(replace(MarketModel(), agents=20, long_share=0.0, late_share=0.9), 3)
    assert np.isfinite(population.equity).all()
    assert ((population.side > 0) & (population.entry == 0)).sum(axis=1).tolist() == [1, 1, 1]


def test_a_run_that_would_not_end_is_refused():
    huge = replace(MarketModel(), agents=20_000, minutes=5_000)
    with pytest.raises(OutOfRange, match=r"seeds x agents x minutes is 500000000000"):
        run_scenario(replace(SCENARIOS["calm"], model=huge), 5_000)
