"""Typed bindings of the clearing house: accounts, actions and their history; see IClearingHouse.sol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.default_history import read_desk_history
from zkmargin.contracts.errors import AccountStale, AnswerMalformed, DeploymentMismatch, Reverted
from zkmargin.contracts.messages import NamedPoint
from zkmargin.contracts.requests import (
    ActionRequest,
    MoveRequest,
    OpenRequest,
    TradeRequest,
)
from zkmargin.prover.account.account import compute_account_id
from zkmargin.prover.account.recovery import Event, Opened, Skipped, Transitioned
from zkmargin.prover.errors import ActionNotAllowed
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Invalidate
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import normalise_signature

ENTRY_POINTS = {
    ActionKind.DEPOSIT: "deposit",
    ActionKind.WITHDRAW: "withdraw",
    ActionKind.CURE: "cure",
    ActionKind.ATTEST: "attest",
    ActionKind.WITHDRAW_FLAT: "withdrawFlat",
    ActionKind.CLOSE: "close",
}
"""Functions of the clearing house that take an action on one account."""


class Status(IntEnum):
    """Life of an account on chain."""

    NONE = 0
    ACTIVE = 1
    FROZEN = 2
    CLOSED = 3


class Margin(IntEnum):
    """Which margin a written proof showed."""

    NONE = 0
    INITIAL = 1
    MAINTENANCE = 2
    WITHDRAW = 3


@dataclass(frozen=True)
class AccountView:
    """What the chain knows of an account."""

    auth: str
    status: Status
    key_version: int
    generation: int
    may_hold_derivatives: bool
    """Whether it has traded since it opened or last proved to be flat."""
    margin: Margin
    """Which margin the last written proof showed."""
    proven_at: int
    """Unix seconds of the prices of the last written proof, 0 before the first."""
    proven_epoch: int
    """Number of the epoch that it was proved at, the latest that the account's state depends on."""
    commitment: int


@dataclass(frozen=True)
class Proved:
    """What an account proved last, at an epoch that still counts."""

    margin: str
    """Name of the policy; empty if nothing counts."""
    time: int
    """Unix seconds of the epoch's prices."""
    epoch: int
    """Number of the epoch."""


