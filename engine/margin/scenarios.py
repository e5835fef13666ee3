"""The sample of joint days behind the expected shortfall, and its reduction: the typed reader of engine/data/scenarios.

A record holds every window of the margin period in units of the volatility that was forecast for it, so that the model
can scale it to the volatility of the market at hand; what the cash token did in it; which windows are stressed; and, by
number of excess rows, the group of each window and the multiplier that makes up for the averaging in groups
(`engine.margin.reduction`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from zkmargin.engine.elementary import expm1
from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.files import StrictModel, read_model, read_text
from zkmargin.engine.presets import BITS, Coin, require_coin

FORMAT = "zkmargin.scenarios/2"
"""First field of a scenario file."""

FOLDER = Path(__file__).parents[1] / "data" / "scenarios"


def name_columns(coins: Iterable[str]) -> list[str]:
    """Columns of a window in the file."""
    coins = list(coins)
    per_coin = [f"{what}_{coin}" for what in ("standardised", "volatility") for coin in coins]
    return ["last_day", *per_coin, "token", "stressed"]


COLUMNS = name_columns(Coin)
"""Columns of a window in the shipped record."""

MAX_STANDARDISED = 50.0
"""Largest standardised move in size: more is an error of the data."""
MAX_TOKEN = 0.5
"""Largest relative move of the cash token in size."""
STRESS_SHARE = Fraction(1, 4)
"""Least share of all weight that stressed windows have when they are given more (EMIR RTS 153/2013, article 28 (b))."""


class SetEntry(StrictModel):
    """A reduction in a file."""

    multiplier: list[int]
    """[m, m']: kappa = m / m' with every window alike; m is a multiple of the tail's windows."""
    stressed_multiplier: list[int]
    """The same where stressed windows weigh more."""
    trained: float
    """kappa after the family of books, before the adversary."""
    worst_ratio: float | None
    """The adversary's worst ratio of full-sample expected shortfall to margin in its last round; none without one."""
    origin: str
    """How groups and multipliers were found."""
    groups: list[int]
    """By window, from 0, none left out."""


class ScenarioFile(StrictModel):
    """A scenario file as it stands on disk."""

    format: str
    name: str
    about: str
    source: str
    margin_period_days: int
    confidence: float
    decay: float
    warm_up: int
    long_volatility: dict[str, float]
    latest_volatility: dict[str, float]
    volatility_response: dict[str, list[float]]
    token_stress: list[dict[str, str | float | int]]
    columns: list[str]
    sets: dict[str, SetEntry]
    sample: list[list[str | float | int]]


@dataclass(frozen=True, eq=False)
class ScenarioSet:
    """The sample of D windows and its reduction to S groups, for one number of rows."""

    name: str
    """Name of the record."""
    coins: tuple[Coin, ...]
    """Coins of the columns, in order."""
    margin_period_days: int
    """Length of a window: the time over which the moves happen."""
    confidence: float
    """The tail is 1 - confidence of all weight."""
    decay: float
    """Of the variance filter per day: sigma_t+1^2 = decay sigma_t^2 + (1 - decay) r_t^2."""
    last_day: tuple[str, ...]
    """(D,) day on which each window ends, ISO; the name of a stress of the token where there is no history."""
    standardised: np.ndarray
    """(D, coins) sum of the window's daily log returns, each over the volatility forecast for it."""
    volatility: np.ndarray
    """(D, coins) volatility that was forecast for the window's first day, per square root of a day."""
    token: np.ndarray
    """(D,) relative move of the cash token's price in US dollars; 0 outside documented stress."""
    stressed: np.ndarray
    """(D,) bool: the windows with the highest forecast volatility."""
    response: np.ndarray
    """(coins, 3) a, b, c of d ln(30-day implied volatility) = a + b r + c |r|, r the coin's log move."""
    groups: np.ndarray
    """(D,) group of each window."""
    plain_multiplier: tuple[int, int]
    """(m, m') with every window alike."""
    stressed_multiplier: tuple[int, int]
    """(m, m') where stressed windows weigh more."""

    def of_coins(self, coins: Iterable[Coin]) -> ScenarioSet:
        """The same windows with the columns of `coins` in that order; raises `UnknownName` for one without columns."""
        wanted = tuple(coins)
        if wanted == self.coins:
            return self
        places = [self.coins.index(require_coin(f"coin of scenarios {self.name}", coin, self.coins)) for coin in wanted]
        return replace(
            self,
            coins=wanted,
            standardised=self.standardised[:, places],
            volatility=self.volatility[:, places],
            response=self.response[places],
        )

    @cached_property
    def stress_weight(self) -> int:
        """Weight of a stressed window where these weigh more: the least that gives them `STRESS_SHARE` of all."""
        calm, stressed = int((~self.stressed).sum()), int(self.stressed.sum())
        return max(1, -(-calm * STRESS_SHARE.numerator // (stressed * (STRESS_SHARE.denominator - 1))))

    def window_weights(self, more_stress: bool) -> np.ndarray:
        """(D,) int64 weight of each window."""
        return np.where(self.stressed & more_stress, self.stress_weight, 1).astype(np.int64)

    def count_tail(self, more_stress: bool) -> int:
        """Weight of the tail, in windows: 1 - confidence of all weight, rounded down."""
        return tail_windows(int(self.window_weights(more_stress).sum()), self.confidence)

    def log_moves(self, present: np.ndarray, unfiltered_stress: bool = False) -> np.ndarray:
        """(D, coins) log moves of the windows at the `present` daily volatility (coins,).

        With `unfiltered_stress` a stressed window keeps its own volatility where that is higher.
        """
        scale = np.broadcast_to(present, self.standardised.shape)
        if unfiltered_stress:
            scale = np.where(self.stressed[:, None], np.maximum(scale, self.volatility), scale)
        return np.asarray(self.standardised * scale)

    def volatility_moves(self, log_moves: np.ndarray) -> np.ndarray:
        """(D, coins) relative moves of a 30-day implied volatility that go with log moves (D, coins)."""
        level, slope, size = self.response.T
        return expm1(level + slope * log_moves + size * np.abs(log_moves))


def tail_windows(total: int, confidence: float) -> int:
    """1 - confidence of the weight `total`, rounded down."""
    return int((1 - confidence) * total + 1e-9)


def _read_groups(file: ScenarioFile, rows: int, entry: SetEntry) -> np.ndarray:
    groups = np.array(entry.groups, dtype=np.int64)
    if len(groups) != len(file.sample):
        raise MalformedFile(file.name, f"set {rows} groups {len(groups)} windows; allowed: {len(file.sample)}")
    if groups.min() < 0 or groups.max() >= rows:
        raise OutOfRange(f"group in set {rows} of {file.name}", int(groups.max()), 0, rows - 1)
    if (empty := np.flatnonzero(np.bincount(groups) == 0)).size:
        raise MalformedFile(file.name, f"set {rows}: group {int(empty[0])} has no window")
    return groups


def _read_multiplier(what: str, pair: list[int], tail: int) -> tuple[int, int]:
    """(m, m'), with a weight m of the tail that every scenario's weight can have."""
    high = (1 << BITS.weight) - 1
    if len(pair) != 2:
        raise MalformedFile(what, f"is {pair}; allowed: [m, m']")
    tail_weight, tail_divisor = pair
    if tail_weight % tail or not tail <= tail_weight <= high:
        raise OutOfRange(f"m of {what}", tail_weight, tail, f"{high}, a multiple of {tail}")
    if not 1 <= tail_divisor <= tail_weight:
        raise OutOfRange(f"m' of {what}", tail_divisor, 1, tail_weight)
    return tail_weight, tail_divisor


def _check_table(name: str, table: np.ndarray, coins: int) -> None:
    """The columns after the first, as numbers (D, coins + coins + 2)."""
    limits = {
        "standardised": (table[:, :coins], -MAX_STANDARDISED, MAX_STANDARDISED),
        "volatility": (table[:, coins:-2], 1e-4, 1.0),
        "token": (table[:, -2], -MAX_TOKEN, MAX_TOKEN),
        "stressed": (table[:, -1], 0, 1),
    }
    for what, (values, low, high) in limits.items():
        wrong = ~((values >= low) & (values <= high))
        if wrong.any():
            raise OutOfRange(f"{what} in {name}", float(values[wrong][0]), low, high)
    if not np.isin(table[:, -1], (0, 1)).all() or not 0 < table[:, -1].sum() < len(table):
        raise MalformedFile(name, "stressed is not 0 or 1, with at least one of each")


def _read_numbers(file: ScenarioFile) -> np.ndarray:
    coins, columns = len(file.long_volatility), name_columns(file.long_volatility)
    if file.columns != columns or any(len(row) != len(columns) for row in file.sample) or len(file.sample) < 2:
        raise MalformedFile(file.name, f"columns are {file.columns}, or a window has others; allowed: {columns}")
    if not all(isinstance(row[0], str) and not any(isinstance(value, str) for value in row[1:]) for row in file.sample):
        raise MalformedFile(file.name, "a window is not a day and numbers")
    table = np.array([row[1:] for row in file.sample], dtype=float)
    _check_table(file.name, table, coins)
    return table


def _find_record(name: str) -> Path:
    return Path(name) if name.endswith(".json") else FOLDER / f"{name}.json"


@lru_cache(maxsize=16)
def _load_file(name: str) -> ScenarioFile:
    path = _find_record(name)
    file = read_model(ScenarioFile, read_text(path), path.name)
    if file.format != FORMAT:
        raise MalformedFile(path.name, f"format is {file.format!r}; allowed: {FORMAT!r}")
    return file


@lru_cache(maxsize=16)
def load_sample(name: str) -> ScenarioSet:
    """The sample of the shipped record `name`, or of the file with that path if it ends in .json, without a reduction:
    all windows in one group.

    Raises
    ------
    MalformedFile
        If the file is not a scenario record, or a window has other columns.
    OutOfRange
        If a number is not possible: a move beyond its range.
    """
    path, file = _find_record(name), _load_file(name)
    coins = tuple(require_coin(f"coin of {path.name}", coin) for coin in file.long_volatility)
    shares = {"confidence": file.confidence, "decay": file.decay, "days": file.margin_period_days / 30}
    for what, share in shares.items():
        if not 0 < share < 1:
            raise OutOfRange(f"{what} of {path.name}", share, "above 0", "below 1 (days: below 30)")
    response = [file.volatility_response.get(coin, []) for coin in coins]
    if any(len(row) != 3 for row in response) or not np.isfinite(response).all() or np.abs(response).max() > 10:
        raise MalformedFile(path.name, f"volatility_response is {response}; allowed: three numbers up to 10 per coin")
    table = _read_numbers(file)
    return ScenarioSet(
        name=name,
        coins=coins,
        margin_period_days=file.margin_period_days,
        confidence=file.confidence,
        decay=file.decay,
        last_day=tuple(str(row[0]) for row in file.sample),
        standardised=table[:, : len(coins)],
        volatility=table[:, len(coins) : -2],
        token=table[:, -2],
        stressed=table[:, -1] == 1,
        response=np.array(response),
        groups=np.zeros(len(table), dtype=np.int64),
        plain_multiplier=(1, 1),
        stressed_multiplier=(1, 1),
    )


@lru_cache(maxsize=16)
def load_scenarios(name: str, rows: int) -> ScenarioSet:
    """The sample of `load_sample`, with its reduction for a preset with `rows` excess rows.

    Raises
    ------
    UnknownName
        If the record has no set for `rows`.
    MalformedFile
        As `load_sample`, or if a set leaves a window or a group out.
    OutOfRange
        As `load_sample`; or for a weight beyond 10 bits or a multiplier below 1.
    """
    sample, file = load_sample(name), _load_file(name)
    if str(rows) not in file.sets:
        raise UnknownName(f"set in {name}.json", str(rows), file.sets)
    entry = file.sets[str(rows)]
    plain, stressed = (sample.count_tail(more_stress) for more_stress in (False, True))
    return replace(
        sample,
        groups=_read_groups(file, rows, entry),
        plain_multiplier=_read_multiplier(f"set {rows}", entry.multiplier, plain),
        stressed_multiplier=_read_multiplier(f"set {rows}, stressed", entry.stressed_multiplier, stressed),
    )
