"""Real circuits, real keys, real contracts at mini: accounts live on chain, and nothing is made or lost."""

import dataclasses

import numpy as np
import pytest

from tests.chain.conftest import open_funded
from tests.support.reverts import reverts
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.trading import Trader
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.errors import ExpiredInstrument
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.prover.account.recovery import recover_accounts
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, build_transition
from zkmargin.prover.attestation import AttestationRequest
from zkmargin.prover.errors import PolicyNotMet
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.statement.commitment import make_trade
from zkmargin.prover.statement.packing import TradeTerms

OPTION, PERPETUAL = 3, 1
USD6 = 10**6


def trade(venue: LocalVenue, taker: Trader, maker: Trader, legs: dict[int, int], pays_usd6: int, fee_usd6: int = 0):
    agreed = venue.agree(taker, maker, legs, pays_usd6)
    return venue.settle_sides(venue.prove_trade(agreed, taker, maker, fee_usd6=fee_usd6), taker, maker)


def assert_conserved(venue: LocalVenue, parties: list[Trader]) -> None:
    """Positions sum to zero slot by slot; cash and collateral sum to what the vault holds for the accounts."""
    total = sum(party.state.positions for party in parties)
    preset, contracts = venue.facts.preset, venue.contracts
    for slot in preset.derivative_slots:
        assert total[slot] == 0, slot
    weth_slot = contracts.deployment.weth_slot
    assert int(total[weth_slot]) * 10**15 == contracts.vault.get_held(contracts.weth.address)
    fees = contracts.house.get_fees(venue.submitter)
    assert sum(party.state.cash for party in parties) + fees == contracts.vault.get_held(contracts.cash.address)


def assert_recovered(venue: LocalVenue, parties: list[Trader]) -> None:
    preset, history = venue.facts.preset, venue.contracts.house.read_history()
    settlements = venue.contracts.oracle.read_settlements(preset)
    for party in parties:
        [account] = recover_accounts(party.client.wallet, venue.domain, preset, history, settlements).accounts
        assert account == party.client.account
        assert account.commitment == venue.contracts.house.get_account(party.id).commitment


@pytest.mark.property("P-48")
def test_a_whole_life(venue):
    alice, bob = open_funded(venue, "alice", 200_000, 3_000), open_funded(venue, "bob", 300_000)
    house, vault, cash = venue.contracts.house, venue.contracts.vault, venue.contracts.cash

    trade(venue, alice, bob, {OPTION: 5, OPTION + 1: -5, PERPETUAL: 2}, 1_000 * USD6, fee_usd6=30_000)
    assert int(alice.state.positions[OPTION]) == 5 and int(bob.state.positions[PERPETUAL]) == -2
    assert alice.state.cash == 200_000 * USD6 - 1_000 * USD6 - 30_000
    assert_conserved(venue, [alice, bob])

    before = house.get_account(alice.id)
    venue.submit(alice, alice.client.attest(venue.epoch.data, deadline=venue.deadline))
    assert house.get_account(alice.id).commitment == before.commitment
    venue.submit(alice, alice.client.attest(venue.epoch.data, "net_delta", deadline=venue.deadline))
    points = {point.name.rstrip(b"\0"): point for point in venue.epoch.points.points}
    assert venue.contracts.views.get_attested(alice.id, points[b"net_delta"])[0] == venue.epoch.data.time

    venue.fund(alice, cash_usd6=500 * USD6 + 1)
    venue.submit(alice, alice.client.cure(venue.epoch.data, 500 * USD6, deadline=venue.deadline, fee_usd6=7))
    assert vault.get_inbox(alice.id, cash.address) == 1

    receipt = venue.submit(
        alice,
        alice.client.withdraw(
            venue.epoch.data,
            100 * USD6,
            {venue.contracts.deployment.weth_slot: 1_000},
            recipient=alice.address,
            deadline=venue.deadline,
        ),
    )
    assert [(item.recipient, item.token, item.amount) for item in vault.find_queued(receipt)] == [
        (alice.address, cash.address, 100 * USD6),
        (alice.address, venue.contracts.weth.address, 1_000 * 10**15),
    ]
    assert_conserved(venue, [alice, bob])

    trade(venue, alice, bob, {OPTION: -5, OPTION + 1: 5, PERPETUAL: -2}, -900 * USD6)
    venue.chain.travel(86_400)
    assert_recovered(venue, [alice, bob])
    weth = {venue.contracts.deployment.weth_slot: 2_000}
    venue.submit(alice, alice.client.close(alice.state.cash, weth, recipient=alice.address, deadline=venue.deadline))
    assert house.get_account(alice.id).status is Status.CLOSED
    assert_conserved(venue, [alice, bob])


