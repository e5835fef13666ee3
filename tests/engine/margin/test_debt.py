"""Nobody's cash is lent away: with every debt row met, the cash of accounts without derivatives is in the vault.

Linear value sums to zero over the accounts at any one set of prices, as every lot has a long and a short. So cash plus
linear value, account by account, sums to the cash of all accounts, which the vault holds.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.support.house import get_house, get_policies, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.house import House
from zkmargin.engine.margin.stress import Stress
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import Policy, flat_policy
from zkmargin.engine.presets import get_preset
from zkmargin.engine.units import USD6

MINI = get_preset("mini")
DEBT = Layout(MINI).debt
WETH = MINI.collateral_slots[1]
LINEAR = list(MINI.linear_slots)


def find_failing_rows(policy: Policy, state: AccountState) -> tuple[int, ...]:
    try:
        find_certificate(policy, state)
    except RequirementNotMet as refusal:
        return refusal.rows
    return ()


def get_debt_value(state: AccountState, prices: np.ndarray) -> int:
    """Cash plus perpetuals and futures, micro-dollars."""
    return state.cash + int(prices[LINEAR] @ state.positions[LINEAR])


class Venue:
    """Accounts that trade, withdraw and leave as the policies allow; the vault's cash is counted apart from theirs."""

    def __init__(self, policies: dict[str, Policy], prices: np.ndarray, seed: int):
        self.policies, self.prices, self.random = policies, prices, np.random.default_rng(seed)
        dollars, ether = (100_000, 0, 400_000, 0, 50_000), (0, 1_000_000, 0, 300_000, 0)
        self.accounts = [
            make_state(MINI.slots, {WETH: lots} if lots else {}, cash * USD6)
            for cash, lots in zip(dollars, ether, strict=True)
        ]
        self.vault = sum(dollars) * USD6
        self.done, self.stopped_by_debt = 0, 0

    def permit(self, name: str, *states: AccountState) -> bool:
        """Whether all states meet the policy; counts what the debt row alone refuses."""
        failing = [find_failing_rows(self.policies[name], state) for state in states]
        if any(failing):
            self.stopped_by_debt += {row for rows in failing for row in rows} == {DEBT}
            return False
        self.done += 1
        return True

    def trade(self) -> None:
        """Up to two legs at the marks and up to 5 % beside; every other trade has no legs and moves cash alone."""
        first, second = (int(index) for index in self.random.choice(len(self.accounts), 2, replace=False))
        legs = np.zeros(MINI.slots, dtype=np.int64)
        cash = int(self.random.integers(1, 2_000_000)) * USD6
        if self.random.random() < 0.7:
            slots = self.random.choice(MINI.derivative_slots, 2, replace=False)
            legs[slots] = self.random.integers(-400, 400, 2)
            cash = int(float(self.prices @ legs) * self.random.uniform(0.95, 1.05))
        sides = ((first, 1), (second, -1))
        after = [
            AccountState(self.accounts[index].positions + sign * legs, self.accounts[index].cash - sign * cash)
            for index, sign in sides
        ]
        if self.permit("initial", *after):
            for (index, _), state in zip(sides, after, strict=True):
                self.accounts[index] = state

    def withdraw(self) -> None:
        """Cash out, up to what the account would like to borrow against its ether."""
        index = int(self.random.integers(len(self.accounts)))
        amount = int(self.random.integers(1, 300_000)) * USD6
        after = AccountState(self.accounts[index].positions, self.accounts[index].cash - amount)
        if self.permit("withdraw", after):
            self.accounts[index], self.vault = after, self.vault - amount

    def run(self, steps: int) -> None:
        """Random actions; after each, whoever is flat can leave with all its cash."""
        for _ in range(steps):
            self.trade() if self.random.random() < 0.8 else self.withdraw()
            assert self.vault == sum(state.cash for state in self.accounts)
            assert sum(get_debt_value(state, self.prices) for state in self.accounts) == self.vault
            assert self.sum_flat_cash() <= self.vault, "a flat account cannot leave"

    def sum_flat_cash(self) -> int:
        flat = flat_policy(MINI)
        return sum(state.cash for state in self.accounts if not find_failing_rows(flat, state))


@cache
def get_moved_house(move: float) -> House:
    """The house at the same listing after every price has moved."""
    house = get_house("mini")
    return House(Stress("move", others=move).apply(house.snapshot, house.shortfall.scenarios.decay))


@pytest.mark.property("P-90")
@pytest.mark.parametrize("seed", range(4))
def test_whoever_is_flat_leaves_with_all_its_cash(seed):
    """Over random trades at off-market prices, gifts and withdrawals of holders of ether and of cash."""
    venue = Venue(get_policies("mini"), get_house("mini").marks, seed)
    venue.run(150)
    assert venue.done > 20 and venue.stopped_by_debt > 5


def test_with_a_debt_limit_a_flat_account_cannot_leave():
    """The same run under a limit of five million a holder of ether: what the run before would catch."""
    policies = {
        name: replace(policy, constants=(*policy.constants[:DEBT], 5_000_000 * USD6, *policy.constants[DEBT + 1 :]))
        for name, policy in get_policies("mini").items()
        if name in ("initial", "withdraw")
    }
    with pytest.raises(AssertionError, match="a flat account cannot leave"):
        for seed in range(4):
            Venue(policies, get_house("mini").marks, seed).run(150)


@pytest.mark.property("P-90")
@pytest.mark.parametrize("move", [-0.12, 0.12])
def test_between_epochs_a_loss_is_all_that_is_owed(move):
    """At the next epoch's prices the sum is the vault's cash again, so what flat accounts cannot leave with is at most
    what losers owe, and an account that still meets maintenance owes at most its limit."""
    house, owed_somewhere = get_moved_house(move), 0
    limit = round(house.parameters.debt_limit * USD6)
    for seed in range(4):
        venue = Venue(get_policies("mini"), get_house("mini").marks, seed)
        venue.run(60)
        values = [get_debt_value(state, house.marks) for state in venue.accounts]
        assert sum(values) == venue.vault
        owed = sum(max(0, -value) for value in values)
        assert venue.sum_flat_cash() <= venue.vault + owed
        owed_somewhere += owed
        for state, value in zip(venue.accounts, values, strict=True):
            if house.meets(house.policies["maintenance"], state):
                assert value >= -limit
    assert owed_somewhere > 0


def test_a_loss_within_the_limit_leaves_maintenance_and_no_trade():
    """A holder of ether who bought a perpetual with no cash of its own: after a fall it may not trade or withdraw until
    it pays in, and fails maintenance beyond the limit alone."""
    house, perpetual = get_moved_house(-0.12), 9
    before = get_house("mini").marks
    for lots, owed_above in ((300, False), (400, True)):
        state = make_state(MINI.slots, {WETH: 12_000_000, perpetual: lots}, 13 * USD6 - lots * int(before[perpetual]))
        loss = -get_debt_value(state, house.marks)
        assert (loss > house.parameters.debt_limit * USD6) == owed_above
        assert not find_failing_rows(get_policies("mini")["initial"], state)
        assert find_failing_rows(house.policies["initial"], state) == (DEBT,)
        assert find_failing_rows(house.policies["withdraw"], state) == (DEBT,)
        assert find_failing_rows(house.policies["maintenance"], state) == ((DEBT,) if owed_above else ())
        paid = AccountState(state.positions, state.cash + loss + 13 * USD6)
        assert not find_failing_rows(house.policies["initial"], paid)
