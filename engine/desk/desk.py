"""The desk: one market, its policies and the questions that every tool asks of an account."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.definition import Definition, Requirement
from zkmargin.engine.margin.parameters import LEVELS, Parameters, load_parameters
from zkmargin.engine.margin.policies import HouseModel, build_policies
from zkmargin.engine.margin.report import MarginReport, build_report
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.policy.requirement import measure_requirement
from zkmargin.engine.units import to_usd6


@dataclass(frozen=True, eq=False)
class Desk:
    """A snapshot with everything computed from it once."""

    snapshot: MarketSnapshot
    """Market facts."""
    parameters: Parameters
    """Numbers of the model."""

    @classmethod
    def open(cls, snapshot: MarketSnapshot, parameters: Parameters | None = None) -> Desk:
        """A desk at `snapshot` with the shipped parameters by default."""
        return cls(snapshot, parameters or load_parameters())

    @cached_property
    def house(self) -> HouseModel:
        """Values of scenarios."""
        return HouseModel(self.snapshot, self.parameters)

    @cached_property
    def definition(self) -> Definition:
        """The definition."""
        return Definition(self.snapshot, self.parameters, self.house)

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """The named policies of an epoch at this snapshot, checked."""
        return build_policies(self.snapshot, self.parameters)

    @cached_property
    def marks(self) -> np.ndarray:
        """(N,) int64 mark of one lot, micro-dollars, rounded to nearest; 0 where nothing is listed."""
        return to_usd6(price_per_lot(self.snapshot))

    def get_policy(self, name: str) -> Policy:
        """The policy called `name`; raises `UnknownName`."""
        if name not in self.policies:
            raise UnknownName("policy", name, self.policies)
        return self.policies[name]

    def get_solvency_policy(self, level: str) -> Policy:
        """The policy of a level, "initial" or "maintenance"; raises `UnknownName`."""
        if level not in LEVELS:
            raise UnknownName("level", level, LEVELS)
        return self.policies[level]

    def find_refusal(self, policy: Policy, state: AccountState) -> RequirementNotMet | None:
        """Why `state` fails `policy` by the exact integer rows; none if it passes."""
        try:
            find_certificate(policy, state)
        except RequirementNotMet as refusal:
            return refusal
        return None

    def meets(self, policy: Policy, state: AccountState) -> bool:
        """Whether a proof that `state` meets `policy` is possible."""
        return self.find_refusal(policy, state) is None

    def measure(self, policy: Policy, state: AccountState) -> int:
        """The requirement that the integer rows of a solvency policy state, micro-dollars, exact, rounding included.

        Raises
        ------
        RequirementNotMet
            If a row that cash does not help fails: an exposure beyond its limit.
        """
        return measure_requirement(policy, state)

    def evaluate(self, state: AccountState, level: str) -> Requirement:
        """The definition's requirement, US dollars."""
        return self.definition.compute_requirement(state, level)

    def report(self, name: str, state: AccountState) -> MarginReport:
        """The margin report of an account."""
        return build_report(name, state, self.snapshot, self.parameters, self.policies)
