"""The canonical bytes of a policy, which an epoch publishes and hashes: one policy has exactly one encoding.

Integers are big-endian two's complement; N slots, `rows`, X excess rows and J helpers are the preset's.

====================  =============================================================================================
16                    MAGIC
32, 32                name, preset's name (ASCII, zero padded)
2 x 4                 slots, rows, excess rows, helpers
J x 1                 helper kinds
X x 1, X x 2          soft, weights
rows x 1, x 2, x 1    W on cash, on (K_1, K_2), on X
rows x J x 3          W on helpers
rows x 16             constants
2 N x 5, 2 N x 5      rate_long, rate_short
per row               first slot (2), count (2), count x 5: the span from the first to the last non-zero position
                      column; a row without positions is 0, 0
====================  =============================================================================================
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from zkmargin.engine.errors import UnknownName
from zkmargin.engine.policy.errors import MalformedPolicy
from zkmargin.engine.presets import Preset, Split, get_preset

MAGIC = b"zkmargin.policy\x01"
"""First 16 bytes of a policy's canonical bytes; the last one is the format's version."""

NAME_BYTES = 32
"""A policy's name on chain is bytes32: ASCII, left-aligned, zero padded."""

CHARGES = 2
"""K_1, the contingency, and K_2, the rounding charge."""

_WIDTHS = {
    "soft": 1, "weights": 2, "cash": 1, "charges": 1, "excess_total": 1, "helpers": 3, "rate_long": 5,
    "rate_short": 5, "positions": 5,
}  # fmt: skip
"""Bytes of one number of each array, in the order in which they are written."""
_CONSTANT_BYTES = 16
_WHAT = "canonical bytes"


def get_shapes(preset: Preset) -> dict[str, tuple[int, ...]]:
    """The arrays of a policy and their shapes, in the order of its bytes; constants and helper kinds are lists."""
    rows, slots, excess, helpers = preset.rows, preset.slots, preset.excess_rows, preset.helpers
    return {
        "soft": (excess,),
        "weights": (excess,),
        "cash": (rows,),
        "charges": (rows, CHARGES),
        "excess_total": (rows,),
        "helpers": (rows, helpers),
        "rate_long": (CHARGES, slots),
        "rate_short": (CHARGES, slots),
        "positions": (rows, slots),
    }


