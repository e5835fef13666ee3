"""Prices and Greeks of one lot of every slot of a market snapshot, with shifts of price, volatility and time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zkmargin.engine.elementary import exp, log
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.black76 import Greeks, black76_greeks, black76_price, require_not_negative
from zkmargin.engine.market.snapshot import MarketSnapshot


def _shifted(
    snapshot: MarketSnapshot, forward_shift: ArrayLike, volatility: ArrayLike | None, time_shift: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Forwards (…, N), 0 where nothing is listed; forward, volatility and years (…, n) of the n listed options."""
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    shift = np.asarray(forward_shift, dtype=float)
    if not ((shift >= -1.0) & (shift < np.inf)).all():
        raise OutOfRange("forward shift", float(shift[~((shift >= -1.0) & (shift < np.inf))].flat[0]), -1.0, "finite")
    elapsed = require_not_negative("time shift", time_shift)
    if volatility is None:
        chosen = snapshot.volatility
    else:
        chosen = np.asarray(volatility, dtype=float)
        if chosen.ndim == 0:
            chosen = np.full(listing.preset.slots, float(chosen))
    shape = np.broadcast_shapes(shift.shape, elapsed.shape, chosen.shape, (listing.preset.slots,))
    forward = np.broadcast_to(np.where(listing.is_listed, snapshot.forward, 0.0) * (1.0 + shift), shape)
    years = np.maximum(snapshot.years[slots] - np.broadcast_to(elapsed, shape)[..., slots], 0.0)
    return forward, forward[..., slots], np.broadcast_to(chosen, shape)[..., slots], years


def price_per_lot(
    snapshot: MarketSnapshot,
    *,
    forward_shift: ArrayLike = 0.0,
    volatility: ArrayLike | None = None,
    time_shift: ArrayLike = 0.0,
    rate_shift: ArrayLike = 0.0,
) -> np.ndarray:
    """Value of one lot of every slot, US dollars, shape (…, N): the broadcast shape of the arguments against (N,).

    Options: `black76_price` on the row's own forward; futures their forward, perpetuals their mark less the accrued
    funding, spot its index, a bond its discount factor; each times the lot size. A slot where nothing is listed is
    worth 0.

    Parameters
    ----------
    forward_shift
        Relative change of forwards, marks and index, >= -1: scalar or broadcastable to (…, N). For one number per
        scenario pass shape (scenarios, 1). Neither accrued funding nor bonds move.
    volatility
        Volatilities instead of the snapshot's, fraction, broadcastable to (…, N); only option slots are read.
    time_shift
        Years that pass before valuation, >= 0, broadcastable to (…, N). An option that expires meanwhile is worth its
        payoff on the shifted forward, a bond its face.
    rate_shift
        Change of the continuous rate at which bonds are discounted, fraction per year, broadcastable to (…, N).

    Raises
    ------
    OutOfRange
        If a shift, volatility or time is out of its range or not finite.
    """
    forward, option_forward, chosen, years = _shifted(snapshot, forward_shift, volatility, time_shift)
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    price = forward - snapshot.accrued_by_slot
    price[..., slots] = black76_price(option_forward, listing.strike[slots], years, chosen, listing.is_call[slots])
    if listing.is_bond.any():
        discounts = _discount_bonds(snapshot, time_shift, rate_shift)
        price = np.broadcast_to(price, np.broadcast_shapes(price.shape, discounts.shape)).copy()
        bonds = np.flatnonzero(listing.is_bond)
        price[..., bonds] = discounts[..., bonds]
    return np.asarray(price * listing.lot_size)


def _discount_bonds(snapshot: MarketSnapshot, time_shift: ArrayLike, rate_shift: ArrayLike) -> np.ndarray:
    """(…, N) discount factors of bonds after a time at their own rates, those then moved; 1 elsewhere."""
    listing = snapshot.listing
    factor, years = np.where(listing.is_bond, snapshot.forward, 1.0), np.where(listing.is_bond, snapshot.years, 1.0)
    passed = np.minimum(np.asarray(time_shift, dtype=float), years)
    growth = log(factor) / years * -passed  # the bond's rate over the time that passes
    return np.asarray(factor * exp(growth - np.asarray(rate_shift, dtype=float) * (years - passed)))


def greeks_per_lot(
    snapshot: MarketSnapshot,
    *,
    forward_shift: ArrayLike = 0.0,
    volatility: ArrayLike | None = None,
    time_shift: ArrayLike = 0.0,
) -> Greeks:
    """Greeks of one lot of every slot, shape (…, N), arguments and errors as `price_per_lot`.

    Units are those of `Greeks` times coin per lot; delta of spot, perpetuals and futures is the lot size, the rest 0.
    A bond has none.
    """
    forward, option_forward, chosen, years = _shifted(snapshot, forward_shift, volatility, time_shift)
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    of_options = black76_greeks(option_forward, listing.strike[slots], years, chosen, listing.is_call[slots])
    columns = []
    for field, values in zip(Greeks._fields, of_options, strict=True):
        column = np.broadcast_to(~listing.is_bond * float(field == "delta"), forward.shape).copy()
        column[..., slots] = values
        columns.append(column * listing.lot_size)
    return Greeks(*columns)


def delta_per_lot(
    snapshot: MarketSnapshot,
    *,
    forward_shift: ArrayLike = 0.0,
    volatility: ArrayLike | None = None,
    time_shift: ArrayLike = 0.0,
) -> np.ndarray:
    """Delta of one lot of every slot, coin, shape (…, N): change in US dollars per US dollar of the row's forward."""
    return greeks_per_lot(snapshot, forward_shift=forward_shift, volatility=volatility, time_shift=time_shift).delta
