"""Errors of the committee, one tree. Every error names who or what was refused; none shows a secret.

::

    CommitteeError               below `engine.errors.ZkMarginError`
    ├── CommitteeInvalid         sizes, keys or a record that no committee can have
    ├── MessageRefused           bytes that are no message of this ceremony, or not its sender's
    ├── CeremonyAborted          a round that ended with faults, each of which names a member
    ├── ShareRefused             a share of a decryption that is not its member's for this request
    └── TooFewShares             fewer good shares than the threshold, and whose were refused
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from zkmargin.engine.errors import ZkMarginError


class CommitteeError(ZkMarginError):
    """Root of the committee's errors."""


class CommitteeInvalid(CommitteeError):
    """Sizes, keys or a record that no committee can have."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} is {value}; allowed: {allowed}")


class MessageRefused(CommitteeError):
    """Bytes that are no message of this ceremony, or that their sender did not sign. They count as not sent."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


class FaultKind(StrEnum):
    """What a member did wrong in a ceremony. Everybody who holds the messages finds the same."""

    MISSING = "sent nothing in this round"
    EQUIVOCATED = "signed two messages in one round"
    MALFORMED = "signed a message that is not in canonical form"
    PLEDGE_BROKEN = "dealt something other than it pledged"
    PROOF_WRONG = "does not prove that it knows what it dealt"
    CONSTANT_WRONG = "reshares a secret that is not its share"
    SHARE_WRONG = "sent a member shares that do not fit what it published"
    COMPLAINT_FALSE = "complained of shares that fit, or without a proof"
    TRANSCRIPT_DIFFERS = "judged other messages than those on the board"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Who is at fault, in which round, and how."""

    round: str
    """pledge, dealing or verdict."""
    member: int
    """Number of the member: of the dealers in the first two rounds, of the receivers in the last."""
    kind: FaultKind

    def __str__(self) -> str:
        return f"member {self.member} {self.kind.value} ({self.round})"


class CeremonyAborted(CommitteeError):
    """A ceremony that cannot go on. The faults name every member to leave out of the next one."""

    def __init__(self, faults: Iterable[Fault]):
        self.faults = tuple(sorted(faults))
        super().__init__("; ".join(map(str, self.faults)))


class ShareRefused(CommitteeError):
    """A share of a decryption that member `member` does not owe for this request."""

    def __init__(self, member: int, reason: str):
        self.member, self.reason = member, reason
        super().__init__(f"share of member {member}: {reason}")


class TooFewShares(CommitteeError):
    """Fewer good shares than the threshold."""

    def __init__(self, good: int, threshold: int, refused: Iterable[ShareRefused]):
        self.good, self.threshold, self.refused = good, threshold, tuple(refused)
        names = "; ".join(map(str, self.refused)) or "none refused"
        super().__init__(f"{good} good shares, needed: {threshold}; {names}")
