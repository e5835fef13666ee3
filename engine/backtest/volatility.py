"""Implied volatility of every day: quoted where options were recorded, else a stated proxy.

The proxy follows the exponentially weighted volatility sigma of the coin's returns, known at the same close:

    ln IV_30(t) = ln( ratio sigma(t) sqrt(365) ) + u(t)       u(t) = phi u(t-1) + b r(t) + c (|r(t)| - mean |r|)
    ln IV_T(t)  = ln IV_30(t) + p_T + q_T ln IV_30(t)         T = 7 and 90 days
    wing        = ratio of its own times IV_30

Every constant is fitted by least squares on the days that have quotes (2026), so the proxy of earlier years looks ahead
in its constants, though not in its path; and it has no noise of its own. Basis is 0 on proxy days.

A response is the regression that scenarios use: the change of ln IV_30 over some days is a + b r + c |r| and an error.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from zkmargin.engine.backtest.history import Quotes
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import DAYS_PER_YEAR, require_all_in_range

TENORS = (7.0, 30.0, 90.0)
"""Days at which volatilities are known."""
MIDDLE = 1
"""Place of the 30-day tenor."""
QUARTER_DELTA = 0.6744897501960817
"""Standard normal quantile at 75 %: the moneyness, in deviations, of a 25-delta option."""
FARTHEST = 2.0
"""Deviations beyond which the smile is flat."""
LEAST_DAYS = 30
"""Days of quotes below which nothing is fitted."""
LARGEST = 100.0
"""Largest volatility and daily log return, fraction: beyond it a number is an error of the data."""
LEAST_TENOR, LARGEST_TENOR = 1e-6, 1e5
"""Range of a tenor, days: at 0 there is no volatility to ask for."""
LARGEST_CLOSE = 1e12
"""Largest close, US dollars."""


class Proxy(NamedTuple):
    """Constants of one coin's proxy, as in the module's text."""

    ratio: float
    """Of implied to filtered volatility when u is 0."""
    persistence: float
    """phi, per day."""
    slope: float
    """b."""
    size_slope: float
    """c."""
    mean_size: float
    """Mean of |r| over the fitted days."""
    terms: tuple[tuple[float, float], tuple[float, float]]
    """(p, q) at 7 and at 90 days."""
    wings: tuple[float, float]
    """25-delta put and call over at the money."""
    unexplained: float
    """Standard deviation of the daily change of ln IV that the proxy leaves."""


class Response(NamedTuple):
    """Change of ln IV_30 with the return over the same days: constant + slope r + size_slope |r|, and an error."""

    constant: float
    slope: float
    size_slope: float
    residual: float
    """Standard deviation of the error."""

    def compute(self, returns: np.ndarray, draws: np.ndarray | float = 0.0) -> np.ndarray:
        """Relative change of a 30-day volatility, of the returns' shape; `draws` are errors in standard deviations."""
        line = self.constant + self.slope * returns + self.size_slope * np.abs(returns)
        change: np.ndarray = np.expm1(line + self.residual * draws)
        return change


def fit_proxy(quotes: Quotes, forecast: np.ndarray, returns: np.ndarray) -> Proxy:
    """Fit on the days of `quotes`.

    Parameters
    ----------
    quotes : Quotes
        (D,) consecutive days.
    forecast : ndarray
        (D,) sigma of the next day, known at each day's close, fraction.
    returns : ndarray
        (D,) log return into each day.

    Raises
    ------
    OutOfRange
        If there are fewer than `LEAST_DAYS` days, a number is missing or not possible, or the fitted path does not
        return (phi outside [0, 1)).
    """
    _check_quotes(quotes)
    require_all_in_range("forecast volatility", forecast, 1e-9, LARGEST)
    require_all_in_range("return between days with quotes", returns[1:], -LARGEST, LARGEST)
    level = np.log(quotes.atm[:, MIDDLE])
    offset = level - np.log(forecast * np.sqrt(DAYS_PER_YEAR))
    later, size = returns[1:], np.abs(returns[1:])
    design = np.column_stack([np.ones(len(later)), offset[:-1], later, size - size.mean()])
    (constant, persistence, slope, size_slope), *_ = np.linalg.lstsq(design, offset[1:], rcond=None)
    if not 0 <= persistence < 1:
        raise OutOfRange("persistence of the volatility proxy", float(persistence), 0, "below 1")
    left = offset[1:] - design @ np.array([constant, persistence, slope, size_slope])
    line = np.column_stack([np.ones(len(level)), level])
    near, far = (np.linalg.lstsq(line, np.log(quotes.atm[:, tenor]) - level, rcond=None)[0] for tenor in (0, 2))
    put, call = np.median(quotes.wings / quotes.atm[:, MIDDLE, None], axis=0)
    return Proxy(
        ratio=float(np.exp(constant / (1.0 - persistence))),
        persistence=float(persistence),
        slope=float(slope),
        size_slope=float(size_slope),
        mean_size=float(size.mean()),
        terms=((float(near[0]), float(near[1])), (float(far[0]), float(far[1]))),
        wings=(float(put), float(call)),
        unexplained=float(left.std()),
    )


