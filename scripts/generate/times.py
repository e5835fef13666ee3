"""The table of targets in docs/prover.md: what was asked of the prover and what was measured, from its ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from zkmargin.scripts.generate.blocks import render_rows

SUMS = (
    ("H", "stage_sum_h_ms"),
    ("A", "stage_sum_a_ms"),
    ("B in G1", "stage_sum_b1_ms"),
    ("B in G2", "stage_sum_b2_ms"),
    ("C", "stage_sum_c_ms"),
)
SUM_TARGETS = {"H": 40}


class Measured(NamedTuple):
    """A figure, its target in the same unit if there is one, and where it stands in the ledger of the prover."""

    what: str
    figure: float
    target: float | None
    unit: str
    key: str


def render_times(ledgers: Mapping[str, Any]) -> str:
    """Every figure beside its target; what misses it, however little, is called so."""
    rows = [("what", "measured", "target", "key of the ledger")]
    for found in list_measured(ledgers["prover"]):
        missed = found.target is not None and found.figure > found.target
        measured = f"{found.figure:.3g} {found.unit}".strip()
        target = "-" if found.target is None else f"{found.target:g} {found.unit}"
        rows.append((found.what, measured + (", missed" if missed else ""), target, f"`{found.key}`"))
    return render_rows(*rows)


def list_measured(prover: Mapping[str, Any]) -> list[Measured]:
    """Figures of `costs/prover.json` that a target was set for, and a few beside them."""
    standard, scalar, wasm = prover["standard"], prover["scalar"]["standard"], prover["wasm"]
    positions, start, farm = prover["positions"], prover["start_up"], prover["farm"]["workers_2"]
    wide, wide_scalar = (prover[key]["wide"]["prove_s"] for key in ("scaling", "scaling_scalar"))
    leaks = [
        Measured(
            f"{proofs}, a full book's over that of one position",
            _compare(positions["books"], kind),
            None,
            "times",
            "positions",
        )
        for proofs, kind in (("first proof under a policy", "without points"), ("second proof on", "with points"))
    ]
    sums = [Measured(f"sum {name}", standard[stage], SUM_TARGETS.get(name), "ms", "standard") for name, stage in SUMS]
    return [
        Measured("prove `standard`", standard["prove_s"], 0.15, "s", "standard"),
        Measured("the same without vector units", scalar["prove_s"], 0.33, "s", "scalar"),
        Measured("prove `wide`", wide, 0.25, "s", "scaling"),
        Measured("the same without vector units", wide_scalar, 0.6, "s", "scaling_scalar"),
        *sums,
        Measured("quotient", standard["stage_quotient_ms"], None, "ms", "standard"),
        Measured("witness", 1e3 * standard["witness_s"], 8, "ms", "standard"),
        Measured("building a transition", 1e3 * standard["transition_s"], 8, "ms", "standard"),
        Measured("from a transition to a released proof", standard["released_s"], 0.17, "s", "standard"),
        Measured("loading a key that passed its checks", standard["load_s"], 0.3, "s", "standard"),
        Measured("collecting a policy's points, of the processor", positions["collect_cpu_ms"], 50, "ms", "positions"),
        *leaks,
        Measured("`zkmargin --help`", start["help"]["seconds"], 0.3, "s", "start_up"),
        Measured("`zkmargin margin`", start["margin"]["seconds"], 0.8, "s", "start_up"),
        Measured("WebAssembly on one thread: prove `standard`", wasm["prove_s"], None, "s", "wasm"),
        Measured("loading its key that passed its checks", wasm["load_known_s"], 0.3, "s", "wasm"),
        Measured("its memory", wasm["memory_mb"], None, "MB", "wasm"),
        Measured("cores for 100,000 accounts that attest every 4 h", farm["cores_for_accounts"], None, "", "farm"),
    ]


def _compare(books: Mapping[str, Any], kind: str) -> float:
    """Processor time of a proof with all positions over that with one."""
    one, full = (books[f"{kind}, positions: {held}"]["proof_cpu_ms"] for held in (1, 256))
    return float(full / one)
