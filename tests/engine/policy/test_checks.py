"""Each kind of malformed policy is refused, by its own error, at its own place; and which policy implies which."""

import numpy as np
import pytest

from tests.support.helpers import Helper
from tests.support.house import CALM, CRASH, get_policies, get_quiet_policies, get_snapshot, make_state, to_fields
from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE, compute_row_bounds
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.checks import LARGEST_DEBT_USD6, check_listing, check_policy
from zkmargin.engine.policy.errors import (
    BoundExceeded,
    CollateralSlot,
    ContingencyMissing,
    CreditRefused,
    DebtForm,
    ExcessTotalForm,
    HelperForm,
    NotImplied,
    RoundingMissing,
    RowTotalExceeded,
    SoftRowForm,
    SolvencyForm,
    TransferForm,
    UnlistedSlot,
)
from zkmargin.engine.policy.forms import RowKind, read_forms
from zkmargin.engine.policy.implication import check_implies
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import CONTINGENCY, ROUNDING, HelperKind, Policy, blank_policy_fields, none_policy
from zkmargin.engine.presets import get_preset

MINI = get_preset("mini")
LAYOUT = Layout(MINI)
LISTED = np.ones(16, dtype=bool)
GRID = LAYOUT.grid(0)[0]
OTHER_GRID = LAYOUT.grid(1)[0]
SPARE = LAYOUT.buffer(0)[0]
SPARE_HELPER = 11


def refuse(change, error, **expected):
    """Start from the admissible initial policy of a market without impact (its buffer rows are spare), change one
    thing, and look at the refusal."""
    policy = get_quiet_policies("mini")["initial"]
    fields = to_fields(policy)
    change(fields)
    with pytest.raises(error) as refusal:
        check_policy(Policy(name="x", preset=MINI, **fields))
    assert refusal.type is error, refusal.value
    for name, value in expected.items():
        assert getattr(refusal.value, name) == value, refusal.value
    assert refusal.value.policy == "x" and refusal.value.allowed


def put(field, place, value):
    def change(fields):
        fields[field][place] = value

    return change


@pytest.mark.parametrize("size", ["mini", "standard"])
@pytest.mark.parametrize("market", [CALM, CRASH])
def test_house_policies_pass(size, market):
    for policy in get_policies(size, market).values():
        check_policy(policy, get_snapshot(size, market).listing.is_listed)


class TestBitBudget:
    @pytest.mark.property("P-19")
    @pytest.mark.parametrize(
        ("field", "place", "value", "rule"),
        [
            ("positions", (GRID, 3), 2**39, "W on positions"),
            ("positions", (GRID, 3), -(2**39), "W on positions"),
            ("cash", LAYOUT.equity, 2, "W on cash"),
            ("cash", LAYOUT.equity, -1, "W on cash"),
            ("charges", (LAYOUT.equity, 0), -5, "W on K"),
            ("charges", (LAYOUT.equity, 1), 5, "W on K"),
            ("excess_total", LAYOUT.tail, -2, "W on X"),
            ("excess_total", LAYOUT.tail, 1, "W on X"),
            ("helpers", (LAYOUT.total, 2), 2**14, "W on helpers"),
            ("helpers", (LAYOUT.total, 0), -(2**14), "W on helpers"),
            ("soft", 0, 2, "u"),
            ("soft", 0, -1, "u"),
            ("weights", 0, 2**10, "weight"),
            ("weights", 0, -1, "weight"),
            ("rate_long", (0, 3), 2**36, "rate_long"),
            ("rate_short", (0, 3), -1, "rate_short"),
            ("constants", LAYOUT.debt, 2**80, "b"),
            ("constants", LAYOUT.debt, -(2**80), "b"),
            ("positions", (LAYOUT.equity, 3), 2**36, "price"),
        ],
    )
    def test_bounds(self, field, place, value, rule):
        row, column = place if isinstance(place, tuple) else (place, None)
        refuse(put(field, place, value), BoundExceeded, rule=rule, row=row, column=column, value=value)

    @pytest.mark.parametrize(
        ("field", "place", "value"),
        [
            ("positions", (GRID, 3), 2**39 - 1),
            ("positions", (GRID, 3), 1 - 2**39),
            ("positions", (LAYOUT.equity, 3), 2**36 - 1),
            ("rate_long", (0, 3), 2**36 - 1),
            ("constants", LAYOUT.debt, 2**80 - 1),
        ],
    )
    def test_the_last_allowed_value(self, field, place, value):
        fields = to_fields(get_quiet_policies("mini")["initial"])
        fields[field][place] = value
        check_policy(Policy(name="x", preset=MINI, **fields))

    @pytest.mark.property("P-19")
    def test_row_total_is_exact(self):
        """Every column of one row at its own bound stays below 2^83 for 16 slots; the sum is the design's, term by
        term."""
        fields = blank_policy_fields(MINI)
        row = 40
        fields["positions"][row] = 2**39 - 1
        fields["cash"][row] = 1
        fields["charges"][row] = -4
        fields["constants"][row] = 2**80 - 1
        fields["helpers"][row] = 2**14 - 1
        policy = Policy(name="x", preset=MINI, **fields)
        expected = 16 * (2**39 - 1) * 2**30 + 2**80 + 8 * (2**76 - 1) + 2**80 - 1 + 12 * (2**14 - 1) * (2**60 - 1)
        assert compute_row_bounds(policy)[row] == expected < 2**83

    def test_row_total_with_excess(self):
        fields = blank_policy_fields(MINI)
        fields["soft"][:], fields["weights"][:] = 1, 1023
        fields["excess_total"][5] = -1
        policy = Policy(name="x", preset=MINI, **fields)
        assert compute_row_bounds(policy)[5] == 12 * 1023 * (2**60 - 1) + 2**60 - 1
        assert compute_row_bounds(policy)[6] == 2**60 - 1

    def test_a_total_beyond_83_bits_is_refused(self):
        """Only a preset with more excess rows than any of ours can get there; the sum is what is checked."""
        from dataclasses import replace

        wide = replace(MINI, name="wider", rows=12_300, excess_rows=12_288)
        fields = blank_policy_fields(wide)
        fields["soft"][:], fields["weights"][:] = 1, 1023
        row = wide.rows - 1
        fields["excess_total"][row] = -1
        fields["constants"][row] = 2**80 - 1
        policy = Policy(name="x", preset=wide, **fields)
        assert compute_row_bounds(policy)[row] >= 2**83
        with pytest.raises(RowTotalExceeded) as refusal:
            check_policy(policy)
        assert refusal.value.row == row and refusal.value.value == compute_row_bounds(policy)[row]


