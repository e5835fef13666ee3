"""What can be traded, at which price and how much of it: quotes of a market file, in lots and micro-dollars.

Options trade at the quoted bid and ask (coin per option, valued at the option's own forward), up to a share of the
smaller of the day's volume and the open interest. Perpetuals and futures have no quotes in a market file: they trade at
a stated half spread, up to a share of the depth that the snapshot states for the coin and side. No quote is taken as
better than the mark and a fee is added, so every trade costs something. Collateral is not traded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.market.file import Observation
from zkmargin.engine.market.instruments import Instrument, InstrumentKind
from zkmargin.engine.units import USD6, require_in_range

HALF_SPREAD: Mapping[InstrumentKind, float] = {InstrumentKind.PERPETUAL: 0.0006, InstrumentKind.FUTURE: 0.001}
"""Half of bid to ask and a taker's fee as a fraction of the mark. Our choice: a fee of 5 basis points, and 1 and 5 of
spread."""

OPTION_FEE, OPTION_FEE_CAP = 0.0003, 0.125
"""A taker's fee for an option: a fraction of the forward, at most so much of the price paid or received. Our choice,
the size of fee that exchanges publish."""

DEPTH_SHARE: Mapping[InstrumentKind, float] = {InstrumentKind.PERPETUAL: 1.0, InstrumentKind.FUTURE: 0.1}
"""Share of the coin's depth that stands in one instrument of the kind. Our choice."""

LIQUIDITY_SHARE = 0.1
"""Default share of volume, open interest and depth that a hedge may take."""

_LARGEST = {"bid": 1e3, "ask": 1e3, "open_interest": 1e9, "volume": 1e9}
"""Largest numbers of an observation, coin: anything beyond is no quote."""


@dataclass(frozen=True, eq=False)
class Liquidity:
    """Prices and largest trades per slot, in slot order; lots are zero where nothing is for sale.

    Shapes are (N,) for the preset's N slots; prices are whole micro-dollars per lot.
    """

    mark: np.ndarray
    """int64."""
    ask: np.ndarray
    """int64, at least the mark."""
    bid: np.ndarray
    """int64, at most the mark and at least 0."""
    can_buy: np.ndarray
    """int64, lots."""
    can_sell: np.ndarray
    """int64, lots."""

    @property
    def tradable(self) -> np.ndarray:
        """Slots that can be traded on at least one side."""
        return np.flatnonzero((self.can_buy > 0) | (self.can_sell > 0))

    def restrict(self, slots: np.ndarray) -> Liquidity:
        """The same with nothing for sale outside `slots`."""
        kept = np.isin(np.arange(len(self.mark)), slots)
        return replace(self, can_buy=np.where(kept, self.can_buy, 0), can_sell=np.where(kept, self.can_sell, 0))

    def get_cost(self, trades: np.ndarray) -> int:
        """What signed trades (N,) in lots cost against the mark, micro-dollars, at least 0."""
        buys, sells = np.maximum(trades, 0).astype(object), np.maximum(-trades, 0).astype(object)
        return int(np.dot(buys, self.ask - self.mark) + np.dot(sells, self.mark - self.bid))

    def get_payment(self, trades: np.ndarray) -> int:
        """Cash that signed trades (N,) in lots pay, micro-dollars; negative when they receive."""
        buys, sells = np.maximum(trades, 0).astype(object), np.maximum(-trades, 0).astype(object)
        return int(np.dot(buys, self.ask.astype(object)) - np.dot(sells, self.bid.astype(object)))


def make_liquidity(
    house: HouseModel, observations: Mapping[str, Observation], share: float = LIQUIDITY_SHARE
) -> Liquidity:
    """What can be traded at a market.

    Parameters
    ----------
    house : HouseModel
    observations : mapping of str to Observation
        Quotes by option name, as `engine.market.file.load_observations` gives them; an option without one is not
        traded.
    share : float
        Share of volume, open interest and depth that may be taken, 0 to 1.

    Raises
    ------
    OutOfRange
        If `share`, or a quote, is no number in its range.
    """
    require_in_range("share of the liquidity", share, 0.0, 1.0)
    slots = house.snapshot.listing.preset.slots
    columns = {name: np.zeros(slots, dtype=np.int64) for name in ("ask", "bid", "can_buy", "can_sell")}
    columns["ask"][:], columns["bid"][:] = house.marks, house.marks
    for item in house.snapshot.listing.by_name.values():
        if item.kind is InstrumentKind.OPTION and item.name in observations:
            quote = _quote_option(house, item, observations[item.name], share)
        elif item.kind in HALF_SPREAD:
            quote = _quote_linear(house, item, share)
        else:
            continue
        for name, value in quote.items():
            columns[name][item.slot] = value
    return Liquidity(mark=house.marks, **columns)


def _quote_option(house: HouseModel, item: Instrument, seen: Observation, share: float) -> dict[str, int]:
    mark, lot = int(house.marks[item.slot]), float(house.snapshot.forward[item.slot]) * item.lot_size * USD6
    for what, most in _LARGEST.items():
        value = getattr(seen, what)
        if value is not None:
            require_in_range(f"{what} of {item.name}", value, 0.0, most)
    lots = math.floor(share * min(seen.volume, seen.open_interest) / item.lot_size)
    ask, bid = (max(mark, (seen.ask or 0.0) * lot), min(mark, seen.bid * lot) if seen.bid else mark)
    return {
        "ask": math.ceil(ask + min(OPTION_FEE * lot, OPTION_FEE_CAP * ask)),
        "bid": math.floor(bid - min(OPTION_FEE * lot, OPTION_FEE_CAP * bid)),
        "can_buy": lots if seen.ask else 0,
        "can_sell": lots if seen.bid else 0,
    }


def _quote_linear(house: HouseModel, item: Instrument, share: float) -> dict[str, int]:
    """Spread and depth are shares of the notional, which accrued funding is no part of."""
    mark, notional = int(house.marks[item.slot]), float(house.snapshot.forward[item.slot]) * item.lot_size * USD6
    if round(notional) == 0:  # a lot is worth less than half a micro-dollar: there is no price at which to trade it
        return {"ask": 0, "bid": 0, "can_buy": 0, "can_sell": 0}
    crowding, half = house.snapshot.crowding[item.underlying], HALF_SPREAD[item.kind] * notional
    deep = share * DEPTH_SHARE[item.kind] * USD6 / notional
    return {
        "ask": math.ceil(mark + half),
        "bid": math.floor(mark - half),
        "can_buy": math.floor(deep * crowding.depth_up),
        "can_sell": math.floor(deep * crowding.depth_down),
    }
