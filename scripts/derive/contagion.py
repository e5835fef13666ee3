"""Derive the records behind the contagion buffer's numbers: depth, the crash of October 2025, public figures at a date.

    python -m zkmargin.scripts.derive.contagion HISTORY_FOLDER [OUTPUT_FOLDER]

HISTORY_FOLDER holds a book-depth file (`binance_um_BTCUSDT_bookDepth_2025-10-10_0000-1500.csv`), daily and hourly
candles (`binance_um_perp_{BTC,ETH}USDT_{1d,1h}_silertrades.csv`), five-minute candles of the crash
(`binance_BTCUSDT_5m_nonvolume_2025-10-10.csv`), open interest (`binance_um_oi_4h_2026Q1_silertrades.csv`) and the
surface series (`deribit_znmahbub_surface_series_{BTC,ETH}.csv`), whose index fills the months without candles. The
records hold derived numbers only and are the same on every run.

What cannot be derived is stated in them: no trustworthy depth exists for the minutes of the crash, none at all for
ETH beyond five levels, and no open interest for the two dates themselves (the latest record before is used, else the
first after).
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.contagion.records import DATA
from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, read_utc
from zkmargin.scripts.derive.tables import Row, read_table

DECAY = 0.97
"""Of the variance filter per day."""
THRESHOLD = 0.01
"""Hourly move that counts as large; over h hours it is multiplied by sqrt(h)."""
OBSERVED = 768.0
"""Hours of large moves that a record holds."""
CRASH = datetime(2025, 10, 10, 12, 0, tzinfo=UTC)
"""Start of the stored price path."""
CANDLES = 144
"""Five-minute candles of it: twelve hours."""
DATES = {"2026-02-05": "2026-02-05T21:29:37", "2026-08-22": "2026-08-22T15:33:51"}
"""Shipped markets and their times."""
REPORTED = {
    "open_interest_before": 560_000.0, "open_interest_after": 481_000.0, "venue_open_interest": 16e9,
    "long_share": 0.839, "share_in_40_minutes": 0.70, "lowest": [101_516.5, 104_800.0],
}  # fmt: skip
"""Figures of October 2025 as published: open interest of BTC in coins and of the venue in US dollars (CoinDesk, 15
October 2025); long share and concentration in time (Amberdata, October 2025); lows of the Binance perpetual and as
reported across venues."""


def filter_volatility(closes: list[tuple[float, float]], until: float) -> float:
    """EWMA volatility of daily log returns from (unix seconds, close) of days that ended by `until`."""
    prices = np.array([close for time, close in closes if time + SECONDS_PER_DAY <= until])
    first, *rest = np.diff(np.log(prices)) ** 2
    variance = first
    for square in rest:
        variance = DECAY * variance + (1 - DECAY) * square
    return float(np.sqrt(variance))


def derive_depth(folder: Path) -> dict[str, Any]:
    """The book of 10 October 2025 before the crash, per side and band."""
    rows = read_table(folder / "binance_um_BTCUSDT_bookDepth_2025-10-10_0000-1500.csv")
    book: dict[datetime, dict[int, tuple[float, float]]] = {}
    for row in rows:
        band = round(row.number("percentage"))
        book.setdefault(row.moment("timestamp"), {})[band] = (row.price("notional"), row.price("depth"))
    complete = [bands for bands in book.values() if {-1, 1} <= bands.keys()]
    mid = [sum(bands[side][0] / bands[side][1] for side in (-1, 1)) / 2 for bands in complete]
    bands = sorted({abs(band) for bands in complete for band in bands})

    def side(sign: int) -> list[dict[str, Any]]:
        bands_of_side = []
        for band in bands:
            shown = [(*bands[sign * band], price) for bands, price in zip(complete, mid, strict=True)]
            notional = float(np.median([value for value, _, _ in shown]))
            distance = float(np.median([abs(value / coins / price - 1) for value, coins, price in shown]))
            bands_of_side.append({"band": band / 100, "notional": round(notional, -3), "distance": round(distance, 6)})
        return bands_of_side

    daily = [(row.milliseconds("timestamp"), row.price("close")) for row in read_candles(folder, "BTC", "1d")]
    return {
        "format": "zkmargin.depth/1",
        "about": "Median cumulative notional of a book per band, and the distance of its average price from mid. "
        "Ends at 15:00, before the crash: later bands of that day are corrupt, so no depth of the crash is known.",
        "source": "Binance USD-M BTCUSDT bookDepth of 2025-10-10, 00:00 to 15:00 UTC, from a public repository",
        "price": round(float(np.median(mid)), 2),
        "daily_volatility": round(filter_volatility(daily, datetime(2025, 10, 10, tzinfo=UTC).timestamp()), 6),
        "records": len(complete),
        "down": side(-1),
        "up": side(1),
    }


def read_candles(folder: Path, coin: str, period: str) -> list[Row]:
    """Candles of a coin's perpetual."""
    return read_table(folder / f"binance_um_perp_{coin}USDT_{period}_silertrades.csv")