class TestHelpers:
    def test_unused_helper_with_a_coefficient(self):
        refuse(
            put("helpers", (LAYOUT.total, SPARE_HELPER), 1), HelperForm, row=LAYOUT.total, column=SPARE_HELPER, value=1
        )

    def test_loss_added_in_the_sum(self):
        """The breach: a loss that helps. Inflating x would meet the row."""
        refuse(
            put("helpers", (LAYOUT.total, Helper.LOSS_BTC), 125), HelperForm, row=LAYOUT.total, column=Helper.LOSS_BTC
        )

    def test_loss_added_in_the_equity_row(self):
        refuse(
            put("helpers", (LAYOUT.equity, Helper.LOSS_BTC), 1), HelperForm, row=LAYOUT.equity, column=Helper.LOSS_BTC
        )

    def test_min_credit(self):
        """A credit of the form min(x_1, x_2) needs a helper bounded from above by losses and added in the sum."""

        def change(fields):
            fields["helper_kinds"][SPARE_HELPER] = HelperKind.VALUE
            for row, loss in ((SPARE, Helper.LOSS_BTC), (SPARE + 1, Helper.LOSS_ETH)):
                fields["helpers"][row, SPARE_HELPER] = -1
                fields["helpers"][row, loss] = 1
            fields["helpers"][LAYOUT.total, SPARE_HELPER] = 60

        refuse(change, HelperForm, row=SPARE)

    def test_loss_scaled_where_it_is_bounded(self):
        refuse(put("helpers", (GRID, Helper.LOSS_BTC), 2), HelperForm, row=GRID, column=Helper.LOSS_BTC, value=2)

    def test_two_losses_in_one_bound(self):
        refuse(put("helpers", (GRID, Helper.LOSS_ETH), 1), HelperForm, row=GRID)

    def test_loss_bounded_with_cash(self):
        refuse(put("cash", GRID, 1), HelperForm, row=GRID, column=Helper.LOSS_BTC)

    def test_loss_that_nothing_bounds(self):
        def change(fields):
            fields["helper_kinds"][SPARE_HELPER] = HelperKind.LOSS
            fields["helpers"][LAYOUT.total, SPARE_HELPER] = -1

        refuse(change, HelperForm, column=SPARE_HELPER, value=(0, 1))

    def test_loss_that_nothing_subtracts(self):
        def change(fields):
            fields["helper_kinds"][SPARE_HELPER] = HelperKind.LOSS
            fields["helpers"][SPARE, SPARE_HELPER] = 1

        refuse(change, HelperForm, column=SPARE_HELPER, value=(1, 0))

    def test_value_that_nothing_bounds(self):
        refuse(put("helpers", (LAYOUT.equity, Helper.EQUITY), 0), HelperForm, column=Helper.EQUITY)

    def test_value_scaled_where_it_is_bounded(self):
        refuse(put("helpers", (LAYOUT.equity, Helper.EQUITY), -2), HelperForm, row=LAYOUT.equity, value=-2)

    def test_value_bounded_beside_another_value(self):
        def change(fields):
            fields["helper_kinds"][SPARE_HELPER] = HelperKind.VALUE
            fields["helpers"][SPARE, SPARE_HELPER] = -1
            fields["helpers"][LAYOUT.equity, SPARE_HELPER] = 1

        refuse(change, HelperForm, row=LAYOUT.equity, column=Helper.EQUITY)

    def test_two_values_added_in_one_row(self):
        """Two values under the same equity would count it twice."""

        def change(fields):
            fields["helper_kinds"][SPARE_HELPER] = HelperKind.VALUE
            fields["positions"][SPARE], fields["charges"][SPARE, ROUNDING] = fields["positions"][LAYOUT.equity], -1
            fields["cash"][SPARE], fields["charges"][SPARE], fields["helpers"][SPARE, SPARE_HELPER] = 1, (-1, -1), -1
            fields["helpers"][LAYOUT.total, SPARE_HELPER] = 100

        refuse(change, HelperForm, row=LAYOUT.total, rule="values in one row")

    @pytest.mark.property("P-20")
    def test_cash_counted_beside_a_value(self):
        refuse(put("cash", LAYOUT.total, 1), HelperForm, row=LAYOUT.total, column=Helper.EQUITY, value=1)

    @pytest.mark.property("P-20")
    def test_positions_counted_beside_a_value(self):
        """The equity row counts every position at its price; a second count would be collateral twice."""

        def change(fields):
            fields["positions"][LAYOUT.total, 8], fields["charges"][LAYOUT.total, ROUNDING] = 2_000_000, -1

        refuse(change, HelperForm, row=LAYOUT.total, column=Helper.EQUITY, value=2_000_000)

    @pytest.mark.parametrize("row", [LAYOUT.equity, LAYOUT.total])
    def test_a_gift_beside_a_value(self, row):
        refuse(put("constants", row, 1), CreditRefused, row=row, value=1)

    def test_value_bounded_beside_x(self):
        def change(fields):
            fields["excess_total"][LAYOUT.equity] = -1

        refuse(change, ExcessTotalForm, row=LAYOUT.equity)

    def test_free_choice_without_its_other_half(self):
        refuse(
            put("helper_kinds", Helper.TRANSFER_MINUS, HelperKind.FREE_PLUS), HelperForm, column=Helper.TRANSFER_PLUS
        )

    def test_half_a_free_choice(self):
        refuse(put("helper_kinds", Helper.BUFFER_BTC, HelperKind.FREE_MINUS), HelperForm, column=Helper.BUFFER_BTC)


