"""The policy: a margin rule as integer data, its canonical bytes and its hash.

A policy is the system of rows

    W_s . z + b_s + u_s e_s >= 0        z = (q_1 .. q_N, cash, K_1, K_2, X, x_1 .. x_J)

over an account's signed lots q, its cash (micro-dollars), two charges per contract K, the excess total X = sum_s w_s
u_s e_s and helper variables x. The record holds the numbers and their shapes; `engine.policy.checks` says which numbers
are allowed, and `engine.policy.certificate` finds the x and e that make the rows hold.

PolicyError
├── MalformedPolicy    shapes, types or bytes that are not in the stated format   (what, reason)
├── RefusedPolicy      numbers that are not allowed                               (rule, row, column, value, allowed)
│   └── one subclass per rule, in `engine.policy.checks`
├── NotImplied         a policy that is not shown to imply another, in `engine.policy.checks`
├── RefusedSettlement  in `engine.epoch.expiry`
├── RefusedEpoch       in `engine.epoch.record`
├── PolicyNotRebuilt   a policy that its snapshot does not give, in `engine.margin.policies`
└── RefusedSuccession  in `engine.epoch.succession`
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
from eth_hash.auto import keccak

from zkmargin.engine.errors import EngineError, UnknownName
from zkmargin.engine.presets import Preset, get_preset

MAGIC = b"zkmargin.policy\x01"
"""First 16 bytes of a policy's canonical bytes; the last one is the format's version."""

NAME_BYTES = 32
"""A policy's name on chain is bytes32: ASCII, left-aligned, zero padded."""

MAX_NAME = NAME_BYTES - 1
"""Longest name, characters: a zero byte ends every name on chain."""

CHARGES = 2
"""K_1, the contingency, and K_2, the rounding charge."""

CONTINGENCY, ROUNDING = 0, 1
"""Index of each charge in `charges`, `rate_long` and `rate_short`."""

_COEFFICIENT_BYTES = 5
_CONSTANT_BYTES = 16


class PolicyError(EngineError, ValueError):
    """A policy, or a settlement, that must not be used."""


class MalformedPolicy(PolicyError):
    """Arrays or bytes that do not have the stated shape, type or layout; carries what and why."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


class HelperKind(IntEnum):
    """What a helper variable stands for, hence with which signs it may appear (see `engine.policy.checks`)."""

    UNUSED = 0
    """Coefficient zero in every row."""
    LOSS = 1
    """A loss or charge: rows bound it from below, every other row may only subtract it."""
    VALUE = 2
    """A value: rows bound it from above, every other row may only add it."""
    FREE_PLUS = 3
    """Positive part of a free choice (t of an expected shortfall, n of a transfer); FREE_MINUS follows in the next
    column."""
    FREE_MINUS = 4
    """Negative part of the free choice in the column before."""


def _frozen(array, dtype, shape, what) -> np.ndarray:
    given = np.asarray(array)
    if given.dtype.kind not in "iub":
        raise MalformedPolicy(what, f"dtype is {given.dtype}; allowed: integers")
    if given.shape != shape:
        raise MalformedPolicy(what, f"shape is {given.shape}; allowed: {shape}")
    if given.dtype.kind == "u" and given.size and int(given.max()) > np.iinfo(dtype).max:
        raise MalformedPolicy(what, f"holds {int(given.max())}; allowed: 64-bit signed integers")
    copied = np.array(given, dtype=dtype)
    copied.setflags(write=False)
    return copied


@dataclass(frozen=True, eq=False)
class Policy:
    """The integer data of one margin rule. Immutable; equal when the canonical bytes are equal.

    Shapes use N slots, `rows`, X excess rows and J helpers of the preset. Units are micro-dollars unless said; the sign
    is the row's: a positive coefficient helps the account.

    Raises
    ------
    MalformedPolicy
        If an array has another shape or is not of integers. Bounds are checked by `engine.policy.checks.check_policy`.
    """

    name: str
    """Name under which the epoch publishes it, printable ASCII, 1 to `MAX_NAME` characters."""
    preset: Preset
    """Sizes."""
    positions: np.ndarray
    """(rows, N) W on positions, micro-dollars per lot."""
    cash: np.ndarray
    """(rows,) W on cash, 0 or 1."""
    charges: np.ndarray
    """(rows, 2) W on K_1 and K_2."""
    excess_total: np.ndarray
    """(rows,) W on X, 0 or -1."""
    helpers: np.ndarray
    """(rows, J) W on the helper variables."""
    constants: tuple[int, ...]
    """(rows,) b, micro-dollars times the row's scale; Python integers, as they may exceed 64 bits."""
    priced: np.ndarray
    """(X,) u, 0 or 1: whether the row's own excess variable counts."""
    weights: np.ndarray
    """(X,) w, how often the scenario counts in X."""
    rate_long: np.ndarray
    """(2, N) charge per lot held, micro-dollars; row 0 contingency, row 1 rounding."""
    rate_short: np.ndarray
    """(2, N) charge per lot owed, micro-dollars."""
    helper_kinds: tuple[HelperKind, ...] = field(default=())
    """(J,) what each helper stands for."""

    def __post_init__(self):
        size = self.preset
        rows, slots, excess, helpers = size.rows, size.slots, size.excess_rows, size.helpers
        if not (
            isinstance(self.name, str)
            and self.name.isascii()
            and self.name.isprintable()
            and 1 <= len(self.name) <= MAX_NAME
        ):
            raise MalformedPolicy("name", f"{self.name!r}; allowed: 1 to {MAX_NAME} printable ASCII characters")
        shapes = {
            "positions": (rows, slots),
            "cash": (rows,),
            "charges": (rows, CHARGES),
            "excess_total": (rows,),
            "helpers": (rows, helpers),
            "priced": (excess,),
            "weights": (excess,),
            "rate_long": (CHARGES, slots),
            "rate_short": (CHARGES, slots),
        }
        for what, shape in shapes.items():
            object.__setattr__(self, what, _frozen(getattr(self, what), np.int64, shape, what))
        if len(self.constants) != rows:
            raise MalformedPolicy("constants", f"length is {len(self.constants)}; allowed: {rows}")
        object.__setattr__(self, "constants", tuple(int(b) for b in self.constants))
        if len(self.helper_kinds) != helpers:
            raise MalformedPolicy("helper_kinds", f"length is {len(self.helper_kinds)}; allowed: {helpers}")
        try:
            object.__setattr__(self, "helper_kinds", tuple(HelperKind(kind) for kind in self.helper_kinds))
        except ValueError as error:
            raise MalformedPolicy("helper_kinds", str(error)) from error

    @property
    def name_bytes32(self) -> bytes:
        """The name as the contract sees it: left-aligned, zero padded."""
        return self.name.encode("ascii").ljust(NAME_BYTES, b"\0")

    @cached_property
    def _bytes(self) -> bytes:
        return _encode(self)

    @cached_property
    def hash(self) -> bytes:
        """keccak256 of the canonical bytes, 32 bytes."""
        return keccak(self._bytes)

    def to_bytes(self) -> bytes:
        """Canonical bytes: one policy has exactly one encoding. The layout is stated at `_encode`."""
        return self._bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Policy:
        """Read canonical bytes and check everything that the record alone can show.

        Raises
        ------
        MalformedPolicy
            If the bytes are not the canonical encoding of a policy.
        RefusedPolicy
            If a number breaks the bit budget or a rule of `engine.policy.checks`.
        """
        from zkmargin.engine.policy.checks import check_policy  # the checks import this module

        policy = _decode(bytes(data))
        check_policy(policy)
        return policy

    def __eq__(self, other) -> bool:
        return isinstance(other, Policy) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