def derive_event(folder: Path) -> dict[str, Any]:
    """Reported figures and the price path of the crash."""
    start = int(CRASH.timestamp())
    rows = read_table(folder / "binance_BTCUSDT_5m_nonvolume_2025-10-10.csv")
    candles = {int(row.milliseconds("open_time")): row for row in rows}
    path = [candles[start + 300 * k] for k in range(CANDLES)]
    low = min(row.price("low") for row in path)
    day = next(row for time, row in sorted(candles.items()) if time % SECONDS_PER_DAY == 0)
    later = candles[int(datetime(2025, 10, 10, 22, 0, tzinfo=UTC).timestamp())]
    return {
        "format": "zkmargin.event/1",
        "about": "The crash of 10 October 2025 in BTC: figures as published, five-minute closes as recorded.",
        "source": "Open interest: CoinDesk, 15 October 2025. Liquidations: Amberdata, October 2025 (9.89 bn US "
        "dollars, 70 % in 40 minutes, 83.9 % long). Prices: Binance five-minute index candles from a public repository",
        **REPORTED,
        "fall": round(1 - low / day.price("open"), 6),
        "rebound": round(later.price("close") / low - 1, 6),
        "start": start,
        "candle": 300,
        "close": [round(row.price("close"), 2) for row in path],
    }


def find_large_moves(folder: Path, coin: str, end: float) -> tuple[float, list[float]]:
    """Longest step of the series in hours, what is missing at its ends or between counted alike, and the hours since
    the start of the observation at which large moves ended: hourly candles, else the index series where it exists."""
    rows = [
        (row.milliseconds("timestamp") + SECONDS_PER_HOUR, 1.0, np.log(row.price("close") / row.price("open")))
        for row in read_candles(folder, coin, "1h")
    ]
    coarse = folder / f"deribit_znmahbub_surface_series_{coin}.csv"
    if rows[-1][0] < end - SECONDS_PER_DAY and coarse.exists():
        surface = read_table(coarse)
        series = sorted({row.moment("timestamp").timestamp(): row.price("index_price") for row in surface}.items())
        rows = [
            (late, (late - early) / SECONDS_PER_HOUR, np.log(new / old))
            for (early, old), (late, new) in pairwise(series)
        ]
    start = end - OBSERVED * SECONDS_PER_HOUR
    inside = [row for row in rows if start < row[0] <= end]
    edges = [start, *(time for time, _, _ in inside), end]
    gaps = [(later - earlier) / SECONDS_PER_HOUR for earlier, later in pairwise(edges)]
    longest = max(*gaps, *(hours for _, hours, _ in inside))
    return round(longest, 3), [
        round((time - start) / SECONDS_PER_HOUR, 3)
        for time, hours, move in inside
        if abs(move) > THRESHOLD * np.sqrt(hours)
    ]


def _stamp(row: Row) -> float:
    return row.milliseconds("timestamp")


def derive_state(folder: Path, stamp: str) -> dict[str, Any]:
    """Public figures at a date."""
    end = read_utc(stamp, "date of a state record").timestamp()
    interest = read_table(folder / "binance_um_oi_4h_2026Q1_silertrades.csv")
    coins = {}
    for coin in Coin:
        own = [row for row in interest if row["symbol"] == f"{coin}USDT"]
        if not own:
            raise MalformedFile("open interest", f"has no row of {coin}USDT; allowed: rows of every coin")
        past = [row for row in own if row.milliseconds("timestamp") <= end]
        read = max(past, key=_stamp) if past else min(own, key=_stamp)
        longest, moves = find_large_moves(folder, coin, end)
        coins[coin] = {
            "open_interest": round(read.price("sum_open_interest"), 3),
            "open_interest_time": datetime.fromtimestamp(read.milliseconds("timestamp"), UTC).isoformat(),
            "candle_hours": longest,
            "large_moves": moves,
        }
    return {
        "format": "zkmargin.state/2",
        "about": f"Public figures at {stamp} UTC. Open interest: the latest record before that time, else the first "
        f"after it, see its date. Large moves: hours with more than {THRESHOLD:.0%}, or where no hourly candles exist "
        "steps of the index series with more than that times the square root of their hours, see candle_hours.",
        "source": "Open interest and hourly candles of Binance USD-M perpetuals; Deribit index; public repositories",
        "time": read_utc(stamp, "date of a state record").isoformat(),
        "hours": OBSERVED,
        "threshold": THRESHOLD,
        "coins": coins,
    }


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    folder, output = Path(arguments[0]), Path(arguments[1]) if len(arguments) == 2 else DATA
    output.mkdir(parents=True, exist_ok=True)
    documents = {"depth_2025-10-10": derive_depth(folder), "event_2025-10-10": derive_event(folder)}
    documents |= {f"state_{name}": derive_state(folder, stamp) for name, stamp in DATES.items()}
    for name, document in documents.items():
        (output / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"{name}.json")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
