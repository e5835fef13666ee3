"""The liquidation ladder: delta notional that is force-closed at each move of one coin's price, per side.

From accounts that are known, by revaluing them along the ladder (an option's delta is the one at the rung where its
account is closed); or from public data when accounts are hidden. One number L per side goes into the buffer: notional
weighted by nearness, 1 at no move falling to 0 at the end of the shock band.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.black76 import black76_greeks, black76_price
from zkmargin.engine.units import require_all_in_range, require_flags, require_in_range

SIDES = {"down": -1.0, "up": 1.0}
"""Sign of the price move of each side."""


def compute_nearness(distance: np.ndarray, band: float) -> np.ndarray:
    """Weights 1 - distance / band, 0 beyond the band; distance is a relative move, at least 0, of any shape."""
    return np.clip(1.0 - np.asarray(distance, dtype=float) / band, 0.0, 1.0)


@dataclass(frozen=True)
class Ladder:
    """Force-closed delta notional per bucket of one side."""

    edges: np.ndarray
    """(B + 1,) relative moves, rising from 0 to the shock band."""
    notional: np.ndarray
    """(B,) US dollars closed while the price crosses the bucket."""

    def __post_init__(self) -> None:
        if len(self.edges) < 2 or len(self.notional) != len(self.edges) - 1 or not (np.diff(self.edges) > 0).all():
            raise OutOfRange("edges of a ladder", np.asarray(self.edges).tolist(), "rising", "one more than notionals")
        require_all_in_range("edge of a ladder", self.edges, 0.0, 1.0)
        require_all_in_range("notional of a ladder", self.notional, 0.0, 1e15)

    @property
    def band(self) -> float:
        """The shock band, relative move."""
        return float(self.edges[-1])

    def get_weighted(self) -> float:
        """L: notional weighted by the nearness of each bucket's middle, US dollars."""
        middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        return float(compute_nearness(middle, self.band) @ self.notional)

    def get_gain(self, depth: float, impact: float, move: float = 0.01) -> float:
        """The liquidation map's gain: the relative move that closing what the first `move` closes causes, per `move`.

        At 1 a move causes selling enough to move the price as far again.
        """
        require_in_range("impact", impact, 0.0, 1.0)
        require_in_range("move", move, 1e-9, self.band)
        closed = np.interp(move, self.edges, np.concatenate([[0.0], np.cumsum(self.notional)]))
        return float(impact * closed / require_in_range("depth", depth, 1.0, np.inf) / move)


@dataclass(frozen=True)
class Accounts:
    """Accounts in one coin: linear positions and options, equity, and the maintenance rule."""

    linear: np.ndarray
    """(A,) signed coins of perpetuals, futures and coin collateral."""
    equity: np.ndarray
    """(A,) US dollars at the present price."""
    options: np.ndarray
    """(A, K) signed coins of each option; K may be 0."""
    strike: np.ndarray
    """(K,) US dollars."""
    years: np.ndarray
    """(K,) to expiry."""
    volatility: np.ndarray
    """(K,) fraction per square root of a year, held along the ladder."""
    is_call: np.ndarray
    """(K,) True for calls."""
    maintenance: float
    """Maintenance margin per US dollar of gross linear position and of short options' notional, fraction."""

    def __post_init__(self) -> None:
        accounts, kinds = len(self.linear), len(self.strike)
        if np.shape(self.options) != (accounts, kinds) or np.shape(self.equity) != (accounts,):
            raise OutOfRange("shape of options", np.shape(self.options), 0, (accounts, kinds))
        require_in_range("maintenance", self.maintenance, 0.0, 1.0)
        for name in ("linear", "equity", "options"):
            if not np.isfinite(getattr(self, name)).all():
                raise OutOfRange(name, "not finite", "a finite number", "a finite number")
        require_flags("is_call", self.is_call)

    def value_options(self, price: float) -> tuple[np.ndarray, np.ndarray]:
        """(A,) value in US dollars and (A,) delta in coins of each account's options at `price`."""
        terms = (price, self.strike, self.years, self.volatility, self.is_call)
        return self.options @ black76_price(*terms), self.options @ black76_greeks(*terms).delta

    def get_maintenance(self, price: float) -> np.ndarray:
        """(A,) maintenance margin at `price`, US dollars."""
        gross = np.abs(self.linear) + np.maximum(-self.options, 0.0).sum(axis=1)
        return np.asarray(self.maintenance * gross * price)


