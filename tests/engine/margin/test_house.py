"""What the integer rows ask does not depend on cash, and is exactly the equity at which the account starts to pass."""

import pytest

from tests.support.desks import get_books, get_slot
from tests.support.house import CALM, CRASH, get_house, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.definition import compute_allowance
from zkmargin.engine.policy.certificate import RequirementNotMet

LEVELS = ("initial", "maintenance")


@pytest.mark.property("P-71")
@pytest.mark.parametrize("size,market", [("standard", CALM), ("mini", CRASH)])
@pytest.mark.parametrize("level", LEVELS)
def test_the_measure_is_where_the_policy_begins_to_hold(size, market, level):
    house = get_house(size, market)
    policy = house.policies[level]
    state = list(get_books(size, market).values())[-1]
    asked = house.policy_requirement(policy, state)
    spare = sum(int(house.marks[slot]) * int(lots) for slot, lots in enumerate(state.positions)) + state.cash - asked
    edge = AccountState(state.positions, state.cash - spare)
    assert house.meets(policy, edge) and not house.meets(policy, AccountState(edge.positions, edge.cash - 1))
    poorer = AccountState(edge.positions, edge.cash - 10**9)
    assert house.policy_requirement(policy, edge) == house.policy_requirement(policy, poorer) == asked
    definition = float(house.definition_requirement(state, level).total)
    assert -1e-6 <= asked / 1e6 - definition <= compute_allowance(house.definition, level, state) + 1e-6


def test_no_cash_helps_beyond_the_exposure_limit():
    house = get_house("standard", CALM)
    huge = make_state(256, {get_slot(house, "BTC-PERPETUAL"): 2**27}, 10**17)
    with pytest.raises(RequirementNotMet, match="exposure limit"):
        house.policy_requirement(house.policies["initial"], huge)


def test_names():
    house = get_house("mini", CALM)
    with pytest.raises(UnknownName, match="unknown policy 'final'; allowed: initial, maintenance, net_delta, withdraw"):
        house.get_policy("final")
    with pytest.raises(UnknownName, match="unknown level 'withdraw'; allowed: initial, maintenance"):
        house.get_solvency_policy("withdraw")
