"""Findings of a static analyser that were looked at: by check and place, each with the reason why it stands.

A finding without a reason fails the run, and so does a reason that explains nothing any more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

ANYWHERE = "*"
"""Place of a reason that is for every finding of its check."""
Findings = Mapping[str, Mapping[str, str]]
"""Text by check and place: what a tool says of the finding, or why it stands."""


def compare(found: Findings, known: Findings) -> tuple[dict[tuple[str, str], str], list[tuple[str, str]]]:
    """Findings without a reason, and reasons without a finding; a reason at `ANYWHERE` is for all of its check."""
    new = {
        (check, place): text
        for check, places in found.items()
        for place, text in places.items()
        if not {place, ANYWHERE} & known.get(check, {}).keys()
    }
    gone = [
        (check, place)
        for check, places in known.items()
        for place in places
        if place not in found.get(check, {}) and not (place == ANYWHERE and found.get(check))
    ]
    return new, gone


def report(found: Findings, reasons: Path) -> None:
    """Prints what differs from the file of reasons, which has them under `findings`, and a count of each kind.

    Raises
    ------
    SystemExit
        With 1, if anything differs.
    """
    new, gone = compare(found, json.loads(reasons.read_text())["findings"])
    for (check, place), text in new.items():
        print(f"{check} {place}: {text}")
    for check, place in gone:
        print(f"{check} {place}: is in {reasons.name}, and was not found")
    print(f"{sum(map(len, found.values()))} findings, {len(new)} new, {len(gone)} reasons without one")
    if new or gone:
        sys.exit(1)
