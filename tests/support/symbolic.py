"""Symbolic checks of the contracts by halmos: `python -m tests.support.symbolic HALMOS`, with the path of its command.

Halmos comes from pip into an environment of its own (`make halmos`), and yices with it. It runs the checks in
`tests/contracts/symbolic` for every value of their arguments: those of the vault over the shipped bytecode, those of
bounds and packed words over the contracts' sources. What it runs is compiled before, by forge; the program that it
calls as `forge` does nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.forge import run_forge
from zkmargin.contracts.compile import compile_sources, read_sources
from zkmargin.prover.paths import BUILD, NODE_MODULES

CHECKS = Path(__file__).parents[1] / "contracts/symbolic"
PASSED = 0
COUNTEREXAMPLE = 1
"""Halmos's exit codes of one check. Any other is a failure too: of time, or where no path comes to the end."""
LOOPS = 6
"""Turns of a loop that are followed; a check with more ends with a warning, which counts as a failure."""
SECONDS = 1200
"""How long halmos may take."""


def prepare(folder: Path, changed: Mapping[str, str] | None = None) -> None:
    """Puts sources, checks, and what both are compiled to, into the folder.

    Parameters
    ----------
    folder : Path
        Is made anew.
    changed : Mapping
        Text by name of a file of `contracts/src`, in the place of ours.
    """
    sources = {**read_sources(), **(changed or {})}
    contracts = folder / "contracts"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CHECKS, contracts / "symbolic")
    shutil.copy(CHECKS / "foundry.toml", contracts)
    for name, text in sources.items():
        target = contracts / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    arguments = ["--ast", "--extra-output", "storageLayout", "metadata"]
    built = run_forge("build", *arguments, folder=contracts)
    if built.returncode != 0:
        raise RuntimeError(built.stdout + built.stderr)
    vault = compile_sources(sources, ("CollateralVault.sol",))["CollateralVault"]
    artifact = contracts / "artifacts/CollateralVault.json"
    artifact.parent.mkdir()
    artifact.write_text(json.dumps({"bytecode": {"object": vault.bytecode}}))


def run_halmos(program: Path, folder: Path, check: str = "check_") -> dict[str, int]:
    """Exit code of each check whose name begins so, by name.

    Raises
    ------
    RuntimeError
        If halmos ends without results, or leaves a part of a check out.
    """
    quiet = folder / "bin/forge"
    quiet.parent.mkdir(exist_ok=True)
    quiet.write_text("#!/bin/sh\n")
    quiet.chmod(0o755)
    told = folder / "told.json"
    told.unlink(missing_ok=True)
    command = [str(program), "--root", str(folder / "contracts"), "--forge-build-out", "out", "--function", check]
    command += ["--loop", str(LOOPS), "--default-array-lengths", "0,1,2,3", "--no-status", "--json-output", str(told)]
    command += ["--early-exit"]  # one counterexample is enough
    path = os.pathsep.join([str(quiet.parent), str(program.parent), os.environ["PATH"]])
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, "PATH": path}, cwd=folder
    )
    output = done.stdout + done.stderr
    if not told.is_file() or "loop-bound" in output:
        raise RuntimeError(f"halmos ended with {done.returncode}\n{output[-3_000:]}")
    results = json.loads(told.read_text())["test_results"]
    return {each["name"].split("(")[0]: each["exitcode"] for checks in results.values() for each in checks}


def main(arguments: list[str]) -> None:
    """Runs every check; ends with 1 if one does not pass."""
    folder = BUILD / "forge/symbolic"
    prepare(folder)
    codes = run_halmos(Path(arguments[0]).resolve(), folder)
    for name, code in codes.items():
        print(f"{'passed' if code == PASSED else 'FAILED'}  {name}")
    failed = sum(code != PASSED for code in codes.values())
    print(f"{len(codes)} checks, {failed} failed")
    if failed or not codes:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
