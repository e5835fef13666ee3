"""An account as its owner holds it: number, wallet, viewing key, and the state behind the commitment.

The key comes from the wallet's EIP-712 signature, so wallet + chain are a full backup. It is a viewing key: whoever
knows it can read the account and make proofs for it, never act, as every action carries auth's signature.
"""

import hashlib
import json
import os
import stat
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

from eth_abi import encode as abi_encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from zkmargin.engine.account import AccountState
from zkmargin.engine.presets import Preset
from zkmargin.prover._native import random_element
from zkmargin.prover.account.secret import Secret
from zkmargin.prover.errors import KeyFileError, SigningNotRepeatable, WrongSigner
from zkmargin.prover.messages.records import KeyDerivation, TypedMessage, _to_address
from zkmargin.prover.messages.typed_data import Domain, encode, recover_signer
from zkmargin.prover.statement.commitment import compute_commitment, compute_state_digest, empty_state
from zkmargin.prover.statement.packing import check_range
from zkmargin.prover.statement.signals import FIELD_MODULUS

KEY_TAG = b"zkmargin.key"
"""Prefix of what is hashed to the viewing key."""
KEY_PURPOSE = "zkmargin viewing key: sign only in an application you trust to read this account"
"""Text that the wallet shows when it signs a key derivation; part of the key, so it never changes."""
KEY_FILE_MODE = 0o600


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


def compute_account_id(domain: Domain, auth: str, index: int) -> bytes:
    """keccak256(abi.encode(chain id, clearing house, auth, index)): known before opening, usable once.

    Raises
    ------
    OutOfRange
        If the index is not below 2^64.
    """
    check_range("index of the account", index, 0, 1 << 64)
    kinds = ["uint256", "address", "address", "uint256"]
    return keccak(abi_encode(kinds, [domain.chain_id, domain.clearing_house, _to_address(auth), index]))


# --------------------------------------------------------------------------------------------------------------- key
def derive_key(wallet: Wallet, domain: Domain, account_id: bytes, key_index: int = 0) -> Secret:
    """Viewing key from the wallet: SHA-512(tag || signature) mod r, over the account's `KeyDerivation`.

    512 bits reduced mod r are uniform to 2^-258. The signature is asked for twice and must be the same both times.

    Raises
    ------
    SigningNotRepeatable
        If the two signatures differ; use `create_key_file` then.
    WrongSigner
        If the signature is not the wallet's own (a contract wallet, for one): it could not be asked for again.
    """
    message = KeyDerivation(purpose=KEY_PURPOSE, account=account_id, key_index=key_index)
    first, second = (_normalise(wallet.sign(domain, message)) for _ in range(2))
    if first != second:
        raise SigningNotRepeatable(wallet.address)
    actual = recover_signer(domain, message, first)
    if actual is None or actual.lower() != wallet.address.lower():
        raise WrongSigner(wallet.address, actual, "KeyDerivation")
    return Secret(int.from_bytes(hashlib.sha512(KEY_TAG + first).digest(), "big") % FIELD_MODULUS)


def _normalise(signature: bytes) -> bytes:
    """Wallets write v as 0/1 or 27/28; the same signature must give the same key in both."""
    signature = bytes(signature)
    if len(signature) == 65 and signature[64] < 27:
        return signature[:64] + bytes([signature[64] + 27])
    return signature


def create_key_file(path: Path | str, account_id: bytes) -> Secret:
    """A fresh random key in a new file (mode 0600, written whole or not at all), for wallets that cannot derive one.

    The file is then part of the backup: without it the account cannot be proved for.

    Raises
    ------
    KeyFileError
        If the file exists already: a key is never overwritten.
    """
    key = Secret(random_element())
    content = {"about": "zkmargin viewing key; keep it secret, keep a copy", "account": "0x" + account_id.hex()}
    write_secret_file(Path(path), {**content, "key": f"0x{key.reveal():064x}"})
    return key


