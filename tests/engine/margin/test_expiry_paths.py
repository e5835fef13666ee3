"""What settles within the margin period hedges what outlives it up to its settlement, and no longer."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.support.house import CRASH, get_house, get_policies, get_snapshot, make_state
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.grid import Cell, GridModel
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.lot_values import LotByLot
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.shocks import find_settling_day
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.instruments import InstrumentKind, Listing
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.scripts.measure.worst_accepted_book import (
    RevaluedMarket,
    find_worst_loss,
    name_expiry_paths,
    wait,
)

PARAMETERS = load_parameters()
RANGE = PARAMETERS.price_range
DAY = 1 / 365
LATER = 0.7
"""Days after which two expiries of each coin on the shipped listing settle within the period: in 0.985 and 1.985."""


@pytest.fixture(scope="module")
def later():
    """The house when two expiries settle within the period."""
    return HouseModel(wait(get_snapshot("standard"), LATER))


def find_calendar(snapshot, coin):
    """(near, next) options of one strike and kind: one that settles within two days against one that does not."""
    options = [
        item
        for item in snapshot.listing.by_name.values()
        if item.kind is InstrumentKind.OPTION and item.underlying is coin
    ]
    day = find_settling_day(snapshot, 2.0)
    near = [item for item in options if day[item.slot] >= 0]
    after = min(item.expiry for item in options if day[item.slot] < 0)
    pairs = [
        (one, other)
        for one in near
        for other in options
        if (other.expiry, other.strike, other.is_call) == (after, one.strike, one.is_call)
    ]
    return min(pairs, key=lambda pair: abs(pair[0].strike - snapshot.forward[pair[0].slot]))


def value(snapshot, leg, move, days):
    """Of one lot of an option, by Black's formula."""
    forward, years = snapshot.forward[leg.slot] * (1 + move), snapshot.years[leg.slot] - days * DAY
    price = black76_price(forward, leg.strike, max(years, 0.0), snapshot.volatility[leg.slot], leg.is_call)
    return float(price) * leg.lot_size


