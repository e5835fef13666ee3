"""From the forms of a policy to its `BatchModel`; a policy that is not built like the house's is refused.

Built like the house's: one row of equity after charges, one sum of groups with at most one transfer between them, at
most one expected shortfall, and limits on the state alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from zkmargin.engine.policy.batch.model import BatchModel, Group, Part, UnsupportedForm
from zkmargin.engine.policy.forms import LIMITS, Forms, Loss, RowKind, read_forms
from zkmargin.engine.policy.record import Policy


def read_batch_model(policy: Policy, *, without_shortfall: bool = False) -> BatchModel:
    """The model of a policy that is built like the house's.

    Parameters
    ----------
    policy : Policy
        One that `engine.policy.checks.check_policy` accepts.
    without_shortfall : bool
        Leave the expected shortfall out.

    Raises
    ------
    RefusedPolicy
        If the policy does not parse.
    UnsupportedForm
        If it is not built like the house's.
    """
    forms = read_forms(policy)
    equity, total = _find_equity(forms), _find_sum(forms)
    _require_built_like_house(forms, total)
    tail = None if without_shortfall else forms.tail
    scenarios = list(tail.rows) if tail else []
    groups = [_sort_group(forms, loss) for loss in forms.groups]
    buffers = [_sort_group(forms, loss) for loss in forms.charges]
    limits = forms.get_rows(*LIMITS)
    units = [[equity], scenarios, *(group.rows for group in (*groups, *buffers)), *([row] for row in limits)]
    parts, starts = _lay_out(policy, units)
    size, times = parts[-1].rows.stop, float(forms.multiples[total])
    after = iter(starts[2:])
    return BatchModel(
        slots=policy.preset.slots,
        size=size,
        parts=parts,
        constants=_gather_constants(policy, units, starts, size),
        absolute=(policy.rate_long + policy.rate_short) / 2.0,
        signed=slice(0, 2),
        equity=starts[0],
        charges=-policy.charges[equity].astype(float),
        groups=tuple(group.place(next(after)) for group in groups),
        factors=np.array([-loss.uses[total] / times for loss in forms.groups]),
        transfer_charge=-sum(transfer.charge for transfer in forms.transfers) / times,
        buffers=tuple(group.place(next(after)) for group in buffers),
        scenarios=slice(starts[1], starts[1] + len(scenarios)),
        weights=np.array(tail.weights if tail else (), dtype=float),
        tail_weight=float(tail.sums[0].tail_weight) if tail else 1.0,
        tail_divisor=float(tail.sums[0].tail_divisor) if tail else 1.0,
        tail_shift=_get_shift(policy, scenarios),
        limits=tuple((next(after), float(policy.cash[row]), -policy.charges[row].astype(float)) for row in limits),
    )


# ------------------------------------------------------------------------------------------------- what is supported
def _find_equity(forms: Forms) -> int:
    """The row of equity after charges."""
    policy = forms.policy
    rows = [row for value in forms.values for row in value.rows]
    if len(rows) != 1 or tuple(rows) != forms.equity_rows:
        raise UnsupportedForm(policy.name, None, "has no single row of equity after charges")
    if policy.constants[rows[0]]:
        raise UnsupportedForm(policy.name, rows[0], "has a constant in equity")
    for loss in forms.charges:
        if loss.uses[rows[0]] != -1:
            raise UnsupportedForm(policy.name, rows[0], f"counts charge {loss.helper} {-loss.uses[rows[0]]} times")
    return rows[0]


def _find_sum(forms: Forms) -> int:
    """The row that adds up the groups."""
    policy, rows = forms.policy, forms.get_rows(RowKind.SUM)
    if len(rows) != 1:
        raise UnsupportedForm(policy.name, None, f"has {len(rows)} rows that add up the groups")
    if policy.charges[rows[0]].any() or policy.constants[rows[0]]:
        raise UnsupportedForm(policy.name, rows[0], "has a charge per contract or a constant in the sum of the groups")
    return rows[0]


def _require_built_like_house(forms: Forms, total: int) -> None:
    name, tail_rows = forms.policy.name, forms.get_rows(RowKind.TAIL)
    for row in forms.get_rows(RowKind.LOSS):
        raise UnsupportedForm(name, row, "limits a loss outside the sum of the groups")
    for loss in forms.groups:
        if set(loss.uses) != {total}:
            raise UnsupportedForm(name, loss.rows[0], "is a scenario of a group that counts outside the sum as well")
    if not forms.groups or len(forms.transfers) > 1 or len(tail_rows) > 1:
        counts = f"{len(forms.groups)} groups, {len(forms.transfers)} transfers, {len(tail_rows)} expected shortfalls"
        raise UnsupportedForm(name, None, f"has {counts}")


# ------------------------------------------------------------------------------------------------------------ groups
@dataclass(frozen=True, eq=False)
class _SortedGroup:
    """The rows of one loss, sorted by what the transfer adds to it."""

    rows: list[int]
    """Rows of the policy, without those in which nothing moves."""
    slopes: np.ndarray
    """(D,) rising; what one unit of the transfer adds to the loss; 0 is among them."""
    counts: list[int]
    """Rows per slope."""
    shift: np.ndarray
    """(2,) what K_1 and K_2 add to every row."""
    is_floored: bool
    """Whether there is a row in which nothing moves."""

    def place(self, start: int) -> Group:
        """The group whose first row is row `start` of the block's losses."""
        edges = accumulate(self.counts, initial=start)
        return Group(tuple(slice(*edge) for edge in pairwise(edges)), self.slopes, self.shift, self.is_floored)


