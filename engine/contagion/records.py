"""Records that the estimate reads: derived market facts, one JSON file each, unknown fields refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from zkmargin.engine.contagion.ladder import fit_distance_scale
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.files import Model, StrictModel, find_shipped, list_shipped, read_model, read_text
from zkmargin.engine.presets import Coin

DATA = Path(__file__).resolve().parents[1] / "data" / "contagion"
"""Where the shipped records are."""


class Band(StrictModel):
    """Cumulative depth of one band of a book, over a day."""

    band: float = Field(gt=0, lt=1)
    """Distance from the mid price up to which the band reaches."""
    notional: float = Field(gt=0)
    """Time-weighted median, US dollars."""
    distance: float = Field(gt=0, lt=1)
    """Median distance of the average price of that notional from the mid price."""


class DepthRecord(StrictModel):
    """What a book looked like while its depth could be trusted."""

    format: Literal["zkmargin.depth/1"]
    about: str
    source: str
    price: float = Field(gt=0)
    """Median mid price, US dollars."""
    daily_volatility: float = Field(gt=0, lt=1)
    """EWMA volatility of daily log returns on the eve."""
    records: int = Field(gt=0)
    """Book snapshots behind each band."""
    down: list[Band] = Field(min_length=2)
    """Bids, the widest band last."""
    up: list[Band] = Field(min_length=2)
    """Offers, the widest band last."""


class EventRecord(StrictModel):
    """The crash of 10 October 2025: what was reported about closed positions, and the path of the price."""

    format: Literal["zkmargin.event/1"]
    about: str
    source: str
    open_interest_before: float = Field(gt=0)
    """BTC futures of all venues, coins."""
    open_interest_after: float = Field(gt=0)
    """The same after the crash."""
    venue_open_interest: float = Field(gt=0)
    """BTC futures of the venue whose depth is known, US dollars, before."""
    fall: float = Field(gt=0, lt=1)
    """Relative fall from the day's open to the low."""
    rebound: float = Field(gt=0, lt=1)
    """Relative rise from the low to the close of 22:00 UTC."""
    long_share: float = Field(gt=0, lt=1)
    """Share of liquidated notional that was long."""
    share_in_40_minutes: float = Field(gt=0, lt=1)
    """Share of the event's liquidated notional that fell into 40 minutes."""
    lowest: list[float] = Field(min_length=2, max_length=2)
    """Lows of BTC on several venues, US dollars: from, to."""
    start: int
    """Unix seconds of the first candle."""
    candle: int
    """Seconds of one candle."""
    close: list[float] = Field(min_length=2)
    """Closes, US dollars."""

    @property
    def closed_share(self) -> float:
        """Share of BTC open interest, in coins, that was closed: what the ladder is calibrated to."""
        return 1.0 - self.open_interest_after / self.open_interest_before

    def get_distance_scales(self) -> dict[str, float]:
        """Mean distance to liquidation of longs ("down") and shorts ("up").

        Longs: the closed share in the fall. Shorts: closed in the rebound, in the reported proportion of short to
        long liquidations.
        """
        short = self.closed_share * (1.0 - self.long_share) / self.long_share
        return {
            "down": fit_distance_scale(self.fall, self.closed_share),
            "up": fit_distance_scale(self.rebound, short),
        }


class CoinState(StrictModel):
    """One coin's public figures at a date."""

    open_interest: float = Field(gt=0)
    """Coins."""
    open_interest_time: str
    """When it was read: the latest record before the date, or the first after it where there is none."""
    candle_hours: float = Field(gt=0)
    """Longest step of the series that large moves were counted in. The counts of two frequencies do not compare."""
    large_moves: list[float]
    """Hours since the start of the observation at which a large move ended, rising."""


class StateRecord(StrictModel):
    """Public figures at a date, from which the publishers' estimate is made."""

    format: Literal["zkmargin.state/2"]
    about: str
    source: str
    time: str
    """The date, ISO 8601 with an offset or UTC."""
    hours: float = Field(gt=0)
    """Length of the observation; it ends at the date."""
    threshold: float = Field(gt=0, lt=1)
    """Relative move that counts as large."""
    coins: dict[Annotated[Coin, Field(strict=False)], CoinState]


def load_record(model: type[Model], name: str) -> Model:
    """A shipped record by name, or one by path; raises `UnknownName` or `MalformedFile`."""
    path = find_shipped(name, DATA)
    if path is None:
        raise UnknownName("contagion record", name, list_shipped(DATA))
    return read_model(model, read_text(path), path)


def get_bands(bands: list[Band]) -> tuple[np.ndarray, np.ndarray]:
    """Notional and distance of the bands, as arrays."""
    return np.array([band.notional for band in bands]), np.array([band.distance for band in bands])
