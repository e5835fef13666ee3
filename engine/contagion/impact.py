"""Impact eta: relative price move when the depth Q is used up once.

Two ways. The shape of an order book gives the move of walking it at once, without any refill: an upper estimate for
slow selling. A regression of returns on signed flow over depth gives the move that flow really causes, where signed
flow and trustworthy depth exist together. For the crash of 10 October 2025 they do not, so the shipped number is the
book's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_all_in_range, require_in_range


@dataclass(frozen=True)
class ImpactFit:
    """An estimate of eta."""

    impact: float
    """Relative move per unit of flow / depth."""
    standard_error: float
    """Robust to changing variance (White's HC1)."""
    r_squared: float
    """Share of the variance of returns explained, about 0 return at 0 flow."""
    count: int
    """Number of observations."""


def fit_book_impact(depth: np.ndarray, distance: np.ndarray) -> float:
    """eta of a linear book from its cumulative bands.

    A linear book of total depth Q that moves by eta costs, for x <= Q, an average distance eta x / (2 Q). The slope is
    fitted by least squares through 0.

    Parameters
    ----------
    depth : ndarray
        (B,) cumulative notional of the bands, US dollars, rising; the last is Q.
    distance : ndarray
        (B,) average distance of the band's notional from the mid price, relative, 0 to 1.

    Raises
    ------
    OutOfRange
        If a number is missing or out of range, or depths do not rise over two bands or more.
    """
    share = np.asarray(depth, dtype=float) / require_in_range("depth", float(np.max(depth)), 1.0, 1e13)
    if len(share) < 2 or (np.diff(share) <= 0).any():
        raise OutOfRange("depth of the bands", np.asarray(depth).tolist(), "rising", "rising, two bands or more")
    distance = require_all_in_range("distance of a band", distance, 0.0, 1.0)
    return float(2.0 * (share @ distance) / (share @ share))


def fit_flow_impact(returns: np.ndarray, flow: np.ndarray, depth: np.ndarray) -> ImpactFit:
    """Regression through 0 of (N,) returns on (N,) signed flow over (N,) depth, both US dollars; buying is positive.

    Raises
    ------
    OutOfRange
        If there are fewer than 10 observations, a number is not finite or a depth is not positive.
    """
    returns, flow, depth = (np.asarray(part, dtype=float) for part in (returns, flow, depth))
    require_in_range("observations", len(returns), 10, np.inf)
    if not (np.isfinite(returns).all() and np.isfinite(flow).all() and (depth > 0).all() and np.isfinite(depth).all()):
        raise OutOfRange("observations", "not finite or without depth", "finite", "finite, depth above 0")
    used = flow / depth
    norm = require_in_range("variation of flow", float(used @ used), 1e-300, np.inf)
    impact = float(used @ returns / norm)
    rest = returns - impact * used
    variance = (used**2 @ rest**2) / norm**2 * len(returns) / (len(returns) - 1)
    total = float(returns @ returns)
    return ImpactFit(impact, float(np.sqrt(variance)), 1.0 - float(rest @ rest) / total if total else 0.0, len(returns))
