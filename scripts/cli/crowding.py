"""`zkmargin crowding`: what a market states about crowd, depth and state, from public data files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market

if TYPE_CHECKING:
    from zkmargin.engine.contagion.estimate import Estimate


def crowding(
    data: Annotated[Path, typer.Option(help="Folder with open interest and candles, named as the venue's files.")],
    market: Market = DEFAULT_MARKET,
    replay: Annotated[
        bool, typer.Option("--replay", help="Take figures of other days or coarser candles: history has no others.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Estimate ladders, depths, impact and the contagion multiplier at a market's time, from public data files.

    The folder holds open interest and hourly candles as scripts/derive/contagion.py reads them. A figure that is older
    than a day or from the future, and moves counted in candles of more than an hour, are refused; --replay takes and
    names them. The JSON is the facts that scripts/derive/snapshot.py puts into a market file.

    Example: zkmargin crowding --data history --market deribit_2026-02-05 --replay
    """
    from datetime import UTC, datetime

    from zkmargin.engine.contagion.estimate import estimate
    from zkmargin.engine.contagion.records import DepthRecord, EventRecord, StateRecord, load_record
    from zkmargin.engine.margin.parameters import load_parameters
    from zkmargin.engine.market.file import load_snapshot
    from zkmargin.scripts.derive.contagion import derive_state

    snapshot = load_snapshot(market)
    state = derive_state(data, datetime.fromtimestamp(snapshot.time, UTC).isoformat())
    found = estimate(
        StateRecord.model_validate(state, strict=False),
        load_record(DepthRecord, "depth_2025-10-10"),
        load_record(EventRecord, "event_2025-10-10"),
        {coin.value: price for coin, price in snapshot.index.items()},
        {coin.value: forecast for coin, forecast in snapshot.daily_volatility.items()},
        load_parameters().price_range,
        snapshot.time,
        is_replay=replay,
    )
    if as_json:
        console.print_json(
            {
                "daily_volatility": {coin.value: value for coin, value in snapshot.daily_volatility.items()},
                "crowding": {coin.value: asdict(each) for coin, each in found.crowding.items()},
                "contagion_multiplier": found.contagion_multiplier,
                "departures": list(found.departures),
            }
        )
        return
    console.out.print(_make_table(market, found))
    for departure in found.departures:
        console.out.print(f"replay: {departure}")


def _make_table(market: str, found: Estimate) -> console.WholeTable:
    rows = [
        (coin.value, *(f"{1e-6 * getattr(each, field):,.1f}" for field in fields), f"{each.impact:.4f}")
        for coin, each in found.crowding.items()
        for fields in [("ladder_down", "ladder_up", "depth_down", "depth_up")]
    ]
    title = f"Crowding at {market}, million US dollars; multiplier {found.contagion_multiplier:.3f}"
    columns = ("coin", "ladder down", "ladder up", "depth down", "depth up", "impact")
    return console.make_table(title, columns, rows, right=range(1, 6))
