"""`zkmargin demo`: the main job on a local chain."""

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.prover.paths import BUILD
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson, PresetName


def demo(
    preset: Annotated[PresetName, typer.Option(help="Size of the statement.")] = PresetName.STANDARD,
    rpc_url: Annotated[
        str | None,
        typer.Option(
            help="A running development chain, put back to its block and clock; by default an Anvil of our own."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the report goes, by default build/demo/report.json, or default.json there."),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Instead: accounts that fall silent, and the publishers after them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The whole way at full size: a real market's risk epoch, hidden books built by private trades, refusals, recovery.

    Example: zkmargin demo --rpc-url http://127.0.0.1:8545
    """
    from zkmargin.contracts.venue_keys import load_venue_keys, read_sizes
    from zkmargin.scripts.cli.inputs import make_folder, require_writable
    from zkmargin.scripts.demo.default import STEPS as DEFAULT_STEPS
    from zkmargin.scripts.demo.default import run_default
    from zkmargin.scripts.demo.run import STEPS, make_report, run_demo, write_report
    from zkmargin.scripts.demo.tables import render_default, render_report

    if default and rpc_url:
        raise typer.BadParameter("--default has a chain of its own: it takes no --rpc-url")
    target = out or make_folder(BUILD / "demo") / ("default.json" if default else "report.json")
    require_writable(target)
    with console.show_steps((DEFAULT_STEPS if default else STEPS) + 1) as steps:
        steps.start(f"loading keys of {preset.value}")
        keys = load_venue_keys(preset.value)
        steps.done()
        if default:
            report = run_default(keys, steps)
            tables = render_default(report)
        else:
            report = make_report(run_demo(keys, steps, rpc_url=rpc_url), read_sizes(preset.value))
            tables = render_report(report)
    write_report(report, target)
    if as_json:
        console.print_json(report)
        return
    for table in tables:
        console.out.print(table)
    console.out.print(f"report: {target}")
