"""What a risk epoch states about crowding in one coin: how much others would be forced to trade, and how deep the
market is.

Other accounts' positions are hidden, so these are the publishers' declared estimates from public data; where they come
from is in docs/cavb.md and `engine.contagion`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from zkmargin.engine.errors import OutOfRange

MAX_NOTIONAL = 10**12
"""Largest ladder or depth, US dollars."""
MIN_DEPTH = 10_000
"""Least depth, US dollars: a market without depth is no market to liquidate in."""
MAX_IMPACT = 1.0
"""Largest impact, fraction of the price."""
IMPACT_STEP = 1_000_000
"""Steps per 1.00 of impact."""
MIN_MULTIPLIER, MAX_MULTIPLIER = 1.0, 4.0
"""Range of the state multiplier."""
MULTIPLIER_STEP = 1_000
"""Steps per 1.00 of the multiplier."""


@dataclass(frozen=True)
class Crowding:
    """One coin's crowd and depth. Side "down" is a falling price: longs are closed by selling.

    Raises
    ------
    OutOfRange
        If a number is not a number in its range: ladders 0 to `MAX_NOTIONAL`, depths `MIN_DEPTH` to `MAX_NOTIONAL`,
        impact 0 to `MAX_IMPACT`.
    """

    ladder_down: float
    """Delta notional that others would be forced to sell within the shock band, US dollars, rounded to whole ones."""
    ladder_up: float
    """The same, forced to buy when the price rises."""
    depth_down: float
    """Notional that can be sold within the shock band, US dollars, rounded to whole ones."""
    depth_up: float
    """Notional that can be bought within it."""
    impact: float
    """Relative price move when the depth is used up once, rounded to 1e-6; 0 charges nothing."""

    def __post_init__(self) -> None:
        ranges = {"ladder": (0.0, MAX_NOTIONAL, 1), "depth": (MIN_DEPTH, MAX_NOTIONAL, 1)}
        for field in fields(self):
            low, high, steps = ranges.get(field.name.split("_")[0], (0.0, MAX_IMPACT, IMPACT_STEP))
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise OutOfRange(field.name, value, low, high)
            object.__setattr__(self, field.name, round(value * steps) / steps)

    def get_side(self, exposure: float) -> tuple[float, float]:
        """(ladder, depth) of the side on which a signed delta notional loses: a long one when the price falls."""
        return (self.ladder_down, self.depth_down) if exposure >= 0 else (self.ladder_up, self.depth_up)