class TestSettlingDay:
    def test_which_instruments_settle_within_the_period(self):
        snapshot = get_snapshot("standard")
        day, hours = find_settling_day(snapshot, 2.0), snapshot.years / DAY * 24
        options = snapshot.listing.is_option
        assert (
            set(day.tolist()) == {-1, 1} and (hours[day == 1] <= 48).all() and (hours[options & (day < 0)] > 48).all()
        )
        assert (find_settling_day(get_snapshot("standard", CRASH), 2.0) == -1).all()

    def test_two_expiries_a_day_apart_never_share_a_day(self):
        snapshot = get_snapshot("standard")
        for waited in np.arange(0.1, 1.7, 0.1).tolist():
            day = find_settling_day(wait(snapshot, waited), 2.0)
            for coin, place in itertools.product(range(2), (0, 1)):
                expiries = snapshot.listing.expiry[(day == place) & (snapshot.listing.underlying == coin)]
                assert len(set(expiries.tolist())) <= 1
        assert set(find_settling_day(wait(snapshot, LATER), 2.0).tolist()) == {-1, 0, 1}

    def test_futures_settle_and_bonds_and_perpetuals_do_not(self):
        listing = get_snapshot("standard").listing
        future = next(item for item in listing.by_name.values() if item.kind is InstrumentKind.FUTURE)
        near = wait(without_near_options(get_snapshot("standard"), future.expiry), 0)
        near = replace(near, time=future.expiry - SECONDS_PER_DAY // 2)
        day = find_settling_day(near, 2.0)
        assert day[future.slot] == 0 and (day[near.listing.is_bond] == -1).all() and day[1] == -1

    @pytest.mark.property("P-230")
    @pytest.mark.parametrize("kind", [InstrumentKind.OPTION, InstrumentKind.FUTURE])
    @pytest.mark.parametrize(
        ("left", "settling"),
        [
            (1, 0),
            (SECONDS_PER_DAY, 0),
            (SECONDS_PER_DAY + 1, 1),
            (2 * SECONDS_PER_DAY, 1),
            (2 * SECONDS_PER_DAY + 1, -1),
        ],
    )
    def test_a_day_ends_with_its_last_second(self, left, settling, kind):
        """Of the array and of the definition, which counts days itself."""
        snapshot = get_snapshot("standard")
        items = (item for item in snapshot.listing.by_name.values() if item.kind is kind)
        item = min(items, key=lambda each: each.expiry)
        market = replace(without_near_options(snapshot, item.expiry), time=item.expiry - left)
        assert find_settling_day(market, 2.0)[item.slot] == settling
        path = Cell(0.3, 0, 0, 1.0, 0, days=2.0, settlements=(0.1, 0.2))
        assert LotByLot(market, PARAMETERS).price_move(item, path) == {0: 0.1, 1: 0.2, -1: 0.3}[settling]

    @pytest.mark.property("P-230")
    def test_a_period_longer_than_the_prices_of_settlement_is_refused(self):
        """A third day would settle at the price of what is alive."""
        with pytest.raises(OutOfRange, match=r"margin period, days is 3\.0; allowed: 0 to 2"):
            GridModel(get_snapshot("mini"), replace(PARAMETERS, time_days=3.0))
        assert GridModel(get_snapshot("mini"), replace(PARAMETERS, time_days=2.0)).cells


def without_near_options(snapshot, expiry):
    """The snapshot without what expires before `expiry`."""
    items = [None if item and (item.expiry or expiry) < expiry else item for item in snapshot.listing.instruments]
    listing = Listing(snapshot.listing.preset, snapshot.listing.generation, tuple(items))
    kept = listing.is_listed
    columns = {name: np.where(kept, getattr(snapshot, name), np.nan) for name in ("forward", "volatility")}
    return replace(snapshot, listing=listing, **columns)


@pytest.mark.property("P-103")
@pytest.mark.parametrize("coin", Coin)
def test_a_one_day_calendar_pays_for_the_move_after_the_settlement(coin):
    """One lot long of the next settlement against one short of the day after: when the near one has settled, the far
    one stands alone. Values by Black's formula, leg by leg."""
    house = get_house("standard")
    snapshot, (near, after) = house.snapshot, find_calendar(house.snapshot, coin)

    def lose(at, then):
        now = value(snapshot, near, 0.0, 0.0) - value(snapshot, after, 0.0, 0.0)
        return now - (value(snapshot, near, at, 2.0) - value(snapshot, after, then, 2.0))

    needed = house.definition_requirement(make_state(256, {near.slot: 1, after.slot: -1}), "initial")
    steps = [part * RANGE[coin] for part in (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)]
    worst = max(lose(0.0, step) for step in steps)
    assert needed.grid >= 1.25 * worst - 1e-9
    assert worst > 5 * needed.charge  # the contingency alone is what such a book was margined at
    beyond = max(RANGE[coin] / abs(move) * lose(0.0, move) for move in (-0.33, 0.5))  # dampened
    assert needed.grid == pytest.approx(1.25 * max(worst, beyond), rel=0.05)
    assert "settled at today's price" in house.grid.cells[coin][needed.worst[coin]].label


@pytest.mark.property("P-230")
@pytest.mark.parametrize(("first", "second"), [(0.0, -0.16), (0.0, 0.16), (-0.16, 0.0), (0.16, 0.0)])
def test_two_expiries_within_the_period_do_not_hedge_each_other(later, first, second):
    """A calendar of the 77,500 puts of 0.985 and of 1.985 days, ten lots, either way round: each leg settles at a price
    of its own. Initial margin was 879 USD, and 12,664 could be lost."""
    snapshot = later.snapshot
    legs = [snapshot.listing.get(f"BTC-{day}AUG26-77500-P") for day in (24, 25)]
    for side in (10, -10):
        lots = {legs[0].slot: side, legs[1].slot: -side}
        lost = sum(
            lots[leg.slot] * (value(snapshot, leg, 0.0, 0.0) - value(snapshot, leg, move, 2.0))
            for leg, move in zip(legs, (first, second), strict=True)
        )
        needed = later.definition_requirement(make_state(256, lots), "initial")
        assert needed.grid >= 1.25 * lost - 1e-9
        moved = RevaluedMarket(snapshot).settle_then_move(Coin.BTC, {0: first, 1: second}, 0.0)
        assert lost == pytest.approx(-sum(count * moved[slot] for slot, count in lots.items()))


@pytest.mark.property("P-230")
@pytest.mark.parametrize(
    ("coin", "path", "then"), [(Coin.BTC, {0: 0.0, 1: -0.16}, 0.0), (Coin.ETH, {0: 0.22, 1: 0.0}, 0.0)]
)
def test_the_worst_accepted_book_between_two_settlements(later, coin, path, then):
    """Were both settled at one price, accepted books would lose many times their equity."""
    snapshot = later.snapshot
    change = RevaluedMarket(snapshot).settle_then_move(coin, path, then)
    assert find_worst_loss(later.build_policy("initial"), snapshot, change) < 2.0
    one_price = HouseModel(snapshot)
    cells = {
        name: tuple(
            replace(cell, settlements=(sum(cell.settlements),) * 2) if cell.settlements else cell for cell in kept
        )
        for name, kept in one_price.grid.cells.items()
    }
    one_price.grid.cells = cells
    assert find_worst_loss(one_price.build_policy("initial"), snapshot, change) > 4.0


@pytest.mark.property("P-230")
@pytest.mark.parametrize("side", [1, -1])
def test_a_future_that_settles_within_the_period_hedges_no_perpetual_after_it(side):
    snapshot = get_snapshot("standard")
    future = next(item for item in snapshot.listing.by_name.values() if item.kind is InstrumentKind.FUTURE)
    market = without_near_options(snapshot, future.expiry)
    state = make_state(256, {future.slot: side * 100, 1: -side * 100})
    weeks, hours = (
        HouseModel(replace(market, time=future.expiry - round(days * SECONDS_PER_DAY))) for days in (14, 0.5)
    )
    alive, settling = (house.definition_requirement(state, "initial") for house in (weeks, hours))
    notional = 100 * float(hours.prices[1])
    assert settling.grid >= 1.25 * 0.16 * notional * 0.999 and alive.grid < 0.1 * notional
    assert "settled" in hours.grid.cells[Coin.BTC][settling.worst[Coin.BTC]].label


@pytest.mark.property("P-103")
@pytest.mark.parametrize(
    ("coin", "after", "without"), [(Coin.BTC, -0.05, 4.0), (Coin.BTC, -0.10, 8.0), (Coin.ETH, 0.10, 4.0)]
)
def test_the_worst_accepted_book_when_options_settle_flat_and_then_all_moves(coin, after, without):
    """A policy that lets no option settle within the period accepts books that lose many times their equity."""
    snapshot = get_snapshot("standard")
    change = RevaluedMarket(snapshot).settle_then_move(coin, {1: 0.0}, after)
    assert find_worst_loss(get_policies("standard")["initial"], snapshot, change) < 2.0
    blind = HouseModel(snapshot, replace(PARAMETERS, time_days=0.0)).policies["initial"]
    assert find_worst_loss(blind, snapshot, change) > without


def test_paths_of_the_adversary(later):
    paths = dict(name_expiry_paths(get_snapshot("standard")))
    assert len(paths) > 150 and not dict(name_expiry_paths(get_snapshot("standard", CRASH)))
    settles = find_settling_day(get_snapshot("standard"), 2.0) >= 0
    flat, fallen = (paths[f"BTC settles at +0.0% within 2 d, then stands at {move}"] for move in ("+0.0%", "-9.6%"))
    assert np.array_equal(flat[settles], fallen[settles]) and not np.allclose(flat[~settles], fallen[~settles])
    names = [name for name, _ in name_expiry_paths(later.snapshot)]
    assert len(names) > 400 and "ETH settles at +5.5% within 1 d, -5.5% within 2 d, then stands at +0.0%" in names