class TestConstantsOfLosses:
    """A positive constant in a row that bounds a loss is free loss, unless the rows are chords of one charge."""

    @staticmethod
    def make_chords(**constants):
        """Spare rows bound a spare loss by slopes on the BTC perpetual and a future; the sum subtracts it."""

        def change(fields):
            fields["helper_kinds"][SPARE_HELPER] = HelperKind.LOSS
            for row, sign in zip(LAYOUT.buffer(0)[:2], (1, -1), strict=True):
                fields["positions"][row, [1, 2]] = sign * 10**7, sign * 9 * 10**6
                fields["constants"][row] = constants.get("constant", 10**8)
                fields["charges"][row, ROUNDING], fields["helpers"][row, SPARE_HELPER] = -1, 1
            fields["helpers"][LAYOUT.total, SPARE_HELPER] = -100

        return change

    @pytest.mark.parametrize("rows", [LAYOUT.grid(0), LAYOUT.grid(1)])
    def test_a_gift_in_every_row_of_a_grid(self, rows):
        def change(fields):
            for row in rows:
                fields["constants"][row] = 2**60

        refuse(change, CreditRefused, row=rows[0], value=2**60)

    @pytest.mark.parametrize("row", [GRID, OTHER_GRID])
    def test_a_gift_of_one_micro_dollar(self, row):
        refuse(put("constants", row, 1), CreditRefused, row=row, value=1)

    def test_a_gift_in_a_grid_without_a_transfer(self):
        """Two scenarios of options are no two chords on one exposure."""

        def change(fields):
            free = [Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS]
            fields["helpers"][:, free] = 0
            fields["helper_kinds"][free[0]] = fields["helper_kinds"][free[1]] = HelperKind.UNUSED
            fields["constants"][GRID] = 1

        refuse(change, CreditRefused, row=GRID, column=Helper.LOSS_BTC)

    def test_a_gift_in_a_grid_of_one_instrument(self):
        """Its rows are multiples of one exposure, but a transfer makes them scenarios of a group."""

        def change(fields):
            rows = list(LAYOUT.grid(0))
            fields["positions"][np.ix_(rows, [slot for slot in range(16) if slot != 1])] = 0
            fields["constants"][GRID] = 1

        refuse(change, CreditRefused, row=GRID, column=Helper.LOSS_BTC)

    def test_chords_may_have_one(self):
        fields = to_fields(get_quiet_policies("mini")["initial"])
        self.make_chords()(fields)
        fields["positions"][LAYOUT.buffer(0)[1], 2] += 2  # what rounding may do
        check_policy(Policy(name="initial", preset=MINI, **fields), LISTED)

    def test_slopes_on_two_exposures_may_not(self):
        def change(fields):
            self.make_chords()(fields)
            fields["positions"][LAYOUT.buffer(0)[1], 2] += 3

        refuse(change, CreditRefused, row=LAYOUT.buffer(0)[0], column=SPARE_HELPER)

    @pytest.mark.parametrize("long, short", [(4, -7), (4, 7), (0, 3)])
    def test_options_may_have_a_delta_a_side(self, long, short):
        """A long exposure takes deltas below the present price, a short one above it; perpetuals have one."""
        fields = to_fields(get_quiet_policies("mini")["initial"])
        self.make_chords()(fields)
        for row, delta in zip(LAYOUT.buffer(0)[:2], (long, short), strict=True):
            fields["positions"][row, 4] = delta * 10**6
        check_policy(Policy(name="initial", preset=MINI, **fields), LISTED)

    def test_two_exposures_on_one_side_may_not(self):
        """Two rows that longs of the perpetual raise, with other options in them, are scenarios and no chords."""

        def change(fields):
            self.make_chords()(fields)
            first, second = LAYOUT.buffer(0)[:2]
            fields["positions"][second] = fields["positions"][first]
            fields["positions"][first, 4], fields["positions"][second, 4] = 4 * 10**6, -7 * 10**6

        refuse(change, CreditRefused, row=LAYOUT.buffer(0)[0], column=SPARE_HELPER)

    def test_two_exposures_of_options_alone_may_not(self):
        def change(fields):
            self.make_chords()(fields)
            first, second = LAYOUT.buffer(0)[:2]
            fields["positions"][[first, second]] = 0
            fields["positions"][first, [3, 4]] = 10**6, 2 * 10**6
            fields["positions"][second, [3, 4]] = -2 * 10**6, -(10**6)

        refuse(change, CreditRefused, row=LAYOUT.buffer(0)[0], column=SPARE_HELPER)

    def test_a_negative_constant_is_always_allowed(self):
        fields = to_fields(get_quiet_policies("mini")["initial"])
        fields["constants"][GRID] = -(10**9)
        check_policy(Policy(name="initial", preset=MINI, **fields), LISTED)


