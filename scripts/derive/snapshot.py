"""Derive a market snapshot of 256 slots from an options chain of Deribit's tickers, as CSV.

    python -m zkmargin.scripts.derive.snapshot --chain deribit_options_snapshot_20260822T153351Z.csv \\
        --date 2026-08-22 --facts facts.json --output engine/data/deribit_2026-08-22.json

What the chain does not quote comes from the facts, a JSON object with `daily_volatility` (by coin), `crowding` (by
coin) and `contagion_multiplier`, as in a market file.

What is kept are market facts of the listed instruments; the chain itself is not copied.

Listing rule, per coin. An option is a candidate when it has an ask, more than 1.5 days to live, and
abs(ln(strike / forward)) < 4.5 * volatility * sqrt(years). Its score is (open interest + 5 * volume) * index. Each
expiry takes its 6 best candidates, then the best of the rest fill the 120 slots; ties go by name. Futures are the
expiries over 7 days with most open interest in options; an expiry with a listed future comes before one whose forward
is synthetic.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from zkmargin.engine.errors import MalformedFile, OutOfRange
from zkmargin.engine.files import StrictModel, read_model, read_text
from zkmargin.engine.market.file import CrowdingRow, dump_document, parse_market, to_document
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, Listing, make_instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin, Preset, get_preset, require_coin
from zkmargin.engine.units import DAYS_PER_YEAR, SECONDS_PER_DAY, SECONDS_PER_YEAR
from zkmargin.scripts.derive.tables import Row, read_table

MIN_OPTION_DAYS = 1.5
"""An option that expires sooner is not listed."""
MIN_FUTURE_DAYS = 7.0
"""An expiry that is nearer gets no future."""
MAX_DEVIATIONS = 4.5
"""Farthest strike, standard deviations of the log forward."""
VOLUME_WEIGHT = 5.0
"""A coin traded today counts as so many coins of open interest."""
MIN_PER_EXPIRY = 6
"""Options that each expiry gets before the score decides."""
DERIVATIVE_LOT = {Coin.BTC: 0.01, Coin.ETH: 0.1}
"""Coin per lot of options, futures and perpetuals."""
COLLATERAL_LOT = {Coin.BTC: 0.0001, Coin.ETH: 0.001}
"""Coin per lot of collateral."""

SOURCE = (
    "Deribit option tickers (public API) of {time}, collected in github znmahbub/SVCJ-Deribit-Inverse-Options-Pricer"
    " at 516b0cb, data/{file}"
)
"""What a derived snapshot names as its source."""
ABOUT = (
    "Derived market facts. Per option: forward = the ticker's own underlying price, volatility = its mark volatility;"
    " observations are the venue's mark, bid and ask (coin per option), delta, open interest and volume (coin)."
    " Futures: median of the forwards in the tickers of their expiry. Index: median over the coin's tickers."
    " Perpetuals: the chain does not quote them, so the index stands for their mark; funding is not known and set to 0."
    " Rates: 0, the venue's convention; prices are undiscounted."
    " The tickers of one chain were read over one to two minutes, so forwards of one expiry may differ."
)
"""Conventions, written into the file."""

COLUMNS = [
    *("timestamp", "instrument_name", "option_type", "strike", "expiry_datetime", "currency", "index_price"),
    *("futures_price", "futures_instrument_name", "mark_price", "bid_price", "ask_price", "implied_volatility"),
    *("delta", "open_interest", "volume"),
]
"""Columns that the chain must have; prices in coin, strike, forward and index in US dollars, volatility a fraction."""


@dataclass(frozen=True)
class Ticker:
    """One row of the chain."""

    name: str
    underlying: Coin
    expiry: int
    strike: float
    is_call: bool
    forward: float
    has_future: bool
    volatility: float
    index: float
    mark: float
    delta: float
    bid: float | None
    ask: float | None
    open_interest: float
    volume: float


def read_chain(path: Path) -> tuple[int, list[Ticker]]:
    """Time (unix seconds) and rows of a chain in CSV; a time without an offset is UTC.

    Raises `MalformedFile` if a column is missing, a number is none, not finite or outside its range, a time cannot be
    read, there is no row, or rows have several times.
    """
    rows = read_table(path, COLUMNS)
    times = {row.moment("timestamp") for row in rows}
    if len(times) != 1:
        raise MalformedFile(path.name, f"has {len(times)} times in {len(rows)} rows; allowed: one")
    return int(times.pop().timestamp()), [_read_ticker(row) for row in rows]


def _read_ticker(row: Row) -> Ticker:
    def quote(column: str) -> float | None:
        return row.number(column, low=0.0) if row[column] else None

    for column, allowed in (("option_type", ("call", "put")), ("currency", tuple(Coin))):
        if row[column] not in allowed:
            raise row.refuse(column, ", ".join(allowed))
    return Ticker(
        name=row["instrument_name"],
        underlying=Coin(row["currency"]),
        expiry=int(row.moment("expiry_datetime").timestamp()),
        strike=row.price("strike"),
        is_call=row["option_type"] == "call",
        forward=row.price("futures_price"),
        has_future=not row["futures_instrument_name"].startswith("SYN."),
        volatility=row.price("implied_volatility"),
        index=row.price("index_price"),
        mark=row.number("mark_price", low=0.0),
        delta=row.number("delta"),
        bid=quote("bid_price"),
        ask=quote("ask_price"),
        open_interest=row.number("open_interest", low=0.0),
        volume=row.number("volume", low=0.0),
    )


def select_options(tickers: Iterable[Ticker], time: int, count: int, index: float) -> list[Ticker]:
    """At most `count` options by the listing rule (see the module), in the order expiry, strike, put before call."""

    def is_candidate(ticker: Ticker) -> bool:
        years = (ticker.expiry - time) / SECONDS_PER_YEAR
        if not ticker.ask or years * DAYS_PER_YEAR <= MIN_OPTION_DAYS:
            return False
        return abs(math.log(ticker.strike / ticker.forward)) < MAX_DEVIATIONS * ticker.volatility * math.sqrt(years)

    def rank(ticker: Ticker) -> tuple[float, str]:
        return -(ticker.open_interest + VOLUME_WEIGHT * ticker.volume) * index, ticker.name

    candidates = sorted(filter(is_candidate, tickers), key=rank)
    taken: dict[int, int] = defaultdict(int)
    first: list[Ticker] = []
    rest: list[Ticker] = []
    for ticker in candidates:
        taken[ticker.expiry] += 1
        (first if taken[ticker.expiry] <= MIN_PER_EXPIRY else rest).append(ticker)
    chosen = (first + rest)[:count]
    return sorted(chosen, key=lambda ticker: (ticker.expiry, ticker.strike, ticker.is_call))


def select_futures(tickers: Iterable[Ticker], time: int, count: int) -> list[tuple[int, float]]:
    """At most `count` dated futures as (expiry, forward in US dollars), rising expiry, by the rule of the module."""
    by_expiry: dict[int, list[Ticker]] = defaultdict(list)
    for ticker in tickers:
        if ticker.expiry - time > MIN_FUTURE_DAYS * SECONDS_PER_DAY:
            by_expiry[ticker.expiry].append(ticker)

    def rank(expiry: int) -> tuple[bool, float, int]:
        rows = by_expiry[expiry]
        return not rows[0].has_future, -sum(row.open_interest for row in rows), expiry

    chosen = sorted(by_expiry, key=rank)[:count]
    return [(expiry, statistics.median(row.forward for row in by_expiry[expiry])) for expiry in sorted(chosen)]


class Facts(StrictModel):
    """What a chain does not quote; the fields are those of a market file."""

    daily_volatility: dict[str, float]
    crowding: dict[str, CrowdingRow]
    contagion_multiplier: float


class _Draft:
    """The snapshot's columns, filled coin by coin."""

    def __init__(self, preset: Preset):
        self.preset = preset
        self.instruments: list[Instrument | None] = [None] * preset.slots
        self.forward, self.volatility = np.full(preset.slots, np.nan), np.full(preset.slots, np.nan)
        self.index: dict[Coin, float] = {}
        self.options: list[Ticker] = []

    def list_coin(self, coin: Coin, tickers: list[Ticker], time: int, source: str) -> None:
        """Collateral, perpetual, futures and options of a coin, by the rule of the module."""
        index = self.index[coin] = statistics.median(ticker.index for ticker in tickers)
        spot, lot = self.preset.coin_slots(coin).start, DERIVATIVE_LOT[coin]
        self._put(make_instrument(spot, InstrumentKind.SPOT, coin, COLLATERAL_LOT[coin]), index)
        self._put(make_instrument(spot + 1, InstrumentKind.PERPETUAL, coin, lot), index)
        futures = select_futures(tickers, time, self.preset.futures_per_coin)
        for slot, (expiry, price) in zip(self.preset.future_slots(coin), futures, strict=False):
            self._put(make_instrument(slot, InstrumentKind.FUTURE, coin, lot, expiry=expiry), price)
        slots = self.preset.option_slots(coin)
        for slot, ticker in zip(slots, select_options(tickers, time, len(slots), index), strict=False):
            option = make_instrument(
                slot,
                InstrumentKind.OPTION,
                coin,
                lot,
                strike=ticker.strike,
                expiry=ticker.expiry,
                is_call=ticker.is_call,
            )
            if option.name != ticker.name:
                raise MalformedFile(source, f"{ticker.name!r} has the facts of {option.name}; allowed: its own")
            self._put(option, ticker.forward, ticker.volatility)
            self.options.append(ticker)

    def _put(self, instrument: Instrument, forward: float, volatility: float = math.nan) -> None:
        slot = instrument.slot
        self.instruments[slot], self.forward[slot], self.volatility[slot] = instrument, forward, volatility


