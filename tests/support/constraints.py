"""Sizes of the circuits, for the cost ledger.

`python -m tests.support.constraints` compiles every preset and writes `costs/constraints.json`, to which
`test_constraints.py` and `test_wide.py` hold the circuits: a circuit whose cost moved is committed with its new cost.
With names of presets it measures only those. The large presets have totals only: their templates are those of
`standard`.
"""

import json
import sys

from tests.support.circuit_harness import Constraints
from zkmargin.prover.groth16.compile import compile_source, constraint_counts
from zkmargin.prover.paths import BUILD, CIRCUITS, PACKAGE
from zkmargin.prover.statement.signals import STATEMENTS

LEDGER = PACKAGE / "costs/constraints.json"
PRESETS = ("mini", "standard")
LARGE = ("wide", "xl")


def count_parts(circuit: str, preset: str) -> dict[str, int]:
    """Quadratic constraints as they are written, by component of the main template; "main" are its own.

    Simplification removes linear constraints and a few of these, so they sum to slightly more than the total.
    """
    main = CIRCUITS / f"generated/{circuit}.{preset}.circom"
    target = BUILD / "tests" / (circuit if preset == "mini" else f"{circuit}.{preset}")
    constraints = Constraints(compile_source(main, target.with_name(target.name + ".O0"), optimization="O0"))
    parts: dict[str, int] = {}
    for a, b, c in constraints.rows:
        if any(wire for wire, _ in a) and any(wire for wire, _ in b):
            names = {constraints.names[wire][0] for side in (a, b, c) for wire, _ in side if wire}
            tops = {name.split(".")[0] if "." in name else "main" for name in names}
            part = tops.pop() if len(tops) == 1 else "main"
            parts[part] = parts.get(part, 0) + 1
    return dict(sorted(parts.items()))


def measure(preset: str) -> dict[str, dict]:
    """Totals and parts of every circuit."""
    totals = constraint_counts(preset)
    return {circuit: totals[circuit] | {"parts": count_parts(circuit, preset)} for circuit in STATEMENTS}


def main(presets: list[str]) -> None:
    """Writes the ledger; the entries of presets that are not named stay as they are."""
    about = (
        "Exact sizes of the circuits. constraints: after simplification, what is proved; rows: plus one per "
        "public input and one, must fit the domain; parts: quadratic constraints as written, by component "
        "of the main template. Written by python -m tests.support.constraints."
    )
    known = json.loads(LEDGER.read_text()) if LEDGER.is_file() else {}
    known |= {preset: measure(preset) if preset in PRESETS else constraint_counts(preset) for preset in presets}
    ledger = {"about": about} | {preset: known[preset] for preset in (*PRESETS, *LARGE) if preset in known}
    LEDGER.parent.mkdir(exist_ok=True)
    LEDGER.write_text(json.dumps(ledger, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:] or [*PRESETS, *LARGE])
