"""Expected shortfall over joint scenarios, on the excess rows.

    ES = min over t of t + (1 / m) sum_h w_h max(0, loss_h - t)        [1]_

Each scenario moves both coins and their volatilities together and lets the margin period pass; options are revalued in
full. The scenario set is a first, simple one: see `engine.scenarios`.

References
----------
.. [1] R. T. Rockafellar, S. Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000), equation 4.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from engine.market import MarketSnapshot
from engine.models.base import drop_dead_collateral, scale_by_tenor
from engine.parameters import Parameters
from engine.pricing import price_per_lot
from engine.rows import Draft, to_usd6
from engine.scenarios import load_scenarios

LEAST_VOLATILITY_FACTOR = 0.1
"""A scaled fall of volatility leaves at least this share of it."""


class ShortfallModel:
    """The expected shortfall at one snapshot; asked at the initial level only.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    """

    name = "expected shortfall"

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters):
        self.snapshot, self.parameters = snapshot, parameters
        self.scenarios = load_scenarios(parameters.shortfall_scenarios, snapshot.listing.preset.excess_rows)

    @cached_property
    def pnl(self) -> np.ndarray:
        """(S, N) change in value of one lot in each scenario over the margin period, US dollars; a loss is negative."""
        snapshot, scenarios = self.snapshot, self.scenarios
        own = snapshot.listing.underlying
        factor = np.maximum(
            1.0 + scenarios.volatility[:, own] * scale_by_tenor(snapshot, self.parameters), LEAST_VOLATILITY_FACTOR
        )
        shocked = price_per_lot(
            snapshot,
            forward_shift=scenarios.returns[:, own],
            volatility=snapshot.volatility * factor,
            time_shift=scenarios.margin_period_days / 365.0,
        )
        return drop_dead_collateral(snapshot, self.parameters, shocked - price_per_lot(snapshot))

    @cached_property
    def columns(self) -> np.ndarray:
        """`pnl` in micro-dollars per lot, int64."""
        return to_usd6(self.pnl)

    def add_rows(self, draft: Draft, level: str) -> None:
        """The scenarios' rows and the row that averages the tail; nothing at the maintenance level."""
        if level == "initial":
            draft.add_shortfall(self.columns, self.scenarios.weights, self.scenarios.tail_weight)
