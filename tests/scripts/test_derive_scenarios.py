"""The reduction of a sample to scenarios, on a synthetic sample: weights, tail, scale, determinism, and the file that
is read back."""

import json

import numpy as np
import pytest

from engine import scenarios as scenario_module
from engine.scenarios import load_scenarios
from scripts import derive_scenarios as derive

GENERATOR = np.random.default_rng(1)
SAMPLE = GENERATOR.standard_t(4, (1200, 2)) @ np.array([[0.02, 0.016], [0.0, 0.015]])


@pytest.mark.parametrize("rows", [12, 64, 256])
def test_reduction(rows):
    points, sizes, factor = derive.reduce_sample(SAMPLE, rows)
    assert len(points) == len(sizes) <= rows and sizes.sum() == len(SAMPLE)
    assert sizes.min() >= 1 and sizes.max() <= derive.MAX_WEIGHT and factor >= 1
    again = derive.reduce_sample(SAMPLE, rows)
    assert np.array_equal(points, again[0]) and np.array_equal(sizes, again[1])
    ones = np.ones(len(SAMPLE), dtype=np.int64)
    for angle in 2 * np.pi * np.arange(derive.DIRECTIONS) / derive.DIRECTIONS:
        direction = np.array([np.cos(angle), np.sin(angle)])
        full = derive.expected_shortfall(-SAMPLE @ direction, ones, 30)
        assert derive.expected_shortfall(-points @ direction, sizes, 30) >= full * (1 - 1e-9)


def test_more_rows_need_less_scaling():
    factors = [derive.reduce_sample(SAMPLE, rows)[2] for rows in (12, 64, 256)]
    assert factors == sorted(factors, reverse=True)


def test_expected_shortfall_takes_the_last_scenario_in_part():
    losses, weights = np.array([5.0, 10.0, 1.0]), np.array([4, 2, 10])
    assert derive.expected_shortfall(losses, weights, 3) == pytest.approx((2 * 10 + 5) / 3)


def test_the_filter_removes_a_change_of_volatility():
    generator = np.random.default_rng(2)
    returns = np.vstack([generator.normal(0, 0.01, (800, 2)), generator.normal(0, 0.05, (800, 2))])
    standardised, last = derive.filter_returns(100 * np.exp(np.vstack([np.zeros(2), np.cumsum(returns, axis=0)])))
    assert len(standardised) == 1600 - derive.WARM_UP
    quiet, wild = standardised[:600].std(), standardised[900:].std()
    assert quiet == pytest.approx(wild, rel=0.15) and last == pytest.approx(0.05, rel=0.4)


def test_the_written_file_is_read_back(tmp_path, monkeypatch):
    points, sizes, factor = derive.reduce_sample(SAMPLE, 12)
    document = {
        "format": "zkmargin.scenarios/1", "name": "test", "about": "x", "source": "x", "margin_period_days": 2,
        "confidence": 0.975, "decay": 0.97, "sample": 1200, "daily_volatility": {"BTC": 0.02, "ETH": 0.03},
        "volatility_response": {"BTC": [0.0, 0.0, 0.0]}, "columns": scenario_module.COLUMNS,
        "sets": {
            "12": {
                "factor": factor,
                "tail_weight": 30,
                "scenarios": [
                    [int(size), *(round(float(value), 6) for value in point), 0.1, 0.1]
                    for point, size in zip(points, sizes, strict=True)
                ],
            }
        },
    }  # fmt: skip
    derive.write(document, tmp_path / "test.json")
    assert json.loads((tmp_path / "test.json").read_text()) == document
    monkeypatch.setattr(scenario_module, "FOLDER", tmp_path)
    load_scenarios.cache_clear()
    read = load_scenarios("test", 12)
    load_scenarios.cache_clear()
    assert np.array_equal(read.weights, sizes) and read.returns == pytest.approx(points, abs=1e-6)
