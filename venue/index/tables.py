"""Tables of the index.

`blocks` are those up to which events were read, and those that hold one. An event belongs to its block, and every other
row to its event, so that a block which the chain replaced takes with it all that was read of it (ON DELETE CASCADE).
No row is ever changed: what an account or a payment is now, its latest row says.

::

    venue           which deployment this is of
    blocks          number, hash, time
    └── events      everything that the contracts said, with its fields as JSON
        ├── accounts, account_states
        ├── epochs, snapshots, trades, flows, attestations
        ├── payments, payment_steps
        └── defaults
    rollbacks       blocks that were replaced, for followers
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

HEX32 = 66
"""Characters of 32 bytes as 0x-hex."""
ADDRESS = 42
"""Characters of an address as 0x-hex."""
Long = BigInteger().with_variant(Integer, "sqlite")
"""64 bits; SQLite numbers rows by the type INTEGER alone."""


class Whole(TypeDecorator[int]):
    """A whole number of any size, as decimal text: amounts of 128 bits and commitments fit no column of numbers."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        """To the database."""
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        """From the database."""
        return None if value is None else int(value)


class Table(DeclarativeBase):
    """Base of the tables."""


class VenueRow(Table):
    """The deployment; one row."""

    __tablename__ = "venue"
    clearing_house: Mapped[str] = mapped_column(String(ADDRESS), primary_key=True)
    chain_id: Mapped[int] = mapped_column(Long)
    first_block: Mapped[int] = mapped_column(Long)
    first_block_hash: Mapped[str] = mapped_column(String(HEX32))


class BlockRow(Table):
    """A block up to which events were read, or that holds one."""

    __tablename__ = "blocks"
    number: Mapped[int] = mapped_column(Long, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(HEX32))
    time: Mapped[int] = mapped_column(Long)
    """Unix seconds."""


class EventRow(Table):
    """One event; ids rise and are never used again."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("block", "log_index"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Long, primary_key=True, autoincrement=True)
    block: Mapped[int] = mapped_column(Long, ForeignKey("blocks.number", ondelete="CASCADE"))
    log_index: Mapped[int] = mapped_column(Integer)
    """Place in the block."""
    transaction: Mapped[str] = mapped_column(String(HEX32))
    contract: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64), index=True)
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Arguments in JSON's types, as `venue.json_form` writes them."""


class RollbackRow(Table):
    """Blocks that were replaced: events of ids at most `after_event` in blocks above `block` count no more."""

    __tablename__ = "rollbacks"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(Long, primary_key=True, autoincrement=True)
    block: Mapped[int] = mapped_column(Long)
    """Last one that stayed."""
    after_event: Mapped[int] = mapped_column(Long)
    """Largest id that an event ever had before the rollback."""


def of_event() -> Mapped[int]:
    """The event that a row is of: its key or a part of it."""
    return mapped_column(Long, ForeignKey("events.id", ondelete="CASCADE"), primary_key=True, autoincrement=False)


class AccountRow(Table):
    """The opening of an account."""

    __tablename__ = "accounts"
    event: Mapped[int] = of_event()
    account: Mapped[str] = mapped_column(String(HEX32), unique=True)
    auth: Mapped[str] = mapped_column(String(ADDRESS), index=True)
    index: Mapped[int] = mapped_column(Whole)


class AccountStateRow(Table):
    """What an account was from an event on."""

    __tablename__ = "account_states"
    event: Mapped[int] = of_event()
    account: Mapped[str] = mapped_column(String(HEX32), primary_key=True, index=True)
    status: Mapped[str] = mapped_column(String(16))
    """active, frozen or closed."""
    key_version: Mapped[int] = mapped_column(Integer)
    generation: Mapped[int] = mapped_column(Integer)
    commitment: Mapped[str] = mapped_column(String(HEX32))
    attested_epoch: Mapped[int] = mapped_column(Long)
    """Epoch of the latest proof of initial, maintenance or withdraw margin; 0 before the first."""


