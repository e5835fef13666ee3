"""The TypeScript client's generated sources (`clients/typescript`).

`render` returns the typed messages and the action table, which `make generate` writes. The ABIs come from the compiler
and are not kept in git: `python -m zkmargin.scripts.generate.typescript` writes them and compiles the client into its
folder `dist`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zkmargin.contracts.compile import Artifact, compile_contracts
from zkmargin.contracts.errors import SetupFailed
from zkmargin.contracts.package import collect_abis, name_constant
from zkmargin.prover.messages.action_table import ACTION_RULES
from zkmargin.prover.messages.typed_data import load_table
from zkmargin.prover.paths import NODE_MODULES

ROOT = Path(__file__).parents[2]
CLIENT = "clients/typescript"
MESSAGES = f"{CLIENT}/src/generated/messages.ts"
ABIS = f"{CLIENT}/src/generated/abis.ts"
HEADER = "// Generated from {source}. Do not edit.\n"
CALLED = ("AccountViews", "AttestationVerifier", "ClearingHouse", "CollateralVault", "RiskOracle")
"""Contracts whose ABIs a client needs."""


def render() -> dict[str, str]:
    """Path, from the repository's root, to text of the file with messages and action table."""
    table = load_table()
    rules = [
        {
            "kind": int(kind),
            "name": kind.name,
            "hasSides": rule.has_sides,
            "policyIsChosen": rule.policy is None,
            "flowSign": rule.flow_sign,
        }
        for kind, rule in ACTION_RULES.items()
    ]
    constants = (
        ("Name and version of every domain (EIP-712).", "domain", table["domain"]),
        (
            "Which contract reads each message that is signed by itself.",
            "verifyingContract",
            table["verifying_contract"],
        ),
        ("Fields of every type.", "types", table["types"]),
        (
            "The action table's rows, as far as a request needs them; OPEN has a message of its own.",
            "actionRules",
            rules,
        ),
    )
    header = HEADER.format(source="prover/messages/messages.json and contracts/actions.json by `make generate`")
    said = (f"/** {words} */\n{_render_constant(name, value)}" for words, name, value in constants)
    return {MESSAGES: "\n".join([header, *said])}


def render_abis(artifacts: Mapping[str, Artifact]) -> str:
    """The ABIs of what a client calls, as constants whose types viem reads."""
    abis = collect_abis(artifacts)
    header = HEADER.format(source="contracts/src by `python -m zkmargin.scripts.generate.typescript`")
    return "\n".join([header, *(_render_constant(name_constant(name), abis[name]) for name in CALLED)])


def build_client() -> Path:
    """Writes the ABIs and compiles the client; returns its folder.

    Raises
    ------
    SetupFailed
        If the TypeScript compiler is missing or refuses a file; carries what it says.
    """
    folder = ROOT / CLIENT
    (ROOT / ABIS).write_text(render_abis(compile_contracts()))
    compiler = NODE_MODULES / ".bin" / "tsc"
    try:
        done = subprocess.run([str(compiler), "-p", str(folder)], capture_output=True, text=True)
    except OSError as error:
        raise SetupFailed("the TypeScript compiler", f"{error}; `zkmargin setup --tools` installs it") from None
    if done.returncode != 0:
        raise SetupFailed("the TypeScript client", done.stdout.strip() or done.stderr.strip())
    return folder


def _render_constant(name: str, value: Any) -> str:
    return f"export const {name} = {json.dumps(value, indent=2)} as const;\n"


if __name__ == "__main__":
    print(build_client())
