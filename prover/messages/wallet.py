"""What signs for an account, and the one place where a wallet's signature enters: `request_signature`.

Wallets write one ECDSA signature in several ways. The contracts take one of them: 65 bytes r, s, v, with s in the lower
half and v of 27 or 28.
"""

from typing import Protocol, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount

from zkmargin.prover.errors import SignatureRefused
from zkmargin.prover.messages.records import TypedMessage
from zkmargin.prover.messages.typed_data import HALF_ORDER, Domain, encode, recover_signer

LEAST_V = 27
"""v of a signature whose curve point R has an even y; 28 where it is odd. Some wallets write 0 and 1."""
ORDER = 2 * HALF_ORDER + 1
"""Order of secp256k1's group."""


class Signer(Protocol):
    """What signs for an account: an address, and ECDSA signatures of typed messages."""

    address: str
    """The account's `auth`."""

    def sign(self, domain: Domain, message: TypedMessage) -> bytes:
        """65 bytes r, s, v over the message's EIP-712 digest; a contract wallet's (ERC-1271) may be any bytes."""


class Wallet:
    """A wallet over an eth-account key in memory."""

    def __init__(self, account: LocalAccount):
        self.account = account
        """eth-account's, with the private key."""
        self.address: str = account.address

    @classmethod
    def create(cls) -> Self:
        """A wallet with a fresh key."""
        return cls(Account.create())

    @classmethod
    def from_key(cls, key: bytes | str) -> Self:
        """The wallet of a private key, 32 bytes or 0x-hex."""
        return cls(Account.from_key(key))

    def __repr__(self) -> str:
        return f"Wallet({self.address})"

    def sign(self, domain: Domain, message: TypedMessage) -> bytes:
        """65 bytes r, s, v; deterministic (RFC 6979)."""
        return bytes(self.account.sign_message(encode(domain, message)).signature)


def request_signature(wallet: Signer, domain: Domain, message: TypedMessage) -> bytes:
    """The wallet's signature of the message, in the form that the contracts take.

    A wallet that is a key may write v as 0 or 1 (hardware wallets do): it leaves here as 27 or 28. What is not its
    key's signature in any form is a contract wallet's, and leaves as it came: the chain decides.

    Raises
    ------
    SignatureRefused
        If the signature is the wallet's own in a form that the contracts refuse: EIP-2098's 64 bytes, an s in the upper
        half, or another v.
    """
    return normalise_signature(wallet.address, domain, message, bytes(wallet.sign(domain, message)))


def normalise_signature(address: str, domain: Domain, message: TypedMessage, signature: bytes) -> bytes:
    """What `request_signature` makes of a signature that the wallet at `address` gave; raises likewise."""
    normal = normalise_v(signature)
    if is_signed_by_key(domain, message, normal, address):
        return normal
    for reason, other in _list_refused_forms(signature):
        if is_signed_by_key(domain, message, other, address):
            raise SignatureRefused(address, type(message).__name__, reason)
    return signature


def normalise_v(signature: bytes) -> bytes:
    """An ECDSA signature of 65 bytes with a v of 0 or 1 written as 27 or 28; anything else as it is."""
    if len(signature) == 65 and signature[64] < 2:
        return signature[:64] + bytes([signature[64] + LEAST_V])
    return signature


def _list_refused_forms(signature: bytes) -> list[tuple[str, bytes]]:
    """Why the contracts refuse each form that `signature` may be, with the same signature in the form they take."""
    r, s = signature[:32], int.from_bytes(signature[32:64], "big")
    if len(signature) == 64:
        low, parity = s & (1 << 255) - 1, s >> 255
        return [("64 bytes, the compact form of EIP-2098", r + low.to_bytes(32, "big") + bytes([LEAST_V + parity]))]
    if len(signature) != 65:
        return []
    v = signature[64]
    forms = [(f"v is {v}", signature[:64] + bytes([LEAST_V + parity])) for parity in (0, 1) if v > LEAST_V + 1]
    if HALF_ORDER < s < ORDER:
        flipped = r + (ORDER - s).to_bytes(32, "big")
        forms += [("s is in the upper half (EIP-2)", flipped + bytes([LEAST_V + parity])) for parity in (0, 1)]
    return forms


def is_signed_by_key(domain: Domain, message: TypedMessage, signature: bytes, signer: str) -> bool:
    """Whether the signature is ECDSA by `signer` itself: the check for wallets that are a key."""
    actual = recover_signer(domain, message, signature)
    return actual is not None and actual.lower() == signer.lower()
