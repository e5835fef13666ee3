"""Deribit's public API as a source of chains: fetches what the layout "api" reads, in one file.

    zkmargin market fetch --out chain.json

A request that fails, or that the venue limits, is tried again with growing pauses. What cannot be a price is left out
here, before it is a market: a quote whose bid is above its ask, and one that is older than the others of its kind.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from types import UnionType
from typing import Any, TypeVar

import httpx

from zkmargin.engine.errors import MarketError
from zkmargin.engine.presets import Coin

API = "https://www.deribit.com/api/v2/public/"
ATTEMPTS = 5
PAUSE_SECONDS = 1.0
"""Before the second attempt; twice as long before each further one."""
LIMITED = (429, 500, 502, 503, 504)
"""HTTP statuses after which a request is tried again."""
RATE_CODE = 10028
"""The venue's code for too many requests."""
SUMMARY, TICKER = "get_book_summary_by_currency", "ticker"
"""Methods that give quotes."""
FIELDS = {SUMMARY: ("creation_timestamp", "bid_price", "ask_price"),
          TICKER: ("timestamp", "best_bid_price", "best_ask_price")}  # fmt: skip
"""Of a method's quotes: milliseconds, bid and ask. A bid or ask that nobody makes is null, or zero in a ticker."""
STALE_MS = 120_000
"""Milliseconds by which a quote may be older than the latest one."""


T = TypeVar("T")


class FeedUnavailable(MarketError):
    """A venue's API does not give what was asked for."""

    def __init__(self, method: str, reason: str):
        self.method, self.reason = method, reason
        super().__init__(f"{method}: {reason}")


class DeribitClient:
    """Asks the public API; `client` may be any of httpx's, `sleep` takes seconds."""

    def __init__(self, client: httpx.Client, *, sleep: Callable[[float], None] = time.sleep):
        self._client, self._sleep = client, sleep

    def fetch(self, coins: Iterable[Coin] = tuple(Coin)) -> list[dict[str, Any]]:
        """Responses for each coin: book summaries of options, and tickers of its perpetual and futures.

        Raises
        ------
        FeedUnavailable
            If a request fails `ATTEMPTS` times, an answer is not of the form that the API's documents say, or nothing
            usable is left of it.
        """
        responses: list[dict[str, Any]] = []
        for coin in coins:
            options = self.ask(SUMMARY, list, currency=coin.value, kind="option")
            futures = self.ask(SUMMARY, list, currency=coin.value, kind="future")
            names = [_read(SUMMARY, book, "instrument_name", str) for book in futures]
            tickers = [self.ask(TICKER, dict, instrument_name=name) for name in names]
            responses.append({"result": keep_usable(SUMMARY, options)})
            responses += [{"result": quote} for quote in keep_usable(TICKER, tickers)]
        return responses

    def ask(self, method: str, form: type[T], **parameters: str) -> T:
        """The `result` of one response; raises `FeedUnavailable`, also if it is not of that form."""
        reason, pause = "", PAUSE_SECONDS
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(pause)
                pause *= 2
            try:
                answer = self._client.get(API + method, params=parameters)
                document = answer.json()
            except (httpx.HTTPError, ValueError) as fault:
                reason = type(fault).__name__
                continue
            if isinstance(document, dict) and "result" in document and answer.status_code == 200:
                result: T = _require(method, "result", document["result"], form)
                return result
            error = document.get("error") if isinstance(document, dict) else None
            code = error.get("code") if isinstance(error, dict) else None
            reason = f"status {answer.status_code}, code {code}"
            if answer.status_code not in LIMITED and code != RATE_CODE:
                break
        raise FeedUnavailable(method, reason)


def keep_usable(method: str, quotes: list[Any]) -> list[dict[str, Any]]:
    """A method's quotes but crossed and stale ones; raises `FeedUnavailable` if one is no quote, or none is left."""
    stamp, bid, ask = FIELDS[method]
    stamps = [_read(method, quote, stamp, int) for quote in quotes]
    latest = max(stamps, default=0)
    kept = [
        quote
        for quote, moment in zip(quotes, stamps, strict=True)
        if latest - moment <= STALE_MS and not is_crossed(*(_read_price(method, quote, side) for side in (bid, ask)))
    ]
    if not kept:
        raise FeedUnavailable(method, f"none of {len(quotes)} quotes can be used")
    return kept


def is_crossed(bid: float, ask: float) -> bool:
    """Whether somebody would pay more than somebody else asks; 0 where nobody does."""
    return 0 < ask < bid


def _read_price(method: str, quote: Any, field: str) -> float:
    """In the quote's unit; 0 where there is none."""
    return 0.0 if quote.get(field) is None else float(_read(method, quote, field, int | float))


def _read(method: str, record: Any, field: str, form: type[T] | UnionType) -> Any:
    """A field of a record of an answer; raises `FeedUnavailable` if it is not of that form."""
    return _require(method, field, _require(method, "entry", record, dict).get(field), form)


def _require(method: str, name: str, value: Any, form: type[T] | UnionType) -> Any:
    if not isinstance(value, form) or isinstance(value, bool):
        raise FeedUnavailable(method, f"{name} is {str(value)[:40]!r}; allowed: {getattr(form, '__name__', form)}")
    return value


def write_responses(responses: list[dict[str, Any]]) -> str:
    """The file that the layout "api" reads."""
    return json.dumps(responses) + "\n"
