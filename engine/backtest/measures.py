"""Value at risk and expected shortfall, each convention stated; see `engine.backtest.delta_gamma` for books of options.

Losses are positive when money is lost, and so are the results, except where a function says "signed P&L".

Conventions for a sample of n outcomes, tail probability p = 1 - confidence:

    quantile        P&L sorted ascending, element floor(p n) counted from 0: no interpolation          [1]_
    tail mean       mean of every P&L at or below that quantile, so floor(p n) + 1 outcomes or more    [1]_
    shortfall       mean of the worst outcomes up to the weight m, the last one in part                [2]_

With m = p n, not rounded, the last is the coherent expected shortfall, which the regulation of trading books sets at
97.5 % [3]_. With m the whole part of p n, or of p times the sum of whole weights, it is the rule that policies prove.

References
----------
.. [1] Open Source Risk Engine, historical simulation VaR: reproduced from its published P&L.
.. [2] C. Acerbi, D. Tasche, "On the coherence of expected shortfall", Journal of Banking and Finance 26 (2002),
   definition 2.6; R. T. Rockafellar, S. Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000).
.. [3] Basel Committee on Banking Supervision, "Minimum capital requirements for market risk" (2019), MAR33.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.tail import WHOLE, expected_shortfall


class Tail(NamedTuple):
    """Two measures of one tail, in the input's unit, positive when money is lost: numbers, or one for each book."""

    value_at_risk: np.ndarray | float
    """The quantile of losses."""
    expected_shortfall: np.ndarray | float
    """The mean of losses at or beyond it."""


def check_probability(what: str, value: float) -> float:
    """`value` as a float; raises `OutOfRange` unless it is strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating) or not 0 < value < 1:
        raise OutOfRange(what, value, "above 0", "below 1")
    return float(value)


def check_sample(what: str, values: ArrayLike) -> np.ndarray:
    """`values` as floats with at least one outcome on the first axis.

    Raises `OutOfRange` if one is missing, not finite, or no number: neither text nor a truth value is an outcome.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "iuf":
        raise OutOfRange(f"type of {what}", str(given.dtype), "numbers", "numbers")
    array = given.astype(float)
    if array.ndim not in (1, 2) or len(array) < 1:
        raise OutOfRange(f"shape of {what}", array.shape, "(outcomes,)", "(outcomes, books)")
    wrong = np.argwhere(~np.isfinite(array))
    if wrong.size:
        at = tuple(int(place) for place in wrong[0])
        raise OutOfRange(f"{what} {at}", float(array[at]), "any", "finite number")
    return array


def get_quantile(pnl: ArrayLike, probability: float) -> np.ndarray:
    """Signed P&L at `probability`: element floor(probability n) of the sorted outcomes, counted from 0 [1]_.

    Parameters
    ----------
    pnl : array_like
        (n,) or (n, B) outcomes, a loss negative; each column is a book.
    probability : float
        In (0, 1); 0.01 is the lower end.

    Raises
    ------
    OutOfRange
        If the probability is outside (0, 1), an outcome is not finite, or there is none.
    """
    array = check_sample("outcome", pnl)
    place = math.floor(check_probability("probability", probability) * len(array) + WHOLE)
    place = min(place, len(array) - 1)  # a probability within the rounding of 1 is the largest outcome
    quantile: np.ndarray = np.partition(array, place, axis=0)[place]
    return quantile


def get_lower_tail_mean(pnl: ArrayLike, probability: float) -> np.ndarray:
    """Signed P&L: mean of every outcome at or below `get_quantile`, the quantile included [1]_. Arguments and errors as
    there."""
    array = check_sample("outcome", pnl)
    inside = array <= get_quantile(array, probability)
    mean: np.ndarray = np.where(inside, array, 0.0).sum(axis=0) / inside.sum(axis=0)
    return mean


def compute_shortfall(losses: ArrayLike, tail: float, weights: ArrayLike | None = None) -> np.ndarray:
    """Mean of the worst losses up to the weight `tail`, the last one in part [2]_.

    Parameters
    ----------
    losses : array_like
        (n,) or (n, B), positive when money is lost.
    tail : float
        m, above 0 and at most the sum of weights.
    weights : array_like, optional
        (n,) non-negative; 1 each by default, so that `tail` counts outcomes.

    Raises
    ------
    OutOfRange
        If a loss or weight is not allowed, or the tail is not in (0, sum of weights].
    """
    array = check_sample("loss", losses)
    heavy = np.ones(len(array)) if weights is None else check_sample("weight", weights)
    if heavy.shape != array.shape[:1] or (heavy < 0).any():
        raise OutOfRange("weights", heavy.tolist(), 0, f"{len(array)} non-negative numbers")
    if isinstance(tail, bool):
        raise OutOfRange("tail weight", tail, "above 0", float(heavy.sum()))
    return expected_shortfall(array, None if weights is None else heavy, float(tail))


def compute_expected_shortfall(losses: ArrayLike, confidence: float) -> np.ndarray:
    """Coherent expected shortfall of equally likely losses [2]_ [3]_: `compute_shortfall`, m = (1 - confidence) n."""
    array = check_sample("loss", losses)
    return compute_shortfall(array, (1.0 - check_probability("confidence", confidence)) * len(array))


def compute_value_at_risk(losses: ArrayLike, confidence: float) -> np.ndarray:
    """The loss at `get_quantile`'s place, positive when money is lost."""
    array = check_sample("loss", losses)
    return -get_quantile(-array, 1.0 - check_probability("confidence", confidence))


def get_normal_tail(confidence: float, deviation: float = 1.0, mean: float = 0.0) -> Tail:
    """VaR and ES of a normal P&L with `mean` and standard `deviation`.

        VaR = sigma z - mu      ES = sigma phi(z) / p - mu      z = Phi^-1(confidence)

    Raises `OutOfRange` if the confidence is outside (0, 1), or the deviation negative or not finite.
    """
    check_probability("confidence", confidence)
    _check_deviation(deviation)
    quantile = stats.norm.ppf(confidence)
    shortfall = stats.norm.pdf(quantile) / (1.0 - confidence)
    return Tail(float(deviation * quantile - mean), float(deviation * shortfall - mean))


def get_student_tail(confidence: float, degrees: float, scale: float = 1.0, mean: float = 0.0) -> Tail:
    """VaR and ES of a Student-t P&L with `degrees` of freedom; `scale` is not its standard deviation, which is scale
    sqrt(nu / (nu - 2)).

        VaR = s t - mu      ES = s f(t) (nu + t^2) / ((nu - 1) p) - mu      t = F^-1(confidence)

    Raises `OutOfRange` as `get_normal_tail`, or if the degrees are not above 1, where no mean exists.
    """
    check_probability("confidence", confidence)
    _check_deviation(scale)
    if not 1 < degrees < math.inf:
        raise OutOfRange("degrees of freedom", degrees, "above 1", "any finite number")
    quantile = stats.t.ppf(confidence, degrees)
    density = stats.t.pdf(quantile, degrees)
    shortfall = density * (degrees + quantile**2) / ((degrees - 1.0) * (1.0 - confidence))
    return Tail(float(scale * quantile - mean), float(scale * shortfall - mean))


def _check_deviation(deviation: float) -> None:
    if not 0 <= deviation < math.inf:
        raise OutOfRange("deviation", deviation, 0, "any finite number")
