"""From a policy to its forms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from zkmargin.engine.policy.errors import CreditRefused, HelperForm, RoundingMissing, TransferForm
from zkmargin.engine.policy.forms.losses import read_loss
from zkmargin.engine.policy.forms.record import Forms
from zkmargin.engine.policy.forms.tail import read_tail
from zkmargin.engine.policy.forms.transfers import read_transfer
from zkmargin.engine.policy.forms.values import read_value
from zkmargin.engine.policy.record import ROUNDING, HelperKind, Policy


@lru_cache(maxsize=64)
def read_forms(policy: Policy) -> Forms:
    """The forms of a policy that is within the bit budget.

    Raises
    ------
    CreditRefused, RoundingMissing, HelperForm, SoftRowForm, ExcessTotalForm, TransferForm
        Per rule of the module's text; says where and what is allowed.
    """
    _check_charges(policy)
    _check_kinds(policy)
    tail = read_tail(policy)
    losses = tuple(read_loss(policy, column) for column in policy.get_columns(HelperKind.LOSS))
    values = tuple(read_value(policy, column) for column in policy.get_columns(HelperKind.VALUE))
    transfers = tuple(
        read_transfer(policy, column, losses)
        for column in policy.get_columns(HelperKind.FREE_PLUS)
        if tail is None or column != tail.plus
    )
    return Forms(policy, losses, values, transfers, tail)


def describe_row(policy: Policy, row: int) -> str:
    """What a row is for, in words."""
    return read_forms(policy).kinds[row].value


def _check_charges(policy: Policy) -> None:
    for row, column in np.argwhere(policy.charges > 0).tolist():
        raise CreditRefused(policy.name, "W on K", int(policy.charges[row, column]), "0 or negative", row, column)
    with_positions = np.flatnonzero(policy.positions.any(axis=1)).tolist()
    for row in with_positions:
        rounding = int(policy.charges[row, ROUNDING])
        if rounding > -1:
            raise RoundingMissing(
                policy.name, "W on K_2 of a row with positions", rounding, "-1 or less", row, ROUNDING
            )
    if not with_positions:
        return
    for side, rates in (("rate_long", policy.rate_long[ROUNDING]), ("rate_short", policy.rate_short[ROUNDING])):
        for slot in np.flatnonzero(rates != 1).tolist():
            raise RoundingMissing(policy.name, f"{side} of K_2", int(rates[slot]), "1", column=slot)


def _check_kinds(policy: Policy) -> None:
    """An unused helper stands nowhere, and the two parts of a free choice stand side by side."""
    kinds = (None, *policy.helper_kinds, None)
    for column, (before, kind, after) in enumerate(zip(kinds, kinds[1:], kinds[2:], strict=False)):
        weights = policy.helpers[:, column]
        used = np.flatnonzero(weights).tolist()
        if kind is HelperKind.UNUSED and used:
            raise HelperForm(policy.name, "W on an unused helper", int(weights[used[0]]), "0", used[0], column)
        if kind is HelperKind.FREE_PLUS and after is not HelperKind.FREE_MINUS:
            raise HelperForm(policy.name, "kind after FREE_PLUS", _name_kind(after), "FREE_MINUS", column=column)
        if kind is HelperKind.FREE_MINUS and before is not HelperKind.FREE_PLUS:
            raise HelperForm(policy.name, "kind before FREE_MINUS", _name_kind(before), "FREE_PLUS", column=column)
        if kind is HelperKind.FREE_PLUS:
            _check_free_choice(policy, column)


def _name_kind(kind: HelperKind | None) -> str:
    return kind.name if kind is not None else "none"


def _check_free_choice(policy: Policy, plus: int) -> None:
    first, second = policy.helpers[:, plus], policy.helpers[:, plus + 1]
    for row in np.flatnonzero((first != -second) & ((first != second) | (first > 0))).tolist():
        raise TransferForm(
            policy.name,
            "W on the parts of a free choice",
            (int(first[row]), int(second[row])),
            "(a, -a) where it is chosen, (-c, -c) where it is charged",
            row,
            plus,
        )
