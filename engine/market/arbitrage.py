"""Static arbitrage in the listed options' prices: vertical spreads, butterflies, calendars.

Prices are Black's on each row's own forward and volatility, as calls, as a share of that forward, over
x = strike / forward; puts become calls by parity. So a chain whose rows were read seconds apart, on forwards that
differ a little, is compared at equal moneyness. A free chain has, at every x [1]_:

    vertical    c falls with x, by at most the difference of x
    butterfly   c is convex in x
    calendar    c at a later expiry is at least c at an earlier one

The later curve is known at its own strikes only; the chord between two of them lies above it, so an early price above
the chord is an arbitrage whatever the curve does in between.

References
----------
.. [1] P. Carr, D. Madan, "A note on sufficient conditions for no arbitrage", Finance Research Letters 2 (2005).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zkmargin.engine.errors import MarketError
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin

TOLERANCE = 0.005
"""Largest accepted violation, share of the forward. Of the shipped chains, the calm one of 2026-08-22 needs 0.00007 and
that of the crash of 2026-02-05 needs 0.0027: its tickers were read over one to two minutes while the market moved."""

SMALLEST = 1e-9
"""Violations below this are rounding: volatilities stand on a grid of 1e-6."""


@dataclass(frozen=True)
class Violation:
    """A portfolio of listed options that costs less than nothing and never pays less than nothing."""

    kind: str
    """"vertical", "butterfly" or "calendar"."""
    names: tuple[str, ...]
    """Options in it, the one that is priced wrong relative to the others first."""
    size: float
    """What it earns, share of the forward, above 0."""


class StaticArbitrage(MarketError):
    """Listed prices with an arbitrage above the tolerance; carries the worst violation, their number and the
    tolerance."""

    def __init__(self, worst: Violation, count: int, tolerance: float):
        self.worst, self.count, self.tolerance = worst, count, tolerance
        super().__init__(
            f"{worst.kind} arbitrage of {', '.join(worst.names)} is {worst.size:.6g} of the forward ({count} such); "
            f"allowed: at most {tolerance:g}"
        )


@dataclass(frozen=True, eq=False)
class Curve:
    """Call prices of one coin's expiry."""

    names: tuple[str, ...]
    """Options in the order of x."""
    x: np.ndarray
    """(n,) strike / forward, rising."""
    calls: np.ndarray
    """(n,) share of the forward."""


def make_curves(snapshot: MarketSnapshot, coin: Coin) -> dict[int, Curve]:
    """Call prices by expiry, rising."""
    listing = snapshot.listing
    of_coin = listing.is_option & listing.is_of(coin)
    curves = {}
    for expiry in np.unique(listing.expiry[of_coin]):
        slots = np.flatnonzero(of_coin & (listing.expiry == expiry))
        x = listing.strike[slots] / snapshot.forward[slots]
        slots, x = slots[np.argsort(x, kind="stable")], np.sort(x, kind="stable")
        calls = black76_price(1.0, x, snapshot.years[slots], snapshot.volatility[slots], True)
        curves[int(expiry)] = Curve(tuple(listing.at(slot).name for slot in slots), x, calls)
    return curves


def find_violations(snapshot: MarketSnapshot) -> tuple[Violation, ...]:
    """Every violation above `SMALLEST` between neighbours in strike or expiry, largest first."""
    violations: list[Violation] = []
    for coin in snapshot.listing.preset.coins:
        curves = list(make_curves(snapshot, coin).values())
        for curve in curves:
            violations += [*_find_verticals(curve), *_find_butterflies(curve)]
        for number, early in enumerate(curves):
            for late in curves[number + 1 :]:
                violations += _find_calendars(early, late)
    return tuple(sorted(violations, key=lambda violation: (-violation.size, violation.names)))


def check_prices(snapshot: MarketSnapshot, tolerance: float = TOLERANCE) -> None:
    """Refuse prices with a gross arbitrage.

    Raises
    ------
    StaticArbitrage
        If a violation is larger than `tolerance`, share of the forward.
    """
    gross = [violation for violation in find_violations(snapshot) if violation.size > tolerance]
    if gross:
        raise StaticArbitrage(gross[0], len(gross), tolerance)


def _find_verticals(curve: Curve) -> Iterator[Violation]:
    for low, high in pairwise(range(len(curve.x))):
        fall, room = curve.calls[low] - curve.calls[high], curve.x[high] - curve.x[low]
        size = float(max(-fall, fall - room))
        if size > SMALLEST:
            yield Violation("vertical", (curve.names[low], curve.names[high]), size)


def _find_butterflies(curve: Curve) -> Iterator[Violation]:
    for low, middle, high in zip(range(len(curve.x)), range(1, len(curve.x)), range(2, len(curve.x)), strict=False):
        width = curve.x[high] - curve.x[low]
        if not width:
            continue
        share = (curve.x[middle] - curve.x[low]) / width
        chord = (1 - share) * curve.calls[low] + share * curve.calls[high]
        size = float(curve.calls[middle] - chord)
        if size > SMALLEST:
            yield Violation("butterfly", (curve.names[middle], curve.names[low], curve.names[high]), size)


def _find_calendars(early: Curve, late: Curve) -> Iterator[Violation]:
    inside = (early.x >= late.x[0]) & (early.x <= late.x[-1])
    above = early.calls - np.interp(early.x, late.x, late.calls)
    for index in np.flatnonzero(inside & (above > SMALLEST)):
        after = min(max(int(np.searchsorted(late.x, early.x[index])), 1), len(late.x) - 1)
        names = (early.names[index], late.names[after - 1], late.names[after])
        yield Violation("calendar", names, float(above[index]))
