"""Points in snarkjs's JSON: projective coordinates as decimal strings, of affine points only, real part first on G2."""

from collections.abc import Callable
from typing import TypeVar

from zkmargin.prover.errors import FormatError
from zkmargin.prover.ranges import read_decimal

T = TypeVar("T")


def read_g1(what: str, point: object) -> tuple[int, int]:
    """x and y of a point of G1; raises `FormatError` for what is no affine point of `what`, a file's kind."""
    x, y, z = _read_list(what, point, 3, read_decimal)
    if z != 1:
        raise FormatError(what, f"a point of G1 has z = {z}; allowed: 1, affine coordinates")
    return x, y


def read_g2(what: str, point: object) -> tuple[int, int, int, int]:
    """x.c1, x.c0, y.c1, y.c0 of a point of G2, as the EVM's pairing precompile takes it; raises like `read_g1`."""
    (x0, x1), (y0, y1), (z0, z1) = _read_list(
        what, point, 3, lambda what, pair: _read_list(what, pair, 2, read_decimal)
    )
    if (z0, z1) != (1, 0):
        raise FormatError(what, f"a point of G2 has z = ({z0}, {z1}); allowed: (1, 0), affine coordinates")
    return x1, x0, y1, y0


def _read_pair(what: str, pair: object) -> list[int]:
    return _read_list(what, pair, 2, read_decimal)


def _read_list(what: str, items: object, length: int, read: Callable[[str, object], T]) -> list[T]:
    if not isinstance(items, list | tuple) or len(items) != length:
        raise FormatError(what, f"a point is no list of {length} numbers or pairs")
    return [read(what, item) for item in items]
