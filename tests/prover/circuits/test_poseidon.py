"""Poseidon three ways: from its paper in plain Python, in circom, and native."""

import pytest

from tests.support.circuit_harness import get_circuit
from tests.support.circuit_reference import Case, commit, hash_chain
from tests.support.poseidon_reference import P, poseidon
from zkmargin.prover._native import poseidon as native_poseidon


def test_the_published_vector():
    """H(1, 2) as circomlib, circomlibjs and poseidon-lite give it."""
    assert poseidon([1, 2]) == 7853200120776062878684798364095072458815029376092732009249414926327459813530


@pytest.mark.property("P-33")
@pytest.mark.parametrize("inputs", range(1, 17))
def test_native_agrees_with_the_paper(inputs):
    for values in ([0] * inputs, [P - 1] * inputs, [7**k % P for k in range(100, 100 + inputs)]):
        assert native_poseidon(values) == poseidon(values)


@pytest.mark.property("P-33")
def test_the_circuit_agrees_with_the_paper():
    case = Case(positions=[-(2**30), 2**30 - 1] * 8, cash=-1)
    wires = get_circuit("transition").generate(case.compute())
    assert wires["old.commitment"] == commit(case.key, case.nonce, case.positions, case.cash)


@pytest.mark.parametrize(("length", "links"), [(1, 1), (16, 1), (17, 2), (31, 2), (32, 3), (39, 3)])
def test_a_chain_takes_16_then_15(length, links):
    """The hash of the statement by hand, at the lengths where a link is added."""
    values = list(range(length))
    expected = poseidon(values[:16])
    for link in range(1, links):
        expected = poseidon([expected, *values[1 + 15 * link : 1 + 15 * (link + 1)]])
    assert hash_chain(values) == expected
    assert 16 + 15 * (links - 1) >= length > (16 + 15 * (links - 2) if links > 1 else 0)


def test_the_circuits_chain_is_the_same_at_every_number_of_links():
    values = list(range(100, 139))
    wires = get_circuit("hash_chains").generate({"in": values})
    assert [wires["out[0]"], wires["out[1]"]] == [hash_chain(values[:17]), hash_chain(values)]
