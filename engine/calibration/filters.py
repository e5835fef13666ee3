"""Volatility filters and shrinkage for histories of returns.

Filtered historical simulation [1]_ divides each day's return by the volatility that was forecast for it, and multiplies
the result by the present forecast:

    z_t = r_t / sigma_t        r*_t = z_t sigma_now        sigma_t known before the day t

The days stay joint over the assets: one day of the history is one scenario for all of them.

References
----------
.. [1] G. Barone-Adesi, K. Giannopoulos, L. Vosper, "VaR without correlations for portfolios of derivative securities",
   Journal of Futures Markets 19 (1999).
.. [2] J.P. Morgan/Reuters, "RiskMetrics: technical document" (1996), equation 5.3: the exponentially weighted variance.
.. [3] T. Bollerslev, "Generalized autoregressive conditional heteroskedasticity", Journal of Econometrics 31 (1986).
.. [4] O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
   Multivariate Analysis 88 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from zkmargin.engine.errors import OutOfRange

DECAY = 0.97
"""Decay of the exponentially weighted variance per day; RiskMetrics has 0.94, margin models 0.97 to 0.99."""
WARM_UP = 60
"""Days that only start the filter."""
LARGEST_RETURN = 10.0
"""Largest daily log return in size: a price that moves by more than e^10 in a day is an error of the data."""
GARCH_SCALE = 100.0
"""GARCH is fitted to percent: the optimiser of `arch` wants numbers near 1."""
LEAST_GARCH_DAYS = 250
"""Days below which a GARCH fit means nothing."""


@dataclass(frozen=True, eq=False)
class Filtered:
    """A history of returns divided by the volatility that was forecast for each day. T days, A assets, w of warm-up."""

    standardised: np.ndarray
    """(T - w, A) return over forecast volatility, no unit; a loss of the asset is negative."""
    volatility: np.ndarray
    """(T - w, A) the forecast for each of these days, fraction per square root of a day."""
    latest: np.ndarray
    """(A,) the forecast for the day after the last, same unit."""


class ShrunkCovariance(NamedTuple):
    """A covariance matrix pulled towards a multiple of the identity."""

    covariance: np.ndarray
    """(A, A), unit of the returns squared."""
    shrinkage: float
    """Weight of the identity, 0 to 1."""


def check_returns(returns: object, least: int) -> np.ndarray:
    """`returns` as a float array (T, A), a vector as one column.

    Raises
    ------
    OutOfRange
        If the shape is neither (T,) nor (T, A) with A at least 1, there are fewer than `least` days, or a return is not
        finite or beyond `LARGEST_RETURN` in size; the error names the day and the asset.
    """
    array = np.asarray(returns, dtype=float)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] < 1:
        raise OutOfRange("shape of returns", array.shape, "(days,)", "(days, assets)")
    if len(array) < least:
        raise OutOfRange("number of days of returns", len(array), least, "any number")
    refused = np.argwhere(~(np.abs(array) <= LARGEST_RETURN))
    if refused.size:
        day, asset = (int(at) for at in refused[0])
        what = f"return of day {day}, asset {asset}"
        raise OutOfRange(what, float(array[day, asset]), -LARGEST_RETURN, LARGEST_RETURN)
    return array


def filter_ewma(returns: np.ndarray, decay: float = DECAY, warm_up: int = WARM_UP) -> Filtered:
    """Filter by an exponentially weighted variance [2]_: sigma_t+1^2 = decay sigma_t^2 + (1 - decay) r_t^2.

    The mean of the first `warm_up` squared returns starts it; those days are not in the result.

    Parameters
    ----------
    returns : ndarray
        (T, A) daily log returns in time order.
    decay : float
        In (0, 1).
    warm_up : int
        w, at least 2.

    Raises
    ------
    OutOfRange
        As `check_returns` with at least w + 1 days; if decay or warm-up are not allowed, or an asset never moves during
        the warm-up.
    """
    if isinstance(warm_up, bool) or not isinstance(warm_up, int) or warm_up < 2:
        raise OutOfRange("warm-up in days", warm_up, 2, "any whole number")
    if not 0 < decay < 1:
        raise OutOfRange("decay", decay, "above 0", "below 1")
    array = check_returns(returns, warm_up + 1)
    squares = array**2
    variance = np.empty((len(array) - warm_up + 1, array.shape[1]))
    variance[0] = squares[:warm_up].mean(axis=0)
    still = np.flatnonzero(variance[0] == 0)
    if still.size:
        raise OutOfRange(f"variance of asset {int(still[0])} during the warm-up", 0.0, "above 0", "any number")
    for day, square in enumerate(squares[warm_up:]):
        variance[day + 1] = decay * variance[day] + (1 - decay) * square
    volatility = np.sqrt(variance)
    return Filtered(array[warm_up:] / volatility[:-1], volatility[:-1], volatility[-1])


def filter_garch(returns: np.ndarray) -> Filtered:
    """Filter each asset by a GARCH(1,1) with zero mean and normal errors [3]_, fitted by `arch` on the whole history.

    The parameters see the whole history, so this filter is for comparison and for the latest forecast, not for
    backtests. There is no warm-up: w = 0.

    Parameters
    ----------
    returns : ndarray
        (T, A) daily log returns in time order, at least `LEAST_GARCH_DAYS` of them.

    Raises
    ------
    OutOfRange
        As `check_returns`; if an asset never moves, or its fit does not converge (value is the optimiser's flag).
    """
    from arch import arch_model

    array = check_returns(returns, LEAST_GARCH_DAYS)
    volatility, latest = np.empty_like(array), np.empty(array.shape[1])
    for asset, column in enumerate(array.T):
        if not column.any():
            raise OutOfRange(f"variance of asset {asset}", 0.0, "above 0", "any number")
        model = arch_model(GARCH_SCALE * column, mean="Zero", vol="GARCH", p=1, q=1, rescale=False)
        fit = model.fit(disp="off", show_warning=False)
        if fit.convergence_flag != 0:
            raise OutOfRange(f"convergence flag of the GARCH fit of asset {asset}", int(fit.convergence_flag), 0, 0)
        volatility[:, asset] = np.asarray(fit.conditional_volatility) / GARCH_SCALE
        latest[asset] = np.sqrt(fit.forecast(horizon=1, reindex=False).variance.to_numpy()[-1, 0]) / GARCH_SCALE
    return Filtered(array / volatility, volatility, latest)


def sum_over_period(standardised: np.ndarray, days: int) -> np.ndarray:
    """(T - days + 1, A) overlapping sums of `days` consecutive rows of (T, A), the first row's window first.

    Raises `OutOfRange` if `days` is not a whole number from 1 to T.
    """
    array = np.asarray(standardised, dtype=float)
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= len(array):
        raise OutOfRange("margin period in days", days, 1, len(array))
    total = np.zeros((len(array) - days + 1, *array.shape[1:]))
    for start in range(days):
        total += array[start : len(array) - days + 1 + start]
    return total


def filter_moves(filtered: Filtered, volatility: np.ndarray, days: int) -> np.ndarray:
    """Filtered historical moves: (T - w - days + 1, A) log moves over `days`, at a present `volatility` (A,) per day.

    Raises `OutOfRange` as `sum_over_period`, or if a volatility is not positive and finite.
    """
    present = np.asarray(volatility, dtype=float)
    refused = np.flatnonzero(~((present > 0) & (present < np.inf)))
    if present.shape != (filtered.standardised.shape[1],):
        raise OutOfRange("shape of volatility", present.shape, *[(filtered.standardised.shape[1],)] * 2)
    if refused.size:
        asset = int(refused[0])
        raise OutOfRange(f"volatility of asset {asset}", float(present[asset]), "above 0", "any finite number")
    return np.asarray(sum_over_period(filtered.standardised, days) * present)


def shrink_covariance(returns: np.ndarray) -> ShrunkCovariance:
    """Covariance (A, A) by Ledoit and Wolf [4]_, with scikit-learn: (1 - s) S + s (trace S / A) I.

    S is the sample covariance with divisor T about the mean.

    Raises `OutOfRange` as `check_returns` with at least 2 days.
    """
    from sklearn.covariance import LedoitWolf

    fit = LedoitWolf().fit(check_returns(returns, 2))
    return ShrunkCovariance(np.asarray(fit.covariance_), float(fit.shrinkage_))
