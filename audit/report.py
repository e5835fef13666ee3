"""What an audit says: what was checked, what was not and why, and every disagreement with its place."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FORMAT = "zkmargin.audit/1"

CHECKS: Mapping[str, str] = {
    "deployment": "chain id, first block and wiring are the deployment record's",
    "code": "deployed code is what the sources compile to",
    "governance": "owners, guardian, delays",
    "keys": "verification keys: sound, hash, circuit, stored bytes, flat point, committee",
    "quorum": "signatures of a quorum of the publishers of that moment",
    "header": "what an epoch signs is what its event and its calldata say",
    "snapshot": "the market snapshot is the one that was signed",
    "policies": "policies, rebuilt from the snapshot, are the ones that were signed",
    "bounds": "bit budget, forms and exact row sums of every policy (the packing lemma)",
    "points": "policy points, recomputed",
    "succession": "each epoch may follow the one before",
    "settlements": "settlement vectors and points of 1, 4 and 16 steps, recomputed",
    "history": "each action starts from the commitment that the one before left, as its rule allows",
    "signatures": "auth signed each action",
    "proofs": "every proof verifies for what the chain says that it shows",
    "vault": "tokens held are what came in less what went out, token by token",
    "storage": "what the contracts store is what their events say",
}
"""Every check by its name, in the order in which an audit makes them."""
EARLIER = ", in earlier runs"
"""How a reason ends that an earlier run left in its checkpoint."""
OF_STATE = ("deployment", "code", "governance", "storage")
"""Checks of the state at the last block, which every run makes anew; the others are of events, each looked at once."""


@dataclass(frozen=True, order=True)
class Place:
    """Where on the chain."""

    block: int
    log: int = -1
    """Index of the log within its block; -1 for the state at the block's end."""
    transaction: str = ""
    """0x-hex; empty for a state."""

    def __str__(self) -> str:
        log = "" if self.log < 0 else f", log {self.log}"
        return f"block {self.block}{log}{f', transaction {self.transaction}' if self.transaction else ''}"


@dataclass(frozen=True)
class Disagreement:
    """Something that is not what it must be."""

    check: str
    """Name of a check in `CHECKS`."""
    what: str
    """The thing, in words."""
    found: str
    """As it is."""
    expected: str
    """As it must be."""
    place: Place

    def __str__(self) -> str:
        return f"{self.what} is {self.found}; expected: {self.expected} ({self.place})"


@dataclass
class Tally:
    """How often one check was made."""

    checked: int = 0
    """Things that were looked at."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many were not, by reason."""


@dataclass
class Report:
    """The outcome of one audit."""

    chain_id: int
    first_block: int
    """First block whose events were replayed in this run."""
    last_block: int
    """Block at whose end state was compared."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What a reader wants to know beside the verdict: keys, owners, delays, sums."""
    tallies: dict[str, Tally] = field(default_factory=lambda: {name: Tally() for name in CHECKS})
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing was found."""
        return not self.disagreements

    @property
    def first(self) -> Disagreement | None:
        """The earliest disagreement on the chain."""
        return min(self.disagreements, key=lambda item: item.place, default=None)

    def count(self, check: str, number: int = 1) -> None:
        """Notes that so many things were looked at."""
        self.tallies[check].checked += number

    def skip(self, check: str, reason: str, number: int = 1) -> None:
        """Notes that so many things could not be looked at, and why."""
        skipped = self.tallies[check].skipped
        skipped[reason] = skipped.get(reason, 0) + number

    def list_unchecked(self) -> dict[str, dict[str, int]]:
        """How many things of events could not be looked at, by check and reason."""
        return {
            name: dict(tally.skipped) for name, tally in self.tallies.items() if tally.skipped and name not in OF_STATE
        }

    def skip_earlier(self, unchecked: Mapping[str, Mapping[str, int]]) -> None:
        """Notes what earlier runs could not look at, as this one does not either."""
        for name, reasons in unchecked.items():
            for reason, number in reasons.items():
                self.skip(name, f"{reason}{EARLIER}" if not reason.endswith(EARLIER) else reason, number)

    def add(self, check: str, what: str, found: object, expected: object, place: Place) -> None:
        """Notes a disagreement."""
        self.disagreements.append(Disagreement(check, what, _show(found), _show(expected), place))

    def require(self, check: str, what: str, found: object, expected: object, place: Place) -> bool:
        """Counts a comparison, and notes it where the two differ; returns whether they are equal."""
        self.count(check)
        if found != expected:
            self.add(check, what, found, expected, place)
        return found == expected

    def to_document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        disagreements = sorted(self.disagreements, key=lambda item: item.place)
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "blocks": [self.first_block, self.last_block],
            "agrees": self.agrees,
            "checks": {
                name: {"what": CHECKS[name], "checked": tally.checked, "not_checked": tally.skipped}
                for name, tally in self.tallies.items()
            },
            "disagreements": [
                {
                    "check": item.check,
                    "what": item.what,
                    "found": item.found,
                    "expected": item.expected,
                    "block": item.place.block,
                    "log": item.place.log,
                    "transaction": item.place.transaction,
                }
                for item in disagreements
            ],
            "facts": self.facts,
            "not_checked_at_all": list(NEVER_CHECKED),
        }

    def to_html(self) -> str:
        """The report as one page without scripts or foreign content."""
        document = self.to_document()
        verdict = "Nothing disagrees." if self.agrees else f"{len(self.disagreements)} disagreements."
        rows = [
            (name, entry["what"], entry["checked"], "; ".join(f"{n} {why}" for why, n in entry["not_checked"].items()))
            for name, entry in document["checks"].items()
        ]
        wrong = [(d["check"], d["what"], d["found"], d["expected"], f"block {d['block']}, log {d['log']}",
                  d["transaction"]) for d in document["disagreements"]]  # fmt: skip
        facts = [(name, json.dumps(value, indent=1)) for name, value in self.facts.items()]
        parts = [
            f"<h1>zkmargin audit</h1><p>Chain {self.chain_id}, blocks {self.first_block} to {self.last_block}. "
            f"<strong>{verdict}</strong></p>",
            _table("Disagreements", ("check", "what", "found", "expected", "place", "transaction"), wrong),
            _table("Checks", ("check", "what", "checked", "not checked, and why"), rows),
            _table("Facts", ("", ""), facts),
            "<h2>Not checked by any audit</h2><ul>",
            *(f"<li>{html.escape(line)}</li>" for line in NEVER_CHECKED),
            "</ul>",
        ]
        return f"<!doctype html><meta charset='utf-8'><title>zkmargin audit</title><style>{STYLE}</style>" + "\n".join(
            parts
        )


NEVER_CHECKED = (
    "Prices: a snapshot is the quorum's word; succession bounds how it moves, not whether it is true.",
    "The node's word: logs and calldata are not held against block headers. Audit through a node of your own, or two.",
    "Hidden states: that a state meets its policy is what the proofs show, under the soundness of Groth16.",
    "The set-up: that one contributor of the ceremony was honest. A development key is named as such.",
)
"""What no run can find out, whatever it is given."""

STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse;margin-bottom:2em}"
    "td,th{border:1px solid #bbb;padding:.3em .6em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
)


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    if not rows:
        return f"<h2>{title}</h2><p>none</p>"
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{title}</h2><table><tr>{head}</tr>{body}</table>"


def _show(value: object, most: int = 300) -> str:
    if isinstance(value, bytes):
        value = f"0x{value.hex()}"
    text = str(value)
    return text if len(text) <= most else f"{text[: most - 20]}... ({len(text)} characters)"
