"""What the API answers. Names of fields are stable; numbers that may exceed 2^53 are decimal text, as in all files."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer

Exact = Annotated[int, PlainSerializer(str, return_type=str)]
"""A whole number of any size, as decimal text."""


class Answer(BaseModel):
    """Base of the answers; made from a row of the index."""

    model_config = ConfigDict(from_attributes=True, extra="forbid")


class Position(Answer):
    """Where the index stands."""

    chain_id: int
    clearing_house: str
    """Address."""
    block: int
    """Last block that was read; -1 before the first."""
    block_time: int
    """Unix seconds of that block."""
    events: int
    """Number of events."""
    latest_epoch: int
    """0 before the first."""


class Event(Answer):
    """One event of the contracts."""

    id: int
    """Rises from event to event; where to go on from."""
    block: int
    log_index: int
    transaction: str
    contract: str
    name: str
    fields: dict[str, Any]
    """Arguments: bytes as 0x-hex, whole numbers from 2^53 as decimal text."""


class Account(Answer):
    """What the chain shows of an account; its positions and cash are hidden."""

    account: str
    status: str
    """active, frozen or closed."""
    key_version: int
    generation: int
    commitment: str
    attested_epoch: int
    """Epoch of the latest proof of margin; 0 before the first."""


class Epoch(Answer):
    """A posted epoch."""

    number: int
    generation: int
    time: int
    """Of the prices, unix seconds."""
    min_epoch: int
    key_version: int
    snapshot_hash: str
    policy_hash: str


class Trade(Answer):
    """A trade."""

    event: int
    plus: str
    minus: str
    epoch: int
    generation: int
    trade_tag: str
    fee_plus: Exact
    fee_minus: Exact


class Flow(Answer):
    """A public flow of an account."""

    event: int
    account: str
    kind: str
    cash: Exact
    """Micro-dollars, signed, fee included."""
    lots: dict[str, int]
    """Signed lots by slot."""
    recipient: str
    fee: Exact


class Attestation(Answer):
    """A policy that an account proved."""

    event: int
    account: str
    policy: str
    epoch: int
    time: int


class Payment(Answer):
    """A payment, as its latest step left it."""

    event: int
    account: str
    recipient: str
    token: str
    number: int
    amount: Exact
    """The token's units."""
    state: str
    """queued, claimed, vetoed, returned or reinstated."""
    due_at: int
    """Seconds of the live clock; 0 where the latest step says none."""


class Default(Answer):
    """A step of a default."""

    event: int
    account: str
    step: str
    fields: dict[str, Any]


class Rollback(Answer):
    """Blocks above `block` were replaced: events of ids at most `after_event` in them count no more."""

    block: int
    after_event: int


class Failure(Answer):
    """Why a request was refused."""

    error: str
    """Name of the error."""
    text: str
