"""Shared by the tools' tests: desks opened once, and books on any market."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.support.house import CALM, CRASH, get_house, get_snapshot, make_state
from zkmargin.engine.account import AccountState, load_portfolio
from zkmargin.engine.desk.liquidity import Liquidity
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_observations
from zkmargin.engine.market.instruments import InstrumentKind

MARKETS = (
    ("standard", CALM),
    pytest.param("standard", CRASH, marks=pytest.mark.slow),
    ("mini", CALM),
    ("mini", CRASH),
)
"""Size and market of the desks that the tests open."""

SHIPPED = ("covered_call", "market_maker", "hedged_vol_book", "short_strangle")
LARGE = "market_maker"
"""The book whose 88 positions are left to slow tests."""


@cache
def get_quotes(size: str, market: str) -> Liquidity:
    return get_house(size, market).liquidity(load_observations(market))


def get_large_book() -> AccountState:
    return load_portfolio(LARGE).to_state(get_snapshot("standard", CALM).listing)


def get_books(size: str, market: str) -> dict[str, AccountState]:
    """Shipped portfolios where they are listed but the large one, random ones on other markets; each passes."""
    listing = get_snapshot(size, market).listing
    if (size, market) == ("standard", CALM):
        return {name: load_portfolio(name).to_state(listing) for name in SHIPPED if name != LARGE}
    books = {}
    for seed in range(2):
        generator = np.random.default_rng(seed)
        items = [item for item in listing.by_name.values() if item.kind is not InstrumentKind.SPOT]
        chosen = generator.choice(len(items), size=min(8, len(items)), replace=False)
        lots = {items[index].slot: int(generator.integers(1, 400)) * (-1) ** int(index) for index in chosen}
        books[f"random {seed}"] = make_state(listing.preset.slots, lots, 3_000_000 * 10**6)
    return books


def get_slot(house: House, name: str) -> int:
    return house.snapshot.listing.get(name).slot


def spend(house: House, state: AccountState, level: str, share: float) -> AccountState:
    """The account with less cash, so that `share` of its requirement at `level` is missing."""
    now = house.definition_requirement(state, level)
    return AccountState(state.positions, state.cash - round((now.margin_excess + share * now.total) * 10**6))
