"""Losses and charges among the rows: what bounds them from below, and what subtracts them."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.errors import CreditRefused, HelperForm
from zkmargin.engine.policy.forms.record import Loss
from zkmargin.engine.policy.record import HelperKind, Policy

_ROUNDING_UNITS = 2.0
"""Units of a coefficient by which two rows on one exposure may differ: each is rounded, and so is the largest, to which
they are compared."""


def read_loss(policy: Policy, column: int) -> Loss:
    weights = policy.helpers[:, column]
    rows = np.flatnonzero(weights > 0).tolist()
    uses = {row: int(weights[row]) for row in np.flatnonzero(weights < 0).tolist()}
    for row in rows:
        _check_loss_row(policy, row, column)
    _check_loss_constants(policy, rows, column)
    if not rows or not uses:
        raise HelperForm(
            policy.name,
            "rows that bound and rows that subtract a loss",
            (len(rows), len(uses)),
            "1 or more of each",
            column=column,
        )
    return Loss(column, tuple(rows), uses)


def _check_loss_row(policy: Policy, row: int, column: int) -> None:
    if policy.helpers[row, column] != 1:
        weight = int(policy.helpers[row, column])
        raise HelperForm(policy.name, "W on a loss in a row that bounds it", weight, "1", row, column)
    dependents = (*policy.get_columns(HelperKind.LOSS), *policy.get_columns(HelperKind.VALUE))
    others = [other for other in dependents if other != column and policy.helpers[row, other]]
    if others:
        beside = policy.get_helper_weights(row, others)
        raise HelperForm(policy.name, "losses and values beside a bounded loss", beside, "none", row, column)
    if policy.cash[row] or policy.excess_total[row] or row in policy.soft_rows:
        raise HelperForm(policy.name, "cash, X or an excess beside a bounded loss", "not zero", "0", row, column)


def _check_loss_constants(policy: Policy, rows: list[int], column: int) -> None:
    """A positive constant lets a loss be zero. Only a convex charge needs one: its chords x >= slope D - c use one
    exposure D, or one a side, and no transfer."""
    gifts = [row for row in rows if policy.constants[row] > 0]
    if not gifts:
        return
    is_alone = not np.delete(policy.helpers[rows], column, axis=1).any()
    linear = list(policy.preset.linear_slots)
    if not (is_alone and _is_exposure_a_side(policy.positions[rows], linear)):
        raise CreditRefused(
            policy.name,
            "b in a row that bounds a loss",
            policy.constants[gifts[0]],
            "0 or negative; positive only where all rows of the loss are chords on one exposure a side and no transfer",
            gifts[0],
            column,
        )


def _is_exposure_a_side(columns: np.ndarray, linear: list[int]) -> bool:
    """Whether the rows (rows, N) are multiples of one exposure, up to their rounding; or of two that agree on the
    `linear` slots, the one in rows that longs of these raise and the other in rows that shorts raise.

    A charge has chords on a long and on a short exposure, whose options have the deltas of different prices.
    """
    is_first = _find_multiples(columns)
    if is_first.all():
        return True
    deltas = columns[:, linear]
    sides = np.sign(deltas[:, int(np.abs(deltas).max(axis=0).argmax())]) * np.where(is_first, 1, -1)
    agree = bool(_find_multiples(deltas).all()) and len(set(sides.tolist())) == 1 and bool(sides[0])
    return agree and bool(_find_multiples(columns[~is_first]).all())


def _find_multiples(columns: np.ndarray) -> np.ndarray:
    """(rows,) whether a row is a multiple of the one with the largest coefficient, up to its rounding."""
    row, slot = np.unravel_index(int(np.abs(columns).argmax()), columns.shape)
    largest = columns[row]
    if not largest[slot]:
        return np.ones(len(columns), dtype=bool)
    expected = np.outer(columns[:, slot] / int(largest[slot]), largest)
    return np.asarray((np.abs(columns - expected) <= _ROUNDING_UNITS).all(axis=1))
