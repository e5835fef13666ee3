"""The integer model is exact up to the edges, and refuses what the circuit has no witness for."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.house import get_policies, make_state, states
from zkmargin.engine.policy.arithmetic import (
    StateOutOfRange,
    compute_charges,
    compute_excess_total,
    evaluate_rows,
    exact_product,
)
from zkmargin.engine.policy.record import Policy, blank_policy_fields
from zkmargin.engine.presets import get_preset

MINI = get_preset("mini")
POLICY = get_policies("mini")["initial"]
ZEROS = (0,) * MINI.helpers, (0,) * MINI.excess_rows


def slow_rows(policy, positions, cash, helpers, excess):
    """The statement, term by term in Python integers."""
    charges = [
        sum(int(long) * max(q, 0) + int(short) * max(-q, 0) for long, short, q in zip(*rates, positions, strict=True))
        for rates in zip(policy.rate_long, policy.rate_short, strict=True)
    ]
    total = sum(int(w) * int(u) * e for w, u, e in zip(policy.weights, policy.soft, excess, strict=True))
    rows = []
    for row in range(policy.preset.rows):
        value = policy.constants[row] + int(policy.cash[row]) * cash + int(policy.excess_total[row]) * total
        value += sum(int(w) * q for w, q in zip(policy.positions[row], positions, strict=True))
        value += sum(int(w) * k for w, k in zip(policy.charges[row], charges, strict=True))
        value += sum(int(w) * x for w, x in zip(policy.helpers[row], helpers, strict=True))
        if row < policy.preset.excess_rows:
            value += int(policy.soft[row]) * excess[row]
        rows.append(value)
    return tuple(rows)


@given(
    states(16),
    st.lists(st.integers(0, 2**60 - 1), min_size=12, max_size=12),
    st.lists(st.integers(0, 2**60 - 1), min_size=12, max_size=12),
)
def test_rows_equal_the_statement_term_by_term(state, helpers, excess):
    rows = evaluate_rows(POLICY, state, helpers, excess)
    assert rows == slow_rows(POLICY, state.positions.tolist(), state.cash, helpers, excess)
    assert all(abs(value) < 2**83 for value in rows)


@pytest.mark.property("P-26")
def test_the_largest_sums_do_not_overflow():
    matrix = np.full((2, 256), 2**39 - 1, dtype=np.int64)
    matrix[1] *= -1
    for lots in (2**30 - 1, -(2**30), 2**30):
        total = 256 * (2**39 - 1) * lots
        assert exact_product(matrix, np.full(256, lots, dtype=np.int64)) == [total, -total]


def test_coefficients_beyond_the_budget_are_still_exact():
    matrix = np.full((1, 16), 2**62, dtype=np.int64)
    assert exact_product(matrix, np.full(16, 2**30 - 1, dtype=np.int64)) == [16 * 2**62 * (2**30 - 1)]


@pytest.mark.property("P-26")
def test_every_row_at_its_own_extreme():
    """Positions at -2^30, the one value that the account record does not hold but the statement allows."""
    state = SimpleNamespace(positions=np.full(16, -(2**30), dtype=np.int64), cash=-(2**80))
    rows = evaluate_rows(POLICY, state, *ZEROS)
    assert rows == slow_rows(POLICY, [-(2**30)] * 16, -(2**80), *ZEROS)


def test_charges_split_by_side():
    fields = blank_policy_fields(MINI)
    fields["rate_long"][0, 2], fields["rate_short"][0, 2], fields["rate_short"][1, 3] = 5, 7, 2**36 - 1
    policy = Policy(name="x", preset=MINI, **fields)
    assert compute_charges(policy, make_state(16, {2: 10}).positions) == (50, 0)
    assert compute_charges(policy, make_state(16, {2: -10}).positions) == (70, 0)
    positions = np.zeros(16, dtype=np.int64)
    positions[3] = -(2**30)
    assert compute_charges(policy, positions) == (0, (2**36 - 1) * 2**30)


def test_excess_total_counts_soft_rows_only():
    fields = blank_policy_fields(MINI)
    fields["soft"][:2], fields["weights"][:3] = 1, (3, 5, 7)
    policy = Policy(name="x", preset=MINI, **fields)
    assert compute_excess_total(policy, [10, 100, 1000, *([0] * 9)]) == 530


@pytest.mark.parametrize(
    ("positions", "cash", "helpers", "excess", "what"),
    [
        (np.zeros(15, dtype=np.int64), 0, *ZEROS, "number of slots"),
        (np.zeros(16), 0, *ZEROS, "type of positions"),
        (np.array([2**30] + [0] * 15), 0, *ZEROS, "position in slot 0"),
        (np.array([-(2**30) - 1] + [0] * 15), 0, *ZEROS, "position in slot 0"),
        (np.zeros(16, dtype=np.int64), 2**80, *ZEROS, "cash"),
        (np.zeros(16, dtype=np.int64), -(2**80) - 1, *ZEROS, "cash"),
        (np.zeros(16, dtype=np.int64), 0, (2**60, *ZEROS[0][1:]), ZEROS[1], "helper variable 0"),
        (np.zeros(16, dtype=np.int64), 0, (-1, *ZEROS[0][1:]), ZEROS[1], "helper variable 0"),
        (np.zeros(16, dtype=np.int64), 0, ZEROS[0][1:], ZEROS[1], "number of helper variables"),
        (np.zeros(16, dtype=np.int64), 0, ZEROS[0], (2**60, *ZEROS[1][1:]), "excess variable 0"),
        (np.zeros(16, dtype=np.int64), 0, ZEROS[0], ZEROS[1][1:], "number of excess variables"),
    ],
)
def test_ranges(positions, cash, helpers, excess, what):
    with pytest.raises(StateOutOfRange) as refusal:
        evaluate_rows(POLICY, SimpleNamespace(positions=positions, cash=cash), helpers, excess)
    assert refusal.value.what == what
