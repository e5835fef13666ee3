"""Executable depth Q: an average over time that a burst of fake orders cannot move, stale sources left out, the least
of the sources taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import MarketError, OutOfRange
from zkmargin.engine.market.instruments import MAX_EXPIRY
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, require_all_in_range, require_in_range

LARGEST_DEPTH = 1e18
"""Largest depth of a record, US dollars: beyond it a number is an error of the data."""


class StaleDepth(MarketError):
    """No source of depth is fresh enough; carries why each was left out."""

    def __init__(self, reasons: Mapping[str, str]):
        self.reasons = dict(reasons)
        super().__init__(f"no usable depth: {self.reasons}; allowed: one fresh source at least")


@dataclass(frozen=True)
class DepthSeries:
    """One source's depth on one side."""

    time: np.ndarray
    """(T,) seconds, rising; each record holds until the next one, at most `DepthRule.largest_gap`."""
    depth: np.ndarray
    """(T,) US dollars executable within the band."""

    def __post_init__(self) -> None:
        if len(self.time) != len(self.depth) or not len(self.time):
            raise OutOfRange("number of depth records", len(self.depth), 1, len(self.time))
        require_all_in_range("time of a depth record", self.time, 0.0, MAX_EXPIRY)
        if not (np.diff(self.time) > 0).all():
            raise OutOfRange("order of depth records", "not rising in time", "rising", "rising")
        require_all_in_range("depth", self.depth, 0.0, LARGEST_DEPTH)


@dataclass(frozen=True)
class DepthRule:
    """How series become one number."""

    window: float = 8.0 * SECONDS_PER_HOUR
    """Seconds averaged over."""
    largest_age: float = 300.0
    """Seconds after which a source's last record is stale."""
    largest_gap: float = 120.0
    """Seconds for which a record counts; longer silence is no evidence of depth."""
    least_coverage: float = 0.8
    """Share of the window that records must cover."""
    quantile: float = 0.5
    """Time-weighted quantile that is taken: depth shown for less than that share of the time cannot raise it."""

    def __post_init__(self) -> None:
        for what in ("window", "largest_age", "largest_gap"):
            require_in_range(f"{what} in seconds", getattr(self, what), 1.0, 366.0 * SECONDS_PER_DAY)
        require_in_range("quantile", self.quantile, 0.05, 0.5)
        require_in_range("least coverage", self.least_coverage, 0.5, 1.0)


def average_over_time(series: DepthSeries, now: float, rule: DepthRule) -> float | str:
    """Time-weighted quantile over the window, US dollars; or, as text, why the source is not usable."""
    require_in_range("present time", now, 0.0, MAX_EXPIRY)
    inside = (series.time > now - rule.window) & (series.time <= now)
    time, depth = series.time[inside], series.depth[inside]
    if not len(time) or now - time[-1] > rule.largest_age:
        return f"last record older than {rule.largest_age:g} s"
    seconds = np.minimum(np.diff(np.append(time, now)), rule.largest_gap)
    if seconds.sum() < rule.least_coverage * rule.window:
        return f"records cover {seconds.sum() / rule.window:.0%} of the window"
    order = np.argsort(depth, kind="stable")
    reached = np.cumsum(seconds[order]) >= rule.quantile * seconds.sum()
    return float(depth[order][np.argmax(reached)])


def estimate_depth(sources: Mapping[str, DepthSeries], now: float, rule: DepthRule | None = None) -> float:
    """The least of the usable sources' averages, US dollars.

    Raises
    ------
    StaleDepth
        If no source is usable: the publishers then keep their last value and let the state multiplier rise, they do
        not guess.
    """
    rule = rule or DepthRule()
    averages = {name: average_over_time(series, now, rule) for name, series in sources.items()}
    usable = [average for average in averages.values() if isinstance(average, float)]
    if not usable:
        raise StaleDepth({name: str(reason) for name, reason in averages.items()})
    return min(usable)


def carry_depth(
    depth: float, price_then: float, price_now: float, volatility_then: float, volatility_now: float
) -> float:
    """Depth measured once, carried to another day: constant in coins, and in inverse proportion to volatility.

    Never above the measured depth: a rise in price or a calmer market is no evidence of more depth.

    Raises
    ------
    OutOfRange
        If depth, a price (US dollars) or a volatility (fraction per square root of a day) is missing or out of range.
    """
    then, now = (
        require_in_range(f"price {when}", price, 1e-6, 1e12)
        for when, price in (("then", price_then), ("now", price_now))
    )
    calm, present = (
        require_in_range(f"volatility {when}", volatility, 1e-4, 10.0)
        for when, volatility in (("then", volatility_then), ("now", volatility_now))
    )
    return require_in_range("depth", depth, 0.0, LARGEST_DEPTH) * min(1.0, now / then) * min(1.0, calm / present)
