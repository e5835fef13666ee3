"""Derive the expected-shortfall scenario record from price and volatility history.

    python -m scripts.derive_scenarios HISTORY_FOLDER [OUTPUT.json]

HISTORY_FOLDER holds daily closes (`btc_eth_daily_close_usd_2016_2020.csv`, `closes_daily_perp_panel_BTC_ETH_SOL.csv`)
and the surface series (`deribit_znmahbub_surface_series_{BTC,ETH}.csv`). The record holds derived numbers only and is
the same on every run: fixed seeds, no clock.

Steps: daily log returns, filtered by an exponentially weighted volatility (0.97) and scaled to the last one [1]_;
overlapping sums over the margin period; a volatility response by regression of the change of 30-day implied volatility
on r and |r|; then for each number of rows a weighted reduction of the sample that keeps the tail (k-means in the plane
of the two returns, fine in the days that are bad for some linear position, coarse elsewhere), scaled by the one factor
that brings the expected shortfall of every direction in the plane up to the full sample's.

References
----------
.. [1] G. Barone-Adesi, K. Giannopoulos, L. Vosper, "VaR without correlations for portfolios of derivative securities",
   Journal of Futures Markets 19 (1999).
"""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np

COINS = ("BTC", "ETH")
DECAY = 0.97
"""Decay of the variance filter per day."""
WARM_UP = 60
"""Days that only start the filter."""
PERIOD = 2
"""Margin period, days."""
CONFIDENCE = 0.975
ROWS = (12, 64, 256, 640)
"""Excess rows of the presets."""
DIRECTIONS = 72
"""Linear positions, every 5 degrees of the plane, that define the tail and the scale factor."""
MAX_WEIGHT = 1023
"""Largest weight of a scenario in a policy (10 bits)."""
SEED = 20_260_822
OUTPUT = Path(__file__).resolve().parent.parent / "engine" / "data" / "scenarios" / "joint_2016_2026.json"


def read_closes(folder: Path) -> list[np.ndarray]:
    """Segments of consecutive daily closes, each (days, 2) US dollars."""
    with (folder / "btc_eth_daily_close_usd_2016_2020.csv").open() as file:
        first = [(float(row["btc_usd"]), float(row["eth_usd"])) for row in csv.DictReader(file)]
    with (folder / "closes_daily_perp_panel_BTC_ETH_SOL.csv").open() as file:
        panel = {row["date_utc"]: (float(row["BTC"]), float(row["ETH"])) for row in csv.DictReader(file)}
    last_of_day: dict[str, dict[str, float]] = {}
    for coin in COINS:
        for row in read_surface(folder, coin):
            last_of_day.setdefault(row["timestamp"][:10], {})[coin] = float(row["index_price"])
    later = {day: (prices["BTC"], prices["ETH"]) for day, prices in last_of_day.items() if len(prices) == 2}
    second = [*panel.items(), *((day, prices) for day, prices in sorted(later.items()) if day > max(panel))]
    return [np.array(first), np.array([prices for _, prices in second])]


def read_surface(folder: Path, coin: str) -> list[dict[str, str]]:
    with (folder / f"deribit_znmahbub_surface_series_{coin}.csv").open() as file:
        return list(csv.DictReader(file))


