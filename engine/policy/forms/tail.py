"""The expected shortfall among the rows: soft scenarios, and the rows that average their tail."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from zkmargin.engine.policy.errors import ExcessTotalForm, SoftRowForm, TransferForm
from zkmargin.engine.policy.forms.record import Tail, TailSum
from zkmargin.engine.policy.record import CONTINGENCY, HelperKind, Policy

LEAST_SHARE = Fraction(1, 2)
"""Least m / m': what a row requires of the expected shortfall. A row that required next to nothing would look like one
that requires it."""


def read_tail(policy: Policy) -> Tail | None:
    """The expected shortfall: every soft row is a scenario of it, and every row with X requires it."""
    plus = None
    for row in range(policy.preset.excess_rows):
        if row in policy.soft_rows:
            plus = _read_scenario(policy, row, plus)
        elif policy.weights[row]:
            raise SoftRowForm(policy.name, "weight of a hard row", int(policy.weights[row]), "0", row)
    rows = np.flatnonzero(policy.excess_total).tolist()
    if plus is None:
        if rows:
            raise ExcessTotalForm(policy.name, "W on X without a soft row", -1, "0", rows[0])
        return None
    if not rows:
        raise ExcessTotalForm(policy.name, "number of rows that subtract X", 0, "1 or more, as some rows are soft")
    sums = tuple(_read_tail_sum(policy, row, plus) for row in rows)
    for row in np.flatnonzero(policy.helpers[:, plus]).tolist():
        if row not in rows and row not in policy.soft_rows:
            weight = int(policy.helpers[row, plus])
            raise TransferForm(policy.name, "W on t outside the expected shortfall", weight, "0", row, plus)
    weights = tuple(policy.weights[list(policy.soft_rows)].tolist())
    return Tail(plus, policy.soft_rows, weights, sums)


def _read_scenario(policy: Policy, row: int, plus: int | None) -> int:
    """Column of t+ in a soft row; it is `plus` if another row is soft."""
    weight = int(policy.weights[row])
    if weight < 1:
        raise SoftRowForm(policy.name, "weight of a soft row", weight, "1 or more", row)
    for what, number in (
        ("cash", policy.cash[row]),
        ("X", policy.excess_total[row]),
        ("K_1", policy.charges[row, CONTINGENCY]),
        ("b", policy.constants[row]),
    ):
        if number:
            raise SoftRowForm(policy.name, f"{what} in a soft row", int(number), "0", row)
    used = np.flatnonzero(policy.helpers[row]).tolist()
    is_pair = len(used) == 2 and policy.helper_kinds[used[0]] is HelperKind.FREE_PLUS and used[1] == used[0] + 1
    if not is_pair or policy.helpers[row, used].tolist() != [1, -1] or plus not in (None, used[0]):
        raise SoftRowForm(
            policy.name,
            "helpers of a soft row",
            policy.get_helper_weights(row, used),
            "+1 and -1 on the two parts of one t, the same in all soft rows",
            row,
        )
    return int(used[0])


def _read_tail_sum(policy: Policy, row: int, plus: int) -> TailSum:
    weights = policy.helpers[row]
    used = np.flatnonzero(weights).tolist()
    values = [column for column in used if policy.helper_kinds[column] is HelperKind.VALUE]
    tail_weight, total = int(weights[plus + 1]), int(policy.weights @ policy.soft)
    if len(values) != 1 or not {*used} <= {*values, plus, plus + 1} or weights[plus] != -tail_weight:
        raise ExcessTotalForm(
            policy.name,
            "helpers beside X",
            policy.get_helper_weights(row, used),
            "one value E and the two parts of t",
            row,
        )
    if not 1 <= tail_weight <= total:
        raise ExcessTotalForm(policy.name, "m", tail_weight, f"1 to {total}, the sum of the weights", row)
    tail_divisor = int(weights[values[0]])
    largest = int(tail_weight / LEAST_SHARE)
    if not 1 <= tail_divisor <= largest:
        raise ExcessTotalForm(policy.name, "W on E", tail_divisor, f"1 to {largest}", row, values[0])
    if policy.positions[row].any() or policy.cash[row] or policy.charges[row].any() or policy.constants[row]:
        raise ExcessTotalForm(policy.name, "positions, cash, K or b beside X", "not zero", "0", row)
    return TailSum(row, values[0], tail_weight, tail_divisor)
