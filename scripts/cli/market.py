"""`zkmargin market`: a market file from an options chain of one's own, or of Deribit's public API."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson

if TYPE_CHECKING:
    from zkmargin.scripts.derive.snapshot import Facts

app = typer.Typer(help="Market files from options chains.", no_args_is_help=True)


class Layout(StrEnum):
    """How a chain is written (`scripts.derive.readers.READERS`)."""

    COLLECTOR = "collector"
    TICKERS = "tickers"
    BOOKS = "books"
    API = "api"


@app.command("fetch")
def fetch(
    out: Annotated[Path, typer.Option(help="File to write, which `market import --layout api` reads.")],
    as_json: AsJson = False,
) -> None:
    """Ask Deribit's public API for the options, futures and perpetuals of every coin.

    Example: zkmargin market fetch --out chain.json
    """
    import httpx

    from zkmargin.engine.files import write_whole
    from zkmargin.scripts.cli.inputs import require_writable
    from zkmargin.scripts.derive.deribit import DeribitClient, write_responses

    require_writable(out)
    with httpx.Client(timeout=20) as client:
        responses = DeribitClient(client).fetch()
    write_whole(out, write_responses(responses))
    _say(out, {"responses": len(responses)}, as_json)


@app.command("import")
def import_market(
    chain: Annotated[list[Path], typer.Option(help="File of the chain; repeat for several of one moment.")],
    source: Annotated[str, typer.Option(help="Where it comes from, in words; publishers sign it.")],
    closes: Annotated[
        list[str], typer.Option(help="COIN:FILE, a CSV with date and close, oldest first, for the daily volatility.")
    ],
    out: Annotated[Path, typer.Option(help="Market file to write.")],
    layout: Annotated[Layout, typer.Option(help="How the chain is written.")] = Layout.API,
    crowding: Annotated[str, typer.Option(help="Market whose crowding and multiplier are taken.")] = DEFAULT_MARKET,
    span: Annotated[float, typer.Option(help="Longest time between two rows, seconds.")] = 300.0,
    after: Annotated[
        str | None, typer.Option(help="The market before: what it lists keeps its slots; what expired is followed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the market file of a chain: listing, prices, and the daily volatility of your closes.

    Example: zkmargin market import --chain chain.json --source "Deribit's API" --closes BTC:btc.csv
    --closes ETH:eth.csv --out market.json
    """
    from datetime import UTC, datetime

    from zkmargin.engine.files import write_whole
    from zkmargin.engine.market.file import dump_document, load_snapshot, parse_market
    from zkmargin.engine.presets import get_preset
    from zkmargin.engine.units import require_in_range
    from zkmargin.scripts.cli.inputs import require_writable
    from zkmargin.scripts.derive.chain import MAX_SPAN_SECONDS, merge_chains
    from zkmargin.scripts.derive.readers import READERS
    from zkmargin.scripts.derive.snapshot import derive_document

    require_writable(out, *chain, *(text.partition(":")[2] for text in closes), after, suffix=".json")
    facts = make_facts(closes, crowding)
    read = merge_chains([READERS[layout.value](path) for path in chain])
    read = read.require_span(require_in_range("span in seconds", span, 0.0, MAX_SPAN_SECONDS))
    day = datetime.fromtimestamp(read.time, UTC).date()
    listing = load_snapshot(after).listing if after else None
    text = dump_document(derive_document(read, source, day, get_preset("standard"), facts, after=listing))
    snapshot = parse_market(text, source=out.name)
    write_whole(out, text)
    document = {
        "time": snapshot.time,
        "instruments": int(snapshot.listing.is_listed.sum()),
        "listing_version": snapshot.listing.generation,
        "snapshot_hash": "0x" + snapshot.hash.hex(),
        "daily_volatility": facts.daily_volatility,
        "crowding_of": crowding,
    }
    _say(out, document, as_json)


def make_facts(closes: list[str], crowding: str) -> Facts:
    """What a chain does not quote: the daily volatility of closes, and the crowding of another market.

    Raises
    ------
    UnknownName
        If a coin is none, or the market is not shipped.
    MalformedFile
        If a file of closes has a bad row, or too few.
    """
    from zkmargin.engine.market.file import CrowdingRow, load_snapshot
    from zkmargin.scripts.derive.closes import read_daily_volatility
    from zkmargin.scripts.derive.snapshot import Facts

    market = load_snapshot(crowding)
    names = ("ladder_down", "ladder_up", "depth_down", "depth_up", "impact")
    return Facts(
        daily_volatility=read_daily_volatility(closes),
        crowding={
            coin.value: CrowdingRow(**{name: getattr(row, name) for name in names})
            for coin, row in market.crowding.items()
        },
        contagion_multiplier=market.contagion_multiplier,
        departures=[f"crowding and contagion multiplier are those of {crowding}"],
    )


def _say(out: Path, document: dict[str, object], as_json: bool) -> None:
    document = {"written": str(out), **document}
    console.show_values("Market", document, as_json)
