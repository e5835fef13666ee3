"""No lending by accident, over runs: whatever several accounts do with cash, ether and derivatives at one epoch's
prices, whoever is flat leaves with all its cash."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.support.proving import make_market_epoch
from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, RECIPIENT, make_account
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.units import USD6
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.errors import PolicyNotMet
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.statement.commitment import make_trade
from zkmargin.prover.statement.packing import TradeTerms

WETH_SLOT, DEBT = MINI.collateral_slots[1], Layout(MINI).debt
OWNERS = ((ALICE, 0), (ALICE, 1), (BOB, 0), (BOB, 1))
"""Two wallets with two accounts each: nobody can tell who trades with himself."""
RUNS = settings(
    max_examples=12, stateful_step_count=25, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(HealthCheck), phases=(Phase.generate,),
)  # fmt: skip


@cache
def make_lenient_epoch() -> Epoch:
    """The same epoch without the debt row's limit: a venue that lends."""
    epoch = make_market_epoch()
    policies = {}
    for name, policy in epoch.policies.items():
        constants = list(policy.constants)
        constants[DEBT] = 10_000_000 * USD6
        policies[name] = replace(policy, constants=tuple(constants))
    return replace(epoch, policies=policies)


@dataclass
class Vault:
    """What the vault holds for the accounts."""

    cash: int = 0
    lots: int = 0


class Venue(RuleBasedStateMachine):
    """Four accounts and the ghost book of the vault. What the policies do not let happen does not happen."""

    account = st.integers(0, len(OWNERS) - 1)
    dollars = st.sampled_from((1, 1_000, 50_000, 400_000))
    slot = st.sampled_from(MINI.derivative_slots)

    def __init__(self) -> None:
        super().__init__()
        self.epoch, self.vault = self.make_epoch(), Vault()
        self.accounts = [make_account(wallet, index=index) for wallet, index in OWNERS]
        for which, dollars, ether in ((0, 400_000, 0), (1, 1, 500), (2, 50_000, 500)):
            self.pay_in(which, dollars, ether)

    @staticmethod
    def make_epoch() -> Epoch:
        return make_market_epoch()

    def act(self, which: int, intent: Intent) -> Account | None:
        """The account after the action; None if the policy is not met."""
        needs_epoch = intent.kind in (ActionKind.TRADE, ActionKind.WITHDRAW)
        epoch = self.epoch if needs_epoch else None
        try:
            return build_transition(self.accounts[which], intent, domain=DOMAIN, key_version=1, epoch=epoch).after
        except PolicyNotMet:
            return None

    @rule(which=account, dollars=dollars, ether=st.sampled_from((0, 1, 500)))
    def deposit(self, which: int, dollars: int, ether: int) -> None:
        self.pay_in(which, dollars, ether)

    def pay_in(self, which: int, dollars: int, ether: int) -> None:
        lots = {WETH_SLOT: ether * 1_000} if ether else {}
        self.accounts[which] = self.act(which, Intent(ActionKind.DEPOSIT, dollars * USD6, lots, deadline=9))
        self.vault.cash, self.vault.lots = self.vault.cash + dollars * USD6, self.vault.lots + ether * 1_000

    @rule(
        pair=st.permutations(range(len(OWNERS))),
        slot=slot,
        lots=st.integers(-40, 40),
        dollars=dollars,
        fee=st.sampled_from((0, 5)),
    )
    def trade(self, pair: list[int], slot: int, lots: int, dollars: int, fee: int) -> None:
        """At any price, also none, also without legs; the submitter leaves the fees in the vault."""
        legs = ((slot, lots),) if lots else ()
        terms = make_trade(TradeTerms(legs, -dollars * USD6))
        after = [
            self.act(
                which,
                Intent(
                    ActionKind.TRADE, trade=terms, side=side, counterparty=self.accounts[other].id,
                    fee_usd6=fee * USD6, deadline=9,
                ),
            )
            for which, other, side in ((pair[0], pair[1], 1), (pair[1], pair[0], -1))
        ]  # fmt: skip
        if after[0] is None or after[1] is None:
            return
        self.accounts[pair[0]], self.accounts[pair[1]] = after
        self.vault.cash -= 2 * fee * USD6

    @rule(which=account, dollars=dollars, kind=st.sampled_from((ActionKind.WITHDRAW, ActionKind.WITHDRAW_FLAT)))
    def leave(self, which: int, dollars: int, kind: ActionKind) -> None:
        """A payment that the vault could not make is what must not happen."""
        after = self.act(which, Intent(kind, dollars * USD6, recipient=RECIPIENT, deadline=9))
        if after is None:
            return
        assert dollars * USD6 <= self.vault.cash, "a payment that was proved finds too little in the vault"
        self.accounts[which], self.vault.cash = after, self.vault.cash - dollars * USD6

    @invariant()
    def every_debt_value_is_covered_and_they_sum_to_the_vault(self) -> None:
        row = self.epoch.policies["initial"].positions[DEBT]
        values = [account.state.cash + int(row @ account.state.positions) for account in self.accounts]
        assert sum(values) == self.vault.cash == sum(account.state.cash for account in self.accounts)
        assert not np.any(sum(account.state.positions[list(MINI.derivative_slots)] for account in self.accounts))
        assert sum(int(account.state.positions[WETH_SLOT]) for account in self.accounts) == self.vault.lots
        assert min(values) >= 0

    def teardown(self) -> None:
        """Everybody who is flat takes everything, the richest first; the others' collateral pays for nobody."""
        for which in sorted(range(len(OWNERS)), key=lambda item: -self.accounts[item].state.cash):
            state = self.accounts[which].state
            if not np.any(state.positions[list(MINI.derivative_slots)]) and state.cash >= 0:
                ether = int(state.positions[WETH_SLOT])
                lots = {WETH_SLOT: ether} if ether else {}
                intent = Intent(ActionKind.CLOSE, state.cash, lots, recipient=RECIPIENT, deadline=9)
                assert self.act(which, intent) is not None
                self.vault.cash -= state.cash
                assert self.vault.cash >= 0, "an account that holds nothing but cash does not get it"


class LendingVenue(Venue):
    """A venue whose debt row lends."""

    make_epoch = staticmethod(make_lenient_epoch)


@pytest.mark.property("P-90")
def test_whoever_is_flat_leaves_with_all_its_cash_whatever_others_hold_and_do():
    run_state_machine_as_test(Venue, settings=RUNS)


@pytest.mark.slow
@pytest.mark.property("P-90")
def test_whoever_is_flat_leaves_in_long_runs():
    run_state_machine_as_test(Venue, settings=settings(RUNS, max_examples=150, stateful_step_count=60))


@pytest.mark.property("P-90")
def test_without_the_debt_row_these_runs_find_the_loan():
    """So the runs above can fail."""
    with pytest.raises(AssertionError):
        run_state_machine_as_test(LendingVenue, settings=settings(RUNS, max_examples=60))
