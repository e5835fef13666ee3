"""What each entry point of the clearing house takes, as typed records: the Solidity structs of IClearingHouse.sol, in
snake_case.

Each is made from the signed message (`from_action`, `from_message`), so that calldata and signature cannot drift
apart by accident; a test, or an attacker, can still change a field with `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self, TypeVar

from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoint, EpochPoints
from zkmargin.prover.errors import FormatError
from zkmargin.prover.groth16.snarkjs_json import read_g1, read_g2
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, ActionRule
from zkmargin.prover.messages.fields import ZERO_BYTES32
from zkmargin.prover.messages.records import Action, Bid, Flow, Move, Open, PartPurchase, Rekey

Proof = tuple[int, ...]
"""A Groth16 proof as the pairing precompile reads it, eight words: A (x, y), B (x imaginary, x real, y imaginary,
y real), C (x, y)."""

NO_EPOCH = EpochPoint(0, 0, 0, ())
"""What an action that needs no epoch carries in its place."""


def encode_proof(proof: Mapping[str, Any]) -> Proof:
    """The eight words of a proof in snarkjs's JSON form (pi_a, pi_b, pi_c; projective with z = 1, real part first).

    Raises
    ------
    CallInvalid
        If a part is missing, is no decimal number, or is not affine.
    """
    try:
        a, b, c = (proof[name] for name in ("pi_a", "pi_b", "pi_c"))
        return (*read_g1("proof", a), *read_g2("proof", b), *read_g1("proof", c))
    except (KeyError, IndexError, TypeError, FormatError) as error:
        allowed = f"snarkjs's JSON with pi_a, pi_b, pi_c of affine points ({type(error).__name__}: {error})"
        raise CallInvalid("proof", type(proof).__name__, allowed) from None


class _Request:
    def to_abi(self) -> dict[str, object]:
        """Fields under their Solidity names, as web3 takes a struct."""
        return {_to_camel(name): _to_abi(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class OpenRequest(_Request):
    """Opens an account with an empty portfolio."""

    auth: str
    index: int
    key_version: int
    generation: int
    commitment: int
    ephemeral_x: int
    ephemeral_y: int
    escrowed_key: int
    submitter: str
    """Who alone may carry it in; zero lets anyone."""
    deadline: int
    proof: Proof
    signature: bytes

    @classmethod
    def from_message(
        cls, message: Open, ephemeral: tuple[int, int], escrowed_key: int, proof: Proof, signature: bytes
    ) -> Self:
        """From auth's message and the escrow it covers."""
        return cls(
            message.auth, message.index, message.key_version, message.generation, message.commitment,
            *ephemeral, escrowed_key, message.submitter, message.deadline, proof, signature,
        )  # fmt: skip


@dataclass(frozen=True)
class MoveRequest(_Request):
    """Takes an account from a revoked key version to its successor."""

    account: bytes
    commitment: int
    """The account's present one, which stays."""
    deadline: int
    proof: Proof
    """Under the successor's key."""
    signature: bytes

    @classmethod
    def from_message(cls, message: Move, proof: Proof, signature: bytes) -> Self:
        """From auth's message."""
        return cls(message.account, message.commitment, message.deadline, proof, signature)


@dataclass(frozen=True)
class ActionRequest(_Request):
    """An action on one account; what the action does not take is zero or empty."""

    account: bytes
    commitment_old: int
    """Commitment that the proof starts from."""
    commitment_new: int
    cash: int
    """Micro-dollars absorbed from the inbox, or paid to the recipient."""
    fee: int
    """Micro-dollars to the submitter: taken from `cash` on the way in, added to it on the way out."""
    deadline: int
    recipient: str
    submitter: str
    """Who alone may carry it in; zero lets anyone."""
    policy: bytes
    """Name of the policy where the caller chooses it, else zero."""
    flows: tuple[Flow, ...]
    epoch: EpochPoint
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(
        cls, action: Action, proof: Proof, signature: bytes = b"", epoch: EpochPoints | None = None
    ) -> Self:
        """From an action on one account, with auth's signature and the epoch where its row of the table asks for them.

        Raises
        ------
        CallInvalid
            If it is an action of two sides, or the epoch is missing, superfluous, another than the action's or without
            its policy.
        """
        rule = _get_rule(action, has_sides=False)
        number = epoch.number if epoch else 0
        if number != action.epoch:
            raise CallInvalid("number of the epoch", number, f"{action.epoch}, which the action names")
        return cls(
            account=action.account,
            commitment_old=action.commitment_old,
            commitment_new=action.commitment_new,
            cash=rule.flow_sign * (action.cash_flow + action.fee),
            fee=action.fee,
            deadline=action.deadline,
            recipient=action.recipient,
            submitter=action.submitter,
            policy=action.policy if rule.policy is None else ZERO_BYTES32,
            flows=action.flows,
            epoch=epoch.select(action.policy) if epoch else NO_EPOCH,
            proof=proof,
            signature=signature,
        )


