"""A development network in one folder: a chain, contracts, publishers, a keeper, an index with its API, test wallets.

::

    devnet.json      settings, ports, and the chain's time when it was last stopped in order
    password         of every keystore here, mode 0600
    *.json           keystores of publishers, keeper and test wallets
    deployment.json  the contracts
    index.db         the index, unless another database is named
    anvil.state      the chain, where it is this network's own
    logs/            what each process said

One process, the supervisor, starts the others and ends them: on SIGTERM, SIGHUP and SIGINT, and by the kernel
(PR_SET_PDEATHSIG) where it is killed itself. A service that ends is started again. All of it goes on in the
same folder after a stop. The chain's clock is never moved; an own chain goes on at the time at which the
supervisor stopped it, or did so last where it was killed.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

from zkmargin.contracts.chain import Chain, find_anvil, find_free_ports, require_accounts, require_development_chain
from zkmargin.contracts.deploy import deploy
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.errors import ChainUnavailable
from zkmargin.contracts.venue import Contracts
from zkmargin.contracts.venue_keys import load_venue_keys
from zkmargin.engine.files import PRIVATE, StrictModel, read_model, read_text, write_whole
from zkmargin.engine.presets import get_preset
from zkmargin.venue.errors import NodeStateInUse, ServiceFailed
from zkmargin.venue.keystore import create_keystore, open_keystore
from zkmargin.venue.market_source import MarketSource

PUBLISHERS, THRESHOLD = 3, 2
WALLETS = ("alice", "bob", "carol")
"""Test wallets; they have gas, and tokens come from `account fund --mint`."""
WORK_FACTOR = 1 << 12
"""Scrypt's N of the keystores: their password lies beside them."""
GAS_WEI, LEAST_WEI = 100 * 10**18, 10**18
START_SECONDS = 60
"""How long a part of the network may take to start."""
STOP_SECONDS = 15
"""How long a process may take to end before it is killed."""
POLL_SECONDS = 0.1
RESTART_SECONDS = 1.0
"""Before a process that ended is started again."""
PR_SET_PDEATHSIG = 1
"""prctl's number for the signal that a process gets when its parent ends."""


@dataclass(frozen=True)
class Settings:
    """What a network is made of; written when it is first started."""

    preset: str
    market: str
    """Shipped name, file or folder; see `MarketSource`."""
    interval: float
    """Seconds between epochs."""
    rpc_url: str | None
    """A node that is the user's; None for a chain of the network's own."""
    anvil_port: int
    publisher_ports: tuple[int, ...]
    api_port: int
    chain_time: int | None = None
    """Unix seconds of the own chain's latest block when it was last stopped."""


class SettingsFile(StrictModel):
    """`devnet.json` as it stands on disk."""

    preset: str
    market: str
    interval: float
    rpc_url: str | None
    anvil_port: int
    publisher_ports: list[int]
    api_port: int
    chain_time: int | None = None


