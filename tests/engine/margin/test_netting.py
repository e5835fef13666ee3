"""Netting between the coins takes off at most 80 % of the sum."""

import json

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.helpers import PAIR
from tests.support.house import get_definition, get_house, make_state, states
from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import FOLDER, MAX_OFFSET, load_parameters, read_parameters
from zkmargin.engine.presets import Coin

PARAMETERS = load_parameters()


def share(definition: Definition, state: AccountState) -> float:
    """Netted loss over the sum of both coins' losses alone."""
    alone = 0.0
    for coin in Coin:
        positions = np.zeros_like(state.positions)
        slots = definition.preset.coins[coin]
        positions[slots.start : slots.stop] = state.positions[slots.start : slots.stop]
        alone += definition.compute_requirement(AccountState(positions, 0), "maintenance").grid
    netted = definition.compute_requirement(state, "maintenance").grid
    return netted / alone if alone > 1e-6 else 1.0


@pytest.mark.property("P-65")
@given(states(16, largest=10**6))
@settings(max_examples=150, deadline=None)
def test_the_offset_stays_within_its_bound(state):
    floor = PARAMETERS.transfer_charge_floor / (2 * PARAMETERS.price_range["BTC"])
    assert floor >= 1 - MAX_OFFSET
    assert share(get_definition("mini"), state) >= floor - 1e-9


@pytest.mark.parametrize("charge, within", [(0.15, True), (0.064, True), (0.03, False)])
def test_a_hedge_across_coins_reaches_it_only_with_a_smaller_charge(charge, within):
    """Long BTC against short ETH of the same loss at the edges: the book that netting helps most."""
    house = get_house("mini")
    definition = HouseModel(house.snapshot, PARAMETERS).definition
    definition.transfer_charges = {PAIR: charge}
    reach = [abs(house.grid.pnl[:, slot]).max() for slot in (1, 9)]
    state = make_state(16, {1: 1_000, 9: -round(1_000 * reach[0] / reach[1])})
    found = share(definition, state)
    assert found < 0.6
    assert (found >= 1 - MAX_OFFSET - 1e-6) is within


@pytest.mark.property("P-65")
def test_a_charge_that_lets_netting_take_off_more_is_refused():
    document = json.loads((FOLDER / "house_v1.json").read_text())
    read_parameters(json.dumps(document), "x")
    document["parameters"]["transfer_charge_floor"]["value"] = 0.063
    with pytest.raises(MalformedFile, match=r"transfer_charge_floor is 0\.063; allowed: 0\.064 or more"):
        read_parameters(json.dumps(document), "x")
