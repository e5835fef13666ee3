"""An account as its owner holds it: number, wallet, viewing key, and the state behind the commitment.

The key comes from the wallet's EIP-712 signature, so wallet + chain are a full backup. It is a viewing key: whoever
knows it can read the account and make proofs for it, never act, as every action carries auth's signature.
"""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from zkmargin.engine.account import AccountState
from zkmargin.engine.presets import Preset
from zkmargin.prover.errors import SigningNotRepeatable, WrongSigner
from zkmargin.prover.messages.fields import to_address
from zkmargin.prover.messages.records import KeyDerivation
from zkmargin.prover.messages.typed_data import Domain, recover_signer
from zkmargin.prover.messages.wallet import Signer, request_signature
from zkmargin.prover.ranges import check_range
from zkmargin.prover.statement.commitment import NONCE_BITS, compute_commitment, compute_state_digest, empty_state
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

KEY_TAG = b"zkmargin.key"
"""Prefix of what is hashed to the viewing key."""
KEY_PURPOSE = "zkmargin viewing key: sign only in an application you trust to read this account"
"""Text that the wallet shows when it signs a key derivation; part of the key, so it never changes."""


def compute_account_id(domain: Domain, auth: str, index: int) -> bytes:
    """keccak256(abi.encode(chain id, clearing house, auth, index)): known before opening, usable once.

    Raises
    ------
    OutOfRange
        If the index is not below 2^64.
    """
    index = check_range("index of the account", index, 0, 1 << 64)
    kinds = ["uint256", "address", "address", "uint256"]
    return keccak(abi_encode(kinds, [domain.chain_id, domain.clearing_house, to_address(auth), index]))


# --------------------------------------------------------------------------------------------------------------- key
def derive_key(wallet: Signer, domain: Domain, account_id: bytes, key_index: int = 0) -> Secret:
    """Viewing key from the wallet: SHA-512(tag || signature) mod r, over the account's `KeyDerivation`.

    512 bits reduced mod r are uniform to 2^-258. The signature is asked for twice and must be the same both times.

    Raises
    ------
    SigningNotRepeatable
        If the two signatures differ; use `create_key_file` then.
    SignatureRefused
        If the wallet writes its signatures in a form that the contracts refuse.
    WrongSigner
        If the signature is not the wallet's own (a contract wallet, for one): it could not be asked for again.
    """
    message = KeyDerivation(purpose=KEY_PURPOSE, account=account_id, key_index=key_index)
    first, second = (request_signature(wallet, domain, message) for _ in range(2))
    if first != second:
        raise SigningNotRepeatable(wallet.address)
    actual = recover_signer(domain, message, first)
    if actual is None or actual.lower() != wallet.address.lower():
        raise WrongSigner(wallet.address, actual, "KeyDerivation")
    return Secret(int.from_bytes(hashlib.sha512(KEY_TAG + first).digest(), "big") % FIELD_MODULUS)


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

    def __post_init__(self) -> None:
        check_range("index of the account", self.index, 0, 1 << 64)
        check_range("nonce", self.nonce, 0, 1 << NONCE_BITS)
        check_range("generation", self.generation, 0, 1 << 24)

    def __repr__(self) -> str:
        return f"Account(0x{self.id.hex()}, nonce {self.nonce}, generation {self.generation}, {self.preset.name})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Account):
            return NotImplemented
        same = ("id", "auth", "index", "preset", "key", "nonce", "generation", "state")
        return all(getattr(self, name) == getattr(other, name) for name in same)

    __hash__ = None  # type: ignore[assignment]  # it holds a secret, which has none

    @classmethod
    def create(cls, domain: Domain, auth: str, index: int, key: Secret, preset: Preset, generation: int) -> Self:
        """The account as it is at open: nonce 0, empty.

        Raises
        ------
        OutOfRange
            If the index or the generation is outside its type.
        """
        account_id = compute_account_id(domain, auth, index)
        return cls(account_id, to_address(auth), index, preset, key, 0, generation, empty_state(preset))

    @cached_property
    def commitment(self) -> int:
        """C = Poseidon(tag, key, nonce, D): what the chain stores."""
        return compute_commitment(self.key, self.nonce, compute_state_digest(self.state, self.preset))

    @property
    def holds_derivatives(self) -> bool:
        """Whether it has lots of anything but collateral."""
        return bool(self.state.positions[list(self.preset.derivative_slots)].any())

    def advance(self, state: AccountState, generation: int) -> Self:
        """The account after a written transition to `state`."""
        return replace(self, state=state, generation=generation, nonce=self.nonce + 1)
