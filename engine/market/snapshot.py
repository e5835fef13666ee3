"""The market snapshot: all that a risk epoch is computed from, as a record and as bytes posted on chain.

A number enters on a fixed grid (micro-dollars, millionths of volatility): the constructor rounds to it, so what is
priced is exactly what is posted, and equal snapshots have equal bytes. `engine.market.file` reads and writes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from eth_hash.auto import keccak

from zkmargin.engine.elementary import exp
from zkmargin.engine.errors import ExpiredInstrument, MalformedFile, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.market.bytes import RATE_STEP, VOLATILITY_STEP, decode, encode
from zkmargin.engine.market.crowding import MAX_MULTIPLIER, MIN_MULTIPLIER, MULTIPLIER_STEP, Crowding
from zkmargin.engine.market.instruments import MAX_EXPIRY, MAX_USD, Instrument, InstrumentKind, Listing
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_YEAR, USD6, quantize, require_in_range, require_whole

MIN_VOLATILITY, MAX_VOLATILITY = 0.001, 16.0
"""Allowed volatility, fraction; the largest on the chain of a crash was 3.2. A zero is missing data, not a market."""
MAX_RATE = 1.0
"""Largest absolute rate (per year) or funding (per 8 hours), fraction."""
MARK_BAND = 0.05
"""Farthest that a perpetual's mark may lie from its index, fraction of the index: checked where a snapshot is read.
Venues' own marks of BTC and ETH stay within 1 %; this project's choice, five times that."""
MIN_DAILY_VOLATILITY, MAX_DAILY_VOLATILITY = 0.001, 1.0
"""Allowed forecast of the volatility of daily log returns, fraction."""
MAX_SOURCE = 1_000
"""Longest source, bytes of UTF-8."""
NOT_GIVEN: Mapping[Coin, float] = MappingProxyType({})
"""Stands for zeros of every coin. Any other mapping, an empty one too, must name them all."""


@dataclass(frozen=True, eq=False)
class MarketSnapshot:
    """Prices and volatilities of a listing at one time. Equal when the canonical bytes are equal.

    Raises
    ------
    OutOfRange
        If a number is not finite or out of range, or an array has another length than the listing.
    ExpiredInstrument
        If an instrument expires at or before `time` (a crossed expiry).
    WrongKind
        If a number stands on a slot that has none of that sort, spot differs from its index, or a coin without a
        perpetual has accrued funding.
    UnknownName
        If index, rates, funding, accrued funding, daily volatility or crowding have other keys than the coins.
    """

    time: int
    """Unix seconds."""
    source: str
    """Where the numbers come from, at most `MAX_SOURCE` bytes."""
    index: Mapping[Coin, float]
    """US dollars per coin, rounded to 1e-6."""
    listing: Listing
    """What the slots hold."""
    forward: np.ndarray
    """(N,) US dollars per coin, rounded to 1e-6: index for spot, mark for perpetuals (funding not taken off), a bond's
    discount factor (US dollars per unit of face), else the row's own forward; NaN where nothing is listed."""
    volatility: np.ndarray
    """(N,) fraction per square root of a year, rounded to 1e-6; NaN where no option is."""
    daily_volatility: Mapping[Coin, float]
    """Forecast volatility of the coin's daily log return, fraction, rounded to 1e-6: what the historical moves of the
    expected shortfall are scaled to. Filtered with decay 0.97 from closes up to `time`."""
    crowding: Mapping[Coin, Crowding]
    """The publishers' estimate of crowd and depth per coin, for the contagion buffer."""
    contagion_multiplier: float
    """State multiplier of the contagion buffer, 1 to 4, rounded to 0.001."""
    rates: Mapping[Coin, float] = dataclasses.field(default_factory=lambda: NOT_GIVEN)
    """Discount rate per coin, fraction per year, continuous; 0 where none is given. A recorded fact: prices are
    undiscounted."""
    funding: Mapping[Coin, float] = dataclasses.field(default_factory=lambda: NOT_GIVEN)
    """Funding of the coin's perpetual, fraction per 8 hours, positive when longs pay; 0 where it is not known."""
    accrued_funding: Mapping[Coin, float] = dataclasses.field(default_factory=lambda: NOT_GIVEN)
    """What longs of the coin's perpetual have paid in funding since it was listed, less what they have received, US
    dollars per coin, rounded to 1e-6. The perpetual's price is its mark less this, and may be negative; shocks and
    deltas are of the mark."""

    def __post_init__(self) -> None:
        listing = self.listing
        coins = tuple(listing.preset.coins)
        for field in ("rates", "funding", "accrued_funding"):
            if getattr(self, field) is NOT_GIVEN:
                object.__setattr__(self, field, dict.fromkeys(coins, 0.0))
        source_size = len(self.source.encode()) if isinstance(self.source, str) else 0
        if not 1 <= source_size <= MAX_SOURCE:
            raise OutOfRange("source", self.source, "1 byte", f"{MAX_SOURCE} bytes of text")
        checked = {
            "time": require_whole("time", self.time, 1, MAX_EXPIRY),
            "index": _per_coin("index", coins, self.index, 1 / USD6, MAX_USD, USD6),
            "rates": _per_coin("rate", coins, self.rates, -MAX_RATE, MAX_RATE, RATE_STEP),
            "funding": _per_coin("funding", coins, self.funding, -MAX_RATE, MAX_RATE, RATE_STEP),
            "accrued_funding": _per_coin("accrued funding", coins, self.accrued_funding, -MAX_USD, MAX_USD, USD6),
            "daily_volatility": _per_coin(
                "daily volatility",
                coins,
                self.daily_volatility,
                MIN_DAILY_VOLATILITY,
                MAX_DAILY_VOLATILITY,
                VOLATILITY_STEP,
            ),
            "crowding": _crowding_per_coin(coins, self.crowding),
            "contagion_multiplier": quantize(
                require_in_range("contagion_multiplier", self.contagion_multiplier, MIN_MULTIPLIER, MAX_MULTIPLIER),
                MULTIPLIER_STEP,
            ),
            "forward": _by_slot("forward", self.forward, listing, listing.is_listed, (1 / USD6, MAX_USD), USD6),
            "volatility": _by_slot(
                "volatility",
                self.volatility,
                listing,
                listing.is_option,
                (MIN_VOLATILITY, MAX_VOLATILITY),
                VOLATILITY_STEP,
            ),
        }
        for field, value in checked.items():
            object.__setattr__(self, field, value)
        for item in listing.by_name.values():
            if item.expiry is not None and item.expiry <= self.time:
                raise ExpiredInstrument(item.name, item.expiry, self.time)
            if item.kind is InstrumentKind.SPOT and self.forward[item.slot] != self.index[item.underlying]:
                allowed = f"the index of {item.underlying.value}, {self.index[item.underlying]}"
                raise WrongKind(f"forward of {item.name}", float(self.forward[item.slot]), allowed)
        self._check_accrued_funding()
        self._check_discounts()

    def _check_accrued_funding(self) -> None:
        listed = {item.underlying for item, _ in self._perpetuals()}
        for coin, accrued in self.accrued_funding.items():
            if accrued and coin not in listed:
                raise WrongKind(f"accrued funding of {coin.value}", accrued, "0, as no perpetual is listed")

    def _check_discounts(self) -> None:
        """A bond costs no more than it pays, and no less than `MAX_RATE` a year discounts it to."""
        for item in self.listing.by_name.values():
            if item.kind is InstrumentKind.BOND:
                least = float(exp(-MAX_RATE * self.years[item.slot])) - 1.0 / USD6
                require_in_range(
                    f"discount factor of {item.name}", float(self.forward[item.slot]), max(least, 1 / USD6), 1.0
                )

    def _perpetuals(self) -> Iterator[tuple[Instrument, float]]:
        """Each listed perpetual and its mark, US dollars per coin."""
        for item in self.listing.by_name.values():
            if item.kind is InstrumentKind.PERPETUAL:
                yield item, float(self.forward[item.slot])

    def check_marks(self) -> None:
        """Whether each perpetual's mark lies within `MARK_BAND` of its index, as it must where a snapshot is read.

        Not of every record: a stressed market may hold prices that no venue would state.

        Raises
        ------
        OutOfRange
            If a mark is farther away; names the mark and the range.
        """
        for item, mark in self._perpetuals():
            index = self.index[item.underlying]
            low, high = index * (1.0 - MARK_BAND), index * (1.0 + MARK_BAND)
            what = f"mark of {item.name}, which stays within {MARK_BAND:.0%} of the index {index:g}"
            require_in_range(what, mark, low, high)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MarketSnapshot) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    @cached_property
    def years(self) -> np.ndarray:
        """(N,) years of 365 days to expiry; NaN where there is none."""
        years = np.where(self.listing.expiry > 0, (self.listing.expiry - self.time) / SECONDS_PER_YEAR, np.nan)
        years.flags.writeable = False
        return years

    @cached_property
    def index_by_slot(self) -> np.ndarray:
        """(N,) US dollars: the index of the coin that owns the slot, listed or not."""
        column = np.array(list(self.index.values()))[self.listing.underlying]
        column.flags.writeable = False
        return np.asarray(column)

    @cached_property
    def accrued_by_slot(self) -> np.ndarray:
        """(N,) US dollars per coin: the accrued funding of perpetuals, 0 elsewhere."""
        column = np.zeros(self.listing.preset.slots)
        for item, _ in self._perpetuals():
            column[item.slot] = self.accrued_funding[item.underlying]
        column.flags.writeable = False
        return column

    @cached_property
    def _bytes(self) -> bytes:
        return encode(self)

    def to_bytes(self) -> bytes:
        """Canonical bytes, posted with a risk epoch: same snapshot, same bytes. Layout: `engine.market.bytes`."""
        return self._bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> MarketSnapshot:
        """The snapshot whose `to_bytes` is `data`, the exact inverse.

        Raises
        ------
        MalformedFile
            If `data` is truncated, too long, or not the canonical bytes of its snapshot.
        OutOfRange
            As `check_marks`.
        MarketError
            As the records raise.
        """
        snapshot = cls(**decode(data))
        if snapshot.to_bytes() != bytes(data):
            raise MalformedFile("snapshot bytes", "are not canonical; allowed: what to_bytes gives")
        snapshot.check_marks()
        return snapshot

    @property
    def hash(self) -> bytes:
        """keccak256 of `to_bytes`, 32 bytes."""
        return keccak(self.to_bytes())


