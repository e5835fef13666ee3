"""What other multipliers of the shortfall would do: the shipped one as in the ledger of held-out markets."""

import json
from pathlib import Path

import numpy as np
import pytest

from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.measure import multipliers
from zkmargin.scripts.measure.shortfall import MarketFigures

COSTS = Path(__file__).parents[2] / "costs"
LEDGER = json.loads((COSTS / "multipliers.json").read_text())
HELD_OUT = json.loads((COSTS / "held_out.json").read_text())


def test_the_shipped_one_is_as_held_out():
    (shipped,) = (found for found in LEDGER["multipliers"] if found["shipped"])
    summary = HELD_OUT["summary"]
    assert LEDGER["markets"] == summary["markets"] and LEDGER["seed"] == HELD_OUT["seed"]
    assert all(shipped[key] == summary[key] for key in ("books", "breaches", "worst_ratio"))
    assert shipped["markets_with_one"] == sum(market["breaches"] > 0 for market in HELD_OUT["markets"].values())


def test_a_higher_one_leaves_less_and_costs_more():
    columns = {key: [found[key] for found in LEDGER["multipliers"]] for key in LEDGER["multipliers"][0]}
    assert columns["kappa"] == sorted(columns["kappa"]) and set(columns["books"]) == {HELD_OUT["summary"]["books"]}
    for key in ("breaches", "markets_with_one", "worst_ratio"):
        assert columns[key] == sorted(columns[key], reverse=True)
    assert columns["mean_over_ask"] == sorted(columns["mean_over_ask"])
    clear = min(found["kappa"] for found in LEDGER["multipliers"] if not found["breaches"])
    assert clear == 1.3  # docs/models.md names it, and the m' that it needs
    assert int(990 / clear) == 761


def test_a_market_by_the_measure_of_held_out_markets():
    figures = MarketFigures(load_snapshot("deribit_2026-08-22"), 12)
    shipped = figures.reduced.multiplier
    (breaches, worst, over), (more, higher, less) = multipliers.measure_market(figures, (shipped, 0.5))
    expected = figures.measure(figures.get_books(multipliers.SEEDS[:1]))
    assert (breaches, round(worst, 4), len(over)) == tuple(
        expected[key] for key in ("breaches", "worst_ratio", "books")
    )
    assert float(over.mean()) == pytest.approx(expected["margin_over_ask"]["mean"], abs=1e-4)
    assert more >= breaches and higher >= worst and np.all(less <= over + 1e-12)
