"""Where a measurement's document goes: the option and the file, as every ledger of its own has them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from zkmargin.scripts.cli import console


def add_output(parser: argparse.ArgumentParser) -> None:
    """The option `--output`."""
    parser.add_argument("--output", type=Path, help="JSON file to write")


def write_document(document: Mapping[str, object], path: Path) -> None:
    """Writes the document as a ledger has it."""
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def put_out(document: Mapping[str, object], path: Path | None) -> None:
    """Writes the document where that was asked for, else prints it."""
    if path is None:
        console.print_json(document)
    else:
        write_document(document, path)
