"""SVI fitted to a snapshot's volatilities, expiry by expiry, and what arbitrage is left in the fit.

First a free fit. For a centre m and a roundness sigma the total variance is linear in the other three parameters [1]_,
so a grid of (m, sigma) with linear least squares gives the starts, and the best of them are refined in all five. If
that fit has butterfly arbitrage anywhere, a penalty on Durrleman's function below zero is raised until none is left.
Calendar arbitrage is reported, not repaired: total variance of neighbouring expiries is compared over the moneyness
that both of them quote. Beyond it one of the fits is extrapolation, and forcing it would spoil the other.

Residuals are volatilities times vega over bid-ask spread: a quote counts as much as it is sure.

References
----------
.. [1] Zeliade Systems, "Quasi-explicit calibration of Gatheral's SVI model", white paper ZWP-0005 (2009).
.. [2] J. Gatheral, A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from zkmargin.engine.errors import ArbitrageableSurface, MarketError, OutOfRange
from zkmargin.engine.market.black76 import black76_greeks
from zkmargin.engine.market.file import Observation
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.svi import (
    BUTTERFLY_TOLERANCE,
    CALENDAR_TOLERANCE,
    WIDEST_MONEYNESS,
    SviSlice,
    compute_density,
    svi_total_variance,
)
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import require_all_in_range, require_in_range

LEAST_QUOTES = 5
"""Quotes of an expiry: as many as parameters."""
CENTRES = np.linspace(-0.3, 0.3, 9)
"""Centres m of the starts, log-moneyness."""
ROUNDNESSES = np.geomspace(0.01, 1.0, 9)
"""Roundness sigma of the starts."""
STARTS = 3
"""Starts that are refined."""
PENALTIES = (1.0, 1e2, 1e3)
"""Weights of the butterfly penalty, one after another."""
LEAST_DENSITY = 1e-3
"""What the penalty aims at instead of zero, so that the check holds between its points."""
EVALUATIONS = 150
"""Most evaluations of one refinement."""
PENALTY_POINTS = np.sign(np.linspace(-1, 1, 121)) * np.abs(np.linspace(-1, 1, 121)) ** 3 * WIDEST_MONEYNESS
"""Where the penalty is taken, log-moneyness from the centre: dense around it."""
LIGHTEST, HEAVIEST = 0.1, 10.0
"""Bounds of a quote's weight, as a multiple of the expiry's median."""
LARGEST = 1e18
"""Largest number of a quote; its reciprocal is the least of those above 0."""
LEAST_VARIANCE = 1e-8
"""Least total variance of a fit."""
LOWER, UPPER = (LEAST_VARIANCE, 0.0, -0.999, -2.0, 1e-3), (4.0, 2.0, 0.999, 2.0, 5.0)
"""Bounds of (least total variance, b, rho, m, sigma)."""


class SparseSurface(MarketError):
    """No expiry of a coin has options enough for a fit; carries coin and number of options by expiry."""

    def __init__(self, coin: Coin, counts: Mapping[int, int]):
        self.coin, self.counts = coin, dict(counts)
        shown = ", ".join(f"{count} at expiry {expiry}" for expiry, count in self.counts.items()) or "no expiry"
        super().__init__(f"{coin} has no surface, options are {shown}; allowed: an expiry with at least {LEAST_QUOTES}")


@dataclass(frozen=True, eq=False)
class Quotes:
    """Volatilities of one coin's expiry.

    Raises
    ------
    OutOfRange
        If there are fewer than `LEAST_QUOTES`, or a number is missing, not finite or not positive where it must be.
    """

    moneyness: np.ndarray
    """(n,) ln(strike / forward)."""
    volatility: np.ndarray
    """(n,) fraction per square root of a year."""
    weight: np.ndarray
    """(n,) above 0, of any scale."""
    years: float
    """Years of 365 days to expiry."""

    def __post_init__(self) -> None:
        if len(self.moneyness) < LEAST_QUOTES:
            raise OutOfRange("number of quotes of an expiry", len(self.moneyness), LEAST_QUOTES, "any")
        require_all_in_range("log-moneyness of a quote", self.moneyness, -LARGEST, LARGEST)
        require_all_in_range("volatility of a quote", self.volatility, 1 / LARGEST, LARGEST)
        require_all_in_range("weight of a quote", self.weight, 1 / LARGEST, LARGEST)
        require_in_range("years of an expiry", self.years, 1 / LARGEST, LARGEST)

    @property
    def scaled_weight(self) -> np.ndarray:
        """(n,) within `LIGHTEST` and `HEAVIEST` of their median, mean square 1."""
        weight = np.clip(self.weight / np.median(self.weight), LIGHTEST, HEAVIEST)
        return np.asarray(weight / np.sqrt(np.mean(weight**2)))


@dataclass(frozen=True)
class Breach:
    """The worst point of one kind of arbitrage."""

    value: float
    """Least Durrleman function (free at >= 0), or largest fall of total variance from the expiry before (free at
    <= 0)."""
    moneyness: float
    """ln(strike / forward) where that is."""


@dataclass(frozen=True)
class SliceFit:
    """SVI of one expiry."""

    coin: str
    """Coin."""
    expiry: int
    """Unix seconds."""
    years: float
    """Years of 365 days to expiry."""
    quotes: int
    """Number of volatilities."""
    parameters: tuple[float, float, float, float, float]
    """(a, b, rho, m, sigma)."""
    rmse_points: float
    """Root of the mean squared error of the fit, volatility points (a hundredth), every quote alike."""
    free_rmse_points: float
    """The same of the fit without regard to arbitrage."""
    butterfly: Breach
    """Least density."""
    calendar: Breach | None
    """Largest fall of total variance since the expiry before, over the moneyness that both quote; none for the first
    expiry, and where the two have none in common."""
    was_repaired: bool
    """Whether the free fit had a butterfly arbitrage and the penalty was used."""

    @property
    def is_butterfly_free(self) -> bool:
        """Whether the density is nowhere negative."""
        return self.butterfly.value >= -BUTTERFLY_TOLERANCE

    @property
    def is_calendar_free(self) -> bool:
        """Whether total variance does not fall since the expiry before."""
        return self.calendar is None or self.calendar.value <= CALENDAR_TOLERANCE

    def to_slice(self) -> SviSlice:
        """The parameters as a checked record; raises `ArbitrageableSurface` where the fit has a butterfly arbitrage."""
        return SviSlice(*self.parameters)


def read_quotes(snapshot: MarketSnapshot, observations: Mapping[str, Observation], coin: Coin) -> dict[int, Quotes]:
    """Volatilities of a coin by expiry, weighted by vega over spread; where nobody bids or offers, the spread is the
    ask, or the mark; without observations it is the same for all. Expiries of `find_sparse` are left out."""
    listing, quotes = snapshot.listing, {}
    of_coin = listing.is_option & listing.is_of(coin)
    for expiry in np.unique(listing.expiry[of_coin]):
        slots = np.flatnonzero(of_coin & (listing.expiry == expiry))
        if len(slots) < LEAST_QUOTES:
            continue
        years, forward, volatility = snapshot.years[slots], snapshot.forward[slots], snapshot.volatility[slots]
        vega = black76_greeks(1.0, listing.strike[slots] / forward, years, volatility, True).vega
        seen = [observations.get(listing.at(slot).name) for slot in slots]
        spread = np.array([1.0 if item is None else get_spread(item) for item in seen])
        moneyness = np.log(listing.strike[slots] / forward)
        quotes[int(expiry)] = Quotes(moneyness, volatility, np.maximum(vega, 1e-12) / spread, float(years[0]))
    return quotes


def find_sparse(snapshot: MarketSnapshot, coin: Coin) -> dict[int, int]:
    """Number of a coin's options by expiry, for the expiries that have too few for a fit."""
    listing = snapshot.listing
    expiries = listing.expiry[listing.is_option & listing.is_of(coin)]
    counts = zip(*(column.tolist() for column in np.unique(expiries, return_counts=True)), strict=True)
    return {expiry: count for expiry, count in counts if count < LEAST_QUOTES}


