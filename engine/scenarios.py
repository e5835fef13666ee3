"""Scenario records for the expected shortfall: the typed reader of engine/data/scenarios.

This is a first, simple set: joint moves of BTC and ETH from a filtered history, reduced to the number of rows by
clustering, with a volatility response by regression. It does not follow the snapshot's own volatility level, and the
reduction is scaled only for linear positions; the expected shortfall of option books on the reduced set can be below
the full sample's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.errors import MalformedFile, OutOfRange, UnknownName
from engine.files import StrictModel, read_model, read_text
from engine.presets import BITS, COINS

FORMAT = "zkmargin.scenarios/1"
"""First field of a scenario file."""

FOLDER = Path(__file__).with_name("data") / "scenarios"

COLUMNS = ["weight", *(f"{what}_{coin}" for what in ("return", "volatility") for coin in COINS)]
"""Columns of a scenario in the file."""


class SetEntry(StrictModel):
    """A reduced set in a file."""

    factor: float
    tail_weight: int
    scenarios: list[list[float]]


class ScenarioFile(StrictModel):
    """A scenario file as it stands on disk."""

    format: str
    name: str
    about: str
    source: str
    margin_period_days: int
    confidence: float
    decay: float
    sample: int
    daily_volatility: dict[str, float]
    volatility_response: dict[str, list[float]]
    columns: list[str]
    sets: dict[str, SetEntry]


@dataclass(frozen=True, eq=False)
class ScenarioSet:
    """Joint moves with integer weights, for one number of rows."""

    name: str
    """Name of the record."""
    margin_period_days: int
    """Time over which the moves happen."""
    tail_weight: int
    """m: the worst scenarios up to this weight are averaged; at most (1 - confidence) of all weight."""
    weights: np.ndarray
    """(S,) int64, how many days of the sample the scenario stands for."""
    returns: np.ndarray
    """(S, coins) relative price moves."""
    volatility: np.ndarray
    """(S, coins) relative moves of a 30-day volatility."""


@lru_cache(maxsize=16)
def load_scenarios(name: str, rows: int) -> ScenarioSet:
    """The reduced set of the shipped record `name` for a preset with `rows` excess rows.

    Raises
    ------
    MalformedFile
        If the file is not a scenario record, a scenario has other columns, or a weight is not a whole number.
    UnknownName
        If the record has no set for `rows`.
    OutOfRange
        If a number is not possible (a return of -1 or less, a weight beyond 10 bits, a
        tail heavier than the confidence allows).
    """
    path = FOLDER / f"{name}.json"
    file = read_model(ScenarioFile, read_text(path), path.name)
    if file.format != FORMAT or file.columns != COLUMNS:
        raise MalformedFile(
            path.name, f"format is {file.format!r} with columns {file.columns}; allowed: {FORMAT!r}, {COLUMNS}"
        )
    if str(rows) not in file.sets:
        raise UnknownName(f"set in {path.name}", str(rows), file.sets)
    chosen = file.sets[str(rows)]
    if not 1 <= len(chosen.scenarios) <= rows or any(len(row) != len(COLUMNS) for row in chosen.scenarios):
        raise MalformedFile(path.name, f"set {rows} has not 1 to {rows} scenarios of {len(COLUMNS)} numbers")
    table = np.array(chosen.scenarios)
    weights = table[:, 0].astype(np.int64)
    high = (1 << BITS.weight) - 1
    if (weights != table[:, 0]).any() or weights.min() < 1 or weights.max() > high:
        raise OutOfRange(f"weight in set {rows}", table[:, 0].tolist(), 1, high)
    if table[:, 1:].min() <= -1 or not np.isfinite(table).all() or table[:, 1:].max() > 10:
        raise OutOfRange(f"move in set {rows}", float(table[:, 1:].min()), "more than -1", 10)
    limit = int((1 - file.confidence) * int(weights.sum()) + 1e-9)
    if not 1 <= chosen.tail_weight <= limit:
        raise OutOfRange(f"tail weight of set {rows}", chosen.tail_weight, 1, limit)
    coins = len(COINS)
    return ScenarioSet(
        name, file.margin_period_days, chosen.tail_weight, weights, table[:, 1 : 1 + coins], table[:, 1 + coins :]
    )
