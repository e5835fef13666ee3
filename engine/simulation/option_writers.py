"""The options of the simulated market: accounts short puts, and dealers who hedge the puts they are short of."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.market.black76 import black76_greeks, black76_price
from zkmargin.engine.simulation.market_model import MarketModel
from zkmargin.engine.simulation.population import Population
from zkmargin.engine.units import DAYS_PER_YEAR, MINUTES_PER_DAY


def _terms(model: MarketModel, price: np.ndarray, minute: int) -> tuple[np.ndarray, np.ndarray, float, float, bool]:
    years = max(model.option_days - minute / MINUTES_PER_DAY, 0.0) / DAYS_PER_YEAR
    return price[:, None], np.array(model.put_strikes) * model.price, years, model.option_volatility, False


def get_put_values(model: MarketModel, price: np.ndarray, minute: int) -> np.ndarray:
    """(S, strikes) value per coin, US dollars, at (S,) prices."""
    return black76_price(*_terms(model, price, minute))


def get_put_deltas(model: MarketModel, price: np.ndarray, minute: int) -> np.ndarray:
    """(S, strikes) delta per coin, negative."""
    return black76_greeks(*_terms(model, price, minute)).delta


class Writers:
    """Accounts short puts: when one falls below maintenance its puts are taken over, and whoever takes them over sells
    their delta in the market at once."""

    def __init__(self, model: MarketModel, population: Population, coins: np.ndarray):
        self.model, self.strike = model, population.writer_strike
        self.coins, self.equity = coins.copy(), population.writer_equity.copy()
        self.written = np.take(get_put_values(model, np.array([model.price]), 0)[0], self.strike)
        self.lowest = np.full(len(coins), np.inf)

    def get_equity(self, price: np.ndarray, minute: int, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(R, W) US dollars at (R,) prices, of the markets `rows`."""
        value = np.take_along_axis(get_put_values(self.model, price, minute), self.strike[rows], axis=1)
        return np.asarray(self.equity[rows] - self.coins[rows] * (value - self.written[rows]))

    def find_sales(self, oracle: np.ndarray, minute: int) -> tuple[np.ndarray, np.ndarray]:
        """(S, W) which accounts are closed now, and (S, W) the coins of delta that this sells.

        Only markets at a new low are looked at: elsewhere an account stands no worse than when it was looked at last,
        since time only takes value from the puts that it is short of.
        """
        rows = np.flatnonzero(oracle < self.lowest)
        self.lowest[rows] = price = oracle[rows]
        hit, sold = np.zeros(self.coins.shape, dtype=bool), np.zeros(self.coins.shape)
        coins = self.coins[rows]
        below = self.get_equity(price, minute, rows) < self.model.option_maintenance * coins * price[:, None]
        hit[rows] = below & (coins > 0)
        if hit.any():
            delta = -np.take_along_axis(get_put_deltas(self.model, price, minute), self.strike[rows], axis=1)
            sold[rows] = np.where(hit[rows], delta * coins, 0.0)
        return hit, sold

    def close(self, hit: np.ndarray, sold: np.ndarray, price: np.ndarray, executed: np.ndarray, minute: int) -> None:
        """Settle closed accounts at (S,) `price`, with the slippage of the sale of their delta at `executed`."""
        equity = self.get_equity(price, minute) - sold * (price - executed)[:, None]
        self.equity = np.where(hit, equity, self.equity)
        self.coins = np.where(hit, 0.0, self.coins)


class Dealers:
    """Dealers net short of puts, short of the coin as a hedge: as the price falls they sell more, every few minutes."""

    def __init__(self, model: MarketModel, seeds: int):
        self.model = model
        self.hedge = self.get_target(np.full(seeds, model.price), 0)

    def get_target(self, price: np.ndarray, minute: int) -> np.ndarray:
        """(S,) coins short, the puts spread evenly over the strikes."""
        return np.asarray(-self.model.dealer_puts * get_put_deltas(self.model, price, minute).mean(axis=1))

    def trade(self, price: np.ndarray, minute: int) -> np.ndarray:
        """(S,) coins sold now (bought when negative)."""
        if minute % self.model.hedge_minutes:
            return np.zeros_like(self.hedge)
        target = self.get_target(price, minute)
        sold, self.hedge = target - self.hedge, target
        return np.asarray(sold)
