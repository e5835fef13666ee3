"""docs/integrate.md: its program is short, and runs as it stands on the development nodes that people use."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from zkmargin.contracts.chain import run_anvil
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.setup import set_up

ROOT = Path(__file__).parents[2]
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
