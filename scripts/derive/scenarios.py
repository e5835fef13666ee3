"""Derive the expected-shortfall record: a sample of standardised joint days, and its reductions.

    python -m zkmargin.scripts.derive.scenarios --history HISTORY_FOLDER --markets MARKETS_FOLDER

HISTORY_FOLDER holds daily closes (`btc_eth_daily_close_usd_2016_2020.csv`, `closes_daily_perp_panel_BTC_ETH_SOL.csv`)
and the surface series (`deribit_znmahbub_surface_series_{BTC,ETH}.csv`). The record holds derived numbers only and is
the same on every run: fixed seeds, no clock.

Steps: daily log returns, divided by an exponentially weighted volatility forecast (`engine.calibration.filters`);
overlapping sums over the margin period; a volatility response by regression of the change of 30-day implied volatility
on r and abs(r); documented stress of the cash token as windows of their own; the windows with the highest forecast
volatility are marked as stressed. Then, for each number of excess rows, groups and multiplier
(`engine.calibration.training`): trained on the markets of `MARKETS`, hardened by an adversary on some of them.

MARKETS_FOLDER holds one market file per name in `MARKETS`, made by `scripts.derive.snapshot` from the option chain of
that time. They stand over the whole clock of expiries: from just under two days before the next one, which is the
worst hour, to two and a half.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.calibration.filters import DECAY, WARM_UP
from zkmargin.engine.calibration.sample_books import make_family
from zkmargin.engine.calibration.training import (
    REPEATS,
    SHARES_OF_MOVES,
    Trained,
    Trainer,
    TrainingMarket,
    fit_multiplier,
    has_loss,
)
from zkmargin.engine.calibration.worst_book_search import read_terms
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import Parameters, load_parameters
from zkmargin.engine.margin.scenarios import COLUMNS, FORMAT, ScenarioSet
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import BITS, PRESETS, Coin
from zkmargin.scripts.derive.scenario_history import (
    PERIOD,
    TOKEN_STRESS,
    fit_volatility_response,
    make_windows,
    read_closes,
)

CONFIDENCE = 0.975
MARKETS = (
    "20260101T0918", "20260101T2119", "20260111T0405", "20260111T1528", "20260306T1548", "20260401T1001",
    "20260421T0534", "20260501T1607", "20260521T1225", "20260621T1654", "20260701T1214", "20260821T0357",
    "20260821T1547", "20260821T2132",
)  # fmt: skip
"""Markets of the training, by the time of their chain (UTC): days of a month that are 1 more than a multiple of 5."""
HARDENED = ("20260111T1528", "20260501T1607", "20260521T1225", "20260821T1547")
"""Markets on which the adversary searches."""
FAMILY_SEED = 1
FAMILY_DRAWS = 3
"""Books of each drawn kind per coin and side, on every market."""
SEED = 1
STARTS = {12: 24, 51: 24, 249: 20, 639: 16}
"""Starts of the adversary per market and round, by excess rows."""
CAPS = {12: 1.2}
"""Multiple of a book's expected shortfall above which its losses are one, by excess rows: none where not named. Few
rows on a small listing are better spent at the edge of the tails."""
STRIPS = {51: (0.0, 0.008, -0.008, 0.016, -0.016, 0.024, -0.024, 0.034, -0.034)}
"""Moves of a coin whose nearest windows are a group of their own, by excess rows: of BTC, and 1.1 times as much of ETH.
Without them long straddles that settle within two days lost more than their margin on five of 68 held-out markets."""
STRIP_SCALE = {Coin.BTC: 1.0, Coin.ETH: 1.1}
SHARES, ONE_GROUPING = {51: (0.1,)}, {51: 1}
"""Candidates and groupings of each, by excess rows: those of the trainer where not named."""
MOST = {51: 1.15}
"""Largest multiplier, by excess rows: no limit where not named. With 51 rows the search never settles: a book of
options that expire within the margin period finds prices between the groups. More would charge all other books for it:
the margin's mean over-ask is 1 % at 1.25, 3 to 4 % at 1.4 and over 20 % at 2.2."""
ALONE = {639: 450}
"""Windows that are a scenario of their own, by excess rows: 0 where not named."""
NAME = "filtered_2016_2026"
OUTPUT = Path(__file__).resolve().parents[2] / "engine" / "data" / "scenarios" / f"{NAME}.json"


