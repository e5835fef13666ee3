"""From a missed deadline to a new owner of the book, with real proofs at `mini`: freeze, private opening by three of
five members, revelation, appraisal, auction. And a solvent sleeper, whose bond pays bounty and fee."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.chain.conftest import MARKET
from tests.support.committees import get_committee
from tests.support.proving import get_stated_prover
from zkmargin.committee.decryption import open_escrow
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.default_terms import DefaultTerms
from zkmargin.contracts.errors import FreezeNotFinal, Reverted
from zkmargin.contracts.key_material import KeyMaterial
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.messages import sign_unchecked, signer_id
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.units import usd
from zkmargin.prover.account.recovery import recover_account
from zkmargin.prover.actions.bidding import build_bid
from zkmargin.prover.actions.revelation import build_revelation
from zkmargin.prover.errors import PolicyNotMet
from zkmargin.prover.messages.records import Appraisal
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.setup import set_up

PERPETUAL = "BTC-PERPETUAL"
COMMITTEE = get_committee(5, 3)
TICK = 300
TERMS = DefaultTerms(lease=3600, grace=600)
TICKS = 16
"""More than lease and grace, in ticks of five minutes."""
FINAL = 80
"""Blocks after which Anvil calls one final, and some."""


@dataclass
class Stage:
    """A venue whose key is a committee's, with a desk for defaults."""

    venue: LocalVenue
    desk: DefaultDesk

    def epoch(self):
        return self.venue.post_epoch(with_snapshot=False).data

    def let_time_pass(self, ticks: int = TICKS) -> int:
        """Ticks in step with epochs; gives the first checkpoint."""
        self.wait(1)
        first = self.desk.tick()
        self.tick(ticks)
        return first

    def tick(self, ticks: int) -> None:
        for _ in range(ticks):
            self.wait(TICK)
            self.desk.tick()

    def wait(self, seconds: int) -> None:
        self.venue.chain.travel(seconds)
        self.epoch()

    def finalise(self) -> None:
        self.venue.chain._request("anvil_mine", hex(FINAL))

    def open_privately(self, trader: Trader):
        """What three members make of the chain: the account as it is, and nothing that the owner gave them."""
        request = self.desk.make_decryption_request(trader.id)
        shares = [self.desk.release_share(trader.id, share) for share in COMMITTEE.pick(1, 3, 4)]
        key = open_escrow(COMMITTEE.record, request, shares).key
        events = self.venue.contracts.house.read_history()
        return recover_account(trader.id, events, self.venue.domain, self.venue.keys.preset, {}, key)

    def appraise(self, account: bytes, commitment: int, equity: int) -> None:
        epoch = self.epoch()
        message = Appraisal(account=account, commitment=commitment, epoch=epoch.number, equity=equity, floor=0)
        signers = sorted(self.venue.publishers, key=lambda wallet: signer_id(wallet.address))[:3]
        self.desk.appraise(message, sign_unchecked(message, signers, self.venue.domain))

    def bid(self, bidder: Trader, book, price: int):
        """A bid with its proof and signature; gives the bidder's account afterwards."""
        epoch = self.epoch()
        client, facts = bidder.client, bidder.client.venue
        bid = build_bid(
            client.account, book, price, epoch, domain=facts.domain, key_version=facts.key_version,
            deadline=self.venue.deadline,
        )  # fmt: skip
        proof = self.venue.keys.provers.transition.prove(bid)
        signature = client.wallet.sign(facts.domain, bid.message)
        receipt = self.desk.bid(bid, book, self.venue.get_points(epoch.number), proof.words, signature)
        client.account = bid.after
        return receipt


@pytest.fixture(scope="module")
def shared_stage() -> Iterator[Stage]:
    set_up(["mini"])
    keys = load_venue_keys("mini")
    transition, opening = (key.verifying_key for key in (keys.transition, keys.open))
    material = KeyMaterial.of_keys(transition, opening, COMMITTEE.record.public_key, keys.preset, insecure=True)
    keys = replace(keys, material=replace(material, reveal_vkey=keys.material.reveal_vkey))
    snapshot = to_preset(load_snapshot(MARKET), "mini")
    with LocalVenue(snapshot, keys=keys, terms=TERMS) as venue:
        venue.post_epoch()
        house = venue.contracts.house.contract.address
        first_block = venue.contracts.deployment.first_block
        yield Stage(venue, DefaultDesk(venue.chain, house, venue.domain, first_block=first_block))


@pytest.fixture
def stage(shared_stage: Stage) -> Iterator[Stage]:
    venue = shared_stage.venue
    mark, latest, snapshot = venue.chain.snapshot(), venue.latest, venue.snapshot
    yield shared_stage
    venue.chain.revert(mark)
    venue.latest, venue.snapshot = latest, snapshot


