"""The reduction of a sample of days to the scenarios of a policy.

Days are put together when they hurt the same books by the same amount: each day is a point whose coordinates are its
losses for a family of portfolios, in units of each portfolio's own expected shortfall and cut off below at a floor, so
that all days that hurt nobody are one point; k-means [1]_ groups the points. A group is one scenario: its P&L is the
mean of its days' for every instrument, so it is linear in the positions, and it weighs as many days as it has.

Averaging days never raises an expected shortfall (it is convex: Jensen), so ES_reduced <= ES_full for every book, and a
multiplier kappa >= 1 makes up for it on the family: the least kappa with K + kappa ES_reduced >= ES_full.

A group that weighs more than the whole tail m fills it: its weight is cut to m, which changes no expected shortfall.

References
----------
.. [1] S. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28 (1982).
"""

from __future__ import annotations

import numpy as np

from zkmargin.engine.errors import OutOfRange

FLOOR = 0.3
"""Losses below this share of a portfolio's expected shortfall are one."""
COMPONENTS = 48
"""Principal components of the points that are kept."""
STARTS = 3
"""Starts of k-means; the best is taken."""


def merge_days(values: np.ndarray, groups: np.ndarray, day_weights: np.ndarray | None = None) -> np.ndarray:
    """(S, ...) weighted mean of the rows (days, ...) of each group.

    Parameters
    ----------
    values : ndarray
        (days, ...).
    groups : ndarray of int
        (days,) from 0 to S - 1, none left out.
    day_weights : ndarray, optional
        (days,) positive; 1 by default.

    Raises
    ------
    OutOfRange
        If a group has no day.
    """
    sizes = np.bincount(groups)
    if (sizes == 0).any():
        raise OutOfRange(f"days of group {int(np.argmin(sizes))}", 0, 1, len(groups))
    weights = np.ones(len(groups)) if day_weights is None else np.asarray(day_weights, dtype=float)
    order = np.argsort(groups, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    shape = (-1,) + (1,) * (values.ndim - 1)
    sums = np.add.reduceat(values[order] * weights[order].reshape(shape), starts, axis=0)
    return sums / np.add.reduceat(weights[order], starts).reshape(shape)


def make_points(
    losses: np.ndarray, scale: np.ndarray, book_weights: np.ndarray | None = None, cap: float = np.inf
) -> np.ndarray:
    """(days, d) principal coordinates of loss / scale between FLOOR and `cap`, `losses` (days, F), `scale` (F,) > 0.

    A book counts by its weight, (F,) positive, 1 by default. With a cap, days far inside a tail are one: averaging them
    loses nothing for a book in whose tail they all are, which leaves more groups for the tail's edge.
    """
    from sklearn.utils.extmath import randomized_svd

    cut = np.clip(losses / scale, FLOOR, cap)
    cut -= cut.mean(axis=0)
    if book_weights is not None:
        cut *= np.sqrt(book_weights)
    left, singular, _ = randomized_svd(cut, min(COMPONENTS, *cut.shape), random_state=0)
    return np.asarray(left * singular)


def group_days(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """(days,) group of each point (days, d), at most `count` groups, numbered by their first day.

    k-means of scikit-learn with `STARTS` seeded starts. Raises `OutOfRange` if `count` is not from 1 to the days.
    """
    from sklearn.cluster import KMeans

    if not 1 <= count <= len(points):
        raise OutOfRange("number of groups", count, 1, len(points))
    labels = KMeans(count, n_init=STARTS, random_state=seed).fit(points).labels_
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first, kind="stable"), kind="stable")[inverse]


def cut_weights(groups: np.ndarray, tail: int, day_weights: np.ndarray | None = None) -> np.ndarray:
    """(S,) weight of each group of days, at most the whole tail (see the module's text)."""
    return np.minimum(np.bincount(groups, weights=day_weights), tail)


def least_multiplier(full: np.ndarray, reduced: np.ndarray, charges: np.ndarray) -> float:
    """The least kappa >= 1 with charge + kappa ES_reduced >= ES_full for all portfolios, (F,) each, same unit.

    Raises `OutOfRange` if a portfolio needs one and its reduced shortfall is not positive.
    """
    missing = full - charges
    needs = missing > reduced
    if not needs.any():
        return 1.0
    lost = np.flatnonzero(needs & ~(reduced > 0))
    if lost.size:
        raise OutOfRange(
            f"reduced expected shortfall of portfolio {int(lost[0])}", float(reduced[lost[0]]), "above 0", ""
        )
    return float((missing[needs] / reduced[needs]).max())
