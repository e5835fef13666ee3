"""The daily loop: strike every book, compute every margin from the days so far, hold, and revalue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.backtest.books import ARCHETYPES, NEEDS_BASIS, NEEDS_SPOT, SPOT_COIN, Listed, list_day, make_lots
from zkmargin.engine.backtest.garch import MonthlyGarch
from zkmargin.engine.backtest.models import (
    DAYS_HELD,
    HAS_SHORTFALL,
    HOUSE,
    BacktestedHouse,
    Figures,
    check_models,
    compute_delta_gamma,
    compute_sample_figures,
    revalue_sample,
)
from zkmargin.engine.backtest.paths import PERIODS, FittedMarket, Path
from zkmargin.engine.calibration.filters import shrink_covariance, sum_over_period
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.margin.parameters import Parameters
from zkmargin.engine.presets import Coin

LEAST_SAMPLE = 250
"""Days in the sample before the first margin is tested."""
LEAST_TESTED = 10
"""Days below which a backtest says nothing."""
NO_FACTOR = (NEEDS_BASIS, NEEDS_SPOT)
"""Books whose risk is not a factor of the samples: models that have nothing else are not tested on them."""
SEED = 20_251_010
"""Of the response's errors: a day of the sample keeps its draw."""
SAME_VOLATILITY = 1e-6
"""Step to which a snapshot rounds its daily volatility."""
COVARIANCE_EVERY = 30
"""Days between two shrunk covariances."""


@dataclass(frozen=True, eq=False)
class Run:
    """What was required and what was lost. D days, B books; NaN where a book could not be formed or is not tested."""

    coin: str
    """Whose books they are."""
    books: tuple[str, ...]
    """Names of the columns."""
    dates: np.ndarray
    """(D,) datetime64[D] at whose close the books were struck."""
    quoted: np.ndarray
    """(D,) whether volatilities are quotes from the striking to the last revaluation."""
    notional: np.ndarray
    """(D, B) US dollars: one coin."""
    losses: dict[int, np.ndarray]
    """(D, B) by days held, US dollars, positive when money was lost."""
    figures: dict[str, Figures]
    """By model, (D, B) each, US dollars."""


def select_days(path: Path, first: np.datetime64, last: np.datetime64, known: int) -> list[int]:
    """Rows of `path` that can be tested.

    Struck from `first` to `last`, with `known` earlier days in the sample, and all volatilities quotes or all of them
    proxies until the books are closed.
    """
    longest, days = max(PERIODS), []
    for row in range(len(path.states) - longest):
        inside = first <= path.states[row].date <= last
        if inside and known + row >= LEAST_SAMPLE and len(set(path.quoted[row : row + longest + 1].tolist())) == 1:
            days.append(row)
    return days


