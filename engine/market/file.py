"""Market files: JSON with a listing, its prices and the publishers' estimates, and what the source quoted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, TypeVar

import numpy as np
from pydantic import ConfigDict, Field

from zkmargin.engine.errors import ArbitrageableSurface, DuplicateName, MalformedFile, UnknownName
from zkmargin.engine.files import StrictModel, find_shipped, list_shipped, read_model, read_text
from zkmargin.engine.market.arbitrage import check_prices
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.market.instruments import MAX_USD, Instrument, InstrumentKind, Listing
from zkmargin.engine.market.quotes import check_quotes
from zkmargin.engine.market.snapshot import MAX_VOLATILITY, MIN_VOLATILITY, MarketSnapshot
from zkmargin.engine.market.svi import SviSlice, VolatilitySurface
from zkmargin.engine.presets import Coin, CoinShare, Split, get_preset, require_coin
from zkmargin.engine.units import USD6, require_in_range, require_whole

FORMAT = "zkmargin.market/3"
"""First field of a market file."""
DATA = Path(__file__).parents[1] / "data"
"""Where the shipped snapshots are."""

Value = TypeVar("Value")


class InstrumentRow(StrictModel):
    """One listed instrument in a market file, with its price facts."""

    model_config = ConfigDict(allow_inf_nan=True)  # refused with the instrument's name when the record is made

    slot: int
    """Place in the listing, from 0."""
    name: str
    """As portfolios name it."""
    kind: str
    """spot (collateral), perpetual, future, option or bond."""
    underlying: str
    """Coin; of a bond the coin in whose slots it stands."""
    lot_size: float
    """Coins in a lot; of a bond US dollars of face."""
    strike: float | None = None
    """US dollars; of an option."""
    expiry: int | None = None
    """Unix seconds; of what settles."""
    is_call: bool | None = None
    """Of an option."""
    forward: float
    """US dollars per coin: a spot's index, a perpetual's mark, a bond's discount factor, else its forward."""
    volatility: float | None = None
    """Fraction per square root of a year; of an option."""


class CrowdingRow(StrictModel):
    """Crowd and depth of one coin in a market file; see `engine.market.crowding.Crowding`."""

    ladder_down: float
    """Delta notional that others would be forced to sell, US dollars."""
    ladder_up: float
    """The same, forced to buy."""
    depth_down: float
    """Notional that can be sold, US dollars."""
    depth_up: float
    """Notional that can be bought."""
    impact: float
    """Relative price move when the depth is used up once."""

    def to_crowding(self) -> Crowding:
        """The checked record; raises as it does."""
        return Crowding(self.ladder_down, self.ladder_up, self.depth_down, self.depth_up, self.impact)


class SviRow(StrictModel):
    """SVI parameters of one coin's expiry in a market file; see `engine.market.svi.SviSlice`."""

    underlying: str
    """Coin."""
    expiry: int
    """Unix seconds."""
    a: float
    """Level of total variance."""
    b: float
    """Slope of the wings, >= 0."""
    rho: float
    """Skew, in (-1, 1)."""
    m: float
    """Log-moneyness of the centre."""
    sigma: float
    """Roundness at the centre, > 0."""


class Observation(StrictModel):
    """What the source quoted for one option: kept beside the snapshot for tests and for measures of liquidity."""

    name: str
    """Of the option."""
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


class ShareRow(StrictModel):
    """What a coin owns of the slots; see `engine.presets.CoinShare`."""

    slots: int
    """Slots of the coin: spot, perpetual, dated futures, options."""
    futures: int
    """Those for dated futures."""
    in_vault: bool
    """Whether a vault takes the coin's spot as collateral."""


class SplitRow(StrictModel):
    """How the slots are split between the coins, in slot order; see `engine.presets.Split`."""

    coins: dict[str, ShareRow]
    """By coin."""
    netting: list[Annotated[tuple[str, str], Field(strict=False)]]
    """Pairs of coins between which the grid nets."""

    def to_split(self) -> Split:
        """The checked record; raises as it does."""
        shares = (
            CoinShare(require_coin("coin of a split", coin), share.slots, share.futures, share.in_vault)
            for coin, share in self.coins.items()
        )
        pairs = (tuple(require_coin("coin of a netting pair", coin) for coin in pair) for pair in self.netting)
        return Split(tuple(shares), tuple((first, second) for first, second in pairs))