class TestExpectedShortfall:
    def test_price_on_a_grid_row_is_impossible(self):
        """Only the excess rows have a price at all: the record has X of them."""
        assert get_quiet_policies("mini")["initial"].soft.shape == (MINI.excess_rows,)

    def test_soft_row_with_cash(self):
        refuse(put("cash", 0, 1), SoftRowForm, row=0, rule="cash in a soft row")

    def test_soft_row_with_a_constant(self):
        refuse(put("constants", 0, 1), SoftRowForm, row=0)

    def test_soft_row_with_a_contingency(self):
        refuse(put("charges", (0, CONTINGENCY), -1), SoftRowForm, row=0)

    def test_soft_row_without_t(self):
        """A soft row whose e alone pays for the loss: X is averaged over the tail, so the row would be too cheap."""

        def change(fields):
            fields["helpers"][0] = 0

        refuse(change, SoftRowForm, row=0, value={})

    def test_soft_row_with_another_helper(self):
        refuse(put("helpers", (0, Helper.EQUITY), 1), SoftRowForm, row=0)

    def test_soft_row_with_t_reversed(self):
        def change(fields):
            fields["helpers"][0, [Helper.THRESHOLD_PLUS, Helper.THRESHOLD_MINUS]] = -1, 1

        refuse(change, SoftRowForm, row=0)

    def test_soft_row_without_weight(self):
        refuse(put("weights", 0, 0), SoftRowForm, row=0, value=0)

    def test_weight_without_a_price(self):
        def change(fields):
            fields["soft"][3] = 0

        refuse(change, SoftRowForm, row=3)

    def test_soft_rows_that_no_total_pays_for(self):
        refuse(put("excess_total", LAYOUT.tail, 0), ExcessTotalForm)

    def test_tail_heavier_than_all_weights(self):
        """With m above the sum of weights, t to minus infinity would buy any requirement."""

        def change(fields):
            m = int(fields["weights"].sum()) + 1
            row = LAYOUT.tail
            fields["helpers"][row, [Helper.EQUITY, Helper.THRESHOLD_PLUS, Helper.THRESHOLD_MINUS]] = m, -m, m

        refuse(change, ExcessTotalForm, row=LAYOUT.tail, rule="m")

    def test_equity_counted_more_than_twice_the_tail(self):
        tail = get_quiet_policies("mini")["initial"].helpers[LAYOUT.tail, Helper.THRESHOLD_MINUS]
        more = 2 * int(tail) + 1
        refuse(put("helpers", (LAYOUT.tail, Helper.EQUITY), more), ExcessTotalForm, row=LAYOUT.tail, value=more)

    @pytest.mark.property("P-102")
    @pytest.mark.parametrize("name", ["initial", "withdraw", "maintenance"])
    def test_initial_requires_the_shortfall_in_full_and_maintenance_may_require_a_share(self, name):
        fields = to_fields(get_policies("mini")[name])
        tail = int(fields["helpers"][LAYOUT.tail, Helper.THRESHOLD_MINUS])
        fields["helpers"][LAYOUT.tail, Helper.EQUITY] = tail + 1
        policy = Policy(name=name, preset=MINI, **fields)
        if name == "maintenance":
            check_policy(policy, LISTED)
            return
        with pytest.raises(SolvencyForm) as refusal:
            check_policy(policy, LISTED)
        assert (refusal.value.row, refusal.value.value) == (LAYOUT.tail, tail + 1)

    def test_total_with_a_loss_beside_it(self):
        refuse(put("helpers", (LAYOUT.tail, Helper.LOSS_BTC), -1), ExcessTotalForm, row=LAYOUT.tail)

    def test_total_with_cash(self):
        refuse(put("cash", LAYOUT.tail, 1), ExcessTotalForm, row=LAYOUT.tail)

    def test_t_elsewhere(self):
        def change(fields):
            fields["helpers"][LAYOUT.total, [Helper.THRESHOLD_PLUS, Helper.THRESHOLD_MINUS]] = 1, -1

        refuse(change, TransferForm, row=LAYOUT.total)

    def test_x_without_soft_rows(self):
        fields = blank_policy_fields(MINI)
        fields["excess_total"][40] = -1
        with pytest.raises(ExcessTotalForm):
            check_policy(Policy(name="x", preset=MINI, **fields))


