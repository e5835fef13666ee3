"""The measuring script: its figures on the smallest preset, and that they tell a bad reduction from a good one."""

import dataclasses

import numpy as np
import pytest

from tests.support.helpers import PAIR
from zkmargin.engine.margin.netting import measure_relative_move
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.measure import shortfall as measure

CALM = "deribit_2026-08-22"


@pytest.fixture(scope="module")
def figures() -> measure.MarketFigures:
    return measure.MarketFigures(load_snapshot(CALM), 12)


def test_figures_of_a_market(figures):
    books = figures.get_books((7,))
    found = figures.measure(books)
    assert found["books"] == books.shape[1] and found["breaches"] == 0 and found["worst_ratio"] <= 1


def test_over_asks_are_shares_of_what_the_full_sample_asks(figures, monkeypatch):
    """Twice the multiplier asks twice the shortfall of each book, so one plus the over-ask doubles."""
    books = figures.get_books((7,))
    once = figures.measure(books)["es_over_ask"]
    doubled = dataclasses.replace(figures.reduced, multiplier=2 * figures.reduced.multiplier)
    monkeypatch.setattr(figures, "reduced", doubled)
    twice = figures.measure(books)["es_over_ask"]
    for name in ("median", "p95"):
        assert 1 + twice[name] == pytest.approx(2 * (1 + once[name]), abs=2e-4)
    charge, full, grid = (getattr(figures.terms, f"compute_{name}")(books) for name in ("charge", "full", "grid"))
    asked = charge + np.maximum(grid, doubled.compute(books))
    expected = asked / (charge + np.maximum(grid, full)) - 1
    assert figures.measure(books)["margin_over_ask"]["mean"] == pytest.approx(float(expected.mean()), abs=1e-4)


def test_a_bad_reduction_shows(figures, monkeypatch):
    """Without the multiplier, and with the grid out of the way, books are breached."""
    bare = dataclasses.replace(figures.reduced, multiplier=1.0)
    monkeypatch.setattr(figures, "reduced", bare)
    monkeypatch.setattr(figures, "terms", dataclasses.replace(figures.terms, factor=1e-9))
    found = figures.measure(figures.get_books((7,)))
    assert found["breaches"] > 0 and found["worst_ratio"] > 1
    assert found["breaches_by_shortfall_alone"] >= found["breaches"]


def test_volatility_is_scaled_on_both_sides_of_the_floor(figures):
    other = measure.MarketFigures(load_snapshot(CALM), 12, 1.5)
    assert other.shortfall.volatility == pytest.approx(1.5 * figures.shortfall.volatility)


def test_bootstrap_of_equal_days_has_no_error(figures):
    terms = dataclasses.replace(figures.terms, sample=np.full_like(figures.terms.sample, -1.0))
    books = np.ones((figures.terms.sample.shape[1], 2))
    assert measure.bootstrap(terms, books, 1) == 0
    assert 0.01 < measure.bootstrap(figures.terms, books, 1) < 0.3


def test_relative_move(figures):
    """Coins that move alike in the grid's units have none."""
    scenarios = figures.shortfall.scenarios
    same = dataclasses.replace(scenarios, standardised=np.repeat(scenarios.standardised[:, :1], 2, axis=1))
    volatility = np.array([0.03, 0.03])
    alike = dataclasses.replace(load_parameters(), price_range={"BTC": 0.16, "ETH": 0.16})
    assert measure_relative_move(same, volatility, alike, PAIR) < 1e-15
    found = measure_relative_move(scenarios, volatility, load_parameters(), PAIR)
    assert found > measure_relative_move(scenarios, volatility / 2, load_parameters(), PAIR) > 0
