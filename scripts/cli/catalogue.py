"""`zkmargin list` and `zkmargin new`: what is shipped, what a market lists, and files to begin with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market, MarketPreset

list_app = typer.Typer(help="Shipped markets and portfolios, and the instruments of a market.", no_args_is_help=True)
new_app = typer.Typer(help="Files to begin with, to be edited.", no_args_is_help=True)

OutFile = Annotated[Path, typer.Option(help="New file.")]


def format_time(moment: int) -> str:
    """Unix seconds as UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


@list_app.command("markets")
def list_markets(as_json: AsJson = False) -> None:
    """The market snapshots that ship with the package.

    Example: zkmargin list markets
    """
    from zkmargin.engine.files import list_shipped
    from zkmargin.engine.market.file import DATA, load_snapshot

    documents: list[dict[str, Any]] = [
        {
            "name": name,
            "time": snapshot.time,
            "preset": snapshot.listing.preset.name,
            "instruments": len(snapshot.listing.by_name),
            "index": {coin.value: price for coin, price in snapshot.index.items()},
            "source": snapshot.source,
        }
        for name in list_shipped(DATA)
        for snapshot in [load_snapshot(name)]
    ]
    if as_json:
        console.print_json(documents)
        return
    columns = ("name", "time, UTC", "preset", "instruments", "index, USD", "source")
    rows = [
        (
            item["name"],
            format_time(item["time"]),
            item["preset"],
            item["instruments"],
            ", ".join(f"{coin} {price:,.2f}" for coin, price in item["index"].items()),
            item["source"],
        )
        for item in documents
    ]
    console.out.print(console.make_table("Markets", columns, rows, right=(3,)))


@list_app.command("portfolios")
def list_portfolios(as_json: AsJson = False) -> None:
    """The example portfolios that ship with the package.

    Example: zkmargin list portfolios
    """
    from zkmargin.engine.account import PORTFOLIOS, load_portfolio
    from zkmargin.engine.files import list_shipped

    books = [(name, load_portfolio(name)) for name in list_shipped(PORTFOLIOS)]
    if as_json:
        console.print_json([{"name": name, **json.loads(book.to_json())} for name, book in books])
        return
    rows = [(name, len(book.positions), f"{book.cash / 10**6:,.2f}") for name, book in books]
    columns = ("name", "instruments held", "cash, USD")
    console.out.print(console.make_table("Portfolios", columns, rows, right=(1, 2)))


@list_app.command("instruments")
def list_instruments(market: Market = DEFAULT_MARKET, preset: MarketPreset = None, as_json: AsJson = False) -> None:
    """The instruments of a market: slot, coins per lot, expiry, strike, mark.

    Example: zkmargin list instruments --market deribit_2026-08-22 --preset mini
    """
    from zkmargin.engine.house import House
    from zkmargin.scripts.cli.inputs import load_market

    snapshot = load_market(market, preset)
    marks = House(snapshot).marks
    documents: list[dict[str, Any]] = [
        {
            "name": item.name,
            "slot": item.slot,
            "kind": item.kind.value,
            "coins_per_lot": item.lot_size,
            "expiry": item.expiry,
            "strike": item.strike,
            "mark_usd6_per_lot": int(marks[item.slot]),
        }
        for item in snapshot.listing.by_name.values()
    ]
    if as_json:
        console.print_json({"market": market, "time": snapshot.time, "instruments": documents})
        return
    rows = [
        (
            item["name"],
            item["slot"],
            item["kind"],
            f"{item['coins_per_lot']:g}",
            format_time(item["expiry"]) if item["expiry"] else "",
            f"{item['strike']:,.2f}" if item["strike"] else "",
            f"{item['mark_usd6_per_lot'] / 10**6:,.6f}",
        )
        for item in documents
    ]
    columns = ("name", "slot", "kind", "coins per lot", "expiry, UTC", "strike, USD", "mark, USD per lot")
    title = f"{market} at {format_time(snapshot.time)} UTC, {snapshot.listing.preset.name}"
    console.out.print(console.make_table(title, columns, rows, right=(1, 3, 5, 6)))


def _write_new(out: Path, text: str, as_json: bool) -> None:
    from zkmargin.engine.files import write_whole
    from zkmargin.scripts.cli.inputs import NotWritable, require_writable

    require_writable(out)
    try:
        write_whole(out, text, may_replace=False)
    except FileExistsError:
        raise NotWritable(out, "it exists") from None
    if as_json:
        console.print_json({"written": str(out)})
    else:
        console.out.print(f"written: {out}")


@new_app.command("portfolio")
def new_portfolio(
    out: OutFile,
    name: Annotated[str, typer.Option(help="What it is called.")] = "my portfolio",
    position: Annotated[list[str], typer.Option(help="NAME:LOTS; repeat or use commas.")] = (),  # type: ignore[assignment]
    cash: Annotated[str, typer.Option(help="US dollars.")] = "100000",
    as_json: AsJson = False,
) -> None:
    """Write a portfolio file.

    Example: zkmargin new portfolio --out book.json --position BTC-PERPETUAL:-3 --cash 50000
    """
    from zkmargin.engine.account import Portfolio
    from zkmargin.engine.units import usd
    from zkmargin.scripts.cli.account_actions import parse_lots

    _write_new(out, Portfolio(name, parse_lots(position), usd(cash)).to_json(), as_json)


@new_app.command("market")
def new_market(out: OutFile, market: Market = DEFAULT_MARKET, as_json: AsJson = False) -> None:
    """Write a copy of a market file, to be edited: change its source too, which publishers sign.

    Example: zkmargin new market --out market.json
    """
    from zkmargin.engine.errors import UnknownName
    from zkmargin.engine.files import find_shipped, list_shipped, read_text
    from zkmargin.engine.market.file import DATA, load_snapshot

    path = find_shipped(market, DATA)
    if path is None:
        raise UnknownName("market (neither a shipped name nor a file)", market, list_shipped(DATA))
    load_snapshot(market)
    _write_new(out, read_text(path), as_json)


@new_app.command("package")
def new_package(
    out: Annotated[Path, typer.Option(help="New folder.")],
    deployment: Annotated[list[Path], typer.Option(help="deployment.json to put in; repeat for other chains.")] = (),  # type: ignore[assignment]
    as_json: AsJson = False,
) -> None:
    """Write the contracts as an npm package and Foundry dependency, with ABIs and addresses.

    Example: zkmargin new package --deployment deployment.json --out contracts-package
    """
    from zkmargin.contracts.compile import compile_contracts
    from zkmargin.contracts.deployment import Deployment
    from zkmargin.contracts.package import write_package
    from zkmargin.scripts.cli.inputs import NotWritable, require_writable

    require_writable(out)
    if out.exists():
        raise NotWritable(out, "it exists")
    deployments = [Deployment.load(path) for path in deployment]
    with console.show_steps(1) as steps:
        steps.start("compile")
        artifacts = compile_contracts()
        steps.done()
    write_package(out, artifacts, deployments)
    if as_json:
        console.print_json({"written": str(out)})
    else:
        console.out.print(f"written: {out}")
