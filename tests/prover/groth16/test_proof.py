"""Proofs: made and verified two ways, in every form, and refused when one thing is wrong."""

import json
from dataclasses import replace

import numpy as np
import pytest
from py_ecc.optimized_bn128 import G1, multiply, normalize

from tests.prover.groth16.test_keys import OUTSIDE
from tests.support.native_cases import ACCEPTED, load_key, make_small_key
from tests.support.scenes import DOMAIN, MINI, RECIPIENT, Scene, make_account
from zkmargin.prover import _native
from zkmargin.prover._native import FieldVector
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.errors import (
    FormatError,
    InputShape,
    KeyMismatch,
    NotInField,
    OutOfRange,
    PointRefused,
    ProofRejected,
    UnsatisfiedConstraint,
)
from zkmargin.prover.groth16.keys import find_first_policy_input
from zkmargin.prover.groth16.points import add_points, compute_policy_point, compute_settlement_point
from zkmargin.prover.groth16.proof import Proof, prove, verify_native, verify_with_points
from zkmargin.prover.groth16.py_ecc_verifier import sum_of_products, verify_py_ecc
from zkmargin.prover.groth16.witness import compute_transition_witness, compute_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.paths import BUILD
from zkmargin.prover.statement.signals import FIELD_MODULUS as P
from zkmargin.prover.statement.signals import get_public_signals

Q = _native.BASE_MODULUS


@pytest.fixture(scope="module")
def small():
    return make_small_key()


@pytest.fixture(scope="module")
def proven(small):
    return prove(small, small.witness())


@pytest.fixture(scope="module")
def transition():
    account = make_account(lots={1: 5, 9: -3}, cash=10**10)
    intent = Intent(ActionKind.WITHDRAW, cash_usd6=1000, recipient=RECIPIENT, fee_usd6=3, deadline=10)
    return build_transition(account, intent, domain=DOMAIN, key_version=1, epoch=Scene())


@pytest.fixture(scope="module")
def proven_transition(transition):
    key = load_key("transition")
    return prove(key, compute_transition_witness(key.circuit, transition))


def test_a_proof_verifies_two_ways(small, proven):
    public = [ACCEPTED["total"]]
    assert proven.public.to_list() == public
    assert verify_native(small.verifying_key, proven.proof, public)
    assert verify_py_ecc(small.verifying_key, proven.proof, public)
    assert not verify_native(small.verifying_key, proven.proof, [6])
    assert not verify_py_ecc(small.verifying_key, proven.proof, [6])


def test_proofs_are_blinded(small, proven):
    again = prove(small, small.witness())
    assert all(a != b for a, b in zip(again.proof.words, proven.proof.words, strict=True))
    assert verify_native(small.verifying_key, again.proof, again.public)


def test_a_proof_belongs_to_its_key(small, proven):
    other = _native.ProvingKey.load(small.circuit.set_up(), small.circuit).verifying_key()
    assert not other.verify(proven.proof.native, proven.public)


def test_a_transition_verifies_two_ways(transition, proven_transition):
    key = load_key("transition").verifying_key
    public = transition.flatten_public_signals()
    assert verify_native(key, proven_transition.proof, public)
    assert verify_py_ecc(key, proven_transition.proof, public)


@pytest.mark.property("P-240")
def test_proofs_in_turn_verify_whatever_policy_was_proved_before():
    """Of a fresh key: a policy's first proof, one that collects its points, one that has them, and others between."""
    source = load_key("transition")
    first = find_first_policy_input("transition", MINI)
    digest = bytes.fromhex(source.manifest.zkey_hash)
    native = _native.ProvingKey.load_known((BUILD / "mini/transition.zkey").read_bytes(), digest, source.circuit, first)
    key = replace(source, native=native)
    account = make_account(lots={1: 5, 9: -3}, cash=10**10)
    withdraw = Intent(ActionKind.WITHDRAW, cash_usd6=1000, recipient=RECIPIENT, fee_usd6=3, deadline=10)
    cure = Intent(ActionKind.CURE, cash_usd6=1000, deadline=10)
    for intent in (withdraw, withdraw, cure, withdraw, cure, cure, withdraw):
        transition = build_transition(account, intent, domain=DOMAIN, key_version=1, epoch=Scene())
        proven = prove(key, compute_transition_witness(key.circuit, transition))
        assert verify_native(source.verifying_key, proven.proof, transition.flatten_public_signals())


