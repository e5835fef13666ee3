"""Derive the history record of the backtests from price and volatility files.

    python -m zkmargin.scripts.derive.history FOLDER [OUTPUT.json]

FOLDER holds daily closes (`btc_eth_daily_close_usd_2016_2020.csv`, `closes_daily_perp_panel_BTC_ETH_SOL.csv`), surface
series (`deribit_znmahbub_surface_series_{BTC,ETH}.csv`), 4-hour spot bars (`binance_spot_ETHUSDT_4h_jirayu.csv`) and
hourly bars (`binance_um_perp_{BTC,ETH}USDT_1h_silertrades.csv`). The record holds derived numbers only and is the
same on every run.

From the first day of the surface series on, prices are its index at the day's last snapshot, so that price and
volatility are of the same minute; before it, closes of the perpetuals. Volatilities at a tenor are interpolated in
total variance between the listed expiries; a tenor shorter than the first expiry takes that expiry's volatility.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.backtest.history import DEFAULT, EVENT_COLUMNS, FOLDER, FORMAT, OPTION_COLUMNS, PRICE_COLUMNS
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR
from zkmargin.scripts.derive.tables import Row, read_table

OUTPUT = FOLDER / f"{DEFAULT}.json"
TENORS = (7.0, 30.0, 90.0)
"""Days."""
EVENTS = {"October 2025": ("2025-10-09", "2025-10-12"), "February 2026": ("2026-02-04", "2026-02-07")}
"""First and last day of hourly bars, UTC."""
LAST_BAR = time(20)
"""Opening of a day's last 4-hour bar, UTC: its close is the day's."""


def read_last_snapshots(folder: Path, coin: str) -> dict[str, list[Row]]:
    """The rows (one per expiry) of each UTC day's last snapshot with at-the-money volatilities, by date."""
    snapshots: dict[datetime, list[Row]] = {}
    for row in read_table(folder / f"deribit_znmahbub_surface_series_{coin}.csv"):
        if row["atm_iv"] and row["p25_iv"] and row["c25_iv"]:
            snapshots.setdefault(row.moment("timestamp"), []).append(row)
    return {moment.date().isoformat(): snapshots[moment] for moment in sorted(snapshots)}


def interpolate(rows: list[Row], column: str, days: float) -> float:
    """Volatility at a tenor, linear in total variance."""
    years = np.array([row.price("ttm_years") for row in rows])
    volatility = np.array([row.price(column) for row in rows])
    order = np.argsort(years)
    years, volatility = years[order], volatility[order]
    if days / DAYS_PER_YEAR <= years[0]:
        return float(volatility[0])
    return math.sqrt(float(np.interp(days / DAYS_PER_YEAR, years, volatility**2 * years)) / (days / DAYS_PER_YEAR))


def interpolate_basis(rows: list[Row], days: float) -> float:
    """ln(forward / index) at a tenor, linear in time from 0 at once."""
    points = sorted(
        (row.price("ttm_years"), math.log(row.price("futures_price") / row.price("index_price"))) for row in rows
    )
    years, basis = np.array([(0.0, 0.0), *points]).T
    return float(np.interp(days / DAYS_PER_YEAR, years, basis))


def derive_options(rows: list[Row]) -> list[float]:
    """One day's numbers in the order of `OPTION_COLUMNS`."""
    volatilities = [interpolate(rows, "atm_iv", days) for days in TENORS]
    wings = [interpolate(rows, column, 30.0) for column in ("p25_iv", "c25_iv")]
    return [round(value, 6) for value in (*volatilities, *wings, *(interpolate_basis(rows, d) for d in TENORS[1:]))]


