"""`zkmargin hedge`: the cheapest trades that restore the requirement, or that free margin."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Level, Market, Portfolio

if TYPE_CHECKING:
    from zkmargin.engine.desk.hedge_result import Hedge


class HedgeTarget(StrEnum):
    """What a hedge is for (`engine.desk.hedge_result.Target`)."""

    REQUIREMENT = "requirement"
    MINIMISE = "minimise"


NOTES = {
    "found, but cannot be traded": "Each trade has four legs and must leave the account with its initial margin: no "
    "order of these trades does. Pay in first, or hedge before the margin is used.",
    "undecided": "The solver gave no answer in time: give it more with --seconds.",
}
"""What a person should know of an outcome."""

LIQUIDITY_SHARE, SECONDS, MOST_SECONDS = 0.1, 10.0, 600.0
"""The engine's defaults and its largest time limit."""


def hedge(
    portfolio: Portfolio,
    target: Annotated[
        HedgeTarget, typer.Option(help="Meet the requirement at least cost, or minimise requirement plus cost.")
    ] = HedgeTarget.REQUIREMENT,
    level: Annotated[Level, typer.Option(help="The requirement that is met.")] = Level.INITIAL,
    max_cost: Annotated[float | None, typer.Option(help="Largest cost against the marks, US dollars.")] = None,
    withdraw: Annotated[float, typer.Option(help="US dollars that the account first pays out.")] = 0.0,
    liquidity: Annotated[
        float, typer.Option(help="Share of the day's volume, open interest and depth that may be taken.")
    ] = LIQUIDITY_SHARE,
    milp: Annotated[bool, typer.Option("--milp", help="Also search over whole lots and take the better.")] = False,
    seconds: Annotated[float, typer.Option(help=f"Time limit of the answer, at most {MOST_SECONDS:g}.")] = SECONDS,
    market: Market = DEFAULT_MARKET,
    as_json: AsJson = False,
) -> None:
    """Trades at bid and ask, within the market's liquidity, after which the account meets its requirement.

    A linear programme gives real lots and a bound on the cost; whole lots are then checked by the exact policy.

    Example: zkmargin hedge --portfolio short_strangle --withdraw 300000 --max-cost 2000
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.desk.hedge_result import Target
    from zkmargin.engine.desk.orders import pay_out
    from zkmargin.engine.house import House
    from zkmargin.engine.market.file import load_observations, load_snapshot

    house = House(load_snapshot(market))
    held = pay_out(load_portfolio(portfolio), withdraw)
    quotes = house.liquidity(load_observations(market), liquidity)
    with console.show_steps(1) if milp else nullcontext() as steps:
        if steps is not None:
            steps.start(f"at most {seconds:g} s")
        found = house.hedge(
            held,
            quotes,
            target=Target(target.value),
            level=level.value,
            max_cost=max_cost,
            whole_lots=milp,
            seconds=seconds,
        )
    if as_json:
        console.print_json(found.to_document())
        return
    if found.trades:
        console.out.print(_tabulate(found))
    console.out.print(console.make_key_values(f"{found.portfolio}, US dollars: {found.outcome}", _say(found)))
    if note := NOTES.get(found.outcome.value):
        console.out.print(note)


def _tabulate(found: Hedge) -> console.WholeTable:
    rows = [
        (
            trade.name,
            trade.trade,
            f"{trade.lots:+,}",
            f"{trade.cap:,}",
            f"{trade.price:,.2f}",
            f"{trade.mark:,.2f}",
            f"{trade.cost:,.2f}",
        )
        for trade in found.trades
    ]
    columns = ("instrument", "trade", "lots", "most lots", "USD per coin", "mark", "cost, USD")
    return console.make_table(
        f"Trades ({found.needed_trades} of up to four legs)", columns, rows, right=(1, 2, 3, 4, 5, 6)
    )


def _say(found: Hedge) -> dict[str, object]:
    shown: dict[str, object] = {
        "cost against the marks": f"{found.cost:,.2f}",
        f"{found.policy} requirement before, after": f"{found.requirement_before:,.2f}, {found.requirement_after:,.2f}",
        "excess before, after": f"{found.margin_excess_before:,.2f}, {found.margin_excess_after:,.2f}",
    }
    if found.rounding_loss is not None:
        what = "requirement plus cost" if found.target.value == HedgeTarget.MINIMISE.value else "cost"
        shown[f"{what}: real lots, whole lots"] = f"{found.bound:,.2f}, {found.objective:,.2f} ({found.method})"
        shown["lost to rounding"] = f"{found.rounding_loss:,.2f}"
    if found.gap is not None:
        shown["gap of the search over whole lots"] = f"{found.gap:.2%}"
    shown["can be proved"] = found.verdict.describe()
    return shown
