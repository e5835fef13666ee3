"""A policy's rows as matrices for many accounts, and the requirement of a block of accounts from them.

`engine.policy.batch.from_policy` makes it from the policy's forms. Numbers stay the policy's integers, held in floats:
sums are exact while below 2^53.

    requirement = K + sum of buffers + max(grid, tail)        buffers: every charge that is taken from equity
    grid        = min over n of (sum_g f_g max_s (loss_g[s] - h_s n) + c |n|) / e
    tail        = min over t of (m t + sum_h w_h max(0, loss_h - t)) / m'

with every coefficient as the rows state it. `engine.policy.batch.fused` does the same in one native pass; this is how
to read it, and what its tests compare it with. A grid row touches one coin's slots only, so it is multiplied by those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import EngineError
from zkmargin.engine.policy.batch.convex_minima import Envelope, minimise_transfer, raise_to_tail
from zkmargin.engine.policy.batch.result import BatchResult
from zkmargin.engine.policy.batch.scratch import get_scratch

SLICE = 2_500
"""Accounts that are multiplied at once: their positions stay in the cache of a core until every part has read them."""


class UnsupportedForm(EngineError):
    """A policy that is not built like the house's; carries its name, the row (None for the whole policy) and why."""

    def __init__(self, policy: str, row: int | None, reason: str):
        self.policy, self.row, self.reason = policy, row, reason
        place = "" if row is None else f", row {row}"
        super().__init__(f"policy {policy!r}{place}: {reason}; allowed: what a policy of the house has")


@dataclass(frozen=True, eq=False)
class Part:
    """Rows that touch the same span of slots, multiplied at once."""

    slots: slice
    """Columns of the positions."""
    rows: slice
    """Rows of the block's losses."""
    matrix: np.ndarray
    """(rows, slots) loss per lot, micro-dollars."""


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of one worst case: loss = max_k (value_k + slope_k n) + shift . K, and at least zero."""

    rows: tuple[slice, ...]
    """Rows of the block's losses, per slope."""
    slopes: np.ndarray
    """(D,) rising; what one unit of the transfer adds."""
    shift: np.ndarray
    """(2,) what K_1 and K_2 add to every row."""
    is_floored: bool
    """Whether there is a scenario in which nothing moves: it needs no product."""


@dataclass(frozen=True, eq=False)
class BatchModel:
    """One policy, ready for blocks of accounts. It can be pickled and sent elsewhere."""

    slots: int
    """N."""
    size: int
    """Rows of a block's losses."""
    parts: tuple[Part, ...]
    """What is multiplied."""
    constants: np.ndarray
    """(size,) what is subtracted from the losses, micro-dollars."""
    absolute: np.ndarray
    """(2, N) half of rate long plus rate short: the part of K that goes with the size of a position."""
    signed: slice
    """Rows that hold the part of K that goes with its sign."""
    equity: int
    """Row that holds minus price . q."""
    charges: np.ndarray
    """(2,) what equity after charges loses per K_1 and K_2."""
    groups: tuple[Group, ...]
    """Groups joined by the transfer."""
    factors: np.ndarray
    """f_g per group, over e."""
    transfer_charge: float
    """c over e."""
    buffers: tuple[Group, ...]
    """Charges taken from equity."""
    scenarios: slice
    """Rows of the expected shortfall; empty without one."""
    weights: np.ndarray
    """w per scenario."""
    tail_weight: float
    """m."""
    tail_divisor: float
    """m'."""
    tail_shift: np.ndarray
    """(2,) what K_1 and K_2 add to every scenario."""
    limits: tuple[tuple[int, float, np.ndarray], ...]
    """Hard rows: (row, 1 if it counts cash, what K_1 and K_2 take)."""

    def evaluate(self, positions: np.ndarray, cash: np.ndarray) -> BatchResult:
        """Requirement of a block of accounts.

        Parameters
        ----------
        positions : ndarray
            (A, N) lots.
        cash : ndarray
            (A,) micro-dollars.
        """
        cash = np.asarray(cash, dtype=np.float64)
        losses, k = self._multiply(positions)
        buffer = np.zeros(len(cash))
        for group in self.buffers:
            buffer += _largest(losses, group, k)
        grid = self._compute_grid(losses, k)
        room = np.full(len(cash), np.inf)
        for row, counts_cash, taken in self.limits:
            np.minimum(room, counts_cash * cash - losses[row] - taken @ k, out=room)
        return BatchResult(
            equity=cash - losses[self.equity],
            charge=self.charges @ k,
            buffer=buffer,
            grid=grid,
            scenario=self._raise_to_shortfall(losses[self.scenarios], k, grid),
            room=room,
        )

    def _multiply(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses (size, A) and the charges K (2, A), slice by slice of the accounts."""
        losses = get_scratch("losses", (self.size, len(positions)))
        k = np.empty((2, len(positions)))
        for first in range(0, len(positions), SLICE):
            accounts = slice(first, first + SLICE)
            lots = np.ascontiguousarray(positions[accounts], dtype=np.float64)
            for part in self.parts:
                np.matmul(part.matrix, lots[:, part.slots].T, out=losses[part.rows, accounts])
            sizes = np.abs(lots, out=get_scratch("sizes", lots.shape))
            np.matmul(self.absolute, sizes.T, out=k[:, accounts])
        k += losses[self.signed]
        for row in np.flatnonzero(self.constants):
            losses[row] -= self.constants[row]
        return losses, k

    def _compute_grid(self, losses: np.ndarray, k: np.ndarray) -> np.ndarray:
        values, total = [], np.zeros(losses.shape[1])
        for group, factor in zip(self.groups, self.factors, strict=True):
            lines = _reduce(losses, group.rows)
            shift = group.shift @ k
            level = int(np.searchsorted(group.slopes, 0.0))
            np.maximum(lines[level], np.maximum(-shift, 0.0) if group.is_floored else -shift, out=lines[level])
            total += factor * shift
            values.append(lines)
        envelopes = [Envelope(group.slopes, factor) for group, factor in zip(self.groups, self.factors, strict=True)]
        total += minimise_transfer(envelopes, values, self.transfer_charge)
        return total

    def _raise_to_shortfall(self, losses: np.ndarray, k: np.ndarray, grid: np.ndarray) -> np.ndarray:
        if not len(losses):
            return grid
        shift = self.tail_weight * (self.tail_shift @ k)
        least = self.tail_divisor * grid - shift
        raised = raise_to_tail(losses, self.weights, self.tail_weight, least)
        return np.asarray(np.where(raised > least, (raised + shift) / self.tail_divisor, grid))


def _reduce(losses: np.ndarray, rows: Sequence[slice]) -> np.ndarray:
    """(D, A) largest loss per slope."""
    lines = np.empty((len(rows), losses.shape[1]))
    for line, span in zip(lines, rows, strict=True):
        if span.start == span.stop:
            line.fill(-np.inf)
        else:
            np.maximum.reduce(losses[span], axis=0, out=line)
    return lines


def _largest(losses: np.ndarray, group: Group, k: np.ndarray) -> np.ndarray:
    """(A,) max(0, largest loss + shift) of a group without a transfer."""
    top: np.ndarray = _reduce(losses, group.rows)[0]
    if group.is_floored:
        np.maximum(top, 0.0, out=top)
    top += group.shift @ k
    np.maximum(top, 0.0, out=top)
    return top
