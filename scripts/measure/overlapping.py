"""Overlapping two-day windows at the frequency of recorded chains, with the venue's own marks at both ends.

    python -m zkmargin.scripts.measure.overlapping --chains FOLDER --output costs/overlapping.json

FOLDER holds chains of the layout "collector" (`scripts.derive.readers`), several a day. Every chain strikes the books
of `engine.backtest.chain_books`; the margin that the house requires for them then, without the contagion buffer, is
compared with what they lost until the chain nearest to two days later. Windows overlap, so exceptions come in runs.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

import numpy as np

from zkmargin.engine.backtest.chain_books import (
    BOOKS,
    LEAST_DAYS,
    ChainMarks,
    Quote,
    interpolate_settlements,
    strike_books,
)
from zkmargin.engine.backtest.history import load_history
from zkmargin.engine.calibration.filters import WARM_UP, filter_ewma
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS, load_parameters
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from zkmargin.scripts.derive.readers import read_collector
from zkmargin.scripts.measure.output import write_document

HELD, SLACK = 2 * SECONDS_PER_DAY, 4 * SECONDS_PER_HOUR
"""Seconds that a window lasts, and by how much its end may miss that."""
EVENTS = {"rally of 19 to 21 August 2026": ("2026-08-17T12:00", "2026-08-21T12:00")}
"""Earliest start and latest end of an event's windows, UTC."""


class Window(TypedDict):
    """One book over one window; loss and margins as shares of one coin's value when it was struck."""

    struck: int
    """Unix seconds."""
    end: int
    """Unix seconds."""
    coin: Coin
    book: str
    loss: float
    """Negative when money was made."""
    initial: float
    maintenance: float


def read_marks(path: Path) -> ChainMarks:
    """A chain's prices: mark in coin times the option's own forward."""
    chain = read_collector(path).require_span(300.0)
    index = {coin: statistics.median(row.index for row in chain.options if row.underlying is coin) for coin in Coin}
    options = {
        row.name: Quote(
            row.underlying, row.expiry, row.strike, row.is_call, row.forward, row.volatility, row.mark * row.forward
        )
        for row in chain.options
        if row.expiry > chain.time
    }
    return ChainMarks(chain.time, index, options)


def forecast_by_day() -> dict[str, dict[Coin, float]]:
    """The filter's forecast for each recorded day, from the closes before it."""
    forecasts: dict[str, dict[Coin, float]] = {}
    for segment in load_history().segments:
        returns = np.diff(np.log(segment.closes), axis=0)
        if len(returns) > WARM_UP:
            filtered = filter_ewma(returns)
            volatility = np.vstack([filtered.volatility, filtered.latest])
            days = [*segment.dates[1 + WARM_UP :], segment.dates[-1] + 1]
            forecasts |= {
                str(day): dict(zip(Coin, map(float, row), strict=True))
                for day, row in zip(days, volatility, strict=True)
            }
    return forecasts


def measure_windows(chains: Iterable[ChainMarks], least_days: float = LEAST_DAYS) -> list[Window]:
    """Loss and margin of every book over every window, one record each; amounts as shares of one coin's value."""
    ordered = sorted(chains, key=lambda chain: chain.time)
    settlement, forecasts, parameters = interpolate_settlements(ordered), forecast_by_day(), load_parameters()
    times = np.array([chain.time for chain in ordered])
    records: list[Window] = []
    for chain in ordered:
        later = ordered[int(np.abs(times - chain.time - HELD).argmin())]
        if abs(later.time - chain.time - HELD) > SLACK:
            continue
        forecast = forecasts[
            max(day for day in forecasts if day <= str(datetime.fromtimestamp(chain.time, UTC).date()))
        ]
        struck = strike_books(chain, forecast, least_days)
        house = HouseModel(struck.snapshot, parameters)
        change = struck.value(later, settlement) - house.prices
        for coin in Coin:
            for book in BOOKS:
                state = struck.get_state(book, coin)
                if state is None:
                    continue
                held = np.flatnonzero(state.positions)
                if np.isnan(change[held]).any():
                    continue
                loss = -float(change[held] @ state.positions[held])
                notional = chain.index[coin]
                initial, maintenance = (house.definition_requirement(state, level).total / notional for level in LEVELS)
                records.append(
                    Window(
                        struck=chain.time,
                        end=later.time,
                        coin=coin,
                        book=book,
                        loss=loss / notional,
                        initial=initial,
                        maintenance=maintenance,
                    )
                )
    return records


def summarise(records: list[Window]) -> dict[str, object]:
    """Exceptions and worst ratio by coin, book and level, over all windows and over those of each event."""

    def describe(chosen: list[Window]) -> list[dict[str, object]]:
        rows = []
        for coin in Coin:
            for book in BOOKS:
                own = [record for record in chosen if (record["coin"], record["book"]) == (coin, book)]
                if own:
                    rows.append({"coin": coin, "book": book, "windows": len(own), **_compare(own)})
        return rows

    events = {}
    for name, ends in EVENTS.items():
        first, last = (datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in ends)
        events[name] = describe([record for record in records if first <= record["struck"] and record["end"] <= last])
    return {"all": describe(records), "events": events}


def _compare(records: list[Window]) -> dict[str, object]:
    found: dict[str, object] = {}
    for level in LEVELS:
        losses = np.array([record["loss"] for record in records])
        margins = np.array([record["initial" if level == "initial" else "maintenance"] for record in records])
        worst = int((losses / margins).argmax())
        found[level] = {
            "exceptions": int((losses > margins).sum()),
            "mean_margin": round(float(margins.mean()), 4),
            "worst_ratio": round(float(losses[worst] / margins[worst]), 3),
            "worst_struck": datetime.fromtimestamp(records[worst]["struck"], UTC).isoformat(),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=Path, required=True)
    parser.add_argument("--least-days", type=float, default=LEAST_DAYS, help="least life of a struck option, days")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    chains = [read_marks(path) for path in sorted(options.chains.glob("*.csv"))]
    records = measure_windows(chains, options.least_days)
    summary: Mapping[str, object] = {
        "command": "python -m zkmargin.scripts.measure.overlapping --chains FOLDER "
        f"--least-days {options.least_days:g} --output costs/overlapping.json",
        "chains": len(chains),
        "least_days": options.least_days,
        "parameters": load_parameters().name,
        **summarise(records),
    }
    write_document(summary, options.output)


if __name__ == "__main__":
    main()
