"""From a built transition or opening to a proof that is verified before it is released.

Refusals happen earlier, in the builder. Here the witness is computed natively, every constraint is checked, the
proof is made and then verified against the public signals that Python computed by itself: a proof that leaves this
module is one that the chain accepts.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

from engine.policy import Policy
from engine.presets import Preset

from . import _native
from .errors import FormatError, KeyMismatch, ProofRejected, StatementError
from .messages import PROOF_BYTES
from .open import Opening
from .packing import pack_policy
from .statement import PublicSignals, get_public_signals
from .transition import Transition

_WORD = 32


class CircuitKeys(Protocol):
    """A circuit with its keys in memory, see `prover.keys`."""

    circuit: _native.Circuit
    proving_key: _native.ProvingKey
    verifying_key: _native.VerifyingKey


def encode_proof(proof: _native.Proof) -> bytes:
    """The proof as 256 bytes."""
    return b"".join(word.to_bytes(_WORD, "big") for word in proof.words())


def decode_proof(data: bytes) -> _native.Proof:
    """Inverse of `encode_proof`.

    Raises
    ------
    FormatError
        If there are not 256 bytes.
    PointRefused, NotInField
        If a point is not on its curve or in its subgroup, or a coordinate is not canonical.
    """
    if len(data) != PROOF_BYTES:
        raise FormatError("proof", f"{len(data)} bytes; allowed: {PROOF_BYTES}")
    return _native.Proof.from_words([int.from_bytes(data[k : k + _WORD], "big") for k in range(0, PROOF_BYTES, _WORD)])


class TransitionProver:
    """Proves and verifies `transition` at one preset."""

    def __init__(self, keys: CircuitKeys, preset: Preset):
        self._keys, self.signals = keys, _check_size(keys, "transition", preset)

    def prove(self, transition: Transition) -> _native.Proof:
        """A verified proof of the transition.

        Raises
        ------
        WitnessError
            If the circuit has no witness for it: the builder and the circuit disagree.
        ProofRejected
            If the proof does not verify; it is not released.
        """
        public = self._make_vectors(transition.name_own_signals(), transition.effects.policy)
        private = {name: _to_vector(name, value) for name, value in transition.name_private_inputs().items()}
        return _prove(self._keys, {**public, **private}, self._join(public))

    def verify(self, proof: _native.Proof, own_signals: Mapping[str, int | list], policy: Policy) -> bool:
        """Whether the proof holds for these signals and this policy.

        Parameters
        ----------
        own_signals : mapping
            The public signals that are not the policy's, by name; signed integers allowed.

        Raises
        ------
        StatementError
            If a signal is missing, unknown or of another size.
        """
        return self._keys.verifying_key.verify(proof, self._join(self._make_vectors(own_signals, policy)))

    def verify_transition(self, proof: _native.Proof, transition: Transition) -> bool:
        """Whether the proof is one of this transition."""
        return self.verify(proof, transition.name_own_signals(), transition.effects.policy)

    def _make_vectors(self, own: Mapping[str, int | list], policy: Policy) -> dict[str, _native.FieldVector]:
        vectors = {**{name: _to_vector(name, value) for name, value in own.items()}, **_vectorise_policy(policy)}
        expected = {signal.name: signal.size for signal in self.signals}
        given = {name: len(vector) for name, vector in vectors.items()}
        if given != expected:
            wrong = sorted(name for name, _ in given.items() ^ expected.items())
            raise StatementError(f"transition: signals {sorted(set(wrong))} are missing, unknown or of another size")
        return vectors

    def _join(self, vectors: Mapping[str, _native.FieldVector]) -> _native.FieldVector:
        return _native.FieldVector.concatenate([vectors[signal.name] for signal in self.signals])


class OpenProver:
    """Proves and verifies `open` at one preset."""

    def __init__(self, keys: CircuitKeys, preset: Preset):
        self._keys, self.signals = keys, _check_size(keys, "open", preset)

    def prove(self, opening: Opening) -> _native.Proof:
        """A verified proof of the opening; raises like `TransitionProver.prove`."""
        public = {name: _to_vector(name, value) for name, value in opening.name_public_signals().items()}
        private = {name: _to_vector(name, value) for name, value in opening.name_private_inputs().items()}
        flat = _native.FieldVector.from_canonical(opening.flatten_public_signals())
        return _prove(self._keys, {**public, **private}, flat)

    def verify(self, proof: _native.Proof, signals: Mapping[str, int]) -> bool:
        """Whether the proof holds for these public signals, given by name."""
        return self._keys.verifying_key.verify(proof, _native.FieldVector.from_canonical(self.signals.flatten(signals)))


def _check_size(keys: CircuitKeys, circuit: str, preset: Preset) -> PublicSignals:
    signals = get_public_signals(circuit, preset)
    for what, size in (("circuit", keys.circuit.n_public), ("verification key", keys.verifying_key.n_public)):
        if size != signals.size:
            raise KeyMismatch(f"the {what} has {size} public signals, {circuit} at {preset.name} has {signals.size}")
    return signals


def _prove(keys: CircuitKeys, inputs: Mapping[str, _native.FieldVector], public: _native.FieldVector) -> _native.Proof:
    witness = keys.circuit.solve(dict(inputs))
    if witness.public_inputs() != public:
        raise ProofRejected("the witness shows other public signals than those asked for")
    proof = keys.proving_key.prove(witness)
    if not keys.verifying_key.verify(proof, public):
        raise ProofRejected("the proof does not verify; it is not released")
    return proof


@lru_cache(maxsize=16)
def _vectorise_policy(policy: Policy) -> dict[str, _native.FieldVector]:
    return {name: _to_vector(name, values) for name, values in pack_policy(policy).items()}


def _to_vector(name: str, value: int | list) -> _native.FieldVector:
    values = value if isinstance(value, list) else [value]
    if values and isinstance(values[0], list):
        values = [element for row in values for element in row]
    return _native.FieldVector.from_signed(values, name)
