"""Money is said in one way, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.errors import OutOfRange, WrongKind
from zkmargin.engine.units import usd


@pytest.mark.parametrize(
    "dollars, expected",
    [
        (100_000, 100_000_000_000),
        (0.1, 100_000),
        (-1234.56, -1_234_560_000),
        ("1234.567891", 1_234_567_891),
        (Decimal("0.000001"), 1),
        (Fraction(1, 8), 125_000),
        (1e15, 10**21),
    ],
)
def test_dollars_are_exact_micro_dollars(dollars, expected):
    assert usd(dollars) == expected and type(usd(dollars)) is int


@given(st.integers(-(10**15), 10**15))
def test_every_micro_dollar_can_be_said(amount):
    assert usd(Decimal(amount) / 10**6) == usd(Fraction(amount, 10**6)) == amount


@pytest.mark.parametrize("dollars", [0.0000001, 1 / 3, Fraction(1, 3), "0.0000001", Decimal("1.2345678")])
def test_what_is_no_whole_micro_dollar_is_refused(dollars):
    with pytest.raises(OutOfRange, match="whole micro-dollars"):
        usd(dollars)


@pytest.mark.parametrize("dollars", [float("nan"), float("inf"), -float("inf"), Decimal("nan"), Decimal("inf")])
def test_what_is_not_finite_is_refused(dollars):
    with pytest.raises(OutOfRange, match="US dollars"):
        usd(dollars)


@pytest.mark.parametrize("dollars", [True, False, None, [1], "ten", "", b"1"])
def test_what_is_no_number_is_refused(dollars):
    with pytest.raises(WrongKind, match="US dollars"):
        usd(dollars)
