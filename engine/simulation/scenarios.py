"""Named markets: the calibrated crash, one where the buffer can tip the outcome, and those where it does not help."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from zkmargin.engine.errors import UnknownName, WrongKind
from zkmargin.engine.simulation.market_model import MarketModel

OCTOBER = MarketModel()
"""Calibrated to 10 October 2025."""
SMALLER_NEWS = ((0, 0.0), (175, 0.0), (530, -0.038), (550, -0.06), (560, -0.068))
"""The same shock without the overshoot."""
CROWDED = replace(OCTOBER, leverage_median=1.7, news=SMALLER_NEWS)
"""More leverage, a smaller shock: whether a cascade starts is open."""


@dataclass(frozen=True)
class Scenario:
    """A market and what it is meant to show."""

    name: str
    """As the command knows it."""
    about: str
    """What it shows, in one line."""
    model: MarketModel


SCENARIOS = {
    item.name: item
    for item in (
        Scenario("october", "the crash of 10 October 2025, calibrated: the shock alone closes many accounts", OCTOBER),
        Scenario("crowded", "more leverage, a smaller shock: the crowd decides whether a cascade starts", CROWDED),
        Scenario(
            "positioned",
            "crowded, but every position was built before the buffer applied: only later entries are charged",
            replace(CROWDED, governed_from=1),
        ),
        Scenario(
            "outside",
            "crowded, but four of five accounts trade on venues without the buffer",
            replace(CROWDED, governed_share=0.2),
        ),
        Scenario("whales", "crowded, a few very large accounts", replace(CROWDED, wealth_spread=2.0)),
        Scenario(
            "split",
            "whales, each owner splits over 50 accounts: the square term falls to a fiftieth",
            replace(CROWDED, wealth_spread=2.0, split=50),
        ),
        Scenario(
            "calm", "no shock: capital is required, and there is little to prevent", replace(OCTOBER, news=((0, 0.0),))
        ),
    )
}
"""By name; all of them are the default run."""


def get_scenarios(names: list[str] | None) -> list[Scenario]:
    """Scenarios by name, all if None; raises `UnknownName`."""
    for name in names or ():
        if name not in SCENARIOS:
            raise UnknownName("scenario", name, SCENARIOS)
    return [SCENARIOS[name] for name in names or SCENARIOS]


def override(scenario: Scenario, changes: dict[str, str]) -> Scenario:
    """The scenario with parameters given as text, numbers only.

    Raises
    ------
    UnknownName
        If a parameter does not exist or is not a single number.
    WrongKind
        If a value is no number of the parameter's kind.
    OutOfRange
        If a value is outside its range.
    """
    kinds = {field.name: type(getattr(scenario.model, field.name)) for field in fields(scenario.model)}
    numbers = {name: kind for name, kind in kinds.items() if kind in (int, float)}
    values = {}
    for name, text in changes.items():
        if name not in numbers:
            raise UnknownName("parameter", name, numbers)
        try:
            values[name] = numbers[name](text)
        except ValueError:
            raise WrongKind(f"parameter {name}", text, f"a number ({numbers[name].__name__})") from None
    return replace(scenario, model=replace(scenario.model, **values))
