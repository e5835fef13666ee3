"""Depth over time: bursts of fake orders, silence and stale sources; how it is carried to another day."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkmargin.engine.contagion.depth import (
    DepthRule,
    DepthSeries,
    StaleDepth,
    average_over_time,
    carry_depth,
    estimate_depth,
)
from zkmargin.engine.contagion.impact import fit_book_impact, fit_flow_impact
from zkmargin.engine.errors import OutOfRange

NOW = 100_000.0
RULE = DepthRule(window=3_600.0)


def make_series(depth, spacing=30.0, age=0.0) -> DepthSeries:
    depth = np.asarray(depth, float)
    return DepthSeries(NOW - age - spacing * np.arange(len(depth))[::-1], depth)


@pytest.mark.property("P-67")
@given(st.floats(0.0, 0.44), st.floats(1.0, 1e6), st.integers(0, 119), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_depth_shown_for_less_than_half_of_the_time_cannot_raise_it(share, factor, start, seed):
    honest = np.random.default_rng(seed).uniform(0.8e8, 1.2e8, 120)
    shown = honest.copy()
    burst = (start + np.arange(int(share * 120))) % 120
    shown[burst] *= factor
    found = average_over_time(make_series(shown), NOW, RULE)
    assert found <= honest.max()


def test_records_count_by_the_time_they_hold():
    """Five minutes of fake depth with a record a second, honest depth with two a minute: time counts, not records."""
    quiet = NOW - 3_600 + 30.0 * np.arange(1, 111)
    burst = NOW - 300 + np.arange(1, 300)
    series = DepthSeries(np.concatenate([quiet, burst]), np.concatenate([np.full(110, 1e8), np.full(299, 1e9)]))
    assert average_over_time(series, NOW, RULE) == 1e8
    assert np.median(series.depth) == 1e9


def test_the_least_of_the_fresh_sources_counts():
    sources = {
        "a": make_series(np.full(120, 3e8)),
        "b": make_series(np.full(120, 2e8)),
        "old": make_series([1.0], age=900),
    }
    assert estimate_depth(sources, NOW, RULE) == 2e8


@pytest.mark.property("P-67")
@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (make_series(np.full(120, 1e8), age=301.0), "older"),
        (make_series(np.full(20, 1e8)), "cover"),
        (make_series(np.full(24, 1e8), spacing=150.0), "cover 80%"),
    ],
)
def test_stale_and_sparse_sources_are_refused_by_name(series, reason):
    if reason == "cover 80%":  # 120 of every 150 seconds count, less at the edge
        assert average_over_time(series, NOW, RULE) == "records cover 77% of the window"
        return
    with pytest.raises(StaleDepth, match=reason) as refusal:
        estimate_depth({"book": series}, NOW, RULE)
    assert set(refusal.value.reasons) == {"book"}


def test_malformed_series_and_rules_are_refused():
    for time, depth in (([1.0, 1.0], [1.0, 1.0]), ([1.0, 2.0], [1.0, -1.0]), ([1.0], [1.0, 2.0]), ([], [])):
        with pytest.raises(OutOfRange):
            DepthSeries(np.array(time), np.array(depth))
    with pytest.raises(OutOfRange, match="quantile"):
        DepthRule(quantile=0.9)


def test_carrying_only_lowers():
    assert carry_depth(1e9, 100.0, 50.0, 0.02, 0.04) == pytest.approx(0.25e9)
    assert carry_depth(1e9, 100.0, 200.0, 0.02, 0.01) == 1e9
    with pytest.raises(OutOfRange):
        carry_depth(1e9, 100.0, 50.0, 0.02, 0.0)


def test_a_linear_books_impact_is_found():
    depth = np.array([1.0, 2.0, 3.0, 5.0]) * 1e8
    assert fit_book_impact(depth, 0.04 * depth / 5e8 / 2) == pytest.approx(0.04)
    with pytest.raises(OutOfRange, match="rising"):
        fit_book_impact(depth[::-1], depth)


def test_flow_impact_recovers_its_slope_within_its_error():
    generator = np.random.default_rng(5)
    flow, depth = generator.normal(0, 1e8, 4_000), generator.uniform(2e8, 5e8, 4_000)
    returns = 0.03 * flow / depth + generator.normal(0, 0.01, 4_000)
    fit = fit_flow_impact(returns, flow, depth)
    assert abs(fit.impact - 0.03) < 4 * fit.standard_error < 0.01
    assert 0.2 < fit.r_squared < 0.6 and fit.count == 4_000
    for wrong in ((returns[:5], flow[:5], depth[:5]), (returns, flow, 0 * depth), (returns, 0 * flow, depth)):
        with pytest.raises(OutOfRange):
            fit_flow_impact(*wrong)


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("value", [math.nan, math.inf, None, -1.0])
def test_a_number_that_is_missing_carries_no_depth(place, value):
    """A NaN price carried the full depth: `min(1, NaN)` is 1."""
    given = [1e9, 100_000.0, 90_000.0, 0.02, 0.03]
    assert 0 < carry_depth(*given) < 1e9
    given[place] = value
    with pytest.raises(OutOfRange, match=r"depth|price|volatility"):
        carry_depth(*given)


@pytest.mark.parametrize("field", ["time", "depth"])
def test_a_record_without_its_number_is_refused(field):
    columns = {"time": np.arange(1.0, 4.0), "depth": np.full(3, 1e8)}
    DepthSeries(**columns)
    columns[field][1] = math.nan
    with pytest.raises(OutOfRange, match=f"{field}.* is nan"):
        DepthSeries(**columns)


def test_a_rule_or_a_clock_without_its_number_is_refused():
    with pytest.raises(OutOfRange, match="window in seconds is nan"):
        DepthRule(window=math.nan)
    with pytest.raises(OutOfRange, match="present time is nan"):
        average_over_time(make_series(np.full(120, 1e8)), math.nan, RULE)


def test_a_band_without_its_distance_has_no_impact():
    with pytest.raises(OutOfRange, match="distance of a band is nan"):
        fit_book_impact(np.array([1e6, 2e6]), np.array([0.001, math.nan]))
