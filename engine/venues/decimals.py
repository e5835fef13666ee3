"""Exact decimal amounts: read from strings, compared with thresholds, added up, written with 18 places.

A confidence of 0.399999999999999999 is below the threshold 0.4 and is not a binary fraction, so thresholds are compared
in decimals. Prices are binary floats; each enters a sum of money by its exact value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from zkmargin.engine.errors import OutOfRange, WrongKind

CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""What venue margins are computed in: sums and products of the files' numbers are exact or wrong in the 60th digit."""
PLACES = Decimal("1e-18")
"""Last place of a printed amount; half a unit of it is the only rounding of an output."""
LARGEST = 10**18
"""Numbers of a case file are below this in size: a limit against typing errors, far above any market's."""
ZERO = Decimal(0)
PLAIN = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,60})?([eE][+-]?[0-9]{1,2})?")


def parse_decimal(value: object) -> Decimal:
    """A file's decimal string; raises `WrongKind` for anything else (NaN and floats too), `OutOfRange` by size."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not PLAIN.fullmatch(value):
        raise WrongKind("number", value, "a finite decimal number in a string")
    number = Decimal(value)
    if abs(number) >= LARGEST:
        raise OutOfRange("number", value, -LARGEST, LARGEST)
    return number


Number = Annotated[Decimal, BeforeValidator(parse_decimal)]
"""Any finite decimal of a case file."""
NonNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]


def to_decimal(number: float) -> Decimal:
    """The exact value of a float; raises `OutOfRange` if it is not finite."""
    if not math.isfinite(number):
        raise OutOfRange("amount", float(number), "any", "finite number")
    return Decimal(float(number))


def sum_products(prices: Iterable[float], quantities: Iterable[Decimal]) -> Decimal:
    """Value of a book, exact but for the prices' own error; raises `OutOfRange` if a price is not finite."""
    return sum((to_decimal(price) * held for price, held in zip(prices, quantities, strict=True)), ZERO)


def render(amount: Decimal) -> str:
    """`amount` in plain notation with 18 places, rounded to nearest (ties to even), never truncated; no minus zero."""
    return f"{CONTEXT.add(CONTEXT.quantize(amount, PLACES), ZERO):f}"
