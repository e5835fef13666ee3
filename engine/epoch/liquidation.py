"""The step that turns every position into cash at one market's prices."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.units import USD6


def liquidate(snapshot: MarketSnapshot) -> ExpiryStep:
    """Drops every slot but the collateral's, at its price; a slot that lists nothing pays nothing.

    Payoffs are rounded to the micro-dollar per lot. Both sides of a position meet the same one, so that what one
    receives the other pays.
    """
    preset = snapshot.listing.preset
    drop = np.zeros(preset.slots, dtype=np.int64)
    drop[list(preset.derivative_slots)] = 1
    payoff = np.rint(price_per_lot(snapshot) * USD6).astype(np.int64) * drop
    return ExpiryStep(preset, drop, payoff)
