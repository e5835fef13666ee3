"""Aevo's early portfolio margin: 5 prices by 3 volatilities, absolute volatility moves.

References
----------
.. [1] docs.aevo.xyz, portfolio margin (early ETH parameters).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import numpy as np

from zkmargin.engine.units import require_in_range
from zkmargin.engine.venues.decimals import ZERO
from zkmargin.engine.venues.grid import Book, PlainGrid, compute_worst_loss
from zkmargin.engine.venues.interface import UP_NONE_DOWN, Margin, OptionExpiry, Scenario

SHARES = tuple(Decimal(share) for share in ("1", "0.5", "0", "-0.5", "-1"))
"""Price moves as shares of the largest one."""


@dataclass(frozen=True)
class Parameters:
    """The venue's early parameters for ETH."""

    max_spot: Decimal = Decimal("0.2")
    iv_up_points: float = 0.5
    iv_down_points: float = 0.25

    def __post_init__(self) -> None:
        require_in_range("max_spot", float(self.max_spot), 0.0, 1.0)
        require_in_range("iv_up_points", self.iv_up_points, 0.0, 10.0)
        require_in_range("iv_down_points", self.iv_down_points, 0.0, 10.0)


class Aevo(PlainGrid):
    """Aevo's grid on one book; a `VenueModel`. Its documents give parameters and no worked case."""

    def __init__(self, book: Book, parameters: Parameters | None = None, floor: Decimal = ZERO):
        self.parameters, self.floor = parameters or Parameters(), floor
        moves = product((self.parameters.max_spot * share for share in SHARES), UP_NONE_DOWN)
        super().__init__(book, [Scenario(1 + move, vol) for move, vol in moves])

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`; no volatility is below 0."""
        p = self.parameters
        move = {"up": p.iv_up_points, "none": 0.0, "down": -p.iv_down_points}[scenario.vol]
        return np.maximum(0.0, expiry.volatility + move)

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`: the worst cell, or the floor; one level."""
        margin = max(compute_worst_loss(pnl), self.floor)
        left = self.book.equity - margin
        return Margin(left, left, pnl, {"margin": margin})
