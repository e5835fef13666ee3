"""Books struck on a real chain, with expiries as they are listed, and what they are worth at a later chain's marks.

Beside 30-day straddles these are books of the nearest expiry: a straddle that may settle while it is held, and a
calendar against the next expiry. What settles in between pays its payoff at the index at its expiry, joined by a line
between the two chains around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.backtest.books import LOT_SIZES, NO_CROWD, PRESET
from zkmargin.engine.market.crowding import MIN_MULTIPLIER
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, Listing, get_option_terms, make_instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import PERPETUAL_OFFSET, Coin
from zkmargin.engine.units import SECONDS_PER_DAY

MONTH_DAYS = 30.0
"""Tenor of the month's straddle: the listed expiry nearest to it."""
LEAST_DAYS = 1.5
"""Default of the least life of a struck option, days: that of the listing rule (`scripts.derive.snapshot`)."""

BOOKS: dict[str, dict[str, float]] = {
    "long": {"perpetual": 1},
    "short": {"perpetual": -1},
    "long_straddle": {"month call": 1, "month put": 1},
    "short_straddle": {"month call": -1, "month put": -1},
    "near_straddle": {"near call": 1, "near put": 1},
    "short_near_straddle": {"near call": -1, "near put": -1},
    "near_calendar": {"near call": -1, "near put": -1, "next call": 1, "next put": 1},
    "reverse_near_calendar": {"near call": 1, "near put": 1, "next call": -1, "next put": -1},
    "pair": {"perpetual": 1, "other perpetual": -1},
}
"""Coins per instrument; options at the strike nearest to the near or the month's forward, `next` at the near strike's
nearest. `pair` is of equal value in both coins."""


@dataclass(frozen=True)
class Quote:
    """One option of a chain."""

    underlying: Coin
    expiry: int
    strike: float
    is_call: bool
    forward: float
    """US dollars."""
    volatility: float
    """Fraction."""
    value: float
    """The venue's mark, US dollars per coin: mark in coin times the forward."""


@dataclass(frozen=True)
class ChainMarks:
    """A chain's prices."""

    time: int
    """Unix seconds."""
    index: Mapping[Coin, float]
    """US dollars."""
    options: Mapping[str, Quote]
    """By name."""


def choose_options(chain: ChainMarks, coin: Coin, least_days: float = LEAST_DAYS) -> dict[str, str]:
    """Names of the options of `BOOKS` with more than `least_days` left; those whose expiry or strike the chain lacks
    are missing."""
    strikes: dict[int, dict[float, dict[bool, str]]] = {}
    for name, quote in chain.options.items():
        days = (quote.expiry - chain.time) / SECONDS_PER_DAY
        if quote.underlying is coin and days > least_days:
            strikes.setdefault(quote.expiry, {}).setdefault(quote.strike, {})[quote.is_call] = name
    paired = {
        expiry: {strike: sides for strike, sides in of_expiry.items() if len(sides) == 2}
        for expiry, of_expiry in sorted(strikes.items())
    }
    paired = {expiry: of_expiry for expiry, of_expiry in paired.items() if of_expiry}
    if not paired:
        return {}
    month = min(paired, key=lambda expiry: abs(expiry - chain.time - MONTH_DAYS * SECONDS_PER_DAY))
    expiries = list(paired)
    places = {"near": expiries[0], "month": month} | ({"next": expiries[1]} if len(expiries) > 1 else {})
    chosen: dict[str, str] = {}
    centre: dict[str, float] = {}
    for place, expiry in places.items():
        if place == "next":
            wanted = centre["near"]
        else:
            wanted = chain.options[next(iter(next(iter(paired[expiry].values())).values()))].forward
        strike = min(paired[expiry], key=lambda strike: (abs(strike - wanted), strike))
        centre[place] = strike
        chosen |= {
            f"{place} {'call' if is_call else 'put'}": paired[expiry][strike][is_call] for is_call in (True, False)
        }
    return chosen


