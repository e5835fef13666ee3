"""Rows that an event adds beside its own: one function an event, and for the desks every event that names an account.

An event that no function knows adds none, and stays in `events` with all its fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from zkmargin.contracts.clearing_house import Status
from zkmargin.prover.errors import ActionNotAllowed
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.venue.index.tables import (
    AccountRow,
    AccountStateRow,
    AttestationRow,
    DefaultRow,
    EpochRow,
    EventRow,
    FlowRow,
    PaymentRow,
    PaymentStepRow,
    SnapshotRow,
    Table,
    TradeRow,
)

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """What an event changed of an account; None leaves it as it was."""

    account: str
    status: str | None = None
    key_version: int | None = None
    generation: int | None = None
    commitment: str | None = None
    attested_epoch: int | None = None


def list_rows(event: EventRow) -> list[Table]:
    """The rows of an event but for accounts' states."""
    make = ROWS.get(event.name)
    if make is not None:
        return make(event.id, event.fields)
    account = event.fields.get("book", event.fields.get("account"))  # a sale's `account` is who buys of the book
    if event.name in QUIET or event.contract != "ClearingHouse" or not isinstance(account, str):
        return []
    return [DefaultRow(event=event.id, account=account, step=event.name, fields=dict(event.fields))]


def list_states(session: Session, event: EventRow) -> list[AccountStateRow]:
    """The states that an event left accounts in."""
    find = CHANGES.get(event.name)
    found = [] if find is None else [_apply(session, event.id, change) for change in find(event.fields)]
    return [row for row in found if row is not None]


def read_state(session: Session, account: str) -> AccountStateRow | None:
    """An account as its latest event left it."""
    query = select(AccountStateRow).where(AccountStateRow.account == account)
    return session.scalars(query.order_by(AccountStateRow.event.desc()).limit(1)).first()


def _apply(session: Session, event: int, change: Change) -> AccountStateRow | None:
    before = read_state(session, change.account)
    names = ("status", "key_version", "generation", "commitment", "attested_epoch")
    values = {name: getattr(change, name) for name in names}
    if before is not None:
        values = {name: getattr(before, name) if value is None else value for name, value in values.items()}
    if None in values.values():
        return None  # a change of an account that was never opened: a foreign desk's event
    return AccountStateRow(event=event, account=change.account, **values)


def _to_hex(number: object) -> str:
    return f"0x{int(str(number)):064x}"


def _to_name(text: str) -> str:
    """A policy's name of 32 bytes, as text where it is one."""
    name = bytes.fromhex(text.removeprefix("0x")).rstrip(b"\0")
    return name.decode() if name.isascii() and name.decode().isprintable() else text


def _to_kind(value: object) -> str:
    try:
        return ActionKind(int(str(value))).name.lower()
    except ActionNotAllowed:
        return str(value)


# ---------------------------------------------------------------------------------------------------------------- rows
def _make_account(event: int, fields: Fields) -> list[Table]:
    return [AccountRow(event=event, account=fields["account"], auth=fields["auth"], index=int(fields["index"]))]


def _make_epoch(event: int, fields: Fields) -> list[Table]:
    row = EpochRow(
        event=event,
        number=int(fields["number"]),
        generation=fields["generation"],
        time=fields["time"],
        min_epoch=int(fields["minEpoch"]),
        key_version=fields["keyVersion"],
        snapshot_hash=fields["snapshotHash"],
        policy_hash=fields["policyHash"],
    )
    return [row]


def _make_snapshot(event: int, fields: Fields) -> list[Table]:
    return [SnapshotRow(event=event, snapshot_hash=fields["snapshotHash"])]


def _make_trade(event: int, fields: Fields) -> list[Table]:
    row = TradeRow(
        event=event,
        plus=fields["plus"],
        minus=fields["minus"],
        epoch=int(fields["epoch"]),
        generation=fields["generation"],
        trade_tag=_to_hex(fields["tradeTag"]),
        fee_plus=int(fields["feePlus"]),
        fee_minus=int(fields["feeMinus"]),
    )
    return [row]


def _make_flow(event: int, fields: Fields) -> list[Table]:
    lots = {str(flow["slot"]): int(flow["lots"]) for flow in fields["flows"]}
    row = FlowRow(
        event=event,
        account=fields["account"],
        kind=_to_kind(fields["kind"]),
        cash=int(fields["cashFlow"]),
        lots=lots,
        recipient=fields["recipient"],
        fee=int(fields["fee"]),
    )
    return [row]


def _make_attestation(event: int, fields: Fields) -> list[Table]:
    row = AttestationRow(
        event=event,
        account=fields["account"],
        policy=_to_name(fields["policy"]),
        epoch=int(fields["epoch"]),
        time=fields["time"],
    )
    return [row]


