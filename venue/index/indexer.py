"""Reads a deployment's events into a database, and takes back what a reorganisation of the chain undid.

A step is one transaction: the range of blocks, its events, their rows. It is written after the node has confirmed that
both ends of the range are still the chain's, so a process or a database that ends anywhere leaves whole steps. The next
step begins at the last block of the database that the chain still has, however deep it was reorganised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from zkmargin.contracts.chain import Block
from zkmargin.contracts.errors import ChainReorganised
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.errors import ZkMarginError
from zkmargin.venue.errors import IndexUnusable
from zkmargin.venue.events import EventReader, VenueEvent
from zkmargin.venue.index.rows import list_rows, list_states
from zkmargin.venue.index.tables import BlockRow, EventRow, RollbackRow, VenueRow

STEP_BLOCKS = 2_000
"""Blocks of one transaction at most."""
KEPT_BLOCKS = 256
"""Behind the last block, those without an event are forgotten; a deeper reorganisation goes back to one with events."""
RETRY_SECONDS = 1.0
"""After a step that failed."""


@dataclass(frozen=True)
class Progress:
    """How far an index is."""

    reached: int
    """Number of the last block that was read."""
    latest: int
    """Number of the chain's last block."""
    events: int
    """Added by the step."""
    rolled_back: bool
    """Whether blocks were replaced."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to read."""
        return self.reached >= self.latest


class Indexer:
    """One deployment's index."""

    def __init__(self, engine: Engine, contracts: Contracts, *, step_blocks: int = STEP_BLOCKS):
        """Raises `IndexUnusable` if the database is of another deployment."""
        self._engine, self._contracts, self._step_blocks = engine, contracts, step_blocks
        self._reader = EventReader(contracts)
        deployment = contracts.deployment
        own = (deployment.clearing_house, deployment.chain_id, deployment.first_block_hash)
        with Session(engine) as session, session.begin():
            known = session.scalars(select(VenueRow)).first()
            if known is None:
                row = VenueRow(
                    clearing_house=own[0],
                    chain_id=own[1],
                    first_block=deployment.first_block,
                    first_block_hash=own[2],
                )
                session.add(row)
            elif (known.clearing_house, known.chain_id, known.first_block_hash) != own:
                raise IndexUnusable("database", f"of {known.clearing_house} on chain {known.chain_id}, not of {own[0]}")

    def advance(self) -> Progress:
        """One step: takes back what the chain undid, and reads on by at most `step_blocks` blocks.

        Raises
        ------
        ChainUnavailable, ChainReorganised
            If the node fails, or blocks are replaced while they are read; nothing is written then.
        """
        latest = self._contracts.chain.get_block("latest")
        with Session(self._engine) as session, session.begin():
            start, rolled_back = self._roll_back(session)
            if start is not None and start.number >= latest.number:
                return Progress(start.number, latest.number, 0, rolled_back)
            first = self._contracts.deployment.first_block if start is None else start.number + 1
            last = min(latest.number, first + self._step_blocks - 1)
            end = latest if last == latest.number else self._contracts.chain.get_block(last)
            events = self._reader.read(first, last)
            blocks = self._read_blocks(events, end)
            for block in (end, *([start] if start is not None else [])):
                self._require_current(block)
            self._write(session, blocks, events)
            self._forget(session, last)
        return Progress(last, latest.number, len(events), rolled_back)

    def _roll_back(self, session: Session) -> tuple[Block | None, bool]:
        """The last block of the database that the chain still has; rows of later ones are deleted."""
        kept, is_replaced = self._find_last(session), False
        while kept is not None and not self._contracts.chain.has_block(kept.number, kept.hash):
            kept, is_replaced = self._find_last(session, below=kept.number), True
        if is_replaced:
            number = -1 if kept is None else kept.number
            tops = [session.scalar(select(func.max(key))) or 0 for key in (EventRow.id, RollbackRow.after_event)]
            session.execute(delete(BlockRow).where(BlockRow.number > number))
            session.add(RollbackRow(block=number, after_event=max(tops)))
        return kept, is_replaced

    def _find_last(self, session: Session, below: int | None = None) -> Block | None:
        query = select(BlockRow).order_by(BlockRow.number.desc()).limit(1)
        row = session.scalars(query if below is None else query.where(BlockRow.number < below)).first()
        return None if row is None else Block(row.number, bytes.fromhex(row.hash[2:]), row.time, 0)

    def _require_current(self, block: Block) -> None:
        if not self._contracts.chain.has_block(block.number, block.hash):
            raise ChainReorganised(self._contracts.chain.url, block.number, 1)

    def _read_blocks(self, events: Iterable[VenueEvent], end: Block) -> list[Block]:
        """The blocks of events and the last one, each by its number; raises `ChainReorganised` if one is replaced."""
        hashes = {event.block: event.block_hash for event in events} | {end.number: _to_hex(end)}
        for event in events:
            if event.block_hash != hashes[event.block]:
                raise ChainReorganised(self._contracts.chain.url, event.block, 1)
        blocks = []
        for number, hash_ in sorted(hashes.items()):
            block = end if number == end.number else self._contracts.chain.get_block(number)
            if _to_hex(block) != hash_:
                raise ChainReorganised(self._contracts.chain.url, number, 1)
            blocks.append(block)
        return blocks

    def _write(self, session: Session, blocks: Iterable[Block], events: Iterable[VenueEvent]) -> None:
        session.add_all(BlockRow(number=block.number, hash=_to_hex(block), time=block.time) for block in blocks)
        session.flush()
        for event in events:
            row = EventRow(
                block=event.block,
                log_index=event.log_index,
                transaction=event.transaction,
                contract=event.contract,
                name=event.name,
                fields=dict(event.fields),
            )
            session.add(row)
            session.flush()
            session.add_all(list_rows(row))
            session.add_all(list_states(session, row))
            session.flush()

    def _forget(self, session: Session, last: int) -> None:
        held = select(EventRow.block).where(EventRow.block == BlockRow.number)
        session.execute(delete(BlockRow).where(BlockRow.number < last - KEPT_BLOCKS, ~held.exists()))

    def run(
        self,
        report: Callable[[Progress | Exception], None],
        *,
        seconds: float = 1.0,
        follow: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Reads on to the chain's end, and then whenever there are blocks, looking every so many seconds.

        With `follow`, errors of the node and of the database are reported, and the step is tried again; without it they
        are raised.
        """
        while True:
            try:
                progress = self.advance()
            except (ZkMarginError, SQLAlchemyError) as fault:
                if not follow:
                    raise
                report(fault)
                sleep(RETRY_SECONDS)
                continue
            report(progress)
            if progress.is_complete:
                if not follow:
                    return
                sleep(seconds)


def _to_hex(block: Block) -> str:
    return "0x" + block.hash.hex()
