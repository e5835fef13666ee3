"""From a run to verdicts: coverage, size of exceptions, procyclicality, for each model and book."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zkmargin.engine.backtest.acerbi_szekely import compute_z2, get_p_value_z2
from zkmargin.engine.backtest.coverage import (
    Lights,
    compute_christoffersen,
    compute_conditional_coverage,
    compute_kupiec,
    count_transitions,
    get_lights,
    simulate_lights,
)
from zkmargin.engine.backtest.models import CONFIDENCE, DAYS_HELD, SHORTFALL_CONFIDENCE
from zkmargin.engine.backtest.procyclicality import OPTIONS, STEPS, Procyclicality, apply_option, get_largest_step
from zkmargin.engine.backtest.run import Run

TAIL, SHORTFALL_TAIL = 1.0 - CONFIDENCE, 1.0 - SHORTFALL_CONFIDENCE
LEAST_OBSERVATIONS = 50
"""Days below which a book gets no verdict."""
YEAR = 250
"""Observations of the regulation's traffic light."""
HEAVY_TAIL = 3.0
"""Degrees of freedom of the heavier null of Z2."""
PATHS = 20_000
"""Simulated histories of Z2's nulls."""
GAP = np.timedelta64(10, "D")
"""Days without a margin that end a stretch: no step is measured across them."""


class Series(NamedTuple):
    """One book under one model, on the days on which it was tested: T days."""

    dates: np.ndarray
    """(T,) day of striking."""
    margin: np.ndarray
    """(T,) US dollars."""
    loss: np.ndarray
    """(T,) US dollars over the days held."""
    notional: np.ndarray
    """(T,) US dollars."""
    quoted: np.ndarray
    """(T,) whether volatilities are quotes."""
    value_at_risk: np.ndarray | None
    """(T,) 97.5 %."""
    shortfall: np.ndarray | None
    """(T,) 97.5 %."""

    @property
    def is_exception(self) -> np.ndarray:
        """(T,) whether the loss was larger than the margin."""
        return self.loss > self.margin


class SizeTest(NamedTuple):
    """Acerbi and Szekely's Z2, with the share of right models that come out as low."""

    statistic: float
    p_normal: float
    p_heavy: float


class Treated(NamedTuple):
    """One option against procyclicality: what it does to the margin's moves, and to coverage."""

    procyclicality: Procyclicality
    mean: float
    """Mean margin, fraction of notional."""
    exceptions: int


@dataclass(frozen=True)
class Verdict:
    """One book under one model."""

    model: str
    book: str
    days_held: int
    observations: int
    """Days tested; windows of two days overlap."""
    exceptions: int
    quoted_observations: int
    """Of the days, those with quoted volatilities."""
    quoted_exceptions: int
    mean_margin: float
    """Fraction of notional."""
    kupiec: float
    """p-value, on windows that do not overlap."""
    christoffersen: float
    """p-value of independence, likewise."""
    conditional: float
    """p-value of both, likewise."""
    size: SizeTest | None
    """Z2, likewise; none where the model states no shortfall."""
    lights: Lights
    """Ends of the zones for all observations, with the overlap of the windows."""
    zone: str
    """Of all observations."""
    worst_year: int
    """Most exceptions in `YEAR` consecutive observations."""
    worst_year_zone: str
    """Its zone, with the overlap."""
    worst_ratio: float
    """Largest loss over its margin."""
    worst_date: str
    """When that was struck."""
    options: dict[str, Treated]
    """By option against procyclicality."""


def get_series(run: Run, model: str, book: str) -> Series:
    """The days of `run` on which `book` was tested under `model`."""
    column, figures = run.books.index(book), run.figures[model]
    days = DAYS_HELD[model]
    kept = np.isfinite(figures.margin[:, column]) & np.isfinite(run.losses[days][:, column])

    def select(part: np.ndarray | None) -> np.ndarray | None:
        return None if part is None else part[kept, column]

    return Series(
        dates=run.dates[kept],
        margin=figures.margin[kept, column],
        loss=run.losses[days][kept, column],
        notional=run.notional[kept, column],
        quoted=run.quoted[kept],
        value_at_risk=select(figures.value_at_risk),
        shortfall=select(figures.shortfall),
    )


def evaluate(run: Run, model: str, book: str) -> Verdict | None:
    """The verdict on one book under one model; none below `LEAST_OBSERVATIONS` days."""
    series = get_series(run, model, book)
    days, total = DAYS_HELD[model], len(series.dates)
    if total < LEAST_OBSERVATIONS:
        return None
    hits = series.is_exception
    apart = hits[::days]
    kupiec = compute_kupiec(len(apart), int(apart.sum()), TAIL)
    christoffersen = compute_christoffersen(count_transitions(apart))
    lights, year = (_get_lights(count, days) for count in (total, min(YEAR, total)))
    sums = np.convolve(hits, np.ones(min(YEAR, total)), mode="valid")
    worst_year = round(float(sums.max()))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(series.margin > 0, series.loss / series.margin, np.where(series.loss > 0, np.inf, 0.0))
    worst = int(np.argmax(ratio))
    return Verdict(
        model=model,
        book=book,
        days_held=days,
        observations=total,
        exceptions=int(hits.sum()),
        quoted_observations=int(series.quoted.sum()),
        quoted_exceptions=int((hits & series.quoted).sum()),
        mean_margin=float((series.margin / series.notional).mean()),
        kupiec=kupiec.p_value,
        christoffersen=christoffersen.p_value,
        conditional=compute_conditional_coverage(kupiec, christoffersen).p_value,
        size=_test_size(series, days),
        lights=lights,
        zone=lights.get_zone(int(hits.sum())),
        worst_year=worst_year,
        worst_year_zone=year.get_zone(worst_year),
        worst_ratio=float(ratio[worst]),
        worst_date=str(series.dates[worst]),
        options=_treat(series),
    )


def _get_lights(observations: int, days: int) -> Lights:
    if days == 1:
        return get_lights(observations, TAIL)
    return simulate_lights(observations, TAIL, days)


def _test_size(series: Series, days: int) -> SizeTest | None:
    if series.shortfall is None or series.value_at_risk is None or series.shortfall[::days].min() <= 0:
        return None
    pnl, at_risk, shortfall = (part[::days] for part in (-series.loss, series.value_at_risk, series.shortfall))
    statistic = compute_z2(pnl, at_risk, shortfall, SHORTFALL_TAIL)
    p_values = [
        get_p_value_z2(statistic, len(pnl), SHORTFALL_TAIL, degrees, paths=PATHS) for degrees in (None, HEAVY_TAIL)
    ]
    return SizeTest(statistic, *p_values)


def _treat(series: Series) -> dict[str, Treated]:
    """Each option on the margins as fractions of the notional; empty if a margin is not positive."""
    fractions = series.margin / series.notional
    if fractions.min() <= 0:
        return {}
    losses, treated = series.loss / series.notional, {}
    stretches = np.split(np.arange(len(fractions)), np.flatnonzero(np.diff(series.dates) > GAP) + 1)
    for option in OPTIONS:
        margins = apply_option(fractions, option)
        steps = {
            days: max((get_largest_step(margins[part], days) for part in stretches if len(part) > days), default=0.0)
            for days in STEPS
        }
        moves = Procyclicality(float(margins.max() / margins.min()), steps)
        treated[option] = Treated(moves, float(margins.mean()), int((losses > margins).sum()))
    return treated