class TestTransfer:
    def test_one_sided_gain(self):
        refuse(put("helpers", (GRID, Helper.TRANSFER_PLUS), 170), TransferForm, row=GRID)

    def test_move_that_the_other_group_does_not_mirror(self):
        def change(fields):
            fields["helpers"][GRID, [Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS]] = 400, -400

        refuse(change, TransferForm, rule="moves that one group offers and the other does not mirror", value=[400])

    def test_free_transfer_paid_back(self):
        def change(fields):
            fields["helpers"][LAYOUT.total, [Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS]] = 10, 10

        refuse(change, TransferForm, row=LAYOUT.total, value=(10, 10))

    def test_transfer_without_a_charge(self):
        def change(fields):
            fields["helpers"][LAYOUT.total, [Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS]] = 0

        refuse(change, TransferForm, rule="number of rows that charge a transfer", value=0)

    def test_groups_with_different_factors(self):
        """Moving a loss to the group that counts less would be worth money."""
        refuse(put("helpers", (LAYOUT.total, Helper.LOSS_ETH), -4), TransferForm, value=(-5, -4))

    def test_transfer_outside_the_groups(self):
        def change(fields):
            fields["helpers"][SPARE, [Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS]] = 1, -1

        refuse(change, TransferForm, row=SPARE)

    def test_transfer_with_one_group(self):
        def change(fields):
            rows = list(LAYOUT.grid(1))
            fields["helpers"][np.ix_(rows, [Helper.TRANSFER_PLUS, Helper.TRANSFER_MINUS])] = 0

        refuse(change, TransferForm, rule="number of groups of a transfer", value=1)


