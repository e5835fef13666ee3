"""What is read from a policy's coefficients is what the house put there, and every row has exactly one meaning."""

from collections import Counter

import numpy as np
import pytest

from tests.support.helpers import Helper
from tests.support.house import CALM, CRASH, get_policies, to_fields
from zkmargin.engine.policy.errors import HelperForm
from zkmargin.engine.policy.forms import LIMITS, RowKind, read_forms
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import HelperKind, Policy, blank_policy_fields, flat_policy, none_policy
from zkmargin.engine.presets import PRESETS, get_preset

MINI = get_preset("mini")
MARKETS = [(size, market) for size in ("mini", "standard") for market in (CALM, CRASH)]


@pytest.mark.parametrize(("size", "market"), MARKETS)
def test_the_initial_policy(size, market):
    """The factor 1.25 is 5 / 4 in whole numbers."""
    policy = get_policies(size, market)["initial"]
    layout, forms = Layout(policy.preset), read_forms(policy)
    assert [group.helper for group in forms.groups] == [Helper.LOSS_BTC, Helper.LOSS_ETH]
    buffers, concentrations = forms.charges[:2], forms.charges[2:]
    assert [charge.helper for charge in buffers] == [Helper.BUFFER_BTC, Helper.BUFFER_ETH]
    assert [charge.helper for charge in concentrations] == [Helper.CONCENTRATION_BTC, Helper.CONCENTRATION_ETH]
    for coin in range(2):
        group = forms.groups[coin]
        assert group.rows == tuple(layout.grid(coin)) and group.uses == {layout.total: -5}
        for charge, block, chords in (
            (buffers[coin], layout.buffer(coin), layout.chords),
            (concentrations[coin], layout.vega(coin), layout.vega_chords),
        ):
            assert charge.rows == tuple(block[: 2 * chords]) and charge.uses == {layout.equity: -1}
            assert {forms.kinds[row] for row in block[2 * chords :]} <= {RowKind.EXPOSURE}
        assert {forms.kinds[row] for row in layout.short_options(coin)} == {RowKind.EXPOSURE}
        assert len(layout.vega(coin)) == 2 * layout.vega_chords
    (value,), (transfer,), (tail_sum,) = forms.values, forms.transfers, forms.tail.sums
    assert (value.helper, value.rows, forms.equity_rows) == (Helper.EQUITY, (layout.equity,), (layout.equity,))
    assert value.uses == forms.multiples == {layout.total: 4, layout.tail: tail_sum.tail_divisor}
    assert (transfer.plus, transfer.row, transfer.factor) == (Helper.TRANSFER_PLUS, layout.total, -5)
    assert transfer.groups == forms.groups and transfer.charge < 0
    assert (forms.tail.plus, forms.tail.rows) == (Helper.THRESHOLD_PLUS, tuple(np.flatnonzero(policy.soft)))
    assert (tail_sum.row, tail_sum.value) == (layout.tail, Helper.EQUITY)
    assert tail_sum.tail_divisor < tail_sum.tail_weight <= sum(forms.tail.weights) == policy.weights.sum()
    assert forms.get_rows(RowKind.DEBT) == [layout.debt] and not forms.get_rows(RowKind.CASH)


@pytest.mark.parametrize(("size", "market"), MARKETS)
def test_the_others(size, market):
    policies = get_policies(size, market)
    initial, maintenance, delta = (read_forms(policies[name]) for name in ("initial", "maintenance", "net_delta"))
    assert not maintenance.charges and len(maintenance.groups) == 2
    shares = [sums.tail_weight / sums.tail_divisor for sums in (maintenance.tail.sums[0], initial.tail.sums[0])]
    assert shares[0] == pytest.approx(0.8 * shares[1], rel=1e-3) and shares[0] >= 0.8 * shares[1] * (1 - 1e-12)
    assert not (delta.values or delta.losses or delta.transfers)
    assert Counter(delta.kinds)[RowKind.EXPOSURE] == 4 == len(delta.get_rows(*LIMITS))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_the_constant_policies(name):
    flat, none = (read_forms(make(PRESETS[name])) for make in (flat_policy, none_policy))
    assert flat.kinds[-2:] == (RowKind.CONTRACTS, RowKind.CASH) and set(flat.kinds[:-2]) == {RowKind.UNUSED}
    assert set(none.kinds) == {RowKind.UNUSED}


@pytest.mark.parametrize(("size", "market"), MARKETS)
def test_a_row_is_unused_exactly_where_it_says_nothing(size, market):
    for policy in get_policies(size, market).values():
        blocks = (policy.positions, policy.charges, policy.helpers, policy.cash[:, None], policy.excess_total[:, None])
        says = np.hstack(blocks).any(axis=1) | (np.array(policy.constants) < 0)
        assert [kind is not RowKind.UNUSED for kind in read_forms(policy).kinds] == says.tolist()


def test_cash_helps_a_row_through_the_value_that_it_adds():
    policy = get_policies("mini")["initial"]
    layout, forms = Layout(MINI), read_forms(policy)
    helped = {row for row in range(MINI.rows) if forms.takes_cash(row)}
    assert helped == {layout.equity, layout.total, layout.tail, layout.debt}


def test_limits_on_losses_and_rows_that_no_account_meets():
    fields = blank_policy_fields(MINI)
    fields["helper_kinds"][0] = HelperKind.LOSS
    fields["positions"][20, 3], fields["charges"][20, 1], fields["helpers"][20, 0] = -1_000, -1, 1
    fields["helpers"][21, 0], fields["constants"][21], fields["constants"][22] = -7, 70_000, -1
    fields["rate_long"][1] = fields["rate_short"][1] = 1
    forms = read_forms(Policy(name="limit", preset=MINI, **fields))
    assert forms.kinds[20:24] == (RowKind.GROUP, RowKind.LOSS, RowKind.NEVER, RowKind.UNUSED)
    assert not forms.charges and forms.groups[0].uses == {21: -7}


def test_a_policy_is_parsed_once_and_a_refusal_every_time():
    policy = get_policies("mini")["initial"]
    same = Policy(name="initial", preset=MINI, **to_fields(policy))
    assert read_forms(same) is read_forms(policy)
    fields = to_fields(policy)
    fields["helpers"][Layout(MINI).equity, Helper.EQUITY] = -2
    wrong = Policy(name="initial", preset=MINI, **fields)
    for _ in range(2):
        with pytest.raises(HelperForm, match="W on a value in a row that bounds it is -2; allowed: -1"):
            read_forms(wrong)
