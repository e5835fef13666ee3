"""Off-chain trade messages: request for quote, quote, accept, settlement proofs, receipt. Typed, validated and signed.

::

    taker                          maker
      | --- RequestForQuote --------> |
      | <-- Quote (word, salt) ------ |   firm until valid_until, for the maker's present commitment
      | --- Accept -----------------> |
      | <-- SettlementProof --------> |   in either order: a proof without auth's signature over its action is inert
      | --- both to the chain          |
      | <-- Receipt ----------------- |

Request, quote and epoch name one generation: a slot means an instrument only within it.

A quote's word is as the party with side +1 sees it. All digests are EIP-712 over the clearing house's domain, so no
message counts on another deployment. The parties' `auth` addresses come from the chain, never from the message.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover.actions.transition import get_action_signals
from zkmargin.prover.errors import OutOfRange, TradeMessageRefused, WrongSigner
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.provers import TransitionVerifier
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.fields import Bytes32, HexBytes, ProofBytes, Uint64, Uint256, encode_policy_name
from zkmargin.prover.messages.records import Accept, Action, Leg, Quote, Record, RequestForQuote
from zkmargin.prover.messages.signed import SignatureCheck
from zkmargin.prover.messages.typed_data import Domain, compute_digest, recover_signer
from zkmargin.prover.messages.wallet import is_signed_by_key
from zkmargin.prover.ranges import check_private, check_time
from zkmargin.prover.session import Session
from zkmargin.prover.statement.commitment import Trade, compute_trade_tag, make_trade
from zkmargin.prover.statement.packing import TradeTerms, unpack_trade
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

# ------------------------------------------------------------------------------------------------------- negotiation
ANY_MAKER = bytes(32)
"""Stands for the maker in a request that whoever receives it may answer."""


def make_request(
    taker: bytes, maker: bytes, legs: Mapping[int, int], valid_until: int, *, generation: int
) -> RequestForQuote:
    """A request for a price of `legs`, lots by slot as the taker would receive (+) or give (-) them.

    Parameters
    ----------
    maker : bytes
        Account of the one that may answer, or `ANY_MAKER`.
    generation : int
        Generation of the listing in which the slots are meant.

    Raises
    ------
    TradeMessageRefused
        If there is no leg or more than four, or taker and maker are one account.
    """
    request = RequestForQuote(
        taker=taker,
        maker=maker,
        generation=generation,
        legs=tuple(Leg(slot=slot, lots=lots) for slot, lots in legs.items()),
        valid_until=valid_until,
        id=secrets.token_bytes(32),
    )
    _check_request(request)
    return request


def _check_request(request: RequestForQuote) -> None:
    if request.taker == request.maker:
        raise TradeMessageRefused("RequestForQuote", "taker and maker are the same account")
    if not 1 <= len(request.legs) <= BITS.legs:
        raise TradeMessageRefused("RequestForQuote", f"{len(request.legs)} legs; allowed: 1 to {BITS.legs}")
    if len({leg.slot for leg in request.legs}) < len(request.legs) or any(leg.lots == 0 for leg in request.legs):
        raise TradeMessageRefused("RequestForQuote", "a slot comes twice or a leg has no lots")


@dataclass(frozen=True, slots=True)
class Maker:
    """Who quotes."""

    account: bytes
    """32 bytes."""
    commitment: int
    """Of the account as it is: the quote is firm for it."""
    side: int = -1
    """+1 or -1; which of the two sides the maker takes. It shows nothing about who buys: the word is written to
    match."""


def make_quote(session: Session, request: RequestForQuote, maker: Maker, taker_pays_usd6: int) -> Quote:
    """The maker's firm price: the taker pays `taker_pays_usd6` micro-dollars (negative: receives) for the legs, in a
    trade that is proved at the session's epoch.

    Raises
    ------
    OutOfRange
        If a leg or the cash does not fit the trade word.
    TradeMessageRefused
        If the request is malformed, asks another maker or means another generation, the maker is the taker, or the side
        is neither +1 nor -1.
    """
    _check_request(request)
    if request.maker not in (ANY_MAKER, maker.account):
        raise TradeMessageRefused("RequestForQuote", "asks another maker")
    if request.taker == maker.account:
        raise TradeMessageRefused("RequestForQuote", "taker and maker are the same account")
    generation = session.epoch.generation
    if request.generation != generation:
        raise TradeMessageRefused(
            "RequestForQuote", f"means slots of generation {request.generation}, the epoch is of {generation}"
        )
    if maker.side not in (1, -1):
        raise TradeMessageRefused("Quote", f"maker's side is {maker.side}; allowed: +1 or -1")
    price = check_private("price of the quote", taker_pays_usd6, BITS.trade_cash)
    taker_side = -maker.side
    trade = make_trade(
        TradeTerms(tuple((leg.slot, taker_side * leg.lots) for leg in request.legs), taker_side * -price)
    )
    return Quote(
        request=compute_digest(session.domain, request),
        maker=maker.account,
        taker=request.taker,
        maker_side=maker.side,
        word=trade.compute_word(session.preset),
        salt=trade.salt.reveal(),
        maker_commitment_old=maker.commitment,
        epoch=session.epoch.number,
        generation=generation,
        valid_until=session.valid_until,
    )


@dataclass(frozen=True, slots=True)
class AgreedTrade:
    """What both parties need to build and check their sides."""

    trade: Trade
    trade_tag: int
    """T, which both proofs must show."""
    maker: bytes
    taker: bytes
    maker_side: int
    maker_commitment: int
    """Commitment that the maker's proof must start from."""
    epoch: int
    generation: int
    """Generation of the epoch, in which the slots are meant."""
    valid_until: int
    """Unix seconds: no action of this trade may live longer."""

    def get_side(self, account: bytes) -> int:
        """+1 or -1 for one of the two parties.

        Raises
        ------
        TradeMessageRefused
            If the account is neither.
        """
        if account == self.maker:
            return self.maker_side
        if account == self.taker:
            return -self.maker_side
        raise TradeMessageRefused("Quote", f"account 0x{account.hex()} is no party")

    def get_counterparty(self, account: bytes) -> bytes:
        """The other party's account."""
        return self.taker if self.get_side(account) == self.maker_side else self.maker

    def get_cash_usd6(self, account: bytes) -> int:
        """Micro-dollars that the party receives (+) or pays (-), fees left out."""
        return self.get_side(account) * self.trade.terms.cash_usd6


