"""The certificate is the best there is: against a linear programme, at its own boundary, and at the edges of the
ranges."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from tests.support.helpers import Helper
from tests.support.house import get_policies, get_quiet_policies, make_state, states
from zkmargin.engine.account import Portfolio
from zkmargin.engine.policy.arithmetic import (
    StateOutOfRange,
    compute_charges,
    compute_values_without_helpers,
    evaluate_rows,
)
from zkmargin.engine.policy.certificate import (
    RequirementNotMet,
    _bisect_concave,
    _find_quantile,
    find_certificate,
)
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.forms import describe_row
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import HelperKind, Policy, blank_policy_fields, flat_policy
from zkmargin.engine.presets import get_preset

MINI = get_preset("mini")
LAYOUT = Layout(MINI)


def least_cash_by_programme(policy, state):
    """The least extra cash under which the rows have a solution, by a linear programme, and its accuracy.

    Numbers are scaled by the largest row that positions or cash make; the solver's tolerance is 1e-7 of that.
    """
    base = compute_values_without_helpers(policy, state.positions, state.cash, compute_charges(policy, state.positions))
    scale = float(max(1, *(abs(value - constant) for value, constant in zip(base, policy.constants, strict=True))))
    rows, helpers, soft = policy.preset.rows, policy.preset.helpers, np.flatnonzero(policy.soft)
    matrix = np.zeros((rows, helpers + len(soft) + 1))
    matrix[:, :helpers] = policy.helpers
    for column, row in enumerate(soft, start=helpers):
        matrix[:, column] = policy.excess_total * int(policy.weights[row])
        matrix[row, column] += 1
    matrix[:, -1] = policy.cash
    cost = np.zeros(matrix.shape[1])
    cost[-1] = 1
    bounds = [(0, None)] * (matrix.shape[1] - 1) + [(None, None)]
    result = linprog(
        cost, A_ub=-matrix, b_ub=np.array([value / scale for value in base]), bounds=bounds, method="highs"
    )
    if result.status in (2, 3):  # no amount of cash helps; any amount does
        return (np.inf if result.status == 2 else -np.inf), 2e-6 * scale
    assert result.status == 0, result.message
    return result.fun * scale, 2e-6 * scale


def find_missing(policy, state):
    try:
        find_certificate(policy, state)
    except RequirementNotMet as refusal:
        return refusal.missing_usd6
    return 0


@pytest.mark.property("P-23")
@given(
    states(16, largest=10**6, cash=st.integers(-(10**12), 10**12)),
    st.sampled_from(["initial", "maintenance", "withdraw"]),
)
@settings(max_examples=60, deadline=None)
def test_missing_cash_is_the_optimum_of_the_linear_programme(state, name):
    policy = get_policies("mini")[name]
    needed, accuracy = least_cash_by_programme(policy, state)
    missing = find_missing(policy, state)
    if needed == np.inf:  # the largest exposure is exceeded, whatever the cash
        assert missing
    elif missing:
        assert needed - accuracy <= missing <= needed + accuracy + 500  # whole units of the transfer
    else:
        assert needed <= accuracy


@given(states(16), st.sampled_from(["initial", "maintenance", "withdraw", "net_delta"]))
@example(make_state(16, {}, 0), "initial")
@settings(max_examples=200, deadline=None)
def test_a_certificate_holds_and_is_in_range(state, name):
    policy = get_policies("mini")[name]
    try:
        certificate = find_certificate(policy, state)
    except RequirementNotMet as refusal:
        assert refusal.rows and refusal.policy == name
        return
    assert certificate.slacks == evaluate_rows(policy, state, certificate.helpers, certificate.excess)
    assert all(0 <= slack < 2**83 for slack in certificate.slacks)
    assert all(0 <= value < 2**60 for value in (*certificate.helpers, *certificate.excess))
    assert certificate.charges == compute_charges(policy, state.positions)
    assert all(0 <= charge < 2**76 for charge in certificate.charges)


@pytest.mark.property("P-23")
@given(states(16, largest=2**24, cash=st.integers(-(10**15), 10**13)), st.sampled_from(["initial", "withdraw"]))
@settings(max_examples=100, deadline=None)
def test_missing_is_exact(state, name):
    """With the missing cash the state passes, with a micro-dollar less it does not. Without impact no exposure is too
    large for any cash."""
    policy = get_quiet_policies("mini")[name]
    missing = find_missing(policy, state)
    if not missing:
        return
    assert find_missing(policy, make_state(16, dict(enumerate(state.positions.tolist())), state.cash + missing)) == 0
    assert (
        find_missing(policy, make_state(16, dict(enumerate(state.positions.tolist())), state.cash + missing - 1)) == 1
    )


def test_cash_at_its_edge_caps_the_value():
    state = make_state(16, {1: 1}, cash=2**80 - 1)
    certificate = find_certificate(get_policies("mini")["initial"], state)
    assert certificate.helpers[Helper.EQUITY] == 2**60 - 1 and certificate.slacks[LAYOUT.equity] > 2**79


def test_a_loss_beyond_the_range_is_refused():
    state = make_state(16, {1: 2**30 - 1}, cash=2**80 - 1)
    certificate = find_certificate(get_quiet_policies("mini")["initial"], state)
    assert certificate.helpers[Helper.LOSS_BTC] > 2**56
    fields = {name: np.array(getattr(get_quiet_policies("mini")["initial"], name)) for name in ("positions",)}
    policy = _with(get_quiet_policies("mini")["initial"], positions=fields["positions"] * 16)
    with pytest.raises(RequirementNotMet, match="60 bits") as refusal:
        find_certificate(policy, state)
    assert refusal.value.rows


def _with(policy: Policy, **changes) -> Policy:
    names = (
        "positions", "cash", "charges", "excess_total", "helpers", "constants", "soft", "weights", "rate_long",
        "rate_short", "helper_kinds",
    )  # fmt: skip
    return Policy(
        name=policy.name, preset=policy.preset, **{**{name: getattr(policy, name) for name in names}, **changes}
    )


def test_states_out_of_range_are_refused():
    from types import SimpleNamespace

    with pytest.raises(StateOutOfRange):
        find_certificate(
            get_policies("mini")["initial"], SimpleNamespace(positions=np.zeros(16, dtype=np.int64), cash=2**80)
        )


def test_the_refusal_says_which_rows_and_how_much():
    with pytest.raises(RequirementNotMet) as refusal:
        find_certificate(get_policies("mini")["maintenance"], make_state(16, {1: 100}, cash=-70_000 * 10**6))
    missing = refusal.value.row_missing
    assert refusal.value.rows == tuple(missing) == (LAYOUT.total, LAYOUT.tail)
    assert "sum of the groups" in str(refusal.value) and "expected shortfall" in str(refusal.value)
    assert refusal.value.missing_usd6 == max(missing.values()) and min(missing.values()) > 0
    with pytest.raises(RequirementNotMet) as refusal:
        find_certificate(get_policies("mini")["withdraw"], make_state(16, {8: 10**6}, cash=-5))
    assert refusal.value.rows == (LAYOUT.debt,) and refusal.value.missing_usd6 == 5 + 10**6  # K_2: one per lot
    with pytest.raises(RequirementNotMet) as refusal:
        find_certificate(get_policies("mini")["initial"], make_state(16, {}, cash=-7))
    assert LAYOUT.equity in refusal.value.rows and refusal.value.missing_usd6 == 7


def refuse(policy, state):
    with pytest.raises(RequirementNotMet) as refusal:
        find_certificate(policy, state)
    return refusal.value


class TestTextOfARefusal:
    """Dollars where cash helps, and nothing that is a position or the cash itself."""

    def test_margin_in_dollars(self):
        error = refuse(get_policies("mini")["maintenance"], make_state(16, {1: 100}, cash=-70_000 * 10**6))
        missing = error.row_missing[LAYOUT.total] / 1e6
        assert f"row {LAYOUT.total} (sum of the groups) is missing {missing:,.6f} USD" in str(error)

    def test_a_delta_limit_is_no_dollars(self):
        error = refuse(get_policies("mini")["net_delta"], make_state(16, {1: 123_457}))
        assert error.missing_usd6 > 0 and set(error.rows) <= set(LAYOUT.final)
        assert "USD" not in str(error) and "exposure limit" in str(error)
        assert str(error) == str(refuse(get_policies("mini")["net_delta"], make_state(16, {1: 765_431})))

    def test_lots_against_flat_stay_out(self):
        error = refuse(flat_policy(MINI), make_state(16, {3: 4_321}, cash=9_999))
        assert error.missing_usd6 == 4_321
        assert str(error) == f"policy 'flat' is not met; row {MINI.rows - 2} (charge per contract)"

    def test_debt_stays_out(self):
        error = refuse(get_policies("mini")["withdraw"], make_state(16, {8: 10**6}, cash=-54_321))
        assert error.row_missing == {LAYOUT.debt: 54_321 + 10**6}
        assert str(error) == f"policy 'withdraw' is not met; row {LAYOUT.debt} (debt limit)"

    def test_a_row_with_helpers_and_without_cash(self):
        """A limit on a worst loss, where the loss counts seven times and no value is added: units of the row."""
        fields = blank_policy_fields(MINI)
        fields["helper_kinds"][0] = HelperKind.LOSS
        fields["positions"][20, 3], fields["charges"][20, 1], fields["helpers"][20, 0] = -1_000, -1, 1
        fields["helpers"][21, 0], fields["constants"][21] = -7, 70_000
        fields["rate_long"][1] = fields["rate_short"][1] = 1
        policy = Policy(name="limit", preset=MINI, **fields)
        check_policy(policy)
        error = refuse(policy, make_state(16, {3: 100}))
        assert error.missing_usd6 == 7 * 100_100 - 70_000
        assert "row 21" in str(error) and "is missing 630,700 in its own unit" in str(error)
        assert "USD" not in str(error)


def test_representations_show_no_secret():
    state = make_state(16, {1: 4_321}, cash=10**12 + 98_765)
    certificate = find_certificate(get_policies("mini")["initial"], state)
    portfolio = Portfolio("book", {"BTC-PERPETUAL": 4_321}, 98_765)
    assert repr(certificate) == "Certificate()" and repr(state) == "AccountState()"
    assert repr(portfolio) == "Portfolio(name='book')"


def test_rows_in_words():
    policy = get_policies("mini")["initial"]
    words = {row: describe_row(policy, row) for row in (0, LAYOUT.grid(0)[0], *LAYOUT.final)}
    assert list(words.values()) == [
        "expected shortfall scenario", "scenario of a group", "equity after charges", "sum of the groups",
        "expected shortfall", "debt limit",
    ]  # fmt: skip
    assert describe_row(get_policies("mini")["net_delta"], LAYOUT.final[0]) == "exposure limit"


@given(st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 9)), min_size=1, max_size=8), st.data())
def test_the_quantile_is_optimal(scenarios, data):
    losses, weights = zip(*scenarios, strict=True)
    m = data.draw(st.integers(1, sum(weights)))

    def cost(t):
        return m * t + sum(w * max(0, loss - t) for loss, w in scenarios)

    assert cost(_find_quantile(list(losses), weights, m)) == min(cost(t) for t in range(-101, 102))


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-500, 500)), min_size=1, max_size=6))
def test_the_bisection_finds_the_maximum(lines):
    def value(n):
        return min(slope * n + constant for slope, constant in lines)

    assert value(_bisect_concave(value, -200, 200)) == max(value(n) for n in range(-200, 201))


class TestUnusualPolicies:
    """Two transfers between four groups: solved by the programme and the exact repair."""

    moves = (-160, -80, 0, 80, 160)

    def make(self, rng) -> Policy:
        fields = blank_policy_fields(MINI)
        kinds = fields["helper_kinds"]
        value, first_free = 4, 5
        kinds[:4] = [HelperKind.LOSS] * 4
        kinds[value] = HelperKind.VALUE
        kinds[5:9] = [HelperKind.FREE_PLUS, HelperKind.FREE_MINUS] * 2
        for group in range(4):
            plus, sign = first_free + 2 * (group // 2), 1 if group % 2 == 0 else -1
            for index, move in enumerate(self.moves):
                row = 12 + 5 * group + index
                fields["positions"][row, 4 * group : 4 * group + 4] = rng.integers(-50, 50, 4) + move * 1000
                fields["helpers"][row, [group, plus, plus + 1]] = 1, -sign * move, sign * move
                fields["charges"][row, 1] = -1
        fields["helpers"][40, :4] = -125
        fields["helpers"][40, value] = 100
        fields["helpers"][40, [5, 6]], fields["helpers"][40, [7, 8]] = -9300, -4000
        fields["helpers"][41, value], fields["cash"][41], fields["charges"][41] = -1, 1, (-1, -1)
        fields["rate_long"][1] = fields["rate_short"][1] = 1
        return Policy(name="four groups", preset=MINI, **fields)

    @pytest.mark.parametrize("seed", range(8))
    def test_against_the_programme(self, seed):
        rng = np.random.default_rng(seed)
        policy = self.make(rng)
        check_policy(policy)
        state = make_state(16, dict(enumerate(rng.integers(-2000, 2000, 16).tolist())))
        needed, accuracy = least_cash_by_programme(policy, state)
        missing = find_missing(policy, state)
        assert needed - accuracy <= missing <= needed + accuracy + 1000
