"""The size of exceptions: Acerbi and Szekely's second test of expected shortfall, with simulated critical values.

References
----------
.. [1] C. Acerbi, B. Szekely, "Backtesting expected shortfall", Risk (December 2014), test 2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from zkmargin.engine.backtest.coverage import SEED, check_counts
from zkmargin.engine.backtest.measures import check_probability, check_sample, get_normal_tail, get_student_tail
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_in_range, require_whole

MOST_DRAWS = 1_000_000_000
"""Days in the tail of one simulation: what bounds its time and memory."""


def compute_z2(pnl: ArrayLike, value_at_risk: ArrayLike, shortfall: ArrayLike, tail: float) -> float:
    """Acerbi and Szekely's second statistic [1]_: 0 is expected, negative when tail losses are larger than stated.

        Z2 = sum_t P&L_t 1[P&L_t < -VaR_t] / (T p ES_t) + 1

    Parameters
    ----------
    pnl, value_at_risk, shortfall : array_like
        (T,) each; a loss is a negative P&L, the measures are positive and of the same tail.
    tail : float
        p, 0.025 for ES 97.5 %.

    Raises
    ------
    OutOfRange
        If lengths differ, a number is not finite, a shortfall is not positive, or the tail not in (0, 1).
    """
    gains, at_risk, mean = (
        check_sample(name, values)
        for name, values in (("P&L", pnl), ("value at risk", value_at_risk), ("shortfall", shortfall))
    )
    check_probability("tail", tail)
    if not gains.shape == at_risk.shape == mean.shape or gains.ndim != 1:
        raise OutOfRange("shapes", (gains.shape, at_risk.shape, mean.shape), "(days,)", "(days,)")
    if mean.min() <= 0:
        raise OutOfRange("shortfall", float(mean.min()), "above 0", "any finite number")
    return float((np.where(gains < -at_risk, gains, 0.0) / mean).sum() / (len(gains) * tail) + 1.0)


@lru_cache(maxsize=64)
def simulate_z2(
    observations: int, tail: float, degrees: float | None = None, paths: int = 100_000, seed: int = SEED
) -> np.ndarray:
    """(paths,) sorted Z2 of right models whose daily P&L is normal, or Student-t with `degrees`.

    Only the days in the tail matter, so their number is drawn first and then their sizes.

    Raises
    ------
    OutOfRange
        If the counts or the tail are not allowed; if degrees are not above 1 or paths not a positive whole number.
    """
    total, _ = check_counts(observations, 0)
    check_probability("tail", tail)
    require_whole("paths", paths, 1, 10_000_000)
    require_in_range("days in the tail, of all paths", paths * total * tail, 0.0, MOST_DRAWS)
    if degrees is not None and not 1 < degrees < math.inf:
        raise OutOfRange("degrees of freedom", degrees, "above 1", "any finite number")
    law = stats.norm() if degrees is None else stats.t(degrees)
    generator = np.random.default_rng(seed)
    counts = generator.binomial(total, tail, size=paths)
    probabilities = tail * (1.0 - generator.random(counts.sum()))
    sizes = law.ppf(probabilities)
    whole = get_normal_tail(1.0 - tail) if degrees is None else get_student_tail(1.0 - tail, degrees)
    sums = np.bincount(np.repeat(np.arange(paths), counts), weights=sizes, minlength=paths)
    statistics = np.sort(sums / (total * tail * whole.expected_shortfall) + 1.0)
    statistics.flags.writeable = False
    return statistics


def get_p_value_z2(
    statistic: float, observations: int, tail: float, degrees: float | None = None, paths: int = 100_000
) -> float:
    """Share of right models whose Z2 is at or below `statistic`; 0 means that none was seen among `paths`.

    Raises `OutOfRange` as `simulate_z2`, or for a statistic that is no number.
    """
    require_in_range("Z2", statistic, -math.inf, math.inf)
    drawn = simulate_z2(observations, tail, degrees, paths)
    return float(np.searchsorted(drawn, statistic, side="right") / len(drawn))
