"""`zkmargin backtest`: margins against what books lost on recorded days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from zkmargin.engine.presets import Coin
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson

SHORT = {
    "ewma": "ewma", "ewma_residual": "+res.", "garch": "garch", "delta_gamma": "d-g.", "two_day": "2-day",
    "house_initial": "init.", "house_maintenance": "maint.",
}  # fmt: skip
"""Heads of columns that are models."""
UPDATES = 100
"""Of the progress bar."""
PLOTTED = "house_initial"
"""The model that a plot shows if it was run, else the first."""


def backtest(
    archetype: Annotated[list[str] | None, typer.Option(help="A book; may be repeated. Default: all.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model; may be repeated. Default: all.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of striking.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of striking.")] = None,
    coin: Annotated[Coin, typer.Option(help="Coin of the books.")] = Coin.BTC,
    plot: Annotated[Path | None, typer.Option(help="Write margin and loss through time to this PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Backtest of margins on prices of 2016-2020 and 2024-2026: coverage, size of exceptions, procyclicality, crashes.

    Books: long, short, long_straddle, short_straddle, strangle, iron_fly, calendar, reverse_calendar, basis, carry,
    pair. Models: ewma, ewma_residual, garch, delta_gamma, two_day, house_initial, house_maintenance.

    Example: zkmargin backtest --archetype strangle --model house_initial --from 2020-01-01 --plot margin.png
    """
    import numpy as np

    from zkmargin.engine.backtest.books import ARCHETYPES
    from zkmargin.engine.backtest.history import load_history
    from zkmargin.engine.backtest.models import DAYS_HELD
    from zkmargin.engine.backtest.paths import build_market
    from zkmargin.engine.backtest.report import build_document
    from zkmargin.engine.backtest.run import run_backtest
    from zkmargin.engine.margin.parameters import load_parameters
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(plot, suffix=".png")
    models = tuple(dict.fromkeys(model or DAYS_HELD))
    books = tuple(dict.fromkeys(archetype or ARCHETYPES))
    history, parameters = load_history(), load_parameters()
    days = {name: np.datetime64(day.date()) for name, day in (("first", first), ("last", last)) if day is not None}
    with console.show_steps(UPDATES) as steps:
        market = build_market(history)
        steps.start("days")
        run = run_backtest(market, parameters, books, models, coin.value, progress=_advance(steps, 0.8), **days)
        steps.start("statistics")
        document = build_document(run, market, history, parameters, progress=_advance(steps, 0.2))
        if plot is not None:
            from zkmargin.scripts.cli.plots.backtest import plot_backtest

            plot_backtest(run, PLOTTED if PLOTTED in models else models[0], plot)
    if as_json:
        console.print_json(document)
        return
    _print_tables(document)


def _advance(steps: console.Steps, share: float) -> Callable[[int, int], None]:
    """A callback that moves the bar by `share` of it in all."""
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        while shown < int(UPDATES * share * done / total + 1e-9):
            shown += 1
            steps.done()

    return progress


def _print_tables(document: dict[str, Any]) -> None:
    console.out.print(
        f"{document['coin']}, {document['first']} to {document['last']}: {document['days']} days, of them "
        f"{document['days_with_quotes']} with quoted volatilities",
    )
    for model, facts in document["models"].items():
        found = [entry for entry in document["results"] if entry["model"] == model]
        if found:
            _print_coverage(
                f"{model}, held {facts['days_held']} day(s): exceptions of days, p of frequency and independence", found
            )
            _print_procyclicality(f"{model}: procyclicality (peak/trough, steps; p/t and exceptions by option)", found)
    for crash in dict.fromkeys(entry["crash"] for entry in document["crashes"]):
        _print_crash(crash, document)
    for note in document["notes"]:
        console.out.print(f"- {note}")


def _print_coverage(title: str, found: list[dict[str, Any]]) -> None:
    heads = ("book", "exc.", "freq.", "ind.", "Z2", "zone", "margin", "worst")
    rows = [
        (
            entry["archetype"], f"{entry['exceptions']}/{entry['observations']}", f"{entry['kupiec_p']:.2f}",
            f"{entry['christoffersen_p']:.2f}", _number(entry["z2"]), entry["zone"], f"{entry['mean_margin']:.2%}",
            _number(entry["worst_ratio"]),
        )
        for entry in found
    ]  # fmt: skip
    console.out.print(console.make_table(title, heads, rows, right=(1, 2, 3, 4, 6, 7)))


def _print_procyclicality(title: str, found: list[dict[str, Any]]) -> None:
    """Peak to trough and steps as computed; peak to trough and exceptions under each option."""
    rows = []
    for entry in found:
        options = entry["procyclicality"]
        if options:
            own = options["none"]
            steps = (f"{own[f'step_{days}']:.0%}" for days in (1, 30))
            treated = (
                f"{options[name]['peak_to_trough']:.1f} ({options[name]['exceptions']})"
                for name in ("buffer", "stressed", "floor")
            )
            rows.append((entry["archetype"], f"{own['peak_to_trough']:.1f}", *steps, *treated))
    if rows:
        heads = ("book", "p/t", "1 day", "30 days", "buffer", "stressed", "floor")
        console.out.print(console.make_table(title, heads, rows, right=range(1, 7)))


def _print_crash(crash: str, document: dict[str, Any]) -> None:
    """Loss over margin by book and model, close to close, and in the worst hour where there are hours."""
    models = list(document["models"])
    heads = ("book", *(SHORT[model] for model in models))
    ratios = {
        (entry["archetype"], entry["model"]): entry["ratio"] for entry in document["crashes"] if entry["crash"] == crash
    }
    books = dict.fromkeys(book for book, _ in ratios)
    rows = [(book, *(_number(ratios.get((book, model))) for model in models)) for book in books]
    console.out.print(console.make_table(f"{crash}: loss / margin", heads, rows, right=range(1, len(heads))))
    hours = [entry for entry in document["hours"] if entry["crash"] == crash]
    if hours:
        rows = [
            (f"{entry['archetype']} {entry['hour'][5:]}h", *(_ratio(entry, model) for model in models))
            for entry in hours
        ]
        title = f"{crash}: loss / margin in the worst hour (UTC)"
        console.out.print(console.make_table(title, heads, rows, right=range(1, len(heads))))


def _ratio(entry: dict[str, Any], model: str) -> str:
    margin = entry["margins"][model]
    return _number(entry["loss"] / margin) if margin and margin > 0 else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
