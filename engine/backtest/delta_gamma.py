"""Tails of a quadratic book: P&L = constant + delta . x + x' Gamma x / 2 with normal x, by two approximations.

Both stand beside the full revaluation for comparison: they see the book's first two derivatives only.

References
----------
.. [1] A. Britten-Jones, S. Schaefer, "Non-linear value-at-risk", European Finance Review 2 (1999): the moments.
.. [2] E. A. Cornish, R. A. Fisher, "Moments and cumulants in the specification of distributions", Revue de l'Institut
   international de statistique 5 (1938): the expansion to the fourth moment.
.. [3] R. Lugannani, S. Rice, "Saddle point approximation for the distribution of the sum of independent random
   variables", Advances in Applied Probability 12 (1980).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from zkmargin.engine.backtest.measures import Tail, check_probability
from zkmargin.engine.errors import OutOfRange

EDGE = 1e-9
"""How near the saddle point's variable comes to a pole of the cumulant function, relative."""
BRACKET = 60.0
"""Standard deviations within which a quantile is looked for."""


class Moments(NamedTuple):
    """Of P&Ls, a loss negative: numbers, or arrays with one number for each book."""

    mean: np.ndarray
    """US dollars."""
    deviation: np.ndarray
    """Standard deviation, US dollars."""
    skewness: np.ndarray
    """Third central moment over deviation^3; 0 when nothing moves."""
    kurtosis: np.ndarray
    """Fourth central moment over deviation^4, less 3; 0 when nothing moves."""


def compute_moments(
    delta: np.ndarray, gamma: np.ndarray, covariance: np.ndarray, constant: np.ndarray | float = 0.0
) -> Moments:
    """Exact moments of constant + delta . x + x' Gamma x / 2 [1]_, for one book or many; A = Gamma Omega.

        k_1 = constant + tr A / 2           k_2 = tr A^2 / 2 + delta' Omega delta
        k_3 = tr A^3 + 3 delta' Omega A delta          k_4 = 3 tr A^4 + 12 delta' Omega A A delta

    Parameters
    ----------
    delta : ndarray
        (..., F) US dollars per unit of each factor.
    gamma : ndarray
        (..., F, F), symmetric.
    covariance : ndarray
        (F, F) Omega.
    constant : ndarray or float
        (...).
    """
    product = gamma @ covariance
    powers = [product]
    for _ in range(3):
        powers.append(powers[-1] @ product)
    traces = [np.trace(power, axis1=-2, axis2=-1) for power in powers]
    spread = delta @ covariance
    linear, bent, bent_twice = (
        np.einsum("...i,...i", spread, along)
        for along in (delta, *(np.einsum("...ij,...j", power, delta) for power in powers[:2]))
    )
    second = traces[1] / 2 + linear
    safe = np.where(second > 0, second, 1.0)
    third, fourth = traces[2] + 3 * bent, 3 * traces[3] + 12 * bent_twice
    flat = second <= 0
    return Moments(
        constant + traces[0] / 2,
        np.sqrt(np.maximum(second, 0.0)),
        np.where(flat, 0.0, third / safe**1.5)[()],
        np.where(flat, 0.0, fourth / safe**2)[()],
    )


