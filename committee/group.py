"""BabyJubJub's prime-order subgroup as the committee uses it: checked points, one encoding, and hashes.

The arithmetic is the prover's native module; multiplication does the same additions for every scalar. What is here
besides works on public data only.
"""

import hashlib
from collections.abc import Iterable, Sequence

from zkmargin.committee.errors import MessageRefused
from zkmargin.prover import _native
from zkmargin.prover.account.escrow import Point, check_committee_key
from zkmargin.prover.errors import NotInField, PointRefused
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

ORDER = _native.BABYJUB_ORDER
"""l, the prime order of the subgroup."""
BASE8: Point = _native.BASE8
"""Its generator."""
IDENTITY: Point = (0, 1)

SCALAR_BYTES = 32
POINT_BYTES = 64

_A, _D = 168700, 168696
"""Coefficients of the curve, a x^2 + y^2 = 1 + d x^2 y^2; EIP-2494."""
_NON_RESIDUE = 5
"""No square modulo the field's modulus."""
_COFACTOR = 8


# ------------------------------------------------------------------------------------------------------- arithmetic
def multiply(point: Point, scalar: int) -> Point:
    """scalar * point; any scalar, taken modulo l."""
    return _native.babyjubjub_mul(point, scalar % ORDER)


def combine(scalars: Iterable[int], points: Iterable[Point]) -> Point:
    """sum_i scalar_i * point_i."""
    total = IDENTITY
    for scalar, point in zip(scalars, points, strict=True):
        total = _native.babyjubjub_add(total, multiply(point, scalar))
    return total


def make_scalar() -> Secret:
    """A fresh scalar in [1, l), from the operating system."""
    return Secret(_native.random_scalar())


# --------------------------------------------------------------------------------------------------------- encoding
def check_point(what: str, point: Point) -> Point:
    """The point if it is on the curve, in the subgroup and not the identity.

    Raises
    ------
    MessageRefused
        If it is not.
    """
    try:
        return check_committee_key(point)
    except (NotInField, PointRefused):
        raise MessageRefused(what, "not a point of BabyJubJub's prime-order subgroup other than the identity") from None


def encode_point(point: Point) -> bytes:
    """x || y, 32 bytes each, big-endian."""
    return b"".join(coordinate.to_bytes(SCALAR_BYTES, "big") for coordinate in point)


def decode_point(what: str, data: bytes) -> Point:
    """Inverse of `encode_point`: one encoding for each point, and only of points that `check_point` passes."""
    x, y = (int.from_bytes(half, "big") for half in (data[:SCALAR_BYTES], data[SCALAR_BYTES:]))
    return check_point(what, (x, y))


def encode_scalar(scalar: int) -> bytes:
    """32 bytes, big-endian."""
    return scalar.to_bytes(SCALAR_BYTES, "big")


def decode_scalar(what: str, data: bytes) -> int:
    """Inverse of `encode_scalar`.

    Raises
    ------
    MessageRefused
        If the number is not below l; the text does not show it.
    """
    scalar = int.from_bytes(data, "big")
    if scalar >= ORDER:
        raise MessageRefused(what, "not below the subgroup's order")
    return scalar


class Reader:
    """Takes fixed-length fields off a message and refuses what is left over."""

    def __init__(self, what: str, data: bytes, size: int):
        if len(data) != size:
            raise MessageRefused(what, f"has {len(data)} bytes, allowed: {size}")
        self._what, self._data, self._place = what, data, 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        self._place += size
        return self._data[self._place - size : self._place]

    def take_number(self, size: int = 2) -> int:
        """The next `size` bytes as a natural number."""
        return int.from_bytes(self.take(size), "big")

    def take_point(self) -> Point:
        """The next point, checked."""
        return decode_point(self._what, self.take(POINT_BYTES))

    def take_scalar(self) -> int:
        """The next scalar, checked."""
        return decode_scalar(self._what, self.take(SCALAR_BYTES))


# ------------------------------------------------------------------------------------------------------------ hashes
def compute_digest(tag: str, *parts: bytes) -> bytes:
    """SHA-512 of tag and parts, each with its length before it: no two lists have one text."""
    hasher = hashlib.sha512()
    for part in (f"zkmargin.committee.{tag}".encode(), *parts):
        hasher.update(len(part).to_bytes(8, "big") + part)
    return hasher.digest()


def compute_id(tag: str, *parts: bytes) -> bytes:
    """32 bytes of `compute_digest`."""
    return compute_digest(tag, *parts)[:32]


def hash_to_scalar(tag: str, *parts: bytes) -> int:
    """A scalar below l; 512 bits reduced, so uniform to 2^-260."""
    return int.from_bytes(compute_digest(tag, *parts), "big") % ORDER


def hash_to_curve(tag: str, *parts: bytes) -> Point:
    """A point of the subgroup whose logarithm nobody knows, to any base.

    x from the hash, again until y^2 = (1 - a x^2) / (1 - d x^2) is a square; the root whose parity the hash says; times
    the cofactor 8. For public data only, as the number of tries depends on them.
    """
    count = 0
    while True:
        digest = compute_digest(tag, *parts, count.to_bytes(4, "big"))
        x = int.from_bytes(digest[:-1], "big") % FIELD_MODULUS
        square = (1 - _A * x * x) * pow(1 - _D * x * x, -1, FIELD_MODULUS) % FIELD_MODULUS
        root = _compute_root(square)
        if root is not None:
            y = root if root % 2 == digest[-1] % 2 else FIELD_MODULUS - root
            point = _native.babyjubjub_mul((x, y % FIELD_MODULUS), _COFACTOR)
            if point != IDENTITY:
                return point
        count += 1


def _compute_root(square: int) -> int | None:
    """A square root modulo the field's modulus (Tonelli and Shanks), or None if there is none."""
    if pow(square, (FIELD_MODULUS - 1) // 2, FIELD_MODULUS) not in (0, 1):
        return None
    odd, twos = FIELD_MODULUS - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    unit, rest = pow(_NON_RESIDUE, odd, FIELD_MODULUS), pow(square, odd, FIELD_MODULUS)
    root = pow(square, (odd + 1) // 2, FIELD_MODULUS)
    while rest not in (0, 1):
        depth, power = 0, rest
        while power != 1:
            depth, power = depth + 1, power * power % FIELD_MODULUS
        factor = pow(unit, 1 << (twos - depth - 1), FIELD_MODULUS)
        twos, unit = depth, factor * factor % FIELD_MODULUS
        rest, root = rest * unit % FIELD_MODULUS, root * factor % FIELD_MODULUS
    return root


def encode_points(points: Sequence[Point]) -> bytes:
    """The encodings, one after another."""
    return b"".join(map(encode_point, points))
