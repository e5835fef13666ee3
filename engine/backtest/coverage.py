"""Does a margin cover what it says? Tests of how often a loss is larger than it: an exception. Their size: `z2`.

References
----------
.. [1] P. H. Kupiec, "Techniques for verifying the accuracy of risk measurement models", Journal of
   Derivatives 3 (1995).
.. [2] P. F. Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998).
.. [3] Basel Committee on Banking Supervision, "Supervisory framework for the use of backtesting" (publication
   22, 1996).
.. [4] ISDA SIMM backtesting with overlapping periods, as in Open Source Risk Engine's `stoplightbounds`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import xlogy

from zkmargin.engine.backtest.measures import check_probability
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_flags, require_in_range, require_whole

LIGHTS = (0.95, 0.9999)
"""Cumulative probabilities at which the Basel zones change [3]_."""
MOST_OBSERVATIONS = 100_000
"""Longest backtest."""
BLOCK = 2_000_000
"""Numbers drawn at a time."""
MOST_DRAWS = 50_000_000_000
"""Numbers of one simulation: what bounds its time."""
SEED = 20_200_312
"""Of every simulated null distribution."""


class LikelihoodRatio(NamedTuple):
    """A likelihood-ratio test."""

    statistic: float
    """-2 log of the ratio; chi-squared under the null."""
    p_value: float
    """Probability of a larger statistic when the margin is right."""


class Lights(NamedTuple):
    """Numbers of exceptions at which a zone ends, both included in their zone."""

    green: int
    """Up to here green; -1 if even no exception is too many."""
    amber: int
    """Up to here amber, beyond it red."""

    def get_zone(self, exceptions: int) -> str:
        """ "green", "amber" or "red"; raises `OutOfRange` for what is no number of exceptions."""
        require_whole("exceptions", exceptions, 0, MOST_OBSERVATIONS)
        return "green" if exceptions <= self.green else "amber" if exceptions <= self.amber else "red"


class Transitions(NamedTuple):
    """How often a day of the first kind was followed by one of the second; 1 is an exception."""

    n00: int
    n01: int
    n10: int
    n11: int


def count_transitions(hits: ArrayLike) -> Transitions:
    """Transitions of a series of days: True or 1 where the loss was larger than the margin, False or 0 where not.

    Raises `WrongKind` for anything else: a day without a verdict is neither an exception nor a quiet day.
    """
    days = np.asarray(hits)
    is_whole = days.dtype.kind in "iu" and np.isin(days, (0, 1)).all()
    series = days.astype(bool) if is_whole else require_flags("exception of a day", days)
    pairs = 2 * series[:-1].astype(int) + series[1:]
    return Transitions(*(int(count) for count in np.bincount(pairs, minlength=4)))


def compute_kupiec(observations: int, exceptions: int, tail: float) -> LikelihoodRatio:
    """Kupiec's proportion of failures [1]_: is the rate of exceptions `tail`? Chi-squared with one degree.

        LR = -2 ln [ (1-p)^(T-x) p^x / ((1-x/T)^(T-x) (x/T)^x) ]

    Raises
    ------
    OutOfRange
        If observations are not 1 to `MOST_OBSERVATIONS`, exceptions not 0 to that, or the tail not in (0, 1).
    """
    total, count = check_counts(observations, exceptions)
    check_probability("tail", tail)
    rate = count / total
    statistic = 2.0 * (
        xlogy(total - count, 1.0 - rate) + xlogy(count, rate) - xlogy(total - count, 1.0 - tail) - xlogy(count, tail)
    )
    return _ratio(float(statistic), 1)


def compute_christoffersen(transitions: Transitions) -> LikelihoodRatio:
    """Christoffersen [2]_: is an exception as likely after an exception as after a quiet day? One degree.

    Raises `OutOfRange` if a count is negative or there is no pair of days.
    """
    n00, n01, n10, n11 = (require_whole("number of pairs", count, 0, MOST_OBSERVATIONS) for count in transitions)
    if n00 + n01 + n10 + n11 == 0:
        raise OutOfRange("pairs of days", 0, 1, MOST_OBSERVATIONS)
    rate = (n01 + n11) / (n00 + n01 + n10 + n11)
    after_quiet, after_exception = (bad / max(good + bad, 1) for good, bad in ((n00, n01), (n10, n11)))
    free = xlogy(n00, 1 - after_quiet) + xlogy(n01, after_quiet)
    free += xlogy(n10, 1 - after_exception) + xlogy(n11, after_exception)
    bound = xlogy(n00 + n10, 1 - rate) + xlogy(n01 + n11, rate)
    return _ratio(float(2.0 * (free - bound)), 1)


def compute_conditional_coverage(frequency: LikelihoodRatio, independence: LikelihoodRatio) -> LikelihoodRatio:
    """Both together [2]_: the statistics add up, two degrees."""
    return _ratio(frequency.statistic + independence.statistic, 2)


def _ratio(statistic: float, degrees: int) -> LikelihoodRatio:
    value = max(require_in_range("likelihood-ratio statistic", statistic, -math.inf, math.inf), 0.0)
    return LikelihoodRatio(value, float(stats.chi2.sf(value, degrees)))


def check_counts(observations: int, exceptions: int) -> tuple[int, int]:
    """Both as whole numbers; raises `OutOfRange` unless 1 <= observations <= `MOST_OBSERVATIONS` and 0 <= exceptions <=
    observations."""
    total = require_whole("observations", observations, 1, MOST_OBSERVATIONS)
    return total, require_whole("exceptions", exceptions, 0, total)


# ------------------------------------------------------------------------------------------------------------- lights
def get_lights(observations: int, tail: float) -> Lights:
    """Basel's zones [3]_ for independent days: the last count below a cumulative probability of 95 % and of 99.99 %.

    Raises `OutOfRange` as `compute_kupiec`.
    """
    total, _ = check_counts(observations, 0)
    check_probability("tail", tail)
    counts = np.arange(min(total, math.ceil(total * tail + 20 * math.sqrt(total * tail) + 20)) + 1)
    return _last_below(stats.binom.cdf(counts, total, tail))


def _last_below(cumulative: np.ndarray) -> Lights:
    return Lights(*(int(np.searchsorted(cumulative, level)) - 1 for level in LIGHTS))


@lru_cache(maxsize=64)
def simulate_lights(
    observations: int,
    tail: float,
    days: int,
    portfolios: int = 1,
    correlation: float = 0.0,
    paths: int = 100_000,
    seed: int = SEED,
) -> Lights:
    """Zones for losses over overlapping periods [4]_: the count of exceptions is simulated from normal daily moves.

    Parameters
    ----------
    observations : int
        Overlapping windows per portfolio, one starting each day.
    tail : float
        Probability of an exception in one window.
    days : int
        Length of a window.
    portfolios : int
        Portfolios counted together.
    correlation : float
        Between the daily moves of any two of them, 0 to 1.
    paths : int
        Simulated histories.
    seed : int
        Of the generator.

    Raises
    ------
    OutOfRange
        If an argument is not allowed.
    """
    total, _ = check_counts(observations, 0)
    check_probability("tail", tail)
    for name, value in (("days", days), ("portfolios", portfolios), ("paths", paths)):
        require_whole(name, value, 1, MOST_OBSERVATIONS)
    require_in_range("correlation", correlation, 0, 1)
    require_whole("numbers drawn for a path", portfolios * (total + days), 1, BLOCK)
    require_whole("numbers drawn", paths * portfolios * (total + days), 1, MOST_DRAWS)
    generator = np.random.default_rng(seed)
    threshold = stats.norm.ppf(tail) * math.sqrt(days)
    counts = []
    step = max(1, BLOCK // (portfolios * (total + days)))
    for start in range(0, paths, step):
        size = min(step, paths - start)
        moves = generator.standard_normal((size, portfolios, total + days - 1))
        if portfolios > 1:
            common = generator.standard_normal((size, 1, total + days - 1))
            moves = math.sqrt(correlation) * common + math.sqrt(1 - correlation) * moves
        sums = np.cumsum(moves, axis=2)
        sums[..., days:] -= sums[..., :-days].copy()
        counts.append((sums[..., days - 1 :] < threshold).sum(axis=(1, 2)))
    frequency = np.bincount(np.concatenate(counts))
    return _last_below(np.cumsum(frequency) / paths)
