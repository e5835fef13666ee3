"""Real keys at mini: an account that holds derivatives sleeps through steps of the listing, and is not locked."""

import dataclasses

import numpy as np
import pytest

from tests.chain.conftest import open_funded
from tests.chain.test_life import OPTION, PERPETUAL, USD6, assert_conserved, assert_recovered, trade
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.trading import Trader
from zkmargin.engine.epoch.expiry import ExpiryStep, compose_expiry_steps
from zkmargin.engine.epoch.succession import RefusedSuccession
from zkmargin.engine.units import usd
from zkmargin.prover.account.recovery import recover_accounts
from zkmargin.prover.errors import GenerationMismatch

HOUR = 3_600


def step(venue: LocalVenue, slots: list[int]) -> None:
    """The listing's next step: it drops these slots, at a payoff of zero, which then list nothing."""
    preset, listing = venue.facts.preset, venue.snapshot.listing
    drop = np.zeros(preset.slots, dtype=bool)
    drop[slots] = True
    remaining = tuple(None if gone else item for item, gone in zip(listing.instruments, drop, strict=True))
    later = dataclasses.replace(listing, generation=listing.generation + 1, instruments=remaining)
    forward, volatility = (np.where(drop, np.nan, row) for row in (venue.snapshot.forward, venue.snapshot.volatility))
    market = dataclasses.replace(venue.snapshot, listing=later, forward=forward, volatility=volatility)
    payoff = np.zeros(preset.slots, dtype=np.int64)
    venue.post_epoch(settlement=ExpiryStep(preset, drop.astype(np.int64), payoff), snapshot=market)


def sleep(venue: LocalVenue, steps: int) -> None:
    """An option expires worthless; the other steps, an hour apart, drop slots that list nothing."""
    listing = venue.snapshot.listing
    expiry = listing.instruments[OPTION].expiry
    venue.chain.travel_to(expiry + 1)
    step(
        venue, [slot for slot, item in enumerate(listing.instruments) if item and item.expiry and item.expiry <= expiry]
    )
    for _ in range(steps - 1):
        venue.chain.travel(HOUR + 1)
        step(venue, [OPTION])


@pytest.fixture
def sleepers(venue: LocalVenue) -> tuple[Trader, Trader]:
    """Two traders with an option and a perpetual between them."""
    alice, bob = open_funded(venue, "alice", 200_000), open_funded(venue, "bob", 300_000)
    trade(venue, alice, bob, {OPTION: 1, PERPETUAL: 2}, 31 * USD6)
    return alice, bob


@pytest.mark.property("P-130", "P-222")
@pytest.mark.parametrize(
    ("steps", "rolls"), [(2, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((5, 2), (4, 1), (17, 2)))]
)
def test_who_sleeps_through_steps_trades_and_withdraws_again(venue, sleepers, steps, rolls):
    """Before there was a roll nothing but a deposit was left to such an account, for good. It rolls over 4 and 16 steps
    at once, by the points that the publishers composed of what they have checked."""
    alice, bob = sleepers
    sleep(venue, steps)
    nonce = alice.client.account.nonce
    with pytest.raises(GenerationMismatch):
        alice.client.withdraw(venue.epoch.data, USD6, recipient=alice.address, deadline=venue.deadline)
    venue.fund(alice, cash_usd6=5 * USD6)
    with pytest.raises(Reverted, match="AccountLeftBehind"):
        venue.deposit(alice, cash_usd6=5 * USD6)

    quote = bob.quote(alice.request({"BTC-PERPETUAL": 3}, maker=bob.id), taker_pays=usd(1))
    venue.settle(alice.accept(quote))
    assert (alice.state.positions[PERPETUAL], bob.state.positions[PERPETUAL]) == (5, -5)
    assert alice.client.account.nonce == nonce + rolls + 1
    assert not alice.state.positions[OPTION] and not bob.state.positions[OPTION]
    generation = venue.contracts.oracle.get_generation()
    for party in sleepers:
        assert venue.contracts.house.get_account(party.id).generation == party.client.account.generation == generation
    alice.withdraw(usd(100))
    alice.deposit(usd(5))
    assert_conserved(venue, [alice, bob])
    assert_recovered(venue, [alice, bob])


@pytest.mark.property("P-222")
def test_points_of_several_steps_are_composed_of_what_serves(venue):
    """Four steps, at different payoffs; what the first one drops pays what the first one says."""
    oracle, preset = venue.contracts.oracle, venue.facts.preset
    sleep(venue, 4)
    vectors = oracle.read_settlements(preset)
    start = oracle.get_generation() - 4
    composed = compose_expiry_steps(vectors[start + number] for number in (1, 2, 3, 4))
    assert oracle.get_settlement_point(start, 4) == venue.keys.compute_settlement_point(composed)
    assert venue.steps.post_skips(start + 4) == [], "what serves is not posted again"
    with pytest.raises(Reverted, match="SettlementUnset"):
        oracle.get_settlement_point(start, 16)
    with pytest.raises(Reverted, match="SettlementUnset"):
        oracle.get_settlement_point(start + 1, 4)


