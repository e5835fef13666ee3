"""Runs every attack and writes build/soundness.json: `make soundness`. With names, only those, for a look.

`--policies`, `--witnesses`: how many; the numbers of the full run by default. `--write` puts the counts of the attacks
that ran, and the commit, into the ledger `costs/soundness.json`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable

from tests.support.soundness import malicious, mutation, policies, weakening
from zkmargin.engine.files import write_whole
from zkmargin.prover.paths import BUILD, PACKAGE
from zkmargin.prover.statement.signals import STATEMENTS
from zkmargin.scripts.measure.ledger import put

REPORT = BUILD / "soundness.json"
LEDGER = PACKAGE / "costs/soundness.json"
TAMPERING = "tests/audit/test_tampering.py"
LEAST_TAMPERINGS = 20
"""Tests that must have passed there, or something kept them from running."""


def run_mutation(arguments: argparse.Namespace) -> dict[str, int]:
    """Constraints of every circuit at mini, each left out in turn."""
    outcomes = [mutation.mutate(name) for name in STATEMENTS if name in mutation.EXPLAINED]
    return {
        "constraints": sum(outcome.constraints for outcome in outcomes),
        "killed": sum(outcome.killed for outcome in outcomes),
        "explained": sum(len(outcome.explained) for outcome in outcomes),
        "unexplained": sum(len(outcome.unexplained) for outcome in outcomes),
    }


def run_weakening(arguments: argparse.Namespace) -> dict[str, int]:
    """Terms of every circuit's constraints at mini, each changed; ends of a transition's ranges, moved."""
    outcomes = [weakening.weaken(name) for name in STATEMENTS]
    return {
        "terms": sum(outcome.terms for outcome in outcomes),
        "terms_explained": sum(len(outcome.explained) for outcome in outcomes),
        "terms_unexplained": sum(len(outcome.unexplained) for outcome in outcomes),
        **weakening.count_ends(),
    }


def run_malicious(arguments: argparse.Namespace) -> dict[str, int]:
    """Altered witnesses, none of which may pass with another meaning."""
    outcome = malicious.attack_all(arguments.witnesses)
    return {"malicious_witnesses": outcome.tried.total(), "accepted": len(outcome.breaks)}


def run_policies(arguments: argparse.Namespace) -> dict[str, int]:
    """Random policies that pass every check, none of which may be feasible where its rule is not met."""
    outcome = policies.attack_all(arguments.policies)
    return {"policies": outcome.policies, "policies_cheated": len(outcome.cheated)}


def run_audit(arguments: argparse.Namespace) -> dict[str, int]:
    """Tamperings with a venue, each of which an audit must find: the tests of `TAMPERING`. One that was left out counts
    as missed; ends the process where pytest fails, or too few ran."""
    command = [sys.executable, "-m", "pytest", TAMPERING, "-q", "-p", "no:cacheprovider", "-n", "0", "-rA"]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    found, missed = (
        sum(line.startswith(word) for line in lines) for word in ("PASSED", ("FAILED", "ERROR", "SKIPPED"))
    )
    if done.returncode or found < LEAST_TAMPERINGS:
        sys.exit(f"{TAMPERING}: {found} passed, pytest ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return {"audit_tamperings": found + missed, "audit_found": found}


def read_commit() -> str:
    """What is attacked: the commit that is checked out, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=True).stdout.strip()


ATTACKS: dict[str, Callable[[argparse.Namespace], dict[str, int]]] = {
    "mutation": run_mutation,
    "weakening": run_weakening,
    "malicious": run_malicious,
    "policies": run_policies,
    "audit": run_audit,
}


def main(arguments: list[str] | None = None) -> None:
    """Runs the attacks that were named, all by default, and writes the report when all were run."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.soundness", description=__doc__)
    parser.add_argument("attacks", nargs="*", choices=[*ATTACKS, []], help="by default all")
    parser.add_argument("--policies", type=int, default=100_000)
    parser.add_argument("--witnesses", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help="put the counts into the ledger")
    given = parser.parse_args(arguments)
    report: dict[str, int] = {}
    commit = read_commit() if given.write else ""  # before the ledger differs from it
    for name in given.attacks or ATTACKS:
        counts = ATTACKS[name](given)
        report |= counts
        print(json.dumps(report), flush=True)
        if given.write:
            put({name: {"commit": commit, **counts}}, LEDGER)
    if set(given.attacks or ATTACKS) == set(ATTACKS):
        write_whole(REPORT, json.dumps(report, indent=2) + "\n")
    wrong = ("unexplained", "terms_unexplained", "ends_open", "accepted", "policies_cheated")
    if any(report.get(name) for name in wrong) or report.get("audit_found") != report.get("audit_tamperings"):
        sys.exit(1)


if __name__ == "__main__":
    main()
