"""No term of a proved constraint can be changed, and no end of a range moved, but where it says a thing twice."""

import re

import pytest

from tests.support.circuit_harness import P, get_circuit
from tests.support.circuit_reference import EXCESS, HELPERS, LEGS, ROWS, SLOTS
from tests.support.soundness.weakening import (
    EXPLAINED,
    MOVES,
    SAID_TWICE,
    count_ends,
    find_fixed_ends,
    find_ranges,
    find_silent,
    is_only_factor,
    weaken,
)
from zkmargin.prover.statement.signals import STATEMENTS

CASES = ["reveal", *(pytest.param(name, marks=pytest.mark.slow) for name in STATEMENTS if name != "reveal")]


@pytest.mark.property("P-323")
@pytest.mark.parametrize("name", CASES)
def test_every_term_counts_or_is_explained(name):
    outcome = weaken(name)
    assert outcome.unexplained == {}
    assert EXPLAINED.keys() == {*STATEMENTS}
    assert set(EXPLAINED[name].values()) <= set(outcome.explained.values()), "a reason that explains nothing goes"


@pytest.mark.slow
@pytest.mark.property("P-323")
def test_every_range_of_a_transition_ends_where_it_says():
    circuit = get_circuit("transition")
    ranges = find_ranges(circuit)
    fixed = find_fixed_ends(circuit, ranges)
    twice = {name for name in ranges if re.fullmatch(SAID_TWICE, name)}
    assert len(twice) == LEGS and len(ranges) == SLOTS + LEGS + 1 + LEGS + 1 + 2 + HELPERS + EXCESS + ROWS
    assert {name: MOVES - ends for name, ends in fixed.items() if name not in twice and ends != MOVES} == {}
    assert count_ends() == {"ends": 4 * (len(ranges) - LEGS), "ends_open": 0}


def test_a_term_counts_where_wire_and_factor_are_not_zero():
    rows = [([(1, 1)], [(2, 3), (0, P - 6)], [(3, 1)])]
    terms = {(0, 0, 1), (0, 1, 2), (0, 1, 0), (0, 2, 3)}
    assert find_silent(rows, [1, 5, 4, 30], terms) == set()
    assert find_silent(rows, [1, 5, 2, 0], terms) == {(0, 0, 1), (0, 2, 3)}, "the second factor is zero"
    assert find_silent(rows, [1, 0, 4, 0], terms) == terms, "the first factor is zero, and its wire"


def test_the_only_factor_of_a_product_that_is_zero():
    boolean = ([(4, 1)], [(4, 1), (0, P - 1)], [])
    assert [is_only_factor(boolean, side) for side in range(3)] == [True, False, False]
    assert not is_only_factor(([(4, 1)], [(5, 1)], [(6, 1)]), 0)
