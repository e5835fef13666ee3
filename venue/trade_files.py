"""A private trade between two parties by files, each of which one party makes and sends to the other.

::

    taker    request   -> request.json    Signed[RequestForQuote]
    maker    quote     -> quote.json      Signed[Quote]; who has it knows the trade's terms
    taker    accept    -> accepted.json   Signed[Accept] and the taker's proved and signed side
    maker    settle    -> the chain       both sides in one transaction

Every step checks what the other party sent against the chain before this party signs. `docs/formats.md` describes the
files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.requests import TradeRequest, TradeSide
from zkmargin.contracts.trading import AcceptedTrade, Trader
from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.files import parse_json
from zkmargin.engine.units import Usd6
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.records import Accept, Quote, RequestForQuote
from zkmargin.prover.messages.signed import MAX_JSON_BYTES, Signed, read_record, read_signed, write_record
from zkmargin.prover.negotiation import (
    AccountFacts,
    AgreedTrade,
    SettlementProof,
    check_accept,
    check_quote,
    check_settlement_proof,
    verify_settlement_proof,
)
from zkmargin.venue.errors import TradeFileRefused
from zkmargin.venue.node import Node

FORMAT = "zkmargin.accepted/1"
"""First field of what a taker sends when it accepts."""


@dataclass(frozen=True)
class AcceptedFile:
    """What a taker sends to the maker whose quote it accepts."""

    accept: Signed[Accept]
    side: SettlementProof
    """The taker's action, proved and signed."""

    @classmethod
    def of(cls, accepted: AcceptedTrade) -> AcceptedFile:
        """Of a trade that was accepted here."""
        return cls(accepted.accept, accepted.side.to_settlement_proof())

    def to_json(self) -> str:
        """One JSON object: format, accept, side."""
        accept, side = json.loads(self.accept.to_json()), json.loads(write_record(self.side))
        return json.dumps({"format": FORMAT, "accept": accept, "side": side}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> AcceptedFile:
        """Inverse of `to_json`, from text that somebody sent; no signature and no proof is checked yet.

        Raises
        ------
        TradeFileRefused
            If it is no such object.
        MessageInvalid
            If a field of a message is outside its type.
        """
        document = _read_object("accepted trade", text)
        if document.get("format") != FORMAT or set(document) != {"format", "accept", "side"}:
            raise TradeFileRefused("accepted trade", f"allowed: format {FORMAT!r} with accept and side")
        accept, side = (json.dumps(document[name]) for name in ("accept", "side"))
        return cls(read_signed(accept, Accept), read_record(side, SettlementProof))


def accept_quote(
    trader: Trader, request: Signed[RequestForQuote], quote: Signed[Quote], *, most: Usd6 | None = None
) -> AcceptedFile:
    """Checks a quote to a request of this trader, proves and signs this side.

    Parameters
    ----------
    most : Usd6, optional
        Micro-dollars that the trader would pay at most; negative where it wants to receive.

    Raises
    ------
    TradeFileRefused
        If the quote asks for more.
    TradeMessageRefused, WrongSigner, PolicyNotMet
        As `Trader.accept`.
    """
    venue = trader.venue
    session = venue.begin(venue.read_epoch(quote.message.epoch))
    price = -check_quote(session, request.message, quote.message, now=venue.time).get_cash_usd6(trader.id)
    if most is not None and price > most:
        raise TradeFileRefused("quote", f"asks for {price} micro-dollars; allowed: at most {most}")
    trader.resume(request)
    return AcceptedFile.of(trader.accept(quote))


def settle_accepted(
    node: Node, maker: Trader, request: Signed[RequestForQuote], quote: Signed[Quote], accepted: AcceptedFile
) -> Receipt:
    """Checks the taker's acceptance and proof, proves the maker's side, and settles both in one transaction.

    Raises
    ------
    WrongSigner
        If the quote is not the maker's, or request, acceptance or action are not the taker's.
    TradeMessageRefused
        If the acceptance or the taker's action is of another trade, or too late.
    TradeFileRefused
        If the taker's action is not signed, or its proof does not verify.
    """
    domain, now = node.domain, node.time
    quote.check_signer(domain, maker.address)
    node.check_signer(request, quote.message.taker)
    node.check_signer(accepted.accept, quote.message.taker)
    epoch = node.read_epoch(quote.message.epoch)
    agreed = check_quote(node.begin(epoch), request.message, quote.message, now=now)
    check_accept(domain, quote.message, accepted.accept.message, now=now)
    check_side(node, agreed, accepted.side)
    own = maker.client.trade(agreed, epoch, deadline=agreed.valid_until).to_settlement_proof()
    sides = {side.action.side: side for side in (own, accepted.side)}
    point = node.get_points(agreed.epoch).select(own.action.policy)
    receipt = node.contracts.house.trade(
        TradeRequest(agreed.trade_tag, point, *(_to_request(sides[side]) for side in (1, -1))), sender=node.submitter
    )
    node.resume(maker.client.wallet, index=maker.client.account.index, key=maker.client.account.key)
    return receipt


def check_side(node: Node, agreed: AgreedTrade, side: SettlementProof) -> None:
    """Refuses the other party's side unless it would settle: agreed terms, the chain's state, signature, proof.

    Raises
    ------
    TradeMessageRefused, WrongSigner
        As `check_settlement_proof`.
    TradeFileRefused
        If it is not signed, or the proof does not verify.
    """
    stored = node.contracts.house.get_account(side.action.account)
    facts = AccountFacts(stored.auth, stored.commitment, stored.generation, stored.key_version)
    if not check_settlement_proof(node.domain, agreed, side, facts, node.contracts.signature_check):
        raise TradeFileRefused("the taker's action", "it carries no signature")
    epoch = node.read_epoch(agreed.epoch)
    is_step = side.action.generation_new != side.action.generation_old
    settlement = epoch.settlement if is_step else identity_expiry_step(node.facts.preset)
    policy = epoch.policies[ACTION_RULES[ActionKind.TRADE].policy or ""]
    if not verify_settlement_proof(node.domain, side, node.provers.transition, policy, settlement):
        raise TradeFileRefused("the taker's proof", "it does not verify")


def _to_request(side: SettlementProof) -> TradeSide:
    return TradeSide.from_action(side.action, Proof.from_bytes(side.proof).words, side.signature or b"")


def _read_object(what: str, text: str) -> dict[str, Any]:
    if len(text) > MAX_JSON_BYTES:
        raise TradeFileRefused(what, f"{len(text)} characters; allowed: at most {MAX_JSON_BYTES}")
    try:
        document = parse_json(text)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise TradeFileRefused(what, "not a JSON object")
    return document
