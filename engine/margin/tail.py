"""The tail of a sample in floating point: its worst losses up to a weight, the last one in part [1]_.

`engine.margin.definition.tail_mean` is the same in exact numbers, and the batch of `engine.policy.batch` has its own
for many accounts under one policy.

References
----------
.. [1] C. Acerbi, D. Tasche, "On the coherence of expected shortfall", Journal of Banking and Finance 26 (2002),
   definition 2.6.
"""

from __future__ import annotations

import math

import numpy as np

from zkmargin.engine.errors import OutOfRange

WHOLE = 1e-9
"""A weight this close to a whole number is that number."""


def tail_shares(losses: np.ndarray, weights: np.ndarray, tail: float) -> np.ndarray:
    """(S, F) share of the tail's weight that each scenario has, for each portfolio; a column sums to 1.

    The worst scenarios are taken up to the weight `tail`, the last one in part; ties go to the earlier scenario.

    Parameters
    ----------
    losses : ndarray
        (S, F), or (S,) of one portfolio; positive when it loses.
    weights : ndarray
        (S,) not negative.
    tail : float
        m.

    Raises
    ------
    OutOfRange
        If the tail is not above 0 and at most the sum of the weights.
    """
    _check_tail(tail, float(np.sum(weights)))
    order = np.argsort(-losses, axis=0, kind="stable")
    taken = np.minimum(np.cumsum(np.asarray(weights)[order], axis=0), tail).astype(float)
    taken[1:] -= taken[:-1].copy()
    shares: np.ndarray = np.empty_like(taken)
    np.put_along_axis(shares, order, taken / tail, axis=0)
    return shares


def expected_shortfall(losses: np.ndarray, weights: np.ndarray | None, tail: float) -> np.ndarray:
    """(F,) mean of the worst losses up to the weight `tail`; arguments and errors as `tail_shares`.

    Without weights every scenario weighs 1, and the tail is found without sorting the rest.
    """
    if weights is not None:
        return np.asarray((tail_shares(losses, weights, tail) * losses).sum(axis=0))
    _check_tail(tail, len(losses))
    count = max(1, math.ceil(tail - WHOLE))  # a tail within the rounding of nothing is the worst loss
    worst = -np.sort(np.partition(-losses, count - 1, axis=0)[:count], axis=0)
    taken = np.ones(count)
    taken[-1] = tail - (count - 1)
    return np.asarray(np.tensordot(taken, worst, axes=1) / tail)


def _check_tail(tail: float, total: float) -> None:
    if not 0 < tail <= total * (1.0 + WHOLE):
        raise OutOfRange("tail weight", tail, "above 0", total)
