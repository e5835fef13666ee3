"""The certificate: helper and excess variables under which a state meets a policy, or a statement of what is missing.

The prover may choose helpers freely, so finding them is an optimisation. For the forms that `engine.policy.checks`
allows it has a closed structure, solved here in exact integers:

1. losses are as small as the rows that bound them allow, values as large as theirs allow;
2. the t of an expected shortfall is a weighted quantile of the scenario losses;
3. the n of a transfer maximises a concave, piecewise linear function of one integer, found by bisection on its slope.

With integer data and coefficient 1 on losses the optimum over the reals is attained at integers, so nothing is lost by
the search. A policy with several transfers is solved by a linear programme for the free choices only; step 1 then
repairs the integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from zkmargin.engine.errors import EngineError
from zkmargin.engine.policy.arithmetic import check_state, compute_base, compute_charges, compute_excess_total
from zkmargin.engine.policy.record import HelperKind, Policy
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import USD6

if TYPE_CHECKING:
    from zkmargin.engine.account import AccountState


_SWEEPS = 3
"""Rounds of improving several transfers one by one after the linear programme."""


def describe_row(policy: Policy, row: int) -> str:
    """What a row is for, in words, from its form alone."""
    if row < policy.preset.excess_rows and policy.priced[row]:
        return "expected shortfall scenario"
    if policy.excess_total[row]:
        return "expected shortfall"
    signs = {policy.helper_kinds[j]: int(np.sign(policy.helpers[row, j])) for j in np.flatnonzero(policy.helpers[row])}
    if signs.get(HelperKind.LOSS) == 1:
        return "scenario of a group"
    if HelperKind.VALUE in signs:
        return "equity after charges" if signs[HelperKind.VALUE] < 0 else "sum of the groups"
    if policy.positions[row].any():
        return "exposure limit"
    return "cash limit" if policy.cash[row] else "charge per contract" if policy.charges[row].any() else "no rule"


def _takes_cash(policy: Policy, row: int) -> bool:
    """Whether cash helps a row: by its own column, or through a value that a row with cash bounds."""
    values = [
        j for j, kind in enumerate(policy.helper_kinds) if kind is HelperKind.VALUE and policy.helpers[row, j] > 0
    ]
    return bool(policy.cash[row]) or any(policy.cash[policy.helpers[:, j] < 0].any() for j in values)


def _describe_shortfall(policy: Policy, row: int, missing: int) -> str:
    """One failing row in words. A row without helpers is the state itself (debt, lots, delta), so the text leaves out
    how much."""
    text = f"row {row} ({describe_row(policy, row)})"
    if not policy.helpers[row].any() or not missing:
        return text
    if _takes_cash(policy, row):
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
    """(X,) excess variables, zero where the row has no price."""
    charges: tuple[int, int] = field(repr=False)
    """(K_1, K_2), micro-dollars."""
    slacks: tuple[int, ...] = field(repr=False)
    """(rows,) row values."""


@dataclass(frozen=True)
class _Structure:
    """What `find_certificate` needs of a policy, extracted once."""

    row_helpers: tuple[tuple[tuple[int, int], ...], ...]
    """Per row, the non-zero (helper, coefficient)."""
    order: tuple[tuple[int, bool, tuple[int, ...]], ...]
    """Losses and values in the order in which they can be determined: (helper, is_loss, rows that bound it)."""
    quantile: tuple[int, int] | None
    """(plus column, m) of the expected shortfall's t."""
    transfers: tuple[int, ...]
    """Plus columns of the other free choices."""
    priced: tuple[int, ...]
    """Excess rows with a price."""
    weights: tuple[int, ...]
    totals: tuple[int, ...]


