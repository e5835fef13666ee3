"""What a contract's events say, read on from the block that the last reading reached instead of from the first one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from zkmargin.contracts.chain import Block, Chain
from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.files import StrictModel, read_model, read_text, write_whole

T = TypeVar("T")


class CheckpointFile(StrictModel):
    """A checkpoint as it stands on disk."""

    clearing_house: str
    block: int
    block_hash: str
    """0x-hex: a checkpoint of a block that was replaced is not gone on from."""
    time: int
    summary: Any


@dataclass(frozen=True)
class Checkpoint(Generic[T]):
    """A summary in a file, with the block up to which it holds. It is a copy and may be deleted."""

    path: Path
    clearing_house: str
    """A file of another deployment is passed over."""
    encode: Callable[[T], Any]
    """To what JSON holds."""
    decode: Callable[[Any], T]

    def load(self) -> tuple[Block, T] | None:
        """Block and summary; None where there is no file that can be used."""
        try:
            file = read_model(CheckpointFile, read_text(self.path), self.path)
            if file.clearing_house != self.clearing_house:
                return None
            block = Block(file.block, bytes.fromhex(file.block_hash.removeprefix("0x")), file.time, 0)
            return block, self.decode(file.summary)
        except (MalformedFile, ValueError, TypeError, KeyError):
            return None

    def save(self, block: Block, summary: T) -> None:
        """Whole at every moment."""
        file = CheckpointFile(
            clearing_house=self.clearing_house,
            block=block.number,
            block_hash="0x" + block.hash.hex(),
            time=block.time,
            summary=self.encode(summary),
        )
        write_whole(self.path, file.model_dump_json() + "\n")


class Follower(Generic[T]):
    """A summary of events, and the block up to which it holds.

    Where that block is no longer the chain's, everything is read again.

    Parameters
    ----------
    first_block : int
        Block before which there are no events.
    empty : T
        The summary of no events.
    read_on : callable
        Given a summary, which it does not change, and the first and the last block to read: the summary after them.
    checkpoint : Checkpoint, optional
        Where a later process goes on from.
    """

    def __init__(
        self,
        chain: Chain,
        first_block: int,
        empty: T,
        read_on: Callable[[T, int, int], T],
        checkpoint: Checkpoint[T] | None = None,
    ):
        self._chain, self._first_block, self._empty, self._read_on = chain, first_block, empty, read_on
        self._checkpoint = checkpoint
        self._reached: tuple[Block, T] | None = checkpoint.load() if checkpoint else None

    def read(self) -> T:
        """The summary at the latest block.

        Raises
        ------
        ChainUnavailable
            If the node fails; what was reached before stays.
        ChainReorganised
            If the block was replaced meanwhile, several times in a row.
        """
        self._reached = self._chain.read_at_one_block(self._go_on)
        if self._checkpoint is not None:
            self._checkpoint.save(*self._reached)
        return self._reached[1]

    def _go_on(self, latest: Block) -> tuple[Block, T]:
        first, summary = self._first_block, self._empty
        if self._reached is not None and self._chain.has_block(self._reached[0].number, self._reached[0].hash):
            first, summary = self._reached[0].number + 1, self._reached[1]
        return latest, self._read_on(summary, first, latest.number) if first <= latest.number else summary