class TestCharges:
    @pytest.mark.parametrize("row", [0, GRID, OTHER_GRID, LAYOUT.equity])
    def test_row_with_positions_and_no_rounding_charge(self, row):
        refuse(put("charges", (row, ROUNDING), 0), RoundingMissing, row=row, value=0)

    @pytest.mark.parametrize("side", ["rate_long", "rate_short"])
    def test_a_lot_that_the_rounding_charge_does_not_count(self, side):
        refuse(put(side, (ROUNDING, 5), 0), RoundingMissing, column=5, value=0)

    @pytest.mark.parametrize("charge", [CONTINGENCY, ROUNDING])
    def test_a_charge_as_a_credit(self, charge):
        refuse(put("charges", (LAYOUT.debt, charge), 1), CreditRefused, row=LAYOUT.debt, column=charge)


class TestListing:
    policy = get_quiet_policies("mini")["initial"]

    def test_empty_slot_with_a_value(self):
        listed = LISTED.copy()
        listed[4] = False
        with pytest.raises(UnlistedSlot) as refusal:
            check_listing(self.policy, listed)
        assert refusal.value.column == 4 and refusal.value.row is not None

    @pytest.mark.parametrize("side", ["rate_long", "rate_short"])
    def test_empty_slot_with_an_open_side(self, side):
        listed = LISTED.copy()
        listed[4] = False
        fields = to_fields(self.policy)
        fields["positions"][:, 4] = 0
        fields["rate_long"][CONTINGENCY, 4] = fields["rate_short"][CONTINGENCY, 4] = CLOSED_SIDE_RATE
        check_listing(Policy(name="x", preset=MINI, **fields), listed)
        fields[side][CONTINGENCY, 4] = CLOSED_SIDE_RATE - 1
        with pytest.raises(UnlistedSlot) as refusal:
            check_listing(Policy(name="x", preset=MINI, **fields), listed)
        assert refusal.value.rule.startswith(side) and refusal.value.column == 4

    @pytest.mark.parametrize("slot", [0, 8])
    def test_collateral_that_may_be_owed(self, slot):
        fields = to_fields(self.policy)
        fields["rate_short"][CONTINGENCY, slot] = 10**6
        with pytest.raises(CollateralSlot) as refusal:
            check_listing(Policy(name="x", preset=MINI, **fields), LISTED)
        assert refusal.value.column == slot


class TestContingency:
    """Closed sides of slots cost K_1; it must be subtracted where the equity is bounded."""

    @pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw", "spread"])
    @pytest.mark.parametrize("market", [CALM, CRASH])
    def test_k1_unused(self, name, market):
        fields = to_fields(get_policies("mini", market)["initial" if name == "spread" else name])
        fields["charges"][:, CONTINGENCY] = 0
        policy = Policy(name=name, preset=MINI, **fields)
        check_policy(policy)
        with pytest.raises(ContingencyMissing) as refusal:
            check_policy(policy, get_snapshot("mini", market).listing.is_listed)
        error = refusal.value
        assert (error.row, error.column, error.value) == (LAYOUT.equity, Helper.EQUITY, 0)

    @pytest.mark.property("P-20")
    def test_what_it_would_allow(self):
        """Without K_1, owed collateral passes as an ordinary debt; with it, a lot owed costs 68,719 USD."""
        policy = get_quiet_policies("mini")["initial"]
        fields = to_fields(policy)
        fields["charges"][:, CONTINGENCY] = 0
        owed = make_state(16, {8: -100}, cash=10**9)
        assert find_certificate(Policy(name="x", preset=MINI, **fields), owed)
        with pytest.raises(RequirementNotMet):
            find_certificate(policy, owed)

    @pytest.mark.property("P-20")
    def test_every_row_that_bounds_a_value(self):
        """A second bound with K_1 does not make up for one without."""
        fields = to_fields(get_quiet_policies("mini")["initial"])
        fields["helpers"][SPARE, Helper.EQUITY], fields["cash"][SPARE] = -1, 1
        fields["positions"][SPARE], fields["charges"][SPARE, ROUNDING] = fields["positions"][LAYOUT.equity], -1
        with pytest.raises(ContingencyMissing) as refusal:
            check_listing(Policy(name="initial", preset=MINI, **fields), LISTED)
        assert refusal.value.row == SPARE
        fields["charges"][SPARE, CONTINGENCY] = -1
        check_listing(Policy(name="initial", preset=MINI, **fields), LISTED)


