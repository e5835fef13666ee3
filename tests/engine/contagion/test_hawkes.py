"""The Hawkes likelihood against the double sum, the fit and both branching ratios on simulated clusters."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.contagion.hawkes import MAX_BRANCHING, compute_log_likelihood, estimate_branching, fit_hawkes
from zkmargin.engine.errors import OutOfRange

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "hawkes_exponential.json").read_text())


def sum_over_pairs(events, horizon, mu, alpha, beta) -> float:
    events = np.asarray(events)
    waits = events[:, None] - events[None, :]
    excited = np.where(waits > 0, np.exp(-beta * np.where(waits > 0, waits, 0.0)), 0.0).sum(axis=1)
    compensator = mu * horizon + alpha / beta * (1 - np.exp(-beta * (horizon - events))).sum()
    return float(np.log(mu + alpha * excited).sum() - compensator)


def simulate(mu: float, branching: float, beta: float, horizon: float, seed: int) -> np.ndarray:
    """Clusters: parents at rate mu, each event with Poisson(n) children after exponential waits."""
    generator = np.random.default_rng(seed)
    generation = generator.uniform(0, horizon, generator.poisson(mu * horizon))
    events = [generation]
    while len(generation):
        children = generator.poisson(branching, len(generation))
        generation = np.repeat(generation, children) + generator.exponential(1 / beta, children.sum())
        generation = generation[generation < horizon]
        events.append(generation)
    return np.sort(np.concatenate(events))


def test_the_likelihood_is_the_vectors():
    terms = (VECTOR["horizon"], VECTOR["mu"], VECTOR["alpha"], VECTOR["beta"])
    assert compute_log_likelihood(VECTOR["events"], *terms) == pytest.approx(VECTOR["log_likelihood"], abs=1e-12)
    assert VECTOR["alpha"] / VECTOR["beta"] == VECTOR["branching_ratio"]


@given(
    st.lists(st.integers(0, 10**6), min_size=0, max_size=40, unique=True),
    st.floats(0.01, 5), st.floats(0, 5), st.floats(0.05, 5),
)  # fmt: skip
def test_the_recursion_is_the_double_sum(ticks, mu, alpha, beta):
    events, horizon = np.sort(np.array(ticks, float)) / 1e4, 101.0
    expected = sum_over_pairs(events, horizon, mu, alpha, beta)
    assert compute_log_likelihood(events, horizon, mu, alpha, beta) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("branching", [0.3, 0.6])
def test_both_estimates_find_the_branching_ratio(branching):
    events = simulate(0.3, branching, 1.0, 2_500.0, seed=11)
    fit = fit_hawkes(events, 2_500.0)
    assert fit.branching == pytest.approx(branching, abs=0.1)
    assert fit.log_likelihood >= compute_log_likelihood(events, 2_500.0, 0.3, branching, 1.0)
    longer = simulate(0.3, branching, 1.0, 60_000.0, seed=11)
    assert estimate_branching(longer, 60_000.0, 100.0) == pytest.approx(branching, abs=0.08)


def test_events_by_chance_have_almost_no_branching():
    events = np.sort(np.random.default_rng(3).uniform(0, 2_000, 800))
    assert fit_hawkes(events, 2_000.0).branching < 0.15
    assert estimate_branching(events, 2_000.0, 50.0) < 0.2


def test_a_fit_stays_below_one_and_respects_the_memory():
    events = np.concatenate([[1.0], 900 + 100 * np.linspace(0, 1, 200) ** 0.5])
    fit = fit_hawkes(events, 1_000.0, least_decay=0.05)
    assert fit.branching <= MAX_BRANCHING and fit.beta >= 0.05


@pytest.mark.parametrize(
    ("events", "terms"),
    [
        ([2.0, 1.0], (10.0, 1.0, 1.0, 1.0)),
        ([1.0, 11.0], (10.0, 1.0, 1.0, 1.0)),
        ([1.0], (10.0, 0.0, 1.0, 1.0)),
        ([1.0], (10.0, 1.0, -1.0, 1.0)),
        ([1.0], (10.0, 1.0, 1.0, 0.0)),
    ],
)
def test_impossible_events_and_parameters_are_refused(events, terms):
    with pytest.raises(OutOfRange):
        compute_log_likelihood(np.array(events), *terms)


def test_too_few_events_are_refused():
    with pytest.raises(OutOfRange, match="events"):
        fit_hawkes(np.array([1.0, 2.0]), 10.0)
    with pytest.raises(OutOfRange, match="window"):
        estimate_branching(np.array([1.0, 2.0]), 10.0, 8.0)
