"""`zkmargin size`: the largest order of a direction that passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, NO_PRICES, AsJson, Market, PolicyName, Portfolio, Prices
from zkmargin.scripts.cli.whatif import tabulate_orders

if TYPE_CHECKING:
    from zkmargin.engine.desk.sizing import Sizing

REQUIREMENT = "the margin requirement"
FAILING = {
    "sum of the groups": REQUIREMENT,
    "scenario of a group": REQUIREMENT,
    "expected shortfall scenario": REQUIREMENT,
    "expected shortfall": REQUIREMENT,
}
"""What a trader calls a row of the policy; the others are called as they are."""


def size(
    portfolio: Portfolio,
    direction: Annotated[list[str], typer.Option(help="One multiple: NAME:LOTS with commas, + buys and - sells.")],
    price: Prices = NO_PRICES,
    policy: Annotated[PolicyName, typer.Option(help="What must accept.")] = PolicyName.INITIAL,
    market: Market = DEFAULT_MARKET,
    as_json: AsJson = False,
) -> None:
    """The largest whole multiple of a direction that the policy accepts, and what stops the next one.

    Example: zkmargin size --portfolio market_maker --direction "BTC-PERPETUAL:+1,ETH-PERPETUAL:-2"
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.desk.orders import parse_orders
    from zkmargin.engine.house import House
    from zkmargin.engine.market.file import load_snapshot

    house = House(load_snapshot(market))
    found = house.largest(load_portfolio(portfolio), parse_orders(direction, price), policy.value, with_distance=True)
    if as_json:
        console.print_json(found.to_document())
        return
    console.out.print(tabulate_orders("One multiple", found.direction))
    console.out.print(
        console.make_key_values(f"{found.portfolio}: largest order that passes {policy.value}", _say(found))
    )


def _say(found: Sizing) -> dict[str, object]:
    from zkmargin.scripts.cli.distance import describe_distance

    if found.largest < 0:
        shown: dict[str, object] = {"largest multiple": "none, and the account does not pass as it is"}
        place = "as it is"
    else:
        shown = {"largest multiple": f"{found.largest:,}"}
        shown |= {order.name: f"{found.largest * order.lots:+,} lots" for order in found.direction}
        shown["excess over initial there, USD"] = f"{found.margin_excess:,.2f}"
        shown["distance to maintenance there"] = describe_distance(found.distance)
        place = "one multiple further" if found.limit == "policy" else "there"
    if not found.passes_now and found.largest >= 0:
        shown["passes as it is"] = "no, only after the order"
    if found.limit == "range":
        shown["limit"] = "range of lots or cash in one trade"
    else:
        failing = (text.partition(": ")[2] for text in found.rows)
        shown[f"{place}, failing"] = "; ".join(dict.fromkeys(FAILING.get(text, text) for text in failing))
        shown[f"{place}, missing"] = f"{found.missing:,.6f}"
    shown[f"{place}, binding rule"] = found.binding
    return shown | {f"{place}, worst {coin} scenario": label for coin, label in found.worst.items()}
