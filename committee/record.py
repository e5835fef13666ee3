"""What a committee is: the public record that anybody can check, and one member's share, which nobody else may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zkmargin.committee.errors import CommitteeError, CommitteeInvalid
from zkmargin.committee.group import (
    BASE8,
    IDENTITY,
    ORDER,
    POINT_BYTES,
    Reader,
    check_point,
    combine,
    compute_id,
    encode_points,
    make_scalar,
    multiply,
)
from zkmargin.committee.polynomial import compute_weights
from zkmargin.prover.account.escrow import Point
from zkmargin.prover.account.key_file import read_hex_secret, read_secret_file, write_secret_file
from zkmargin.prover.errors import KeyFileError
from zkmargin.prover.statement.secret import Secret

MOST_MEMBERS = 64
"""Largest committee; beyond it, complaints of everybody against everybody would be large."""


# ---------------------------------------------------------------------------------------------------------- identity
@dataclass(frozen=True, slots=True)
class Identity:
    """A member's own key, older than any committee: it signs its messages, and shares are encrypted to it."""

    secret: Secret
    """In [1, l)."""

    @classmethod
    def create(cls) -> Identity:
        """A fresh one, from the operating system."""
        return cls(make_scalar())

    @property
    def public(self) -> Point:
        """The secret times Base8."""
        return multiply(BASE8, self.secret.reveal())


@dataclass(frozen=True, slots=True)
class Roster:
    """Public identities of a committee, of members 1 to n in order, and how many of them open an escrow."""

    identities: tuple[Point, ...]
    threshold: int
    """t, more than half of n."""

    def __post_init__(self) -> None:
        size = len(self.identities)
        if not 3 <= size <= MOST_MEMBERS:
            raise CommitteeInvalid("number of members", size, f"3 to {MOST_MEMBERS}")
        if not size < 2 * self.threshold <= 2 * size:
            raise CommitteeInvalid("threshold", self.threshold, f"{size // 2 + 1} to {size} of {size} members")
        if len({check_point("identity", identity) for identity in self.identities}) < size:
            raise CommitteeInvalid("roster", "of one identity twice", "distinct identities")

    @property
    def size(self) -> int:
        """n."""
        return len(self.identities)

    @property
    def members(self) -> range:
        """1 to n."""
        return range(1, self.size + 1)

    def get_identity(self, member: int) -> Point:
        """Public identity of a member, counted from 1."""
        if member not in self.members:
            raise CommitteeInvalid("member", member, f"1 to {self.size}")
        return self.identities[member - 1]

    def encode(self) -> bytes:
        """n, t, identities."""
        return bytes([self.size, self.threshold]) + encode_points(self.identities)


# ------------------------------------------------------------------------------------------------------------ record
@dataclass(frozen=True)
class CommitteeRecord:
    """The public outcome of a ceremony. Shares of two records never combine: they differ in `setup_id`."""

    ceremony_id: bytes
    """Of the ceremony that made it, 32 bytes."""
    roster: Roster
    public_key: Point
    """PK = f(0) Base8: what accounts escrow their keys to. Resharing keeps it."""
    share_keys: tuple[Point, ...]
    """X_i = f(i) Base8 of each member."""
    blind_keys: tuple[Point, ...]
    """Z_i = g(i) Base8 of each member, with g(0) = 0."""

    def __post_init__(self) -> None:
        """Refuses keys that are not of polynomials of degree t - 1 with the values PK and 0 at zero.

        So whoever has the record knows that any t members open, without having seen the ceremony.
        """
        if len(self.ceremony_id) != 32:
            raise CommitteeInvalid("ceremony's number", f"of {len(self.ceremony_id)} bytes", "32 bytes")
        check_point("committee key", self.public_key)
        for what, keys, constant in (
            ("share keys", self.share_keys, self.public_key),
            ("blind keys", self.blind_keys, IDENTITY),
        ):
            if len(keys) != self.roster.size:
                raise CommitteeInvalid(f"number of {what}", len(keys), str(self.roster.size))
            for key in keys:
                check_point(what, key)
            _require_polynomial(what, (constant, *keys), self.roster.threshold)

    @cached_property
    def setup_id(self) -> bytes:
        """Hash of all of it: part of the context of every decryption."""
        return compute_id("setup", self.encode())

    def encode(self) -> bytes:
        """Ceremony, roster, keys."""
        keys = encode_points((self.public_key, *self.share_keys, *self.blind_keys))
        return self.ceremony_id + self.roster.encode() + keys

    @classmethod
    def decode(cls, data: bytes) -> CommitteeRecord:
        """Inverse of `encode`.

        Raises
        ------
        MessageRefused
            If a point, or the length, is not what it should be.
        CommitteeInvalid
            If the keys are no committee's.
        """
        size = data[32] if len(data) > 32 else 0
        reader = Reader("committee record", data, 32 + 2 + POINT_BYTES * (3 * size + 1))
        ceremony_id, _, threshold = reader.take(32), reader.take(1), reader.take_number(1)
        roster = Roster(tuple(reader.take_point() for _ in range(size)), threshold)
        public_key = reader.take_point()
        shares, blinds = (tuple(reader.take_point() for _ in range(size)) for _ in range(2))
        return cls(ceremony_id, roster, public_key, shares, blinds)


