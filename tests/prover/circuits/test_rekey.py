"""`rekey` at mini: one state, two keys, an escrow and a checkpoint that are the new key's."""

import pytest

from tests.support.babyjub_reference import L
from tests.support.circuit_harness import get_circuit
from tests.support.circuit_reference import P, commit, pack_positions
from tests.support.stated_cases import (
    CASH,
    KEY,
    KEY_NEW,
    NONCE,
    POSITIONS,
    RHO,
    SCALAR,
    encrypt,
    evaluate,
    make_rekey,
)

pytestmark = pytest.mark.slow  # circom makes two generators of it

circuit = get_circuit("rekey")
get_labels = circuit.get_labels
NUMBERS = [CASH, *pack_positions(POSITIONS)]
OTHER_POSITIONS = [POSITIONS[0] + 1, *POSITIONS[1:]]


@pytest.mark.parametrize(
    "change", [{}, {"key_new": KEY}, {"key": 0}, {"key_new": P - 1, "nonce": 0}, {"cash": 2**80 - 1}, {"scalar": 1}]
)
def test_a_rekey_has_a_witness(change):
    wires = circuit.generate(make_rekey(**change))
    assert circuit.find_failures(wires) == [] and circuit.is_provable(wires)


@pytest.mark.property("P-262")
@pytest.mark.parametrize(
    "commitment",
    [
        commit(KEY_NEW, NONCE + 1, OTHER_POSITIONS, CASH),
        commit(KEY_NEW, NONCE + 1, POSITIONS, CASH + 1),
        commit(KEY_NEW, NONCE, POSITIONS, CASH),
        commit(KEY_NEW, NONCE + 2, POSITIONS, CASH),
        commit(KEY, NONCE + 1, POSITIONS, CASH),
        0,
    ],
    ids=["a lot more", "a cent more", "the old nonce", "a later nonce", "the old key", "nothing"],
)
def test_a_rekey_changes_nothing_but_key_and_nonce(commitment):
    assert get_labels(make_rekey(commitmentNew=commitment)) == ["commitmentNew~next.commitment"]


@pytest.mark.property("P-262")
def test_a_rekey_starts_from_the_committed_state():
    old = make_rekey()["commitmentOld"]
    assert get_labels(make_rekey(cash=CASH + 1) | {"commitmentOld": old}) == ["commitmentOld~old.commitment"]
    assert get_labels(make_rekey() | {"keyOld": KEY + 1}) == ["commitmentOld~old.commitment"]


@pytest.mark.property("P-263")
def test_the_escrowed_key_is_the_new_one():
    other = make_rekey(key_new=KEY_NEW + 1)["escrowedKey"]
    assert get_labels(make_rekey(escrowedKey=other)) == ["escrow.escrowedKey~escrowedKey"]
    old = make_rekey(key_new=KEY)["escrowedKey"]
    assert get_labels(make_rekey(escrowedKey=old)) == ["escrow.escrowedKey~escrowedKey"]


@pytest.mark.property("P-263")
def test_the_ephemeral_point_is_that_of_the_scalar():
    other = make_rekey(scalar=SCALAR + 1)
    changed = {name: other[name] for name in ("ephemeralX", "ephemeralY")}
    assert get_labels(make_rekey(**changed)) == ["ephemeralX~escrow.ephemeral[0]", "ephemeralY~escrow.ephemeral[1]"]
    assert get_labels(make_rekey(scalar=L)) == ["escrow.rho.above"]


@pytest.mark.property("P-264")
@pytest.mark.parametrize("place", range(len(NUMBERS)))
def test_the_checkpoint_is_the_state(place):
    numbers = [*NUMBERS]
    numbers[place] += 1
    wrong = evaluate(encrypt(numbers, KEY_NEW, NONCE + 1), RHO)
    assert get_labels(make_rekey(evaluation=wrong)) == ["evaluation~published.out"]


@pytest.mark.property("P-264")
@pytest.mark.parametrize(("key", "nonce"), [(KEY, NONCE + 1), (KEY_NEW, NONCE), (KEY_NEW, NONCE + 2)])
def test_the_checkpoint_is_under_the_new_key_and_nonce(key, nonce):
    wrong = evaluate(encrypt(NUMBERS, key, nonce), RHO)
    assert get_labels(make_rekey(evaluation=wrong)) == ["evaluation~published.out"]


@pytest.mark.property("P-264")
def test_no_two_numbers_share_a_pad():
    pads = encrypt([0] * 40, KEY_NEW, NONCE) + encrypt([0] * 40, KEY_NEW, NONCE + 1)
    assert len(set(pads)) == 80


@pytest.mark.property("P-262")
def test_the_public_numbers_of_a_finished_proof_cannot_be_exchanged():
    wires = circuit.force(make_rekey())
    for name in ("commitmentOld", "commitmentNew", "ephemeralX", "escrowedKey", "committeeX", "rho", "evaluation"):
        assert not circuit.is_provable(wires.change({name: wires[name] + 1})), name


@pytest.mark.property("P-14")
def test_no_wire_is_free():
    wires = circuit.force(make_rekey())
    assert circuit.written.find_free_wires(wires.values) == []
    assert circuit.simplified.find_free_wires(circuit.simplify(wires)) == []
