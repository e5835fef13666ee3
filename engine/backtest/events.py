"""Named crashes: what each book lost against its margin, from close to close and within the day."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zkmargin.engine.backtest.books import NEEDS_BASIS, NEEDS_SPOT, Listed, list_day, make_lots
from zkmargin.engine.backtest.history import Event
from zkmargin.engine.backtest.models import DAYS_HELD
from zkmargin.engine.backtest.paths import FittedMarket, State
from zkmargin.engine.backtest.run import Run
from zkmargin.engine.backtest.volatility import TENORS
from zkmargin.engine.margin.parameters import Parameters
from zkmargin.engine.margin.shortfall import LEAST_VOLATILITY_FACTOR
from zkmargin.engine.presets import Coin

CRASHES = {
    "March 2020": ("2020-03-12", "2020-03-13"),
    "October 2025": ("2025-10-10", "2025-10-11"),
    "February 2026": ("2026-02-05", "2026-02-06"),
}
"""First and last day of each."""
DAY = np.timedelta64(1, "D")


class CrashLoss(NamedTuple):
    """The worst that a crash did to one book under one model."""

    crash: str
    model: str
    book: str
    struck: str
    """Day at whose close the book was struck."""
    loss: float
    """US dollars over the days held; negative when money was made."""
    margin: float
    """US dollars."""
    notional: float
    """US dollars."""

    @property
    def ratio(self) -> float:
        """Loss over margin: above 1 the margin did not hold."""
        return self.loss / self.margin if self.margin > 0 else float("nan")


class HourLoss(NamedTuple):
    """The worst hour of a crash for one book: from the close before the day, at hourly lows, closes and highs."""

    crash: str
    book: str
    struck: str
    """Day at whose close the book was struck."""
    hour: str
    """When the bar opens, UTC."""
    loss: float
    """US dollars."""
    margins: dict[str, float]
    """By model, US dollars, required at the striking."""


def get_crash_losses(run: Run, models: Sequence[str]) -> list[CrashLoss]:
    """For each crash, model and book: among the days whose holding period meets the crash, that of the largest loss in
    terms of its margin. Books and crashes that the run does not have are left out."""
    losses = []
    for crash, (first, last) in CRASHES.items():
        for model in models:
            days = DAYS_HELD[model]
            inside = (run.dates + days * DAY >= np.datetime64(first)) & (run.dates < np.datetime64(last))
            for column, book in enumerate(run.books):
                margin, loss = run.figures[model].margin[:, column], run.losses[days][:, column]
                rows = np.flatnonzero(inside & np.isfinite(margin) & np.isfinite(loss))
                if rows.size:
                    row = max(rows, key=lambda at: loss[at] / max(margin[at], 1e-9))
                    numbers = (loss[row], margin[row], run.notional[row, column])
                    losses.append(CrashLoss(crash, model, book, str(run.dates[row]), *(float(x) for x in numbers)))
    return losses


def get_hour_losses(run: Run, market: FittedMarket, events: Sequence[Event], parameters: Parameters) -> list[HourLoss]:
    """For each event with hourly bars and each book: the worst bar of any of its days.

    Every coin is at its low, close or high of the hour at once. Volatilities move by the one-day response to the move
    since the striking, scaled with tenor. Books that need a basis or a spot price are
    left out: neither is recorded by the hour.
    """
    rows = {date: row for row, date in enumerate(run.dates)}
    states = {state.date: (state, path.forecast[at]) for path in market.paths for at, state in enumerate(path.states)}
    books = tuple(book for book in run.books if book not in (NEEDS_BASIS, NEEDS_SPOT))
    losses: list[HourLoss] = []
    for event in events:
        worst: dict[str, HourLoss] = {}
        for day in np.unique(event.hours.astype("datetime64[D]")):
            if day - DAY not in rows:
                continue
            state, forecast = states[day - DAY]
            listed = list_day(state, forecast)
            lots = make_lots(listed, books, run.coin)
            margins = {model: figures.margin[rows[day - DAY]] for model, figures in run.figures.items()}
            for hour, bar in zip(event.hours, event.bars, strict=True):
                if hour.astype("datetime64[D]") == day:
                    loss = _value_bar(listed, hour, bar, market, parameters, lots)
                    for book, amount in zip(books, loss, strict=True):
                        if book not in worst or amount > worst[book].loss:
                            column = run.books.index(book)
                            required = {name: float(row[column]) for name, row in margins.items()}
                            worst[book] = HourLoss(event.name, book, str(day - DAY), str(hour), float(amount), required)
        losses += worst.values()
    return losses


def _value_bar(
    listed: Listed, hour: np.datetime64, bar: np.ndarray, market: FittedMarket, parameters: Parameters, lots: np.ndarray
) -> np.ndarray:
    """(B,) largest loss over a bar's low, close and high, US dollars."""
    before, now = listed.value(listed.state), []
    for prices in bar.T:
        now.append(listed.value(_shift(listed.state, hour, prices, market, parameters)) - before)
    return np.asarray(-(np.array(now) @ lots).min(axis=0))


def _shift(
    state: State, hour: np.datetime64, prices: np.ndarray, market: FittedMarket, parameters: Parameters
) -> State:
    moves = np.log(prices / state.index)
    changes = np.array([market.responses[1][coin].compute(moves[place]) for place, coin in enumerate(Coin)])
    ratio = parameters.tenor_reference / np.array(TENORS)
    scale = ratio ** np.where(ratio >= 1.0, parameters.tenor_power_short, parameters.tenor_power_long)
    factors = np.maximum(1.0 + changes[:, None] * scale, LEAST_VOLATILITY_FACTOR)
    wings = state.wings * factors[:, 1, None]
    # A state's day closes at the next midnight, so the striking is at state.date + 1 day: count from there.
    date = hour + np.timedelta64(1, "h") - DAY
    return State(date, prices, state.atm * factors, wings, state.basis, float("nan"))
