"""Reading logs from nodes that limit eth_getLogs: by blocks, by the number of logs, or by the time it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
from eth_typing import BlockNumber, HexStr
from eth_utils.address import to_checksum_address
from web3.exceptions import Web3Exception

from zkmargin.contracts.chain import Chain

TOO_MUCH = (400, 413, 500, 503, 504)
"""HTTP statuses with which nodes and their gateways refuse a range."""
Topic = str | Sequence[str] | None
"""A topic, 0x-hex, one of several, or any."""


def read_logs(chain: Chain, address: str, topics: Sequence[Topic], first: int, last: int) -> list[Any]:
    """A contract's logs with these first topics from block `first` to block `last`, both included.

    The range is asked for as a whole, and halved wherever the node answers with an error, whatever its words: providers
    have a dozen of them, and a refusal that is not about the range remains one for a single block.

    Raises
    ------
    ChainUnavailable
        If the node refuses a single block, or does not answer.
    """
    found: list[Any] = []
    start, most = first, last - first + 1
    while start <= last:
        end = min(last, start + most - 1)
        with chain.asking(f"eth_getLogs of blocks {start} to {end}"):
            try:
                found += chain.w3.eth.get_logs(
                    {
                        "address": to_checksum_address(address),
                        "topics": [_to_hex(topic) for topic in topics],
                        "fromBlock": BlockNumber(start),
                        "toBlock": BlockNumber(end),
                    }
                )
            except (Web3Exception, requests.HTTPError) as refusal:
                if start == end or not _is_about_size(refusal):
                    raise
                most = (end - start + 1) // 2
                continue
        start, most = end + 1, most + max(1, most // 4)
    return found


def _to_hex(topic: Topic) -> HexStr | list[HexStr] | None:
    if topic is None or isinstance(topic, str):
        return None if topic is None else HexStr(topic)
    return [HexStr(item) for item in topic]


def _is_about_size(refusal: Exception) -> bool:
    if isinstance(refusal, requests.HTTPError):
        return refusal.response is not None and refusal.response.status_code in TOO_MUCH
    return True