def get_spread(item: Observation) -> float:
    """Bid-ask spread, coin per option, at least a tenth of a thousandth."""
    bid, ask = item.bid or 0.0, item.ask if item.ask is not None else 2.0 * item.mark
    return max(ask - bid, 1e-4)


def fit_coin(snapshot: MarketSnapshot, observations: Mapping[str, Observation], coin: Coin) -> tuple[SliceFit, ...]:
    """SVI per expiry, early to late; an expiry with too few options (`find_sparse`) keeps none of the others back.

    Raises
    ------
    SparseSurface
        If no expiry of the coin has `LEAST_QUOTES` options; carries their numbers.
    """
    chain = read_quotes(snapshot, observations, coin)
    if not chain:
        raise SparseSurface(coin, find_sparse(snapshot, coin))
    fits: list[SliceFit] = []
    before: Quotes | None = None
    for expiry, quotes in chain.items():
        fit = fit_slice(quotes, coin=coin.value, expiry=expiry)
        if before is not None:
            low = max(float(before.moneyness.min()), float(quotes.moneyness.min()))
            high = min(float(before.moneyness.max()), float(quotes.moneyness.max()))
            if low < high:
                fit = replace(fit, calendar=find_calendar(fits[-1].parameters, fit.parameters, low, high))
        fits.append(fit)
        before = quotes
    return tuple(fits)


