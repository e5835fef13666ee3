"""The state multiplier theta in [1, theta_max]: how much a first liquidation multiplies, smoothed so that it neither
jumps nor flickers.

    raw = (1 - n_0) / (1 - n) * (1 - g_0) / (1 - g)

n is the branching ratio of large moves or liquidations, g the liquidation map's gain; n_0 and g_0 are their values in
calm markets. Each factor is the size of a chain reaction against a calm one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from zkmargin.engine.market.crowding import MAX_MULTIPLIER, MIN_MULTIPLIER
from zkmargin.engine.units import require_in_range


@dataclass(frozen=True)
class StateRule:
    """Bounds and smoothing of the multiplier; time in hours."""

    calm_branching: float = 0.2
    """n_0: fits on calm months of 2025 and 2026 lie at 0.15 to 0.35, the robust estimator at 0 to 0.1."""
    calm_gain: float = 0.53
    """g_0: BTC's gain on the side "down" before the crash of October 2025, at 16 bn US dollars of open interest."""
    largest: float = 2.0
    """theta_max, at most `MAX_MULTIPLIER`: depth, which also falls as volatility rises, must not be counted again."""
    largest_ratio: float = 0.9
    """Cap on n and g: keeps the slope of 1 / (1 - x) at most 100."""
    rise_half_life: float = 6.0
    """Hours in which half of a rise is followed."""
    release_half_life: float = 240.0
    """Hours in which half of a fall is followed: ten days, so that margins do not fall between two waves."""
    hysteresis: float = 0.1
    """A raw value less than this below theta releases nothing."""
    largest_step: float = 0.25
    """Largest change of theta per hour."""

    def __post_init__(self) -> None:
        require_in_range("largest multiplier", self.largest, MIN_MULTIPLIER, MAX_MULTIPLIER)
        require_in_range("largest ratio", self.largest_ratio, 0.0, 0.99)

    def compute_raw(self, branching: float, gain: float) -> float:
        """The multiplier before smoothing, `MIN_MULTIPLIER` to `largest`.

        Raises
        ------
        OutOfRange
            If branching or gain are negative or not numbers.
        """
        n = min(require_in_range("branching ratio", branching, 0.0, math.inf), self.largest_ratio)
        g = min(require_in_range("gain", gain, 0.0, math.inf), self.largest_ratio)
        raw = (1.0 - self.calm_branching) / (1.0 - n) * (1.0 - self.calm_gain) / (1.0 - g)
        return min(max(raw, MIN_MULTIPLIER), self.largest)

    def update(self, previous: float, branching: float, gain: float, hours: float = 1.0) -> float:
        """The next multiplier after `hours`."""
        require_in_range("previous multiplier", previous, MIN_MULTIPLIER, self.largest)
        gap = self.compute_raw(branching, gain) - previous
        if -self.hysteresis < gap < 0:
            return previous
        half_life = self.rise_half_life if gap > 0 else self.release_half_life
        step = gap * -math.expm1(-math.log(2.0) * require_in_range("hours", hours, 0.0, 1e6) / half_life)
        limit = self.largest_step * hours
        return previous + min(max(step, -limit), limit)

    def follow(self, previous: float, states: Iterable[tuple[float, float]], hours: float = 1.0) -> list[float]:
        """The multiplier after each (branching, gain)."""
        path = []
        for branching, gain in states:
            previous = self.update(previous, branching, gain, hours)
            path.append(previous)
        return path
