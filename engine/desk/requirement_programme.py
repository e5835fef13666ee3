"""The requirement of one account as a linear programme over the helpers, and its dual variables.

With the positions fixed, a solvency policy asks for K + buffers + E, as small as its rows allow:

    minimise c x    subject to    A x >= -base,  x = (helpers, excess) >= 0,    base = P q + w K + b

By duality the least value is -base . y with y >= 0 the dual variables, one per row: how much the requirement rises
when a row's value falls by a dollar. `base` is linear in lots, in the charges K and in the constants b, so the
requirement splits exactly into legs, charges and constants (Euler). Where scenarios tie, y is not unique; the y that
are optimal form the face that complementary slackness describes, and the one-sided derivatives in a leg are the least
and the largest value over that face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from zkmargin.engine.policy.arithmetic import compute_charges, compute_values_without_helpers
from zkmargin.engine.policy.linear_programme import Programme, minimise
from zkmargin.engine.policy.record import ROUNDING, Policy
from zkmargin.engine.units import USD6

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

TIE_USD, TIE_SHARE, TIE_ROUNDING = 2e-6, 1e-10, 10.0
"""A row binds when its slack is at most so many US dollars, plus that share of the requirement, plus so many times K_2:
the integers' own grid, what a float solver leaves, and what rounding per lot can hide."""
PROBE_SEED = 20251010
"""Seed of the direction that tells whether the dual variables are unique."""
ONE_VALUE = 1e-9
"""Relative difference below which two values of a dual variable or of a marginal are one."""
ONE_MARGINAL_USD = 1e-5
"""Marginals that differ by less are one, US dollars per lot: the charge for rounding is of that size."""


