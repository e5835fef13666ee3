"""Coverage tests against published numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from engine.errors import OutOfRange
from engine.risk import coverage
from engine.risk.coverage import Transitions

PUBLISHED = json.loads((Path(__file__).parents[2] / "vectors" / "risk_statistics.json").read_text())["var_backtests"]
Z2 = PUBLISHED["acerbi_szekely_Z2"]
DEGREES = {"normal": None, "t3": 3.0, "t5": 5.0, "t10": 10.0}


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


@pytest.mark.parametrize("observations", ["200", "300", "500"])
def test_lights_of_overlapping_windows(observations):
    green, amber = PUBLISHED["overlapping_10d_bounds"]["single"][observations]
    found = coverage.simulate_lights(int(observations), 0.01, 10)
    assert found.green == green
    # The 99.99 % bound rests on two of 20,000 simulated histories, and the published one is a simulation too.
    assert abs(found.amber - amber) <= 3


def test_lights_of_three_correlated_portfolios():
    green, amber = PUBLISHED["overlapping_10d_bounds"]["three_portfolios_corr0.5_obs250"]
    found = coverage.simulate_lights(250, 0.01, 10, 3, 0.5)
    assert found.green == green and abs(found.amber - amber) <= 4


def test_windows_of_one_day_are_binomial():
    found, exact = coverage.simulate_lights(250, 0.01, 1), coverage.get_lights(250, 0.01)
    assert found.green == exact.green and abs(found.amber - exact.amber) <= 1


@pytest.mark.parametrize("law", DEGREES)
def test_critical_values_of_z2(law):
    published = Z2["T250_alpha2.5pct_sim"][law]
    drawn = coverage.simulate_z2(250, 0.025, DEGREES[law], 50_000)
    for level, value in published.items():
        probability = float(level.rstrip("%")) / 100
        # Five standard errors of the simulated probability below the published value.
        below = np.searchsorted(drawn, value) / len(drawn)
        assert below == pytest.approx(probability, abs=5 * (probability / len(drawn)) ** 0.5)


def test_z2_of_a_long_backtest():
    published = Z2["T1966_alpha2.5pct_MathWorks"]
    for law, degrees in (("normal", None), ("t3", 3.0)):
        value, p_value = (published[f"{law}_crit_1pct"], 0.01), (-0.38265, published[f"p_of_-0.38265_{law}"])
        for statistic, expected in (value, p_value):
            found = coverage.get_p_value_z2(statistic, 1966, 0.025, degrees, paths=20_000)
            assert found == pytest.approx(expected, abs=5 * (expected / 20_000) ** 0.5)


def test_z2_is_zero_on_average_and_falls_with_larger_losses():
    generator = np.random.default_rng(6)
    pnl = generator.standard_normal(200_000)
    at_risk, shortfall = (np.full(len(pnl), value) for value in (1.959964, 2.337803))
    assert coverage.compute_z2(pnl, at_risk, shortfall, 0.025) == pytest.approx(0.0, abs=0.06)
    assert coverage.compute_z2(1.5 * pnl, at_risk, shortfall, 0.025) < -1
    assert coverage.compute_z2([1.0, 2.0], [1.0, 1.0], [2.0, 2.0], 0.025) == 1.0


def test_a_simulated_z2_is_what_the_statistic_of_simulated_days_is():
    generator = np.random.default_rng(7)
    quantile, mean = 1.959963984540054, 2.337802792201415
    pnl = generator.standard_normal((4000, 250))
    direct = [coverage.compute_z2(row, np.full(250, quantile), np.full(250, mean), 0.025) for row in pnl]
    drawn = coverage.simulate_z2(250, 0.025, None, 50_000)
    assert stats.ks_2samp(direct, drawn).pvalue > 0.001


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
        lambda: coverage.compute_z2([1.0], [1.0, 2.0], [1.0], 0.025),
        lambda: coverage.compute_z2([1.0], [1.0], [0.0], 0.025),
        lambda: coverage.simulate_z2(100, 0.025, 1.0),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(OutOfRange):
        call()
