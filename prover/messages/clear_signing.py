"""Clear-signing descriptors (ERC-7730): what a wallet shows of a message before it is signed.

Made of the table of messages and of `display.json`, for one deployment. Every field is shown or offered.
Schema: version 2 of the registry's, https://github.com/ethereum/clear-signing-erc7730-registry.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address

from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.typed_data import Domain, encode_type, load_table

SCHEMA = "https://github.com/ethereum/clear-signing-erc7730-registry/specs/erc7730-v2.schema.json"
DISPLAY_PATH = Path(__file__).with_name("display.json")


@cache
def _load_display() -> dict[str, Any]:
    display: dict[str, Any] = json.loads(DISPLAY_PATH.read_text())
    return display


def describe_messages(domain: Domain) -> dict[str, dict[str, Any]]:
    """Descriptor by name of the contract that verifies its messages.

    A descriptor is bound to domain, chain and contract: no wallet shows another contract's message with these texts.
    """
    table = load_table()
    return {
        contract: _describe(
            domain, contract, [name for name, by in table["verifying_contract"].items() if by == contract]
        )
        for contract in dict.fromkeys(table["verifying_contract"].values())
    }


def _describe(domain: Domain, contract: str, names: list[str]) -> dict[str, Any]:
    table, display = load_table(), _load_display()
    actions = {str(kind.value): kind.name.replace("_", " ").lower() for kind in ActionKind}
    address = to_checksum_address(domain.get_verifying_contract(names[0]))
    return {
        "$schema": SCHEMA,
        "context": {
            "eip712": {
                "domain": dict(table["domain"]),
                "deployments": [{"chainId": domain.chain_id, "address": address}],
            }
        },
        "metadata": {
            "owner": table["domain"]["name"],
            "contractName": contract,
            "enums": display["enums"] | {"action": actions},
        },
        "display": {
            "formats": {
                encode_type(name): {
                    "intent": display["intents"][name],
                    "fields": [_describe_field(path) for path in list_paths(name)],
                }
                for name in names
            }
        },
    }


def list_paths(name: str) -> list[str]:
    """Path of each value of a message, in its order; `[]` stands for every element of an array."""
    types, paths = load_table()["types"], []
    for field in types[name]:
        base = field["type"].removesuffix("[]")
        path = field["name"] + (".[]" if field["type"] != base else "")
        paths += [f"{path}.{inner}" for inner in list_paths(base)] if base in types else [path]
    return paths


def _describe_field(path: str) -> dict[str, Any]:
    display = _load_display()
    label, form = display["fields"][path.removesuffix(".[]")]
    field: dict[str, Any] = {"path": path, "label": label, "format": "raw"} | display["formats"][form]
    return field
