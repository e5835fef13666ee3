"""docs/integrate.md: its program is short, and runs as it stands on the development nodes that people use."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zkmargin.contracts.chain import find_free_ports, run_anvil
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.setup import QUIET, set_up

ROOT = Path(__file__).parents[2]
HARDHAT = ROOT / "tests/support/hardhat"
LINES = 20


def read_program() -> str:
    """The document's program in Python."""
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/integrate.md").read_text(), re.DOTALL)
    return program


def run_program(url: str) -> list[str]:
    """The lines that the program prints on the node at `url`; fails with its errors."""
    set_up(["mini"])
    command = [sys.executable, "-c", read_program(), url, "mini"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def check_output(lines: list[str]) -> None:
    traded, current = lines
    assert re.fullmatch(r"\d{6} \{'BTC-[\w-]+-C': 5\}", traded) and current == "True"


def test_the_program_is_short():
    assert len([line for line in read_program().splitlines() if line.strip()]) <= LINES


@pytest.mark.slow
def test_the_first_trade_runs_as_the_document_says():
    with run_anvil(timestamp=load_snapshot("deribit_2026-08-22").time) as chain:
        check_output(run_program(chain.url))


@pytest.mark.slow
def test_the_first_trade_runs_on_hardhats_node(tmp_path):
    """Its packages are locked in `tests/support/hardhat`, and installed by the test."""
    with run_hardhat(tmp_path) as url:
        check_output(run_program(url))


@contextmanager
def run_hardhat(folder: Path) -> Iterator[str]:
    """The address of a Hardhat node in `folder`, which ends with the block."""
    shutil.copytree(HARDHAT, folder, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", *QUIET], cwd=folder, check=True, capture_output=True, timeout=300)
    (port,) = find_free_ports(1)
    command = ["node", "node_modules/hardhat/internal/cli/bootstrap.js", "node", "--port", str(port)]
    with (folder / "node.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        wait_until(lambda: b"Started HTTP" in (folder / "node.log").read_bytes(), process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Returns once the process is ready; fails if it ends before, or after a minute."""
    for _ in range(600):
        if is_ready():
            return
        assert process.poll() is None, "the node ended"
        time.sleep(0.1)
    raise AssertionError("the node is not ready after a minute")