class TestNames:
    """What the contract asks for by name must be what the name says."""

    @pytest.mark.property("P-21")
    @pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw"])
    def test_a_policy_without_equity(self, name):
        fields = blank_policy_fields(MINI)
        fields["cash"][LAYOUT.debt], fields["constants"][LAYOUT.debt] = 1, 2**79
        check_policy(Policy(name="spread", preset=MINI, **fields), LISTED)
        with pytest.raises(SolvencyForm) as refusal:
            check_policy(Policy(name=name, preset=MINI, **fields), LISTED)
        assert refusal.value.rule == "number of values" and refusal.value.policy == name

    @pytest.mark.property("P-21")
    @pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw"])
    def test_an_equity_that_leaves_out_cash(self, name):
        fields = to_fields(get_policies("mini")[name])
        fields["cash"][LAYOUT.equity] = 0
        with pytest.raises(SolvencyForm) as refusal:
            check_policy(Policy(name=name, preset=MINI, **fields), LISTED)
        assert refusal.value.column == Helper.EQUITY


PERPETUAL, FUTURE, OPTION, COLLATERAL = 1, 2, 3, 8
"""Slots of the mini preset, one of each kind."""


def read_named(name, change):
    """The house's policy of that name with one thing changed, through every check."""
    fields = to_fields(get_policies("mini")[name])
    change(fields)
    policy = Policy(name=name, preset=MINI, **fields)
    check_policy(policy, LISTED)
    return policy


class TestDebt:
    """Cash plus perpetuals and futures, at equity's prices: nothing else counts, and the limit is the name's."""

    @pytest.mark.property("P-91")
    @pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw"])
    @pytest.mark.parametrize(
        ("slot", "change", "allowed"),
        [
            (PERPETUAL, 1, "770628300, as in equity"),
            (PERPETUAL, -770628300, "770628300, as in equity"),
            (FUTURE, -1, "801055000, as in equity"),
            (OPTION, 5_000_000, "0, as it is no perpetual or future"),
            (COLLATERAL, 1, "0, as it is no perpetual or future"),
        ],
    )
    def test_one_column_that_is_not_the_price(self, name, slot, change, allowed):
        def add(fields):
            fields["positions"][LAYOUT.debt, slot] += change

        with pytest.raises(DebtForm) as refusal:
            read_named(name, add)
        error = refusal.value
        assert (error.policy, error.row, error.column, error.allowed) == (name, LAYOUT.debt, slot, allowed)
        assert error.value == get_policies("mini")[name].positions[LAYOUT.debt, slot] + change

    @pytest.mark.property("P-91")
    @pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw"])
    @pytest.mark.parametrize(
        "change",
        [
            put("cash", LAYOUT.debt, 0),
            lambda fields: (
                put("helpers", (LAYOUT.debt, Helper.EQUITY), -1)(fields),
                put("charges", (LAYOUT.debt, CONTINGENCY), -1)(fields),
                put("constants", LAYOUT.debt, 0)(fields),
            ),
            put("positions", (LAYOUT.debt, slice(None)), 0),
        ],
    )
    def test_no_debt_row(self, name, change):
        """A row without cash, a second bound of equity, and cash alone, which a seller of perpetuals passes with any
        loss."""
        with pytest.raises(DebtForm, match="number of debt rows is 0; allowed: 1 or more"):
            read_named(name, change)

    @pytest.mark.property("P-91")
    @pytest.mark.parametrize(("name", "largest"), sorted(LARGEST_DEBT_USD6.items()))
    def test_the_largest_limit_of_each_name(self, name, largest):
        policy = read_named(name, put("constants", LAYOUT.debt, largest))
        assert policy.constants[LAYOUT.debt] == largest
        read_named(name, put("constants", LAYOUT.debt, -(10**9)))
        with pytest.raises(DebtForm) as refusal:
            read_named(name, put("constants", LAYOUT.debt, largest + 1))
        assert (refusal.value.rule, refusal.value.value) == ("b of the debt row", largest + 1)
        assert refusal.value.allowed == f"{largest} or less"

    def test_the_strictest_of_several_rows_decides(self):
        fields = to_fields(get_quiet_policies("mini")["initial"])
        for name in ("positions", "cash", "charges"):
            fields[name][SPARE] = fields[name][LAYOUT.debt]
        fields["constants"][LAYOUT.debt] = 10**12
        check_policy(Policy(name="initial", preset=MINI, **fields), LISTED)
        fields["constants"][SPARE] = 1
        with pytest.raises(DebtForm, match="b of the debt row is 1; allowed: 0 or less"):
            check_policy(Policy(name="initial", preset=MINI, **fields), LISTED)

    def test_without_rounding(self):
        with pytest.raises(RoundingMissing) as refusal:
            read_named("initial", put("charges", (LAYOUT.debt, ROUNDING), 0))
        assert refusal.value.row == LAYOUT.debt

    def test_another_name_may_limit_what_it_likes(self):
        """An attestation of equity: cash and all prices, without a helper."""
        fields = blank_policy_fields(MINI)
        fields["positions"][SPARE], fields["cash"][SPARE] = get_policies("mini")["initial"].positions[LAYOUT.equity], 1
        fields["charges"][SPARE, ROUNDING], fields["constants"][SPARE] = -1, -(10**12)
        fields["rate_long"][ROUNDING] = fields["rate_short"][ROUNDING] = 1
        policy = Policy(name="rich", preset=MINI, **fields)
        check_policy(policy, LISTED)
        assert read_forms(policy).kinds[SPARE] is RowKind.EXPOSURE


