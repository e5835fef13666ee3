"""Batches beyond memory: accounts come in blocks, each block is evaluated on its own, results come out in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.policy.batch.fused import PATHS, evaluate_fused
from zkmargin.engine.policy.batch.model import BatchModel
from zkmargin.engine.policy.batch.parallel import map_blocks
from zkmargin.engine.policy.batch.result import BatchResult
from zkmargin.engine.policy.batch.scratch import borrow_scratch

BLOCK = 25_000
"""Accounts per block, 51 MB of positions in doubles: smaller ones lose time to the interpreter, larger ones memory."""

NUMPY = "numpy"
"""The kernel without native code."""

KERNELS = (*PATHS, NUMPY)
"""What evaluates a block on this machine, the fastest first."""


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive accounts.

    Raises
    ------
    OutOfRange
        If the shapes do not fit each other.
    """

    positions: np.ndarray
    """(A, N) lots, any number type."""
    cash: np.ndarray
    """(A,) micro-dollars."""

    def __post_init__(self) -> None:
        if self.positions.ndim != 2 or self.cash.shape != self.positions.shape[:1]:
            raise OutOfRange("shapes of positions and cash", (self.positions.shape, self.cash.shape), "(A, N)", "(A,)")


@dataclass(frozen=True, eq=False)
class Evaluate:
    """What is sent to each worker: a model, applied to a block."""

    model: BatchModel
    """The policy's model."""
    kernel: str | None = None
    """One of `KERNELS`; None for the fastest where the block is evaluated."""

    def __post_init__(self) -> None:
        if self.kernel not in (None, *KERNELS):
            raise OutOfRange("kernel", self.kernel, KERNELS[0], f"{NUMPY}, one of {KERNELS}")

    def __call__(self, block: Block) -> BatchResult:
        """Result of one block.

        Raises
        ------
        OutOfRange
            If the block has another number of slots, or a number is not finite.
        """
        if block.positions.shape[1] != self.model.slots:
            raise OutOfRange("slots of a block", block.positions.shape[1], self.model.slots, self.model.slots)
        if self.kernel == NUMPY:
            with borrow_scratch():
                result = self.model.evaluate(block.positions, block.cash)
        else:
            result = evaluate_fused(self.model, block.positions, block.cash, self.kernel or PATHS[0])
        if not np.isfinite(result.slack).all():
            account = int(np.flatnonzero(~np.isfinite(result.slack))[0])
            raise OutOfRange(
                f"account {account} of a block", float(result.slack[account]), "finite positions", "finite cash"
            )
        return result


def iterate_blocks(positions: np.ndarray, cash: np.ndarray, size: int = BLOCK) -> Iterator[Block]:
    """Blocks of consecutive accounts, without a copy: of a memory-mapped array only the current ones are in memory."""
    for first in range(0, len(positions), size):
        yield Block(positions[first : first + size], cash[first : first + size])


def stream_batch(
    model: BatchModel,
    blocks: Iterable[Block],
    *,
    workers: int = 2,
    scheduler: str | None = None,
    kernel: str | None = None,
) -> Iterator[BatchResult]:
    """Results of blocks in their order; only a few blocks are held at a time.

    Parameters
    ----------
    model : BatchModel
    blocks : iterable of Block
        Read as it is needed.
    workers : int
        Threads on this machine.
    scheduler : str, optional
        Address of a Dask scheduler that does the work instead.
    kernel : str, optional
        One of `KERNELS`; all give the same. Without it, the fastest.

    Raises
    ------
    OutOfRange
        If this machine has no such kernel.
    """
    yield from map_blocks(Evaluate(model, kernel), blocks, workers=workers, scheduler=scheduler)


def compute_batch(
    model: BatchModel,
    positions: np.ndarray,
    cash: np.ndarray,
    *,
    workers: int = 2,
    block: int = BLOCK,
    scheduler: str | None = None,
    kernel: str | None = None,
) -> BatchResult:
    """Requirement of all accounts: `positions` (A, N) lots, `cash` (A,) micro-dollars."""
    blocks = iterate_blocks(positions, cash, block)
    return BatchResult.join(stream_batch(model, blocks, workers=workers, scheduler=scheduler, kernel=kernel))
