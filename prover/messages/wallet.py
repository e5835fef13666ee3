"""What signs for an account: any wallet that gives ECDSA signatures of typed messages."""

from typing import Protocol

from eth_account.signers.local import LocalAccount

from zkmargin.prover.messages.records import TypedMessage
from zkmargin.prover.messages.typed_data import Domain, encode


class Wallet(Protocol):
    """What signs for an account: an address, and ECDSA signatures of typed messages."""

    address: str
    """The account's `auth`."""

    def sign(self, domain: Domain, message: TypedMessage) -> bytes:
        """65 bytes r, s, v over the message's EIP-712 digest."""


class LocalWallet:
    """A wallet over an eth-account key in memory."""

    def __init__(self, account: LocalAccount):
        self._account = account
        self.address: str = account.address

    def __repr__(self) -> str:
        return f"LocalWallet({self.address})"

    def sign(self, domain: Domain, message: TypedMessage) -> bytes:
        """65 bytes r, s, v; deterministic (RFC 6979)."""
        return bytes(self._account.sign_message(encode(domain, message)).signature)
