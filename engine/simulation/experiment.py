"""Rules side by side on the same accounts and noise: figures per rule, paired differences, and the calibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.contagion.records import EventRecord, load_record
from zkmargin.engine.simulation.cascade import Cascade, Outcome
from zkmargin.engine.simulation.market_model import MarketModel
from zkmargin.engine.simulation.population import draw_population
from zkmargin.engine.simulation.position_sizing import RULES, Positions, Rule, size_positions
from zkmargin.engine.simulation.scenarios import Scenario
from zkmargin.engine.simulation.statistics import Bootstrap, Interval
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, require_whole

FIGURES: dict[str, Callable[[Positions, Outcome], np.ndarray]] = {
    "bad_debt_usd": lambda taken, seen: seen.bad_debt,
    "liquidated_usd": lambda taken, seen: seen.liquidated,
    "liquidated_accounts": lambda taken, seen: seen.accounts,
    "minutes_at_least_depth": lambda taken, seen: seen.minutes_at_least_depth,
    "drawdown": lambda taken, seen: seen.drawdown,
    "margin_per_notional": lambda taken, seen: taken.cost,
    "notional_usd": lambda taken, seen: taken.notional.sum(axis=1),
}
"""Name of each figure and how a seed's value is read; all amounts in US dollars."""
PAIRS: tuple[tuple[Rule, Rule], ...] = (("buffer", "base"), ("buffer", "flat"))
"""Differences reported: the first rule less the second."""
SHARE_TOLERANCE = 0.05
"""Of shares that are compared with reports."""
MOST_STEPS = 5_000_000_000
"""Account-minutes of one rule's run: what bounds its time."""
RECOVERED = 600
"""Minute at which the price is compared after the crash: 22:00 UTC."""


@dataclass(frozen=True)
class Result:
    """One scenario."""

    scenario: Scenario
    seeds: int
    """Markets per rule."""
    figures: dict[Rule, dict[str, Interval]]
    """By rule and figure."""
    differences: dict[str, dict[str, Interval]]
    """By "first - second" and figure, paired."""
    paths: dict[Rule, np.ndarray]
    """(3, T) 10, 50 and 90 % quantiles of the price per minute."""
    outcome: Outcome
    """Of the rule "base"."""


def run_scenario(
    scenario: Scenario,
    seeds: int,
    start: Callable[[str], None] = lambda text: None,
    done: Callable[[], None] = lambda: None,
) -> Result:
    """All rules of one scenario; `start` and `done` are called around each.

    Raises
    ------
    OutOfRange
        If `seeds` is not 2 to 5,000, or seeds times accounts times minutes are above `MOST_STEPS`.
    """
    require_whole("seeds", seeds, 2, 5_000)
    steps = seeds * scenario.model.agents * scenario.model.minutes
    require_whole("seeds x agents x minutes", steps, 1, MOST_STEPS)
    population = draw_population(scenario.model, seeds)
    bootstrap = Bootstrap(seeds)
    values: dict[Rule, dict[str, np.ndarray]] = {}
    paths: dict[Rule, np.ndarray] = {}
    outcomes: dict[Rule, Outcome] = {}
    for rule in RULES:
        start(f"{scenario.name}: {rule}")
        taken = size_positions(scenario.model, population, rule)
        seen = Cascade(scenario.model, population, taken).run()
        values[rule] = {name: read(taken, seen) for name, read in FIGURES.items()}
        paths[rule] = np.percentile(seen.price, [10, 50, 90], axis=0)
        outcomes[rule] = seen
        done()
    figures = {rule: {name: bootstrap.get_interval(x) for name, x in own.items()} for rule, own in values.items()}
    differences = {
        f"{one} - {other}": {name: bootstrap.get_interval(values[one][name] - values[other][name]) for name in FIGURES}
        for one, other in PAIRS
    }
    return Result(scenario, seeds, figures, differences, paths, outcomes["base"])


@dataclass(frozen=True)
class Target:
    """One reported figure of 10 October 2025 against the calibrated run without a buffer."""

    name: str
    low: float
    """Reported, or the lower of several reports."""
    high: float
    """The higher one."""
    tolerance: float
    """How far outside the simulated mean may lie."""
    simulated: Interval
    """Mean and interval over the markets."""

    @property
    def is_met(self) -> bool:
        """Whether the simulated mean lies within the tolerance of what was reported."""
        return self.low - self.tolerance <= self.simulated.mean <= self.high + self.tolerance


def compare_with_october(model: MarketModel, outcome: Outcome) -> list[Target]:
    """The named targets; `outcome` of the rule "base"."""
    event, bootstrap = load_record(EventRecord, "event_2025-10-10"), Bootstrap(len(outcome.price))
    start = event.start - event.start % SECONDS_PER_DAY + 12 * SECONDS_PER_HOUR
    recovered = event.close[(start + 60 * RECOVERED - event.start) // event.candle - 1]
    fall = outcome.closed_coins * model.price / model.open_interest
    at = min(RECOVERED, model.minutes - 1)
    share, closed = event.share_in_40_minutes, event.closed_share
    return [
        Target(name, low, high, tolerance, bootstrap.get_interval(values))
        for name, low, high, tolerance, values in (
            ("lowest price", *event.lowest, 0.0, outcome.price.min(axis=1)),
            ("price at 22:00", recovered, recovered, 0.01 * recovered, outcome.price[:, at]),
            ("liquidated in 40 minutes", share, share, SHARE_TOLERANCE, outcome.share_in_window),
            ("long share of liquidations", event.long_share, event.long_share, SHARE_TOLERANCE, outcome.long_share),
            ("fall of open interest", closed, closed, SHARE_TOLERANCE, fall),
        )
    ]