def _per_coin(
    what: str, coins: Sequence[Coin], given: Mapping[Coin, float], low: float, high: float, steps: int
) -> Mapping[Coin, float]:
    for key in given:
        if key not in coins:
            raise UnknownName(f"coin of {what}", key, coins)
    for coin in coins:
        if coin not in given:
            raise OutOfRange(f"{what} of {coin.value}", None, low, high)
    numbers = {coin: require_in_range(f"{what} of {coin.value}", given[coin], low, high) for coin in coins}
    return MappingProxyType({coin: quantize(number, steps) for coin, number in numbers.items()})


def _crowding_per_coin(coins: Sequence[Coin], given: Mapping[Coin, Crowding]) -> Mapping[Coin, Crowding]:
    for key in given:
        if key not in coins:
            raise UnknownName("coin of crowding", key, coins)
    for coin in coins:
        if not isinstance(given.get(coin), Crowding):
            raise WrongKind(f"crowding of {coin.value}", given.get(coin), "a Crowding")
    return MappingProxyType({coin: given[coin] for coin in coins})


def _by_slot(
    what: str, given: object, listing: Listing, wanted: np.ndarray, allowed: tuple[float, float], steps: int
) -> np.ndarray:
    """A read-only column on its grid: in the allowed range where `wanted`, NaN elsewhere."""
    column = np.array(given, dtype=float)
    if column.shape != (listing.preset.slots,):
        raise OutOfRange(f"shape of {what}", column.shape, (listing.preset.slots,), (listing.preset.slots,))
    low, high = allowed
    refused = np.flatnonzero(wanted & ~((column >= low) & (column <= high)))
    if refused.size:
        item = listing.at(refused[0])
        raise OutOfRange(f"{what} of {item.name} (slot {item.slot})", float(column[item.slot]), low, high)
    misplaced = np.flatnonzero(~wanted & ~np.isnan(column))
    if misplaced.size:
        slot = int(misplaced[0])
        raise WrongKind(f"{what} in slot {slot}", float(column[slot]), "NaN, for the slot has no such number")
    column = np.rint(column * steps) / steps
    column.flags.writeable = False
    return np.asarray(column)
