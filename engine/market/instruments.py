"""Instruments and the listing that puts them into slots.

Everything settles in USDC: an instrument's value is a price in US dollars times lots. Its name follows
from its facts (`canonical_name`), so a name cannot say one strike and the record another.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import SupportsIndex

import numpy as np

from zkmargin.engine.errors import DuplicateName, MixedExpiry, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.presets import PERPETUAL_OFFSET, SPOT_NAMES, SPOT_OFFSET, Coin, Preset, require_coin
from zkmargin.engine.units import LOT_STEP, SECONDS_PER_DAY, USD6, require_in_range, require_on_grid, require_whole

MAX_USD = 100_000_000
"""Largest strike, forward or index, US dollars."""
MAX_LOT_SIZE = 1_000
"""Largest lot size, coin per lot."""
MAX_EXPIRY = 253_402_300_799
"""Largest time or expiry, unix seconds: the end of the year 9999, within the 40 bits of times on chain."""
MAX_GENERATION = 2**24 - 1
"""Largest generation of a listing (24 bits in an account's storage word)."""

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
"""Months in instrument names, free of the locale."""


class InstrumentKind(StrEnum):
    """What an instrument is."""

    SPOT = "spot"
    """Collateral held in kind; worth index times lot size."""
    PERPETUAL = "perpetual"
    """Worth its mark times lot size."""
    FUTURE = "future"
    """Dated future, worth its forward times lot size."""
    OPTION = "option"
    """European option on the forward of its own expiry."""
    BOND = "bond"
    """Zero-coupon bond of the cash token: pays one per unit at its expiry, worth its discount factor times lot size. It
    stands in an option's slot of any coin and follows no coin's price."""


DATED = (InstrumentKind.FUTURE, InstrumentKind.OPTION, InstrumentKind.BOND)
"""Kinds that expire."""
CASH = "USDC"
"""The cash token, in the names of bonds."""

KIND_CODES: Mapping[InstrumentKind, int] = MappingProxyType(
    {kind: code for code, kind in enumerate(InstrumentKind, start=1)}
)
"""Code of each kind in numpy columns; 0 is an empty slot."""


def canonical_name(
    kind: InstrumentKind,
    underlying: Coin,
    expiry: int | None = None,
    strike: float | None = None,
    is_call: bool | None = None,
) -> str:
    """Name of an instrument in Deribit's style: BTC-SPOT, BTC-PERPETUAL, BTC-25DEC26, BTC-25DEC26-90000-C,
    and USDC-25DEC26 for a bond, which stands in one coin's slots only.

    The date is the UTC day of expiry; a fractional strike is written with `d` for the decimal point. Raises `WrongKind`
    if a fact is missing, or the flag is none.
    """
    if kind is InstrumentKind.SPOT:
        return SPOT_NAMES[underlying]
    if kind is InstrumentKind.PERPETUAL:
        return f"{underlying}-PERPETUAL"
    if expiry is None:
        raise WrongKind(f"expiry of a {kind.value}", expiry, "a time")
    day = datetime.fromtimestamp(expiry, UTC)
    of = CASH if kind is InstrumentKind.BOND else underlying
    dated = f"{of}-{day.day}{MONTHS[day.month - 1]}{day.year % 100:02d}"
    if kind in (InstrumentKind.FUTURE, InstrumentKind.BOND):
        return dated
    if not isinstance(is_call, bool):
        raise WrongKind("is_call of an option", is_call, "True or False")
    text = f"{strike:.6f}".rstrip("0").rstrip(".").replace(".", "d")
    return f"{dated}-{text}-{'C' if is_call else 'P'}"


@dataclass(frozen=True)
class Instrument:
    """One listed instrument.

    Raises
    ------
    OutOfRange
        If a number is not finite, out of range or off its grid.
    UnknownName
        If kind or underlying is not one of the enumerations'.
    WrongKind
        If a field is missing or present against the kind, or the name is not `canonical_name`.
    """

    slot: int
    """Position in the listing, from 0."""
    name: str
    """`canonical_name` of the other fields."""
    kind: InstrumentKind
    """Spot, perpetual, future, option or bond."""
    underlying: Coin
    """The coin whose price it follows; of a bond, the coin in whose slots it stands."""
    lot_size: float
    """Coin per lot, US dollars of face per lot of a bond; a multiple of 1e-8, at most `MAX_LOT_SIZE`."""
    strike: float | None = None
    """US dollars per coin, a multiple of 1e-6; options only."""
    expiry: int | None = None
    """Unix seconds; futures, options and bonds only."""
    is_call: bool | None = None
    """True for a call, False for a put; options only."""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", InstrumentKind(self.kind))
        except ValueError:
            raise UnknownName("kind", self.kind, list(InstrumentKind)) from None
        object.__setattr__(self, "underlying", require_coin("underlying", self.underlying))
        require_whole(f"slot of {self.name}", self.slot, 0, 255)
        require_on_grid(f"lot size of {self.name}", self.lot_size, 1 / LOT_STEP, MAX_LOT_SIZE, LOT_STEP)
        is_option, is_dated = self.kind is InstrumentKind.OPTION, self.kind in DATED
        for field, wanted in (("strike", is_option), ("is_call", is_option), ("expiry", is_dated)):
            value = getattr(self, field)
            if (value is not None) != wanted:
                rule = f"{'a value' if wanted else 'nothing'} for kind {self.kind.value}"
                raise WrongKind(f"{field} of {self.name}", value, rule)
        if is_dated:
            require_whole(f"expiry of {self.name}", self.expiry, 1, MAX_EXPIRY)
        if is_option:
            strike = require_on_grid(f"strike of {self.name}", self.strike, 1 / USD6, MAX_USD, USD6)
            object.__setattr__(self, "strike", strike)
            if not isinstance(self.is_call, bool):
                raise WrongKind(f"is_call of {self.name}", self.is_call, "true or false")
        expected = canonical_name(self.kind, self.underlying, self.expiry, self.strike, self.is_call)
        if self.name != expected:
            raise WrongKind(f"name in slot {self.slot}", self.name, f"{expected}, which follows from the other fields")


def make_instrument(
    slot: int,
    kind: InstrumentKind,
    underlying: Coin,
    lot_size: float,
    *,
    strike: float | None = None,
    expiry: int | None = None,
    is_call: bool | None = None,
) -> Instrument:
    """An `Instrument` whose name is derived from its facts; raises as `Instrument` does."""
    kind, underlying = InstrumentKind(kind), Coin(underlying)
    if kind in DATED:
        require_whole(f"expiry of slot {slot}", expiry, 1, MAX_EXPIRY)
    if kind is InstrumentKind.OPTION:
        require_in_range(f"strike of slot {slot}", strike, 1 / USD6, MAX_USD)
    name = canonical_name(kind, underlying, expiry, strike, is_call)
    return Instrument(slot, name, kind, underlying, lot_size, strike, expiry, is_call)


def _column(values: Sequence[object], dtype: type) -> np.ndarray:
    column: np.ndarray = np.array(values, dtype=dtype)
    column.flags.writeable = False
    return column


def get_option_terms(item: Instrument) -> tuple[float, bool]:
    """Strike, US dollars, and whether it is a call; raises `WrongKind` for an instrument that is no option."""
    if item.strike is None or item.is_call is None:
        raise WrongKind("option", item.name, "an instrument with a strike and a side")
    return item.strike, item.is_call


@dataclass(frozen=True)
class Listing:
    """Which instrument each slot of a preset holds, with read-only numpy columns of shape (N,), in slot order.

    Within a coin's slots: +0 spot collateral, +1 perpetual, then dated futures, then options; a bond may stand in the
    place of an option. None is an empty slot.

    Raises
    ------
    OutOfRange
        If there are not exactly `preset.slots` entries, or an instrument's slot is not its position.
    WrongKind
        If an instrument stands in a slot of another kind or another coin.
    DuplicateName
        If two slots hold the same instrument.
    MixedExpiry
        If two instruments of a coin expire at different times less than a day apart: a day has one settlement, which
        `engine.margin.shocks.find_settling_day` relies on.
    """

    preset: Preset
    """Sizes and slot layout."""
    generation: int
    """Raised by one whenever a slot's instrument changes; 0 to `MAX_GENERATION`."""
    instruments: tuple[Instrument | None, ...]
    """By slot; None is an empty one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "instruments", tuple(self.instruments))
        require_whole("generation", self.generation, 0, MAX_GENERATION)
        if len(self.instruments) != self.preset.slots:
            raise OutOfRange("number of slots listed", len(self.instruments), self.preset.slots, self.preset.slots)
        for slot, instrument in enumerate(self.instruments):
            if instrument is None:
                continue
            if instrument.slot != slot:
                raise OutOfRange(f"slot of {instrument.name}", instrument.slot, slot, slot)
            coin, kinds = self.expected_kinds(slot)
            if instrument.underlying is not coin or instrument.kind not in kinds:
                given = f"{instrument.underlying} {instrument.kind.value}"
                allowed = f"{coin} {' or '.join(kind.value for kind in kinds)}"
                raise WrongKind(f"instrument in slot {slot}", given, allowed)
        self._check_expiries()
        seen: set[str] = set()
        for instrument in filter(None, self.instruments):
            if instrument.name in seen:
                raise DuplicateName("instrument", instrument.name)
            seen.add(instrument.name)

    def _check_expiries(self) -> None:
        for coin in self.preset.coins:
            first_of = {
                item.expiry: item.name
                for item in reversed(self.instruments)
                if item is not None and item.underlying is coin and item.expiry is not None
            }
            for expiry, later in pairwise(sorted(first_of)):
                if later - expiry < SECONDS_PER_DAY:
                    raise MixedExpiry(first_of[later], later, first_of[expiry], expiry)

    def expected_kinds(self, slot: int) -> tuple[Coin, tuple[InstrumentKind, ...]]:
        """Which coin and kinds may stand in `slot`."""
        underlying = self.preset.coin_of(slot)
        offset = slot - self.preset.coin_slots(underlying).start
        if offset == SPOT_OFFSET:
            return underlying, (InstrumentKind.SPOT,)
        if offset == PERPETUAL_OFFSET:
            return underlying, (InstrumentKind.PERPETUAL,)
        if slot in self.preset.future_slots(underlying):
            return underlying, (InstrumentKind.FUTURE,)
        return underlying, (InstrumentKind.OPTION, InstrumentKind.BOND)

    @cached_property
    def by_name(self) -> Mapping[str, Instrument]:
        """Listed instruments by name, in slot order."""
        return MappingProxyType({item.name: item for item in self.instruments if item is not None})

    def get(self, name: str) -> Instrument:
        """The instrument called `name`; raises `UnknownName`, which shows the nearest listed names."""
        try:
            return self.by_name[name]
        except KeyError:
            raise UnknownName("instrument", name, self.by_name) from None

    def at(self, slot: SupportsIndex) -> Instrument:
        """The instrument in `slot`; raises `UnknownName` if nothing is listed there."""
        instrument = self.instruments[slot]
        if instrument is None:
            raise UnknownName("instrument in slot", int(slot), np.flatnonzero(self.is_listed).tolist())
        return instrument

    def _facts(self, field: str, missing: object, dtype: type) -> np.ndarray:
        facts = [getattr(item, field, None) for item in self.instruments]
        return _column([missing if fact is None else fact for fact in facts], dtype)

    @cached_property
    def kind(self) -> np.ndarray:
        """int8: `KIND_CODES`, 0 where nothing is listed."""
        return _column([0 if item is None else KIND_CODES[item.kind] for item in self.instruments], np.int8)

    @cached_property
    def underlying(self) -> np.ndarray:
        """int8: place in the slot order of the coin that owns the slot, listed or not."""
        return _column([place for place, slots in enumerate(self.preset.coins.values()) for _ in slots], np.int8)

    def is_of(self, coin: Coin) -> np.ndarray:
        """bool: True on the slots of `coin`, listed or not; raises `UnknownName` for a coin that has none."""
        return np.asarray(self.underlying == self.preset.place_of(coin))

    @cached_property
    def strike(self) -> np.ndarray:
        """float64: US dollars, NaN where there is none."""
        return self._facts("strike", math.nan, float)

    @cached_property
    def expiry(self) -> np.ndarray:
        """int64: unix seconds, 0 where there is none."""
        return self._facts("expiry", 0, np.int64)

    @cached_property
    def is_call(self) -> np.ndarray:
        """bool: True for calls only."""
        return self._facts("is_call", False, bool)

    @cached_property
    def lot_size(self) -> np.ndarray:
        """float64: coin per lot, US dollars of face per lot of a bond, 0 where nothing is listed."""
        return self._facts("lot_size", 0.0, float)

    @cached_property
    def is_listed(self) -> np.ndarray:
        """bool: True where an instrument is listed."""
        return _column([item is not None for item in self.instruments], bool)

    @cached_property
    def is_option(self) -> np.ndarray:
        """bool: True where an option is listed."""
        return _column(list(self.kind == KIND_CODES[InstrumentKind.OPTION]), bool)

    @cached_property
    def is_bond(self) -> np.ndarray:
        """bool: True where a bond is listed."""
        return _column(list(self.kind == KIND_CODES[InstrumentKind.BOND]), bool)

    @cached_property
    def is_collateral(self) -> np.ndarray:
        """bool: True on the preset's collateral slots, listed or not."""
        return _column([slot in self.preset.collateral_slots for slot in range(self.preset.slots)], bool)


def collateral_lot_sizes(listing: Listing) -> Mapping[int, Fraction]:
    """Coin per lot of each listed collateral slot, exact, by slot.

    A vault that holds a token of d decimals must count `size * 10**d` token units, a whole number, as one lot.
    """
    collateral = ((slot, listing.instruments[slot]) for slot in listing.preset.collateral_slots)
    return MappingProxyType(
        {slot: Fraction(round(item.lot_size * LOT_STEP), LOT_STEP) for slot, item in collateral if item is not None}
    )
