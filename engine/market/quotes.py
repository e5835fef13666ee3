"""Whether a market's options cost what their venue quotes: a wrong volatility is money that somebody does not have.

A snapshot states volatilities, and prices follow. Arbitrage alone bounds them loosely and from one side: 110 of 240
volatilities may be divided by four and leave a chain free of it. So where the source quoted an option, its price must
be the quoted mark's, up to

    TICK + TIME_VALUE_SHARE * time value + DELTA_SHARE * |delta|

in coin per option: a rounding step, a share of what volatility decides, and a share of what the forward decides, as
the tickers of a chain are read at different seconds. By the same it may lie below the bid or above the ask. On the
shipped chains of 2026-08-22, 2025-12-30 and 2026-02-05 the farthest option uses 0.80, 0.53 and 0.96 of that; of 140
other chains of 2026 six have an option that uses more, and do not load.

A price in coin says nothing about the forward that turns it into dollars. So an option's forward stays within
`FORWARD_BAND` of the median of its expiry: on 143 chains the farthest is 0.0022 away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from zkmargin.engine.errors import OutOfRange, WrongKind
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import require_in_range

TICK = 1e-4
"""Coin per option, the step in which Deribit's options are quoted."""
TIME_VALUE_SHARE = 0.05
"""Share of the time value by which a price may differ from the quotes."""
DELTA_SHARE = 5e-4
"""Share of the delta: what the forward may have moved between two tickers."""
FORWARD_BAND = 0.005
"""Farthest that an option's forward may lie from the median of its expiry's, share of it: tickers of one chain are read
over minutes."""


class Quote(Protocol):
    """What the check reads of a venue's quotes of one option: `engine.market.file.Observation`, which says the
    units."""

    @property
    def mark(self) -> float: ...
    @property
    def delta(self) -> float: ...
    @property
    def bid(self) -> float | None: ...
    @property
    def ask(self) -> float | None: ...


def check_quotes(snapshot: MarketSnapshot, observations: Mapping[str, Quote]) -> None:
    """Refuse prices that are not those that the venue quoted; options that nobody quoted are not looked at.

    Raises
    ------
    UnknownName, WrongKind
        If what was quoted is not listed, or is no option.
    OutOfRange
        For the option that is farthest off: its price, and the range that mark, bid and ask allow, coin per option. For
        a forward that is far from its expiry's others, where the venue quoted anything.
    """
    listing = snapshot.listing
    quoted = [listing.get(name) for name in observations]
    for item in quoted:
        if item.kind is not InstrumentKind.OPTION:
            raise WrongKind(f"what the quote of {item.name} is of", item.kind.value, "an option")
    slots = [item.slot for item in quoted]
    if not slots:
        return
    _check_forwards(snapshot)
    seen = [observations[listing.at(slot).name] for slot in slots]
    mark, delta = (np.array([getattr(item, field) for item in seen]) for field in ("mark", "delta"))
    bid = np.array([item.bid or 0.0 for item in seen])
    ask = np.array([np.inf if item.ask is None else item.ask for item in seen])
    gap = 1.0 - listing.strike[slots] / snapshot.forward[slots]
    intrinsic = np.maximum(np.where(listing.is_call[slots], gap, -gap), 0.0)
    room = TICK + TIME_VALUE_SHARE * np.maximum(mark - intrinsic, 0.0) + DELTA_SHARE * np.abs(delta)
    low, high = np.maximum(np.maximum(mark, bid) - room, 0.0), np.minimum(mark, ask) + room
    price = price_per_lot(snapshot)[slots] / (listing.lot_size[slots] * snapshot.forward[slots])
    beyond = np.maximum(low - price, price - high) / room
    worst = int(beyond.argmax())
    if not (beyond <= 0).all():
        what = f"price of {listing.at(slots[worst]).name} by its volatility, coin, against the venue's quotes"
        raise OutOfRange(what, float(price[worst]), float(low[worst]), float(high[worst]))


def _check_forwards(snapshot: MarketSnapshot) -> None:
    listing = snapshot.listing
    options = [item for item in listing.by_name.values() if item.kind is InstrumentKind.OPTION]
    by_expiry: dict[tuple[Coin, int | None], list[int]] = defaultdict(list)
    for item in options:
        by_expiry[item.underlying, item.expiry].append(item.slot)
    for slots in by_expiry.values():
        forwards = snapshot.forward[slots]
        middle = float(np.median(forwards))
        far = int(np.abs(forwards - middle).argmax())
        what = f"forward of {listing.at(slots[far]).name}, beside the median of its expiry"
        require_in_range(what, float(forwards[far]), middle * (1.0 - FORWARD_BAND), middle * (1.0 + FORWARD_BAND))
