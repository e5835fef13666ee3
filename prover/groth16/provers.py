"""From what was built (a transition, an opening, a revelation, a rekeying) to a proof that is verified before it is
released; from public data to a verdict.

Refusals happen earlier, in the builder. Here the witness is computed natively, every constraint is checked, and the
finished proof is verified against the public signals that Python computed by itself: a proof that leaves this
module is one that the chain accepts.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Preset
from zkmargin.prover._native import FieldVector
from zkmargin.prover.actions.transition import AnyTransition
from zkmargin.prover.errors import KeyMismatch, ProofRejected, StatementError
from zkmargin.prover.groth16.keys import ProvingKey, VerifyingKey
from zkmargin.prover.groth16.proof import Proof, Proven, prove, verify_native
from zkmargin.prover.groth16.witness import Stated, compute_stated_witness, compute_transition_witness, to_fields
from zkmargin.prover.statement.policy_fields import pack_policy_fields
from zkmargin.prover.statement.signals import get_public_signals
from zkmargin.prover.statement.transition_signals import TransitionSignals

Note = Callable[[str, float], None]
"""Told the name of each step and its seconds: "witness", "prove", "verify"."""


class TransitionVerifier:
    """Verifies `transition` at one preset from public data.

    Parameters
    ----------
    key : VerifyingKey
    preset : Preset
    note : Note, optional
        Told how long each verification took.

    Raises
    ------
    KeyMismatch
        If the key has another number of public inputs than the statement at that preset.
    """

    def __init__(self, key: VerifyingKey, preset: Preset, note: Note | None = None):
        _check_size(key, "transition", preset)
        self.verifying_key, self.preset, self._note = key, preset, note

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if self._note is not None:
            self._note(step, time.perf_counter() - start)

    def verify(self, proof: Proof, own_signals: TransitionSignals, policy: Policy) -> bool:
        """Whether the proof holds for these signals and this policy.

        Parameters
        ----------
        own_signals : TransitionSignals
            The public signals that are not the policy's.

        Raises
        ------
        StatementError
            If a signal is missing, unknown or of another size.
        """
        with self._timed("verify"):
            return verify_native(self.verifying_key, proof, self.collect(own_signals, policy))

    def verify_transition(self, proof: Proof, transition: AnyTransition) -> bool:
        """Whether the proof is one of this transition."""
        return self.verify(proof, transition.own_signals, transition.effects.policy)

    def collect(self, own_signals: TransitionSignals, policy: Policy) -> FieldVector:
        """Every public signal as field elements, in the statement's order; raises like `verify`."""
        signals = get_public_signals("transition", self.preset)
        own = {name: to_fields(name, value) for name, value in own_signals.name().items()}
        fields = {**own, **pack_policy_fields(policy)}
        given = {name: len(vector) for name, vector in fields.items()}
        expected = {signal.name: signal.size for signal in signals}
        if given != expected:
            wrong = sorted({name for name, _ in given.items() ^ expected.items()})
            raise StatementError(f"transition: signals {wrong} are missing, unknown or of another size")
        return FieldVector.concatenate([fields[signal.name] for signal in signals])


class TransitionProver(TransitionVerifier):
    """Proves `transition` at one preset, and verifies it; parameters and errors as `TransitionVerifier`."""

    def __init__(self, key: ProvingKey, preset: Preset, note: Note | None = None):
        super().__init__(key.verifying_key, preset, note)
        self.key = key

    def prove(self, transition: AnyTransition) -> Proof:
        """A verified proof of the transition.

        Raises
        ------
        WitnessError
            If the circuit has no witness for it: the builder and the circuit disagree.
        ProofRejected
            If the proof does not verify; it is not released.
        """
        return _release(self.compute(transition), self.collect(transition.own_signals, transition.effects.policy))

    def compute(self, transition: AnyTransition) -> Proven:
        """Witness and proof; `prove` compares its public signals with Python's own before it lets the proof out."""
        with self._timed("witness"):
            witness = compute_transition_witness(self.key.circuit, transition)
        with self._timed("prove"):
            return prove(self.key, witness)


class StatedVerifier:
    """Verifies a circuit without a policy at one preset from public data; raises like `TransitionVerifier`."""

    circuit: ClassVar[str]
    """Its name in the statement."""

    def __init__(self, key: VerifyingKey, preset: Preset):
        _check_size(key, self.circuit, preset)
        self.verifying_key, self.preset = key, preset

    def verify(self, proof: Proof, signals: Mapping[str, int]) -> bool:
        """Whether the proof holds for these public signals, by name; raises like `TransitionVerifier.verify`."""
        flat = get_public_signals(self.circuit, self.preset).flatten(signals)
        return verify_native(self.verifying_key, proof, flat)


class StatedProver(StatedVerifier):
    """Proves a circuit without a policy at one preset, and verifies it; raises like `TransitionVerifier`."""

    def __init__(self, key: ProvingKey, preset: Preset):
        super().__init__(key.verifying_key, preset)
        self.key = key

    def prove(self, stated: Stated) -> Proof:
        """A verified proof; raises like `TransitionProver.prove`."""
        proven = prove(self.key, compute_stated_witness(self.key.circuit, stated))
        return _release(proven, FieldVector.from_canonical(stated.flatten_public_signals()))


class OpenVerifier(StatedVerifier):
    """Of openings."""

    circuit = "open"


class OpenProver(StatedProver):
    """Of openings."""

    circuit = "open"


class RevealVerifier(StatedVerifier):
    """Of revelations."""

    circuit = "reveal"


class RevealProver(StatedProver):
    """Of revelations."""

    circuit = "reveal"


class RekeyProver(StatedProver):
    """Of rekeyings."""

    circuit = "rekey"


def _check_size(key: VerifyingKey, circuit: str, preset: Preset) -> None:
    expected = get_public_signals(circuit, preset).size
    if key.n_public != expected:
        raise KeyMismatch(f"the key has {key.n_public} public inputs, {circuit} at {preset.name} has {expected}")


def _release(proven: Proven, expected: FieldVector) -> Proof:
    """The proof was verified for the signals of the witness; those must be the ones that Python computed."""
    if proven.public != expected:
        raise ProofRejected("the witness shows other public signals than those asked for")
    return proven.proof
