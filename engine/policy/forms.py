"""The forms of a policy's rows under which "the rows have a solution" implies "the requirement is met"."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.errors import (
    CreditRefused,
    ExcessTotalForm,
    HelperForm,
    PricedRowForm,
    RoundingMissing,
    TransferForm,
)
from zkmargin.engine.policy.record import CONTINGENCY, ROUNDING, HelperKind, Policy


def check_forms(policy: Policy) -> None:
    """The forms under which a solution of the rows proves the requirement.

    A loss x is bounded from below by rows "x + transfer + P&L . q - K + const >= 0" and only subtracted elsewhere; a
    value E is bounded from above by rows "cash + price . q - K - losses - E >= 0" and only added elsewhere; t belongs
    to one expected shortfall; n moves a linear exposure between two groups whose rows offer the same moves with
    opposite signs and whose sum is charged for it. X is subtracted only in the row that completes the expected
    shortfall. Charges are subtracted, and every row with position columns subtracts the rounding charge. Equity counts
    once: a row that adds a value adds one, has no cash and no positions of its own, and no row with a value has a
    positive constant. A row that bounds a loss has one only as a chord of a charge on one exposure.

    Raises
    ------
    RefusedPolicy
        One of its subclasses, per rule; says where and what is allowed.
    """
    _check_charges(policy)
    _check_kinds(policy)
    priced_pair = _check_priced_rows(policy)
    _check_excess_total(policy, priced_pair)
    _check_losses(policy)
    _check_values(policy)
    for plus, kind in enumerate(policy.helper_kinds):
        if kind is HelperKind.FREE_PLUS and plus != priced_pair:
            _check_transfer(policy, plus)


def _check_charges(policy: Policy) -> None:
    for row, column in np.argwhere(policy.charges > 0):
        raise CreditRefused(
            policy.name, "W on K", int(policy.charges[row, column]), "0 or negative", int(row), int(column)
        )
    with_positions = np.flatnonzero(policy.positions.any(axis=1))
    for row in with_positions:
        if policy.charges[row, ROUNDING] > -1:
            raise RoundingMissing(
                policy.name,
                "W on K_2 of a row with positions",
                int(policy.charges[row, ROUNDING]),
                "-1 or less",
                int(row),
                ROUNDING,
            )
    if with_positions.size:
        for side in ("rate_long", "rate_short"):
            rates = getattr(policy, side)[ROUNDING]
            for slot in np.flatnonzero(rates != 1):
                raise RoundingMissing(policy.name, f"{side} of K_2", int(rates[slot]), "1", column=int(slot))


def _check_kinds(policy: Policy) -> None:
    kinds = policy.helper_kinds
    for j, kind in enumerate(kinds):
        column = policy.helpers[:, j]
        used = np.flatnonzero(column)
        if kind is HelperKind.UNUSED and used.size:
            raise HelperForm(policy.name, "W on an unused helper", int(column[used[0]]), "0", int(used[0]), j)
        if kind is HelperKind.FREE_PLUS and (j + 1 == len(kinds) or kinds[j + 1] is not HelperKind.FREE_MINUS):
            raise HelperForm(
                policy.name,
                "kind after FREE_PLUS",
                kinds[j + 1].name if j + 1 < len(kinds) else "none",
                "FREE_MINUS",
                column=j,
            )
        if kind is HelperKind.FREE_MINUS and (j == 0 or kinds[j - 1] is not HelperKind.FREE_PLUS):
            raise HelperForm(
                policy.name, "kind before FREE_MINUS", kinds[j - 1].name if j else "none", "FREE_PLUS", column=j
            )
        if kind is HelperKind.FREE_PLUS:
            other = policy.helpers[:, j + 1]
            for row in np.flatnonzero((column != -other) & ((column != other) | (column > 0))):
                raise TransferForm(
                    policy.name,
                    "W on the parts of a free choice",
                    (int(column[row]), int(other[row])),
                    "(a, -a) where it is chosen, (-c, -c) where it is charged",
                    int(row),
                    j,
                )


def _check_priced_rows(policy: Policy) -> int | None:
    """Each row with u = 1 is e + t + P&L . q - K_2; returns the column of t's positive part."""
    pair = None
    for row in range(policy.preset.excess_rows):
        weight = int(policy.weights[row])
        if not policy.priced[row]:
            if weight:
                raise PricedRowForm(policy.name, "weight of a row without a price", weight, "0", row)
            continue
        if weight < 1:
            raise PricedRowForm(policy.name, "weight of a priced row", weight, "1 or more", row)
        for what, value in (
            ("cash", policy.cash[row]),
            ("X", policy.excess_total[row]),
            ("K_1", policy.charges[row, CONTINGENCY]),
            ("b", policy.constants[row]),
        ):
            if value:
                raise PricedRowForm(policy.name, f"{what} in a priced row", int(value), "0", row)
        used = np.flatnonzero(policy.helpers[row]).tolist()
        shape = len(used) == 2 and policy.helper_kinds[used[0]] is HelperKind.FREE_PLUS and used[1] == used[0] + 1
        if not shape or policy.helpers[row, used].tolist() != [1, -1] or pair not in (None, used[0]):
            raise PricedRowForm(
                policy.name,
                "helpers of a priced row",
                {j: int(policy.helpers[row, j]) for j in used},
                "+1 and -1 on the two parts of one t, the same in all priced rows",
                row,
            )
        pair = used[0]
    return pair


