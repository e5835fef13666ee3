"""A folder in which a protocol team works by commands only, on an Anvil of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.cli import Shown, run_command
from zkmargin.contracts import trading
from zkmargin.contracts.chain import Chain, run_anvil
from zkmargin.engine.market.file import load_snapshot
from zkmargin.prover.client import Provers
from zkmargin.scripts.setup import set_up
from zkmargin.venue.keystore import create_keystore

MARKET = "deribit_2026-08-22"
PASSWORD = "a password of a test"
PUBLISHERS = ("p1", "p2", "p3")
THRESHOLD = 2


@dataclass
class Team:
    """Runs commands in a folder, with the options that every command of a session has."""

    folder: Path
    chain: Chain
    preset: str

    @property
    def place(self) -> tuple[str, ...]:
        """Where the venue is, for commands that do not take it from the environment."""
        return "--deployment", self.path("deployment.json"), "--rpc-url", self.chain.url

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, *arguments: str) -> Shown:
        return run_command(*arguments)

    def json(self, *arguments: str) -> Any:
        """What a command prints with `--json`; fails with its errors."""
        shown = self.run(*arguments, "--json")
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)

    def wallet(self, name: str) -> tuple[str, ...]:
        """Options of who signs, with a state folder of their own."""
        return "--keystore", self.path(f"{name}.json"), "--state", self.path(f"state-{name}")

    def account(self, name: str, command: str, *arguments: str) -> Any:
        return self.json("account", command, *self.wallet(name), *arguments)

    def trade(self, name: str, command: str, *arguments: str) -> Any:
        return self.json("trade", command, *self.wallet(name), *arguments)

    def make_wallets(self, *names: str) -> dict[str, str]:
        """Keystores whose password is quickly hashed, and gas for them."""
        addresses = {}
        for name in names:
            addresses[name] = create_keystore(self.folder / f"{name}.json", PASSWORD, iterations=2)
            self.json("wallet", "gas", "--address", addresses[name])
        return addresses

    def deploy(self, publishers: dict[str, str]) -> Any:
        named = [part for address in publishers.values() for part in ("--publisher", address)]
        options = ("--preset", self.preset, "--threshold", str(THRESHOLD), "--out", self.path("deployment.json"))
        return self.json("deploy", *options, *named)

    def publish(self, *publishers: str) -> Any:
        named = [part for name in publishers for part in ("--publisher-keystore", self.path(f"{name}.json"))]
        return self.json("publish", "--market", MARKET, "--preset", self.preset, "--replay", *named)


def keep_keys_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of this process takes the keys that the first one loaded, as a process of each would load anew."""

    @cache
    def load(preset, build, allow_insecure):
        return Provers.load(preset, build=build, allow_insecure=allow_insecure)

    kept = SimpleNamespace(load=lambda preset, *, build, allow_insecure: load(preset, build, allow_insecure))
    monkeypatch.setattr(trading, "Provers", kept)


def make_team(folder: Path, preset: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    """A team on a fresh Anvil at the recorded market's time."""
    set_up([preset])
    with run_anvil(timestamp=load_snapshot(MARKET).time) as chain:
        session = {
            "ZKMARGIN_RPC_URL": chain.url,
            "ZKMARGIN_DEPLOYMENT": str(folder / "deployment.json"),
            "ZKMARGIN_PASSWORD": PASSWORD,
        }
        for name, value in session.items():
            monkeypatch.setenv(name, value)
        keep_keys_loaded(monkeypatch)
        yield Team(folder, chain, preset)


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    yield from make_team(tmp_path, "mini", monkeypatch)