class Quadratic:
    """constant + delta . x + x' Gamma x / 2, x normal with mean 0 and covariance Omega.

    Parameters
    ----------
    delta : array_like
        (F,) US dollars per unit of each factor.
    gamma : array_like
        (F, F), symmetric.
    covariance : array_like
        (F, F) Omega, symmetric, no negative eigenvalue.
    constant : float
        US dollars, for instance the passage of time.

    Raises
    ------
    OutOfRange
        If a shape does not fit, a number is not finite, or a matrix is not as stated.
    """

    def __init__(self, delta: ArrayLike, gamma: ArrayLike, covariance: ArrayLike, constant: float = 0.0):
        slope = np.atleast_1d(np.asarray(delta, dtype=float))
        size = len(slope)
        matrices = {"gamma": np.asarray(gamma, dtype=float), "covariance": np.asarray(covariance, dtype=float)}
        for name, matrix in matrices.items():
            if matrix.shape != (size, size):
                raise OutOfRange(f"shape of {name}", matrix.shape, (size, size), (size, size))
            if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-9, atol=0.0):
                raise OutOfRange(name, matrix.tolist(), "symmetric", "finite")
        if slope.ndim != 1 or not np.isfinite(slope).all() or not math.isfinite(constant):
            raise OutOfRange("delta and constant", (slope.tolist(), constant), "any", "finite numbers")
        values, vectors = np.linalg.eigh(matrices["covariance"])
        if values.min() < -1e-9 * max(abs(values).max(), 1e-300):
            raise OutOfRange("eigenvalue of the covariance", float(values.min()), 0, "any number")
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        # x = root y, y standard normal; then y is turned into the axes of root' Gamma root.
        self.constant = float(constant)
        self.moments = compute_moments(slope, matrices["gamma"], matrices["covariance"], self.constant)
        self.curvature, axes = np.linalg.eigh(root.T @ matrices["gamma"] @ root)
        self.slope = axes.T @ (root.T @ slope)

    def compute_saddle_point(self, probability: float) -> float:
        """Signed P&L that is exceeded from below with `probability`, by Lugannani and Rice [3]_.

        Raises `OutOfRange` if the probability is outside (0, 1).
        """
        check_probability("probability", probability)
        moments = self.moments
        if moments.deviation == 0:
            return float(moments.mean)
        low, high = self._support(moments)
        standard = optimize.brentq(lambda x: self._distribution(x) - probability, low, high, xtol=1e-12, rtol=1e-12)
        return float(standard * moments.deviation + moments.mean)

    def _support(self, moments: Moments) -> tuple[float, float]:
        """The interval of standardised P&L that is searched: a book whose curvatures all have one sign is bounded."""
        low, high = -BRACKET, BRACKET
        if (self.curvature > 0).all() or (self.curvature < 0).all():
            edge = self.constant - 0.5 * (self.slope**2 / self.curvature).sum()
            standard = (edge - moments.mean) / moments.deviation
            inside = EDGE * max(1.0, abs(standard))
            low, high = (standard + inside, high) if self.curvature[0] > 0 else (low, standard - inside)
        return low, high

    def _distribution(self, x: float) -> float:
        """P(standardised P&L <= x)."""
        moments = self.moments
        g, b = self.curvature / moments.deviation, self.slope / moments.deviation
        shift = (self.constant - moments.mean) / moments.deviation

        def first(t: float) -> float:
            room = 1.0 - g * t
            return float(shift + (0.5 * g / room + b**2 * t * (1.0 - 0.5 * g * t) / room**2).sum())

        top, bottom = g.max(), g.min()
        high = (1.0 - EDGE) / top if top > 0 else 1e6
        low = (1.0 - EDGE) / bottom if bottom < 0 else -1e6
        if not first(low) < x < first(high):
            return 0.0 if x <= first(low) else 1.0
        t = optimize.brentq(lambda s: first(s) - x, low, high, xtol=1e-15, rtol=1e-14)
        room = 1.0 - g * t
        cumulant = shift * t + (-0.5 * np.log(room) + 0.5 * b**2 * t**2 / room).sum()
        second = (0.5 * g**2 / room**2 + b**2 / room**3).sum()
        w = math.copysign(math.sqrt(max(2.0 * (t * x - cumulant), 0.0)), t)
        u = t * math.sqrt(second)
        if abs(w) < 1e-5:  # the formula's limit at the mean
            third = (g**3 / room**3 + 3.0 * b**2 * g / room**4).sum()
            return float(0.5 + third / (6.0 * math.sqrt(2.0 * math.pi) * second**1.5))
        return float(stats.norm.cdf(w) + stats.norm.pdf(w) * (1.0 / w - 1.0 / u))


def compute_cornish_fisher(moments: Moments, confidence: float) -> Tail:
    """VaR and ES of P&Ls by their first four moments [2]_; positive when money is lost.

        z' = z + (z^2 - 1) S / 6 + (z^3 - 3 z) K / 24 - (2 z^3 - 5 z) S^2 / 36       at z = Phi^-1(1 - confidence)
        VaR = -(mu + sigma z')      ES = the mean of the same over all z below, in closed form

    The expansion is not monotone for far-from-normal books, so ES can come out below VaR; it is reported as it is.

    Raises `OutOfRange` if the confidence is outside (0, 1).
    """
    p = 1.0 - check_probability("confidence", confidence)
    z, s, k = stats.norm.ppf(p), moments.skewness, moments.kurtosis
    # Means of z, z^2 and z^3 over z below the quantile.
    density = stats.norm.pdf(z) / p
    means = (-density, 1.0 - z * density, -density * (z**2 + 2.0))

    def expand(first: float, square: float, cube: float) -> np.ndarray:
        third = (square - 1.0) * s / 6.0 + (cube - 3.0 * first) * k / 24.0
        return first + third - (2.0 * cube - 5.0 * first) * s**2 / 36.0

    quantile, mean = expand(z, z**2, z**3), expand(*means)
    return Tail(*(-(moments.mean + moments.deviation * value) for value in (quantile, mean)))
