"""Proofs that one knows scalars which solve linear equations in points: Schnorr's, Okamoto's, Chaum and Pedersen's.

A statement is a list of equations image = sum_j secret_j base_j over the same secrets. The prover sends a challenge e
and answers s_j = nonce_j + e secret_j; the verifier recomputes what was announced, sum_j s_j base_j - e image, and asks
whether e is its hash (Fiat and Shamir). The hash covers a tag, what the proof is bound to, and all points. Sound for
points of the subgroup, which the callers have checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkmargin.committee.group import (
    ORDER,
    SCALAR_BYTES,
    combine,
    encode_point,
    encode_scalar,
    hash_to_scalar,
    make_scalar,
)
from zkmargin.prover.account.escrow import Point
from zkmargin.prover.statement.secret import Secret


@dataclass(frozen=True, slots=True)
class Equation:
    """image = sum of secret_j * base_j over `terms`, pairs of j and base."""

    image: Point
    terms: tuple[tuple[int, Point], ...]

    def combine_with(self, scalars: Sequence[int]) -> Point:
        """sum_j scalar_j base_j."""
        return combine((scalars[place] for place, _ in self.terms), (base for _, base in self.terms))

    def encode(self) -> bytes:
        """For the hash: the image, then each term."""
        parts = (place.to_bytes(2, "big") + encode_point(base) for place, base in self.terms)
        return encode_point(self.image) + b"".join(parts)


@dataclass(frozen=True, slots=True)
class Proof:
    """Challenge and one answer a secret; 32 bytes each when encoded."""

    challenge: int
    answers: tuple[int, ...]

    def encode(self) -> bytes:
        """The challenge, then the answers."""
        return b"".join(map(encode_scalar, (self.challenge, *self.answers)))


def compute_proof_bytes(secrets: int) -> int:
    """Length of a proof of so many secrets."""
    return SCALAR_BYTES * (1 + secrets)


def prove(tag: str, bound: bytes, equations: Sequence[Equation], secrets: Sequence[Secret]) -> Proof:
    """Proof that the secrets solve the equations, good for this tag and what it is bound to alone."""
    nonces = [make_scalar() for _ in secrets]
    announced = [equation.combine_with([nonce.reveal() for nonce in nonces]) for equation in equations]
    challenge = _compute_challenge(tag, bound, equations, announced)
    answers = (
        (nonce.reveal() + challenge * secret.reveal()) % ORDER for nonce, secret in zip(nonces, secrets, strict=True)
    )
    return Proof(challenge, tuple(answers))


def is_proven(tag: str, bound: bytes, equations: Sequence[Equation], proof: Proof) -> bool:
    """Whether the proof holds. The number of answers is the caller's to fix: its decoder reads so many."""
    scalars = proof.answers
    announced = [
        combine((1, -proof.challenge), (equation.combine_with(scalars), equation.image)) for equation in equations
    ]
    return proof.challenge == _compute_challenge(tag, bound, equations, announced)


def _compute_challenge(tag: str, bound: bytes, equations: Sequence[Equation], announced: Sequence[Point]) -> int:
    statement = (part for equation in equations for part in (equation.encode(),))
    return hash_to_scalar(f"proof.{tag}", bound, *statement, *map(encode_point, announced))
