"""The experiment on privacy: what the observer sees, and that a leak is found and a shuffle is not."""

from dataclasses import fields, replace

import numpy as np
import pytest

from zkmargin.scripts.measure import privacy
from zkmargin.scripts.measure.privacy import HABITS, INITIAL, MAINTENANCE, NONE, Habits, attack, leak, simulate

NERVOUS = {"nervous": Habits("barely margined", buffer=(1.01, 1.1), call=1.0, rich=1.2), "wide": HABITS["wide"]}
VENUES, ACCOUNTS, DAYS = 5, 16, 4


@pytest.fixture(scope="module")
def venues():
    return [simulate(seed, NERVOUS, ACCOUNTS, DAYS) for seed in range(VENUES)]


def pick(venues, name):
    return [(books, seen[name]) for books, seen in venues]


def test_books_are_what_their_labels_say(venues):
    day = privacy.Day.make(privacy.get_market())
    is_option = privacy.get_market().listing.is_option
    for books, _ in venues:
        assert (books.positions @ day.exposures > 0).tolist() == books.is_long.tolist()
        assert books.positions[:, is_option].any(axis=1).tolist() == books.has_options.tolist()
        kinds = list(zip(books.is_long.tolist(), books.has_options.tolist(), strict=True))
        assert {kinds.count(kind) for kind in kinds} == {ACCOUNTS // 4}


def test_the_observer_sees_nothing_but_what_is_on_chain(venues):
    """Whoever adds a column says here why a chain shows it."""
    assert {field.name for field in fields(privacy.Observation)} == {
        *("opening", "deposits", "withdrawals", "attested", "trades", "returns"),
    }
    for _, seen in pick(venues, "nervous"):
        assert seen.attested.shape == seen.deposits.shape == seen.trades.shape == (DAYS, ACCOUNTS)
        assert set(np.unique(seen.attested)) <= {NONE, MAINTENANCE, INITIAL}
        assert not (seen.deposits % privacy.STEP_USD).any() and (seen.deposits >= 0).all()


def test_flows_follow_margin(venues):
    nervous, wide = pick(venues, "nervous"), pick(venues, "wide")
    assert sum((seen.deposits > 0).sum() for _, seen in nervous) > 0
    assert sum((seen.withdrawals > 0).sum() for _, seen in nervous) > 0
    assert any((seen.attested < INITIAL).any() for _, seen in nervous)
    for _, seen in wide:
        assert not seen.deposits.any() and not seen.withdrawals.any()
        assert (seen.attested == MAINTENANCE).all(), "nobody attests more by this habit"


def test_habits_are_compared_on_the_same_books():
    first, again = (simulate(3, NERVOUS, 8, 2) for _ in range(2))
    assert np.array_equal(first[0].positions, again[0].positions)
    assert np.array_equal(first[1]["nervous"].deposits, again[1]["nervous"].deposits)
    assert np.array_equal(first[1]["nervous"].returns, first[1]["wide"].returns)


def test_a_leaked_direction_is_found_and_a_shuffled_one_is_not(venues):
    wide = pick(venues, "wide")
    leaked = attack([leak(venue) for venue in wide], ["direction"])["direction"]
    assert all(found["all"]["mean"] > 0.35 and found["all"]["low"] > 0.2 for found in leaked.values()), leaked
    blind = [
        (books, replace(seen, opening=np.full(ACCOUNTS, 1e5), trades=np.zeros_like(seen.trades)))
        for books, seen in wide
    ]
    nothing = attack(blind, ["direction"])["direction"]
    assert all(abs(found["all"]["mean"]) <= 0.1 for found in nothing.values()), nothing


def test_the_advantage_is_what_is_right_beyond_one_half():
    labels = np.array([[True, False, True, False]] * 3)
    sure = np.where(labels, 0.9, 0.2)
    assert privacy.compute_advantage(sure, labels)["all"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    half = sure.copy()
    half[:, :2] = 1.0 - half[:, :2]  # the first is the surest, and wrong
    found = privacy.compute_advantage(half, labels)
    assert found["all"]["mean"] == 0.0 and found["surest"]["mean"] == -0.5
