"""A family of portfolios for training and testing a reduction: what traders of a coin's options hold, by rule and seed.

Portfolios are directions: lots are real numbers and their size has no meaning, as every figure here is a ratio of two
amounts that grow alike. They are drawn from a snapshot's own listing, so the same seed gives other books on another
market.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zkmargin.engine.errors import UnknownName
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import delta_per_lot, greeks_per_lot
from zkmargin.engine.presets import Coin

DRAWS = 10
"""Books of each drawn kind, per coin and side."""
NEAR_YEARS = 8 / 365
"""Options that expire sooner are near-dated."""
LEAST_DELTA = 0.03
"""Least size of an option's delta for a book's leg: farther options have no price to speak of."""


@dataclass(frozen=True, eq=False)
class Family:
    """Portfolios at one snapshot."""

    kinds: tuple[str, ...]
    """(F,) what each portfolio is, such as "BTC calendar"."""
    lots: np.ndarray
    """(N, F) real lots, one column a portfolio."""

    def __len__(self) -> int:
        return len(self.kinds)


class _Coin:
    """One coin's listing, with the books that can be drawn from it. A book maps slots to signed coins."""

    def __init__(self, snapshot: MarketSnapshot, coin: Coin, generator: np.random.Generator):
        listing, slots = snapshot.listing, snapshot.listing.preset.coins[coin]
        own = np.arange(slots.start, slots.stop)
        self.generator, self.name, self.strike = generator, coin, listing.strike
        perpetuals = [int(s) for s in own if listing.kind[s] == KIND_CODES[InstrumentKind.PERPETUAL]]
        if not perpetuals:
            raise UnknownName(f"{coin} instrument for sample books", "perpetual", listing.by_name)
        self.perpetual = perpetuals[0]
        self.spot = next((int(s) for s in own if listing.kind[s] == KIND_CODES[InstrumentKind.SPOT]), None)
        self.futures = [int(s) for s in own if listing.kind[s] == KIND_CODES[InstrumentKind.FUTURE]]
        with np.errstate(divide="ignore", invalid="ignore"):
            self.delta = delta_per_lot(snapshot) / listing.lot_size
            self.vega = greeks_per_lot(snapshot).vega / listing.lot_size
        self.expiries: dict[int, dict[bool, list[int]]] = {}
        for slot in (int(s) for s in own if listing.is_option[s]):
            if abs(self.delta[slot]) >= LEAST_DELTA:
                sides = self.expiries.setdefault(int(listing.expiry[slot]), {True: [], False: []})
                sides[bool(listing.is_call[slot])].append(slot)
        for sides in self.expiries.values():
            for slots_of_side in sides.values():
                slots_of_side.sort(key=lambda slot: self.strike[slot])
        self.options = [slot for sides in self.expiries.values() for side in sides.values() for slot in side]
        self.near = [slot for slot in self.options if snapshot.years[slot] <= NEAR_YEARS]

    def pick(self, candidates: list[Any], count: int = 1) -> list[Any]:
        """`count` different candidates, fewer if there are not so many."""
        size = min(count, len(candidates))
        return [candidates[int(at)] for at in self.generator.choice(len(candidates), size, replace=False)]

    def hedged(self, book: dict[int, float]) -> dict[int, float]:
        """The book with its delta sold in the perpetual."""
        total = sum(size * self.delta[slot] for slot, size in book.items())
        return {**book, self.perpetual: book.get(self.perpetual, 0.0) - total}

    # One method per drawn kind; None where the listing has too little for it.
    def naked(self) -> dict[int, float] | None:
        return {slot: 1.0 for slot in self.pick(self.options)} or None

    def straddle(self) -> dict[int, float] | None:
        pairs = [
            (call, put)
            for sides in self.expiries.values()
            for call in sides[True]
            for put in sides[False]
            if self.strike[call] == self.strike[put]
        ]
        return {slot: 1.0 for slot in self.pick(pairs)[0]} if pairs else None

    def _two_sided(self) -> list[dict[bool, list[int]]]:
        return [sides for sides in self.expiries.values() if sides[True] and sides[False]]

    def strangle(self) -> dict[int, float] | None:
        chosen = self.pick(self._two_sided())
        return {self.pick(chosen[0][side])[0]: 1.0 for side in (True, False)} if chosen else None

    def risk_reversal(self) -> dict[int, float] | None:
        chosen = self.pick(self._two_sided())
        return {self.pick(chosen[0][side])[0]: 1.0 if side else -1.0 for side in (True, False)} if chosen else None

    def _same_side(self, least: int) -> list[list[int]]:
        return [side for sides in self.expiries.values() for side in sides.values() if len(side) >= least]

    def vertical(self) -> dict[int, float] | None:
        chosen = self.pick(self._same_side(2))
        return dict(zip(self.pick(chosen[0], 2), (1.0, -1.0), strict=True)) if chosen else None

    def butterfly(self) -> dict[int, float] | None:
        chosen = self.pick(self._same_side(3))
        if not chosen:
            return None
        low, middle, high = sorted(self.pick(chosen[0], 3), key=lambda slot: self.strike[slot])
        share = (self.strike[high] - self.strike[middle]) / (self.strike[high] - self.strike[low])
        return {low: share, middle: -1.0, high: 1.0 - share}

    def calendar(self) -> dict[int, float] | None:
        near = self.pick(self.options)
        if not near:
            return None
        strike, is_call = self.strike[near[0]], self.delta[near[0]] > 0
        others = [side[is_call] for side in self.expiries.values() if near[0] not in side[is_call]]
        far = [min(side, key=lambda slot: abs(self.strike[slot] - strike)) for side in others if side]
        return {near[0]: 1.0, self.pick(far)[0]: -1.0} if far else None

    def vega_neutral(self) -> dict[int, float] | None:
        book = self.calendar()
        if book is None:
            return None
        near, far = book
        return self.hedged({near: 1.0, far: -float(self.vega[near] / self.vega[far])})

    def box(self) -> dict[int, float] | None:
        grids = []
        for sides in self.expiries.values():
            calls = {self.strike[slot]: slot for slot in sides[True]}
            both = [(calls[self.strike[slot]], slot) for slot in sides[False] if self.strike[slot] in calls]
            if len(both) >= 2:
                grids.append(both)
        if not grids:
            return None
        (call, put), (other_call, other_put) = self.pick(self.pick(grids)[0], 2)
        return {call: 1.0, put: -1.0, other_call: -1.0, other_put: 1.0}

    def covered(self) -> dict[int, float] | None:
        base = self.pick([self.perpetual, *([self.spot] if self.spot is not None else [])])[0]
        return {base: 1.0, **{slot: -1.0 for slot in self.pick(self.options)}} if self.options else None

    def hedged_option(self) -> dict[int, float] | None:
        book = self.naked()
        return self.hedged(book) if book else None

    def hedged_straddle(self) -> dict[int, float] | None:
        book = self.straddle()
        return self.hedged(book) if book else None

    def hedged_book(self) -> dict[int, float] | None:
        book = self.sparse_options(int(self.generator.integers(6, 13)))
        return self.hedged(book) if book else None

    def sparse_options(self, count: int) -> dict[int, float] | None:
        chosen = self.pick(self.options, count)
        return {slot: float(self.generator.normal()) for slot in chosen} or None

    def near_dated(self) -> dict[int, float] | None:
        """A few options that expire soon, against another instrument: what loses only at some prices."""
        chosen = self.pick(self.near, int(self.generator.integers(1, 5)))
        book = {slot: float(self.generator.normal()) for slot in chosen}
        for slot in self.pick(self.options, int(self.generator.integers(0, 3))):
            book[slot] = book.get(slot, 0.0) + float(self.generator.normal())
        return self.hedged(book) if book else None

    def sparse(self) -> dict[int, float] | None:
        return self.mixed(int(self.generator.integers(3, 11)))

    def mixed(self, count: int) -> dict[int, float]:
        chosen = self.pick([self.perpetual, *self.futures, *self.options], count)
        return {slot: float(self.generator.normal()) for slot in chosen}

    def basis(self) -> dict[int, float] | None:
        legs = self.pick([self.perpetual, *self.futures], 2)
        return dict(zip(legs, (1.0, -1.0), strict=True)) if len(legs) == 2 else None


