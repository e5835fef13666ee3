"""A development chain: Anvil as a context manager, or any node at a URL, with what tests and demo need of it.

Insecure keys (proving keys and committee keys whose secrets this machine knew) may be used on development chains only:
`require_development_chain` says which chain ids those are.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from eth_abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_utils import is_hex_address, to_checksum_address
from eth_utils.abi import get_abi_input_types, get_abi_output_types
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, ContractLogicError, ContractPanicError, Web3Exception

from zkmargin.contracts.compile import Artifact, compile_contracts
from zkmargin.contracts.errors import ChainUnavailable, NotADevelopmentChain, Reverted
from zkmargin.prover.paths import NODE_MODULES, describe_setup

DEVELOPMENT_CHAIN_IDS = (31337, 1337)
"""Ids that development nodes give their chains (Anvil, Hardhat; Ganache, Geth --dev). No chain with real value has
them."""

GAS_LIMIT = 16_000_000
"""Gas offered with each transaction; below the 2^24 that a transaction may use since Osaka."""
START_SECONDS = 20
"""How long a development node may take to answer."""


@dataclass(frozen=True)
class Receipt:
    """A mined transaction."""

    transaction_hash: str
    """0x-hex."""
    gas_used: int
    """Of the whole transaction, calldata included."""
    block_number: int
    """Block that holds it."""
    contract_address: str | None
    """Address of the created contract, if it created one."""
    logs: tuple[Mapping, ...]
    """Raw logs, in order."""


class Chain:
    """A chain behind a URL, whose node holds the senders' keys (as development nodes do)."""

    def __init__(self, url: str):
        """Raises `ChainUnavailable` if nothing answers at `url`."""
        self.url = url
        self.w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": 60}))
        try:
            self.id = int(self.w3.eth.chain_id)
            self.accounts: tuple[str, ...] = tuple(self.w3.eth.accounts)
        except (OSError, ValueError, Web3Exception) as reason:
            raise ChainUnavailable(url, str(reason)) from reason

    @property
    def time(self) -> int:
        """Time of the latest block, unix seconds."""
        return int(self.w3.eth.get_block("latest")["timestamp"])

    def call(self, to: str, data: str, *, sender: str | None = None, name: str = "call") -> bytes:
        """Result of a call that changes nothing. Raises `Reverted` with the contract's reason."""
        transaction = {"to": to, "data": data, "from": sender or self.accounts[0], "gas": GAS_LIMIT}
        return self._try(transaction, name)

    def send(self, to: str | None, data: str, *, sender: str | None = None, name: str = "send") -> Receipt:
        """Mines a transaction. A refusal is found by a call before anything is sent, and raised as `Reverted`."""
        transaction = {"data": data, "from": sender or self.accounts[0], "gas": GAS_LIMIT}
        if to is not None:
            transaction["to"] = to
        self._try(transaction, name)
        sent = self.w3.eth.send_transaction(transaction)
        mined = self.w3.eth.wait_for_transaction_receipt(sent, timeout=60, poll_latency=0.02)
        if mined["status"] != 1:
            self._try(transaction, name)
            raise Reverted("Unknown", {"transaction": sent.to_0x_hex(), "gas_used": mined["gasUsed"]}, name)
        return Receipt(
            sent.to_0x_hex(),
            int(mined["gasUsed"]),
            int(mined["blockNumber"]),
            mined["contractAddress"],
            tuple(mined["logs"]),
        )

    def snapshot(self) -> str:
        """A mark to go back to, once."""
        return self._request("evm_snapshot")

    def revert(self, mark: str) -> None:
        """Goes back to the mark, chain time included.

        Raises
        ------
        ChainUnavailable
            If the node does not know the mark.
        """
        if not self._request("evm_revert", mark):
            raise ChainUnavailable(self.url, f"the node does not know snapshot {mark}")

    def travel(self, seconds: int) -> int:
        """Mines a block that many seconds later than the latest; returns its time."""
        return self.travel_to(self.time + seconds)

    def travel_to(self, moment: int) -> int:
        """Mines a block at `moment` (unix seconds, later than the latest block); returns its time."""
        self._request("evm_setNextBlockTimestamp", moment)
        self._request("evm_mine")
        return self.time

    def _request(self, method: str, *arguments: object) -> object:
        answer = self.w3.provider.make_request(method, list(arguments))
        if "error" in answer:
            raise ChainUnavailable(self.url, f"{method}: {answer['error'].get('message', answer['error'])}")
        return answer["result"]

    def _try(self, transaction: dict, name: str) -> bytes:
        try:
            return bytes(self.w3.eth.call(transaction))
        except ContractCustomError as reason:
            raise decode_revert(str(reason.data), name) from None
        except (ContractLogicError, ContractPanicError) as reason:
            raise decode_revert(find_revert_data(reason.data), name, str(reason)) from None
        except Web3Exception as reason:
            raise Reverted("Unknown", {"reason": str(reason)}, name) from reason


