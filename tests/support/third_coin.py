"""A market of three coins at `mini`: the shipped one of BTC and ETH with fewer slots, and SOL.

SOL's daily closes are real (`tests/vectors/third_coin`). No option chain of SOL is at hand, so its index, future,
options, crowding and parameters are made up here: they are a market to test with, and no model of SOL.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from zkmargin.engine.calibration.filters import WARM_UP, filter_ewma, sum_over_period
from zkmargin.engine.margin.parameters import DEFAULT, FOLDER, Parameters, read_parameters
from zkmargin.engine.margin.scenarios import FOLDER as RECORDS
from zkmargin.engine.margin.scenarios import load_scenarios, name_columns, tail_windows
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, Listing, make_instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin, CoinShare, Preset, Split, get_preset

SOL = Coin("SOL")
CLOSES = Path(__file__).parents[1] / "vectors" / "third_coin" / "sol_daily_close_usd_2024_2026.csv"
SHARES = (CoinShare(Coin.BTC, 6, 1, False), CoinShare(Coin.ETH, 5, 1, True), CoinShare(SOL, 5, 1, False))
THREE: Preset = replace(get_preset("mini"), split=Split(SHARES))
"""Sizes and keys of `mini`, whose twelve helpers leave none for a netting pair."""
CHOSEN = (0, 1, 5, 60, 61, 62, 128, 129, 133, 200, 201)
"""Slots of the shipped market that are listed: spot, perpetual, a future and options of each coin."""
VALUES = {
    "price_range": 0.26, "volatility_up": 0.4, "volatility_down": 0.25, "volatility_floor_up": 0.6,
    "delta_limit": 1e6, "shortfall_volatility_floor": 0.055, "vega_depth": 20_000.0, "vega_limit": 150_000.0,
    "short_option_limit": {"near": 300_000.0, "far": 600_000.0},
}  # fmt: skip
"""SOL's numbers, by parameter."""
HAIRCUT = {"initial": 1.0, "maintenance": 1.0}
KAPPA = (3, 2)
"""Of the record, as that of `mini`."""


def _compute_windows() -> dict[str, tuple[float, float]]:
    """By last day: SOL's standardised move over two days and the volatility that was forecast for it."""
    with CLOSES.open() as file:
        rows = list(csv.DictReader(file))
    filtered = filter_ewma(np.diff(np.log([float(row["SOL"]) for row in rows])))
    moves = sum_over_period(filtered.standardised, 2)
    days = [row["date_utc"] for row in rows[2 + WARM_UP :]]
    columns = zip(days, moves[:, 0].tolist(), filtered.volatility[: len(moves), 0].tolist(), strict=True)
    return {day: (round(moved, 4), round(forecast, 4)) for day, moved, forecast in columns}


