"""The volatility proxy recovers what it is fitted to; the smile goes through its quotes."""

import numpy as np
import pytest

from tests.support.histories import get_market
from zkmargin.engine.backtest.history import Quotes, load_history
from zkmargin.engine.backtest.volatility import (
    QUARTER_DELTA,
    Proxy,
    fit_proxy,
    fit_response,
    interpolate_volatility,
    make_proxy_path,
)
from zkmargin.engine.errors import OutOfRange

TRUE = Proxy(0.9, 0.9, -1.2, 0.8, 0.02, ((0.1, 0.3), (-0.1, -0.2)), (1.1, 0.95), 0.0)


def make_quotes(days: int = 400):
    generator = np.random.default_rng(1)
    forecast = 0.03 * np.exp(0.02 * np.cumsum(generator.standard_normal(days)))
    returns = forecast * generator.standard_normal(days)
    size = np.abs(returns[1:]).mean()
    atm, wings = make_proxy_path(TRUE._replace(mean_size=size), forecast, returns)
    dates = np.datetime64("2026-01-01") + np.arange(days)
    return Quotes(dates, atm, wings, np.zeros((days, 2))), forecast, returns


def test_a_fit_recovers_the_proxy_that_made_the_quotes():
    found = fit_proxy(*make_quotes())
    for name in ("ratio", "persistence", "slope", "size_slope"):
        assert getattr(found, name) == pytest.approx(getattr(TRUE, name), rel=1e-9)
    assert np.array(found.terms) == pytest.approx(np.array(TRUE.terms), abs=1e-9)
    assert found.wings == pytest.approx(TRUE.wings) and found.unexplained < 1e-12


def test_a_response_is_the_regression_over_its_days():
    generator = np.random.default_rng(2)
    closes = 100 * np.exp(np.cumsum(0.02 * generator.standard_normal(300)))
    move = np.log(closes[2:] / closes[:-2])
    level = np.zeros(300)
    for day in range(2, 300):
        level[day] = level[day - 2] - 0.01 - 0.9 * move[day - 2] + 0.5 * abs(move[day - 2])
    quotes, *_ = make_quotes(300)
    atm = np.repeat(np.exp(level)[:, None], 3, axis=1)
    found = fit_response(Quotes(quotes.dates, atm, quotes.wings, quotes.basis), closes, 2)
    assert found == pytest.approx((-0.01, -0.9, 0.5, 0.0))
    assert found._replace(residual=0.04).compute(0.0, np.array([1.0, -1.0])) == pytest.approx(
        np.expm1([-0.01 + 0.04, -0.01 - 0.04])
    )
    assert found.compute(np.array([-0.1])) == pytest.approx(np.exp(-0.01 + 0.09 + 0.05) - 1)


def test_the_smile_goes_through_the_quotes_and_is_flat_far_out():
    atm, wings = np.array([0.7, 0.6, 0.5]), np.array([0.66, 0.57])
    at_quarter = QUARTER_DELTA * 0.6 * np.sqrt(30 / 365)
    found = interpolate_volatility(atm, wings, 30.0, np.array([-at_quarter, 0.0, at_quarter, 3.0, 4.0]))
    assert found[:3] == pytest.approx([0.66, 0.6, 0.57]) and found[3] == found[4]
    for days, level in ((7.0, 0.7), (90.0, 0.5), (1.0, 0.7), (365.0, 0.5)):
        assert interpolate_volatility(atm, wings, days, 0.0) == pytest.approx(level)
    between = 0.5 * (0.36 * 30 + 0.25 * 90)
    assert interpolate_volatility(atm, wings, 60.0, 0.0) == pytest.approx(np.sqrt(between / 60))


def test_quoted_days_carry_the_quotes_and_the_others_the_proxy():
    market, quotes = get_market(), load_history().quotes["BTC"]
    late = market.paths[1]
    assert not market.paths[0].quoted.any() and late.quoted.sum() == len(quotes.dates)
    quoted = [state.atm[0] for state, is_quoted in zip(late.states, late.quoted, strict=True) if is_quoted]
    assert np.array_equal(quoted, quotes.atm)
    march = next(state for state in market.paths[0].states if str(state.date) == "2020-03-12")
    assert 1.2 < march.atm[0, 1] < 2.5 and (march.basis == 0).all()


def test_too_few_days_are_refused():
    quotes, forecast, returns = make_quotes(20)
    with pytest.raises(OutOfRange):
        fit_proxy(quotes, forecast, returns)
    with pytest.raises(OutOfRange):
        fit_response(quotes, np.ones(20), 1)


@pytest.mark.parametrize("days", [0.0, -1.0, float("nan")])
def test_a_tenor_of_nothing_has_no_volatility(days):
    atm, wings = np.full(3, 0.5), np.full(2, 0.55)
    assert interpolate_volatility(atm, wings, 30.0, 0.0) == pytest.approx(0.5)
    with pytest.raises(OutOfRange, match="days to expiry is"):
        interpolate_volatility(atm, wings, days, 0.0)