@dataclass(frozen=True, eq=False)
class RequirementProgramme:
    """One account under one solvency policy.

    Raises
    ------
    OutOfRange
        If the policy has no equity row.
    ProgrammeFailed
        If the solver finds no optimum.
    """

    policy: Policy
    """The rule."""
    positions: np.ndarray
    """(N,) int64, signed lots."""

    @cached_property
    def programme(self) -> Programme:
        """The policy's matrices over the slots held."""
        return Programme(self.policy, np.flatnonzero(self.positions))

    @property
    def slots(self) -> np.ndarray:
        """(L,) slots held."""
        return self.programme.slots

    @cached_property
    def rows(self) -> np.ndarray:
        """(R,) rows that bound the requirement: all with helpers or excess but the equity row."""
        used = (self.programme.inner != 0).any(axis=1)
        used[self.programme.equity_row] = False
        return np.flatnonzero(used)

    @cached_property
    def charges(self) -> np.ndarray:
        """(2,) K_1 and K_2, US dollars."""
        return np.array(compute_charges(self.policy, self.positions)) / USD6

    @cached_property
    def base(self) -> np.ndarray:
        """(R,) row values without helpers and excess, US dollars, from exact integers."""
        exact = compute_values_without_helpers(
            self.policy, self.positions, 0, compute_charges(self.policy, self.positions)
        )
        return np.array([exact[row] / USD6 for row in self.rows])

    @cached_property
    def _inner(self) -> np.ndarray:
        return np.asarray(self.programme.inner[self.rows])

    @cached_property
    def _cost(self) -> np.ndarray:
        return self.programme.requirement[self.programme.helpers.start :]

    @cached_property
    def _optimum(self) -> OptimizeResult:
        return minimise(self._cost, A_ub=-self._inner, b_ub=self.base, bounds=(0, None))

    @cached_property
    def equity_charge(self) -> np.ndarray:
        """(2,) how K_1 and K_2 enter the equity row, as a requirement."""
        return np.asarray(-self.policy.charges[self.programme.equity_row].astype(float))

    @cached_property
    def requirement(self) -> float:
        """What the rows ask, US dollars."""
        return float(self._optimum.fun) + float(self.equity_charge @ self.charges)

    @cached_property
    def duals(self) -> np.ndarray:
        """(R,) dual variables, at least 0, US dollars of requirement per US dollar of a row."""
        return np.asarray(np.maximum(-np.asarray(self._optimum.ineqlin.marginals), 0.0))

    # ------------------------------------------------------------------------------------------------------ Euler
    @cached_property
    def exposure(self) -> np.ndarray:
        """(R, L) P of the slots held, US dollars per lot."""
        return np.asarray(self.programme.exposure[self.rows])

    @cached_property
    def rates(self) -> np.ndarray:
        """(2, L) rates of K_1 and K_2 per lot on the side held, times the side, US dollars per signed lot."""
        lots = self.positions[self.slots]
        side = np.where(lots > 0, self.policy.rate_long[:, self.slots], -self.policy.rate_short[:, self.slots])
        return side / USD6

    @cached_property
    def constants(self) -> np.ndarray:
        """(R,) b, US dollars."""
        return np.asarray(self.programme.constants[self.rows])

    def get_charge_weights(self, duals: np.ndarray) -> np.ndarray:
        """(2,) how the requirement rises with K_1 and K_2."""
        return np.asarray(self.equity_charge - duals @ self.policy.charges[self.rows])

    def get_marginals(self, duals: np.ndarray) -> np.ndarray:
        """(L,) change of the requirement per lot bought, US dollars."""
        return np.asarray(-duals @ self.exposure + self.get_charge_weights(duals) @ self.rates)

    def get_constant_part(self, duals: np.ndarray) -> float:
        """The part of the requirement that no leg carries, US dollars: constants of chords, at most 0."""
        return 0.0 - float(duals @ self.constants)

    # ------------------------------------------------------------------------------------------------------- ties
    @cached_property
    def _face(self) -> tuple[np.ndarray, dict[str, Any]]:
        """Binding rows, and the constraints on their duals under which they are optimal."""
        multiples = np.array([self.programme.forms.multiples.get(row, 1) for row in self.rows.tolist()])
        values = (self._inner @ self._optimum.x + self.base) / multiples  # as if each row counted E once
        tolerance = TIE_USD + TIE_SHARE * self.requirement + TIE_ROUNDING * float(self.charges[ROUNDING])
        binding = np.flatnonzero(values <= tolerance)
        positive = self._optimum.x > tolerance
        inner = self._inner[binding].T
        return binding, {
            "A_ub": inner[~positive],
            "b_ub": self._cost[~positive],
            "A_eq": inner[positive],
            "b_eq": self._cost[positive],
            "bounds": (0, None),
        }

    def _reach(self, direction: np.ndarray) -> tuple[float, float]:
        """Least and largest value of `direction` (R,) over the optimal duals."""
        binding, face = self._face
        if not len(binding):
            return 0.0, 0.0
        low, high = (sign * minimise(sign * direction[binding], **face).fun for sign in (1.0, -1.0))
        return float(low), float(high)

    def _has_one_value(self, which: np.ndarray) -> bool:
        """Whether the duals of the rows `which` (R,) of bool are the same in every optimum: one probe over the face."""
        probe = np.random.default_rng(PROBE_SEED).uniform(1.0, 2.0, len(self.rows))
        low, high = self._reach(np.where(which, probe, 0.0))
        return high - low <= ONE_VALUE * max(1.0, abs(high))

    @cached_property
    def is_unique(self) -> bool:
        """Whether the duals of all rows that value a leg are unique; then the scenarios shown are the only ones."""
        return self._has_one_value((self.exposure != 0).any(axis=1))

    @cached_property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """(L,) left and (L,) right derivative of the requirement in each leg, US dollars per lot."""
        if self._has_one_value(np.ones(len(self.rows), dtype=bool)):
            both = self.get_marginals(self.duals)
            return both, both
        # a marginal is linear in the duals: its gradient per row, and what the equity row adds
        gradient = -self.exposure - self.policy.charges[self.rows] @ self.rates
        fixed = self.equity_charge @ self.rates
        reached = np.array([self._reach(column) for column in gradient.T]).reshape(-1, 2)
        return fixed + reached[:, 0], fixed + reached[:, 1]