@dataclass(frozen=True)
class TradeSide(_Request):
    """One side of a trade."""

    account: bytes
    commitment_old: int
    """Commitment that the proof starts from."""
    commitment_new: int
    ciphertext: int
    submitter: str
    """Who alone may carry the trade in; zero lets anyone."""
    fee: int
    deadline: int
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(cls, action: Action, proof: Proof, signature: bytes) -> Self:
        """From a signed action of kind TRADE; raises `CallInvalid` for any other."""
        _get_rule(action, has_sides=True)
        return cls(
            account=action.account,
            commitment_old=action.commitment_old,
            commitment_new=action.commitment_new,
            ciphertext=action.ciphertext,
            submitter=action.submitter,
            fee=action.fee,
            deadline=action.deadline,
            proof=proof,
            signature=signature,
        )


@dataclass(frozen=True)
class TradeRequest(_Request):
    """A trade: `plus` receives the legs of the hidden word, `minus` gives them."""

    trade_tag: int
    epoch: EpochPoint
    plus: TradeSide
    minus: TradeSide


@dataclass(frozen=True)
class BidRequest(_Request):
    """A bid for a book in default; the struct of IDefaultDesk.sol."""

    book: bytes
    account: bytes
    commitment_old: int
    commitment_new: int
    price: int
    cash: int
    words: tuple[int, ...]
    """Positions of the book, as revealed."""
    submitter: str
    deadline: int
    epoch: EpochPoint
    signature: bytes
    proof: Proof

    @classmethod
    def from_message(
        cls, message: Bid, numbers: Sequence[int], epoch: EpochPoint, proof: Proof, signature: bytes
    ) -> Self:
        """From a signed bid; `numbers` are cash and words of the book, as revealed."""
        return cls(
            book=message.book,
            account=message.account,
            commitment_old=message.commitment_old,
            commitment_new=message.commitment_new,
            price=message.price,
            cash=numbers[0],
            words=tuple(numbers[1:]),
            submitter=message.submitter,
            deadline=message.deadline,
            epoch=epoch,
            signature=signature,
            proof=proof,
        )


@dataclass(frozen=True)
class PartSaleRequest(_Request):
    """A sale of a part of a book in default; the struct of ISaleDesk.sol."""

    book: bytes
    account: bytes
    commitment_old: int
    commitment_new: int
    book_commitment_new: int
    part: tuple[Flow, ...]
    price: int
    floor: int
    cash: int
    words: tuple[int, ...]
    """Positions of the book, as revealed."""
    submitter: str
    deadline: int
    epoch: EpochPoint
    signature: bytes
    quorum: tuple[bytes, ...]
    proof: Proof
    book_proof: Proof

    @classmethod
    def from_message(
        cls,
        message: PartPurchase,
        numbers: Sequence[int],
        floor: int,
        quorum: Sequence[bytes],
        epoch: EpochPoint,
        proofs: tuple[Proof, Proof],
        signature: bytes,
    ) -> Self:
        """From a signed purchase; `numbers` are cash and words of the book as revealed, `floor` and `quorum` are of the
        signed offer, `proofs` are the buyer's and the book's."""
        return cls(
            book=message.book,
            account=message.account,
            commitment_old=message.commitment_old,
            commitment_new=message.commitment_new,
            book_commitment_new=message.book_commitment_new,
            part=message.part,
            price=message.price,
            floor=floor,
            cash=numbers[0],
            words=tuple(numbers[1:]),
            submitter=message.submitter,
            deadline=message.deadline,
            epoch=epoch,
            signature=signature,
            quorum=tuple(quorum),
            proof=proofs[0],
            book_proof=proofs[1],
        )


