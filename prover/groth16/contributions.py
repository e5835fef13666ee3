"""Contributions to a proving key as its file has them: section 10 of a zkey, which snarkjs writes and verifies.

snarkjs prints names raw, line breaks included, and a beacon as any contributor, so that nothing is read from what it
prints. Each contribution is 384 bytes of points and transcript (delta, the contributor's key s, s x in G1, x in G2; the
hash of all before), its type, and parameters: name, and a beacon's iterations and value.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass

from zkmargin.prover import _native
from zkmargin.prover.errors import KeyRefused

NAME = re.compile(r"[\x20-\x7e]{1,64}")
"""A contributor's name."""
BEACON_NAME = "beacon"
"""No contributor's name."""
BEACON_VALUE = re.compile(r"(?:[0-9a-f]{2}){16,64}")
"""A beacon as hex, 16 to 64 bytes."""
LEAST_EXPONENT, MOST_EXPONENT = 10, 63
"""Bounds of the number of hash iterations of a beacon, as a power of two."""
SECTION, MAGIC = 10, b"zkey"
COORDINATE, POINTS, TRANSCRIPT = 32, (2, 2, 2, 4), 64
"""Bytes of a coordinate, coordinates of each point, bytes of the transcript's hash."""
CONTRIBUTOR, BEACON = 0, 1
"""Types of a contribution."""
NAME_PARAMETER, EXPONENT_PARAMETER, VALUE_PARAMETER = 1, 2, 3
FROM_MONTGOMERY = pow(1 << 256, -1, _native.BASE_MODULUS)


@dataclass(frozen=True)
class Contribution:
    """One contributor's part, or the beacon's."""

    number: int
    name: str
    hash: str
    """Of what it did, 64 bytes of hex: what a contributor publishes by other means, so that nobody drops it."""
    beacon: str | None
    """The public randomness of a beacon in hex, which snarkjs verifies; None for a contributor."""


class Reader:
    """Bytes read in order; what is cut off raises `KeyRefused`."""

    def __init__(self, data: bytes):
        self._data, self._position = data, 0

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._data) - self._position

    def take(self, count: int) -> bytes:
        """The next bytes."""
        if count > self.left:
            raise KeyRefused(f"contributions end {count - self.left} bytes early")
        self._position += count
        return self._data[self._position - count : self._position]

    def take_number(self) -> int:
        """The next four bytes as an unsigned integer, little end first."""
        number: int = struct.unpack("<I", self.take(4))[0]
        return number


def read_contributions(zkey: bytes) -> tuple[Contribution, ...]:
    """The contributions to a key, in order: one contributor or more, then one beacon.

    Raises
    ------
    KeyRefused
        If the section is not whole, a name is none, a contributor is called as the beacon is, the beacon is none or was
        hashed too few times, or the order is another.
    """
    reader = Reader(_find_section(zkey))
    reader.take(64)  # hash of the circuit, which snarkjs compares
    found = tuple(_read_contribution(reader, number + 1) for number in range(reader.take_number()))
    if reader.left:
        raise KeyRefused(f"{reader.left} bytes follow the contributions; allowed: none")
    shown = [each.name for each in found]
    if [each.beacon is not None for each in found] != [False] * (len(found) - 1) + [True] or len(found) < 2:
        raise KeyRefused(f"contributions are {shown}; allowed: one contributor or more, and one beacon at the end")
    return found


def _find_section(zkey: bytes) -> bytes:
    reader = Reader(zkey)
    if reader.take(4) != MAGIC:
        raise KeyRefused("the file is no zkey")
    reader.take_number()  # version
    found = []
    for _ in range(reader.take_number()):
        kind = reader.take_number()
        content = reader.take(int.from_bytes(reader.take(8), "little"))
        if kind == SECTION:
            found.append(content)
    if len(found) != 1:
        raise KeyRefused(f"the file has {len(found)} sections of contributions; allowed: 1")
    return found[0]


def _read_contribution(reader: Reader, number: int) -> Contribution:
    hasher = hashlib.blake2b()
    for coordinates in POINTS:
        hasher.update(_to_plain(reader.take(COORDINATE * coordinates)))
    hasher.update(reader.take(TRANSCRIPT))
    kind = reader.take_number()
    name, exponent, beacon = _read_parameters(Reader(reader.take(reader.take_number())))
    if not NAME.fullmatch(name) or (kind == CONTRIBUTOR and name == BEACON_NAME):
        allowed = f"1 to 64 printable ASCII, {BEACON_NAME!r} only for the beacon"
        raise KeyRefused(f"name of contribution {number} is {name!r}; allowed: {allowed}")
    if kind not in (CONTRIBUTOR, BEACON) or (kind == BEACON) != (beacon is not None):
        raise KeyRefused(f"contribution {number} is of type {kind}, value {beacon}; allowed: 0 without, 1 with a value")
    if beacon is not None and not (BEACON_VALUE.fullmatch(beacon) and LEAST_EXPONENT <= exponent <= MOST_EXPONENT):
        raise KeyRefused(
            f"beacon of contribution {number} is {beacon!r}, hashed 2^{exponent} times; allowed: 16 to 64 bytes, "
            f"2^{LEAST_EXPONENT} to 2^{MOST_EXPONENT} times"
        )
    return Contribution(number, name, hasher.hexdigest(), beacon)


def _read_parameters(reader: Reader) -> tuple[str, int, str | None]:
    """Name, exponent (0 if not stated) and beacon; parameters come by number, each once."""
    name, exponent, beacon, last = "", 0, None, 0
    while reader.left:
        kind = reader.take(1)[0]
        if not last < kind <= VALUE_PARAMETER:
            raise KeyRefused(f"parameter {kind} of a contribution follows {last}; allowed: 1, 2 and 3 in order")
        content = reader.take(1 if kind == EXPONENT_PARAMETER else reader.take(1)[0])
        if kind == NAME_PARAMETER:
            name = content.decode("latin-1")
        if kind == EXPONENT_PARAMETER:
            exponent = content[0]
        if kind == VALUE_PARAMETER:
            beacon = content.hex()
        last = kind
    return name, exponent, beacon


def _to_plain(point: bytes) -> bytes:
    """Coordinates from the file's Montgomery form, little end first, as they are hashed: big end first, of an element
    of the extension the second coefficient first."""
    half = len(point) // 2
    numbers = [
        int.from_bytes(point[start : start + COORDINATE], "little") * FROM_MONTGOMERY % _native.BASE_MODULUS
        for start in range(0, len(point), COORDINATE)
    ]
    words = [number.to_bytes(COORDINATE, "big") for number in numbers]
    width = half // COORDINATE
    return b"".join(b"".join(reversed(words[start : start + width])) for start in range(0, len(words), width))
