"""A circuit of 300 constraints with a key, and the pieces of a zkey, for tests of the native prover."""

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from zkmargin.prover import _native
from zkmargin.prover.groth16.compile import CompiledCircuit, compile_source
from zkmargin.prover.groth16.keys import ProvingKey, VerifyingKey, load_proving_key, setup_keys
from zkmargin.prover.groth16.witness import compute_witness
from zkmargin.prover.paths import BUILD

FIXTURES = Path(__file__).with_name("fixtures")
ACCEPTED = {"total": 5, "index": 2, "amount": 12, "divisor": 4}
"""Inputs of the small circuit: 5 = 2 + 12 / 4."""


@dataclass(frozen=True)
class SmallKey:
    """What `prover.groth16.proof.prove` needs."""

    compiled: CompiledCircuit
    circuit: _native.Circuit
    zkey: bytes
    native: _native.ProvingKey

    @property
    def verifying_key(self) -> VerifyingKey:
        return VerifyingKey(self.native.verifying_key())

    def witness(self, **changes: int) -> _native.Witness:
        return compute_witness(self.circuit, {**ACCEPTED, **changes})


def compile_small() -> CompiledCircuit:
    return compile_source(FIXTURES / "small.circom", BUILD / "tests" / "small")


@cache
def make_small_key() -> SmallKey:
    """A fresh development key of the small circuit."""
    compiled = compile_small()
    circuit = _native.Circuit(compiled.r1cs.read_bytes(), compiled.sym.read_text())
    zkey = circuit.set_up()
    return SmallKey(compiled, circuit, zkey, _native.ProvingKey.load(zkey, circuit))


def split_sections(data: bytes) -> dict[int, bytes]:
    """Sections of an iden3 file by type."""
    sections, at = {}, 12
    while at < len(data):
        kind, size = struct.unpack_from("<IQ", data, at)
        sections[kind] = data[at + 12 : at + 12 + size]
        at += 12 + size
    return sections


def join_sections(head: bytes, sections: dict[int, bytes]) -> bytes:
    """Inverse of `split_sections`; `head` is the first eight bytes: magic and version."""
    body = b"".join(struct.pack("<IQ", kind, len(part)) + part for kind, part in sections.items())
    return head + struct.pack("<I", len(sections)) + body


@cache
def load_key(circuit: str, preset: str = "mini") -> ProvingKey:
    """The development key of a circuit of the statement, made on first use."""
    setup_keys(circuit, preset)
    return load_proving_key(circuit, preset, allow_insecure=True)
