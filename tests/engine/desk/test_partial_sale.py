"""The part of a book in default that is sold: it saves the book at its lowest price, and no cheaper one does."""

import dataclasses

import numpy as np
import pytest

from tests.support.desks import get_books
from tests.support.house import CALM, CRASH, get_house, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.desk import hedge_programme
from zkmargin.engine.desk.partial_sale import DISCOUNT, LEAST_DISCOUNT, choose_part, make_sale_liquidity
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.house import House
from zkmargin.engine.market.instruments import make_instrument
from zkmargin.engine.policy.linear_programme import ProgrammeFailed

SHARE = 0.8
"""Of the maintenance requirement that the books in default have left."""


def fall_into_default(house, state, share=SHARE):
    """The same positions with that share of their maintenance requirement as equity."""
    required = house.definition_requirement(state, "maintenance")
    return AccountState(state.positions, state.cash + round((share * required.total - required.equity) * 1e6))


def sell(state, part, price):
    positions = np.array(state.positions)
    for slot, lots in part.items():
        positions[slot] -= lots
    return AccountState(positions, state.cash + price)


def get_cases():
    for size, market in (("standard", CALM), ("mini", CALM), ("mini", CRASH)):
        house = get_house(size, market)
        for name, state in get_books(size, market).items():
            yield pytest.param(house, fall_into_default(house, state), id=f"{size} {name}")


@pytest.mark.property("P-175")
@pytest.mark.parametrize(("house", "state"), list(get_cases()))
def test_the_rest_is_saved_at_the_lowest_price(house, state):
    sale = choose_part(house, state)
    assert sale is not None and sale.part
    for slot, lots in sale.part.items():
        held = int(state.positions[slot])
        assert 0 < lots <= held or held <= lots < 0
    rest = sell(state, sale.part, sale.floor_usd6)
    assert house.meets(house.get_solvency_policy(sale.target), rest)
    before, after = (house.definition_requirement(item, "maintenance") for item in (state, rest))
    assert after.equity / after.total >= 1 > before.equity / before.total
    assert sale.requirement_before == before.total and sale.requirement_after == after.total
    assert sale.floor_usd6 <= round(sale.mark * 1e6)
    assert sale.lots == {house.snapshot.listing.at(slot).name: lots for slot, lots in sale.part.items()}


@pytest.mark.property("P-175")
@pytest.mark.parametrize(("house", "state"), list(get_cases()))
def test_no_single_position_saves_it_for_less(house, state):
    """By bisection over each position alone: what relieves most per dollar is taken first."""
    sale = choose_part(house, state)
    quotes, policy = make_sale_liquidity(house, state, DISCOUNT), house.get_solvency_policy(sale.target)

    def get_trades(slot, lots):
        trades = np.zeros(len(state.positions), dtype=np.int64)
        trades[slot] = -lots
        return trades

    chosen = quotes.get_cost(-np.array([sale.part.get(slot, 0) for slot in range(len(state.positions))]))
    for slot in np.flatnonzero((quotes.can_buy > 0) | (quotes.can_sell > 0)):
        sign, high = int(np.sign(state.positions[slot])), abs(int(state.positions[slot]))

        def saves(lots, slot=slot, sign=sign):
            price = -quotes.get_payment(get_trades(slot, sign * lots))
            return house.meets(policy, sell(state, {slot: sign * lots}, price))

        if not saves(high):
            continue
        low = 0
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if saves(middle) else (middle, high)
        one_lot = quotes.get_cost(get_trades(slot, sign))
        assert chosen <= quotes.get_cost(get_trades(slot, sign * high)) + one_lot


def test_a_book_that_meets_maintenance_sells_nothing():
    house = get_house("mini", CRASH)
    assert choose_part(house, make_state(16, {}, 10**9)) is None


@pytest.mark.parametrize("share", [-0.5, 0.0])
def test_a_book_that_lost_all_is_auctioned_whole(share):
    """No part of it leaves anything: there is no equity to keep."""
    house = get_house("mini", CRASH)
    (state, *_) = get_books("mini", CRASH).values()
    assert choose_part(house, fall_into_default(house, state, share)) is None


def test_collateral_is_sold_where_the_debt_is_too_large():
    house = get_house("mini", CRASH)
    slot = house.snapshot.listing.get("WETH-SPOT").slot
    sale = choose_part(house, fall_into_default(house, make_state(16, {slot: 1_000}, 0)))
    assert sale is not None and set(sale.part) == {slot}


def test_a_search_without_an_answer_is_not_called_hopeless(monkeypatch):
    """Out of time is no proof that no part redeems the book, which would then be auctioned whole."""
    house = get_house("mini", CRASH)
    (state, *_) = get_books("mini", CRASH).values()

    def minimise(*_, **__):
        raise ProgrammeFailed(1, "time limit reached")

    monkeypatch.setattr(hedge_programme, "minimise", minimise)
    with pytest.raises(ProgrammeFailed, match="time limit reached"):
        choose_part(house, fall_into_default(house, state))


def test_a_short_call_whose_mark_rounds_to_nothing_is_bought_back():
    """A seller of far calls: worth less than half a micro-dollar a lot, and a requirement all the same."""
    snapshot = get_house("mini", CALM).snapshot
    slot = next(item.slot for item in snapshot.listing.by_name.values() if item.is_call)
    volatility, instruments = snapshot.volatility.copy(), list(snapshot.listing.instruments)
    volatility[slot], item = 0.05, instruments[slot]
    instruments[slot] = make_instrument(
        slot,
        item.kind,
        item.underlying,
        item.lot_size,
        expiry=item.expiry,
        strike=4 * snapshot.index[item.underlying],
        is_call=True,
    )
    listing = dataclasses.replace(snapshot.listing, instruments=tuple(instruments))
    house = House(dataclasses.replace(snapshot, listing=listing, volatility=volatility))
    assert house.marks[slot] == 0
    quotes = make_sale_liquidity(house, make_state(16, {slot: -100}, 0), DISCOUNT)
    assert (quotes.ask - quotes.mark)[slot] == (quotes.mark - quotes.bid)[slot] == 1
    sale = choose_part(house, fall_into_default(house, make_state(16, {slot: -100}, 0)))
    assert sale is not None and set(sale.part) == {slot} and sale.mark == 0
    assert sale.floor_usd6 == sale.part[slot] < 0
    assert 0 < sale.relief_per_dollar < float("inf")


@pytest.mark.parametrize("discount", [0.0, LEAST_DISCOUNT / 2, 0.6, float("nan")])
def test_a_discount_has_a_range(discount):
    house = get_house("mini", CRASH)
    with pytest.raises(OutOfRange, match="discount"):
        choose_part(house, make_state(16, {}, 0), discount=discount)