@dataclass(frozen=True)
class RekeyRequest(_Request):
    """A move to a new viewing key; the struct of IRekeyDesk.sol."""

    account: bytes
    commitment_old: int
    commitment_new: int
    ephemeral_x: int
    ephemeral_y: int
    escrowed_key: int
    checkpoint: tuple[int, ...]
    submitter: str
    deadline: int
    signature: bytes
    proof: Proof

    @classmethod
    def from_message(
        cls, message: Rekey, ephemeral: tuple[int, int], escrowed_key: int, proof: Proof, signature: bytes
    ) -> Self:
        """From auth's message and the escrow it covers."""
        return cls(
            message.account, message.commitment_old, message.commitment_new, *ephemeral, escrowed_key,
            message.checkpoint, message.submitter, message.deadline, signature, proof,
        )  # fmt: skip


@dataclass(frozen=True)
class AttestRow(_Request):
    """One attestation of a batch."""

    account: bytes
    commitment: int
    """Commitment that the proof is of; the row is skipped if the account has another."""
    proof: Proof


@dataclass(frozen=True)
class AttestBatch(_Request):
    """Attestations of many accounts to one policy at one epoch; rows of accounts that have moved are skipped."""

    policy: bytes
    key_version: int
    generation: int
    deadline: int
    submitter: str
    epoch: EpochPoint
    rows: tuple[AttestRow, ...]

    @classmethod
    def from_requests(cls, requests: Sequence[ActionRequest], key_version: int, generation: int) -> Self:
        """From attestations of accounts of that key version and generation, each as it would come alone.

        Raises
        ------
        CallInvalid
            If there is none, or two differ in policy, deadline, submitter or epoch, which each proof is bound to.
        """
        first = _get_first(requests)
        for name in ("policy", "deadline", "submitter", "epoch"):
            _require_same(name, [getattr(request, name) for request in requests])
        rows = tuple(AttestRow(item.account, item.commitment_old, item.proof) for item in requests)
        return cls(first.policy, key_version, generation, first.deadline, first.submitter, first.epoch, rows)


@dataclass(frozen=True)
class TradeRow(_Request):
    """One trade of a batch."""

    trade_tag: int
    plus: TradeSide
    minus: TradeSide


@dataclass(frozen=True)
class TradeBatch(_Request):
    """Trades at one epoch, in order: an account may appear in several, each from the state that the one before left."""

    key_version: int
    generation: int
    epoch: EpochPoint
    rows: tuple[TradeRow, ...]

    @classmethod
    def from_requests(cls, requests: Sequence[TradeRequest], key_version: int, generation: int) -> Self:
        """From trades between accounts of that key version and generation, each as it would come alone.

        Raises
        ------
        CallInvalid
            If there is none, or two are at different epochs.
        """
        first = _get_first(requests)
        _require_same("epoch", [request.epoch for request in requests])
        rows = tuple(TradeRow(item.trade_tag, item.plus, item.minus) for item in requests)
        return cls(key_version, generation, first.epoch, rows)


R = TypeVar("R")


def _get_first(requests: Sequence[R]) -> R:
    if not requests:
        raise CallInvalid("number of requests in a batch", 0, "at least 1")
    return requests[0]


def _require_same(name: str, values: Sequence[object]) -> None:
    for value in values:
        if value != values[0]:
            raise CallInvalid(f"{name} of a request in a batch", value, f"{values[0]}, the first one's")


def _get_rule(action: Action, *, has_sides: bool) -> ActionRule:
    allowed = {int(kind): rule for kind, rule in ACTION_RULES.items() if rule.has_sides is has_sides}
    if action.kind not in allowed:
        names = ", ".join(f"{kind} {ActionKind(kind).name}" for kind in allowed)
        raise CallInvalid("kind of the action", action.kind, names)
    return allowed[action.kind]


def _to_abi(value: object) -> object:
    if isinstance(value, Flow):
        return {"slot": value.slot, "lots": value.lots}
    if is_dataclass(value):
        return {_to_camel(item.name): _to_abi(getattr(value, item.name)) for item in fields(value)}
    return [_to_abi(item) for item in value] if isinstance(value, tuple) else value


def _to_camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
