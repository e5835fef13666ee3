"""Volatility filters against closed forms and `arch`, shrinkage against scikit-learn's published example, refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
from arch import arch_model

from zkmargin.engine.calibration.filters import (
    filter_ewma,
    filter_garch,
    filter_moves,
    shrink_covariance,
    sum_over_period,
)
from zkmargin.engine.errors import OutOfRange

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "shrinkage.json"


def make_returns(days: int, seed: int, assets: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(5, (days, assets)) * 0.02


def test_ewma_by_hand():
    returns = np.array([0.03, -0.01, 0.02, 0.04])
    filtered = filter_ewma(returns, decay=0.9, warm_up=2)
    first = (0.03**2 + 0.01**2) / 2
    second = 0.9 * first + 0.1 * 0.02**2
    third = 0.9 * second + 0.1 * 0.04**2
    assert filtered.volatility[:, 0] == pytest.approx(np.sqrt([first, second]), rel=1e-14)
    assert filtered.standardised[:, 0] == pytest.approx([0.02 / np.sqrt(first), 0.04 / np.sqrt(second)], rel=1e-14)
    assert filtered.latest[0] == pytest.approx(np.sqrt(third), rel=1e-14)


def test_ewma_is_the_weighted_sum_of_squares():
    """sigma_T^2 = decay^(T-w) s_0 + (1 - decay) sum_k decay^k r_(T-k)^2, the closed form of the recursion."""
    returns, decay, warm_up = make_returns(300, 1), 0.97, 60
    later = returns[warm_up:] ** 2
    powers = decay ** np.arange(len(later))[::-1]
    expected = decay ** len(later) * (returns[:warm_up] ** 2).mean(axis=0) + (1 - decay) * powers @ later
    assert filter_ewma(returns, decay, warm_up).latest == pytest.approx(np.sqrt(expected), rel=1e-12)


@pytest.mark.property("P-64")
def test_ewma_does_not_look_ahead():
    returns = make_returns(200, 2)
    changed = returns.copy()
    changed[150:] *= 5
    before, after = filter_ewma(returns), filter_ewma(changed)
    assert np.array_equal(before.volatility[: 151 - 60], after.volatility[: 151 - 60])
    assert (before.volatility[151 - 60 :] != after.volatility[151 - 60 :]).all()


def test_ewma_removes_a_change_of_volatility():
    generator = np.random.default_rng(3)
    returns = np.vstack([generator.normal(0, 0.01, (800, 2)), generator.normal(0, 0.05, (800, 2))])
    standardised = filter_ewma(returns).standardised
    assert standardised[:600].std() == pytest.approx(standardised[900:].std(), rel=0.1)
    assert returns[60:660].std() * 4 < returns[960:].std()  # which the returns themselves do not show


def simulate_garch(days: int, seed: int, omega: float, alpha: float, beta: float) -> np.ndarray:
    generator = np.random.default_rng(seed)
    returns, variance = [], omega / (1 - alpha - beta)
    for draw in generator.standard_normal(days):
        returns.append(draw * np.sqrt(variance))
        variance = omega + alpha * returns[-1] ** 2 + beta * variance
    return np.array(returns)


def test_garch_follows_one_recursion():
    """sigma_t+1^2 = omega + alpha r_t^2 + beta sigma_t^2 holds exactly, to the forecast, with the simulated numbers
    nearby."""
    omega, alpha, beta = 2e-5, 0.1, 0.85
    returns = simulate_garch(3000, 4, omega, alpha, beta)
    filtered = filter_garch(returns)
    variance = np.append(filtered.volatility[:, 0], filtered.latest[0]) ** 2
    design = np.column_stack([np.full(3000, 1e-4), returns**2, variance[:-1]])
    solved, *_ = np.linalg.lstsq(design, variance[1:], rcond=None)
    assert design @ solved == pytest.approx(variance[1:], rel=1e-8)
    assert solved * [1e-4, 1, 1] == pytest.approx([omega, alpha, beta], rel=0.35)
    assert filtered.standardised * filtered.volatility == pytest.approx(returns[:, None], rel=1e-12)


def test_garch_against_arch():
    returns = simulate_garch(1500, 5, 2e-5, 0.1, 0.85)
    fit = arch_model(50 * returns, mean="Zero", p=1, q=1, rescale=False).fit(disp="off")
    assert filter_garch(returns).volatility[:, 0] == pytest.approx(fit.conditional_volatility / 50, rel=1e-2)


def test_shrinkage_as_published():
    document = json.loads(VECTORS.read_text())
    found = shrink_covariance(np.array(document["observations"]))
    assert found.covariance == pytest.approx(np.array(document["covariance"]), rel=1e-12)
    assert found.shrinkage == pytest.approx(document["shrinkage"], rel=1e-12)


def test_shrinkage_is_between_sample_and_identity():
    returns = make_returns(100, 5, assets=4) @ np.triu(np.ones((4, 4)))
    found = shrink_covariance(returns)
    sample = np.cov(returns.T, bias=True)
    target = np.trace(sample) / 4 * np.eye(4)
    assert 0 < found.shrinkage < 1
    assert found.covariance == pytest.approx((1 - found.shrinkage) * sample + found.shrinkage * target, rel=1e-10)


def test_moves_are_scaled_sums():
    filtered = filter_ewma(make_returns(100, 6))
    moves = filter_moves(filtered, np.array([0.01, 0.02]), 2)
    assert moves.shape == (39, 2)
    assert moves[7] == pytest.approx((filtered.standardised[7] + filtered.standardised[8]) * [0.01, 0.02], rel=1e-14)
    assert filter_moves(filtered, np.array([0.02, 0.04]), 2) == pytest.approx(2 * moves, rel=1e-14)


def test_sum_over_period():
    assert sum_over_period(np.arange(5.0)[:, None], 3).tolist() == [[3.0], [6.0], [9.0]]


GOOD = make_returns(300, 7)
STILL = np.vstack([np.zeros((100, 1)), np.ones((100, 1))])


@pytest.mark.parametrize(
    ("call", "what", "value"),
    [
        (lambda: filter_ewma(np.where(np.arange(300)[:, None] == 7, np.nan, GOOD)), "return of day 7, asset 0", None),
        (lambda: filter_ewma(np.where(np.arange(300)[:, None] == 9, np.inf, GOOD)), "return of day 9", np.inf),
        (lambda: filter_ewma(GOOD * 1000), "return of day 0", None),
        (lambda: filter_ewma(GOOD[:60]), "number of days", 60),
        (lambda: filter_ewma(np.zeros((3, 3, 3))), "shape of returns", (3, 3, 3)),
        (lambda: filter_ewma(np.zeros((90, 0))), "shape of returns", (90, 0)),
        (lambda: filter_ewma(GOOD, decay=1.0), "decay", 1.0),
        (lambda: filter_ewma(GOOD, decay=0.0), "decay", 0.0),
        (lambda: filter_ewma(GOOD, decay=np.nan), "decay", None),
        (lambda: filter_ewma(GOOD, warm_up=1), "warm-up", 1),
        (lambda: filter_ewma(GOOD, warm_up=True), "warm-up", True),
        (lambda: filter_ewma(STILL), "variance of asset 0", 0.0),
        (lambda: filter_garch(GOOD[:249]), "number of days", 249),
        (lambda: filter_garch(np.zeros(300)), "variance of asset 0", 0.0),
        (lambda: shrink_covariance(GOOD[:1]), "number of days", 1),
        (lambda: sum_over_period(GOOD, 0), "margin period", 0),
        (lambda: sum_over_period(GOOD, 301), "margin period", 301),
        (lambda: sum_over_period(GOOD, 2.0), "margin period", 2.0),
        (lambda: filter_moves(filter_ewma(GOOD), np.array([0.01, 0.0]), 2), "volatility of asset 1", 0.0),
        (lambda: filter_moves(filter_ewma(GOOD), np.array([0.01]), 2), "shape of volatility", (1,)),
    ],
)
def test_refusals(call, what, value):
    with pytest.raises(OutOfRange) as refused:
        call()
    assert what in refused.value.what
    if value is not None:
        assert refused.value.value == value
