"""Wallets that are no file: a private key in the environment, and a signer behind a URL.

An external signer holds the key and asks its owner: Frame, Clef behind a node, a development node. It is asked by
JSON-RPC, messages by `eth_signTypedData_v4` and transactions by `eth_sendTransaction`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import requests
from eth_utils.address import to_checksum_address

from zkmargin.prover.messages.fields import to_address
from zkmargin.prover.messages.records import TypedMessage
from zkmargin.prover.messages.typed_data import Domain, make_typed_data
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import SignerUnavailable, WalletUnusable
from zkmargin.venue.json_form import to_json_form

PATIENCE = 120.0
"""Seconds that an external signer may take: a person reads what it shows."""


def read_environment_wallet(name: str, environment: Mapping[str, str] = os.environ) -> Wallet:
    """The wallet of the private key that an environment variable holds, 0x-hex.

    Raises
    ------
    WalletUnusable
        If the variable is not set or is no key; its content is not shown.
    """
    text = environment.get(name)
    if not text:
        raise WalletUnusable(f"the environment variable {name}, which is not set", "a private key, 0x-hex")
    try:
        return Wallet.from_key(text.strip())
    except (ValueError, TypeError):
        raise WalletUnusable(
            f"the environment variable {name}, which holds no private key (it is not shown)", "32 bytes as 0x-hex"
        ) from None


class RpcSigner:
    """The key of one address at an external signer; a `prover.messages.wallet.Signer`."""

    def __init__(self, url: str, address: str, *, patience: float = PATIENCE):
        """Raises `WalletUnusable` if `address` is none; nothing is asked yet. `patience` is in seconds a question."""
        try:
            self.address: str = to_checksum_address(to_address(address))
        except ValueError as error:
            raise WalletUnusable(f"address {address!r}", str(error)) from None
        self.url, self._patience = url, patience
        self._session = requests.Session()
        self._session.trust_env = False

    def __repr__(self) -> str:
        return f"RpcSigner({self.address})"

    def sign(self, domain: Domain, message: TypedMessage) -> bytes:
        """The signer's signature of the message, as it gives it.

        Raises
        ------
        SignerUnavailable
            If it does not answer, refuses, or answers with something that is no signature.
        """
        answer = self._ask("eth_signTypedData_v4", self.address, to_json_form(make_typed_data(domain, message)))
        try:
            return bytes.fromhex(str(answer).removeprefix("0x"))
        except ValueError:
            raise SignerUnavailable(self.url, "eth_signTypedData_v4 gave no 0x-hex") from None

    def _ask(self, method: str, *arguments: object) -> object:
        question: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(arguments)}
        try:
            answer = self._session.post(self.url, json=question, timeout=self._patience).json()
            if not isinstance(answer, dict):
                raise ValueError("no JSON object")
        except (requests.RequestException, ValueError) as fault:
            raise SignerUnavailable(self.url, f"{method}: {type(fault).__name__}") from None
        if "result" not in answer:
            error = answer.get("error")
            text = error.get("message") if isinstance(error, dict) else error
            raise SignerUnavailable(self.url, f"{method} refused: {str(text)[:200]}")
        return answer["result"]