def derive_event(folder: Path, first: str, last: str) -> list[list[str | float]]:
    """Hourly bars of both coins, in the order of `EVENT_COLUMNS`."""
    bars: dict[str, list[float]] = {}
    for coin in Coin:
        for row in read_table(folder / f"binance_um_perp_{coin}USDT_1h_silertrades.csv"):
            hour = datetime.fromtimestamp(row.milliseconds("timestamp"), UTC).strftime("%Y-%m-%dT%H")
            if first <= hour[:10] <= last:
                bars.setdefault(hour, []).extend(row.price(what) for what in ("low", "close", "high"))
    return [[hour, *bars[hour]] for hour in sorted(bars) if len(bars[hour]) == 3 * len(Coin)]


def derive(folder: Path) -> dict[str, Any]:
    """The record as a JSON document."""
    snapshots = {coin: read_last_snapshots(folder, coin) for coin in Coin}
    quoted = sorted(set(snapshots[Coin.BTC]) & set(snapshots[Coin.ETH]))
    early = [
        [row["date"], row.price("btc_usd"), row.price("eth_usd"), None]
        for row in read_table(folder / "btc_eth_daily_close_usd_2016_2020.csv")
    ]
    spot = {
        row.moment("open_time").date().isoformat(): row.price("close")
        for row in read_table(folder / "binance_spot_ETHUSDT_4h_jirayu.csv")
        if row.moment("open_time").time() == LAST_BAR
    }
    late = [
        [row["date_utc"], row.price("BTC"), row.price("ETH"), spot.get(row["date_utc"])]
        for row in read_table(folder / "closes_daily_perp_panel_BTC_ETH_SOL.csv")
        if row["date_utc"] < quoted[0]
    ]
    late += [
        [day, *(round(float(np.mean([row.price("index_price") for row in snapshots[c][day]])), 2) for c in Coin), None]
        for day in quoted
    ]
    return {
        "format": FORMAT,
        "name": DEFAULT,
        "about": "Daily prices of BTC and ETH, implied volatilities and basis where they were recorded, and hourly "
        "bars of two crashes; times in UTC.",
        "source": "Daily closes BTC and ETH in US dollars 2015-12-31 to 2020-12-31; Binance USD-M perpetuals, daily "
        "2024-01-10 to 2025-12-29 and hourly bars of the events (repository silertrades/gravestone-data); Binance spot "
        "ETHUSDT, 4-hour bars (jirayuwannagul-tech/wave-structure-engine); Deribit index, futures and option "
        "volatilities from 2025-12-30, about four snapshots a day, the last of each day "
        "(znmahbub/SVCJ-Deribit-Inverse-Options-Pricer)",
        "price_columns": PRICE_COLUMNS,
        "option_columns": OPTION_COLUMNS,
        "event_columns": EVENT_COLUMNS,
        "segments": [{"name": "2015-12-31 to 2020-12-31", "rows": early}, {"name": "2024-01-10 on", "rows": late}],
        "options": {coin: [[day, *derive_options(snapshots[coin][day])] for day in quoted] for coin in Coin},
        "events": [{"name": name, "rows": derive_event(folder, *days)} for name, days in EVENTS.items()],
    }


def write(document: dict[str, Any], path: Path) -> None:
    """Rows one a line."""

    def lines(rows: list[Any]) -> str:
        return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"

    head = json.dumps({key: value for key, value in document.items() if key not in ("segments", "options", "events")})
    blocks = {
        key: ",\n".join(f'{{"name": {json.dumps(e["name"])}, "rows": {lines(e["rows"])}}}' for e in document[key])
        for key in ("segments", "events")
    }
    options = ",\n".join(f"{json.dumps(coin)}: {lines(rows)}" for coin, rows in document["options"].items())
    parts = [
        head[:-1],
        f'"segments": [{blocks["segments"]}]',
        f'"options": {{{options}}}',
        f'"events": [{blocks["events"]}]',
    ]
    path.write_text(",\n".join(parts) + "}\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    output = Path(arguments[1]) if len(arguments) == 2 else OUTPUT
    document = derive(Path(arguments[0]))
    write(document, output)
    days = sum(len(segment["rows"]) for segment in document["segments"])
    print(f"{output}: {days} days, {len(document['options']['BTC'])} with volatilities, {output.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
