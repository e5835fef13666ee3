"""Volatility from SVI parameters per expiry, as an alternative to one volatility per option.

References
----------
.. [1] J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014): the raw
   parameterisation, definition 2.2 and equation 2.1 (no butterfly arbitrage), definition 2.1 (no calendar arbitrage).
.. [2] R. Lee, "The moment formula for implied volatility at extreme strikes", Mathematical Finance 14 (2004): the
   slope of total variance in log-moneyness is at most 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from zkmargin.engine.errors import ArbitrageableSurface, ExpiredInstrument, OutOfRange, UnknownName
from zkmargin.engine.market.instruments import Listing
from zkmargin.engine.presets import Coin, require_coin
from zkmargin.engine.units import SECONDS_PER_YEAR, require_in_range

BUTTERFLY_TOLERANCE = 1e-9
"""How far below zero Durrleman's function may come out by rounding alone."""
CALENDAR_TOLERANCE = 1e-9
"""How much total variance may fall between expiries by rounding alone."""
WIDEST_MONEYNESS = 8.0
"""Log-moneyness up to which slices are checked; beyond it the slope's bound decides."""


def svi_total_variance(moneyness: ArrayLike, a: float, b: float, rho: float, m: float, sigma: float) -> np.ndarray:
    """w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)), k = ln(strike / forward) [1]_; any shape, unchecked."""
    shifted = np.asarray(moneyness, dtype=float) - m
    return a + b * (rho * shifted + np.hypot(shifted, sigma))


