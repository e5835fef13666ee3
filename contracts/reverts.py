"""What a refused call says: the custom error behind a revert's data, with its values by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import get_abi_input_types
from eth_utils.address import is_hex_address, to_checksum_address
from eth_utils.crypto import keccak

from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.errors import Reverted


def find_revert_data(answer: object) -> str:
    """The revert's data, 0x-hex, in what a node says about it: the data alone (Anvil), or in a record (Hardhat)."""
    if isinstance(answer, Mapping):
        answer = answer.get("data")
    return answer if isinstance(answer, str) else ""


def decode_revert(data: str, call: str, text: str = "") -> Reverted:
    """The error behind a revert's data (0x-hex): a custom error of any contract here, or the language's own.

    Data that no contract here can have made gives the error `Unknown`, with the data: they are whatever a contract
    elsewhere, or a node, has put there, so nothing about them is taken for granted.
    """
    unknown = Reverted("Unknown", {"data": data or "0x", "reason": text}, call)
    try:
        raw = bytes.fromhex(data.removeprefix("0x"))
        known = _error_table().get(raw[:4])
        if known is None:
            return unknown
        values = to_checksummed(abi_decode(get_abi_input_types(known), raw[4:]))
    except (DecodingError, ValueError, OverflowError):  # no hex, too short, an offset beyond its end, no UTF-8
        return unknown
    names = [item["name"] or f"value{position}" for position, item in enumerate(known["inputs"])]
    return Reverted(known["name"], dict(zip(names, values, strict=True)), call)


_ERRORS: dict[bytes, Any] = {}
_LANGUAGE_ERRORS = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


def _error_table() -> dict[bytes, Any]:
    if not _ERRORS:
        artifacts = compile_contracts().values()
        errors: list[Any] = [*_LANGUAGE_ERRORS]
        errors += [entry for artifact in artifacts for entry in artifact.abi if entry["type"] == "error"]
        for item in errors:
            signature = f"{item['name']}({','.join(get_abi_input_types(item))})"
            _ERRORS[keccak(text=signature)[:4]] = item
    return _ERRORS


def to_checksummed(value: Any) -> Any:
    """`value` with every address in it checksummed: eth-abi decodes them in lower case, web3 takes no other."""
    if isinstance(value, tuple):
        return tuple(to_checksummed(item) for item in value)
    return to_checksum_address(value) if isinstance(value, str) and is_hex_address(value) else value
