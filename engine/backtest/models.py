"""The margins that are tested. Each day's figures use what was known at its close, except where the volatility proxy
says otherwise (`engine.backtest.volatility`).

    ewma, garch     filtered historical simulation: z_t sigma_now, full revaluation, one day; VaR 99 %, ES 97.5 %
    ewma_residual   ewma, with volatilities that also move by the response's error: one normal draw a day, both coins
    two_day         the same with the exponential filter over two days: sums of two consecutive z
    delta_gamma     first and second derivative, Cornish-Fisher, one day: for comparison
    house_initial   K + max(f grid, ES 97.5 %), the house model's initial level: the sample of two_day, scaled to the
                    volatility that the house model scales to (a floor is in its parameters)
    house_maintenance   K + max(grid, 0.8 ES) at the maintenance level

Grid and K are the engine's own, of a snapshot made for the day. The house's shortfall is that of the full sample; the
policy's reduced set is at least it on the family that it was made for. The contagion buffer and the concentration
charge require nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from zkmargin.engine.backtest.books import Listed
from zkmargin.engine.backtest.delta_gamma import compute_cornish_fisher, compute_moments
from zkmargin.engine.backtest.measures import compute_expected_shortfall, compute_value_at_risk
from zkmargin.engine.backtest.volatility import Response
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.grid import TRANSFER_SIGNS
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS, MILLE, Parameters
from zkmargin.engine.margin.shocks import scale_by_tenor
from zkmargin.engine.margin.shortfall import LEAST_VOLATILITY_FACTOR
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.valuation import greeks_per_lot, price_per_lot
from zkmargin.engine.policy.batch import net_groups
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR

CONFIDENCE, SHORTFALL_CONFIDENCE = 0.99, 0.975
"""Of the value at risk that exceptions are counted against, and of the shortfall with its own value at risk."""
DAYS_HELD = {
    "ewma": 1, "ewma_residual": 1, "garch": 1, "delta_gamma": 1, "two_day": 2, "house_initial": 2,
    "house_maintenance": 2,
}  # fmt: skip
"""Models, and the days over which their margin is to hold."""
HOUSE = tuple(f"house_{level}" for level in LEVELS)
TESTED_OPTIONS = ("none", "floor")
"""Options against procyclicality that the house of a backtest may have in its parameters."""
HAS_SHORTFALL = ("ewma", "ewma_residual", "garch", "two_day", "delta_gamma")
"""Models that state an expected shortfall, so that Z2 can test it."""


class Figures(NamedTuple):
    """What one model requires of every book, (B,) each, US dollars."""

    margin: np.ndarray
    """What exceptions are counted against: VaR 99 %, or the house's requirement."""
    value_at_risk: np.ndarray | None = None
    """VaR 97.5 %."""
    shortfall: np.ndarray | None = None
    """ES 97.5 %."""


def check_models(names: tuple[str, ...]) -> None:
    """Raises `UnknownName` for a model that is none."""
    for name in names:
        if name not in DAYS_HELD:
            raise UnknownName("model", name, DAYS_HELD)


def revalue_sample(
    listed: Listed,
    moves: np.ndarray,
    responses: Mapping[Coin, Response],
    parameters: Parameters,
    days: int,
    draws: np.ndarray | float = 0.0,
) -> np.ndarray:
    """(S, n) change in value of one lot of each listed slot, US dollars; a loss is negative.

    Prices move by exp(move) - 1, volatilities by the response scaled with tenor as in the policies, and `days` pass.

    Parameters
    ----------
    listed : Listed
    moves : ndarray
        (S, coins) log moves.
    responses : dict
        By coin.
    parameters : Parameters
        For the scaling with tenor.
    days : int
        Days that pass.
    draws : ndarray or float
        (S,) errors of the response, in its standard deviations.
    """
    snapshot, slots = listed.snapshot, listed.slots
    listing = snapshot.listing
    own = listing.underlying[slots]
    forward = snapshot.forward[slots] * np.exp(moves)[:, own]
    prices = forward.copy()
    option = np.flatnonzero(listing.is_option[slots])
    at = slots[option]
    changes = np.column_stack([responses[coin].compute(moves[:, place], draws) for place, coin in enumerate(Coin)])
    scale = scale_by_tenor(snapshot, parameters)[at]
    factor = np.maximum(1.0 + changes[:, own[option]] * scale, LEAST_VOLATILITY_FACTOR)
    years = np.maximum(snapshot.years[at] - days / DAYS_PER_YEAR, 0.0)
    volatility = snapshot.volatility[at] * factor
    prices[:, option] = black76_price(forward[:, option], listing.strike[at], years, volatility, listing.is_call[at])
    return np.asarray(prices * listed.lot_sizes - price_per_lot(snapshot)[slots])


