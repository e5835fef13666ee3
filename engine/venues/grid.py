"""What venues with a plain grid share: a cell is the book's change in value, times its weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_in_range
from zkmargin.engine.venues.decimals import ZERO
from zkmargin.engine.venues.interface import OptionExpiry, Scenario


@dataclass(frozen=True)
class LinearLeg:
    """A perpetual, future or coin; a number of coins at a mark."""

    name: str
    quantity: Decimal
    """Coins, negative when owed."""
    mark: Decimal
    """US dollars per coin, > 0."""
    seconds: int | None = None
    """Time to expiry; None for perpetuals and coins."""

    def __post_init__(self) -> None:
        if not self.mark > 0:
            raise OutOfRange(f"mark of {self.name}", self.mark, "above 0", "any finite number")
        if self.seconds is not None and self.seconds < 0:
            raise OutOfRange(f"seconds to expiry of {self.name}", self.seconds, 0, "any whole number")


@dataclass(frozen=True)
class Book:
    """One account's positions in one underlying."""

    index: Decimal
    """US dollars per coin, > 0."""
    linear: tuple[LinearLeg, ...] = ()
    expiries: tuple[OptionExpiry, ...] = ()
    equity: Decimal = ZERO
    """What the requirement is taken from, in the venue's own unit."""

    def __post_init__(self) -> None:
        if not self.index > 0:
            raise OutOfRange("index", self.index, "above 0", "any finite number")


class PlainGrid:
    """The part of a `VenueModel` that revalues a book in dollars; a venue adds its volatility shock and its rule."""

    def __init__(self, book: Book, scenarios: Sequence[Scenario]):
        self.book, self.scenarios, self.expiries = book, tuple(scenarios), book.expiries

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """Change in value."""
        return shocked - now

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """Each mark moves by the scenario's factor."""
        value = sum((leg.quantity * leg.mark for leg in self.book.linear), ZERO)
        return value * (scenario.spot - 1)


def compute_worst_loss(pnl: Sequence[Decimal]) -> Decimal:
    """The largest loss of any cell, at least 0."""
    return max(ZERO, *(-amount for amount in pnl)) if pnl else ZERO


def interpolate_points(days: float, points: Sequence[tuple[float, float]]) -> float:
    """A value stated at rising tenors in days, linear between them and flat outside."""
    require_in_range("tenor in days", days, 0.0, 1e6)
    if days <= points[0][0]:
        return points[0][1]
    for (near, low), (far, high) in pairwise(points):
        if days <= far:
            return low + (high - low) * (days - near) / (far - near)
    return points[-1][1]
