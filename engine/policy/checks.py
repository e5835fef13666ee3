"""What a policy's numbers must satisfy: checked by the compiler that makes it, every signer, and the auditor, from the
data alone.

Three families, each with its own error:

* the bit budget, up to the exact total of each row: `BoundExceeded`, `RowTotalExceeded`;
* the forms under which "the rows have a solution" implies "the requirement is met" (`check_forms`): `HelperForm`,
  `PricedRowForm`, `ExcessTotalForm`, `TransferForm`, `RoundingMissing`, `CreditRefused`;
* facts of the listing and of the policy's name (`check_listing`): `UnlistedSlot`, `CollateralSlot`,
  `ContingencyMissing`, `SolvencyForm`.

`check_implies` shows, also from the data, that one policy implies another for every state: `NotImplied`.

The checks rule out wrong forms, not wrong numbers. Constants, prices, scenario values, factors, moves and charges are
parameters: a policy with a price of zero, a chord whose constant is too large or a transfer that costs one unit has an
allowed form and asks too little. Whether the numbers are right is for each signer and the auditor, who compute the
policy again from the market snapshot and the published parameters and compare number by number.
"""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.record import CONTINGENCY, ROUNDING, HelperKind, Policy, PolicyError
from zkmargin.engine.presets import BITS, PERPETUAL_OFFSET, SPOT_OFFSET

CLOSED_SIDE_RATE = (1 << BITS.charge_rate) - 1
"""Charge per lot, micro-dollars (68,719 USD), that closes a side of a slot: empty slots on both sides, collateral when
owed."""

SOLVENCY_NAMES = ("initial", "maintenance", "withdraw")
"""Names under which the contract asks for solvency: a policy with one of them must measure it."""

LEAST_RESOLUTION = 20
"""Least size of a transfer's largest move, in units of its coefficient: moves are then proportional to 5 % or
better."""


class RefusedPolicy(PolicyError):
    """A number that a policy must not hold. `row` and `column` are None where they do not apply."""

    def __init__(
        self, policy: str, rule: str, value: object, allowed: str, row: int | None = None, column: int | None = None
    ):
        self.policy, self.rule, self.value, self.allowed, self.row, self.column = (
            policy,
            rule,
            value,
            allowed,
            row,
            column,
        )
        place = "".join(f", {name} {at}" for name, at in (("row", row), ("column", column)) if at is not None)
        super().__init__(f"policy {policy!r}{place}: {rule} is {value}; allowed: {allowed}")


class BoundExceeded(RefusedPolicy):
    """A single number exceeds its bound in the bit budget."""


class RowTotalExceeded(RefusedPolicy):
    """The largest value that a row can take, in size, does not stay below 2^83."""


class HelperForm(RefusedPolicy):
    """A helper appears with a sign, or in a row, that its kind does not allow."""


class PricedRowForm(RefusedPolicy):
    """A row with u = 1 is not of the exact expected-shortfall form e + t + P&L . q - K_2."""


class ExcessTotalForm(RefusedPolicy):
    """The row that uses X is not of the form a E - m t - X with 0 < a <= m <= sum of weights."""


class TransferForm(RefusedPolicy):
    """A free choice is neither the t of an expected shortfall nor a charged transfer between two groups with mirrored
    moves."""


class RoundingMissing(RefusedPolicy):
    """A row with position columns does not carry -K_2, or K_2 does not count every lot."""


class CreditRefused(RefusedPolicy):
    """A charge appears as a credit."""


class UnlistedSlot(RefusedPolicy):
    """A slot without an instrument has a value, or a side of it is open."""


class CollateralSlot(RefusedPolicy):
    """A collateral slot may be owed."""


class ContingencyMissing(RefusedPolicy):
    """A row that bounds a value does not subtract K_1, so that closed sides of slots would cost nothing."""


class SolvencyForm(RefusedPolicy):
    """A policy under a name that means solvency has no equity after charges, or `withdraw` allows debt."""


