"""How fast and how far a margin moves with the market, and the three options against it of EMIR.

Margins here are fractions of a notional, one per day, so that a change of price alone is no change of margin.

References
----------
.. [1] Commission Delegated Regulation (EU) 153/2013, article 28 (1): (a) a buffer of at least 25 % that may be
   exhausted, (b) a weight of at least 25 % to stressed observations, (c) a floor from a ten-year lookback.
.. [2] D. Murphy, M. Vasios, N. Vause, "An investigation into the procyclicality of risk-based initial margin models",
   Bank of England Financial Stability Paper 29 (2014): peak to trough, largest n-day step.
"""

from __future__ import annotations

from bisect import insort
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from zkmargin.engine.backtest.measures import check_sample
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.units import require_whole

SHARE = 0.25
"""Buffer and stressed weight, the regulation's least."""
LOOKBACK = 3650
"""Days of the floor's lookback."""
STEPS = (1, 5, 30)
"""Days over which the largest step is reported."""
OPTIONS = ("none", "buffer", "stressed", "floor")
"""Treatments of `apply_option`: as computed, and article 28 (1) (a), (b), (c)."""


class Procyclicality(NamedTuple):
    """Measures of one series of margins."""

    peak_to_trough: float
    """Largest margin over the least."""
    largest_steps: dict[int, float]
    """By number of days: largest rise within it, as a fraction of the margin before; 0 if it never rises."""


def check_margins(margins: ArrayLike) -> np.ndarray:
    """`margins` as a vector of positive finite numbers, at least two; raises `OutOfRange` otherwise."""
    series = check_sample("margin", margins)
    if series.ndim != 1 or len(series) < 2 or series.min() <= 0:
        raise OutOfRange("margins", (series.shape, float(series.min())), "2 positive numbers", "any")
    return series


def get_largest_step(margins: ArrayLike, days: int) -> float:
    """Largest m[t + n] / m[t] - 1 over n of 1 to `days`, at least 0.

    Raises `OutOfRange` if a margin is not positive, or days are not 1 to the length less 1.
    """
    series = check_margins(margins)
    require_whole("days of a step", days, 1, len(series) - 1)
    return max(0.0, *(float((series[n:] / series[:-n]).max()) - 1.0 for n in range(1, days + 1)))


def compute_procyclicality(margins: ArrayLike, steps: tuple[int, ...] = STEPS) -> Procyclicality:
    """Peak to trough and largest steps of a series; steps longer than the series are left out. Raises as
    `check_margins`."""
    series = check_margins(margins)
    largest = {days: get_largest_step(series, days) for days in steps if days < len(series)}
    return Procyclicality(float(series.max() / series.min()), largest)


def get_running_medians(series: np.ndarray) -> np.ndarray:
    """(T,) median of the first 1, 2, ..., T numbers."""
    ordered: list[float] = []
    medians = np.empty(len(series))
    for day, value in enumerate(series.tolist()):
        insort(ordered, value)
        medians[day] = (ordered[day // 2] + ordered[(day + 1) // 2]) / 2.0
    return medians


def apply_option(margins: ArrayLike, option: str) -> np.ndarray:
    """(T,) margins under one of `OPTIONS`, each from days up to its own only.

    - buffer: 1.25 m while m is at most its median to date; above, the buffer is used up: at least 1.25 medians, until m
      alone is more.
    - stressed: 0.75 m + 0.25 times the largest m to date.
    - floor: at least the root mean square of m over the last `LOOKBACK` days or what there is of them.

    The regulation fixes the shares, not the formulas: medians, the largest margin as the stressed one, and the root
    mean square as the lookback's margin (which is the margin at the lookback's volatility, for margins proportional to
    it) are this project's choice.

    Raises
    ------
    OutOfRange
        As `check_margins`.
    UnknownName
        If the option is none.
    """
    series = check_margins(margins)
    if option == "none":
        return series
    if option == "buffer":
        medians = get_running_medians(series)
        return np.asarray(np.maximum(series, (1.0 + SHARE) * np.minimum(series, medians)))
    if option == "stressed":
        return (1.0 - SHARE) * series + SHARE * np.maximum.accumulate(series)
    if option == "floor":
        total = np.concatenate([[0.0], np.cumsum(series**2)])
        ends = np.arange(1, len(series) + 1)
        starts = np.maximum(ends - LOOKBACK, 0)
        return np.asarray(np.maximum(series, np.sqrt((total[ends] - total[starts]) / (ends - starts))))
    raise UnknownName("option against procyclicality", option, OPTIONS)