@lru_cache(maxsize=64)
def _get_structure(policy: Policy) -> _Structure:
    kinds = policy.helper_kinds
    row_helpers = tuple(tuple((j, weight) for j, weight in enumerate(row) if weight) for row in policy.helpers.tolist())
    bounded = {}
    for j, kind in enumerate(kinds):
        if kind is HelperKind.LOSS:
            bounded[j] = tuple(np.flatnonzero(policy.helpers[:, j] > 0).tolist())
        elif kind is HelperKind.VALUE:
            bounded[j] = tuple(np.flatnonzero(policy.helpers[:, j] < 0).tolist())
    needs = {
        j: {k for row in rows for k, _ in row_helpers[row] if k != j and k in bounded} for j, rows in bounded.items()
    }
    order, done = [], set()
    while needs:
        ready = [j for j, others in needs.items() if others <= done] or [next(iter(needs))]
        for j in ready:
            order.append((j, kinds[j] is HelperKind.LOSS, bounded[j]))
            done.add(j)
            del needs[j]
    priced = tuple(np.flatnonzero(policy.priced).tolist())
    quantile, transfers = None, []
    for j, kind in enumerate(kinds):
        if kind is not HelperKind.FREE_PLUS:
            continue
        column = policy.helpers[:, j]
        if any(column[row] for row in priced):
            aggregate = [row for row in np.flatnonzero(column).tolist() if row not in priced]
            quantile = (j, -int(column[aggregate[0]]) if aggregate else 1)
        else:
            transfers.append(j)
    return _Structure(
        row_helpers,
        tuple(order),
        quantile,
        tuple(transfers),
        priced,
        tuple(policy.weights[list(priced)].tolist()),
        tuple(policy.excess_total.tolist()),
    )


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


