"""`zkmargin size`: the largest order of a direction that passes."""

from typing import Annotated

import typer

from zkmargin.engine.account import load_portfolio
from zkmargin.engine.desk.orders import parse_orders
from zkmargin.engine.desk.sizing import Sizing
from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import load_snapshot
from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.whatif import tabulate_orders


def size(
    portfolio: Annotated[str, typer.Option(help="A shipped portfolio's name, or the path of a JSON file.")],
    direction: Annotated[list[str], typer.Option(help="One multiple: NAME:LOTS with commas, + buys and - sells.")],
    price: Annotated[
        list[str], typer.Option(help="NAME:USD, US dollars per coin, instead of the mark; repeat or use commas.")
    ] = (),
    policy: Annotated[str, typer.Option(help="initial, maintenance, withdraw or net_delta.")] = "initial",
    market: Annotated[
        str, typer.Option(help="A shipped market's name, or the path of a JSON file.")
    ] = "deribit_2026-08-22",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
):
    """The largest whole multiple of a direction that the policy accepts, and what stops the next one.

    Example: zkmargin size --portfolio market_maker --direction "BTC-PERPETUAL:+1,ETH-PERPETUAL:-2"
    """
    house = House(load_snapshot(market))
    found = house.largest(load_portfolio(portfolio), parse_orders(direction, price), policy)
    if as_json:
        console.print_json(found.to_document())
        return
    console.out.print(tabulate_orders("One multiple", found.direction))
    console.out.print(console.make_key_values(f"{found.portfolio}: largest order that passes {policy}", _say(found)))


def _say(found: Sizing) -> dict[str, object]:
    if found.largest < 0:
        shown: dict[str, object] = {"largest multiple": "none, and the account does not pass as it is"}
        place = "as it is"
    else:
        shown = {"largest multiple": f"{found.largest:,}"}
        shown |= {order.name: f"{found.largest * order.lots:+,} lots" for order in found.direction}
        shown["excess over initial there, USD"] = f"{found.margin_excess:,.2f}"
        place = "one multiple further" if found.limit == "policy" else "there"
    if not found.passes_now and found.largest >= 0:
        shown["passes as it is"] = "no, only after the order"
    if found.limit == "range":
        shown["limit"] = "range of lots or cash in one trade"
    else:
        shown[f"{place}, failing"] = "; ".join(found.rows)
        shown[f"{place}, missing"] = f"{found.missing:,.6f}"
    shown[f"{place}, binding rule"] = found.binding
    return shown | {f"{place}, worst {coin} scenario": label for coin, label in found.worst.items()}
