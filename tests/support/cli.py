"""The `zkmargin` command in this process: what a user sees, without a new interpreter for every case."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

from zkmargin.scripts.cli.main import main


@dataclass(frozen=True)
class Shown:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: str) -> Shown:
    """Runs a command with an empty standard input."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["zkmargin", *arguments]),
        patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Shown(code, out.getvalue(), err.getvalue())
