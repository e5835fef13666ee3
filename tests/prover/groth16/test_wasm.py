"""The core as WebAssembly, in node: built here by cargo, proves what this package verifies.

Rust needs the target `wasm32-unknown-unknown`, which `make wasm-target` installs and `make test-full` has installed.
"""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.prover.groth16.test_proof import transition  # noqa: F401 - a fixture
from tests.prover.groth16.test_witness import compute_stated_witness, compute_transition_witness, make_opening
from tests.support.native_cases import load_key, make_small_key
from zkmargin.prover.groth16.proof import Proof, verify_native
from zkmargin.prover.paths import BUILD
from zkmargin.scripts.measure.wasm import build_module

ROOT = Path(__file__).parents[3]
FACE = ROOT / "prover/wasm"

pytestmark = pytest.mark.slow


def run_node(folder: Path, r1cs: Path, zkey: bytes, digest: str, wtns: bytes) -> subprocess.CompletedProcess[str]:
    (folder / "key.zkey").write_bytes(zkey)
    (folder / "witness.wtns").write_bytes(wtns)
    files = [build_module(BUILD / "wasm"), r1cs, folder / "key.zkey", digest, folder / "witness.wtns", 2]
    command = ["node", str(FACE / "prove.mjs"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(params=["small", "open", "transition"])
def case(request, transition):  # noqa: F811
    """(key, its .r1cs, its .zkey, a witness)."""
    if request.param == "small":
        key = make_small_key()
        return key, key.compiled.r1cs, key.zkey, key.witness()
    key = load_key(request.param)
    zkey = (BUILD / "mini" / f"{request.param}.zkey").read_bytes()
    if request.param == "open":
        witness = compute_stated_witness(key.circuit, make_opening())
    else:
        witness = compute_transition_witness(key.circuit, transition)
    return key, BUILD / "mini" / f"{request.param}.r1cs", zkey, witness


@pytest.mark.parametrize("known", [False, True])
def test_proofs_of_the_module_verify(case, known, tmp_path):
    """Two proofs of one witness differ, so that the host's randomness is used, and both verify."""
    key, r1cs, zkey, witness = case
    digest = hashlib.sha256(zkey).hexdigest() if known else "new"
    done = run_node(tmp_path, r1cs, zkey, digest, witness.to_wtns())
    assert done.returncode == 0, done.stderr
    proofs = json.loads(done.stdout)["proofs"]
    assert len(set(proofs)) == 2
    for proof in map(bytes.fromhex, proofs):
        words = tuple(int.from_bytes(proof[at : at + 32], "big") for at in range(0, 256, 32))
        assert verify_native(key.verifying_key, Proof(words), witness.public_inputs())


def test_what_is_wrong_is_refused_with_the_cores_reason(tmp_path):
    key = make_small_key()
    good = (key.compiled.r1cs, key.zkey, "new", key.witness().to_wtns())
    damaged = key.zkey[:-20] + bytes([key.zkey[-20] ^ 1]) + key.zkey[-19:]
    digest = hashlib.sha256(key.zkey).hexdigest()
    for place, value, reason in (
        (1, key.zkey[:-1], "Format"),
        (1, read_other_key(), "Mismatch"),
        (2, "00" * 32, "not those that were checked"),
        (3, key.witness().with_wire(1, 6).to_wtns(), "Unsatisfied"),
        (3, b"wtns", "Format"),
    ):
        arguments = [*good]
        arguments[place] = value
        done = run_node(tmp_path, *arguments)
        assert done.returncode == 1 and "ProverError" in done.stderr and reason in done.stderr, done.stderr
    done = run_node(tmp_path, good[0], damaged, digest, good[3])
    assert done.returncode == 1 and "not those that were checked" in done.stderr


def read_other_key() -> bytes:
    """A zkey of another circuit."""
    return (BUILD / "mini/open.zkey").read_bytes()
