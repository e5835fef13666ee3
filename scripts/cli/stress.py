"""`zkmargin stress`: what a crash, a change of volatility, a loss of depth or a de-peg do to an account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Level, Market, Portfolio

if TYPE_CHECKING:
    from zkmargin.engine.margin.stress import Stress, StressReport
    from zkmargin.engine.presets import Coin

NO_MOVES: list[str] = []
"""No coin moves; never changed."""


def stress(
    portfolio: Portfolio,
    market: Market = DEFAULT_MARKET,
    move: Annotated[
        list[str],
        typer.Option(help="A stress of your own: COIN:MOVE, relative, such as BTC:-0.2; repeat or use commas."),
    ] = NO_MOVES,
    others: Annotated[float, typer.Option(help="Relative price move of every other coin.")] = 0.0,
    volatility: Annotated[float, typer.Option(help="Factor of every implied volatility.")] = 1.0,
    forecast: Annotated[
        float, typer.Option(help="Factor of the forecasts of daily volatility, besides what the moves do to them.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Equity and margin after stresses of the market, and both coins' worst losses put together.

    Example: zkmargin stress --portfolio market_maker --move BTC:-0.2,ETH:-0.25 --volatility 1.3
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.house import House
    from zkmargin.engine.margin.stress import STRESSES, Stress
    from zkmargin.engine.market.file import load_snapshot

    own = Stress("yours", parse_moves(move), others, volatility=volatility, forecast=forecast)
    asked = (*STRESSES, own) if own != Stress("yours") else STRESSES
    report = House(load_snapshot(market)).stress(load_portfolio(portfolio), asked)
    if as_json:
        console.print_json(report.to_document())
        return
    console.out.print(_tabulate_stresses(report))
    console.out.print(_tabulate_joint(report))


def parse_moves(texts: Sequence[str]) -> dict[Coin, float]:
    """Relative moves by coin of COIN:MOVE, several in one text with commas.

    Raises
    ------
    WrongKind, OutOfRange
        If a text has another form, or a move is no number.
    DuplicateName
        If a coin moves twice.
    UnknownName
        If it is no coin.
    """
    from zkmargin.engine.desk.orders import parse_named
    from zkmargin.engine.errors import OutOfRange
    from zkmargin.engine.presets import require_coin

    def read(name: str, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise OutOfRange(f"move of {name}", text, -0.95, 10.0) from None

    pairs = parse_named("move", "COIN:MOVE, such as BTC:-0.2", texts, read)
    return {require_coin("coin", name): move for name, move in pairs.items()}


def _describe(of: Stress, coins: Collection[Coin]) -> str:
    moves = of.get_moves(coins)
    parts = [f"{coin} {move:+.0%}" for coin, move in moves.items() if move]
    if len(coins) > 1 and len(set(moves.values())) == 1 and parts:
        parts = [f"every coin {next(iter(moves.values())):+.0%}"]
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
                _describe(result.stress, result.daily_volatility),
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
