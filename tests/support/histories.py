"""Shared by the backtests' tests: the shipped record, its market, and a short run around 12 March 2020."""

from dataclasses import replace
from functools import cache

import numpy as np

from zkmargin.engine.backtest.history import History, load_history
from zkmargin.engine.backtest.paths import FittedMarket, build_market
from zkmargin.engine.backtest.run import Run, run_backtest
from zkmargin.engine.margin.parameters import load_parameters

FIRST, LAST = np.datetime64("2020-03-02"), np.datetime64("2020-03-14")
BOOKS = ("long", "short", "short_straddle", "pair")
MODELS = ("ewma", "ewma_residual", "garch", "delta_gamma", "two_day", "house_initial", "house_maintenance")


@cache
def get_market() -> FittedMarket:
    return build_market(load_history())


@cache
def get_run() -> Run:
    return run_backtest(get_market(), load_parameters(), BOOKS, MODELS, "BTC", FIRST, LAST)


def change_after(history: History, date: str, factor: float) -> History:
    """The same record with every price of the first segment after `date` times `factor`."""
    segment = history.segments[0]
    later = segment.dates > np.datetime64(date)
    closes = np.where(later[:, None], factor * segment.closes, segment.closes)
    return replace(history, segments=(replace(segment, closes=closes), *history.segments[1:]))