def fit_slice(quotes: Quotes, *, coin: str = "", expiry: int = 0) -> SliceFit:
    """SVI of one expiry's quotes; the calendar is left to `fit_coin`, which knows the expiry before.

    Where no penalty takes the arbitrage away, the free fit is reported with its arbitrage: it is the nearer one.
    """
    free = _refine(quotes, _find_starts(quotes))
    repaired = None if is_free(_to_raw(free)) else _repair(quotes, free)
    raw = _to_raw(free if repaired is None else repaired)
    return SliceFit(
        coin=coin,
        expiry=expiry,
        years=quotes.years,
        quotes=len(quotes.moneyness),
        parameters=raw,
        rmse_points=_rmse(quotes, raw),
        free_rmse_points=_rmse(quotes, _to_raw(free)),
        butterfly=find_butterfly(raw),
        calendar=None,
        was_repaired=repaired is not None,
    )


def _repair(quotes: Quotes, free: np.ndarray) -> np.ndarray | None:
    """The fit under the least penalty that leaves no butterfly arbitrage; none when every penalty leaves some."""
    fit = free
    for penalty in PENALTIES:
        fit = _refine(quotes, [fit], penalty)
        if is_free(_to_raw(fit)):
            return fit
    return None


# -------------------------------------------------------------------------------------------------------- arbitrage
def make_grid(m: float, sigma: float) -> np.ndarray:
    """Log-moneyness points of the penalties and of the reports: dense near the centre, out to the checked width."""
    near = m + sigma * np.sinh(np.linspace(-6, 6, 161))
    return np.union1d(near[np.abs(near) <= WIDEST_MONEYNESS], np.linspace(-WIDEST_MONEYNESS, WIDEST_MONEYNESS, 161))


def find_butterfly(parameters: tuple[float, ...]) -> Breach:
    """The least density and where it is."""
    grid = make_grid(*parameters[3:])
    density = compute_density(grid, *parameters)
    worst = int(np.argmin(density))
    return Breach(float(density[worst]), float(grid[worst]))


