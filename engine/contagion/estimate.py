"""The publishers' declared estimate of crowding and state at a date, from public figures only.

Ladder: open interest times the law of distances to liquidation that the crash of October 2025 implies. Depth: the one
trustworthy record (BTC, before that crash), constant in coins and lowered as volatility rises; another coin's by its
open interest. Impact: the shape of that book. State: branching ratio of large moves and BTC's gain, followed over the
last epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.contagion.depth import carry_depth
from zkmargin.engine.contagion.hawkes import estimate_branching, fit_hawkes
from zkmargin.engine.contagion.impact import fit_book_impact
from zkmargin.engine.contagion.ladder import SIDES, Ladder, estimate_ladder
from zkmargin.engine.contagion.records import CoinState, DepthRecord, EventRecord, StateRecord, get_bands
from zkmargin.engine.contagion.state import StateRule
from zkmargin.engine.errors import MarketError
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, read_utc, require_all_in_range, require_in_range

MEMORY = 720.0
"""Hours of large moves that a fit reads."""
COUNT_WINDOW = 24.0
"""Hours of a count in the robust estimator."""
LEAST_DECAY = math.log(2.0) / 48.0
"""Smallest decay, per hour: excitation that halves slower than in two days is a change of the base rate."""
EPOCHS, EPOCH_HOURS = 16, 3.0
"""The multiplier is followed over the last 48 hours."""
FEWEST_EVENTS = 20
"""With fewer large moves in the memory the market counts as calm: a fit on a handful of events is noise."""
LARGEST_AGE = SECONDS_PER_DAY
"""Seconds after which a figure says nothing of the market any more."""
LONGEST_CANDLE = 1.0
"""Hours of the candles in which the rule counts large moves: its threshold and its calm values are of these."""


class StaleState(MarketError):
    """A state record that says nothing of the present; carries what, its value and what is allowed."""

    def __init__(self, what: str, value: object, allowed: str):
        self.what, self.value, self.allowed = what, value, allowed
        super().__init__(f"{what} is {value}; allowed: {allowed}, or a stated replay of history")


def check_state(state: StateRecord, now: int) -> None:
    """Whether a record may speak for the market at `now`, unix seconds.

    Raises
    ------
    StaleState
        If the record or a coin's open interest is older than `LARGEST_AGE` or from the future, or large moves were
        counted in candles longer than `LONGEST_CANDLE`.
    """
    for departure in find_departures(state, now):
        raise departure


def find_departures(state: StateRecord, now: int) -> list[StaleState]:
    """Each rule of `check_state` that the record breaks, as the error that it would be."""
    dated = {"time of the state record": state.time}
    dated |= {f"time of {coin.value}'s open interest": each.open_interest_time for coin, each in state.coins.items()}
    found = []
    for what, text in dated.items():
        age = now - read_utc(text, what).timestamp()
        if not 0 <= age <= LARGEST_AGE:
            side = (
                f"{age / SECONDS_PER_HOUR:.1f} hours old" if age > 0 else f"{-age / SECONDS_PER_HOUR:.1f} hours ahead"
            )
            allowed = f"up to {LARGEST_AGE / SECONDS_PER_HOUR:g} hours before the market's time"
            found.append(StaleState(what, f"{text} ({side})", allowed))
    for coin, each in state.coins.items():
        if each.candle_hours > LONGEST_CANDLE:
            what = f"candle of {coin.value}'s large moves, hours,"
            found.append(StaleState(what, each.candle_hours, f"at most {LONGEST_CANDLE:g}"))
    return found


@dataclass(frozen=True)
class Estimate:
    """What the publishers would declare."""

    crowding: Mapping[Coin, Crowding]
    """By coin."""
    contagion_multiplier: float
    """theta."""
    branching: tuple[float, ...]
    """Largest branching ratio over the coins, per epoch of the last 48 hours."""
    gain: float
    """BTC's gain on the side "down"."""
    departures: tuple[str, ...]
    """What a replay of history let through: stale or future figures, coarse candles; empty for a present market."""


