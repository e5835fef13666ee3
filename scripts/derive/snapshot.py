"""Derive a market snapshot of 256 slots from an options chain of Deribit's tickers.

    python -m zkmargin.scripts.derive.snapshot --chain deribit_options_snapshot_20260822T153351Z.csv \\
        --source "Deribit option tickers (public API) of 2026-08-22T15:33:51Z, collected in github ..." \\
        --date 2026-08-22 --facts facts.json --output engine/data/deribit_2026-08-22.json

`--layout` says how the chain is written (`scripts.derive.readers`); `--chain` may name several files of one moment.
`--source` says where it comes from, and is part of what publishers sign. What the chain does not quote comes from the
facts, a JSON object with `daily_volatility` (by coin), `crowding` (by coin) and `contagion_multiplier`, as in a market
file; with an `index` (by coin), a coin of which the chain has no row is listed without options.

What is kept are market facts of the listed instruments; the chain itself is not copied.

Listing rule, per coin. An option is a candidate when it has an ask, more than `--least-days` to live, and
abs(ln(strike / forward)) < 4.5 * volatility * sqrt(years). Its score is (open interest + 5 * volume) * index. Each
expiry takes its 6 best candidates, then the best of the rest fill the 120 slots; ties go by name. Futures are the
expiries over 7 days with most open interest in options; an expiry with a listed future comes before one whose forward
is synthetic.

After a market that is listed already, what it lists stays in its slot while it lives. Slots of what has expired since
are filled by the rule, as a step into the next listing version; without an expiry there is none.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
from pydantic import Field

from zkmargin.engine.errors import MalformedFile, OutOfRange, WrongKind
from zkmargin.engine.files import StrictModel, read_model, read_text
from zkmargin.engine.market.file import CrowdingRow, dump_document, parse_market, to_document
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, Listing, make_instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin, Preset, get_preset, require_coin
from zkmargin.engine.units import DAYS_PER_YEAR, SECONDS_PER_DAY, SECONDS_PER_YEAR, require_in_range
from zkmargin.scripts.derive.chain import MAX_SPAN_SECONDS, SPAN_SECONDS, Chain, Ticker, merge_chains
from zkmargin.scripts.derive.readers import READERS

MIN_OPTION_DAYS = 1.5
"""Default of the least life of a listed option, days."""
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

ABOUT = (
    "Derived market facts. Per option: forward = the ticker's own underlying price, volatility = its mark volatility;"
    " observations are the venue's mark, bid and ask (coin per option), delta, open interest and volume (coin)."
    " Futures: median of the forwards in the tickers of their expiry. Index: median over the coin's tickers."
    " Perpetuals: their own ticker's mark and funding; where the chain has none the index stands for the mark, and"
    " funding is 0."
    " Rates: 0, the venue's convention; prices are undiscounted."
    " The tickers of one chain were read over one to two minutes, so forwards of one expiry may differ."
)
"""Conventions, written into the file."""


def select_options(
    tickers: Iterable[Ticker], time: int, count: int, index: float, least_days: float = MIN_OPTION_DAYS
) -> list[Ticker]:
    """At most `count` options by the listing rule (see the module), in the order expiry, strike, put before call."""

    def is_candidate(ticker: Ticker) -> bool:
        years = (ticker.expiry - time) / SECONDS_PER_YEAR
        if not ticker.ask or years * DAYS_PER_YEAR <= least_days:
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
    """Forecast of the daily log return's, fraction, by coin."""
    crowding: dict[str, CrowdingRow]
    """By coin."""
    contagion_multiplier: float
    """State multiplier, 1 to 4."""
    departures: list[str] = Field(default=[])
    """What `zkmargin crowding --replay` took in place of fresh figures, in words; the file's `about` says it."""
    index: dict[str, float] = Field(default={})
    """US dollars, of coins of which the chain has no row."""