DRAWN: tuple[str, ...] = (
    "naked", "straddle", "strangle", "risk_reversal", "vertical", "butterfly", "calendar", "vega_neutral", "box",
    "covered", "hedged_option", "hedged_straddle", "hedged_book", "near_dated", "near_dated", "sparse", "basis",
)  # fmt: skip
"""Drawn kinds of one coin: methods of `_Coin`, each bought and sold."""


def make_family(snapshot: MarketSnapshot, seed: int, draws: int = DRAWS) -> Family:
    """The family of `snapshot`: outrights, `draws` books of each drawn kind, per coin and side, and books of two coins.

    Spot collateral is long only. Books that come out empty, or without the listing they need, are left out.
    """
    generator = np.random.default_rng(seed)
    listing = snapshot.listing
    first, second = coins = [_Coin(snapshot, coin, generator) for coin in Coin]
    columns: list[tuple[str, dict[int, float]]] = []

    def add(kind: str, book: dict[int, float] | None, both_sides: bool = True) -> None:
        for sign in (1.0, -1.0) if both_sides else (1.0,):
            signed = {slot: sign * size for slot, size in (book or {}).items()}
            if signed and all(coin.spot is None or signed.get(coin.spot, 0.0) >= 0 for coin in coins):
                columns.append((kind, signed))

    for coin in coins:
        for slot in (coin.perpetual, *coin.futures):
            add(f"{coin.name} outright", {slot: 1.0})
        if coin.spot is not None:
            add(f"{coin.name} spot", {coin.spot: 1.0}, both_sides=False)
            add(f"{coin.name} spot hedged", {coin.spot: 1.0, coin.perpetual: -1.0}, both_sides=False)
        for kind in DRAWN:
            for _ in range(draws):
                draw: Callable[[], dict[int, float] | None] = getattr(coin, kind)
                add(f"{coin.name} {kind.replace('_', ' ')}", draw())
    ratio = float(snapshot.index_by_slot[first.perpetual] / snapshot.index_by_slot[second.perpetual])
    for beta in (0.5, 0.7, 0.85, 1.0, 1.2):
        add("two coins, pair", {first.perpetual: 1.0, second.perpetual: -beta * ratio})
        add("two coins, both", {first.perpetual: 1.0, second.perpetual: beta * ratio})
    for kind in ("straddle", "hedged_book", "sparse", "risk_reversal"):
        for _ in range(draws):
            own, other = getattr(first, kind)(), getattr(second, kind)()
            if own and other:
                sign = float(generator.choice((-1.0, 1.0)))
                both = {**own, **{slot: sign * ratio * size for slot, size in other.items()}}
                add(f"two coins, {kind.replace('_', ' ')}", both)
    lots = np.zeros((listing.preset.slots, len(columns)))
    for column, (_, book) in enumerate(columns):
        for slot, size in book.items():
            lots[slot, column] = size / listing.lot_size[slot]
    return Family(tuple(kind for kind, _ in columns), lots)
