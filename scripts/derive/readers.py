"""Readers of options chains, one for each layout that public collectors of Deribit's tickers write.

| name | layout |
|---|---|
| collector | one CSV row an option with `futures_price`, `underlying`, `implied_volatility`, one time a file |
| tickers | CSV of flattened tickers, futures too: `underlying_price`, `mark_iv` in percent, a time a row |
| books | CSV of tickers with their order books: `greeks` and `stats` as Python dictionaries in one cell |
| api | JSON of the venue's public API: book summaries, tickers and instruments, one response or a list of them |
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.files import read_text
from zkmargin.engine.market.black76 import black76_greeks
from zkmargin.engine.market.instruments import MONTHS
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_YEAR
from zkmargin.scripts.derive.chain import Chain, Linear, Ticker, choose_forward, make_chain, read_quote
from zkmargin.scripts.derive.tables import Row, read_table

COLLECTOR = [
    *("timestamp", "instrument_name", "option_type", "strike", "expiry_datetime", "currency", "index_price"),
    *("futures_price", "futures_instrument_name", "mark_price", "bid_price", "ask_price", "implied_volatility"),
    *("delta", "open_interest", "volume"),
]
"""Columns of the layout "collector"; `underlying` and `underlying_name` are read where a forward is blank."""
TICKERS = [
    *("instrument_name", "timestamp", "mark_price", "index_price"),
    *("open_interest", "best_bid_price", "best_ask_price"),
]
"""Columns of the layout "tickers"."""
BOOKS = [*TICKERS, "underlying_price", "underlying_index", "mark_iv", "greeks", "stats"]
"""Columns of the layout "books"."""
SYNTHETIC = ("SYN.", "index_price")
"""How the venue's names of an underlying begin that is no listed future."""
EXPIRY_HOUR = 8
"""UTC hour at which the venue's options and futures expire."""

_NAME = re.compile(
    r"(?P<coin>[A-Z]+)-(?:(?P<perpetual>PERPETUAL)|(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{2})"
    r"(?:-(?P<strike>\d+(?:d\d+)?)-(?P<side>[CP]))?)"
)


# ------------------------------------------------------------------------------------------------------------ collector
def read_collector(path: Path) -> Chain:
    """The layout "collector"; a time without an offset is UTC."""
    rows = read_table(path, COLLECTOR)
    return make_chain(
        path.name, [row.moment("timestamp").timestamp() for row in rows], [_read_collected(row) for row in rows]
    )


def _read_collected(row: Row) -> Ticker | None:
    for column, allowed in (("option_type", ("call", "put")), ("currency", tuple(Coin))):
        if row[column] not in allowed:
            raise row.refuse(column, ", ".join(allowed))
    chosen = choose_forward(row, "futures_price", "underlying")
    if chosen is None:
        return None
    forward, is_fallback = chosen
    return Ticker(
        name=row["instrument_name"],
        underlying=Coin(row["currency"]),
        expiry=int(row.moment("expiry_datetime").timestamp()),
        strike=row.price("strike"),
        is_call=row["option_type"] == "call",
        forward=forward,
        has_future=not is_fallback and not row["futures_instrument_name"].startswith(SYNTHETIC),
        is_fallback=is_fallback,
        volatility=row.price("implied_volatility"),
        index=row.price("index_price"),
        mark=row.number("mark_price", low=0.0),
        delta=row.number("delta"),
        bid=read_quote(row, "bid_price"),
        ask=read_quote(row, "ask_price"),
        open_interest=row.number("open_interest", low=0.0),
        volume=row.number("volume", low=0.0),
    )


# ------------------------------------------------------------------------------------------------- the venue's tickers
def read_tickers(path: Path) -> Chain:
    """The layout "tickers": options or futures."""
    return _read_ticker_rows(path.name, read_table(path, TICKERS))


def read_books(path: Path) -> Chain:
    """The layout "books"; the ladders themselves are not read."""
    rows = read_table(path, BOOKS)
    for row in rows:
        for column in ("greeks", "stats"):
            row.update(_flatten(column, _read_literal(row, column)))
    return _read_ticker_rows(path.name, rows)


def read_api(path: Path) -> Chain:
    """JSON of the public API: a response, or a list of responses, each with its `result`.

    `get_instruments` states what is listed, and what it does not list is left to the name; `ticker` and
    `get_book_summary_by_currency` state prices. An instrument that has both is read from its ticker.

    Raises `MalformedFile` if it is none of these.
    """
    rows: dict[str, Row] = {}
    for number, entry in enumerate(_list_entries(path), start=1):
        cells = {key: _to_cell(value) for key, value in entry.items() if not isinstance(value, (dict, list))}
        for column in ("greeks", "stats"):
            if isinstance(entry.get(column), dict):
                cells |= _flatten(column, entry[column])
        name = cells.get("instrument_name", "")
        if not name:
            raise MalformedFile(path.name, f"entry {number} has no instrument_name; allowed: one in each result")
        if "mark_price" not in cells:
            continue  # what is listed: the name says the same
        known = rows.get(name)
        if known is None or "best_bid_price" in cells:
            rows[name] = Row(_name_as_ticker(cells), path.name, number, "entry")
    return _read_ticker_rows(path.name, list(rows.values()))


