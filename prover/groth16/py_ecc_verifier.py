"""A second verifier, over py_ecc: no code in common with the native one, and slow: seconds at `standard`
(`verify_py_ecc_s` in `costs/prover.json`)."""

from __future__ import annotations

from collections.abc import Sequence

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.optimized_bn128.optimized_curve import (
    Z1,
    add,
    b,
    b2,
    curve_order,
    double,
    field_modulus,
    is_inf,
    is_on_curve,
    multiply,
    neg,
)
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate, pairing

from zkmargin.prover._native import FieldVector
from zkmargin.prover.errors import InputShape, NotInField, PointRefused
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.ranges import require_integer

PointG1 = tuple[FQ, FQ, FQ]
"""Projective."""
PointG2 = tuple[FQ2, FQ2, FQ2]
WINDOW = 11
"""Bits of a digit in the bucket sum: near the optimum for 15,000 points."""
WORD = 32
HEAD = 14
"""Words of alpha, beta, gamma and delta, before IC."""


def verify_py_ecc(key: VerifyingKey, proof: Proof, public: Sequence[int] | FieldVector) -> bool:
    """Whether e(A, B) = e(alpha, beta) e(IC_0 + sum a_i IC_i, gamma) e(C, delta).

    Raises
    ------
    NotInField
        If an input is not in 0 .. r - 1, or a coordinate not below q.
    PointRefused
        If a point is off its curve, outside the subgroup or the identity.
    InputShape
        If it is not the key's number of inputs.
    """
    data = key.to_bytes()
    words = [int.from_bytes(data[i : i + WORD], "big") for i in range(0, len(data), WORD)]
    alpha = _g1("alpha", words[0:2])
    beta, gamma, delta = (_g2(name, words[i : i + 4]) for name, i in (("beta", 2), ("gamma", 6), ("delta", 10)))
    bases = [_g1(f"IC[{i // 2}]", words[HEAD + i : HEAD + i + 2]) for i in range(0, len(words) - HEAD, 2)]
    scalars = (
        public.to_list() if isinstance(public, FieldVector) else [require_integer("public", value) for value in public]
    )
    if len(scalars) != len(bases) - 1:
        raise InputShape("public inputs", len(scalars), len(bases) - 1)
    for index, value in enumerate(scalars):
        if not 0 <= value < curve_order:
            raise NotInField(f"public[{index}]", value)
    a, proof_b, c = _g1("A", proof.words[0:2]), _g2("B", proof.words[2:6]), _g1("C", proof.words[6:8])
    inputs = add(bases[0], sum_of_products(bases[1:], scalars))
    product = FQ12.one()
    for left, right in ((a, proof_b), (neg(alpha), beta), (neg(inputs), gamma), (neg(c), delta)):
        product *= pairing(right, left, final_exponentiate=False)
    return final_exponentiate(product) == FQ12.one()


def sum_of_products(points: Sequence[PointG1], scalars: Sequence[int]) -> PointG1:
    """sum_i scalars[i] points[i] on G1 by buckets (Pippenger), projective."""
    total = Z1
    top = max((scalar.bit_length() for scalar in scalars), default=0)
    for window in reversed(range(-(-top // WINDOW))):
        if not is_inf(total):
            for _ in range(WINDOW):
                total = double(total)
        buckets: dict[int, PointG1] = {}
        for point, scalar in zip(points, scalars, strict=True):
            if digit := scalar >> WINDOW * window & (1 << WINDOW) - 1:
                buckets[digit] = add(buckets[digit], point) if digit in buckets else point
        running = window_sum = Z1
        for digit in range(max(buckets, default=0), 0, -1):
            if digit in buckets:
                running = add(running, buckets[digit])
            window_sum = add(window_sum, running)
        total = add(total, window_sum)
    return total


def _g1(name: str, words: Sequence[int]) -> PointG1:
    _check_coordinates(name, words)
    point = (FQ(words[0]), FQ(words[1]), FQ(1))
    if not is_on_curve(point, b):
        raise PointRefused(name, "is not on the curve")
    return point


def _g2(name: str, words: Sequence[int]) -> PointG2:
    _check_coordinates(name, words)
    x1, x0, y1, y0 = words
    point = (FQ2([x0, x1]), FQ2([y0, y1]), FQ2.one())
    if not is_on_curve(point, b2):
        raise PointRefused(name, "is not on the curve")
    if not is_inf(multiply(point, curve_order)):
        raise PointRefused(name, "is not in the subgroup")
    return point


def _check_coordinates(name: str, words: Sequence[int]) -> None:
    for word in words:
        if not 0 <= word < field_modulus:
            raise NotInField(f"a coordinate of {name}", word)
