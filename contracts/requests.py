"""What each entry point of the clearing house takes, as typed records: the Solidity structs of IClearingHouse.sol, in
snake_case.

Each is made from the signed message (`from_action`, `from_message`), so that calldata and signature cannot drift
apart by accident; a
test, or an attacker, can still change a field with `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Self

from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoints
from zkmargin.prover.actions.intent import ActionKind
from zkmargin.prover.messages.records import Action, Flow, Open

Proof = tuple[int, int, int, int, int, int, int, int]
"""A Groth16 proof as the pairing precompile reads it: A (x, y), B (x imaginary, x real, y imaginary, y real), C (x,
y)."""


def encode_proof(proof: Mapping) -> Proof:
    """The eight words of a proof in snarkjs's JSON form (pi_a, pi_b, pi_c; projective with z = 1, real part first).

    Raises
    ------
    CallInvalid
        If a part is missing or is not affine.
    """
    try:
        a, b, c = proof["pi_a"], proof["pi_b"], proof["pi_c"]
        words = tuple(int(word) for word in (a[0], a[1], b[0][1], b[0][0], b[1][1], b[1][0], c[0], c[1]))
        third = [int(word) for word in (*a[2:], *(word for pair in b[2:] for word in pair), *c[2:])]
    except (KeyError, IndexError, TypeError, ValueError) as reason:
        raise CallInvalid("proof", type(proof).__name__, "snarkjs's JSON with pi_a, pi_b, pi_c") from reason
    if third not in ([], [1, 1, 0, 1]):
        raise CallInvalid("third coordinates of the proof", third, "1, (1, 0), 1: affine points")
    return words


class _Request:
    def to_abi(self) -> dict:
        """Fields under their Solidity names, as web3 takes a struct."""
        return {_to_camel(item.name): _to_abi(getattr(self, item.name)) for item in fields(self)}


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
            *ephemeral, escrowed_key, message.deadline, proof, signature,
        )  # fmt: skip


@dataclass(frozen=True)
class DepositRequest(_Request):
    """Absorbs a stated part of the inbox; the fee comes out of the cash."""

    account: bytes
    commitment_new: int
    cash: int
    fee: int
    deadline: int
    flows: tuple[Flow, ...]
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(cls, action: Action, proof: Proof, signature: bytes) -> Self:
        """From a signed action of kind DEPOSIT."""
        _require_kind(action, ActionKind.DEPOSIT)
        cash = action.cash_flow + action.fee
        return cls(
            action.account, action.commitment_new, cash, action.fee, action.deadline, action.flows, proof, signature
        )


@dataclass(frozen=True)
class CureRequest(_Request):
    """A deposit with a proof of maintenance margin."""

    account: bytes
    commitment_new: int
    cash: int
    fee: int
    deadline: int
    flows: tuple[Flow, ...]
    epoch: EpochPoints
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(cls, action: Action, epoch: EpochPoints, proof: Proof, signature: bytes) -> Self:
        """From a signed action of kind CURE."""
        _require_kind(action, ActionKind.CURE)
        cash = action.cash_flow + action.fee
        return cls(
            action.account,
            action.commitment_new,
            cash,
            action.fee,
            action.deadline,
            action.flows,
            epoch,
            proof,
            signature,
        )


@dataclass(frozen=True)
class WithdrawRequest(_Request):
    """Pays out with a proof of the withdraw policy; lots are negative."""

    account: bytes
    commitment_new: int
    cash: int
    fee: int
    deadline: int
    recipient: str
    flows: tuple[Flow, ...]
    epoch: EpochPoints
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(cls, action: Action, epoch: EpochPoints, proof: Proof, signature: bytes) -> Self:
        """From a signed action of kind WITHDRAW."""
        _require_kind(action, ActionKind.WITHDRAW)
        return cls(
            action.account, action.commitment_new, -action.cash_flow - action.fee, action.fee, action.deadline,
            action.recipient, action.flows, epoch, proof, signature,
        )  # fmt: skip


@dataclass(frozen=True)
class FlatRequest(_Request):
    """Pays out an account without derivatives and debt, or closes it; lots are negative."""

    account: bytes
    commitment_new: int
    cash: int
    fee: int
    deadline: int
    recipient: str
    flows: tuple[Flow, ...]
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(cls, action: Action, proof: Proof, signature: bytes) -> Self:
        """From a signed action of kind WITHDRAW_FLAT or CLOSE."""
        _require_kind(action, ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE)
        return cls(
            action.account, action.commitment_new, -action.cash_flow - action.fee, action.fee, action.deadline,
            action.recipient, action.flows, proof, signature,
        )  # fmt: skip


@dataclass(frozen=True)
class AttestRequest(_Request):
    """Shows that an account meets a policy; needs no signature."""

    account: bytes
    policy: bytes
    deadline: int
    epoch: EpochPoints
    proof: Proof

    @classmethod
    def from_action(cls, action: Action, epoch: EpochPoints, proof: Proof) -> Self:
        """From an action of kind ATTEST."""
        _require_kind(action, ActionKind.ATTEST)
        return cls(action.account, action.policy, action.deadline, epoch, proof)


@dataclass(frozen=True)
class TradeSide(_Request):
    """One side of a trade."""

    account: bytes
    commitment_new: int
    ciphertext: int
    fee: int
    deadline: int
    proof: Proof
    signature: bytes

    @classmethod
    def from_action(cls, action: Action, proof: Proof, signature: bytes) -> Self:
        """From a signed action of kind TRADE."""
        _require_kind(action, ActionKind.TRADE)
        return cls(
            action.account, action.commitment_new, action.ciphertext, action.fee, action.deadline, proof, signature
        )


@dataclass(frozen=True)
class TradeRequest(_Request):
    """A trade: `plus` receives the legs of the hidden word, `minus` gives them."""

    trade_tag: int
    epoch: EpochPoints
    plus: TradeSide
    minus: TradeSide


def _require_kind(action: Action, *allowed: ActionKind) -> None:
    if action.kind not in allowed:
        raise CallInvalid(
            "kind of the action", ActionKind(action.kind).name, " or ".join(kind.name for kind in allowed)
        )


def _to_abi(value: object) -> object:
    if isinstance(value, Flow):
        return {"slot": value.slot, "lots": value.lots}
    if is_dataclass(value):
        return {_to_camel(item.name): _to_abi(getattr(value, item.name)) for item in fields(value)}
    return [_to_abi(item) for item in value] if isinstance(value, tuple) else value


def _to_camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)
