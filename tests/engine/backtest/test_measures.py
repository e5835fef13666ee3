"""Value at risk and expected shortfall: published numbers, and each convention against its words."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from zkmargin.engine.backtest import measures
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.definition import tail_mean

VECTORS = Path(__file__).parents[2] / "vectors"
ORE = json.loads((VECTORS / "risk_ore_histsim.json").read_text())
ANALYTIC = json.loads((VECTORS / "risk_statistics.json").read_text())["analytic_var_es"]


@pytest.mark.property("P-70")
@pytest.mark.parametrize("case", ORE["cases"], ids=lambda case: case["group"])
def test_ore_quantiles_and_tail_means(case):
    pnl = np.array(ORE["series"][case["series"]])
    assert len(pnl) == 715
    for place, probability in enumerate(ORE["probabilities"]):
        assert measures.get_quantile(pnl, probability) == case["quantiles"][place]
        mean = measures.get_lower_tail_mean(pnl, probability)
        assert mean == pytest.approx(case["lower_tail_means"][place], abs=1e-6)  # digits printed


def test_a_quantile_takes_the_element_at_the_floor():
    pnl = np.arange(100.0)
    assert measures.get_quantile(pnl, 0.01) == 1 and measures.get_quantile(pnl, 0.0099) == 0
    assert measures.get_quantile(pnl, 0.29) == 29  # 0.29 * 100 is a little below 29 in floating point
    assert measures.get_lower_tail_mean(pnl, 0.01) == 0.5


def test_value_at_risk_is_the_quantile_with_the_other_sign():
    losses = np.random.default_rng(1).standard_normal((300, 3))
    found = measures.compute_value_at_risk(losses, 0.99)
    assert np.array_equal(found, np.sort(losses, axis=0)[-4])


@pytest.mark.property("P-70")
@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=30),
    st.data(),
)
def test_the_shortfall_is_the_proved_rules_tail_mean(values, data):
    weights = data.draw(st.lists(st.integers(1, 9), min_size=len(values), max_size=len(values)))
    tail = data.draw(st.integers(1, sum(weights)))
    expected = tail_mean([Fraction(value) for value in values], weights, tail)
    assert measures.compute_shortfall(values, tail, weights) == pytest.approx(float(expected), abs=1e-9)
    repeated = np.repeat(values, weights)
    assert measures.compute_shortfall(repeated, tail) == pytest.approx(float(expected), abs=1e-9)


def test_the_coherent_shortfall_counts_part_of_an_outcome():
    losses = np.arange(1.0, 61.0)  # 2.5 % of 60 outcomes is one and a half
    assert measures.compute_expected_shortfall(losses, 0.975) == pytest.approx((60 + 0.5 * 59) / 1.5)


def test_the_coherent_shortfall_is_subadditive_and_the_quantile_is_not():
    first = np.array([100.0] * 4 + [0.0] * 96)
    second = np.roll(first, 4)
    tail = 5 / 100
    both = first + second
    quantiles = [-measures.get_quantile(-losses, tail) for losses in (first, second, both)]
    assert quantiles[2] > quantiles[0] + quantiles[1]
    means = [measures.compute_expected_shortfall(losses, 1 - tail) for losses in (first, second, both)]
    assert means[2] <= means[0] + means[1]


def test_published_normal_and_student_figures():
    normal = measures.get_normal_tail(0.99), measures.get_normal_tail(0.975)
    assert normal[0].value_at_risk == pytest.approx(ANALYTIC["normal"]["VaR99"], rel=1e-13)
    assert normal[1].expected_shortfall == pytest.approx(ANALYTIC["normal"]["ES97.5"], rel=1e-12)
    for degrees, expected in ANALYTIC["student_t_unit_scale"].items():
        high, low = (measures.get_student_tail(confidence, float(degrees)) for confidence in (0.99, 0.975))
        assert high.value_at_risk == pytest.approx(expected["VaR99"], rel=1e-12)
        assert low.value_at_risk == pytest.approx(expected["VaR97.5"], rel=1e-12)
        assert low.expected_shortfall == pytest.approx(expected["ES97.5"], rel=1e-10)


def test_parametric_shortfalls_are_means_beyond_the_quantile():
    for law, tail in ((stats.norm(-2, 3), measures.get_normal_tail(0.9, 3.0, -2.0)),
                      (stats.t(4, -2, 3), measures.get_student_tail(0.9, 4.0, 3.0, -2.0))):  # fmt: skip
        assert tail.value_at_risk == pytest.approx(-law.ppf(0.1))
        mean, _ = integrate.quad(lambda p, law=law: -law.ppf(p), 0.0, 0.1)
        assert tail.expected_shortfall == pytest.approx(mean / 0.1, rel=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: measures.get_quantile([1.0, math.nan], 0.5),
        lambda: measures.get_quantile([], 0.5),
        lambda: measures.get_quantile([1.0], 0.0),
        lambda: measures.compute_value_at_risk([1.0], 1.0),
        lambda: measures.compute_shortfall([1.0, 2.0], 0.0),
        lambda: measures.compute_shortfall([1.0, 2.0], 3.0),
        lambda: measures.compute_shortfall([1.0, 2.0], 1.0, [1.0]),
        lambda: measures.compute_shortfall([1.0, 2.0], 1.0, [2.0, -1.0]),
        lambda: measures.get_normal_tail(0.99, -1.0),
        lambda: measures.get_student_tail(0.99, 1.0),
    ],
)
def test_bad_input_is_refused(call):
    with pytest.raises(OutOfRange):
        call()


@pytest.mark.parametrize("tail", [1e-12, 1e-9, 1e-300, 0.5, 1.0])
def test_a_tail_thinner_than_one_outcome_is_the_worst_loss(tail):
    losses = np.arange(10.0)
    assert measures.compute_shortfall(losses, tail) == 9.0
    assert measures.compute_shortfall(losses, tail, np.ones(10)) == 9.0


def test_a_confidence_within_the_rounding_of_one_is_the_worst_loss():
    losses = np.arange(10.0)
    assert measures.compute_expected_shortfall(losses, 1 - 1e-12) == 9.0
    assert measures.compute_value_at_risk(losses, 1 - 1e-12) == 9.0
    assert measures.get_quantile(losses, 1 - 1e-12) == 9.0


def test_weights_of_nothing_have_no_tail():
    with pytest.raises(OutOfRange, match="tail weight"):
        measures.compute_shortfall(np.arange(10.0), 1e-10, np.zeros(10))


@pytest.mark.parametrize("losses", [["1.0", "2.0"], [True, False], [1.0, None]])
def test_what_is_no_number_is_no_loss(losses):
    with pytest.raises(OutOfRange, match="type of loss"):
        measures.compute_shortfall(losses, 1.0)
