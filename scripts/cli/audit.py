"""`zkmargin audit`: everything that publishers signed and accounts proved, recomputed from a chain."""

from pathlib import Path
from typing import Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, RpcUrl

DISAGREES = 3
"""Exit code of an audit that found a disagreement; 1 is an audit that could not be made."""


def audit(
    deployment: DeploymentFile,
    rpc_url: RpcUrl,
    keys: Annotated[
        list[Path], typer.Option(help="Folder with transition.vkey.json and open.vkey.json; repeat for more versions.")
    ],
    epochs: Annotated[
        Path | None, typer.Option(help="Folder with bytes that publishers serve (snapshots, policies), by any name.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Go on from this file, and write into it where the audit came to.")
    ] = None,
    proofs: Annotated[
        int | None, typer.Option(min=0, help="Verify only so many of each key's latest proofs; all by default.")
    ] = None,
    max_lag: Annotated[
        int, typer.Option(min=0, help="Seconds by which an epoch may be later than its snapshot; more for a replay.")
    ] = 60,
    html: Annotated[Path | None, typer.Option(help="Also write the report as a page.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute a venue from its chain: epochs, policies, points, proofs, signatures, books; say what was not checked.

    Ends with 0 if nothing disagrees, 3 if something does, 1 if the audit could not be made.

    Example: zkmargin audit --deployment deployment.json --rpc-url http://127.0.0.1:8545 --keys build/mini
    """
    from zkmargin.audit.run import Scope
    from zkmargin.audit.run import audit as run_audit
    from zkmargin.contracts.chain import Chain
    from zkmargin.contracts.deployment import Deployment
    from zkmargin.contracts.venue import Contracts

    record = Deployment.load(deployment)
    contracts = Contracts(Chain(rpc_url), record)
    scope = Scope(keys, epochs, checkpoint, proofs, max_lag)
    report = run_audit(contracts, scope, lambda text: console.err.print(f"  {text}"))
    if html is not None:
        html.write_text(report.to_html(), encoding="utf-8")
    if as_json:
        console.print_json(report.to_document())
    else:
        rows = [
            (name, tally.checked, "; ".join(f"{number} {why}" for why, number in tally.skipped.items()))
            for name, tally in report.tallies.items()
        ]
        title = f"Audit of chain {report.chain_id}, blocks {report.first_block} to {report.last_block}"
        console.out.print(console.make_table(title, ("check", "checked", "not checked, and why"), rows, right=(1,)))
        for item in sorted(report.disagreements, key=lambda item: item.place):
            console.out.print(f"{item.check}: {item}")
        first = report.first
        verdict = (
            "Nothing disagrees." if first is None else f"{len(report.disagreements)} disagree; first: {first.place}"
        )
        console.out.print(verdict)
    if not report.agrees:
        raise typer.Exit(DISAGREES)
