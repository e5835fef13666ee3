"""What the case files of Derive's managers share. Every object is strict: an unknown key is refused by its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.files import StrictModel
from zkmargin.engine.venues.decimals import ZERO, Fraction, NonNegative, Number, Positive
from zkmargin.engine.venues.interface import OptionExpiry, OptionLeg

JSON_ARRAY = Field(strict=False)
"""Lets an array stand for a tuple; its items stay strict."""


class Meta(StrictModel):
    """Where a file's numbers come from; nothing of it enters a computation."""

    source_repo: str = ""
    commit: str = ""
    commit_date: str = ""
    number_format: str = ""
    margin_sign: str = ""
    note: str = ""
    verified: str = ""


class NamedOption(StrictModel):
    """An option of a file that names structures on shared expiries."""

    underlying: str
    sec_to_expiry: int
    expiry: str
    strike: NonNegative
    is_call: bool
    amount: Number


class NamedPerp(StrictModel):
    """A perpetual with the price it was opened at."""

    underlying: str
    amount: Number
    entry_price: NonNegative
    unsettled_funding: Number = Decimal(0)


class NamedBase(StrictModel):
    """Coins held as collateral."""

    underlying: str
    amount: NonNegative


class NamedPortfolio(StrictModel):
    """A portfolio of options, perpetuals and coins by name of the underlying."""

    cash: Number
    options: list[NamedOption]
    perps: list[NamedPerp]
    bases: list[NamedBase]

    @property
    def underlyings(self) -> list[str]:
        """Of every position."""
        options, perps, bases = self.options, self.perps, self.bases
        return [
            *(item.underlying for item in options),
            *(item.underlying for item in perps),
            *(item.underlying for item in bases),
        ]


class MarketOverrides(StrictModel):
    """What a case changes in the file's default market."""

    stable_price: Positive | None = None
    spot: Annotated[tuple[Positive, Fraction], JSON_ARRAY] | None = None
    """Price and confidence."""
    perp: Annotated[tuple[Positive, Fraction], JSON_ARRAY] | None = None
    """Price and confidence."""
    vol: list[Annotated[tuple[str, NonNegative, NonNegative, Fraction], JSON_ARRAY]] = Field(default=[])
    """Expiry, strike, volatility, confidence; confidence is kept per expiry, the last one wins."""
    forward: list[Annotated[tuple[str, Positive, Fraction], JSON_ARRAY]] = Field(default=[])
    """Expiry, price, confidence."""


class Outcome(StrictModel):
    """The published margins."""

    MM: Number
    IM: Number


class WholeDollars(StrictModel):
    """How a published whole number is to be compared."""

    rule: str


class Case(StrictModel):
    """What every case has beside its account and market."""

    id: str
    enabled_upstream: bool = True
    """Whether the venue runs it."""
    source: str = ""


class NamedAccount(Case):
    """A case of named structures, published in whole dollars."""

    portfolio: NamedPortfolio
    expected: Outcome | None = None
    tolerance: WholeDollars | None = None


class CaseFile(StrictModel):
    """What every file has beside its cases and parameters."""

    meta: Meta = Meta()
    manager: str = ""
    count: int | None = None
    runner: str = ""


class NamedCaseFile(CaseFile):
    """A file of named structures on one default market."""

    override_format: str = ""


def require_underlying(case: str, underlyings: Iterable[str], allowed: Collection[str]) -> None:
    """Raises `UnknownName` if a position is on another underlying than the allowed ones."""
    for underlying in underlyings:
        if underlying not in allowed:
            raise UnknownName(f"underlying in case {case}", underlying, allowed)


def require_known_expiry(what: str, case: str, seconds: int, known: Collection[int]) -> None:
    """Raises `OutOfRange` for an expiry before now, `UnknownName` for one that the market does not have."""
    if seconds < 0:
        raise OutOfRange(f"{what} in case {case}", seconds, 0, "any whole number: no expiry before now")
    if seconds not in known:
        raise UnknownName(f"{what} in case {case}", seconds, known)


def group_by_expiry(options: Iterable[NamedOption]) -> dict[str, list[NamedOption]]:
    """Options by expiry, in order of appearance."""
    groups: dict[str, list[NamedOption]] = {}
    for option in options:
        groups.setdefault(option.expiry, []).append(option)
    return groups


@dataclass(frozen=True)
class NamedQuotes:
    """Forwards and volatilities of a default market under a case's overrides."""

    spot: Decimal
    """The default market's: a case's other spot does not move its forwards."""
    forward_minus_spot: Mapping[str, Decimal]
    sec_to_expiry: Mapping[str, int]
    vol: Decimal
    confidence: Decimal
    overrides: MarketOverrides
    rate: float = 0.0

    def build_expiry(
        self, case: str, name: str, options: Sequence[NamedOption], confidences: Sequence[Decimal]
    ) -> OptionExpiry:
        """The expiry with its options; its confidence is the least of its own two and `confidences`.

        Raises `UnknownName` if the default market lacks the expiry, or has it at another time.
        """
        if name not in self.forward_minus_spot or name not in self.sec_to_expiry:
            raise UnknownName(f"expiry in case {case}", name, self.sec_to_expiry)
        seconds = self.sec_to_expiry[name]
        for option in options:
            if option.sec_to_expiry != seconds:
                raise UnknownName(f"sec_to_expiry of expiry {name} in case {case}", option.sec_to_expiry, [seconds])
        forward, forward_confidence = self.spot + self.forward_minus_spot[name], self.confidence
        for expiry, price, confidence in self.overrides.forward:
            if expiry == name:
                forward, forward_confidence = price, confidence
        volatility, vol_confidence = {}, self.confidence
        for expiry, strike, vol, confidence in self.overrides.vol:
            if expiry == name:
                volatility[strike], vol_confidence = vol, confidence
        legs = (OptionLeg(o.strike, o.is_call, o.amount, float(volatility.get(o.strike, self.vol))) for o in options)
        return OptionExpiry(
            seconds=seconds,
            forward=forward,
            rate=self.rate,
            legs=tuple(legs),
            name=f"{name} of case {case}",
            confidence=min(forward_confidence, vol_confidence, *confidences),
        )


def compute_naked_shorts(legs: Iterable[OptionLeg]) -> Decimal:
    """Options owed that no option of the other kind at the same strike pairs off, summed over strikes; coins.

    A call and a put of opposite signs at one strike are a synthetic forward; options owed of either kind add up.
    """
    net: dict[Decimal, Decimal] = {}
    for leg in legs:
        net[leg.strike] = net.get(leg.strike, ZERO) + leg.quantity
    return sum((max(ZERO, -quantity) for quantity in net.values()), ZERO)


def compute_oracle_charge(confidence: Decimal, threshold: Decimal, margin: Decimal) -> Decimal:
    """Share of a notional that is charged: (1 - confidence) margin below the threshold, in decimals; else 0."""
    return (1 - confidence) * margin if confidence < threshold else ZERO
