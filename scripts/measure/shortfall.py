"""Measure the reduced expected shortfall against the full sample, on held-out books and markets and by an adversary.

    python -m zkmargin.scripts.measure.shortfall --output costs/shortfall.json

The record says what each set's groups and multiplier were fitted to (`origin`), with the family's seed 1. Here the
books are of other seeds, and the market of the crash of 5 February 2026 is new as well. Every figure is at the
volatility that the model uses there. Margin is initial margin without the contagion buffer, which only adds.

- over-ask of the expected shortfall: kappa ES_reduced / ES_full - 1, on books whose ES_full exceeds their K;
- over-ask of the margin: margin / (K + max(grid, ES_full)) - 1, on all books;
- breach: margin < ES_full; "by shortfall alone": K + kappa ES_reduced < ES_full, the grid left aside;
- adversary: largest ES_full / margin that a local search finds (`engine.calibration.worst_book_search`), not a bound;
- sampling error: standard deviation of ES_full over a moving-block bootstrap of the windows, relative, median over
  books.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from zkmargin.engine.calibration.sample_books import make_family
from zkmargin.engine.calibration.training import has_loss
from zkmargin.engine.calibration.worst_book_search import Adversary, Reduced, Terms, compute_margin, read_terms
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.netting import measure_relative_move
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.scenarios import load_scenarios
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import PRESETS, Coin, get_preset
from zkmargin.scripts.cli import console
from zkmargin.scripts.measure.output import add_output, write_document

MARKETS = ("deribit_2026-08-22", "deribit_2025-12-30", "deribit_2026-02-05")
HELD_OUT = "deribit_2026-02-05"
PAIR = (Coin.BTC, Coin.ETH)
"""The netting pair of these markets."""
SEEDS = (101, 102)
"""Families that no multiplier was fitted to."""
STARTS = 24
"""Starts of the adversary per market."""
BLOCK, RESAMPLES = 10, 200
"""Block of the bootstrap in windows, and resamples."""
VOLATILITIES = (0.65, 1.5)
"""Other volatilities at which breaches are counted, times the model's."""
EXACT = 1e-9
"""Relative difference up to which a reduced expected shortfall equals the full one."""


def list_on(snapshot: MarketSnapshot, rows: int) -> MarketSnapshot:
    """A market with the listing of the preset that has `rows` excess rows."""
    return to_preset(snapshot, next(preset for preset in PRESETS.values() if preset.excess_rows == rows))


