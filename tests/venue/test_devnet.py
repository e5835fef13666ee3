"""A development network as processes: up, killed, down and up again, and nobody left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.support.cli import run_command
from zkmargin.contracts.chain import Chain, run_anvil
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.setup import set_up
from zkmargin.venue.devnet import Devnet, end_with_parent
from zkmargin.venue.errors import NodeStateInUse, ServiceFailed

SECONDS = 90
MARKET = "deribit_2026-08-22"


def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zkmargin.scripts.cli.main", "devnet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=check)


def start(folder, *options: str) -> dict:
    up = ("up", "--dir", str(folder), "--preset", "mini", "--interval", "1", "--detach", "--json")
    return json.loads(run(*up, *options).stdout)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(what) -> None:
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, "in time"
        time.sleep(0.1)


def read_latest(network: dict) -> int:
    contracts = Contracts.connect(Chain(network["rpc_url"]), Deployment.load(Path(network["deployment"])))
    return contracts.oracle.get_latest_number()


def read_indexed(network: dict) -> int:
    """The latest epoch that the API knows, 0 while it does not answer."""
    with suppress(requests.RequestException, KeyError):
        return requests.get(f"{network['api']}/status", timeout=5).json()["latest_epoch"]
    return 0


@pytest.mark.slow
@pytest.mark.property("P-318")
def test_a_network_goes_on_in_its_folder_and_leaves_nobody_behind(tmp_path):
    set_up(["mini"])
    folder = tmp_path / "net"
    network = start(folder)
    try:
        assert network["epoch"] == 1 and set(network["processes"]) == {
            "anvil", "publisher-1", "publisher-2", "publisher-3", "keeper", "indexer", "api",
        }  # fmt: skip
        wait_until(lambda: read_indexed(network) >= 1)
        second = run("up", "--dir", str(folder), "--preset", "mini", check=False)
        assert second.returncode == 1 and "NodeStateInUse" in second.stderr
        os.kill(network["processes"]["keeper"], signal.SIGKILL)
        os.kill(network["processes"]["publisher-1"], signal.SIGKILL)
        os.kill(network["processes"]["indexer"], signal.SIGKILL)
        before = read_latest(network)
        wait_until(lambda: read_latest(network) > before + 1)
        wait_until(lambda: read_indexed(network) > before + 1)
    finally:
        assert json.loads(run("down", "--dir", str(folder), "--json").stdout)["stopped"] is True
    wait_until(lambda: not any(map(is_running, network["processes"].values())))

    last, time_before = read_stopped(folder), Deployment.load(folder / "deployment.json")
    again = start(folder)
    try:
        assert again["epoch"] > before and Deployment.load(folder / "deployment.json") == time_before
        assert 0 <= Chain(again["rpc_url"]).time - last < SECONDS
        os.kill(int((folder / "supervisor.pid").read_text()), signal.SIGHUP)
        wait_until(lambda: not any(map(is_running, again["processes"].values())))
    finally:
        run("down", "--dir", str(folder))
    assert not Devnet(folder).is_up()


def read_stopped(folder) -> int:
    return json.loads((folder / "devnet.json").read_text())["chain_time"]


@pytest.mark.slow
@pytest.mark.property("P-318")
def test_a_supervisor_that_is_killed_takes_everybody_with_it_and_a_users_node_stays(tmp_path):
    set_up(["mini"])
    with run_anvil(timestamp=load_snapshot(MARKET).time) as node:
        network = start(tmp_path / "net", "--rpc-url", node.url)
        supervisor = int((tmp_path / "net/supervisor.pid").read_text())
        try:
            assert "anvil" not in network["processes"] and network["rpc_url"] == node.url
            assert node.time - load_snapshot(MARKET).time < SECONDS, "the clock was left alone"
        finally:
            os.kill(supervisor, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, network["processes"].values())))
        assert node.get_block("latest").number > 0


@pytest.mark.property("P-318")
def test_a_child_ends_with_its_parent():
    """The parent is killed, so that nothing of its own can end the child."""
    code = (
        "import subprocess, sys, time\n"
        "from zkmargin.venue.devnet import end_with_parent\n"
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=end_with_parent, start_new_session=True)\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
    wait_until(lambda: not is_running(child))
    assert callable(end_with_parent)


def test_a_folder_is_of_one_network_and_one_supervisor(tmp_path):
    devnet = Devnet(tmp_path / "net")
    devnet.folder.mkdir()
    settings = devnet.ensure_settings("mini", MARKET, 1.0, None)
    assert devnet.ensure_settings("mini", MARKET, 2.0, None).publisher_ports == settings.publisher_ports
    with pytest.raises(ServiceFailed, match="its preset is mini, not standard"):
        devnet.ensure_settings("standard", MARKET, 1.0, None)
    with pytest.raises(ServiceFailed, match=r"its node is None, not http://127\.0\.0\.1:1"):
        devnet.ensure_settings("mini", MARKET, 1.0, "http://127.0.0.1:1")
    assert devnet.stop() is False and not devnet.is_up()
    with devnet.hold():
        assert devnet.is_up()
        with pytest.raises(NodeStateInUse), Devnet(devnet.folder).hold():
            pass
        written = devnet.path("devnet.json").read_bytes()
        shown = run_command("devnet", "up", "--dir", str(devnet.folder), "--preset", "mini", "--interval", "9")
        assert shown.returncode == 1 and "in use" in shown.stderr
        assert devnet.path("devnet.json").read_bytes() == written
    assert not devnet.is_up()


def test_keystores_of_a_network_open_by_its_password(tmp_path):
    devnet = Devnet(tmp_path)
    addresses = devnet.ensure_wallets()
    assert len(set(addresses.values())) == 7 and devnet.ensure_wallets() == addresses
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