# ---------------------------------------------------------------------------------------------------------- bytes
def _big_endian(values: np.ndarray, width: int) -> bytes:
    """Two's complement, big-endian, the low `width` bytes of each 64-bit integer; refuses what does not fit."""
    limit = 1 << (8 * width - 1)
    if values.size and not (-limit <= int(values.min()) and int(values.max()) < limit):
        raise MalformedPolicy("canonical bytes", f"a value needs more than {width} bytes")
    wide = np.ascontiguousarray(values, dtype=">i8").reshape(-1, 1).view(np.uint8)
    return wide[:, 8 - width :].tobytes()


def _encode(policy: Policy) -> bytes:
    """Canonical bytes. Integers are big-endian two's complement.

    ====================  =============================================================================================
    16                    MAGIC
    32, 32                name, preset's name (ASCII, zero padded)
    2 x 4                 slots, rows, excess rows, helpers
    J x 1                 helper kinds
    X x 1, X x 2          priced, weights
    rows x 1, x 2, x 1    W on cash, on (K_1, K_2), on X
    rows x J x 3          W on helpers
    rows x 16             constants
    2 N x 5, 2 N x 5      rate_long, rate_short
    per row               first slot (2), count (2), count x 5: the span from the first to the last non-zero position
    column;
                          a row without positions is 0, 0
    ====================  =============================================================================================
    """
    size = policy.preset
    parts = [
        MAGIC,
        policy.name_bytes32,
        size.name.encode("ascii").ljust(NAME_BYTES, b"\0"),
        struct.pack(">4H", size.slots, size.rows, size.excess_rows, size.helpers),
        bytes(policy.helper_kinds),
        _big_endian(policy.priced, 1),
        _big_endian(policy.weights, 2),
        _big_endian(policy.cash, 1),
        _big_endian(policy.charges, 1),
        _big_endian(policy.excess_total, 1),
        _big_endian(policy.helpers, 3),
    ]
    try:
        parts += [constant.to_bytes(_CONSTANT_BYTES, "big", signed=True) for constant in policy.constants]
    except OverflowError as error:
        raise MalformedPolicy("canonical bytes", f"a constant needs more than {_CONSTANT_BYTES} bytes") from error
    parts += [_big_endian(policy.rate_long, _COEFFICIENT_BYTES), _big_endian(policy.rate_short, _COEFFICIENT_BYTES)]
    for row in policy.positions:
        used = np.flatnonzero(row)
        first, count = (int(used[0]), int(used[-1] - used[0] + 1)) if used.size else (0, 0)
        parts.append(struct.pack(">2H", first, count))
        parts.append(_big_endian(row[first : first + count], _COEFFICIENT_BYTES))
    return b"".join(parts)


