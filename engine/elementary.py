"""Elementary functions that give the same bits on every machine.

A quorum of publishers has to build equal policies, and the C library's exp, log and erfc differ between libraries,
processors and vector units in the last bit. These use only what IEEE 754 rounds in one way: + - x /, comparison,
rounding to an integer, and splitting and joining an exponent, each as a numpy call of its own, in a fixed order. No
sum, no product of matrices, no fused step.

Errors, in units in the last place of the result: `exp`, `expm1` and `log` below 2, `normal_cdf` below 8.

References
----------
.. [1] J. M. Muller, "Elementary Functions: Algorithms and Implementation", 3rd edition (2016), chapter 11: reduction of
   the argument in two parts [Cody and Waite].
.. [2] M. M. Shepherd, J. G. Laframboise, "Chebyshev approximation of (1 + 2x) exp(x^2) erfc x in 0 <= x < infinity",
   Mathematics of Computation 36 (1981): the form of `_TAIL`, here for the normal distribution.
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import ArrayLike

LN2_HIGH = float.fromhex("0x1.62e42feep-1")
"""The first 33 bits of ln 2: its product with an exponent is exact."""
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
"""The rest of ln 2."""
INVERSE_LN2 = 1.4426950408889634
SQRT_HALF = 0.7071067811865476
BEYOND = 800.0
"""Arguments of this size and above make every double 0 or infinite: 2^1074 is e^745."""

_EXPM1 = tuple(1.0 / factorial(n) for n in range(13, 1, -1))
"""expm1(r) = r + r^2 p(r), highest power first: Taylor's series up to r^13, for |r| <= ln 2 / 2."""
_LOG = tuple(2.0 / (2 * k + 1) for k in range(10, 0, -1))
"""log((1 + s) / (1 - s)) = 2 s + s q(s^2), without a constant term, up to s^21, for |s| <= 3 - 2 sqrt 2."""

_TAIL_CENTRE = 5.0
_TAIL = (
    -3.815816262632953e-10,
    -2.8220772290629865e-10,
    4.4011596227599254e-09,
    3.627373163401201e-09,
    -3.095201755804207e-08,
    -2.6286205089898754e-08,
    1.9627809920091187e-07,
    1.27878221820937e-07,
    -1.3074486019237587e-06,
    -7.034644683537101e-08,
    9.05982468125664e-06,
    -9.896097759279782e-06,
    -5.36075811148722e-05,
    0.00018233414511643843,
    7.791597409338999e-06,
    -0.00167607234455447,
    0.006522000667783896,
    -0.015170415402514863,
    0.024536963243678652,
    -0.026401042966308307,
    0.010002352385229382,
    0.031030368425963708,
    -0.09155228183400904,
    0.46151582985003775,
)
"""(1 + y) exp(y^2 / 2) N(-y) as a polynomial in (y - 5) / (y + 5), highest power first, for y >= 0 [2]_: Chebyshev's
series by interpolation at 60 digits, cut where the rest is below 1e-17."""


def _evaluate(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Horner's scheme, highest power first."""
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += coefficient
    return value


def _reduce(x: np.ndarray, rest: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """k and expm1(r), where x + rest = k ln 2 + r and |r| <= ln 2 / 2, up to rounding."""
    k = np.rint((x + rest) * INVERSE_LN2)
    r = (x - k * LN2_HIGH) + (rest - k * LN2_LOW)
    return k, r + (r * r) * _evaluate(_EXPM1, r)


def _scale(value: np.ndarray, k: np.ndarray) -> np.ndarray:
    """value 2^k, for a whole k; where k is NaN, value is."""
    scaled: np.ndarray = np.ldexp(value, k.astype(np.intc))
    return scaled


def exp(x: ArrayLike) -> np.ndarray:
    """e^x, any shape; 0 and infinity beyond the doubles."""
    x = np.asarray(x, dtype=float)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        k, grown = _reduce(np.clip(x, -BEYOND, BEYOND))
        return _scale(1.0 + grown, k)


def expm1(x: ArrayLike) -> np.ndarray:
    """e^x - 1, exact to the last places near 0, any shape."""
    x = np.asarray(x, dtype=float)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        k, grown = _reduce(np.clip(x, -BEYOND, BEYOND))
        return _scale(grown, k) + (_scale(np.ones_like(k), k) - 1.0)


def log(x: ArrayLike) -> np.ndarray:
    """Natural logarithm, any shape: -infinity at 0, infinity at infinity, NaN below 0."""
    x = np.asarray(x, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        share, exponent = np.frexp(x)
        low = share < SQRT_HALF
        f = np.where(low, share + share, share) - 1.0
        k = exponent - low.astype(float)
        s = f / (2.0 + f)
        z = s * s
        half_square = 0.5 * f * f
        correction = s * (half_square + z * _evaluate(_LOG, z)) + k * LN2_LOW
        value = k * LN2_HIGH - ((half_square - correction) - f)
        usual = (x > 0.0) & (x < np.inf)
        return (
            value if usual.all() else np.where(usual, value, np.where(x == 0.0, -np.inf, np.where(x > 0.0, x, np.nan)))
        )


def power(x: ArrayLike, exponent: ArrayLike) -> np.ndarray:
    """x^exponent for x > 0, any shape."""
    return exp(np.asarray(exponent, dtype=float) * log(x))


def normal_cdf(x: ArrayLike) -> np.ndarray:
    """N(x), the standard normal distribution, any shape; relative precision in the lower tail."""
    x = np.asarray(x, dtype=float)
    y = np.minimum(np.abs(x), 40.0)  # N(-40) is 0 as a double
    head = np.floor(y * 16.0) * 0.0625  # its square is exact: exp(-y^2 / 2) keeps its precision in the tail
    with np.errstate(under="ignore", invalid="ignore"):
        k, grown = _reduce(-0.5 * head * head, -0.5 * (y - head) * (y + head))
        shape = _evaluate(_TAIL, (y - _TAIL_CENTRE) / (y + _TAIL_CENTRE)) / (1.0 + y)
        tail = _scale(shape * (1.0 + grown), k)
    return np.where(x > 0.0, 1.0 - tail, tail)
