"""What members of a ceremony send each other. Each kind has one length for given sizes, and one encoding.

Everything is broadcast: shares are in it, each encrypted to the member that it is for. So everybody can check every
complaint, and name who lied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from zkmargin.committee.errors import MessageRefused
from zkmargin.committee.group import (
    BASE8,
    POINT_BYTES,
    SCALAR_BYTES,
    Reader,
    compute_id,
    encode_point,
    encode_points,
    encode_scalar,
)
from zkmargin.committee.proof import Equation, Proof, compute_proof_bytes, is_proven, prove
from zkmargin.committee.record import Identity
from zkmargin.prover.account.escrow import Point

PLEDGE_BYTES = 32


class Round(IntEnum):
    """Rounds of a ceremony, in order."""

    PLEDGE = 1
    """A hash of the dealing: nobody chooses a dealing after seeing another's."""
    DEALING = 2
    VERDICT = 3
    """Of each receiver, on every dealing."""

    @property
    def label(self) -> str:
        """Its name in a fault."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Dealing:
    """What one dealer gives: commitments to its two polynomials, a proof, and every receiver's two values."""

    ephemeral: Point
    """E = k Base8; the values for receiver j are encrypted under k I_j."""
    coefficients: tuple[Point, ...]
    """Of f, t points; the first is the dealer's part of the committee's key, or its share key in a resharing."""
    blind_coefficients: tuple[Point, ...]
    """Of g, t - 1 points: its constant is zero."""
    proof: Proof
    """Of k and of f's constant. Without k's, a dealer could copy another's E and let a complaint open what it hides."""
    shares: tuple[tuple[int, int], ...]
    """f(j) and g(j) of each receiver j, each plus a pad modulo l."""

    def encode(self) -> bytes:
        """In the order of the fields."""
        points = encode_points((self.ephemeral, *self.coefficients, *self.blind_coefficients))
        return points + self.proof.encode() + b"".join(encode_scalar(value) for pair in self.shares for value in pair)

    @classmethod
    def decode(cls, data: bytes, receivers: int, threshold: int) -> Dealing:
        """Inverse of `encode`; raises `MessageRefused` for anything else."""
        size = POINT_BYTES * 2 * threshold + compute_proof_bytes(2) + 2 * SCALAR_BYTES * receivers
        reader = Reader("dealing", data, size)
        ephemeral = reader.take_point()
        coefficients = tuple(reader.take_point() for _ in range(threshold))
        blinds = tuple(reader.take_point() for _ in range(threshold - 1))
        proof = Proof(reader.take_scalar(), (reader.take_scalar(), reader.take_scalar()))
        shares = tuple((reader.take_scalar(), reader.take_scalar()) for _ in range(receivers))
        return cls(ephemeral, coefficients, blinds, proof, shares)

    @property
    def equations(self) -> tuple[Equation, ...]:
        """What the proof is of: E = k Base8, C_0 = f(0) Base8."""
        return Equation(self.ephemeral, ((0, BASE8),)), Equation(self.coefficients[0], ((1, BASE8),))


@dataclass(frozen=True, slots=True)
class Complaint:
    """A receiver's proof of what a dealer sent to it: the point under which the values are encrypted."""

    shared: Point
    """k I_j = d_j E."""
    proof: Proof
    """That it is d_j E, with I_j = d_j Base8."""

    def encode(self) -> bytes:
        """Point, proof."""
        return encode_point(self.shared) + self.proof.encode()


_COMPLAINT_BYTES = POINT_BYTES + compute_proof_bytes(1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A receiver's judgement of all dealings, and the hash of the messages that it judged."""

    transcript: bytes
    """32 bytes."""
    complaints: tuple[Complaint | None, ...]
    """One place a dealer; None accepts."""

    def encode(self) -> bytes:
        """Transcript, then for each dealer a byte 0 or 1 and the complaint, all zeros where there is none."""
        places = (b"\1" + place.encode() if place else bytes(1 + _COMPLAINT_BYTES) for place in self.complaints)
        return self.transcript + b"".join(places)

    @classmethod
    def decode(cls, data: bytes, dealers: int) -> Verdict:
        """Inverse of `encode`; raises `MessageRefused` for anything else."""
        reader = Reader("verdict", data, 32 + dealers * (1 + _COMPLAINT_BYTES))
        transcript = reader.take(32)
        complaints: list[Complaint | None] = []
        for _ in range(dealers):
            flag, content = reader.take_number(1), reader.take(_COMPLAINT_BYTES)
            if flag == 0 and not any(content):
                complaints.append(None)
            elif flag == 1:
                inner = Reader("complaint", content, _COMPLAINT_BYTES)
                shared = inner.take_point()
                complaints.append(Complaint(shared, Proof(inner.take_scalar(), (inner.take_scalar(),))))
            else:
                raise MessageRefused("verdict", "a place that is neither empty nor a complaint")
        return cls(transcript, tuple(complaints))


# --------------------------------------------------------------------------------------------------------- envelopes
@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed message. The signature is the proof that its sender's identity is known, bound to all the rest."""

    ceremony_id: bytes
    """32 bytes."""
    round: Round
    sender: int
    """Of the dealers in the first two rounds, of the receivers in the last."""
    body: bytes
    signature: Proof

    def encode(self) -> bytes:
        """Ceremony, round, sender, body, signature."""
        return _encode_header(self.ceremony_id, self.round, self.sender) + self.body + self.signature.encode()

    @classmethod
    def decode(cls, data: bytes) -> Envelope:
        """Inverse of `encode`; does not look at body or signature. Raises `MessageRefused`."""
        overhead = _HEADER_BYTES + compute_proof_bytes(1)
        body_bytes = len(data) - overhead
        reader = Reader("envelope", data, overhead + max(body_bytes, 0))
        ceremony_id, number, sender = reader.take(32), reader.take_number(1), reader.take_number()
        if number not in set(Round):
            raise MessageRefused("envelope", f"round {number}, allowed: 1 to {len(Round)}")
        body = reader.take(body_bytes)
        return cls(ceremony_id, Round(number), sender, body, Proof(reader.take_scalar(), (reader.take_scalar(),)))

    def is_signed_by(self, identity: Point) -> bool:
        """Whether the owner of `identity` signed exactly this."""
        header = _encode_header(self.ceremony_id, self.round, self.sender)
        return is_proven("message", header + self.body, _name_signer(identity), self.signature)


_HEADER_BYTES = 32 + 1 + 2


def _encode_header(ceremony_id: bytes, round_: Round, sender: int) -> bytes:
    return ceremony_id + bytes([round_]) + sender.to_bytes(2, "big")


def _name_signer(identity: Point) -> Sequence[Equation]:
    return [Equation(identity, ((0, BASE8),))]


def seal(ceremony_id: bytes, round_: Round, sender: int, body: bytes, identity: Identity) -> bytes:
    """The encoded envelope of a message, signed."""
    header = _encode_header(ceremony_id, round_, sender)
    signature = prove("message", header + body, _name_signer(identity.public), [identity.secret])
    return Envelope(ceremony_id, round_, sender, body, signature).encode()


def compute_pledge(dealing: bytes) -> bytes:
    """Hash of an encoded dealing, 32 bytes. It has random points in it, so it hides."""
    return compute_id("pledge", dealing)
