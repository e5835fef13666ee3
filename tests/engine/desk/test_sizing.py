"""The largest multiple passes and the next one fails, by the exact integer policy."""

import pytest

from tests.support.desks import MARKETS, get_books, get_large_book, get_slot, spend
from tests.support.house import CALM, CRASH, get_house, make_state
from zkmargin.engine.account import MAX_LOTS, AccountState
from zkmargin.engine.desk.orders import MAX_ORDER_LOTS, Order, parse_orders, trade
from zkmargin.engine.desk.sizing import find_largest
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate

HOUSE = get_house("standard", CALM)
DIRECTIONS = ("BTC-PERPETUAL:+1,ETH-PERPETUAL:-2", "BTC-PERPETUAL:-3", "ETH-PERPETUAL:+5", "BTC-PERPETUAL:+2")


def passes(policy, state):
    try:
        find_certificate(policy, state)
    except RequirementNotMet:
        return False
    return True


def check_largest(house, state, direction):
    found = find_largest(house, "x", state, direction)
    assert found.limit == "policy" and found.largest > 0
    assert passes(house.policies["initial"], trade(house, state, direction, found.largest))
    beyond = trade(house, state, direction, found.largest + 1)
    with pytest.raises(RequirementNotMet) as refusal:
        find_certificate(house.policies["initial"], beyond)
    assert found.missing == refusal.value.missing_usd6 / 1e6 and len(found.rows) == len(refusal.value.rows)
    assert found.binding == house.report(beyond).levels["initial"].binding


@pytest.mark.property("P-71")
@pytest.mark.parametrize("size,market", MARKETS)
def test_the_largest_passes_and_the_next_one_fails(size, market):
    house = get_house(size, market)
    for index, state in enumerate(get_books(size, market).values()):
        check_largest(house, state, parse_orders([DIRECTIONS[index % len(DIRECTIONS)]]))


@pytest.mark.slow
@pytest.mark.parametrize("text", DIRECTIONS)
def test_the_largest_order_of_the_large_book(text):
    check_largest(HOUSE, get_large_book(), parse_orders([text]))


@pytest.mark.parametrize("policy", ["maintenance", "withdraw", "net_delta"])
def test_any_named_policy(policy):
    state, direction = make_state(256, {}, 10**12), parse_orders(["ETH-PERPETUAL:+1"])
    found = find_largest(HOUSE, "x", state, direction, policy)
    assert passes(HOUSE.policies[policy], trade(HOUSE, state, direction, found.largest))
    assert not passes(HOUSE.policies[policy], trade(HOUSE, state, direction, found.largest + 1))


@pytest.mark.parametrize("size,market", [("standard", CALM), ("mini", CRASH)])
def test_an_account_that_fails_passes_after_closing(size, market):
    """Today's account fails; half of it closed passes, and so on up to the largest."""
    house = get_house(size, market)
    perpetual = get_slot(house, "BTC-PERPETUAL")
    state = spend(house, make_state(house.snapshot.listing.preset.slots, {perpetual: -1000}, 10**13), "initial", 0.4)
    direction = parse_orders(["BTC-PERPETUAL:+10"])
    found = find_largest(house, "short", state, direction)
    assert not found.passes_now and found.largest >= 100 and found.limit == "policy"
    assert passes(house.policies["initial"], trade(house, state, direction, found.largest))
    assert not passes(house.policies["initial"], trade(house, state, direction, found.largest + 1))
    more = find_largest(house, "short", state, parse_orders(["BTC-PERPETUAL:-10"]))
    assert (more.largest, more.passes_now) == (-1, False) and more.rows and more.missing > 0


def test_the_range_ends_what_no_policy_ends():
    """Bitcoin collateral is reserved and worth nothing, so no policy limits how much of it is held."""
    direction = (Order("BTC-SPOT", 3, price=0.0),)
    found = find_largest(HOUSE, "gift", make_state(256, {}, 10**12), direction)
    assert (found.largest, found.limit, found.rows) == (MAX_ORDER_LOTS // 3, "range", ())
    full = make_state(256, {get_slot(HOUSE, "BTC-SPOT"): MAX_LOTS - 10}, 10**12)
    assert find_largest(HOUSE, "full", full, direction).largest == 3


def test_an_unknown_policy_or_instrument():
    state = AccountState(make_state(256, {}, 0).positions, 0)
    with pytest.raises(UnknownName, match="unknown policy 'strict'; allowed: initial"):
        find_largest(HOUSE, "x", state, parse_orders(["BTC-PERPETUAL:1"]), "strict")
    with pytest.raises(UnknownName, match="unknown instrument 'BTC-PERP'"):
        find_largest(HOUSE, "x", state, parse_orders(["BTC-PERP:1"]))