class Contract:
    """A deployed contract; the thin layer under the typed bindings."""

    def __init__(self, chain: Chain, artifact: Artifact, address: str):
        self.chain, self.name, self.address = chain, artifact.name, to_checksum_address(address)
        self._contract = chain.w3.eth.contract(address=self.address, abi=artifact.abi)
        self._functions = {item["name"]: item for item in artifact.abi if item["type"] == "function"}

    def encode(self, function: str, *arguments: object) -> str:
        """Calldata as 0x-hex; structs are given as dicts by the ABI's names, or as tuples."""
        return self._contract.encode_abi(function, args=list(arguments))

    def call(self, function: str, *arguments: object, sender: str | None = None) -> object:
        """What a view function returns: one value, or a tuple; structs are tuples in the ABI's order."""
        data = self.chain.call(
            self.address, self.encode(function, *arguments), sender=sender, name=f"{self.name}.{function}"
        )
        values = _checksum(abi_decode(get_abi_output_types(self._functions[function]), data))
        return values[0] if len(values) == 1 else values

    def send(self, function: str, *arguments: object, sender: str | None = None) -> Receipt:
        """Mines a transaction that calls `function`. Raises `Reverted` with the contract's reason."""
        data = self.encode(function, *arguments)
        return self.chain.send(self.address, data, sender=sender, name=f"{self.name}.{function}")

    def read_events(self, event: str, *, first_block: int = 0) -> list[Mapping]:
        """Every event of that name since `first_block`, decoded, in the chain's order."""
        return list(self._contract.events[event]().get_logs(from_block=first_block))

    def decode_logs(self, receipt: Receipt, event: str) -> list[Mapping]:
        """Arguments of this contract's events of that name in a receipt."""
        topic = self._contract.events[event]().topic
        own = [log for log in receipt.logs if log["address"] == self.address and log["topics"][0].to_0x_hex() == topic]
        return [self._contract.events[event]().process_log(log)["args"] for log in own]


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
        values = _checksum(abi_decode(get_abi_input_types(known), raw[4:]))
    except (DecodingError, ValueError, OverflowError):  # no hex, too short, an offset beyond its end, no UTF-8
        return unknown
    names = [item["name"] or f"value{position}" for position, item in enumerate(known["inputs"])]
    return Reverted(known["name"], dict(zip(names, values, strict=True)), call)


_ERRORS: dict[bytes, dict] = {}
_LANGUAGE_ERRORS = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


def _error_table() -> dict[bytes, dict]:
    if not _ERRORS:
        artifacts = compile_contracts().values()
        for item in [
            *_LANGUAGE_ERRORS,
            *(entry for artifact in artifacts for entry in artifact.abi if entry["type"] == "error"),
        ]:
            signature = f"{item['name']}({','.join(get_abi_input_types(item))})"
            _ERRORS[bytes(Web3.keccak(text=signature)[:4])] = item
    return _ERRORS


def require_development_chain(chain: Chain, what: str = "insecure keys") -> None:
    """Raises `NotADevelopmentChain` unless the chain's id is one that only development nodes use; `what` is wanted."""
    if chain.id not in DEVELOPMENT_CHAIN_IDS:
        raise NotADevelopmentChain(chain.id, DEVELOPMENT_CHAIN_IDS, what)


@contextmanager
def run_anvil(*, chain_id: int = DEVELOPMENT_CHAIN_IDS[0], timestamp: int | None = None) -> Iterator[Chain]:
    """An Anvil node of its own on a free port of this machine, ended when the block is left, however it is left.

    Parameters
    ----------
    timestamp : int, optional
        Time of the first block, unix seconds; now by default.

    Raises
    ------
    ChainUnavailable
        If there is no Anvil (npm brings one for Linux on x86-64; elsewhere ZKMARGIN_ANVIL or PATH names it), or it
        does not answer.
    """
    port = _find_free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(find_anvil()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id), "--silent"]
    if timestamp is not None:
        command += ["--timestamp", str(timestamp)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield _wait_for_chain(url, process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()


def find_anvil() -> Path:
    """The Anvil binary: ZKMARGIN_ANVIL, else npm's, else PATH's. Raises `ChainUnavailable` if there is none."""
    named = os.environ.get("ZKMARGIN_ANVIL")
    packaged = NODE_MODULES / "@foundry-rs/anvil-linux-amd64/bin/anvil"
    if named:
        if not Path(named).is_file():
            raise ChainUnavailable("anvil", f"ZKMARGIN_ANVIL names {named}, which is no file")
        return Path(named)
    if packaged.is_file():
        return packaged
    found = shutil.which("anvil")
    if found is None:
        raise ChainUnavailable(
            "anvil", f"not in {NODE_MODULES} and not on PATH: {describe_setup()}, or set ZKMARGIN_ANVIL"
        )
    return Path(found)


def _checksum(value: object) -> object:
    """eth-abi decodes addresses in lower case; web3 takes and returns them with a checksum."""
    if isinstance(value, tuple):
        return tuple(_checksum(item) for item in value)
    return to_checksum_address(value) if isinstance(value, str) and is_hex_address(value) else value


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for_chain(url: str, process: subprocess.Popen) -> Chain:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise ChainUnavailable(
                url, f"anvil ended with {process.returncode}: {process.stderr.read().decode().strip()[-500:]}"
            )
        with suppress(ChainUnavailable):
            return Chain(url)
        time.sleep(0.05)
    raise ChainUnavailable(url, f"anvil did not answer within {START_SECONDS} s")