def check_quote(session: Session, request: RequestForQuote, quote: Quote, *, now: int) -> AgreedTrade:
    """The trade of a quote, after checking it against the request. Signatures are checked by `Signed.check_signer`.

    Parameters
    ----------
    session : Session
        Its epoch is the one that the quote names, as the chain has it.
    now : int
        Unix seconds.

    Raises
    ------
    TradeMessageRefused
        If request or quote has run out, the quote is for another request, other parties or another epoch, request,
        quote and epoch are not of one generation, the word or salt is out of range, or its legs are not the request's.
    """
    _check_request(request)
    _check_quote_terms(session, request, quote, check_time(now))
    trade = _read_trade(session.preset, request, quote)
    return AgreedTrade(
        trade=trade,
        trade_tag=trade.compute_tag(session.preset),
        maker=quote.maker,
        taker=quote.taker,
        maker_side=quote.maker_side,
        maker_commitment=quote.maker_commitment_old,
        epoch=quote.epoch,
        generation=quote.generation,
        valid_until=min(request.valid_until, quote.valid_until),
    )


def _check_quote_terms(session: Session, request: RequestForQuote, quote: Quote, now: int) -> None:
    """Everything that a quote says openly."""

    def refuse(reason: str) -> TradeMessageRefused:
        return TradeMessageRefused("Quote", reason)

    epoch = session.epoch
    if quote.request != compute_digest(session.domain, request):
        raise refuse("answers another request")
    if request.maker not in (ANY_MAKER, quote.maker) or quote.taker != request.taker or quote.maker == quote.taker:
        raise refuse("names other parties than the request")
    if not request.generation == quote.generation == epoch.generation:
        raise refuse(
            f"the request means slots of generation {request.generation}, the quote of {quote.generation}, "
            f"the epoch is of {epoch.generation}"
        )
    if quote.epoch != epoch.number:
        raise refuse(f"is for epoch {quote.epoch}, expected {epoch.number}")
    for name, limit in (("request", request.valid_until), ("quote", quote.valid_until)):
        if now > limit:
            raise refuse(f"the {name} was valid until {limit}, now is {now}")
    if quote.maker_side not in (1, -1):
        raise refuse(f"maker's side is {quote.maker_side}; allowed: +1 or -1")
    if quote.salt >= FIELD_MODULUS or quote.maker_commitment_old >= FIELD_MODULUS:
        raise refuse("salt or commitment is not a field element")


