"""Whether a market's options cost what their venue quotes: a wrong volatility is money that somebody does not have.

A snapshot states volatilities, and prices follow. Arbitrage alone bounds them loosely and from one side: 110 of 240
volatilities may be divided by four and leave a chain free of it. So where the source quoted an option, its price must
be the quoted mark's, up to

    TICK + TIME_VALUE_SHARE * time value + DELTA_SHARE * |delta|

in coin per option: a rounding step, a share of what volatility decides, and a share of what the forward decides, as
the tickers of a chain are read at different seconds. By the same it may lie below the bid or above the ask. On the
shipped chains of 2026-08-22, 2025-12-30 and 2026-02-05 the farthest option uses 0.80, 0.53 and 0.96 of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot

TICK = 1e-4
"""Coin per option, the step in which Deribit's options are quoted."""
TIME_VALUE_SHARE = 0.05
"""Share of the time value by which a price may differ from the quotes."""
DELTA_SHARE = 5e-4
"""Share of the delta: what the forward may have moved between two tickers."""


class Quote(Protocol):
    """What the check reads of a venue's quotes of one option: `engine.market.file.Observation`, which says the
    units."""

    @property
    def mark(self) -> float: ...
    @property
    def delta(self) -> float: ...
    @property
    def bid(self) -> float | None: ...
    @property
    def ask(self) -> float | None: ...


def check_quotes(snapshot: MarketSnapshot, observations: Mapping[str, Quote]) -> None:
    """Refuse prices that are not those that the venue quoted; options that nobody quoted are not looked at.

    Raises
    ------
    OutOfRange
        For the option that is farthest off: its price, and the range that mark, bid and ask allow, coin per option.
    """
    listing = snapshot.listing
    slots = [item.slot for item in listing.by_name.values() if item.name in observations]
    if not slots:
        return
    seen = [observations[listing.at(slot).name] for slot in slots]
    mark, delta = (np.array([getattr(item, field) for item in seen]) for field in ("mark", "delta"))
    bid = np.array([item.bid or 0.0 for item in seen])
    ask = np.array([np.inf if item.ask is None else item.ask for item in seen])
    gap = 1.0 - listing.strike[slots] / snapshot.forward[slots]
    intrinsic = np.maximum(np.where(listing.is_call[slots], gap, -gap), 0.0)
    room = TICK + TIME_VALUE_SHARE * np.maximum(mark - intrinsic, 0.0) + DELTA_SHARE * np.abs(delta)
    low, high = np.maximum(np.maximum(mark, bid) - room, 0.0), np.minimum(mark, ask) + room
    price = price_per_lot(snapshot)[slots] / (listing.lot_size[slots] * snapshot.forward[slots])
    beyond = np.maximum(low - price, price - high) / room
    worst = int(beyond.argmax())
    if beyond[worst] > 0:
        what = f"price of {listing.at(slots[worst]).name} by its volatility, coin, against the venue's quotes"
        raise OutOfRange(what, float(price[worst]), float(low[worst]), float(high[worst]))