def make_record(folder: Path) -> dict[str, Any]:
    """The record without its sets."""
    windows, level, latest = make_windows(read_closes(folder))
    return {
        "format": FORMAT,
        "name": NAME,
        "about": "Joint moves of BTC and ETH over two days in units of their forecast volatility, moves of the cash "
        "token, and reductions by number of excess rows. groups: the scenario of each window, in the sample's order. "
        "multiplier: [m, m'], kappa = m / m'.",
        "source": "Daily closes BTC and ETH in US dollars 2016-2020; daily closes of Binance USD-M perpetuals "
        "2024-01-10 to 2026-03-18; Deribit index and at-the-money volatilities 2025-12-30 to 2026-08-22, all collected "
        "from public repositories",
        "margin_period_days": PERIOD,
        "confidence": CONFIDENCE,
        "decay": DECAY,
        "warm_up": WARM_UP,
        "long_volatility": {coin: round(float(value), 6) for coin, value in zip(Coin, level, strict=True)},
        "latest_volatility": {coin: round(float(value), 6) for coin, value in zip(Coin, latest, strict=True)},
        "volatility_response": {
            coin: [round(value, 6) for value in fit_volatility_response(folder, coin)] for coin in Coin
        },
        "token_stress": list(TOKEN_STRESS),
        "columns": COLUMNS,
        "sets": {},
        "sample": windows,
    }


def write(document: dict[str, Any], path: Path) -> None:
    """One window and one set a line."""
    lists = {"sets": "@sets", "sample": "@sample"}
    text = json.dumps({**document, **lists}, indent=1)
    sets = ",\n".join(f'  "{rows}": {json.dumps(entry)}' for rows, entry in document["sets"].items())
    sample = ",\n".join("  " + json.dumps(row) for row in document["sample"])
    text = text.replace('"@sets"', "{\n" + sets + "\n }").replace('"@sample"', "[\n" + sample + "\n ]")
    path.write_text(text + "\n", encoding="utf-8")


def read_sample(record: dict[str, Any]) -> ScenarioSet:
    """The record's sample without a reduction: one group."""
    table = np.array([row[1:] for row in record["sample"]], dtype=float)
    bare = ScenarioSet(
        name=record["name"],
        coins=tuple(Coin),
        margin_period_days=record["margin_period_days"],
        confidence=record["confidence"],
        decay=record["decay"],
        last_day=tuple(row[0] for row in record["sample"]),
        standardised=table[:, :2],
        volatility=table[:, 2:4],
        token=table[:, 4],
        stressed=table[:, 5] == 1,
        response=np.array([record["volatility_response"][coin] for coin in Coin]),
        groups=np.zeros(len(table), dtype=np.int64),
        plain_multiplier=(1, 1),
        stressed_multiplier=(1, 1),
    )
    tails = [bare.count_tail(more_stress) for more_stress in (False, True)]
    return dataclasses.replace(bare, plain_multiplier=(tails[0], tails[0]), stressed_multiplier=(tails[1], tails[1]))


def load_markets(folder: Path, names: tuple[str, ...], rows: int) -> list[MarketSnapshot]:
    """Markets of the training, with the listing of the preset that has so many excess rows."""
    preset = next(preset for preset in PRESETS.values() if preset.excess_rows == rows)
    return [to_preset(load_snapshot(folder / f"{name}.json"), preset) for name in names]


def make_training_market(
    snapshot: MarketSnapshot, parameters: Parameters, scenarios: ScenarioSet, seed: int
) -> TrainingMarket:
    """Terms of a market and the family's books on it that can lose."""
    slots, terms = read_terms(HouseModel(snapshot, parameters), ShortfallModel(snapshot, parameters, scenarios))
    books = make_family(snapshot, seed, FAMILY_DRAWS).lots[slots]
    return TrainingMarket(terms, books[:, has_loss(terms, books)])


