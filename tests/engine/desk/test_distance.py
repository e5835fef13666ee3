"""Distances against the definition in a market that was moved by hand, and what fails first."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.support.house import get_house, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.desk import distance
from zkmargin.engine.desk.distance import Direction, DistanceSearch, find_root, list_directions, measure_distance
from zkmargin.engine.desk.orders import Order, trade
from zkmargin.engine.house import House
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.stress import Stress
from zkmargin.engine.presets import Coin

HOUSE = get_house("mini")
BTC_PERPETUAL, ETH_PERPETUAL = 1, 9
LEVELS = ("initial", "maintenance")
NEAR = 2e-4


def is_met(state, level, move):
    """The whole market moved by a stress, with everything listed, and the definition there."""
    decay = HOUSE.shortfall.scenarios.decay
    factor = move.volatilities["BTC"]
    assert move.volatilities["ETH"] == factor
    stress = Stress("x", dict(move.prices), volatility=factor)
    return HouseModel(stress.apply(HOUSE.snapshot, decay), HOUSE.parameters).definition_requirement(state, level).is_met


def cover(lots, level, share):
    """An account with these lots and so much cash that its excess over `level` is that share of the requirement."""
    bare = make_state(16, lots)
    needed = HOUSE.definition_requirement(bare, level)
    return AccountState(bare.positions, round((share * needed.total - needed.margin_excess) * 1e6))


BOOKS = ({1: 100}, {1: -100}, {9: 300}, {1: 50, 9: -200}, {4: -100, 3: -100}, {4: -80, 1: 30, 12: -300})


@pytest.mark.parametrize(
    "lots,level",
    [
        pytest.param(
            lots,
            level,
            marks=() if (lots, level) in ((BOOKS[1], "initial"),) else pytest.mark.slow,
        )
        for lots in BOOKS
        for level in LEVELS
    ],
)
def test_just_before_it_passes_and_there_it_fails(lots, level):
    state = cover(lots, level, 0.4)
    search = DistanceSearch(HOUSE, state)
    still = dict.fromkeys(Coin, 0.0)
    directions = [Direction({**still, coin: sign}, still) for coin in Coin for sign in (-1.0, 1.0)]
    directions += [Direction(still, dict.fromkeys(Coin, sign)) for sign in (-1.0, 1.0)] + [search.largest_loss]
    found = [search.find_units(level, direction) for direction in directions]
    assert any(units is not None for units in found)
    for direction, units in zip(directions, found, strict=True):
        passing = distance.STEPS
        if units is not None:
            passing = [units - NEAR, *(step for step in distance.STEPS if step < units)]
            assert not is_met(state, level, direction.scale(units, search.ranges))
        assert all(is_met(state, level, direction.scale(times, search.ranges)) for times in passing if times > 0)


def test_prices_and_factors_are_those_of_the_units():
    state = cover({BTC_PERPETUAL: -100}, "maintenance", 0.4)
    measured = measure_distance(HOUSE, "x", state).levels["maintenance"]
    of_coin = measured.coins[Coin.BTC]
    assert measured.is_met and list(measured.coins) == [Coin.BTC]
    assert of_coin.price_up_usd == pytest.approx(HOUSE.snapshot.index["BTC"] * (1 + of_coin.price_up))
    assert of_coin.price_down is of_coin.price_down_usd is None  # a short gains
    assert of_coin.volatility_up is of_coin.volatility_down is None  # and feels no volatility
    # equity falls by the move, the requirement rises with the price: excess = 0.4 R, R a share of the price
    share = HOUSE.definition_requirement(state, "maintenance").total / (HOUSE.prices[BTC_PERPETUAL] * 100)
    assert of_coin.price_up == pytest.approx(0.4 * share / (1 + share), abs=1e-4)
    assert measured.worst.units * 0.16 == pytest.approx(of_coin.price_up, abs=1e-4)


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_alone_fails_before_the_worst_direction(level):
    """A short call and a short put on two coins: the joint move fails first."""
    calls = [item.slot for item in HOUSE.snapshot.listing.by_name.values() if item.is_call]
    state = cover({calls[0]: -100, calls[-1]: -800}, level, 0.5)
    search = DistanceSearch(HOUSE, state)
    worst = search.measure_worst(level)
    still = dict.fromkeys(Coin, 0.0)
    for coin, sign in itertools.product(Coin, (-1.0, 1.0)):
        alone = search.find_units(level, Direction({**still, coin: sign}, still))
        assert alone is None or worst.units <= alone + NEAR
    assert worst.volatility == 1 and set(worst.prices.values()) == {1.0}
    assert not is_met(state, level, worst.move)


def test_the_direction_of_the_largest_loss_moves_nothing_that_does_not_matter():
    found = DistanceSearch(HOUSE, make_state(16, {BTC_PERPETUAL: 10})).largest_loss
    assert found.prices == {"BTC": -1.0, "ETH": 0.0} and set(found.volatilities.values()) == {0.0}
    assert len(list(list_directions(tuple(Coin)))) == 3 ** (len(Coin) + 1) - 1


@pytest.mark.property("P-231")
@pytest.mark.parametrize("held", [BTC_PERPETUAL, ETH_PERPETUAL, 4])
def test_accrued_funding_of_what_is_held_and_of_what_is_not(held):
    """The whole market has accrued funding in both coins; the account holds one perpetual of the two, or neither."""
    accrued = {coin: 0.2 * index for coin, index in HOUSE.snapshot.index.items()}
    house = House(replace(HOUSE.snapshot, accrued_funding=accrued), HOUSE.parameters)
    state = make_state(16, {held: -100})
    needed = house.definition_requirement(state, "initial")
    state = AccountState(state.positions, round((0.4 * needed.total - needed.margin_excess) * 1e6))
    search = DistanceSearch(house, state)
    still = {coin: 0.0 for coin in Coin}
    room = search.get_room("initial", distance.Move(still, dict.fromkeys(Coin, 1.0)))
    assert room == pytest.approx(house.definition_requirement(state, "initial").margin_excess, abs=1e-6)
    assert search.measure_worst("initial").units > 0
    trade_one = house.whatif(state, {"BTC-PERPETUAL": 1}, with_distance=True)
    assert trade_one.after.distance.units is None or trade_one.after.distance.units >= 0


def test_an_account_that_fails_has_no_distance():
    state = cover({BTC_PERPETUAL: 100}, "maintenance", -0.01)
    measured = measure_distance(HOUSE, "x", state).levels["maintenance"]
    assert not measured.is_met and measured.worst.units == 0.0
    assert measured.coins[Coin.BTC].price_down == measured.coins[Coin.BTC].price_up == 0.0
    assert measured.worst.move.prices == {"BTC": 0.0, "ETH": 0.0}


def test_an_account_beyond_its_limit_of_short_options_fails_whatever_its_cash():
    calls = [item.slot for item in HOUSE.snapshot.listing.by_name.values() if item.is_call and item.slot < 8]
    state = make_state(16, {calls[0]: -10_000_000}, 10**18)
    needed = HOUSE.definition_requirement(state, "initial")
    assert needed.margin_excess > 0 > needed.concentration_slack
    assert DistanceSearch(HOUSE, state).measure_worst("initial").units == 0.0


def test_cash_alone_is_at_no_distance_from_anything():
    measured = measure_distance(HOUSE, "x", make_state(16, {}, 10**12))
    for level in LEVELS:
        assert measured.levels[level].coins == {} and measured.levels[level].worst.units is None


@pytest.mark.slow
def test_after_an_order_it_is_that_of_the_account_after_it():
    state, orders = cover({BTC_PERPETUAL: 100}, "initial", 0.1), (Order("BTC-PERPETUAL", 50),)
    house = House(HOUSE.snapshot)
    after = house.distance(state, orders)
    assert after.levels == house.distance(trade(house, state, orders)).levels
    before = house.distance(state)
    assert after.levels["maintenance"].worst.units < before.levels["maintenance"].worst.units
    found = house.whatif(state, orders, with_distance=True)
    assert found.after.distance.units < found.before.distance.units
    for standing, account in ((found.before, state), (found.after, trade(house, state, orders))):
        search = DistanceSearch(house, account)
        assert standing.distance == search.measure_first("maintenance", [search.largest_loss])
    assert house.whatif(state, orders).after.distance is None


def test_only_what_is_held_is_priced_again():
    state = make_state(16, {BTC_PERPETUAL: 10, 4: -3}, 10**12)
    market = DistanceSearch(HOUSE, state).market
    assert np.flatnonzero(market.listing.is_listed).tolist() == [1, 4]
    assert HouseModel(market).definition_requirement(state, "initial") == HOUSE.definition_requirement(state, "initial")


@pytest.mark.parametrize("edge", [0.3, 0.50001, 0.99999])
@pytest.mark.parametrize("power", [1, 3, 0.2])
def test_a_root_is_found_on_the_side_that_fails(edge, power):
    """Straight, steep and flat crossings."""

    def room(times):
        return np.sign(edge - times) * abs(edge - times) ** power

    found = find_root(room, (0.0, room(0.0)), (1.0, room(1.0)))
    assert edge <= found <= edge + distance.TOLERANCE