@pytest.mark.parametrize("name", ["commitmentOld", "commitmentNew", "tradeTag", "context", "cashFlow", "rateLong"])
def test_a_changed_public_input_is_refused(transition, proven_transition, name):
    key = load_key("transition").verifying_key
    public = transition.flatten_public_signals()
    public[get_public_signals("transition", MINI)[name].offset] += 1
    assert not verify_native(key, proven_transition.proof, public)


def test_points_stand_for_their_inputs(transition, proven_transition):
    key = load_key("transition").verifying_key
    signals = get_public_signals("transition", MINI)
    public = transition.flatten_public_signals()
    own = {i: v for i, v in enumerate(public[: signals["drop"].offset]) if v}
    policy = compute_policy_point(key, transition.effects.policy)
    settlement = compute_settlement_point(key, transition.effects.settlement, MINI)
    proof = proven_transition.proof
    assert verify_with_points(key, proof, own, [policy, settlement])
    assert verify_with_points(key, proof, own, [add_points(policy, settlement)])
    assert not verify_with_points(key, proof, own)
    other = compute_policy_point(key, Scene().policies["maintenance"])
    assert other != policy
    assert not verify_with_points(key, proof, own, [other, settlement])
    assert not verify_with_points(key, proof, {**own, 0: own[0] + 1}, [policy, settlement])
    with pytest.raises(NotInField):
        verify_with_points(key, proof, {**own, 0: own[0] + P}, [policy])
    with pytest.raises(OutOfRange):
        verify_with_points(key, proof, {len(public): 1}, [policy])
    with pytest.raises(PointRefused):
        verify_with_points(key, proof, own, [(policy[0], policy[1] + 1)])


# --------------------------------------------------------------------------------------------------- public inputs
@pytest.mark.property("P-32")
@pytest.mark.parametrize("verify", [verify_native, verify_py_ecc])
def test_an_input_and_the_same_plus_r_are_not_one_statement(small, proven, verify):
    for value in (ACCEPTED["total"] + P, ACCEPTED["total"] - P, P):
        with pytest.raises(NotInField) as caught:
            verify(small.verifying_key, proven.proof, [value])
        assert caught.value.value == value


@pytest.mark.parametrize("verify", [verify_native, verify_py_ecc])
@pytest.mark.parametrize("public", [[], [5, 0]])
def test_the_number_of_inputs_is_the_keys(small, proven, verify, public):
    with pytest.raises(InputShape):
        verify(small.verifying_key, proven.proof, public)


# ------------------------------------------------------------------------------------------------------ bad witnesses
def test_a_bad_witness_names_the_first_broken_constraint(small):
    witness = small.witness()
    changed = witness.with_wire(7, (witness[7] + 1) % P)
    first = small.circuit.first_unsatisfied(changed)
    assert first is not None
    with pytest.raises(UnsatisfiedConstraint) as caught:
        prove(small, changed)
    assert caught.value.constraint == first


@pytest.mark.property("P-30")
@pytest.mark.parametrize("changes", [{"total": 6}, {"amount": 256, "divisor": 1, "total": 258}, {"divisor": 0}])
def test_a_forced_witness_gives_no_proof(small, changes):
    """Not even when nobody looks at the constraints: the proof is verified before it is released."""
    witness = compute_witness(small.circuit, {**ACCEPTED, **changes}, force=True)
    with pytest.raises(UnsatisfiedConstraint):
        prove(small, witness)
    with pytest.raises(ProofRejected, match="does not verify"):
        prove(small, witness, check_constraints=False)


