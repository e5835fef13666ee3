"""What committee, quorum, bidder, buyer and owner do to an account in default."""

from __future__ import annotations

from zkmargin.committee.decryption import open_escrow
from zkmargin.contracts.rekey_desk import RekeyDesk
from zkmargin.contracts.sale_desk import SaleDesk
from zkmargin.contracts.trading import Trader
from zkmargin.engine.desk.partial_sale import PartialSale
from zkmargin.engine.epoch.liquidation import liquidate
from zkmargin.engine.units import USD6
from zkmargin.prover.account.account import Account, derive_key
from zkmargin.prover.account.recovery import recover_account
from zkmargin.prover.actions.bidding import build_bid
from zkmargin.prover.actions.part_sale import build_purchase, build_surrender, join_sale
from zkmargin.prover.actions.rekeying import build_rekeying
from zkmargin.prover.actions.revelation import build_revelation
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.provers import RekeyProver, RevealProver
from zkmargin.prover.messages.records import Appraisal, PartOffer
from zkmargin.scripts.demo.scene import THRESHOLD, Scene, require

FINAL = 80
"""Blocks after which Anvil calls one final, and some."""


def open_privately(scene: Scene, trader: Trader) -> Account:
    """What three members make of the chain alone."""
    venue = scene.venue
    venue.chain.mine(FINAL)
    request = scene.desk.make_decryption_request(trader.id)
    shares = [scene.desk.release_share(trader.id, share) for share in scene.shares[:THRESHOLD]]
    key = open_escrow(scene.shares[0].record, request, shares).key
    history = venue.contracts.house.read_history()
    return recover_account(trader.id, history, venue.domain, venue.keys.preset, {}, key)


def reveal(scene: Scene, trader: Trader) -> Account:
    """The account, as three members open it, once everybody knows its positions."""
    venue, preset = scene.venue, scene.venue.keys.preset
    opened = open_privately(scene, trader)
    require(opened == trader.client.account, "the members read the account as it is")
    revelation = build_revelation(opened, venue.domain, venue.facts.key_version)
    prover = RevealProver(load_proving_key("reveal", preset, allow_insecure=True), preset)
    scene.note(f"reveal {trader.name}", scene.desk.reveal(revelation, prover.prove(revelation).words))
    return opened


def appraise(scene: Scene, debtor: Trader, discount_usd6: int | None = None) -> int:
    """A quorum signs the book's equity at a new epoch, micro-dollars; the lowest price is zero, or so much below the
    equity."""
    venue = scene.venue
    epoch = venue.post_epoch(with_snapshot=False).data
    state = scene.desk.read_book(debtor.id, venue.keys.preset).state
    equity = liquidate(epoch.snapshot).settle(state.positions.tolist(), state.cash)[1]
    floor = 0 if discount_usd6 is None else equity - discount_usd6
    message = Appraisal(
        account=debtor.id, commitment=debtor.client.account.commitment, epoch=epoch.number, equity=equity, floor=floor
    )
    scene.note(f"appraise {debtor.name}", scene.desk.appraise(message, scene.sign(message)))
    return equity


def take_over(scene: Scene, debtor: Trader, bidder: Trader) -> int:
    """The bidder's hidden account takes the book at the price of now; gives it, micro-dollars."""
    venue, client = scene.venue, bidder.client
    book, price = scene.desk.read_book(debtor.id, venue.keys.preset), scene.desk.get_price(debtor.id)
    epoch = venue.post_epoch(with_snapshot=False).data
    bid = build_bid(
        client.account, book, price, epoch, domain=venue.domain, key_version=venue.facts.key_version,
        deadline=venue.deadline,
    )  # fmt: skip
    proof = venue.keys.provers.transition.prove(bid)
    signature = client.wallet.sign(venue.domain, bid.message)
    scene.note(f"bid {debtor.name}", scene.desk.bid(bid, book, venue.get_points(epoch.number), proof.words, signature))
    client.account = bid.after
    return price


def sell_part(scene: Scene, seller: Account, buyer: Trader, sale: PartialSale) -> Account:
    """At the mark; the account without the part."""
    venue, price = scene.venue, round(sale.mark * USD6)
    epoch, client = venue.post_epoch(with_snapshot=False).data, buyer.client
    book = scene.desk.read_book(seller.id, venue.keys.preset)
    left = build_surrender(seller, sale.part, price)
    purchase = build_purchase(
        client.account, book, sale.part, price, left.commitment_new, epoch, domain=venue.domain,
        key_version=venue.facts.key_version, deadline=venue.deadline,
    )  # fmt: skip
    message = purchase.message
    offer = PartOffer(
        account=seller.id, commitment=seller.commitment, epoch=epoch.number, part=message.part, floor=sale.floor_usd6
    )
    surrender, prover = join_sale(seller, message, venue.domain), venue.keys.provers.transition
    receipt = SaleDesk(venue.chain, scene.desk.contract.address).sell_part(
        purchase, book, offer, scene.sign(offer), venue.get_points(epoch.number),
        (prover.prove(purchase).words, prover.prove(surrender).words), client.wallet.sign(venue.domain, message),
    )  # fmt: skip
    scene.note("sell_part", receipt)
    client.account = purchase.after
    return surrender.after


def rekey(scene: Scene, trader: Trader) -> None:
    """The owner moves to a key that the members have not read."""
    venue, client, preset = scene.venue, trader.client, scene.venue.keys.preset
    facts = venue.facts
    move = build_rekeying(
        client.account, derive_key(client.wallet, venue.domain, trader.id, 1), venue.domain, facts.committee,
        facts.key_version, venue.deadline,
    )  # fmt: skip
    proof = RekeyProver(load_proving_key("rekey", preset, allow_insecure=True), preset).prove(move)
    desk = RekeyDesk(venue.chain, scene.desk.contract.address)
    scene.note("rekey", desk.rekey(move, proof.words, client.wallet.sign(venue.domain, move.message)))
    client.account = move.after
