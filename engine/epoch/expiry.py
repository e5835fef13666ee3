"""The settlement vector of a generation step: which slots are emptied, and what one lot pays into cash when they
are."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from eth_hash.auto import keccak

from zkmargin.engine.policy.errors import MalformedPolicy, PolicyError
from zkmargin.engine.policy.record import freeze_integers
from zkmargin.engine.presets import BITS, Preset

SKIPS = (1, 4, 16)
"""Numbers of steps that one settlement point may take an account over, as `RiskOracle` has them; a roll takes one."""
MAGIC = b"zkmargin.settle\x01"
"""First 16 bytes of a settlement's canonical bytes; the last one is the format's version."""


class RefusedSettlement(PolicyError):
    """A settlement that moves collateral, pays without dropping, or exceeds the price bound; carries slot, what, value,
    allowed."""

    def __init__(self, slot: int, what: str, value: int, allowed: str):
        self.slot, self.what, self.value, self.allowed = slot, what, value, allowed
        super().__init__(f"{what} of slot {slot} is {value}; allowed: {allowed}")


@dataclass(frozen=True, eq=False)
class ExpiryStep:
    """(drop, payoff): q'_i = r_i - drop_i r_i and cash' gains payoff_i r_i.

    Raises
    ------
    MalformedPolicy
        If an array has another shape or is not of integers.
    RefusedSettlement
        If drop is not 0 or 1, a payoff stands on a slot that is not dropped or is not below 2^36 in size, or either is
        not zero on a collateral slot.
    """

    preset: Preset
    drop: np.ndarray
    """(N,) 1 where the slot is emptied."""
    payoff: np.ndarray
    """(N,) micro-dollars per lot; the format holds negative ones, where whoever is long would pay, but
    `engine.epoch.succession.check_succession` bounds every payoff by the last price, from below too."""

    def __post_init__(self) -> None:
        for what in ("drop", "payoff"):
            object.__setattr__(self, what, freeze_integers(what, getattr(self, what), (self.preset.slots,)))
        bound = 1 << BITS.price
        collateral = set(self.preset.collateral_slots)
        for slot, (drop, payoff) in enumerate(zip(self.drop.tolist(), self.payoff.tolist(), strict=True)):
            if slot in collateral and (drop or payoff):
                raise RefusedSettlement(slot, "drop or payoff", drop or payoff, "0, as the slot holds collateral")
            if drop not in (0, 1):
                raise RefusedSettlement(slot, "drop", drop, "0 or 1")
            if payoff and not drop:
                raise RefusedSettlement(slot, "payoff", payoff, "0, as the slot is not dropped")
            if abs(payoff) >= bound:
                raise RefusedSettlement(slot, "payoff", payoff, f"below {bound} micro-dollars per lot in size")

    @property
    def is_identity(self) -> bool:
        """Whether nothing is dropped, so that the settlement's point is the identity."""
        return not self.drop.any()

    def settle(self, held: Sequence[int], cash: int) -> tuple[list[int], int]:
        """Lots by slot and cash, micro-dollars, after the step."""
        paid = sum(payoff * lots for payoff, lots in zip(self.payoff.tolist(), held, strict=True))
        return [0 if drop else lots for drop, lots in zip(self.drop.tolist(), held, strict=True)], cash + paid

    def to_bytes(self) -> bytes:
        """Canonical bytes: MAGIC, slots (2), N x drop (1), N x payoff (8), big-endian two's complement."""
        return b"".join(
            (
                MAGIC,
                struct.pack(">H", self.preset.slots),
                self.drop.astype(np.uint8).tobytes(),
                self.payoff.astype(">i8").tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, preset: Preset) -> ExpiryStep:
        """Read canonical bytes of `preset`'s size.

        Raises
        ------
        MalformedPolicy
            If the bytes are not the canonical encoding.
        RefusedSettlement
            If the content is not allowed.
        """
        slots, head = preset.slots, len(MAGIC) + 2
        if len(data) != head + 9 * slots or data[:head] != MAGIC + struct.pack(">H", slots):
            raise MalformedPolicy(
                "settlement bytes", f"{len(data)} bytes; allowed: {head + 9 * slots} that begin with {MAGIC!r}, {slots}"
            )
        drop = np.frombuffer(data, dtype=np.uint8, count=slots, offset=head).astype(np.int64)
        payoff = np.frombuffer(data, dtype=">i8", count=slots, offset=head + slots).astype(np.int64)
        return cls(preset, drop, payoff)

    @cached_property
    def hash(self) -> bytes:
        """keccak256 of the canonical bytes."""
        return keccak(self.to_bytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExpiryStep) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())


def compose_expiry_steps(steps: Iterable[ExpiryStep]) -> ExpiryStep:
    """All steps at once, in their order: what one drops is gone when a later one pays.

    Of two, drop = d_1 or d_2 and payoff = p_1 + (1 - d_1) p_2: the same positions and cash as one after the other, for
    every account.

    Raises
    ------
    MalformedPolicy
        If they are of different sizes.
    """
    return reduce(_compose, steps)


def _compose(first: ExpiryStep, second: ExpiryStep) -> ExpiryStep:
    if first.preset != second.preset:
        raise MalformedPolicy("preset of a step", f"{second.preset.name}; allowed: {first.preset.name}")
    return ExpiryStep(first.preset, first.drop | second.drop, first.payoff + (1 - first.drop) * second.payoff)


def identity_expiry_step(preset: Preset) -> ExpiryStep:
    """Nothing is dropped and nothing paid: for an account that makes no step, and a generation that began without
    one."""
    zeros = np.zeros(preset.slots, dtype=np.int64)
    return ExpiryStep(preset, zeros, zeros)
