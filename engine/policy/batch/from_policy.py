"""From a policy's rows to the fields of a `BatchModel`: each row is put where its form belongs, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zkmargin.engine.policy.batch.model import Group, Part, UnsupportedForm
from zkmargin.engine.policy.layout import Helper
from zkmargin.engine.policy.record import HelperKind, Policy

JOINED = (Helper.LOSS_BTC, Helper.LOSS_ETH)
"""Helpers of the groups that the transfer joins."""


@dataclass(frozen=True)
class Unit:
    """Rows that stay together in a block's losses."""

    columns: np.ndarray
    """(R, N) W on positions; a loss is its negative."""
    constants: np.ndarray
    """(R,) b."""


Rows = tuple[int, np.ndarray, list[int], np.ndarray, bool]
"""A group on its way to `Group`: (unit, slopes, rows per slope, shift, is_floored)."""


class Reader:
    """Sorts the rows of one policy."""

    def __init__(self, policy: Policy):
        self.policy = policy
        self.constants = np.array([float(value) for value in policy.constants])
        self.left = set(np.flatnonzero(self._is_used()).tolist())
        self.units: list[Unit] = []

    def _is_used(self) -> np.ndarray:
        policy = self.policy
        blocks = (policy.positions, policy.cash[:, None], policy.charges, policy.helpers, policy.excess_total[:, None])
        return np.any(np.hstack(blocks) != 0, axis=1) | (self.constants < 0)

    def refuse(self, row: int | None, reason: str) -> UnsupportedForm:
        return UnsupportedForm(self.policy.name, row, reason)

    def take(self, row: int, **allowed: object) -> None:
        """Count the row as read; only the named fields may be non-zero: `helpers` (their numbers), `cash`, `total`,
        `positions`, `constant`."""
        policy = self.policy
        helpers = set(np.flatnonzero(policy.helpers[row]).tolist())
        if not helpers <= set(allowed.get("helpers", ())):
            raise self.refuse(row, f"has helpers {sorted(helpers)}")
        for name, value in (
            ("cash", policy.cash[row]),
            ("total", policy.excess_total[row]),
            ("positions", policy.positions[row].any()),
            ("charges", policy.charges[row].any()),
            ("constant", policy.constants[row]),
        ):
            if value and not allowed.get(name):
                raise self.refuse(row, f"has a coefficient on {name}")
        self.left.discard(row)

    def add_unit(self, rows: Sequence[int]) -> int:
        """Number of the unit that holds `rows`, in that order."""
        self.units.append(Unit(self.policy.positions[list(rows)], self.constants[list(rows)]))
        return len(self.units) - 1

    def get_bounds(self, helper: int, sign: int) -> list[int]:
        """Rows in which the helper has that sign."""
        return np.flatnonzero(sign * self.policy.helpers[:, helper] > 0).tolist()

    def get_shift(self, rows: Sequence[int]) -> np.ndarray:
        """(2,) what the charges add to the loss of each of `rows`, which must agree."""
        shifts = -self.policy.charges[list(rows)]
        if len(rows) and (shifts != shifts[0]).any():
            raise self.refuse(rows[0], "counts other charges than its group")
        return shifts[0].astype(float) if len(rows) else np.zeros(2)


def read_policy(policy: Policy, without_shortfall: bool) -> dict[str, object]:
    """Fields of the `BatchModel` of `policy`; raises `UnsupportedForm`."""
    reader = Reader(policy)
    kinds, helpers = policy.helper_kinds, policy.helpers
    equity_rows = reader.get_bounds(Helper.EQUITY, -1)
    if kinds[Helper.EQUITY] is not HelperKind.VALUE or len(equity_rows) != 1 or helpers[equity_rows[0]].min() < -1:
        raise reader.refuse(None, "has no single row of equity after charges with coefficients of one")
    equity = equity_rows[0]
    charged = [j for j, kind in enumerate(kinds) if kind is HelperKind.LOSS and j not in JOINED]
    reader.take(equity, helpers=[Helper.EQUITY, *charged], cash=True, positions=True, charges=True)
    if policy.cash[equity] != 1:
        raise reader.refuse(equity, "does not count cash once")

    equity_unit = reader.add_unit([equity])
    scenario = _read_tail(reader, without_shortfall)
    joined = [_read_group(reader, j, with_transfer=True) for j in JOINED]
    buffers = [_read_group(reader, j, with_transfer=False) for j in charged if helpers[equity, j]]
    factors, charge = _read_total(reader)
    limits = []
    for row in sorted(reader.left):
        reader.take(row, cash=True, positions=True, charges=True, constant=True)
        limits.append((reader.add_unit([row]), float(policy.cash[row]), -policy.charges[row].astype(float)))

    parts, starts, constants = _lay_out(reader, policy)
    reach = [
        sum(f * own[1][end] for f, own in zip(factors, joined, strict=True)) * sign + charge
        for end, sign in ((-1, 1), (0, -1))
    ]
    if min(reach) < 0:
        raise reader.refuse(None, "lets a transfer without end lower the requirement")
    unit, weights, tail, divisor, tail_shift = scenario
    rows = slice(starts[unit], starts[unit] + len(reader.units[unit].columns)) if unit is not None else slice(0, 0)
    return {
        "slots": policy.preset.slots,
        "size": len(constants),
        "parts": parts,
        "constants": constants,
        "absolute": (policy.rate_long + policy.rate_short) / 2.0,
        "signed": slice(0, 2),
        "equity": starts[equity_unit],
        "charges": -policy.charges[equity].astype(float),
        "groups": tuple(_place(group, starts) for group in joined),
        "factors": factors,
        "transfer_charge": charge,
        "buffers": tuple(_place(group, starts) for group in buffers),
        "scenarios": rows,
        "weights": weights,
        "tail": tail,
        "tail_divisor": divisor,
        "tail_shift": tail_shift,
        "limits": tuple((starts[unit], cash, taken) for unit, cash, taken in limits),
    }


