"""`zkmargin simulate`: what the contagion buffer does in a simulated market, and what it does not do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson

if TYPE_CHECKING:
    from zkmargin.engine.simulation.experiment import Result, Target
    from zkmargin.engine.simulation.statistics import Interval

app = typer.Typer(no_args_is_help=True, help="Simulated markets.")
SHOWN = {
    "bad debt, M$": ("bad_debt_usd", 1e-6, 1),
    "liquidated, M$": ("liquidated_usd", 1e-6, 0),
    "accounts": ("liquidated_accounts", 1.0, 1),
    "minutes at least depth": ("minutes_at_least_depth", 1.0, 1),
    "drawdown, %": ("drawdown", 100.0, 2),
    "margin per notional, %": ("margin_per_notional", 100.0, 2),
    "notional, bn$": ("notional_usd", 1e-9, 2),
}
"""Column: figure, factor, decimals."""


@app.callback()
def simulate() -> None:
    """Simulated markets."""


@app.command()
def cascade(
    seeds: Annotated[int, typer.Option(min=2, max=5_000, help="Markets per scenario.")] = 200,
    scenario: Annotated[
        list[str] | None, typer.Option(help="A scenario; repeat for several. Default: all, in JSON by name.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE: change a number of every scenario's market.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write price paths and paired differences to this PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Liquidation cascades with and without the contagion buffer, and with a flat surcharge that costs as much.

    All rules see the same accounts and the same noise; intervals are bootstrap 95 %. Scenarios in which the buffer does
    not help are part of the default run. A star marks a difference whose interval excludes 0.

    Example: zkmargin simulate cascade --seeds 200 --plot cascade.png

    Example: zkmargin simulate cascade --scenario crowded --set stress=2 --json
    """
    from zkmargin.engine.simulation.experiment import compare_with_october, run_scenario
    from zkmargin.engine.simulation.position_sizing import RULES
    from zkmargin.engine.simulation.scenarios import OCTOBER, get_scenarios, override
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(plot, suffix=".png")
    pairs = [text.partition("=") for text in parameter or ()]
    changes = {name.strip(): value.strip() for name, _, value in pairs}
    chosen = [override(item, changes) for item in get_scenarios(scenario)]
    results = []
    with console.show_steps(len(chosen) * len(RULES) + (plot is not None)) as steps:
        for item in chosen:
            results.append(run_scenario(item, seeds, steps.start, steps.done))
        if plot is not None:
            from zkmargin.scripts.cli.plots.cascade import plot_cascades

            steps.start("plot")
            plot_cascades(results, plot)
            steps.done()
    targets = [t for r in results if r.scenario.model == OCTOBER for t in compare_with_october(OCTOBER, r.outcome)]
    if as_json:
        console.print_json(to_document(results, targets, seeds, changes))
        return
    for result in results:
        console.out.print(make_result_table(result))
    if targets:
        console.out.print(make_target_table(targets))
    if plot is not None:
        console.err.print(f"plot written to {plot}")


def make_result_table(result: Result) -> console.WholeTable:
    """Figures by rule with the half width of their interval, paired differences with both ends of it."""
    rows = []
    for name, (key, factor, decimals) in SHOWN.items():

        def show(value: float, factor: float = factor, decimals: int = decimals) -> str:
            return f"{value * factor:,.{decimals}f}"

        cells = []
        for figures in result.figures.values():
            found = figures[key]
            cells.append(f"{show(found.mean)} ±{show((found.high - found.low) / 2)}")
        for figures in result.differences.values():
            found = figures[key]
            star = " *" if found.excludes_zero else ""
            cells.append(f"{show(found.mean)} [{show(found.low)}, {show(found.high)}]{star}")
        rows.append((name, *cells))
    title = f"{result.scenario.name}: {result.scenario.about} ({result.seeds} seeds)"
    columns = ("", *result.figures, *result.differences)
    return console.make_table(title, columns, rows, right=range(1, len(columns)))


def make_target_table(targets: list[Target]) -> console.WholeTable:
    """The calibration against what was reported, also where it misses."""
    rows = [
        (
            target.name,
            _show(target.low) if target.low == target.high else f"{_show(target.low)} to {_show(target.high)}",
            _show(target.tolerance),
            f"{_show(target.simulated.mean)} [{_show(target.simulated.low)}, {_show(target.simulated.high)}]",
            "met" if target.is_met else "MISSED",
        )
        for target in targets
    ]
    columns = ("", "reported", "tolerance", "simulated", "")
    return console.make_table("october without a buffer, against reports", columns, rows, right=(1, 2, 3))


def _show(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def to_document(results: list[Result], targets: list[Target], seeds: int, changes: dict[str, str]) -> dict[str, Any]:
    """Everything that the tables show, and the price quantiles."""
    from zkmargin.engine.simulation.experiment import PAIRS
    from zkmargin.engine.simulation.position_sizing import RULES

    def intervals(figures: dict[str, Interval]) -> dict[str, Any]:
        return {name: interval.to_document() for name, interval in figures.items()}

    return {
        "seeds": seeds,
        "level": 0.95,
        "changed": changes,
        "rules": list(RULES),
        "pairs": [" - ".join(pair) for pair in PAIRS],
        "scenarios": {
            result.scenario.name: {
                "about": result.scenario.about,
                "rules": {rule: intervals(figures) for rule, figures in result.figures.items()},
                "differences": {pair: intervals(figures) for pair, figures in result.differences.items()},
            }
            for result in results
        },
        "targets": [
            {
                "name": t.name,
                "reported": [t.low, t.high],
                "tolerance": t.tolerance,
                "simulated": t.simulated.to_document(),
                "met": t.is_met,
            }
            for t in targets
        ],
    }