class _Draft:
    """The snapshot's columns, filled coin by coin."""

    def __init__(self, preset: Preset, chain: Chain, least_days: float, after: Listing | None):
        self.preset, self.chain, self.least_days, self.after = preset, chain, least_days, after
        self.instruments: list[Instrument | None] = [None] * preset.slots
        self.forward, self.volatility = np.full(preset.slots, np.nan), np.full(preset.slots, np.nan)
        self.index: dict[Coin, float] = {}
        self.funding: dict[Coin, float] = dict.fromkeys(Coin, 0.0)
        self.options: list[Ticker] = []

    def list_coin(self, coin: Coin, known_index: float | None) -> None:
        """Collateral, perpetual, futures and options of a coin, by the rule of the module.

        Raises `MalformedFile` if the chain has no row of the coin and its index is not known.
        """
        tickers = [ticker for ticker in self.chain.options if ticker.underlying is coin]
        linear = [row for row in self.chain.linear if row.underlying is coin]
        indices = [row.index for row in tickers] + [row.index for row in linear]
        indices = indices or ([] if known_index is None else [known_index])
        if not indices:
            raise MalformedFile(
                self.chain.source, f"has no row of {coin.value}; allowed: rows of every coin, or its index in the facts"
            )
        index = self.index[coin] = statistics.median(indices)
        spot, lot = self.preset.coin_slots(coin).start, DERIVATIVE_LOT[coin]
        self._put(make_instrument(spot, InstrumentKind.SPOT, coin, COLLATERAL_LOT[coin]), index)
        perpetual = next((row for row in linear if row.expiry is None), None)
        self._put(
            make_instrument(spot + 1, InstrumentKind.PERPETUAL, coin, lot), perpetual.mark if perpetual else index
        )
        self.funding[coin] = perpetual.funding if perpetual else 0.0
        self._list_futures(coin, lot, tickers, {row.expiry: row.mark for row in linear if row.expiry is not None})
        self._list_options(coin, lot, tickers, index)

    def _list_futures(self, coin: Coin, lot: float, tickers: list[Ticker], marks: Mapping[int, float]) -> None:
        kept, free = self._split_slots(self.preset.future_slots(coin))
        for item in kept:
            expiry = item.expiry or 0
            own = [ticker.forward for ticker in tickers if ticker.expiry == expiry]
            if expiry not in marks and not own:
                raise self._miss(item)
            self._put(item, marks[expiry] if expiry in marks else statistics.median(own))
        held = {item.expiry for item in kept}
        others = [ticker for ticker in tickers if ticker.expiry not in held]
        for slot, (expiry, price) in zip(free, select_futures(others, self.chain.time, len(free)), strict=False):
            future = make_instrument(slot, InstrumentKind.FUTURE, coin, lot, expiry=expiry)
            self._put(future, marks.get(expiry, price))

    def _list_options(self, coin: Coin, lot: float, tickers: list[Ticker], index: float) -> None:
        kept, free = self._split_slots(self.preset.option_slots(coin))
        by_name = {ticker.name: ticker for ticker in tickers}
        for item in kept:
            if item.name not in by_name:
                raise self._miss(item)
            self._put_option(item.slot, lot, by_name.pop(item.name))
        chosen = select_options(by_name.values(), self.chain.time, len(free), index, self.least_days)
        for slot, ticker in zip(free, chosen, strict=False):
            self._put_option(slot, lot, ticker)

    def _split_slots(self, slots: Iterable[int]) -> tuple[list[Instrument], list[int]]:
        """What stays in its slot, and the slots that the rule may fill: all of them, or those of what has expired. A
        slot that was empty stays so, as nothing is dropped there."""
        if self.after is None:
            return [], list(slots)
        held = [item for slot in slots if (item := self.after.instruments[slot]) is not None]
        is_live = {item.slot: (item.expiry or 0) > self.chain.time for item in held}
        return [item for item in held if is_live[item.slot]], [slot for slot, lives in is_live.items() if not lives]

    def _miss(self, item: Instrument) -> MalformedFile:
        return MalformedFile(self.chain.source, f"has no price of {item.name}; allowed: one of each that is listed")

    @property
    def generation(self) -> int:
        """Of the listing: one more than before where something has expired."""
        if self.after is None:
            return 0
        has_expired = any(
            item.expiry is not None and item.expiry <= self.chain.time for item in self.after.by_name.values()
        )
        return self.after.generation + has_expired

    def _put_option(self, slot: int, lot: float, ticker: Ticker) -> None:
        option = make_instrument(
            slot,
            InstrumentKind.OPTION,
            ticker.underlying,
            lot,
            strike=ticker.strike,
            expiry=ticker.expiry,
            is_call=ticker.is_call,
        )
        if option.name != ticker.name:
            raise MalformedFile(self.chain.source, f"{ticker.name!r} has the facts of {option.name}; allowed: its own")
        self._put(option, ticker.forward, ticker.volatility)
        self.options.append(ticker)

    def _put(self, instrument: Instrument, forward: float, volatility: float = math.nan) -> None:
        slot = instrument.slot
        self.instruments[slot], self.forward[slot], self.volatility[slot] = instrument, forward, volatility


