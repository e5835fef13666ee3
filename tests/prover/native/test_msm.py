"""Multi-scalar multiplication: against one multiplication of the generator, where the multiples are known.

The points are IC of a made-up key, so that any may be repeated or be another's negative.
"""

import random

import pytest
from py_ecc.optimized_bn128 import G1, multiply, normalize

from tests.support.native_cases import make_small_key
from zkmargin.prover._native import SCALAR_MODULUS as P
from zkmargin.prover._native import FieldVector
from zkmargin.prover.groth16.keys import WORD, VerifyingKey

HEAD = 14 * WORD
"""Bytes of a key before its IC."""
EDGES = [0, 1, 2, 3, P - 1, P - 2, P // 2, P // 2 + 1, *(2**bits + off for bits in range(1, 253) for off in (-1, 0, 1))]
"""Ends of the field, the sign's edge, and the ends of every possible window."""
MULTIPLES = [*range(1, 25), *(P - k for k in range(1, 25))]
"""Of the generator: each with its negative."""


def make_point(multiple: int) -> bytes:
    x, y = normalize(multiply(G1, multiple))[:2]
    return int(x).to_bytes(WORD, "big") + int(y).to_bytes(WORD, "big")


POINTS = {multiple: make_point(multiple) for multiple in MULTIPLES}


def sum_natively(multiples: list[int], scalars: list[int]) -> tuple[int, int]:
    head = make_small_key().verifying_key.to_bytes()[:HEAD]
    key = VerifyingKey.from_bytes(head + POINTS[1] + b"".join(POINTS[multiple] for multiple in multiples))
    return key.native.ic_sum(0, FieldVector.from_canonical(scalars))


def sum_at_once(multiples: list[int], scalars: list[int]) -> tuple[int, int]:
    total = sum(multiple * scalar for multiple, scalar in zip(multiples, scalars, strict=True)) % P
    if total == 0:
        return (0, 0)
    x, y = normalize(multiply(G1, total))[:2]
    return int(x), int(y)


@pytest.mark.parametrize("scalar", [0, 1, 2, P // 2, P // 2 + 1, P - 1, 2**127, 2**128 - 1])
def test_one_point(scalar):
    assert sum_natively([5], [scalar]) == sum_at_once([5], [scalar])


def test_every_edge_alone_is_its_own_multiple():
    """Scalars of one length share a window's width, so each edge meets another layout."""
    for scalar in EDGES[::7]:
        assert sum_natively([1, 2], [scalar, 0]) == sum_at_once([1, 2], [scalar, 0])


@pytest.mark.property("P-77")
@pytest.mark.parametrize("size", [2, 3, 40, 1000, 9000])
@pytest.mark.parametrize("kind", ["edges", "any", "bits"])
def test_repeated_and_opposite_points(size, kind):
    """Few points many times: in each bucket points meet their equals and their negatives."""
    draw = random.Random(f"{size} {kind}")
    multiples = [draw.choice(MULTIPLES) for _ in range(size)]
    make = {"edges": lambda: draw.choice(EDGES), "any": lambda: draw.randrange(P), "bits": lambda: draw.getrandbits(1)}
    scalars = [make[kind]() for _ in range(size)]
    assert sum_natively(multiples, scalars) == sum_at_once(multiples, scalars)


@pytest.mark.property("P-77")
@pytest.mark.parametrize("scalar", [1, 77, P // 2, P - 5])
def test_what_cancels_is_the_identity(scalar):
    multiples = [7, P - 7] * 500
    assert sum_natively(multiples, [scalar] * 1000) == (0, 0)
    assert sum_natively([7] * 1000, [scalar, P - scalar] * 500) == (0, 0)


def test_one_point_many_times_is_doubled():
    assert sum_natively([3] * 1024, [9] * 1024) == sum_at_once([3], [9 * 1024])
