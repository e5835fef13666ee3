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
from zkmargin.contracts.messages import sign_unchecked
from zkmargin.contracts.rekey_desk import RekeyDesk
from zkmargin.contracts.sale_desk import SaleDesk
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.engine.desk.partial_sale import choose_part
from zkmargin.engine.house import House
from zkmargin.engine.margin.stress import move_market
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import usd
from zkmargin.prover.account.account import Account, derive_key
from zkmargin.prover.account.recovery import recover_account, recover_accounts
from zkmargin.prover.actions.bidding import build_bid
from zkmargin.prover.actions.part_sale import build_purchase, build_surrender, join_sale
from zkmargin.prover.actions.rekeying import build_rekeying
from zkmargin.prover.actions.revelation import build_revelation
from zkmargin.prover.errors import PolicyNotMet
from zkmargin.prover.messages.records import Appraisal, EarlyCall, PartOffer
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

    def appraise(self, account: bytes, commitment: int, equity: int, floor: int = 0) -> None:
        epoch = self.epoch()
        message = Appraisal(account=account, commitment=commitment, epoch=epoch.number, equity=equity, floor=floor)
        self.desk.appraise(message, self.sign(message))

    def call_early(self, level: int) -> int:
        """A quorum's call at a later epoch; gives its number."""
        self.wait(1)
        message = EarlyCall(level=level, epoch=self.epoch().number)
        return self.desk.call_early(message, self.sign(message))

    def reveal(self, account: Account):
        """Publishes a frozen account's positions; gives the receipt."""
        revelation = build_revelation(account, self.venue.domain, 1)
        proof = get_stated_prover("reveal", self.venue.keys.preset).prove(revelation)
        return self.desk.reveal(revelation, proof.words)

    def fund(self, inbox: bytes, dollars: int) -> None:
        """Cash of the submitter's into an inbox."""
        contracts, sender, amount = self.venue.contracts, self.venue.submitter, dollars * 10**6
        contracts.cash.mint(sender, amount)
        contracts.cash.approve(contracts.vault.contract.address, amount, sender=sender)
        contracts.vault.fund(inbox, contracts.cash.address, amount, sender=sender)

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

    def fall(self, share: float) -> None:
        """The market loses that share of its prices, from the next epoch on."""
        prices, volatilities = dict.fromkeys(Coin, -share), dict.fromkeys(Coin, 1.0)
        self.venue.snapshot = move_market(self.venue.snapshot, 1.0, prices=prices, volatilities=volatilities)

    def sell_part(self, buyer: Trader, seller: Account, part: dict[int, int], floor: int, price: int):
        """A sale with its offer, proofs and signature; gives the book's account afterwards, and the receipt."""
        epoch, preset = self.epoch(), self.venue.keys.preset
        client, facts = buyer.client, buyer.client.venue
        book = self.desk.read_book(seller.id, preset)
        left = build_surrender(seller, part, price)
        purchase = build_purchase(
            client.account, book, part, price, left.commitment_new, epoch, domain=facts.domain,
            key_version=facts.key_version, deadline=self.venue.deadline,
        )  # fmt: skip
        message = purchase.message
        offer = PartOffer(
            account=seller.id, commitment=seller.commitment, epoch=epoch.number, part=message.part, floor=floor
        )
        surrender = join_sale(seller, message, facts.domain)
        prover = self.venue.keys.provers.transition
        receipt = SaleDesk(self.venue.chain, self.desk.contract.address).sell_part(
            purchase, book, offer, self.sign(offer), self.venue.get_points(epoch.number),
            (prover.prove(purchase).words, prover.prove(surrender).words), client.wallet.sign(facts.domain, message),
        )  # fmt: skip
        client.account = purchase.after
        return surrender.after, receipt

    def sign(self, message):
        """By three publishers."""
        return sign_unchecked(message, self.venue.publishers[:3], self.venue.domain)

    def rekey(self, trader: Trader, account: Account):
        """The owner's account under its next key; gives the gas."""
        domain, wallet = self.venue.domain, trader.client.wallet
        key = derive_key(wallet, domain, account.id, 1)
        move = build_rekeying(account, key, domain, COMMITTEE.record.public_key, 1, self.venue.deadline)
        proof = get_stated_prover("rekey", self.venue.keys.preset).prove(move)
        desk = RekeyDesk(self.venue.chain, self.desk.contract.address)
        receipt = desk.rekey(move, proof.words, wallet.sign(domain, move.message))
        trader.client.account = move.after
        return receipt.gas_used

    def recover(self, trader: Trader):
        """The trader's account from wallet and chain."""
        events = self.venue.contracts.house.read_history()
        recovery = recover_accounts(trader.client.wallet, self.venue.domain, self.venue.keys.preset, events, {})
        assert not recovery.failures, recovery.failures[0].reason
        (account,) = recovery.accounts
        return account


