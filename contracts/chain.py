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
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal, TypeVar
from urllib.parse import urlsplit

import requests
from eth_typing import BlockNumber, HexStr
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3
from web3.exceptions import (
    ContractCustomError,
    ContractLogicError,
    ContractPanicError,
    TimeExhausted,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint, TxParams, TxReceipt, Wei

from zkmargin.contracts.errors import (
    AccountsMissing,
    ChainReorganised,
    ChainUnavailable,
    NotADevelopmentChain,
    Reverted,
    TransactionPending,
)
from zkmargin.contracts.reverts import decode_revert, find_revert_data
from zkmargin.contracts.sending import LocalSender, Sender
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.paths import NODE_MODULES, describe_setup

DEVELOPMENT_CHAIN_IDS = (31337, 1337)
"""Ids that development nodes give their chains (Anvil, Hardhat; Ganache, Geth --dev). No chain with real value has
them."""

GAS_LIMIT = 16_000_000
"""Gas offered with each transaction, or the block's where that is less; below the 2^24 that a transaction may use since
Osaka."""
START_SECONDS = 20
"""How long a development node may take to answer its first question."""
ANSWER_SECONDS = 60
"""How long a node may take to answer a question."""
PATIENCE = 60.0
"""Seconds that a transaction may take to be mined."""
POLL_SECONDS = 0.02
"""Between two questions for a transaction's receipt."""
SENDINGS = 4
"""How often a transaction that is signed here is sent within that time, each time with higher fees."""
READ_ATTEMPTS = 5
"""How often a read of several questions starts again when its block is replaced."""
NODE_FAULTS = (Web3Exception, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What web3 raises where a node does not answer (OSError), answers with an error, or with something that is no answer:
other types than the protocol's, missing fields, text that is no JSON."""

T = TypeVar("T")


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
    logs: tuple[Mapping[str, Any], ...]
    """Raw logs, in order."""


@dataclass(frozen=True)
class Block:
    """A block, as far as reads need it."""

    number: int
    hash: bytes
    """32 bytes."""
    time: int
    """Unix seconds."""
    gas_limit: int
    """Gas of all its transactions together."""


class Chain:
    """A chain behind a URL. Reading needs no account; sending needs a node that holds the sender's key, as development
    nodes do.

    Whatever a node may do wrong (no answer, a page instead of JSON, an answer of another type) is `ChainUnavailable`.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE):
        """Raises `ChainUnavailable` if nothing answers at `url`; `patience` is in seconds, per transaction."""
        self.url, self.patience = url, patience
        session = requests.Session()
        session.trust_env = not is_loopback(url)  # an office's proxy does not know this machine
        self.w3 = Web3(HTTPProvider(url, request_kwargs={"timeout": ANSWER_SECONDS}, session=session))
        self.w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)  # proof of authority: more than 32 bytes
        self.w3.middleware_onion.remove("validation")  # asks for the chain's id before every call, and of blocks for 32
        with self.asking("eth_chainId"):
            self.id = int(self.w3.eth.chain_id)
        self.accounts = self._read_accounts()
        self._senders: dict[str, Sender] = {}

    @property
    def time(self) -> int:
        """Time of the latest block, unix seconds."""
        return self.get_block("latest").time

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Turns whatever goes wrong with a question to the node into `ChainUnavailable`, with the question's name."""
        try:
            yield
        except NODE_FAULTS as fault:
            raise ChainUnavailable(self.url, f"{what}: {describe_fault(fault)}") from fault

    @property
    def is_development(self) -> bool:
        """Whether its id is one that only development nodes use."""
        return self.id in DEVELOPMENT_CHAIN_IDS

    def use_signer(self, signer: Wallet) -> None:
        """Signs transactions of that wallet here, before they reach the node, and sends from it by default."""
        self.use_sender(LocalSender(signer.account, self.id))

    def use_sender(self, sender: Sender) -> None:
        """Sends what is from the sender's address by it, and sends from there by default."""
        self._senders[sender.address] = sender
        self.accounts = (sender.address, *self.accounts)

    def get_block(self, identifier: int | Literal["latest", "finalized"]) -> Block:
        """The latest block, the last final one, or that of a number; raises `ChainUnavailable` if the node has none."""
        with self.asking(f"block {identifier}"):
            block = self.w3.eth.get_block(BlockNumber(identifier) if isinstance(identifier, int) else identifier)
            return Block(int(block["number"]), bytes(block["hash"]), int(block["timestamp"]), int(block["gasLimit"]))

    def has_block(self, number: int, hash_: bytes) -> bool:
        """Whether the chain's block of that number is the one of that hash; False where the chain is shorter.

        Raises
        ------
        ChainUnavailable
            If the node does not answer, or fails to give a block that its chain is long enough to have.
        """
        try:
            return self.get_block(number).hash == hash_
        except ChainUnavailable:
            if self.get_block("latest").number >= number:
                raise
            return False

    def get_code(self, address: str, *, block: int | None = None) -> bytes:
        """Code at an address, empty if there is none; at the latest block, or at the end of the one of that number."""
        with self.asking(f"code at {address}"):
            return bytes(self.w3.eth.get_code(to_checksum_address(address), _at(block)))

    def get_balance(self, address: str) -> int:
        """Wei that an address has."""
        with self.asking(f"balance of {address}"):
            return int(self.w3.eth.get_balance(to_checksum_address(address)))

    def read_at_one_block(self, read: Callable[[Block], T]) -> T:
        """What `read` makes of one block, which is still the chain's when all is read.

        Parameters
        ----------
        read : callable
            Given the latest block; everything it asks for must be asked at that block's number.

        Raises
        ------
        ChainReorganised
            If the block was replaced meanwhile, `READ_ATTEMPTS` times in a row.
        ChainUnavailable
            If the node fails to say whether it was.
        """
        for _ in range(READ_ATTEMPTS):
            block = self.get_block("latest")
            found = read(block)
            if self.has_block(block.number, block.hash):
                return found
        raise ChainReorganised(self.url, block.number, READ_ATTEMPTS)

    def call(
        self, to: str, data: str, *, sender: str | None = None, name: str = "call", block: int | None = None
    ) -> bytes:
        """Result of a call that changes nothing, at the latest block or at the end of the one of that number.

        Raises
        ------
        Reverted
            With the contract's reason.
        """
        transaction: TxParams = {"to": to_checksum_address(to), "data": HexStr(data)}
        if sender is not None:
            transaction["from"] = to_checksum_address(sender)
        return self._try(transaction, name, block)

    def send(
        self, to: str | None, data: str, *, sender: str | None = None, name: str = "send", value: int = 0
    ) -> Receipt:
        """Mines a transaction, from the node's first account unless `sender` is given; `value` is wei that go along.

        Raises
        ------
        Reverted
            If the contract refuses; found by a call before anything is sent.
        AccountsMissing
            If the node holds no account and no sender is given.
        TransactionPending
            If it is not mined within `patience`; carries its hash, as it may be mined later.
        """
        if sender is None:
            require_accounts(self, 1)
        payer = to_checksum_address(sender or self.accounts[0])
        transaction: TxParams = {
            "from": payer,
            "data": HexStr(data),
            "gas": min(GAS_LIMIT, self.get_block("latest").gas_limit),
        }
        if to is not None:
            transaction["to"] = to_checksum_address(to)
        if value:
            transaction["value"] = Wei(value)
        self._try(transaction, name)
        with self.asking(f"{name}: eth_sendTransaction"):
            local = self._senders.get(payer)
            sent = local.send(self.w3, transaction) if local else self.w3.eth.send_transaction(transaction)
        receipt, is_done = self._wait(sent, name, local)
        if not is_done:
            self._try(transaction, name)
            fields = {"transaction": receipt.transaction_hash, "gas_used": receipt.gas_used}
            raise Reverted("Unknown", fields, name)
        return receipt

    def snapshot(self) -> str:
        """A mark to go back to, once."""
        return str(self._request("evm_snapshot"))

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

    def mine(self, blocks: int) -> None:
        """Mines so many blocks, a second apart."""
        self._request("anvil_mine", hex(blocks))

    def _read_accounts(self) -> tuple[str, ...]:
        """Accounts whose keys the node holds: none on a public node, which may not even know the question."""
        with self.asking("eth_accounts"), suppress(Web3RPCError):
            return tuple(str(address) for address in self.w3.eth.accounts)
        return ()

    def _wait(self, sent: HexBytes, name: str, sender: Sender | None) -> tuple[Receipt, bool]:
        """The receipt of what was sent, or of what replaced it, and whether it did what it should."""
        try:
            mined = self._wait_for_one(sent, sender)
            receipt = Receipt(
                mined["transactionHash"].to_0x_hex(),
                int(mined["gasUsed"]),
                int(mined["blockNumber"]),
                mined["contractAddress"],
                tuple(mined["logs"]),
            )
            return receipt, mined["status"] == 1
        except NODE_FAULTS as fault:
            raise TransactionPending(sent.to_0x_hex(), self.patience, name, describe_fault(fault)) from fault

    def _wait_for_one(self, sent: HexBytes, sender: Sender | None) -> TxReceipt:
        """The receipt of the first that is mined: of what was sent, and of each replacement of it."""
        hashes, start = [sent], time.monotonic()
        while True:
            for each in hashes:
                with suppress(TransactionNotFound):
                    return self.w3.eth.get_transaction_receipt(each)
            waited = time.monotonic() - start
            if waited >= self.patience:
                raise TimeExhausted(f"none of {len(hashes)} sendings was mined")
            if sender is not None and waited >= self.patience * len(hashes) / SENDINGS:
                hashes.append(sender.replace(self.w3) or hashes[-1])
            time.sleep(POLL_SECONDS)

    def _request(self, method: str, *arguments: object) -> object:
        with self.asking(method):
            answer = self.w3.provider.make_request(RPCEndpoint(method), list(arguments))
            if "error" in answer:
                raise Web3RPCError(str(answer["error"]))
            return answer["result"]

    def _try(self, transaction: TxParams, name: str, block: int | None = None) -> bytes:
        try:
            with self.asking(name):
                return bytes(self.w3.eth.call(transaction, _at(block)))
        except ChainUnavailable as trouble:
            fault = trouble.__cause__
            if isinstance(fault, ContractCustomError):
                raise decode_revert(str(fault.data), name) from None
            if isinstance(fault, ContractLogicError | ContractPanicError):
                raise decode_revert(find_revert_data(fault.data), name, str(fault)) from None
            if isinstance(fault, Web3RPCError):
                raise Reverted("Unknown", {"reason": describe_fault(fault)}, name) from fault
            raise


def is_loopback(url: str) -> bool:
    """Whether the URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def describe_fault(fault: BaseException) -> str:
    """What went wrong between here and a node, in one line of at most 300 characters."""
    if isinstance(fault, ValueError) and not isinstance(fault, Web3Exception | OSError):
        return f"the answer is not what the protocol says ({type(fault).__name__}); a page instead of JSON?"
    return " ".join(f"{type(fault).__name__}: {fault}".split())[:300]


def require_accounts(chain: Chain, needed: int) -> None:
    """Raises `AccountsMissing` unless the node holds the keys of that many accounts."""
    if len(chain.accounts) < needed:
        raise AccountsMissing(chain.url, needed, len(chain.accounts))


def require_development_chain(chain: Chain, what: str = "insecure keys") -> None:
    """Raises `NotADevelopmentChain` unless the chain's id is one that only development nodes use; `what` is wanted."""
    if not chain.is_development:
        raise NotADevelopmentChain(chain.id, DEVELOPMENT_CHAIN_IDS, what)


@contextmanager
def run_anvil(
    *, chain_id: int = DEVELOPMENT_CHAIN_IDS[0], timestamp: int | None = None, keep_steps: bool = False
) -> Iterator[Chain]:
    """An Anvil node of its own on a free port of this machine, ended when the block is left, however it is left.

    Parameters
    ----------
    timestamp : int, optional
        Time of the first block, unix seconds; now by default.
    keep_steps : bool
        Whether every opcode of every transaction is kept, for `debug_traceTransaction`.

    Raises
    ------
    ChainUnavailable
        If there is no Anvil (npm brings one for Linux on x86-64; elsewhere ZKMARGIN_ANVIL or PATH names it), or it
        does not answer.
    """
    [port] = find_free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [str(find_anvil()), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id), "--silent"]
    if timestamp is not None:
        command += ["--timestamp", str(timestamp)]
    if keep_steps:
        command.append("--steps-tracing")
    with TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            yield _wait_for_chain(url, process, errors)
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


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


def _at(block: int | None) -> BlockNumber | Literal["latest"]:
    return "latest" if block is None else BlockNumber(block)


def find_free_ports(count: int) -> list[int]:
    """Ports of this machine, each another, that nobody listens at."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _wait_for_chain(url: str, process: subprocess.Popen[bytes], errors: IO[bytes]) -> Chain:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            errors.seek(0)
            text = errors.read().decode(errors="replace").strip()[-500:]
            raise ChainUnavailable(url, f"anvil ended with {process.returncode}: {text}")
        with suppress(ChainUnavailable):
            return Chain(url)
        time.sleep(0.05)
    raise ChainUnavailable(url, f"anvil did not answer within {START_SECONDS} s")
