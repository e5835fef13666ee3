"""Quadratic books: published figures, exact moments, and the two approximations where the answer is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

from zkmargin.engine.backtest.delta_gamma import Moments, Quadratic, compute_cornish_fisher, compute_moments
from zkmargin.engine.backtest.measures import get_normal_tail
from zkmargin.engine.errors import OutOfRange

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "risk_statistics.json").read_text())["ore_delta_gamma_var"]
SHORT_GAMMA, LONG_GAMMA = CASES["cases"]


def make(case) -> Quadratic:
    return Quadratic(case["delta"], case["gamma"], case["omega"])


def test_published_cornish_fisher():
    found = -compute_cornish_fisher(make(SHORT_GAMMA).moments, 1 - SHORT_GAMMA["p"]).value_at_risk
    assert found == pytest.approx(SHORT_GAMMA["cornish_fisher"], abs=5e-4)  # digits printed


def test_published_quantile_by_saddle_point():
    found = make(LONG_GAMMA).compute_saddle_point(LONG_GAMMA["p"])
    assert found == pytest.approx(LONG_GAMMA["exact"], rel=LONG_GAMMA["saddlepoint_tol_pct"] / 100)


def test_the_exact_quantile_has_the_stated_probability_by_saddle_point():
    # Near its upper bound 0 the P&L is -5000 chi-squared(1): the approximation is judged by the probability it gives.
    found = make(SHORT_GAMMA).compute_saddle_point(SHORT_GAMMA["p"])
    assert SHORT_GAMMA["exact"] < found < 0
    assert stats.chi2.cdf(found / -5000, 1) == pytest.approx(1 - SHORT_GAMMA["p"], abs=2e-3)


@pytest.fixture(scope="module")
def mixed() -> Quadratic:
    generator = np.random.default_rng(3)
    gamma = generator.normal(size=(3, 3))
    covariance = np.cov(generator.normal(size=(3, 50)))
    return Quadratic(2 * generator.normal(size=3), gamma + gamma.T, covariance, 0.3)


def test_moments_agree_with_the_cumulants_of_independent_terms(mixed):
    # In the axes where both matrices are diagonal each term is b y + g y^2 / 2.
    b, g = mixed.slope, mixed.curvature
    second = (b**2 + g**2 / 2).sum()
    third = (3 * b**2 * g + g**3).sum()
    fourth = (12 * b**2 * g**2 + 3 * g**4).sum()
    expected = (mixed.constant + g.sum() / 2, second**0.5, third / second**1.5, fourth / second**2)
    assert mixed.moments == pytest.approx(expected, rel=1e-10)


def test_moments_and_saddle_point_agree_with_a_simulation(mixed):
    draws = np.random.default_rng(4).standard_normal((400_000, 3))
    pnl = np.sort(mixed.constant + draws @ mixed.slope + 0.5 * draws**2 @ mixed.curvature)
    assert pnl.mean() == pytest.approx(mixed.moments.mean, abs=5 * mixed.moments.deviation / len(pnl) ** 0.5)
    for probability in (0.01, 0.5, 0.99):
        below = np.searchsorted(pnl, mixed.compute_saddle_point(probability)) / len(pnl)
        assert below == pytest.approx(probability, rel=0.12)


def test_a_linear_book_is_normal_by_every_way():
    book = Quadratic([3.0, -1.0], np.zeros((2, 2)), [[1.0, 0.5], [0.5, 4.0]], 7.0)
    deviation = (9 + 4 - 3) ** 0.5
    exact = get_normal_tail(0.975, deviation, 7.0)
    assert compute_cornish_fisher(book.moments, 0.975) == pytest.approx(exact, rel=1e-12)
    assert -book.compute_saddle_point(0.025) == pytest.approx(exact.value_at_risk, rel=1e-9)


def test_the_shortfall_is_the_mean_of_the_expansions_quantiles():
    moments = Moments(-1.0, 2.0, -0.6, 1.5)
    mean, _ = integrate.quad(lambda p: compute_cornish_fisher(moments, 1 - p).value_at_risk, 1e-12, 0.025)
    assert compute_cornish_fisher(moments, 0.975).expected_shortfall == pytest.approx(mean / 0.025, rel=1e-6)


def test_many_books_at_once_are_each_of_them(mixed):
    generator = np.random.default_rng(5)
    delta, gamma = generator.normal(size=(4, 2)), generator.normal(size=(4, 2, 2))
    gamma = gamma + gamma.transpose(0, 2, 1)
    covariance = np.array([[1.0, 0.3], [0.3, 0.5]])
    together = compute_moments(delta, gamma, covariance, np.arange(4.0))
    for book in range(4):
        alone = Quadratic(delta[book], gamma[book], covariance, float(book)).moments
        assert [float(part[book]) for part in together] == pytest.approx(alone, rel=1e-12)


def test_a_book_without_risk_stands_still():
    still = Quadratic([0.0], [[0.0]], [[1.0]], 5.0)
    assert still.compute_saddle_point(0.01) == 5.0 and compute_cornish_fisher(still.moments, 0.99).value_at_risk == -5.0


@pytest.mark.parametrize(
    "arguments",
    [
        ([1.0], [[1.0, 0.0]], [[1.0]]),
        ([1.0, 1.0], [[1.0, 2.0], [0.0, 1.0]], np.eye(2)),
        ([1.0], [[1.0]], [[-1.0]]),
        ([float("nan")], [[1.0]], [[1.0]]),
    ],
)
def test_bad_input_is_refused(arguments):
    with pytest.raises(OutOfRange):
        Quadratic(*arguments)
