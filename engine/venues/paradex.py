"""Paradex's portfolio margin: 24 weighted scenarios, a floor by delta, fees and a funding provision.

References
----------
.. [1] docs.paradex.trade/risk/portfolio-margin.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from zkmargin.engine.venues.decimals import ZERO
from zkmargin.engine.venues.evaluation import scale_by_tenor, shock_in_proportion
from zkmargin.engine.venues.grid import Book, PlainGrid, compute_worst_loss
from zkmargin.engine.venues.interface import Margin, OptionExpiry, Scenario, VolatilityMove

VOLATILITY_UP, VOLATILITY_DOWN = 0.40, 0.22
"""Proportional volatility moves at 30 days."""
SHORT_POWER, LONG_POWER = 0.30, 0.13
"""Powers of the tenor law below 30 days and from there on."""
NET_RATE, HEDGED_RATE = Decimal("0.02"), Decimal("0.01")
"""Shares of spot charged per coin of net and of hedged delta."""
TAILS = {"-0.66": "0.24", "-0.33": "0.48", "0.5": "0.32", "1": "0.16", "2": "0.08", "3": "0.0533", "4": "0.04"}
TAILS |= {"5": "0.032"}
"""Weight of each far move, volatility up: 0.16 over its size, as the venue rounds it."""


def build_scenarios() -> list[Scenario]:
    """The venue's table in its order: edges with volatility up only, inner moves up and down, then the tails."""
    scenarios: list[Scenario] = []
    edge: tuple[VolatilityMove, ...] = ("up",)
    inner: tuple[VolatilityMove, ...] = ("up", "down")
    for move in (Decimal(step) / 25 for step in range(4, -5, -1)):
        is_edge = abs(move) == Decimal("0.16")
        scenarios += [Scenario(1 + move, vol) for vol in (edge if is_edge else inner)]
    return scenarios + [Scenario(1 + Decimal(move), "up", Decimal(weight)) for move, weight in TAILS.items()]


def compute_minimum(book: Book) -> Decimal:
    """(2 % |net delta| + 1 % hedged delta) spot over the linear legs; hedged is what long and short have in common."""
    bought = sum((leg.quantity for leg in book.linear if leg.quantity > 0), ZERO)
    owed = sum((-leg.quantity for leg in book.linear if leg.quantity < 0), ZERO)
    return (NET_RATE * abs(bought - owed) + HEDGED_RATE * 2 * min(bought, owed)) * book.index


class Paradex(PlainGrid):
    """Paradex's rule on one book; a `VenueModel`. Its documents give parameters and no worked case."""

    def __init__(self, book: Book, fees: Decimal = ZERO, funding: Decimal = ZERO):
        super().__init__(book, build_scenarios())
        self.fees, self.funding = fees, funding

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`; the tenor's floor is a day."""
        scale = scale_by_tenor(expiry.days, 1.0, SHORT_POWER, LONG_POWER)
        return shock_in_proportion(expiry.volatility, scenario.vol, VOLATILITY_UP * scale, VOLATILITY_DOWN * scale)

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`: max(scan, minimum) for initial, half of it for maintenance, each with fees and funding."""
        scan, minimum = compute_worst_loss(pnl), compute_minimum(self.book)
        net, added = max(scan, minimum), self.fees + self.funding
        maintenance, initial = net / 2 + added, net + added
        parts = {"scan": scan, "minimum": minimum, "initial_margin": initial, "maintenance_margin": maintenance}
        return Margin(self.book.equity - maintenance, self.book.equity - initial, pnl, parts)
