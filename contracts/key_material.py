"""Verification keys as the registry stores them: snarkjs's vkey in, bytes out.

A vkey is plain JSON here, and only the points of the constant, the fixed signals and the flows go on chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from zkmargin.contracts.errors import KeyUnusable
from zkmargin.engine.policy.record import flat_policy
from zkmargin.engine.presets import Preset
from zkmargin.prover._native import FieldVector
from zkmargin.prover.errors import FormatError
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.points import Point, add_points, compute_policy_point
from zkmargin.prover.groth16.snarkjs_json import read_g1, read_g2
from zkmargin.prover.statement.signals import get_public_signals

IC_OFFSET = 448
"""Bytes of alpha, beta, gamma and delta, before the first IC point (KeyData.sol)."""


@dataclass(frozen=True)
class KeyMaterial:
    """What one key version needs, for `contracts.deploy`."""

    preset: Preset
    """Sizes of the statement."""
    transition_vkey: Mapping[str, Any]
    """snarkjs's verification key of `transition`; of its IC only the first points are read."""
    open_vkey: Mapping[str, Any]
    """snarkjs's verification key of `open`."""
    transition_hash: bytes
    """Hash of the whole transition key, as the prover computes it; 32 bytes. Epochs are signed for it."""
    open_hash: bytes
    """Hash of the whole open key; 32 bytes."""
    flat_point: tuple[int, int]
    """Policy point of the constant policy "flat" under the transition key."""
    committee: tuple[int, int]
    """The escrow committee's BabyJubJub key."""
    open_constant: tuple[int, int]
    """IC_0 of the open key with the committee's terms, which are the same in every opening: so the registry stores
    it."""
    insecure: bool
    """Whether this machine knew the secrets behind the keys: such keys are refused off development chains."""
    reveal_vkey: Mapping[str, Any] = field(default_factory=dict)
    """snarkjs's verification key of `reveal`, which the desk for defaults needs; empty where no venue is deployed."""
    rekey_vkey: Mapping[str, Any] = field(default_factory=dict)
    """Of `rekey`, likewise."""
    proving_keys: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the proving key files, hex, by circuit, which the deployment's record publishes."""

    @classmethod
    def of_keys(
        cls, transition: VerifyingKey, opening: VerifyingKey, committee: Point, preset: Preset, *, insecure: bool
    ) -> Self:
        """From the two keys of a preset, which passed every check, and the committee's key."""
        return cls(
            preset=preset,
            transition_vkey=transition.to_json(),
            open_vkey=opening.to_json(),
            transition_hash=transition.hash,
            open_hash=opening.hash,
            flat_point=compute_policy_point(transition, flat_policy(preset)),
            committee=committee,
            open_constant=compute_committee_constant("open", opening, committee, preset),
            insecure=insecure,
        )


def compute_committee_constant(circuit: str, key: VerifyingKey, committee: Point, preset: Preset) -> Point:
    """IC_0 + x IC + y IC of the committee's two signals, under the key of `open` or `rekey`."""
    signals = get_public_signals(circuit, preset)
    terms = (
        key.native.ic_sum(signals[name].offset, FieldVector.from_canonical([value], name))
        for name, value in zip(("committeeX", "committeeY"), committee, strict=True)
    )
    return add_points(key.get_ic(0), *terms)


def encode_stored_open(keys: KeyMaterial) -> bytes:
    """The open key as the registry stores it."""
    return _put_constant(encode_key(keys.open_vkey, "open", keys.preset), keys.open_constant)


def encode_stored_desk_keys(
    reveal: VerifyingKey, rekey: VerifyingKey, committee: Point, preset: Preset
) -> dict[str, bytes]:
    """The keys of `reveal` and `rekey`, by circuit, as the verifiers of the desks store them."""
    constant = compute_committee_constant("rekey", rekey, committee, preset)
    return {
        "reveal": encode_key(reveal.to_json(), "reveal", preset),
        "rekey": _put_constant(encode_key(rekey.to_json(), "rekey", preset), constant),
    }


def _put_constant(key: bytes, point: Point) -> bytes:
    """A laid out key with another point of its constant."""
    constant = b"".join(word.to_bytes(32, "big") for word in point)
    return key[:IC_OFFSET] + constant + key[IC_OFFSET + len(constant) :]


def count_stored_points(circuit: str, preset: Preset) -> int:
    """IC points of a circuit's key that go on chain: the constant, the fixed signals, the flows."""
    return 1 + sum(signal.size for signal in get_public_signals(circuit, preset) if signal.group in ("fixed", "flow"))


def encode_key(vkey: Mapping[str, Any], circuit: str, preset: Preset) -> bytes:
    """alpha, beta, gamma, delta and the stored IC points, as `KeyData.sol` lays them out.

    Raises
    ------
    KeyUnusable
        If the document is no verification key, the curve is not BN254, or the key has fewer IC points than the
        circuit's public signals.
    """
    try:
        return _encode(vkey, circuit, preset)
    except (AttributeError, IndexError, KeyError, TypeError, OverflowError, FormatError) as error:
        reason = f"snarkjs's JSON ({type(error).__name__}: {error})"
        raise KeyUnusable(f"verification key of {circuit}", type(vkey).__name__, reason) from None


def _encode(vkey: Mapping[str, Any], circuit: str, preset: Preset) -> bytes:
    if vkey.get("curve") not in ("bn128", "bn254"):
        raise KeyUnusable("curve of the verification key", vkey.get("curve"), "bn128, snarkjs's name of BN254")
    count = count_stored_points(circuit, preset)
    if len(vkey["IC"]) < count:
        raise KeyUnusable(
            f"number of IC points of the {circuit} key", len(vkey["IC"]), f"at least {count} for preset {preset.name}"
        )
    what = "verification key"
    words = [*read_g1(what, vkey["vk_alpha_1"])]
    for name in ("vk_beta_2", "vk_gamma_2", "vk_delta_2"):
        words += read_g2(what, vkey[name])
    for point in vkey["IC"][:count]:
        words += read_g1(what, point)
    return b"".join(word.to_bytes(32, "big") for word in words)
