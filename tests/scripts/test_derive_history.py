"""The history record from made-up files of the sources' formats."""

import csv
import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from zkmargin.engine.backtest.history import load_history
from zkmargin.scripts.derive import history as derive
from zkmargin.scripts.derive.tables import Row

START = date(2025, 12, 1)
SURFACE = (
    "timestamp", "index_price", "expiry", "ttm_years", "futures_price", "atm_strike", "atm_call_mark", "atm_put_mark",
    "atm_iv",
    "p25_strike", "p25_delta", "p25_iv", "c25_strike", "c25_delta", "c25_iv", "oi_expiry",
)  # fmt: skip


def write(path, header, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def surface_row(stamp, index, years, atm, p25, c25):
    forward = index * math.exp(0.05 * years)
    return [stamp, index, "x", years, forward, 1, 0, 0, atm, 1, -0.25, p25, 1, 0.25, c25, 10]


@pytest.fixture
def folder(tmp_path):
    early = [[(date(2020, 1, 1) + timedelta(day)).isoformat(), 7000 + day, 130 + day] for day in range(5)]
    write(tmp_path / "btc_eth_daily_close_usd_2016_2020.csv", ("date", "btc_usd", "eth_usd"), early)
    panel = [[(START + timedelta(day)).isoformat(), 90000 + day, 3000 + day, 1] for day in range(40)]
    write(tmp_path / "closes_daily_perp_panel_BTC_ETH_SOL.csv", ("date_utc", "BTC", "ETH", "SOL"), panel)
    for coin, index in (("BTC", 88000), ("ETH", 2900)):
        rows = []
        for stamp, level in (("2025-12-30T09:00:00", 0.9), ("2025-12-30T21:30:00", 0.4), ("2025-12-31T21:30:00", 0.5)):
            for years in (7 / 365, 30 / 365, 0.5):
                rows.append(surface_row(stamp, index, years, level, 1.1 * level, 0.95 * level))
        rows.append(surface_row("2025-12-31T21:30:00", index, 0.9, "", "", ""))
        write(tmp_path / f"deribit_znmahbub_surface_series_{coin}.csv", SURFACE, rows)
        bars = []
        for hour in range(24 * 5):
            opened = datetime(2025, 10, 9, tzinfo=UTC) + timedelta(hours=hour)
            bars.append([int(opened.timestamp() * 1000), index, index + 5, index - 5, index + 1])
        name = f"binance_um_perp_{coin}USDT_1h_silertrades.csv"
        write(tmp_path / name, ("timestamp", "open", "high", "low", "close"), bars)
    spot = [[f"2025-12-0{day} {hour}:00:00+00:00", 3000.5 + day] for day in (1, 2) for hour in ("16", "20")]
    write(tmp_path / "binance_spot_ETHUSDT_4h_jirayu.csv", ("open_time", "close"), spot)
    return tmp_path


def test_the_record_is_read_back(folder, monkeypatch):
    monkeypatch.setattr(derive, "EVENTS", {"October 2025": ("2025-10-09", "2025-10-12")})
    document = derive.derive(folder)
    derive.write(document, folder / "history.json")
    history = load_history(folder / "history.json")
    early, late = history.segments
    assert early.closes[3] == pytest.approx([7003, 133])
    # Closes of the panel to the day before the first quotes, then the index at each day's last snapshot.
    assert str(late.dates[-3]) == "2025-12-29" and late.closes[-3] == pytest.approx([90028, 3028])
    assert late.closes[-2] == pytest.approx([88000, 2900]) and len(late.dates) == 31
    assert late.eth_spot[:2] == pytest.approx([3001.5, 3002.5]) and np.isnan(late.eth_spot[2:]).all()
    quotes = history.quotes["ETH"]
    assert [str(day) for day in quotes.dates] == ["2025-12-30", "2025-12-31"]
    assert quotes.atm[0] == pytest.approx([0.4] * 3) and quotes.wings[1] == pytest.approx([0.55, 0.475])
    assert quotes.basis[0] == pytest.approx([0.05 * 30 / 365, 0.05 * 90 / 365], abs=1e-6)
    (event,) = history.events
    assert len(event.hours) == 96 and event.bars[0, 1] == pytest.approx([2895, 2901, 2905])


def test_volatility_is_interpolated_in_total_variance():
    rows = [surface_row("x", 100, years, atm, 1, 1) for years, atm in ((0.3, 0.5), (0.1, 0.8))]
    rows = [Row(dict(zip(SURFACE, (str(value) for value in row), strict=True)), "made up", 2) for row in rows]
    expected = math.sqrt((0.8**2 * 0.1 + 0.5**2 * 0.3) / 2 / 0.2)
    assert derive.interpolate(rows, "atm_iv", 73) == pytest.approx(expected)
    assert derive.interpolate(rows, "atm_iv", 7) == 0.8


def test_the_command_says_what_it_wrote(folder, monkeypatch, capsys):
    monkeypatch.setattr(derive, "EVENTS", {"October 2025": ("2025-10-09", "2025-10-12")})
    assert derive.main([str(folder), str(folder / "out.json")]) == 0
    assert "36 days, 2 with volatilities" in capsys.readouterr().out
    assert derive.main([]) == 2


def test_the_day_of_a_snapshot_is_that_of_utc(tmp_path):
    """21:30 on the 30th in UTC is the 31st in Tokyo: the last snapshot of the 30th, whatever its offset says."""
    rows = [
        surface_row(stamp, 100, 0.1, level, 0.5, 0.5)
        for stamp, level in (("2025-12-30T09:00:00", 0.9), ("2025-12-31T06:30:00+09:00", 0.4))
    ]
    write(tmp_path / "deribit_znmahbub_surface_series_BTC.csv", SURFACE, rows)
    snapshots = derive.read_last_snapshots(tmp_path, "BTC")
    assert list(snapshots) == ["2025-12-30"] and snapshots["2025-12-30"][0]["atm_iv"] == "0.4"
