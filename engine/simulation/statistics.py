"""Means over seeds with bootstrap intervals; differences are paired, as all rules see the same accounts and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import OutOfRange

RESAMPLES = 2_000
"""Of the bootstrap, with a fixed seed."""
LEVEL = 0.95
"""Of the intervals."""


@dataclass(frozen=True)
class Interval:
    """A mean and its bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether both ends lie on the same side of 0."""
        return self.low > 0 or self.high < 0

    def to_document(self) -> dict[str, float]:
        """The three numbers, for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


class Bootstrap:
    """One set of resamples for all figures of one run: figures stay paired."""

    def __init__(self, seeds: int):
        self.picks = np.random.default_rng(7).integers(0, seeds, (RESAMPLES, seeds))

    def get_interval(self, values: np.ndarray) -> Interval:
        """Percentile interval of the mean of (S,) values; NaN (no such figure in a seed) is left out.

        Raises `OutOfRange` for an infinite value: to leave it out would make a small mean of it.
        """
        values = np.asarray(values, dtype=float)
        if np.isinf(values).any():
            raise OutOfRange("figure of a seed", float(values[np.isinf(values)][0]), "any", "finite number")
        good = ~np.isnan(values)
        if not good.any():
            return Interval(float("nan"), float("nan"), float("nan"))
        filled, weight = np.where(good, values, 0.0)[self.picks], good[self.picks]
        counts = weight.sum(axis=1)
        means = filled.sum(axis=1)[counts > 0] / counts[counts > 0]
        edge = 50.0 * (1.0 - LEVEL)
        low, high = np.percentile(means, [edge, 100.0 - edge])
        return Interval(float(values[good].mean()), float(low), float(high))
