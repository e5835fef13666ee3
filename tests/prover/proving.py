"""Provers at a preset under development keys, and an epoch of the shipped market reduced to `mini`."""

from dataclasses import dataclass
from functools import cache

from engine.epoch import Epoch, build_epoch
from engine.market import load_snapshot, reduce_to_mini
from engine.presets import Preset
from prover import _native
from prover.compile import compile_circuit
from prover.prove import OpenProver, TransitionProver
from prover.trader import Provers

SNAPSHOT = "deribit_2026-08-22"


@dataclass(frozen=True)
class Keys:
    """`prover.prove.CircuitKeys`."""

    circuit: _native.Circuit
    proving_key: _native.ProvingKey
    verifying_key: _native.VerifyingKey


@cache
def get_transition_prover(preset: Preset) -> TransitionProver:
    """Under a fresh key; the circuit is compiled on first use."""
    return TransitionProver(make_keys("transition", preset), preset)


@cache
def get_provers(preset: Preset) -> Provers:
    """Both provers."""
    return Provers(get_transition_prover(preset), OpenProver(make_keys("open", preset), preset))


@cache
def make_keys(name: str, preset: Preset) -> Keys:
    """A set-up of this process alone."""
    compiled = compile_circuit(name, preset)
    circuit = _native.Circuit(compiled.r1cs.read_bytes(), compiled.sym.read_text())
    proving = _native.ProvingKey.load(circuit.set_up(), circuit)
    return Keys(circuit, proving, proving.verifying_key())


@cache
def make_market_epoch(number: int = 9) -> Epoch:
    """All named policies from the real market, at sixteen slots."""
    return build_epoch(reduce_to_mini(load_snapshot(SNAPSHOT)), number=number)
