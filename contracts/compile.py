"""Solidity to ABI and bytecode, by py-solc-x over the compiler from npm (`contracts/solc.js`).

`compile_contracts` compiles every file of `contracts/src` and keeps the result in `build/contracts/`, under the hash of
the sources, the settings and the compiler's version: the same sources are compiled once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import solcx
from web3 import Web3
from web3.contract import Contract as Web3Contract

from zkmargin.contracts.errors import CompilationFailed
from zkmargin.engine.files import PROGRAM, write_whole
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
}
"""Cancun: transient storage and MCOPY. Without metadata the same source gives the same bytes everywhere."""
OUTPUTS = (
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
)
"""What is asked of the compiler for each contract."""
LAYOUT = 2
"""Of what is kept in `CACHE`; what was kept in another one is compiled again."""

CODE_LIMIT = 24_576
"""Bytes that a deployed contract may have (EIP-170)."""


@dataclass(frozen=True)
class Artifact:
    """One compiled contract."""

    name: str
    """Name in the source."""
    abi: list[dict[str, Any]]
    """ABI as JSON."""
    bytecode: str
    """Creation code, hex with 0x."""
    deployed: str
    """Deployed code, hex with 0x, in which the immutable values are zero."""
    immutables: list[list[list[int]]]
    """Of each immutable value the places, (first byte, bytes), at which it stands in the deployed code."""

    @cached_property
    def interface(self) -> type[Web3Contract]:
        """Encodes calls and decodes events by the ABI, at any address and on any chain."""
        return Web3().eth.contract(abi=self.abi)

    @property
    def deployed_size(self) -> int:
        """Bytes of the deployed code."""
        return len(self.deployed) // 2 - 1

    def is_code(self, code: bytes) -> bool:
        """Whether deployed code is this contract's. Its immutable values may be any, each the same at all of its
        places: a getter reads one of them only."""
        expected, found = bytes.fromhex(self.deployed[2:]), bytearray(code)
        if len(found) != len(expected) or any(len(values) > 1 for values in self.read_immutables(code)):
            return False
        for start, length in chain.from_iterable(self.immutables):
            found[start : start + length] = bytes(length)
        return bytes(found) == expected

    def read_immutables(self, code: bytes) -> list[set[bytes]]:
        """What stands at the places of each immutable value in deployed code."""
        return [{code[start : start + length] for start, length in places} for places in self.immutables]


@cache
def compile_contracts() -> Mapping[str, Artifact]:
    """Every contract and interface under `contracts/src` as this process first found it, by name; raises like
    `compile_sources`."""
    return MappingProxyType(compile_sources(read_sources()))


def read_sources() -> dict[str, str]:
    """Text of every file under `contracts/src`, by its path from there."""
    return {str(path.relative_to(SOURCES)): path.read_text() for path in sorted(SOURCES.rglob("*.sol"))}


def compile_sources(sources: Mapping[str, str], files: Sequence[str] = ()) -> dict[str, Artifact]:
    """The contracts of these sources, by name; the same sources are compiled once.

    Parameters
    ----------
    sources : mapping of str to str
        Text by path, as `read_sources` gives them.
    files : sequence of str, optional
        Paths whose contracts are wanted; all by default.

    Raises
    ------
    CompilationFailed
        If the compiler is missing, or reports an error or a warning; carries its messages.
    """
    selected = tuple(files) or tuple(sources)
    manifest = json.loads((PACKAGE / "package.json").read_text())["dependencies"]
    versions = [manifest["solc"], manifest["@openzeppelin/contracts"]]
    identity = json.dumps([dict(sources), selected, SETTINGS, OUTPUTS, versions, LAYOUT], sort_keys=True)
    cached = CACHE / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.json"
    known = _read_cached(cached)
    if known is None:
        output = run_compiler(sources, {file: {"*": OUTPUTS} for file in selected})
        known = _get_artifacts(output, selected)
        write_whole(cached, json.dumps(known))
    return {name: Artifact(name, **fields) for name, fields in known.items()}


def _read_cached(path: Path) -> dict[str, dict[str, Any]] | None:
    """What was compiled before; None where there is nothing that can be read, so that it is compiled again."""
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def run_compiler(
    sources: Mapping[str, str], selection: Mapping[str, Mapping[str, Sequence[str]]], *, refused: str = "warning"
) -> dict[str, Any]:
    """The compiler's answer (standard JSON): the outputs selected by file and contract. Raises `CompilationFailed` for
    errors, and for warnings unless `refused` is "error"."""
    standard_input = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {**SETTINGS, "outputSelection": selection},
    }
    if not (NODE_MODULES / "solc").is_dir():
        raise CompilationFailed([f"no solc in {NODE_MODULES}: {describe_setup()}"])
    try:
        output = solcx.compile_standard(standard_input, solc_binary=install_compiler())
    except (OSError, solcx.exceptions.SolcError) as reason:
        raise CompilationFailed([str(reason).split("\n> command:")[0]]) from None
    # A warning in a package's own source (OpenZeppelin's transient reentrancy guard has one, about itself) is not
    # ours to mend.
    complaints = [
        item["formattedMessage"]
        for item in output.get("errors", [])
        if item["severity"] == "error"
        or (item["severity"] == refused and not item["sourceLocation"]["file"].startswith("@"))
    ]
    if complaints:
        raise CompilationFailed(complaints)
    return output


def _get_artifacts(output: Mapping[str, Any], files: Sequence[str]) -> dict[str, dict[str, Any]]:
    artifacts = {}
    for file in files:
        for name, contract in output["contracts"].get(file, {}).items():
            code = contract["evm"]
            artifacts[name] = {
                "abi": contract["abi"],
                "bytecode": "0x" + code["bytecode"]["object"],
                "deployed": "0x" + code["deployedBytecode"]["object"],
                "immutables": [
                    [[item["start"], item["length"]] for item in items]
                    for items in code["deployedBytecode"].get("immutableReferences", {}).values()
                ],
            }
    return artifacts


def install_compiler() -> Path:
    """Puts the stand-in for a native compiler beside the packages, and gives its path; whole at every moment, since
    others may be compiling."""
    write_whole(COMPILER, STAND_IN.read_bytes(), mode=PROGRAM)
    return COMPILER
