"""Measure the margin against the full sample's expected shortfall on many markets that nothing was fitted to.

    python -m zkmargin.scripts.measure.held_out --markets MARKETS_FOLDER --output costs/held_out.json

MARKETS_FOLDER holds market files NAME.json, made by `scripts.derive.snapshot` from option chains; NAME is the time of
the chain (20260102T0918). Markets of the training (`scripts.derive.scenarios.MARKETS`) are left out, and so are days
of a month that are a multiple of 5, which stay unused for whoever checks this later. A chain whose marks and
volatilities do not agree (`engine.market.quotes`) is no market: it is left out, and named in the document.

Held out are the listing, prices, implied volatilities and hours to the next expiry of each market. Not held out are the
price moves of these months, which are windows of the sample, and the response of volatilities, which was fitted to the
same surface.

- family: books of `engine.calibration.sample_books` at a seed that nothing was fitted to; a breach is a book whose
  initial margin, contagion buffer and concentration charge left aside, is below the full sample's expected shortfall;
- search: the largest ratio of the two that `engine.calibration.worst_book_search` finds; not a bound.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import get_preset
from zkmargin.engine.units import DAYS_PER_YEAR
from zkmargin.scripts.cli import console
from zkmargin.scripts.derive.scenarios import MARKETS as TRAINING
from zkmargin.scripts.measure.output import add_output
from zkmargin.scripts.measure.shortfall import SEEDS, MarketFigures

RESERVED = 5
"""Days of a month that are a multiple of this are not used."""
SEARCH_EVERY, STARTS = 6, 4
"""Every so many markets are searched, from so many starts each: a search takes a minute."""


def find_markets(folder: Path) -> list[Path]:
    """The held-out market files of a folder, by time.

    Raises
    ------
    OutOfRange
        If there is none.
    """
    found = [
        path
        for path in sorted(folder.glob("2*.json"))
        if path.stem not in TRAINING and int(path.stem[6:8]) % RESERVED != 0
    ]
    if not found:
        raise OutOfRange(f"held-out markets in {folder}", 0, 1, "any number")
    return found


def get_days_to_expiry(snapshot: MarketSnapshot) -> float:
    """Days to the first expiry of a listed option."""
    return float(np.nanmin(np.where(snapshot.listing.is_option, snapshot.years, np.nan)) * DAYS_PER_YEAR)


def load_markets(paths: list[Path]) -> tuple[dict[str, MarketSnapshot], list[str]]:
    """The markets by name, and the names of the files that do not load as one."""
    markets, refused = {}, []
    for path in paths:
        try:
            markets[path.stem] = load_snapshot(path)
        except OutOfRange:
            refused.append(path.stem)
    return markets, refused


def measure_market(snapshot: MarketSnapshot, rows: int, is_searched: bool) -> dict[str, Any]:
    """One market's figures."""
    figures = MarketFigures(snapshot, rows)
    books = figures.get_books(SEEDS[:1])
    found = figures.measure(books)
    kept = ("books", "breaches", "worst_ratio", "margin_over_ask")
    entry = {"days_to_expiry": round(get_days_to_expiry(figures.snapshot), 3), **{key: found[key] for key in kept}}
    return entry | ({"search": figures.attack(books, STARTS)} if is_searched else {})


def measure(markets: dict[str, MarketSnapshot], rows: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each market's figures by name."""
    for number, (name, snapshot) in enumerate(markets.items()):
        yield name, measure_market(snapshot, rows, number % SEARCH_EVERY == 0)


def summarise(markets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Sums and worst figures over the markets."""
    searches = [market["search"] for market in markets.values() if "search" in market]
    return {
        "markets": len(markets),
        "books": sum(market["books"] for market in markets.values()),
        "breaches": sum(market["breaches"] for market in markets.values()),
        "worst_ratio": max(market["worst_ratio"] for market in markets.values()),
        "searches": sum(search["starts"] for search in searches),
        "searches_above_1": sum(search["starts_above_1"] for search in searches),
        "worst_of_the_search": max((search["worst_ratio"] for search in searches), default=0.0),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, write the document where asked, and print the summary."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python -m zkmargin.scripts.measure.held_out --markets ~/markets",
    )
    parser.add_argument("--markets", type=Path, required=True, help="folder of market files, named by time")
    add_output(parser)
    options = parser.parse_args(arguments)
    rows = get_preset("standard").excess_rows
    snapshots, refused = load_markets(find_markets(options.markets))
    markets = {}
    with console.show_steps(len(snapshots)) as steps:
        for name, entry in measure(snapshots, rows):
            steps.start(name)
            markets[name] = entry
            steps.done()
    command = "python -m zkmargin.scripts.measure.held_out --markets MARKETS_FOLDER --output costs/held_out.json"
    summary = summarise(markets)
    document = {"command": command, "rows": rows, "seed": SEEDS[0], "left_out": refused, "summary": summary}
    if options.output is not None:
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in markets.items())
        text = json.dumps({**document, "markets": "@markets"}, indent=1).replace('"@markets"', "{\n" + lines + "\n }")
        options.output.write_text(text + "\n", encoding="utf-8")
    console.out.print(console.make_key_values("Held-out markets", {key: str(value) for key, value in summary.items()}))


if __name__ == "__main__":
    main()