def to_pair(multiplier: float, tail: int) -> list[int]:
    """[m, m'] with m the largest multiple of the tail that weights can have, and m / m' >= multiplier."""
    weight = tail * (((1 << BITS.weight) - 1) // tail)
    return [weight, int(weight / multiplier)]


def fit_stressed(
    trained: Trained, markets: list[MarketSnapshot], parameters: Parameters, scenarios: ScenarioSet
) -> float:
    """The multiplier where stressed windows weigh more: the family's, raised as the adversary raised the plain one."""
    option = dataclasses.replace(parameters, procyclicality="stressed")
    losses, charges, grids = [], [], []
    for snapshot in markets:
        market = make_training_market(snapshot, parameters, scenarios, FAMILY_SEED)
        slots, _ = read_terms(HouseModel(snapshot, parameters), ShortfallModel(snapshot, parameters, scenarios))
        losses.append(-(ShortfallModel(snapshot, option, scenarios).sample_pnl[:, slots] @ market.books))
        charges.append(market.terms.compute_charge(market.books))
        grids.append(market.terms.compute_grid(market.books))
    weights, tail = scenarios.window_weights(True), scenarios.count_tail(True)
    return fit_multiplier(losses, charges, grids, trained.groups, weights, tail) * trained.hardened / trained.trained


def measure_strips(scenarios: ScenarioSet, parameters: Parameters, centres: tuple[float, ...]) -> np.ndarray:
    """(strips, D) distance of each window from each centre, coin by coin, at the floor of the volatility; infinite
    where the cash token moves."""
    floor = np.array([parameters.shortfall_volatility_floor[coin] for coin in Coin])
    moves = np.expm1(scenarios.standardised * floor)
    distances = [np.abs(moves[:, coin.ordinal] - STRIP_SCALE[coin] * centre) for centre in centres for coin in Coin]
    return np.where(scenarios.token == 0, np.array(distances).reshape(-1, len(moves)), np.inf)


def describe(trained: Trained) -> str:
    """How a set was found, for the record."""
    end = "settled" if trained.settled else "ended at the largest multiplier, with books above it left"
    return f"trained on {len(MARKETS)} markets; the search on {len(HARDENED)} of them {end}"


def derive_set(record: dict[str, Any], folder: Path, rows: int) -> tuple[dict[str, Any], Trained]:
    """The reduction for `rows` excess rows, as in the record, and how it was found."""
    parameters, scenarios, markets = load_parameters(), read_sample(record), load_markets(folder, MARKETS, rows)
    trained_on = [make_training_market(market, parameters, scenarios, FAMILY_SEED) for market in markets]
    trainer = Trainer(
        trained_on,
        [trained_on[MARKETS.index(name)] for name in HARDENED],
        scenarios.standardised,
        rows,
        alone=ALONE.get(rows, 0),
        cap=CAPS.get(rows, math.inf),
        most=MOST.get(rows, math.inf),
        strips=measure_strips(scenarios, parameters, STRIPS.get(rows, ())),
        shares=SHARES.get(rows, SHARES_OF_MOVES),
        repeats=ONE_GROUPING.get(rows, REPEATS),
        starts=STARTS[rows],
        seed=SEED,
        say=lambda line: print(f"  {line}", file=sys.stderr, flush=True),
    )
    trained = trainer.train()
    stressed = fit_stressed(trained, markets, parameters, scenarios)
    return {
        "multiplier": to_pair(trained.hardened, scenarios.count_tail(False)),
        "stressed_multiplier": to_pair(stressed, scenarios.count_tail(True)),
        "trained": round(trained.trained, 4),
        "worst_ratio": round(trained.rounds[-1], 4),
        "origin": describe(trained),
        "groups": trained.groups.tolist(),
    }, trained


def main(arguments: list[str] | None = None) -> None:
    """Write the record; what was found for each number of rows goes to stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog="Example: python -m zkmargin.scripts.derive.scenarios --history ~/history --markets ~/markets --rows 51",
    )
    parser.add_argument("--history", type=Path, required=True, help="folder of the CSV files named in the module")
    parser.add_argument("--markets", type=Path, required=True, help="folder of the market files named in the module")
    parser.add_argument("--rows", type=int, nargs="+", default=sorted(STARTS), choices=sorted(STARTS))
    parser.add_argument("--output", type=Path, default=OUTPUT, help="JSON file; sets of other rows in it are kept")
    options = parser.parse_args(arguments)
    record = make_record(options.history)
    if options.output.exists():
        before = json.loads(options.output.read_text(encoding="utf-8"))
        if before["sample"] == record["sample"]:
            record["sets"] = before["sets"]
    for rows in options.rows:
        entry, trained = derive_set(record, options.markets, rows)
        record["sets"] = dict(sorted({**record["sets"], str(rows): entry}.items(), key=lambda item: int(item[0])))
        write(record, options.output)
        state = "settled" if trained.settled else "NOT settled"
        pair = entry["multiplier"]
        print(f"{rows} rows: multiplier {pair[0] / pair[1]:.4f} (family {trained.trained:.4f}), adversary {state}")


if __name__ == "__main__":
    main()
