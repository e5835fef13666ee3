"""The books of each day, struck anew at the day's market, as lots of a listing made for the day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkmargin.engine.backtest.paths import State
from zkmargin.engine.backtest.volatility import QUARTER_DELTA
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.crowding import MIN_DEPTH, MIN_MULTIPLIER, Crowding
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, Listing, make_instrument
from zkmargin.engine.market.snapshot import MAX_DAILY_VOLATILITY, MIN_DAILY_VOLATILITY, MarketSnapshot
from zkmargin.engine.presets import PERPETUAL_OFFSET, SPOT_OFFSET, Coin, get_preset, require_coin
from zkmargin.engine.units import DAYS_PER_YEAR, SECONDS_PER_DAY, USD6, quantize

PRESET = get_preset("standard")
LOT_SIZES = (0.01, 0.1)
"""Coin per lot, as on the shipped markets."""
NEAR, FAR = 30.0, 90.0
"""Days to expiry of the listed options; the future is of the far date."""
OPTIONS = (
    ("call", NEAR, None), ("put", NEAR, None), ("put wing", NEAR, -1), ("call wing", NEAR, 1),
    ("far call", FAR, None), ("far put", FAR, None),
)  # fmt: skip
"""Name, days, and the side of a 25-delta strike; None is the near forward."""
SLOTS = {
    coin: np.array(
        [
            PRESET.coin_slots(coin).start + SPOT_OFFSET,
            PRESET.coin_slots(coin).start + PERPETUAL_OFFSET,
            PRESET.future_slots(coin).start,
            *list(PRESET.option_slots(coin))[: len(OPTIONS)],
        ]
    )
    for coin in Coin
}
"""The slots that a day lists, by coin: spot, perpetual, future, options."""
NO_CROWD = Crowding(0.0, 0.0, MIN_DEPTH, MIN_DEPTH, 0.0)
"""Crowds of past days are not recorded: the contagion buffer requires nothing."""

ARCHETYPES: dict[str, tuple[dict[str, float], str]] = {
    "long": ({"perpetual": 1}, "long a perpetual"),
    "short": ({"perpetual": -1}, "short a perpetual"),
    "long_straddle": ({"call": 1, "put": 1}, "long a 30-day straddle"),
    "short_straddle": ({"call": -1, "put": -1}, "short a 30-day straddle"),
    "strangle": ({"call wing": -1, "put wing": -1}, "short a 30-day 25-delta strangle"),
    "iron_fly": (
        {"call": -1, "put": -1, "call wing": 1, "put wing": 1},
        "short a straddle, long its 25-delta wings",
    ),
    "calendar": (
        {"call": -1, "put": -1, "far call": 1, "far put": 1},
        "short a 30-day straddle, long a 90-day straddle of the same strike",
    ),
    "reverse_calendar": (
        {"call": 1, "put": 1, "far call": -1, "far put": -1},
        "long a 30-day straddle, short a 90-day straddle of the same strike",
    ),
    "basis": (
        {"future": 1, "perpetual": -1},
        "long a 90-day future, short a perpetual; only where a basis is recorded",
    ),
    "carry": (
        {"spot": 1, "perpetual": -1},
        "long ETH in kind, short an ETH perpetual; only where both prices are recorded",
    ),
    "pair": ({"perpetual": 1, "other perpetual": -1}, "long one coin, short the other coin of the same value"),
}
"""Coins per instrument, and what the book is."""
NEEDS_SPOT, NEEDS_BASIS = "carry", "basis"
SPOT_COIN = Coin.ETH
"""The coin whose spot is collateral, and whose spot price is recorded beside the perpetual's."""


@dataclass(frozen=True, eq=False)
class Listed:
    """One day's market with the instruments that the books need."""

    snapshot: MarketSnapshot
    """Preset `standard`, most slots empty."""
    state: State
    """What it was made from."""

    @cached_property
    def slots(self) -> np.ndarray:
        """(n,) listed slots, rising."""
        return np.flatnonzero(self.snapshot.listing.is_listed)

    def find(self, coin: Coin, name: str) -> int:
        """Slot of an instrument by its name in `ARCHETYPES`."""
        names = ("spot", "perpetual", "future", *(option for option, *_ in OPTIONS))
        return int(SLOTS[coin][names.index(name)])

    @cached_property
    def lot_sizes(self) -> np.ndarray:
        """(n,) coin per lot of each listed slot."""
        return np.asarray(self.snapshot.listing.lot_size[self.slots])

    def value(self, later: State) -> np.ndarray:
        """(n,) value of one lot of each listed slot at a later market, US dollars: full revaluation."""
        listing, prices = self.snapshot.listing, np.zeros(PRESET.slots)
        elapsed = (later.date - self.state.date) / np.timedelta64(1, "D")
        for place, coin in enumerate(Coin):
            spot, perpetual, *_ = SLOTS[coin]
            dated = SLOTS[coin][2:]
            is_recorded = coin == SPOT_COIN and not np.isnan(later.eth_spot)
            prices[spot] = later.eth_spot if is_recorded else later.index[place]
            prices[perpetual] = later.index[place]
            days = (listing.expiry[dated] - self.snapshot.time) / SECONDS_PER_DAY - elapsed
            forward = later.forward(place, days)
            prices[dated] = forward
            options = dated[1:]
            strike, forward, days = listing.strike[options], forward[1:], days[1:]
            volatility = later.volatility(place, days, np.log(strike / forward))
            years = days / DAYS_PER_YEAR
            prices[options] = black76_price(forward, strike, years, volatility, listing.is_call[options])
        return np.asarray(prices[self.slots] * self.lot_sizes)


