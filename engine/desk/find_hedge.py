"""The cheapest hedge: trades that restore a requirement, or that free margin, at bid and ask within the liquidity.

A linear programme (`engine.desk.hedge_programme`) gives real lots and a bound. They are rounded to whole lots; where
rounding breaks the policy the programme is solved again with the room that was missing, and lots that are not needed
are given back. Whether the result passes is said by the exact integer policy alone.

A trade has few legs and must leave the account with its initial margin. So an account that fails as it is needs one
trade that does it all: instruments are left out of the programme, least useful first, until one trade holds the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.desk.deadline import Deadline
from zkmargin.engine.desk.hedge_programme import Goal, HedgeProgramme, Solution
from zkmargin.engine.desk.hedge_result import Hedge, HedgeTrade, Outcome, Target
from zkmargin.engine.desk.liquidity import Liquidity
from zkmargin.engine.desk.whatif import count_trades
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.verdict import Verdict
from zkmargin.engine.policy.arithmetic import compute_charges, compute_values_without_helpers
from zkmargin.engine.policy.forms import RowKind, read_forms
from zkmargin.engine.policy.linear_programme import ProgrammeFailed
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import USD6, require_in_range

ROUNDS = 4
"""Times that the programme is solved again with more room."""
LEAST_ROOM = 0.01
"""Room added at least in each round, US dollars."""
ALMOST_WHOLE = 1e-6
"""Lots by which a solution may exceed a whole number and still be it."""
GIVEN_BACK = 80
"""Most exact evaluations spent on giving lots back."""
SECONDS = 10.0
"""Default time limit of the whole answer."""
DROPPED = 0.1
"""Share of the instruments, at least one, that is left out at once on the way to one trade."""
MOST_SECONDS = 600.0
"""Largest time limit."""


@dataclass(frozen=True, eq=False)
class Search:
    """The search for whole lots."""

    house: HouseModel
    """Market and policies."""
    policy: Policy
    """What must be met."""
    state: AccountState
    """The account today."""
    liquidity: Liquidity
    """Prices and caps."""
    goal: Goal
    """`Goal.RESTORE` or `Goal.MINIMISE`."""
    budget: float
    """Largest cost, US dollars."""
    deadline: Deadline
    """When the search ends."""

    def make_programme(self) -> HedgeProgramme:
        """The linear programme over what can be traded."""
        return HedgeProgramme(self.policy, self.state, self.liquidity, self.deadline)

    @property
    def level(self) -> str:
        """The requirement that the policy asks for."""
        return self.policy.name

    def apply(self, trades: np.ndarray) -> AccountState:
        """The account after whole trades (N,)."""
        cash = self.state.cash - self.liquidity.get_payment(trades)
        return AccountState(self.state.positions.astype(object) + trades, cash)

    def judge(self, trades: np.ndarray) -> Verdict:
        """What the exact policy says after whole trades."""
        return Verdict.of(self.policy, self.house.find_refusal(self.policy, self.apply(trades)))

    def get_missing(self, trades: np.ndarray) -> float:
        """What the exact policy lacks after whole trades, of cash or of room below a limit, US dollars; 0 if it is
        met."""
        verdict = self.judge(trades)
        return 0.0 if verdict.passes else max(verdict.missing_usd6, verdict.beyond_limit_usd6, 1) / USD6

    def get_cost(self, trades: np.ndarray) -> float:
        """Cost against the mark, US dollars."""
        return self.liquidity.get_cost(trades) / USD6

    def get_objective(self, trades: np.ndarray) -> float:
        """What is minimised, US dollars."""
        cost = self.get_cost(trades)
        if self.goal is Goal.MINIMISE:
            return cost + self.house.policy_requirement(self.policy, self.apply(trades)) / USD6
        return cost

    def is_good(self, trades: np.ndarray) -> bool:
        """Whether whole trades meet the policy within the budget."""
        return self.get_cost(trades) <= self.budget and not self.get_missing(trades)

    def round(self, solution: Solution) -> np.ndarray:
        """Whole lots nearest to a solution, within the caps; where those exceed the budget, nearest to zero."""
        nearest = self._cap(np.rint(solution.trades))
        return nearest if self.get_cost(nearest) <= self.budget else self._cap(np.trunc(solution.trades))

    def round_up(self, solution: Solution) -> np.ndarray:
        """Whole lots beyond a solution, within the caps: no trade is smaller than the programme asks."""
        return self._cap(np.sign(solution.trades) * np.ceil(np.abs(solution.trades) - ALMOST_WHOLE))

    def _cap(self, trades: np.ndarray) -> np.ndarray:
        return np.clip(trades.astype(np.int64), -self.liquidity.can_sell, self.liquidity.can_buy)

    def find_rounded(self, programme: HedgeProgramme) -> np.ndarray | None:
        """Whole lots that meet the policy, near the programme's optimum; none when no rounding does."""
        beyond, room = None, 0.0
        for _ in range(ROUNDS):
            try:
                solution = programme.solve(self.goal, self.budget, room)
            except ProgrammeFailed as failure:
                if not failure.is_infeasible:
                    raise
                break
            nearest, larger = self.round(solution), self.round_up(solution)
            if self.is_good(nearest):
                return self.give_back(nearest)
            if beyond is None and self.is_good(larger):
                beyond = larger
            room += max(1.1 * self.get_missing(nearest), LEAST_ROOM)
        if beyond is None:
            beyond = self.round(programme.solve(Goal.SPARE, self.budget))
        return self.give_back(beyond) if self.is_good(beyond) else None

    def give_back(self, trades: np.ndarray) -> np.ndarray:
        """Fewer lots, dearest first, while the policy stays met; each lot given back lowers the cost. A hedge that
        minimises requirement plus cost stays as it is."""
        if self.goal is Goal.MINIMISE:
            return trades
        quotes = self.liquidity
        per_lot = np.where(trades > 0, quotes.ask - quotes.mark, quotes.mark - quotes.bid)
        left = GIVEN_BACK
        for slot in sorted(np.flatnonzero(trades), key=lambda slot: -int(per_lot[slot])):
            step = 1
            while left and trades[slot] and not self.deadline.is_over:
                fewer = trades.copy()
                fewer[slot] -= np.sign(trades[slot]) * min(step, abs(int(trades[slot])))
                left -= 1
                if self.is_good(fewer):
                    trades, step = fewer, 2 * step
                elif step == 1:
                    break
                else:
                    step = 1
        return trades

    # ------------------------------------------------------------------------------------------------- one by one
    def is_out_of_reach(self) -> bool:
        """Whether all that can be traded leaves a net delta beyond its limit."""
        forms, lots = read_forms(self.policy), self.state.positions
        rows = [row for row, kind in enumerate(forms.kinds) if kind is RowKind.EXPOSURE]
        charges = compute_charges(self.policy, lots)
        values = compute_values_without_helpers(self.policy, lots, self.state.cash, charges)
        for row in rows:
            columns = self.policy.positions[row].astype(object)
            bought = np.where(columns > 0, columns * self.liquidity.can_buy, 0)
            sold = np.where(columns < 0, -columns * self.liquidity.can_sell, 0)
            spared = int(np.abs(lots).sum())  # K_2 of the row, which trades may lower
            if values[row] + int(bought.sum()) + int(sold.sum()) + spared < 0:
                return True
        return False

    def rank(self, trades: np.ndarray) -> np.ndarray:
        """Slots that are traded, those that can move a scenario most first."""
        slots = np.flatnonzero(trades)
        reach = np.abs(self.house.grid_pnl[:, slots]).max(axis=0) * np.abs(trades[slots])
        return np.asarray(slots[np.lexsort((slots, -reach))])

    def find_one_trade(self, trades: np.ndarray) -> np.ndarray | None:
        """Whole lots in as few instruments as one trade has legs that meet the policy, from a hedge with more; none
        where leaving instruments out ends in none."""
        slots = self.rank(trades)
        while len(slots) > BITS.legs and not self.deadline.is_over:
            few = slots[: max(BITS.legs, len(slots) - max(1, int(len(slots) * DROPPED)))]
            search = replace(self, liquidity=self.liquidity.restrict(few))
            try:
                found = search.find_rounded(search.make_programme())
            except ProgrammeFailed:
                return None
            if found is None:
                return None
            slots, trades = search.rank(found), found
        return trades if len(slots) <= BITS.legs else None

    def order(self, trades: np.ndarray) -> list[int]:
        """Slots in the order in which they are traded: those that free most first."""
        return sorted(np.flatnonzero(trades).tolist(), key=lambda slot: (-self._get_excess(trades, slot), slot))

    def keeps_initial(self, trades: np.ndarray, order: list[int]) -> bool:
        """Whether the account has its initial margin after each trade, four slots a trade in that order."""
        done, initial = np.zeros_like(trades), self.house.policies["initial"]
        for first in range(0, len(order), BITS.legs):
            legs = order[first : first + BITS.legs]
            done[legs] = trades[legs]
            if not self.house.meets(initial, self.apply(done)):
                return False
        return True

    def _get_excess(self, trades: np.ndarray, slot: int) -> float:
        """Initial margin excess after the trades of one slot alone."""
        only = np.zeros_like(trades)
        only[slot] = trades[slot]
        return self.house.definition_requirement(self.apply(only), "initial").margin_excess