class Devnet:
    """A network's folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, name: str) -> Path:
        """A file of the network."""
        return self.folder / name

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps a second supervisor out; raises `NodeStateInUse`."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.path("supervisor.lock"), "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise NodeStateInUse(self.folder) from None
            write_whole(self.path("supervisor.pid"), f"{os.getpid()}\n")
            try:
                yield
            finally:
                self.path("supervisor.pid").unlink(missing_ok=True)

    def is_up(self) -> bool:
        """Whether a supervisor holds the folder."""
        if not self.path("supervisor.lock").exists():
            return False
        with open(self.path("supervisor.lock"), "a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def stop(self) -> bool:
        """Ends the supervisor and waits until everything has ended; False if none runs.

        Raises
        ------
        ServiceFailed
            If it has not ended in time.
        """
        if not self.is_up():
            return False
        os.kill(int(read_text(self.path("supervisor.pid"))), signal.SIGTERM)
        end = time.monotonic() + 2 * STOP_SECONDS
        while self.is_up():
            if time.monotonic() > end:
                raise ServiceFailed("supervisor", f"has not ended within {2 * STOP_SECONDS} s")
            time.sleep(POLL_SECONDS)
        return True

    def ensure_settings(self, preset: str, market: str, interval: float, rpc_url: str | None) -> Settings:
        """The settings of the folder, which the caller holds; made of the arguments where there are none yet.

        Raises
        ------
        ServiceFailed
            If the folder's network is of another preset or another node; or the market is none.
        """
        path = self.path("devnet.json")
        if path.exists():
            file = read_model(SettingsFile, read_text(path), path)
            found = Settings(**{**file.model_dump(), "publisher_ports": tuple(file.publisher_ports)})
            for what, value, asked in (("preset", found.preset, preset), ("node", found.rpc_url, rpc_url)):
                if value != asked:
                    raise ServiceFailed(f"network in {self.folder}", f"its {what} is {value}, not {asked}")
            settings = replace(found, market=market, interval=interval)
        else:
            ports = find_free_ports(PUBLISHERS + 2)
            settings = Settings(preset, market, interval, rpc_url, ports[0], tuple(ports[1:-1]), ports[-1])
        MarketSource(market, get_preset(preset)).load(1)
        self.save(settings)
        return settings

    def save(self, settings: Settings) -> None:
        """Writes the settings."""
        write_whole(self.path("devnet.json"), json.dumps(asdict(settings), indent=1) + "\n")

    def ensure_wallets(self) -> dict[str, str]:
        """Addresses of every wallet of the network by name; keystores that are missing are made."""
        password = self.path("password")
        if not password.exists():
            write_whole(password, secrets.token_urlsafe(24) + "\n", mode=PRIVATE)
        text, addresses = read_text(password).strip(), {}
        for name in (*(f"publisher-{place + 1}" for place in range(PUBLISHERS)), "keeper", *WALLETS):
            path = self.path(f"{name}.json")
            if path.exists():
                addresses[name] = open_keystore(path, text).address
            else:
                addresses[name] = create_keystore(path, text, iterations=WORK_FACTOR)
        return addresses


class Supervisor:
    """Starts the processes of a network, and ends them."""

    def __init__(self, devnet: Devnet, settings: Settings):
        self._devnet, self._settings = devnet, settings
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self._is_stopping = False

    @property
    def url(self) -> str:
        """The node's."""
        return self._settings.rpc_url or f"http://127.0.0.1:{self._settings.anvil_port}"

    @property
    def api_url(self) -> str:
        """The API's."""
        return f"http://127.0.0.1:{self._settings.api_port}"

    @property
    def processes(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: process.pid for name, process in self._processes.items()}

    def run(self, when_ready: Callable[[Supervisor, int], None]) -> None:
        """Starts everything, calls `when_ready` with the number of the first epoch that was posted since, and goes on
        until a signal comes. The caller holds the folder.

        Raises
        ------
        ServiceFailed
            If a part does not start, or the chain's node ends.
        """
        with ExitStack() as resources:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                resources.callback(signal.signal, number, signal.signal(number, self._stop))
            resources.callback(self._end_all)
            chain = self._start_chain()
            before = self._prepare(chain)
            self._start_services()
            epoch = self._wait_for_epoch(chain, before)
            if not self._is_stopping:
                self._start_index()
                when_ready(self, epoch)
            while not self._is_stopping:
                self._restart_ended()
                time.sleep(POLL_SECONDS)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True

    def _start_chain(self) -> Chain:
        settings = self._settings
        if settings.rpc_url is None:
            market = MarketSource(settings.market, get_preset(settings.preset)).load(1)
            moment = market.time if settings.chain_time is None else settings.chain_time
            state = str(self._devnet.path("anvil.state"))
            options = {"host": "127.0.0.1", "port": settings.anvil_port, "timestamp": moment, "state": state}
            options["state-interval"] = 30
            named = [part for name, value in options.items() for part in (f"--{name}", str(value))]
            self._start("anvil", [str(find_anvil()), *named, "--silent"])
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                chain = Chain(self.url)
                require_development_chain(chain, "a development network")
                return chain
            except ChainUnavailable:
                self._require_running("anvil")
                if self._is_stopping or settings.rpc_url or time.monotonic() > end:
                    raise
            time.sleep(POLL_SECONDS)

    def _prepare(self, chain: Chain) -> int:
        """Wallets, gas and contracts; returns the number of the latest epoch."""
        devnet, settings = self._devnet, self._settings
        addresses = devnet.ensure_wallets()
        require_accounts(chain, 1)
        for name in ("keeper", *WALLETS):
            if chain.get_balance(addresses[name]) < LEAST_WEI:
                chain.send(addresses[name], "0x", name="gas of a test wallet", value=GAS_WEI)
        record = devnet.path("deployment.json")
        if not record.exists():
            keys = load_venue_keys(settings.preset)
            publishers = [address for name, address in addresses.items() if name.startswith("publisher")]
            generation = MarketSource(settings.market, keys.preset).load(1).listing.generation
            deploy(chain, keys.material, publishers, threshold=THRESHOLD, generation=generation).save(record)
        return Contracts.connect(chain, Deployment.load(record)).oracle.get_latest_number()

    def _start_services(self) -> None:
        devnet, settings = self._devnet, self._settings
        shared = ["--rpc-url", self.url, "--deployment", str(devnet.path("deployment.json"))]
        shared += ["--source", settings.market, "--preset", settings.preset, "--replay"]
        shared += ["--password-file", str(devnet.path("password"))]
        for place, port in enumerate(settings.publisher_ports, 1):
            own = ["--keystore", str(devnet.path(f"publisher-{place}.json")), "--port", str(port)]
            own += ["--journal", str(devnet.path(f"publisher-{place}.signed.json"))]
            self._start(f"publisher-{place}", [*COMMAND, "publisher", *own, *shared])
        urls = [part for port in settings.publisher_ports for part in ("--publisher", f"http://127.0.0.1:{port}")]
        own = ["--keystore", str(devnet.path("keeper.json")), "--interval", str(settings.interval), *urls]
        own += ["--checkpoints", str(devnet.path("checkpoints"))]
        self._start("keeper", [*COMMAND, "keeper", *own, *shared])

    def _start_index(self) -> None:
        """After the first epoch, which would wait for them."""
        database = ["--database", f"sqlite:///{self._devnet.path('index.db')}"]
        chain = ["--rpc-url", self.url, "--deployment", str(self._devnet.path("deployment.json"))]
        self._start("indexer", [*COMMAND, "indexer", *chain, *database])
        self._start("api", [*COMMAND, "api", "--port", str(self._settings.api_port), *database])

    def _wait_for_epoch(self, chain: Chain, before: int) -> int:
        oracle = Contracts.connect(chain, Deployment.load(self._devnet.path("deployment.json"))).oracle
        end = time.monotonic() + START_SECONDS
        while (number := oracle.get_latest_number()) == before and not self._is_stopping:
            self._restart_ended()
            if time.monotonic() > end:
                logs = self._devnet.path("logs")
                raise ServiceFailed("keeper", f"no epoch within {START_SECONDS} s; {logs} says why")
            time.sleep(POLL_SECONDS)
        return number

    def _start(self, name: str, command: list[str]) -> None:
        logs = self._devnet.path("logs")
        logs.mkdir(exist_ok=True)
        self._commands[name] = command
        with open(logs / f"{name}.log", "ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    def _restart_ended(self) -> None:
        self._require_running("anvil")
        for name, process in list(self._processes.items()):
            if process.poll() is not None:
                time.sleep(RESTART_SECONDS)
                self._start(name, self._commands[name])

    def _require_running(self, name: str) -> None:
        process = self._processes.get(name)
        if process is not None and process.poll() is not None:
            raise ServiceFailed(name, f"ended with {process.returncode}; see {self._devnet.path('logs')}")

    def _end_all(self) -> None:
        """Ends the processes, the last one first; the own chain's time is written before its node ends."""
        names = list(self._processes)
        for name in reversed(names):
            if name == "anvil":
                with suppress(ChainUnavailable):
                    self._devnet.save(replace(self._settings, chain_time=Chain(self.url).time))
            end_process(self._processes.pop(name))


COMMAND = (sys.executable, "-m", "zkmargin.scripts.cli.main")
"""How a process of this package is started."""


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Asks a process to end, and kills it where it does not."""
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_with_parent() -> None:
    """In a child: the kernel ends it when its parent ends, however that ends. Linux only; elsewhere nothing happens."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
