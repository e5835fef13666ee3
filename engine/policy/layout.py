"""Which row and which helper variable of the house's policies holds what.

Other policies may be laid out as they like: what their rows mean is read from their coefficients, in
`engine.policy.forms`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

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


LOSSES = {coin: Helper[f"LOSS_{coin}"] for coin in Coin}
"""Helper of each coin's group."""

BUFFERS = {coin: Helper[f"BUFFER_{coin}"] for coin in Coin}
"""Helper of each coin's contagion buffer."""

_BLOCKS = {86: (33, 3), 42: (15, 1)}
"""Hard rows of a preset: (grid rows per coin, chords per coin and side of the contagion buffer). The buffer has two
more rows per coin, and four rows remain."""


@dataclass(frozen=True)
class Layout:
    """Which rows of a preset hold what: excess rows, a grid and a buffer block per coin, and four final rows.

    Raises
    ------
    OutOfRange
        If the preset's number of hard rows has no layout.
    """

    preset: Preset
    """Sizes."""

    def __post_init__(self) -> None:
        hard = self.preset.rows - self.preset.excess_rows
        if hard not in _BLOCKS:
            raise OutOfRange(f"hard rows of preset {self.preset.name}", hard, *sorted(_BLOCKS))

    @property
    def cells(self) -> int:
        """Grid rows per coin."""
        return _BLOCKS[self.preset.rows - self.preset.excess_rows][0]

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
        return _BLOCKS[self.preset.rows - self.preset.excess_rows][1]

    def buffer(self, coin_index: int) -> range:
        """Buffer rows of a coin: chords of the side "down", chords of "up", largest long and largest short exposure."""
        size = 2 * self.chords + 2
        first = self.grid(len(Coin) - 1).stop + coin_index * size
        return range(first, first + size)

    @property
    def final(self) -> range:
        """The last four rows."""
        return range(self.preset.rows - 4, self.preset.rows)

    @property
    def equity(self) -> int:
        """cash + price . q - K_1 - K_2 - buffers - E >= 0."""
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
