"""What netting between the coins costs at a snapshot: the charge c per unit of exposure transferred.

One unit of the transfer answers a move of one coin by the same share of its price range of the other coin. What that
misses is the relative move, abs(r_2 / R_2 - r_1 / R_1) R with R_1 and R_2 the price ranges of the pair and R that of
the parameters' first coin, in which a unit is measured; the charge is its 99 % quantile over the
margin period in the sample of the expected shortfall, scaled to the snapshot's forecast of volatility, and at least the
floor of the parameters: correlation is lost when volatility has not yet risen.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from zkmargin.engine.elementary import expm1
from zkmargin.engine.margin.parameters import MILLE, Parameters
from zkmargin.engine.margin.scenarios import ScenarioSet, load_sample
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin

CONFIDENCE = Fraction(99, 100)
"""Of the relative move that the charge covers."""
LARGEST_CHARGE = 1.0
"""Beyond the price range no transfer pays, so more would say nothing."""


def measure_relative_move(
    scenarios: ScenarioSet, volatility: np.ndarray, parameters: Parameters, pair: tuple[Coin, Coin]
) -> float:
    """99 % quantile, an order statistic, of the relative move of a pair of the sample's coins at a daily volatility
    (2,)."""
    first, second = expm1(scenarios.of_coins(pair).log_moves(volatility)).T
    one, other = (parameters.reference_range / parameters.price_range[coin] for coin in pair)
    relative = np.sort(np.abs(second * other - first * one))
    return float(relative[math.ceil(CONFIDENCE * len(relative)) - 1])


def compute_transfer_charge(snapshot: MarketSnapshot, parameters: Parameters, pair: tuple[Coin, Coin]) -> float:
    """c of a netting pair at a snapshot, fraction of the exposure transferred: a multiple of 0.001, rounded against the
    account."""
    forecast = np.array([snapshot.daily_volatility[coin] for coin in pair])
    measured = measure_relative_move(load_sample(parameters.shortfall_scenarios), forecast, parameters, pair)
    charge = max(parameters.transfer_charge_floor, min(measured, LARGEST_CHARGE))
    return math.ceil(MILLE * charge - 1e-9) / MILLE
