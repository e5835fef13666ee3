"""Self-exciting events: the exponential Hawkes process, its likelihood, fit and branching ratio.

Intensity mu + sum_{t_j < t} alpha exp(-beta (t - t_j)); branching ratio n = alpha / beta, the mean number of events
that one event causes directly. Below 1 a cluster has 1 / (1 - n) events on average [1]_.

References
----------
.. [1] A. G. Hawkes, D. Oakes, "A cluster process representation of a self-exciting process", Journal of Applied
   Probability 11 (1974).
.. [2] Y. Ogata, "On Lewis' simulation method for point processes", IEEE Transactions on Information Theory 27 (1981):
   the recursion of the likelihood.
.. [3] S. J. Hardiman, J.-P. Bouchaud, "Branching-ratio approximation for the self-exciting Hawkes process", Physical
   Review E 90 (2014): n = 1 - sqrt(mean / variance) of counts in long windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_in_range

MAX_BRANCHING = 0.95
"""Largest branching ratio that a fit may return: at 1 the process explodes."""
STARTS = ((0.2, 1.0), (0.6, 1.0), (0.6, 0.1))
"""Starting branching ratios and decays (per mean waiting time) of the fit."""
LIMITS: dict[str, Any] = {"maxiter": 600, "maxfev": 600}
"""Of one start of the fit."""


@dataclass(frozen=True)
class HawkesFit:
    """Parameters of an exponential Hawkes process; time in the unit of the events."""

    mu: float
    """Base rate, events per unit of time."""
    alpha: float
    """Jump of the intensity at an event."""
    beta: float
    """Decay of the excitation, per unit of time."""
    log_likelihood: float
    """At these parameters."""

    @property
    def branching(self) -> float:
        """n = alpha / beta."""
        return self.alpha / self.beta


def _checked(events: np.ndarray, horizon: float) -> np.ndarray:
    require_in_range("horizon", horizon, 1e-300, 1e300)
    events = np.asarray(events, dtype=float)
    if not np.isfinite(events).all() or (np.diff(events) < 0).any():
        raise OutOfRange("event times", "not rising", "rising", "rising finite numbers")
    if len(events) and not 0 <= events[0] <= events[-1] <= horizon:
        raise OutOfRange("event times", (float(events[0]), float(events[-1])), 0, horizon)
    return events


def compute_log_likelihood(events: np.ndarray, horizon: float, mu: float, alpha: float, beta: float) -> float:
    """Log-likelihood on [0, horizon] in one pass [2]_: A_i = exp(-beta (t_i - t_{i-1})) (1 + A_{i-1}).

    Raises
    ------
    OutOfRange
        If events do not rise within [0, horizon], or mu or beta are not positive, or alpha is negative.
    """
    events = _checked(events, horizon)
    require_in_range("mu", mu, 1e-300, np.inf)
    require_in_range("alpha", alpha, 0.0, np.inf)
    require_in_range("beta", beta, 1e-300, np.inf)
    return _pass(events, horizon, mu, alpha, beta)


def _pass(events: np.ndarray, horizon: float, mu: float, alpha: float, beta: float) -> float:
    excited, total = 0.0, -mu * horizon
    decays = np.exp(-beta * np.diff(events, prepend=events[:1])).tolist()
    for index, decay in enumerate(decays):
        excited = decay * (1.0 + excited) if index else 0.0
        total += math.log(mu + alpha * excited)
    return total + alpha / beta * float(np.expm1(-beta * (horizon - events)).sum())


def fit_hawkes(events: np.ndarray, horizon: float, least_decay: float = 0.0) -> HawkesFit:
    """Maximum likelihood with n <= `MAX_BRANCHING`, from several starts (Nelder-Mead in logarithms).

    Parameters
    ----------
    events : ndarray
        (N,) times, N >= 5.
    horizon : float
        End of the observation.
    least_decay : float
        Smallest beta: bounds the memory, or a slowly moving base rate would be read as self-excitation.
    """
    from scipy.optimize import minimize

    events = _checked(events, horizon)
    require_in_range("least decay", least_decay, 0.0, 1e300)
    require_in_range("events", len(events), 5, np.inf)
    rate = len(events) / horizon

    def unpack(point: np.ndarray) -> tuple[float, float, float]:
        mu, branching, beta = np.exp(np.clip(point, -60.0, 60.0))
        beta = max(beta, least_decay)
        return float(mu), float(min(branching, MAX_BRANCHING) * beta), float(beta)

    def negated(point: np.ndarray) -> float:
        return -_pass(events, horizon, *unpack(point))

    fits = []
    for branching, decay in STARTS:
        start = np.log([rate * (1 - branching), branching, max(decay * rate, 2 * least_decay)])
        fit = minimize(negated, start, method="Nelder-Mead", options=LIMITS)  # type: ignore[call-overload]  # a name
        fits.append(fit)
    best = min(fits, key=lambda fit: fit.fun)
    return HawkesFit(*unpack(best.x), float(-best.fun))


def estimate_branching(events: np.ndarray, horizon: float, window: float) -> float:
    """n = 1 - sqrt(mean / variance) of counts in windows [3]_, 0 to `MAX_BRANCHING`: needs no kernel's shape.

    Biased towards 0 where windows are not long against the memory. Needs two windows at least.
    """
    events = _checked(events, horizon)
    count = math.floor(horizon / require_in_range("window", window, 1e-300, horizon / 2))
    counts, _ = np.histogram(events, bins=count, range=(horizon - count * window, horizon))
    mean, variance = counts.mean(), counts.var(ddof=1)
    return float(np.clip(1.0 - math.sqrt(mean / variance), 0.0, MAX_BRANCHING)) if variance > mean else 0.0
