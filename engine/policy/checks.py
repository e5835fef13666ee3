"""What a policy's numbers must satisfy: checked by the compiler that makes it, every signer, and the auditor, from the
data alone.

Three families, each with its own error:

* the bit budget (`engine.policy.bit_budget`), up to the exact total of each row: `BoundExceeded`, `RowTotalExceeded`;
* the forms under which "the rows have a solution" implies "the requirement is met" (`engine.policy.forms`):
  `HelperForm`, `PricedRowForm`, `ExcessTotalForm`, `TransferForm`, `RoundingMissing`, `CreditRefused`;
* facts of the listing and of the policy's name (`check_listing`): `UnlistedSlot`, `CollateralSlot`,
  `ContingencyMissing`, `SolvencyForm`.

The checks rule out wrong forms, not wrong numbers. Constants, prices, scenario values, factors, moves and charges are
parameters: a policy with a price of zero, a chord whose constant is too large or a transfer that costs one unit has an
allowed form and asks too little. Whether the numbers are right is for each signer and the auditor, who compute the
policy again from the market snapshot and the published parameters and compare number by number.
"""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE, check_bit_budget
from zkmargin.engine.policy.bytes import decode
from zkmargin.engine.policy.errors import (
    CollateralSlot,
    ContingencyMissing,
    MalformedPolicy,
    SolvencyForm,
    TransferForm,
    UnlistedSlot,
)
from zkmargin.engine.policy.forms import check_forms
from zkmargin.engine.policy.record import CONTINGENCY, HelperKind, Policy
from zkmargin.engine.presets import PERPETUAL_OFFSET, SPOT_OFFSET

SOLVENCY_NAMES = ("initial", "maintenance", "withdraw")
"""Names under which the contract asks for solvency: a policy with one of them must measure it."""

LEAST_RESOLUTION = 20
"""Least size of a transfer's largest move, in units of its coefficient: moves are then proportional to 5 % or
better."""


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
    for j in policy.get_columns(HelperKind.VALUE):
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
    values = policy.get_columns(HelperKind.VALUE)
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
        if kind is not HelperKind.FREE_PLUS or any(row in policy.priced_rows for row in np.flatnonzero(column)):
            continue
        chosen = np.flatnonzero((column != 0) & (column == -policy.helpers[:, plus + 1]))
        for j in policy.get_columns(HelperKind.LOSS):
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


def read_policy(data: bytes) -> Policy:
    """The policy of canonical bytes, after every check that the policy alone allows.

    Raises
    ------
    MalformedPolicy
        If the bytes are not the canonical encoding of a policy.
    RefusedPolicy
        If a number breaks the bit budget or a form.
    """
    policy = Policy(**decode(bytes(data)))
    if policy.to_bytes() != bytes(data):
        raise MalformedPolicy("canonical bytes", "are not the canonical encoding of their content")
    check_policy(policy)
    return policy
