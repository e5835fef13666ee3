"""What a policy's numbers must satisfy: checked by the house that makes it and by every signer, from the data alone.

Three families, each with its own errors:

* the bit budget (`engine.policy.bit_budget`), up to the exact total of each row;
* the forms (`engine.policy.forms`) under which "the rows have a solution" implies "the requirement is met";
* facts of the listing and of the policy's name (`check_listing`).

The checks rule out wrong forms, not wrong numbers. Constants, prices, scenario values, factors, moves and charges are
parameters: a policy with a price of zero, a chord whose constant is too large or a transfer that costs one unit has an
allowed form and requires too little. Whether the numbers are right is for each signer, who computes the policy again
from the market snapshot and the published parameters and compares number by number.
"""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE, check_bit_budget
from zkmargin.engine.policy.bytes import decode
from zkmargin.engine.policy.errors import (
    CollateralSlot,
    ContingencyMissing,
    DebtForm,
    MalformedPolicy,
    SolvencyForm,
    TransferForm,
    UnlistedSlot,
)
from zkmargin.engine.policy.forms import LIMITS, Forms, Loss, Transfer, read_forms
from zkmargin.engine.policy.record import CONTINGENCY, Policy
from zkmargin.engine.presets import PERPETUAL_OFFSET, SPOT_OFFSET, Split
from zkmargin.engine.units import USD6

SOLVENCY_NAMES = ("initial", "maintenance", "withdraw")
"""Names under which the contract asks for solvency: a policy with one of them must measure it."""

LARGEST_DEBT_USD6 = {"initial": 0, "maintenance": 1_000_000 * USD6, "withdraw": 0}
"""By name: how far cash plus linear value may lie below zero, micro-dollars. Nobody trades or withdraws into debt; at
maintenance it is what a loss may leave."""

WHOLE_TAIL_NAMES = ("initial", "withdraw")
"""Names that promise the expected shortfall in full, where a policy has one; maintenance may require a share of it."""

LEAST_RESOLUTION = 20
"""Least size of a transfer's largest move, in units of its coefficient: moves are then proportional to 5 % or
better."""


def check_policy(policy: Policy, is_listed: np.ndarray | None = None) -> None:
    """Bit budget and forms; with `is_listed` (N,) also the facts of the listing.

    Raises
    ------
    RefusedPolicy
        The subclass says which rule; fields name row, column, value and what is allowed.
    """
    check_bit_budget(policy)
    read_forms(policy)
    if is_listed is not None:
        check_listing(policy, is_listed)


