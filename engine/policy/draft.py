"""The building blocks of a policy, one method each; `engine.policy.layout` says which row holds which.

Coefficients are micro-dollars per lot, rounded to nearest; every block with rounded columns subtracts K_2, which has
rate 1 per lot on both sides. Rounding moves a row by at most half a micro-dollar per lot, so the row's real value is at
least its integer value plus half of K_2: "the rows hold" implies the real requirement, with half a micro-dollar per lot
left for the floating point of whoever evaluates it.
"""

from __future__ import annotations

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.policy.layout import LOSSES, Helper, Layout
from zkmargin.engine.policy.record import CONTINGENCY, ROUNDING, HelperKind, Policy, blank_policy_fields
from zkmargin.engine.presets import Preset


class Draft:
    """A policy in the making: zero arrays and a method per block; `finish` makes the immutable record."""

    def __init__(self, preset: Preset):
        self.preset, self.layout = preset, Layout(preset)
        self.fields = blank_policy_fields(preset)

    def _set_kinds(self, **kinds: HelperKind) -> None:
        for name, kind in kinds.items():
            self.fields["helper_kinds"][Helper[name]] = kind

    def add_rounding(self) -> None:
        """K_2 counts every lot once."""
        self.fields["rate_long"][ROUNDING] = 1
        self.fields["rate_short"][ROUNDING] = 1

    def add_contingency(self, long: np.ndarray, short: np.ndarray) -> None:
        """Rates (N,) of K_1, micro-dollars per lot."""
        self.fields["rate_long"][CONTINGENCY] = long
        self.fields["rate_short"][CONTINGENCY] = short

    def add_group(self, rows: range, helper: Helper, slots: range, columns: np.ndarray, moves: np.ndarray) -> None:
        """Worst case of a group: x - n move + P&L . q - K_2 >= 0 per scenario.

        Parameters
        ----------
        rows : range
        helper : Helper
            x.
        slots : range
            Slots of the group.
        columns : ndarray of int
            (rows, slots) change in value, micro-dollars per lot.
        moves : ndarray of int
            (rows,) thousandths that one unit of the transfer gains in the scenario, with this group's sign.
        """
        block = slice(rows.start, rows.stop)
        self.fields["positions"][block, slots.start : slots.stop] = columns
        self.fields["helpers"][block, helper] = 1
        self.fields["helpers"][block, Helper.TRANSFER_PLUS] = -moves
        self.fields["helpers"][block, Helper.TRANSFER_MINUS] = moves
        self.fields["charges"][block, ROUNDING] = -1
        self._set_kinds(**{helper.name: HelperKind.LOSS})

    def add_equity(self, prices: np.ndarray) -> None:
        """cash + price . q - K_1 - K_2 - E >= 0, prices (N,) in micro-dollars per lot."""
        row = self.layout.equity
        self.fields["positions"][row] = prices
        self.fields["cash"][row] = 1
        self.fields["charges"][row] = -1
        self.fields["helpers"][row, Helper.EQUITY] = -1
        self._set_kinds(EQUITY=HelperKind.VALUE)

    def add_total(self, equity: int, factor: int, charge_mille: int) -> None:
        """a E - b (x_BTC + x_ETH) - b c (n+ + n-) >= 0, where b / a is the factor f and c is in thousandths of the
        exposure."""
        row = self.fields["helpers"][self.layout.total]
        row[Helper.EQUITY] = equity
        row[list(LOSSES.values())] = -factor
        row[[Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS]] = -factor * charge_mille
        self._set_kinds(TRANSFER_PLUS=HelperKind.FREE_PLUS, TRANSFER_MINUS=HelperKind.FREE_MINUS)

    def add_shortfall(self, columns: np.ndarray, weights: np.ndarray, tail_weight: int, tail_divisor: int) -> None:
        """Expected shortfall times m / m': e_h + t + P&L . q - K_2 >= 0 per scenario, and m' E - m t - X >= 0.

        Parameters
        ----------
        columns : ndarray of int
            (scenarios, N) change in value, micro-dollars per lot.
        weights : ndarray of int
            (scenarios,) at least 1.
        tail_weight : int
            m, the weight of the tail that is averaged.
        tail_divisor : int
            m', at least 1: the row requires m / m' times the expected shortfall.
        """
        count = len(columns)
        if count > self.preset.excess_rows:
            raise OutOfRange("number of scenarios", count, 1, self.preset.excess_rows)
        self.fields["positions"][:count] = columns
        self.fields["charges"][:count, ROUNDING] = -1
        self.fields["helpers"][:count, Helper.THRESHOLD_PLUS] = 1
        self.fields["helpers"][:count, Helper.THRESHOLD_MINUS] = -1
        self.fields["soft"][:count] = 1
        self.fields["weights"][:count] = weights
        row = self.layout.tail
        self.fields["helpers"][row, Helper.EQUITY] = tail_divisor
        self.fields["helpers"][row, Helper.THRESHOLD_PLUS] = -tail_weight
        self.fields["helpers"][row, Helper.THRESHOLD_MINUS] = tail_weight
        self.fields["excess_total"][row] = -1
        self._set_kinds(THRESHOLD_PLUS=HelperKind.FREE_PLUS, THRESHOLD_MINUS=HelperKind.FREE_MINUS)

    def add_debt_limit(self, prices: np.ndarray, limit_usd6: int) -> None:
        """limit + cash + price . q - K_2 >= 0 over perpetuals and dated futures; `prices` (N,) are equity's."""
        row, linear = self.layout.debt, list(self.preset.linear_slots)
        self.fields["positions"][row, linear] = prices[linear]
        self.fields["cash"][row] = 1
        self.fields["charges"][row, ROUNDING] = -1
        self.fields["constants"][row] = limit_usd6

    def add_chord(self, row: int, helper: Helper, columns: np.ndarray, constant_usd6: int) -> None:
        """x + columns . q + constant - K_2 >= 0: a chord of a charge x that is convex in one exposure.

        `columns` (N,) are micro-dollars per lot, negative where a lot raises the charge; the constant is at least 0.
        """
        self.fields["positions"][row] = columns
        self.fields["helpers"][row, helper] = 1
        self.fields["charges"][row, ROUNDING] = -1
        self.fields["constants"][row] = constant_usd6
        self._set_kinds(**{helper.name: HelperKind.LOSS})

    def subtract_from_equity(self, helper: Helper) -> None:
        """The charge lowers E, whatever is required of E."""
        self.fields["helpers"][self.layout.equity, helper] = -1

    def add_exposure_cap(self, row: int, columns: np.ndarray, limit_usd6: int) -> None:
        """limit + columns . q - K_2 >= 0, columns (N,) the negated exposure in micro-dollars per lot."""
        self.fields["positions"][row] = columns
        self.fields["charges"][row, ROUNDING] = -1
        self.fields["constants"][row] = limit_usd6

    def finish(self, name: str) -> Policy:
        """The immutable record; the house checks it."""
        return Policy(name=name, preset=self.preset, **self.fields)
