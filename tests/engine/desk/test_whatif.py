"""What an order does is the difference of two full evaluations; orders and prices that make no sense are refused."""

import json
import math

import numpy as np
import pytest

from tests.support.desks import MARKETS, get_books, get_slot
from tests.support.house import CALM, get_house, make_state
from zkmargin.engine.account import MAX_LOTS, AccountState, Portfolio
from zkmargin.engine.desk.orders import MAX_ORDER_LOTS, Order, parse_orders, pay_out, trade
from zkmargin.engine.desk.whatif import compute_whatif
from zkmargin.engine.errors import DuplicateName, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate

HOUSE = get_house("standard", CALM)
LEVELS = ("initial", "maintenance")


def passes(policy, state):
    try:
        find_certificate(policy, state)
    except RequirementNotMet:
        return False
    return True


@pytest.mark.property("P-72")
@pytest.mark.parametrize("size,market", MARKETS)
def test_changes_are_differences_of_full_evaluations(size, market):
    house = get_house(size, market)
    orders = (Order("BTC-PERPETUAL", 150), Order("ETH-PERPETUAL", -1200))
    for name, state in list(get_books(size, market).items())[-2:]:
        found = compute_whatif(house, name, state, orders)
        lots = np.array(state.positions)
        lots[get_slot(house, "BTC-PERPETUAL")] += 150
        lots[get_slot(house, "ETH-PERPETUAL")] -= 1200
        paid = sum(order.lots * int(house.marks[get_slot(house, order.name)]) for order in orders)
        after = AccountState(lots, state.cash - paid)
        for level in LEVELS:
            full = [house.definition_requirement(account, level) for account in (state, after)]
            assert found.change[level] == pytest.approx(full[1].total - full[0].total, abs=1e-6)
            assert found.change[f"margin_excess_{level}"] == pytest.approx(
                full[1].margin_excess - full[0].margin_excess, abs=1e-6
            )
            assert found.passes(level) == passes(house.policies[level], after)
        initial = [house.definition_requirement(account, "initial") for account in (state, after)]
        assert found.change["contagion_buffer"] == pytest.approx(initial[1].buffer - initial[0].buffer, abs=1e-6)
        assert abs(found.change["equity"]) <= 0.5e-6 * 1350 + 1e-6  # marks are whole micro-dollars


def test_an_order_that_does_not_pass_says_what_is_missing():
    state = make_state(256, {}, 10_000 * 10**6)
    found = compute_whatif(HOUSE, "thin", state, (Order("BTC-PERPETUAL", 100),))
    assert not found.passes("initial") and found.before.verdicts["initial"].passes
    missing = found.after.verdicts["initial"].missing_usd6
    after = trade(HOUSE, state, (Order("BTC-PERPETUAL", 100),))
    assert passes(HOUSE.policies["initial"], AccountState(after.positions, after.cash + missing))
    assert not passes(HOUSE.policies["initial"], AccountState(after.positions, after.cash + missing - 1))
    assert found.after.worst["BTC"].startswith("BTC -")
    document = json.loads(json.dumps(found.to_document(), allow_nan=False))
    assert document["passes"] == {"initial": False, "maintenance": found.passes("maintenance")}


def test_a_price_off_the_mark_moves_equity_by_the_difference():
    state = make_state(256, {}, 10**12)
    mark = HOUSE.marks[get_slot(HOUSE, "ETH-PERPETUAL")] / 1e6 / 0.1
    found = compute_whatif(HOUSE, "x", state, (Order("ETH-PERPETUAL", -30, price=mark - 10.0),))
    assert found.change["equity"] == pytest.approx(-10.0 * 0.1 * 30, abs=1e-3)
    assert found.orders[0].cash == pytest.approx(-30 * 0.1 * (mark - 10.0), abs=1e-6)


def test_the_account_pays_the_fraction_of_a_micro_dollar():
    bought = trade(HOUSE, make_state(256, {}, 0), (Order("BTC-PERPETUAL", 1, price=0.00005),))
    sold = trade(HOUSE, make_state(256, {}, 0), (Order("BTC-PERPETUAL", -1, price=0.00005),))
    assert (bought.cash, sold.cash) == (-1, 0)  # half a micro-dollar each way


