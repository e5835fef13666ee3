"""Everything that a deployment's contracts said, in the chain's order, for followers and indexers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError
from eth_utils.abi import event_abi_to_log_topic
from web3.exceptions import Web3Exception

from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.logs import read_logs
from zkmargin.contracts.venue import Contracts
from zkmargin.venue.json_form import to_json_form

LISTENED = ("house", "oracle", "vault", "registry")
"""Contracts of `Contracts` whose events count."""
EXTENDED = {"ClearingHouse": ("AccountDesk", "BatchDesk")}
"""Contracts whose code runs at another one's address, with events of their own."""


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


def read_venue_events(contracts: Contracts, first: int, last: int) -> list[VenueEvent]:
    """Every event from block `first` to block `last`, both included, in the chain's order.

    Logs that none of these interfaces has are left out, as those of the desk for defaults; ranges are halved where a
    node limits them.

    Raises
    ------
    ChainUnavailable
        If the node refuses a single block, or does not answer.
    """
    found = [
        event for attribute in LISTENED for event in _read_contract(getattr(contracts, attribute).contract, first, last)
    ]
    return sorted(found, key=lambda event: (event.block, event.log_index))


def _read_contract(contract: Contract, first: int, last: int) -> list[VenueEvent]:
    decoders = _make_decoders(contract)
    events = []
    for log in read_logs(contract.chain, contract.address, [], first, last):
        decode = decoders.get(bytes(log["topics"][0])) if log["topics"] else None
        if decode is None:
            continue
        try:
            decoded = decode.process_log(log)
        except (Web3Exception, DecodingError, ValueError, TypeError):
            continue
        events.append(
            VenueEvent(
                block=int(log["blockNumber"]),
                block_hash=log["blockHash"].to_0x_hex(),
                log_index=int(log["logIndex"]),
                transaction=log["transactionHash"].to_0x_hex(),
                contract=contract.name,
                name=str(decoded["event"]),
                fields={name: to_json_form(value) for name, value in decoded["args"].items()},
            )
        )
    return events


def _make_decoders(contract: Contract) -> dict[bytes, Any]:
    """web3's event of each topic."""
    artifacts, decoders = compile_contracts(), {}
    for name in (contract.name, *EXTENDED.get(contract.name, ())):
        abi = artifacts[name].abi
        bound = contract.chain.w3.eth.contract(address=contract.address, abi=abi)
        for item in abi:
            if item["type"] == "event":
                decoders[bytes(event_abi_to_log_topic(item))] = bound.events[item["name"]]()  # type: ignore[arg-type]
    return decoders
