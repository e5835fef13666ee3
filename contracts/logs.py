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


class LogReader:
    """Asks a node for ranges of blocks, as large as it answers: what it learnt of one range serves the next."""

    def __init__(self, chain: Chain):
        self._chain = chain
        self._most: int | None = None
        """Blocks to ask for at a time; None before a range was refused."""

    def read(self, addresses: Sequence[str], topics: Sequence[Topic], first: int, last: int) -> list[Any]:
        """Logs of contracts with these first topics from block `first` to block `last`, both included.

        The range is asked for as a whole, and halved wherever the node answers with an error, whatever its words:
        providers have a dozen of them, and a refusal that is not about the range remains one for a single block.

        Raises
        ------
        ChainUnavailable
            If the node refuses a single block, or does not answer.
        """
        found: list[Any] = []
        start = first
        while start <= last:
            end = last if self._most is None else min(last, start + self._most - 1)
            with self._chain.asking(f"eth_getLogs of blocks {start} to {end}"):
                try:
                    found += self._chain.w3.eth.get_logs(
                        {
                            "address": [to_checksum_address(address) for address in addresses],
                            "topics": [_to_hex(topic) for topic in topics],
                            "fromBlock": BlockNumber(start),
                            "toBlock": BlockNumber(end),
                        }
                    )
                except (Web3Exception, requests.HTTPError) as refusal:
                    if start == end or not _is_about_size(refusal):
                        raise
                    self._most = (end - start + 1) // 2
                    continue
            start = end + 1
            if self._most is not None:
                self._most += max(1, self._most // 4)
        return found


def read_logs(chain: Chain, address: str, topics: Sequence[Topic], first: int, last: int) -> list[Any]:
    """One contract's logs in one range; see `LogReader.read`."""
    return LogReader(chain).read([address], topics, first, last)


def _to_hex(topic: Topic) -> HexStr | list[HexStr] | None:
    if topic is None or isinstance(topic, str):
        return None if topic is None else HexStr(topic)
    return [HexStr(item) for item in topic]


def _is_about_size(refusal: Exception) -> bool:
    if isinstance(refusal, requests.HTTPError):
        return refusal.response is not None and refusal.response.status_code in TOO_MUCH
    return True
