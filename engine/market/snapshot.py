"""The market snapshot: all that a risk epoch is computed from, in memory, as a JSON file and as bytes posted on chain.

A number enters on a fixed grid (micro-dollars, millionths of volatility): the constructor rounds to it, so what is
priced is exactly what is posted, and equal snapshots have equal bytes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
from eth_hash.auto import keccak
from pydantic import ConfigDict, Field

from zkmargin.engine.errors import (
    ArbitrageableSurface,
    DuplicateName,
    ExpiredInstrument,
    MalformedFile,
    OutOfRange,
    UnknownName,
    WrongKind,
)
from zkmargin.engine.files import StrictModel, find_shipped, list_shipped, read_model, read_text
from zkmargin.engine.market import bytes as market_bytes
from zkmargin.engine.market.arbitrage import check_prices
from zkmargin.engine.market.bytes import RATE_STEP, VOLATILITY_STEP
from zkmargin.engine.market.crowding import MAX_MULTIPLIER, MIN_MULTIPLIER, MULTIPLIER_STEP, Crowding
from zkmargin.engine.market.instruments import MAX_EXPIRY, MAX_USD, Instrument, InstrumentKind, Listing
from zkmargin.engine.market.svi import SviSlice, VolatilitySurface
from zkmargin.engine.presets import Coin, get_preset
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_YEAR, USD6, quantize, require_in_range, require_whole

MIN_VOLATILITY, MAX_VOLATILITY = 0.001, 16.0
"""Allowed volatility, fraction; the largest on the chain of a crash was 3.2. A zero is missing data, not a market."""
MAX_RATE = 1.0
"""Largest absolute rate (per year) or funding (per 8 hours), fraction."""
MIN_DAILY_VOLATILITY, MAX_DAILY_VOLATILITY = 0.001, 1.0
"""Allowed forecast of the volatility of daily log returns, fraction."""
MAX_SOURCE = 1_000
"""Longest source, bytes of UTF-8."""
FORMAT = "zkmargin.market/2"
"""First field of a market file."""
DATA = Path(__file__).parents[1] / "data"
"""Where the shipped snapshots are."""


def _zero_per_coin() -> dict[Coin, float]:
    return dict.fromkeys(Coin, 0.0)


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
        If a number stands on a slot that has none of that sort, or spot differs from its index.
    UnknownName
        If index, rates, funding, daily volatility or crowding have other keys than the coins.
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
    """(N,) US dollars per coin, rounded to 1e-6: index for spot, mark for perpetuals, else the row's own forward; NaN
    where nothing is listed."""
    volatility: np.ndarray
    """(N,) fraction per square root of a year, rounded to 1e-6; NaN where no option is."""
    daily_volatility: Mapping[Coin, float]
    """Forecast volatility of the coin's daily log return, fraction, rounded to 1e-6: what the historical moves of the
    expected shortfall are scaled to. Filtered with decay 0.97 from closes up to `time`."""
    crowding: Mapping[Coin, Crowding]
    """The publishers' estimate of crowd and depth per coin, for the contagion buffer."""
    contagion_multiplier: float
    """State multiplier of the contagion buffer, 1 to 4, rounded to 0.001."""
    rates: Mapping[Coin, float] = dataclasses.field(default_factory=_zero_per_coin)
    """Discount rate per coin, fraction per year, continuous. A recorded fact: prices are undiscounted."""
    funding: Mapping[Coin, float] = dataclasses.field(default_factory=_zero_per_coin)
    """Funding of the coin's perpetual, fraction per 8 hours, positive when longs pay; 0 where it is not known."""

    def __post_init__(self) -> None:
        listing = self.listing
        source_size = len(self.source.encode()) if isinstance(self.source, str) else 0
        if not 1 <= source_size <= MAX_SOURCE:
            raise OutOfRange("source", self.source, "1 byte", f"{MAX_SOURCE} bytes of text")
        checked = {
            "time": require_whole("time", self.time, 1, MAX_EXPIRY),
            "index": _per_coin("index", self.index, 1 / USD6, MAX_USD, USD6),
            "rates": _per_coin("rate", self.rates, -MAX_RATE, MAX_RATE, RATE_STEP),
            "funding": _per_coin("funding", self.funding, -MAX_RATE, MAX_RATE, RATE_STEP),
            "daily_volatility": _per_coin(
                "daily volatility",
                self.daily_volatility,
                MIN_DAILY_VOLATILITY,
                MAX_DAILY_VOLATILITY,
                VOLATILITY_STEP,
            ),
            "crowding": _crowding_per_coin(self.crowding),
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
        column = np.array([self.index[coin] for coin in Coin])[self.listing.underlying]
        column.flags.writeable = False
        return column

    @cached_property
    def _bytes(self) -> bytes:
        return market_bytes.encode(self)

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
        MarketError
            As the records raise.
        """
        snapshot = cls(**market_bytes.decode(data))
        if snapshot.to_bytes() != bytes(data):
            raise MalformedFile("snapshot bytes", "are not canonical; allowed: what to_bytes gives")
        return snapshot

    @property
    def hash(self) -> bytes:
        """keccak256 of `to_bytes`, 32 bytes."""
        return keccak(self.to_bytes())

    def to_json(self) -> str:
        """The snapshot as a JSON document that `from_json` reads back to an equal one."""
        return dump_document(self.to_document())

    def to_document(self) -> dict[str, object]:
        """The content of `to_json` as plain dictionaries and lists."""
        per_coin = {
            field: {coin.value: getattr(self, field)[coin] for coin in Coin}
            for field in ("index", "rates", "funding", "daily_volatility")
        }
        return {
            "format": FORMAT,
            "source": self.source,
            "time": self.time,
            "preset": self.listing.preset.name,
            "generation": self.listing.generation,
            **per_coin,
            "crowding": {coin.value: dataclasses.asdict(self.crowding[coin]) for coin in Coin},
            "contagion_multiplier": self.contagion_multiplier,
            "instruments": [self._row(item) for item in self.listing.by_name.values()],
        }

    def _row(self, item: Instrument) -> dict[str, object]:
        row = {key: value for key, value in dataclasses.asdict(item).items() if value is not None}
        row |= {"kind": item.kind.value, "underlying": item.underlying.value, "forward": float(self.forward[item.slot])}
        return row | ({"volatility": float(self.volatility[item.slot])} if item.kind is InstrumentKind.OPTION else {})

    @classmethod
    def from_json(cls, text: str, *, source: str = "market file") -> MarketSnapshot:
        """The snapshot of a JSON document; `source` names the document in errors.

        Each option has a `volatility`, or the file has `svi` parameters and no option has one; they are evaluated at
        each option's own forward, and the snapshot holds the volatilities.

        Raises
        ------
        MalformedFile
            If it is no JSON, a key is missing, unknown or repeated, or a value is of the wrong type.
        StaticArbitrage
            If the options' prices have a gross arbitrage (`engine.market.arbitrage`), ArbitrageableSurface if `svi` has
            one.
        MarketError
            As the records raise.
        """
        return _from_file(read_model(MarketFile, text, source), source)


class InstrumentRow(StrictModel):
    """One listed instrument in a market file, with its price facts."""

    model_config = ConfigDict(allow_inf_nan=True)  # refused with the instrument's name when the record is made

    slot: int
    name: str
    kind: str
    underlying: str
    lot_size: float
    strike: float | None = None
    expiry: int | None = None
    is_call: bool | None = None
    forward: float
    volatility: float | None = None


class CrowdingRow(StrictModel):
    """Crowd and depth of one coin in a market file; see `engine.market.crowding.Crowding`."""

    ladder_down: float
    ladder_up: float
    depth_down: float
    depth_up: float
    impact: float


class SviRow(StrictModel):
    """SVI parameters of one coin's expiry in a market file; see `engine.market.svi.SviSlice`."""

    underlying: str
    expiry: int
    a: float
    b: float
    rho: float
    m: float
    sigma: float


class Observation(StrictModel):
    """What the source quoted for one option: kept beside the snapshot for tests and for measures of liquidity."""

    name: str
    mark: float = Field(ge=0)
    """The venue's mark, coin per option."""
    delta: float = Field(ge=-1, le=1)
    """The venue's delta: N(d1) for calls, N(d1) - 1 for puts."""
    bid: float | None = Field(ge=0)
    """Coin per option; none when nobody bids."""
    ask: float | None = Field(ge=0)
    """Coin per option; none when nobody offers."""
    open_interest: float = Field(ge=0)
    """Coin."""
    volume: float = Field(ge=0)
    """Coin over the last 24 hours."""


class MarketFile(StrictModel):
    """A market file as it stands on disk."""

    format: str
    about: str = ""
    """Conventions, and the source of each kind of number, in words."""
    source: str
    time: int
    preset: str
    generation: int
    index: dict[str, float]
    rates: dict[str, float]
    funding: dict[str, float]
    daily_volatility: dict[str, float]
    crowding: dict[str, CrowdingRow]
    contagion_multiplier: float
    instruments: list[InstrumentRow]
    svi: tuple[SviRow, ...] = Field(default=(), strict=False)
    observations: tuple[Observation, ...] = Field(default=(), strict=False)


def load_snapshot(name_or_path: str | Path) -> MarketSnapshot:
    """A shipped snapshot by name (`deribit_2026-08-22`, `deribit_2026-02-05`), or one from a file by path.

    Raises `UnknownName` if it is neither, else as `MarketSnapshot.from_json`.
    """
    path = _find(name_or_path)
    return MarketSnapshot.from_json(read_text(path), source=path.name)


def load_observations(name_or_path: str | Path) -> Mapping[str, Observation]:
    """What the source quoted, by option name, from the file that `load_snapshot` reads; empty if it has none.

    Raises `DuplicateName` if an option is observed twice, `UnknownName` if it is not listed, else as `load_snapshot`.
    """
    path = _find(name_or_path)
    file = read_model(MarketFile, read_text(path), path.name)
    listed, found = {row.name for row in file.instruments}, {}
    for item in file.observations:
        if item.name in found:
            raise DuplicateName("observation of", item.name)
        if item.name not in listed:
            raise UnknownName("observed instrument", item.name, sorted(listed))
        found[item.name] = item
    return MappingProxyType(found)


def dump_document(document: Mapping[str, object]) -> str:
    """A document as JSON text: lists of records one record a line, so that a change of one instrument is one line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list):
            records = ",\n".join("  " + json.dumps(record, allow_nan=False) for record in value)
            lines.append(f" {json.dumps(key)}: [\n{records}\n ]" if value else f" {json.dumps(key)}: []")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def reduce_to_mini(snapshot: MarketSnapshot) -> MarketSnapshot:
    """The 16-slot snapshot of the same market: spot, perpetual, one future and five options per coin.

    By rule: the latest future; the expiry nearest to 30 days that has a call and a put at one strike; of it the call
    and the put at such a strike nearest to the forward, and of its other puts and calls those nearest to 0.85 and
    1.15 times the forward (the wings); then, of the latest other expiry, the option nearest to the money. Ties go to
    the lower slot.

    Raises `UnknownName` if a coin lists too little for that.
    """
    preset = get_preset("mini")
    slots = [slot for underlying in Coin for slot in _slots_of_mini(snapshot, underlying)]
    moved = [dataclasses.replace(snapshot.listing.instruments[slot], slot=place) for place, slot in enumerate(slots)]
    listing = Listing(preset, snapshot.listing.generation, tuple(moved))
    forward, volatility = snapshot.forward[slots], snapshot.volatility[slots]
    return dataclasses.replace(snapshot, listing=listing, forward=forward, volatility=volatility)


def _slots_of_mini(snapshot: MarketSnapshot, underlying: Coin) -> list[int]:
    items = [item for item in snapshot.listing.by_name.values() if item.underlying is underlying]

    def pick(what: str, candidates: list[Instrument], distance) -> Instrument:
        if not candidates:
            raise UnknownName(f"{underlying.value} instrument for 16 slots", what, [item.name for item in items])
        return min(candidates, key=lambda item: (distance(item), item.slot))

    def moneyness(item: Instrument) -> float:
        return item.strike / snapshot.forward[item.slot]

    spot, perpetual = (
        pick(kind.value, [item for item in items if item.kind is kind], lambda item: 0)
        for kind in (InstrumentKind.SPOT, InstrumentKind.PERPETUAL)
    )
    future = pick("future", [item for item in items if item.kind is InstrumentKind.FUTURE], lambda item: -item.expiry)
    options = [item for item in items if item.kind is InstrumentKind.OPTION]
    puts = {(item.expiry, item.strike): item for item in options if not item.is_call}
    paired = [item for item in options if item.is_call and (item.expiry, item.strike) in puts]
    days_30 = snapshot.time + 30 * SECONDS_PER_DAY
    expiry = pick("call with a put at its strike", paired, lambda item: abs(item.expiry - days_30)).expiry
    call = pick("call", [item for item in paired if item.expiry == expiry], lambda item: abs(moneyness(item) - 1))
    put = puts[call.expiry, call.strike]
    rest = [item for item in options if item.expiry == expiry and item not in (call, put)]
    low = pick("put wing", [item for item in rest if not item.is_call], lambda item: abs(moneyness(item) - 0.85))
    high = pick("call wing", [item for item in rest if item.is_call], lambda item: abs(moneyness(item) - 1.15))
    others = [item for item in options if item.expiry != expiry]
    latest = max((item.expiry for item in others), default=0)
    last = pick(
        "option of another expiry",
        [item for item in others if item.expiry == latest],
        lambda item: abs(moneyness(item) - 1),
    )
    return [item.slot for item in (spot, perpetual, future, put, call, low, high, last)]


def _find(name_or_path: str | Path) -> Path:
    path = find_shipped(name_or_path, DATA)
    if path is None:
        raise UnknownName("market (neither a shipped name nor a file)", str(name_or_path), list_shipped(DATA))
    return path


def _per_coin(what: str, given: Mapping, low: float, high: float, steps: int) -> Mapping[Coin, float]:
    coins = list(Coin)
    for key in given:
        if key not in coins:
            raise UnknownName(f"coin of {what}", key, coins)
    for coin in coins:
        if coin not in given:
            raise OutOfRange(f"{what} of {coin.value}", None, low, high)
    numbers = {coin: require_in_range(f"{what} of {coin.value}", given[coin], low, high) for coin in coins}
    return MappingProxyType({coin: quantize(number, steps) for coin, number in numbers.items()})


def _crowding_per_coin(given: Mapping) -> Mapping[Coin, Crowding]:
    coins = list(Coin)
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
        item = listing.instruments[refused[0]]
        raise OutOfRange(f"{what} of {item.name} (slot {item.slot})", float(column[item.slot]), low, high)
    misplaced = np.flatnonzero(~wanted & ~np.isnan(column))
    if misplaced.size:
        slot = int(misplaced[0])
        raise WrongKind(f"{what} in slot {slot}", float(column[slot]), "NaN, for the slot has no such number")
    column = np.rint(column * steps) / steps
    column.flags.writeable = False
    return column


def _from_file(file: MarketFile, source: str) -> MarketSnapshot:
    if file.format != FORMAT:
        raise MalformedFile(source, f"format is {file.format!r}; allowed: {FORMAT!r}")
    preset = get_preset(file.preset)
    slots: list[Instrument | None] = [None] * preset.slots
    forward, volatility = np.full(preset.slots, np.nan), np.full(preset.slots, np.nan)
    for row in file.instruments:
        slot = require_whole(f"slot of {row.name}", row.slot, 0, preset.slots - 1)
        if slots[slot] is not None:
            raise MalformedFile(source, f"slot {slot} holds {slots[slot].name} and {row.name}; allowed: one instrument")
        slots[slot] = Instrument(**row.model_dump(exclude={"forward", "volatility"}))
        forward[slot] = require_in_range(f"forward of {row.name}", row.forward, 1 / USD6, MAX_USD)
        if row.volatility is not None:
            allowed = (MIN_VOLATILITY, MAX_VOLATILITY)
            volatility[slot] = require_in_range(f"volatility of {row.name}", row.volatility, *allowed)
    listing = Listing(preset, file.generation, tuple(slots))
    if file.svi:
        if not np.isnan(volatility).all():
            named = listing.instruments[int(np.flatnonzero(~np.isnan(volatility))[0])].name
            raise MalformedFile(source, f"{named} has a volatility and the file has svi; allowed: one of the two")
        volatility = _surface_of(file.svi, source).volatility_by_slot(listing, forward, file.time)
    snapshot = MarketSnapshot(
        time=file.time,
        source=file.source,
        index=file.index,
        listing=listing,
        forward=forward,
        volatility=volatility,
        rates=file.rates,
        funding=file.funding,
        daily_volatility=file.daily_volatility,
        crowding={coin: Crowding(**row.model_dump()) for coin, row in file.crowding.items()},
        contagion_multiplier=file.contagion_multiplier,
    )
    check_prices(snapshot)
    return snapshot


def _surface_of(rows: tuple[SviRow, ...], source: str) -> VolatilitySurface:
    slices: dict[str, dict[int, SviSlice]] = {}
    for row in rows:
        by_expiry = slices.setdefault(row.underlying, {})
        if row.expiry in by_expiry:
            raise MalformedFile(source, f"svi of {row.underlying} has expiry {row.expiry} twice; allowed: once")
        try:
            by_expiry[row.expiry] = SviSlice(row.a, row.b, row.rho, row.m, row.sigma)
        except ArbitrageableSurface as error:
            place = f"svi of {row.underlying}, expiry {row.expiry}"
            raise ArbitrageableSurface(error.parameters, f"{place}: {error.reason}") from None
    return VolatilitySurface(slices)
