"""What a step of the listing pays: everything that has expired, at prices averaged over the half hour before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkmargin.engine.epoch.expiry import ExpiryStep, compose_expiry_steps
from zkmargin.engine.errors import WrongKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.units import USD6

AVERAGED_SECONDS = 1_800
"""Seconds before an expiry whose prices are averaged, as Deribit settles."""


def list_expiries(market: MarketSnapshot, time: int) -> list[int]:
    """Expiries of the market's listing up to a time, unix seconds, the earliest first."""
    expiries = {item.expiry for item in market.listing.by_name.values() if item.expiry is not None}
    return sorted(expiry for expiry in expiries if expiry <= time)


def settle_expired(markets: Sequence[MarketSnapshot], time: int) -> ExpiryStep:
    """Drops what has expired at `time`, each expiry as `settle_expiry` says, at the markets of the `AVERAGED_SECONDS`
    before it; where there is none, at the last one before it.

    Parameters
    ----------
    markets : sequence of MarketSnapshot
        Of one listing, by rising time.

    Raises
    ------
    WrongKind
        If nothing of the listing has expired, or no market is of before an expiry.
    """
    steps = []
    for expiry in list_expiries(markets[-1], time):
        before = [market for market in markets if market.time < expiry]
        if not before:
            raise WrongKind(f"first price before the expiry at {expiry}", markets[0].time, "one of before it")
        averaged = [market for market in before if market.time >= expiry - AVERAGED_SECONDS]
        steps.append(settle_expiry(averaged or before[-1:], expiry))
    if not steps:
        raise WrongKind(f"what has expired at {time}", "nothing", "one expiry of the listing at least: it ends with it")
    return compose_expiry_steps(steps)


def settle_expiry(markets: Sequence[MarketSnapshot], expiry: int) -> ExpiryStep:
    """Drops what expires then, at its payoff on the mean of its forward over `markets`, of one listing.

    Payoffs are rounded to the micro-dollar per lot; both sides of a position meet the same one.
    """
    last = markets[-1]
    drop = (last.listing.expiry == expiry).astype(np.int64)
    mean = np.mean([market.forward for market in markets], axis=0)
    shift, years = (np.where(drop, of_slots, 0.0) for of_slots in (mean / last.forward - 1.0, last.years))
    payoff = price_per_lot(last, forward_shift=shift, time_shift=years)
    return ExpiryStep(last.listing.preset, drop, np.rint(payoff * USD6).astype(np.int64) * drop)
