"""Who signs transactions: the node, a key here, or a signer elsewhere.

A key here signs transactions of type 2 (EIP-1559), or of the old kind where blocks have no base fee. Its nonces follow
one another even where the node has not yet counted the last, and what is not mined in time is sent again with higher
fees.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import requests
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception, Web3RPCError
from web3.types import TxParams, Wei

RAISE = (5, 4)
"""Fees of a replacement over those of what it replaces; nodes ask for an eighth more."""
GAS_MARGIN = (13, 10)
"""Gas offered over the node's estimate: the state may be another when it is mined."""
BASE_FEES = 2
"""Most base fees that a transaction offers: six full blocks in a row double it."""
LEAST_TIP = 10**9
"""Priority fee in wei where a node does not know the question for one."""


class Sender(Protocol):
    """What signs transactions of one address and hands them to a chain."""

    @property
    def address(self) -> str:
        """Who pays."""

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        """Hash of the transaction, handed to the node behind `w3`."""

    def replace(self, w3: Web3) -> HexBytes | None:
        """Hash of the last transaction with higher fees; None if it cannot be replaced, as when it was mined."""


class LocalSender:
    """Signs by a key in this process."""

    def __init__(self, account: LocalAccount, chain_id: int):
        self._account, self._chain_id, self._next = account, chain_id, 0
        self._last: TxParams = {}

    def __repr__(self) -> str:
        return f"LocalSender({self.address})"

    @property
    def address(self) -> str:
        """See `Sender`."""
        return str(self._account.address)

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        """See `Sender`."""
        nonce = max(self._next, int(w3.eth.get_transaction_count(to_checksum_address(self.address), "pending")))
        complete: TxParams = {**transaction, "chainId": self._chain_id, "nonce": nonce, **read_fees(w3)}  # type: ignore[typeddict-item]
        complete["gas"] = min(transaction["gas"], _estimate(w3, transaction))
        sent = self._sign_and_send(w3, complete)
        self._next, self._last = nonce + 1, complete
        return sent

    def replace(self, w3: Web3) -> HexBytes | None:
        """See `Sender`."""
        raised = dict(self._last)
        for name in ("maxFeePerGas", "maxPriorityFeePerGas", "gasPrice"):
            if name in raised:
                raised[name] = int(raised[name]) * RAISE[0] // RAISE[1] + 1  # type: ignore[call-overload]
        with suppress(Web3RPCError):  # the nonce is used: one of the earlier ones was mined
            sent = self._sign_and_send(w3, raised)  # type: ignore[arg-type]
            self._last = raised  # type: ignore[assignment]
            return sent
        return None

    def _sign_and_send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        signed = self._account.sign_transaction(transaction)  # type: ignore[arg-type]
        return HexBytes(w3.eth.send_raw_transaction(signed.raw_transaction))


class ExternalSender:
    """Signs and sends by a signer behind a URL, which knows the same chain (`eth_sendTransaction`)."""

    def __init__(self, url: str, address: str, *, timeout: float):
        self._address = str(to_checksum_address(address))
        session = requests.Session()
        session.trust_env = False
        self._w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": timeout}, session=session))

    @property
    def address(self) -> str:
        """See `Sender`."""
        return self._address

    def send(self, w3: Web3, transaction: TxParams) -> HexBytes:
        """See `Sender`."""
        return HexBytes(self._w3.eth.send_transaction(transaction))

    def replace(self, w3: Web3) -> HexBytes | None:
        """Never: whoever holds the key decides."""
        return None


def read_fees(w3: Web3) -> dict[str, Wei]:
    """Fee fields of a transaction that is sent now: EIP-1559's, or one price where blocks have no base fee."""
    base = w3.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        return {"gasPrice": w3.eth.gas_price}
    try:
        tip = int(w3.eth.max_priority_fee)
    except Web3Exception:
        tip = LEAST_TIP
    return {"maxFeePerGas": Wei(BASE_FEES * int(base) + tip), "maxPriorityFeePerGas": Wei(tip)}


def _estimate(w3: Web3, transaction: TxParams) -> int:
    asked: TxParams = {name: value for name, value in transaction.items() if name != "gas"}  # type: ignore[assignment]
    return int(w3.eth.estimate_gas(asked)) * GAS_MARGIN[0] // GAS_MARGIN[1]
