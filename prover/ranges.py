"""Whole numbers inside their ranges: the check at every border of the prover."""

from zkmargin.prover.errors import OutOfRange


def check_range(what: str, value: int, low: int, high: int, *, is_private: bool = False) -> int:
    """`value` as an int if it lies in [low, high), else raise OutOfRange with the (closed) range.

    Of what is private the error's text shows no value.
    """
    number = int(value)
    if not low <= number < high:
        raise OutOfRange(what, number, low, high - 1, is_private=is_private)
    return number


def check_private(what: str, value: int, bits: int) -> int:
    """A private `value` if it lies in [-2^bits, 2^bits), else raise OutOfRange, whose text does not show it."""
    return check_range(what, value, -(1 << bits), 1 << bits, is_private=True)
