"""Values among the rows: what bounds them from above, and what adds them."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.errors import CreditRefused, HelperForm
from zkmargin.engine.policy.forms.record import Value
from zkmargin.engine.policy.record import HelperKind, Policy


def read_value(policy: Policy, column: int) -> Value:
    weights = policy.helpers[:, column]
    rows = np.flatnonzero(weights < 0).tolist()
    uses = {row: int(weights[row]) for row in np.flatnonzero(weights > 0).tolist()}
    for row in rows:
        _check_value_bound(policy, row, column)
    for row in sorted((*rows, *uses)):
        if policy.constants[row] > 0:
            raise CreditRefused(policy.name, "b in a row with a value", policy.constants[row], "0 or negative", row)
    for row in uses:
        _check_value_use(policy, row, column)
    if not rows or not uses:
        raise HelperForm(
            policy.name,
            "rows that bound and rows that add a value",
            (len(rows), len(uses)),
            "1 or more of each",
            column=column,
        )
    return Value(column, tuple(rows), uses)


def _check_value_bound(policy: Policy, row: int, column: int) -> None:
    weights = policy.helpers[row]
    if weights[column] != -1:
        raise HelperForm(policy.name, "W on a value in a row that bounds it", int(weights[column]), "-1", row, column)
    losses = [other for other in policy.get_columns(HelperKind.LOSS) if weights[other] < 0]
    wrong = [other for other in np.flatnonzero(weights).tolist() if other not in (column, *losses)]
    if wrong:
        beside = policy.get_helper_weights(row, wrong)
        raise HelperForm(policy.name, "helpers beside a bounded value", beside, "losses, subtracted", row, column)
    if policy.excess_total[row] or row in policy.soft_rows:
        raise HelperForm(policy.name, "X or an excess beside a bounded value", "not zero", "0", row, column)


def _check_value_use(policy: Policy, row: int, column: int) -> None:
    if policy.cash[row]:
        raise HelperForm(policy.name, "W on cash beside a value that is added", 1, "0", row, column)
    slots = np.flatnonzero(policy.positions[row])
    if slots.size:
        weight = int(policy.positions[row, slots[0]])
        raise HelperForm(policy.name, "W on positions beside a value that is added", weight, "0", row, column)
    if np.count_nonzero(policy.helpers[row, policy.get_columns(HelperKind.VALUE)]) > 1:
        raise HelperForm(policy.name, "values in one row", policy.helpers[row].tolist(), "one", row, column)
