"""The derivation of the scenario record on a made-up history of the same format: windows, gaps, response, stress of the
token, and the file that is read back."""

import csv
import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from zkmargin.engine.calibration.filters import WARM_UP, filter_ewma
from zkmargin.engine.margin import scenarios as scenario_module
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.scenarios import load_scenarios
from zkmargin.scripts.derive import scenario_history as history
from zkmargin.scripts.derive import scenarios as derive

ROOT = Path(__file__).parents[2]

FIRST, PANEL, SURFACE = date(2016, 1, 1), date(2024, 1, 10), date(2024, 4, 1)
MISSING = date(2016, 5, 1)
RESPONSE = (0.01, -0.5, 0.8)


def write_csv(path: Path, head: list[str], rows: list[list]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def walk(days: int, seed: int) -> np.ndarray:
    return 1000 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.03, (days, 2)), axis=0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Closes with one missing day, a panel, and a surface whose 30-day volatility follows RESPONSE exactly over two
    days."""
    path = tmp_path_factory.mktemp("history")
    days = [FIRST + timedelta(days=count) for count in range(200)]
    closes = [[day.isoformat(), *prices] for day, prices in zip(days, walk(200, 1), strict=True) if day != MISSING]
    write_csv(path / "btc_eth_daily_close_usd_2016_2020.csv", ["date", "btc_usd", "eth_usd"], closes)
    days = [PANEL + timedelta(days=count) for count in range(90)]
    panel = [[day.isoformat(), *prices, 1.0] for day, prices in zip(days, walk(90, 2), strict=True)]
    write_csv(path / "closes_daily_perp_panel_BTC_ETH_SOL.csv", ["date_utc", "BTC", "ETH", "SOL"], panel)
    prices = walk(60, 3)
    for coin, column in zip(("BTC", "ETH"), prices.T, strict=True):
        volatility, rows = [0.5, 0.5], []
        for count in range(2, 60):
            move = math.log(column[count] / column[count - 2])
            constant, slope, size = RESPONSE
            volatility.append(volatility[count - 2] * math.exp(constant + slope * move + size * abs(move)))
        for count in range(60):
            day = (SURFACE + timedelta(days=count)).isoformat()
            for years in (0.01, 0.5):
                rows.append([f"{day}T12:00:00", column[count], years, volatility[count]])
        head = ["timestamp", "index_price", "ttm_years", "atm_iv"]
        write_csv(path / f"deribit_znmahbub_surface_series_{coin}.csv", head, rows)
    return path


@pytest.fixture(scope="module")
def record(folder) -> dict:
    return derive.make_record(folder)


def test_segments(folder):
    first, second = history.read_closes(folder)
    assert len(first[0]) == 199 and MISSING.isoformat() not in first[0]
    assert second[0][0] == PANEL.isoformat() and second[0][-1] == (SURFACE + timedelta(days=59)).isoformat()
    assert len(second[0]) == len(set(second[0])) == 142 and second[1].shape == (142, 2)


def test_windows_are_standardised_sums(folder, record):
    days, prices = history.read_closes(folder)[1]
    filtered = filter_ewma(np.diff(np.log(prices), axis=0))
    rows = {row[0]: row for row in record["sample"]}
    for place in (0, 10, 30):
        day = days[1 + WARM_UP + place + 1]
        expected = filtered.standardised[place] + filtered.standardised[place + 1]
        assert rows[day][1:3] == pytest.approx(expected, abs=6e-5)
        assert rows[day][3:5] == pytest.approx(filtered.volatility[place], abs=6e-5)


def test_windows_over_a_missing_day_are_left_out(record):
    ends = {row[0] for row in record["sample"]}
    assert (MISSING - timedelta(days=1)).isoformat() in ends
    for after in (0, 1, 2):
        assert (MISSING + timedelta(days=after)).isoformat() not in ends
    assert (MISSING + timedelta(days=3)).isoformat() in ends


def test_stress(record):
    token = [row[5] for row in record["sample"] if row[5]]
    assert token == [-0.12, -0.12, 0.125, 0.125, 0.06, 0.06]
    assert all(row[1:3] == [0.0, 0.0] for row in record["sample"] if row[5])
    stressed = np.array([row[6] for row in record["sample"]])
    heat = np.array([row[3:5] for row in record["sample"]]) / list(record["long_volatility"].values())
    assert stressed.sum() == math.ceil(0.1 * len(stressed))
    assert heat.mean(axis=1)[stressed == 1].min() >= heat.mean(axis=1)[stressed == 0].max()


def test_the_response_is_found(record):
    for coin in ("BTC", "ETH"):
        assert record["volatility_response"][coin] == pytest.approx(RESPONSE, abs=1e-4)


def test_long_volatility_leaves_the_first_months_out(folder, record):
    days, prices = history.read_closes(folder)[1]
    assert record["long_volatility"]["BTC"] == pytest.approx(np.diff(np.log(prices), axis=0).std(axis=0)[0], rel=1e-4)
    assert days[0] > history.LOOKBACK_START


@pytest.mark.parametrize(("multiplier", "tail"), [(1.0, 66), (1.02, 66), (1.4, 79), (3.0, 5)])
def test_the_integer_pair_is_no_smaller(multiplier, tail):
    over, under = derive.to_pair(multiplier, tail)
    assert over <= 1023 and over % tail == 0 and over + tail > 1023
    assert multiplier <= over / under < multiplier * (1 + 2 / under)


def test_the_written_file_is_read_back(record, tmp_path, monkeypatch):
    bare = derive.read_sample(record)
    groups = np.arange(len(bare.token)) % 12
    entry = {
        "multiplier": derive.to_pair(1.5, bare.count_tail(False)),
        "stressed_multiplier": derive.to_pair(1.7, bare.count_tail(True)),
        "trained": 1.4, "worst_ratio": 0.9, "origin": "made up", "groups": groups.tolist(),
    }  # fmt: skip
    document = {**record, "sets": {"12": entry}}
    derive.write(document, tmp_path / f"{derive.NAME}.json")
    assert json.loads((tmp_path / f"{derive.NAME}.json").read_text()) == document
    monkeypatch.setattr(scenario_module, "FOLDER", tmp_path)
    clear_caches()
    read = load_scenarios(derive.NAME, 12)
    clear_caches()
    assert np.array_equal(read.groups, groups) and read.last_day == bare.last_day
    for field in ("standardised", "volatility", "token", "stressed", "response"):
        assert np.array_equal(getattr(read, field), getattr(bare, field))
    assert read.plain_multiplier == tuple(entry["multiplier"])


def clear_caches() -> None:
    for cached in (scenario_module._load_file, scenario_module.load_sample, load_scenarios):
        cached.cache_clear()


@pytest.mark.slow
def test_a_whole_derivation(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(derive, "STARTS", {12: 4})
    for name in ("20260822T1533", "20260205T2129"):
        shipped = ROOT / "engine" / "data" / f"deribit_{name[:4]}-{name[4:6]}-{name[6:8]}.json"
        (tmp_path / f"{name}.json").write_text(shipped.read_text())
    monkeypatch.setattr(derive, "MARKETS", ("20260822T1533", "20260205T2129"))
    monkeypatch.setattr(derive, "HARDENED", ("20260822T1533",))
    arguments = ["--history", str(folder), "--markets", str(tmp_path), "--rows", "12"]
    output = tmp_path / f"{derive.NAME}.json"
    derive.main([*arguments, "--output", str(output)])
    assert capsys.readouterr().out.startswith("12 rows: multiplier ")
    first = output.read_text()
    monkeypatch.setattr(scenario_module, "FOLDER", tmp_path)
    clear_caches()
    read = load_scenarios(derive.NAME, 12)
    clear_caches()
    assert read.groups.max() == 11 and read.plain_multiplier[1] <= read.plain_multiplier[0]
    output.unlink()
    monkeypatch.setattr(scenario_module, "FOLDER", derive.OUTPUT.parent)
    clear_caches()
    derive.main([*arguments, "--output", str(output)])
    assert output.read_text() == first


def test_the_shipped_long_volatility_is_the_floor():
    """The parameters name the record's long volatility, rounded, as the floor."""
    parameters = load_parameters()
    record = json.loads((scenario_module.FOLDER / f"{parameters.shortfall_scenarios}.json").read_text())
    floor = {coin: round(value, 4) for coin, value in record["long_volatility"].items()}
    assert dict(parameters.shortfall_volatility_floor) == floor