class ClearingHouse:
    """Accounts and actions; see IClearingHouse.sol."""

    def __init__(self, contract: Contract, first_block: int = 0):
        self.contract, self.first_block = contract, first_block

    def open(self, request: OpenRequest, *, sender: str | None = None) -> Receipt:
        """Opens an account."""
        return self.contract.send("open", request.to_abi(), sender=sender)

    def deposit(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Absorbs a stated part of the inbox."""
        return self.act(ActionKind.DEPOSIT, request, sender=sender)

    def act(self, kind: ActionKind, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Sends an action on one account to the entry point of its kind.

        Raises
        ------
        AccountStale
            If the account has moved since the action was proved; nothing is sent.
        Reverted
            If the contract refuses it for another reason.
        """
        with _naming_stale_accounts():
            return self.contract.send(ENTRY_POINTS[kind], request.to_abi(), sender=sender)

    def roll(self, request: ActionRequest, steps: int, *, sender: str | None = None) -> Receipt:
        """Takes an account over steps of the listing; raises like `act`."""
        with _naming_stale_accounts():
            return self.contract.send("roll", request.to_abi(), steps, sender=sender)

    def skip(self, account: bytes, *, sender: str | None = None) -> Receipt:
        """Takes an account without derivatives to the listing in force, without a proof."""
        return self.contract.send("skip", account, sender=sender)

    def find_skipped(self, receipt: Receipt) -> dict[bytes, int]:
        """Generation that each account went to without a proof in a transaction, by account number."""
        events = self.contract.decode_logs(receipt, "Skipped")
        return {bytes(event["account"]): int(event["generation"]) for event in events}

    def trade(self, request: TradeRequest, *, sender: str | None = None) -> Receipt:
        """Settles a trade between two accounts; raises like `act`."""
        with _naming_stale_accounts():
            return self.contract.send("trade", request.to_abi(), sender=sender)

    def withdraw(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Pays out to what the recipient may claim."""
        return self.act(ActionKind.WITHDRAW, request, sender=sender)

    def cure(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """A deposit with a proof of maintenance margin."""
        return self.act(ActionKind.CURE, request, sender=sender)

    def attest(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Shows that an account meets a policy."""
        return self.act(ActionKind.ATTEST, request, sender=sender)

    def withdraw_flat(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Pays out of an account without derivatives and debt; needs no epoch."""
        return self.act(ActionKind.WITHDRAW_FLAT, request, sender=sender)

    def close(self, request: ActionRequest, *, sender: str | None = None) -> Receipt:
        """Pays out and ends a flat account for good."""
        return self.act(ActionKind.CLOSE, request, sender=sender)

    def invalidate(self, index: int, digest: bytes, *, sender: str | None = None) -> Receipt:
        """Burns a digest for `sender`'s account number `index`."""
        return self.contract.send("invalidate", index, digest, sender=sender)

    def invalidate_for(
        self, auth: str, index: int, digest: bytes, signature: bytes, *, sender: str | None = None
    ) -> Receipt:
        """Burns a digest by auth's signature over Invalidate, whose v may be 0 or 1; raises `SignatureRefused`."""
        domain = Domain(chain_id=self.contract.chain.id, clearing_house=self.contract.address, risk_oracle=ZERO_ADDRESS)
        message = Invalidate(account=compute_account_id(domain, auth, index), digest=digest)
        signature = normalise_signature(auth, domain, message, signature)
        return self.contract.send("invalidateFor", auth, index, digest, signature, sender=sender)

    def confirm(self, account: bytes, epoch: int, signatures: Sequence[bytes], *, sender: str | None = None) -> Receipt:
        """Takes the quorum's word, over `Confirmation`, for an account whose state depends on a revoked epoch."""
        return self.contract.send("confirm", account, epoch, list(signatures), sender=sender)

    def move(self, request: MoveRequest, *, sender: str | None = None) -> Receipt:
        """Takes an account from a revoked key version to its successor, with the commitment that it has."""
        return self.contract.send("move", request.to_abi(), sender=sender)

    def collect_fees(self, to: str, *, sender: str | None = None) -> Receipt:
        """Moves `sender`'s fees to what `to` may claim from the vault."""
        return self.contract.send("collectFees", to, sender=sender)

    def get_account(self, account: bytes, *, block: int | None = None) -> AccountView:
        """What the chain knows of an account, now or at the end of the block of that number; status NONE if it never
        was opened."""
        auth, status, version, generation, derivatives, margin, *rest = self.contract.call(
            "accountOf", account, block=block
        )
        return AccountView(auth, Status(status), version, generation, derivatives, Margin(margin), *rest)

    def require_commitment(self, account: bytes, commitment: int) -> None:
        """Raises `AccountStale` unless the chain stores that commitment: ask before proving, which takes longer."""
        stored = self.get_account(account).commitment
        if stored != commitment:
            raise AccountStale(account, commitment, stored, "ClearingHouse.accountOf")

    def get_views(self) -> str:
        """Address of the AccountViews that it made."""
        return str(self.contract.call("VIEWS"))

    def get_fees(self, submitter: str) -> int:
        """Micro-dollars that a submitter may collect."""
        return int(self.contract.call("feesOf", submitter))

    def is_invalidated(self, account: bytes, digest: bytes) -> bool:
        """Whether auth has burned the digest for this account."""
        return bool(self.contract.call("isInvalidated", account, digest))

    def read_opened(self, first_block: int, last_block: int) -> list[bytes]:
        """Numbers of the accounts that were opened in these blocks, in the chain's order."""
        events = self.contract.read_events("AccountOpened", first_block=first_block, last_block=last_block)
        return [bytes(event["args"]["account"]) for event in events]

    def read_history(self, *, last_block: int | None = None) -> list[Event]:
        """Every opening, written transition and new viewing key up to `last_block`, in the chain's order, as
        `prover.account.recovery` takes them; by default up to the latest block, and all of one chain.

        Raises
        ------
        DeploymentMismatch
            If the chain ends before the deployment's first block.
        AnswerMalformed
            If a log is none of the clearing house.
        """
        if last_block is None:
            return self.contract.chain.read_at_one_block(lambda block: self.read_history(last_block=block.number))
        if last_block < self.first_block:
            raise DeploymentMismatch("last block to read", last_block, f"{self.first_block} or later, the first one")
        found = read_desk_history(self.contract, self.first_block, last_block)
        for name, convert in EVENTS.items():
            for event in self.contract.read_events(name, first_block=self.first_block, last_block=last_block):
                place = (int(event["blockNumber"]), int(event["logIndex"]))
                found += [(place, item) for item in convert(event["args"])]
        return [event for _, event in sorted(found, key=lambda pair: pair[0])]


class AccountViews:
    """What accounts have proved, and which digests auths sign; see IAccountViews.sol."""

    def __init__(self, contract: Contract):
        self.contract = contract

    def is_current(self, account: bytes, max_age: int) -> bool:
        """Whether margin was proved at prices at most `max_age` seconds old, at an epoch that still counts."""
        return bool(self.contract.call("isCurrent", account, max_age))

    def get_proved(self, account: bytes) -> Proved:
        """Which margin `is_current` rests on, since when and at which epoch."""
        margin, time, epoch = self.contract.call("provedOf", account)
        return Proved(margin.rstrip(b"\0").decode(), time, epoch)

    def get_attested(self, account: bytes, point: NamedPoint) -> tuple[int, int]:
        """Time and epoch at which the account, as it is now, attested the policy with that very point; 0, 0 if
        never, or at an epoch that no longer counts."""
        time, epoch = self.contract.call("attested", account, point.name, point.hash)
        return time, epoch

    def get_steps_behind(self, account: bytes) -> int:
        """How many steps of the listing the account is behind the oracle."""
        return int(self.contract.call("stepsBehind", account))

    def get_digest(self, kind: ActionKind, request: ActionRequest, steps: int = 0) -> bytes:
        """EIP-712 digest of a request, 32 bytes, as the clearing house makes it."""
        return bytes(self.contract.call("digestOf", int(kind), request.to_abi(), steps))

    def get_digests(self, request: TradeRequest) -> tuple[bytes, bytes]:
        """EIP-712 digests of both sides of a trade."""
        plus, minus = self.contract.call("digestsOf", request.to_abi())
        return bytes(plus), bytes(minus)


@contextmanager
def _naming_stale_accounts() -> Iterator[None]:
    try:
        yield
    except Reverted as refusal:
        if refusal.error == "CommitmentStale":
            fields: dict[str, Any] = refusal.fields
            raise AccountStale(fields["account"], fields["expected"], fields["stored"], refusal.call) from None
        raise


def _to_opened(event: Mapping[str, Any]) -> list[Event]:
    return [Opened(bytes(event["account"]), event["auth"], event["index"], event["generation"], event["commitment"])]


def _to_skipped(event: Mapping[str, Any]) -> list[Event]:
    return [Skipped(bytes(event["account"]), event["generation"])]


def _to_flowed(event: Mapping[str, Any]) -> list[Event]:
    flows = tuple((int(flow["slot"]), int(flow["lots"])) for flow in event["flows"])
    try:
        kind = ActionKind(event["kind"])
    except ActionNotAllowed as error:
        raise AnswerMalformed("log of ClearingHouse.Flowed", str(error)) from None
    return [
        Transitioned(
            kind=kind,
            account=bytes(event["account"]),
            generation=event["generation"],
            commitment_new=event["commitment"],
            cash_flow=event["cashFlow"],
            flows=flows,
        )
    ]


def _to_sides(event: Mapping[str, Any]) -> list[Event]:
    return [
        Transitioned(
            kind=ActionKind.TRADE,
            account=bytes(event[name.lower()]),
            generation=event["generation"],
            commitment_new=event[f"commitment{name}"],
            trade_tag=event["tradeTag"],
            ciphertext=event[f"ciphertext{name}"],
            side=side,
            cash_flow=-event[f"fee{name}"],
        )
        for name, side in (("Plus", 1), ("Minus", -1))
    ]


EVENTS = {"AccountOpened": _to_opened, "Traded": _to_sides, "Flowed": _to_flowed, "Skipped": _to_skipped}
"""Events of an account's history, and what makes records of them."""
