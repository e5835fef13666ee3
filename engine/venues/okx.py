"""OKX's portfolio margin: the first risk measure's grid, and how the measures add up; the seventh grows by tiers.

References
----------
.. [1] OKX announcement 4417291853837 (tiers of the minimum charge, and the sum).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.venues.decimals import ZERO
from zkmargin.engine.venues.grid import Book, PlainGrid, compute_worst_loss, interpolate_points
from zkmargin.engine.venues.interface import UP_NONE_DOWN, Margin, OptionExpiry, Scenario

Tier = tuple[Decimal, Decimal | None, Decimal]
"""From and to in US dollars (None: without end), and the multiplier of what lies between."""
SPOT_MOVES = tuple(Decimal(move) for move in ("-0.12", "-0.08", "-0.04", "0", "0.04", "0.08", "0.12"))
"""Relative moves of BTC and ETH in the first measure, since January 2025."""
VOLATILITY_POINTS = ((0.0, 0.30), (30.0, 0.25), (60.0, 0.20))
"""Days to expiry, and the absolute move of volatility; from a third party's script, not confirmed by the venue."""


def scale_by_tiers(amount: Decimal, tiers: Sequence[Tier]) -> Decimal:
    """The minimum charge after tiers, each multiplier on its own slice only; US dollars.

    Raises `OutOfRange` if the amount is negative, or the tiers do not follow each other from 0.
    """
    if not amount >= 0:
        raise OutOfRange("amount", amount, 0, "any finite number")
    total: Decimal = ZERO
    reached: Decimal | None = ZERO
    for low, high, multiplier in tiers:
        if low != reached:
            raise OutOfRange("start of a tier", low, reached, reached)
        total += max(ZERO, (amount if high is None else min(amount, high)) - low) * multiplier
        reached = high
    return total


@dataclass(frozen=True)
class Measures:
    """The risk measures of one underlying, US dollars, >= 0."""

    spot: Decimal = ZERO
    """MR1."""
    theta: Decimal = ZERO
    """MR2."""
    vega: Decimal = ZERO
    """MR3."""
    basis: Decimal = ZERO
    """MR4."""
    rate: Decimal = ZERO
    """MR5."""
    extreme: Decimal = ZERO
    """MR6."""
    minimum: Decimal = ZERO
    """MR7 before its tiers."""


def compute_risk(measures: Measures) -> Decimal:
    """max(MR1, MR2, MR6) + MR3 + MR4 + MR5."""
    return max(measures.spot, measures.theta, measures.extreme) + measures.vega + measures.basis + measures.rate


def compute_maintenance(measures: Measures, tiers: Sequence[Tier]) -> Decimal:
    """The larger of the risk and the minimum charge after its tiers."""
    return max(compute_risk(measures), scale_by_tiers(measures.minimum, tiers))


class OkxSpotShock(PlainGrid):
    """The first measure, 7 prices by 3 volatilities; a `VenueModel`. Initial is 1.3 times maintenance, unconfirmed."""

    def __init__(self, book: Book):
        super().__init__(book, [Scenario(1 + move, vol) for move, vol in product(SPOT_MOVES, UP_NONE_DOWN)])

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`; moves are absolute, and no volatility is below 0."""
        points = interpolate_points(expiry.days, VOLATILITY_POINTS)
        return np.maximum(0.0, expiry.volatility + {"up": points, "none": 0.0, "down": -points}[scenario.vol])

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`."""
        spot = compute_worst_loss(pnl)
        return Margin(self.book.equity - spot, self.book.equity - Decimal("1.3") * spot, pnl, {"MR1": spot})
