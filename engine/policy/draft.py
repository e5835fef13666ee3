"""The building blocks of a policy, one method each; `engine.policy.layout` says which row holds which.

Coefficients are micro-dollars per lot, rounded to nearest; every block with rounded columns subtracts K_2, which has
rate 1 per lot on both sides. Rounding moves a row by at most half a micro-dollar per lot, so the row's real value is at
least its integer value plus half of K_2: "the rows hold" implies the real requirement, with half a micro-dollar per lot
left for the floating point of whoever evaluates it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import CONTINGENCY, ROUNDING, HelperKind, Policy, blank_policy_fields
from zkmargin.engine.presets import Coin, Preset


class Draft:
    """A policy in the making: zero arrays and a method per block; `finish` makes the immutable record."""

    def __init__(self, preset: Preset):
        self.preset, self.layout = preset, Layout(preset)
        self.fields = blank_policy_fields(preset)

    def _set_kinds(self, kind: HelperKind, *helpers: int) -> None:
        for helper in helpers:
            self.fields["helper_kinds"][helper] = kind

    def _set_free(self, helpers: tuple[int, int]) -> None:
        """The two parts of a free choice."""
        plus, minus = helpers
        self._set_kinds(HelperKind.FREE_PLUS, plus)
        self._set_kinds(HelperKind.FREE_MINUS, minus)

    def add_rounding(self) -> None:
        """K_2 counts every lot once."""
        self.fields["rate_long"][ROUNDING] = 1
        self.fields["rate_short"][ROUNDING] = 1

    def add_contingency(self, long: np.ndarray, short: np.ndarray) -> None:
        """Rates (N,) of K_1, micro-dollars per lot."""
        self.fields["rate_long"][CONTINGENCY] = long
        self.fields["rate_short"][CONTINGENCY] = short

    def add_group(self, coin: Coin, columns: np.ndarray, moves: np.ndarray) -> None:
        """Worst case of a coin's group: x -+ n move + P&L . q - K_2 >= 0 per scenario, with the n of the coin's netting
        pair where it has one: minus for the pair's first coin.

        Parameters
        ----------
        coin : Coin
        columns : ndarray of int
            (cells, the coin's slots) change in value, micro-dollars per lot.
        moves : ndarray of int
            (cells,) thousandths that one unit of exposure gains in the scenario.
        """
        rows, helper = self.layout.grid(self.preset.place_of(coin)), self.layout.losses[coin]
        block = slice(rows.start, rows.stop)
        self.fields["positions"][block, self.preset.span(coin)] = columns
        self.fields["helpers"][block, helper] = 1
        for pair, (plus, minus) in self.layout.transfers.items():
            if coin in pair:
                gains = moves if coin == pair[0] else -moves
                self.fields["helpers"][block, plus] = -gains
                self.fields["helpers"][block, minus] = gains
        self.fields["charges"][block, ROUNDING] = -1
        self._set_kinds(HelperKind.LOSS, helper)

    def add_equity(self, prices: np.ndarray) -> None:
        """cash + price . q - K_1 - K_2 - E >= 0, prices (N,) in micro-dollars per lot."""
        row = self.layout.equity
        self.fields["positions"][row] = prices
        self.fields["cash"][row] = 1
        self.fields["charges"][row] = -1
        self.fields["helpers"][row, self.layout.equity_helper] = -1
        self._set_kinds(HelperKind.VALUE, self.layout.equity_helper)

    def add_total(self, equity: int, factor: int, charges_mille: Mapping[tuple[Coin, Coin], int]) -> None:
        """a E - b (sum of the groups' x) - b c (n+ + n-) per pair >= 0, where b / a is the factor f and a pair's c is
        in thousandths of the exposure."""
        row = self.fields["helpers"][self.layout.total]
        row[self.layout.equity_helper] = equity
        row[list(self.layout.losses.values())] = -factor
        for pair, transfer in self.layout.transfers.items():
            row[list(transfer)] = -factor * charges_mille[pair]
            self._set_free(transfer)

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
        plus, minus = self.layout.threshold
        self.fields["helpers"][:count, plus] = 1
        self.fields["helpers"][:count, minus] = -1
        self.fields["soft"][:count] = 1
        self.fields["weights"][:count] = weights
        row = self.layout.tail
        self.fields["helpers"][row, self.layout.equity_helper] = tail_divisor
        self.fields["helpers"][row, plus] = -tail_weight
        self.fields["helpers"][row, minus] = tail_weight
        self.fields["excess_total"][row] = -1
        self._set_free((plus, minus))

    def add_debt_limit(self, prices: np.ndarray, limit_usd6: int) -> None:
        """limit + cash + price . q - K_2 >= 0 over perpetuals and dated futures; `prices` (N,) are equity's."""
        row, linear = self.layout.debt, list(self.preset.linear_slots)
        self.fields["positions"][row, linear] = prices[linear]
        self.fields["cash"][row] = 1
        self.fields["charges"][row, ROUNDING] = -1
        self.fields["constants"][row] = limit_usd6

    def add_chord(self, row: int, helper: int, columns: np.ndarray, constant_usd6: int) -> None:
        """x + columns . q + constant - K_2 >= 0: a chord of a charge x that is convex in one exposure.

        `columns` (N,) are micro-dollars per lot, negative where a lot raises the charge; the constant is at least 0.
        """
        self.fields["positions"][row] = columns
        self.fields["helpers"][row, helper] = 1
        self.fields["charges"][row, ROUNDING] = -1
        self.fields["constants"][row] = constant_usd6
        self._set_kinds(HelperKind.LOSS, helper)

    def subtract_from_equity(self, helper: int) -> None:
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
