"""Dederi's portfolio margin for futures: eleven prices within 15 %, and a contingency on the index.

References
----------
.. [1] wiki.dederi.io, portfolio margin (worked example of a future).
"""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np

from zkmargin.engine.units import DAYS_PER_YEAR
from zkmargin.engine.venues.decimals import ZERO, to_decimal
from zkmargin.engine.venues.grid import Book, PlainGrid, compute_worst_loss
from zkmargin.engine.venues.interface import Margin, OptionExpiry, Scenario

MOVES = tuple(Decimal(step) * Decimal("0.03") for step in range(-5, 6))
FUTURE_CONTINGENCY = Decimal("0.006")
"""Share of the index charged per coin of futures."""


def compute_forward(index: Decimal, annual_basis: float, days: float) -> Decimal:
    """index e^(basis T), T in years of 365 days."""
    return index * to_decimal(math.exp(annual_basis * days / DAYS_PER_YEAR))


class Dederi(PlainGrid):
    """The worst of eleven prices plus the contingency of futures; a `VenueModel` for linear books.

    The venue's grid has three volatilities as well; their size is not published, so options are valued at their marks.
    """

    def __init__(self, book: Book):
        super().__init__(book, [Scenario(1 + move) for move in MOVES])

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`; unchanged."""
        return expiry.volatility

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`; one level."""
        futures = sum((abs(leg.quantity) for leg in self.book.linear if leg.seconds is not None), ZERO)
        worst, contingency = compute_worst_loss(pnl), futures * self.book.index * FUTURE_CONTINGENCY
        left = self.book.equity - worst - contingency
        return Margin(left, left, pnl, {"worst": worst, "future_contingency": contingency})
