"""Elementary functions: accurate against many digits, defined at the edges, and the same bits everywhere."""

import hashlib
from decimal import Decimal, localcontext

import numpy as np
import pytest

from zkmargin.engine.elementary import exp, expm1, log, normal_cdf, power

DIGITS = 60
RANDOM = np.random.default_rng(20)
AROUND_ONE = 1.0 + RANDOM.uniform(-1e-6, 1e-6, 50)
NEAR_ZERO = np.concatenate([RANDOM.uniform(-1e-3, 1e-3, 50), RANDOM.uniform(-1, 1, 200), [2.0**-60, -(2.0**-60)]])
WIDE = RANDOM.uniform(-700, 700, 200)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


def get_normal_cdf(x: Decimal) -> Decimal:
    """N(x): 1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...), in the lower tail phi(x) / (-x + 1 / (-x + 2 / (-x + ...)))."""
    with localcontext() as context:
        context.prec = DIGITS
        density = (-x * x / 2).exp() / (2 * PI).sqrt()
        if x < -4:
            fraction = -x
            for k in range(600, 0, -1):
                fraction = -x + k / fraction
            return density / fraction
        term = total = x
        for k in range(3, 400, 2):
            term *= x * x / k
            total += term
        return Decimal("0.5") + density * total


def count_ulps(values: np.ndarray, exact: list[Decimal]) -> float:
    """Largest error in units in the last place of the exact value."""
    return max(
        float(abs(Decimal(float(value)) - true) / Decimal(float(np.spacing(abs(float(true))))))
        for value, true in zip(values, exact, strict=True)
    )


def compute_exactly(function, arguments: np.ndarray) -> list[Decimal]:
    with localcontext() as context:
        context.prec = DIGITS
        return [function(Decimal(float(x))) for x in arguments]


@pytest.mark.parametrize(
    ("function", "exact", "arguments", "ulps"),
    [
        (exp, Decimal.exp, np.concatenate([WIDE, NEAR_ZERO]), 2),
        (expm1, lambda x: x.exp() - 1, NEAR_ZERO, 2),
        (expm1, lambda x: x.exp() - 1, WIDE, 2),
        (log, Decimal.ln, np.concatenate([np.exp(WIDE), RANDOM.uniform(0.5, 2, 200), AROUND_ONE]), 2),
    ],
    ids=["exp", "expm1 near 0", "expm1", "log"],
)
def test_errors_stay_below_two_units_in_the_last_place(function, exact, arguments, ulps):
    assert count_ulps(function(arguments), compute_exactly(exact, arguments)) < ulps


def test_the_normal_distribution_keeps_relative_precision_in_its_tail():
    x = np.concatenate([RANDOM.uniform(-8, 8, 100), RANDOM.uniform(-1, 1, 50), np.linspace(-30, -8, 12), [0.0]])
    assert count_ulps(normal_cdf(x), [get_normal_cdf(Decimal(float(value))) for value in x]) < 8


def test_power():
    x, exponent = np.array([1.0, 30.0, 0.97, 2.0]), np.array([0.3, 0.13, 0.5, 3.0])
    assert power(x, exponent).tolist() == pytest.approx((x**exponent).tolist(), rel=1e-15)


def test_edges():
    infinite = np.array([-np.inf, 0.0, np.inf, np.nan])
    assert np.array_equal(exp(infinite), [0.0, 1.0, np.inf, np.nan], equal_nan=True)
    assert np.array_equal(expm1(infinite), [-1.0, 0.0, np.inf, np.nan], equal_nan=True)
    assert np.array_equal(log([0.0, 1.0, np.inf, np.nan, -1.0]), [-np.inf, 0.0, np.inf, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(normal_cdf(infinite), [0.0, 0.5, 1.0, np.nan], equal_nan=True)
    assert exp([-746.0, 710.0]).tolist() == [0.0, np.inf] and exp(-745.0) > 0.0 and exp(709.7) < np.inf
    assert log(5e-324) == pytest.approx(-744.4400719213812, rel=1e-15)
    assert normal_cdf([-40.0, -50.0, 9.0]).tolist() == [0.0, 0.0, 1.0] and normal_cdf(-37.0) > 0.0


def test_shapes():
    assert exp(0.0).shape == () and log(np.ones((2, 3))).shape == (2, 3) and normal_cdf([]).shape == (0,)


BITS = {
    "exp": "6974a3bd5e5dc30b",
    "expm1": "2d437380d9ad3f84",
    "log": "3ca2ec6938afcbc5",
    "normal_cdf": "28dfb0db19c21604",
}
"""SHA-256, first 16 digits, of the results as big-endian doubles for the arguments below."""


@pytest.mark.property("P-87")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("exp", np.arange(-70_000, 70_000) / 128),
        ("expm1", np.arange(-70_000, 70_000) / 65_536),
        ("log", np.arange(1, 140_000) / 4_096),
        ("normal_cdf", np.arange(-70_000, 70_000) / 4_096),
    ],
)
def test_bits_are_those_of_every_machine(name, arguments):
    function = {"exp": exp, "expm1": expm1, "log": log, "normal_cdf": normal_cdf}[name]
    assert hashlib.sha256(function(arguments).astype(">f8").tobytes()).hexdigest()[:16] == BITS[name]
