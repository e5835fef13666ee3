"""The linear programme holds the same rows as the integer policy."""

import numpy as np
import pytest
import scipy.optimize
from scipy.optimize import OptimizeResult

from tests.support.desks import MARKETS
from tests.support.house import CALM, CRASH, get_policies
from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.policy.arithmetic import evaluate_rows
from zkmargin.engine.policy.linear_programme import LEAST_SECONDS, Programme, ProgrammeFailed, minimise
from zkmargin.engine.policy.record import HelperKind

POLICIES = ("initial", "maintenance", "withdraw", "net_delta")


@pytest.mark.property("P-71")
@pytest.mark.parametrize("size,market", MARKETS)
@pytest.mark.parametrize("name", POLICIES)
def test_its_rows_are_the_policys(size, market, name):
    policy = get_policies(size, market)[name]
    preset = policy.preset
    programme = Programme(policy, np.arange(preset.slots))
    generator = np.random.default_rng(1)
    for _ in range(3):
        lots = generator.integers(-1000, 1000, preset.slots)
        cash = int(generator.integers(-(10**14), 10**14))
        helpers = generator.integers(0, 10**12, preset.helpers)
        excess = np.where(policy.soft, generator.integers(0, 10**11, preset.excess_rows), 0)
        values = np.zeros(programme.size)
        values[programme.long], values[programme.short] = np.maximum(lots, 0), np.maximum(-lots, 0)
        values[programme.cash] = cash / 1e6
        values[programme.helpers], values[programme.excess] = helpers / 1e6, excess[programme.soft] / 1e6
        exact = np.array(
            evaluate_rows(policy, AccountState(lots, cash), helpers.tolist(), excess.tolist()), dtype=float
        )
        found = programme.matrix @ values + programme.constants
        assert np.allclose(found, exact / 1e6, rtol=1e-12, atol=1e-12 * np.abs(exact).max() / 1e6)


@pytest.mark.parametrize("size,market", [("standard", CALM), ("mini", CRASH)])
def test_it_knows_which_row_is_equity_and_which_rows_state_money(size, market):
    for name in ("initial", "maintenance"):
        policy = get_policies(size, market)[name]
        programme = Programme(policy, [1])
        assert policy.cash[programme.equity_row] == 1
        assert policy.helpers[programme.equity_row][policy.helper_kinds.index(HelperKind.VALUE)] == -1
        money = np.flatnonzero(programme.takes_money)
        assert programme.equity_row in money and set(np.flatnonzero(policy.cash)) <= set(money)
        inner = policy.helpers[:, [kind is HelperKind.LOSS for kind in policy.helper_kinds]] > 0
        assert not inner[money].any() and not policy.soft[money[money < policy.preset.excess_rows]].any()


def test_a_policy_without_equity_asks_for_no_margin():
    programme = Programme(get_policies("mini", CALM)["net_delta"], [1])
    with pytest.raises(OutOfRange, match="equity rows of policy 'net_delta' is 0"):
        _ = programme.equity_row


def test_a_slot_that_does_not_exist():
    with pytest.raises(OutOfRange, match="slot is 16; allowed: 0 to 15"):
        Programme(get_policies("mini", CALM)["initial"], [3, 16])


def test_a_trade_moves_lots_and_cash():
    programme = Programme(get_policies("mini", CALM)["initial"], [1, 9])
    positions = np.zeros(16, dtype=np.int64)
    positions[1] = -5
    left, right = programme.balance(positions, 7_000_000, np.array([[2.0], [-1.0]]), np.array([100.0]))
    values = np.zeros(programme.size + 1)  # three units: lots 1 and -3, cash 7 - 300
    values[programme.long], values[programme.short] = [1.0, 0.0], [0.0, 3.0]
    values[programme.cash], values[-1] = -293.0, 3.0
    assert np.allclose(left @ values, right)
    with pytest.raises(OutOfRange, match="lots in slot 4 is 3; allowed: 0 to 0"):
        positions[4] = 3
        programme.balance(positions, 0, np.zeros((2, 0)), np.zeros(0))


def test_no_optimum_is_an_error_that_says_why():
    with pytest.raises(ProgrammeFailed) as infeasible:
        minimise(np.ones(1), A_ub=np.ones((1, 1)), b_ub=[-1.0], bounds=(0, None))
    assert infeasible.value.is_infeasible and not infeasible.value.is_unbounded
    with pytest.raises(ProgrammeFailed) as unbounded:
        minimise(-np.ones(1), bounds=(0, None))
    assert unbounded.value.is_unbounded and not unbounded.value.is_infeasible


def test_all_methods_share_one_time_limit(monkeypatch):
    """A solver that never knows is asked by each method once, each time for what is left, and then it is over."""
    limits = []

    def never_know(*_, options, **__):
        limits.append(options["time_limit"])
        return OptimizeResult(status=1, message="time limit reached", x=None)

    monkeypatch.setattr(scipy.optimize, "linprog", never_know)
    with pytest.raises(ProgrammeFailed, match="time limit reached") as failure:
        minimise(np.ones(1), seconds=5.0)
    assert not failure.value.is_infeasible
    assert len(limits) == 3 and 5.0 >= limits[0] >= limits[1] >= limits[2] > 0
    limits.clear()
    with pytest.raises(ProgrammeFailed):
        minimise(np.ones(1), seconds=0.0)
    assert limits == [LEAST_SECONDS]
