"""The forms as records: which rows each has, and its coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import numpy as np

from zkmargin.engine.policy.record import Policy


class RowKind(Enum):
    """What a row is for, in words."""

    SCENARIO = "expected shortfall scenario"
    TAIL = "expected shortfall"
    GROUP = "scenario of a group"
    CHORD = "chord of a charge"
    EQUITY = "equity after charges"
    SUM = "sum of the groups"
    LOSS = "limit on losses"
    EXPOSURE = "exposure limit"
    DEBT = "debt limit"
    CASH = "cash limit"
    CONTRACTS = "charge per contract"
    NEVER = "constant below zero"
    UNUSED = "no rule"


LIMITS = (RowKind.EXPOSURE, RowKind.DEBT, RowKind.CASH, RowKind.CONTRACTS, RowKind.NEVER)
"""Rows that the state alone decides."""


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss or charge x: the prover's smallest is what its rows demand."""

    helper: int
    """Column of x."""
    rows: tuple[int, ...]
    """Rows that bound it from below, with coefficient 1."""
    uses: Mapping[int, int]
    """Rows that subtract it, and its coefficient there, below 0."""


@dataclass(frozen=True, eq=False)
class Value:
    """A value E: the prover's largest is what its rows allow."""

    helper: int
    """Column of E."""
    rows: tuple[int, ...]
    """Rows that bound it from above, with coefficient -1."""
    uses: Mapping[int, int]
    """Rows that add it, and how often each counts it."""


@dataclass(frozen=True, eq=False)
class Transfer:
    """A free choice n that moves an exposure from one group to the other."""

    plus: int
    """Column of n+; n- is the next."""
    groups: tuple[Loss, Loss]
    """The groups that it joins."""
    row: int
    """The row that charges it and subtracts both groups."""
    charge: int
    """Coefficient of n+ and of n- in `row`, below 0."""
    factor: int
    """Coefficient of each group in `row`, below 0."""


@dataclass(frozen=True, eq=False)
class TailSum:
    """A row m' E - m t - X >= 0."""

    row: int
    value: int
    """Column of E."""
    tail_weight: int
    """m, the weight of the tail that is averaged."""
    tail_divisor: int
    """m', from 1 to 2 m: the row requires m / m' times the expected shortfall."""


@dataclass(frozen=True, eq=False)
class Tail:
    """An expected shortfall with its threshold t."""

    plus: int
    """Column of t+; t- is the next."""
    rows: tuple[int, ...]
    """Scenarios, rising: the soft rows."""
    weights: tuple[int, ...]
    """w of each scenario, at least 1."""
    sums: tuple[TailSum, ...]
    """Rows that require it, rising."""


@dataclass(frozen=True, eq=False)
class Forms:
    """The rows of a policy, each in its form."""

    policy: Policy
    """What was parsed."""
    losses: tuple[Loss, ...]
    """Worst cases and charges, in the order of their columns."""
    values: tuple[Value, ...]
    """Equity after charges; a policy without one measures no solvency."""
    transfers: tuple[Transfer, ...]
    """Free choices between groups."""
    tail: Tail | None
    """The expected shortfall, if there is one."""

    @cached_property
    def equity_rows(self) -> tuple[int, ...]:
        """Rows that bound a value and count cash, rising."""
        return tuple(sorted(row for value in self.values for row in value.rows if self.policy.cash[row]))

    @cached_property
    def charges(self) -> tuple[Loss, ...]:
        """Losses that lower equity itself: every use is a row that bounds a value."""
        bounds = {row for value in self.values for row in value.rows}
        return tuple(loss for loss in self.losses if loss.uses.keys() <= bounds)

    @cached_property
    def groups(self) -> tuple[Loss, ...]:
        """The other losses: worst cases that a sum or a limit subtracts."""
        return tuple(loss for loss in self.losses if loss not in self.charges)

    @cached_property
    def multiples(self) -> Mapping[int, int]:
        """How often each row that adds a value counts it."""
        return {row: times for value in self.values for row, times in value.uses.items()}

    @cached_property
    def terms(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """(rows,) the non-zero (helper, coefficient) of each row."""
        return tuple(
            tuple((helper, weight) for helper, weight in enumerate(row) if weight)
            for row in self.policy.helpers.tolist()
        )

    @cached_property
    def kinds(self) -> tuple[RowKind, ...]:
        """(rows,) what each row is for."""
        kinds = [_classify_limit(self.policy, row) for row in range(self.policy.preset.rows)]
        tail = self.tail.rows if self.tail else ()
        sums = tuple(tail_sum.row for tail_sum in self.tail.sums) if self.tail else ()
        for kind, rows in (
            *((RowKind.LOSS, loss.uses) for loss in self.losses),
            *((RowKind.SUM, value.uses) for value in self.values),
            *((RowKind.EQUITY, value.rows) for value in self.values),
            *((RowKind.GROUP, loss.rows) for loss in self.groups),
            *((RowKind.CHORD, loss.rows) for loss in self.charges),
            (RowKind.SCENARIO, tail),
            (RowKind.TAIL, sums),
        ):
            for row in rows:
                kinds[row] = kind
        return tuple(kinds)

    def get_rows(self, *kinds: RowKind) -> list[int]:
        """The rows of these kinds, rising."""
        return [row for row, kind in enumerate(self.kinds) if kind in kinds]

    def takes_cash(self, row: int) -> bool:
        """Whether cash helps a row: by its own column, or through a value that a row with cash bounds."""
        bounds = [bound for value in self.values if row in value.uses for bound in value.rows]
        return any(self.policy.cash[bound] for bound in (row, *bounds))


def _classify_limit(policy: Policy, row: int) -> RowKind:
    """The kind of a hard row without helpers and X."""
    slots = np.flatnonzero(policy.positions[row])
    if slots.size:
        is_debt = policy.cash[row] and {*slots.tolist()} <= {*policy.preset.linear_slots}
        return RowKind.DEBT if is_debt else RowKind.EXPOSURE
    if policy.cash[row]:
        return RowKind.CASH
    if policy.charges[row].any():
        return RowKind.CONTRACTS
    return RowKind.NEVER if policy.constants[row] < 0 else RowKind.UNUSED