class EpochRow(Table):
    """A posted epoch."""

    __tablename__ = "epochs"
    __table_args__ = (Index("ix_epochs_generation_number", "generation", "number"),)
    event: Mapped[int] = of_event()
    number: Mapped[int] = mapped_column(Long, unique=True)
    generation: Mapped[int] = mapped_column(Integer)
    time: Mapped[int] = mapped_column(Long)
    """Of the prices, unix seconds."""
    min_epoch: Mapped[int] = mapped_column(Long, index=True)
    """Number of the first epoch that counts from then on."""
    key_version: Mapped[int] = mapped_column(Integer)
    snapshot_hash: Mapped[str] = mapped_column(String(HEX32))
    policy_hash: Mapped[str] = mapped_column(String(HEX32))


class SnapshotRow(Table):
    """A publication of a market snapshot's bytes, which are the event's."""

    __tablename__ = "snapshots"
    event: Mapped[int] = of_event()
    snapshot_hash: Mapped[str] = mapped_column(String(HEX32), index=True)


class TradeRow(Table):
    """A trade; who bought what is hidden."""

    __tablename__ = "trades"
    event: Mapped[int] = of_event()
    plus: Mapped[str] = mapped_column(String(HEX32), index=True)
    minus: Mapped[str] = mapped_column(String(HEX32), index=True)
    epoch: Mapped[int] = mapped_column(Long)
    generation: Mapped[int] = mapped_column(Integer)
    trade_tag: Mapped[str] = mapped_column(String(HEX32))
    fee_plus: Mapped[int] = mapped_column(Whole)
    fee_minus: Mapped[int] = mapped_column(Whole)


class FlowRow(Table):
    """Cash and collateral that went into an account or out of it, or a step of the listing."""

    __tablename__ = "flows"
    event: Mapped[int] = of_event()
    account: Mapped[str] = mapped_column(String(HEX32), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    cash: Mapped[int] = mapped_column(Whole)
    """Micro-dollars, signed, fee included."""
    lots: Mapped[dict[str, int]] = mapped_column(JSON)
    """Signed lots by slot."""
    recipient: Mapped[str] = mapped_column(String(ADDRESS))
    fee: Mapped[int] = mapped_column(Whole)


class AttestationRow(Table):
    """A policy that an account proved."""

    __tablename__ = "attestations"
    event: Mapped[int] = of_event()
    account: Mapped[str] = mapped_column(String(HEX32), index=True)
    policy: Mapped[str] = mapped_column(String(HEX32))
    epoch: Mapped[int] = mapped_column(Long)
    time: Mapped[int] = mapped_column(Long)
    """Of the epoch's prices, unix seconds."""


class PaymentRow(Table):
    """A payment that was queued."""

    __tablename__ = "payments"
    event: Mapped[int] = of_event()
    account: Mapped[str] = mapped_column(String(HEX32), index=True)
    recipient: Mapped[str] = mapped_column(String(ADDRESS), index=True)
    token: Mapped[str] = mapped_column(String(ADDRESS))
    number: Mapped[int] = mapped_column(Long)
    """Of the token's record, which the next payment takes once this one is paid."""
    amount: Mapped[int] = mapped_column(Whole)
    """The token's units."""


class PaymentStepRow(Table):
    """What became of a payment: queued, claimed, vetoed, returned, reinstated."""

    __tablename__ = "payment_steps"
    event: Mapped[int] = of_event()
    token: Mapped[str] = mapped_column(String(ADDRESS))
    number: Mapped[int] = mapped_column(Long, index=True)
    state: Mapped[str] = mapped_column(String(16))
    due_at: Mapped[int] = mapped_column(Long)
    """Seconds of the live clock, 0 where the step says none."""


class DefaultRow(Table):
    """A step of a default: everything that a desk says of an account."""

    __tablename__ = "defaults"
    event: Mapped[int] = of_event()
    account: Mapped[str] = mapped_column(String(HEX32), index=True)
    step: Mapped[str] = mapped_column(String(64))
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)
