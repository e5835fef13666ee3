"""`zkmargin demo`: the main job on a local chain."""

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.contracts.venue_keys import load_venue_keys, read_sizes
from zkmargin.prover.paths import BUILD
from zkmargin.scripts.cli import console
from zkmargin.scripts.demo.run import STEPS, make_report, run_demo, write_report
from zkmargin.scripts.demo.tables import render_report


def demo(
    preset: Annotated[str, typer.Option(help="Size of the statement: standard or mini.")] = "standard",
    rpc_url: Annotated[
        str | None, typer.Option(help="A running local development chain; by default an Anvil of our own.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the report is written.")] = BUILD / "demo/report.json",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of tables.")] = False,
):
    """The whole way at full size: a real market's risk epoch, hidden books built by private trades, refusals, recovery.

    Example: zkmargin demo --rpc-url http://127.0.0.1:8545
    """
    with console.show_steps(STEPS + 1) as steps:
        steps.start(f"loading keys of {preset}")
        keys = load_venue_keys(preset)
        steps.done()
        story = run_demo(keys, steps, rpc_url=rpc_url)
    report = make_report(story, read_sizes(preset))
    write_report(report, out)
    if as_json:
        console.print_json(report)
        return
    for table in render_report(report):
        console.out.print(table)
    console.out.print(f"report: {out}")
