"""Evaluation shared by all venue models: every option is priced here, by `engine.market.valuation.black76_price`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.venues.decimals import CONTEXT, ZERO, sum_products, to_decimal
from zkmargin.engine.venues.interface import Margin, OptionExpiry, Scenario, VenueModel

REFERENCE_DAYS = 30.0
"""Tenor at which the venues state their volatility shocks."""


def scale_by_tenor(days: float, floor: float, short_power: float, long_power: float) -> float:
    """(30 / max(days, floor))^p with p by the side of 30 days that the tenor is on: Deribit, Derive, Paradex."""
    tenor = max(days, floor)
    power = short_power if days <= REFERENCE_DAYS else long_power
    if tenor <= 0 and power > 0:
        raise OutOfRange("tenor in days, after the floor", tenor, "above 0", "any finite number")
    return (REFERENCE_DAYS / tenor) ** power if power else 1.0


def price_legs(expiry: OptionExpiry, factors: np.ndarray, volatility: np.ndarray) -> np.ndarray:
    """Discounted price per coin of each leg, US dollars, shape (S, n), at forwards scaled by `factors` (S,)."""
    forward = float(expiry.forward_fixed) + float(expiry.forward) * np.asarray(factors, dtype=float)
    undiscounted = black76_price(forward[:, None], expiry.strike, expiry.years, volatility, expiry.is_call)
    return expiry.discount * undiscounted


def _value(expiry: OptionExpiry, prices: np.ndarray) -> list[Decimal]:
    quantities = [leg.quantity for leg in expiry.legs]
    return [sum_products(row, quantities) for row in prices]


def value_now(expiry: OptionExpiry) -> Decimal:
    """What the expiry's options are worth at mark, US dollars."""
    return _value(expiry, price_legs(expiry, np.ones(1), expiry.volatility[None, :]))[0]


def compute_changes(
    model: VenueModel, expiry: OptionExpiry, scenarios: Sequence[Scenario], now: Decimal
) -> list[Decimal]:
    """The model's profit and loss of one expiry in each scenario, before weights."""
    factors = np.array([float(scenario.spot) for scenario in scenarios])
    moved = {scenario.vol: model.shock_volatility(expiry, scenario) for scenario in scenarios}
    volatility = np.stack([moved[scenario.vol] for scenario in scenarios])
    values = _value(expiry, price_legs(expiry, factors, volatility))
    return [
        model.compute_option_pnl(expiry, scenario, now, value)
        for scenario, value in zip(scenarios, values, strict=True)
    ]


def compute_basis_contingency(
    expiries: Sequence[OptionExpiry],
    now: Sequence[Decimal],
    up: Decimal,
    down: Decimal,
    add: Decimal,
    per_year: Decimal,
) -> Decimal:
    """Loss if the forward of each expiry moves alone, volatility unchanged; US dollars, never positive (Derive).

    sum over expiries of min(0, V(up) - V, V(down) - V) (add + per_year T): an alternative to the scenarios.
    """
    total = ZERO
    factors = np.array([float(up), float(down)])
    for expiry, value in zip(expiries, now, strict=True):
        moved = _value(expiry, price_legs(expiry, factors, np.stack([expiry.volatility] * 2)))
        total += min(ZERO, *(after - value for after in moved)) * (add + per_year * to_decimal(expiry.years))
    return total


def compute_pnl(model: VenueModel, scenarios: Sequence[Scenario], now: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """weight (linear + sum over expiries of the model's change) for each scenario, US dollars."""
    if not scenarios:
        return ()
    changes = [
        compute_changes(model, expiry, scenarios, value) for expiry, value in zip(model.expiries, now, strict=True)
    ]
    totals = [sum(column, ZERO) for column in zip(*changes, strict=True)] if changes else [ZERO] * len(scenarios)
    return tuple(
        scenario.weight * (model.compute_linear_pnl(scenario) + total)
        for scenario, total in zip(scenarios, totals, strict=True)
    )


def compute_venue_margin(model: VenueModel) -> Margin:
    """Margin of the model's book under the model's rules; exact decimals around float prices."""
    with localcontext(CONTEXT):
        now = tuple(value_now(expiry) for expiry in model.expiries)
        return model.compute_margin(compute_pnl(model, model.scenarios, now), now)


def shock_in_proportion(volatility: np.ndarray, move: str, up: float, down: float, least_up: float = 0.0) -> np.ndarray:
    """Volatilities under a proportional shock: max(least_up, v (1 + up)), v, or v max(0, 1 - down)."""
    if move == "up":
        return np.maximum(least_up, volatility * (1.0 + up))
    return volatility * max(0.0, 1.0 - down) if move == "down" else volatility
