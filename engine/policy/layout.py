"""Which row and which helper variable of the house's policies holds what.

Other policies may be laid out as they like: what their rows mean is read from their coefficients, in
`engine.policy.forms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.presets import Coin, Preset

TRANSFER_UNIT_USD6 = 1_000
"""Exposure per unit of the transfer n, micro-dollars, so that a move of a thousandth is a coefficient of 1."""


class Helper(IntEnum):
    """Which helper variable stands for what, in every policy of the house model; the rest are spare."""

    LOSS_BTC = 0
    """Worst loss of the BTC group, micro-dollars."""
    LOSS_ETH = 1
    """Worst loss of the ETH group."""
    EQUITY = 2
    """E, equity after charges."""
    TRANSFER_PLUS = 3
    """n+, exposure moved from BTC to ETH, in units of `TRANSFER_UNIT_USD6`."""
    TRANSFER_MINUS = 4
    """n-, exposure moved from ETH to BTC."""
    THRESHOLD_PLUS = 5
    """t+, the quantile of the expected shortfall, micro-dollars."""
    THRESHOLD_MINUS = 6
    """t-."""
    BUFFER_BTC = 7
    """Contagion buffer of BTC, micro-dollars."""
    BUFFER_ETH = 8
    """Contagion buffer of ETH."""
    CONCENTRATION_BTC = 9
    """Concentration charge of BTC, micro-dollars."""
    CONCENTRATION_ETH = 10
    """Concentration charge of ETH."""


LOSSES = {coin: Helper[f"LOSS_{coin}"] for coin in Coin}
"""Helper of each coin's group."""

BUFFERS = {coin: Helper[f"BUFFER_{coin}"] for coin in Coin}
"""Helper of each coin's contagion buffer."""

CONCENTRATIONS = {coin: Helper[f"CONCENTRATION_{coin}"] for coin in Coin}
"""Helper of each coin's concentration charge."""


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

    @property
    def hard_rows(self) -> int:
        """All hard rows of a preset; four are of no coin."""
        return len(Coin) * (self.cells + 2 * (self.chords + 1) + 2 * self.vega_chords + self.tenors) + 4


_SIZES = {
    sizes.hard_rows: sizes
    for sizes in (
        _Sizes(cells=43, chords=3, vega_chords=1, tenors=2),
        _Sizes(cells=21, chords=1, vega_chords=1, tenors=1),
    )
}
"""By number of hard rows."""


@dataclass(frozen=True)
class Layout:
    """Which rows of a preset hold what: excess rows, per coin a grid, a contagion buffer and a concentration block, and
    four final rows.

    Raises
    ------
    OutOfRange
        If the preset's number of hard rows has no layout.
    """

    preset: Preset
    """Sizes."""

    def __post_init__(self) -> None:
        if self._hard_rows not in _SIZES:
            raise OutOfRange(f"hard rows of preset {self.preset.name}", self._hard_rows, *sorted(_SIZES))

    @property
    def _hard_rows(self) -> int:
        return self.preset.rows - self.preset.excess_rows

    @property
    def _sizes(self) -> _Sizes:
        return _SIZES[self._hard_rows]

    @property
    def cells(self) -> int:
        """Grid rows per coin."""
        return self._sizes.cells

    @property
    def shortfall(self) -> range:
        """Excess rows."""
        return range(self.preset.excess_rows)

    def grid(self, coin_index: int) -> range:
        """Grid rows of the coin with that place in `engine.presets.Coin`."""
        first = self.preset.excess_rows + coin_index * self.cells
        return range(first, first + self.cells)

    @property
    def chords(self) -> int:
        """Chords per coin and side of the contagion buffer."""
        return self._sizes.chords

    def buffer(self, coin_index: int) -> range:
        """Buffer rows of a coin: chords of the side "down", chords of "up", largest long and largest short exposure."""
        size = 2 * self.chords + 2
        first = self.grid(len(Coin) - 1).stop + coin_index * size
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
        first = self.buffer(len(Coin) - 1).stop + coin_index * (size + self.tenors)
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
        """a E - b (x_BTC + x_ETH + c (n+ + n-)) >= 0, b / a the factor."""
        return self.final[1]

    @property
    def tail(self) -> int:
        """m' E - m t - X >= 0."""
        return self.final[2]

    @property
    def debt(self) -> int:
        """limit + cash + price . q over perpetuals and futures - K_2 >= 0."""
        return self.final[3]