def filter_returns(closes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardised daily log returns (days, 2) after the warm-up, and the filter's last volatility (2,) per day."""
    returns = np.diff(np.log(closes), axis=0)
    variance = (returns[:WARM_UP] ** 2).mean(axis=0)
    standardised = []
    for day in returns[WARM_UP:]:
        standardised.append(day / np.sqrt(variance))
        variance = DECAY * variance + (1 - DECAY) * day**2
    return np.array(standardised), np.sqrt(variance)


def fit_volatility_response(folder: Path, coin: str) -> tuple[float, float, float]:
    """(a, b, c) of d ln(30-day implied volatility) = a + b r + c |r| over the margin period, least squares."""
    by_time: dict[str, list[tuple[float, float, float]]] = {}
    for row in read_surface(folder, coin):
        if row["atm_iv"]:
            by_time.setdefault(row["timestamp"], []).append(
                (float(row["ttm_years"]), float(row["atm_iv"]), float(row["index_price"]))
            )
    days: dict[str, tuple[float, float]] = {}
    for timestamp, points in sorted(by_time.items()):
        points.sort()
        tenors, volatilities, prices = (np.array(column) for column in zip(*points, strict=True))
        total = np.interp(30 / 365, tenors, volatilities**2 * tenors)
        days[timestamp[:10]] = (math.log(float(prices.mean())), 0.5 * math.log(total / (30 / 365)))
    series = np.array([days[day] for day in sorted(days)])
    change = series[PERIOD:] - series[:-PERIOD]
    design = np.column_stack([np.ones(len(change)), change[:, 0], np.abs(change[:, 0])])
    return tuple(float(value) for value in np.linalg.lstsq(design, change[:, 1], rcond=None)[0])


def expected_shortfall(losses: np.ndarray, weights: np.ndarray, tail: int) -> float:
    """Mean of the worst `tail` units of weight."""
    order = np.argsort(-losses, kind="stable")
    taken = np.minimum(np.cumsum(weights[order]), tail)
    return float((np.diff(taken, prepend=0) * losses[order]).sum() / tail)


def cluster(points: np.ndarray, count: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """k-means (Lloyd, seeded by distance): centres (count, 2) and sizes (count,), none empty."""
    if count >= len(points):
        return points, np.ones(len(points), dtype=np.int64)
    centres = [points[np.argmax((points**2).sum(axis=1))]]
    distance = ((points - centres[0]) ** 2).sum(axis=1)
    for _ in range(count - 1):
        centres.append(points[generator.choice(len(points), p=distance / distance.sum())])
        distance = np.minimum(distance, ((points - centres[-1]) ** 2).sum(axis=1))
    centres = np.array(centres)
    for _ in range(60):
        nearest = np.argmin(((points[:, None, :] - centres[None]) ** 2).sum(axis=2), axis=1)
        members = [points[nearest == k] for k in range(count)]
        centres = np.array([own.mean(axis=0) if len(own) else old for own, old in zip(members, centres, strict=True)])
    sizes = np.bincount(np.argmin(((points[:, None, :] - centres[None]) ** 2).sum(axis=2), axis=1), minlength=count)
    return centres[sizes > 0], sizes[sizes > 0]


def reduce_sample(sample: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray, float]:
    """At most `rows` scenarios (k, 2) with integer weights that sum to the sample's size, and the factor already
    applied."""
    tail = math.floor((1 - CONFIDENCE) * len(sample) + 1e-9)
    angles = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    losses = -sample @ np.array([np.cos(angles), np.sin(angles)])
    in_tail = np.zeros(len(sample), dtype=bool)
    for column in losses.T:
        in_tail[np.argsort(-column, kind="stable")[:tail]] = True
    generator = np.random.default_rng(SEED)
    core_points, core_sizes = cluster(sample[~in_tail], max(2, rows // 8), generator)
    while core_sizes.max(initial=0) > MAX_WEIGHT:
        big = int(core_sizes.argmax())
        half = core_sizes[big] // 2
        core_points = np.vstack([core_points, core_points[big]])
        core_sizes = np.append(core_sizes, half)
        core_sizes[big] -= half
    tail_points, tail_sizes = cluster(sample[in_tail], rows - len(core_points), generator)
    points, sizes = np.vstack([tail_points, core_points]), np.concatenate([tail_sizes, core_sizes])
    ones = np.ones(len(sample), dtype=np.int64)
    full = np.array([expected_shortfall(column, ones, tail) for column in losses.T])
    reduced = -points @ np.array([np.cos(angles), np.sin(angles)])
    factor = max(1.0, float((full / [expected_shortfall(column, sizes, tail) for column in reduced.T]).max()))
    order = np.lexsort((points[:, 1], points[:, 0]))
    return points[order] * factor, sizes[order], factor


def derive(folder: Path) -> dict:
    """The record as a JSON document."""
    segments = [filter_returns(closes) for closes in read_closes(folder)]
    latest = segments[-1][1]
    sample = np.vstack(
        [
            sum(standardised[k : len(standardised) - PERIOD + 1 + k] for k in range(PERIOD)) * latest
            for standardised, _ in segments
        ]
    )
    responses = {coin: fit_volatility_response(folder, coin) for coin in COINS}
    tail = math.floor((1 - CONFIDENCE) * len(sample) + 1e-9)
    sets = {}
    for rows in ROWS:
        points, sizes, factor = reduce_sample(sample, rows)
        scenarios = []
        for returns, weight in zip(points, sizes, strict=True):
            entry = [int(weight)]
            entry += [round(math.expm1(value), 6) for value in returns]
            entry += [
                round(math.exp(a + b * value + c * abs(value)) - 1, 6)
                for value, (a, b, c) in zip(returns, (responses[coin] for coin in COINS), strict=True)
            ]
            scenarios.append(entry)
        sets[str(rows)] = {"factor": round(factor, 6), "tail_weight": tail, "scenarios": scenarios}
    return {
        "format": "zkmargin.scenarios/1",
        "name": "joint_2016_2026",
        "about": "Joint moves of BTC and ETH over the margin period, filtered to the volatility of the last day; "
        "reduced sets by number of rows.",
        "source": "Daily closes BTC and ETH in US dollars 2016-2020; daily closes of Binance USD-M perpetuals "
        "2024-01-10 to 2026-03-18; Deribit index and at-the-money volatilities 2025-12-30 to 2026-08-22, all collected "
        "from public repositories",
        "margin_period_days": PERIOD,
        "confidence": CONFIDENCE,
        "decay": DECAY,
        "sample": len(sample),
        "daily_volatility": {coin: round(float(value), 6) for coin, value in zip(COINS, latest, strict=True)},
        "volatility_response": {coin: [round(value, 6) for value in responses[coin]] for coin in COINS},
        "columns": ["weight", "return_BTC", "return_ETH", "volatility_BTC", "volatility_ETH"],
        "sets": sets,
    }


def write(document: dict, path: Path) -> None:
    """One scenario a line."""
    text = json.dumps({**document, "sets": "@"}, indent=1)
    blocks = []
    for rows, content in document["sets"].items():
        lines = ",\n".join("    " + json.dumps(scenario) for scenario in content["scenarios"])
        head = f'"factor": {content["factor"]}, "tail_weight": {content["tail_weight"]}'
        blocks.append(f'  "{rows}": {{{head}, "scenarios": [\n{lines}\n  ]}}')
    path.write_text(text.replace('"@"', "{\n" + ",\n".join(blocks) + "\n }") + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    output = Path(arguments[1]) if len(arguments) == 2 else OUTPUT
    document = derive(Path(arguments[0]))
    write(document, output)
    for rows, content in document["sets"].items():
        print(f"{rows} rows: {len(content['scenarios'])} scenarios, factor {content['factor']}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