def _check_excess_total(policy: Policy, pair: int | None) -> None:
    rows = np.flatnonzero(policy.excess_total).tolist()
    if pair is None:
        if rows:
            raise ExcessTotalForm(policy.name, "W on X without a priced row", -1, "0", rows[0])
        return
    if not rows:
        raise ExcessTotalForm(policy.name, "number of rows that subtract X", 0, "1 or more, as some rows are priced")
    for row in rows:
        values = [
            j for j, kind in enumerate(policy.helper_kinds) if kind is HelperKind.VALUE and policy.helpers[row, j]
        ]
        m = int(policy.helpers[row, pair + 1])
        others = set(np.flatnonzero(policy.helpers[row]).tolist()) - {*values, pair, pair + 1}
        if len(values) != 1 or others or policy.helpers[row, pair] != -m:
            raise ExcessTotalForm(
                policy.name,
                "helpers beside X",
                {j: int(w) for j, w in enumerate(policy.helpers[row]) if w},
                "one value E and the two parts of t",
                row,
            )
        if not 1 <= m <= int(policy.weights @ policy.priced):
            raise ExcessTotalForm(
                policy.name, "m", m, f"1 to {int(policy.weights @ policy.priced)}, the sum of the weights", row
            )
        if not 1 <= policy.helpers[row, values[0]] <= m:
            raise ExcessTotalForm(
                policy.name, "W on E", int(policy.helpers[row, values[0]]), f"1 to {m}", row, values[0]
            )
        if policy.positions[row].any() or policy.cash[row] or policy.charges[row].any() or policy.constants[row]:
            raise ExcessTotalForm(policy.name, "positions, cash, K or b beside X", "not zero", "0", row)
    allowed = {*rows, *np.flatnonzero(policy.priced).tolist()}
    for row in np.flatnonzero(policy.helpers[:, pair]):
        if int(row) not in allowed:
            raise TransferForm(
                policy.name,
                "W on t outside the expected shortfall",
                int(policy.helpers[row, pair]),
                "0",
                int(row),
                pair,
            )


def _check_losses(policy: Policy) -> None:
    losses, values = policy.get_columns(HelperKind.LOSS), policy.get_columns(HelperKind.VALUE)
    for j in losses:
        column = policy.helpers[:, j]
        bounding = np.flatnonzero(column > 0).tolist()
        for row in bounding:
            if column[row] != 1:
                raise HelperForm(policy.name, "W on a loss in a row that bounds it", int(column[row]), "1", row, j)
            other = [k for k in (*losses, *values) if k != j and policy.helpers[row, k]]
            if other:
                raise HelperForm(
                    policy.name,
                    "losses and values beside a bounded loss",
                    {k: int(policy.helpers[row, k]) for k in other},
                    "none",
                    row,
                    j,
                )
            if policy.cash[row] or policy.excess_total[row] or row in policy.priced_rows:
                raise HelperForm(policy.name, "cash, X or a price beside a bounded loss", "not zero", "0", row, j)
        _check_loss_constants(policy, j, bounding)
        if not bounding or not (column < 0).any():
            raise HelperForm(
                policy.name,
                "rows that bound and rows that subtract a loss",
                (len(bounding), int((column < 0).sum())),
                "1 or more of each",
                column=j,
            )


def _check_loss_constants(policy: Policy, j: int, bounding: list[int]) -> None:
    """A positive constant lets a loss be zero. Only a convex charge needs one: its chords x >= slope D - c all use one
    exposure D, and no transfer."""
    gifts = [row for row in bounding if policy.constants[row] > 0]
    if not gifts:
        return
    alone = not np.delete(policy.helpers[bounding], j, axis=1).any()
    if not (alone and _is_one_exposure(policy.positions[bounding])):
        raise CreditRefused(
            policy.name,
            "b in a row that bounds a loss",
            policy.constants[gifts[0]],
            "0 or negative; positive only where all rows of the loss are chords on one exposure, without a transfer",
            gifts[0],
            j,
        )


