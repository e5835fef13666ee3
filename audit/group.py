"""Sums of many points of BN254's G1 in plain integers: one policy point at `standard` is a sum of 15,000.

Jacobian coordinates (X / Z^2, Y / Z^3); formulae of the Explicit-Formulas Database, add-1998-cmo-2 and dbl-2009-l.
py_ecc's classes would take several times as long. The bucket sum is written again here and not shared with the
prover's verifier on py_ecc, since a test holds each against the other.
"""

from __future__ import annotations

from collections.abc import Sequence

Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Field of the coordinates; EIP-196."""
WINDOW = 11
"""Bits of a digit: near the optimum for 15,000 points."""

Affine = tuple[int, int]
"""(x, y); the identity is (0, 0)."""
Jacobian = tuple[int, int, int]
"""Z = 0 is the identity."""
INFINITY: Jacobian = (1, 1, 0)


def sum_products(points: Sequence[Affine], scalars: Sequence[int]) -> Affine:
    """sum_i scalars[i] points[i], scalars not negative, by buckets (Pippenger)."""
    total, top = INFINITY, max((scalar.bit_length() for scalar in scalars), default=0)
    for window in reversed(range(-(-top // WINDOW))):
        for _ in range(WINDOW if total[2] else 0):
            total = double(total)
        buckets: dict[int, Jacobian] = {}
        for point, scalar in zip(points, scalars, strict=True):
            if digit := scalar >> WINDOW * window & (1 << WINDOW) - 1:
                buckets[digit] = add_affine(buckets.get(digit, INFINITY), point)
        running = window_sum = INFINITY
        for digit in range(max(buckets, default=0), 0, -1):
            if digit in buckets:
                running = add(running, buckets[digit])
            window_sum = add(window_sum, running)
        total = add(total, window_sum)
    return to_affine(total)


def negate(point: Affine) -> Affine:
    """The opposite point."""
    return point[0], -point[1] % Q


def to_affine(point: Jacobian) -> Affine:
    """(x, y) of a point."""
    x, y, z = point
    if z == 0:
        return 0, 0
    inverse = pow(z, -1, Q)
    square = inverse * inverse % Q
    return x * square % Q, y * square * inverse % Q


def double(point: Jacobian) -> Jacobian:
    """2 P."""
    x, y, z = point
    a, b = x * x % Q, y * y % Q
    c = b * b % Q
    d = 2 * ((x + b) * (x + b) - a - c) % Q
    e = 3 * a
    x3 = (e * e - 2 * d) % Q
    return x3, (e * (d - x3) - 8 * c) % Q, 2 * y * z % Q


def add_affine(p: Jacobian, q: Affine) -> Jacobian:
    """P + Q."""
    if q == (0, 0):
        return p
    return add(p, (*q, 1))


def add(p: Jacobian, q: Jacobian) -> Jacobian:
    """P + Q, also where they are equal or opposite."""
    if p[2] == 0:
        return q
    if q[2] == 0:
        return p
    (x1, y1, z1), (x2, y2, z2) = p, q
    z1z1 = z1 * z1 % Q
    u2, s2 = x2 * z1z1 % Q, y2 * z1 * z1z1 % Q
    if z2 == 1:
        u1, s1, zz = x1, y1, z1
    else:
        z2z2 = z2 * z2 % Q
        u1, s1, zz = x1 * z2z2 % Q, y1 * z2 * z2z2 % Q, z1 * z2 % Q
    h, r = (u2 - u1) % Q, (s2 - s1) % Q
    if h == 0:
        return INFINITY if r else double(p)
    hh = h * h % Q
    hhh, v = h * hh % Q, u1 * hh % Q
    x3 = (r * r - hhh - 2 * v) % Q
    return x3, (r * (v - x3) - s1 * hhh) % Q, zz * h % Q
