"""The record of prices and implied volatilities that backtests run on: the typed reader of engine/data/history.

Derived by scripts/derive/history.py; the record names its sources.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from zkmargin.engine.errors import MalformedFile, UnknownName
from zkmargin.engine.files import StrictModel, find_shipped, list_shipped, read_model, read_text
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import require_all_in_range

FORMAT = "zkmargin.history/1"
"""First field of a history file."""
FOLDER = Path(__file__).parents[1] / "data" / "history"
DEFAULT = "btc_eth_2015_2026"
"""The shipped record."""
PRICE_COLUMNS = ["date", *Coin, "ETH spot"]
"""Of a segment: closes in US dollars, spot where it was recorded beside a perpetual's close at the same time."""
OPTION_COLUMNS = ["date", "atm_7", "atm_30", "atm_90", "put_25", "call_25", "basis_30", "basis_90"]
"""Of a coin's quotes: volatilities (fractions) at tenors in days, of 25-delta options at 30 days, and ln(forward /
index) at tenors."""
EVENT_COLUMNS = ["hour", *(f"{what}_{coin}" for coin in Coin for what in ("low", "close", "high"))]
"""Of an event: hourly bars of the perpetuals, US dollars; the hour is when the bar opens."""
LARGEST_PRICE = 1e8
LARGEST_VOLATILITY = 16.0
LARGEST_BASIS = 0.5


TIME_PATTERNS = {"D": re.compile(r"\d{4}-\d\d-\d\d"), "h": re.compile(r"\d{4}-\d\d-\d\dT\d\d")}
"""Times of a record by unit, without an offset: they are UTC."""
TIME_EXAMPLES = {"D": "2026-08-22", "h": "2026-08-22T15"}


class SegmentEntry(StrictModel):
    """Consecutive days in a file."""

    name: str
    rows: list[list[str | float | None]]


class EventEntry(StrictModel):
    """Hours of a crash in a file."""

    name: str
    rows: list[list[str | float]]


class HistoryFile(StrictModel):
    """A history file as it stands on disk."""

    format: str
    name: str
    about: str
    source: str
    price_columns: list[str]
    option_columns: list[str]
    event_columns: list[str]
    segments: list[SegmentEntry]
    options: dict[str, list[list[str | float]]]
    events: list[EventEntry]


@dataclass(frozen=True, eq=False)
class Segment:
    """Days without a large gap: filters start anew at each segment."""

    name: str
    """What the prices are."""
    dates: np.ndarray
    """(T,) datetime64[D], rising."""
    closes: np.ndarray
    """(T, coins) US dollars: the price of spot index and perpetual alike."""
    eth_spot: np.ndarray
    """(T,) US dollars, NaN where it was not recorded."""


@dataclass(frozen=True, eq=False)
class Quotes:
    """One coin's implied volatilities, by day."""

    dates: np.ndarray
    """(D,) datetime64[D], rising."""
    atm: np.ndarray
    """(D, 3) at the money at 7, 30 and 90 days, fraction."""
    wings: np.ndarray
    """(D, 2) of the 25-delta put and call at 30 days."""
    basis: np.ndarray
    """(D, 2) ln(forward / index) at 30 and 90 days."""


@dataclass(frozen=True, eq=False)
class Event:
    """Hourly bars of the perpetuals around a crash."""

    name: str
    """How reports call it."""
    hours: np.ndarray
    """(H,) datetime64[h], the bars' openings."""
    bars: np.ndarray
    """(H, coins, 3) low, close and high, US dollars."""


@dataclass(frozen=True, eq=False)
class History:
    """A record: prices, implied volatilities and crashes by the hour."""

    name: str
    """Name of the file without its ending."""
    source: str
    """Where the numbers come from."""
    segments: tuple[Segment, ...]
    """In time order."""
    quotes: dict[str, Quotes]
    """By coin, on the same days for both."""
    events: tuple[Event, ...]
    """In time order."""