def _read_tail(reader: Reader, without: bool) -> tuple[int | None, np.ndarray, float, float, np.ndarray]:
    """(unit of the scenarios, weights, m, m', shift) of the expected shortfall."""
    policy, nothing = reader.policy, (None, np.zeros(0), 1.0, 1.0, np.zeros(2))
    priced = np.flatnonzero(policy.priced).tolist()
    totals = np.flatnonzero(policy.excess_total).tolist()
    plus, minus = Helper.THRESHOLD_PLUS, Helper.THRESHOLD_MINUS
    if len(totals) > 1 or bool(priced) != bool(totals):
        raise reader.refuse(None, f"has {len(totals)} rows on the excess total and {len(priced)} scenarios")
    if not priced:
        return nothing
    for row in priced:
        reader.take(row, helpers=(plus, minus), positions=True, charges=True, constant=True)
        if policy.helpers[row, plus] != 1:
            raise reader.refuse(row, "does not count the threshold once")
    row = totals[0]
    reader.take(row, helpers=(Helper.EQUITY, plus, minus), total=True)
    divisor, tail = float(policy.helpers[row, Helper.EQUITY]), -float(policy.helpers[row, plus])
    weights = policy.weights[priced].astype(float)
    if divisor <= 0 or not 0 < tail <= weights.sum() or weights.min() <= 0:
        raise reader.refuse(row, f"averages a weight of {tail:g} by {divisor:g} of {weights.sum():g}")
    if without:
        return nothing
    return reader.add_unit(priced), weights, tail, divisor, reader.get_shift(priced)


def _read_group(reader: Reader, helper: int, *, with_transfer: bool) -> Rows:
    """The rows that bound a loss, sorted by what the transfer adds; a scenario in which nothing moves is left out."""
    policy, plus, minus = reader.policy, Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS
    rows = reader.get_bounds(helper, 1)
    for row in rows:
        free = (plus, minus) if with_transfer else ()
        reader.take(row, helpers=(helper, *free), positions=True, charges=True, constant=True)
        if policy.helpers[row, helper] != 1 or policy.helpers[row, plus] != -policy.helpers[row, minus]:
            raise reader.refuse(row, "does not count its loss once, or the two sides of a transfer alike")
    slope_of = {row: -float(policy.helpers[row, plus]) for row in rows}
    shift = reader.get_shift(rows)
    idle = [row for row in rows if not (policy.positions[row].any() or policy.constants[row] or slope_of[row])]
    rows = [row for row in rows if row not in idle]
    rows.sort(key=slope_of.__getitem__)
    slopes = sorted({0.0, *slope_of.values()})
    counts = [sum(slope_of[row] == slope for row in rows) for slope in slopes]
    return reader.add_unit(rows), np.array(slopes), counts, shift, bool(idle)


def _read_total(reader: Reader) -> tuple[np.ndarray, float]:
    """(factors of the joined groups, charge per unit of the transfer), both per unit of equity."""
    policy = reader.policy
    allowed = (Helper.EQUITY, *JOINED, Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS)
    rows = [row for row in reader.get_bounds(Helper.EQUITY, 1) if not policy.excess_total[row]]
    if len(rows) != 1:
        raise reader.refuse(None, f"has {len(rows)} rows that add up the groups")
    reader.take(rows[0], helpers=allowed)
    row = policy.helpers[rows[0]].astype(float) / float(policy.helpers[rows[0], Helper.EQUITY])
    if row[Helper.TRANSFER_PLUS] != row[Helper.TRANSFER_MINUS] or max(row[list(allowed[1:])]) > 0:
        raise reader.refuse(rows[0], "pays for a loss, or charges the two sides of a transfer differently")
    return -row[list(JOINED)], -row[Helper.TRANSFER_PLUS]


def _place(group: Rows, starts: list[int]) -> Group:
    unit, slopes, counts, shift, is_floored = group
    edges = starts[unit] + np.concatenate([[0], np.cumsum(counts)])
    rows = tuple(slice(int(low), int(high)) for low, high in pairwise(edges))
    return Group(rows, slopes, shift, is_floored)


def _lay_out(reader: Reader, policy: Policy) -> tuple[tuple[Part, ...], list[int], np.ndarray]:
    """Parts, first row of each unit, constants (size,). The first two rows hold the signed part of K."""
    signed = (policy.rate_long - policy.rate_short) / 2.0
    spans: list[range] = [range(policy.preset.slots), *policy.preset.coins.values()]
    chosen: list[list[int]] = [[] for _ in spans]
    for number, unit in enumerate(reader.units):
        used = np.flatnonzero(unit.columns.any(axis=0))
        own = [index for index, span in enumerate(spans) if used.size and used[0] in span and used[-1] in span]
        chosen[own[-1] if own else 0].append(number)
    parts, starts, constants, at = [], [0] * len(reader.units), [np.zeros(2)], 0
    for index, (span, numbers) in enumerate(zip(spans, chosen, strict=True)):
        blocks = [signed] if index == 0 else []
        first, at = at, at + 2 * len(blocks)
        for number in numbers:
            unit = reader.units[number]
            starts[number], at = at, at + len(unit.columns)
            blocks.append(-unit.columns[:, span.start : span.stop].astype(float))
            constants.append(unit.constants)
        if blocks:
            matrix = np.ascontiguousarray(np.vstack(blocks))
            parts.append(Part(slice(span.start, span.stop), slice(first, at), matrix))
    return tuple(parts), starts, np.concatenate(constants)
