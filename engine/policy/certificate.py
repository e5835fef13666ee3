"""The certificate: helper and excess variables under which a state meets a policy, or a statement of what is missing.

The prover may choose helpers freely, so finding them is an optimisation. For the forms of `engine.policy.forms`
it has a closed structure, solved here in exact integers:

1. losses are as small as the rows that bound them allow, values as large as theirs allow;
2. the t of an expected shortfall is a weighted quantile of the scenario losses;
3. the n of a transfer maximises a concave, piecewise linear function of one integer, found by bisection on its slope.

With integer data and coefficient 1 on losses the optimum over the reals is attained at integers, so nothing is lost by
the search. A policy with several transfers is solved by a linear programme for the free choices only; step 1 then
repairs the integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from zkmargin.engine.errors import EngineError
from zkmargin.engine.policy.arithmetic import (
    check_state,
    compute_charges,
    compute_excess_total,
    compute_values_without_helpers,
)
from zkmargin.engine.policy.forms import Loss, Transfer, describe_row, read_forms
from zkmargin.engine.policy.linear_programme import Programme, ProgrammeFailed, minimise
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import USD6

if TYPE_CHECKING:
    from zkmargin.engine.account import AccountState


_SWEEPS = 3
"""Rounds of improving several transfers one by one after the linear programme."""


def _describe_shortfall(policy: Policy, row: int, missing: int) -> str:
    """One failing row in words. A row without helpers is the state itself (debt, lots, delta), so the text leaves out
    how much."""
    text = f"row {row} ({describe_row(policy, row)})"
    if not policy.helpers[row].any() or not missing:
        return text
    if read_forms(policy).takes_cash(row):
        return f"{text} is missing {missing / USD6:,.6f} USD"
    return f"{text} is missing {missing:,} in its own unit"


class RequirementNotMet(EngineError):
    """The state does not meet the policy: no choice of helpers makes every row hold.

    The text says which rows fail, and how much margin a sum or an equity lacks. It leaves out amounts that are the
    state itself (debt, lots, a delta); they are in the fields, for whoever owns the account.

    Attributes
    ----------
    policy : str
        Name of the policy.
    rows : tuple of int
        Rows that fail under the best choice found.
    missing_usd6 : int
        Cash that would make them hold, micro-dollars; for rows that cash does not enter (a delta limit, the flat
        policy's lots), the excess over the limit in the row's own unit.
    row_missing : dict of int to int
        The same, row by row.
    """

    def __init__(self, policy: Policy, row_missing: dict[int, int], detail: str = ""):
        self.policy, self.row_missing = policy.name, dict(row_missing)
        self.rows = tuple(sorted(row_missing))
        self.missing_usd6 = max(row_missing.values(), default=0)
        shown = [_describe_shortfall(policy, row, row_missing[row]) for row in self.rows[:6]]
        if len(self.rows) > 6:
            shown.append(f"{len(self.rows) - 6} more rows")
        super().__init__("; ".join([f"policy {policy.name!r} is not met", *shown, *filter(None, [detail])]))


@dataclass(frozen=True)
class Certificate:
    """The prover's part of a proof that a state meets a policy. Integers; every slack is at least zero.

    It tells as much as the state does, so the representation shows none of it.
    """

    helpers: tuple[int, ...] = field(repr=False)
    """(J,) helper variables."""
    excess: tuple[int, ...] = field(repr=False)
    """(X,) excess variables, zero where the row is not soft."""
    charges: tuple[int, int] = field(repr=False)
    """(K_1, K_2), micro-dollars."""
    slacks: tuple[int, ...] = field(repr=False)
    """(rows,) row values."""


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def _find_quantile(losses: list[int], weights: tuple[int, ...], m: int) -> int:
    """The t that minimises m t + sum_h w_h max(0, L_h - t): the largest loss whose weight, with all larger ones,
    reaches m."""
    reached = 0
    for loss, weight in sorted(zip(losses, weights, strict=True), reverse=True):
        reached += weight
        if reached >= m:
            return loss
    return min(losses)


def _bisect_concave(value: Callable[[int], int], low: int, high: int) -> int:
    """An integer in [low, high] that maximises the concave function `value`; zero where zero is as good as any."""
    if value(0) >= max(value(1), value(-1)):
        return 0
    if value(1) > value(0):
        low = 1
    else:
        high = -1
    while low < high:
        middle = (low + high) // 2
        if value(middle + 1) > value(middle):
            low = middle + 1
        else:
            high = middle
    return low


class _Solver:
    """One search: a policy, a state, and the helpers as they are chosen."""

    def __init__(self, policy: Policy, positions: np.ndarray, cash: int):
        self.policy, self.forms = policy, read_forms(policy)
        self.charges = compute_charges(policy, positions)
        self.values_without_helpers = compute_values_without_helpers(policy, positions, cash, self.charges)
        self.helpers = [0] * policy.preset.helpers

    def get_row_value(self, row: int, without: int = -1) -> int:
        """Row value with the helpers as they are, but without helper `without`, excess and X."""
        total = self.values_without_helpers[row]
        for helper, weight in self.forms.terms[row]:
            if helper != without:
                total += weight * self.helpers[helper]
        return total

    def choose(self, plus: int, choice: int) -> None:
        """Split a free choice into its two parts."""
        self.helpers[plus], self.helpers[plus + 1] = max(choice, 0), max(-choice, 0)

    def choose_threshold(self) -> None:
        tail = self.forms.tail
        if tail is None:
            return
        self.choose(tail.plus, 0)
        losses = [-self.get_row_value(row) for row in tail.rows]
        self.choose(tail.plus, _find_quantile(losses, tail.weights, tail.sums[0].tail_weight))

    def choose_transfer(self, transfer: Transfer) -> None:
        """Maximise the slack of the row that charges the transfer, the other free choices as they are.

        Losses and values must still be zero.
        """
        self.choose(transfer.plus, 0)
        groups = [self._get_lines(loss, transfer.plus) for loss in transfer.groups]

        def slack(choice: int) -> int:
            worst = [max(loss - move * choice for move, loss in lines) for lines in groups]
            return transfer.charge * abs(choice) + transfer.factor * sum(max(0, loss) for loss in worst)

        # moves are whole numbers: beyond twice the largest loss no two lines cross, and none crosses zero
        largest = max(abs(loss) for lines in groups for _, loss in lines)
        bound = min((1 << BITS.helper) - 1, 2 * largest + 1)
        self.choose(transfer.plus, _bisect_concave(slack, -bound, bound))

    def _get_lines(self, group: Loss, plus: int) -> list[tuple[int, int]]:
        """(move, loss) of a group: what a unit of the transfer gains, and the worst loss of the scenarios with it."""
        worst: dict[int, int] = {}
        for row in group.rows:
            move, loss = int(self.policy.helpers[row, plus]), -self.get_row_value(row)
            worst[move] = max(loss, worst.get(move, loss))
        return list(worst.items())

    def choose_transfers(self) -> None:
        """One transfer exactly; several from a linear programme, each then improved exactly with the others fixed."""
        transfers = self.forms.transfers
        if len(transfers) > 1:
            self._choose_by_programme()
        for _ in range(_SWEEPS if len(transfers) > 1 else 1):
            for transfer in transfers:
                self.choose_transfer(transfer)

    def _choose_by_programme(self) -> None:
        """Several transfers at once: the largest common slack by a linear programme in floating point, rounded."""
        inner = Programme(self.policy, np.zeros(0, dtype=np.int64)).inner
        scale = float(max(1, *(abs(value) for value in self.values_without_helpers)))
        rows, columns = inner.shape
        try:
            result = minimise(
                np.append(np.zeros(columns), -1.0),
                A_ub=np.hstack([-inner, np.ones((rows, 1))]),
                b_ub=np.array([value / scale for value in self.values_without_helpers]),
                bounds=[(0.0, None)] * columns + [(None, 1.0)],
            )
        except ProgrammeFailed:
            return
        for plus in (transfer.plus for transfer in self.forms.transfers):
            self.choose(plus, round((result.x[plus] - result.x[plus + 1]) * scale))

    def fix_losses_and_values(self) -> None:
        """Losses as small and values as large as their rows allow, given the free choices. Values may be negative."""
        for loss in self.forms.losses:
            self.helpers[loss.helper] = max(0, *(-self.get_row_value(row, loss.helper) for row in loss.rows))
        for value in self.forms.values:
            self.helpers[value.helper] = min(self.get_row_value(row, value.helper) for row in value.rows)

    def solve(self) -> None:
        """The best choice of all helpers."""
        self.choose_transfers()
        self.choose_threshold()
        self.fix_losses_and_values()

    def compute_excess(self) -> list[int]:
        """(X,) the least excess of each scenario."""
        excess = [0] * self.policy.preset.excess_rows
        for row in self.policy.soft_rows:
            excess[row] = max(0, -self.get_row_value(row))
        return excess

    def compute_slacks(self, excess: list[int]) -> list[int]:
        """(rows,) row values with the helpers as they are."""
        total = compute_excess_total(self.policy, excess)
        on_total = self.policy.excess_total.tolist()
        slacks = [self.get_row_value(row) + weight * total for row, weight in enumerate(on_total)]
        for row in self.policy.soft_rows:
            slacks[row] += excess[row]
        return slacks


def find_certificate(policy: Policy, state: AccountState) -> Certificate:
    """The certificate under which `state` meets `policy`.

    Parameters
    ----------
    policy : Policy
        One that `engine.policy.checks.check_policy` accepts.
    state : AccountState
        Positions (N,) in lots and cash in micro-dollars, after the transition.

    Raises
    ------
    RequirementNotMet
        If no certificate exists; says which rows fail and how much is missing.
    StateOutOfRange
        If the state is outside the statement's ranges.
    RefusedPolicy
        If the policy does not parse.
    """
    positions = check_state(policy, state.positions, state.cash)
    solver = _Solver(policy, positions, state.cash)
    solver.solve()
    excess = solver.compute_excess()
    slacks = solver.compute_slacks(excess)
    _require_met(solver, slacks)
    _require_in_range(solver, excess)
    if _cap_values(solver):
        slacks = solver.compute_slacks(excess)
        _require_met(solver, slacks, f"a value exceeds the range of {BITS.helper} bits")
    return Certificate(tuple(solver.helpers), tuple(excess), solver.charges, tuple(slacks))


def _require_met(solver: _Solver, slacks: list[int], detail: str = "") -> None:
    """Refuse with the cash that each failing row lacks. A value below zero fails the rows that bound it."""
    forms, missing = solver.forms, dict[int, int]()
    for value in forms.values:
        if solver.helpers[value.helper] < 0:
            for row in value.rows:
                missing[row] = max(missing.get(row, 0), -solver.helpers[value.helper])
    for row, slack in enumerate(slacks):
        if slack < 0:
            missing[row] = max(missing.get(row, 0), _ceil_div(-slack, forms.multiples.get(row, 1)))
    if missing:
        raise RequirementNotMet(solver.policy, missing, detail)


def _require_in_range(solver: _Solver, excess: list[int]) -> None:
    """Refuse losses and free choices that the circuit has no room for; a value may always be smaller."""
    values = {value.helper for value in solver.forms.values}
    wide = [j for j, number in enumerate(solver.helpers) if j not in values and number >= 1 << BITS.helper]
    rows = [row for j in wide for row in np.flatnonzero(solver.policy.helpers[:, j] > 0).tolist()]
    rows += [row for row, number in enumerate(excess) if number >= 1 << BITS.excess]
    if wide or rows:
        raise RequirementNotMet(
            solver.policy, dict.fromkeys(rows, 0), f"a loss exceeds the range of {BITS.helper} bits"
        )


def _cap_values(solver: _Solver) -> bool:
    """Lower values to what the circuit has room for; whether any was above it."""
    limit = (1 << BITS.helper) - 1
    above = [value.helper for value in solver.forms.values if solver.helpers[value.helper] > limit]
    for helper in above:
        solver.helpers[helper] = limit
    return bool(above)
