"""Units and their checks: money in micro-dollars, lot sizes in hundred-millionths of a coin, time in seconds of UTC.

A number crosses the border of the engine through one of the `require_` functions, which name what was refused.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NewType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zkmargin.engine.errors import MalformedFile, OutOfRange, WrongKind

Usd6 = NewType("Usd6", int)
"""Signed micro-dollars of USDC."""
Lots = NewType("Lots", int)
"""Signed lots of one instrument; a short position is negative."""

NO_CASH = Usd6(0)

USD6 = 1_000_000
"""Micro-dollars per US dollar; prices, strikes and cash are whole micro-dollars."""
LOT_STEP = 100_000_000
"""Steps per coin: lot sizes are whole multiples of 1e-8 coin."""
SECONDS_PER_HOUR = 3_600
SECONDS_PER_DAY = 86_400
MINUTES_PER_DAY = 1_440
DAYS_PER_YEAR = 365
"""ACT/365, as the options' venues quote."""
SECONDS_PER_YEAR = DAYS_PER_YEAR * SECONDS_PER_DAY


def usd(dollars: int | float | str | Decimal | Fraction) -> Usd6:
    """US dollars as exact micro-dollars: the one way to say money.

    A float is the decimal that it prints as, so `usd(0.1)` is 100,000; texts are decimals, such as "1234.56".

    Raises
    ------
    WrongKind
        If it is no number: a truth value, another type, or a text that is no decimal.
    OutOfRange
        If it is not finite, or not a whole number of micro-dollars.
    """
    if isinstance(dollars, bool) or not isinstance(dollars, int | float | str | Decimal | Fraction):
        raise WrongKind("US dollars", dollars, "a number, or a decimal in a text")
    try:
        exact = Fraction(repr(dollars) if isinstance(dollars, float) else dollars) * USD6
    except (ValueError, OverflowError):
        allowed = "a decimal, such as '1234.56'"
        if isinstance(dollars, str):
            raise WrongKind("US dollars", dollars, allowed) from None
        raise OutOfRange("US dollars", dollars, "any finite number", allowed) from None
    if exact.denominator != 1:
        raise OutOfRange("US dollars", dollars, "whole micro-dollars", "six decimals")
    return Usd6(int(exact))


def to_usd6(dollars: ArrayLike) -> NDArray[np.int64]:
    """US dollars to micro-dollars, int64, rounded to nearest (ties to even): the one rounding of a policy's columns."""
    usd6: NDArray[np.int64] = np.rint(np.asarray(dollars, dtype=float) * USD6).astype(np.int64)
    return usd6


def ceil_usd6(dollars: ArrayLike) -> NDArray[np.int64]:
    """US dollars to micro-dollars, int64, rounded up: charges are rounded against the account."""
    usd6: NDArray[np.int64] = np.ceil(np.asarray(dollars, dtype=float) * USD6).astype(np.int64)
    return usd6


def quantize(value: float, steps: int) -> float:
    """`value` rounded to the nearest multiple of 1 / `steps`, ties to even; idempotent below 2^51 steps."""
    return round(value * steps) / steps


def require_in_range(what: str, value: object, low: float, high: float) -> float:
    """`value` as a float; raises `OutOfRange` unless it is a number (no bool, no NaN) in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise OutOfRange(what, value, low, high)
    if not low <= value <= high:  # also refuses NaN
        raise OutOfRange(what, value, low, high)
    return float(value)


def require_all_in_range(what: str, values: ArrayLike, low: float, high: float) -> np.ndarray:
    """`values` as an array of floats, of any shape; raises `OutOfRange` for the first that is not in [low, high].

    A missing value (None, NaN) is in no range, and neither is text nor a truth value.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iuf":
        for value in given.ravel().tolist():
            require_in_range(what, value, low, high)
    numbers = np.asarray(given, dtype=float)
    refused = numbers[~((numbers >= low) & (numbers <= high))]
    if refused.size:
        raise OutOfRange(what, float(refused.flat[0]), low, high)
    return numbers


def require_whole(what: str, value: object, low: int, high: int) -> int:
    """`value` as an int; raises `OutOfRange` unless it is a whole number (not a bool or float) in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not low <= value <= high:
        raise OutOfRange(what, value, low, high)
    return int(value)


def require_on_grid(what: str, value: object, low: float, high: float, steps: int) -> float:
    """`value` as a float; raises `OutOfRange` unless it lies in [low, high] and is a multiple of 1 / `steps`."""
    number = require_in_range(what, value, low, high)
    if quantize(number, steps) != number:
        raise OutOfRange(what, value, low, f"{high}, a multiple of {1 / steps:g}")
    return number


def require_flags(what: str, values: ArrayLike) -> np.ndarray:
    """`values` as an array of bool, of any shape; raises `WrongKind` unless each is True or False.

    No number and no text stands for a truth value: -1, "put", "False" and NaN are all true to Python.
    """
    flags = np.asarray(values)
    if flags.dtype == np.bool_:
        return flags
    for value in flags.ravel().tolist():
        if not isinstance(value, bool | np.bool_):
            raise WrongKind(what, value, "True or False")
    return flags.astype(bool)


def read_utc(text: object, source: object) -> datetime:
    """The moment of an ISO 8601 text, in UTC: a time without an offset is UTC, one with an offset is converted.

    Raises `MalformedFile`, which carries `source`, for a text that is no time.
    """
    try:
        moment = datetime.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        raise MalformedFile(source, f"time is {text!r}; allowed: ISO 8601, as 2026-08-22T15:33:51+00:00") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