@dataclass(frozen=True, eq=False)
class StruckBooks:
    """The books of one chain."""

    snapshot: MarketSnapshot
    """Only what the books need, at `standard`, without a crowd."""
    slots: Mapping[Coin, Mapping[str, int]]
    """By coin and name in `BOOKS`."""

    def get_state(self, book: str, coin: Coin) -> AccountState | None:
        """The account with the book of about one coin and no cash; none if the chain lacks an instrument of it."""
        lots = np.zeros(PRESET.slots, dtype=np.int64)
        other = next(another for another in Coin if another is not coin)
        for instrument, coins in BOOKS[book].items():
            traded = other if instrument.startswith("other ") else coin
            slot = self.slots[traded].get(instrument.removeprefix("other "))
            if slot is None:
                return None
            ratio = self.snapshot.index[coin] / self.snapshot.index[traded]
            lots[slot] = round(coins * ratio / LOT_SIZES[traded.ordinal])
        return AccountState(lots, 0)

    def value(self, later: ChainMarks, settlement: Mapping[tuple[Coin, int], float]) -> np.ndarray:
        """(N,) value of one lot at a later chain's marks, US dollars; options that expired by then at their payoff on
        `settlement`, the index by coin and expiry. NaN where the later chain has no quote."""
        values = np.zeros(PRESET.slots)
        for item in self.snapshot.listing.by_name.values():
            if item.kind is not InstrumentKind.OPTION:
                values[item.slot] = later.index[item.underlying]
            elif item.expiry is not None and item.expiry <= later.time:
                strike, is_call = get_option_terms(item)
                paid = settlement.get((item.underlying, item.expiry), np.nan)
                values[item.slot] = max(paid - strike, 0.0) if is_call else max(strike - paid, 0.0)
            else:
                quote = later.options.get(item.name)
                values[item.slot] = np.nan if quote is None else quote.value
            values[item.slot] *= item.lot_size
        return values


def strike_books(
    chain: ChainMarks, daily_volatility: Mapping[Coin, float], least_days: float = LEAST_DAYS
) -> StruckBooks:
    """Listing and snapshot of a chain's books; `daily_volatility` is the forecast at the chain's time."""
    instruments: list[Instrument | None] = [None] * PRESET.slots
    forward, volatility = np.full(PRESET.slots, np.nan), np.full(PRESET.slots, np.nan)
    slots: dict[Coin, dict[str, int]] = {}
    for coin in Coin:
        lot, perpetual = LOT_SIZES[coin.ordinal], PRESET.coin_slots(coin).start + PERPETUAL_OFFSET
        instruments[perpetual] = make_instrument(perpetual, InstrumentKind.PERPETUAL, coin, lot)
        forward[perpetual] = chain.index[coin]
        slots[coin], names = {"perpetual": perpetual}, choose_options(chain, coin, least_days)
        listed: dict[str, int] = {}
        for place, name in names.items():
            quote = chain.options[name]
            slot = listed.setdefault(name, PRESET.option_slots(coin)[len(listed)])
            instruments[slot] = make_instrument(
                slot, InstrumentKind.OPTION, coin, lot, strike=quote.strike, expiry=quote.expiry, is_call=quote.is_call
            )
            forward[slot], volatility[slot] = quote.forward, quote.volatility
            slots[coin][place] = slot
    snapshot = MarketSnapshot(
        time=chain.time,
        source="a chain of the backtests",
        index=chain.index,
        listing=Listing(PRESET, 0, tuple(instruments)),
        forward=forward,
        volatility=volatility,
        daily_volatility=daily_volatility,
        crowding=dict.fromkeys(Coin, NO_CROWD),
        contagion_multiplier=MIN_MULTIPLIER,
    )
    return StruckBooks(snapshot, slots)


def interpolate_settlements(chains: Sequence[ChainMarks]) -> dict[tuple[Coin, int], float]:
    """Index at each expiry that lies between two of the chains (rising in time), on the line between them."""
    times = np.array([chain.time for chain in chains])
    expiries = {(quote.underlying, quote.expiry) for chain in chains for quote in chain.options.values()}
    return {
        (coin, expiry): float(np.interp(expiry, times, [chain.index[coin] for chain in chains]))
        for coin, expiry in expiries
        if times[0] <= expiry <= times[-1]
    }