def find_hedge(
    house: HouseModel,
    name: str,
    state: AccountState,
    liquidity: Liquidity,
    *,
    target: Target = Target.REQUIREMENT,
    level: str = "initial",
    max_cost: float | None = None,
    whole_lots: bool = False,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Hedge:
    """The cheapest trades that restore or free margin.

    Parameters
    ----------
    house : HouseModel
    name : str
        What the result calls the account.
    state : AccountState
    liquidity : Liquidity
        Prices and caps, from `engine.desk.liquidity.make_liquidity`.
    target : Target
        Restore the requirement, or minimise requirement plus cost.
    level : str
        "initial" or "maintenance". A trade needs initial margin whatever the level, so an account that fails can make
        those alone that meet both.
    max_cost : float, optional
        Largest cost against the mark, US dollars; without limit by default.
    whole_lots : bool
        Also search over whole lots, and take the better result.
    seconds : float
        Time limit of the whole answer, 0.1 to 600.
    clock : callable
        Seconds that only rise.

    Raises
    ------
    OutOfRange
        If a number is not in its range.
    UnknownName
        If there is no such level.
    """
    budget = np.inf if max_cost is None else require_in_range("largest cost", max_cost, 0.0, 1e12)
    deadline = Deadline(require_in_range("seconds of the search", seconds, 0.1, MOST_SECONDS), clock)
    goal = Goal.MINIMISE if target is Target.MINIMISE else Goal.RESTORE
    search = Search(house, house.get_solvency_policy(level), state, liquidity, goal, budget, deadline)
    nothing = np.zeros(len(state.positions), dtype=np.int64)
    passes = not search.get_missing(nothing)
    if passes and goal is Goal.RESTORE:
        return _describe(search, name, target, nothing, Outcome.NOT_NEEDED, bound=0.0)
    if search.is_out_of_reach():
        return _describe(search, name, target, nothing, Outcome.BEYOND_LIMIT)
    try:
        return _search(search, name, target, passes, whole_lots)
    except ProgrammeFailed:
        return _describe(search, name, target, nothing, Outcome.UNDECIDED)


def _search(search: Search, name: str, target: Target, passes: bool, whole_lots: bool) -> Hedge:
    """The hedge by the programme; raises `ProgrammeFailed` where the solver gives no answer."""
    goal, budget, programme = search.goal, search.budget, search.make_programme()
    try:
        bound = programme.solve(goal, budget).objective
    except ProgrammeFailed as failure:
        if not failure.is_infeasible:
            raise
        nearest = search.round(programme.solve(Goal.REACH, budget))
        return _describe(search, name, target, nearest, Outcome.NONE_WITHIN_CAPS)
    by_method, gap = {"rounded": search.find_rounded(programme)}, None
    if whole_lots:
        whole = programme.solve_whole(goal, budget, LEAST_ROOM)
        if whole is not None:
            gap = whole.gap
            by_method["whole lots"] = search.round(whole)
    good = {method: trades for method, trades in by_method.items() if trades is not None and search.is_good(trades)}
    if passes:
        good.setdefault("nothing", np.zeros(len(search.state.positions), dtype=np.int64))
    if not good:
        nearest = search.round(programme.solve(Goal.SPARE, budget))
        return _describe(search, name, target, nearest, Outcome.NONE_IN_WHOLE_LOTS, bound=bound, gap=gap)
    method = min(good, key=lambda method: search.get_objective(good[method]))
    trades = good[method]
    if not passes and np.count_nonzero(trades) > BITS.legs:
        one_trade = search.find_one_trade(trades)
        trades = trades if one_trade is None else one_trade
    outcome = Outcome.FOUND if trades.any() else Outcome.NOT_NEEDED
    return replace(_describe(search, name, target, trades, outcome, bound=bound, gap=gap), method=method)


def _describe(
    search: Search,
    name: str,
    target: Target,
    trades: np.ndarray,
    outcome: Outcome,
    bound: float | None = None,
    gap: float | None = None,
) -> Hedge:
    house, quotes = search.house, search.liquidity
    before, after = (
        house.definition_requirement(state, search.level) for state in (search.state, search.apply(trades))
    )
    verdict = search.judge(trades)
    rows, order = [], search.order(trades)
    if outcome is Outcome.FOUND and not search.keeps_initial(trades, order):
        outcome = Outcome.CANNOT_BE_TRADED
    for place, slot in enumerate(order):
        item, lots = house.snapshot.listing.at(slot), int(trades[slot])
        only = np.zeros_like(trades)
        only[slot] = lots
        rows.append(
            HedgeTrade(
                name=item.name,
                lots=lots,
                price=int((quotes.ask if lots > 0 else quotes.bid)[slot]) / USD6 / item.lot_size,
                mark=int(quotes.mark[slot]) / USD6 / item.lot_size,
                cost=search.get_cost(only),
                cap=int((quotes.can_buy if lots > 0 else quotes.can_sell)[slot]),
                trade=1 + place // BITS.legs,
            )
        )
    return Hedge(
        portfolio=name,
        policy=search.policy.name,
        target=target,
        outcome=outcome,
        trades=tuple(rows),
        needed_trades=count_trades(len(rows)),
        method="rounded",
        cost=search.get_cost(trades),
        bound=bound,
        objective=search.get_objective(trades) if verdict.passes else None,
        requirement_before=float(before.total),
        requirement_after=float(after.total),
        margin_excess_before=float(before.margin_excess),
        margin_excess_after=float(after.margin_excess),
        verdict=verdict,
        gap=gap,
    )
