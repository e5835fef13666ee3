"""The market of every recorded day: prices, filtered volatility, implied volatility, basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zkmargin.engine.backtest.history import History, Segment
from zkmargin.engine.backtest.volatility import (
    Proxy,
    Response,
    fit_proxy,
    fit_response,
    interpolate_volatility,
    make_proxy_path,
)
from zkmargin.engine.calibration.filters import WARM_UP, filter_ewma
from zkmargin.engine.presets import Coin

PERIODS = (1, 2)
"""Days between a book's striking and its close."""
BASIS_TENORS = (0.0, 30.0, 90.0)
"""Days at which ln(forward / index) is known, 0 at once."""


class State(NamedTuple):
    """The market at one close."""

    date: np.datetime64
    """Day; its close is the next midnight, UTC."""
    index: np.ndarray  # type: ignore[assignment]  # a tuple's index is a method, which nobody calls here
    """(coins,) US dollars."""
    atm: np.ndarray
    """(coins, 3) volatilities at 7, 30 and 90 days."""
    wings: np.ndarray
    """(coins, 2) of 25-delta puts and calls at 30 days."""
    basis: np.ndarray
    """(coins, 2) ln(forward / index) at 30 and 90 days."""
    eth_spot: float
    """US dollars, NaN where it was not recorded."""

    def forward(self, coin: int, days: np.ndarray | float) -> np.ndarray:
        """Forward of a coin at tenors, US dollars; ln(forward / index) is linear in time."""
        points = (0.0, *self.basis[coin])
        forward: np.ndarray = self.index[coin] * np.exp(np.interp(days, BASIS_TENORS, points))
        return forward

    def volatility(self, coin: int, days: np.ndarray | float, moneyness: np.ndarray | float) -> np.ndarray:
        """Volatility of a coin's options, fraction."""
        return interpolate_volatility(self.atm[coin], self.wings[coin], days, moneyness)


@dataclass(frozen=True, eq=False)
class Path:
    """One segment's days from the end of the filter's warm-up on."""

    name: str
    """Name of the segment."""
    states: tuple[State, ...]
    """(T,) in time order."""
    returns: np.ndarray
    """(T - 1, coins) log returns between them."""
    standardised: np.ndarray
    """(T - 1, coins) the same over the forecast volatility."""
    forecast: np.ndarray
    """(T, coins) volatility of the next day's return, known at each close."""
    earlier: np.ndarray
    """(w, coins) returns of the warm-up."""
    quoted: np.ndarray
    """(T,) whether volatilities are quotes."""


@dataclass(frozen=True, eq=False)
class FittedMarket:
    """All segments, and what was fitted."""

    paths: tuple[Path, ...]
    """In time order."""
    proxies: dict[Coin, Proxy]
    """By coin."""
    responses: dict[int, dict[Coin, Response]]
    """By days held and coin."""


def build_market(history: History) -> FittedMarket:
    """Filter every segment, fit the proxies where there are quotes, and put the days together.

    Raises
    ------
    OutOfRange
        If a segment is too short for the filter, or as `fit_proxy`.
    """
    filtered = [_filter(segment) for segment in history.segments]
    proxies: dict[Coin, Proxy] = {}
    responses: dict[int, dict[Coin, Response]] = {days: {} for days in PERIODS}
    for place, coin in enumerate(Coin):
        quotes = history.quotes[coin]
        segment, (closes, forecast) = next(
            (segment, parts)
            for segment, parts in zip(history.segments, filtered, strict=True)
            if quotes.dates[0] in segment.dates[WARM_UP:]
        )
        rows = np.searchsorted(segment.dates, quotes.dates) - WARM_UP
        moves = np.diff(np.log(closes[:, place]), prepend=np.nan)[rows]
        proxies[coin] = fit_proxy(quotes, forecast[rows, place], moves)
        for days in PERIODS:
            responses[days][coin] = fit_response(quotes, closes[rows, place], days)
    paths = tuple(
        _build(segment, forecast, history, proxies)
        for segment, (_, forecast) in zip(history.segments, filtered, strict=True)
    )
    return FittedMarket(paths, proxies, responses)


def _filter(segment: Segment) -> tuple[np.ndarray, np.ndarray]:
    """Closes (T, coins) after the warm-up, and the forecast known at each."""
    filtered = filter_ewma(np.diff(np.log(segment.closes), axis=0))
    return segment.closes[WARM_UP:], np.vstack([filtered.volatility, filtered.latest])


def _build(segment: Segment, forecast: np.ndarray, history: History, proxies: dict[Coin, Proxy]) -> Path:
    all_returns = np.diff(np.log(segment.closes), axis=0)
    dates, closes = segment.dates[WARM_UP:], segment.closes[WARM_UP:]
    returns = all_returns[WARM_UP:]
    into = all_returns[WARM_UP - 1 :]
    days = len(dates)
    atm, wings, basis = np.empty((days, 2, 3)), np.empty((days, 2, 2)), np.zeros((days, 2, 2))
    for place, coin in enumerate(Coin):
        atm[:, place], wings[:, place] = make_proxy_path(proxies[coin], forecast[:, place], into[:, place])
        quotes = history.quotes[coin]
        _, rows, quoted_rows = np.intersect1d(dates, quotes.dates, return_indices=True)
        atm[rows, place], wings[rows, place], basis[rows, place] = (
            part[quoted_rows] for part in (quotes.atm, quotes.wings, quotes.basis)
        )
    quoted = np.isin(dates, history.quotes[Coin.BTC].dates)
    parts = (dates, closes, atm, wings, basis, segment.eth_spot[WARM_UP:])
    states = tuple(State(*row) for row in zip(*parts, strict=True))
    return Path(segment.name, states, returns, returns / forecast[:-1], forecast, all_returns[:WARM_UP], quoted)
