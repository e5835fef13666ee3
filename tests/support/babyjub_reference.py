"""BabyJubJub in plain Python, from EIP-2494: a x^2 + y^2 = 1 + d x^2 y^2 over BN254's scalar field."""

from tests.support.poseidon_reference import P

A, D = 168700, 168696
L = 2736030358979909402780800718157159386076813972158567259200215660948447373041
"""Order of the prime subgroup; the curve has 8 L points."""
BASE8 = (
    5299619240641551281634865583518297030282874472190772894086521144482721001553,
    16950150798460657717958625567821834550301663161624707787222815936182638968203,
)
"""Generator of the prime subgroup."""
IDENTITY = (0, 1)

Point = tuple[int, int]


def add(p: Point, q: Point) -> Point:
    """Sum of two points; the law is complete."""
    (x1, y1), (x2, y2) = p, q
    product = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + y1 * x2) * pow(1 + product, -1, P)
    y = (y1 * y2 - A * x1 * x2) * pow(1 - product, -1, P)
    return x % P, y % P


def multiply(scalar: int, point: Point) -> Point:
    """scalar * point for scalar >= 0."""
    result = IDENTITY
    for bit in f"{scalar:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def is_on_curve(point: Point) -> bool:
    """Whether the curve's equation holds."""
    x2, y2 = point[0] ** 2, point[1] ** 2
    return (A * x2 + y2 - 1 - D * x2 * y2) % P == 0


def root(value: int) -> int:
    """A square root mod p (Tonelli and Shanks); raises ValueError if there is none."""
    if pow(value, (P - 1) // 2, P) != 1:
        raise ValueError("not a square")
    odd, twos = P - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    c, t, r = pow(5, odd, P), pow(value, odd, P), pow(value, (odd + 1) // 2, P)
    while t != 1:
        step, square = 0, t
        while square != 1:
            square, step = square * square % P, step + 1
        b = pow(c, 1 << (twos - step - 1), P)
        twos, c, t, r = step, b * b % P, t * b * b % P, r * b % P
    return r
