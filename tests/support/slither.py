"""Slither over the contracts: `python -m tests.support.slither SLITHER`, with the path of its command.

Slither comes from pip into an environment of its own (`make slither`), since its packages are not those of the project.
It drives the compiler from npm through a program that this module writes, which asks for the syntax trees alone: there
is no second compiler, and no code generation. Findings that were looked at are in `slither.json` beside this file, as
`triage` has them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.triage import report
from zkmargin.contracts.compile import SETTINGS, SOURCES, install_compiler, read_sources
from zkmargin.prover.paths import NODE_MODULES, PACKAGE

TRIAGE = Path(__file__).with_name("slither.json")
LEVELS = ("High", "Medium")
"""Impacts that are looked at; what is below is style, which other tools check."""
LEFT_OUT = ("examples/", "mocks/", "test/")
"""Folders of sources that are deployed nowhere."""
NO_CODE = {"object": "", "sourceMap": "", "opcodes": "", "linkReferences": {}}


def run_slither(slither: str) -> list[dict[str, Any]]:
    """Every finding of `LEVELS` in our own sources, as slither's JSON has it."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
        (folder / "node_modules").symlink_to(NODE_MODULES)
        program = folder / "solc"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {__spec__.name} "$@"\n')
        program.chmod(0o755)
        command = [slither, ".", "--solc-standard-json", "--solc", str(program), "--json", "found.json"]
        command += ["--filter-paths", "@openzeppelin"]
        done = subprocess.run(
            [*command, "--exclude-low", "--exclude-informational", "--exclude-optimization"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{PACKAGE}:{os.environ.get('PYTHONPATH', '')}"},
            capture_output=True,
            text=True,
            timeout=900,
        )
        found = folder / "found.json"
        if not found.is_file():
            sys.exit(f"slither ended with {done.returncode}\n{done.stderr[-3_000:]}")
        document = json.loads(found.read_text())
    if not document["success"]:
        sys.exit(str(document["error"]))
    return [each for each in document["results"].get("detectors", []) if each["impact"] in LEVELS]


def name_place(finding: Mapping[str, Any]) -> str:
    """Contract and function, or variable, of a finding: what lines that move do not change."""
    element = next((each for each in finding["elements"] if each["type"] in ("function", "variable")), None)
    element = element or finding["elements"][0]
    parent = element.get("type_specific_fields", {}).get("parent", {}).get("name", "")
    return f"{parent}.{element['name']}"


def compile_trees() -> dict[str, Any]:
    """The compiler's answer for our sources, with syntax trees and interfaces alone, and empty code in code's place."""
    sources = {name: {"content": text} for name, text in read_sources().items() if not name.startswith(LEFT_OUT)}
    selection = {"*": {"*": ["abi", "userdoc", "devdoc", "evm.methodIdentifiers"], "": ["ast"]}}
    wanted = {"language": "Solidity", "sources": sources, "settings": {**SETTINGS, "outputSelection": selection}}
    command = ["node", str(install_compiler())]
    done = subprocess.run(command, input=json.dumps(wanted), capture_output=True, text=True, check=True)
    output: dict[str, Any] = json.loads(done.stdout)
    for contracts in output.get("contracts", {}).values():
        for contract in contracts.values():
            contract.setdefault("evm", {}).update(bytecode=NO_CODE, deployedBytecode=NO_CODE)
    output["errors"] = [each for each in output.get("errors", []) if each["severity"] == "error"]
    return output


def main(arguments: list[str]) -> None:
    """Slither's compiler where it is called as one; else the run and the comparison with the triage."""
    if "--version" in arguments:
        print(subprocess.run(["node", str(install_compiler()), "--version"], capture_output=True, text=True).stdout)
        return
    if "--standard-json" in arguments:
        sys.stdin.read()  # slither's input names the same files
        print(json.dumps(compile_trees()))
        return
    found: dict[str, dict[str, str]] = {}
    for finding in run_slither(arguments[0]):
        found.setdefault(finding["check"], {})[name_place(finding)] = " ".join(finding["description"].split())
    report(found, TRIAGE)


if __name__ == "__main__":
    main(sys.argv[1:])