class _Reader:
    """Takes fields off a byte string in order."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise MalformedPolicy("canonical bytes", f"end at {len(self.data)}; {self.at + count} are needed")
        self.at += count
        return self.data[self.at - count : self.at]

    def integers(self, width: int, *shape: int) -> np.ndarray:
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
            raise MalformedPolicy("canonical bytes", f"{raw!r} is not ASCII") from error


def _decode(data: bytes) -> Policy:
    """Inverse of `_encode`; refuses every byte string that `_encode` would not write."""
    reader = _Reader(data)
    if reader.take(len(MAGIC)) != MAGIC:
        raise MalformedPolicy("canonical bytes", f"begin with {data[: len(MAGIC)]!r}; allowed: {MAGIC!r}")
    name = reader.text()
    try:
        preset = get_preset(reader.text())
    except UnknownName as error:
        raise MalformedPolicy("canonical bytes", str(error)) from error
    sizes = struct.unpack(">4H", reader.take(8))
    if sizes != (preset.slots, preset.rows, preset.excess_rows, preset.helpers):
        raise MalformedPolicy("canonical bytes", f"sizes {sizes} are not those of preset {preset.name}")
    rows, slots, excess, helpers = preset.rows, preset.slots, preset.excess_rows, preset.helpers
    fields = {
        "helper_kinds": tuple(reader.take(helpers)),
        "priced": reader.integers(1, excess),
        "weights": reader.integers(2, excess),
        "cash": reader.integers(1, rows),
        "charges": reader.integers(1, rows, CHARGES),
        "excess_total": reader.integers(1, rows),
        "helpers": reader.integers(3, rows, helpers),
        "constants": tuple(int.from_bytes(reader.take(_CONSTANT_BYTES), "big", signed=True) for _ in range(rows)),
        "rate_long": reader.integers(_COEFFICIENT_BYTES, CHARGES, slots),
        "rate_short": reader.integers(_COEFFICIENT_BYTES, CHARGES, slots),
    }
    positions = np.zeros((rows, slots), dtype=np.int64)
    for row in range(rows):
        first, count = struct.unpack(">2H", reader.take(4))
        if first + count > slots:
            raise MalformedPolicy(
                "canonical bytes", f"row {row} spans {first} to {first + count}; allowed: 0 to {slots}"
            )
        positions[row, first : first + count] = reader.integers(_COEFFICIENT_BYTES, count)
    policy = Policy(name=name, preset=preset, positions=positions, **fields)
    if policy.to_bytes() != data:
        raise MalformedPolicy("canonical bytes", "are not the canonical encoding of their content")
    return policy


# ------------------------------------------------------------------------------------------------ constant policies
def blank_policy_fields(preset: Preset) -> dict:
    """All-zero, writable arrays of the right shapes: the starting point of every builder."""
    rows, slots, excess, helpers = preset.rows, preset.slots, preset.excess_rows, preset.helpers
    return {
        "positions": np.zeros((rows, slots), dtype=np.int64),
        "cash": np.zeros(rows, dtype=np.int64),
        "charges": np.zeros((rows, CHARGES), dtype=np.int64),
        "excess_total": np.zeros(rows, dtype=np.int64),
        "helpers": np.zeros((rows, helpers), dtype=np.int64),
        "constants": [0] * rows,
        "priced": np.zeros(excess, dtype=np.int64),
        "weights": np.zeros(excess, dtype=np.int64),
        "rate_long": np.zeros((CHARGES, slots), dtype=np.int64),
        "rate_short": np.zeros((CHARGES, slots), dtype=np.int64),
        "helper_kinds": [HelperKind.UNUSED] * helpers,
    }


def none_policy(preset: Preset) -> Policy:
    """The policy of actions that need no margin proof (deposit, roll): all zero, every state passes, its point is the
    identity."""
    return Policy(name="none", preset=preset, **blank_policy_fields(preset))


def flat_policy(preset: Preset) -> Policy:
    """No derivatives and no debt; any collateral balance.

    -K_1 >= 0 with rate 1 on both sides of every slot that is not collateral, listed or not, and on the short side of
    collateral; cash >= 0. It depends on the preset alone, so its point is a constant and the way out needs no epoch.
    Both rows stand outside the excess rows.
    """
    fields = blank_policy_fields(preset)
    derivatives = list(preset.derivative_slots)
    fields["rate_long"][CONTINGENCY, derivatives] = 1
    fields["rate_short"][CONTINGENCY, :] = 1
    no_position, no_debt = preset.rows - 2, preset.rows - 1
    fields["charges"][no_position, CONTINGENCY] = -1
    fields["cash"][no_debt] = 1
    return Policy(name="flat", preset=preset, **fields)