class TestImplication:
    @pytest.mark.parametrize("size", ["mini", "standard"])
    @pytest.mark.parametrize("market", [CALM, CRASH])
    def test_withdraw_initial_maintenance(self, size, market):
        policies = get_policies(size, market)
        check_implies(policies["withdraw"], policies["initial"])
        check_implies(policies["initial"], policies["maintenance"])
        check_implies(policies["withdraw"], policies["maintenance"])
        check_implies(policies["maintenance"], none_policy(policies["initial"].preset))

    def test_not_the_other_way(self):
        policies = get_policies("mini")
        for weaker, stronger in (("maintenance", "initial"), ("maintenance", "net_delta")):
            with pytest.raises(NotImplied):
                check_implies(policies[weaker], policies[stronger])

    def test_withdraw_has_the_rows_of_initial(self):
        """Neither allows debt, so there is nothing left that a withdrawal would have to show beside."""
        policies = get_policies("mini")
        check_implies(policies["initial"], policies["withdraw"])

    def test_another_preset(self):
        with pytest.raises(NotImplied):
            check_implies(get_quiet_policies("mini")["initial"], get_policies("standard")["maintenance"])

    @pytest.mark.parametrize(
        ("change", "row"),
        [
            (put("rate_long", (0, 3), CLOSED_SIDE_RATE), None),
            (put("rate_short", (0, 3), CLOSED_SIDE_RATE), None),
            (put("positions", (GRID, 3), 5), GRID),
            (put("helpers", (LAYOUT.total, Helper.LOSS_BTC), -126), LAYOUT.total),
            (put("charges", (LAYOUT.equity, 0), -2), LAYOUT.equity),
            (put("constants", LAYOUT.debt, -1), LAYOUT.debt),
            (put("positions", (LAYOUT.debt, 2), 0), LAYOUT.debt),
            (put("cash", SPARE, 1), SPARE),
            (put("constants", SPARE, -1), SPARE),
        ],
    )
    def test_one_number_too_strict_in_the_weaker_policy(self, change, row):
        policies = get_policies("mini")
        fields = to_fields(policies["maintenance"])
        change(fields)
        if row == GRID:  # keep the row distinct from every other one
            fields["positions"][GRID, 3] = 12_345
        with pytest.raises(NotImplied) as refusal:
            check_implies(policies["initial"], Policy(name="x", preset=MINI, **fields))
        assert refusal.value.row == row

    def test_weights_of_the_expected_shortfall(self):
        policy = get_quiet_policies("mini")["initial"]
        fields = to_fields(policy)
        fields["weights"][0] -= 1
        lighter = Policy(name="lighter", preset=MINI, **fields)
        check_implies(policy, lighter)
        with pytest.raises(NotImplied) as refusal:
            check_implies(lighter, policy)
        assert refusal.value.row == 0

    def test_the_map_of_certificates(self):
        """The lemma's map: the initial certificate's helpers hold for maintenance, row by row."""
        from zkmargin.engine.policy.arithmetic import evaluate_rows

        policies = get_policies("mini")
        state = make_state(16, {1: 300, 3: -20, 8: 5000, 9: -400}, cash=10**12)
        certificate = find_certificate(policies["initial"], state)
        assert min(evaluate_rows(policies["maintenance"], state, certificate.helpers, certificate.excess)) >= 0