def find_liquidations(accounts: Accounts, price: float, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When each account first falls below maintenance along `moves`, and its delta there.

    Returns
    -------
    rung : ndarray
        (A,) index into `moves`, -1 where the account survives them all.
    delta : ndarray
        (A,) signed coins at that rung, options re-valued there; 0 for survivors.
    """
    start, _ = accounts.value_options(price)
    rung = np.full(len(accounts.linear), -1)
    delta = np.zeros(len(accounts.linear))
    for index, move in enumerate(moves):
        level = price * (1.0 + move)
        value, option_delta = accounts.value_options(level)
        equity = accounts.equity + accounts.linear * (level - price) + value - start
        hit = (rung < 0) & (equity < accounts.get_maintenance(level))
        rung[hit], delta[hit] = index, (accounts.linear + option_delta)[hit]
    return rung, delta


def build_ladder(accounts: Accounts, price: float, band: float, side: str, buckets: int = 64) -> Ladder:
    """The ladder of known accounts on one side ("down" or "up").

    Only closing that pushes the price further counts: on the side "down" positive deltas, which are sold. An account
    below maintenance already stands in the first bucket.

    Raises
    ------
    OutOfRange
        If price or band are not positive, or the band is 1 or more.
    """
    require_in_range("price", price, 1e-6, 1e12)
    require_in_range("band", band, 1e-6, 0.999)
    sign = SIDES[side]
    edges = np.linspace(0.0, band, buckets + 1)
    rung, delta = find_liquidations(accounts, price, sign * edges[1:])
    closed = rung >= 0
    levels = price * (1.0 + sign * edges[1:][rung[closed]])
    amount = np.maximum(-sign * delta[closed], 0.0) * levels
    return Ladder(edges, np.bincount(rung[closed], weights=amount, minlength=buckets))


def estimate_ladder(open_interest: float, scale: float, band: float, buckets: int = 64) -> Ladder:
    """The ladder when positions are hidden: open interest times an exponential law of distances to liquidation.

    Parameters
    ----------
    open_interest : float
        US dollars of one side (longs equal shorts).
    scale : float
        Mean distance to liquidation, relative move; from `fit_distance_scale`.
    """
    require_in_range("open interest", open_interest, 0.0, 1e13)
    edges = np.linspace(0.0, require_in_range("band", band, 1e-6, 0.999), buckets + 1)
    closed = open_interest * -np.expm1(-edges / require_in_range("scale", scale, 1e-3, 1e3))
    return Ladder(edges, np.diff(closed))


def fit_distance_scale(move: float, share: float) -> float:
    """Mean distance to liquidation with which a relative move closes that share of one side's open interest."""
    require_in_range("move", move, 1e-6, 0.999)
    return -move / float(np.log1p(-require_in_range("share", share, 1e-6, 0.999)))


def add_prints(ladder: Ladder, prints: Mapping[float, float]) -> Ladder:
    """The ladder less what liquidation prints say is gone: {relative distance: US dollars closed}, never below 0."""
    left = ladder.notional.copy()
    for distance, notional in prints.items():
        require_in_range("distance of a liquidation", distance, -1.0, 1.0)
        require_in_range("notional of a liquidation", notional, 0.0, 1e13)
        index = min(int(np.searchsorted(ladder.edges, abs(distance), side="right")) - 1, len(left) - 1)
        left[index] = max(left[index] - notional, 0.0)
    return Ladder(ladder.edges, left)