def test_another_contract_checks_an_off_chain_attestation(venue):
    alice = open_funded(venue, "alice", 200_000)
    asked = AttestationRequest.create(alice.id, "net_delta", venue.submitter)
    shown = alice.attest_to(asked)
    assert venue.check_attestation(asked, shown, max_age=60).time == venue.epoch.data.time
    with reverts("ProofRejected"):
        venue.check_attestation(dataclasses.replace(asked, challenge=bytes(32)), shown, max_age=60)


@pytest.mark.property("P-07", "P-52")
def test_a_generation_step_pays_out_on_both_sides(venue):
    """Options expire: their slots turn into cash, lots of them are gone, and the sums still hold."""
    alice, bob = open_funded(venue, "alice", 200_000), open_funded(venue, "bob", 300_000)
    trade(venue, alice, bob, {OPTION: 40, PERPETUAL: 3}, 1_000 * USD6)
    before = alice.state.cash, bob.state.cash

    preset, listing = venue.facts.preset, venue.snapshot.listing
    expiry = listing.instruments[OPTION].expiry
    venue.chain.travel_to(expiry + 1)
    expired = (listing.expiry > 0) & (listing.expiry <= expiry)
    drop, payoff = expired.astype(np.int64), np.zeros(preset.slots, dtype=np.int64)
    payoff[OPTION] = 7 * USD6  # a put of 76,000 at 75,300, 0.01 bitcoin a lot; the others are said to have lapsed
    remaining = tuple(None if gone else item for item, gone in zip(listing.instruments, expired, strict=True))
    later = dataclasses.replace(listing, generation=listing.generation + 1, instruments=remaining)
    forward, volatility = (
        np.where(expired, np.nan, row) for row in (venue.snapshot.forward, venue.snapshot.volatility)
    )
    market = dataclasses.replace(venue.snapshot, listing=later, forward=forward, volatility=volatility)
    old = venue.epoch
    step = venue.post_epoch(settlement=ExpiryStep(preset, drop, payoff), snapshot=market)
    later_epoch = venue.post_epoch(with_snapshot=False)  # who slept through the step makes it at any later epoch
    assert later_epoch.signed.message.settlement_hash == step.signed.message.settlement_hash
    assert (later_epoch.signed.message.settlement_x, later_epoch.signed.settlement) == (0, b"")
    assert later_epoch.data.settlement == step.data.settlement and not step.data.settlement.is_identity

    with pytest.raises(Reverted, match="EpochSuperseded"):
        venue.contracts.oracle.require_fresh(old.data.number, ActionKind.TRADE)
    trade(venue, alice, bob, {PERPETUAL: 1}, 0)
    assert (alice.state.cash, bob.state.cash) == (before[0] + 280 * USD6, before[1] - 280 * USD6)
    assert alice.state.positions[OPTION] == bob.state.positions[OPTION] == 0
    assert alice.client.account.generation == venue.contracts.house.get_account(alice.id).generation == later.generation
    assert_conserved(venue, [alice, bob])
    assert_recovered(venue, [alice, bob])


@pytest.mark.property("P-56")
def test_the_prover_refuses_what_the_margin_rule_refuses(venue):
    alice, bob = open_funded(venue, "alice", 1_000), open_funded(venue, "bob", 900_000)
    agreed = venue.agree(alice, bob, {PERPETUAL: -5_000}, 0)
    with pytest.raises(PolicyNotMet) as caught:
        venue.prove_trade(agreed, alice)
    assert caught.value.missing_usd6 > 0 and caught.value.rows


