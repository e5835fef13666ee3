"""Errors of the venue's services and of its members' nodes, one tree. Secrets are in none of them.

VenueError                 below `engine.errors.ZkMarginError`
├── KeystoreRefused        a file that is no encrypted wallet, or that the password does not open       (path, reason)
├── WalletUnusable         no wallet is named, or the one that is named gives no key              (source, allowed)
├── SignerUnavailable      an external signer does not answer, or refuses                              (url, reason)
├── NodeStateRefused       a file of an owner's node that cannot be used                              (path, reason)
├── NodeStateInUse         another process works with the same folder                                        (path)
├── AccountNotOpen         a wallet's account that the chain does not have              (account, status, allowed)
├── TradeFileRefused       a file of a negotiation that is not what the next step takes               (what, reason)
├── ReplayRefused          a recorded market that may not be dated as new              (chain_id, lag, allowed)
├── ProposalRefused    an epoch that a publisher's service does not sign                (what, value, allowed)
├── QuorumMissing      an epoch that too few publishers signed             (number, signed, threshold, answers)
├── BoxRefused             a document or key that a relay, or a party behind one, does not take     (what, reason)
├── IndexUnusable          a database that does not answer, or is of another deployment     (place, reason)
└── ServiceFailed          a process of a development network that did not start, or ended             (name, reason)
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from zkmargin.contracts.errors import hide_path
from zkmargin.engine.errors import ZkMarginError


class VenueError(ZkMarginError):
    """Root of everything that services and nodes raise on purpose."""


class KeystoreRefused(VenueError):
    """A file is no encrypted wallet, exists already, or is not opened by the password."""

    def __init__(self, path: Path, reason: str):
        self.path, self.reason = path, reason
        super().__init__(f"keystore {path}: {reason}")


class WalletUnusable(VenueError):
    """No wallet is named, or the one that is named gives no key."""

    def __init__(self, source: str, allowed: str):
        self.source, self.allowed = source, allowed
        super().__init__(f"wallet from {source}; allowed: {allowed}")


class SignerUnavailable(VenueError):
    """An external signer does not answer, refuses, or holds another key."""

    def __init__(self, url: str, reason: str):
        self.url, self.reason = hide_path(url), reason
        super().__init__(f"signer at {self.url}: {reason}")


class NodeStateRefused(VenueError):
    """A file of an owner's node cannot be used."""

    def __init__(self, path: Path, reason: str):
        self.path, self.reason = path, reason
        super().__init__(f"{path}: {reason}")


class NodeStateInUse(VenueError):
    """Another process works with the same folder, and two would prove from one state."""

    def __init__(self, path: Path):
        self.path = path
        super().__init__(f"{path} is in use by another process; wait for it, or take another folder")


class AccountNotOpen(VenueError):
    """The chain does not have a wallet's account as it is needed."""

    def __init__(self, account: bytes, status: str, allowed: str):
        self.account, self.status, self.allowed = account, status, allowed
        super().__init__(f"account 0x{account.hex()} is {status} on chain; allowed: {allowed}")


class TradeFileRefused(VenueError):
    """A file of a negotiation is not what the next step takes."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


class ReplayRefused(VenueError):
    """A recorded market would be dated as new on a chain where that is not allowed."""

    def __init__(self, chain_id: int, lag: int, allowed: str):
        self.chain_id, self.lag, self.allowed = chain_id, lag, allowed
        super().__init__(f"the market is {lag} s older than the latest block of chain {chain_id}; allowed: {allowed}")


class ProposalRefused(VenueError):
    """A publisher's service does not sign a proposal."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} of the proposal is {value!r}; allowed: {allowed}")


class QuorumMissing(VenueError):
    """Too few publishers signed an epoch."""

    def __init__(self, number: int, signed: int, threshold: int, answers: Iterable[str]):
        self.number, self.signed, self.threshold, self.answers = number, signed, threshold, tuple(answers)
        super().__init__(
            f"epoch {number}: {signed} signatures; allowed: {threshold} or more; {'; '.join(self.answers)}"
        )


class BoxRefused(VenueError):
    """A document or a key is not taken by a relay, or by a party behind one."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


class IndexUnusable(VenueError):
    """A database cannot be used for this deployment."""

    def __init__(self, place: str, reason: str):
        self.place, self.reason = place, reason
        super().__init__(f"{place}: {reason}")


class ServiceFailed(VenueError):
    """A process of a development network did not start, or ended."""

    def __init__(self, name: str, reason: str):
        self.name, self.reason = name, reason
        super().__init__(f"{name}: {reason}")
