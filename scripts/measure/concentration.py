"""Measure what options of each coin are open and traded, from which the concentration charge takes its sizes.

    python -m zkmargin.scripts.measure.concentration --markets MARKETS_FOLDER

MARKETS_FOLDER holds market files with the venue's observations, made by `scripts.derive.snapshot` from option chains.
Figures are medians over the files: vega times open interest, vega times the day's volume (US dollars per volatility
point), and open interest up to `short_option_tenor` and beyond (coins).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.parameters import PERCENT, load_parameters
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.valuation import greeks_per_lot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR
from zkmargin.scripts.cli import console

FIGURES = ("open vega", "traded vega", "open near", "open far")


def measure_market(path: Path) -> dict[Coin, tuple[float, ...]]:
    """`FIGURES` of each coin in one market file."""
    snapshot, near_days = load_snapshot(path), load_parameters().short_option_tenor
    listing = snapshot.listing
    observations = json.loads(path.read_text(encoding="utf-8"))["observations"]
    slots = np.array([listing.get(row["name"]).slot for row in observations])
    open_interest, volume = (np.array([row[key] for row in observations]) for key in ("open_interest", "volume"))
    vega = greeks_per_lot(snapshot).vega[slots] / listing.lot_size[slots] / PERCENT
    near = snapshot.years[slots] * DAYS_PER_YEAR <= near_days
    found = {}
    for coin in Coin:
        own = listing.underlying[slots] == coin.ordinal
        sums = (open_interest * vega, volume * vega, open_interest * near, open_interest * ~near)
        found[coin] = tuple(float(part[own].sum()) for part in sums)
    return found


def measure(folder: Path) -> dict[str, dict[str, Any]]:
    """Medians over the market files of a folder, by coin.

    Raises
    ------
    OutOfRange
        If there is no market file.
    """
    markets = [measure_market(path) for path in sorted(folder.glob("*.json"))]
    if not markets:
        raise OutOfRange(f"market files in {folder}", 0, 1, "any number")
    medians = {coin: np.median([market[coin] for market in markets], axis=0).tolist() for coin in Coin}
    return {coin.value: dict(zip(FIGURES, map(round, medians[coin]), strict=True)) for coin in Coin}


def main(arguments: list[str] | None = None) -> None:
    """Print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python -m zkmargin.scripts.measure.concentration --markets ~/markets",
    )
    parser.add_argument("--markets", type=Path, required=True, help="folder of market files")
    console.print_json(measure(parser.parse_args(arguments).markets))


if __name__ == "__main__":
    main()