def test_a_withdrawal_leaves_initial_margin(venue):
    """The largest withdrawal that the prover makes is refused one micro-dollar later."""
    alice, bob = open_funded(venue, "alice", 100_000), open_funded(venue, "bob", 900_000)
    price = round(USD6 * float(price_per_lot(venue.snapshot)[PERPETUAL]))
    trade(venue, alice, bob, {PERPETUAL: 20}, 20 * price)

    def withdraw(amount: int):
        return alice.client.withdraw(venue.epoch.data, amount, recipient=alice.address, deadline=venue.deadline)

    low, high = 0, 100_000 * USD6
    while low < high:
        middle = (low + high + 1) // 2
        try:
            build_withdrawal(alice, venue, middle)
            low = middle
        except PolicyNotMet:
            high = middle - 1
    with pytest.raises(PolicyNotMet):
        withdraw(low + 1)
    venue.submit(alice, withdraw(low))
    assert 0 < low < 100_000 * USD6


@pytest.mark.property("P-90")
def test_nobody_borrows_the_cash_of_others(venue):
    """A holder of ether tries to take the venue's USDC through an account of its own, in a trade without legs and as a
    fee; the prover makes no proof of it. Whoever is flat then leaves with all its cash, and the vault is empty."""
    carol = open_funded(venue, "carol", 400_000)
    borrower, second = open_funded(venue, "borrower", 0, 1_000_000), open_funded(venue, "second", 0)
    for pays, fee in ((400_000 * USD6, 0), (0, 400_000 * USD6)):
        terms = make_trade(TradeTerms((), pays))
        intent = Intent(
            ActionKind.TRADE, trade=terms, side=-1, counterparty=second.id, fee_usd6=fee, deadline=venue.deadline
        )
        with pytest.raises(PolicyNotMet, match=r"\(debt limit\)") as caught:
            build(borrower, venue, intent)
        assert caught.value.missing_usd6 == 400_000 * USD6 + 1_000_000  # and K_2, one per lot
        assert len(caught.value.rows) == 1
    for account, amount in ((borrower, 1), (second, 1)):
        with pytest.raises(PolicyNotMet):
            build_withdrawal(account, venue, amount)

    cash = venue.contracts.cash
    venue.submit(carol, carol.client.withdraw_flat(400_000 * USD6, recipient=carol.address, deadline=venue.deadline))
    assert venue.contracts.vault.get_held(cash.address) == 0
    [payment] = carol.payments
    venue.chain.travel_to(payment.due_at)
    carol.claim()
    assert cash.get_balance(carol.address) == 400_000 * USD6


def build(party: Trader, venue: LocalVenue, intent: Intent) -> Transition:
    """The transition, which must meet its policy; proves nothing."""
    return build_transition(party.client.account, intent, domain=venue.domain, key_version=1, epoch=venue.epoch.data)


def build_withdrawal(party: Trader, venue: LocalVenue, amount: int) -> Transition:
    return build(party, venue, Intent(ActionKind.WITHDRAW, amount, recipient=party.address, deadline=venue.deadline))


def test_a_snapshot_is_of_its_epochs_time(venue):
    """The recorded market is as of each epoch on a chain that began with it; what has expired cannot be priced."""
    recorded = venue.epoch.data.snapshot
    venue.chain.travel(3_600)
    data = venue.post_epoch(with_snapshot=False).data
    assert data.snapshot.time == data.time >= recorded.time + 3_600
    assert np.array_equal(data.snapshot.forward, recorded.forward, equal_nan=True) and not venue.is_replay
    venue.chain.travel_to(venue.snapshot.listing.instruments[OPTION].expiry)
    with pytest.raises(ExpiredInstrument):
        venue.post_epoch(with_snapshot=False)


def test_a_recorded_market_is_replayed_on_a_later_chain(mini_keys, venue):
    """A year later by the chain's clock: snapshots keep their time, which publishers accept only when told to."""
    recorded = dataclasses.replace(venue.snapshot, time=venue.chain.time - 365 * 86_400)
    replay = LocalVenue(recorded, keys=mini_keys, chain=venue.chain)
    data = replay.post_epoch().data
    assert replay.is_replay and data.snapshot.time == recorded.time < data.time - 364 * 86_400
