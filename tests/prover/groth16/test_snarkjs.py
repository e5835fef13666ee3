"""snarkjs as the second opinion: its verifier takes our proofs, its prover our keys, its export is our key."""

import json

import pytest

from tests.prover.groth16.test_proof import transition  # noqa: F401 - a fixture
from tests.prover.groth16.test_witness import compute_stated_witness, compute_transition_witness, make_opening
from tests.support.native_cases import load_key, make_small_key
from tests.support.oracles import run_snarkjs, snarkjs_verifies
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.proof import Proof, prove, verify_native
from zkmargin.prover.groth16.witness import write_witness


@pytest.fixture(params=["small", pytest.param("open", marks=pytest.mark.slow), "transition"])
def case(request, transition):  # noqa: F811
    """(key, bytes of the zkey, witness)."""
    from zkmargin.prover.paths import BUILD

    if request.param == "small":
        key = make_small_key()
        return key, key.zkey, key.witness()
    key = load_key(request.param)
    zkey = (BUILD / "mini" / f"{request.param}.zkey").read_bytes()
    if request.param == "open":
        return key, zkey, compute_stated_witness(key.circuit, make_opening())
    return key, zkey, compute_transition_witness(key.circuit, transition)


@pytest.mark.property("P-31")
def test_snarkjs_and_we_agree(case, tmp_path):
    key, zkey, witness = case
    zkey_path, wtns_path = tmp_path / "key.zkey", tmp_path / "witness.wtns"
    zkey_path.write_bytes(zkey)
    write_witness(witness, wtns_path)

    run_snarkjs("zkey", "export", "verificationkey", zkey_path, tmp_path / "exported.json")
    exported = json.loads((tmp_path / "exported.json").read_text())
    assert exported.pop("vk_alphabeta_12")
    assert exported == key.verifying_key.to_json()
    assert VerifyingKey.from_json(exported).hash == key.verifying_key.hash

    ours = prove(key, witness)
    public = ours.public_json()
    assert snarkjs_verifies(exported, public, ours.proof.to_json(), tmp_path)
    changed = [str(int(public[0]) + 1), *public[1:]]
    assert not snarkjs_verifies(exported, changed, ours.proof.to_json(), tmp_path)

    run_snarkjs("groth16", "prove", zkey_path, wtns_path, tmp_path / "theirs.json", tmp_path / "theirs_public.json")
    theirs = Proof.from_json(json.loads((tmp_path / "theirs.json").read_text()))
    assert json.loads((tmp_path / "theirs_public.json").read_text()) == public
    assert verify_native(key.verifying_key, theirs, ours.public)


def test_snarkjs_contributes_to_our_key(tmp_path):
    """The next step of a ceremony: delta changes, the constraints do not, and the new key is accepted here."""
    from zkmargin.prover import _native

    key = make_small_key()
    first, second = tmp_path / "0.zkey", tmp_path / "1.zkey"
    first.write_bytes(key.zkey)
    run_snarkjs("zkey", "contribute", first, second, "-e=randomness of a test")
    again = _native.ProvingKey.load(second.read_bytes(), key.circuit)
    assert again.verifying_key() != key.native.verifying_key()
    proof = again.prove(key.witness())
    assert again.verifying_key().verify(proof, key.witness().public_inputs())
    assert not key.native.verifying_key().verify(proof, key.witness().public_inputs())
