"""The house model at one market: scenario values, policies and definition, each computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.buffer import BufferModel
from zkmargin.engine.margin.concentration import ConcentrationModel
from zkmargin.engine.margin.definition import Definition, Requirement
from zkmargin.engine.margin.grid import GridModel
from zkmargin.engine.margin.parameters import LEVELS, PERCENT, Parameters, load_parameters
from zkmargin.engine.margin.shocks import zero_unaccepted_collateral
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import delta_per_lot, greeks_per_lot, price_per_lot
from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.policy.implication import check_implies
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.policy.requirement import measure_requirement
from zkmargin.engine.presets import require_coin
from zkmargin.engine.units import USD6, ceil_usd6, to_usd6

NAMES = ("initial", "maintenance", "net_delta", "withdraw")
"""Named policies of an epoch, sorted."""


@dataclass(frozen=True, eq=False)
class HouseModel:
    """The house model at one market.

    Raises `UnknownName` if the market lists a coin that the parameters have no numbers for.
    """

    snapshot: MarketSnapshot
    """Market facts."""
    parameters: Parameters = field(default_factory=load_parameters)
    """Numbers of the model; the shipped ones by default."""

    def __post_init__(self) -> None:
        for coin in self.snapshot.listing.preset.coins:
            require_coin(f"coin of parameters {self.parameters.name}", coin, self.parameters.coins)

    # ------------------------------------------------------------------------------------------ values of single lots
    @cached_property
    def grid(self) -> GridModel:
        """Scenario grid."""
        return GridModel(self.snapshot, self.parameters)

    @cached_property
    def shortfall(self) -> ShortfallModel:
        """Expected shortfall."""
        return ShortfallModel(self.snapshot, self.parameters)

    @cached_property
    def buffer(self) -> BufferModel:
        """Contagion buffer."""
        return BufferModel(self.snapshot, self.parameters, self.side_exposures)

    @cached_property
    def concentration(self) -> ConcentrationModel:
        """Concentration charge."""
        return ConcentrationModel(self.snapshot, self.parameters, self.vegas)

    @property
    def grid_pnl(self) -> np.ndarray:
        """(cells, N) change in value of one lot in each cell of its own coin, US dollars."""
        return self.grid.pnl

    @property
    def shortfall_pnl(self) -> np.ndarray:
        """(S, N) mean change in value of one lot over the windows of each group of joint scenarios, US dollars."""
        return self.shortfall.pnl

    @cached_property
    def marks(self) -> np.ndarray:
        """(N,) int64 mark of one lot, micro-dollars, rounded to nearest; 0 where nothing is listed."""
        return to_usd6(price_per_lot(self.snapshot))

    @cached_property
    def prices(self) -> np.ndarray:
        """(N,) value of one lot, US dollars, zero where it counts for nothing."""
        return zero_unaccepted_collateral(self.snapshot, self.parameters, price_per_lot(self.snapshot))

    @cached_property
    def exposures(self) -> np.ndarray:
        """(N,) delta of one lot times the coin's index, US dollars."""
        deltas = delta_per_lot(self.snapshot) * self.snapshot.index_by_slot
        return zero_unaccepted_collateral(self.snapshot, self.parameters, deltas)

    @cached_property
    def vegas(self) -> np.ndarray:
        """(N,) change in value of one lot per volatility point, US dollars."""
        return np.asarray(greeks_per_lot(self.snapshot).vega / PERCENT)

    @cached_property
    def side_exposures(self) -> np.ndarray:
        """(2, N) delta of one lot times the coin's index, US dollars, at half the price range down and at half of it
        up; volatility as it is."""
        coins, own = self.snapshot.listing.preset.coins, self.snapshot.listing.underlying
        half = np.array([0.5 * self.parameters.price_range[coin] for coin in coins])[own]
        deltas = delta_per_lot(self.snapshot, forward_shift=np.stack([-half, half])) * self.snapshot.index_by_slot
        return zero_unaccepted_collateral(self.snapshot, self.parameters, deltas)

    def contingency(self, level: str) -> tuple[np.ndarray, np.ndarray]:
        """K_1 per long lot and per short lot, (N,) each, US dollars: options, linear instruments, bonds, haircuts.

        Sides that must stay closed are infinite: empty slots on both sides, collateral when short.
        """
        listing, parameters = self.snapshot.listing, self.parameters
        notional = np.where(listing.is_bond, 1.0, self.snapshot.index_by_slot) * listing.lot_size
        linear = np.isin(listing.kind, [KIND_CODES[InstrumentKind.PERPETUAL], KIND_CODES[InstrumentKind.FUTURE]])
        both = linear * parameters.linear[level] + listing.is_bond * parameters.bond[level]
        long = notional * (listing.is_option * parameters.option_long[level] + both)
        short = notional * (listing.is_option * parameters.option_short[level] + both)
        fall, rise = self._rate_losses
        long, short = long + parameters.factor[level] * fall, short + parameters.factor[level] * rise
        long[~listing.is_listed] = np.inf
        short[~listing.is_listed] = np.inf
        for coin, slot in zip(listing.preset.coins, listing.preset.collateral_slots, strict=True):
            long[slot] = self.prices[slot] * parameters.haircut[level][coin]
            short[slot] = np.inf
        return long, short

    @cached_property
    def _rate_losses(self) -> tuple[np.ndarray, np.ndarray]:
        """(N,) what a bond's lot loses, long when its rate rises and short when it falls, US dollars; 0 elsewhere.

        These are charges and no cells of the grid: in a cell that it shared with another move, a bond would hedge what
        it does not hedge when that move comes alone.
        """
        values = price_per_lot(self.snapshot)
        up, down = (
            price_per_lot(self.snapshot, rate_shift=sign * self.parameters.bond_rate) - values for sign in (1, -1)
        )
        return -up, down

    # --------------------------------------------------------------------------------------------------------- policies
    @cached_property
    def policies(self) -> Mapping[str, Policy]:
        """The named policies of an epoch at this market, in the order of `NAMES`.

        Each has passed `check_policy` with the listing's facts, and withdraw implies initial and initial implies
        maintenance for every state.

        Raises
        ------
        RefusedPolicy, NotImplied
            If the numbers of this market do not make an admissible policy; nothing is published then.
        """
        policies = {name: self.build_policy(name) for name in NAMES}
        for policy in policies.values():
            check_policy(policy, self.snapshot.listing.is_listed)
        check_implies(policies["withdraw"], policies["initial"])
        check_implies(policies["initial"], policies["maintenance"])
        return MappingProxyType(policies)

    def build_policy(self, name: str) -> Policy:
        """One named policy, unchecked."""
        if name == "net_delta":
            return self._build_net_delta()
        level = "maintenance" if name == "maintenance" else "initial"
        draft = self.draft_solvency(level)
        draft.add_debt_limit(to_usd6(self.prices), round(USD6 * self.parameters.get_debt_limit(level)))
        return draft.finish(name)

    def draft_solvency(self, level: str) -> Draft:
        """Grid, expected shortfall, charges and equity at `level`, at the initial level also contagion buffer and
        concentration charge; the debt limit is the caller's."""
        draft = Draft(self.snapshot.listing.preset)
        draft.add_rounding()
        draft.add_contingency(*(_to_rates(rates) for rates in self.contingency(level)))
        draft.add_equity(to_usd6(self.prices))
        for model in (self.grid, self.shortfall, self.buffer, self.concentration):
            model.add_rows(draft, level)
        return draft

    def _build_net_delta(self) -> Policy:
        """Net delta of each coin within its limit: two rows a coin. No solvency."""
        preset = self.snapshot.listing.preset
        draft = Draft(preset)
        draft.add_rounding()
        columns = to_usd6(self.exposures)
        for index, coin in enumerate(preset.coins):
            of_coin = np.zeros_like(columns)
            of_coin[preset.span(coin)] = columns[preset.span(coin)]
            first = preset.rows - 2 * (len(preset.coins) - index)
            for row, sign in ((first, -1), (first + 1, 1)):
                draft.add_exposure_cap(row, sign * of_coin, round(USD6 * self.parameters.delta_limit[coin]))
        return draft.finish("net_delta")

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

    # ------------------------------------------------------------------------------------------- requirement of a state
    @cached_property
    def definition(self) -> Definition:
        """The definition of the requirement, over this model's values."""
        return Definition(self)

    def definition_requirement(self, state: AccountState, level: str) -> Requirement[float]:
        """The requirement by the definition, US dollars."""
        return self.definition.compute_requirement(state, level)

    def policy_requirement(self, policy: Policy, state: AccountState) -> int:
        """The requirement by the integer rows of a solvency policy, micro-dollars, exact, rounding included.

        Raises
        ------
        RequirementNotMet
            If a row that cash does not help fails: an exposure beyond its limit.
        """
        return measure_requirement(policy, state)

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


def _to_rates(dollars: np.ndarray) -> np.ndarray:
    """Charge rates, micro-dollars per lot, rounded up; infinite becomes the rate of a closed side."""
    closed = np.isinf(dollars)
    return np.where(closed, CLOSED_SIDE_RATE, ceil_usd6(np.where(closed, 0.0, dollars)))
