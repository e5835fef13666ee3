"""What every margin model offers the compiler."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from zkmargin.engine.elementary import log, power
from zkmargin.engine.margin.parameters import Parameters
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.units import DAYS_PER_YEAR


class Model(Protocol):
    """A margin model at one snapshot. Scenario values are computed once and shared by every policy of the epoch."""

    name: str
    """What reports call it."""

    def add_rows(self, draft: Draft, level: str) -> None:
        """Put the model's rows for `level` ("initial" or "maintenance") into `draft`."""


def scale_by_tenor(snapshot: MarketSnapshot, parameters: Parameters) -> np.ndarray:
    """(N,) factor of a 30-day volatility shock at each option's tenor, 1 where no option is.

    (reference / tenor)^p with the tenor in days, at least the floor, and p by the side of the reference: short options
    move more. The form is Deribit's and Derive's.
    """
    days = np.maximum(
        np.where(snapshot.listing.is_option, snapshot.years, np.nan) * DAYS_PER_YEAR, parameters.tenor_floor
    )
    ratio = parameters.tenor_reference / days
    exponent = np.where(ratio >= 1.0, parameters.tenor_power_short, parameters.tenor_power_long)
    return np.where(snapshot.listing.is_option, power(ratio, exponent), 1.0)


def weigh_tenors(snapshot: MarketSnapshot, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """(N,) weights of the short and of the long end in each option's tenor, 0 to 1, 0 where no option is.

    With `term_tenors` (a, b, c) days: short is 1 up to a and falls to 0 at b, long rises from 0 at b to 1 at c, both
    linear in the logarithm of the tenor.
    """
    a, b, c = parameters.term_tenors
    days = np.clip(np.where(snapshot.listing.is_option, snapshot.years * DAYS_PER_YEAR, b), a, c)
    return (
        np.clip(log(b / days) / log(b / a), 0.0, 1.0),
        np.clip(log(days / b) / log(c / b), 0.0, 1.0),
    )


def find_settling_day(snapshot: MarketSnapshot, days: float) -> np.ndarray:
    """(N,) int8: 0 for futures and options that expire within one day, 1 for those that do within two, and so on; -1
    for those that outlive `days` and for all else.

    Expiries of a coin lie a day apart at least (`Listing`), so a day has one of them at most.
    """
    listing = snapshot.listing
    is_dated = listing.is_option | (listing.kind == KIND_CODES[InstrumentKind.FUTURE])
    left = np.where(is_dated, snapshot.years, np.inf) * DAYS_PER_YEAR
    is_near = is_dated & (left <= days)
    return np.where(is_near, np.ceil(np.where(is_near, left, 1.0)) - 1.0, -1.0).astype(np.int8)


def zero_unaccepted_collateral(snapshot: MarketSnapshot, parameters: Parameters, values: np.ndarray) -> np.ndarray:
    """`values` (…, N) with zero in the slots of collateral that is worth nothing at any level."""
    coins = snapshot.listing.preset.coins
    for coin, slot in zip(coins, snapshot.listing.preset.collateral_slots, strict=True):
        if coin in parameters.unaccepted_collateral:
            values[..., slot] = 0.0
    return values