def _list_entries(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        document = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise MalformedFile(path.name, f"is no JSON: {error}") from None
    for response in document if isinstance(document, list) else [document]:
        if not isinstance(response, dict) or "result" not in response:
            raise MalformedFile(path.name, "has a response without result; allowed: the public API's own")
        result = response["result"]
        for entry in result if isinstance(result, list) else [result]:
            if not isinstance(entry, dict):
                raise MalformedFile(path.name, f"result holds {entry!r}; allowed: records")
            yield entry


def _to_cell(value: object) -> str:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _name_as_ticker(cells: dict[str, str]) -> dict[str, str]:
    """A book summary's columns under a ticker's names."""
    renamed = {"bid_price": "best_bid_price", "ask_price": "best_ask_price", "volume": "stats_volume",
               "creation_timestamp": "timestamp", "estimated_delivery_price": "index_price"}  # fmt: skip
    return {**{new: cells[old] for old, new in renamed.items() if old in cells and new not in cells}, **cells}


def _flatten(column: str, record: Mapping[str, object]) -> dict[str, str]:
    return {f"{column}_{key}": _to_cell(value) for key, value in record.items()}


def _read_literal(row: Row, column: str) -> dict[str, object]:
    try:
        record = ast.literal_eval(row[column])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise row.refuse(column, "a dictionary")
    return record


def _read_ticker_rows(source: str, rows: Iterable[Row]) -> Chain:
    rows = list(rows)
    return make_chain(source, [row.milliseconds("timestamp") for row in rows], [_read_ticker(row) for row in rows])


def _read_ticker(row: Row) -> Ticker | Linear | None:
    match = _NAME.fullmatch(row["instrument_name"])
    if match is None or match["coin"] not in tuple(Coin) or (match["month"] or MONTHS[0]) not in MONTHS:
        raise row.refuse("instrument_name", f"an option, future or perpetual of {', '.join(Coin)}")
    coin = Coin(match["coin"])
    if not match["side"]:
        return Linear(
            name=row["instrument_name"],
            underlying=coin,
            expiry=None if match["perpetual"] else _read_expiry(row, match),
            mark=row.price("mark_price"),
            index=row.price("index_price"),
            funding=row.number("funding_8h") if match["perpetual"] and row.get("funding_8h") else 0.0,
        )
    chosen = choose_forward(row, "underlying_price", "index_price")
    if chosen is None:
        return None
    forward, is_fallback = chosen
    expiry, strike = _read_expiry(row, match), float(match["strike"].replace("d", "."))
    volatility = row.price("mark_iv") / 100.0
    is_call = match["side"] == "C"
    return Ticker(
        name=row["instrument_name"],
        underlying=coin,
        expiry=expiry,
        strike=strike,
        is_call=is_call,
        forward=forward,
        has_future=not is_fallback and not row["underlying_index"].startswith(SYNTHETIC),
        is_fallback=is_fallback,
        volatility=volatility,
        index=row.price("index_price"),
        mark=row.number("mark_price", low=0.0),
        delta=_read_delta(row, (forward, strike, volatility), expiry, is_call),
        bid=read_quote(row, "best_bid_price"),
        ask=read_quote(row, "best_ask_price"),
        open_interest=row.number("open_interest", low=0.0),
        volume=row.number("stats_volume", low=0.0) if row.get("stats_volume") else 0.0,
    )


def _read_expiry(row: Row, match: re.Match[str]) -> int:
    """Unix seconds, from the row or the name."""
    if row.get("expiration_timestamp"):
        return int(row.milliseconds("expiration_timestamp"))
    try:
        month, year = MONTHS.index(match["month"]) + 1, 2000 + int(match["year"])
        return int(datetime(year, month, int(match["day"]), EXPIRY_HOUR, tzinfo=UTC).timestamp())
    except ValueError:
        raise row.refuse("instrument_name", "a day of the calendar") from None


def _read_delta(row: Row, facts: tuple[float, float, float], expiry: int, is_call: bool) -> float:
    """The venue's delta; where the source has none, Black's at the venue's volatility."""
    if row.get("greeks_delta"):
        return row.number("greeks_delta")
    forward, strike, volatility = facts
    years = max((expiry - row.milliseconds("timestamp")) / SECONDS_PER_YEAR, 0.0)
    return float(black76_greeks(forward, strike, years, volatility, is_call).delta)


READERS: Mapping[str, Callable[[Path], Chain]] = {
    "collector": read_collector,
    "tickers": read_tickers,
    "books": read_books,
    "api": read_api,
}
"""By the name of the layout."""