def _check_quotes(quotes: Quotes) -> None:
    if len(quotes.dates) < LEAST_DAYS:
        raise OutOfRange("days with quotes", len(quotes.dates), LEAST_DAYS, "any number")
    for what, volatilities in (("volatility at the money", quotes.atm), ("volatility of a wing", quotes.wings)):
        require_all_in_range(what, volatilities, 1e-9, LARGEST)


def fit_response(quotes: Quotes, closes: np.ndarray, days: int) -> Response:
    """The regression over overlapping changes of `days` days; `closes` (D,) are the prices of the quotes' days.

    Raises `OutOfRange` if there are fewer than `LEAST_DAYS` days, or a number is missing or not possible.
    """
    _check_quotes(quotes)
    require_all_in_range("close", closes, 1e-9, LARGEST_CLOSE)
    level, price = np.log(quotes.atm[:, MIDDLE]), np.log(closes)
    returns = price[days:] - price[:-days]
    design = np.column_stack([np.ones(len(returns)), returns, np.abs(returns)])
    change = level[days:] - level[:-days]
    constants = np.linalg.lstsq(design, change, rcond=None)[0]
    constant, slope, size_slope = constants.tolist()
    return Response(constant, slope, size_slope, residual=float((change - design @ constants).std()))


def make_proxy_path(proxy: Proxy, forecast: np.ndarray, returns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) volatilities at the tenors and (T, 2) wings; (T,) forecasts and returns into each day, u = 0 before."""
    u, path = 0.0, np.empty(len(forecast))
    for day, (sigma, move) in enumerate(zip(forecast, returns, strict=True)):
        u = proxy.persistence * u + proxy.slope * move + proxy.size_slope * (abs(move) - proxy.mean_size)
        path[day] = np.log(proxy.ratio * sigma * np.sqrt(DAYS_PER_YEAR)) + u
    (near, near_slope), (far, far_slope) = proxy.terms
    levels = np.column_stack([path + near + near_slope * path, path, path + far + far_slope * path])
    return np.exp(levels), np.exp(path)[:, None] * np.array(proxy.wings)


def interpolate_volatility(
    atm: np.ndarray, wings: np.ndarray, days: np.ndarray | float, moneyness: np.ndarray | float
) -> np.ndarray:
    """Volatility at tenors and moneyness ln(strike / forward), arrays of one shape.

    At the money: total variance is linear between the known tenors, volatility flat outside. The smile is a parabola
    in x = moneyness / (volatility sqrt(years)) through the two wings at +-`QUARTER_DELTA`, the same for every tenor,
    flat beyond `FARTHEST`.

    Parameters
    ----------
    atm : ndarray
        (3,) at `TENORS`.
    wings : ndarray
        (2,) put and call at 30 days.
    days, moneyness
        Positive days to expiry; any numbers.
    """
    tenors = require_all_in_range("days to expiry", days, LEAST_TENOR, LARGEST_TENOR)
    inside = np.clip(tenors, TENORS[0], TENORS[-1])
    level = np.sqrt(np.interp(inside, TENORS, atm**2 * np.array(TENORS)) / inside)
    put, call = wings / atm[MIDDLE]
    tilt, bend = (call - put) / (2 * QUARTER_DELTA), ((call + put) / 2 - 1) / QUARTER_DELTA**2
    x = np.clip(moneyness / (level * np.sqrt(tenors / DAYS_PER_YEAR)), -FARTHEST, FARTHEST)
    volatility: np.ndarray = level * np.maximum(1.0 + tilt * x + bend * x**2, 0.1)
    return volatility
