"""One run of the market, minute by minute, over all seeds at once.

Each minute: the price; accounts that enter; the liquidation engine, which sees a lagged price and closes part of every
account below maintenance; writers of puts; hedgers; then all net selling meets the book.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkmargin.engine.simulation.market_model import MarketModel
from zkmargin.engine.simulation.option_writers import Dealers, Writers
from zkmargin.engine.simulation.order_book import Book
from zkmargin.engine.simulation.population import Population
from zkmargin.engine.simulation.position_sizing import Positions, compute_distance, compute_trigger, get_coins

DUST = 1e-3
"""Share of a position below which the rest is closed with it."""
WINDOW = 40
"""Minutes of the window in which liquidations are counted, as reported for October 2025."""


@dataclass(frozen=True)
class Outcome:
    """What happened, one number per seed."""

    price: np.ndarray
    """(S, T) US dollars at the start of each minute."""
    sold: np.ndarray
    """(S, T) long notional closed by force, US dollars, options' delta included."""
    bought: np.ndarray
    """(S, T) short notional closed by force, US dollars."""
    accounts: np.ndarray
    """(S,) accounts that were liquidated, in part or wholly."""
    bad_debt: np.ndarray
    """(S,) what accounts owe beyond all they have at the end, US dollars."""
    closed_coins: np.ndarray
    """(S,) coins of long positions closed by force."""
    minutes_at_least_depth: np.ndarray
    """(S,) minutes in which makers had withdrawn as far as they ever do."""

    @property
    def liquidated(self) -> np.ndarray:
        """(S,) notional closed by force on both sides, US dollars."""
        return np.asarray((self.sold + self.bought).sum(axis=1))

    @property
    def drawdown(self) -> np.ndarray:
        """(S,) largest fall of the price from an earlier high."""
        return np.asarray((1.0 - self.price / np.maximum.accumulate(self.price, axis=1)).max(axis=1))

    @property
    def long_share(self) -> np.ndarray:
        """(S,) share of the liquidated notional that was long; NaN without liquidations."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sold.sum(axis=1) / self.liquidated)

    @property
    def share_in_window(self) -> np.ndarray:
        """(S,) share of the liquidated notional in the worst `WINDOW` minutes; NaN without liquidations."""
        total = np.cumsum(np.pad(self.sold + self.bought, ((0, 0), (1, 0))), axis=1)
        with np.errstate(invalid="ignore"):
            return np.asarray((total[:, WINDOW:] - total[:, :-WINDOW]).max(axis=1) / total[:, -1])


class Cascade:
    """State of S markets under one rule."""

    def __init__(self, model: MarketModel, population: Population, positions: Positions):
        self.model, self.population, self.notional = model, population, positions.notional
        self.book = Book(model, population.noise)
        self.writers = Writers(model, population, positions.options)
        self.dealers = Dealers(model, len(population.noise))
        before = population.entry == 0
        alive = before & (compute_distance(model, population, positions.notional) > 0)
        coins = np.where(alive, get_coins(model, population, positions.notional), 0.0)
        self.coins, self.entered = coins, coins.copy()
        self.collateral = np.where(population.holds_coin & before, population.equity / model.price, 0.0)
        self.cash = np.where(population.holds_coin, 0.0, population.equity)
        self.cash -= np.where(alive, population.side * positions.notional, 0.0)
        self.hit = np.zeros(coins.shape, dtype=bool)
        level = compute_trigger(model, population.side, coins, self.cash, self.collateral)
        self.low = np.where(population.side > 0, level, -np.inf)
        self.high = np.where(population.side < 0, level, np.inf)
        self.lowest, self.highest = self.low.max(axis=1), self.high.min(axis=1)
        self.entries = _group(population.entry, model.minutes)

    def run(self) -> Outcome:
        """What happens in all minutes."""
        seeds, minutes = self.population.noise.shape
        price, sold, bought = (np.zeros((seeds, minutes)) for _ in range(3))
        closed_writers = np.zeros(seeds)
        for minute in range(minutes):
            price[:, minute] = now = self.book.observe(minute)
            oracle = price[:, max(minute - self.model.oracle_lag, 0)]
            self._enter(minute, now)
            rows, columns, amount = self._find_liquidations(oracle)
            side = self.population.side[rows, columns]
            longs = np.bincount(rows[side > 0], (amount * now[rows])[side > 0], seeds)
            shorts = np.bincount(rows[side < 0], (amount * now[rows])[side < 0], seeds)
            taken, delta = self.writers.find_sales(oracle, minute)
            options = delta.sum(axis=1) * now
            net = longs + options - shorts + self.dealers.trade(now, minute) * now
            filled, executed = self.book.execute(net, now)
            shares = np.where(net > 0, filled, 1.0), np.where(net < 0, filled, 1.0)
            self._close(rows, columns, amount * np.where(side > 0, shares[0][rows], shares[1][rows]), executed)
            if taken.any():
                self.writers.close(taken, delta, now, executed, minute)
                closed_writers += taken.sum(axis=1)
            sold[:, minute], bought[:, minute] = longs * shares[0] + options, shorts * shares[1]
            self.book.refill()
        equity = self.cash + (self.population.side * self.coins + self.collateral) * now[:, None]
        bad_debt = np.maximum(-equity, 0.0).sum(axis=1)
        bad_debt += np.maximum(-self.writers.get_equity(now, minutes - 1), 0.0).sum(axis=1)
        closed = ((self.entered - self.coins) * (self.population.side > 0)).sum(axis=1)
        accounts = self.hit.sum(axis=1) + closed_writers
        return Outcome(price, sold, bought, accounts, bad_debt, closed, self.book.minutes_at_least)

    def _enter(self, minute: int, price: np.ndarray) -> None:
        if minute not in self.entries:
            return
        rows, columns = self.entries[minute]
        population, at, taken = self.population, (rows, columns), self.notional[rows, columns]
        self.coins[at] = self.entered[at] = taken / price[rows]
        self.collateral[at] = np.where(population.holds_coin[at], population.equity[at] / price[rows], 0.0)
        self.cash[at] -= population.side[at] * taken
        self._set_triggers(rows, columns)

    def _find_liquidations(self, oracle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row, column and coins to close of each account below maintenance at the oracle's price."""
        near = np.flatnonzero((oracle <= self.lowest) | (oracle >= self.highest))
        level = oracle[near, None]
        place, columns = np.nonzero((level <= self.low[near]) | (level >= self.high[near]))
        rows = near[place]
        coins, paid = self.coins[rows, columns], oracle[rows]
        net = self.population.side[rows, columns] * coins + self.collateral[rows, columns]
        equity = self.cash[rows, columns] + net * paid
        deep = equity < self.model.maintenance / 3.0 * coins * paid
        small = coins < DUST * self.entered[rows, columns]
        self.hit[rows, columns] = True
        return rows, columns, np.where(deep | small, coins, self.model.partial * coins)

    def _close(self, rows: np.ndarray, columns: np.ndarray, coins: np.ndarray, executed: np.ndarray) -> None:
        if not len(rows):
            return
        at, paid = (rows, columns), executed[rows]
        self.coins[at] -= coins
        self.cash[at] += self.population.side[at] * coins * paid
        done = self.coins[at] <= 1e-9 * self.entered[at]
        self.coins[at] = np.where(done, 0.0, self.coins[at])
        self.cash[at] += np.where(done, self.collateral[at] * paid, 0.0)
        self.collateral[at] = np.where(done, 0.0, self.collateral[at])
        self._set_triggers(rows, columns)

    def _set_triggers(self, rows: np.ndarray, columns: np.ndarray) -> None:
        at = (rows, columns)
        side = self.population.side[at]
        level = compute_trigger(self.model, side, self.coins[at], self.cash[at], self.collateral[at])
        self.low[at] = np.where(side > 0, level, -np.inf)
        self.high[at] = np.where(side < 0, level, np.inf)
        touched = np.unique(rows)
        self.lowest[touched] = self.low[touched].max(axis=1)
        self.highest[touched] = self.high[touched].min(axis=1)


def _group(entry: np.ndarray, minutes: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Rows and columns of the accounts that enter at each minute after the first."""
    rows, columns = np.nonzero(entry)
    order = np.argsort(entry[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    bounds = np.searchsorted(entry[rows, columns], np.arange(minutes + 1))
    pairs = {minute: (bounds[minute], bounds[minute + 1]) for minute in range(minutes)}
    return {minute: (rows[a:b], columns[a:b]) for minute, (a, b) in pairs.items() if b > a}
