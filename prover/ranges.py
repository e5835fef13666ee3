"""Whole numbers inside their ranges: the check at every border of the prover.

What counts as a whole number is the engine's rule: no bool, no float, no text, however they would convert. A cut or
guessed amount would be signed.
"""

import operator
from collections.abc import Callable, Iterable
from contextlib import suppress

from zkmargin.engine.errors import OutOfRange as EngineOutOfRange
from zkmargin.engine.units import require_whole
from zkmargin.prover.errors import FormatError, OutOfRange, StatementError

MAX_DIGITS = 80
"""Longest decimal that is read from a file: 2^256 has 78 digits."""


def check_range(what: str, value: object, low: int, high: int, *, is_private: bool = False) -> int:
    """`value` as an int if it is a whole number in [low, high), else raise OutOfRange with the (closed) range.

    Of what is private the error's text shows no value.
    """
    with suppress(EngineOutOfRange):
        return require_whole(what, value, low, high - 1)
    raise OutOfRange(what, value, low, high - 1, is_private=is_private)


def check_private(what: str, value: object, bits: int) -> int:
    """A private `value` if it lies in [-2^bits, 2^bits), else raise OutOfRange, whose text does not show it."""
    return check_range(what, value, -(1 << bits), 1 << bits, is_private=True)


def check_all_private(name: Callable[[int], str], values: Iterable[object], bits: int) -> list[int]:
    """Private `values` as ints if each lies in [-2^bits, 2^bits), else as `check_private`; named by its place."""
    low, high = -(1 << bits), 1 << bits
    return [
        value if type(value) is int and low <= value < high else check_private(name(place), value, bits)
        for place, value in enumerate(values)
    ]


def check_time(now: object) -> int:
    """`now` as whole unix seconds; raises `OutOfRange` for anything else: against NaN no limit would have passed."""
    return check_range("time now, unix seconds", now, 0, 1 << 40)


def require_integer(what: str, value: object) -> int:
    """`value` as an int of any size, else raise StatementError; the text does not show the value."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise StatementError(f"{what} is no whole number but {type(value).__name__}")
    return operator.index(value)


def read_decimal(what: str, value: object) -> int:
    """A natural number of a file in snarkjs's JSON: decimal digits in a string, or an integer.

    Raises
    ------
    FormatError
        If it is anything else (a float, NaN, a sign, a blank); the text does not show it.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and len(value) <= MAX_DIGITS and value.isascii() and value.isdigit():
        return int(value)
    raise FormatError(what, f"a number is no decimal integer of at most {MAX_DIGITS} digits")
