"""How crowded each side of a market is: weighted by fragility, and by concentration.

All signed positions of a closed market sum to zero, so net open interest says nothing: what counts is who would be
force-closed, and how few hold a side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkmargin.engine.contagion.ladder import Accounts, compute_nearness, find_liquidations
from zkmargin.engine.units import require_all_in_range, require_in_range

LARGEST_DELTA = 1e18
"""Largest size of a delta, any unit."""


@dataclass(frozen=True)
class Concentration:
    """Concentration of each side."""

    long: float
    """Herfindahl-Hirschman index of the long deltas: sum of squared shares, 1 / N to 1; 0 without longs."""
    short: float
    """The same of the short deltas."""


def compute_concentration(deltas: np.ndarray) -> Concentration:
    """Concentration of (A,) signed deltas, any unit; raises `OutOfRange` for one that is missing or not finite."""
    deltas = require_all_in_range("delta", deltas, -LARGEST_DELTA, LARGEST_DELTA)

    def index(side: np.ndarray) -> float:
        total = side.sum()
        return float(((side / total) ** 2).sum()) if total > 0 else 0.0

    return Concentration(index(np.maximum(deltas, 0.0)), index(np.maximum(-deltas, 0.0)))


def compute_fragility(accounts: Accounts, price: float, band: float, buckets: int = 64) -> dict[str, float]:
    """Fragility-weighted crowding of longs and shorts, 0 to 1.

    Each account's present delta notional weighted by the nearness of its own liquidation on the side on which that
    delta loses, over all delta notional of that sign. 0: nobody is closed within the band; 1: everybody at once.
    """
    require_in_range("price", price, 1e-6, 1e12)
    require_in_range("band", band, 1e-6, 0.999)
    _, option_delta = accounts.value_options(price)
    delta = accounts.linear + option_delta
    edges = np.linspace(0.0, band, buckets + 1)[1:]
    fragility = {}
    for name, sign in (("long", -1.0), ("short", 1.0)):
        rung, _ = find_liquidations(accounts, price, sign * edges)
        weight = np.where(rung >= 0, compute_nearness(edges[rung], band), 0.0)
        exposed = np.maximum(-sign * delta, 0.0)
        fragility[name] = float(weight @ exposed / exposed.sum()) if exposed.sum() > 0 else 0.0
    return fragility