def test_a_witness_of_another_circuit_is_refused(small, transition):
    key = load_key("transition")
    with pytest.raises(InputShape):
        prove(small, compute_transition_witness(key.circuit, transition))
    with pytest.raises(KeyMismatch, match="wire 0"):
        prove(small, small.witness().with_wire(0, 2))


# -------------------------------------------------------------------------------------------------------------- forms
def test_forms_round_trip(proven):
    proof = proven.proof
    assert Proof.from_bytes(proof.to_bytes()) == proof
    assert Proof.from_json(json.loads(json.dumps(proof.to_json()))) == proof
    assert len(proof.to_bytes()) == 256
    with pytest.raises(FormatError):
        Proof.from_bytes(proof.to_bytes() + b"\0")


@pytest.mark.parametrize("index", range(8))
def test_a_changed_coordinate_is_no_proof(proven, index):
    words = list(proven.proof.words)
    words[index] = (words[index] + 1) % Q
    with pytest.raises(PointRefused, match="not on the curve"):
        Proof(tuple(words))


@pytest.mark.parametrize("index", range(8))
def test_coordinates_are_reduced(proven, index):
    words = list(proven.proof.words)
    words[index] += Q
    with pytest.raises(NotInField):
        Proof(tuple(words))
    words[index] = -1
    with pytest.raises(NotInField):
        Proof(tuple(words))


def test_b_must_be_in_the_subgroup(proven):
    x, y = normalize(OUTSIDE)
    b = tuple(int(c) for c in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0]))
    with pytest.raises(PointRefused, match="B is not in the subgroup"):
        Proof((*proven.proof.words[:2], *b, *proven.proof.words[6:]))


@pytest.mark.parametrize(("first", "size"), [(0, 2), (2, 4), (6, 2)])
def test_the_identity_is_no_part_of_a_proof(proven, first, size):
    words = list(proven.proof.words)
    words[first : first + size] = [0] * size
    with pytest.raises(PointRefused, match="identity"):
        Proof(tuple(words))


def test_other_points_verify_nothing(small, proven):
    """Every point valid, one exchanged."""
    words, total = proven.proof.words, proven.public
    x, y = (int(c) for c in normalize(multiply(G1, 7)))
    assert not verify_native(small.verifying_key, Proof((x, y, *words[2:])), total)
    assert not verify_native(small.verifying_key, Proof((*words[:6], x, y)), total)
    assert not verify_native(small.verifying_key, Proof((words[0], Q - words[1], *words[2:])), total)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": "plonk"},
        {"curve": "bls12381"},
        {"pi_a": ["1", "2"]},
        {"pi_a": ["1", "2", "0"]},
        {"pi_a": ["x", "2", "1"]},
        {"pi_b": [["1", "0"], ["1", "0"]]},
        {"pi_c": None},
    ],
)
def test_malformed_documents_are_refused(proven, change):
    with pytest.raises(FormatError):
        Proof.from_json({**proven.proof.to_json(), **change})


@pytest.mark.parametrize("words", [(), (1,) * 7, (1,) * 9])
def test_a_proof_has_eight_words(words):
    with pytest.raises(InputShape):
        Proof(words)


# ---------------------------------------------------------------------------------------------------------- bucket sum
def test_bucket_sum_is_the_native_sum():
    key = load_key("transition").verifying_key
    rng = np.random.default_rng(5)
    scalars = [int(rng.integers(0, 2**62)) ** k % P for k in range(12)] + [0, 1, P - 1]
    bases = [(*(_fq(c) for c in key.get_ic(1 + i)), _fq(1)) for i in range(len(scalars))]
    x, y = normalize(sum_of_products(bases, scalars))
    assert key.native.ic_sum(0, FieldVector.from_canonical(scalars)) == (int(x), int(y))


def _fq(value: int):
    from py_ecc.optimized_bn128 import FQ

    return FQ(value)
