"""The reduction of a sample and the search against it, on synthetic samples with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.calibration.training import Trainer, TrainingMarket, fit_multiplier, has_loss
from zkmargin.engine.calibration.worst_book_search import Adversary, Reduced, Terms, compute_margin
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.reduction import (
    cut_weights,
    group_days,
    least_multiplier,
    make_points,
    merge_days,
)
from zkmargin.engine.margin.tail import expected_shortfall, tail_shares

GENERATOR = np.random.default_rng(1)
DAYS, TAIL = 400, 10
MOVES = GENERATOR.standard_t(4, (DAYS, 2)) * 0.03


def revalue(moves: np.ndarray) -> np.ndarray:
    """(..., 6) P&L of two linear instruments and four options that cost a tenth of a per cent, two a coin."""
    options = np.hstack([np.maximum(moves - 0.02, 0), np.maximum(-0.02 - moves, 0)]) - 1e-3
    return np.hstack([moves, options])


SAMPLE = revalue(MOVES)
COIN = np.array([0, 1, 0, 1, 0, 1])
CELLS = revalue(np.repeat(np.linspace(-0.15, 0.15, 5)[:, None], 2, axis=1))


def make_terms(charge: float = 1e-4, factor: float = 1e-6) -> Terms:
    """A market with five cells a coin; the grid asks next to nothing unless `factor` is raised."""
    grids = tuple(np.where(coin == COIN, CELLS, 0.0) for coin in (0, 1))
    moves = np.linspace(-0.15, 0.15, 5)
    return Terms(SAMPLE, TAIL, grids, (moves, -moves), factor, 0.1, np.full(6, charge), np.full(6, charge))


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(1, 9)), min_size=1, max_size=12),
    st.integers(1, 30),
)
def test_tail_mean_is_the_minimum_over_t(scenarios, tail):
    losses, weights = (np.array(column) for column in zip(*scenarios, strict=True))
    tail = min(tail, int(weights.sum()))
    expected = min(t + (weights * np.maximum(losses - t, 0)).sum() / tail for t in losses)
    shares = tail_shares(losses[:, None].astype(float), weights, tail)
    assert shares.sum() == pytest.approx(1) and (shares >= 0).all()
    assert (shares * losses[:, None]).sum() == pytest.approx(expected, abs=1e-9)


def test_last_scenario_counts_in_part():
    losses = np.array([[5.0], [10.0], [1.0]])
    assert expected_shortfall(losses, np.array([4, 2, 10]), 3)[0] == pytest.approx((2 * 10 + 5) / 3)


@pytest.mark.property("P-63")
@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, DAYS))
def test_merging_never_raises_an_expected_shortfall(seed, count, tail):
    generator = np.random.default_rng(seed)
    losses = generator.normal(size=(DAYS, 3))
    groups = np.unique(generator.integers(0, count, DAYS), return_inverse=True)[1]
    full = expected_shortfall(losses, np.ones(DAYS, dtype=int), tail)
    merged = expected_shortfall(merge_days(losses, groups), np.bincount(groups), tail)
    assert (merged <= full + 1e-12).all()


@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 60))
def test_cutting_a_weight_to_the_tail_changes_nothing(seed, count, tail):
    generator = np.random.default_rng(seed)
    groups = np.unique(generator.integers(0, count, DAYS) ** 2 // count, return_inverse=True)[1]
    losses = generator.normal(size=(groups.max() + 1, 4))
    whole, cut = np.bincount(groups), cut_weights(groups, tail)
    assert cut.max() <= tail
    assert expected_shortfall(losses, cut, tail) == pytest.approx(expected_shortfall(losses, whole, tail), abs=1e-12)


def test_merged_days_are_weighted_means():
    values, groups = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]]), np.array([1, 0, 1])
    assert merge_days(values, groups).tolist() == [[3.0, 4.0], [3.0, 5.5]]
    assert merge_days(values, groups, np.array([3, 1, 1])).tolist() == [[3.0, 4.0], [2.0, 3.75]]
    with pytest.raises(OutOfRange, match="days of group 1"):
        merge_days(values, np.array([0, 2, 2]))


def test_every_day_its_own_group_is_exact():
    groups = np.arange(DAYS)
    losses = -SAMPLE @ GENERATOR.normal(size=(6, 20))
    assert np.array_equal(merge_days(losses, groups), losses)
    ones = np.ones(DAYS, dtype=int)
    assert np.array_equal(
        expected_shortfall(merge_days(losses, groups), cut_weights(groups, TAIL), TAIL),
        expected_shortfall(losses, ones, TAIL),
    )


def test_groups_are_the_same_each_time_and_numbered_by_their_first_day():
    points = make_points(-SAMPLE @ np.eye(6), np.full(6, 0.05))
    groups = group_days(points, 12, seed=3)
    assert np.array_equal(groups, group_days(points, 12, seed=3))
    first = [int(np.flatnonzero(groups == group)[0]) for group in range(12)]
    assert first == sorted(first) and groups[0] == 0


def test_least_multiplier():
    full, reduced, charges = np.array([10.0, 6.0, 1.0]), np.array([8.0, 5.0, 0.0]), np.array([1.0, 0.0, 2.0])
    found = least_multiplier(full, reduced, charges)
    assert found == pytest.approx(6 / 5)
    assert (charges + found * reduced >= full - 1e-12).all()
    assert least_multiplier(full, full, charges) == 1.0
    with pytest.raises(OutOfRange, match="portfolio 1"):
        least_multiplier(np.array([1.0, 1.0]), np.array([1.0, 0.0]), np.zeros(2))


@pytest.mark.parametrize("tail", [0, 17])
def test_an_impossible_tail_is_refused(tail):
    with pytest.raises(OutOfRange) as refused:
        tail_shares(np.zeros((3, 1)), np.array([4, 2, 10]), tail)
    assert (refused.value.value, refused.value.high) == (tail, 16)


@pytest.mark.parametrize("count", [0, DAYS + 1])
def test_an_impossible_number_of_groups_is_refused(count):
    with pytest.raises(OutOfRange, match="number of groups"):
        group_days(MOVES, count, 0)


class TestAdversary:
    def test_finds_the_book_that_a_bad_reduction_hides(self):
        """All days in one group: a straddle sold has a mean of nearly nothing, and a tail that is not."""
        groups = np.zeros(DAYS, dtype=int)
        reduced = Reduced(merge_days(SAMPLE, groups), cut_weights(groups, TAIL).astype(int), TAIL, 1.0)
        adversary = Adversary(make_terms(), reduced)
        start = np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0])
        book, ratio = adversary.climb(start)
        assert ratio > 10 and ratio > adversary.ratio(start)
        assert ratio == pytest.approx(adversary.ratio(book), rel=1e-12)

    def test_finds_nothing_where_every_day_is_a_scenario(self):
        reduced = Reduced(SAMPLE, np.ones(DAYS, dtype=int), TAIL, 1.0)
        adversary = Adversary(make_terms(), reduced)
        for seed in range(4):
            assert adversary.climb(np.random.default_rng(seed).normal(size=6))[1] <= 1.0

    def test_a_closed_side_stays_closed(self):
        terms = make_terms()
        terms.short[:] = np.inf
        groups = np.zeros(DAYS, dtype=int)
        reduced = Reduced(merge_days(SAMPLE, groups), cut_weights(groups, TAIL).astype(int), TAIL, 1.0)
        book, _ = Adversary(terms, reduced).climb(np.array([1.0, 0, 0, 0, 0, 0]))
        assert (book >= -1e-9).all() and book.max() > 0
        assert np.isinf(compute_margin(terms, reduced, -np.eye(6)[:, :1]))


class TestTrainer:
    def make(self) -> tuple[Trainer, TrainingMarket]:
        terms = make_terms(charge=6e-3, factor=0.5)
        books = np.random.default_rng(5).normal(size=(6, 80))
        market = TrainingMarket(terms, books[:, has_loss(terms, books)])
        return Trainer([market], [market], MOVES, 60, alone=10, starts=4, seed=2), market

    def test_the_multiplier_covers_held_out_books_and_is_needed(self):
        trainer, market = self.make()
        trained = trainer.train()
        assert trained.settled and trained.hardened >= trained.trained >= 1.02
        assert np.array_equal(trained.groups, self.make()[0].train().groups)
        books = np.random.default_rng(6).normal(size=(6, 300))
        merged, weights = merge_days(SAMPLE, trained.groups), cut_weights(trained.groups, TAIL).astype(int)
        full = market.terms.compute_full(books)
        margin = compute_margin(market.terms, Reduced(merged, weights, TAIL, trained.hardened), books)
        assert (margin >= full).all()
        bare = Reduced(merged, weights, TAIL, 1.0).compute(books)
        assert (bare <= full + 1e-12).all() and (bare < full * 0.99).any()

    def test_days_that_stay_alone(self):
        trainer, _ = self.make()
        groups, _ = trainer.candidate(0.1)
        assert (np.bincount(groups) == 1).sum() >= 10 and groups.max() == 59

    def test_strips_are_the_nearest_days_that_are_left(self):
        _, market = self.make()
        strips = np.abs(MOVES[:, 0] - np.array([[0.0], [0.1]]))
        trainer = Trainer([market], [market], MOVES, 20, alone=0, strips=strips, starts=4, seed=2)
        groups, _ = trainer.candidate(0.1)
        first = np.sort(np.argsort(strips[0], kind="stable")[:TAIL])
        assert np.array_equal(np.flatnonzero(groups == 0), first) and (np.bincount(groups)[:2] == TAIL).all()
        left = np.where(groups == 0, np.inf, strips[1])
        assert left[groups == 1].max() <= left[groups > 1].min() and groups.max() == 19

    def test_the_family_alone(self):
        trainer, market = self.make()
        groups, multiplier = trainer.candidate(0.1)
        losses, ones = -(SAMPLE @ market.books), np.ones(DAYS, dtype=int)
        terms, books = market.terms, market.books
        charges, grids = [terms.compute_charge(books)], [terms.compute_grid(books)]
        again = fit_multiplier([losses], charges, grids, groups, ones, TAIL)
        assert again == pytest.approx(multiplier, rel=1e-9)


def test_points_tell_apart_only_what_is_between_floor_and_cap():
    losses = np.array([[-1.0, 0.1], [0.2, 0.0], [0.9, 0.5], [2.0, 5.0], [3.0, 9.0]])
    capped, free = (make_points(losses, np.ones(2), cap=cap) for cap in (1.2, np.inf))
    assert capped[0] == pytest.approx(capped[1]) and capped[3] == pytest.approx(capped[4])
    assert np.abs(free[3] - free[4]).max() > 1 and np.abs(capped[2] - capped[3]).max() > 0.3
