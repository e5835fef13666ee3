"""Keys and boxes: what a party publishes so that others may write to it, and what they write.

A party's relay key is an X25519 key of its own, published with its wallet's signature. A box is sealed to it
(libsodium's `crypto_box_seal`): only the addressee opens it, and it does not say whose it is. Who wrote a document says
the document's own EIP-712 signature, which the steps of a trade check as they do with files.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Self

from eth_account import Account as EthAccount
from eth_account.messages import encode_defunct
from eth_utils.address import to_checksum_address
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from pydantic import Field

from zkmargin.engine.files import StrictModel
from zkmargin.prover.account.key_file import read_secret_file, write_secret_file
from zkmargin.prover.errors import KeyFileError
from zkmargin.prover.messages.fields import to_address
from zkmargin.prover.messages.signed import MAX_JSON_BYTES
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import BoxRefused

PADDING = 1 << 10
"""Bytes to whose multiple a document is filled up: its length would tell which step of a trade it is."""
PRIVATE_HEX = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
KEY_SECONDS = 30 * 24 * 3600
"""How long a published key is good: its owner publishes again, and one that was stolen is of no use for longer."""
AHEAD_SECONDS = 300
"""By which the clock of who published may be ahead."""
MOST_SEALED = 4 * (MAX_JSON_BYTES + 2 * PADDING) // 3
"""Characters of a sealed box at most."""


class PublishedKey(StrictModel):
    """A relay key with the signature of the wallet that it belongs to."""

    address: str = Field(pattern="^0x[0-9a-fA-F]{40}$")
    key: str = Field(pattern="^0x[0-9a-f]{64}$")
    """X25519, 0x-hex."""
    issued: int = Field(ge=0, lt=1 << 63)
    """Unix seconds at which the wallet signed: of two keys the later one is meant."""
    signature: str = Field(pattern="^0x[0-9a-f]{130}$")

    def check(self, address: str, now: float) -> PublicKey:
        """The key, if it is the one of that address and good at `now`, unix seconds; raises `BoxRefused`."""
        if not now - KEY_SECONDS <= self.issued <= now + AHEAD_SECONDS:
            allowed = f"{int(now) - KEY_SECONDS} to {int(now) + AHEAD_SECONDS}"
            raise BoxRefused("published key", f"it was issued at {self.issued}; allowed: {allowed}; publish it again")
        try:
            text = make_statement(to_checksum_address(to_address(address)), self.key, self.issued)
            signer = EthAccount.recover_message(encode_defunct(text=text), signature=self.signature)
        except Exception as fault:  # eth-keys has a dozen errors for malformed signatures
            raise BoxRefused("published key", f"its signature is none ({type(fault).__name__})") from None
        if not signer.lower() == self.address.lower() == address.lower():
            raise BoxRefused("published key", f"it is of {signer}, not of {address}")
        return PublicKey(bytes.fromhex(self.key[2:]))


def make_statement(address: str, key: str, issued: int) -> str:
    """What a wallet signs (EIP-191); no transaction and no message of a venue reads like it."""
    said = f"From unix time {issued} on, messages to {address} may be encrypted to the X25519 key {key}."
    return f"zkmargin relay key\n\n{said} It takes the place of every earlier one."


class RelayKey:
    """A party's private relay key."""

    def __init__(self, private: PrivateKey):
        self._private = private

    def __repr__(self) -> str:
        return f"RelayKey({self.public})"

    @property
    def public(self) -> str:
        """0x-hex."""
        return "0x" + bytes(self._private.public_key).hex()

    @classmethod
    def create(cls, path: Path) -> Self:
        """A fresh one in a new file of mode 0600; raises `KeyFileError` if the file exists."""
        made = cls(PrivateKey.generate())
        content = {"about": "zkmargin relay key; keep it secret", "key": "0x" + bytes(made._private).hex()}
        write_secret_file(path, dict(content))
        return made

    @classmethod
    def load(cls, path: Path) -> Self:
        """The one of a file that `create` wrote; raises `KeyFileError`."""
        text = read_secret_file(path, {"key"})["key"]
        if not isinstance(text, str) or PRIVATE_HEX.fullmatch(text) is None:
            raise KeyFileError(f"{path}: a relay key is 0x and 64 hexadecimal digits; the value given is not shown")
        return cls(PrivateKey(bytes.fromhex(text[2:])))

    def publish(self, wallet: Wallet, issued: int) -> PublishedKey:
        """With the wallet's signature, as of `issued`, unix seconds; it revokes the wallet's earlier ones."""
        text = make_statement(wallet.address, self.public, issued)
        signature = "0x" + bytes(wallet.account.sign_message(encode_defunct(text=text)).signature).hex()
        return PublishedKey(address=wallet.address, key=self.public, issued=issued, signature=signature)

    def open(self, sealed: str) -> str:
        """The document of a box that was sealed to this key.

        Raises
        ------
        BoxRefused
            If it was sealed to another, altered, or is no box.
        """
        try:
            filled = SealedBox(self._private).decrypt(base64.b64decode(sealed, validate=True))
            return filled.rstrip(b" ").decode()
        except (CryptoError, binascii.Error, ValueError) as fault:
            raise BoxRefused("box", f"this key does not open it ({type(fault).__name__})") from None


def seal(document: str, to: PublicKey) -> str:
    """A box, in base64; raises `BoxRefused` if the document is longer than a file of a negotiation may be."""
    data = document.rstrip().encode()
    if len(data) > MAX_JSON_BYTES:
        raise BoxRefused("document", f"{len(data)} bytes; allowed: at most {MAX_JSON_BYTES}")
    filled = data + b" " * (-len(data) % PADDING)
    return base64.b64encode(SealedBox(to).encrypt(filled)).decode()
