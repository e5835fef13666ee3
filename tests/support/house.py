"""Shared by the engine's tests: snapshots, policies and references built once, and random account states."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import strategies as st

from zkmargin.engine.account import MAX_CASH, MAX_LOTS, AccountState
from zkmargin.engine.house import House
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.parameters import TENORS, load_parameters
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Coin

CALM, CRASH = "deribit_2026-08-22", "deribit_2026-02-05"


@cache
def get_snapshot(size: str, name: str = CALM) -> MarketSnapshot:
    return to_preset(load_snapshot(name), size)


@cache
def get_policies(size: str, name: str = CALM) -> dict[str, Policy]:
    return dict(get_house(size, name).policies)


@cache
def get_quiet_policies(size: str) -> dict[str, Policy]:
    """Policies of a market without impact, in which no position is too large: the rows of the contagion buffer are
    spare, and cash helps whatever is missing."""
    snapshot = get_snapshot(size)
    quiet = {coin: replace(crowding, impact=0.0) for coin, crowding in snapshot.crowding.items()}
    boundless = replace(
        load_parameters(),
        vega_impact=0.0,
        vega_limit=dict.fromkeys(Coin, 1e15),
        short_option_limit={coin: dict.fromkeys(TENORS, 1e12) for coin in Coin},
    )
    return dict(House(replace(snapshot, crowding=quiet), boundless).policies)


@cache
def get_house(size: str, name: str = CALM) -> House:
    return House(get_snapshot(size, name))


@cache
def get_definition(size: str, name: str = CALM) -> Definition:
    return get_house(size, name).definition


def to_fields(policy: Policy) -> dict:
    """Writable copies of a policy's data, to break one thing in."""
    names = (
        "positions", "cash", "charges", "excess_total", "helpers", "soft", "weights", "rate_long", "rate_short",
    )  # fmt: skip
    fields = {name: np.array(getattr(policy, name)) for name in names}
    return {**fields, "constants": list(policy.constants), "helper_kinds": list(policy.helper_kinds)}


def make_state(slots: int, lots: dict[int, int], cash: int = 0) -> AccountState:
    positions = np.zeros(slots, dtype=np.int64)
    for slot, count in lots.items():
        positions[slot] = count
    return AccountState(positions, cash)


EDGES = (0, 1, -1, 2**15, -(2**15), 2**15 - 1, MAX_LOTS, -MAX_LOTS)
CASH_EDGES = (0, 1, -1, MAX_CASH, -MAX_CASH, 2**63, -(2**63))


@st.composite
def states(draw, slots: int, largest: int = MAX_LOTS, cash: st.SearchStrategy[int] | None = None) -> AccountState:
    """Accounts: a few or all slots, each lot count an edge, small, or anything up to `largest`."""
    edges = [edge for edge in EDGES if abs(edge) <= largest]
    lots = st.one_of(
        st.sampled_from(edges),
        st.integers(-min(1000, largest), min(1000, largest)),
        st.integers(-largest, largest),
    )
    held = draw(st.dictionaries(st.integers(0, slots - 1), lots, max_size=min(slots, 24)))
    if draw(st.integers(0, 7)) == 0:  # a full account
        seed = draw(st.integers(0, 2**32 - 1))
        positions = np.random.default_rng(seed).integers(-largest, largest, slots, endpoint=True)
        held = dict(enumerate(int(count) for count in positions)) | held
    if cash is None:
        cash = st.one_of(st.sampled_from(CASH_EDGES), st.integers(-(10**16), 10**16), st.integers(-MAX_CASH, MAX_CASH))
    return make_state(slots, held, draw(cash))
