"""Puts a measurement into the prover's ledger: one document of figures under its key, whole.

    zkmargin bench peers --json | python -m zkmargin.scripts.measure.ledger peers

Without a key the document's own keys are put in (`zkmargin bench --json`). Everything else in the ledger stays.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from zkmargin.prover.paths import PACKAGE

LEDGER = PACKAGE / "costs/prover.json"


def put(figures: Mapping[str, object], ledger: Path = LEDGER) -> None:
    """Replaces the keys of `figures` in the ledger, each whole: figures of one run, not of two machines."""
    ledger.write_text(json.dumps(json.loads(ledger.read_text()) | dict(figures), indent=2) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Command line; the document comes from standard input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("key", nargs="?", help="where the document belongs")
    parser.add_argument("--ledger", type=Path, default=LEDGER)
    options = parser.parse_args(arguments)
    document = json.load(sys.stdin)
    if not isinstance(document, dict) or not document:
        raise SystemExit("standard input holds no figures; allowed: a JSON object that is not empty")
    put({options.key: document} if options.key else document, options.ledger)


if __name__ == "__main__":
    main()
