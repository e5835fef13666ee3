"""The policy: a margin rule as integer data.

A policy is the system of rows

    W_s . z + b_s + u_s e_s >= 0        z = (q_1 .. q_N, cash, K_1, K_2, X, x_1 .. x_J)

over an account's signed lots q, its cash (micro-dollars), two charges per contract K, the excess total X = sum_s w_s
u_s e_s and helper variables x. The record holds the numbers and their shapes; `engine.policy.checks` says which numbers
are allowed, `engine.policy.forms` what each row means, and `engine.policy.certificate` finds the x and e that make the
rows hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from eth_hash.auto import keccak
from numpy.typing import ArrayLike

from zkmargin.engine.policy.bytes import NAME_BYTES, encode, get_shapes, pad_name
from zkmargin.engine.policy.errors import MalformedPolicy
from zkmargin.engine.presets import Preset

MAX_NAME = NAME_BYTES - 1
"""Longest name, characters: a zero byte ends every name on chain."""

CONTINGENCY, ROUNDING = 0, 1
"""Index of each charge in `charges`, `rate_long` and `rate_short`."""


class HelperKind(IntEnum):
    """What a helper variable stands for, hence with which signs it may appear (see `engine.policy.forms`)."""

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


def freeze_integers(what: str, array: ArrayLike, shape: tuple[int, ...]) -> np.ndarray:
    """A read-only int64 copy of `array`; raises `MalformedPolicy` unless it has `shape` and holds 64-bit integers."""
    given = np.asarray(array)
    if given.dtype.kind not in "iub":
        raise MalformedPolicy(what, f"dtype is {given.dtype}; allowed: integers")
    if given.shape != shape:
        raise MalformedPolicy(what, f"shape is {given.shape}; allowed: {shape}")
    if given.dtype.kind == "u" and given.size and int(given.max()) > np.iinfo(np.int64).max:
        raise MalformedPolicy(what, f"holds {int(given.max())}; allowed: 64-bit signed integers")
    copied = np.array(given, dtype=np.int64)
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
    soft: np.ndarray
    """(X,) u, 0 or 1: whether the row's own excess variable counts."""
    weights: np.ndarray
    """(X,) w, how often the scenario counts in X."""
    rate_long: np.ndarray
    """(2, N) charge per lot held long, micro-dollars; row 0 contingency, row 1 rounding."""
    rate_short: np.ndarray
    """(2, N) charge per lot held short, micro-dollars."""
    helper_kinds: tuple[HelperKind, ...] = field(default=())
    """(J,) what each helper stands for."""

    def __post_init__(self) -> None:
        _check_name(self.name)
        for array, shape in get_shapes(self.preset).items():
            object.__setattr__(self, array, freeze_integers(array, getattr(self, array), shape))
        _check_length("constants", self.constants, self.preset.rows)
        object.__setattr__(self, "constants", tuple(int(b) for b in self.constants))
        _check_length("helper_kinds", self.helper_kinds, self.preset.helpers)
        try:
            object.__setattr__(self, "helper_kinds", tuple(HelperKind(kind) for kind in self.helper_kinds))
        except ValueError as error:
            raise MalformedPolicy("helper_kinds", str(error)) from error

    @property
    def name_bytes32(self) -> bytes:
        """The name as the contract sees it: left-aligned, zero padded."""
        return pad_name(self.name)

    @cached_property
    def soft_rows(self) -> tuple[int, ...]:
        """The excess rows whose own excess variable counts, rising."""
        return tuple(np.flatnonzero(self.soft).tolist())

    def get_columns(self, kind: HelperKind) -> list[int]:
        """The helpers of that kind, rising."""
        return [column for column, other in enumerate(self.helper_kinds) if other is kind]

    def get_helper_weights(self, row: int, columns: Iterable[int]) -> dict[int, int]:
        """Coefficients of a row on some helpers."""
        return {column: int(self.helpers[row, column]) for column in columns}

    @cached_property
    def _bytes(self) -> bytes:
        return encode(self.name, self.preset, vars(self))

    @cached_property
    def hash(self) -> bytes:
        """keccak256 of the canonical bytes, 32 bytes."""
        return keccak(self._bytes)

    def to_bytes(self) -> bytes:
        """Canonical bytes: one policy has exactly one encoding. The layout is that of `engine.policy.bytes`."""
        return self._bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policy) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)


def _check_name(name: object) -> None:
    if not (isinstance(name, str) and name.isascii() and name.isprintable() and 1 <= len(name) <= MAX_NAME):
        raise MalformedPolicy("name", f"{name!r}; allowed: 1 to {MAX_NAME} printable ASCII characters")


def _check_length(what: str, values: Sequence[object], length: int) -> None:
    if len(values) != length:
        raise MalformedPolicy(what, f"length is {len(values)}; allowed: {length}")


# ------------------------------------------------------------------------------------------------ constant policies
def blank_policy_fields(preset: Preset) -> dict[str, Any]:
    """All-zero, writable arrays of the right shapes: the starting point of every builder."""
    return {
        **{array: np.zeros(shape, dtype=np.int64) for array, shape in get_shapes(preset).items()},
        "constants": [0] * preset.rows,
        "helper_kinds": [HelperKind.UNUSED] * preset.helpers,
    }


def none_policy(preset: Preset) -> Policy:
    """The policy of actions that need no margin proof (deposit): all zero, every state passes, its point is the
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
