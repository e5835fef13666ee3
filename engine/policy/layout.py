"""Which row and which helper variable of the house's policies holds what.

Other policies may be laid out as they like: what their rows mean is read from their coefficients, in
`engine.policy.forms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import NamedTuple

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.presets import Coin, Preset

TRANSFER_UNIT_USD6 = 1_000
"""Exposure per unit of the transfer n, micro-dollars, so that a move of a thousandth is a coefficient of 1."""


class _Sizes(NamedTuple):
    """Rows per coin of each block of hard rows."""

    cells: int
    """Scenario grid."""
    chords: int
    """Chords per side of the contagion buffer, which has one more row a side."""
    vega_chords: int
    """Chords per side of the concentration charge."""
    tenors: int
    """Limits on net short options, one per range of tenors."""

    def count_hard_rows(self, coins: int) -> int:
        """All hard rows with so many coins; four are of no coin."""
        return coins * (self.cells + 2 * (self.chords + 1) + 2 * self.vega_chords + self.tenors) + 4


_SIZES = (
    _Sizes(cells=43, chords=3, vega_chords=1, tenors=2),
    _Sizes(cells=21, chords=1, vega_chords=1, tenors=1),
    _Sizes(cells=11, chords=1, vega_chords=1, tenors=1),
)
"""The finest first. Two coins fill the hard rows of `standard` with the first and those of `mini` with the second;
three coins at `mini` take the last, which leaves two rows empty."""


@dataclass(frozen=True)
class Layout:
    """Which rows and helper variables of a preset hold what.

    Rows: excess rows, per coin a grid, a contagion buffer and a concentration block, and four final rows. Helpers: per
    coin the worst loss of its group; the equity after charges E; per netting pair n+ and n-, the exposure moved from
    the pair's first coin to its second and back, in units of `TRANSFER_UNIT_USD6`; t+ and t-, the quantile of the
    expected shortfall; per coin the contagion buffer; per coin the concentration charge. All but n are micro-dollars.

    Raises
    ------
    OutOfRange
        If the preset has fewer hard rows than the coarsest layout of its coins, or too few helpers.
    """

    preset: Preset
    """Sizes, coins and netting pairs."""

    def __post_init__(self) -> None:
        name, coins, pairs = self.preset.name, len(self.preset.coins), len(self.preset.split.netting)
        least = _SIZES[-1].count_hard_rows(coins)
        if self._hard_rows < least:
            raise OutOfRange(f"hard rows of preset {name} with {coins} coins", self._hard_rows, least, "any")
        helpers = 3 * coins + 2 * pairs + 3
        if self.preset.helpers < helpers:
            what = f"helpers of preset {name} with {coins} coins and {pairs} netting pairs"
            raise OutOfRange(what, self.preset.helpers, helpers, "any")

    @property
    def _hard_rows(self) -> int:
        return self.preset.rows - self.preset.excess_rows

    @cached_property
    def _sizes(self) -> _Sizes:
        coins = len(self.preset.coins)
        return next(sizes for sizes in _SIZES if sizes.count_hard_rows(coins) <= self._hard_rows)

    @cached_property
    def losses(self) -> Mapping[Coin, int]:
        """Helper of each coin's group."""
        return self._number_coins(0)

    @property
    def equity_helper(self) -> int:
        """E, equity after charges."""
        return len(self.losses)

    @cached_property
    def transfers(self) -> Mapping[tuple[Coin, Coin], tuple[int, int]]:
        """Helpers (n+, n-) of each netting pair."""
        firsts = count(self.equity_helper + 1, 2)
        return MappingProxyType(
            {pair: (first, first + 1) for pair, first in zip(self.preset.split.netting, firsts, strict=False)}
        )

    @property
    def threshold(self) -> tuple[int, int]:
        """(t+, t-)."""
        plus = self.equity_helper + 1 + 2 * len(self.transfers)
        return plus, plus + 1

    @cached_property
    def buffers(self) -> Mapping[Coin, int]:
        """Helper of each coin's contagion buffer."""
        return self._number_coins(self.threshold[1] + 1)

    @cached_property
    def concentrations(self) -> Mapping[Coin, int]:
        """Helper of each coin's concentration charge."""
        return self._number_coins(self.threshold[1] + 1 + len(self.losses))

    def _number_coins(self, first: int) -> Mapping[Coin, int]:
        return MappingProxyType({coin: first + place for place, coin in enumerate(self.preset.coins)})

    @property
    def cells(self) -> int:
        """Grid rows per coin."""
        return self._sizes.cells

    @property
    def shortfall(self) -> range:
        """Excess rows."""
        return range(self.preset.excess_rows)

    def grid(self, coin_index: int) -> range:
        """Grid rows of the coin with that place in the slot order."""
        first = self.preset.excess_rows + coin_index * self.cells
        return range(first, first + self.cells)

    @property
    def chords(self) -> int:
        """Chords per coin and side of the contagion buffer."""
        return self._sizes.chords

    def buffer(self, coin_index: int) -> range:
        """Buffer rows of a coin: chords of the side "down", chords of "up", largest long and largest short exposure."""
        size = 2 * self.chords + 2
        first = self.grid(len(self.losses) - 1).stop + coin_index * size
        return range(first, first + size)

    @property
    def vega_chords(self) -> int:
        """Chords per coin and side of the concentration charge."""
        return self._sizes.vega_chords

    @property
    def tenors(self) -> int:
        """Ranges of tenors, per coin, whose net short options are limited."""
        return self._sizes.tenors

    def vega(self, coin_index: int) -> range:
        """Rows of a coin's net vega: chords of a long one, chords of a short one."""
        size = 2 * self.vega_chords
        first = self.buffer(len(self.losses) - 1).stop + coin_index * (size + self.tenors)
        return range(first, first + size)

    def short_options(self, coin_index: int) -> range:
        """Rows of a coin's largest net short options, one per range of tenors, the nearest first."""
        first = self.vega(coin_index).stop
        return range(first, first + self.tenors)

    @property
    def final(self) -> range:
        """The last four rows."""
        return range(self.preset.rows - 4, self.preset.rows)

    @property
    def equity(self) -> int:
        """cash + price . q - K_1 - K_2 - buffers - concentration charges - E >= 0."""
        return self.final[0]

    @property
    def total(self) -> int:
        """a E - b (sum of the groups' x + sum of c (n+ + n-)) >= 0, b / a the factor."""
        return self.final[1]

    @property
    def tail(self) -> int:
        """m' E - m t - X >= 0."""
        return self.final[2]

    @property
    def debt(self) -> int:
        """limit + cash + price . q over perpetuals and futures - K_2 >= 0."""
        return self.final[3]