def derive_document(path: Path, day: date, preset: Preset, given: Facts) -> dict[str, object]:
    """The market file of a chain as plain dictionaries: the snapshot, its conventions and the venue's observations.

    Raises `OutOfRange` if the chain is of another day than `day` (UTC), else as `read_chain` and the records raise.
    """
    time, tickers = read_chain(path)
    moment = datetime.fromtimestamp(time, UTC)
    if moment.date() != day:
        raise OutOfRange(f"day of {path.name}", moment.date().isoformat(), day.isoformat(), day.isoformat())
    draft = _Draft(preset)
    for coin in Coin:
        of_coin = [ticker for ticker in tickers if ticker.underlying is coin]
        if not of_coin:
            raise MalformedFile(path.name, f"has no row of {coin.value}; allowed: rows of every coin")
        draft.list_coin(coin, of_coin, time, path.name)
    snapshot = MarketSnapshot(
        time=time,
        source=SOURCE.format(time=moment.isoformat().replace("+00:00", "Z"), file=_name_at_source(moment)),
        index=draft.index,
        listing=Listing(preset, 0, tuple(draft.instruments)),
        forward=draft.forward,
        volatility=draft.volatility,
        daily_volatility={require_coin("coin of daily volatility", n): v for n, v in given.daily_volatility.items()},
        crowding={require_coin("coin of crowding", name): row.to_crowding() for name, row in given.crowding.items()},
        contagion_multiplier=given.contagion_multiplier,
    )
    fields = ("mark", "delta", "bid", "ask", "open_interest", "volume")
    observations = [
        {"name": ticker.name, **{field: _tidy(getattr(ticker, field)) for field in fields}} for ticker in draft.options
    ]
    document = to_document(snapshot)
    return {"format": document.pop("format"), "about": ABOUT, **document, "observations": observations}