def _is_one_exposure(columns: np.ndarray) -> bool:
    """Whether the rows (rows, N) are multiples of one exposure. Each is rounded, and so is the largest, to which they
    are compared: two units of difference are allowed."""
    row, slot = np.unravel_index(int(np.abs(columns).argmax()), columns.shape)
    largest = columns[row]
    if not largest[slot]:
        return True
    expected = np.outer(columns[:, slot] / int(largest[slot]), largest)
    return bool((np.abs(columns - expected) <= 2.0).all())


def _check_values(policy: Policy) -> None:
    for j in policy.get_columns(HelperKind.VALUE):
        column = policy.helpers[:, j]
        bounding = np.flatnonzero(column < 0).tolist()
        for row in bounding:
            if column[row] != -1:
                raise HelperForm(policy.name, "W on a value in a row that bounds it", int(column[row]), "-1", row, j)
            wrong = [
                k
                for k, kind in enumerate(policy.helper_kinds)
                if k != j and policy.helpers[row, k] and not (kind is HelperKind.LOSS and policy.helpers[row, k] < 0)
            ]
            if wrong:
                raise HelperForm(
                    policy.name,
                    "helpers beside a bounded value",
                    {k: int(policy.helpers[row, k]) for k in wrong},
                    "losses, subtracted",
                    row,
                    j,
                )
            if policy.excess_total[row] or row in policy.priced_rows:
                raise HelperForm(policy.name, "X or a price beside a bounded value", "not zero", "0", row, j)
        for row in np.flatnonzero(column).tolist():
            if policy.constants[row] > 0:
                raise CreditRefused(policy.name, "b in a row with a value", policy.constants[row], "0 or negative", row)
        for row in np.flatnonzero(column > 0).tolist():
            if policy.cash[row]:
                raise HelperForm(policy.name, "W on cash beside a value that is added", 1, "0", row, j)
            held = np.flatnonzero(policy.positions[row])
            if held.size:
                value = int(policy.positions[row, held[0]])
                raise HelperForm(policy.name, "W on positions beside a value that is added", value, "0", row, j)
            if (policy.helpers[row][policy.get_columns(HelperKind.VALUE)] != 0).sum() > 1:
                raise HelperForm(policy.name, "values in one row", policy.helpers[row].tolist(), "one", row, j)
        if not bounding or not (column > 0).any():
            raise HelperForm(
                policy.name,
                "rows that bound and rows that add a value",
                (len(bounding), int((column > 0).sum())),
                "1 or more of each",
                column=j,
            )


def _check_transfer(policy: Policy, plus: int) -> None:
    """The free choice at `plus` moves an exposure between exactly two losses, move by move, and is charged in their
    sum."""
    column, minus = policy.helpers[:, plus], policy.helpers[:, plus + 1]
    losses = policy.get_columns(HelperKind.LOSS)
    chosen = np.flatnonzero((column == -minus) & (column != 0)).tolist()
    charged = np.flatnonzero((column == minus) & (column != 0)).tolist()
    groups = {j for row in chosen for j in losses if policy.helpers[row, j] > 0}
    outside = [row for row in chosen if not any(policy.helpers[row, j] > 0 for j in losses)]
    if outside:
        raise TransferForm(
            policy.name, "W on a transfer outside the rows of a group", int(column[outside[0]]), "0", outside[0], plus
        )
    if len(groups) != 2:
        raise TransferForm(policy.name, "number of groups of a transfer", len(groups), "2", column=plus)
    first, second = sorted(groups)
    moves = [{int(column[row]) for row in np.flatnonzero(policy.helpers[:, j] > 0)} for j in (first, second)]
    unmatched = moves[0] ^ {-move for move in moves[1]}
    if unmatched:
        raise TransferForm(
            policy.name,
            "moves that one group offers and the other does not mirror",
            sorted(unmatched),
            "none",
            column=plus,
        )
    if len(charged) != 1:
        raise TransferForm(policy.name, "number of rows that charge a transfer", len(charged), "1", column=plus)
    uses = [np.minimum(policy.helpers[:, j], 0) for j in (first, second)]
    for row in np.flatnonzero(uses[0] | uses[1]):
        if uses[0][row] != uses[1][row] or int(row) != charged[0]:
            raise TransferForm(
                policy.name,
                "W on the two groups of a transfer",
                (int(uses[0][row]), int(uses[1][row])),
                f"equal, and only in row {charged[0]}, which charges the transfer",
                int(row),
                plus,
            )