@lru_cache(maxsize=4)
def load_history(name_or_path: str | Path = DEFAULT) -> History:
    """A shipped record by name, or one from a file by path.

    Raises
    ------
    UnknownName
        If it is neither.
    MalformedFile
        If the file is no history record, a row has other columns, or dates do not rise.
    OutOfRange
        If a price, volatility or basis is not possible.
    """
    path = find_shipped(name_or_path, FOLDER)
    if path is None:
        raise UnknownName("history (neither a shipped name nor a file)", str(name_or_path), list_shipped(FOLDER))
    file = read_model(HistoryFile, read_text(path), path.name)
    columns = (file.format, file.price_columns, file.option_columns, file.event_columns)
    if columns != (FORMAT, PRICE_COLUMNS, OPTION_COLUMNS, EVENT_COLUMNS):
        raise MalformedFile(path.name, f"format and columns are {columns}; allowed: {FORMAT!r} and the stated columns")
    if list(file.options) != list(Coin):
        raise MalformedFile(path.name, f"options are of {list(file.options)}; allowed: {[coin.value for coin in Coin]}")
    quotes = {coin: _read_quotes(rows, f"{path.name}, options of {coin}") for coin, rows in file.options.items()}
    first, second = quotes.values()
    if not np.array_equal(first.dates, second.dates):
        raise MalformedFile(path.name, "the coins' options are of different days")
    segments = tuple(_read_segment(entry, f"{path.name}, segment {entry.name}") for entry in file.segments)
    events = tuple(_read_event(entry, f"{path.name}, event {entry.name}") for entry in file.events)
    return History(file.name, file.source, segments, quotes, events)


def _read_rows(
    rows: Sequence[Sequence[str | float | None]], columns: list[str], unit: str, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Times (T,) and numbers (T, columns - 1), NaN for null."""
    if not rows or any(len(row) != len(columns) or not isinstance(row[0], str) for row in rows):
        raise MalformedFile(source, f"a row has not the columns {columns}")
    for row in rows:
        if not TIME_PATTERNS[unit].fullmatch(str(row[0])):
            raise MalformedFile(source, f"time is {row[0]!r}; allowed: UTC without an offset, as {TIME_EXAMPLES[unit]}")
    try:
        times = np.array([row[0] for row in rows], dtype=f"datetime64[{unit}]")
    except ValueError as error:
        raise MalformedFile(source, f"a time cannot be read: {error}") from None
    if any(isinstance(value, str) for row in rows for value in row[1:]):
        raise MalformedFile(source, "a number is text")
    if (np.diff(times).astype(int) <= 0).any():
        raise MalformedFile(source, "times do not rise")
    return times, np.array([row[1:] for row in rows], dtype=float)


def _read_segment(entry: SegmentEntry, source: str) -> Segment:
    dates, table = _read_rows(entry.rows, PRICE_COLUMNS, "D", source)
    require_all_in_range(f"price in {source}", table[:, :2], 1e-6, LARGEST_PRICE)
    spot = table[:, 2]
    require_all_in_range(f"spot price in {source}", spot[~np.isnan(spot)], 1e-6, LARGEST_PRICE)
    return Segment(entry.name, dates, table[:, :2], spot)


def _read_quotes(rows: list[list[str | float]], source: str) -> Quotes:
    dates, table = _read_rows(rows, OPTION_COLUMNS, "D", source)
    require_all_in_range(f"volatility in {source}", table[:, :5], 0.01, LARGEST_VOLATILITY)
    require_all_in_range(f"basis in {source}", table[:, 5:], -LARGEST_BASIS, LARGEST_BASIS)
    return Quotes(dates, table[:, :3], table[:, 3:5], table[:, 5:])


def _read_event(entry: EventEntry, source: str) -> Event:
    hours, table = _read_rows(entry.rows, EVENT_COLUMNS, "h", source)
    require_all_in_range(f"price in {source}", table, 1e-6, LARGEST_PRICE)
    return Event(entry.name, hours, table.reshape(len(hours), len(Coin), 3))
