"""The switch between vector and scalar code, and that either verifies what the other proved.

Differential tests of the arithmetic itself are in Rust, on both paths in one run.
"""

import json
import os
import subprocess
import sys

from tests.support.native_cases import make_small_key
from zkmargin.prover.groth16.proof import Proof, prove

PROGRAM = """
import json, sys
from zkmargin.prover import _native
data = json.load(sys.stdin)
circuit = _native.Circuit(bytes.fromhex(data["r1cs"]), data["sym"])
key = _native.ProvingKey.load(bytes.fromhex(data["zkey"]), circuit)
witness = _native.Witness.from_wtns(bytes.fromhex(data["wtns"]), circuit)
given = _native.Proof.from_words(data["proof"])
print(json.dumps({
    "vector": _native.VECTOR_UNIT,
    "verifies": key.verifying_key().verify(given, witness.public_inputs()),
    "proof": key.prove(witness).words(),
}))
"""


def run(program: str, switch: str, document: object = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ZKMARGIN_NATIVE": switch}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, input=json.dumps(document), env=environment, capture_output=True, text=True)


def test_scalar_and_vector_code_verify_each_others_proofs():
    key = make_small_key()
    witness = key.witness()
    proven = prove(key, witness)
    document = {
        "r1cs": key.compiled.r1cs.read_bytes().hex(),
        "sym": key.compiled.sym.read_text(),
        "zkey": key.zkey.hex(),
        "wtns": witness.to_wtns().hex(),
        "proof": proven.proof.words,
    }
    ended = run(PROGRAM, "scalar", document)
    assert ended.returncode == 0, ended.stderr
    other = json.loads(ended.stdout)
    assert not other["vector"]
    assert other["verifies"]
    proof = Proof(tuple(other["proof"]))
    assert key.verifying_key.native.verify(proof.native, proven.public)


def test_an_unknown_value_of_the_switch_is_refused():
    ended = run("import zkmargin.prover._native", "Scalar")
    assert ended.returncode != 0
    assert 'ZKMARGIN_NATIVE is "Scalar", allowed are "scalar" and nothing' in ended.stderr
