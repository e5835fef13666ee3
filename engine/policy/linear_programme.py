"""A policy as a linear programme: the one place where its integer data becomes a float matrix for a solver.

The rows of a policy are linear in positions but for the charges K, which are linear in lots held long and in lots
held short. So with q = long - short, both at least zero, everything is:

    M v + b >= 0,   v = (long, short, cash, helpers, excess) >= 0 but for cash

Whoever optimises over accounts adds equalities (what is held today, what a trade pays) and an objective. The result is
a suggestion in floating point; whether a state passes is said by `engine.policy.certificate.find_certificate` alone.

Scale: rows and cash in US dollars; lots as they are; helpers and excess in a million of their own units, so that their
coefficients stay those of the policy.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zkmargin.engine.errors import EngineError, OutOfRange
from zkmargin.engine.policy.forms import Forms, RowKind, read_forms
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.units import USD6

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult


class ProgrammeFailed(EngineError):
    """The solver found no optimum; carries its status and message, and whether it is because nothing is feasible."""

    def __init__(self, status: int, message: str):
        self.status, self.message = status, message
        self.is_infeasible, self.is_unbounded = status == 2, status == 3
        super().__init__(f"the linear programme has no optimum: {message}")


@dataclass(frozen=True, eq=False)
class Programme:
    """A policy's rows over the accounts that differ in some slots; every other slot is empty.

    Raises
    ------
    OutOfRange
        If a slot is not one of the preset's.
    """

    policy: Policy
    """The rule."""
    slots: np.ndarray
    """(S,) slots with columns, rising."""

    def __post_init__(self) -> None:
        slots = np.unique(np.asarray(self.slots, dtype=np.int64))
        for slot in slots[(slots < 0) | (slots >= self.policy.preset.slots)]:
            raise OutOfRange("slot", int(slot), 0, self.policy.preset.slots - 1)
        object.__setattr__(self, "slots", slots)

    # -------------------------------------------------------------------------------------------------- columns
    @property
    def long(self) -> slice:
        """Columns of lots held long, one per slot."""
        return slice(0, len(self.slots))

    @property
    def short(self) -> slice:
        """Columns of lots held short, one per slot."""
        return slice(len(self.slots), 2 * len(self.slots))

    @property
    def cash(self) -> int:
        """Column of cash, US dollars, of either sign."""
        return 2 * len(self.slots)

    @property
    def helpers(self) -> slice[int, int, None]:
        """Columns of the helpers, all of them, in millions of their own units."""
        return slice(self.cash + 1, self.cash + 1 + self.policy.preset.helpers)

    @property
    def excess(self) -> slice:
        """Columns of the excess of each soft row, US dollars."""
        return slice(self.helpers.stop, self.helpers.stop + len(self.soft))

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.helpers.stop + len(self.soft)

    @cached_property
    def soft(self) -> np.ndarray:
        """(X',) soft excess rows."""
        return np.array(self.policy.soft_rows, dtype=np.int64)

    # -------------------------------------------------------------------------------------------------- matrices
    @cached_property
    def exposure(self) -> np.ndarray:
        """(rows, S) W on positions, US dollars per lot."""
        return np.asarray(self.policy.positions[:, self.slots] / USD6)

    @cached_property
    def charge(self) -> np.ndarray:
        """(rows, 2 S) what K takes from each row per lot held long and short, US dollars; at most zero."""
        rates = np.hstack([self.policy.rate_long[:, self.slots], self.policy.rate_short[:, self.slots]])
        return np.asarray(self.policy.charges @ rates / USD6)

    @cached_property
    def inner(self) -> np.ndarray:
        """(rows, helpers + X') the part of `matrix` on helpers and excess."""
        policy = self.policy
        excess = policy.excess_total[:, None] * policy.weights[self.soft][None, :].astype(float)
        excess[self.soft, np.arange(len(self.soft))] += 1.0
        return np.hstack([policy.helpers.astype(float), excess])

    @cached_property
    def matrix(self) -> np.ndarray:
        """(rows, size) M."""
        lots = np.hstack([self.exposure, -self.exposure]) + self.charge
        return np.hstack([lots, self.policy.cash[:, None].astype(float), self.inner])

    @cached_property
    def constants(self) -> np.ndarray:
        """(rows,) b, US dollars."""
        return np.array([float(constant) for constant in self.policy.constants]) / USD6

    @cached_property
    def bounds(self) -> np.ndarray:
        """(size, 2) range of each column."""
        bounds = np.tile([0.0, np.inf], (self.size, 1))
        bounds[self.cash, 0] = -np.inf
        return bounds

    def balance(
        self, positions: np.ndarray, cash_usd6: int, traded: np.ndarray, paid: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Equalities of an account that trades: long - short = positions + traded . y, cash = cash today - paid . y.

        Parameters
        ----------
        positions : ndarray
            (N,) lots today; slots without columns must be empty.
        cash_usd6 : int
            Cash today, micro-dollars.
        traded : ndarray
            (S, T) lots that one unit of each trade y adds.
        paid : ndarray
            (T,) US dollars that one unit pays.

        Returns
        -------
        tuple of ndarray
            (S + 1, size + T) and (S + 1,): the left side over the programme's columns and y, and the right side.

        Raises
        ------
        OutOfRange
            If a slot without columns is not empty.
        """
        outside = np.setdiff1d(np.flatnonzero(positions), self.slots)
        if outside.size:
            raise OutOfRange(f"lots in slot {int(outside[0])}", int(positions[outside[0]]), 0, 0)
        count = len(self.slots)
        left = np.zeros((count + 1, self.size + traded.shape[1]))
        left[:count, self.long], left[:count, self.short] = np.eye(count), -np.eye(count)
        left[:count, self.size :] = -traded
        left[count, self.cash], left[count, self.size :] = 1.0, paid
        return left, np.append(np.asarray(positions)[self.slots].astype(float), cash_usd6 / USD6)

    # -------------------------------------------------------------------------------------------------- meaning
    @cached_property
    def forms(self) -> Forms:
        """What each row means."""
        return read_forms(self.policy)

    @cached_property
    def equity_row(self) -> int:
        """The row cash + price . q - charges - E >= 0.

        Raises `OutOfRange` if the policy has none: it then measures no solvency.
        """
        rows = self.forms.equity_rows
        if len(rows) != 1:
            raise OutOfRange(f"equity rows of policy {self.policy.name!r}", len(rows), 1, 1)
        return rows[0]

    @cached_property
    def price(self) -> np.ndarray:
        """(S,) what a lot counts in equity, US dollars."""
        return np.asarray(self.exposure[self.equity_row])

    @cached_property
    def requirement(self) -> np.ndarray:
        """(size,) coefficients of K + buffers + E, which is the requirement where E is as small as its rows allow."""
        weights = np.zeros(self.size)
        weights[: self.cash] = -self.charge[self.equity_row]
        weights[self.helpers.start :] = -self.inner[self.equity_row]
        return weights

    @cached_property
    def takes_money(self) -> np.ndarray:
        """(rows,) bool: rows that state what an account lacks: equity, debt and limits; the others bound helpers."""
        rows = np.zeros(self.policy.preset.rows, dtype=bool)
        rows[self.forms.get_rows(RowKind.EXPOSURE, RowKind.DEBT, RowKind.CASH)] = True
        rows[self.equity_row] = True
        return rows


_METHODS: dict[str, dict[str, bool]] = {"highs": {}, "highs-ds": {"presolve": False}, "highs-ipm": {}}
"""HiGHS as it chooses, then two ways that end where its first answer is that it does not know."""
_TOLERANCES = {"dual_feasibility_tolerance": 1e-9}
"""The optimum is wrong by as much as a row's slack times this: a rich account is far from its debt limit."""
SECONDS = 60.0
"""Default time of one programme, all methods together."""
LEAST_SECONDS = 0.01
"""Least time limit that a solver is given: 0 would be none."""
_FINAL = (0, 2, 3)
"""Statuses that are an answer: optimal, infeasible, unbounded."""


def minimise(cost: np.ndarray, *, seconds: float = SECONDS, **constraints: Any) -> OptimizeResult:
    """`scipy.optimize.linprog` by HiGHS, arguments as there; the result has `x`, `fun` and the marginals.

    Raises
    ------
    ProgrammeFailed
        If there is no optimum, or none was found within `seconds`.
    """
    from scipy.optimize import linprog

    end = time.monotonic() + seconds
    for method, options in _METHODS.items():
        left = max(end - time.monotonic(), LEAST_SECONDS)
        limited: dict[str, Any] = {"method": method, "options": {**options, **_TOLERANCES, "time_limit": left}}
        result: OptimizeResult = linprog(cost, **limited, **constraints)
        if result.status in _FINAL or time.monotonic() >= end:
            break
    if result.status != 0:
        raise ProgrammeFailed(result.status, result.message)
    return result
