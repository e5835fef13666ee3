"""`zkmargin epoch`: a risk epoch from a market snapshot, with hashes and policy points."""

import time
from pathlib import Path
from typing import Annotated

import typer

from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import load_snapshot, reduce_to_mini
from zkmargin.prover.groth16.keys import load_verifying_key
from zkmargin.prover.statement.points import compute_policy_point
from zkmargin.scripts.cli import console


def epoch(
    market: Annotated[
        str, typer.Option(help="A shipped market's name, or the path of a JSON file.")
    ] = "deribit_2026-08-22",
    preset: Annotated[str, typer.Option(help="standard, or mini for the market's reduced listing.")] = "standard",
    number: Annotated[int, typer.Option(help="Epoch number.")] = 1,
    points: Annotated[bool, typer.Option(help="Compute each policy's point under the development key.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the canonical bytes.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
):
    """Build a risk epoch: policies as integers, canonical bytes, hashes, policy points.

    Example: zkmargin epoch --market deribit_2026-02-05 --out build/epoch
    """
    snapshot = load_snapshot(market)
    if preset == "mini":
        snapshot = reduce_to_mini(snapshot)
    start = time.perf_counter()
    built = House(snapshot).epoch(number)
    hashes = {name: "0x" + getattr(built, f"{name}_hash").hex() for name in ("snapshot", "policy", "settlement")}
    document = {
        "number": built.number,
        "time": built.time,
        "generation": built.generation,
        "preset": snapshot.listing.preset.name,
        "bytes": {"snapshot": len(built.snapshot_bytes), "policy": len(built.policy_bytes)},
        "hashes": hashes,
        "policies": {name: "0x" + policy.hash.hex() for name, policy in built.policies.items()},
        "seconds": round(time.perf_counter() - start, 4),
    }
    if points:
        key = load_verifying_key("transition", snapshot.listing.preset, allow_insecure=True)
        document["key_hash"] = "0x" + key.hash.hex()
        document["points"] = {
            name: [str(word) for word in compute_policy_point(key, policy)] for name, policy in built.policies.items()
        }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "snapshot.bin").write_bytes(built.snapshot_bytes)
        (out / "policies.bin").write_bytes(built.policy_bytes)
        (out / "settlement.bin").write_bytes(built.settlement_bytes)
    if as_json:
        console.print_json(document)
        return
    rows = {"number": number, "preset": document["preset"], **{f"{name} hash": value for name, value in hashes.items()}}
    rows |= {f"policy {name}": value for name, value in document["policies"].items()}
    rows |= {f"point {name}": ", ".join(words) for name, words in document.get("points", {}).items()}
    console.out.print(console.make_key_values("Risk epoch", rows))
