"""Committees for tests: ceremonies that go well, and what a member of them holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from tests.support.scenes import DOMAIN
from zkmargin.committee.ceremony import Ceremony, Dealer, Receiver
from zkmargin.committee.decryption import DecryptionRequest
from zkmargin.committee.local import play
from zkmargin.committee.record import CommitteeRecord, Identity, MemberShare, Roster
from zkmargin.prover.account.escrow import escrow_key, make_scalar
from zkmargin.prover.statement.secret import Secret

KEY = Secret(10**40 + 7)
"""Viewing key of the account that requests are of."""


@dataclass(frozen=True)
class Committee:
    """All members of a committee, as no single party ever holds them."""

    identities: tuple[Identity, ...]
    shares: tuple[MemberShare, ...]

    @property
    def record(self) -> CommitteeRecord:
        return self.shares[0].record

    def pick(self, *members: int) -> list[MemberShare]:
        return [self.shares[member - 1] for member in members]


def make_identities(size: int) -> tuple[Identity, ...]:
    return tuple(Identity.create() for _ in range(size))


def make_roster(identities: Sequence[Identity], threshold: int) -> Roster:
    return Roster(tuple(identity.public for identity in identities), threshold)


def make_parts(
    ceremony: Ceremony, identities: Sequence[Identity], previous: Committee | None = None
) -> tuple[dict[int, Dealer], dict[int, Receiver]]:
    """Dealers and receivers of a ceremony; `identities` are the receivers'."""
    dealing = previous.identities if previous else identities
    shares = {share.member: share for share in previous.shares} if previous else {}
    dealers = {m: Dealer(ceremony, m, dealing[m - 1], shares.get(m)) for m in ceremony.dealers}
    receivers = {m: Receiver(ceremony, m, identities[m - 1]) for m in ceremony.receivers.members}
    return dealers, receivers


def run_ceremony(ceremony: Ceremony, identities: Sequence[Identity], previous: Committee | None = None) -> Committee:
    dealers, receivers = make_parts(ceremony, identities, previous)
    return Committee(tuple(identities), tuple(play(ceremony, dealers.values(), receivers.values())))


@cache
def get_committee(size: int = 5, threshold: int = 3) -> Committee:
    """A committee that tests only read."""
    identities = make_identities(size)
    return run_ceremony(Ceremony(bytes(32), make_roster(identities, threshold)), identities)


def make_request(record: CommitteeRecord, **changes: object) -> DecryptionRequest:
    """A request to open an account whose viewing key is `KEY`."""
    fields: dict[str, object] = {
        "domain": DOMAIN,
        "account": b"\5" * 32,
        "commitment": 77,
        "freeze_block": 1_234,
        "freeze_block_hash": b"\6" * 32,
    }
    if "escrow" not in changes:
        fields["escrow"] = escrow_key(KEY, record.public_key, make_scalar())
    return DecryptionRequest(**{**fields, **changes})  # type: ignore[arg-type]
