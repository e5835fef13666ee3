"""What every venue model is: scenarios, and rules that turn repriced options into profit and loss and into margin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, get_args

import numpy as np

from zkmargin.engine.errors import OutOfRange, WrongKind
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_YEAR, require_flags, require_in_range

VolatilityMove = Literal["up", "none", "down", "linear", "abs"]
"""How a scenario moves volatilities: by the venue's shock, or by a tilt of the skew (`linear`, `abs`)."""


UP_NONE_DOWN: tuple[VolatilityMove, ...] = ("up", "none", "down")
"""The three volatility moves of most grids, in their order."""


@dataclass(frozen=True)
class Scenario:
    """One cell of a venue's grid."""

    spot: Decimal
    """Shocked price as a multiple of today's, >= 0."""
    vol: VolatilityMove = "none"
    weight: Decimal = Decimal(1)
    """Share of the profit and loss that counts; below 1 in dampened tails."""
    cell: str = ""
    """What the venue calls it."""

    def __post_init__(self) -> None:
        if not self.spot >= 0:
            raise OutOfRange("scenario's spot", self.spot, 0, "any finite number")
        if not self.weight >= 0:
            raise OutOfRange("scenario's weight", self.weight, 0, "any finite number")
        if self.vol not in get_args(VolatilityMove):
            raise WrongKind("scenario's volatility move", self.vol, ", ".join(get_args(VolatilityMove)))


@dataclass(frozen=True)
class OptionLeg:
    """Options of one strike and kind, held or owed."""

    strike: Decimal
    """US dollars, >= 0."""
    is_call: bool
    quantity: Decimal
    """Coins of underlying, negative when owed."""
    volatility: float
    """Mark volatility, fraction, >= 0."""

    def __post_init__(self) -> None:
        if not self.strike >= 0:
            raise OutOfRange("strike", self.strike, 0, "any finite number")
        require_flags(f"is_call at strike {self.strike}", self.is_call)
        require_in_range(f"volatility at strike {self.strike}", self.volatility, 0.0, 1e6)


@dataclass(frozen=True)
class OptionExpiry:
    """The options of one underlying and expiry on one forward.

    Raises
    ------
    OutOfRange
        If the expiry is before now, or a forward or discount factor is negative or not finite.
    """

    seconds: int
    """Time to expiry, >= 0; at 0 an option is worth its payoff."""
    forward: Decimal
    """The part of the forward that scenarios move, US dollars."""
    legs: tuple[OptionLeg, ...]
    forward_fixed: Decimal = Decimal(0)
    """The part that a settlement average has already fixed, US dollars."""
    discount: float = 1.0
    """Discount factor to today that multiplies the Black (1976) price."""
    rate: float = 0.0
    """Interest rate per year that the venue's static discounts use, >= 0."""
    name: str = ""
    confidence: Decimal = Decimal(1)
    """Least confidence of the oracles behind this expiry, 0 to 1."""
    strike: np.ndarray = field(init=False, repr=False, compare=False)
    is_call: np.ndarray = field(init=False, repr=False, compare=False)
    volatility: np.ndarray = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        what = f"expiry {self.name or self.seconds}"
        if isinstance(self.seconds, bool) or not isinstance(self.seconds, int) or self.seconds < 0:
            raise OutOfRange(f"seconds to {what}", self.seconds, 0, "any whole number: no expiry before now")
        for part in ("forward", "forward_fixed"):
            if not getattr(self, part) >= 0:
                raise OutOfRange(f"{part} of {what}", getattr(self, part), 0, "any finite number")
        require_in_range(f"discount of {what}", self.discount, 0.0, 1e6)
        require_in_range(f"rate of {what}", self.rate, 0.0, 1e6)
        object.__setattr__(self, "strike", np.array([float(leg.strike) for leg in self.legs]))
        object.__setattr__(self, "is_call", np.array([leg.is_call for leg in self.legs], dtype=bool))
        object.__setattr__(self, "volatility", np.array([leg.volatility for leg in self.legs]))

    @property
    def years(self) -> float:
        """Time to expiry in years of 365 days."""
        return self.seconds / SECONDS_PER_YEAR

    @property
    def days(self) -> float:
        """Time to expiry in days."""
        return self.seconds / SECONDS_PER_DAY


@dataclass(frozen=True)
class Margin:
    """A venue's verdict, each amount as equity minus requirement: the account passes at 0 or above."""

    maintenance: Decimal
    initial: Decimal
    scenario_pnl: tuple[Decimal, ...] = ()
    """In the order of the model's scenarios; a loss is negative."""
    parts: dict[str, Decimal] = field(default_factory=dict)
    """Intermediate amounts by the venue's names."""


class VenueModel(Protocol):
    """A market, a book and parameters as scenarios and rules. `evaluation` does the rest, for every venue alike."""

    @property
    def scenarios(self) -> Sequence[Scenario]:
        """The grid's cells."""

    @property
    def expiries(self) -> Sequence[OptionExpiry]:
        """Options of the book, by expiry."""

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """(n,) volatilities of the expiry's legs under the scenario."""

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """Profit and loss of an expiry that is worth `now`, and `shocked` under the scenario; before its weight."""

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """Profit and loss of perpetuals, futures and coins under the scenario; before its weight."""

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """Margin from the scenarios' profit and loss and the expiries' values now."""
