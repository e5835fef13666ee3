"""Options that settle within the margin period hedge what outlives them up to their settlement, and no longer."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.house import CRASH, get_house, get_policies, get_snapshot, make_state
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.shocks import settles_within
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.presets import Coin
from zkmargin.scripts.measure.worst_accepted_book import RevaluedMarket, find_worst_loss, name_expiry_paths

PARAMETERS = load_parameters()
RANGE = PARAMETERS.price_range
DAY = 1 / 365


def find_calendar(snapshot, coin):
    """(near, next) options of one strike and kind: one that settles within two days against one that does not."""
    options = [
        item
        for item in snapshot.listing.by_name.values()
        if item.kind is InstrumentKind.OPTION and item.underlying is coin
    ]
    settles = settles_within(snapshot, 2.0)
    near = [item for item in options if settles[item.slot]]
    after = min(item.expiry for item in options if not settles[item.slot])
    pairs = [
        (one, other)
        for one in near
        for other in options
        if (other.expiry, other.strike, other.is_call) == (after, one.strike, one.is_call)
    ]
    return min(pairs, key=lambda pair: abs(pair[0].strike - snapshot.forward[pair[0].slot]))


def test_which_options_settle_within_the_period():
    snapshot = get_snapshot("standard")
    settles, hours = settles_within(snapshot, 2.0), snapshot.years / DAY * 24
    options = snapshot.listing.is_option
    assert settles.any() and (hours[settles] <= 48).all() and (hours[options & ~settles] > 48).all()
    assert not settles_within(get_snapshot("standard", CRASH), 2.0).any()


@pytest.mark.property("P-103")
@pytest.mark.parametrize("coin", Coin)
def test_a_one_day_calendar_pays_for_the_move_after_the_settlement(coin):
    """One lot long of the next settlement against one short of the day after: when the near one has settled, the far
    one stands alone. Values by Black's formula, leg by leg."""
    house = get_house("standard")
    snapshot, (near, after) = house.snapshot, find_calendar(house.snapshot, coin)

    def value(leg, move, days):
        forward, years = snapshot.forward[leg.slot] * (1 + move), snapshot.years[leg.slot] - days * DAY
        price = black76_price(forward, leg.strike, max(years, 0.0), snapshot.volatility[leg.slot], leg.is_call)
        return float(price) * leg.lot_size

    def lose(at, then):
        now = value(near, 0.0, 0.0) - value(after, 0.0, 0.0)
        return now - (value(near, at, 2.0) - value(after, then, 2.0))

    needed = house.definition_requirement(make_state(256, {near.slot: 1, after.slot: -1}), "initial")
    steps = [part * RANGE[coin] for part in (-1.0, -0.5, -0.25, 0.25, 0.5, 1.0)]
    worst = max(lose(0.0, step) for step in steps)
    assert needed.grid >= 1.25 * worst - 1e-9
    assert worst > 5 * needed.charge  # the contingency alone is what such a book was margined at
    beyond = max(RANGE[coin] / abs(move) * lose(0.0, move) for move in (-0.33, 0.5))  # dampened
    assert needed.grid == pytest.approx(1.25 * max(worst, beyond), rel=0.05)
    assert "settle at today's price" in house.grid.cells[coin][needed.worst[coin]].label


@pytest.mark.property("P-103")
@pytest.mark.parametrize(
    ("coin", "after", "without"), [(Coin.BTC, -0.05, 4.0), (Coin.BTC, -0.10, 8.0), (Coin.ETH, 0.10, 4.0)]
)
def test_the_worst_accepted_book_when_options_settle_flat_and_then_all_moves(coin, after, without):
    """A policy that lets no option settle within the period accepts books that lose many times their equity."""
    snapshot = get_snapshot("standard")
    change = RevaluedMarket(snapshot).settle_then_move(coin, 0.0, after)
    assert find_worst_loss(get_policies("standard")["initial"], snapshot, change) < 2.0
    blind = HouseModel(snapshot, replace(PARAMETERS, time_days=0.0)).policies["initial"]
    assert find_worst_loss(blind, snapshot, change) > without


def test_paths_of_the_adversary():
    paths = dict(name_expiry_paths(get_snapshot("standard")))
    assert len(paths) > 150 and not dict(name_expiry_paths(get_snapshot("standard", CRASH)))
    settles = settles_within(get_snapshot("standard"), 2.0)
    flat, fallen = (paths[f"BTC settles at +0.0%, then stands at {move}"] for move in ("+0.0%", "-10.0%"))
    assert np.array_equal(flat[settles], fallen[settles]) and not np.allclose(flat[~settles], fallen[~settles])
