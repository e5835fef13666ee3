"""Accounts that fall silent, and then the publishers: from a missed deadline to a new owner, a solvent sleeper who pays
the fee and nothing else, and a venue that ends with everyone paid."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from zkmargin.committee.ceremony import Board, Ceremony, Dealer, Receiver
from zkmargin.committee.decryption import open_escrow
from zkmargin.committee.record import Identity, MemberShare, Roster
from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.default_terms import DefaultTerms
from zkmargin.contracts.key_material import compute_committee_constant
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.messages import sign_unchecked, signer_id
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import VenueKeys
from zkmargin.engine.epoch.liquidation import liquidate
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.units import SECONDS_PER_DAY, USD6, usd
from zkmargin.prover.account.account import Account
from zkmargin.prover.account.recovery import recover_account
from zkmargin.prover.actions.bidding import Book, build_bid
from zkmargin.prover.actions.revelation import build_revelation
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.provers import RevealProver
from zkmargin.prover.messages.records import Appraisal
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.cli.console import Steps

MARKET = "deribit_2026-02-05"
"""Recorded in the crash of February 2026."""
MEMBERS, THRESHOLD = 5, 3
TERMS = DefaultTerms(lease=3_600, grace=600)
TICK = 300
"""Seconds between two ticks: the most by which one advances the clock."""
FINAL = 80
"""Blocks after which Anvil calls one final, and some."""
BOND_USD6 = 50 * USD6
PERPETUAL = "BTC-PERPETUAL"
STEPS = 6
"""Progress steps of `run_default`, for the bar."""


@dataclass
class Scene:
    """A venue with a committee, and what happened on it."""

    venue: LocalVenue
    desk: DefaultDesk
    shares: list[MemberShare]
    happened: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    def note(self, name: str, receipt: Receipt) -> Receipt:
        """A step with its gas, and the seconds since the last one, proving included."""
        now = time.perf_counter()
        self.happened.append({"name": name, "gas": receipt.gas_used, "seconds": round(now - self._since, 3)})
        self._since = now
        return receipt

    def wait(self, seconds: int) -> None:
        """Lets time pass; the publishers post an epoch."""
        self.venue.chain.travel(seconds)
        self.venue.post_epoch(with_snapshot=False)

    def tick(self, count: int) -> None:
        """So many ticks of the clock of deadlines, each after an epoch."""
        for _ in range(count):
            self.wait(TICK)
            self.desk.tick()

    def get_status(self, trader: Trader) -> Status:
        """Of the trader's account."""
        return self.venue.contracts.house.get_account(trader.id).status


def hold_ceremony() -> list[MemberShare]:
    """A committee's shares, all in this process: for a demo only."""
    identities = [Identity.create() for _ in range(MEMBERS)]
    roster = Roster(tuple(identity.public for identity in identities), THRESHOLD)
    ceremony = Ceremony(bytes(32), roster)
    dealers = [Dealer(ceremony, member, identities[member - 1], None) for member in ceremony.dealers]
    receivers = [Receiver(ceremony, member, identities[member - 1]) for member in ceremony.receivers.members]
    board = Board(ceremony)
    for dealer in dealers:
        board.post(dealer.pledge())
    for dealer in dealers:
        board.post(dealer.deal(board))
    for receiver in receivers:
        board.post(receiver.judge(board))
    return [receiver.finish(board) for receiver in receivers]


@contextmanager
def set_scene(keys: VenueKeys) -> Iterator[Scene]:
    """The recorded market on an Anvil of its own, whose escrow key is a fresh committee's."""
    shares = hold_ceremony()
    committee = shares[0].record.public_key
    constant = compute_committee_constant("open", keys.open.verifying_key, committee, keys.preset)
    keys = replace(keys, material=replace(keys.material, committee=committee, open_constant=constant))
    with LocalVenue(to_preset(load_snapshot(MARKET), keys.preset), keys=keys, terms=TERMS) as venue:
        venue.post_epoch()
        contracts = venue.contracts
        address, first = contracts.house.contract.address, contracts.deployment.first_block
        yield Scene(venue, DefaultDesk(venue.chain, address, venue.domain, first_block=first), shares)


