"""The bit budget: the bound of each number of a policy, and the exact total of each row, which the circuit's ranges
rely on."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.errors import BoundExceeded, RowTotalExceeded
from zkmargin.engine.policy.record import HelperKind, Policy
from zkmargin.engine.presets import BITS

CLOSED_SIDE_RATE = (1 << BITS.charge_rate) - 1
"""Charge per lot, micro-dollars (68,719 USD), that closes a side of a slot: empty slots on both sides, collateral when
held short."""


def _check_range(policy: Policy, rule: str, array: np.ndarray, low: int, high: int) -> None:
    """Refuse the first entry outside [low, high]; a two-dimensional array is (row, column), a vector is by row."""
    wrong = np.argwhere((array < low) | (array > high))
    if wrong.size:
        place = tuple(int(at) for at in wrong[0])
        row, column = place if len(place) == 2 else (place[0], None)
        raise BoundExceeded(policy.name, rule, int(array[place]), f"{low} to {high}", row, column)


def compute_row_bounds(policy: Policy) -> list[int]:
    """(rows,) the largest size of each row's value, over every z that the circuit's ranges admit; exact."""
    excess, helper, charge = (1 << BITS.excess) - 1, (1 << BITS.helper) - 1, (1 << BITS.charge) - 1
    total_weight = int(policy.weights @ policy.soft)
    own_excess = np.zeros(policy.preset.rows, dtype=np.int64)
    own_excess[: policy.preset.excess_rows] = policy.soft
    sums = (
        np.abs(column).reshape(policy.preset.rows, -1).sum(axis=1).tolist()
        for column in (policy.positions, policy.cash, policy.charges, policy.excess_total, policy.helpers, own_excess)
    )
    return [
        (positions << BITS.position)
        + (cash << BITS.cash)
        + charges * charge
        + on_total * total_weight * excess
        + helpers * helper
        + own * excess
        + abs(constant)
        for positions, cash, charges, on_total, helpers, own, constant in zip(*sums, policy.constants, strict=True)
    ]


def check_bit_budget(policy: Policy) -> None:
    """Every bound of the bit budget, and the exact total of each row.

    Raises
    ------
    BoundExceeded
        If a number exceeds its own bound.
    RowTotalExceeded
        If a row can reach 2^83 in size.
    """
    coefficient = (1 << BITS.coefficient) - 1
    helper = (1 << BITS.helper_coefficient) - 1
    charge = BITS.charge_coefficient_max
    _check_range(policy, "W on positions", policy.positions, -coefficient, coefficient)
    _check_range(policy, "W on cash", policy.cash, 0, 1)
    _check_range(policy, "W on K", policy.charges, -charge, charge)
    _check_range(policy, "W on X", policy.excess_total, -1, 0)
    _check_range(policy, "W on helpers", policy.helpers, -helper, helper)
    _check_range(policy, "u", policy.soft, 0, 1)
    _check_range(policy, "weight", policy.weights, 0, (1 << BITS.weight) - 1)
    _check_range(policy, "rate_long", policy.rate_long, 0, CLOSED_SIDE_RATE)
    _check_range(policy, "rate_short", policy.rate_short, 0, CLOSED_SIDE_RATE)
    price = (1 << BITS.price) - 1
    for j in policy.get_columns(HelperKind.VALUE):
        for row in np.flatnonzero(policy.helpers[:, j] < 0).tolist():
            for slot in np.flatnonzero(np.abs(policy.positions[row]) > price).tolist():
                value = int(policy.positions[row, slot])
                raise BoundExceeded(policy.name, "price", value, f"{-price} to {price}", row, slot)
    limit = 1 << BITS.constant
    for row, constant in enumerate(policy.constants):
        if abs(constant) >= limit:
            raise BoundExceeded(policy.name, "b", constant, f"{1 - limit} to {limit - 1}", row)
    for row, total in enumerate(compute_row_bounds(policy)):
        if total >= 1 << BITS.slack:
            raise RowTotalExceeded(policy.name, "row total", total, f"below 2^{BITS.slack}", row)
