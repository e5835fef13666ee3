"""`zkmargin epoch`: a risk epoch from a market snapshot, with hashes and policy points."""

import time
from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market, MarketPreset


def epoch(
    market: Market = DEFAULT_MARKET,
    preset: MarketPreset = None,
    number: Annotated[int, typer.Option(help="Epoch number.")] = 1,
    points: Annotated[bool, typer.Option(help="Compute each policy's point under the development key.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the canonical bytes.")] = None,
    as_json: AsJson = False,
) -> None:
    """Build a risk epoch: policies as integers, canonical bytes, hashes, policy points.

    Example: zkmargin epoch --market deribit_2026-02-05 --out build/epoch
    """
    from zkmargin.engine.house import House
    from zkmargin.prover.groth16.keys import load_verifying_key
    from zkmargin.prover.groth16.points import compute_policy_point
    from zkmargin.scripts.cli.inputs import load_market, make_folder

    folder = None if out is None else make_folder(out)
    snapshot = load_market(market, preset)
    key = load_verifying_key("transition", snapshot.listing.preset, allow_insecure=True) if points else None
    start = time.perf_counter()
    built = House(snapshot).epoch(number)
    hashes = {name: "0x" + getattr(built, f"{name}_hash").hex() for name in ("snapshot", "policy", "settlement")}
    policies = {name: "0x" + policy.hash.hex() for name, policy in built.policies.items()}
    document: dict[str, object] = {
        "number": built.number,
        "time": built.time,
        "generation": built.generation,
        "preset": snapshot.listing.preset.name,
        "bytes": {"snapshot": len(built.snapshot_bytes), "policy": len(built.policy_bytes)},
        "hashes": hashes,
        "policies": policies,
        "seconds": round(time.perf_counter() - start, 4),
    }
    words = {}
    if key is not None:
        words = {
            name: [str(word) for word in compute_policy_point(key, policy)] for name, policy in built.policies.items()
        }
        document |= {"key_hash": "0x" + key.hash.hex(), "points": words}
    if folder is not None:
        (folder / "snapshot.bin").write_bytes(built.snapshot_bytes)
        (folder / "policies.bin").write_bytes(built.policy_bytes)
        (folder / "settlement.bin").write_bytes(built.settlement_bytes)
    if as_json:
        console.print_json(document)
        return
    rows = {"number": number, "preset": document["preset"], **{f"{name} hash": value for name, value in hashes.items()}}
    rows |= {f"policy {name}": value for name, value in policies.items()}
    rows |= {f"point {name}": ", ".join(point) for name, point in words.items()}
    console.out.print(console.make_key_values("Risk epoch", rows))
