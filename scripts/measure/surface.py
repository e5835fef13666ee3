"""Measure how well SVI fits the shipped markets, and what keeping the slices free of butterfly arbitrage costs.

`python -m zkmargin.scripts.measure.surface --output costs/surface.json` writes the ledger.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from zkmargin.engine.market.file import load_observations, load_snapshot
from zkmargin.engine.market.svi_fit import fit_coin
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.scripts.measure.output import add_output, put_out

MARKETS = ("deribit_2026-08-22", "deribit_2026-02-05", "deribit_2025-12-30")


def measure_market(name: str) -> dict[str, Any]:
    """Slices and errors of one market, volatility points (a hundredth)."""
    snapshot, observations = load_snapshot(name), load_observations(name)
    fits = [fit for coin in snapshot.listing.preset.coins for fit in fit_coin(snapshot, observations, coin)]
    worst = max(fits, key=lambda fit: fit.rmse_points)
    return {
        "slices": len(fits),
        "free": sum(fit.is_butterfly_free for fit in fits),
        "repaired": sum(fit.was_repaired for fit in fits),
        "median_points": round(statistics.median(fit.rmse_points for fit in fits), 3),
        "worst_points": round(worst.rmse_points, 3),
        "worst_coin": worst.coin,
        "worst_days": round((worst.expiry - snapshot.time) / SECONDS_PER_DAY, 1),
        "repair_points": round(max(fit.rmse_points - fit.free_rmse_points for fit in fits), 3),
    }


def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the document where asked or print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_output(parser)
    options = parser.parse_args(arguments)
    command = "python -m zkmargin.scripts.measure.surface --output costs/surface.json"
    document = {"command": command, "markets": {name: measure_market(name) for name in MARKETS}}
    put_out(document, options.output)


if __name__ == "__main__":
    main()
