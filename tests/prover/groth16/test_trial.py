"""A key is tried on synthetic accounts: one foreign point, which every other check lets pass, is found before use."""

import hashlib
import json
import re
import shutil

import pytest
from py_ecc.optimized_bn128 import FQ, G1, add, normalize

from tests.support.circuit_cases import TRADE, fit
from tests.support.native_cases import join_sections, load_key, split_sections
from zkmargin.engine.presets import Preset, get_preset
from zkmargin.prover import _native
from zkmargin.prover.errors import KeyRefused, ProofRejected
from zkmargin.prover.groth16.keys import load_proving_key
from zkmargin.prover.groth16.trial import PAIRS, TRIALS, make_transitions, try_key
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
    "wire",
    [
        "charges.isLong[1]",
        "money.range.shifted.out[60]",  # zero for cash below zero, or small
        *(
            pytest.param(wire, marks=pytest.mark.slow)
            for wire in (
                "slack[5]",
                "salt",
                "word.cashRange.shifted.out[61]",
                "movement.range[3].shifted.out[0]",
                "rows.range.number[7].out[70]",
                "money.paid[5]",
            )
        ),
    ],
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


def name_idle_wires(circuit: str, preset: Preset, constraints) -> set[str]:
    """Private wires that are zero in every statement of a trial."""
    lines = (BUILD / f"{preset.name}/{circuit}.sym").read_text().splitlines()
    wires = {int(wire): name for _, wire, _, name in (line.split(",", 3) for line in reversed(lines))}
    idle = {wire for wire in wires if wire > constraints.n_public}
    for inputs in TRIALS[circuit](preset):
        witness = compute_witness(constraints, inputs)
        assert constraints.first_unsatisfied(witness) is None
        idle = {wire for wire in idle if witness[wire] == 0}
    return {wires[wire].removeprefix("main.") for wire in idle}


@pytest.mark.property("P-287")
def test_a_trial_leaves_no_wire_of_an_account_at_zero_but_the_named_ones(key):
    """Legs choose few slots, slots of collateral are paid nothing, and no amount needs the highest bits."""
    highest = [f"rows.range.number[{row}].out[{bit}]" for row in range(MINI.rows) for bit in (79, 80, 81, 82)]
    collateral = [f"money.paid[{slot}]" for slot in MINI.collateral_slots]
    slots = [f"word.slotRange.number[{leg}].out[{bit}]" for leg in range(4) for bit in range(4, 8)]
    charges = re.compile(r"charges\.range\.number\[[01]\]\.out\[\d+\]")
    legs = re.compile(r"legs\.leg\[\d\]\.(pick|out)\[\d+\]")
    idle = name_idle_wires("transition", MINI, key.circuit)
    assert {
        name for name in idle - {*highest, *collateral, *slots} if not (legs.fullmatch(name) or charges.fullmatch(name))
    } == set()


def _pairs(statements: list) -> list[tuple]:
    return list(zip(statements[::2], statements[1::2], strict=True))


@pytest.mark.property("P-287")
def test_statements_of_a_trial_mirror_each_other(key):
    statements = list(make_transitions(MINI))
    assert len(statements) == 2 * PAIRS
    for one, two in _pairs(statements):
        assert (one["position"] + two["position"] == -1).all() and one["tradeCash"] + two["tradeCash"] == -1
        assert [a + b for a, b in zip(one["legSlot"], two["legSlot"], strict=True)] == [MINI.slots - 1] * 4
        assert (one["side"], two["side"]) == (1, -1) and one["key"] != two["key"]
    dropped = [inputs["drop"].to_list() for inputs in statements]
    assert [sum(first) + sum(second) for first, second in _pairs(dropped)] == [0, MINI.slots - 2] * 2


@pytest.mark.slow
@pytest.mark.parametrize("circuit", STATEMENTS)
def test_every_circuit_is_tried(circuit):
    key = load_key(circuit)
    try_key(circuit, MINI, key.circuit, key.native)
    idle = name_idle_wires(circuit, MINI, key.circuit)
    if circuit != "transition":
        assert all(name.startswith("escrow.") for name in idle), "of an escrow's scalar alone"
