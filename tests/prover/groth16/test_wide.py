"""The `wide` preset, 256 scenarios on the excess rows: the templates of `standard`, with real proofs."""

import json

import pytest

from tests.support.constraints import LEDGER
from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.engine.presets import get_preset
from zkmargin.prover.groth16.compile import constraint_counts
from zkmargin.prover.groth16.points import compute_policy_point
from zkmargin.prover.groth16.proof import prove, verify_native, verify_with_points
from zkmargin.prover.groth16.py_ecc_verifier import verify_py_ecc
from zkmargin.prover.groth16.witness import compute_transition_witness
from zkmargin.prover.statement.signals import get_public_signals
from zkmargin.scripts.cli.bench_prover import make_case
from zkmargin.scripts.setup import set_up

pytestmark = pytest.mark.slow

WIDE = get_preset("wide")


@pytest.fixture(scope="module")
def keys():
    set_up(["wide"])
    return load_venue_keys("wide")


@pytest.fixture(scope="module")
def proven(keys):
    """The shipped market maker under the real market's policies: the transition with its proof."""
    transition = make_case(WIDE)[1]
    return transition, prove(keys.transition, compute_transition_witness(keys.transition.circuit, transition))


def test_wide_costs_what_the_ledger_says():
    counts = constraint_counts("wide")
    assert counts == json.loads(LEDGER.read_text())["wide"]
    assert counts["transition"]["domain"] == 131_072


@pytest.mark.property("P-76")
def test_a_real_book_proves_and_verifies_two_ways(keys, proven):
    transition, proof = proven
    assert transition.effects.policy.soft.sum() > get_preset("standard").excess_rows
    assert keys.provers.transition.verify_transition(proof.proof, transition)
    assert verify_py_ecc(keys.transition.verifying_key, proof.proof, proof.public)


def test_one_point_stands_for_the_policy(keys, proven):
    transition, proof = proven
    vkey = keys.transition.verifying_key
    first = get_public_signals("transition", WIDE).get_group("policy")[0].offset
    own = {index: value for index, value in enumerate(proof.public.slice(0, first).to_list()) if value}
    point = compute_policy_point(vkey, transition.effects.policy)
    assert verify_with_points(vkey, proof.proof, own, [point])
    assert not verify_with_points(vkey, proof.proof, own)


@pytest.mark.parametrize("name", ["commitmentNew", "context", "rowPosition", "weight"])
def test_a_changed_public_input_is_refused(keys, proven, name):
    public = proven[1].public.to_list()
    public[get_public_signals("transition", WIDE)[name].offset] ^= 1
    assert not verify_native(keys.transition.verifying_key, proven[1].proof, public)