class MarketFile(StrictModel):
    """A market file as it stands on disk."""

    format: str
    """zkmargin.market/3."""
    about: str = ""
    """Conventions, and the source of each kind of number, in words."""
    source: str
    """Where the prices come from; part of what publishers sign."""
    time: int
    """Unix seconds of the prices."""
    preset: str
    """Whose slots the listing has."""
    split: SplitRow | None = None
    """Of a listing whose slots are split otherwise than presets.json says for the preset's number."""
    generation: int
    """Number of the listing."""
    index: dict[str, float]
    """US dollars by coin."""
    rates: dict[str, float]
    """Discount rate by coin, fraction per year, continuous."""
    funding: dict[str, float]
    """Of the coin's perpetual, fraction per 8 hours, positive when longs pay."""
    accrued_funding: dict[str, float]
    """What longs of the coin's perpetual have paid since it was listed, US dollars per coin."""
    daily_volatility: dict[str, float]
    """Forecast of the daily log return's, fraction, by coin."""
    crowding: dict[str, CrowdingRow]
    """By coin."""
    contagion_multiplier: float
    """State multiplier, 1 to 4."""
    instruments: list[InstrumentRow]
    """In the order of their slots."""
    svi: tuple[SviRow, ...] = Field(default=(), strict=False)
    """Fitted smiles, one per coin and expiry."""
    observations: tuple[Observation, ...] = Field(default=(), strict=False)
    """What the source quoted, by option."""


def load_snapshot(name_or_path: str | Path) -> MarketSnapshot:
    """A shipped snapshot by name (`deribit_2026-08-22`, `deribit_2026-02-05`), or one from a file by path.

    Raises `UnknownName` if it is neither, else as `parse_market`.
    """
    path = _find(name_or_path)
    return parse_market(read_text(path), source=path.name)


def load_observations(name_or_path: str | Path) -> Mapping[str, Observation]:
    """What the source quoted, by option name, from the file that `load_snapshot` reads; empty if it has none.

    Raises `DuplicateName` if an option is observed twice, `UnknownName` if it is not listed, else as `load_snapshot`.
    """
    path = _find(name_or_path)
    file = read_model(MarketFile, read_text(path), path.name)
    listed = {row.name for row in file.instruments}
    for item in file.observations:
        if item.name not in listed:
            raise UnknownName("observed instrument", item.name, sorted(listed))
    return _by_name(file.observations)


def _by_name(rows: tuple[Observation, ...]) -> Mapping[str, Observation]:
    observations: dict[str, Observation] = {}
    for row in rows:
        if row.name in observations:
            raise DuplicateName("observation of", row.name)
        observations[row.name] = row
    return MappingProxyType(observations)


