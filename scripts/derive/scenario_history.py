"""From daily closes and a volatility surface to the windows of the expected shortfall's sample."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.calibration.filters import WARM_UP, filter_ewma, sum_over_period
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR
from zkmargin.scripts.derive.tables import Row, read_table

PERIOD = 2
"""Margin period, days: EMIR RTS 153/2013, article 26 for listed derivatives."""
STRESSED_SHARE = 0.1
"""Share of the windows, by forecast volatility, that are marked as stressed."""
LOOKBACK_START = "2016-08-22"
"""First day of the long volatility: ten years before the last."""

TOKEN_STRESS: tuple[dict[str, Any], ...] = (
    {
        "name": "USDC 2023-03-11",
        "token": -0.12,
        "windows": 2,
        "source": "USDC at 0.88 USD on 11 March 2023 after 1.00 the day before (CoinGecko, reported by The Block, post "
        "218993, and CNN)",
    },
    {
        "name": "USDC 2023-03-13",
        "token": 0.125,
        "windows": 2,
        "source": "USDC back at 0.98 to 0.99 USD on 13 March 2023 after 0.88 on the 11th (press of 13 March 2023)",
    },
    {
        "name": "USDT 2023-03-11",
        "token": 0.06,
        "windows": 2,
        "source": "USDT at 1.06 USD on Kraken on 11 March 2023 (The Block, post 218993): a premium of a cash token",
    },
)
"""Moves of a cash token over two days, each in as many overlapping windows as a move of one day has. Coins stand still
in them: a hedged holder of spot collateral loses by the token alone, whatever the coin does."""


def read_closes(folder: Path) -> list[tuple[list[str], np.ndarray]]:
    """Segments of days in order, a few missing: ISO days, and closes (days, 2) in US dollars."""
    early, late = (
        read_table(folder / name)
        for name in ("btc_eth_daily_close_usd_2016_2020.csv", "closes_daily_perp_panel_BTC_ETH_SOL.csv")
    )
    first = {row["date"]: (row.price("btc_usd"), row.price("eth_usd")) for row in early}
    panel = {row["date_utc"]: (row.price("BTC"), row.price("ETH")) for row in late}
    last_of_day: dict[str, dict[str, float]] = {}
    for coin in Coin:
        for row in read_surface(folder, coin):
            last_of_day.setdefault(row.moment("timestamp").date().isoformat(), {})[coin] = row.price("index_price")
    later = {day: (prices["BTC"], prices["ETH"]) for day, prices in last_of_day.items() if len(prices) == 2}
    second = panel | {day: prices for day, prices in later.items() if day > max(panel)}
    return [(sorted(closes), np.array([closes[day] for day in sorted(closes)])) for closes in (first, second)]


def read_surface(folder: Path, coin: str) -> list[Row]:
    """Rows of a coin's surface series in time order."""
    rows = read_table(folder / f"deribit_znmahbub_surface_series_{coin}.csv")
    return sorted(rows, key=lambda row: row.moment("timestamp"))


def fit_volatility_response(folder: Path, coin: str) -> tuple[float, float, float]:
    """(a, b, c) of d ln(30-day implied volatility) = a + b r + c |r| over the margin period, least squares."""
    by_time: dict[datetime, list[tuple[float, float, float]]] = {}
    for row in read_surface(folder, coin):
        if row["atm_iv"]:
            by_time.setdefault(row.moment("timestamp"), []).append(
                (row.price("ttm_years"), row.price("atm_iv"), row.price("index_price"))
            )
    days: dict[str, tuple[float, float]] = {}
    for moment, points in sorted(by_time.items()):
        points.sort()
        tenors, volatilities, prices = (np.array(column) for column in zip(*points, strict=True))
        total = np.interp(30 / DAYS_PER_YEAR, tenors, volatilities**2 * tenors)
        days[moment.date().isoformat()] = (math.log(float(prices.mean())), 0.5 * math.log(total / (30 / DAYS_PER_YEAR)))
    series = np.array([days[day] for day in sorted(days)])
    change = series[PERIOD:] - series[:-PERIOD]
    design = np.column_stack([np.ones(len(change)), change[:, 0], np.abs(change[:, 0])])
    level, slope, bend = np.linalg.lstsq(design, change[:, 1], rcond=None)[0]
    return float(level), float(slope), float(bend)


def make_windows(closes: list[tuple[list[str], np.ndarray]]) -> tuple[list[list[Any]], np.ndarray, np.ndarray]:
    """Windows of all segments as rows of the record, the long volatility (2,) and the latest forecast (2,).

    Over missing days the filter takes the return per square root of a day; windows with a missing day are left out.
    """
    rows, long = [], []
    for days, prices in closes:
        elapsed = np.diff([date.fromisoformat(day).toordinal() for day in days])
        returns = np.diff(np.log(prices), axis=0) / np.sqrt(elapsed)[:, None]
        filtered = filter_ewma(returns)
        sums = sum_over_period(filtered.standardised, PERIOD)
        whole = sum_over_period(elapsed[WARM_UP:, None], PERIOD)[:, 0] == PERIOD
        ends = days[1 + WARM_UP + PERIOD - 1 :]
        for day, moved, volatility, is_whole in zip(ends, sums, filtered.volatility[: len(sums)], whole, strict=True):
            if is_whole:
                rows.append([day, *(round(float(value), 4) for value in (*moved, *volatility)), 0.0])
        long.append(returns[[day >= LOOKBACK_START for day in days[1:]]])
    latest, level = filtered.latest, np.vstack(long).std(axis=0)
    for stress in TOKEN_STRESS:
        rows += [[stress["name"], 0.0, 0.0, *np.round(level, 4).tolist(), stress["token"]]] * stress["windows"]
    heat = (np.array([row[3:5] for row in rows]) / level).mean(axis=1)
    marked = set(np.argsort(-heat, kind="stable")[: math.ceil(STRESSED_SHARE * len(rows))].tolist())
    return [[*row, int(place in marked)] for place, row in enumerate(rows)], level, latest
