"""Black (1976) prices and Greeks, vectorised.

Prices are undiscounted: options settle in USDC and are worth the expected payoff on the forward of their own expiry.

References
----------
.. [1] F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976), equation 16 without
   its discount factor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from zkmargin.engine.elementary import exp, log, normal_cdf
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_flags

INVERSE_SQRT_2PI = 0.3989422804014327
"""1 / sqrt(2 pi), the standard normal density at 0."""


class Greeks(NamedTuple):
    """Derivatives of the undiscounted Black (1976) price, each of the broadcast shape."""

    delta: np.ndarray
    """Per US dollar of the forward: N(d1) for calls, N(d1) - 1 for puts."""
    gamma: np.ndarray
    """Change of delta per US dollar of the forward; 0 where volatility * sqrt(years) is 0."""
    vega: np.ndarray
    """US dollars per 1.00 of volatility (a hundred volatility points)."""
    theta: np.ndarray
    """US dollars per year that passes, at a constant forward; never positive; 0 at expiry."""


def require_not_negative(what: str, value: ArrayLike) -> np.ndarray:
    """`value` as floats of any shape; raises `OutOfRange` unless each is finite and at least 0."""
    array = np.asarray(value, dtype=float)
    # One comparison refuses negative numbers, NaN and infinity.
    good = (array >= 0) & (array < np.inf)
    if not good.all():
        raise OutOfRange(what, float(array[~good].flat[0]), 0, "any finite number")
    return array


def _require_terms(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return (
        require_not_negative("forward", forward),
        require_not_negative("strike", strike),
        require_not_negative("years", years),
        require_not_negative("volatility", volatility),
    )


def _d1_d2(forward: np.ndarray, strike: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d1 and d2 for the deviation volatility * sqrt(years); infinite with the moneyness's sign where that is 0.

    At the money with no deviation both are 0, which makes the price 0 and the delta one half, the limit from above.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moneyness = log(forward / strike)
        d1 = moneyness / deviation + 0.5 * deviation
        d2 = d1 - deviation
    undefined = np.isnan(d1) | np.isnan(d2)
    if undefined.any():  # 0 / 0: forward = strike without deviation, or forward = strike = 0
        d1, d2 = np.where(undefined, 0.0, d1), np.where(undefined, 0.0, d2)
    return d1, d2


def black76_price(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, is_call: ArrayLike
) -> np.ndarray:
    """Undiscounted value of European options, US dollars per coin [1]_; arguments broadcast.

    The option out of the money is computed and the intrinsic value added: parity holds to the last rounding, a deep
    option in the money keeps its time value, and no price is below its intrinsic value or above its bound.

    Parameters
    ----------
    forward, strike
        US dollars, >= 0.
    years
        Time to expiry in years of 365 days, >= 0; at 0 the price is the payoff.
    volatility
        Fraction per square root of a year, >= 0.
    is_call
        True for calls, False for puts.

    Raises
    ------
    OutOfRange
        If a number is negative or not finite.
    WrongKind
        If a flag is anything but True or False: "p", -1 and NaN are all true to Python, and would price a call.
    """
    forward, strike, years, volatility = _require_terms(forward, strike, years, volatility)
    is_call = require_flags("is_call", is_call)
    d1, d2 = _d1_d2(forward, strike, volatility * np.sqrt(years))
    call_is_out = forward <= strike
    sign = np.where(call_is_out, 1.0, -1.0)
    out_of_the_money = sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))
    out_of_the_money = np.clip(out_of_the_money, 0.0, np.minimum(forward, strike))
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    price: np.ndarray = out_of_the_money + intrinsic
    return price


def black76_greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, is_call: ArrayLike
) -> Greeks:
    """Delta, gamma, vega and theta of the price of `black76_price`, same arguments and errors."""
    forward, strike, years, volatility = _require_terms(forward, strike, years, volatility)
    root = np.sqrt(years)
    deviation = volatility * root
    d1, _ = _d1_d2(forward, strike, deviation)
    is_call = require_flags("is_call", is_call)
    delta = np.where(is_call, normal_cdf(d1), -normal_cdf(-d1))
    density = INVERSE_SQRT_2PI * exp(-0.5 * d1 * d1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gamma = np.where((deviation > 0) & (forward > 0), density / (forward * deviation), 0.0)
        theta = np.where(root > 0, -0.5 * forward * density * volatility / root, 0.0)
    vega = forward * density * root + 0.0 * deviation
    shape = np.broadcast_shapes(delta.shape, vega.shape)
    return Greeks(*(np.broadcast_to(part, shape) for part in (delta, gamma, vega, theta)))