def _read_trade(preset: Preset, request: RequestForQuote, quote: Quote) -> Trade:
    """The trade in a quote's word, whose legs are those of the request."""
    try:
        terms = unpack_trade(quote.word, preset)
    except OutOfRange as error:
        raise TradeMessageRefused("Quote", f"the word is malformed: {error}") from None
    wanted = {leg.slot: -quote.maker_side * leg.lots for leg in request.legs}
    if terms.get_net_legs() != dict(sorted(wanted.items())):
        raise TradeMessageRefused("Quote", "the word's legs are not those of the request")
    trade = Trade(terms, Secret(quote.salt))
    if trade.compute_word(preset) != quote.word:
        raise TradeMessageRefused(
            "Quote", "the word is not written canonically: unused legs come last, as slot 0 with 0 lots"
        )
    return trade


def make_accept(domain: Domain, quote: Quote, taker_commitment: int) -> Accept:
    """The taker's acceptance of a quote that `check_quote` passed."""
    return Accept(quote=compute_digest(domain, quote), taker_commitment_old=taker_commitment)


def check_accept(domain: Domain, quote: Quote, accept: Accept, *, now: int) -> None:
    """The maker's check of an acceptance; the signature is checked by `Signed.check_signer`.

    Raises
    ------
    TradeMessageRefused
        If it accepts another quote, comes too late, or its commitment is no field element.
    """
    if accept.quote != compute_digest(domain, quote):
        raise TradeMessageRefused("Accept", "accepts another quote")
    if check_time(now) > quote.valid_until:
        raise TradeMessageRefused("Accept", f"the quote was valid until {quote.valid_until}, now is {now}")
    if accept.taker_commitment_old >= FIELD_MODULUS:
        raise TradeMessageRefused("Accept", "the taker's commitment is not a field element")


