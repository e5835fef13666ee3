"""The forms are enough: no addition to a policy that the checks accept makes an under-margined account pass.

The account has positive equity and too little of it. Whether a changed policy lets it pass is asked of a linear
programme that may choose every helper and excess variable as a dishonest prover would, in whatever way the policy's
author did not think of.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.policy.test_certificate import least_cash_by_programme
from tests.support.helpers import Helper
from tests.support.house import get_policies, get_quiet_policies, make_state, to_fields
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.errors import RefusedPolicy, TransferForm
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import HelperKind, Policy
from zkmargin.engine.presets import get_preset

MINI = get_preset("mini")
LAYOUT = Layout(MINI)
POLICY = get_policies("mini")["initial"]
ACCOUNTS = [
    make_state(16, {1: 1000, 9: 2000}, -1_150_000 * 10**6),  # long both coins
    make_state(
        16, {1: -1000, 9: 3000}, 1_000_000 * 10**6 - 650_000 * 10**6 - 230_000 * 10**6
    ),  # netted, and short of it
    make_state(16, {4: -500, 6: -500, 12: -900}, 60_000 * 10**6),  # options owed
]
NEEDED = [least_cash_by_programme(POLICY, account) for account in ACCOUNTS]


def test_the_accounts_are_under_margined():
    assert all(needed > 1000 * accuracy > 0 for needed, accuracy in NEEDED)


def accepted(fields) -> Policy | None:
    policy = Policy(name="x", preset=MINI, **fields)
    try:
        check_policy(policy)
    except RefusedPolicy:
        return None
    return policy


def check_no_easier(policy: Policy, before: list[tuple[float, float]] | None = None) -> None:
    for account, (needed, accuracy) in zip(ACCOUNTS, before or NEEDED, strict=True):
        changed, _ = least_cash_by_programme(policy, account)
        assert changed >= needed - 2 * accuracy


@pytest.mark.property("P-19")
def test_every_single_addition():
    """Each zero of the helpers, cash and X columns, with both signs: refused, or no easier."""
    refused = passed = 0
    places = [
        *(("helpers", (row, j)) for row, j in itertools.product(range(MINI.rows), range(Helper.BUFFER_ETH + 1))),
        *(("cash", row) for row in range(MINI.rows)),
        *(("excess_total", row) for row in range(MINI.rows)),
    ]
    for field, place in places:
        if getattr(POLICY, field)[place]:
            continue
        for value in (1, -1) if field == "helpers" else (1,) if field == "cash" else (-1,):
            fields = to_fields(POLICY)
            fields[field][place] = value
            policy = accepted(fields)
            if policy is None:
                refused += 1
                continue
            passed += 1
            check_no_easier(policy)
    assert refused > 400 and passed > 0


@pytest.mark.property("P-19")
@pytest.mark.parametrize("field", ["charges", "helpers"])
def test_every_single_sign_change(field):
    for place in np.argwhere(getattr(POLICY, field)):
        fields = to_fields(POLICY)
        fields[field][tuple(place)] *= -1
        policy = accepted(fields)
        if policy is not None:
            check_no_easier(policy)


SPARE, OTHER = Helper.BUFFER_BTC, Helper.BUFFER_ETH
QUIET = get_quiet_policies("mini")["initial"]
"""Without impact the two helpers of the contagion buffer are spare."""
QUIET_NEEDED = [least_cash_by_programme(QUIET, account) for account in ACCOUNTS]
KINDS = st.sampled_from([
    (HelperKind.LOSS, HelperKind.LOSS), (HelperKind.LOSS, HelperKind.VALUE), (HelperKind.VALUE, HelperKind.VALUE),
    (HelperKind.FREE_PLUS, HelperKind.FREE_MINUS),
])  # fmt: skip
ROWS = st.sampled_from([
    0, 1, *LAYOUT.grid(0)[:2], *LAYOUT.grid(1)[:2], *LAYOUT.buffer(0), *LAYOUT.buffer(1), *LAYOUT.final,
])  # fmt: skip


@pytest.mark.property("P-19")
@given(
    KINDS,
    st.lists(
        st.tuples(ROWS, st.integers(0, 11), st.sampled_from([-125, -100, -1, 1, 66, 100])), min_size=1, max_size=6
    ),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_new_helpers(kinds, entries, paired):
    """A spare pair of helpers of any kind, and a few coefficients anywhere: refused, or no easier."""
    fields = to_fields(QUIET)
    fields["helper_kinds"][SPARE], fields["helper_kinds"][OTHER] = kinds
    for row, column, value in entries:
        column = SPARE if column < 6 else OTHER if column < 11 else Helper.EQUITY
        if fields["helpers"][row, column]:
            continue
        fields["helpers"][row, column] = value
        if paired and column in (SPARE, OTHER):
            fields["helpers"][row, SPARE + OTHER - column] = -value
    policy = accepted(fields)
    if policy is not None:
        check_no_easier(policy, QUIET_NEEDED)


def test_a_charge_of_its_own_is_accepted_and_makes_it_harder():
    """Chords bound a spare loss, the equity is lowered by it."""
    fields = to_fields(QUIET)
    fields["helper_kinds"][SPARE] = HelperKind.LOSS
    for row, sign in zip(LAYOUT.buffer(0)[:2], (1, -1), strict=True):
        fields["positions"][row, 1], fields["constants"][row] = sign * 10**7, 10**8
        fields["charges"][row, 1], fields["helpers"][row, SPARE] = -1, 1
    fields["helpers"][LAYOUT.equity, SPARE] = -1
    policy = accepted(fields)
    assert policy is not None
    check_no_easier(policy, QUIET_NEEDED)
    assert least_cash_by_programme(policy, ACCOUNTS[0])[0] > QUIET_NEEDED[0][0] + 9 * 10**9


@pytest.mark.property("P-19")
@pytest.mark.parametrize("move", [1, 160, 400])
def test_a_transfer_that_relieves_one_cell_alone_is_refused(move):
    """Its moves mirror each other, but they are no linear exposure; the listing's facts show it."""
    fields = to_fields(QUIET)
    fields["helper_kinds"][SPARE], fields["helper_kinds"][OTHER] = HelperKind.FREE_PLUS, HelperKind.FREE_MINUS
    for row, sign in ((LAYOUT.grid(0)[1], 1), (LAYOUT.grid(1)[0], -1)):
        fields["helpers"][row, [SPARE, OTHER]] = sign * move, -sign * move
    fields["helpers"][LAYOUT.total, [SPARE, OTHER]] = -1
    policy = accepted(fields)
    assert policy is not None
    with pytest.raises(TransferForm) as refusal:
        check_policy(policy, np.ones(16, dtype=bool))
    assert refusal.value.column == SPARE


