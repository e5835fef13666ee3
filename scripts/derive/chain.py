"""An options chain as whoever collected it wrote it: rows of tickers, read to one record.

A row says one option's own forward. Where the source leaves it blank the price of the underlying that the venue names
stands for it, and the row is marked; a row that has neither is left out and counted. Collectors that ask ticker by
ticker write a time with each row: the chain's time is the latest, and all must lie within a stated span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from zkmargin.engine.errors import DuplicateName, MalformedFile, OutOfRange
from zkmargin.engine.presets import Coin
from zkmargin.scripts.derive.tables import Row

SPAN_SECONDS = 300.0
"""Default of the longest time between a chain's first and last row."""
MAX_SPAN_SECONDS = 3_600.0
"""Longest span that may be stated: forwards of one expiry an hour apart are no chain."""


@dataclass(frozen=True)
class Ticker:
    """One option. Prices in coin, strike, forward and index in US dollars, volatility a fraction."""

    name: str
    underlying: Coin
    expiry: int
    strike: float
    is_call: bool
    forward: float
    has_future: bool
    """Whether a listed future has that forward."""
    is_fallback: bool
    """Whether the source left the forward blank, so that the underlying's price stands for it."""
    volatility: float
    index: float
    mark: float
    delta: float
    bid: float | None
    ask: float | None
    open_interest: float
    volume: float


@dataclass(frozen=True)
class Linear:
    """A perpetual's or a future's own ticker."""

    name: str
    underlying: Coin
    expiry: int | None
    """None of a perpetual."""
    mark: float
    """US dollars per coin."""
    index: float
    """US dollars per coin."""
    funding: float
    """Of a perpetual, fraction per 8 hours; 0 of a future."""


@dataclass(frozen=True)
class Chain:
    """Rows of one moment."""

    source: str
    """Names of the files, for errors."""
    first: float
    """Unix seconds of the first row."""
    last: float
    """Of the last row."""
    options: tuple[Ticker, ...]
    linear: tuple[Linear, ...]
    dropped: int
    """Rows without a forward and without a price of the underlying."""

    @property
    def time(self) -> int:
        """Unix seconds of the chain."""
        return int(self.last)

    @property
    def fallbacks(self) -> int:
        """Options whose forward is the underlying's price."""
        return sum(ticker.is_fallback for ticker in self.options)

    def require_span(self, seconds: float) -> Chain:
        """The chain, if its rows lie within `seconds`; raises `OutOfRange` with both times."""
        if not self.last - self.first <= seconds:
            first, last = (datetime.fromtimestamp(moment, UTC).isoformat() for moment in (self.first, self.last))
            raise OutOfRange(
                f"seconds between the first row of {self.source}, {first}, and its last, {last}",
                round(self.last - self.first, 3),
                0,
                seconds,
            )
        return self


def make_chain(
    source: str, moments: Sequence[float], rows: Sequence[Ticker | Linear | None], what: str = "rows"
) -> Chain:
    """Rows of one source, with the time of each (unix seconds); None is one that was left out.

    Raises `MalformedFile` if there is no row.
    """
    if not rows:
        raise MalformedFile(source, f"has no {what}; allowed: at least one")
    return Chain(
        source=source,
        first=min(moments),
        last=max(moments),
        options=tuple(row for row in rows if isinstance(row, Ticker)),
        linear=tuple(row for row in rows if isinstance(row, Linear)),
        dropped=sum(row is None for row in rows),
    )


def merge_chains(chains: Sequence[Chain]) -> Chain:
    """Several files of one moment as one chain; raises `DuplicateName` if two of them quote one instrument."""
    first, *others = chains
    for other in others:
        first = replace(
            first,
            source=f"{first.source}, {other.source}",
            first=min(first.first, other.first),
            last=max(first.last, other.last),
            options=first.options + other.options,
            linear=first.linear + other.linear,
            dropped=first.dropped + other.dropped,
        )
    seen: set[str] = set()
    for name in [row.name for row in first.options] + [row.name for row in first.linear]:
        if name in seen:
            raise DuplicateName(f"instrument of {first.source}", name)
        seen.add(name)
    return first


def choose_forward(row: Row, forward: str, underlying: str) -> tuple[float, bool] | None:
    """The forward of a row, US dollars, and whether it is the underlying's price in its place; None with neither."""
    for column, is_fallback in ((forward, False), (underlying, True)):
        if row.get(column):
            return row.price(column), is_fallback
    return None


def read_quote(row: Row, column: str) -> float | None:
    """Bid or ask, coin; None where nobody quotes, which some sources write as 0 or nan."""
    return row.number(column, low=0.0) or None if row.get(column, "") not in ("", "nan") else None