def run_backtest(
    market: FittedMarket,
    parameters: Parameters,
    books: tuple[str, ...] = tuple(ARCHETYPES),
    models: tuple[str, ...] = tuple(DAYS_HELD),
    coin: str = "BTC",
    first: np.datetime64 = np.datetime64("2016-01-01"),  # noqa: B008
    last: np.datetime64 = np.datetime64("2100-01-01"),  # noqa: B008
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Run:
    """Hold each book from each day's close for one and for two days.

    Parameters
    ----------
    market : FittedMarket
    parameters : Parameters
        Of the house model.
    books, models : tuple of str
        Keys of `ARCHETYPES` and of `DAYS_HELD`.
    coin : str
        Of the books; "carry" is always of ether.
    first, last : datetime64
        Days of striking, both included.
    progress : callable
        Told the days done and the days in all.

    Raises
    ------
    UnknownName
        For a book, model or coin that is none.
    OutOfRange
        If fewer than `LEAST_TESTED` days can be tested.
    """
    check_models(models)
    for name in books:
        if name not in ARCHETYPES:
            raise UnknownName("archetype", name, ARCHETYPES)
    chosen, known = [], 0
    for path in market.paths:
        chosen.append(select_days(path, first, last, known))
        known += len(path.standardised)
    total = sum(len(rows) for rows in chosen)
    if total < LEAST_TESTED:
        raise OutOfRange(f"days to be tested from {first} to {last}", total, LEAST_TESTED, "any number")
    walk = _Walk(market, parameters, books, models, coin)
    for number, rows in enumerate(chosen):
        for row in rows:
            walk.strike(number, row)
            progress(len(walk.dates), total)
    return walk.collect()


class _Walk:
    """The loop's state: samples that grow, and the rows so far."""

    def __init__(
        self, market: FittedMarket, parameters: Parameters, books: tuple[str, ...], models: tuple[str, ...], coin: str
    ):
        self.market, self.parameters, self.books, self.models, self.coin = market, parameters, books, models, coin
        self.garch, self.covariance_at, self.correlation = MonthlyGarch(), -COVARIANCE_EVERY, np.eye(len(Coin))
        longest = sum(len(path.returns) for path in market.paths)
        self.draws = np.random.default_rng(SEED).standard_normal(longest)
        self.dates: list[np.datetime64] = []
        self.quoted: list[bool] = []
        self.notional: list[np.ndarray] = []
        self.losses: dict[int, list[np.ndarray]] = {days: [] for days in PERIODS}
        self.figures: dict[str, list[Figures]] = {model: [] for model in models}
        self.untested = np.array([name in NO_FACTOR for name in books])

    def get_sample(self, number: int, row: int, days: int) -> np.ndarray:
        """(S, coins) standardised moves over `days` that end at or before the close, of all segments."""
        parts = [path.standardised for path in self.market.paths[:number]]
        parts.append(self.market.paths[number].standardised[:row])
        return np.vstack([sum_over_period(part, days) for part in parts if len(part) >= days])

    def get_returns(self, number: int, row: int) -> np.ndarray:
        """(T, coins) all returns to the close, the segments put end to end."""
        parts = [part for path in self.market.paths[:number] for part in (path.earlier, path.returns)]
        path = self.market.paths[number]
        return np.vstack([*parts, path.earlier, path.returns[:row]])

    def strike(self, number: int, row: int) -> None:
        """One day: margins from what is known at its close, losses from the closes after it."""
        path = self.market.paths[number]
        state, forecast = path.states[row], path.forecast[row]
        listed = list_day(state, forecast)
        lots = make_lots(listed, self.books, self.coin)
        mask = self._get_mask(path, row)
        now = listed.value(state)
        for days in PERIODS:
            loss = -(listed.value(path.states[row + days]) - now) @ lots
            self._require_formed(f"loss over {days} days", loss, mask, state.date)
            self.losses[days].append(np.where(mask, loss, np.nan))
        self.dates.append(state.date)
        self.quoted.append(bool(path.quoted[row]))
        own = [SPOT_COIN if name == NEEDS_SPOT else self.coin for name in self.books]
        self.notional.append(np.array([state.index[Coin(name).ordinal] for name in own]))
        computed = self._compute(number, row, listed, lots, forecast)
        for model in self.models:
            formed = mask & ~self.untested if model in HAS_SHORTFALL else mask
            self.figures[model].append(self._hide(model, computed.get(model), formed, state.date))

    def _hide(self, model: str, figures: Figures | None, formed: np.ndarray, date: np.datetime64) -> Figures:
        """NaN for books that were not formed, and for all of them where the model has no figures."""
        if figures is None:
            return Figures(*np.full((len(Figures._fields), len(self.books)), np.nan))
        for what, part in zip(Figures._fields, figures, strict=True):
            if part is not None:
                self._require_formed(f"{what} of {model}", part, formed, date)
        margin, *tails = figures
        hidden = [None if part is None else np.where(formed, part, np.nan) for part in tails]
        return Figures(np.where(formed, margin, np.nan), *hidden)

    def _require_formed(self, what: str, values: np.ndarray, formed: np.ndarray, date: np.datetime64) -> None:
        """Refuse a number that is missing where a book was formed: later, NaN only says that it was not."""
        missing = np.flatnonzero(formed & np.isnan(values))
        if missing.size:
            raise OutOfRange(f"{what}, {self.books[missing[0]]} struck on {date}", float("nan"), "any", "number")

    def _get_mask(self, path: Path, row: int) -> np.ndarray:
        states = path.states[row : row + max(PERIODS) + 1]
        has_spot = all(np.isfinite(state.eth_spot) for state in states)
        formed = {NEEDS_BASIS: bool(path.quoted[row]), NEEDS_SPOT: has_spot}
        return np.array([formed.get(name, True) for name in self.books])

    def _compute(
        self, number: int, row: int, listed: Listed, lots: np.ndarray, forecast: np.ndarray
    ) -> dict[str, Figures]:
        figures: dict[str, Figures] = {}
        wanted, responses = set(self.models), self.market.responses

        def measure(moves: np.ndarray, days: int, draws: np.ndarray | float = 0.0) -> Figures:
            pnl = revalue_sample(listed, moves, responses[days], self.parameters, days, draws)
            return compute_sample_figures(pnl, lots)

        if "ewma" in wanted:
            figures["ewma"] = measure(self.get_sample(number, row, 1) * forecast, 1)
        if "ewma_residual" in wanted:
            moves = self.get_sample(number, row, 1) * forecast
            figures["ewma_residual"] = measure(moves, 1, self.draws[: len(moves)])
        if "garch" in wanted:
            self.garch.update(self.get_returns(number, row))
            if self.garch.is_fitted:
                figures["garch"] = measure(self.garch.standardised * self.garch.latest, 1)
        if "delta_gamma" in wanted:
            covariance = self._get_correlation(number, row) * np.outer(forecast, forecast)
            figures["delta_gamma"] = compute_delta_gamma(listed, lots, covariance, responses[1], self.parameters)
        if wanted & {"two_day", *HOUSE}:
            house, sample = BacktestedHouse(listed, self.parameters), self.get_sample(number, row, 2)
            figures["two_day"] = floored = measure(sample * forecast, 2)
            if not np.allclose(house.volatility, forecast, rtol=0.0, atol=SAME_VOLATILITY):
                floored = measure(sample * house.volatility, 2)
            for model in HOUSE:
                figures[model] = house.compute(lots, model.removeprefix("house_"), np.asarray(floored.shortfall))
        return figures

    def _get_correlation(self, number: int, row: int) -> np.ndarray:
        """(coins, coins) correlation by the shrunk covariance of the returns so far, renewed monthly."""
        if len(self.dates) - self.covariance_at >= COVARIANCE_EVERY:
            covariance = shrink_covariance(self.get_returns(number, row)).covariance
            deviation = np.sqrt(np.diag(covariance))
            self.correlation = covariance / np.outer(deviation, deviation)
            self.covariance_at = len(self.dates)
        return self.correlation

    def collect(self) -> Run:
        """The rows as arrays."""
        figures = {
            model: Figures._make(None if parts[0] is None else np.array(parts) for parts in zip(*rows, strict=True))
            for model, rows in self.figures.items()
        }
        return Run(
            self.coin,
            self.books,
            np.array(self.dates),
            np.array(self.quoted),
            np.array(self.notional),
            {days: np.array(rows) for days, rows in self.losses.items()},
            figures,
        )