def parse_market(text: str, *, source: str = "market file") -> MarketSnapshot:
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
    DuplicateName
        If an option is observed twice.
    MarketError
        As the records raise, and `engine.market.quotes.check_quotes` where the file has observations.
    """
    return _build(read_model(MarketFile, text, source), source)


def _find(name_or_path: str | Path) -> Path:
    path = find_shipped(name_or_path, DATA)
    if path is None:
        raise UnknownName("market (neither a shipped name nor a file)", str(name_or_path), list_shipped(DATA))
    return path


def _build(file: MarketFile, source: str) -> MarketSnapshot:
    if file.format != FORMAT:
        raise MalformedFile(source, f"format is {file.format!r}; allowed: {FORMAT!r}")
    preset = get_preset(file.preset)
    if file.split is not None:
        preset = dataclasses.replace(preset, split=file.split.to_split())
    coins = preset.coins
    slots: list[Instrument | None] = [None] * preset.slots
    forward, volatility = np.full(preset.slots, np.nan), np.full(preset.slots, np.nan)
    for row in file.instruments:
        slot = require_whole(f"slot of {row.name}", row.slot, 0, preset.slots - 1)
        if (other := slots[slot]) is not None:
            raise MalformedFile(source, f"slot {slot} holds {other.name} and {row.name}; allowed: one instrument")
        slots[slot] = Instrument(**row.model_dump(exclude={"forward", "volatility"}))
        forward[slot] = require_in_range(f"forward of {row.name}", row.forward, 1 / USD6, MAX_USD)
        if row.volatility is not None:
            allowed = (MIN_VOLATILITY, MAX_VOLATILITY)
            volatility[slot] = require_in_range(f"volatility of {row.name}", row.volatility, *allowed)
    listing = Listing(preset, file.generation, tuple(slots))
    if file.svi:
        if not np.isnan(volatility).all():
            named = listing.at(np.flatnonzero(~np.isnan(volatility))[0]).name
            raise MalformedFile(source, f"{named} has a volatility and the file has svi; allowed: one of the two")
        volatility = _surface_of(file.svi, coins, source).volatility_by_slot(listing, forward, file.time)
    snapshot = MarketSnapshot(
        time=file.time,
        source=file.source,
        index=_by_coin("index", coins, file.index),
        listing=listing,
        forward=forward,
        volatility=volatility,
        rates=_by_coin("rate", coins, file.rates),
        funding=_by_coin("funding", coins, file.funding),
        accrued_funding=_by_coin("accrued funding", coins, file.accrued_funding),
        daily_volatility=_by_coin("daily volatility", coins, file.daily_volatility),
        crowding={coin: row.to_crowding() for coin, row in _by_coin("crowding", coins, file.crowding).items()},
        contagion_multiplier=file.contagion_multiplier,
    )
    snapshot.check_marks()
    check_prices(snapshot)
    check_quotes(snapshot, _by_name(file.observations))
    return snapshot


def _by_coin(what: str, coins: Iterable[str], given: Mapping[str, Value]) -> dict[Coin, Value]:
    coins = tuple(coins)
    return {require_coin(f"coin of {what}", name, coins): value for name, value in given.items()}


def _surface_of(rows: tuple[SviRow, ...], coins: Iterable[str], source: str) -> VolatilitySurface:
    coins = tuple(coins)
    slices: dict[Coin, dict[int, SviSlice]] = {}
    for row in rows:
        by_expiry = slices.setdefault(require_coin("coin of a surface", row.underlying, coins), {})
        if row.expiry in by_expiry:
            raise MalformedFile(source, f"svi of {row.underlying} has expiry {row.expiry} twice; allowed: once")
        try:
            by_expiry[row.expiry] = SviSlice(row.a, row.b, row.rho, row.m, row.sigma)
        except ArbitrageableSurface as error:
            place = f"svi of {row.underlying}, expiry {row.expiry}"
            raise ArbitrageableSurface(error.parameters, f"{place}: {error.reason}") from None
    return VolatilitySurface(slices)


def render_market(snapshot: MarketSnapshot) -> str:
    """The snapshot as a JSON document that `parse_market` reads back to an equal one."""
    return dump_document(to_document(snapshot))


def to_document(snapshot: MarketSnapshot) -> dict[str, object]:
    """The content of `render_market` as plain dictionaries and lists."""
    preset = snapshot.listing.preset
    per_coin = {
        field: {coin.value: getattr(snapshot, field)[coin] for coin in preset.coins}
        for field in ("index", "rates", "funding", "accrued_funding", "daily_volatility")
    }
    return {
        "format": FORMAT,
        "source": snapshot.source,
        "time": snapshot.time,
        "preset": preset.name,
        **({} if preset.is_split_shipped else {"split": _describe_split(preset.split)}),
        "generation": snapshot.listing.generation,
        **per_coin,
        "crowding": {coin.value: dataclasses.asdict(snapshot.crowding[coin]) for coin in preset.coins},
        "contagion_multiplier": snapshot.contagion_multiplier,
        "instruments": [_describe_instrument(snapshot, item) for item in snapshot.listing.by_name.values()],
    }


def _describe_split(split: Split) -> dict[str, object]:
    shares = {
        share.coin.value: {"slots": share.slots, "futures": share.futures, "in_vault": share.in_vault}
        for share in split.shares
    }
    return {"coins": shares, "netting": [[coin.value for coin in pair] for pair in split.netting]}


def _describe_instrument(snapshot: MarketSnapshot, item: Instrument) -> dict[str, object]:
    row = {key: value for key, value in dataclasses.asdict(item).items() if value is not None}
    row |= {"kind": item.kind.value, "underlying": item.underlying.value, "forward": float(snapshot.forward[item.slot])}
    return row | ({"volatility": float(snapshot.volatility[item.slot])} if item.kind is InstrumentKind.OPTION else {})


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
