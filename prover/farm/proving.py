"""What a worker of a farm does: a proof of a witness; and how its result is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

from zkmargin.prover import _native
from zkmargin.prover.errors import ProverError
from zkmargin.prover.farm.jobs import Job
from zkmargin.prover.groth16.keys import ProvingKey, VerifyingKey, load_proving_key
from zkmargin.prover.groth16.proof import Proof, prove, verify_native
from zkmargin.prover.paths import BUILD

KEYS = 2
"""Proving keys that a worker holds, the last ones used."""


_LOADING = Lock()


@lru_cache(KEYS)
def _load_key(circuit: str, preset: str, build: Path, allow_insecure: bool) -> ProvingKey:
    return load_proving_key(circuit, preset, build=build, allow_insecure=allow_insecure)


def _get_key(circuit: str, preset: str, build: Path, allow_insecure: bool) -> ProvingKey:
    """A key, loaded once per process: a thread waits while another one loads it."""
    with _LOADING:
        return _load_key(circuit, preset, build, allow_insecure)


@dataclass(frozen=True)
class ProveWitness:
    """A proof's eight words from a witness in snarkjs's format (.wtns), verified where it is made."""

    preset: str
    """Name of the preset; its keys lie in `build` on each worker."""
    circuit: str = "transition"
    build: Path = BUILD
    allow_insecure: bool = False
    """Take a development key."""

    def __call__(self, payload: bytes) -> tuple[int, ...]:
        key = _get_key(self.circuit, self.preset, self.build, self.allow_insecure)
        return prove(key, _native.Witness.from_wtns(payload, key.circuit)).proof.words


@dataclass(frozen=True)
class VerifyResult:
    """Whether a worker's words are a proof of what the job says in public."""

    key: VerifyingKey
    find_public: Callable[[Job], _native.FieldVector]
    """The public inputs of a job, computed here and not by the worker."""

    def __call__(self, job: Job, result: object) -> bool:
        try:
            proof = Proof(result)  # type: ignore[arg-type]  # whatever a worker sent; `Proof` looks at it
        except (ProverError, TypeError):
            return False
        return verify_native(self.key, proof, self.find_public(job))
