"""`zkmargin margin`: what a portfolio needs, without any chain."""

from typing import Annotated

import typer

from zkmargin.engine.account import load_portfolio
from zkmargin.engine.house import House
from zkmargin.engine.margin.report import render
from zkmargin.engine.market.snapshot import load_snapshot
from zkmargin.scripts.cli import console


def margin(
    portfolio: Annotated[str, typer.Option(help="A shipped portfolio's name, or the path of a JSON file.")],
    market: Annotated[
        str, typer.Option(help="A shipped market's name, or the path of a JSON file.")
    ] = "deribit_2026-08-22",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
):
    """Margin of a portfolio: requirement, worst scenario, contributions, and what it would be without netting.

    Example: zkmargin margin --portfolio market_maker --market deribit_2026-08-22
    """
    report = House(load_snapshot(market)).report(load_portfolio(portfolio))
    if as_json:
        console.print_json(report.to_document())
    else:
        console.out.print(render(report))
