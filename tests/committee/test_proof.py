"""Proofs of linear equations in points: what they accept, and everything that they are bound to."""

from dataclasses import replace

import pytest

from zkmargin.committee.group import BASE8, ORDER, hash_to_curve, multiply
from zkmargin.committee.polynomial import compute_weights, evaluate, make_polynomial
from zkmargin.committee.proof import Equation, Proof, is_proven, prove
from zkmargin.prover.statement.secret import Secret

OTHER_BASE = hash_to_curve("test", b"base")
SECRETS = [Secret(1234), Secret(ORDER - 5)]
EQUATIONS = (
    Equation(multiply(BASE8, 1234), ((0, BASE8),)),
    Equation(multiply(BASE8, -5), ((1, BASE8),)),
    Equation(
        multiply(OTHER_BASE, 1234 * 3 - 5),
        ((0, multiply(OTHER_BASE, 3)), (1, OTHER_BASE)),
    ),
)
PROOF = prove("test", b"bound", EQUATIONS, SECRETS)


def test_a_proof_of_the_secrets_holds():
    assert is_proven("test", b"bound", EQUATIONS, PROOF)


@pytest.mark.property("P-251")
@pytest.mark.parametrize(
    ("tag", "bound", "equations", "proof"),
    [
        ("other", b"bound", EQUATIONS, PROOF),
        ("test", b"other", EQUATIONS, PROOF),
        ("test", b"bound", EQUATIONS[:2], PROOF),
        ("test", b"bound", EQUATIONS[::-1], PROOF),
        ("test", b"bound", (replace(EQUATIONS[0], image=BASE8), *EQUATIONS[1:]), PROOF),
        ("test", b"bound", (*EQUATIONS[:2], replace(EQUATIONS[2], image=OTHER_BASE)), PROOF),
        ("test", b"bound", EQUATIONS, replace(PROOF, challenge=(PROOF.challenge + 1) % ORDER)),
        ("test", b"bound", EQUATIONS, replace(PROOF, answers=(PROOF.answers[0], 0))),
    ],
)
def test_a_proof_is_of_one_statement(tag, bound, equations, proof):
    assert not is_proven(tag, bound, equations, proof)


@pytest.mark.property("P-251")
@pytest.mark.parametrize("wrong", range(3))
def test_secrets_that_miss_one_equation_prove_nothing(wrong):
    equations = tuple(
        replace(equation, image=OTHER_BASE) if i == wrong else equation for i, equation in enumerate(EQUATIONS)
    )
    assert not is_proven("test", b"bound", equations, prove("test", b"bound", equations, SECRETS))


def test_two_proofs_of_one_statement_share_no_nonce():
    other = prove("test", b"bound", EQUATIONS, SECRETS)
    assert isinstance(other, Proof) and other.challenge != PROOF.challenge


def test_weights_give_the_constant_of_every_polynomial():
    polynomial = make_polynomial(Secret(99), 3)
    for members in [(1, 2, 3), (5, 2, 4), (7, 1, 6)]:
        weights = compute_weights(members)
        shares = (evaluate(polynomial, member).reveal() for member in members)
        assert sum(weight * share for weight, share in zip(weights, shares, strict=True)) % ORDER == 99
