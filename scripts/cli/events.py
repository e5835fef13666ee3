"""`zkmargin events`: what a deployment's contracts said."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.connection import connect_contracts
from zkmargin.scripts.cli.options import AsJson, DeploymentFile, RpcUrl

if TYPE_CHECKING:
    from zkmargin.venue.events import VenueEvent


def events(
    deployment: DeploymentFile = Path("deployment.json"),
    rpc_url: RpcUrl = "http://127.0.0.1:8545",
    first_block: Annotated[
        int | None, typer.Option(help="Where to begin; by default where the deployment begins.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until Ctrl-C.")] = False,
    seconds: Annotated[float, typer.Option(help="Between two questions to the node.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Every event of a deployment in the chain's order; with --json one object a line.

    Example: zkmargin events --deployment deployment.json --follow
    """
    from zkmargin.venue.events import EventReader

    contracts = connect_contracts(rpc_url, deployment)
    start = contracts.deployment.first_block if first_block is None else first_block
    reader = EventReader(contracts)
    while True:
        last = contracts.chain.get_block("latest").number
        if last >= start:
            for event in reader.read(start, last):
                _print(event, as_json)
            sys.stdout.flush()
            start = last + 1
        if not follow:
            return
        time.sleep(seconds)


def _print(event: VenueEvent, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(event.to_document(), ensure_ascii=False) + "\n")
        return
    fields = ", ".join(f"{name}={_shorten(value)}" for name, value in event.fields.items())
    console.out.print(f"{event.block}  {event.contract}.{event.name}  {fields}", soft_wrap=True)


def _shorten(value: object) -> str:
    """A value on one line; bytes of more than 64 hexadecimal digits by their number."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
    return f"({(len(text) - 2) // 2} bytes)" if text.startswith("0x") and len(text) > 66 else text
