"""An expiry: what of a market expires next, and what its slots list afterwards."""

from __future__ import annotations

from dataclasses import replace

from zkmargin.engine.errors import WrongKind
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, make_instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY

RELISTED_AFTER = 7 * SECONDS_PER_DAY
"""Seconds from an expiry to that of what takes its slots."""


def choose_options(market: MarketSnapshot, coin: Coin) -> tuple[Instrument, Instrument]:
    """Put and call of the highest strikes at a coin's next expiry; after a fall the one pays, and not the other."""
    options = [
        item
        for item in market.listing.by_name.values()
        if item.kind is InstrumentKind.OPTION and item.underlying is coin
    ]
    first = min(item.expiry or 0 for item in options)
    put, call = (
        max(
            (item for item in options if item.expiry == first and item.is_call is is_call),
            key=lambda item: item.strike or 0.0,
            default=None,
        )
        for is_call in (False, True)
    )
    if put is None or call is None:
        raise WrongKind(f"next expiry of {coin}", first, "one of puts and calls")
    return put, call


def list_successors(market: MarketSnapshot, expiry: int) -> MarketSnapshot:
    """The market of the listing's next version: what expires then is followed, in its slot, by the same of a later
    expiry, at the same forward and volatility."""
    listing = market.listing
    instruments = tuple(
        _follow(item, expiry + RELISTED_AFTER) if item is not None and item.expiry == expiry else item
        for item in listing.instruments
    )
    return replace(market, listing=replace(listing, generation=listing.generation + 1, instruments=instruments))


def _follow(item: Instrument, expiry: int) -> Instrument:
    return make_instrument(
        item.slot, item.kind, item.underlying, item.lot_size, strike=item.strike, expiry=expiry, is_call=item.is_call
    )
