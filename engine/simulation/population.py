"""Who trades: accounts drawn once per seed and used by every rule alike (common random numbers)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkmargin.engine.simulation.market_model import MarketModel
from zkmargin.engine.units import MINUTES_PER_DAY


@dataclass(frozen=True)
class Population:
    """S markets with A accounts and W option writers each; nothing in it depends on the margin rule."""

    side: np.ndarray
    """(S, A) +1 long, -1 short."""
    equity: np.ndarray
    """(S, A) US dollars at entry."""
    wanted: np.ndarray
    """(S, A) wanted notional over equity."""
    entry: np.ndarray
    """(S, A) minute of entry; 0 before the run."""
    drift: np.ndarray
    """(S, A) log move of the price between entry and the start; 0 for later entries."""
    holds_coin: np.ndarray
    """(S, A) whether the collateral is the coin."""
    outside: np.ndarray
    """(S, A) whether the account trades where no buffer is required."""
    writer_equity: np.ndarray
    """(S, W) US dollars."""
    writer_wanted: np.ndarray
    """(S, W) wanted notional over equity."""
    writer_strike: np.ndarray
    """(S, W) index into the model's strikes."""
    writer_outside: np.ndarray
    """(S, W) whether the writer trades where no buffer is required."""
    noise: np.ndarray
    """(S, T) log return of each minute without news and forced trading."""


def _draw(model: MarketModel, generator: np.random.Generator) -> list[np.ndarray]:
    count, late = model.agents, round(model.agents * model.late_share)
    is_late = np.arange(count) >= count - late
    chance = np.where(is_late, 0.5, model.long_share)
    side = np.where(generator.random(count) < chance, 1.0, -1.0)
    if not (side[~is_late] > 0).any():
        side[0] = 1.0  # the open interest that equity is scaled to needs somebody long
    equity = np.exp(model.wealth_spread * generator.standard_normal(count))
    wanted = model.leverage_median * np.exp(model.leverage_spread * generator.standard_normal(count))
    entry = np.where(is_late, _draw_minutes(model, generator, count), 0)
    drift = np.where(is_late, 0.0, model.entry_spread * generator.standard_normal(count))
    before = (entry == 0) & (side > 0)
    notional = (equity * np.minimum(wanted, 1.0 / model.initial_margin))[before].sum()
    equity *= model.long_interest * model.open_interest / notional
    writer_equity = np.exp(0.5 * model.wealth_spread * generator.standard_normal(model.writers))
    writer_wanted = np.exp(0.4 * generator.standard_normal(model.writers)) * 0.8 / model.option_margin
    if model.writers:
        writer_equity *= model.writers_interest * model.open_interest / (writer_equity @ writer_wanted)
    return [
        side, equity, wanted, entry, drift,
        generator.random(count) < model.coin_collateral,
        generator.random(count) >= model.governed_share,
        writer_equity, writer_wanted,
        generator.integers(0, len(model.put_strikes), model.writers),
        generator.random(model.writers) >= model.governed_share,
        model.volatility / np.sqrt(MINUTES_PER_DAY) * generator.standard_normal(model.minutes),
    ]  # fmt: skip


def _draw_minutes(model: MarketModel, generator: np.random.Generator, count: int) -> np.ndarray:
    """Minutes 1 to the last, as the activity weights say."""
    reached = np.concatenate([[0.0], np.cumsum(model.activity)]) / sum(model.activity)
    times = np.interp(generator.random(count), reached, np.linspace(1, model.minutes, len(reached)))
    return np.asarray(np.minimum(times.astype(int), model.minutes - 1))


def draw_population(model: MarketModel, seeds: int, first_seed: int = 0) -> Population:
    """Accounts and noise of `seeds` markets; a seed gives the same market whatever the number of seeds."""
    drawn = [_draw(model, np.random.default_rng([20_251_010, first_seed + seed])) for seed in range(seeds)]
    return Population(*(np.stack(parts) for parts in zip(*drawn, strict=True)))
