"""Verification keys as the registry stores them: snarkjs's vkey in, bytes out.

The prover's own key records are not needed here: a vkey is plain JSON, and only the points of the constant, the fixed
signals and the
flows go on chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkmargin.contracts.errors import KeyUnusable
from zkmargin.engine.presets import Preset
from zkmargin.prover.statement.signals import get_public_signals

G1_LIMIT = 1 << 256


@dataclass(frozen=True)
class KeyMaterial:
    """What one key version needs, for `contracts.deploy`."""

    preset: Preset
    """Sizes of the statement."""
    transition_vkey: Mapping
    """snarkjs's verification key of `transition`; of its IC only the first points are read."""
    open_vkey: Mapping
    """snarkjs's verification key of `open`."""
    transition_hash: bytes
    """Hash of the whole transition key, as the prover computes it; 32 bytes. Epochs are signed for it."""
    open_hash: bytes
    """Hash of the whole open key; 32 bytes."""
    flat_point: tuple[int, int]
    """Policy point of the constant policy "flat" under the transition key."""
    committee: tuple[int, int]
    """The escrow committee's BabyJubJub key."""
    insecure: bool
    """Whether this machine knew the secrets behind the keys: such keys are refused off development chains."""


def count_stored_points(circuit: str, preset: Preset) -> int:
    """IC points of `transition` or `open` that go on chain: the constant, the fixed signals, the flows."""
    return 1 + sum(signal.size for signal in get_public_signals(circuit, preset) if signal.group in ("fixed", "flow"))


def encode_key(vkey: Mapping, circuit: str, preset: Preset) -> bytes:
    """alpha, beta, gamma, delta and the stored IC points, as `KeyData.sol` lays them out.

    Raises
    ------
    KeyUnusable
        If the curve is not BN254, or the key has fewer IC points than the circuit's public signals.
    """
    if vkey.get("curve") not in ("bn128", "bn254"):
        raise KeyUnusable("curve of the verification key", vkey.get("curve"), "bn128, snarkjs's name of BN254")
    count = count_stored_points(circuit, preset)
    if len(vkey["IC"]) < count:
        raise KeyUnusable(
            f"number of IC points of the {circuit} key", len(vkey["IC"]), f"at least {count} for preset {preset.name}"
        )
    words = [*_g1(vkey["vk_alpha_1"]), *_g2(vkey["vk_beta_2"]), *_g2(vkey["vk_gamma_2"]), *_g2(vkey["vk_delta_2"])]
    for point in vkey["IC"][:count]:
        words += _g1(point)
    return b"".join(word.to_bytes(32, "big") for word in words)


def _g1(point: Sequence) -> tuple[int, int]:
    return _word(point[0]), _word(point[1])


def _g2(point: Sequence) -> tuple[int, int, int, int]:
    """The precompile reads the imaginary part first, snarkjs writes the real part first."""
    (x_real, x_imaginary), (y_real, y_imaginary) = point[0], point[1]
    return _word(x_imaginary), _word(x_real), _word(y_imaginary), _word(y_real)


def _word(value: object) -> int:
    number = int(value)
    if not 0 <= number < G1_LIMIT:
        raise KeyUnusable("coordinate of the verification key", number, "0 to 2^256 - 1")
    return number