class NotImplied(PolicyError):
    """A policy is not implied by another one, as far as the data show; carries both names, the row (or None) and the
    reason."""

    def __init__(self, stronger: str, weaker: str, row: int | None, reason: str):
        self.stronger, self.weaker, self.row, self.reason = stronger, weaker, row, reason
        place = "" if row is None else f" in row {row}"
        super().__init__(f"policy {stronger!r} is not shown to imply {weaker!r}{place}: {reason}")


# ------------------------------------------------------------------------------------------------------ bit budget
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
    total_weight = int(policy.weights @ policy.priced)
    own_excess = np.zeros(policy.preset.rows, dtype=np.int64)
    own_excess[: policy.preset.excess_rows] = policy.priced
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
    _check_range(policy, "u", policy.priced, 0, 1)
    _check_range(policy, "weight", policy.weights, 0, (1 << BITS.weight) - 1)
    _check_range(policy, "rate_long", policy.rate_long, 0, CLOSED_SIDE_RATE)
    _check_range(policy, "rate_short", policy.rate_short, 0, CLOSED_SIDE_RATE)
    price = (1 << BITS.price) - 1
    for j in _columns(policy, HelperKind.VALUE):
        for row in np.flatnonzero(policy.helpers[:, j] < 0):
            for slot in np.flatnonzero(np.abs(policy.positions[row]) > price):
                value = int(policy.positions[row, slot])
                raise BoundExceeded(policy.name, "price", value, f"{-price} to {price}", int(row), int(slot))
    limit = 1 << BITS.constant
    for row, constant in enumerate(policy.constants):
        if abs(constant) >= limit:
            raise BoundExceeded(policy.name, "b", constant, f"{1 - limit} to {limit - 1}", row)
    for row, total in enumerate(compute_row_bounds(policy)):
        if total >= 1 << BITS.slack:
            raise RowTotalExceeded(policy.name, "row total", total, f"below 2^{BITS.slack}", row)


# ----------------------------------------------------------------------------------------------------------- forms
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


def _columns(policy: Policy, kind: HelperKind) -> list[int]:
    return [j for j, other in enumerate(policy.helper_kinds) if other is kind]


def _is_priced(policy: Policy, row: int) -> bool:
    return row < policy.preset.excess_rows and bool(policy.priced[row])


def _check_losses(policy: Policy) -> None:
    losses, values = _columns(policy, HelperKind.LOSS), _columns(policy, HelperKind.VALUE)
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
            if policy.cash[row] or policy.excess_total[row] or _is_priced(policy, row):
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
    for j in _columns(policy, HelperKind.VALUE):
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
            if policy.excess_total[row] or _is_priced(policy, row):
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
            if (policy.helpers[row][_columns(policy, HelperKind.VALUE)] != 0).sum() > 1:
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
    losses = _columns(policy, HelperKind.LOSS)
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