def _bisect_concave(value, low: int, high: int) -> int:
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
    """One search: a policy, a state, and the rows' values without helpers."""

    def __init__(self, policy: Policy, positions: np.ndarray, cash: int):
        self.policy, self.structure = policy, _get_structure(policy)
        self.charges = compute_charges(policy, positions)
        self.base = compute_base(policy, positions, cash, self.charges)

    def rest(self, row: int, values: list[int], without: int = -1) -> int:
        """Row value from the base and the helpers, leaving out helper `without`, excess and X."""
        total = self.base[row]
        for j, weight in self.structure.row_helpers[row]:
            if j != without:
                total += weight * values[j]
        return total

    def set_free(self, values: list[int], plus: int, choice: int) -> None:
        values[plus], values[plus + 1] = max(choice, 0), max(-choice, 0)

    def determine(self, values: list[int]) -> None:
        """Losses as small and values as large as their rows allow, given the free choices. Values may come out
        negative."""
        for j, is_loss, rows in self.structure.order:
            if is_loss:
                needed = 0
                for row in rows:
                    weight = int(self.policy.helpers[row, j])
                    needed = max(needed, _ceil_div(-self.rest(row, values, j), weight))
                values[j] = needed
            else:
                bounds = [self.rest(row, values, j) // -int(self.policy.helpers[row, j]) for row in rows]
                values[j] = min(bounds, default=0)

    def choose_quantile(self, values: list[int]) -> None:
        if self.structure.quantile is None or not self.structure.priced:
            return
        plus, m = self.structure.quantile
        self.set_free(values, plus, 0)
        losses = [-self.rest(row, values) for row in self.structure.priced]
        self.set_free(values, plus, _find_quantile(losses, self.structure.weights, m))

    def choose_transfer(self, values: list[int], plus: int) -> bool:
        """Maximise the slack of the one row that charges the transfer and its groups, the other free choices as they
        are.

        False when there is no such single row. Losses and values must still be zero in `values`.
        """
        helpers = self.policy.helpers
        self.set_free(values, plus, 0)
        touched = set(np.flatnonzero(helpers[:, plus]).tolist())
        groups = {
            j: [(-self.rest(row, values), int(helpers[row, j]), int(helpers[row, plus])) for row in rows]
            for j, is_loss, rows in self.structure.order
            if is_loss and touched.intersection(rows)
        }
        bounding = {row for j, _, rows in self.structure.order if j in groups for row in rows}
        charged = [
            row
            for row in range(self.policy.preset.rows)
            if row not in bounding and (row in touched or any(helpers[row, j] for j in groups))
        ]
        if len(charged) != 1:
            return False
        cost = int(helpers[charged[0], plus])
        factors = {j: int(helpers[charged[0], j]) for j in groups}

        def slack(choice: int) -> int:
            total = cost * abs(choice)
            for j, rows in groups.items():
                loss = max(_ceil_div(need - step * choice, weight) for need, weight, step in rows)
                total += factors[j] * max(0, loss)
            return total

        bound = (1 << BITS.helper) - 1
        self.set_free(values, plus, _bisect_concave(slack, -bound, bound))
        return True

    def choose_transfers(self, values: list[int]) -> None:
        """One transfer exactly; several from a linear programme, each then improved exactly with the others fixed."""
        transfers = self.structure.transfers
        if len(transfers) > 1:
            self.choose_by_programme(values)
        for _ in range(_SWEEPS if len(transfers) > 1 else 1):
            for plus in transfers:
                if not self.choose_transfer(values, plus) and len(transfers) == 1:
                    self.choose_by_programme(values)

    def choose_by_programme(self, values: list[int]) -> None:
        """Free choices of an unusual policy: a linear programme in floating point, rounded; `determine` repairs the
        rest."""
        from scipy.optimize import linprog

        structure, helpers = self.structure, self.policy.helpers
        count, priced = helpers.shape[1], structure.priced
        scale = float(max(1, max(abs(value) for value in self.base)))
        columns = count + len(priced) + 1
        matrix = np.zeros((len(self.base), columns))
        matrix[:, :count] = helpers
        for position, row in enumerate(priced):
            matrix[row, count + position] = 1.0
            matrix[:, count + position] += np.array(structure.totals, dtype=float) * structure.weights[position]
        matrix[:, -1] = -1.0
        cost = np.zeros(columns)
        cost[-1] = -1.0
        result = linprog(
            cost,
            A_ub=-matrix,
            b_ub=np.array([value / scale for value in self.base]),
            bounds=[(0, None)] * (columns - 1) + [(None, 1.0)],
            method="highs",
        )
        if result.x is None:
            return
        for plus in structure.transfers:
            self.set_free(values, plus, round((result.x[plus] - result.x[plus + 1]) * scale))

    def solve(self) -> tuple[list[int], list[int], list[int]]:
        """Helpers (values may be negative), excess and slacks under the best choice."""
        values = [0] * self.policy.preset.helpers
        self.choose_transfers(values)
        self.choose_quantile(values)
        self.determine(values)
        excess = [0] * self.policy.preset.excess_rows
        for row in self.structure.priced:
            excess[row] = max(0, -self.rest(row, values))
        total = compute_excess_total(self.policy, excess)
        slacks = [self.rest(row, values) + on_total * total for row, on_total in enumerate(self.structure.totals)]
        for row in self.structure.priced:
            slacks[row] += excess[row]
        return values, excess, slacks


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
    """
    positions = check_state(policy, state.positions, state.cash)
    solver = _Solver(policy, positions, state.cash)
    values, excess, slacks = solver.solve()
    missing = _find_missing(policy, values, slacks)
    if missing:
        raise RequirementNotMet(policy, missing)
    limit = (1 << BITS.helper) - 1
    over = [j for j, kind in enumerate(policy.helper_kinds) if kind is not HelperKind.VALUE and values[j] > limit]
    capped = [
        min(value, limit) if policy.helper_kinds[j] is HelperKind.VALUE else value for j, value in enumerate(values)
    ]
    if over or max(excess, default=0) >= 1 << BITS.excess:
        rows = [row for j in over for row in np.flatnonzero(policy.helpers[:, j] > 0).tolist()]
        rows += [row for row, value in enumerate(excess) if value >= 1 << BITS.excess]
        raise RequirementNotMet(policy, dict.fromkeys(rows, 0), f"a loss exceeds the range of {BITS.helper} bits")
    if capped != values:
        values = capped
        total = compute_excess_total(policy, excess)
        slacks = [solver.rest(row, values) + on_total * total for row, on_total in enumerate(solver.structure.totals)]
        for row in solver.structure.priced:
            slacks[row] += excess[row]
        missing = _find_missing(policy, values, slacks)
        if missing:
            raise RequirementNotMet(policy, missing, f"a value exceeds the range of {BITS.helper} bits")
    return Certificate(tuple(values), tuple(excess), solver.charges, tuple(slacks))


def _find_missing(policy: Policy, values: list[int], slacks: list[int]) -> dict[int, int]:
    """Per failing row, the cash that it lacks. A value below zero fails the rows that bound it."""
    missing = {}
    negative = [j for j, kind in enumerate(policy.helper_kinds) if kind is HelperKind.VALUE and values[j] < 0]
    for row, slack in enumerate(slacks):
        weights = policy.helpers[row]
        short = max((-values[j] * -int(weights[j]) for j in negative if weights[j] < 0), default=0)
        if short:
            missing[row] = short
        if slack >= 0:
            continue
        through = [
            int(weights[j]) for j, kind in enumerate(policy.helper_kinds) if kind is HelperKind.VALUE and weights[j] > 0
        ]
        missing[row] = max(missing.get(row, 0), _ceil_div(-slack, max(through)) if through else -slack)
    return missing
