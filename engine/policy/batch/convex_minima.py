"""Minima of convex, piecewise linear functions of one variable, for many accounts at once.

Both searches hold, per account, one supporting line left of the minimum and one right of it. Their crossing is the
next point; it is the minimum when the function does not rise above the two lines there, else the function's own line
replaces one of them. Every step finds a new piece, so the search ends after finitely many, and the result is the exact
minimum up to the rounding of floating point [1]_.

References
----------
.. [1] J. E. Kelley, "The cutting-plane method for solving convex programs", Journal of SIAM 8 (1960).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.policy.batch.scratch import get_scratch

FIRST_QUANTILE = 0.5
"""Where the tail's search begins, as a share of the tail mean that would bind."""

Function = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(points (B,), numbers of the accounts (B,)) -> (heights (B,), slopes (B,))."""


@dataclass(frozen=True, eq=False)
class Envelope:
    """A group of lines: factor * max_k (value_k + slope_k n), for A accounts."""

    slopes: np.ndarray
    """(D,) rising."""
    factor: float
    """Above 0."""

    def evaluate(self, values: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Height (A,) at `points` (A,), and the slope of a line that reaches it; `values` is (D, A)."""
        lines = self.slopes[:, None] * points
        lines += values
        height = lines.max(axis=0)
        slope = np.where(lines == height, self.slopes[:, None], -np.inf).max(axis=0)
        return self.factor * height, self.factor * slope

    def get_slopes_at_zero(self, values: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Left and right derivative (A,) at n = 0, where the largest value is `height` (A,)."""
        reached, slopes = values == height, self.slopes[:, None]
        left = np.where(reached, slopes, np.inf).min(axis=0)
        right = np.where(reached, slopes, -np.inf).max(axis=0)
        return self.factor * left, self.factor * right


def minimise_transfer(envelopes: Sequence[Envelope], values: Sequence[np.ndarray], charge: float) -> np.ndarray:
    """min over n of sum_g factor_g max_k (value_gk + slope_gk n) + charge |n|, per account.

    Parameters
    ----------
    envelopes : sequence of Envelope
        The groups. At each end the slopes with the charge point outwards, else there is no minimum.
    values : sequence of ndarray
        (D, A) of each group.
    charge : float
        At least 0.

    Returns
    -------
    ndarray
        (A,) least height.
    """
    tops = [lines.max(axis=0) for lines in values]
    best = np.asarray(sum(envelope.factor * top for envelope, top in zip(envelopes, tops, strict=True)))
    left, right = np.full(best.shape, -charge), np.full(best.shape, charge)
    for envelope, lines, top in zip(envelopes, values, tops, strict=True):
        falls, rises = envelope.get_slopes_at_zero(lines, top)
        left, right = left + falls, right + rises
    forwards, backwards = np.flatnonzero(right < 0), np.flatnonzero(left > 0)
    moving = np.concatenate([forwards, backwards])
    if not len(moving):
        return best
    moving_lines = [lines[:, moving] for lines in values]
    ahead = np.arange(len(moving)) < len(forwards)
    toll = np.where(ahead, charge, -charge)
    outer = np.zeros((2, len(moving)))
    for envelope, lines in zip(envelopes, moving_lines, strict=True):
        outer[0] += envelope.factor * np.where(ahead, lines[-1], lines[0])
        outer[1] += envelope.factor * np.where(ahead, envelope.slopes[-1], envelope.slopes[0])
    outer[1] += toll
    inner = np.stack([best[moving], np.where(ahead, right[moving], left[moving])])
    low, high = np.where(ahead, inner, outer), np.where(ahead, outer, inner)

    def height(points: np.ndarray, accounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        total, slope = toll[accounts] * points, toll[accounts].copy()
        for envelope, lines in zip(envelopes, moving_lines, strict=True):
            more, steeper = envelope.evaluate(lines if len(accounts) == len(moving) else lines[:, accounts], points)
            total += more
            slope += steeper
        return total, slope

    crossing = (high[0] - low[0]) / (low[1] - high[1])
    best[moving] = np.minimum(best[moving], _close_in(height, low, high, crossing))
    return best


def net_groups(losses: Sequence[np.ndarray], moves: Sequence[np.ndarray], charge: float) -> np.ndarray:
    """min over n of sum_g max(0, max_k (loss_gk + move_gk n)) + charge |n|, per account: worst losses that a transfer
    nets against each other.

    Parameters
    ----------
    losses : sequence of ndarray
        (K, A) of each group, positive when the account loses.
    moves : sequence of ndarray
        (K,) what a unit of the transfer adds to each loss.
    charge : float
        Above 0.
    """
    envelopes, values = [], []
    for group, move in zip(losses, moves, strict=True):
        slopes = np.union1d(move, 0.0)
        lines = np.stack([group[move == slope].max(axis=0, initial=-np.inf) for slope in slopes])
        level = int(np.searchsorted(slopes, 0.0))
        np.maximum(lines[level], 0.0, out=lines[level])
        envelopes.append(Envelope(slopes, 1.0))
        values.append(lines)
    return minimise_transfer(envelopes, values, charge)


def raise_to_tail(losses: np.ndarray, weights: np.ndarray, tail: float, least: np.ndarray) -> np.ndarray:
    """max(least, min over t of tail t + sum_h w_h max(0, loss_h - t)), per account.

    That is the weighted sum of the worst losses up to the weight `tail`, where it exceeds `least`. A t whose value is
    at most `least` shows that the tail does not bind, so most accounts need one evaluation.

    Parameters
    ----------
    losses : ndarray
        (S, A).
    weights : ndarray
        (S,) above 0, at least `tail` in sum.
    tail : float
        Above 0.
    least : ndarray
        (A,).
    """
    points, whole = least * (FIRST_QUANTILE / tail), weights.sum()
    above = np.maximum(losses, points, out=get_scratch("above", losses.shape))
    binding = np.flatnonzero(weights @ above + (tail - whole) * points > least)
    binding_losses, points = losses[:, binding], points[binding]
    low = np.stack([weights @ binding_losses, np.full(len(binding), tail - whole)])
    high = np.stack([np.zeros(len(binding)), np.full(len(binding), tail)])

    def height(points: np.ndarray, accounts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = binding_losses if len(accounts) == len(binding) else binding_losses[:, accounts]
        excess = rows - points
        slope = tail - weights @ (excess > 0).astype(float)
        return weights @ np.maximum(excess, 0.0, out=excess) + tail * points, slope

    total, slope = height(points, np.arange(len(binding)))
    low, high, points = _cut(low, high, points, total, slope)
    result = np.array(least)
    result[binding] = np.maximum(least[binding], np.minimum(total, _close_in(height, low, high, points)))
    return result


def _cut(
    low: np.ndarray, high: np.ndarray, points: np.ndarray, total: np.ndarray, slope: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lines left and right of the minimum after an evaluation at `points`, and their crossing."""
    line = np.stack([total - slope * points, slope])
    low, high = np.where(slope < 0, line, low), np.where(slope > 0, line, high)
    return low, high, (high[0] - low[0]) / (low[1] - high[1])


def _close_in(function: Function, low: np.ndarray, high: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The search from the crossings `points` (A,): least value found, which is the minimum.

    `low` and `high` (2, A) are (value at 0, slope) of supporting lines on the two sides of the minimum. Where the slope
    at their crossing is that of one of them, the function is that line there, so the crossing is the minimum.
    """
    best, open_accounts = np.full(len(points), np.inf), np.arange(len(points))
    while len(open_accounts):
        total, slope = function(points, open_accounts)
        best[open_accounts] = np.minimum(best[open_accounts], total)
        going = (low[1] < slope) & (slope < high[1]) & (slope != 0)
        if not going.all():
            open_accounts, low, high, total, slope, points = (
                array[..., going] for array in (open_accounts, low, high, total, slope, points)
            )
        low, high, points = _cut(low, high, points, total, slope)
    return best
