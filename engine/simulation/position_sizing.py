"""How large positions are under each margin rule: the same owners take what the rule lets them.

An owner wants a notional and takes the least of that and of what initial margin allows. With the buffer, what is
allowed solves (rate) D + theta eta (D^2 + 2 D L) / (2 Q) = equity, and L is the ladder of the positions taken: a fixed
point. Maintenance is the same under every rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from zkmargin.engine.contagion.ladder import compute_nearness
from zkmargin.engine.simulation.market_model import MarketModel
from zkmargin.engine.simulation.option_writers import get_put_deltas
from zkmargin.engine.simulation.population import Population

Rule = Literal["base", "buffer", "flat"]
RULES: tuple[Rule, ...] = ("base", "buffer", "flat")
"""Without the buffer; with it; with a flat surcharge that requires as much margin per notional as the buffer does."""
ROUNDS = 12
"""Of the fixed point, each moving half of the way: what is left is below 1 / 4,000 of the first step."""


@dataclass(frozen=True)
class Positions:
    """Positions under one rule."""

    notional: np.ndarray
    """(S, A) US dollars at entry, unsigned."""
    options: np.ndarray
    """(S, W) coins of puts sold."""
    ladder: np.ndarray
    """(2, S) L of the sides down and up, US dollars."""
    required: np.ndarray
    """(S,) initial margin in all, US dollars."""

    @property
    def cost(self) -> np.ndarray:
        """(S,) initial margin per US dollar of linear notional."""
        return np.asarray(self.required / self.notional.sum(axis=1))


def compute_largest_notional(
    equity: np.ndarray, rate: np.ndarray, curvature: np.ndarray, ladder: np.ndarray
) -> np.ndarray:
    """D that uses up `equity`: rate D + curvature (D^2 + 2 D L) = equity, curvature = theta eta / (2 Q); all >= 0."""
    slope = rate + 2.0 * curvature * ladder
    largest: np.ndarray = 2.0 * equity / (slope + np.sqrt(slope**2 + 4.0 * curvature * equity))
    return largest


def compute_distance(model: MarketModel, population: Population, notional: np.ndarray) -> np.ndarray:
    """(S, A) relative move at which each account is liquidated, 0 if it already is; from the start of the run."""
    coins = get_coins(model, population, notional)
    cash = np.where(population.holds_coin, 0.0, population.equity) - population.side * notional
    collateral = np.where(population.holds_coin, population.equity / model.price, 0.0)
    level = compute_trigger(model, population.side, coins, cash, collateral)
    return np.maximum(-population.side * (level / model.price - 1.0), 0.0)


def get_coins(model: MarketModel, population: Population, notional: np.ndarray) -> np.ndarray:
    """(S, A) unsigned coins of notional that was taken before the start at the price of entry."""
    return np.asarray(notional * np.exp(population.drift) / model.price)


def compute_trigger(
    model: MarketModel, side: np.ndarray, coins: np.ndarray, cash: np.ndarray, collateral: np.ndarray
) -> np.ndarray:
    """Price at which equity cash + (side coins + collateral) P falls to maintenance; -inf or +inf if at none.

    Coins unsigned. A long account is liquidated at and below the price, a short one at and above.
    """
    slope = side * coins + collateral - model.maintenance * coins
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.divide(-cash, slope)
    open_ended = (coins <= 0) | (side * slope <= 0) | (level <= 0)
    return np.asarray(np.where(open_ended, -side * np.inf, level))


def compute_margins(model: MarketModel, notional: np.ndarray, curvature: np.ndarray, ladder: np.ndarray) -> np.ndarray:
    """Initial margin with the buffer of (S, A) notional; `curvature` 0 is without."""
    return np.asarray(model.initial_margin * notional + curvature * (notional**2 + 2.0 * notional * ladder))


def size_positions(model: MarketModel, population: Population, rule: Rule) -> Positions:
    """Positions under a rule; `flat` first solves `buffer` to know what that costs."""
    rate = np.full(population.equity.shape, model.initial_margin)
    depth = np.where(population.side > 0, model.depth_down, model.depth_up)
    is_governed = ~population.outside & (population.entry >= model.governed_from)
    unit = np.where(is_governed, model.stress * model.impact / (2.0 * depth), 0.0)
    wanted = population.equity * population.wanted
    none = np.zeros_like(unit)
    notional = np.minimum(wanted, compute_largest_notional(population.equity, rate, none, none))
    ladder = get_ladder(model, population, notional)
    if rule == "base":
        options = _write_options(model, population, none[:, :1])
        return Positions(notional, options, ladder, (rate * notional).sum(axis=1))
    curvature = unit / model.split  # n accounts with D / n each: n (D / n)^2 = D^2 / n
    for _ in range(ROUNDS):
        ladder_of_side = np.where(population.side > 0, ladder[0][:, None], ladder[1][:, None]) * model.split
        allowed = compute_largest_notional(population.equity, rate, curvature, ladder_of_side)
        notional = np.minimum(wanted, allowed)
        ladder = 0.5 * (ladder + get_ladder(model, population, notional))
    ladder_of_side = np.where(population.side > 0, ladder[0][:, None], ladder[1][:, None]) * model.split
    required = compute_margins(model, notional, curvature, ladder_of_side).sum(axis=1)
    if rule == "buffer":
        surcharge = model.stress * model.impact / model.depth_down * ladder[0][:, None]
        return Positions(notional, _write_options(model, population, surcharge), ladder, required)
    charged = (notional * is_governed).sum(axis=1)
    excess = required - model.initial_margin * notional.sum(axis=1)
    flat = np.where(charged > 0, excess / np.maximum(charged, 1.0), 0.0)[:, None]
    rate = rate + flat * is_governed
    notional = np.minimum(wanted, population.equity / rate)
    options = _write_options(model, population, flat)
    return Positions(notional, options, get_ladder(model, population, notional), (rate * notional).sum(axis=1))


def get_ladder(model: MarketModel, population: Population, notional: np.ndarray) -> np.ndarray:
    """(2, S) L of both sides: notional taken before the run, weighted by nearness; accounts that are already below
    maintenance have been closed before."""
    distance = compute_distance(model, population, notional)
    weighted = compute_nearness(distance, model.band) * notional * ((population.entry == 0) & (distance > 0))
    return np.stack([(weighted * (population.side == side)).sum(axis=1) for side in (1.0, -1.0)])


def _write_options(model: MarketModel, population: Population, surcharge: np.ndarray) -> np.ndarray:
    """(S, W) coins of puts, margin `option_margin` per notional; a surcharge applies to the delta half the shock band
    lower, as the contagion buffer's does."""
    halfway = model.price * (1.0 - 0.5 * model.band)
    delta = -get_put_deltas(model, np.array([halfway]), 0)[0][population.writer_strike]
    is_governed = ~population.writer_outside & (model.governed_from == 0)
    allowed = 1.0 / (model.option_margin + surcharge * delta * is_governed)
    return np.asarray(np.minimum(population.writer_wanted, allowed) * population.writer_equity / model.price)
