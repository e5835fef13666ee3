"""What the API asks of an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from zkmargin.venue.errors import IndexUnusable
from zkmargin.venue.index.tables import (
    AccountStateRow,
    BlockRow,
    EpochRow,
    EventRow,
    PaymentRow,
    PaymentStepRow,
    RollbackRow,
    SnapshotRow,
    Table,
    VenueRow,
)

EPOCHS_AT_A_TIME = 16
"""Of those that count, the latest first: one that is not revoked is among the first few."""


def read_position(session: Session) -> dict[str, Any]:
    """The fields of `answers.Position`; raises `IndexUnusable` if no indexer has begun."""
    venue = session.scalars(select(VenueRow)).first()
    if venue is None:
        raise IndexUnusable("database", "no indexer has begun; run `zkmargin indexer`")
    block = session.scalars(select(BlockRow).order_by(BlockRow.number.desc()).limit(1)).first()
    return {
        "chain_id": venue.chain_id,
        "clearing_house": venue.clearing_house,
        "block": -1 if block is None else block.number,
        "block_time": 0 if block is None else block.time,
        "events": session.scalar(select(func.count()).select_from(EventRow)) or 0,
        "latest_epoch": session.scalar(select(func.max(EpochRow.number))) or 0,
    }


def list_after(
    session: Session, table: Any, after: int, limit: int, account: str | None = None, columns: Sequence[str] = ()
) -> Sequence[Table]:
    """Rows of a table of events after the event `after`, in order; of one account where it is given."""
    key = table.id if table is EventRow else table.event
    query = select(table).where(key > after).order_by(key).limit(limit)
    if account is not None:
        query = query.where(or_(*(getattr(table, column) == account for column in columns)))
    return session.scalars(query).all()


def list_accounts(session: Session, after: str, limit: int) -> Sequence[AccountStateRow]:
    """Accounts as their latest events left them, by their numbers, after the number `after`."""
    latest = _latest_of(AccountStateRow.account, AccountStateRow.event)
    query = select(AccountStateRow).join(
        latest, and_(AccountStateRow.account == latest.c.key, AccountStateRow.event == latest.c.event)
    )
    ordered = query.where(AccountStateRow.account > after).order_by(AccountStateRow.account).limit(limit)
    return session.scalars(ordered).all()


def list_payments(session: Session, after: int, limit: int, account: str | None) -> list[dict[str, Any]]:
    """Payments with the state that their latest steps left them in."""
    query = select(PaymentRow).where(PaymentRow.event > after).order_by(PaymentRow.event).limit(limit)
    if account is not None:
        query = query.where(PaymentRow.account == account)
    return [_read_payment(session, row) for row in session.scalars(query)]


def _read_payment(session: Session, row: PaymentRow) -> dict[str, Any]:
    """A payment with its latest step; its number is used again once it is paid, so later payments' steps do not
    count."""
    same = and_(PaymentRow.number == row.number, PaymentRow.token == row.token, PaymentRow.event > row.event)
    end = session.scalar(select(func.min(PaymentRow.event)).where(same))
    steps = select(PaymentStepRow).where(
        PaymentStepRow.number == row.number, PaymentStepRow.token == row.token, PaymentStepRow.event >= row.event
    )
    if end is not None:
        steps = steps.where(PaymentStepRow.event < end)
    last = session.scalars(steps.order_by(PaymentStepRow.event.desc()).limit(1)).one()
    names = ("event", "account", "recipient", "token", "number", "amount")
    return {name: getattr(row, name) for name in names} | {"state": last.state, "due_at": last.due_at}


def read_latest_snapshot(session: Session) -> bytes:
    """Canonical bytes of the market of the latest epoch that counts and whose bytes somebody published; raises
    `IndexUnusable` where there is none. Anybody may publish bytes, so their hash must be an epoch's."""
    is_published = exists().where(SnapshotRow.snapshot_hash == EpochRow.snapshot_hash)
    query = select(EpochRow.number, EpochRow.snapshot_hash).where(
        EpochRow.number >= _find_lowest(session), is_published
    )
    descending = query.order_by(EpochRow.number.desc()).execution_options(yield_per=EPOCHS_AT_A_TIME)
    revoked = _read_revoked(session)
    for number, snapshot_hash in session.execute(descending):
        if not revoked(number):
            return _read_published(session, snapshot_hash)
    raise IndexUnusable("database", "no epoch that counts has a published snapshot")


def _find_lowest(session: Session) -> int:
    """Number of the first epoch that is not superseded: by an epoch's word, by a step of the listing, or by another
    quorum."""
    stated = session.scalar(select(func.max(EpochRow.min_epoch))) or 0
    generation = select(func.max(EpochRow.generation)).scalar_subquery()
    first = session.scalar(select(func.min(EpochRow.number)).where(EpochRow.generation == generation)) or 0
    replaced = select(func.max(EventRow.id)).where(EventRow.name == "SignersSet").scalar_subquery()
    earlier = select(EpochRow.number).where(EpochRow.event < replaced).order_by(EpochRow.event.desc()).limit(1)
    former = session.scalar(earlier) or 0  # numbers rise from event to event
    return max(stated, first, former + 1)


def _read_revoked(session: Session) -> Callable[[int], bool]:
    """Whether an epoch is revoked: what the last event that names it says."""
    names = ("EpochsRevoked", "EpochsRestored")
    found = session.scalars(select(EventRow).where(EventRow.name.in_(names)))
    events = sorted(found, key=lambda event: event.id, reverse=True)
    said = [(int(event.fields["from"]), int(event.fields["upTo"]), event.name == names[0]) for event in events]
    return lambda number: next((is_revoked for first, last, is_revoked in said if first <= number <= last), False)


def _read_published(session: Session, snapshot_hash: str) -> bytes:
    """The bytes of the latest publication of the snapshot of that hash."""
    query = select(EventRow).join(SnapshotRow, SnapshotRow.event == EventRow.id)
    latest = query.where(SnapshotRow.snapshot_hash == snapshot_hash).order_by(SnapshotRow.event.desc()).limit(1)
    return bytes.fromhex(str(session.scalars(latest).one().fields["snapshot"]).removeprefix("0x"))


def list_rollbacks(session: Session, after: int = 0, after_event: int = 0) -> Sequence[RollbackRow]:
    """Rollbacks after the one of that id, of those that may have undone the event `after_event`."""
    query = select(RollbackRow).where(RollbackRow.id > after, RollbackRow.after_event >= after_event)
    return session.scalars(query.order_by(RollbackRow.id)).all()


def find_last_rollback(session: Session) -> int:
    """Id of the last rollback, 0 before the first."""
    return session.scalar(select(func.max(RollbackRow.id))) or 0


def _latest_of(key: Any, event: Any) -> Any:
    query: Select[Any] = select(key.label("key"), func.max(event).label("event")).group_by(key)
    return query.subquery()