# ----------------------------------------------------------------------------------------------------------- writing
def encode(name: str, preset: Preset, fields: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a policy's fields: the arrays of `get_shapes`, `constants` and `helper_kinds`.

    Raises `MalformedPolicy` if a number does not fit.
    """

    def write(*arrays: str) -> bytes:
        return b"".join(_big_endian(fields[array], _WIDTHS[array]) for array in arrays)

    return b"".join(
        (
            MAGIC,
            pad_name(name),
            pad_name(preset.name),
            struct.pack(">4H", preset.slots, preset.rows, preset.excess_rows, preset.helpers),
            bytes(fields["helper_kinds"]),
            write("soft", "weights", "cash", "charges", "excess_total", "helpers"),
            _encode_constants(fields["constants"]),
            write("rate_long", "rate_short"),
            *(_encode_span(row) for row in fields["positions"]),
        )
    )


def pad_name(name: str) -> bytes:
    """A name as the contract sees it: bytes32, left-aligned, zero padded."""
    return name.encode("ascii").ljust(NAME_BYTES, b"\0")


def _big_endian(values: np.ndarray, width: int) -> bytes:
    """Two's complement, big-endian, the low `width` bytes of each 64-bit integer; refuses what does not fit."""
    limit = 1 << (8 * width - 1)
    if values.size and not (-limit <= int(values.min()) and int(values.max()) < limit):
        raise MalformedPolicy(_WHAT, f"a value needs more than {width} bytes")
    wide = np.ascontiguousarray(values, dtype=">i8").reshape(-1, 1).view(np.uint8)
    return wide[:, 8 - width :].tobytes()


def _encode_constants(constants: Sequence[int]) -> bytes:
    try:
        return b"".join(constant.to_bytes(_CONSTANT_BYTES, "big", signed=True) for constant in constants)
    except OverflowError as error:
        raise MalformedPolicy(_WHAT, f"a constant needs more than {_CONSTANT_BYTES} bytes") from error


def _encode_span(row: np.ndarray) -> bytes:
    used = np.flatnonzero(row)
    first, count = (int(used[0]), int(used[-1] - used[0] + 1)) if used.size else (0, 0)
    return struct.pack(">2H", first, count) + _big_endian(row[first : first + count], _WIDTHS["positions"])


# ----------------------------------------------------------------------------------------------------------- reading
class _Reader:
    """Takes fields off a byte string in order."""

    def __init__(self, data: bytes):
        self.data, self.offset = data, 0

    def take(self, count: int) -> bytes:
        end = self.offset + count
        if end > len(self.data):
            raise MalformedPolicy(_WHAT, f"end at {len(self.data)}; {end} are needed")
        taken, self.offset = self.data[self.offset : end], end
        return taken

    def integers(self, width: int, shape: tuple[int, ...]) -> np.ndarray:
        count = int(np.prod(shape, dtype=np.int64))
        raw = np.frombuffer(self.take(width * count), dtype=np.uint8).reshape(count, width)
        wide = np.zeros((count, 8), dtype=np.uint8)
        wide[:, 8 - width :] = raw
        wide[:, : 8 - width] = np.where(raw[:, :1] >= 0x80, 0xFF, 0)
        return wide.view(">i8").astype(np.int64).reshape(shape)

    def text(self) -> str:
        raw = self.take(NAME_BYTES)
        try:
            return raw.rstrip(b"\0").decode("ascii")
        except UnicodeDecodeError as error:
            raise MalformedPolicy(_WHAT, f"{raw!r} is not ASCII") from error


def decode(data: bytes, split: Split) -> dict[str, Any]:
    """Arguments of the `Policy` whose bytes `data` may be; whether they are canonical shows when it is encoded again.

    The bytes do not state how slots are split between coins: `split` is that of the listing.

    Raises `MalformedPolicy` if the bytes do not follow the layout, `OutOfRange` if the split has other slots.
    """
    reader = _Reader(data)
    if reader.take(len(MAGIC)) != MAGIC:
        raise MalformedPolicy(_WHAT, f"begin with {data[: len(MAGIC)]!r}; allowed: {MAGIC!r}")
    name, preset = reader.text(), replace(_read_preset(reader), split=split)
    shapes = get_shapes(preset)
    kinds = tuple(reader.take(preset.helpers))

    def read(*arrays: str) -> dict[str, np.ndarray]:
        return {array: reader.integers(_WIDTHS[array], shapes[array]) for array in arrays}

    numbers = read("soft", "weights", "cash", "charges", "excess_total", "helpers")
    constants = tuple(int.from_bytes(reader.take(_CONSTANT_BYTES), "big", signed=True) for _ in range(preset.rows))
    numbers |= read("rate_long", "rate_short")
    positions = np.zeros(shapes["positions"], dtype=np.int64)
    for row, columns in enumerate(positions):
        _read_span(reader, row, columns)
    fields = {"helper_kinds": kinds, "constants": constants, "positions": positions}
    return {"name": name, "preset": preset, **numbers, **fields}


def _read_preset(reader: _Reader) -> Preset:
    try:
        preset = get_preset(reader.text())
    except UnknownName as error:
        raise MalformedPolicy(_WHAT, str(error)) from error
    sizes = struct.unpack(">4H", reader.take(8))
    if sizes != (preset.slots, preset.rows, preset.excess_rows, preset.helpers):
        raise MalformedPolicy(_WHAT, f"sizes {sizes} are not those of preset {preset.name}")
    return preset


def _read_span(reader: _Reader, row: int, columns: np.ndarray) -> None:
    """Put the next row's span into its `columns` (N,)."""
    first, count = struct.unpack(">2H", reader.take(4))
    if first + count > len(columns):
        raise MalformedPolicy(_WHAT, f"row {row} spans {first} to {first + count}; allowed: 0 to {len(columns)}")
    columns[first : first + count] = reader.integers(_WIDTHS["positions"], (count,))