@pytest.mark.slow
@pytest.mark.property("P-222")
def test_a_step_whose_epoch_was_revoked_is_settled_again(venue, sleepers):
    """By another vector, too, within the bounds of the prices before the step; epochs after it carry that one."""
    alice, bob = sleepers
    sleep(venue, 4)
    oracle, last = venue.contracts.oracle, venue.snapshot.listing.generation
    oracle.revoke_epochs(venue.epoch.data.number)
    venue.chain.travel(15)
    venue.post_epoch()
    for start, count in ((last - 1, 1), (last - 4, 4)):
        with pytest.raises(Reverted, match="EpochRevoked"):
            oracle.get_settlement_point(start, count)
    vector = venue.epoch.data.settlement
    with pytest.raises(RefusedSuccession, match="payoff in slot"):
        venue.resettle(dataclasses.replace(vector, payoff=vector.drop * 5))
    drop = vector.drop.copy()
    drop[OPTION + 1] = 1
    venue.resettle(dataclasses.replace(vector, drop=drop))
    assert oracle.read_settlements(venue.facts.preset)[last].drop[OPTION + 1]
    assert venue.post_epoch().data.settlement.drop[OPTION + 1]
    quote = bob.quote(alice.request({"BTC-PERPETUAL": 3}, maker=bob.id), taker_pays=usd(1))
    venue.settle(alice.accept(quote))
    assert_conserved(venue, [alice, bob])
    assert_recovered(venue, [alice, bob])


@pytest.mark.slow
@pytest.mark.property("P-221")
@pytest.mark.parametrize("is_late", ["taker", "maker", "nobody"])
def test_who_is_a_step_behind_trades_with_who_is_not(venue, sleepers, is_late):
    """A trade takes two accounts at one listing, so that the one behind takes the step first; both behind take it in
    the trade."""
    alice, bob = sleepers
    sleep(venue, 1)
    late = {"taker": alice, "maker": bob}.get(is_late)
    for party in sleepers:
        if late is not None and party is not late:
            party.withdraw(usd(1))
    nonces = [party.client.account.nonce for party in sleepers]
    quote = bob.quote(alice.request({"BTC-PERPETUAL": 3}, maker=bob.id), taker_pays=usd(1))
    venue.settle(alice.accept(quote))
    moves = [party.client.account.nonce - nonce for party, nonce in zip(sleepers, nonces, strict=True)]
    assert moves == [2 if party is late else 1 for party in sleepers]
    assert_conserved(venue, [alice, bob])
    assert_recovered(venue, [alice, bob])


@pytest.mark.property("P-130", "P-220")
def test_a_watchtower_rolls_with_the_viewing_key_alone(venue, sleepers):
    """What it makes of the account is determined, so that it needs no signature. The owner's process, which was not
    asked and has another state than the chain, rebuilds it from the events, as recovery does."""
    alice, bob = sleepers
    sleep(venue, 2)
    vectors, before = venue.contracts.oracle.read_settlements(venue.facts.preset), alice.client.account
    roll = alice.client.roll([vectors[before.generation + 1]], deadline=venue.deadline, signed=False)
    assert roll.signature == b""
    venue.submit(alice, roll)
    history = venue.contracts.house.read_history()
    [account] = recover_accounts(alice.client.wallet, venue.domain, venue.facts.preset, history, vectors).accounts
    assert account == alice.client.account and not account.state.positions[OPTION]

    alice.client.account = before  # as the owner knows it
    alice.deposit(usd(5))
    quote = bob.quote(alice.request({"BTC-PERPETUAL": 3}, maker=bob.id), taker_pays=usd(1))
    venue.settle(alice.accept(quote))
    assert (alice.state.positions[PERPETUAL], alice.client.account.nonce) == (5, before.nonce + 4)
    assert_recovered(venue, [alice, bob])


@pytest.mark.property("P-130")
def test_who_holds_no_derivatives_skips(venue):
    carol = open_funded(venue, "carol", 1_000)
    sleep(venue, 3)
    before = carol.client.account
    carol.withdraw(usd(10))
    assert carol.client.account.nonce == before.nonce + 1
    assert carol.client.account.generation == venue.contracts.oracle.get_generation()
    assert_recovered(venue, [carol])


@pytest.mark.property("P-220")
@pytest.mark.parametrize("later", [0, *(pytest.param(count, marks=pytest.mark.slow) for count in (1, 2))])
def test_a_strangers_skip_locks_nobody(venue, later):
    """Anybody may skip an account that is two steps behind; its owner, who was not asked, goes on from there."""
    carol = open_funded(venue, "carol", 1_000)
    sleep(venue, 2)
    venue.contracts.house.skip(carol.id, sender=venue.chain.accounts[5])
    for _ in range(later):
        venue.chain.travel(HOUR + 1)
        step(venue, [OPTION])
    carol.withdraw(usd(10))
    assert carol.client.account.generation == venue.contracts.oracle.get_generation()
    carol.deposit(usd(5))
    assert_recovered(venue, [carol])


@pytest.mark.slow
@pytest.mark.property("P-220")
def test_who_is_flat_leaves_whatever_the_publishers_do(venue, sleepers):
    """Who traded and is flat again closes without the points of the steps that it slept through."""
    alice, bob = sleepers
    trade(venue, alice, bob, {OPTION: -1, PERPETUAL: -2}, -31 * USD6)
    sleep(venue, 3)
    generation = alice.client.account.generation
    alice.close()
    assert venue.contracts.house.get_account(alice.id).status is Status.CLOSED
    assert alice.client.account.generation == generation, "it was not taken over the steps before"
