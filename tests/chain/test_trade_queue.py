"""Trades settled together: each is proved from what the ones before it leave, and what is skipped is taken back."""

import pytest

from tests.chain.test_life import assert_conserved, assert_recovered
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.trade_queue import TradeQueue
from zkmargin.contracts.trading import Trader
from zkmargin.engine.units import usd
from zkmargin.prover.messages.wallet import Wallet

PERPETUAL = "BTC-PERPETUAL"


@pytest.fixture
def parties(venue) -> list[Trader]:
    """A maker and two takers."""
    return [venue.open(Wallet.create(), cash=usd(100_000), name=name) for name in ("maker", "alice", "bob")]


def queue_trades(queue: TradeQueue, maker: Trader, *takers: Trader) -> None:
    for lots, taker in enumerate(takers, 1):
        quote = maker.quote(taker.request({PERPETUAL: lots}), taker_pays=usd(lots))
        queue.add(taker.accept(quote))


@pytest.mark.property("P-223")
def test_a_makers_chain_of_trades_is_settled_at_once(venue, parties):
    maker, alice, bob = parties
    queue = TradeQueue(venue)
    queue_trades(queue, maker, alice, bob)
    assert len(queue) == 2 and maker.positions == {PERPETUAL: -3}, "anticipated"
    carried = queue.send()
    assert (len(carried.receipts), carried.refused, carried.skipped, len(queue)) == (1, {}, (), 0)
    assert [party.positions for party in parties] == [{PERPETUAL: -3}, {PERPETUAL: 1}, {PERPETUAL: 2}]
    assert_conserved(venue, parties)
    assert_recovered(venue, parties)

    carried = venue.attest_all(parties)
    assert (len(carried.receipts), carried.refused, carried.skipped) == (1, {}, ())
    assert all(venue.is_current(party, 600) for party in parties)
    with pytest.raises(CallInvalid, match="number of requests"):
        queue.send()


@pytest.mark.slow
@pytest.mark.property("P-223")
def test_what_builds_on_a_skipped_trade_is_taken_back(venue, parties):
    """Alice moves before the queue is sent; the maker's second trade was proved from what her trade would have left."""
    maker, alice, bob = parties
    before, own = (maker.client.account, bob.client.account), alice.client.account
    queue = TradeQueue(venue)
    queue_trades(queue, maker, alice)
    alice.client.account = own  # as in another process
    venue.fund(alice, cash_usd6=5)
    venue.submit(alice, alice.client.deposit(5, {}, deadline=venue.deadline))
    queue_trades(queue, maker, bob)
    carried = queue.send()
    assert (carried.receipts, carried.skipped) == ((), (0, 1))
    assert (maker.client.account, bob.client.account) == before
    assert alice.cash == usd(100_000) + 5 and alice.positions == {}
    queue_trades(queue, maker, bob, alice)
    assert queue.send().skipped == ()
    assert_conserved(venue, parties)
    assert_recovered(venue, parties)


@pytest.mark.slow
def test_a_queue_holds_trades_at_one_epoch(venue, parties):
    maker, alice, bob = parties
    queue = TradeQueue(venue)
    queue_trades(queue, maker, alice)
    first = venue.epoch.data.number
    venue.chain.travel(1)
    venue.post_epoch()
    accepted = bob.accept(maker.quote(bob.request({PERPETUAL: 1}), taker_pays=usd(0)))
    with pytest.raises(CallInvalid, match=f"epoch is {first + 1}; allowed: {first}, of those queued"):
        queue.add(accepted)
    assert len(queue) == 1 and queue.send().skipped == ()