def compute_density(moneyness: ArrayLike, a: float, b: float, rho: float, m: float, sigma: float) -> np.ndarray:
    """Durrleman's function g(k) = (1 - k w' / 2w)^2 - w'^2 / 4 (1/w + 1/4) + w'' / 2 [1]_, negative where the implied
    density is; any shape, unchecked, of parameters with positive variance."""
    k = np.asarray(moneyness, dtype=float)
    root = np.hypot(k - m, sigma)
    w = svi_total_variance(k, a, b, rho, m, sigma)
    slope, curvature = b * (rho + (k - m) / root), b * sigma**2 / root**3
    density: np.ndarray = (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + curvature / 2
    return density


@dataclass(frozen=True)
class SviSlice:
    """Raw SVI parameters of one expiry.

    Raises
    ------
    OutOfRange
        If a parameter is not finite or outside b >= 0, abs(rho) < 1, sigma > 0.
    ArbitrageableSurface
        If the least variance a + b sigma sqrt(1 - rho^2) is not positive, a wing is steeper than 2 [2]_, or the implied
        density is negative somewhere (butterfly arbitrage [1]_).
    """

    a: float
    """Level of total variance."""
    b: float
    """Slope of the wings, >= 0."""
    rho: float
    """Skew, in (-1, 1)."""
    m: float
    """Log-moneyness of the centre."""
    sigma: float
    """Roundness at the centre, > 0."""

    def __post_init__(self) -> None:
        ranges = {"a": (-10, 10), "b": (0, 10), "rho": (-0.9999, 0.9999), "m": (-5, 5), "sigma": (1e-6, 10)}
        for field, (low, high) in ranges.items():
            object.__setattr__(self, field, require_in_range(f"SVI {field}", getattr(self, field), low, high))
        least = self.a + self.b * self.sigma * math.sqrt(1 - self.rho**2)
        if least <= 0:
            raise ArbitrageableSurface(self, f"least total variance is {least:.6g}; allowed: above 0")
        steepest = self.b * (1 + abs(self.rho))
        if steepest > 2:
            raise ArbitrageableSurface(self, f"slope of a wing is {steepest:.6g}; allowed: at most 2")
        grid = self._grid()
        density = self.durrleman(grid)
        worst = int(np.argmin(density))
        if density[worst] < -BUTTERFLY_TOLERANCE:
            place = f"at log-moneyness {grid[worst]:.4g}"
            raise ArbitrageableSurface(self, f"butterfly arbitrage, g is {density[worst]:.6g} {place}; allowed: >= 0")

    def _grid(self) -> np.ndarray:
        """Log-moneyness points: dense around the centre on the scale of sigma, and even over the whole width."""
        near = self.m + self.sigma * np.sinh(np.linspace(-8, 8, 801))
        wide = np.linspace(-WIDEST_MONEYNESS, WIDEST_MONEYNESS, 1601)
        return np.union1d(near[np.abs(near) <= WIDEST_MONEYNESS], wide)

    def total_variance(self, moneyness: ArrayLike) -> np.ndarray:
        """Total implied variance, volatility^2 * years, at k = ln(strike / forward); any shape."""
        return svi_total_variance(moneyness, self.a, self.b, self.rho, self.m, self.sigma)

    def durrleman(self, moneyness: ArrayLike) -> np.ndarray:
        """`compute_density` of this slice."""
        return compute_density(moneyness, self.a, self.b, self.rho, self.m, self.sigma)

    def volatility(self, moneyness: ArrayLike, years: ArrayLike) -> np.ndarray:
        """Implied volatility, fraction, at log-moneyness and years > 0 to expiry; raises `OutOfRange` for others."""
        years = np.asarray(years, dtype=float)
        if not ((years > 0) & (years < np.inf)).all():
            raise OutOfRange("years", years.tolist(), "above 0", "any finite number")
        volatility: np.ndarray = np.sqrt(self.total_variance(moneyness) / years)
        return volatility


@dataclass(frozen=True)
class VolatilitySurface:
    """SVI slices by coin and expiry, free of butterfly and calendar arbitrage.

    Raises `ArbitrageableSurface` if total variance falls from an expiry to a later one at some log-moneyness, and
    `UnknownName` for a coin that is none.
    """

    slices: Mapping[Coin, Mapping[int, SviSlice]]
    """Coin, then expiry in unix seconds."""

    def __post_init__(self) -> None:
        checked = {}
        for coin, by_expiry in self.slices.items():
            checked[require_coin("coin of a surface", coin)] = MappingProxyType(dict(sorted(by_expiry.items())))
        object.__setattr__(self, "slices", MappingProxyType(checked))
        for coin, by_expiry in checked.items():
            dated = list(by_expiry.items())
            for (near, early), (far, late) in pairwise(dated):
                grid = np.union1d(early._grid(), late._grid())
                fall = early.total_variance(grid) - late.total_variance(grid)
                worst = int(np.argmax(fall))
                if fall[worst] > CALENDAR_TOLERANCE:
                    where = f"from expiry {near} to {far} of {coin} at log-moneyness {grid[worst]:.4g}"
                    reason = f"calendar arbitrage, variance falls by {fall[worst]:.6g} {where}; allowed: no fall"
                    raise ArbitrageableSurface(late, reason)

    def get_slice(self, underlying: Coin, expiry: int) -> SviSlice:
        """The slice of a coin's expiry; raises `UnknownName` listing the expiries there are."""
        by_expiry = self.slices.get(underlying, {})
        if expiry not in by_expiry:
            raise UnknownName(f"{underlying} expiry of a surface", expiry, by_expiry)
        return by_expiry[expiry]

    def volatility_by_slot(self, listing: Listing, forward: np.ndarray, time: int) -> np.ndarray:
        """(N,) volatilities for a listing's options at their own forwards (US dollars), NaN elsewhere.

        Raises `UnknownName` if an option's expiry has no slice, `ExpiredInstrument` if it is not after `time`.
        """
        volatility = np.full(listing.preset.slots, np.nan)
        for coin in listing.preset.coins:
            of_coin = listing.is_option & listing.is_of(coin)
            for expiry in np.unique(listing.expiry[of_coin]):
                slots = np.flatnonzero(of_coin & (listing.expiry == expiry))
                if expiry <= time:
                    raise ExpiredInstrument(listing.at(slots[0]).name, int(expiry), time)
                moneyness = np.log(listing.strike[slots] / forward[slots])
                years = (int(expiry) - time) / SECONDS_PER_YEAR
                volatility[slots] = self.get_slice(coin, int(expiry)).volatility(moneyness, years)
        return volatility
