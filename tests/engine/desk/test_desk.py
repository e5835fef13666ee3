"""What the integer rows ask does not depend on cash, and is exactly the equity at which the account starts to pass."""

import pytest

from tests.support.desks import get_books, get_desk, get_slot
from tests.support.house import CALM, CRASH, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.definition import compute_allowance
from zkmargin.engine.policy.certificate import RequirementNotMet

LEVELS = ("initial", "maintenance")


@pytest.mark.parametrize("size,market", [("standard", CALM), ("mini", CRASH)])
@pytest.mark.parametrize("level", LEVELS)
def test_the_measure_is_where_the_policy_begins_to_hold(size, market, level):
    desk = get_desk(size, market)
    policy = desk.policies[level]
    state = list(get_books(size, market).values())[-1]
    asked = desk.measure(policy, state)
    spare = sum(int(desk.marks[slot]) * int(lots) for slot, lots in enumerate(state.positions)) + state.cash - asked
    edge = AccountState(state.positions, state.cash - spare)
    assert desk.meets(policy, edge) and not desk.meets(policy, AccountState(edge.positions, edge.cash - 1))
    assert desk.measure(policy, edge) == desk.measure(policy, AccountState(edge.positions, edge.cash - 10**9)) == asked
    definition = float(desk.evaluate(state, level).total)
    assert -1e-6 <= asked / 1e6 - definition <= compute_allowance(desk.parameters, level, state) + 1e-6


def test_no_cash_helps_beyond_the_exposure_limit():
    desk = get_desk("standard", CALM)
    huge = make_state(256, {get_slot(desk, "BTC-PERPETUAL"): 2**27}, 10**17)
    with pytest.raises(RequirementNotMet, match="exposure limit"):
        desk.measure(desk.policies["initial"], huge)


def test_names():
    desk = get_desk("mini", CALM)
    with pytest.raises(UnknownName, match="unknown policy 'final'; allowed: initial, maintenance, net_delta, withdraw"):
        desk.get_policy("final")
    with pytest.raises(UnknownName, match="unknown level 'withdraw'; allowed: initial, maintenance"):
        desk.get_solvency_policy("withdraw")
