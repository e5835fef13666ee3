"""What a contract's events say, read on from the block that the last reading reached instead of from the first one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from zkmargin.contracts.chain import Block, Chain
from zkmargin.contracts.errors import ChainUnavailable

T = TypeVar("T")


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
    """

    def __init__(self, chain: Chain, first_block: int, empty: T, read_on: Callable[[T, int, int], T]):
        self._chain, self._first_block, self._empty, self._read_on = chain, first_block, empty, read_on
        self._reached: tuple[Block, T] | None = None

    def read(self) -> T:
        """The summary at the latest block.

        Raises
        ------
        ChainReorganised
            If the block was replaced meanwhile, several times in a row.
        """
        self._reached = self._chain.read_at_one_block(self._go_on)
        return self._reached[1]

    def _go_on(self, latest: Block) -> tuple[Block, T]:
        first, summary = self._first_block, self._empty
        if self._reached is not None and self._is_current(self._reached[0]):
            first, summary = self._reached[0].number + 1, self._reached[1]
        return latest, self._read_on(summary, first, latest.number) if first <= latest.number else summary

    def _is_current(self, block: Block) -> bool:
        with suppress(ChainUnavailable):  # a chain that is shorter now has no such block
            return self._chain.get_block(block.number).hash == block.hash
        return False
