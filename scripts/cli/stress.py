"""`zkmargin stress`: what a crash, a change of volatility, a loss of depth or a de-peg do to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Level, Market, Portfolio

if TYPE_CHECKING:
    from zkmargin.engine.margin.stress import Stress, StressReport


def stress(
    portfolio: Portfolio,
    market: Market = DEFAULT_MARKET,
    btc: Annotated[float, typer.Option(help="A stress of your own: relative price move of BTC.")] = 0.0,
    eth: Annotated[float, typer.Option(help="Relative price move of ETH.")] = 0.0,
    volatility: Annotated[float, typer.Option(help="Factor of every implied volatility.")] = 1.0,
    forecast: Annotated[
        float, typer.Option(help="Factor of the forecasts of daily volatility, besides what the moves do to them.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Equity and margin after stresses of the market, and both coins' worst losses put together.

    Example: zkmargin stress --portfolio market_maker --btc -0.2 --eth -0.25 --volatility 1.3
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.house import House
    from zkmargin.engine.margin.stress import STRESSES, Stress
    from zkmargin.engine.market.file import load_snapshot

    own = Stress("yours", btc=btc, eth=eth, volatility=volatility, forecast=forecast)
    asked = (*STRESSES, own) if own != Stress("yours") else STRESSES
    report = House(load_snapshot(market)).stress(load_portfolio(portfolio), asked)
    if as_json:
        console.print_json(report.to_document())
        return
    console.out.print(_tabulate_stresses(report))
    console.out.print(_tabulate_joint(report))


def _describe(of: Stress) -> str:
    parts = [f"{coin} {move:+.0%}" for coin, move in (("BTC", of.btc), ("ETH", of.eth)) if move]
    parts += [f"vol x{of.volatility:g}"] if of.volatility != 1.0 else []
    parts += [f"forecast x{of.forecast:g}"] if of.forecast != 1.0 else []
    parts += [f"depth x{of.depth:g}"] if of.depth != 1.0 else []
    parts += [f"token {of.token:+.0%}"] if of.token else []
    return ", ".join(parts)


def _tabulate_stresses(report: StressReport) -> console.WholeTable:
    rows = []
    for result in (report.before, *report.results):
        missing = [level for level in Level if not result.is_met[level]]
        verdict = "insolvent" if not result.is_solvent else f"breaches {missing[-1]}" if missing else "met"
        rows.append(
            (
                result.stress.name,
                _describe(result.stress),
                f"{result.pnl:,.2f}",
                f"{result.equity:,.2f}",
                " ".join(f"{value:.1%}" for value in result.daily_volatility.values())
                + f" {result.contagion_multiplier:.2f}",
                *(f"{result.requirement[level]:,.2f}" for level in Level),
                f"{result.buffer:,.2f}",
                verdict,
            )
        )
    columns = ("stress", "move", "P&L", "equity", "forecast, theta", *Level, "buffer in initial", "requirement")
    return console.make_table(f"{report.portfolio} after a stress, US dollars", columns, rows, right=range(2, 8))


def _tabulate_joint(report: StressReport) -> console.WholeTable:
    joint = report.joint
    rows = [
        ("correlation one: worst cells of one sign, added", f"{joint.correlation_one:,.2f}"),
        ("correlation zero: worst cells apart, added", f"{joint.correlation_zero:,.2f}"),
        ("the rule's loss, netted", f"{joint.house:,.2f}"),
        *((f"the grid asks, {level}", f"{joint.requirement[level]:,.2f}") for level in Level),
    ]
    return console.make_table("Both coins' grids together, US dollars", ("", "loss"), rows, right=(1,))