def find_calendar(before: tuple[float, ...], after: tuple[float, ...], low: float, high: float) -> Breach:
    """The largest fall of total variance between two expiries for log-moneyness in [low, high], and where it is."""
    grid = np.union1d(make_grid(*before[3:]), make_grid(*after[3:]))
    grid = np.union1d(grid[(grid > low) & (grid < high)], np.linspace(low, high, 101))
    fall = svi_total_variance(grid, *before) - svi_total_variance(grid, *after)
    worst = int(np.argmax(fall))
    return Breach(float(fall[worst]), float(grid[worst]))


def is_free(parameters: tuple[float, ...]) -> bool:
    """Whether `SviSlice` accepts the parameters."""
    try:
        SviSlice(*parameters)
    except ArbitrageableSurface:
        return False
    return True


# -------------------------------------------------------------------------------------------------------------- fit
def _to_raw(numbers: np.ndarray) -> tuple[float, float, float, float, float]:
    """(least variance, b, rho, m, sigma) as raw SVI: a = least - b sigma sqrt(1 - rho^2), so variance is positive."""
    least, b, rho, m, sigma = (float(number) for number in numbers)
    return least - b * sigma * float(np.sqrt(1 - rho**2)), b, rho, m, sigma


def _rmse(quotes: Quotes, raw: tuple[float, ...]) -> float:
    fitted = np.sqrt(svi_total_variance(quotes.moneyness, *raw) / quotes.years)
    return float(100 * np.sqrt(np.mean((fitted - quotes.volatility) ** 2)))


def _find_starts(quotes: Quotes) -> list[np.ndarray]:
    """The best of a grid of (m, sigma), the rest by linear least squares on total variance."""
    variance = quotes.volatility**2 * quotes.years
    starts: list[tuple[float, int, np.ndarray]] = []
    weight = quotes.scaled_weight / (2 * quotes.volatility * quotes.years)
    for m, sigma in product(CENTRES, ROUNDNESSES):
        y = (quotes.moneyness - m) / sigma
        columns = np.stack([np.ones_like(y), y, np.hypot(y, 1.0)], axis=1)
        level, tilt, bend = np.linalg.lstsq(columns * weight[:, None], variance * weight, rcond=None)[0]
        bend = max(bend, 1e-8)
        rho = float(np.clip(tilt / bend, -0.99, 0.99))
        start = np.array([level + bend * np.sqrt(1 - rho**2), bend / sigma, rho, m, sigma])
        start = np.clip(start, np.array(LOWER) * 1.001, np.array(UPPER) * 0.999)
        error = np.sum(((svi_total_variance(quotes.moneyness, *_to_raw(start)) - variance) * weight) ** 2)
        starts.append((float(error), len(starts), start))
    return [start for _, _, start in sorted(starts, key=lambda entry: entry[:2])[:STARTS]]


def _refine(quotes: Quotes, starts: list[np.ndarray], penalty: float = 0.0) -> np.ndarray:
    """The best local minimum from the starts."""
    from scipy.optimize import least_squares

    weight = quotes.scaled_weight

    def residuals(numbers: np.ndarray) -> np.ndarray:
        raw = _to_raw(numbers)
        fitted = np.sqrt(svi_total_variance(quotes.moneyness, *raw) / quotes.years)
        errors = weight * (fitted - quotes.volatility)
        if not penalty:
            return np.asarray(errors)
        density = np.minimum(compute_density(raw[3] + PENALTY_POINTS, *raw) - LEAST_DENSITY, 0.0)
        steep = max(raw[1] * (1 + abs(raw[2])) - 1.999, 0.0)
        return np.concatenate([errors, penalty * density, [penalty * steep]])

    scale = np.array([0.01, 0.1, 0.5, 0.1, 0.1])
    fits = [
        least_squares(residuals, start, bounds=(LOWER, UPPER), x_scale=scale, xtol=1e-10, max_nfev=EVALUATIONS)
        for start in starts
    ]
    return np.asarray(min(fits, key=lambda fit: fit.cost).x)