def _sort_group(forms: Forms, loss: Loss) -> _SortedGroup:
    policy = forms.policy
    slope_of = dict.fromkeys(loss.rows, 0.0)
    for transfer in forms.transfers:
        if loss in transfer.groups:
            slope_of = {row: -float(policy.helpers[row, transfer.plus]) for row in loss.rows}
    moving = [row for row in loss.rows if policy.positions[row].any() or policy.constants[row] or slope_of[row]]
    slopes = sorted({0.0, *slope_of.values()})
    return _SortedGroup(
        rows=sorted(moving, key=slope_of.__getitem__),
        slopes=np.array(slopes),
        counts=[sum(slope_of[row] == slope for row in moving) for slope in slopes],
        shift=_get_shift(policy, loss.rows),
        is_floored=len(moving) < len(loss.rows),
    )


def _get_shift(policy: Policy, rows: Sequence[int]) -> np.ndarray:
    """(2,) what the charges add to the loss of each of `rows`, which must agree."""
    if not rows:
        return np.zeros(2)
    shifts = -policy.charges[list(rows)]
    if (shifts != shifts[0]).any():
        raise UnsupportedForm(policy.name, rows[0], "counts other charges than its group")
    return np.asarray(shifts[0], dtype=float)


# ------------------------------------------------------------------------------------------------------------ layout
def _lay_out(policy: Policy, units: Sequence[list[int]]) -> tuple[tuple[Part, ...], list[int]]:
    """Parts, and the first row of each unit of rows that stay together; the first two rows are the signed part of K.

    A unit goes to the smallest span of slots that it touches: all slots, or those of one coin.
    """
    spans = [range(policy.preset.slots), *policy.preset.coins.values()]
    members: list[list[int]] = [[] for _ in spans]
    for unit, rows in enumerate(units):
        used = np.flatnonzero(policy.positions[rows].any(axis=0))
        fitting = [place for place, span in enumerate(spans) if used.size and used[0] in span and used[-1] in span]
        members[fitting[-1] if fitting else 0].append(unit)
    parts, starts, end = [], [0] * len(units), 0
    for span, numbers in zip(spans, members, strict=True):
        first, blocks = end, []
        if first == 0:
            blocks, end = [(policy.rate_long - policy.rate_short) / 2.0], 2
        for unit in numbers:
            starts[unit], end = end, end + len(units[unit])
            blocks.append(-policy.positions[units[unit], span.start : span.stop].astype(float))
        if blocks:
            matrix = np.ascontiguousarray(np.vstack(blocks))
            parts.append(Part(slice(span.start, span.stop), slice(first, end), matrix))
    return tuple(parts), starts


def _gather_constants(policy: Policy, units: Sequence[list[int]], starts: Sequence[int], size: int) -> np.ndarray:
    """(size,) b of each row of the block's losses."""
    constants = np.zeros(size)
    for start, rows in zip(starts, units, strict=True):
        constants[start : start + len(rows)] = [float(policy.constants[row]) for row in rows]
    return constants
