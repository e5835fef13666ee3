"""`zkmargin whatif`: what an order would do to an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, NO_PRICES, AsJson, Market, Portfolio, Prices

if TYPE_CHECKING:
    from zkmargin.engine.desk.whatif import PricedOrder, WhatIf


def whatif(
    portfolio: Portfolio,
    order: Annotated[list[str], typer.Option(help="NAME:LOTS, whole lots, + buys and - sells; repeat or use commas.")],
    price: Prices = NO_PRICES,
    market: Market = DEFAULT_MARKET,
    as_json: AsJson = False,
) -> None:
    """What orders would change: equity, both requirements, contagion buffer, worst scenarios, and whether it passes.

    Example: zkmargin whatif --portfolio market_maker --order "BTC-25DEC26-80000-C:+10" --order "BTC-PERPETUAL:-5"
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.desk.orders import parse_orders
    from zkmargin.engine.house import House
    from zkmargin.engine.market.file import load_snapshot

    house = House(load_snapshot(market))
    found = house.whatif(load_portfolio(portfolio), parse_orders(order, price), with_distance=True)
    if as_json:
        console.print_json(found.to_document())
        return
    console.out.print(tabulate_orders("Orders", found.orders))
    console.out.print(_tabulate(found))
    if found.trades > 1:
        console.out.print(f"{len(found.orders)} instruments need {found.trades} trades, each of which must pass alone.")


def tabulate_orders(title: str, orders: tuple[PricedOrder, ...]) -> console.WholeTable:
    """Orders with units and cash."""
    rows = [
        (
            order.name,
            f"{order.lots:+,}",
            f"{order.lots * order.coins_per_lot:+,.6g}",
            f"{order.price:,.2f}",
            f"{order.mark:,.2f}",
            f"{order.cash:,.2f}",
        )
        for order in orders
    ]
    columns = ("instrument", "lots", "coins", "USD per coin", "mark", "USD paid")
    return console.make_table(title, columns, rows, right=(1, 2, 3, 4, 5))


def _tabulate(found: WhatIf) -> console.WholeTable:
    from zkmargin.engine.desk.whatif import AMOUNTS
    from zkmargin.scripts.cli.distance import describe_distance

    names = dict(zip(AMOUNTS, (
        "equity", "initial requirement", "maintenance requirement", "  contagion buffer, in the initial one",
        "excess over initial", "excess over maintenance",
    ), strict=True))  # fmt: skip
    rows = [
        (names[key], *(f"{getattr(side, key):,.2f}" for side in (found.before, found.after)), f"{change:+,.2f}")
        for key, change in found.change.items()
    ]
    for level in found.before.verdicts:
        verdicts = (side.verdicts[level].describe() for side in (found.before, found.after))
        rows.append((f"{level} can be proved", *verdicts, ""))
    rows.append(("distance to maintenance", *map(describe_distance, (found.before.distance, found.after.distance)), ""))
    rows.append(("binding rule", found.before.binding, found.after.binding, ""))
    for coin in found.before.worst:
        rows.append((f"worst {coin} scenario", found.before.worst[coin], found.after.worst[coin], ""))
    return console.make_table(
        f"{found.portfolio}, US dollars", ("", "before", "after", "change"), rows, right=(1, 2, 3)
    )