def write_record(folder: Path) -> Path:
    """A scenario record of three coins: the shipped windows on whose days SOL has a price, and those of the token."""
    document = json.loads((RECORDS / "filtered_2016_2026.json").read_text())
    of_sol, shipped = _compute_windows(), load_scenarios("filtered_2016_2026", 12)
    kept = [place for place, row in enumerate(document["sample"]) if row[0] in of_sol or not row[0][:4].isdigit()]
    sample = []
    for place in kept:
        day, *numbers = document["sample"][place]
        moved, forecast = of_sol.get(day, (0.0, 0.055))
        sample.append([day, *numbers[:2], moved, *numbers[2:4], forecast, numbers[4], 0])
    stressed = len(sample) // 10
    for row in sorted(sample, key=lambda row: -sum(row[4:7]))[:stressed]:
        row[-1] = 1
    groups = np.unique(shipped.groups[kept], return_inverse=True)[1].tolist()
    multipliers = []
    for weight in (1, max(1, -(-(len(sample) - stressed) // (3 * stressed)))):
        tail = tail_windows(len(sample) + (weight - 1) * stressed, document["confidence"])
        multiple = tail * (990 // tail)
        multipliers.append([multiple, multiple * KAPPA[1] // KAPPA[0]])
    coins = [coin.value for coin in THREE.coins]
    document |= {
        "name": "three_coins",
        "columns": name_columns(coins),
        "long_volatility": document["long_volatility"] | {"SOL": 0.055},
        "latest_volatility": document["latest_volatility"] | {"SOL": 0.05},
        "volatility_response": document["volatility_response"] | {"SOL": [-0.02, -0.37, 0.57]},
        "sample": sample,
        "sets": {
            "12": {
                "multiplier": multipliers[0], "stressed_multiplier": multipliers[1], "trained": 1.0,
                "worst_ratio": None, "origin": "the groups of mini, for a test", "groups": groups,
            }
        },
    }  # fmt: skip
    path = folder / "three_coins.json"
    path.write_text(json.dumps(document))
    return path


def describe_parameters() -> dict[str, object]:
    """The shipped parameter file with a number of SOL beside each of BTC and ETH."""
    document: dict[str, object] = json.loads((FOLDER / f"{DEFAULT}.json").read_text())
    parameters = document["parameters"]
    assert isinstance(parameters, dict)
    for name, value in VALUES.items():
        parameters[name]["value"] |= {"SOL": value}
    for level, value in HAIRCUT.items():
        parameters["haircut"]["value"][level] |= {"SOL": value}
    return document


def make_parameters(record: Path) -> Parameters:
    """The house's numbers for three coins, with the scenarios of `record`."""
    parameters = read_parameters(json.dumps(describe_parameters()), "three coins")
    return replace(parameters, shortfall_scenarios=str(record))


def _list_sol(first: int, expiry: int) -> list[tuple[Instrument, float, float]]:
    """Made-up instruments of SOL from slot `first`, each with its forward, US dollars, and its volatility."""
    dated = (
        (InstrumentKind.SPOT, 0.01, {}, 187.0, np.nan),
        (InstrumentKind.PERPETUAL, 1.0, {}, 187.1, np.nan),
        (InstrumentKind.FUTURE, 1.0, {"expiry": expiry}, 189.0, np.nan),
        (InstrumentKind.OPTION, 10.0, {"expiry": expiry, "strike": 160.0, "is_call": False}, 189.0, 0.82),
        (InstrumentKind.OPTION, 10.0, {"expiry": expiry, "strike": 220.0, "is_call": True}, 189.0, 0.78),
    )
    return [
        (make_instrument(first + place, kind, SOL, size, **terms), forward, volatility)
        for place, (kind, size, terms, forward, volatility) in enumerate(dated)
    ]


@cache
def list_three_coins() -> MarketSnapshot:
    """The market at `THREE`."""
    full = load_snapshot("deribit_2026-08-22")
    items: list[Instrument] = [replace(full.listing.at(slot), slot=place) for place, slot in enumerate(CHOSEN)]
    expiry = full.listing.at(5).expiry
    assert expiry is not None
    sol = _list_sol(len(items), expiry)
    eth = full.crowding[Coin.ETH]
    return MarketSnapshot(
        time=full.time,
        source="Deribit for BTC and ETH; SOL is made up",
        index=dict(full.index) | {SOL: 187.0},
        listing=Listing(THREE, 0, (*items, *(item for item, _, _ in sol))),
        forward=np.array([*full.forward[list(CHOSEN)], *(forward for _, forward, _ in sol)]),
        volatility=np.array([*full.volatility[list(CHOSEN)], *(volatility for _, _, volatility in sol)]),
        daily_volatility=dict(full.daily_volatility) | {SOL: 0.05},
        crowding=dict(full.crowding)
        | {SOL: Crowding(eth.ladder_down / 5, eth.ladder_up / 5, eth.depth_down / 5, eth.depth_up / 5, eth.impact)},
        contagion_multiplier=full.contagion_multiplier,
    )