def _require_polynomial(what: str, values: Sequence[Point], threshold: int) -> None:
    """Values at 0, 1, .. n, times Base8: those at 1 .. t decide, the others must follow."""
    places = range(1, threshold + 1)
    for place in (0, *range(threshold + 1, len(values))):
        # Lagrange's coefficients at `place` are those at zero of the places shifted by it.
        weights = compute_weights([other - place for other in places])
        if combine(weights, (values[other] for other in places)) != values[place]:
            raise CommitteeInvalid(what, "of no polynomial", f"values of one of degree {threshold - 1}")


# ------------------------------------------------------------------------------------------------------------- share
@dataclass(frozen=True)
class MemberShare:
    """One member's secrets under a record. Older ones are to be deleted after each resharing: see docs/clearing.md."""

    record: CommitteeRecord
    member: int
    """1 to n."""
    share: Secret
    """x_i = f(i)."""
    blind: Secret
    """z_i = g(i)."""

    def __post_init__(self) -> None:
        """Refuses shares that are not those of the record."""
        self.record.roster.get_identity(self.member)
        place = self.member - 1
        for what, secret, key in (
            ("share", self.share, self.record.share_keys[place]),
            ("blind", self.blind, self.record.blind_keys[place]),
        ):
            if not secret.reveal() < ORDER or multiply(BASE8, secret.reveal()) != key:
                raise CommitteeInvalid(
                    f"{what} of member {self.member}", "another than the record's", "that of its key"
                )

    def __repr__(self) -> str:
        return f"MemberShare(member {self.member} of {self.record.roster.size}, hidden)"


def write_share_file(path: Path | str, share: MemberShare) -> None:
    """The share in a new file of mode 0600.

    Raises
    ------
    KeyFileError
        If the file exists.
    """
    content: dict[str, object] = {
        "about": "zkmargin committee share; keep it secret, delete it when the committee has reshared",
        "record": share.record.encode().hex(),
        "member": share.member,
    }
    secrets = {name: f"0x{getattr(share, name).reveal():064x}" for name in ("share", "blind")}
    write_secret_file(Path(path), {**content, **secrets})


def read_share_file(path: Path | str) -> MemberShare:
    """The share that `write_share_file` wrote.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others, malformed, or not of its own record.
    """
    content = read_secret_file(Path(path), {"record", "member", "share", "blind"})
    try:
        if not isinstance(content["member"], int) or isinstance(content["member"], bool):
            raise ValueError("a member is a whole number")
        record = CommitteeRecord.decode(bytes.fromhex(content["record"]))
        secrets = (read_hex_secret(content[name]) for name in ("share", "blind"))
        return MemberShare(record, content["member"], *secrets)
    except (TypeError, ValueError, CommitteeError):
        raise KeyFileError(f"{path}: record or share is malformed; neither is shown") from None
