"""The largest order of a direction that a policy accepts.

Accounts that pass are a convex set, so the multiples of one direction that pass are an interval. Its upper end is found
by bisection with the exact integer policy; only where the account does not pass today, a linear programme says near
which multiple to look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction

import numpy as np

from zkmargin.engine.account import STATE_LOTS, AccountState
from zkmargin.engine.desk.distance import WorstDirection, measure_loss_distance
from zkmargin.engine.desk.orders import MAX_ORDER_LOTS, MAX_TRADE_CASH, Order, find_instruments, price_lot, trade
from zkmargin.engine.desk.whatif import PricedOrder, price_orders
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.report import describe_worst_cell, report_level
from zkmargin.engine.policy.forms import describe_row
from zkmargin.engine.policy.linear_programme import Programme, ProgrammeFailed, minimise
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.units import USD6

NEARBY = 3
"""Multiples tried on each side of the linear programme's answer, whose last digits are not exact."""


@dataclass(frozen=True)
class Sizing:
    """The largest multiple of a direction. US dollars where nothing else is said."""

    portfolio: str
    """Whose."""
    policy: str
    """The policy that must accept."""
    direction: tuple[PricedOrder, ...]
    """One multiple."""
    largest: int
    """A whole multiple that passes while the next one does not; -1 when none from 0 on passes."""
    limit: str
    """What ends it: "policy", or "range" when lots or cash leave what a trade or an account can hold."""
    passes_now: bool
    """Whether the account passes without any order."""
    margin_excess: float
    """Equity less initial requirement at the largest multiple."""
    rows: tuple[str, ...]
    """Rows that fail one multiple further, in words; none where the limit is the range."""
    missing: float
    """What is missing there; in the row's own unit where a row is no sum of money."""
    binding: str
    """The rule that decides the initial requirement there."""
    worst: dict[str, str]
    """By coin, the grid's worst scenario there."""
    distance: WorstDirection | None
    """How far the market must move, where equity falls most, until maintenance fails after the largest multiple; none
    where not asked for."""

    @property
    def lots(self) -> dict[str, int]:
        """Signed lots of the largest order, by instrument; zeros when no order passes."""
        return {order.name: max(self.largest, 0) * order.lots for order in self.direction}

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class OrderLine:
    """An account and the multiples of one direction.

    Raises
    ------
    UnknownName
        If an instrument is not listed.
    """

    house: HouseModel
    """Market and policies."""
    rule: Policy
    """The policy that must accept."""
    state: AccountState
    """The account today."""
    direction: Sequence[Order]
    """One multiple."""

    def at(self, times: int) -> AccountState:
        """The account after `times` multiples."""
        return trade(self.house, self.state, self.direction, times)

    def passes(self, times: int) -> bool:
        """Whether that account passes, by the exact integer policy."""
        return self.house.meets(self.rule, self.at(times))

    def largest_possible(self) -> int:
        """The largest multiple whose lots and cash stay within what one order and an account can hold."""
        most: int = MAX_ORDER_LOTS
        cost = Fraction(0)
        for order, item in zip(self.direction, find_instruments(self.house, self.direction), strict=True):
            now = int(self.state.positions[item.slot])
            room = STATE_LOTS[1] - now if order.lots > 0 else now - STATE_LOTS[0]
            most = min(most, MAX_ORDER_LOTS // abs(order.lots), room // abs(order.lots))
            cost += order.lots * price_lot(self.house, order)
        return min(most, math.floor((MAX_TRADE_CASH - 1) / abs(cost))) if cost else most

    def first_passing(self, most: int, sign: float) -> float:
        """The first real multiple that passes, from below (`sign` 1) or from above (-1).

        Raises `ProgrammeFailed` if none does.
        """
        items = find_instruments(self.house, self.direction)
        programme = Programme(
            self.rule, np.union1d(np.flatnonzero(self.state.positions), [item.slot for item in items])
        )
        traded, paid = np.zeros((len(programme.slots), 1)), 0.0
        for order, item in zip(self.direction, items, strict=True):
            traded[programme.slots == item.slot] = order.lots
            paid += order.lots * float(price_lot(self.house, order)) / USD6
        left, right = programme.balance(self.state.positions, self.state.cash, traded, np.array([paid]))
        objective = np.zeros(programme.size + 1)
        objective[-1] = sign
        result = minimise(
            objective,
            A_ub=-np.hstack([programme.matrix, np.zeros((len(programme.matrix), 1))]),
            b_ub=programme.constants,
            A_eq=left,
            b_eq=right,
            bounds=np.vstack([programme.bounds, [0.0, most]]),
        )
        return float(result.x[-1])

    def find_passing(self, most: int) -> int | None:
        """A multiple that passes although 0 does not; none when the linear programme knows of none."""
        try:
            ends = [self.first_passing(most, sign) for sign in (1.0, -1.0)]
        except ProgrammeFailed as failure:
            if not failure.is_infeasible:
                raise
            return None
        near = {round(end) + step for end in (*ends, sum(ends) / 2) for step in range(-NEARBY, NEARBY + 1)}
        return next((times for times in sorted(near) if 0 <= times <= most and self.passes(times)), None)

    def bisect(self, low: int, most: int) -> int:
        """A multiple that passes while the next one fails or is beyond `most`; `low` passes."""
        step = 1
        while low < most and self.passes(min(low + step, most)):
            low = min(low + step, most)
            step *= 2
        high = min(low + step, most + 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.passes(middle) else (low, middle)
        return low


def find_largest(
    house: HouseModel,
    name: str,
    state: AccountState,
    direction: Sequence[Order],
    policy: str = "initial",
    with_distance: bool = False,
) -> Sizing:
    """The largest whole multiple of `direction` after which the account passes `policy`.

    Parameters
    ----------
    house : HouseModel
    name : str
        What the result calls the account.
    state : AccountState
    direction : sequence of Order
        One multiple, each at its mark or its price.
    policy : str
        One of the epoch's.
    with_distance : bool
        Whether to say how far a margin call is then.

    Raises
    ------
    UnknownName
        If an instrument is not listed, or there is no such policy.
    """
    line = OrderLine(house, house.get_policy(policy), state, direction)
    most = line.largest_possible()
    passes_now = line.passes(0)
    low = 0 if passes_now else line.find_passing(most)
    largest = -1 if low is None else line.bisect(low, most)
    beyond = line.at(min(largest + 1, most))
    refusal = house.find_refusal(line.rule, beyond) if largest < most else None
    required = house.definition_requirement(beyond, "initial")
    return Sizing(
        portfolio=name,
        policy=policy,
        direction=price_orders(house, direction),
        largest=largest,
        limit="policy" if refusal else "range",
        passes_now=passes_now,
        margin_excess=house.definition_requirement(line.at(max(largest, 0)), "initial").margin_excess,
        rows=tuple(f"row {row}: {describe_row(line.rule, row)}" for row in refusal.rows) if refusal else (),
        missing=refusal.missing_usd6 / USD6 if refusal else 0.0,
        binding=report_level(house, beyond, required).binding,
        worst={coin: describe_worst_cell(house, coin, required) for coin in required.losses},
        distance=measure_loss_distance(house, line.at(max(largest, 0))) if with_distance else None,
    )
