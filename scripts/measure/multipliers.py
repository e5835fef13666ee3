"""Measure what other multipliers of the shortfall would leave below the full sample on held-out markets, and cost.

    python -m zkmargin.scripts.measure.multipliers --markets MARKETS_FOLDER --output costs/multipliers.json

Markets and books are those of `scripts.measure.held_out`; nothing is searched. A margin is K + max(grid, kappa
ES_reduced). Over-ask is margin / (K + max(grid, ES_full)) - 1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import get_preset
from zkmargin.scripts.measure.held_out import find_markets, load_markets
from zkmargin.scripts.measure.output import add_output, put_out
from zkmargin.scripts.measure.shortfall import SEEDS, MarketFigures

MULTIPLIERS = (1.0, 1.0655, 1.1, 1.2, 1.25, 1.3, 1.4)
"""What is tried beside the shipped one; 1.0655 is the family's."""


def measure_market(figures: MarketFigures, multipliers: Iterable[float]) -> list[tuple[int, float, np.ndarray]]:
    """For each multiplier the number of breaches, the worst ES_full / margin and the over-asks (F,) of all books."""
    terms, books = figures.terms, figures.get_books(SEEDS[:1])
    full, charge, grid = terms.compute_full(books), terms.compute_charge(books), terms.compute_grid(books)
    plain = figures.reduced.compute(books) / figures.reduced.multiplier
    enough = charge + np.maximum(grid, full)
    margins = (charge + np.maximum(grid, multiplier * plain) for multiplier in multipliers)
    return [
        (int((margin < full).sum()), float((full / margin).max()), np.asarray(margin / enough - 1))
        for margin in margins
    ]


def measure(markets: Iterable[MarketSnapshot], rows: int) -> list[dict[str, Any]]:
    """Figures by multiplier, the shipped one among them, over all markets."""
    figures = [MarketFigures(market, rows) for market in markets]
    shipped = figures[0].reduced.multiplier
    multipliers = sorted((*MULTIPLIERS, shipped))
    by_multiplier = zip(*(measure_market(item, multipliers) for item in figures), strict=True)
    return [
        {
            "kappa": round(multiplier, 4),
            "shipped": multiplier == shipped,
            "books": sum(len(over) for _, _, over in found),
            "breaches": sum(breaches for breaches, _, _ in found),
            "markets_with_one": sum(breaches > 0 for breaches, _, _ in found),
            "worst_ratio": round(max(worst for _, worst, _ in found), 4),
            "mean_over_ask": round(float(np.concatenate([over for _, _, over in found]).mean()), 5),
        }
        for multiplier, found in zip(multipliers, by_multiplier, strict=True)
    ]


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the document where asked or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markets", type=Path, required=True, help="folder of market files, named by time")
    add_output(parser)
    options = parser.parse_args(arguments)
    rows = get_preset("standard").excess_rows
    markets, _ = load_markets(find_markets(options.markets))
    command = "python -m zkmargin.scripts.measure.multipliers --markets MARKETS_FOLDER --output costs/multipliers.json"
    document = {"command": command, "seed": SEEDS[0], "markets": len(markets)}
    document["multipliers"] = measure(markets.values(), rows)
    put_out(document, options.output)


if __name__ == "__main__":
    main()
