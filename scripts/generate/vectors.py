"""Write the margin vectors that engine, circuit and contract tests share: tests/vectors/margin_{mini,standard}.json.

    python -m zkmargin.scripts.generate.vectors [--check]

A file holds the policies' canonical bytes (zlib, base64) and per case the account, the float requirement and either the
certificate with every row's value or the refusal. Integers are decimal strings, and equal on every machine. The float
requirement is the definition's, whose sums and exponentials differ between machines in the last digits: it is compared
within `FLOAT_TOLERANCE`.
"""

from __future__ import annotations

import base64
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.account import MAX_CASH, MAX_LOTS, AccountState, load_portfolio
from zkmargin.engine.house import House
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.checks import read_policy
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import NO_SPLIT
from zkmargin.engine.units import USD6

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "vectors"
MARKET = "deribit_2026-08-22"
POLICIES = {"mini": ("initial", "maintenance", "net_delta", "withdraw"), "standard": ("initial", "maintenance")}
"""Which policies a file holds; the bytes of more would make the standard file too large."""
SEED = 20_260_822
FLOAT_TOLERANCE = 1e-9
"""Largest accepted difference of a float, as a share of the largest float of its case."""


def make_accounts(snapshot: MarketSnapshot) -> dict[str, tuple[dict[int, int], int]]:
    """Accounts by name: (lots by slot, cash in micro-dollars)."""
    preset, generator = snapshot.listing.preset, np.random.default_rng(SEED)
    items = snapshot.listing.by_name.values()
    first = {
        (item.underlying.value, item.kind): item.slot for item in reversed([item for item in items if item.slot != 0])
    }
    btc, eth = first["BTC", InstrumentKind.PERPETUAL], first["ETH", InstrumentKind.PERPETUAL]
    call = next(item.slot for item in items if item.kind is InstrumentKind.OPTION and item.is_call)
    collateral, slots = preset.collateral_slots[1], preset.slots

    def book(size: int) -> dict[int, int]:
        lots = generator.integers(-size, size, slots, endpoint=True)
        lots[list(preset.collateral_slots)] = 0, abs(int(lots[collateral]))
        return {slot: int(count) for slot, count in enumerate(lots) if count}

    accounts = {
        "empty": ({}, 0),
        "one lot long": ({btc: 1}, 0),
        "one lot short": ({btc: -1}, 2_000 * USD6),
        "one option owed": ({call: -1}, 5_000 * USD6),
        "netted coins": ({btc: 1000, eth: -3000}, 300_000 * USD6),
        "hedged collateral": ({collateral: 50_000, eth: -500}, 60_000 * USD6),
        "borrowed cash": ({collateral: 4_000_000}, -5_000_000 * USD6),
        "borrowed beyond the limit": ({collateral: 4_000_000}, -5_000_000 * USD6 - 1),
        "no margin": ({btc: -100, eth: 50}, 80_000 * USD6),
        "every slot": (book(40), 2_000_000 * USD6),
        "every slot, large": (book(10**6), 10**18),
        "largest position": ({eth: MAX_LOTS}, 0),
        "largest short position and largest cash": ({btc: -MAX_LOTS}, MAX_CASH),
        "owed collateral": ({collateral: -1}, 10**9),
        "all edges": ({slot: MAX_LOTS if slot % 2 else -MAX_LOTS for slot in range(slots)}, -MAX_CASH),
    }
    if preset.name == "standard":
        for name in ("market_maker", "short_strangle"):
            portfolio = load_portfolio(name)
            state = portfolio.to_state(snapshot.listing)
            held = {int(slot): int(state.positions[slot]) for slot in np.flatnonzero(state.positions)}
            accounts[name] = (held, state.cash)
    return accounts