def read_key_file(path: Path | str, account_id: bytes) -> Secret:
    """The key of a file that `create_key_file` wrote.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others, malformed, or for another account.
    """
    holder, key = load_key_file(path)
    if holder != account_id:
        raise KeyFileError(f"{path} holds the key of account 0x{holder.hex()}, not of 0x{account_id.hex()}")
    return key


def load_key_file(path: Path | str) -> tuple[bytes, Secret]:
    """Account number and key of a file that `create_key_file` wrote, whichever account's it is.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others or malformed.
    """
    content = read_secret_file(Path(path), {"account", "key"})
    try:
        account_id, key = bytes.fromhex(content["account"].removeprefix("0x")), Secret(int(content["key"], 16))
    except (AttributeError, TypeError, ValueError):
        raise KeyFileError(f"{path}: account or key is not hexadecimal, or the key no field element") from None
    if len(account_id) != 32:
        raise KeyFileError(f"{path}: the account number has {len(account_id)} bytes; allowed: 32")
    return account_id, key


def write_secret_file(path: Path, content: dict) -> None:
    """JSON in a new file of mode 0600: written beside it, synced, then linked in place; an existing file is left alone.

    Raises
    ------
    KeyFileError
        If `path` exists.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # created 0600, exclusively
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, KEY_FILE_MODE)
        os.link(draft, path)
    except FileExistsError:
        raise KeyFileError(f"{path} exists; a secret is never overwritten") from None
    finally:
        os.unlink(draft)


def read_secret_file(path: Path, fields: set[str]) -> dict:
    """Inverse of `write_secret_file`.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others than its owner, not JSON, or without one of `fields`.
    """
    try:
        with open(path) as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} has mode {mode:04o}; allowed: 0600, readable by its owner alone")
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        raise KeyFileError(f"{path} is not JSON") from None
    if not isinstance(content, dict) or not fields <= set(content):
        raise KeyFileError(f"{path} lacks one of {sorted(fields)}")
    return content


# ----------------------------------------------------------------------------------------------------------- account
@dataclass(frozen=True, eq=False)
class Account:
    """Everything the owner knows about an account. A transition gives a new one; the repr shows public facts."""

    id: bytes
    """32 bytes, `compute_account_id`."""
    auth: str
    """Address whose signature each action needs."""
    index: int
    """Which of auth's accounts."""
    preset: Preset
    """Sizes of the statement it lives under."""
    key: Secret
    """Viewing key."""
    nonce: int
    """Number of written transitions."""
    generation: int
    """Generation of the listing that its slots refer to."""
    state: AccountState = field(repr=False)
    """Positions in lots and cash in micro-dollars."""

    def __repr__(self) -> str:
        return f"Account(0x{self.id.hex()}, nonce {self.nonce}, generation {self.generation}, {self.preset.name})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Account):
            return NotImplemented
        same = ("id", "auth", "index", "preset", "key", "nonce", "generation", "state")
        return all(getattr(self, name) == getattr(other, name) for name in same)

    __hash__ = None

    @classmethod
    def create(cls, domain: Domain, auth: str, index: int, key: Secret, preset: Preset, generation: int) -> Self:
        """The account as it is at open: nonce 0, empty.

        Raises
        ------
        OutOfRange
            If the index or the generation is outside its type.
        """
        check_range("generation", generation, 0, 1 << 24)
        account_id = compute_account_id(domain, auth, index)
        return cls(account_id, _to_address(auth), index, preset, key, 0, generation, empty_state(preset))

    @property
    def commitment(self) -> int:
        """C = Poseidon(tag, key, nonce, D): what the chain stores."""
        return compute_commitment(self.key, self.nonce, compute_state_digest(self.state, self.preset))

    def advance(self, state: AccountState, generation: int) -> Self:
        """The account after a written transition to `state`."""
        return replace(self, state=state, generation=generation, nonce=self.nonce + 1)
