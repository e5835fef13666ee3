"""The table of figures in README.md, between two markers, from the ledgers in `costs/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zkmargin.engine.presets import get_preset
from zkmargin.scripts.measure.comparison import PATH as DERIVE
from zkmargin.scripts.measure.comparison import estimate_derive_gas

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- figures, written by `make generate` from costs/ -->", "<!-- end of figures -->"
LEDGERS = ("constraints", "demo", "engine", "gas", "held_out", "prover")


class MarkersMissing(Exception):
    """README.md does not have each marker once, in order."""


def render() -> dict[str, str]:
    """Path, from the repository's root, to the text of README.md with the present figures."""
    return {"README.md": replace_figures((ROOT / "README.md").read_text(), load_ledgers())}


def load_ledgers(folder: Path = ROOT / "costs") -> dict[str, Any]:
    """The ledgers by name."""
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in LEDGERS}


def replace_figures(text: str, ledgers: dict[str, Any]) -> str:
    """`text` with the table between its markers written anew.

    Raises
    ------
    MarkersMissing
        If a marker is missing or stands twice, or the end comes first.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise MarkersMissing(f"allowed: {BEGIN} once, then {END} once")
    return f"{before}{BEGIN}\n{render_table(ledgers)}{END}{after}"


def render_table(ledgers: dict[str, Any]) -> str:
    """A sentence and a Markdown table of what was measured, with the file that says so."""
    preset, machine = get_preset("standard"), ledgers["prover"]["env"]
    head = (
        f"Preset `standard`: {preset.slots} slots, {preset.rows} rows. Times on {machine['cores']} cores "
        f"({machine['cpu']}{', with AVX-512 IFMA' if machine['ifma'] else ''}).\n\n"
    )
    rows = [("what", "measured", "from"), ("---", "---", "---")]
    rows += [
        (what, measured, f"[{Path(source).stem}]({source})")
        for source, figures in list_figures(ledgers).items()
        for what, measured in figures.items()
    ]
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def list_figures(ledgers: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What was measured, by the file that says so."""
    circuit, prover, engine = ledgers["constraints"]["standard"]["transition"], ledgers["prover"], ledgers["engine"]
    standard, wide, xl = prover["standard"], prover["scaling"]["wide"], prover["scaling"]["xl"]
    gas, options = ledgers["gas"]["gas"], ledgers["demo"]["options"]
    held_out = ledgers["held_out"]["summary"]
    scenarios = {name: get_preset(name).excess_rows for name in ("wide", "xl")}
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
            f"prove with {scenarios['wide']} scenarios (`wide`); with {scenarios['xl']} (`xl`)": (
                f"{wide['prove_s']:.2f} s; {xl['prove_s']:.2f} s"
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
