"""From a market snapshot to the named policies of a risk epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkmargin.engine.margin.buffer import BufferModel
from zkmargin.engine.margin.grid import GridModel
from zkmargin.engine.margin.parameters import Parameters, load_parameters
from zkmargin.engine.margin.shocks import zero_unaccepted_collateral
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import delta_per_lot, price_per_lot
from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.policy.implication import check_implies
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6, ceil_usd6, to_usd6

NAMES = ("initial", "maintenance", "net_delta", "withdraw")
"""Named policies of an epoch, sorted."""

REBUILD_TOLERANCE = {"positions": 1, "rate_long": 1, "rate_short": 1}
"""Units by which two builds may differ in a coefficient: exp and log of two machines may differ in the last bit. What
is not named here is exact."""
REBUILT_EXACTLY = ("cash", "charges", "excess_total", "helpers", "constants", "priced", "weights", "helper_kinds")


class PolicyNotRebuilt(PolicyError):
    """A policy that the snapshot and the parameters do not give; carries policy, what, row, column, value, expected.

    Row and column are None where `what` has none (a vector has no column, a missing policy neither).
    """

    def __init__(self, policy: str, what: str, row: int | None, column: int | None, value: object, expected: object):
        self.policy, self.what, self.row, self.column = policy, what, row, column
        self.value, self.expected = value, expected
        place = "".join(f", {name} {at}" for name, at in (("row", row), ("column", column)) if at is not None)
        slack = REBUILD_TOLERANCE.get(what, 0)
        super().__init__(
            f"policy {policy!r}: {what}{place} is {value}; allowed: {expected}, as built from the snapshot"
            + (f", within {slack}" if slack else "")
        )


@dataclass(frozen=True, eq=False)
class HouseModel:
    """The house model at one snapshot: scenario values computed once, policies built from them."""

    snapshot: MarketSnapshot
    """Market facts."""
    parameters: Parameters
    """Numbers of the model."""

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
        return BufferModel(self.snapshot, self.parameters, self.exposures)

    @cached_property
    def prices(self) -> np.ndarray:
        """(N,) value of one lot, US dollars, zero where it counts for nothing."""
        return zero_unaccepted_collateral(self.snapshot, self.parameters, price_per_lot(self.snapshot))

    @cached_property
    def exposures(self) -> np.ndarray:
        """(N,) delta of one lot times the coin's index, US dollars."""
        deltas = delta_per_lot(self.snapshot) * self.snapshot.index_by_slot
        return zero_unaccepted_collateral(self.snapshot, self.parameters, deltas)

    def contingency(self, level: str) -> tuple[np.ndarray, np.ndarray]:
        """K_1 per lot held and per lot owed, (N,) each, US dollars: options, linear instruments, collateral haircuts.

        Sides that must stay closed are infinite: empty slots on both sides, collateral when owed.
        """
        listing, parameters = self.snapshot.listing, self.parameters
        notional = self.snapshot.index_by_slot * listing.lot_size
        linear = np.isin(listing.kind, [KIND_CODES[InstrumentKind.PERPETUAL], KIND_CODES[InstrumentKind.FUTURE]])
        long = notional * (listing.is_option * parameters.option_long[level] + linear * parameters.linear[level])
        short = notional * (listing.is_option * parameters.option_short[level] + linear * parameters.linear[level])
        long[~listing.is_listed] = np.inf
        short[~listing.is_listed] = np.inf
        for coin, slot in zip(Coin, listing.preset.collateral_slots, strict=True):
            long[slot] = self.prices[slot] * parameters.haircut[level][coin]
            short[slot] = np.inf
        return long, short

    def draft_solvency(self, level: str) -> Draft:
        """Grid, charges and equity at `level`, at the initial level also expected shortfall and contagion buffer; the
        debt limit is the caller's."""
        draft = Draft(self.snapshot.listing.preset)
        draft.add_rounding()
        draft.add_contingency(*(_to_rates(rates) for rates in self.contingency(level)))
        draft.add_equity(to_usd6(self.prices))
        for model in (self.grid, self.shortfall, self.buffer):
            model.add_rows(draft, level)
        return draft

    def build(self, name: str) -> Policy:
        """One named policy, unchecked."""
        if name == "net_delta":
            return self._build_net_delta()
        level = "maintenance" if name == "maintenance" else "initial"
        draft = self.draft_solvency(level)
        draft.add_debt_limit(0 if name == "withdraw" else round(USD6 * self.parameters.debt_limit[level]))
        return draft.finish(name)

    def _build_net_delta(self) -> Policy:
        """Net delta of each coin within its limit: two rows a coin. No solvency."""
        preset = self.snapshot.listing.preset
        draft = Draft(preset)
        draft.add_rounding()
        columns = to_usd6(self.exposures)
        for index, coin in enumerate(Coin):
            own = np.zeros_like(columns)
            slots = preset.coins[coin]
            own[slots.start : slots.stop] = columns[slots.start : slots.stop]
            rows = draft.layout.final[2 * index : 2 * index + 2]
            for row, sign in zip(rows, (-1, 1), strict=True):
                draft.add_exposure_cap(row, sign * own, round(USD6 * self.parameters.delta_limit[coin]))
        return draft.finish("net_delta")


