"""The measurements over many market files: which files count, what is summed, and the sizes of the concentration."""

import json
from pathlib import Path

import pytest

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.presets import Coin
from zkmargin.scripts.derive.scenarios import HARDENED, MARKETS
from zkmargin.scripts.measure import concentration, held_out

ROOT = Path(__file__).parents[2]
LEDGER = json.loads((ROOT / "costs" / "held_out.json").read_text())


def test_training_and_reserved_days_are_left_out(tmp_path):
    names = ("20260102T0918", MARKETS[0], "20260105T0918", "20260130T1500", "20260203T0933")
    for name in (*names, "facts"):
        (tmp_path / f"{name}.json").write_text("{}")
    assert [path.stem for path in held_out.find_markets(tmp_path)] == ["20260102T0918", "20260203T0933"]
    with pytest.raises(OutOfRange, match=r"held-out markets in .* is 0"):
        held_out.find_markets(tmp_path / "nowhere")


def test_a_file_that_is_no_market_is_left_out_and_named(tmp_path):
    """A chain whose marks and volatilities do not agree does not load."""
    text = (ROOT / "engine" / "data" / "deribit_2026-08-22.json").read_text()
    document = json.loads(text)
    document["observations"][0]["mark"] *= 3
    (tmp_path / "20260102T0918.json").write_text(text)
    (tmp_path / "20260203T0933.json").write_text(json.dumps(document))
    markets, refused = held_out.load_markets(held_out.find_markets(tmp_path))
    assert list(markets) == ["20260102T0918"] and refused == ["20260203T0933"]


def test_training_and_held_out_markets_are_apart():
    names = LEDGER["markets"]
    assert set(HARDENED) < set(MARKETS) and not set(MARKETS) & set(names) and len(names) >= 50
    assert all(int(name[6:8]) % 5 for name in (*MARKETS, *names))
    near = [entry["days_to_expiry"] for entry in names.values()]
    assert min(near) < 1.7 and sum(days <= 2 for days in near) >= 20


def test_the_summary_is_the_sum_of_the_markets():
    assert held_out.summarise(LEDGER["markets"]) == LEDGER["summary"]


def test_sizes_of_the_concentration_are_of_the_shipped_markets_order(tmp_path):
    """A median over 84 chains: that of a calm day is within a factor of two of it."""
    name = "deribit_2026-08-22.json"
    (tmp_path / name).write_text((ROOT / "engine" / "data" / name).read_text())
    found, parameters = concentration.measure(tmp_path), load_parameters()
    for coin in Coin:
        measured, limits = found[coin.value], parameters.short_option_limit[coin]
        for size, sum_of in (
            (parameters.vega_depth[coin], measured["traded vega"]),
            (3 * parameters.vega_limit[coin], measured["open vega"]),
            (5 * limits["near"], measured["open near"]),
            (5 * limits["far"], measured["open far"]),
        ):
            assert 1 / 2 < sum_of / size < 2
    with pytest.raises(OutOfRange, match=r"market files in .* is 0"):
        concentration.measure(tmp_path / "nowhere")