# -------------------------------------------------------------------------------------------------------- settlement
class SettlementProof(Record):
    """One party's side of the settlement."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"proof", "signature"})

    action: Action
    proof: ProofBytes
    """256 bytes."""
    signature: HexBytes | None = None
    """auth's, over the action; it may follow later, and without it the proof is inert."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the chain has of a party's account."""

    auth: str
    commitment: int
    """From which its proof must start."""
    generation: int
    key_version: int


def check_settlement_proof(
    domain: Domain,
    agreed: AgreedTrade,
    side: SettlementProof,
    on_chain: AccountFacts,
    check: SignatureCheck = is_signed_by_key,
) -> bool:
    """Check the other party's action against what was agreed; `verify_settlement_proof` verifies the proof.

    Parameters
    ----------
    on_chain : AccountFacts
        The other party's account.

    Returns
    -------
    bool
        Whether it carries a valid signature. False: nothing is signed yet, the proof is inert.

    Raises
    ------
    TradeMessageRefused
        If the action is not the agreed trade's.
    WrongSigner
        If a signature is there and is not auth's.
    """
    action = side.action

    def refuse(reason: str) -> TradeMessageRefused:
        return TradeMessageRefused("SettlementProof", reason)

    if action.kind != ActionKind.TRADE:
        raise refuse(f"the action's kind is {action.kind}; allowed: {int(ActionKind.TRADE)}")
    if action.side != agreed.get_side(action.account):
        raise refuse(f"side {action.side} is not the agreed one")
    if action.counterparty != agreed.get_counterparty(action.account):
        raise refuse("names another counterparty")
    if action.trade_tag != agreed.trade_tag:
        raise refuse("shows another trade tag: another word or salt")
    if action.epoch != agreed.epoch:
        raise refuse(f"proves epoch {action.epoch}; agreed: {agreed.epoch}")
    policy = ACTION_RULES[ActionKind.TRADE].policy or ""
    if action.policy != encode_policy_name(policy):
        raise refuse(f"proves another policy than {policy!r}")
    if action.generation_new != agreed.generation:
        raise refuse(f"leads to generation {action.generation_new}; agreed: {agreed.generation}")
    if action.generation_old != on_chain.generation or on_chain.generation not in (
        agreed.generation - 1,
        agreed.generation,
    ):
        raise refuse(
            f"starts from generation {action.generation_old}, the account is at {on_chain.generation}; "
            f"allowed: {agreed.generation} or one less"
        )
    if action.deadline > agreed.valid_until:
        raise refuse(f"may be settled until {action.deadline}; the agreement ends at {agreed.valid_until}")
    if action.key_version != on_chain.key_version:
        raise refuse(f"key version {action.key_version}; allowed: {on_chain.key_version}")
    if action.commitment_old != on_chain.commitment:
        raise refuse("does not start from the account's commitment on chain")
    if action.account == agreed.maker and on_chain.commitment != agreed.maker_commitment:
        raise refuse("the maker's account has moved since the quote")
    if action.flows or action.cash_flow != -action.fee:
        raise refuse("moves more than the fee beside the trade")
    if side.signature is None:
        return False
    if not check(domain, action, side.signature, on_chain.auth):
        raise WrongSigner(on_chain.auth, recover_signer(domain, action, side.signature), "Action")
    return True


def verify_settlement_proof(
    domain: Domain, side: SettlementProof, verifier: TransitionVerifier, policy: Policy, settlement: ExpiryStep
) -> bool:
    """Whether the other party's proof holds for its action, so that the joint transaction will not fail on it.

    Parameters
    ----------
    policy : Policy
        `initial` of the agreed epoch.
    settlement : ExpiryStep
        The identity, or the epoch's where the action steps to its generation.

    Raises
    ------
    FormatError, PointRefused, NotInField
        If the proof, or a number of the action, is malformed.
    """
    signals = get_action_signals(side.action, compute_digest(domain, side.action), settlement)
    return verifier.verify(Proof.from_bytes(side.proof), signals, policy)


class Receipt(Record):
    """Where a trade was settled, for both parties' files. A claim to be looked up on the chain, so it is not signed."""

    quote: Bytes32
    """Digest of the quote."""
    trade_tag: Uint256
    transaction: Bytes32
    """Hash of the transaction."""
    block: Uint64
    maker_commitment_new: Uint256
    taker_commitment_new: Uint256


def check_receipt(domain: Domain, quote: Quote, receipt: Receipt) -> None:
    """Refuse a receipt that is not of this quote; whether the transaction is there, the chain says.

    Raises
    ------
    TradeMessageRefused
        If it names another quote or another trade tag.
    """
    if receipt.quote != compute_digest(domain, quote):
        raise TradeMessageRefused("Receipt", "is of another quote")
    if receipt.trade_tag != compute_trade_tag(quote.word, Secret(quote.salt)):
        raise TradeMessageRefused("Receipt", "shows another trade tag")
