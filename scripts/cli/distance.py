"""`zkmargin distance`: how far the market must move until margin fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market, Portfolio

if TYPE_CHECKING:
    from zkmargin.engine.desk.distance import DistanceReport, LevelDistance, WorstDirection

FAR = "beyond four units"
"""What a table says where nothing that was looked at fails."""


def distance(
    portfolio: Portfolio,
    order: Annotated[
        list[str] | None, typer.Option(help="NAME:LOTS traded first, + buys and - sells; repeat or use commas.")
    ] = None,
    price: Annotated[list[str] | None, typer.Option(help="NAME:USD per coin of an order, instead of the mark.")] = None,
    market: Market = DEFAULT_MARKET,
    as_json: AsJson = False,
) -> None:
    """The moves of price and volatility at which maintenance and initial margin fail, coin by coin and at worst.

    A unit is a coin's price range, and 1.3 times or 1/1.3 of implied volatilities; up to four are looked at.

    Example: zkmargin distance --portfolio short_strangle --order "BTC-PERPETUAL:-5"
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.desk.orders import parse_orders
    from zkmargin.engine.house import House
    from zkmargin.engine.market.file import load_snapshot

    orders = parse_orders(order or (), price or ()) if order or price else ()
    found = House(load_snapshot(market)).distance(load_portfolio(portfolio), orders)
    if as_json:
        console.print_json(found.to_document())
        return
    for table in tabulate(found):
        console.out.print(table)


def tabulate(found: DistanceReport) -> Iterator[console.WholeTable]:
    """One table a level, maintenance first."""
    for level in reversed(found.levels):
        measured = found.levels[level]
        title = f"{found.portfolio}: where {level} fails" + ("" if measured.is_met else " (it does already)")
        columns = ("", "price falls", "to USD", "price rises", "to USD", "vol falls", "vol rises")
        yield console.make_table(title, columns, _list_coins(measured), right=range(1, 7))
        yield console.make_key_values("the direction that fails first", {level: describe_distance(measured.worst)})


def _list_coins(measured: LevelDistance) -> Iterator[tuple[str, ...]]:
    for coin, of_coin in measured.coins.items():
        yield (
            coin,
            _percent(of_coin.price_down),
            _usd(of_coin.price_down_usd),
            _percent(of_coin.price_up),
            _usd(of_coin.price_up_usd),
            _factor(of_coin.volatility_down),
            _factor(of_coin.volatility_up),
        )


def describe_distance(worst: WorstDirection | None) -> str:
    """The worst direction in words, with the move at which it fails."""
    if worst is None:
        return ""
    if worst.move is None:
        signs = [f"{coin} {'up' if sign > 0 else 'down'}" for coin, sign in worst.prices.items() if sign]
        signs += [f"vol {'up' if worst.volatility > 0 else 'down'}"] if worst.volatility else []
        return f"{FAR} ({', '.join(signs)})"
    parts = [f"{coin} {worst.move.prices[coin]:+.1%}" for coin, sign in worst.prices.items() if sign]
    if worst.volatility:
        parts.append(f"vol x{next(iter(worst.move.volatilities.values())):.2f}")
    return f"{worst.units:.2f} units: {', '.join(parts)}"


def _percent(move: float | None) -> str:
    return "-" if move is None else f"{move:+.1%}"


def _usd(price: float | None) -> str:
    return "" if price is None else f"{price:,.2f}"


def _factor(factor: float | None) -> str:
    return "-" if factor is None else f"x{factor:.2f}"