def derive_document(
    chain: Chain,
    source: str,
    day: date,
    preset: Preset,
    given: Facts,
    least_days: float = MIN_OPTION_DAYS,
    after: Listing | None = None,
) -> dict[str, object]:
    """The market file of a chain as plain dictionaries: the snapshot, its conventions and the venue's observations.

    Parameters
    ----------
    chain : Chain
    source : str
        Where it comes from, as the snapshot says it.
    day : date
        UTC day that the chain must be of.
    preset : Preset
    given : Facts
        What the chain does not quote.
    least_days : float
        An option with at most so many days left is not listed anew.
    after : Listing, optional
        What is listed already: it stays, and expires.

    Raises
    ------
    OutOfRange
        If the chain is of another day.
    MalformedFile
        If it has no row of a coin or of what is listed, or a row contradicts its name; else as the records raise.
    WrongKind
        If what is listed is of another preset, or a bond, which no chain quotes.
    """
    bond = next((item for item in after.by_name.values() if item.kind is InstrumentKind.BOND), None) if after else None
    if bond is not None:
        raise WrongKind(f"{bond.name}, which is listed,", "a bond", "what a chain quotes")
    if after is not None and after.preset != preset:
        raise WrongKind("preset of the listing to follow", after.preset.name, f"{preset.name}, split as it is")
    moment = datetime.fromtimestamp(chain.time, UTC)
    if moment.date() != day:
        raise OutOfRange(f"day of {chain.source}", moment.date().isoformat(), day.isoformat(), day.isoformat())
    draft = _Draft(preset, chain, least_days, after)
    known = {require_coin("coin of index", name, Coin): value for name, value in given.index.items()}
    for coin in Coin:
        draft.list_coin(coin, known.get(coin))
    snapshot = MarketSnapshot(
        time=chain.time,
        source=source,
        index=draft.index,
        listing=Listing(preset, draft.generation, tuple(draft.instruments)),
        forward=draft.forward,
        volatility=draft.volatility,
        funding=draft.funding,
        daily_volatility={
            require_coin("coin of daily volatility", n, Coin): v for n, v in given.daily_volatility.items()
        },
        crowding={
            require_coin("coin of crowding", name, Coin): row.to_crowding() for name, row in given.crowding.items()
        },
        contagion_multiplier=given.contagion_multiplier,
    )
    fields = ("mark", "delta", "bid", "ask", "open_interest", "volume")
    observations = [
        {"name": ticker.name, **{field: _tidy(getattr(ticker, field)) for field in fields}} for ticker in draft.options
    ]
    document = to_document(snapshot)
    about = ABOUT + _describe_gaps(chain, draft.options) + "".join(f" Replayed: {each}." for each in given.departures)
    return {"format": document.pop("format"), "about": about, **document, "observations": observations}


def _describe_gaps(chain: Chain, listed: Iterable[Ticker]) -> str:
    """What the source left out, in words: expiries whose forward is the underlying's price, and rows without any."""
    expiries = dict.fromkeys(ticker.name.rsplit("-", 2)[0] for ticker in listed if ticker.is_fallback)
    gaps = []
    if expiries:
        named = ", ".join(expiries)
        gaps.append(f" The source left these expiries' forward blank; their underlying's price stands for it: {named}.")
    if chain.dropped:
        gaps.append(f" {chain.dropped} rows that have neither were left out.")
    return "".join(gaps)


def _tidy(value: float | None) -> float | None:
    """Without the noise of binary arithmetic in the last digits; tickers have at most 8 decimals."""
    return None if value is None else round(value, 8)


def main(arguments: list[str] | None = None) -> None:
    """Write the derived snapshot of a chain; what was derived, and what the source left out, goes to stdout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chain", type=Path, required=True, nargs="+", help="files of one chain")
    parser.add_argument("--layout", choices=READERS, default="collector", help="how they are written")
    parser.add_argument("--source", required=True, help="where the chain comes from, in words")
    parser.add_argument("--span", type=float, default=SPAN_SECONDS, help="longest time between two rows, seconds")
    parser.add_argument("--date", type=date.fromisoformat, required=True, help="UTC day that the chain must be of")
    parser.add_argument("--facts", type=Path, required=True, help="JSON of what the chain does not quote")
    parser.add_argument("--least-days", type=float, default=MIN_OPTION_DAYS, help="least life of a listed option, days")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    span = require_in_range("span in seconds", options.span, 0.0, MAX_SPAN_SECONDS)
    facts = read_model(Facts, read_text(options.facts), options.facts.name)
    chain = merge_chains([READERS[options.layout](path) for path in options.chain]).require_span(span)
    document = derive_document(chain, options.source, options.date, get_preset("standard"), facts, options.least_days)
    snapshot = parse_market(dump_document(document), source=options.output.name)
    options.output.write_text(dump_document(document), encoding="utf-8")
    size, digest = len(snapshot.to_bytes()), snapshot.hash.hex()
    listed = int(snapshot.listing.is_listed.sum())
    print(f"{options.output}: {listed} instruments, {size} bytes canonical, keccak256 {digest}")
    print(
        f"rows: {len(chain.options)} options, of them {chain.fallbacks} with the underlying's price as forward; "
        f"{chain.dropped} with neither left out; {chain.last - chain.first:.0f} s from first to last"
    )


if __name__ == "__main__":
    main()