def open_parties(stage: Stage) -> tuple[Trader, Trader, Trader]:
    """Two that trade with each other, and a third that has money."""
    venue = stage.venue
    parties = [venue.open(Wallet.create(), cash=usd(dollars), name=name)
               for name, dollars in (("victim", 20_000), ("other", 60_000), ("bidder", 80_000))]  # fmt: skip
    victim, other, bidder = parties
    venue.settle(victim.accept(other.quote(victim.request({PERPETUAL: 3}), taker_pays=usd(0))))
    bond = stage.desk.get_bond(victim.id)
    contracts = venue.contracts
    contracts.cash.mint(venue.submitter, 50 * 10**6)
    contracts.cash.approve(contracts.vault.contract.address, 50 * 10**6, sender=venue.submitter)
    contracts.vault.fund(bond, contracts.cash.address, 50 * 10**6, sender=venue.submitter)
    return victim, other, bidder


@pytest.mark.property("P-266", "P-268", "P-269", "P-273")
def test_a_book_finds_a_new_owner(stage):
    venue, desk = stage.venue, stage.desk
    victim, _, bidder = open_parties(stage)
    held = venue.contracts.vault.get_held(venue.contracts.cash.address)
    checkpoint = stage.let_time_pass()
    with pytest.raises(FreezeNotFinal, match="is ACTIVE"):
        desk.release_share(victim.id, COMMITTEE.shares[0])
    freeze_gas = desk.freeze(victim.id, checkpoint).gas_used
    assert venue.contracts.house.get_account(victim.id).status is Status.FROZEN
    with pytest.raises(FreezeNotFinal):
        desk.release_share(victim.id, COMMITTEE.shares[0])
    stage.finalise()

    opened = stage.open_privately(victim)
    assert opened == victim.client.account
    revelation = build_revelation(opened, venue.domain, 1)
    proof = get_stated_prover("reveal", venue.keys.preset).prove(revelation)
    reveal_gas = desk.reveal(revelation, proof.words).gas_used
    book = desk.read_book(victim.id, venue.keys.preset)
    assert book.state == opened.state
    stage.tick(4)
    equity = 15_000 * 10**6
    stage.appraise(victim.id, opened.commitment, equity)
    assert desk.get_price(victim.id) <= equity
    stage.tick(4)
    price = desk.get_price(victim.id)
    assert 0 < price < equity

    with pytest.raises(Reverted, match="PriceTooLow"):
        stage.bid(bidder, book, price // 2)
    before = bidder.client.account.state
    victim_cash, total = book.state.cash, np.array(before.positions) + np.array(book.state.positions)
    bid_gas = stage.bid(bidder, book, price).gas_used
    after = bidder.client.account.state
    assert np.array_equal(after.positions, total) and after.cash == before.cash + victim_cash - price
    house = venue.contracts.house
    assert house.get_account(bidder.id).commitment == bidder.client.account.commitment
    assert house.get_account(victim.id).status is Status.CLOSED
    stage.epoch()
    bidder.attest()
    payments = venue.contracts.vault.read_payments(recipient=victim.address)
    assert sum(payment.amount for payment in payments) == price
    assert venue.contracts.vault.get_held(venue.contracts.cash.address) == held - price
    assert freeze_gas <= 130_000 and reveal_gas <= 350_000 and bid_gas <= 550_000


@pytest.mark.slow
@pytest.mark.property("P-267", "P-270")
def test_a_solvent_sleeper_pays_bounty_and_fee_and_nothing_else(stage):
    venue, desk = stage.venue, stage.desk
    victim, _, _ = open_parties(stage)
    keeper = venue.chain.accounts[7]
    desk.freeze(victim.id, stage.let_time_pass(), sender=keeper)
    with pytest.raises(Reverted, match="NotRedeemable"):
        desk.redeem(victim.id)
    stage.wait(1)
    before = venue.contracts.house.get_account(victim.id).commitment
    victim.attest()
    desk.redeem(victim.id)
    after = venue.contracts.house.get_account(victim.id)
    assert after.status is Status.ACTIVE and after.commitment == before
    assert desk.get_surplus() == 25 * 10**6
    assert venue.contracts.vault.get_inbox(desk.get_bond(victim.id), venue.contracts.cash.address) == 0
    (bounty,) = venue.contracts.vault.read_payments(recipient=keeper)
    assert bounty.amount == 25 * 10**6
    with pytest.raises(Reverted, match="NotInDefault"):
        desk.redeem(victim.id)


@pytest.mark.slow
@pytest.mark.property("P-269")
def test_nobody_takes_a_book_that_it_cannot_carry(stage):
    venue, desk = stage.venue, stage.desk
    victim, _, _ = open_parties(stage)
    poor = venue.open(Wallet.create(), cash=usd(10), name="poor")
    desk.freeze(victim.id, stage.let_time_pass())
    revelation = build_revelation(victim.client.account, venue.domain, 1)
    desk.reveal(revelation, get_stated_prover("reveal", venue.keys.preset).prove(revelation).words)
    book = desk.read_book(victim.id, venue.keys.preset)
    with pytest.raises(PolicyNotMet):
        stage.bid(poor, book, book.state.cash + 10**12)
