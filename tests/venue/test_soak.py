"""A development network under fire: services are killed at random while ten accounts trade.

`ZKMARGIN_SOAK_SECONDS` is its length, 60 by default; `ZKMARGIN_SOAK_SEED` repeats a run.
"""

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.venue.test_devnet import run, start, wait_until
from zkmargin.contracts.chain import Chain
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.units import usd
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.scripts.setup import set_up
from zkmargin.venue.events import EventReader
from zkmargin.venue.keystore import open_keystore
from zkmargin.venue.node import Node

ACCOUNTS = 10
KILLED = ("publisher-1", "keeper", "indexer", "api")
"""What may be killed; the index's database is the indexer's file, which is cut off in the middle of its writing."""


def find_process(folder: Path, name: str) -> int | None:
    """Id of the supervisor's child of that name now."""
    supervisor = (folder / "supervisor.pid").read_text().strip()
    word = name.split("-")[0]
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            is_child = status.read_text().rsplit(") ", 1)[1].split()[1] == supervisor
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
            own = word.encode() in words and (word != "publisher" or any(name.encode() in item for item in words))
            if is_child and own:
                return int(status.parent.name)
    return None


def read_events(network: dict) -> list[tuple]:
    """Every event that the API has."""
    found, after = [], 0
    while True:
        page = requests.get(f"{network['api']}/events", params={"after": after, "limit": 500}, timeout=20).json()
        found += [(event["block"], event["log_index"], event["name"]) for event in page]
        if len(page) < 500:
            return found
        after = page[-1]["id"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.property("P-294")
def test_no_event_is_lost_and_no_account_is_stuck_while_services_are_killed(tmp_path):
    set_up(["mini"])
    seconds, seed = (int(os.environ.get(f"ZKMARGIN_SOAK_{name}", value)) for name, value in
                     (("SECONDS", 60), ("SEED", 1)))  # fmt: skip
    chance, folder = random.Random(seed), tmp_path / "net"
    network = start(folder)
    counts = {"trades": 0, "refused": 0, "kills": 0}
    try:
        payer = open_keystore(folder / "alice.json", (folder / "password").read_text().strip())
        node = Node.join(network["rpc_url"], network["deployment"], payer=payer, folder=tmp_path / "state")
        node.contracts.cash.mint(node.submitter, usd(1_000_000))
        traders = [node.open(Wallet.create(), cash=usd(50_000)) for _ in range(ACCOUNTS)]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if chance.random() < 0.3 and (pid := find_process(folder, chance.choice(KILLED))):
                os.kill(pid, signal.SIGKILL)
                counts["kills"] += 1
            taker, maker = chance.sample(traders, 2)
            try:
                quote = maker.quote(taker.request({"BTC-PERPETUAL": chance.choice((-1, 1))}), taker_pays=usd(500))
                node.settle(taker.accept(quote))
                counts["trades"] += 1
            except ZkMarginError as refusal:
                assert isinstance(refusal, Reverted) or "Policy" in type(refusal).__name__, refusal
                counts["refused"] += 1

        latest = node.contracts.oracle.get_latest_number()
        wait_until(lambda: node.contracts.oracle.get_latest_number() > latest + 1)
        for trader in traders:
            trader.attest()
            view = node.contracts.house.get_account(trader.id)
            assert view.commitment == trader.client.account.commitment
        chain = Chain(network["rpc_url"])
        height = chain.get_block("latest").number

        def is_indexed():
            with suppress(requests.RequestException, KeyError):
                return requests.get(f"{network['api']}/status", timeout=5).json()["block"] >= height
            return False

        wait_until(is_indexed)
        contracts = Contracts.connect(chain, node.contracts.deployment)
        expected = EventReader(contracts).read(node.contracts.deployment.first_block, height)
        shown = [event for event in read_events(network) if event[0] <= height]
        assert shown == [(event.block, event.log_index, event.name) for event in expected]
        assert counts["trades"] > 0 and counts["kills"] > 0
        print(f"soak of {seconds} s, seed {seed}: {counts}, {len(shown)} events")
    finally:
        run("down", "--dir", str(folder))