def run_default(keys: VenueKeys, steps: Steps) -> dict[str, Any]:
    """The whole story; its report. Raises if anything does not go as claimed."""
    with set_scene(keys) as scene:
        steps.start("opening accounts, trading, posting bonds")
        victim, sleeper, other, bidder = _open_accounts(scene)
        steps.done()
        _fall_silent(scene, steps, victim, sleeper)
        _wake(scene, steps, sleeper)
        book = _reveal(scene, steps, victim)
        _auction(scene, steps, victim, bidder, book)
        _end(scene, steps, [sleeper, other, bidder])
        return make_report(scene)


def _open_accounts(scene: Scene) -> tuple[Trader, ...]:
    venue, contracts = scene.venue, scene.venue.contracts
    wealth = {"victim": 20_000, "sleeper": 40_000, "other": 90_000, "bidder": 80_000}
    traders = [venue.open(Wallet.create(), cash=usd(dollars), name=name) for name, dollars in wealth.items()]
    victim, sleeper, other, _ = traders
    for trader in (victim, sleeper):
        venue.settle(trader.accept(other.quote(trader.request({PERPETUAL: 3}), taker_pays=usd(0))))
        contracts.cash.mint(venue.submitter, BOND_USD6)
        contracts.cash.approve(contracts.vault.contract.address, BOND_USD6, sender=venue.submitter)
        contracts.vault.fund(scene.desk.get_bond(trader.id), contracts.cash.address, BOND_USD6, sender=venue.submitter)
    return tuple(traders)


