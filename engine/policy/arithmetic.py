"""The integer model: what the circuit computes, row by row, on exact integers.

Nothing here rounds. A row's value can need 83 bits, so products of 64-bit coefficients and lots are summed in two
halves that each fit 64 bits, and put together as Python integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from zkmargin.engine.errors import EngineError
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS

if TYPE_CHECKING:
    from zkmargin.engine.account import AccountState

_HALF = 15
"""Bits of the low half of a position: 2^39 (coefficient) x 2^15 x 256 slots = 2^62 fits a signed 64-bit sum."""


class StateOutOfRange(EngineError, ValueError):
    """A position or cash that no account can hold; carries what, value and the closed range."""

    def __init__(self, what: str, value: object, low: object, high: object):
        self.what, self.value, self.low, self.high = what, value, low, high
        super().__init__(f"{what} is {value}; allowed: {low} to {high}")


def exact_product(matrix: np.ndarray, lots: np.ndarray) -> list[int]:
    """Exact `matrix @ lots` for an integer matrix (rows, N) and lots (N,) in [-2^30, 2^30]: (rows,) Python integers."""
    if matrix.size and int(np.abs(matrix).max()) >= 1 << BITS.coefficient:
        return [sum(a * b for a, b in zip(row, lots.tolist(), strict=True)) for row in matrix.tolist()]
    low = lots & ((1 << _HALF) - 1)
    high = lots >> _HALF
    return [
        (upper << _HALF) + lower for upper, lower in zip((matrix @ high).tolist(), (matrix @ low).tolist(), strict=True)
    ]


def check_state(policy: Policy, positions: np.ndarray, cash: int) -> np.ndarray:
    """Positions as (N,) int64 after checking them and the cash against the statement's ranges.

    Raises
    ------
    StateOutOfRange
        If a position is outside [-2^30, 2^30), cash outside [-2^80, 2^80), or the number of slots is not the preset's.
    """
    lots = np.asarray(positions)
    if lots.shape != (policy.preset.slots,):
        raise StateOutOfRange("number of slots", lots.size, policy.preset.slots, policy.preset.slots)
    if lots.dtype.kind not in "iu":
        raise StateOutOfRange("type of positions", lots.dtype, "integers", "integers")
    bound = 1 << BITS.position
    for slot in np.flatnonzero((lots < -bound) | (lots >= bound)):
        raise StateOutOfRange(f"position in slot {slot}", int(lots[slot]), -bound, bound - 1)
    limit = 1 << BITS.cash
    if not -limit <= cash < limit:
        raise StateOutOfRange("cash", cash, -limit, limit - 1)
    return lots.astype(np.int64, copy=False)


def compute_charges(policy: Policy, positions: np.ndarray) -> tuple[int, int]:
    """(K_1, K_2), micro-dollars: sum of rate_long * max(q, 0) + rate_short * max(-q, 0), exact."""
    lots = np.asarray(positions, dtype=np.int64)
    longs, shorts = np.maximum(lots, 0), np.maximum(-lots, 0)
    long, short = exact_product(policy.rate_long, longs), exact_product(policy.rate_short, shorts)
    return long[0] + short[0], long[1] + short[1]


def compute_values_without_helpers(
    policy: Policy, positions: np.ndarray, cash: int, charges: tuple[int, int]
) -> list[int]:
    """(rows,) row values without helpers, excess and X: W q + W cash + W K + b."""
    products = exact_product(policy.positions, positions)
    weights = policy.charges.tolist()
    return [
        product + on_cash * cash + on_first * charges[0] + on_second * charges[1] + constant
        for product, on_cash, (on_first, on_second), constant in zip(
            products, policy.cash.tolist(), weights, policy.constants, strict=True
        )
    ]


def compute_excess_total(policy: Policy, excess: Sequence[int]) -> int:
    """X = sum_s w_s u_s e_s."""
    return sum(
        weight * soft * value
        for weight, soft, value in zip(policy.weights.tolist(), policy.soft.tolist(), excess, strict=True)
    )


def evaluate_rows(
    policy: Policy, state: AccountState, helpers: Sequence[int], excess: Sequence[int]
) -> tuple[int, ...]:
    """Value of each row, exactly as the circuit has it: its slack where it is not negative.

    Parameters
    ----------
    policy : Policy
    state : AccountState
        Positions (N,) in lots and cash in micro-dollars, after the transition.
    helpers : sequence of int
        (J,) helper variables.
    excess : sequence of int
        (X,) excess variables; a hard row ignores its own.

    Returns
    -------
    tuple of int
        (rows,) W_s . z + b_s + u_s e_s.

    Raises
    ------
    StateOutOfRange
        If a position, the cash, a helper or an excess is outside the range that the circuit enforces.
    """
    positions = check_state(policy, state.positions, state.cash)
    for what, values, bits, count in (
        ("helper", helpers, BITS.helper, policy.preset.helpers),
        ("excess", excess, BITS.excess, policy.preset.excess_rows),
    ):
        if len(values) != count:
            raise StateOutOfRange(f"number of {what} variables", len(values), count, count)
        for index, value in enumerate(values):
            if not 0 <= value < 1 << bits:
                raise StateOutOfRange(f"{what} variable {index}", value, 0, (1 << bits) - 1)
    parts = compute_values_without_helpers(policy, positions, state.cash, compute_charges(policy, positions))
    total = compute_excess_total(policy, excess)
    slacks = [
        part + on_total * total + sum(weight * helper for weight, helper in zip(on_helpers, helpers, strict=True))
        for part, on_total, on_helpers in zip(parts, policy.excess_total.tolist(), policy.helpers.tolist(), strict=True)
    ]
    for row in policy.soft_rows:
        slacks[row] += int(excess[row])
    return tuple(slacks)
