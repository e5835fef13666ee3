"""Transfers of an exposure between two groups, among the rows."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.errors import TransferForm
from zkmargin.engine.policy.forms.record import Loss, Transfer
from zkmargin.engine.policy.record import Policy


def read_transfer(policy: Policy, plus: int, losses: tuple[Loss, ...]) -> Transfer:
    """The free choice at `plus` moves an exposure between exactly two losses, move by move, and is charged in their
    sum."""
    weights, opposite = policy.helpers[:, plus], policy.helpers[:, plus + 1]
    chosen = np.flatnonzero((weights == -opposite) & (weights != 0)).tolist()
    charging = np.flatnonzero((weights == opposite) & (weights != 0)).tolist()
    groups = [loss for loss in losses if not {*loss.rows}.isdisjoint(chosen)]
    for row in chosen:
        if not any(row in loss.rows for loss in groups):
            outside = int(weights[row])
            raise TransferForm(policy.name, "W on a transfer outside the rows of a group", outside, "0", row, plus)
    if len(groups) != 2:
        raise TransferForm(policy.name, "number of groups of a transfer", len(groups), "2", column=plus)
    first, second = groups
    moves, mirrored = ({sign * int(weights[row]) for row in loss.rows} for loss, sign in ((first, 1), (second, -1)))
    if moves != mirrored:
        raise TransferForm(
            policy.name,
            "moves that one group offers and the other does not mirror",
            sorted(moves ^ mirrored),
            "none",
            column=plus,
        )
    if len(charging) != 1:
        raise TransferForm(policy.name, "number of rows that charge a transfer", len(charging), "1", column=plus)
    row = charging[0]
    _check_factors(policy, plus, row, (first, second))
    return Transfer(plus, (first, second), row, int(weights[row]), first.uses[row])


def _check_factors(policy: Policy, plus: int, charging: int, groups: tuple[Loss, Loss]) -> None:
    """Both groups count alike, and only where the transfer is charged."""
    first, second = (loss.uses for loss in groups)
    for row in sorted(first.keys() | second.keys()):
        factors = first.get(row, 0), second.get(row, 0)
        if factors[0] != factors[1] or row != charging:
            raise TransferForm(
                policy.name,
                "W on the two groups of a transfer",
                factors,
                f"equal, and only in row {charging}, which charges the transfer",
                row,
                plus,
            )
