"""One proof, verified three ways that share no code: native (arkworks), py_ecc in pure Python, snarkjs over node."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from zkmargin.contracts.venue_keys import VenueKeys
from zkmargin.prover.actions.transition import AnyTransition
from zkmargin.prover.errors import ProofRejected
from zkmargin.prover.groth16.proof import Proof, verify_native
from zkmargin.prover.groth16.py_ecc_verifier import verify_py_ecc
from zkmargin.prover.paths import NODE_MODULES


def verify_three_ways(keys: VenueKeys, transition: AnyTransition, proof: Proof) -> list[str]:
    """The names of the verifiers that accept, which must be all.

    Raises
    ------
    ProofRejected
        If one does not.
    """
    public = keys.provers.transition.collect(transition.own_signals, transition.effects.policy)
    key = keys.transition.verifying_key
    verdicts = {
        "native": verify_native(key, proof, public),
        "py_ecc": verify_py_ecc(key, proof, public),
        "snarkjs": verify_snarkjs(key.to_json(), proof.to_json(), [str(value) for value in public.to_list()]),
    }
    refused = [name for name, verdict in verdicts.items() if not verdict]
    if refused:
        raise ProofRejected(f"{', '.join(refused)} rejects a proof that others accept")
    return list(verdicts)


def verify_snarkjs(vkey: dict[str, Any], proof: dict[str, Any], public: list[str]) -> bool:
    """The verdict of `snarkjs groth16 verify` on files of the three."""
    with TemporaryDirectory() as folder:
        paths = []
        for name, document in (("vkey", vkey), ("public", public), ("proof", proof)):
            paths.append(Path(folder) / f"{name}.json")
            paths[-1].write_text(json.dumps(document))
        command = ["node", str(NODE_MODULES / "snarkjs/build/cli.cjs"), "groth16", "verify", *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode == 0 and "OK!" in done.stdout