def round_figures(value: float, figures: int = 3) -> float:
    """`value` to that many significant figures, at least 0: an estimate states no more."""
    require_in_range("estimate", value, 0.0, 1e15)
    return round(value, figures - 1 - math.floor(math.log10(value))) if value > 0 else 0.0


def estimate_crowding(
    state: StateRecord,
    book: DepthRecord,
    event: EventRecord,
    index: Mapping[str, float],
    daily_volatility: Mapping[str, float],
    band: Mapping[str, float],
) -> tuple[dict[Coin, Crowding], dict[str, Ladder]]:
    """Crowding per coin, and BTC's ladders per side.

    Parameters
    ----------
    state, book, event
        The records.
    index, daily_volatility
        Of each coin at the date.
    band
        The shock band of each coin: the policy's price range.
    """
    scales = event.get_distance_scales()
    impact = max(fit_book_impact(*get_bands(getattr(book, side))) for side in SIDES)
    measured = state.coins[Coin.BTC].open_interest * index["BTC"]
    crowding: dict[Coin, Crowding] = {}
    ladders: dict[str, Ladder] = {}
    for coin, figures in state.coins.items():
        interest = figures.open_interest * index[coin]
        numbers = {"impact": round(impact, 4)}
        for side in SIDES:
            ladder = estimate_ladder(interest, scales[side], band[coin])
            depth = carry_depth(
                getattr(book, side)[-1].notional, book.price, index["BTC"], book.daily_volatility,
                daily_volatility[coin],
            )  # fmt: skip
            numbers[f"ladder_{side}"] = round_figures(ladder.get_weighted())
            numbers[f"depth_{side}"] = round_figures(depth * min(1.0, interest / measured))
            if coin == "BTC":
                ladders[side] = ladder
        crowding[coin] = Crowding(**numbers)
    return crowding, ladders


def compute_branching(figures: CoinState, end: float) -> float:
    """Mean of the likelihood's and of the robust estimate of n over the `MEMORY` hours before `end`.

    The first is too high where the base rate moves, the second too low where windows are short against the memory.
    """
    events = require_all_in_range("hour of a large move", figures.large_moves, 0.0, math.inf)
    events = events[(events > end - MEMORY) & (events <= end)] - (end - MEMORY)
    if len(events) < FEWEST_EVENTS:
        return 0.0
    fitted = fit_hawkes(events, MEMORY, LEAST_DECAY).branching
    return 0.5 * (fitted + estimate_branching(events, MEMORY, COUNT_WINDOW))


def estimate(
    state: StateRecord,
    book: DepthRecord,
    event: EventRecord,
    index: Mapping[str, float],
    daily_volatility: Mapping[str, float],
    band: Mapping[str, float],
    now: int,
    *,
    is_replay: bool = False,
    rule: StateRule | None = None,
) -> Estimate:
    """Crowding per coin and the multiplier; other arguments as in `estimate_crowding`.

    Parameters
    ----------
    now : int
        The market's time, unix seconds.
    is_replay : bool
        Take figures of other times and frequencies, for history of which there are no others; they are named in the
        result.

    Raises
    ------
    StaleState
        As `check_state`, unless `is_replay`.
    """
    if not is_replay:
        check_state(state, now)
    rule = rule or StateRule()
    crowding, ladders = estimate_crowding(state, book, event, index, daily_volatility, band)
    gain = ladders["down"].get_gain(crowding[Coin.BTC].depth_down, crowding[Coin.BTC].impact)
    ends = state.hours - EPOCH_HOURS * np.arange(EPOCHS - 1, -1, -1)
    branching = [max(compute_branching(figures, end) for figures in state.coins.values()) for end in ends]
    path = rule.follow(1.0, [(n, gain) for n in branching], EPOCH_HOURS)
    departures = tuple(str(departure) for departure in find_departures(state, now))
    return Estimate(crowding, round(path[-1], 3), tuple(branching), gain, departures)
