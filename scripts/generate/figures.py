"""The table of figures in README.md, from the ledgers in `costs/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zkmargin.engine.presets import get_preset
from zkmargin.scripts.generate.blocks import render_paragraph, render_rows
from zkmargin.scripts.measure.comparison import PATH as DERIVE
from zkmargin.scripts.measure.comparison import estimate_derive_gas

ROOT = Path(__file__).parents[2]
TARGET = 0.7
"""Time of the margin of many accounts, as a multiple of the bare matrix product, that was asked for."""
RATIOS = {"with float64 lots": "ratio_to_matmul", "with int32 lots": "ratio_int32", "by dense books": "ratio_dense"}


def render_figures(ledgers: Mapping[str, Any]) -> str:
    """A sentence and a Markdown table of what was measured, with the file that says so, and the target of the batch."""
    preset, machine = get_preset("standard"), ledgers["prover"]["env"]
    head = (
        f"Preset `standard`: {preset.slots} slots, {preset.rows} rows. Times on {machine['cores']} cores "
        f"({machine['cpu']}{', with AVX-512 IFMA' if machine['ifma'] else ''})."
    )
    rows = [
        (what, measured, f"[{Path(source).stem}]({source})")
        for source, figures in list_figures(ledgers).items()
        for what, measured in figures.items()
    ]
    return "\n\n".join((head, render_rows(("what", "measured", "from"), *rows), render_target(ledgers["engine"])))


def render_target(engine: Mapping[str, Any]) -> str:
    """Where the batch meets its target and where it misses it, in a sentence."""
    reached = {f"{how} ({engine[key]:.2f})": engine[key] <= TARGET for how, key in RATIOS.items()}
    met, missed = (" and ".join(how for how, good in reached.items() if good is wanted) for wanted in (True, False))
    parts = [f"{word} {how}" for word, how in (("met", met), ("missed", missed)) if how]
    asked = f"The target for {engine['accounts']:,} accounts is {TARGET} times the product:"
    return render_paragraph(asked, f"it is {', '.join(parts)}.")


def list_figures(ledgers: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """What was measured, by the file that says so."""
    circuit, prover, engine = ledgers["constraints"]["standard"]["transition"], ledgers["prover"], ledgers["engine"]
    standard, scaling = prover["standard"], prover["scaling"]
    gas, options = ledgers["gas"]["gas"], ledgers["demo"]["options"]
    held_out = ledgers["held_out"]["summary"]
    sizes = {name: get_preset(name).excess_rows for name in ("standard", "wide", "xl")}
    return {
        "costs/constraints.json": {
            "circuit": f"{circuit['constraints']:,} constraints, {circuit['public_inputs']:,} public inputs",
        },
        "costs/prover.json": {
            "prove; without vector units; snarkjs, same key and witness": (
                f"{standard['prove_s']:.2f} s; {prover['scalar']['standard']['prove_s']:.2f} s; "
                f"{standard['prove_snarkjs_s']:.1f} s"
            ),
            "witness; verify": _milliseconds(standard, "witness_s", "verify_s"),
            "build an epoch; a policy's point": _milliseconds(standard, "epoch_s", "policy_point_s"),
            f"another run: prove with {'; '.join(map(str, sizes.values()))} scenarios": (
                "; ".join(f"{scaling[name]['prove_s']:.2f} s" for name in sizes)
            ),
        },
        "costs/engine.json": {
            f"margin of {engine['accounts']:,} accounts, {engine['threads']} threads": (
                f"{engine['batch_ms'] / 1e3:.2f} s, {engine['ratio_to_matmul']:.1f} times the bare matrix product"
            ),
        },
        "costs/held_out.json": {
            f"books of {held_out['markets']} markets below the full sample's shortfall": (
                f"{held_out['breaches']} of {held_out['books']:,}"
            ),
            "searches that found such a book; the worst": (
                f"{held_out['searches_above_1']} of {held_out['searches']}; {held_out['worst_of_the_search']:.2f}"
            ),
        },
        "costs/gas.json": {
            "gas of a trade, both sides' margin proved": _thousands(gas, "trade"),
            "gas: open; deposit; withdraw; its claim; attest": _thousands(
                gas, "open", "deposit", "withdraw", "claim", "attest"
            ),
        },
        str(DERIVE.relative_to(ROOT)): {
            f"gas of a public check, {options} options (Derive)": (f"{estimate_derive_gas(options) / 1e6:.1f} M"),
        },
    }


def _milliseconds(measured: dict[str, float], *names: str) -> str:
    return "; ".join(f"{1e3 * measured[name]:.0f} ms" for name in names)


def _thousands(gas: dict[str, int], *names: str) -> str:
    return "; ".join(f"{gas[name] / 1e3:.0f}k" for name in names)
