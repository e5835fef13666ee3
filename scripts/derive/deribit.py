"""Deribit's public API as a source of chains: fetches what the layout "api" reads, in one file.

    zkmargin market fetch --out chain.json

A request that fails, or that the venue limits, is tried again with growing pauses. What cannot be a price is left out
here, before it is a market: a book whose bid is above its ask, and a quote that is older than the others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

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
STALE_MS = 120_000
"""Milliseconds by which a quote may be older than the latest one."""


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
            If a request fails `ATTEMPTS` times, or nothing usable is left of an answer.
        """
        responses = []
        for coin in coins:
            responses.append(keep_usable(self.ask("get_book_summary_by_currency", currency=coin.value, kind="option")))
            for book in self.ask("get_book_summary_by_currency", currency=coin.value, kind="future")["result"]:
                responses.append(self.ask("ticker", instrument_name=book["instrument_name"]))
        return responses

    def ask(self, method: str, **parameters: str) -> dict[str, Any]:
        """One response with its `result`; raises `FeedUnavailable`."""
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
                return document
            code = document.get("error", {}).get("code") if isinstance(document, dict) else None
            reason = f"status {answer.status_code}, code {code}"
            if answer.status_code not in LIMITED and code != RATE_CODE:
                break
        raise FeedUnavailable(method, reason)


def keep_usable(response: dict[str, Any]) -> dict[str, Any]:
    """Book summaries without crossed and stale ones; raises `FeedUnavailable` if none is left."""
    books = response["result"]
    latest = max((book["creation_timestamp"] for book in books), default=0)
    kept = [book for book in books if not is_crossed(book) and latest - book["creation_timestamp"] <= STALE_MS]
    if not kept:
        raise FeedUnavailable("get_book_summary_by_currency", f"none of {len(books)} books can be used")
    return {**response, "result": kept}


def is_crossed(book: dict[str, Any]) -> bool:
    """Whether somebody would pay more than somebody else asks."""
    bid, ask = book.get("bid_price"), book.get("ask_price")
    return bid is not None and ask is not None and bid > ask


def write_responses(responses: list[dict[str, Any]]) -> str:
    """The file that the layout "api" reads."""
    return json.dumps(responses) + "\n"
