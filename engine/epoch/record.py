"""The risk epoch: header, market snapshot, named policies and settlement, with canonical bytes and their hashes.

Same snapshot, same parameters: same bytes. The hashes are what the risk publishers sign; the verification key's hash
and the policy points come from the prover's side.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from eth_hash.auto import keccak

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.checks import read_policy
from zkmargin.engine.policy.errors import MalformedPolicy, PolicyError
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Split

MAGIC = b"zkmargin.policies\x01"
"""First 18 bytes of the policies' canonical bytes; the last one is the format's version."""

CONSTANT_NAMES = ("flat", "none")
"""Policies that are constants of the protocol and never part of an epoch."""


class RefusedEpoch(PolicyError):
    """An epoch whose parts do not belong together; carries what, value and what is allowed."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} is {value!r}; allowed: {allowed}")


@dataclass(frozen=True, eq=False)
class Epoch:
    """One risk epoch.

    Raises
    ------
    OutOfRange
        If number, time or generation does not fit its width on chain.
    RefusedEpoch
        If the generation is not the listing's, a policy's name is not its key or is a constant's, there is no policy,
        or sizes differ.
    """

    number: int
    """64 bits, rising."""
    time: int
    """Unix seconds, 40 bits: proofs count from it."""
    generation: int
    """24 bits, the listing's."""
    urgent: bool
    """Whether it revokes its predecessors at once."""
    snapshot: MarketSnapshot
    policies: Mapping[str, Policy]
    """By name; kept sorted."""
    settlement: ExpiryStep
    """What the step into this epoch's generation drops and pays. Every epoch of the generation carries the same vector,
    as an account may make the step at any of them; it is the identity only where the generation began without a step.
    `engine.epoch.succession` checks it against the epoch before."""

    def __post_init__(self) -> None:
        for what, value, bits in (
            ("number", self.number, 64),
            ("time", self.time, 40),
            ("generation", self.generation, 24),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
                raise OutOfRange(f"epoch {what}", value, 0, (1 << bits) - 1)
        listing = self.snapshot.listing
        if not isinstance(self.urgent, bool):
            raise RefusedEpoch("urgent", self.urgent, "True or False")
        if self.generation != listing.generation:
            raise RefusedEpoch("generation", self.generation, f"{listing.generation}, the listing's")
        if not self.policies:
            raise RefusedEpoch("number of policies", 0, "1 or more")
        for name, policy in self.policies.items():
            if policy.name != name or name in CONSTANT_NAMES:
                raise RefusedEpoch("name of a policy", (name, policy.name), f"its key, and none of {CONSTANT_NAMES}")
            if policy.preset != listing.preset:
                raise RefusedEpoch(f"preset of policy {name}", policy.preset.name, listing.preset.name)
        if self.settlement.preset != listing.preset:
            raise RefusedEpoch("preset of the settlement", self.settlement.preset.name, listing.preset.name)
        object.__setattr__(self, "policies", MappingProxyType(dict(sorted(self.policies.items()))))

    @property
    def snapshot_bytes(self) -> bytes:
        """Canonical bytes of the snapshot, as posted on chain."""
        return self.snapshot.to_bytes()

    @cached_property
    def policy_bytes(self) -> bytes:
        """MAGIC, number of policies (2), then by sorted name the length (4) and the canonical bytes of each."""
        parts = [MAGIC, struct.pack(">H", len(self.policies))]
        for policy in self.policies.values():
            data = policy.to_bytes()
            parts += [struct.pack(">I", len(data)), data]
        return b"".join(parts)

    @property
    def settlement_bytes(self) -> bytes:
        """Canonical bytes of the settlement."""
        return self.settlement.to_bytes()

    @cached_property
    def snapshot_hash(self) -> bytes:
        """keccak256 of `snapshot_bytes`."""
        return keccak(self.snapshot_bytes)

    @cached_property
    def policy_hash(self) -> bytes:
        """keccak256 of `policy_bytes`: over all named policies in sorted order."""
        return keccak(self.policy_bytes)

    @cached_property
    def settlement_hash(self) -> bytes:
        """keccak256 of `settlement_bytes`."""
        return self.settlement.hash


def read_policies(data: bytes, split: Split) -> dict[str, Policy]:
    """Named policies of an epoch's `policy_bytes`, each with every check that its own data admit.

    `split` is that of the epoch's listing.

    Raises
    ------
    MalformedPolicy
        If the bytes are not canonical: truncated, too long, unsorted or repeated names.
    RefusedPolicy
        If a policy breaks the bit budget or a form.
    """
    data = bytes(data)
    head = len(MAGIC) + 2
    if len(data) < head or data[: len(MAGIC)] != MAGIC:
        raise MalformedPolicy("policies", f"begin with {data[: len(MAGIC)]!r}; allowed: {MAGIC!r}")
    (count,) = struct.unpack(">H", data[len(MAGIC) : head])
    policies: dict[str, Policy] = {}
    at = head
    for _ in range(count):
        if at + 4 > len(data):
            raise MalformedPolicy("policies", f"end at byte {len(data)} inside a length")
        (length,) = struct.unpack(">I", data[at : at + 4])
        at += 4
        if at + length > len(data):
            raise MalformedPolicy("policies", f"end at byte {len(data)}; {at + length} are needed")
        policy = read_policy(data[at : at + length], split)
        if policies and policy.name <= max(policies):
            raise MalformedPolicy(
                "policies", f"name {policy.name!r} follows {max(policies)!r}; allowed: sorted, each once"
            )
        policies[policy.name] = policy
        at += length
    if at != len(data) or not policies:
        raise MalformedPolicy(
            "policies", f"{len(data)} bytes with {count} policies end at {at}; allowed: 1 or more, to the end"
        )
    return policies
