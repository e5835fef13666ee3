"""`zkmargin backtest`: margins against what books lost on recorded days."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from engine.parameters import load_parameters
from scripts import console

SHOWN = {
    "coverage": (
        ("model", "model"), ("book", "archetype"), ("days", "observations"), ("exceptions", "exceptions"),
        ("expected", "expected"), ("Kupiec p", "kupiec_p"),
        ("independence p", "christoffersen_p"), ("both p", "conditional_p"),
        ("Z2", "z2"), ("Z2 p (t3)", "z2_p_heavy"), ("zone", "zone"), ("worst 250", "worst_250"),
        ("mean margin", "mean_margin"),
        ("worst loss / margin", "worst_ratio"), ("struck", "worst_struck"),
    ),
    "crashes": (
        ("crash", "crash"), ("model", "model"), ("book", "archetype"), ("struck", "struck"), ("loss USD", "loss"),
        ("margin USD", "margin"), ("loss / margin", "ratio"),
    ),
}  # fmt: skip
TEXT = ("model", "archetype", "zone", "crash", "struck", "worst_struck", "hour")
SMALLEST_JOB = 100
"""Updates of the bar in all."""


def backtest(
    archetype: Annotated[list[str] | None, typer.Option(help="A book; may be repeated. Default: all.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="A model; may be repeated. Default: all.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day of striking.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of striking.")] = None,
    coin: Annotated[str, typer.Option(help="Coin of the books: BTC or ETH.")] = "BTC",
    plot: Annotated[
        Path | None, typer.Option(help="Write margin and loss through time to this PNG; needs one model.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
):
    """Backtest of margins on prices of 2016-2020 and 2024-2026: coverage, size of exceptions, procyclicality, crashes.

    Books: long, short, long_straddle, short_straddle, strangle, iron_fly, calendar, reverse_calendar, basis, carry,
    pair. Models: ewma, garch, delta_gamma, two_day, house_initial, house_maintenance.

    Example: zkmargin backtest --archetype strangle --model house_initial --from 2020-01-01 --plot margin.png
    """
    from engine.backtest.books import ARCHETYPES
    from engine.backtest.history import load_history
    from engine.backtest.models import DAYS_HELD
    from engine.backtest.paths import build_market
    from engine.backtest.report import build_document
    from engine.backtest.run import run_backtest

    models = tuple(model or DAYS_HELD)
    if plot is not None and len(models) != 1:
        raise typer.BadParameter("a plot shows one model: give exactly one --model", param_hint="--plot")
    history, parameters = load_history(), load_parameters()
    days = {name: np.datetime64(day.date()) for name, day in (("first", first), ("last", last)) if day is not None}
    with console.show_steps(SMALLEST_JOB) as steps:
        market = build_market(history)
        steps.start("days")
        run = run_backtest(
            market, parameters, tuple(archetype or ARCHETYPES), models, coin, progress=_advance(steps, 0.8), **days
        )
        steps.start("statistics")
        document = build_document(run, market, history, parameters, progress=_advance(steps, 0.2))
        if plot is not None:
            from scripts.backtest_plot import plot_backtest

            plot_backtest(run, models[0], plot)
    if as_json:
        console.print_json(document)
        return
    _print_tables(document)


def _advance(steps: console.Steps, share: float):
    """A callback that moves the bar by `share` of it in all."""
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        while shown < int(SMALLEST_JOB * share * done / total + 1e-9):
            shown += 1
            steps.done()

    return progress


def _print_tables(document: dict) -> None:
    span = f"{document['first']} to {document['last']}, {document['days']} days"
    span += f", {document['days_with_quotes']} with quotes"
    for key, title in (
        ("coverage", f"Coverage, {document['coin']}: {span}"),
        ("crashes", "Crashes by name, close to close"),
    ):
        entries = document["results" if key == "coverage" else key]
        if entries:
            columns = SHOWN[key]
            rows = [[_show(name, entry[name]) for _, name in columns] for entry in entries]
            right = [at for at, (_, name) in enumerate(columns) if name not in TEXT]
            console.out.print(console.make_table(title, [head for head, _ in columns], rows, right=right))
    _print_hours(document)
    _print_procyclicality(document)
    for note in document["notes"]:
        console.out.print(f"- {note}", highlight=False)


def _print_hours(document: dict) -> None:
    models = list(document["models"])
    rows = [
        (
            found["crash"],
            found["archetype"],
            found["hour"],
            f"{found['loss']:,.0f}",
            *(_ratio(found, name) for name in models),
        )
        for found in document["hours"]
    ]
    if rows:
        heads = ("crash", "book", "hour (UTC)", "loss USD", *(f"/ {name}" for name in models))
        console.out.print(console.make_table("Worst hour, loss over margin", heads, rows, right=range(3, len(heads))))


def _ratio(found: dict, model: str) -> str:
    margin = found["margins"][model]
    return f"{found['loss'] / margin:.2f}" if margin else "-"


def _print_procyclicality(document: dict) -> None:
    rows = [
        (
            entry["model"], entry["archetype"], option, f"{found['peak_to_trough']:.2f}",
            *(f"{found[f'step_{days}']:.0%}" for days in (1, 5, 30)), f"{found['mean_margin']:.2%}",
            found["exceptions"],
        )
        for entry in document["results"]
        for option, found in entry["procyclicality"].items()
    ]  # fmt: skip
    heads = (
        "model",
        "book",
        "option",
        "peak / trough",
        "1-day step",
        "5-day step",
        "30-day step",
        "mean margin",
        "exceptions",
    )
    if rows:
        console.out.print(console.make_table("Procyclicality", heads, rows, right=range(3, len(heads))))


def _show(name: str, value: object) -> str:
    if value is None:
        return "-"
    if name == "mean_margin":
        return f"{value:.2%}"
    if name in ("loss", "margin"):
        return f"{value:,.0f}"
    return f"{value:.3f}" if isinstance(value, float) and name != "expected" else str(value)