@pytest.mark.parametrize("loss", [Helper.LOSS_BTC, Helper.LOSS_ETH])
def test_a_transfer_needs_a_listed_linear_instrument(loss):
    listed = np.ones(16, dtype=bool)
    fields = to_fields(POLICY)
    linear = [0, 1] if loss == Helper.LOSS_BTC else [8, 9]
    listed[linear] = False
    fields["positions"][:, linear] = 0
    with pytest.raises(TransferForm):
        check_policy(Policy(name="x", preset=MINI, **fields), listed)


def test_the_check_can_fail():
    """Without the forms, one coefficient frees the account where the grid alone decides: the programme finds it."""
    maintenance = get_policies("mini")["maintenance"]
    fields = to_fields(maintenance)
    fields["helpers"][LAYOUT.tail, Helper.EQUITY] = fields["helpers"][LAYOUT.tail, Helper.THRESHOLD_MINUS] * 2
    fields["helpers"][LAYOUT.total, Helper.LOSS_BTC] *= -1
    freed = Policy(name="x", preset=MINI, **fields)
    assert accepted(fields) is None
    needed, _ = least_cash_by_programme(maintenance, ACCOUNTS[2])
    assert least_cash_by_programme(freed, ACCOUNTS[2])[0] < needed - 10**9
