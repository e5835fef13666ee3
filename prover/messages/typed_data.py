"""EIP-712 digests over the one table of typed messages, `prover/messages/messages.json`, which is read here as data.

The only implementation in Python; the contract bindings use it, and a test compares its digests with Solidity's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eth_account import Account as EthAccount
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak

from zkmargin.prover.errors import MessageInvalid, WrongSigner
from zkmargin.prover.messages.fields import Bits, to_address
from zkmargin.prover.messages.records import TypedMessage

MESSAGES_PATH = Path(__file__).with_name("messages.json")
CONTEXT_SHIFT = 8
"""A digest has 256 bits and a field element fewer than 254, so the context is the digest without its lowest 8 bits."""
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
"""Half the order of secp256k1's group, rounded down; EIP-2."""
Types = Mapping[str, list[dict[str, str]]]
"""Fields, name and type each, by the type they make up."""
_DOMAIN_TYPE = (
    {"name": "name", "type": "string"},
    {"name": "version", "type": "string"},
    {"name": "chainId", "type": "uint256"},
    {"name": "verifyingContract", "type": "address"},
)


@cache
def load_table() -> Mapping[str, Any]:
    """The table: domain, verifying_contract, solidity, types."""
    return MappingProxyType(json.loads(MESSAGES_PATH.read_text()))


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one deployment on one chain."""

    chain_id: int
    """EIP-155."""
    clearing_house: str
    """Address of the ClearingHouse, which verifies every message but the epoch's."""
    risk_oracle: str
    """Address of the RiskOracle, which verifies epochs."""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "chain_id", Bits(256).read(self.chain_id))
            object.__setattr__(self, "clearing_house", to_address(self.clearing_house))
            object.__setattr__(self, "risk_oracle", to_address(self.risk_oracle))
        except ValueError as error:
            raise MessageInvalid("Domain", "(domain)", str(error)) from None

    def get_verifying_contract(self, name: str) -> str:
        """Address of the contract that verifies messages of type `name`.

        Raises
        ------
        MessageInvalid
            If the table has no such top-level message.
        """
        contract = load_table()["verifying_contract"].get(name)
        if contract is None:
            signed = sorted(load_table()["verifying_contract"])
            raise MessageInvalid(name, "(type)", f"not signed by itself; signed are {signed}")
        return {"ClearingHouse": self.clearing_house, "RiskOracle": self.risk_oracle}[contract]


def _collect_types(name: str, types: Types) -> dict[str, list[dict[str, str]]]:
    """The type and those it refers to; eth-account takes no others."""
    found: dict[str, list[dict[str, str]]] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found[current] = types[current]
            waiting += [base for field in types[current] if (base := field["type"].split("[")[0]) in types]
    return found


def encode_type(name: str, types: Types | None = None) -> str:
    """The type's own text, then that of the structs it uses in alphabetical order (EIP-712, encodeType).

    `types` are the table's where none are given.
    """
    found = _collect_types(name, load_table()["types"] if types is None else types)
    texts = {item: ",".join(f"{field['type']} {field['name']}" for field in found[item]) for item in found}
    return "".join(f"{item}({texts[item]})" for item in (name, *sorted(found.keys() - {name})))


def make_typed_data(domain: Domain, message: TypedMessage) -> dict[str, Any]:
    """The message as EIP-712's JSON has it: types, primary type, domain and message; bytes and integers as Python's.

    Raises
    ------
    MessageInvalid
        If the message is not one that is signed by itself.
    """
    name = type(message).__name__
    return {
        "types": {"EIP712Domain": list(_DOMAIN_TYPE), **_collect_types(name, load_table()["types"])},
        "primaryType": name,
        "domain": {
            **load_table()["domain"],
            "chainId": domain.chain_id,
            "verifyingContract": domain.get_verifying_contract(name),
        },
        "message": message.to_message(),
    }


def encode(domain: Domain, message: TypedMessage) -> SignableMessage:
    """The message as eth-account signs it; raises like `make_typed_data`."""
    return encode_typed_data(full_message=make_typed_data(domain, message))


def compute_digest(domain: Domain, message: TypedMessage) -> bytes:
    """EIP-712 digest, 32 bytes: what is signed, and what `Invalidate` names."""
    signable = encode(domain, message)
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


def compute_context(digest: bytes) -> int:
    """The digest as the proof binds it: uint256(digest) >> 8, below 2^248.

    Raises
    ------
    MessageInvalid
        If the digest is not 32 bytes.
    """
    if len(digest) != 32:
        raise MessageInvalid("context", "digest", f"32 bytes are needed, got {len(digest)}")
    return int.from_bytes(digest, "big") >> CONTEXT_SHIFT


def recover_signer(domain: Domain, message: TypedMessage, signature: bytes) -> str | None:
    """Address that made an ECDSA signature of the message, None if the signature is one that the contracts refuse.

    As in OpenZeppelin's ECDSA: 65 bytes, v of 27 or 28, s in the lower half, so that a signature has one form.
    """
    if len(signature) != 65 or signature[64] not in (27, 28) or int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    try:
        return str(EthAccount.recover_message(encode(domain, message), signature=signature))
    except Exception:
        # eth-account raises several unrelated classes for values outside the curve; each means that nobody signed.
        return None


def check_signature(domain: Domain, message: TypedMessage, signature: bytes, expected: str) -> None:
    """Refuse a signature that is not `expected`'s. Contract wallets (ERC-1271) are checked on chain instead.

    Raises
    ------
    WrongSigner
        If another address signed, or the signature is malformed.
    """
    actual = recover_signer(domain, message, signature)
    if actual is None or actual.lower() != expected.lower():
        raise WrongSigner(expected, actual, type(message).__name__)
