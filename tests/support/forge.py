"""Foundry's forge over `contracts/foundry.toml`, with the compiler from npm in the place of a downloaded one."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from zkmargin.contracts.compile import Artifact, compile_contracts, install_compiler
from zkmargin.prover.paths import NODE_MODULES

CONTRACTS = Path(__file__).parents[2] / "contracts"
SECONDS = 580
"""How long forge may take."""


def find_forge() -> Path:
    """The forge binary: ZKMARGIN_FORGE, else npm's, else PATH's."""
    named = os.environ.get("ZKMARGIN_FORGE")
    packaged = sorted(NODE_MODULES.glob("@foundry-rs/forge-*/bin/forge*"))
    found = named or next((str(path) for path in packaged), None) or shutil.which("forge")
    if found is None:
        raise FileNotFoundError(f"no forge in {NODE_MODULES} and on PATH: `make setup`, or set ZKMARGIN_FORGE")
    return Path(found)


def run_forge(*arguments: str, folder: Path = CONTRACTS, **environment: str) -> subprocess.CompletedProcess[str]:
    """What forge did and said in the folder, offline; `environment` is added to this process's own."""
    command = [str(find_forge()), *arguments, "--offline", "--use", str(install_compiler())]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=SECONDS
    )


def run_suite(
    folder: Path, changed: Mapping[str, Artifact] | None = None, matching: str = "VenueInvariants", **environment: str
) -> subprocess.CompletedProcess[str]:
    """`forge test` of `contracts/forge` over the shipped bytecode, or over that of `changed` contracts.

    Parameters
    ----------
    folder : Path
        Below `build/forge`, where forge may read: the contracts are put there.
    matching : str
        Name of the test contract.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, artifact in {**compile_contracts(), **(changed or {})}.items():
        document = {"abi": artifact.abi, "bytecode": {"object": artifact.bytecode}}
        (folder / f"{name}.json").write_text(json.dumps(document))
    return run_forge(
        "test", "--match-contract", matching, FOUNDRY_PROFILE="suite", ZKMARGIN_ARTIFACTS=str(folder), **environment
    )