def compute_sample_figures(pnl: np.ndarray, lots: np.ndarray) -> Figures:
    """VaR and ES of books (n, B) on a sample (S, n)."""
    losses = -(pnl @ lots)
    return Figures(
        compute_value_at_risk(losses, CONFIDENCE),
        compute_value_at_risk(losses, SHORTFALL_CONFIDENCE),
        compute_expected_shortfall(losses, SHORTFALL_CONFIDENCE),
    )


def compute_delta_gamma(
    listed: Listed, lots: np.ndarray, covariance: np.ndarray, responses: Mapping[Coin, Response], parameters: Parameters
) -> Figures:
    """Cornish-Fisher figures of books (n, B) over one day with normal relative moves of `covariance` (coins, coins).

    The volatility's linear response is in delta through vega; the size of the move is not.
    """
    snapshot, slots = listed.snapshot, listed.slots
    own = snapshot.listing.underlying[slots]
    greeks = [part[slots] for part in greeks_per_lot(snapshot)]
    forward, volatility = snapshot.forward[slots], np.nan_to_num(snapshot.volatility[slots])
    slope = np.array([responses[coin].slope for coin in Coin])[own]
    vega = greeks[2] * volatility * slope * scale_by_tenor(snapshot, parameters)[slots]
    first, second = greeks[0] * forward + vega, greeks[1] * forward**2
    size = len(Coin)
    delta, bend = (
        np.array([np.bincount(own, weights=part * book, minlength=size) for book in lots.T]) for part in (first, second)
    )
    gamma = bend[:, :, None] * np.eye(size)
    moments = compute_moments(delta, gamma, covariance, greeks[3] @ lots / DAYS_PER_YEAR)
    tails = [compute_cornish_fisher(moments, confidence) for confidence in (CONFIDENCE, SHORTFALL_CONFIDENCE)]
    value_at_risk, shortfall = (np.asarray(part) for part in tails[1])
    return Figures(np.asarray(tails[0].value_at_risk), value_at_risk, shortfall)


class BacktestedHouse:
    """The house model at one listed day.

    Raises `UnknownName` if the parameters have an option against procyclicality that changes the sample's weights or
    its multiple: a backtest of those would be of another rule.
    """

    def __init__(self, listed: Listed, parameters: Parameters):
        if parameters.procyclicality not in TESTED_OPTIONS:
            raise UnknownName("procyclicality of a backtested house", parameters.procyclicality, TESTED_OPTIONS)
        self.listed, self.parameters = listed, parameters
        self.model = HouseModel(listed.snapshot, parameters)

    @property
    def volatility(self) -> np.ndarray:
        """(coins,) daily volatility to which the model scales its sample: the forecast, or its floor."""
        return self.model.shortfall.volatility

    def compute_charge(self, lots: np.ndarray, level: str) -> np.ndarray:
        """(B,) K of books (n, B), US dollars; infinite for a closed side."""
        long, short = (rates[self.listed.slots] for rates in self.model.contingency(level))
        with np.errstate(invalid="ignore"):  # no lots of a closed side
            of_long = np.where(lots > 0, long[:, None] * lots, 0.0)
            of_short = np.where(lots < 0, -short[:, None] * lots, 0.0)
        return np.asarray((of_long + of_short).sum(axis=0))

    def compute_grid(self, lots: np.ndarray, level: str) -> np.ndarray:
        """(B,) f times the sum of the coins' worst losses with the best transfer between them, US dollars."""
        pnl, coins = (
            self.model.grid.pnl[:, self.listed.slots],
            self.listed.snapshot.listing.underlying[self.listed.slots],
        )
        losses = [-(pnl[:, coins == place] @ lots[coins == place]) for place in range(len(Coin))]
        moves = [
            np.array([cell.transfer_move for cell in self.model.grid.cells[coin]]) / MILLE * sign
            for coin, sign in zip(Coin, TRANSFER_SIGNS, strict=True)
        ]
        charge = self.model.grid.transfer_charges[Coin.BTC, Coin.ETH]
        return self.parameters.factor[level] * net_groups(losses, moves, charge)

    def compute(self, lots: np.ndarray, level: str, shortfall: np.ndarray) -> Figures:
        """The requirement of books (n, B); `shortfall` (B,) is that of the full sample."""
        of_scenarios = np.maximum(self.compute_grid(lots, level), self.parameters.shortfall_factor[level] * shortfall)
        return Figures(self.compute_charge(lots, level) + of_scenarios)
