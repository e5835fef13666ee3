"""Contract and native code give one verdict on every class of proof, and it is the one that the trapdoor knows."""

import json
from collections import Counter
from random import Random

import pytest
from py_ecc.optimized_bn128 import G2, curve_order, multiply, normalize
from py_ecc.optimized_bn128 import field_modulus as base_order

from tests.contracts.test_verifier import POLICY, Direct
from tests.prover.groth16.test_keys import OUTSIDE
from tests.support.simulator import to_point
from zkmargin.contracts.errors import Reverted
from zkmargin.prover.errors import ProverError
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.proof import Proof, verify_with_points

REFUSALS = {"ProofRejected", "ProofMalformed", "PointRefused"}
"""Errors by which the contract says that a proof is none."""


@pytest.fixture(scope="module")
def direct(deployed_world):
    return Direct(deployed_world)


def to_words(scalar):
    """scalar * G2 as the contract takes it."""
    return to_g2_words(multiply(G2, scalar % curve_order))


def to_g2_words(point):
    """A point of the twist as the contract takes it."""
    x, y = normalize(point)
    return tuple(int(part) for part in (x.coeffs[1], x.coeffs[0], y.coeffs[1], y.coeffs[0]))


class Fuzzer:
    """Draws proofs of known validity for a simulated key."""

    def __init__(self, direct, seed):
        self.direct, self.key, self.draw = direct, direct.key, Random(seed)
        document = json.loads(
            json.dumps(self.key.vkey | {"protocol": "groth16", "nPublic": len(self.key.ic) - 1}, default=str)
        )
        for name in ("vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC"):
            document[name] = _to_text(document[name])
        self.native = VerifyingKey.from_json(document)
        self.kinds = {
            "valid": (True, self.make),
            "malleable": (True, self.negate),
            "another C": (False, lambda v: self.change(v, 6, to_point(self.number()))),
            "another A": (False, lambda v: self.change(v, 0, to_point(self.number()))),
            "another B": (False, lambda v: self.change(v, 2, to_words(self.number()))),
            "A and C exchanged": (False, lambda v: (*self.make(v)[6:], *self.make(v)[2:6], *self.make(v)[:2])),
            "not canonical": (False, self.lift),
            "off its curve": (False, self.leave_curve),
            "B is outside the subgroup": (False, lambda v: self.change(v, 2, to_g2_words(OUTSIDE))),
            "zero": (False, lambda v: (0,) * 8),
            "A is the identity": (False, lambda v: self.change(v, 0, (0, 0))),
            "B is the identity": (False, lambda v: self.change(v, 2, (0,) * 4)),
            "C is the identity": (False, lambda v: self.change(v, 6, (0, 0))),
            "any words": (False, lambda v: tuple(self.draw.randrange(1 << 256) for _ in range(8))),
            "words of the field": (False, lambda v: tuple(self.draw.randrange(base_order) for _ in range(8))),
        }

    def number(self):
        return self.draw.randrange(1, curve_order)

    def make(self, values):
        """A proof with an A and a B of its own: every proof can be made into others."""
        a, b = self.number(), self.number()
        numerator = a * b - self.key.alpha * self.key.beta - self.key.sum_public(values, POLICY)
        return (*to_point(a), *to_words(b), *to_point(numerator * pow(self.key.delta, -1, curve_order)))

    def negate(self, values):
        ax, ay, bx1, bx0, by1, by0, cx, cy = self.make(values)
        return ax, base_order - ay, bx1, bx0, base_order - by1, base_order - by0, cx, cy

    def change(self, values, start, words):
        proof = self.make(values)
        return (*proof[:start], *words, *proof[start + len(words) :])

    def lift(self, values):
        proof, place = self.make(values), self.draw.randrange(8)
        return self.change_word(proof, place, proof[place] + base_order)

    def leave_curve(self, values):
        proof, place = self.make(values), self.draw.randrange(8)
        return self.change_word(proof, place, (proof[place] + self.draw.choice((1, 2, 5))) % base_order)

    @staticmethod
    def change_word(proof, place, word):
        return (*proof[:place], word, *proof[place + 1 :])

    def ask_contract(self, values, proof):
        try:
            self.direct.verify(values, proof)
        except Reverted as refusal:
            assert refusal.error in REFUSALS, refusal
            return False
        return True

    def ask_native(self, values, proof):
        rest = to_point(self.key.sum_public(values, POLICY) - self.key.ic[0])
        try:
            return verify_with_points(self.native, Proof(proof), {}, [rest])
        except ProverError:
            return False


def _to_text(value):
    return [_to_text(item) for item in value] if isinstance(value, list) else str(value)


@pytest.mark.property("P-322")
@pytest.mark.parametrize("rounds", [2, pytest.param(150, marks=(pytest.mark.slow, pytest.mark.timeout(1_200)))])
def test_contract_and_native_code_give_one_verdict(direct, rounds):
    fuzzer, seen = Fuzzer(direct, rounds), Counter()
    for _ in range(rounds):
        values = direct.signals()
        for kind, (valid, make) in fuzzer.kinds.items():
            proof = make(values)
            verdicts = fuzzer.ask_contract(values, proof), fuzzer.ask_native(values, proof)
            assert verdicts == (valid, valid), (kind, proof)
            seen[kind] += 1
    assert set(seen.values()) == {rounds} and len(seen) == 15