def make_case(name: str, policy: Policy, lots: dict[int, int], cash: int, definition: Definition) -> dict[str, object]:
    """One account under one policy."""
    positions = np.zeros(policy.preset.slots, dtype=np.int64)
    for slot, count in lots.items():
        positions[slot] = count
    state = AccountState(positions, cash)
    case: dict[str, object] = {
        "name": name,
        "policy": policy.name,
        "positions": {str(slot): count for slot, count in lots.items()},
        "cash": str(cash),
    }
    if policy.name != "net_delta":
        level = "maintenance" if policy.name == "maintenance" else "initial"
        needed = definition.compute_exact_requirement(state, level)
        case["float"] = {
            "equity": float(needed.equity),
            "requirement": float(needed.total),
            "grid": float(needed.grid),
            "expected_shortfall": float(needed.shortfall),
            "charge": float(needed.charge),
            "margin_excess": float(needed.margin_excess),
        }
    try:
        certificate = find_certificate(policy, state)
    except RequirementNotMet as refusal:
        case["refused"] = {"rows": list(refusal.rows), "missing_usd6": str(refusal.missing_usd6)}
        return case
    case["certificate"] = {
        key: [str(value) for value in getattr(certificate, key)] for key in ("helpers", "excess", "charges", "slacks")
    }
    return case


def make_document(size: str) -> dict[str, object]:
    """The content of one file."""
    snapshot = to_preset(load_snapshot(MARKET), size)
    parameters = load_parameters()
    house = House(snapshot, parameters)
    epoch, definition = house.epoch(1), house.definition
    chosen = {name: epoch.policies[name] for name in POLICIES[size]}
    accounts = make_accounts(snapshot)
    return {
        "about": "Written by scripts/generate/vectors.py. Integers are decimal strings; cash, helpers, excess, "
        "charges and slacks in micro-dollars (transfer in thousandths of a dollar); float requirements in US dollars.",
        "preset": size,
        "market": MARKET,
        "parameters": parameters.name,
        "snapshot_hash": epoch.snapshot_hash.hex(),
        "policies": {
            name: {
                "hash": policy.hash.hex(),
                "zlib_base64": base64.b64encode(zlib.compress(policy.to_bytes(), 9)).decode("ascii"),
            }
            for name, policy in chosen.items()
        },
        "cases": [
            make_case(name, policy, lots, cash, definition)
            for name, (lots, cash) in accounts.items()
            for policy in chosen.values()
        ],
    }


def dump(document: dict[str, Any]) -> str:
    """JSON with one case a line."""
    text = json.dumps({**document, "cases": "@"}, indent=1)
    lines = ",\n".join("  " + json.dumps(case) for case in document["cases"])
    return text.replace('"@"', f"[\n{lines}\n ]") + "\n"


def find_differences(stored: dict[str, Any], written: dict[str, Any]) -> list[str]:
    """What differs between two documents: names of keys, and of cases with their keys; floats within the tolerance."""
    found = [
        key for key in sorted(stored.keys() | written.keys()) if key != "cases" and stored.get(key) != written.get(key)
    ]
    cases = [{(case["name"], case["policy"]): case for case in document["cases"]} for document in (stored, written)]
    if list(cases[0]) != list(cases[1]):
        return [*found, "cases"]
    for (name, policy), ours in cases[0].items():
        theirs = cases[1][name, policy]
        found += [
            f"{name}, {policy}: {key}"
            for key in sorted(ours.keys() | theirs.keys())
            if not (_are_close(ours, theirs) if key == "float" else ours.get(key) == theirs.get(key))
        ]
    return found


def _are_close(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    first, second = ours.get("float", {}), theirs.get("float", {})
    size = max(map(abs, first.values()), default=0.0)
    return first.keys() == second.keys() and all(
        abs(first[key] - second[key]) <= FLOAT_TOLERANCE * size for key in first
    )


def read_policies(document: dict[str, Any]) -> dict[str, Policy]:
    """The policies of a vector file, with all checks."""
    return {
        name: read_policy(zlib.decompress(base64.b64decode(entry["zlib_base64"])), NO_SPLIT)
        for name, entry in document["policies"].items()
    }


def main(arguments: list[str]) -> int:
    stale = []
    for size in POLICIES:
        path, document = FOLDER / f"margin_{size}.json", make_document(size)
        if "--check" in arguments:
            differences = find_differences(json.loads(path.read_text(encoding="utf-8")), document)
            stale += [f"{path.name} ({differences[0]})"] if differences else []
        else:
            text = dump(document)
            path.write_text(text, encoding="utf-8")
            print(f"{path.name}: {len(text) / 1000:.0f} kB")
    if stale:
        print(
            f"stale: {', '.join(stale)}; write them again with python -m zkmargin.scripts.generate.vectors",
            file=sys.stderr,
        )
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
