"""Shamir's sharing modulo l: polynomials, their commitments (Feldman), and Lagrange's coefficients at zero."""

from collections.abc import Sequence

from zkmargin.committee.group import BASE8, ORDER, combine, make_scalar, multiply
from zkmargin.prover.account.escrow import Point
from zkmargin.prover.statement.secret import Secret


def make_polynomial(constant: Secret, threshold: int) -> tuple[Secret, ...]:
    """Coefficients of a random polynomial of degree threshold - 1 with that constant, lowest first."""
    return (constant, *(make_scalar() for _ in range(threshold - 1)))


def evaluate(polynomial: Sequence[Secret], point: int) -> Secret:
    """The polynomial's value modulo l: the share of member `point`."""
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * point + coefficient.reveal()) % ORDER
    return Secret(value)


def commit(polynomial: Sequence[Secret]) -> tuple[Point, ...]:
    """Each coefficient times Base8."""
    return tuple(multiply(BASE8, coefficient.reveal()) for coefficient in polynomial)


def evaluate_commitment(commitment: Sequence[Point], point: int) -> Point:
    """The value at `point`, times Base8, of a polynomial of which only the commitment is known."""
    return combine((pow(point, power, ORDER) for power in range(len(commitment))), commitment)


def compute_weights(members: Sequence[int]) -> tuple[int, ...]:
    """Lagrange's coefficients at zero: f(0) = sum_i weight_i f(member_i) for every f of a degree below their number."""
    weights = []
    for member in members:
        above, below = 1, 1
        for other in members:
            if other != member:
                above, below = above * other % ORDER, below * (other - member) % ORDER
        weights.append(above * pow(below, -1, ORDER) % ORDER)
    return tuple(weights)
