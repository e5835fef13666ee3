"""Opening one account's escrow by t members, bound to its context: EHTDH1 of Boneh, Buenz, Nayak, Rotem and Shoup
(ePrint 2025/279).

The escrow is R = rho Base8, c = key + Poseidon(tag, rho PK) (`prover.account.escrow`). A plain share x_i R of a freeze
that was cured or reorganised away would stay good for ever. So each member also holds z_i, a share of zero, and gives

    W_i = x_i R + z_i H,     H = hash_to_curve(setup, chain, clearing house, account, commitment, freeze, escrow),

with a proof that x_i and z_i are those of its public keys. Of one context t shares combine to x R, since the z_i
cancel. Shares of different contexts have different H and do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zkmargin.committee.errors import CommitteeInvalid, MessageRefused, ShareRefused, TooFewShares
from zkmargin.committee.group import (
    BASE8,
    POINT_BYTES,
    Reader,
    check_point,
    combine,
    encode_point,
    encode_points,
    encode_scalar,
    hash_to_curve,
)
from zkmargin.committee.polynomial import compute_weights
from zkmargin.committee.proof import Equation, Proof, compute_proof_bytes, is_proven, prove
from zkmargin.committee.record import CommitteeRecord, MemberShare
from zkmargin.prover.account.escrow import Escrow, Point
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.ranges import check_range
from zkmargin.prover.statement.commitment import hash_chain
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS


@dataclass(frozen=True, slots=True)
class DecryptionRequest:
    """One account at one freeze: what every share is bound to."""

    domain: Domain
    """Chain and clearing house."""
    account: bytes
    """32 bytes."""
    commitment: int
    """C at the freeze."""
    freeze_block: int
    """Number of the block in which the account was frozen."""
    freeze_block_hash: bytes
    """32 bytes: another branch of the chain is another context."""
    escrow: Escrow
    """Of the account's key, as the chain has it."""

    def __post_init__(self) -> None:
        for what, value in (("account", self.account), ("freeze block's hash", self.freeze_block_hash)):
            if len(value) != 32:
                raise CommitteeInvalid(what, f"of {len(value)} bytes", "32 bytes")
        check_range("commitment", self.commitment, 0, FIELD_MODULUS)
        check_range("freeze block", self.freeze_block, 0, 1 << 64)
        check_range("escrowed key", self.escrow.escrowed_key, 0, FIELD_MODULUS)
        check_point("ephemeral point of the escrow", self.escrow.ephemeral)

    def encode(self) -> bytes:
        """All fields, each of a fixed length."""
        numbers = (self.domain.chain_id, int(self.domain.clearing_house, 16), self.commitment, self.freeze_block)
        points = encode_points((self.escrow.ephemeral, self.escrow.committee))
        text = b"".join(map(encode_scalar, (*numbers, self.escrow.escrowed_key)))
        return self.account + self.freeze_block_hash + text + points

    def compute_base(self, record: CommitteeRecord) -> Point:
        """H: a point of this context and this record alone."""
        return hash_to_curve("context", record.setup_id, self.encode())


@dataclass(frozen=True, slots=True, repr=False)
class DecryptionShare:
    """One member's W_i. Any t of them open the account: they go over private channels, never on chain or into a log."""

    member: int
    point: Point
    proof: Proof

    def __repr__(self) -> str:
        return f"DecryptionShare(member {self.member}, hidden)"

    def encode(self) -> bytes:
        """Member, point, proof: 162 bytes."""
        return self.member.to_bytes(2, "big") + encode_point(self.point) + self.proof.encode()

    @classmethod
    def decode(cls, data: bytes) -> DecryptionShare:
        """Inverse of `encode`; raises `MessageRefused` for anything else."""
        reader = Reader("decryption share", data, 2 + POINT_BYTES + compute_proof_bytes(2))
        member, point = reader.take_number(), reader.take_point()
        return cls(member, point, Proof(reader.take_scalar(), (reader.take_scalar(), reader.take_scalar())))


@dataclass(frozen=True, slots=True)
class Opening:
    """What came of a request."""

    key: Secret
    """The account's viewing key."""
    refused: tuple[ShareRefused, ...]
    """Shares that were wrong, by member."""


def give_share(share: MemberShare, request: DecryptionRequest) -> DecryptionShare:
    """One member's share for a request. Whether to give it is for `contracts` to decide, which reads the chain.

    Raises
    ------
    CommitteeInvalid
        If the escrow is of another committee's key.
    """
    _require_committee(share.record, request)
    base = request.compute_base(share.record)
    secrets = [share.share, share.blind]
    point = combine((secret.reveal() for secret in secrets), (request.escrow.ephemeral, base))
    equations = _name_share(share.record, request, share.member, point, base)
    return DecryptionShare(share.member, point, prove("share", request.encode(), equations, secrets))


def check_share(record: CommitteeRecord, request: DecryptionRequest, share: DecryptionShare) -> None:
    """Return if the share is the member's for this request.

    Raises
    ------
    ShareRefused
        If it is not: it names the member.
    CommitteeInvalid
        If the escrow is of another committee's key.
    """
    _require_committee(record, request)
    _check_share(record, request, share, request.compute_base(record))


def open_escrow(record: CommitteeRecord, request: DecryptionRequest, shares: Iterable[DecryptionShare]) -> Opening:
    """The account's viewing key, from the shares of t members; those that are wrong are named and left out.

    Raises
    ------
    TooFewShares
        If fewer than t are good; it names the members whose shares were refused.
    CommitteeInvalid
        If the escrow is of another committee's key.
    """
    _require_committee(record, request)
    base = request.compute_base(record)
    good: dict[int, Point] = {}
    refused = []
    for share in shares:
        try:
            _check_share(record, request, share, base)
            good[share.member] = share.point
        except ShareRefused as refusal:
            refused.append(refusal)
    threshold = record.roster.threshold
    if len(good) < threshold:
        raise TooFewShares(len(good), threshold, refused)
    members = sorted(good)[:threshold]
    shared = combine(compute_weights(members), (good[member] for member in members))
    pad = hash_chain([TAGS["ESCROW"], *shared])
    return Opening(Secret((request.escrow.escrowed_key - pad) % FIELD_MODULUS), tuple(refused))


def _check_share(record: CommitteeRecord, request: DecryptionRequest, share: DecryptionShare, base: Point) -> None:
    if share.member not in record.roster.members:
        raise ShareRefused(share.member, f"no member; allowed: 1 to {record.roster.size}")
    try:
        check_point("share", share.point)
    except MessageRefused as error:
        raise ShareRefused(share.member, error.reason) from None
    equations = _name_share(record, request, share.member, share.point, base)
    if len(share.proof.answers) != 2 or not is_proven("share", request.encode(), equations, share.proof):
        raise ShareRefused(share.member, "not proved to be the member's for this account, freeze and committee")


def _name_share(
    record: CommitteeRecord, request: DecryptionRequest, member: int, point: Point, base: Point
) -> tuple[Equation, ...]:
    """X_i = x Base8, Z_i = z Base8, W_i = x R + z H, for one x and one z."""
    return (
        Equation(record.share_keys[member - 1], ((0, BASE8),)),
        Equation(record.blind_keys[member - 1], ((1, BASE8),)),
        Equation(point, ((0, request.escrow.ephemeral), (1, base))),
    )


def _require_committee(record: CommitteeRecord, request: DecryptionRequest) -> None:
    if request.escrow.committee != record.public_key:
        raise CommitteeInvalid("committee key of the escrow", request.escrow.committee, str(record.public_key))
