"""Derivation of the contagion records, on made-up files of the same formats."""

import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from zkmargin.engine.contagion.records import DepthRecord, EventRecord, StateRecord, load_record
from zkmargin.engine.errors import MalformedFile
from zkmargin.scripts.derive import contagion as derive_contagion

DAY = datetime(2025, 10, 10, tzinfo=UTC)


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(str(cell) for cell in row) for row in rows)]) + "\n")


def ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


@pytest.fixture
def history(tmp_path):
    book = []
    for minute in range(3):
        for band in (-2, -1, 1, 2):
            coins, price = 100.0 * abs(band) * (1 + minute), 1_000.0 * (1 + band / 200)
            book.append((f"2025-10-10 00:0{minute}:00", band, coins, coins * price, price))
    write(
        tmp_path / "binance_um_BTCUSDT_bookDepth_2025-10-10_0000-1500.csv",
        "timestamp,percentage,depth,notional,weighted_avg_price", book,
    )  # fmt: skip
    candle = "timestamp,open,high,low,close,volume,quote_volume,trades,close_time"
    for coin in ("BTC", "ETH"):
        days = [(ms(DAY + timedelta(days=k)), 1, 1, 1, 1_000 * 1.01 ** (k % 2), 0, 0, 0, 0) for k in range(-40, 0)]
        write(tmp_path / f"binance_um_perp_{coin}USDT_1d_silertrades.csv", candle, days)
        start = datetime(2026, 1, 1, tzinfo=UTC)
        hours = [
            (ms(start + timedelta(hours=k)), 100, 0, 0, 102 if k % 100 == 0 else 100.1, 0, 0, 0, 0) for k in range(900)
        ]
        write(tmp_path / f"binance_um_perp_{coin}USDT_1h_silertrades.csv", candle, hours)
        stamps = [datetime(2026, 8, 20) + timedelta(hours=4 * k) for k in range(16)]
        series = [(t.isoformat(), 100 * (1.05 if k == 5 else 1.0)) for k, t in enumerate(stamps)]
        write(tmp_path / f"deribit_znmahbub_surface_series_{coin}.csv", "timestamp,index_price", series)
    crash = [(ms(DAY + timedelta(minutes=5 * k)), 100, 0, 80 if k == 255 else 95, 90) for k in range(300)]
    write(tmp_path / "binance_BTCUSDT_5m_nonvolume_2025-10-10.csv", "open_time,open,high,low,close", crash)
    interest = [
        (ms(datetime(2026, month, 10, tzinfo=UTC)), f"{coin}USDT", month * 10, 0)
        for coin in ("BTC", "ETH")
        for month in (2, 3)
    ]
    write(
        tmp_path / "binance_um_oi_4h_2026Q1_silertrades.csv",
        "timestamp,symbol,sum_open_interest,sum_open_interest_value", interest,
    )  # fmt: skip
    return tmp_path


def test_the_records_hold_what_the_files_say(history, tmp_path):
    output = tmp_path / "records"
    assert derive_contagion.main([str(history), str(output)]) == 0
    book = load_record(DepthRecord, str(output / "depth_2025-10-10.json"))
    assert [band.band for band in book.down] == [0.01, 0.02] and book.records == 3 and book.price == 1_000
    assert book.down[0].notional == pytest.approx(200 * 995, abs=1_000) and book.up[1].distance == pytest.approx(0.01)
    assert 0.005 < book.daily_volatility < 0.012
    event = load_record(EventRecord, str(output / "event_2025-10-10.json"))
    assert event.fall == pytest.approx(0.2) and event.rebound == pytest.approx(90 / 80 - 1) and len(event.close) == 144
    early = load_record(StateRecord, str(output / "state_2026-02-05.json"))
    late = load_record(StateRecord, str(output / "state_2026-08-22.json"))
    assert early.coins["BTC"].open_interest == 20 and late.coins["BTC"].open_interest == 30
    waits = np.diff(early.coins["ETH"].large_moves)
    assert len(waits) == 7 and np.allclose(waits, 100)
    assert len(late.coins["BTC"].large_moves) == 2  # up five per cent and back, in steps of four hours


def test_the_records_are_the_same_twice(history, tmp_path):
    for name in ("one", "two"):
        derive_contagion.main([str(history), str(tmp_path / name)])
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
        assert json.loads(path.read_text())["source"]


def test_arguments_are_explained(capsys):
    assert derive_contagion.main([]) == 2 and "HISTORY_FOLDER" in capsys.readouterr().err


def test_the_surface_series_is_read_with_its_offsets(history):
    """The same moments written in another zone, and in another order as text, give the same moves."""
    end = datetime(2026, 8, 22, 15, 33, 51, tzinfo=UTC).timestamp()
    expected = derive_contagion.find_large_moves(history, "BTC", end)
    path = history / "deribit_znmahbub_surface_series_BTC.csv"
    header, *rows = path.read_text().splitlines()
    moved = []
    for number, row in enumerate(rows):
        moment, price = row.split(",")
        zone = timezone(timedelta(hours=9 if number % 2 else -7))
        moved.append(f"{datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(zone).isoformat()},{price}")
    path.write_text("\n".join([header, *reversed(moved)]) + "\n")
    assert len(expected) == 2 and derive_contagion.find_large_moves(history, "BTC", end) == expected


def test_a_missing_number_is_refused_by_its_line(history):
    path = history / "binance_BTCUSDT_5m_nonvolume_2025-10-10.csv"
    lines = path.read_text().splitlines()
    lines[200] = lines[200].rsplit(",", 1)[0] + ",nan"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(MalformedFile, match="line 201, close is 'nan'; allowed: a finite number above 0"):
        derive_contagion.derive_event(history)


@pytest.mark.parametrize(("first", "last"), [(400, 430), (820, 900)])
def test_missing_candles_are_a_long_step(history, first, last):
    """Between two candles, or up to the date: a record of hourly candles with a gap is not one of an hour."""
    stamp = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=840)).isoformat()
    path = history / "binance_um_perp_BTCUSDT_1h_silertrades.csv"
    lines = path.read_text().splitlines()
    assert derive_contagion.derive_state(history, stamp)["coins"]["BTC"]["candle_hours"] == 1.0
    path.write_text("\n".join(lines[: 1 + first] + lines[1 + last :]) + "\n")
    found = derive_contagion.derive_state(history, stamp)["coins"]["BTC"]["candle_hours"]
    assert found == min(last, 840) - first + (1.0 if last < 840 else 0.0)
