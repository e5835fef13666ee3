"""Coverage tests against published numbers."""

import json
import math
from pathlib import Path

import pytest
from scipy import stats

from zkmargin.engine.backtest import coverage
from zkmargin.engine.backtest.coverage import Transitions
from zkmargin.engine.errors import OutOfRange, WrongKind

PUBLISHED = json.loads((Path(__file__).parents[2] / "vectors" / "risk_statistics.json").read_text())["var_backtests"]


@pytest.mark.parametrize("case", PUBLISHED["kupiec_pof"], ids=lambda case: f"{case['T']}-{case['x']}-{case['p']}")
def test_kupiec(case):
    found = coverage.compute_kupiec(case["T"], case["x"], case["p"])
    assert found.statistic == pytest.approx(case["LR"], abs=5e-6) and found.p_value == pytest.approx(
        case["pvalue"], abs=5e-6
    )


def test_christoffersen_and_both():
    (case,) = PUBLISHED["christoffersen"]
    independence = coverage.compute_christoffersen(Transitions(case["n00"], case["n01"], case["n10"], case["n11"]))
    assert independence == pytest.approx((case["LR_ind"], case["pvalue"]), abs=5e-6)
    both = coverage.compute_conditional_coverage(coverage.compute_kupiec(1043, 57, 0.05), independence)
    assert both == pytest.approx((case["LR_cc_with_pof"], case["p_cc"]), abs=5e-6)


def test_transitions_are_counted_in_order():
    assert coverage.count_transitions([0, 0, 1, 1, 0, 1]) == Transitions(1, 2, 1, 1)


def test_regions_of_kupiec():
    table = PUBLISHED["kupiec_95pct_nonrejection"]
    limit = stats.chi2.ppf(0.95, 1)
    for tail, regions in table["p"].items():
        for observations, region in zip(table["T"], regions, strict=True):
            kept = [
                x
                for x in range(observations // 5)
                if coverage.compute_kupiec(observations, x, float(tail)).statistic < limit
            ]
            # The first published cell counts no exception at all as accepted, which the statistic, 5.13, does not.
            expected = [1, 6] if region == [0, 6] else region
            assert [kept[0], kept[-1]] == expected and kept == list(range(kept[0], kept[-1] + 1))


def test_traffic_light_of_a_year():
    table = PUBLISHED["basel_traffic_light_250_99"]
    lights = coverage.get_lights(250, 0.01)
    assert lights == (table["green_max"], table["amber_max"])
    assert [lights.get_zone(count) for count in (4, 5, 9, 10)] == ["green", "amber", "amber", "red"]
    assert stats.binom.cdf(range(11), 250, 0.01) == pytest.approx(table["cum_prob_0_to_10"], abs=5e-5)


@pytest.mark.property("P-70")
@pytest.mark.parametrize("observations", ["200", "300", pytest.param("500", marks=pytest.mark.slow)])
def test_lights_of_overlapping_windows(observations):
    green, amber = PUBLISHED["overlapping_10d_bounds"]["single"][observations]
    found = coverage.simulate_lights(int(observations), 0.01, 10)
    assert found.green == green
    # Ten of 100,000 histories lie beyond the 99.99 % bound, and the published one is a simulation too.
    assert abs(found.amber - amber) <= 2


def test_lights_of_three_correlated_portfolios():
    green, amber = PUBLISHED["overlapping_10d_bounds"]["three_portfolios_corr0.5_obs250"]
    found = coverage.simulate_lights(250, 0.01, 10, 3, 0.5, paths=20_000)
    assert found.green == green and abs(found.amber - amber) <= 2


def test_windows_of_one_day_are_binomial():
    found, exact = coverage.simulate_lights(250, 0.01, 1, paths=20_000), coverage.get_lights(250, 0.01)
    assert found.green == exact.green and abs(found.amber - exact.amber) <= 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: coverage.compute_kupiec(0, 0, 0.01),
        lambda: coverage.compute_kupiec(10, 11, 0.01),
        lambda: coverage.compute_kupiec(10, 1, 1.0),
        lambda: coverage.compute_christoffersen(Transitions(0, 0, 0, 0)),
        lambda: coverage.compute_christoffersen(Transitions(-1, 1, 1, 1)),
        lambda: coverage.simulate_lights(100, 0.01, 0),
        lambda: coverage.simulate_lights(100, 0.01, 2, 2, 1.5),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(OutOfRange):
        call()


@pytest.mark.parametrize("days", [["True", "False"], [1.0, math.nan, 0.0], [True, None], [0, 2], [0.0, 1.0]])
def test_a_day_without_a_verdict_is_no_exception(days):
    with pytest.raises(WrongKind, match="exception of a day is"):
        coverage.count_transitions(days)


def test_no_number_has_no_p_value():
    missing, real = (coverage.LikelihoodRatio(value, 1.0) for value in (math.nan, 1.0))
    with pytest.raises(OutOfRange, match="likelihood-ratio statistic is nan"):
        coverage.compute_conditional_coverage(missing, real)


@pytest.mark.parametrize("exceptions", [math.nan, -1, 2.5, "3", None])
def test_no_number_of_exceptions_has_no_zone(exceptions):
    assert coverage.Lights(4, 9).get_zone(5) == "amber"
    with pytest.raises(OutOfRange, match="exceptions is"):
        coverage.Lights(4, 9).get_zone(exceptions)


def test_a_simulation_that_would_not_end_is_refused():
    with pytest.raises(OutOfRange, match="numbers drawn for a path is 10001000000"):
        coverage.simulate_lights(100_000, 0.01, 10, portfolios=100_000, paths=1)
    with pytest.raises(OutOfRange, match="numbers drawn is 101000000000"):
        coverage.simulate_lights(1_000_000 // 10, 0.01, 1_000, portfolios=10, paths=100_000)
