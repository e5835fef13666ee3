"""Real proofs at mini: publishers and committee are gone for good, and everybody leaves with what the last prices give
them."""

import numpy as np
import pytest

from tests.chain.conftest import open_funded
from tests.chain.test_life import OPTION, PERPETUAL, USD6, assert_conserved, assert_recovered, trade
from zkmargin.contracts.clearing_house import Status
from zkmargin.engine.epoch.liquidation import liquidate

DAY = 86_400


@pytest.mark.property("P-203")
def test_everybody_leaves_at_the_last_prices(venue):
    alice, bob = open_funded(venue, "alice", 200_000, 3_000), open_funded(venue, "bob", 300_000)
    trade(venue, alice, bob, {OPTION: 1, PERPETUAL: 2}, 31 * USD6)
    oracle, contracts = venue.contracts.oracle, venue.contracts
    venue.post_last_step()
    last = liquidate(venue.epoch.data.snapshot)
    due = [last.settle(party.state.positions.tolist(), party.state.cash)[1] for party in (alice, bob)]

    venue.chain.travel(3 * DAY + 60)
    oracle.give_notice()
    venue.chain.travel(3 * DAY + 1)
    oracle.end()
    for party, cash in zip((alice, bob), due, strict=True):
        venue.catch_up(party, least=1)
        assert party.state.cash == cash
        assert not np.any(party.state.positions[list(venue.facts.preset.derivative_slots)])
    assert_conserved(venue, [alice, bob])
    assert_recovered(venue, [alice, bob])
    for party, cash in zip((alice, bob), due, strict=True):
        party.close()
        assert contracts.house.get_account(party.id).status is Status.CLOSED
        venue.chain.travel(7 * DAY)
        party.claim()
        assert contracts.cash.get_balance(party.address) == cash
    for token in (contracts.cash, contracts.weth):
        assert contracts.vault.get_held(token.address) == 0
