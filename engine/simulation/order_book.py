"""The order book of the simulated market: finite depth that is used up, refills, and is withdrawn as prices move."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.simulation.market_model import MarketModel
from zkmargin.engine.units import MINUTES_PER_DAY

MEMORY = 0.85
"""Weight of the past in the volatility that makers look at, per minute."""


class Book:
    """S books at once. Selling moves the price by impact times the share of depth used; part of that stays."""

    def __init__(self, model: MarketModel, noise: np.ndarray):
        self.model = model
        minutes, levels = zip(*model.news, strict=True)
        self.fundamental = np.interp(np.arange(model.minutes), minutes, levels) + np.cumsum(noise, axis=1)
        seeds = len(noise)
        self.used, self.shift = np.zeros(seeds), np.zeros(seeds)
        self.normal = model.volatility / np.sqrt(MINUTES_PER_DAY)
        self.variance = np.full(seeds, self.normal**2)
        self.last = self.get_price(0)
        self.minutes_at_least = np.zeros(seeds)
        """(S,) minutes observed in which depth stood at its least share."""

    def get_price(self, minute: int) -> np.ndarray:
        """(S,) mid price, US dollars."""
        return np.asarray(
            self.model.price * np.exp(self.fundamental[:, minute] + self.shift - self.model.impact * self.used)
        )

    def observe(self, minute: int) -> np.ndarray:
        """The price at the start of a minute; makers take note of the move."""
        price = self.get_price(minute)
        move = np.log(price / self.last)
        self.variance = MEMORY * self.variance + (1.0 - MEMORY) * move**2
        self.last = price
        self.minutes_at_least += self._get_share() <= self.model.least_depth
        return price

    def _get_share(self) -> np.ndarray:
        """(S,) share of the depth that makers leave."""
        excess = np.maximum(np.sqrt(self.variance) / self.normal - 1.0, 0.0)
        return np.asarray(np.maximum(1.0 / (1.0 + self.model.withdrawal * excess), self.model.least_depth))

    def get_depth(self, selling: np.ndarray) -> np.ndarray:
        """(S,) depth within the band on the side that `selling` (bool) would use, US dollars."""
        return np.asarray(np.where(selling, self.model.depth_down, self.model.depth_up) * self._get_share())

    def execute(self, net: np.ndarray, price: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Trade (S,) net selling in US dollars (buying when negative).

        Returns
        -------
        filled : ndarray
            (S,) share of `net` that found depth.
        executed : ndarray
            (S,) average price.
        """
        selling = net > 0
        depth = self.get_depth(selling)
        left = np.maximum(self.model.book_levels - np.where(selling, self.used, -self.used), 0.0)
        size = np.abs(net)
        filled = np.where(size > 0, np.minimum(1.0, depth * left / np.maximum(size, 1e-9)), 1.0)
        step = net * filled / depth
        self.used = self.used + (1.0 - self.model.permanent) * step
        self.shift = self.shift - self.model.impact * self.model.permanent * step
        return filled, price * np.exp(-0.5 * self.model.impact * step)

    def refill(self) -> None:
        """A minute passes: used depth comes back."""
        self.used = self.used * 0.5 ** (1.0 / self.model.refill_half_life)
