"""Fills the home (`zkmargin.prover.paths`): npm's tools, compiled circuits and contracts, development keys.

Each part is made once per text of its sources. The keys come from this machine's randomness: for local chains only.
"""

import hashlib
import os
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.errors import SetupFailed
from zkmargin.contracts.venue_keys import ensure_committee
from zkmargin.prover.groth16.compile import compile_circuit
from zkmargin.prover.groth16.keys import setup_keys
from zkmargin.prover.paths import HOME, NODE_MODULES, PACKAGE
from zkmargin.prover.statement.signals import STATEMENTS
from zkmargin.scripts.cli import console

STAMP = NODE_MODULES / ".installed"
"""Holds the SHA-256 of the lock file whose packages are installed."""
LOCK = "package-lock.json"
QUIET = ("--ignore-scripts", "--no-progress", "--no-fund", "--no-audit", "--loglevel=error")


def install_tools() -> None:
    """Install what the lock file names, by `npm ci`, unless it is installed already.

    A `node_modules` that is a link belongs to somebody else: it is used as it is.

    Raises
    ------
    SetupFailed
        If npm is not on PATH, or fails.
    """
    digest = hashlib.sha256((PACKAGE / LOCK).read_bytes()).hexdigest()
    if NODE_MODULES.is_symlink() or (STAMP.is_file() and STAMP.read_text() == digest):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupFailed("npm", "it is not on PATH; Node.js 20 or newer has it")
    HOME.mkdir(parents=True, exist_ok=True)
    command = [npm, "ci", *QUIET]
    if HOME != PACKAGE:
        for name in ("package.json", LOCK):
            shutil.copyfile(PACKAGE / name, HOME / name)
        command.append("--omit=dev")
    done = subprocess.run(command, cwd=HOME, capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupFailed("npm ci", done.stderr.strip() or f"it ended with code {done.returncode}")
    STAMP.write_text(digest)


def set_up(presets: list[str]) -> None:
    """Compile contracts and every circuit, and make keys for each preset, and the committee's key.

    Compilers run beside each other, one process each; the set-up of a key uses every core.
    """
    circuits = [(circuit, preset) for preset in presets for circuit in STATEMENTS]
    with console.show_steps(2 * len(circuits) + 1) as steps, ThreadPoolExecutor(os.cpu_count()) as pool:
        steps.start("compiling circuits and contracts")
        jobs: list[Future[Any]] = [
            pool.submit(compile_contracts),
            *(pool.submit(compile_circuit, *named) for named in reversed(circuits)),
        ]
        for job in jobs:
            job.result()
            steps.done()
        for circuit, preset in circuits:
            steps.start(f"development key of {circuit} at {preset}")
            setup_keys(circuit, preset)
            steps.done()
    ensure_committee()
