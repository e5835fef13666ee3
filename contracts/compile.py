"""Solidity to ABI and bytecode, by py-solc-x over the compiler from npm (`contracts/solc.js`).

`compile_contracts` compiles every file of `contracts/src` and keeps the result in `build/contracts/`, under the hash of
the sources, the settings and the compiler's version: the same sources are compiled once.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import solcx

from zkmargin.contracts.errors import CompilationFailed
from zkmargin.prover.paths import BUILD, NODE_MODULES, PACKAGE, describe_setup

SOURCES = Path(__file__).with_name("src")
STAND_IN = Path(__file__).with_name("solc.js")
COMPILER = BUILD / "solc.js"
"""The stand-in's copy: node finds the packages beside `build/`, and py-solc-x asks for a file that can be run."""
CACHE = BUILD / "contracts"

SETTINGS = {
    "optimizer": {"enabled": True, "runs": 20_000},
    "viaIR": True,
    "evmVersion": "cancun",
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
}
"""Cancun: transient storage and MCOPY. Without metadata the same source gives the same bytes everywhere."""

CODE_LIMIT = 24_576
"""Bytes that a deployed contract may have (EIP-170)."""


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    """Name in the source."""
    abi: list[dict]
    """ABI as JSON."""
    bytecode: str
    """Creation code, hex with 0x."""
    deployed_size: int
    """Bytes of the deployed code."""


def compile_contracts() -> dict[str, Artifact]:
    """Every contract and interface under `contracts/src`, by name.

    Raises
    ------
    CompilationFailed
        If the compiler is missing, or reports an error or a warning; carries its messages.
    """
    sources = {str(path.relative_to(SOURCES)): path.read_text() for path in sorted(SOURCES.rglob("*.sol"))}
    manifest = json.loads((PACKAGE / "package.json").read_text())["dependencies"]
    identity = json.dumps([sources, SETTINGS, manifest["solc"], manifest["@openzeppelin/contracts"]], sort_keys=True)
    cached = CACHE / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
    if not cached.exists():
        output = _run(sources)
        CACHE.mkdir(parents=True, exist_ok=True)
        temporary = cached.with_suffix(".partial")
        temporary.write_text(json.dumps(output))
        temporary.replace(cached)
    return {name: Artifact(name, **fields) for name, fields in json.loads(cached.read_text()).items()}


def _run(sources: dict[str, str]) -> dict[str, dict]:
    standard_input = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": SETTINGS,
    }
    if not (NODE_MODULES / "solc").is_dir():
        raise CompilationFailed([f"no solc in {NODE_MODULES}: {describe_setup()}"])
    try:
        output = solcx.compile_standard(standard_input, solc_binary=_install_stand_in())
    except (OSError, solcx.exceptions.SolcError) as reason:
        raise CompilationFailed([str(reason).split("\n> command:")[0]]) from None
    # A warning in a package's own source (OpenZeppelin's transient reentrancy guard has one, about itself) is not
    # ours to mend.
    complaints = [
        item["formattedMessage"]
        for item in output.get("errors", [])
        if item["severity"] == "error"
        or (item["severity"] == "warning" and not item["sourceLocation"]["file"].startswith("@"))
    ]
    if complaints:
        raise CompilationFailed(complaints)
    found = {}
    for file in sources:
        for name, contract in output["contracts"].get(file, {}).items():
            code = contract["evm"]
            found[name] = {
                "abi": contract["abi"],
                "bytecode": "0x" + code["bytecode"]["object"],
                "deployed_size": len(code["deployedBytecode"]["object"]) // 2,
            }
    return found


def _install_stand_in() -> Path:
    """Put the stand-in beside the packages; whole at every moment, since others may be compiling."""
    COMPILER.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=COMPILER.parent, prefix=".solc.", delete=False) as file:
        file.write(STAND_IN.read_bytes())
    os.chmod(file.name, 0o755)
    os.replace(file.name, COMPILER)
    return COMPILER