class MarketFigures:
    """What one market has to say about one reduction."""

    def __init__(self, market: MarketSnapshot, rows: int, scale: float = 1.0):
        snapshot, parameters = list_on(market, rows), load_parameters()
        floor = {coin: scale * value for coin, value in parameters.shortfall_volatility_floor.items()}
        daily = {coin: scale * value for coin, value in snapshot.daily_volatility.items()}
        snapshot = dataclasses.replace(snapshot, daily_volatility=daily)
        parameters = dataclasses.replace(parameters, shortfall_volatility_floor=floor)
        self.snapshot, self.shortfall = snapshot, ShortfallModel(snapshot, parameters)
        self.slots, self.terms = read_terms(HouseModel(snapshot, parameters), self.shortfall)
        self.reduced = Reduced(
            self.shortfall.pnl[:, self.slots],
            self.shortfall.weights,
            self.shortfall.tail_weight,
            self.shortfall.tail_weight / self.shortfall.get_tail_divisor("initial"),
        )

    def get_books(self, seeds: tuple[int, ...]) -> np.ndarray:
        """(n, F) books of the families that can lose."""
        books = np.hstack([make_family(self.snapshot, seed).lots[self.slots] for seed in seeds])
        return books[:, has_loss(self.terms, books)]

    def measure(self, books: np.ndarray) -> dict[str, Any]:
        """Over-asks and breaches of books (n, F)."""
        terms = self.terms
        full, asked, charge = terms.compute_full(books), self.reduced.compute(books), terms.compute_charge(books)
        grid = terms.compute_grid(books)
        margin = charge + np.maximum(grid, asked)
        risky = full > charge
        over = asked[risky] / full[risky] - 1
        margin_over = margin / (charge + np.maximum(grid, full)) - 1
        ratio = asked[risky] / self.reduced.multiplier / full[risky]
        return {
            "books": int(books.shape[1]),
            "es_over_ask": _quantiles(over),
            "margin_over_ask": {"mean": round(float(margin_over.mean()), 4), **_quantiles(margin_over)},
            "es_exceeds_grid": round(float((asked > grid).mean()), 4),
            "breaches": int((margin < full).sum()),
            "worst_ratio": round(float((full / margin).max()), 4),
            "breaches_by_shortfall_alone": int((charge + asked < full * (1 - EXACT)).sum()),
            "worst_ratio_by_shortfall_alone": round(float((full / (charge + asked)).max()), 4),
            "reduced_is_exact": round(float((ratio > 1 - EXACT).mean()), 4),
            "reduced_within_1_percent": round(float((ratio > 0.99).mean()), 4),
        }

    def attack(self, books: np.ndarray, starts: int) -> dict[str, Any]:
        """The adversary from the worst books and random ones."""
        adversary = Adversary(self.terms, self.reduced)
        ratio = self.terms.compute_full(books) / compute_margin(self.terms, self.reduced, books)
        near = np.argsort(-ratio, kind="stable")[: starts // 4]
        drawn = np.random.default_rng(SEEDS[0]).choice(books.shape[1], starts - len(near), replace=False)
        found = np.array([adversary.climb(books[:, place])[1] for place in (*near, *drawn)])
        return {
            "starts": starts,
            "worst_ratio": round(float(found.max()), 4),
            "starts_above_1": int((found > 1).sum()),
        }


def _quantiles(values: np.ndarray) -> dict[str, Any]:
    return {"median": round(float(np.median(values)), 4), "p95": round(float(np.quantile(values, 0.95)), 4)}


def bootstrap(terms: Terms, books: np.ndarray, seed: int) -> float:
    """Median over books (n, F) of the relative standard deviation of ES_full, by a moving-block bootstrap."""
    losses, generator = -(terms.sample @ books), np.random.default_rng(seed)
    days = len(losses)
    means = []
    for _ in range(RESAMPLES):
        starts = generator.integers(0, days - BLOCK + 1, -(-days // BLOCK))
        chosen = losses[(starts[:, None] + np.arange(BLOCK)).ravel()[:days]]
        means.append(np.partition(chosen, days - terms.tail, axis=0)[days - terms.tail :].mean(axis=0))
    resampled = np.array(means)
    return float(np.median(resampled.std(axis=0) / resampled.mean(axis=0)))


def compute_netting_effect(terms: Terms, books: np.ndarray) -> dict[str, Any]:
    """Grid with netting over grid without, on books with losses in both coins."""
    apart = terms.factor * sum(np.maximum(-(grid @ books), 0.0).max(axis=0) for grid in terms.grids)
    both = np.all([np.maximum(-(grid @ books), 0.0).max(axis=0) > 0.05 * apart for grid in terms.grids], axis=0)
    share = terms.compute_grid(books)[both] / apart[both]
    return {"books_of_two_coins": int(both.sum()), "mean": round(float(share.mean()), 4), **_quantiles(share)}


def measure_rows(rows: int, say: Callable[[str], object]) -> dict[str, Any]:
    """All figures of one number of excess rows."""
    scenarios = load_scenarios(load_parameters().shortfall_scenarios, rows)
    over, under = scenarios.plain_multiplier
    found: dict[str, Any] = {"groups": int(scenarios.groups.max()) + 1, "kappa": round(over / under, 4), "markets": {}}
    for name in MARKETS:
        say(f"{rows} rows, {name}")
        figures = MarketFigures(load_snapshot(name), rows)
        seeds = SEEDS if name != HELD_OUT else (1, *SEEDS)
        books = figures.get_books(seeds)
        entry = {"held_out_market": name == HELD_OUT, "seeds": list(seeds), **figures.measure(books)}
        entry["adversary"] = figures.attack(books, STARTS)
        for scale in VOLATILITIES:
            other = MarketFigures(load_snapshot(name), rows, scale)
            there = other.measure(other.get_books(seeds[:1]))
            kept = ("books", "breaches", "worst_ratio", "breaches_by_shortfall_alone", "worst_ratio_by_shortfall_alone")
            entry[f"at_{scale}_of_the_volatility"] = {key: there[key] for key in kept}
        found["markets"][name] = entry
    return found


def get_forecasts(market: str) -> np.ndarray:
    """(2,) forecasts of daily volatility of a market, by coin."""
    daily = load_snapshot(market).daily_volatility
    return np.array([daily[coin] for coin in Coin])


def measure(counts: list[int], say: Callable[[str], object]) -> dict[str, Any]:
    """The whole document."""
    parameters = load_parameters()
    rows = get_preset("standard").excess_rows
    scenarios = load_scenarios(parameters.shortfall_scenarios, rows)
    figures = MarketFigures(load_snapshot(MARKETS[0]), rows)
    books = figures.get_books(SEEDS[:1])
    return {
        "command": "python -m zkmargin.scripts.measure.shortfall --output costs/shortfall.json",
        "sample": {
            "record": parameters.shortfall_scenarios,
            "windows": len(scenarios.token),
            "tail_windows": scenarios.count_tail(False),
            "margin_period_days": scenarios.margin_period_days,
            "confidence": scenarios.confidence,
            "volatility": dict(zip(Coin, np.round(figures.shortfall.volatility, 6).tolist(), strict=True)),
        },
        "bootstrap": {
            "block_windows": BLOCK,
            "resamples": RESAMPLES,
            "relative_standard_deviation": round(bootstrap(figures.terms, books, SEEDS[0]), 4),
        },
        "netting": {
            "transfer_charge": figures.terms.transfer_charge,
            "q99_at_model_volatility": round(
                measure_relative_move(scenarios, figures.shortfall.volatility, parameters, PAIR), 4
            ),
            "q99_at_forecast": {
                name: round(measure_relative_move(scenarios, get_forecasts(name), parameters, PAIR), 4)
                for name in MARKETS
            },
            "grid_with_netting_over_without": compute_netting_effect(figures.terms, books),
        },
        "rows": {str(count): measure_rows(count, say) for count in counts},
    }


HEAD = ("rows", "kappa", "market", "ES over", "p95", "IM over", "p95", "breaches", "worst", "adversary")
"""Columns of the table: medians of the over-asks, the mean for the margin, and their 95 % quantiles."""


def make_rows(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Rows of the table."""
    table = []
    for rows, found in document["rows"].items():
        for name, market in found["markets"].items():
            es, margin = market["es_over_ask"], market["margin_over_ask"]
            table.append(
                (
                    rows,
                    f"{found['kappa']:.3f}",
                    name.removeprefix("deribit_") + "*" * market["held_out_market"],
                    f"{es['median']:.1%}",
                    f"{es['p95']:.1%}",
                    f"{margin['mean']:.2%}",
                    f"{margin['p95']:.2%}",
                    f"{market['breaches']}/{market['books']}",
                    f"{market['worst_ratio']:.3f}",
                    f"{market['adversary']['worst_ratio']:.3f}",
                )
            )
    return table


def main(arguments: list[str] | None = None) -> None:
    """Measure, write the document where asked, and print a table or the JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python -m zkmargin.scripts.measure.shortfall --rows 51 --json",
    )
    choices = sorted(preset.excess_rows for preset in PRESETS.values())
    parser.add_argument("--rows", type=int, nargs="+", default=choices, choices=choices, help="numbers of excess rows")
    add_output(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    with console.show_steps(len(options.rows) * len(MARKETS)) as steps:

        def say(text: str) -> None:
            steps.start(text)
            steps.done()

        document = measure(options.rows, say)
    if options.output is not None:
        write_document(document, options.output)
    if options.json:
        console.print_json(document)
        return
    title = "Reduced against full expected shortfall (* held out: no multiplier was fitted there)"
    console.out.print(console.make_table(title, HEAD, make_rows(document), right=range(3, len(HEAD))))


if __name__ == "__main__":
    main()
