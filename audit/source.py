"""What an audit reads of a chain: events of the deployment's contracts in order, and the calldata that made them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types
from hexbytes import HexBytes

from zkmargin.audit.report import Place
from zkmargin.contracts.chain import Block, Chain
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import ROUTED
from zkmargin.contracts.desks import at
from zkmargin.contracts.reverts import to_checksummed
from zkmargin.contracts.venue import Contracts

EVENTS: Mapping[str, tuple[str, ...]] = {
    "registry": ("KeyRegistered", "KeySuspended", "KeyResumed", "KeyRevoked"),
    "oracle": (
        *("EpochPosted", "SnapshotPublished", "SettlementPublished", "SettlementVetoed", "EpochsRevoked"),
        *("EpochsRestored", "SignersSet", "PauseSet", "MaxAgeSet", "PaymentTermsSet"),
        *("LastStepPublished", "LastStepVetoed", "NoticeOfEnd", "VenueEnded"),
    ),
    "house": (
        *("AccountOpened", "Traded", "Flowed", "Attested", "Skipped", "Moved", "Confirmed", "Invalidated"),
        "FeesCollected",
    ),
    "vault": (
        *("Funded", "PulledBack", "PaymentQueued", "Claimed", "PaymentVetoed", "PaymentReturned"),
        "PaymentReinstated",
    ),
    "deadlines": ("Ticked", "Frozen", "LeaseExtended", "LeaseShortened", "CalledEarly"),
    "defaults": ("Redeemed", "Revealed", "AuctionBegun", "TakenOver", "SurplusAdded"),
    "sales": ("PartSold",),
    "rekeys": ("AccountRekeyed",),
}
"""Events that an audit replays, by contract of `Contracts`, and by desk that speaks from the clearing house's
address."""
DESKS = dict(zip(("deadlines", "defaults", "sales", "rekeys"), ROUTED, strict=True))
"""Name in the sources of each of these desks."""
IDLE = (
    *("EIP712DomainChanged", "OwnershipTransferStarted", "OwnershipTransferred", "PaymentBlocked"),
    *("KeyGuardianSet", "GuardianSet", "RowSkipped", "DeskRouted"),
)
"""Events that change nothing of what is replayed."""
DELEGATED = ("IAccountDesk", "IBatchDesk")
"""Interfaces of what the clearing house leaves to its desks, whose arguments have no name in its own."""


@dataclass(frozen=True)
class Happened:
    """One event."""

    contract: str
    """Name in `EVENTS`."""
    name: str
    """Of the event."""
    fields: Mapping[str, Any]
    """By the interface's names."""
    place: Place


@dataclass(frozen=True)
class Call:
    """A transaction's call of one of the contracts."""

    function: str
    """Name in the interface; empty if the transaction calls something else, or a function that it does not have."""
    arguments: Mapping[str, Any]
    """By the interface's names; structs are mappings."""
    sender: str
    to: str
    reason: str = ""
    """Why there is no function."""


class Source:
    """A deployment's events from one block to another, and the calls behind them."""

    def __init__(self, contracts: Contracts, first: int, block: Block):
        self.contracts, self.first, self.block = contracts, first, block
        self._calls: dict[str, Call] = {}
        self._times: dict[int, int] = {block.number: block.time}

    @property
    def chain(self) -> Chain:
        """The chain that is read."""
        return self.contracts.chain

    @property
    def end(self) -> Place:
        """The state at the end of the last block."""
        return Place(self.block.number)

    @cached_property
    def happened(self) -> list[Happened]:
        """Every event from the first block to the last, in the chain's order."""
        found = [
            Happened(part, name, event["args"], _place(event))
            for part, names in EVENTS.items()
            for name in (*names, *self.list_others(part))
            for event in self.get_contract(part).read_events(name, first_block=self.first, last_block=self.block.number)
        ]
        return sorted(found, key=lambda event: event.place)

    @cached_property
    def by_transaction(self) -> Mapping[str, list[Happened]]:
        """The same, by transaction."""
        found: dict[str, list[Happened]] = {}
        for event in self.happened:
            found.setdefault(event.place.transaction, []).append(event)
        return found

    def list_others(self, part: str) -> list[str]:
        """Events that a contract of that name has and no audit replays: what they change is counted as not checked."""
        abi = compile_contracts()[self.get_contract(part).name].abi
        names = {str(item["name"]) for item in abi if item["type"] == "event"}
        known = EVENTS[part] + (EVENTS["house"] if part in DESKS else ())
        return sorted(names - {*known, *IDLE})

    def get_contract(self, part: str) -> Contract:
        """The contract of that name in `EVENTS`."""
        if part in DESKS:
            return at(self.chain, DESKS[part], self.contracts.deployment.clearing_house)
        contract: Contract = getattr(self.contracts, part).contract
        return contract

    def read_call(self, part: str, place: Place) -> Call:
        """The call of a contract in the transaction of a place; a call from another contract has no function here."""
        if place.transaction not in self._calls:
            with self.chain.asking(f"transaction {place.transaction}"):
                sent = self.chain.w3.eth.get_transaction(HexBytes(place.transaction))
            self._calls[place.transaction] = _decode(self.get_contract(part), sent)
        return self._calls[place.transaction]

    def read_time(self, number: int) -> int:
        """Time of a block, unix seconds."""
        if number not in self._times:
            self._times[number] = self.chain.get_block(number).time
        return self._times[number]


def _place(event: Mapping[str, Any]) -> Place:
    return Place(int(event["blockNumber"]), int(event["logIndex"]), HexBytes(event["transactionHash"]).to_0x_hex())


def _decode(contract: Contract, sent: Mapping[str, Any]) -> Call:
    sender, to, data = str(sent["from"]), str(sent["to"]), bytes(sent["input"])
    if to != contract.address:
        return Call("", {}, sender, to, "called from another contract, so its calldata is not the transaction's")
    known = _functions(contract.name).get(data[:4])
    if known is None:
        return Call("", {}, sender, to, f"a call of function 0x{data[:4].hex()}, which this auditor does not know")
    try:
        values = to_checksummed(abi_decode(get_abi_input_types(known), data[4:]))
    except (DecodingError, OverflowError):
        return Call("", {}, sender, to, f"calldata that is none of {known['name']}")
    return Call(known["name"], _name(known["inputs"], values), sender, to)


@cache
def _functions(name: str) -> dict[bytes, Any]:
    """Functions of a contract by selector, with the names that an interface gives to arguments of theirs; of the
    clearing house those of its desks too."""
    artifacts = compile_contracts()
    parts = (name, *ROUTED) if name == "ClearingHouse" else (name,)
    items = [item for part in (*parts, *DELEGATED) for item in artifacts[part].abi if item["type"] == "function"]
    own = {_selector(item) for part in parts for item in artifacts[part].abi if item["type"] == "function"}
    named = {_selector(item): item for item in items}
    return {selector: named[selector] for selector in own}


def _selector(item: Any) -> bytes:
    return bytes(function_abi_to_4byte_selector(item))


def _name(inputs: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    return {item["name"]: _name_value(item, value) for item, value in zip(inputs, values, strict=True)}


def _name_value(item: Mapping[str, Any], value: Any) -> Any:
    kind = str(item["type"])
    if not kind.startswith("tuple"):
        return value
    if kind == "tuple":
        return _name(item["components"], value)
    return [_name(item["components"], each) for each in value]