def test_a_trade_and_its_reverse_at_the_mark_change_nothing():
    state = make_state(256, {5: -7}, 123)
    there = trade(HOUSE, state, parse_orders(["BTC-PERPETUAL:+10,ETH-PERPETUAL:-3"]))
    assert trade(HOUSE, there, parse_orders(["BTC-PERPETUAL:-10", "ETH-PERPETUAL:3"])) == state


@pytest.mark.parametrize(
    "orders,prices,error,text",
    [
        (["BTC-PERPETUAL:0"], [], OutOfRange, "lots of BTC-PERPETUAL is 0; allowed: .* not zero"),
        (["BTC-PERPETUAL:1.5"], [], OutOfRange, "lots of BTC-PERPETUAL is '1.5'"),
        (["BTC-PERPETUAL:nan"], [], OutOfRange, "lots of BTC-PERPETUAL is 'nan'"),
        ([f"BTC-PERPETUAL:{MAX_ORDER_LOTS + 1}"], [], OutOfRange, f"{MAX_ORDER_LOTS + 1}; allowed: -{MAX_ORDER_LOTS}"),
        (
            ["BTC-PERPETUAL:1"],
            ["BTC-PERPETUAL:nan"],
            OutOfRange,
            "price of BTC-PERPETUAL in US dollars per coin is nan",
        ),
        (["BTC-PERPETUAL:1"], ["BTC-PERPETUAL:inf"], OutOfRange, "is inf; allowed: 0.0 to"),
        (["BTC-PERPETUAL:1"], ["BTC-PERPETUAL:-5"], OutOfRange, "is -5.0; allowed: 0.0 to"),
        (["BTC-PERPETUAL:1"], ["BTC-PERPETUAL:cheap"], OutOfRange, "is 'cheap'"),
        (["BTC-PERPETUAL:1"], ["ETH-PERPETUAL:5"], UnknownName, "unknown priced instrument 'ETH-PERPETUAL'"),
        (["BTC-PERPETUAL:1,BTC-PERPETUAL:2"], [], DuplicateName, "order 'BTC-PERPETUAL' appears more than once"),
        (["BTC-PERPETUAL 1"], [], WrongKind, "allowed: NAME:LOTS"),
        ([""], [], WrongKind, "allowed: NAME:LOTS"),
        ([], [], WrongKind, "orders is 'none'"),
    ],
)
def test_orders_that_are_refused(orders, prices, error, text):
    with pytest.raises(error, match=text):
        parse_orders(orders, prices)


def test_an_unknown_instrument_is_answered_with_the_nearest_names():
    with pytest.raises(UnknownName, match="unknown instrument 'BTC-PERPETUALS'; allowed: BTC-PERPETUAL"):
        trade(HOUSE, make_state(256, {}, 0), (Order("BTC-PERPETUALS", 1),))


def test_positions_and_cash_stay_in_range():
    with pytest.raises(OutOfRange, match="lots of BTC-PERPETUAL after the trade"):
        trade(HOUSE, make_state(256, {1: MAX_LOTS}, 0), (Order("BTC-PERPETUAL", 1),))
    dear = tuple(Order(f"{coin}-PERPETUAL", MAX_ORDER_LOTS, price=1e8) for coin in ("BTC", "ETH"))
    with pytest.raises(OutOfRange, match="cash of the trade in micro-dollars"):
        trade(HOUSE, make_state(256, {}, 0), dear)
    for amount in (math.nan, -1.0, math.inf):
        with pytest.raises(OutOfRange, match="withdrawal in US dollars"):
            pay_out(Portfolio("x", {}, 0), amount)
    assert pay_out(Portfolio("x", {}, 5), 2.0).cash == 5 - 2_000_000


def test_a_trade_has_four_legs():
    names = [item.name for item in HOUSE.snapshot.listing.by_name.values() if item.name.startswith("BTC-")][1:6]
    state = make_state(256, {}, 10**13)
    assert compute_whatif(HOUSE, "x", state, tuple(Order(name, 1) for name in names[:4])).trades == 1
    assert compute_whatif(HOUSE, "x", state, tuple(Order(name, 1) for name in names)).trades == 2