def list_day(state: State, forecast: np.ndarray) -> Listed:
    """Listing and snapshot of a day: spot, perpetual, a 90-day future, six options per coin; `forecast` is (coins,)."""
    time = int((state.date + np.timedelta64(1, "D")).astype("datetime64[s]").astype(int))
    instruments: list[Instrument | None] = [None] * PRESET.slots
    forward, volatility = np.full(PRESET.slots, np.nan), np.full(PRESET.slots, np.nan)
    for place, coin in enumerate(Coin):
        spot, perpetual, future, *options = SLOTS[coin].tolist()
        lot, far = LOT_SIZES[place], time + int(FAR * SECONDS_PER_DAY)
        for slot, kind in ((spot, InstrumentKind.SPOT), (perpetual, InstrumentKind.PERPETUAL)):
            instruments[slot] = make_instrument(slot, kind, coin, lot)
            forward[slot] = float(state.index[place])
        instruments[future] = make_instrument(future, InstrumentKind.FUTURE, coin, lot, expiry=far)
        forward[future] = state.forward(place, FAR)
        centre = float(state.forward(place, NEAR))
        for slot, (name, days, side) in zip(options, OPTIONS, strict=True):
            strike = centre
            if side is not None:
                deviation = state.wings[place, (side + 1) // 2] * np.sqrt(NEAR / DAYS_PER_YEAR)
                strike = centre * float(np.exp(side * QUARTER_DELTA * deviation + 0.5 * deviation**2))
            strike = quantize(strike, USD6)
            instruments[slot] = make_instrument(
                slot, InstrumentKind.OPTION, coin, lot, strike=strike, expiry=time + int(days * SECONDS_PER_DAY),
                is_call="call" in name,
            )  # fmt: skip
            forward[slot] = state.forward(place, days)
            volatility[slot] = state.volatility(place, days, np.log(strike / forward[slot]))
    daily = np.clip(forecast, MIN_DAILY_VOLATILITY, MAX_DAILY_VOLATILITY)
    snapshot = MarketSnapshot(
        time=time,
        source="history record of the backtests",
        index={coin: float(state.index[place]) for place, coin in enumerate(Coin)},
        listing=Listing(PRESET, 0, tuple(instruments)),
        forward=forward,
        volatility=volatility,
        daily_volatility={coin: float(daily[place]) for place, coin in enumerate(Coin)},
        crowding=dict.fromkeys(Coin, NO_CROWD),
        contagion_multiplier=MIN_MULTIPLIER,
    )
    return Listed(snapshot, state)


def make_lots(listed: Listed, names: tuple[str, ...], coin: str) -> np.ndarray:
    """(n, B) lots of each listed slot in each book, for one coin's worth of `coin` (real numbers).

    Raises `UnknownName` for a book or coin that is none.
    """
    chosen = require_coin("coin", coin, Coin)
    other = next(another for another in Coin if another is not chosen)
    row_of = {int(slot): row for row, slot in enumerate(listed.slots)}
    lots = np.zeros((len(listed.slots), len(names)))
    for column, name in enumerate(names):
        if name not in ARCHETYPES:
            raise UnknownName("archetype", name, ARCHETYPES)
        unit = SPOT_COIN if name == NEEDS_SPOT else chosen
        for instrument, coins in ARCHETYPES[name][0].items():
            traded = other if instrument.startswith("other ") else unit
            size = LOT_SIZES[traded.ordinal]
            ratio = listed.state.index[unit.ordinal] / listed.state.index[traded.ordinal]
            lots[row_of[listed.find(traded, instrument.removeprefix("other "))], column] = coins * ratio / size
    return lots
