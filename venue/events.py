"""Everything that a deployment's contracts said, in the chain's order, for followers and indexers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.abi import event_abi_to_log_topic
from web3.exceptions import Web3Exception

from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.logs import LogReader
from zkmargin.contracts.venue import Contracts
from zkmargin.venue.json_form import to_json_form

LISTENED = ("house", "oracle", "vault", "registry")
"""Contracts of `Contracts` whose events count."""
DESK = re.compile(r"(?!I[A-Z])\w+Desk")
"""Names of the contracts that the clearing house calls in its own name."""


@dataclass(frozen=True)
class VenueEvent:
    """One event."""

    block: int
    block_hash: str
    """0x-hex; by it a block that was replaced is known."""
    log_index: int
    """Place in the block."""
    transaction: str
    """0x-hex."""
    contract: str
    """Name of the contract."""
    name: str
    """Name of the event."""
    fields: Mapping[str, Any]
    """Arguments in JSON's types: bytes as 0x-hex, integers beyond 2^53 as decimal text."""

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        names = ("block", "block_hash", "log_index", "transaction", "contract", "name")
        return {**{name: getattr(self, name) for name in names}, "fields": dict(self.fields)}


class EventReader:
    """Reads a deployment's events range by range; one question a range for all contracts."""

    def __init__(self, contracts: Contracts):
        self._logs = LogReader(contracts.chain)
        self._listened: dict[str, Contract] = {
            contract.address: contract for contract in (getattr(contracts, name).contract for name in LISTENED)
        }
        self._decoders = {address: _make_decoders(contract) for address, contract in self._listened.items()}

    def read(self, first: int, last: int) -> list[VenueEvent]:
        """Every event from block `first` to block `last`, both included, in the chain's order.

        Logs that none of these interfaces has are left out.

        Raises
        ------
        ChainUnavailable
            If the node refuses a single block, or does not answer.
        """
        logs = self._logs.read(list(self._listened), [], first, last)
        found = [event for log in logs if (event := self._decode(log)) is not None]
        return sorted(found, key=lambda event: (event.block, event.log_index))

    def _decode(self, log: Any) -> VenueEvent | None:
        contract = self._listened.get(log["address"])
        if contract is None or not log["topics"]:
            return None
        decode = self._decoders[contract.address].get(bytes(log["topics"][0]))
        if decode is None:
            return None
        try:
            decoded = decode.process_log(log)
        except (Web3Exception, DecodingError, ValueError, TypeError):
            return None
        return VenueEvent(
            block=int(log["blockNumber"]),
            block_hash=log["blockHash"].to_0x_hex(),
            log_index=int(log["logIndex"]),
            transaction=log["transactionHash"].to_0x_hex(),
            contract=contract.name,
            name=str(decoded["event"]),
            fields={name: to_json_form(value) for name, value in decoded["args"].items()},
        )


def list_extensions(contract: str) -> list[str]:
    """Contracts whose code runs at that one's address and has events of its own: of the clearing house every desk."""
    return sorted(name for name in compile_contracts() if DESK.fullmatch(name)) if contract == "ClearingHouse" else []


def _make_decoders(contract: Contract) -> dict[bytes, Any]:
    """web3's event of each topic."""
    artifacts, decoders = compile_contracts(), {}
    for name in (*list_extensions(contract.name), contract.name):
        abi = artifacts[name].abi
        bound = contract.chain.w3.eth.contract(address=contract.address, abi=abi)
        for item in abi:
            if item["type"] == "event":
                decoders[bytes(event_abi_to_log_topic(item))] = bound.events[item["name"]]()  # type: ignore[arg-type]
    return decoders