def make_stage() -> Iterator[Stage]:
    """A venue at the recorded market's time, with one epoch posted."""
    set_up(["mini"])
    keys = load_venue_keys("mini")
    transition, opening = (key.verifying_key for key in (keys.transition, keys.open))
    material = KeyMaterial.of_keys(transition, opening, COMMITTEE.record.public_key, keys.preset, insecure=True)
    keys = replace(
        keys, material=replace(material, reveal_vkey=keys.material.reveal_vkey, rekey_vkey=keys.material.rekey_vkey)
    )
    snapshot = to_preset(load_snapshot(MARKET), "mini")
    with LocalVenue(snapshot, keys=keys, terms=TERMS) as venue:
        venue.post_epoch()
        house = venue.contracts.house.contract.address
        first_block = venue.contracts.deployment.first_block
        yield Stage(venue, DefaultDesk(venue.chain, house, venue.domain, first_block=first_block))


@pytest.fixture(scope="module")
def shared_stage() -> Iterator[Stage]:
    yield from make_stage()


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
    stage.fund(stage.desk.get_bond(victim.id), 50)
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
    reveal_gas = stage.reveal(opened).gas_used
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
    after_account = bidder.client.account
    after = after_account.state
    assert np.array_equal(after.positions, total) and after.cash == before.cash + victim_cash - price
    house = venue.contracts.house
    assert house.get_account(bidder.id).commitment == bidder.client.account.commitment
    assert stage.recover(bidder) == after_account
    assert house.get_account(victim.id).status is Status.CLOSED
    stage.epoch()
    bidder.attest()
    payments = venue.contracts.vault.read_payments(recipient=victim.address)
    assert sum(payment.amount for payment in payments) == price
    assert venue.contracts.vault.get_held(venue.contracts.cash.address) == held - price + TERMS.bounty_usd6
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
    assert venue.contracts.house.get_fees(keeper) == TERMS.bounty_usd6
    with pytest.raises(Reverted, match="NotInDefault"):
        desk.redeem(victim.id)


@pytest.mark.slow
@pytest.mark.property("P-269")
def test_nobody_takes_a_book_that_it_cannot_carry(stage):
    venue, desk = stage.venue, stage.desk
    victim, _, _ = open_parties(stage)
    poor = venue.open(Wallet.create(), cash=usd(10), name="poor")
    desk.freeze(victim.id, stage.let_time_pass())
    stage.reveal(victim.client.account)
    book = desk.read_book(victim.id, venue.keys.preset)
    with pytest.raises(PolicyNotMet):
        stage.bid(poor, book, book.state.cash + 10**12)


@pytest.mark.slow
@pytest.mark.property("P-171", "P-172", "P-175", "P-178", "P-179")
def test_a_partial_sale_saves_an_account(stage):
    """After a fall the account fails maintenance; a part of its book is sold, and it keeps the rest."""
    venue, desk = stage.venue, stage.desk
    victim, other, bidder = open_parties(stage)
    listing = venue.snapshot.listing
    paid = 100 * float(price_per_lot(venue.snapshot)[listing.get(PERPETUAL).slot])
    venue.settle(victim.accept(other.quote(victim.request({PERPETUAL: 100}), taker_pays=usd(paid))))
    checkpoint = stage.let_time_pass()
    stage.fall(0.23)
    stage.wait(1)
    desk.freeze(victim.id, checkpoint)
    with pytest.raises(PolicyNotMet):
        victim.attest()
    stage.finalise()
    opened = stage.open_privately(victim)
    stage.reveal(opened)
    stage.tick(4)

    sale = choose_part(House(stage.epoch().snapshot), opened.state)
    price = round(sale.mark * 10**6)
    assert price > sale.floor_usd6
    left, receipt = stage.sell_part(bidder, opened, sale.part, sale.floor_usd6, price)
    book = desk.read_book(victim.id, venue.keys.preset)
    assert book.state == left.state and left.state.positions.any()
    victim.client.account = stage.recover(victim)
    assert victim.client.account == left
    stage.wait(1)
    victim.attest()
    desk.redeem(victim.id)
    assert venue.contracts.house.get_account(victim.id).status is Status.ACTIVE
    assert stage.recover(bidder) == bidder.client.account

    with pytest.raises(Reverted, match="RekeyFirst"):
        venue.settle(victim.accept(other.quote(victim.request({PERPETUAL: -1}), taker_pays=usd(0))))
    rekey_gas = stage.rekey(victim, left)
    assert stage.recover(victim) == victim.client.account
    assert receipt.gas_used <= 800_000 and rekey_gas <= 420_000
