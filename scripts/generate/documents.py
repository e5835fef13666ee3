"""Blocks of README.md and of the documents in `docs/`, from the ledgers in `costs/` and from the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zkmargin.scripts.generate import figures, model_fixtures, tables, times
from zkmargin.scripts.generate.blocks import replace_block

ROOT = Path(__file__).parents[2]
Ledgers = Mapping[str, Any]
DOCUMENTS: dict[str, dict[str, Callable[[Ledgers], str]]] = {
    "README.md": {"figures": figures.render_figures},
    "docs/assurance.md": {"presets": tables.render_presets, "evidence": tables.render_evidence},
    "docs/backtests.md": {"default fund": tables.render_default_fund},
    "docs/cavb.md": {"cascades": tables.render_cascades, "october": tables.render_october},
    "docs/clearing.md": {"committee": tables.render_committee, "circuits": tables.render_circuits},
    "docs/gas.md": {"split": tables.render_gas_split, "batches": tables.render_batches},
    "docs/models.md": {
        "held out": tables.render_held_out,
        "multipliers": tables.render_multipliers,
        "shipped markets": tables.render_shipped_markets,
        "sample error": tables.render_sample_error,
        "netting quantiles": tables.render_netting_quantiles,
        "fully paid option": lambda _: model_fixtures.render_paid_option(),
        "fixture values": lambda _: model_fixtures.render_fixtures(),
    },
    "docs/privacy.md": {"observer": tables.render_observer},
    "docs/proof-systems.md": {"backends": tables.render_backends},
    "docs/prover.md": {"times": times.render_times},
    "docs/surface.md": {"fits": tables.render_fits},
}
"""Path, name of the block, and what writes it."""


def render() -> dict[str, str]:
    """Path, from the repository's root, to the text of each document with the present figures."""
    ledgers = load_ledgers()
    return {path: replace_blocks((ROOT / path).read_text(), path, ledgers) for path in DOCUMENTS}


def load_ledgers(folder: Path = ROOT / "costs") -> dict[str, Any]:
    """The ledgers by name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def replace_blocks(text: str, path: str, ledgers: Ledgers) -> str:
    """The document `text` of `path` with all its blocks written anew; raises `MarkersMissing`."""
    for name, write in DOCUMENTS[path].items():
        text = replace_block(text, name, write(ledgers))
    return text
