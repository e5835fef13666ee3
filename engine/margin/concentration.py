"""The concentration charge: what is larger than the market trades cannot be closed within the margin period.

Per coin, with V the account's net vega and Q the vega that the market trades in a day, closing |V| moves volatilities
by y |V| / Q points and costs

    charge(V) = y (V^2 - V_0^2) / (2 Q)        for |V| above V_0

the linear-impact cost of the part that does not trade away unnoticed. A policy carries chords of the curve between V_0
and L; beyond L the last one goes on. The knots stand at L (k / (n + 1))^2, so V_0 = L / (n + 1)^2.

Vega does not see options short in one expiry against others long in another, so net short options, calls and puts
alike, are limited per range of tenors. Gross short options would need one helper variable per slot: a sum of positive
parts is no linear function of the positions. `engine.margin.parameters` states the sizes, which
`scripts.measure.concentration` takes from open interest and volume.

It is asked at the initial level only, as the contagion buffer: it bounds what is taken on, and liquidates nobody.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from zkmargin.engine.margin.buffer import Chords
from zkmargin.engine.margin.parameters import TENORS, Parameters
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR, USD6, to_usd6


class ShortLimit(NamedTuple):
    """A limit on net short options."""

    exposures: np.ndarray
    """(N,) value at the index of the coins of one lot, US dollars; 0 but for the options that it counts."""
    largest: float
    """US dollars."""


def make_vega_chords(impact: float, depth: float, largest: float, count: int) -> Chords:
    """Chords of the charge (see the module).

    Parameters
    ----------
    impact : float
        y, volatility points by which a day's traded vega moves volatilities.
    depth : float
        Q, US dollars per volatility point.
    largest : float
        L, US dollars per volatility point.
    count : int
        n, number of chords.
    """
    parts = count + 1
    knots = [largest * (k * k) / (parts * parts) for k in range(1, parts + 1)]  # no power: exact on every machine
    curvature = impact / (2.0 * depth)
    slopes = [curvature * (low + high) for low, high in pairwise(knots)]
    constants = [curvature * (low * high + knots[0] * knots[0]) for low, high in pairwise(knots)]
    return Chords(tuple(knots), tuple(slopes), tuple(constants))


class ConcentrationModel:
    """The charge at one snapshot; asked at the initial level only.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    vegas : ndarray
        (N,) change in value of one lot per volatility point, US dollars.
    """

    name = "concentration"

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters, vegas: np.ndarray):
        self.snapshot, self.parameters, self.vegas = snapshot, parameters, vegas
        self.preset = snapshot.listing.preset

    @cached_property
    def chords(self) -> dict[Coin, Chords]:
        """By coin, of both sides."""
        parameters, count = self.parameters, Layout(self.preset).vega_chords
        return {
            coin: make_vega_chords(
                parameters.vega_impact, parameters.vega_depth[coin], parameters.vega_limit[coin], count
            )
            for coin in self.preset.coins
        }

    def get_columns(self, coin: Coin) -> np.ndarray:
        """(N,) vegas of the coin's slots, US dollars per volatility point and lot; zero elsewhere."""
        columns = np.zeros_like(self.vegas)
        columns[self.preset.span(coin)] = self.vegas[self.preset.span(coin)]
        return columns

    @cached_property
    def short_limits(self) -> dict[Coin, tuple[ShortLimit, ...]]:
        """By coin, the limit of each range of tenors, the nearest first; with one range it is of all tenors."""
        listing, parameters = self.snapshot.listing, self.parameters
        near = np.where(listing.is_option, self.snapshot.years, 0.0) <= parameters.short_option_tenor / DAYS_PER_YEAR
        limits: dict[Coin, tuple[ShortLimit, ...]] = {}
        for coin in self.preset.coins:
            of_coin = listing.is_option & listing.is_of(coin)
            notional = np.where(of_coin, listing.lot_size * self.snapshot.index[coin], 0.0)
            largest = {name: self.snapshot.index[coin] * parameters.short_option_limit[coin][name] for name in TENORS}
            ranges = (
                ShortLimit(np.where(near, notional, 0.0), largest["near"]),
                ShortLimit(np.where(near, 0.0, notional), largest["far"]),
            )
            whole = (ShortLimit(notional, sum(largest.values())),)
            limits[coin] = ranges if Layout(self.preset).tenors > 1 else whole
        return limits

    def add_rows(self, draft: Draft, level: str) -> None:
        """Chords of each coin, its share of the equity row, and its limits; nothing at maintenance."""
        if level != "initial":
            return
        for index, coin in enumerate(self.preset.coins):
            helper = draft.layout.concentrations[coin]
            columns, chords, rows = self.get_columns(coin), self.chords[coin], draft.layout.vega(index)
            if chords.is_charged:
                draft.subtract_from_equity(helper)
            for side, sign in enumerate((-1.0, 1.0)):
                first = rows.start + side * draft.layout.vega_chords
                pairs = zip(chords.slopes, chords.constants, strict=True) if chords.is_charged else ()
                for row, (slope, constant) in enumerate(pairs, start=first):
                    draft.add_chord(row, helper, to_usd6(sign * slope * columns), int(constant * USD6))
            for row, limit in zip(draft.layout.short_options(index), self.short_limits[coin], strict=True):
                draft.add_exposure_cap(row, to_usd6(limit.exposures), int(limit.largest * USD6))