# --------------------------------------------------------------------------------------------------------- listing
def check_listing(policy: Policy, is_listed: np.ndarray) -> None:
    """Facts of the listing: an empty slot is worth nothing and, in a policy that measures solvency, closed on both
    sides.

    A policy measures solvency when it has a value helper (the equity after charges), and must under the names of
    `SOLVENCY_NAMES`. Its closed sides cost K_1, so every row that bounds a value subtracts K_1. Lots in an empty slot
    could otherwise be collected today and be lots of something at the next generation.

    Parameters
    ----------
    policy : Policy
    is_listed : ndarray of bool
        (N,) whether the slot holds an instrument.

    Raises
    ------
    UnlistedSlot
        If an empty slot has a non-zero coefficient, or a charge below `CLOSED_SIDE_RATE` on a side that must be closed.
    CollateralSlot
        If a collateral slot may be owed at less than `CLOSED_SIDE_RATE`.
    TransferForm
        If a transfer between groups does not move a linear exposure.
    ContingencyMissing
        If a row that bounds a value does not subtract K_1 in full.
    SolvencyForm
        If a policy named in `SOLVENCY_NAMES` has no value that a row with cash bounds, or `withdraw` has no row
        "cash >= 0".
    """
    is_listed = np.asarray(is_listed, dtype=bool)
    if is_listed.shape != (policy.preset.slots,):
        raise UnlistedSlot(policy.name, "shape of is_listed", is_listed.shape, f"({policy.preset.slots},)")
    _check_moves(policy, is_listed)
    for row, slot in np.argwhere((policy.positions != 0) & ~is_listed[None, :]):
        raise UnlistedSlot(
            policy.name, "W on a slot without an instrument", int(policy.positions[row, slot]), "0", int(row), int(slot)
        )
    _check_name(policy)
    if HelperKind.VALUE not in policy.helper_kinds:
        return
    for j in _columns(policy, HelperKind.VALUE):
        for row in np.flatnonzero((policy.helpers[:, j] < 0) & (policy.charges[:, CONTINGENCY] > -1)):
            charge = int(policy.charges[row, CONTINGENCY])
            raise ContingencyMissing(
                policy.name, "W on K_1 of a row that bounds a value", charge, "-1 or less", int(row), j
            )
    collateral = policy.preset.collateral_slots
    for slot in collateral:
        if policy.rate_short[CONTINGENCY, slot] != CLOSED_SIDE_RATE:
            raise CollateralSlot(
                policy.name,
                "rate_short of K_1",
                int(policy.rate_short[CONTINGENCY, slot]),
                f"{CLOSED_SIDE_RATE}",
                column=slot,
            )
    for slot in np.flatnonzero(~is_listed):
        for side in ("rate_long", "rate_short"):
            rate = int(getattr(policy, side)[CONTINGENCY, slot])
            if rate != CLOSED_SIDE_RATE and int(slot) not in collateral:
                raise UnlistedSlot(policy.name, f"{side} of K_1", rate, f"{CLOSED_SIDE_RATE}", column=int(slot))


def _check_name(policy: Policy) -> None:
    """What a name promises to the contract that asks for a policy by it."""
    if policy.name not in SOLVENCY_NAMES:
        return
    values = _columns(policy, HelperKind.VALUE)
    if not values:
        raise SolvencyForm(policy.name, "number of values", 0, "1 or more, as the name means solvency")
    for j in values:
        if not policy.cash[policy.helpers[:, j] < 0].any():
            raise SolvencyForm(policy.name, "rows with cash that bound a value", 0, "1 or more", column=j)
    if policy.name != "withdraw":
        return
    other = policy.positions.any(axis=1) | policy.helpers.any(axis=1)
    if not any(cash and constant <= 0 for cash, constant in zip(policy.cash * ~other, policy.constants, strict=True)):
        raise SolvencyForm(
            policy.name, "rows cash >= 0", 0, "1 or more, with b of 0 or less and without positions and helpers"
        )


def _check_moves(policy: Policy, is_listed: np.ndarray) -> None:
    """A transfer moves a linear exposure: in every row of a group it gains in proportion to a linear instrument of one
    coin.

    Without this, a transfer could relieve the worst cell alone. Proportions are compared to one unit of the
    coefficient, so the largest must be at least `LEAST_RESOLUTION`.
    """
    for plus, kind in enumerate(policy.helper_kinds):
        column = policy.helpers[:, plus]
        if kind is not HelperKind.FREE_PLUS or any(_is_priced(policy, row) for row in np.flatnonzero(column)):
            continue
        chosen = np.flatnonzero((column != 0) & (column == -policy.helpers[:, plus + 1]))
        for j in _columns(policy, HelperKind.LOSS):
            rows = np.flatnonzero(policy.helpers[:, j] > 0)
            if np.intersect1d(rows, chosen).size and not _is_linear(policy, rows, column[rows], is_listed):
                raise TransferForm(
                    policy.name,
                    "moves of a transfer in a group",
                    column[rows].tolist(),
                    f"in proportion to a listed spot or perpetual of the group, the largest {LEAST_RESOLUTION} or more",
                    int(rows[0]),
                    plus,
                )


def _is_linear(policy: Policy, rows: np.ndarray, moves: np.ndarray, is_listed: np.ndarray) -> bool:
    largest = int(np.abs(moves).argmax())
    if abs(moves[largest]) < LEAST_RESOLUTION:
        return False
    for slots in policy.preset.coins.values():
        for slot in (slots.start + SPOT_OFFSET, slots.start + PERPETUAL_OFFSET):
            values = policy.positions[rows, slot]
            if is_listed[slot] and values[largest]:
                expected = values * (int(moves[largest]) / int(values[largest]))
                if (np.abs(moves - expected) <= 1.0).all():
                    return True
    return False