def _name_at_source(moment: datetime) -> str:
    return f"deribit_options_snapshot_{moment:%Y%m%dT%H%M%SZ}.csv"


def _tidy(value: float | None) -> float | None:
    """Without the noise of binary arithmetic in the last digits; tickers have at most 8 decimals."""
    return None if value is None else round(value, 8)


def main(arguments: list[str] | None = None) -> None:
    """Write the derived snapshot of a chain; what was derived goes to stdout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chain", type=Path, required=True, help="CSV of the chain")
    parser.add_argument("--date", type=date.fromisoformat, required=True, help="UTC day that the chain must be of")
    parser.add_argument("--facts", type=Path, required=True, help="JSON of what the chain does not quote")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    facts = read_model(Facts, read_text(options.facts), options.facts.name)
    document = derive_document(options.chain, options.date, get_preset("standard"), facts)
    options.output.write_text(dump_document(document), encoding="utf-8")
    snapshot = parse_market(options.output.read_text(encoding="utf-8"), source=options.output.name)
    size, digest = len(snapshot.to_bytes()), snapshot.hash.hex()
    listed = int(snapshot.listing.is_listed.sum())
    print(f"{options.output}: {listed} instruments, {size} bytes canonical, keccak256 {digest}")


if __name__ == "__main__":
    main()
