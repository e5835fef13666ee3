"""The house: one market, one set of parameters, and every question that is asked of an account there.

Everything that several answers need (scenario values, policies, the definition) is computed once and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from zkmargin.engine.account import AccountState, Portfolio
from zkmargin.engine.desk.distance import DistanceReport, measure_distance
from zkmargin.engine.desk.explanation import Explanation, explain_requirement
from zkmargin.engine.desk.find_hedge import SECONDS, find_hedge
from zkmargin.engine.desk.hedge_result import Hedge, Target
from zkmargin.engine.desk.liquidity import LIQUIDITY_SHARE, Liquidity, make_liquidity
from zkmargin.engine.desk.orders import Order, trade
from zkmargin.engine.desk.sizing import Sizing, find_largest
from zkmargin.engine.desk.whatif import WhatIf, compute_whatif
from zkmargin.engine.epoch.expiry import ExpiryStep, identity_expiry_step
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.report import MarginReport, build_report
from zkmargin.engine.margin.stress import STRESSES, Stress, StressReport, run_stresses
from zkmargin.engine.market.file import Observation
from zkmargin.engine.policy.batch import BatchResult, compute_batch, read_batch_model

Account = Portfolio | AccountState
"""Positions and cash, by instrument name or by slot."""
Orders = Mapping[str, int] | Sequence[Order]
"""Signed lots by instrument name, at the marks, or orders with prices of their own."""

UNNAMED = "account"
"""What results call an account that is given by slot and has no name."""


class House(HouseModel):
    """The house model at one market, with the questions that a trader, a risk officer or a publisher asks.

    Each question takes the account first. Amounts in results are US dollars in floats where nothing else is said; a
    name that ends in `usd6`, and `requirement`, is whole micro-dollars.

    Parameters
    ----------
    snapshot : MarketSnapshot
        The market.
    parameters : Parameters, optional
        The shipped ones by default.
    """

    def report(self, account: Account) -> MarginReport:
        """What the account requires at both levels, why, and what it would require without netting."""
        return build_report(self, *self._read(account))

    def requirement(self, account: Account, level: str = "initial") -> int:
        """What the account must have by the integer policy that is proved, micro-dollars, rounded against it.

        Raises
        ------
        UnknownName
            If there is no such level.
        RequirementNotMet
            If an exposure is beyond its limit: no amount of cash helps then.
        """
        return self.policy_requirement(self.get_solvency_policy(level), self._read(account)[1])

    def check(self, account: Account, policy: str = "initial") -> None:
        """Refuses an account for which no proof of the policy is possible.

        Raises
        ------
        RequirementNotMet
            With what is missing and the rows that fail.
        UnknownName
            If there is no such policy.
        """
        refusal = self.find_refusal(self.get_policy(policy), self._read(account)[1])
        if refusal is not None:
            raise refusal

    def whatif(self, account: Account, orders: Orders, *, with_distance: bool = False) -> WhatIf:
        """The account before and after orders; raises as `engine.desk.whatif.compute_whatif`."""
        return compute_whatif(self, *self._read(account), _read_orders(orders), with_distance)

    def largest(
        self, account: Account, direction: Orders, policy: str = "initial", *, with_distance: bool = False
    ) -> Sizing:
        """The largest whole multiple of a direction after which the account passes the policy, and what ends it."""
        return find_largest(self, *self._read(account), _read_orders(direction), policy, with_distance)

    def liquidity(self, observations: Mapping[str, Observation], share: float = LIQUIDITY_SHARE) -> Liquidity:
        """Prices and most lots for a hedge, from what the market's source quoted; `share` of its liquidity, 0 to 1."""
        return make_liquidity(self, observations, share)

    def hedge(
        self,
        account: Account,
        liquidity: Liquidity,
        *,
        target: Target = Target.REQUIREMENT,
        level: str = "initial",
        max_cost: float | None = None,
        whole_lots: bool = False,
        seconds: float = SECONDS,
    ) -> Hedge:
        """The cheapest trades that restore or free margin; parameters and errors as `engine.desk.find_hedge`."""
        return find_hedge(
            self,
            *self._read(account),
            liquidity,
            target=target,
            level=level,
            max_cost=max_cost,
            whole_lots=whole_lots,
            seconds=seconds,
        )

    def explain(self, account: Account, level: str = "initial", *, with_distance: bool = False) -> Explanation:
        """Which scenarios bind with what weight, and what each position contributes."""
        return explain_requirement(self, *self._read(account), level, with_distance)

    def stress(self, account: Account, stresses: Sequence[Stress] = STRESSES) -> StressReport:
        """Equity and requirements after named moves of the market."""
        return run_stresses(self, *self._read(account), stresses)

    def distance(self, account: Account, orders: Orders = ()) -> DistanceReport:
        """How far the market must move until the account, after `orders`, fails each level."""
        name, state = self._read(account)
        return measure_distance(self, name, trade(self, state, _read_orders(orders)))

    def batch(self, accounts: Iterable[Account], policy: str = "initial", *, workers: int = 2) -> BatchResult:
        """The requirement of many accounts under one policy, in floating point, in their order."""
        states = [self._read(account)[1] for account in accounts]
        positions = np.array([state.positions for state in states], dtype=np.int64)
        cash = np.array([float(state.cash) for state in states])
        shaped = positions.reshape(len(states), self.snapshot.listing.preset.slots)
        return compute_batch(read_batch_model(self.get_policy(policy)), shaped, cash, workers=workers)

    def epoch(
        self, number: int, *, time: int | None = None, urgent: bool = False, settlement: ExpiryStep | None = None
    ) -> Epoch:
        """An epoch with this market and its policies, as publishers sign it.

        Parameters
        ----------
        number : int
        time : int, optional
            Unix seconds from which proofs count; the market's by default.
        urgent : bool
            Whether it revokes its predecessors at once.
        settlement : ExpiryStep, optional
            Of the step into the market's generation, also where an earlier epoch made it; the identity by default, for
            a generation that began without a step.

        Raises
        ------
        RefusedPolicy, NotImplied
            If the numbers of this market do not make admissible policies.
        RefusedEpoch, OutOfRange
            As `Epoch`.
        """
        listing = self.snapshot.listing
        return Epoch(
            number=number,
            time=self.snapshot.time if time is None else time,
            generation=listing.generation,
            urgent=urgent,
            snapshot=self.snapshot,
            policies=self.policies,
            settlement=settlement or identity_expiry_step(listing.preset),
        )

    def _read(self, account: Account) -> tuple[str, AccountState]:
        if isinstance(account, Portfolio):
            return account.name, account.to_state(self.snapshot.listing)
        return UNNAMED, account


def _read_orders(orders: Orders) -> tuple[Order, ...]:
    if isinstance(orders, Mapping):
        return tuple(Order(name, lots) for name, lots in orders.items())
    return tuple(orders)