def _to_rates(dollars: np.ndarray) -> np.ndarray:
    """Charge rates, micro-dollars per lot, rounded up; infinite becomes the prohibitive rate."""
    closed = np.isinf(dollars)
    return np.where(closed, CLOSED_SIDE_RATE, ceil_usd6(np.where(closed, 0.0, dollars)))


def build_policies(snapshot: MarketSnapshot, parameters: Parameters | None = None) -> dict[str, Policy]:
    """The named policies of an epoch, checked: each by `check_policy` with the listing's facts, and that withdraw
    implies initial and initial implies maintenance for every state.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters, optional
        The shipped ones by default.

    Returns
    -------
    dict of str to Policy
        By name, in the order of `NAMES`.

    Raises
    ------
    RefusedPolicy, NotImplied
        If the numbers of this snapshot do not make an admissible policy; nothing is published then.
    """
    house = HouseModel(snapshot, parameters or load_parameters())
    policies = {name: house.build(name) for name in NAMES}
    for policy in policies.values():
        check_policy(policy, snapshot.listing.is_listed)
    check_implies(policies["withdraw"], policies["initial"])
    check_implies(policies["initial"], policies["maintenance"])
    return policies


def check_rebuilt(policies: Mapping[str, Policy], expected: Mapping[str, Policy]) -> None:
    """Whether `policies` are the `expected` ones: the same names, every number equal within `REBUILD_TOLERANCE`.

    Raises
    ------
    PolicyNotRebuilt
        At the first number that differs, or a name that only one of the two has.
    """
    for name in sorted(policies.keys() | expected.keys()):
        if name not in policies or name not in expected:
            present = ["missing", "present"]
            raise PolicyNotRebuilt(name, "policy", None, None, present[name in policies], present[name in expected])
        given, built = policies[name], expected[name]
        if (given.name, given.preset) != (built.name, built.preset):
            raise PolicyNotRebuilt(
                name, "name and preset", None, None, (given.name, given.preset.name), (built.name, built.preset.name)
            )
        for what in (*REBUILT_EXACTLY, *REBUILD_TOLERANCE):
            ours, theirs = (np.array(getattr(policy, what), dtype=object) for policy in (built, given))
            wrong = np.argwhere(np.abs(theirs - ours) > REBUILD_TOLERANCE.get(what, 0))
            if len(wrong):
                at = tuple(wrong[0].tolist())
                row, column = (*at, None)[:2]
                raise PolicyNotRebuilt(name, what, row, column, int(theirs[at]), int(ours[at]))
