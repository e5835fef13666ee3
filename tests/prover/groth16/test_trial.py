"""A key is tried on synthetic accounts: one foreign point, which every other check lets pass, is found before use."""

import hashlib
import json
import shutil

import pytest
from py_ecc.optimized_bn128 import FQ, G1, add, normalize

from tests.support.circuit_cases import TRADE, fit
from tests.support.native_cases import join_sections, load_key, split_sections
from zkmargin.engine.presets import get_preset
from zkmargin.prover import _native
from zkmargin.prover.errors import KeyRefused, ProofRejected
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.trial import TRIALS, make_transitions, try_key
from zkmargin.prover.groth16.witness import compute_witness
from zkmargin.prover.paths import BUILD
from zkmargin.prover.statement.signals import STATEMENTS

Q, R = _native.BASE_MODULUS, 1 << 256
C = 8
"""Section of a zkey with the points of private wires."""
MINI = get_preset("mini")


def poison(zkey: bytes, key, wire: str) -> bytes:
    """The key with the generator added to the point of one private wire."""
    sections = split_sections(zkey)
    at = 64 * (key.circuit.wire_of(f"main.{wire}") - key.circuit.n_public - 1)
    body, inverse = bytearray(sections[C]), pow(R, -1, Q)
    x, y = (int.from_bytes(body[at + k : at + k + 32], "little") * inverse % Q for k in (0, 32))
    moved = normalize(add((FQ(x), FQ(y), FQ(1)), G1) if (x, y) != (0, 0) else G1)
    body[at : at + 64] = b"".join((int(value) * R % Q).to_bytes(32, "little") for value in moved)
    return join_sections(zkey[:8], {**sections, C: bytes(body)})


@pytest.fixture(scope="module")
def key():
    return load_key("transition")


@pytest.mark.property("P-287")
@pytest.mark.parametrize(
    "wire", ["charges.isLong[1]", *(pytest.param(wire, marks=pytest.mark.slow) for wire in ("slack[5]", "salt"))]
)
def test_a_key_with_a_foreign_point_is_refused(key, tmp_path, wire):
    """It has the true verifying half, a manifest that names it, and no record yet."""
    shutil.copytree(BUILD / "mini", tmp_path / "mini")
    file = tmp_path / "mini/transition.zkey"
    file.write_bytes(poison(file.read_bytes(), key, wire))
    poisoned = _native.ProvingKey.load(file.read_bytes(), key.circuit)
    assert poisoned.verifying_key().to_bytes() == key.verifying_key.to_bytes()
    manifest = json.loads((tmp_path / "mini/manifest.json").read_text())
    manifest["keys"]["transition"]["zkey_hash"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "mini/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(KeyRefused, match="synthetic statement that does not verify"):
        load_proving_key("transition", "mini", build=tmp_path, allow_insecure=True)
    assert not (tmp_path / "checked").exists(), "no record that would spare the next load its trial"


@pytest.mark.property("P-287")
def test_a_rejected_proof_of_ones_own_is_an_alarm(key):
    """What a poisoned key does to an account: it proves for one sign, and not for the other."""
    zkey = poison((BUILD / "mini/transition.zkey").read_bytes(), key, "charges.isLong[1]")
    poisoned = _native.ProvingKey.load(zkey, key.circuit)

    def prove(lots: int) -> None:
        case = fit(TRADE.but(positions=[0, lots, *[0] * 14]))
        poisoned.prove(compute_witness(key.circuit, case.compute()))

    prove(-7)
    with pytest.raises(ProofRejected):
        prove(7)


def test_every_account_of_a_trial_is_dense_and_its_own(key):
    one, two = make_transitions(MINI)
    assert (one["position"] * two["position"] < 0).all()
    for inputs in (one, two):
        assert all(inputs["position"]) and all(inputs["slack"]) and all(inputs["excess"]) and all(inputs["helper"])
        assert key.circuit.first_unsatisfied(compute_witness(key.circuit, inputs)) is None
    assert one["key"] != two["key"]


@pytest.mark.slow
@pytest.mark.parametrize("circuit", STATEMENTS)
def test_every_circuit_is_tried(circuit):
    key = load_key(circuit)
    try_key(circuit, MINI, key.circuit, key.native)
    for inputs in TRIALS[circuit](MINI):
        assert key.circuit.first_unsatisfied(compute_witness(key.circuit, inputs)) is None