def read_policy(data: bytes, split: Split) -> Policy:
    """The policy of canonical bytes, after every check that the policy alone allows.

    `split` is the listing's split of slots between coins: `NO_SPLIT` for that of presets.json.

    Raises
    ------
    MalformedPolicy
        If the bytes are not the canonical encoding of a policy.
    RefusedPolicy
        If a number breaks the bit budget or a form.
    """
    policy = Policy(**decode(bytes(data), split))
    if policy.to_bytes() != bytes(data):
        raise MalformedPolicy("canonical bytes", "are not the canonical encoding of their content")
    check_policy(policy)
    return policy


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
        If a collateral slot may be held short at less than `CLOSED_SIDE_RATE`.
    TransferForm
        If a transfer between groups does not move a linear exposure.
    ContingencyMissing
        If a row that bounds a value does not subtract K_1 in full.
    SolvencyForm
        If a policy named in `SOLVENCY_NAMES` has no value that a row with cash bounds, or one named in
        `WHOLE_TAIL_NAMES` requires less than its expected shortfall.
    DebtForm
        If a policy named in `SOLVENCY_NAMES` has no row limit + cash + price . q over perpetuals and futures, prices as
        in equity, with a limit of at most `LARGEST_DEBT_USD6`.
    """
    forms, is_listed = read_forms(policy), np.asarray(is_listed, dtype=bool)
    if is_listed.shape != (policy.preset.slots,):
        raise UnlistedSlot(policy.name, "shape of is_listed", is_listed.shape, f"({policy.preset.slots},)")
    for transfer in forms.transfers:
        for group in transfer.groups:
            _check_moves(policy, transfer, group, is_listed)
    for row, slot in np.argwhere((policy.positions != 0) & ~is_listed).tolist():
        price = int(policy.positions[row, slot])
        raise UnlistedSlot(policy.name, "W on a slot without an instrument", price, "0", row, slot)
    _check_name(forms)
    if forms.values:
        _check_contingency(forms)
        _check_closed_sides(policy, is_listed)


def _check_contingency(forms: Forms) -> None:
    policy = forms.policy
    for value in forms.values:
        for row in value.rows:
            charge = int(policy.charges[row, CONTINGENCY])
            if charge > -1:
                rule = "W on K_1 of a row that bounds a value"
                raise ContingencyMissing(policy.name, rule, charge, "-1 or less", row, value.helper)


def _check_closed_sides(policy: Policy, is_listed: np.ndarray) -> None:
    """Collateral cannot be held short, and an empty slot not at all."""
    collateral = policy.preset.collateral_slots
    long, short = (rates[CONTINGENCY].tolist() for rates in (policy.rate_long, policy.rate_short))
    for slot in collateral:
        if short[slot] != CLOSED_SIDE_RATE:
            raise CollateralSlot(policy.name, "rate_short of K_1", short[slot], f"{CLOSED_SIDE_RATE}", column=slot)
    for slot in np.flatnonzero(~is_listed).tolist():
        for side, rates in (("rate_long", long), ("rate_short", short)):
            if rates[slot] != CLOSED_SIDE_RATE and slot not in collateral:
                raise UnlistedSlot(policy.name, f"{side} of K_1", rates[slot], f"{CLOSED_SIDE_RATE}", column=slot)


def _check_name(forms: Forms) -> None:
    """What a name promises to the contract that asks for a policy by it."""
    policy = forms.policy
    if policy.name not in SOLVENCY_NAMES:
        return
    if not forms.values:
        raise SolvencyForm(policy.name, "number of values", 0, "1 or more, as the name means solvency")
    for value in forms.values:
        if not any(policy.cash[row] for row in value.rows):
            rule = "rows with cash that bound a value"
            raise SolvencyForm(policy.name, rule, 0, "1 or more", column=value.helper)
    _check_debt(forms)
    if policy.name in WHOLE_TAIL_NAMES and forms.tail:
        for tail_sum in forms.tail.sums:
            if tail_sum.tail_divisor > tail_sum.tail_weight:
                rule, allowed = "W on E beside X", f"{tail_sum.tail_weight} or less, the expected shortfall in full"
                raise SolvencyForm(
                    policy.name, rule, tail_sum.tail_divisor, allowed, tail_sum.row, column=tail_sum.value
                )


def _check_debt(forms: Forms) -> None:
    """Cash and the value of perpetuals and futures, at equity's prices, are together at least minus the limit.

    Linear value sums to zero over the accounts, so where every account meets the row with limit zero, the cash of those
    without derivatives is in the vault. Another column would let an account owe cash against what is not cash.
    """
    policy = forms.policy
    linear = np.isin(np.arange(policy.preset.slots), policy.preset.linear_slots)
    rows = [row for row in forms.get_rows(*LIMITS) if policy.cash[row]]
    prices = [np.where(linear, policy.positions[equity_row], 0) for equity_row in forms.equity_rows]
    for row in rows:
        if policy.positions[row].any():
            _check_debt_columns(policy, row, prices)
    largest = LARGEST_DEBT_USD6[policy.name]
    limits = [policy.constants[row] for row in rows if (policy.positions[row] == prices[0]).all()]
    if not limits or min(limits) > largest:
        rule, found = ("b of the debt row", min(limits)) if limits else ("number of debt rows", 0)
        allowed = f"{largest} or less" if limits else "1 or more"
        raise DebtForm(policy.name, rule, found, allowed)


def _check_debt_columns(policy: Policy, row: int, prices: list[np.ndarray]) -> None:
    for expected in prices:
        for slot in np.flatnonzero(policy.positions[row] != expected).tolist():
            allowed = f"{expected[slot]}, as in equity" if expected[slot] else "0, as it is no perpetual or future"
            raise DebtForm(
                policy.name, "W on positions of a debt row", int(policy.positions[row, slot]), allowed, row, slot
            )


def _check_moves(policy: Policy, transfer: Transfer, group: Loss, is_listed: np.ndarray) -> None:
    """A transfer moves a linear exposure: in every row of a group it gains in proportion to a linear instrument of one
    coin.

    Without this, a transfer could relieve the worst cell alone. Proportions are compared to one unit of the
    coefficient, so the largest must be at least `LEAST_RESOLUTION`.
    """
    moves = policy.helpers[list(group.rows), transfer.plus]
    if not _is_linear(policy, list(group.rows), moves, is_listed):
        raise TransferForm(
            policy.name,
            "moves of a transfer in a group",
            moves.tolist(),
            f"in proportion to a listed spot or perpetual of the group, the largest {LEAST_RESOLUTION} or more",
            group.rows[0],
            transfer.plus,
        )


def _is_linear(policy: Policy, rows: list[int], moves: np.ndarray, is_listed: np.ndarray) -> bool:
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