def check_policy(policy: Policy, is_listed: np.ndarray | None = None) -> None:
    """Bit budget and forms; with `is_listed` (N,) also the facts of the listing.

    Raises
    ------
    RefusedPolicy
        The subclass says which rule; fields name row, column, value and what is allowed.
    """
    check_bit_budget(policy)
    check_forms(policy)
    if is_listed is not None:
        check_listing(policy, is_listed)


# ----------------------------------------------------------------------------------------------------- implication
def check_implies(stronger: Policy, weaker: Policy) -> None:
    """Every state that meets `stronger` meets `weaker`, shown by mapping certificates.

    Lemma. Take a certificate (x, e) of `stronger` for a state (q, cash), and use the same x, and the same e where
    `weaker` prices the row, for `weaker`. If the checks below hold, it is a certificate of `weaker`.

    Proof. The charge rates of `weaker` are at most those of `stronger`, slot by slot and side by side, so 0 <= K' <= K
    for the same q. Where `weaker` prices a row, `stronger` prices it with at least that weight, so 0 <= X' <= X. Take a
    row of `weaker`; either it holds for every certificate (no positions, cash or charges, no negative number), or a row
    of `stronger` has the same position and cash columns, charges c <= c' <= 0, excess total g <= g' <= 0, helpers h <=
    h' and constant b <= b'. Then the row's value for `weaker` exceeds the other by (c' K' - c K) + (g' X' - g X) + (h'
    - h) x + (b' - b), and each term is at least zero: c' K' >= c K' >= c K, likewise for X, and x >= 0. The ranges hold
    since x, e are the same, and K' <= K. The argument uses no bound on q or cash, so it holds up to the edges of their
    ranges.

    Raises
    ------
    NotImplied
        If the data do not show it; the policies may still imply one another.
    """
    if stronger.preset != weaker.preset:
        raise NotImplied(
            stronger.name, weaker.name, None, f"presets {stronger.preset.name} and {weaker.preset.name} differ"
        )
    for side in ("rate_long", "rate_short"):
        for k, slot in np.argwhere(getattr(weaker, side) > getattr(stronger, side)):
            raise NotImplied(stronger.name, weaker.name, None, f"{side} of K_{k + 1} is larger in slot {slot}")
    for row in range(weaker.preset.excess_rows):
        if weaker.priced[row] and not (stronger.priced[row] and weaker.weights[row] <= stronger.weights[row]):
            raise NotImplied(
                stronger.name, weaker.name, row, "priced, or with a larger weight, only in the weaker policy"
            )
    for row in range(weaker.preset.rows):
        if _always_holds(weaker, row):
            continue
        others = () if _is_priced(weaker, row) else range(stronger.preset.rows)
        if not (
            _dominates(stronger, row, weaker, row) or any(_dominates(stronger, other, weaker, row) for other in others)
        ):
            raise NotImplied(stronger.name, weaker.name, row, "no row of the stronger policy dominates it")


def _always_holds(policy: Policy, row: int) -> bool:
    no_state = not (
        policy.positions[row].any() or policy.cash[row] or policy.charges[row].any() or policy.excess_total[row]
    )
    return bool(no_state and (policy.helpers[row] >= 0).all() and policy.constants[row] >= 0)


def _dominates(stronger: Policy, other: int, weaker: Policy, row: int) -> bool:
    return bool(
        weaker.cash[row] == stronger.cash[other]
        and _is_priced(weaker, row) == _is_priced(stronger, other)
        and weaker.constants[row] >= stronger.constants[other]
        and (stronger.charges[other] <= weaker.charges[row]).all()
        and (weaker.charges[row] <= 0).all()
        and stronger.excess_total[other] <= weaker.excess_total[row] <= 0
        and (weaker.helpers[row] >= stronger.helpers[other]).all()
        and np.array_equal(weaker.positions[row], stronger.positions[other])
    )
