"""A deployed contract: calls, transactions and events by the names of its interface, under the typed bindings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import get_abi_output_types
from eth_utils.address import to_checksum_address
from web3.exceptions import Web3Exception

from zkmargin.contracts.chain import Chain, Receipt
from zkmargin.contracts.compile import Artifact
from zkmargin.contracts.errors import AnswerMalformed, CallInvalid, DeploymentMismatch
from zkmargin.contracts.logs import Topic, read_logs
from zkmargin.contracts.reverts import to_checksummed

UNFIT = (Web3Exception, EncodingError, DecodingError, TypeError, ValueError, KeyError, AttributeError, OverflowError)
"""What web3 and eth-abi raise for values that are not of the interface's types."""

Key = int | Sequence[int] | None
"""What an indexed field of an event may be: one value, one of several, or anything."""


class Contract:
    """A deployed contract; the thin layer under the typed bindings."""

    def __init__(self, chain: Chain, artifact: Artifact, address: str):
        self.chain, self.name, self.address = chain, artifact.name, to_checksum_address(address)
        self._artifact = artifact
        self._functions: dict[str, Any] = {item["name"]: item for item in artifact.abi if item["type"] == "function"}

    def encode(self, function: str, *arguments: object) -> str:
        """Calldata as 0x-hex; structs are given as dicts by the ABI's names, or as tuples.

        Raises
        ------
        CallInvalid
            If an argument is not of its type: no float, text or truth value is a number.
        """
        try:
            return str(self._artifact.interface.encode_abi(function, args=list(arguments)))
        except UNFIT as fault:
            reason = " ".join(str(fault).split())[:300]
            raise CallInvalid(
                f"arguments of {self.name}.{function}", arguments, f"the types of its interface ({reason})"
            ) from None

    def call(self, function: str, *arguments: object, sender: str | None = None, block: int | None = None) -> Any:
        """What a view function returns: one value, or a tuple; structs are tuples in the ABI's order.

        Parameters
        ----------
        block : int, optional
            Number of the block at whose end it is asked; the latest by default.

        Raises
        ------
        Reverted
            With the contract's reason.
        DeploymentMismatch
            If there is no contract at the address.
        AnswerMalformed
            If the answer is not of the function's types.
        """
        name, data = f"{self.name}.{function}", self.encode(function, *arguments)
        answer = self.chain.call(self.address, data, sender=sender, name=name, block=block)
        types = get_abi_output_types(self._functions[function])
        if types and not answer:
            raise DeploymentMismatch(
                f"code at {self.address} on chain {self.chain.id}", "empty or another contract's", self.name
            )
        try:
            values = to_checksummed(abi_decode(types, answer))
        except UNFIT as fault:
            raise AnswerMalformed(name, f"{len(answer)} bytes that are no {types} ({type(fault).__name__})") from None
        return values[0] if len(values) == 1 else values

    def send(self, function: str, *arguments: object, sender: str | None = None) -> Receipt:
        """Mines a transaction that calls `function`. Raises `Reverted` with the contract's reason."""
        data = self.encode(function, *arguments)
        return self.chain.send(self.address, data, sender=sender, name=f"{self.name}.{function}")

    def read_events(
        self, event: str, *, first_block: int = 0, last_block: int | None = None, keys: Sequence[Key] = ()
    ) -> list[Mapping[str, Any]]:
        """Every event of that name from `first_block` to `last_block`, both included, decoded, in the chain's order.

        By default up to the latest block, whose hash is checked afterwards. A node that limits the range is asked in
        pieces.

        Parameters
        ----------
        keys : sequence of int, sequence of int, or None
            Only events whose indexed fields have these values, in their order: one, one of several, or (None) any.

        Raises
        ------
        AnswerMalformed
            If a log is not one of this event, this contract and these blocks.
        """
        if last_block is None:
            return self.chain.read_at_one_block(
                lambda block: self.read_events(event, first_block=first_block, last_block=block.number, keys=keys)
            )
        topics = [str(self._artifact.interface.events[event]().topic), *map(_to_topic, keys)]
        logs = read_logs(self.chain, self.address, topics, first_block, last_block)
        return [self._decode(event, log, first_block, last_block) for log in logs]

    def decode_logs(self, receipt: Receipt, event: str) -> list[Mapping[str, Any]]:
        """Arguments of this contract's events of that name in a receipt."""
        topic = self._artifact.interface.events[event]().topic
        own = [
            log
            for log in receipt.logs
            if log["address"] == self.address and log["topics"] and log["topics"][0].to_0x_hex() == topic
        ]
        return [self._decode(event, log, 0, receipt.block_number)["args"] for log in own]

    def _decode(self, event: str, log: Any, first: int, last: int) -> Mapping[str, Any]:
        try:
            decoded: Mapping[str, Any] = self._artifact.interface.events[event]().process_log(log)
            if decoded["address"] != self.address or not first <= decoded["blockNumber"] <= last:
                raise ValueError(f"of {decoded['address']} in block {decoded['blockNumber']}")
            return decoded
        except UNFIT as fault:
            raise AnswerMalformed(
                f"log of {self.name}.{event} in blocks {first} to {last}", " ".join(str(fault).split())[:300]
            ) from None


def _to_topic(key: Key) -> Topic:
    if key is None:
        return None
    return f"0x{key:064x}" if isinstance(key, int) else [f"0x{value:064x}" for value in key]
