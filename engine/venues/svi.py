"""Derive's volatility from SVI parameters: the raw form of `engine.market.svi` with its wings cut flat."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.svi import svi_total_variance
from zkmargin.engine.units import require_in_range

WING = 4.0
"""The wings are flat beyond WING sqrt(a + b sigma) of log-moneyness, that many deviations of the centre's variance."""


def compute_wing_clipped_volatility(
    strike: ArrayLike, forward: ArrayLike, years: float, a: float, b: float, rho: float, m: float, sigma: float
) -> np.ndarray:
    """Volatility, fraction, at k = ln(strike / forward) clipped to +-4 sqrt(a + b sigma).

    Raises
    ------
    OutOfRange
        If strike, forward or years is not above 0, a parameter is not finite or outside b >= 0, abs(rho) <= 1,
        sigma >= 0, or a variance is negative; carries name and value.
    """
    ranges = {"a": (-1e6, 1e6), "b": (0, 1e6), "rho": (-1, 1), "m": (-1e6, 1e6), "sigma": (0, 1e6)}
    for (name, (low, high)), number in zip(ranges.items(), (a, b, rho, m, sigma), strict=True):
        require_in_range(f"SVI {name}", number, low, high)
    for name, given in {"strike": strike, "forward": forward, "years": years}.items():
        array = np.asarray(given, dtype=float)
        if not ((array > 0) & (array < np.inf)).all():
            raise OutOfRange(name, array.tolist(), "above 0", "any finite number")
    if a + b * sigma < 0:
        raise OutOfRange("a + b sigma", a + b * sigma, 0, "any finite number")
    edge = WING * np.sqrt(a + b * sigma)
    moneyness = np.clip(np.log(np.asarray(strike, dtype=float) / np.asarray(forward, dtype=float)), -edge, edge)
    variance = svi_total_variance(moneyness, a, b, rho, m, sigma)
    if not (variance >= 0).all():
        raise OutOfRange("total variance", float(np.min(variance)), 0, "any finite number")
    return np.sqrt(variance / years)
