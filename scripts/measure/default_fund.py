"""Cover 1 and Cover 2 of a crash, from the backtest's ledger and the exposure limits of a market.

    python -m zkmargin.scripts.measure.default_fund [--market deribit_2026-08-22] [--crash "March 2020"]
    python -m zkmargin.scripts.measure.default_fund --output costs/default_fund.json

An account is taken at the largest exposure that the initial policy allows it, in every coin at once.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from zkmargin.engine.backtest.default_fund import compute_cover, find_uncovered
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.presets import Coin
from zkmargin.scripts.cli.options import DEFAULT_MARKET
from zkmargin.scripts.measure.output import add_output, put_out

LEDGER = Path(__file__).parents[2] / "costs/backtest.json"
MODELS = ("house_initial", "house_maintenance")


def measure(market: str, crash: str) -> dict[str, object]:
    """By model: the worst book and its uncovered share by coin, and the fund of one and of two defaults."""
    ledger = json.loads(LEDGER.read_text(encoding="utf-8"))
    documents = {coin.value: ledger[coin] for coin in Coin}
    chords = House(load_snapshot(market)).buffer.chords
    largest = {coin.value: max(side.largest for side in chords[coin]) for coin in Coin}
    levels = {}
    for model in MODELS:
        uncovered = find_uncovered(documents, crash, model)
        levels[model] = {
            "uncovered": {
                coin: {"book": found.book, "struck": found.struck, "share": round(found.share, 4)}
                for coin, found in uncovered.items()
            },
            "cover_1_usd": round(compute_cover(uncovered, [largest] * 2, 1)),
            "cover_2_usd": round(compute_cover(uncovered, [largest] * 2, 2)),
        }
    rounded = {coin: round(usd) for coin, usd in largest.items()}
    return {"market": market, "crash": crash, "largest_exposure_usd": rounded, "models": levels}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", default=DEFAULT_MARKET)
    parser.add_argument("--crash", default="March 2020")
    add_output(parser)
    options = parser.parse_args()
    document = measure(options.market, options.crash)
    put_out(document, options.output)


if __name__ == "__main__":
    main()