def _make_payment(event: int, fields: Fields) -> list[Table]:
    place = {"token": fields["token"], "number": int(fields["number"])}
    return [
        PaymentRow(
            event=event,
            account=fields["account"],
            recipient=fields["recipient"],
            amount=int(fields["amount"]),
            **place,
        ),
        PaymentStepRow(event=event, state="queued", due_at=int(fields["dueAt"]), **place),
    ]


def _make_step(state: str) -> Callable[[int, Fields], list[Table]]:
    def make(event: int, fields: Fields) -> list[Table]:
        number, due_at = int(fields["number"]), int(fields.get("dueAt", 0))
        return [PaymentStepRow(event=event, token=fields["token"], number=number, state=state, due_at=due_at)]

    return make


ROWS: Mapping[str, Callable[[int, Fields], list[Table]]] = {
    "AccountOpened": _make_account,
    "EpochPosted": _make_epoch,
    "SnapshotPublished": _make_snapshot,
    "Traded": _make_trade,
    "Flowed": _make_flow,
    "Attested": _make_attestation,
    "PaymentQueued": _make_payment,
    "Claimed": _make_step("claimed"),
    "PaymentVetoed": _make_step("vetoed"),
    "PaymentReturned": _make_step("returned"),
    "PaymentReinstated": _make_step("reinstated"),
}
"""By the event's name."""
QUIET = (
    "Skipped",
    "Confirmed",
    "Moved",
    "Invalidated",
    "RowSkipped",
    "AccountRekeyed",
    "LeaseExtended",
    "LeaseShortened",
)
"""Events of accounts that are no step of a default."""


# -------------------------------------------------------------------------------------------------------------- states
def _change_opened(fields: Fields) -> Iterable[Change]:
    yield Change(
        fields["account"], "active", fields["keyVersion"], fields["generation"], _to_hex(fields["commitment"]), 0
    )


def _change_traded(fields: Fields) -> Iterable[Change]:
    for side in ("Plus", "Minus"):
        yield Change(
            fields[side.lower()],
            generation=fields["generation"],
            commitment=_to_hex(fields[f"commitment{side}"]),
            attested_epoch=int(fields["epoch"]),
        )


def _change_flowed(fields: Fields) -> Iterable[Change]:
    kind, epoch = _to_kind(fields["kind"]), None
    if kind.upper() in ActionKind.__members__ and ACTION_RULES[ActionKind[kind.upper()]].needs_epoch:
        epoch = int(fields["epoch"])
    yield Change(
        fields["account"],
        status="closed" if kind == "close" else None,
        generation=fields["generation"],
        commitment=_to_hex(fields["commitment"]),
        attested_epoch=epoch,
    )


def _change_attested(fields: Fields) -> Iterable[Change]:
    if _to_name(fields["policy"]) == "maintenance":
        yield Change(fields["account"], attested_epoch=int(fields["epoch"]))


def _change_taken(fields: Fields) -> Iterable[Change]:
    yield Change(fields["book"], status="closed")
    yield _change_buyer(fields)


def _change_sold(fields: Fields) -> Iterable[Change]:
    yield Change(fields["book"], commitment=_to_hex(fields["bookCommitment"]))
    yield _change_buyer(fields)


def _change_buyer(fields: Fields) -> Change:
    """Who takes a book, or a part of one, proves initial margin for it."""
    return Change(
        fields["account"],
        generation=fields["generation"],
        commitment=_to_hex(fields["commitment"]),
        attested_epoch=int(fields["epoch"]),
    )


def _change_rekeyed(fields: Fields) -> Iterable[Change]:
    yield Change(fields["account"], key_version=fields["keyVersion"], commitment=_to_hex(fields["commitment"]))


CHANGES: Mapping[str, Callable[[Fields], Iterable[Change]]] = {
    "AccountOpened": _change_opened,
    "Traded": _change_traded,
    "Flowed": _change_flowed,
    "Attested": _change_attested,
    "Skipped": lambda fields: [Change(fields["account"], generation=fields["generation"])],
    "Moved": lambda fields: [Change(fields["account"], key_version=fields["keyVersion"])],
    "Confirmed": lambda fields: [Change(fields["account"], attested_epoch=int(fields["epoch"]))],
    "Frozen": lambda fields: [Change(fields["account"], status=Status.FROZEN.name.lower())],
    "Redeemed": lambda fields: [Change(fields["account"], status=Status.ACTIVE.name.lower())],
    "TakenOver": _change_taken,
    "PartSold": _change_sold,
    "AccountRekeyed": _change_rekeyed,
}
"""By the event's name."""