def _fall_silent(scene: Scene, steps: Steps, *traders: Trader) -> None:
    steps.start("two accounts miss their deadline and are frozen")
    scene.wait(1)
    checkpoint = scene.desk.tick()
    scene.tick((TERMS.lease + TERMS.grace) // TICK + 1)
    for trader in traders:
        scene.note(f"freeze {trader.name}", scene.desk.freeze(trader.id, checkpoint))
        _require(scene.get_status(trader) is Status.FROZEN, f"{trader.name} is frozen")
    steps.done()


def _wake(scene: Scene, steps: Steps, sleeper: Trader) -> None:
    steps.start("the solvent sleeper wakes, proves its margin and pays the fee")
    house, vault, cash = scene.venue.contracts.house, scene.venue.contracts.vault, scene.venue.contracts.cash
    before, bond = house.get_account(sleeper.id).commitment, scene.desk.get_bond(sleeper.id)
    scene.wait(1)
    scene.note("attest", sleeper.attest())
    scene.note("redeem", scene.desk.redeem(sleeper.id))
    is_same = house.get_account(sleeper.id).commitment == before
    paid = BOND_USD6 - vault.get_inbox(bond, cash.address) == TERMS.bounty_usd6 + TERMS.late_fee_usd6
    scene.facts["sleeper_paid_only_fee"] = is_same and paid and scene.get_status(sleeper) is Status.ACTIVE
    _require(scene.facts["sleeper_paid_only_fee"], "the sleeper pays bounty and fee out of its bond, and nothing else")
    steps.done()


def _open_privately(scene: Scene, trader: Trader) -> Account:
    """What three members make of the chain alone."""
    venue = scene.venue
    venue.chain.mine(FINAL)
    request = scene.desk.make_decryption_request(trader.id)
    shares = [scene.desk.release_share(trader.id, share) for share in scene.shares[:THRESHOLD]]
    key = open_escrow(scene.shares[0].record, request, shares).key
    history = venue.contracts.house.read_history()
    return recover_account(trader.id, history, venue.domain, venue.keys.preset, {}, key)


def _reveal(scene: Scene, steps: Steps, victim: Trader) -> Book:
    steps.start("three members open the other account privately; its positions are revealed")
    venue, preset = scene.venue, scene.venue.keys.preset
    opened = _open_privately(scene, victim)
    _require(opened == victim.client.account, "the members read the account as it is")
    revelation = build_revelation(opened, venue.domain, venue.facts.key_version)
    prover = RevealProver(load_proving_key("reveal", preset, allow_insecure=True), preset)
    scene.note("reveal", scene.desk.reveal(revelation, prover.prove(revelation).words))
    steps.done()
    return scene.desk.read_book(victim.id, preset)


def _auction(scene: Scene, steps: Steps, victim: Trader, bidder: Trader, book: Book) -> None:
    steps.start("the quorum appraises, the price falls, a bidder takes the book over")
    venue = scene.venue
    scene.tick(TERMS.window // TICK + 1)
    equity = _appraise(scene, victim)
    scene.tick(TERMS.auction // TICK // 2)
    price = scene.desk.get_price(victim.id)
    _require(0 < price < equity, "the price falls")
    epoch, client = venue.post_epoch(with_snapshot=False).data, bidder.client
    bid = build_bid(
        client.account, book, price, epoch, domain=venue.domain, key_version=venue.facts.key_version,
        deadline=venue.deadline,
    )  # fmt: skip
    proof = venue.keys.provers.transition.prove(bid)
    signature = client.wallet.sign(venue.domain, bid.message)
    scene.note("bid", scene.desk.bid(bid, book, venue.get_points(epoch.number), proof.words, signature))
    client.account = bid.after
    stored = venue.contracts.house.get_account(bidder.id).commitment
    payments = venue.contracts.vault.read_payments(recipient=victim.address)
    scene.facts["owner_changed"] = stored == bid.after.commitment and scene.get_status(victim) is Status.CLOSED
    _require(scene.facts["owner_changed"], "the bidder's hidden account holds the book")
    _require(sum(payment.amount for payment in payments) == price, "the former owner is paid the price")
    steps.done()


def _appraise(scene: Scene, victim: Trader) -> int:
    """A quorum signs the book's equity at a new epoch, micro-dollars; the lowest price is zero."""
    venue = scene.venue
    epoch = venue.post_epoch(with_snapshot=False).data
    state = scene.desk.read_book(victim.id, venue.keys.preset).state
    equity = liquidate(epoch.snapshot).settle(state.positions.tolist(), state.cash)[1]
    message = Appraisal(
        account=victim.id, commitment=victim.client.account.commitment, epoch=epoch.number, equity=equity, floor=0
    )
    signers = sorted(venue.publishers, key=lambda wallet: signer_id(wallet.address))[:3]
    scene.note("appraise", scene.desk.appraise(message, sign_unchecked(message, signers, venue.domain)))
    return equity


def _end(scene: Scene, steps: Steps, traders: list[Trader]) -> None:
    """Publishers and committee are gone for good."""
    steps.start("publishers and committee are gone: the venue ends, everybody leaves")
    venue, oracle, contracts = scene.venue, scene.venue.contracts.oracle, scene.venue.contracts
    scene.note("last step", venue.post_last_step())
    venue.chain.travel(3 * SECONDS_PER_DAY + 60)
    oracle.give_notice()
    venue.chain.travel(3 * SECONDS_PER_DAY + 1)
    scene.note("end", oracle.end())
    for trader in traders:
        for receipt in venue.catch_up(trader, least=1):
            scene.note(f"roll {trader.name}", receipt)
        scene.note(f"close {trader.name}", trader.close())
        venue.chain.travel(7 * SECONDS_PER_DAY)
        trader.claim()
    left = contracts.vault.get_held(contracts.cash.address) - scene.desk.get_surplus()
    scene.facts["all_exited_after_wind_down"] = left == 0
    _require(left == 0, "nothing but the surplus is left for the accounts")
    steps.done()


def _require(holds: bool, claim: str) -> None:
    if not holds:
        raise AssertionError(f"not so: {claim}")


def make_report(scene: Scene) -> dict[str, Any]:
    """What happened, for `build/demo/default.json`; null stands for what this demo does not show."""
    gas = {step["name"].split()[0]: step["gas"] for step in scene.happened}
    return {
        "market": MARKET,
        "preset": scene.venue.keys.preset.name,
        "steps": scene.happened,
        "gas": {name: gas[name] for name in ("freeze", "reveal", "bid", "roll")},
        **scene.facts,
        "saved_by_partial": None,
        "index_after_shortfall": None,
    }
