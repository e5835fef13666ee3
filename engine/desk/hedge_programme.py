"""The linear programme of a hedge: a policy's rows, plus what is bought and sold at ask and bid within the caps.

    minimise     cost                  restore: cheapest trades after which the policy holds
             or  requirement + cost    minimise: a dollar of cost must free at least a dollar of margin
             or  missing               reach: what is still missing after the best trades
             or  - room                spare: trades that pass with the most room
    subject to   M v + b + missing >= room     on rows that state money or a limit, >= 0 on the others
                 held - owed = q_0 + buy - sell,   cash = cash_0 - ask . buy + bid . sell
                 0 <= buy, sell <= caps,   cost = (ask - mark) . buy + (mark - bid) . sell <= budget

Everything is in US dollars and lots; `missing` is 0 but for reach, and `room` is given but for spare.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.desk.deadline import Deadline
from zkmargin.engine.desk.interruptible import run_interruptible
from zkmargin.engine.desk.liquidity import Liquidity
from zkmargin.engine.policy.linear_programme import Programme, minimise
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.units import USD6

GRACE_SECONDS = 2.0
"""How long a solver may overrun its time limit, which it looks at between steps, before it is left alone."""


class Goal(StrEnum):
    """What the programme optimises."""

    RESTORE = "restore"
    MINIMISE = "minimise"
    REACH = "reach"
    SPARE = "spare"


@dataclass(frozen=True)
class Solution:
    """An optimum."""

    trades: np.ndarray
    """(N,) signed lots, real numbers, or whole ones from `solve_whole`."""
    objective: float
    """What was minimised, US dollars."""
    missing: float
    """US dollars that the policy still lacks; 0 but for `Goal.REACH`."""
    gap: float | None = None
    """Relative gap to the bound where whole lots were searched; none if the search had no bound, or was not made."""


@dataclass(frozen=True, eq=False)
class HedgeProgramme:
    """Trades of one account under one policy.

    Raises
    ------
    OutOfRange
        If the policy has no equity row.
    """

    policy: Policy
    """The rule."""
    state: AccountState
    """The account today."""
    liquidity: Liquidity
    """Prices and caps."""
    deadline: Deadline
    """When solving ends."""

    @cached_property
    def programme(self) -> Programme:
        """The policy over the slots that are held or can be traded."""
        return Programme(self.policy, np.union1d(np.flatnonzero(self.state.positions), self.slots))

    @property
    def slots(self) -> np.ndarray:
        """(T,) slots that can be traded."""
        return self.liquidity.tradable

    # ---------------------------------------------------------- columns: the programme's, buys, sells, missing, room
    @property
    def buys(self) -> slice:
        """Columns of lots bought."""
        return slice(self.programme.size, self.programme.size + len(self.slots))

    @property
    def sells(self) -> slice:
        """Columns of lots sold."""
        return slice(self.buys.stop, self.buys.stop + len(self.slots))

    @property
    def size(self) -> int:
        """Number of columns; the last two are missing and room."""
        return self.programme.size + 2 * len(self.slots) + 2

    @cached_property
    def costs(self) -> np.ndarray:
        """(size,) cost against the mark, US dollars per lot bought and sold."""
        costs, quotes = np.zeros(self.size), self.liquidity
        costs[self.buys] = (quotes.ask - quotes.mark)[self.slots] / USD6
        costs[self.sells] = (quotes.mark - quotes.bid)[self.slots] / USD6
        return costs

    @cached_property
    def inequalities(self) -> np.ndarray:
        """(rows, size) of `rows @ v + constants >= 0`."""
        rows = np.zeros((self.policy.preset.rows, self.size))
        rows[:, : self.programme.size] = self.programme.matrix
        rows[:, -2] = self.programme.takes_money
        rows[:, -1] = -rows[:, -2]
        return rows

    @cached_property
    def equalities(self) -> tuple[np.ndarray, np.ndarray]:
        """What the account holds and pays: (S + 1, size) and (S + 1,)."""
        quotes = self.liquidity
        lots = np.equal.outer(self.programme.slots, self.slots).astype(float)
        traded = np.hstack([lots, -lots, np.zeros((len(lots), 2))])
        paid = np.concatenate([quotes.ask[self.slots] / USD6, -quotes.bid[self.slots] / USD6, np.zeros(2)])
        return self.programme.balance(self.state.positions, self.state.cash, traded, paid)

    def get_objective(self, goal: Goal) -> np.ndarray:
        """(size,) what `goal` minimises."""
        objective = np.array(self.costs)
        if goal is Goal.MINIMISE:
            objective[: self.programme.size] += self.programme.requirement
        if goal in (Goal.REACH, Goal.SPARE):
            objective[:] = 0.0
            objective[-2 if goal is Goal.REACH else -1] = 1.0 if goal is Goal.REACH else -1.0
        return objective

    def get_bounds(self, goal: Goal, room: float) -> np.ndarray:
        """(size, 2) range of each column."""
        bounds = np.zeros((self.size, 2))
        bounds[: self.programme.size] = self.programme.bounds
        bounds[self.buys, 1] = self.liquidity.can_buy[self.slots]
        bounds[self.sells, 1] = self.liquidity.can_sell[self.slots]
        bounds[-2, 1] = np.inf if goal is Goal.REACH else 0.0
        bounds[-1] = (0.0, np.inf) if goal is Goal.SPARE else (room, room)
        return bounds

    # ---------------------------------------------------------------------------------------------------- solving
    def solve(self, goal: Goal, budget: float = np.inf, room: float = 0.0) -> Solution:
        """The best real trades at a cost of at most `budget`, US dollars, that leave `room`, US dollars.

        Raises `ProgrammeFailed` if there are none, or the time is over.
        """
        rows, free = -self.inequalities, self.programme.constants
        if np.isfinite(budget):
            rows, free = np.vstack([rows, self.costs]), np.append(free, budget)
        left, right = self.equalities
        result = minimise(
            self.get_objective(goal),
            seconds=self.deadline.left,
            A_ub=rows,
            b_ub=free,
            A_eq=left,
            b_eq=right,
            bounds=self.get_bounds(goal, room),
        )
        return Solution(self._read_trades(result.x), float(result.fun), float(result.x[-2]))

    def solve_whole(self, goal: Goal, budget: float, room: float) -> Solution | None:
        """The best whole lots found in time; none when none were found."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        seconds = self.deadline.left
        left, right = self.equalities
        constraints = [
            LinearConstraint(self.inequalities, -self.programme.constants, np.inf),
            LinearConstraint(left, right, right),
        ]
        if np.isfinite(budget):
            constraints.append(LinearConstraint(self.costs[None, :], -np.inf, budget))
        whole = np.zeros(self.size, dtype=int)
        whole[self.buys.start : self.sells.stop] = 1
        low, high = self.get_bounds(goal, room).T
        result = run_interruptible(
            lambda: milp(
                self.get_objective(goal),
                constraints=constraints,
                integrality=whole,
                bounds=Bounds(low, high),
                options={"time_limit": seconds},
            ),
            seconds + GRACE_SECONDS,
        )
        if result is None or result.x is None:
            return None
        return Solution(np.rint(self._read_trades(result.x)), float(result.fun), float(result.x[-2]), result.mip_gap)

    def _read_trades(self, solution: np.ndarray) -> np.ndarray:
        trades = np.zeros(self.policy.preset.slots)
        trades[self.slots] = solution[self.buys] - solution[self.sells]
        return trades
