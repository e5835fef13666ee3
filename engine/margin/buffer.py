"""The contagion buffer (CAVB): what liquidating this account would cost once others are forced to trade with it.

Per coin, with D the account's signed delta notional and, on the side on which D loses, L the ladder, Q the depth:

    charge(D) = theta eta (D^2 + 2 |D| L) / (2 Q)

D is taken where the side is halfway through: deltas at half the price range down for the side "down" and at half of it
up for "up". So a short straddle that is delta neutral today is long below and short above, and pays; a long straddle,
whose delta gains on both sides, does not. Spot, perpetuals and futures have one delta everywhere.

The charge is the increment ((D + L)^2 - L^2) / 2Q of a linear-impact cost. The formula is this project's own choice:
docs/cavb.md. It is asked at the initial level only, so a rise blocks new risk and liquidates nobody.

A policy carries chords of the curve, which lie above it between 0 and the largest exposure, and that largest exposure
as a hard limit, since a convex curve outgrows every line. With knots at (k / n)^2 of the largest exposure every chord
errs by at most the same share of a margin that is proportional to D: a D_max / (n^2 beta), a = theta eta / (2 Q) and
beta the initial requirement per unit of a linear position. The limit is where that share reaches `buffer_error`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.parameters import Parameters
from zkmargin.engine.market.crowding import MAX_NOTIONAL, Crowding
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6, to_usd6


def compute_charge(exposure: float, crowding: Crowding, multiplier: float) -> float:
    """The curve: charge of a signed delta notional, US dollars, both; positive exposure is long.

    Raises
    ------
    OutOfRange
        If `exposure` is not a finite number.
    """
    if not np.isfinite(exposure):
        raise OutOfRange("exposure", exposure, -np.inf, np.inf)
    ladder, depth = crowding.get_side(exposure)
    size = abs(exposure)
    return multiplier * crowding.impact * (size * size + 2.0 * size * ladder) / (2.0 * depth)


@dataclass(frozen=True)
class Chords:
    """Chords of one side's curve: charge(D) <= max_k (slope_k |D| - constant_k) for |D| <= largest."""

    knots: tuple[float, ...]
    """(n + 1,) from 0 to the largest exposure, US dollars."""
    slopes: tuple[float, ...]
    """(n,) rising, US dollars of charge per US dollar."""
    constants: tuple[float, ...]
    """(n,) US dollars, at least 0, subtracted; the first is 0."""

    @property
    def is_charged(self) -> bool:
        """Whether there is a curve at all."""
        return any(self.slopes)

    @property
    def largest(self) -> float:
        """Largest exposure, US dollars."""
        return self.knots[-1]

    def get_charge(self, size: float) -> float:
        """What the chords ask for an exposure of that size, US dollars."""
        return max(slope * size - constant for slope, constant in zip(self.slopes, self.constants, strict=True))


def make_chords(curvature: float, ladder: float, count: int, share: float, margin_rate: float) -> Chords:
    """Chords of a D^2 + 2 a L D.

    Parameters
    ----------
    curvature : float
        a = theta eta / (2 Q), per US dollar; 0 charges nothing.
    ladder : float
        L, US dollars.
    count : int
        n, number of chords.
    share : float
        Largest error, as a share of the margin.
    margin_rate : float
        beta, margin per US dollar of exposure.
    """
    if not curvature:
        return Chords((0.0, float(MAX_NOTIONAL)), (0.0,), (0.0,))
    largest = min(share * (count * count) * margin_rate / curvature, float(MAX_NOTIONAL))
    knots = [largest * (k * k) / (count * count) for k in range(count + 1)]  # no power: exact on every machine
    slopes = [curvature * (low + high + 2.0 * ladder) for low, high in pairwise(knots)]
    constants = [curvature * low * high for low, high in pairwise(knots)]
    return Chords(tuple(knots), tuple(slopes), tuple(constants))


class BufferModel:
    """The buffer at one snapshot; asked at the initial level only.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    exposures : ndarray
        (2, N) delta of one lot times the index, US dollars, at half the price range down and at half of it up.
    """

    name = "contagion buffer"

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters, exposures: np.ndarray):
        self.snapshot, self.parameters, self.exposures = snapshot, parameters, exposures
        self.preset = snapshot.listing.preset

    @cached_property
    def chords(self) -> dict[Coin, tuple[Chords, Chords]]:
        """By coin, chords of the side "down" (a long exposure) and of the side "up"."""
        return {coin: (self._make_chords(coin, 1.0), self._make_chords(coin, -1.0)) for coin in self.preset.coins}

    def _make_chords(self, coin: Coin, sign: float) -> Chords:
        """Chords of one side, long exposure with `sign` 1."""
        crowding, parameters = self.snapshot.crowding[coin], self.parameters
        ladder, depth = crowding.get_side(sign)
        return make_chords(
            self.snapshot.contagion_multiplier * crowding.impact / (2.0 * depth),
            ladder,
            Layout(self.preset).chords,
            parameters.buffer_error,
            parameters.price_range[coin] * parameters.factor["initial"],
        )

    def get_columns(self, coin: Coin) -> np.ndarray:
        """(2, N) exposures of the coin's slots on the sides "down" and "up", US dollars per lot; zero elsewhere."""
        columns = np.zeros_like(self.exposures)
        columns[:, self.preset.span(coin)] = self.exposures[:, self.preset.span(coin)]
        return columns

    def add_rows(self, draft: Draft, level: str) -> None:
        """Chords and the largest exposure of each coin, and its share of the equity row; nothing at maintenance."""
        if level != "initial":
            return
        for index, coin in enumerate(self.preset.coins):
            helper = draft.layout.buffers[coin]
            sides, rows = self.get_columns(coin), draft.layout.buffer(index)
            used = False
            pairs = zip((-1.0, 1.0), sides, self.chords[coin], strict=True)
            for side, (sign, columns, chords) in enumerate(pairs):
                if not chords.is_charged:
                    continue
                used = True
                first = rows.start + side * draft.layout.chords
                for row, (slope, constant) in enumerate(zip(chords.slopes, chords.constants, strict=True), start=first):
                    draft.add_chord(row, helper, to_usd6(sign * slope * columns), int(constant * USD6))
                draft.add_exposure_cap(rows.stop - 2 + side, to_usd6(sign * columns), int(chords.largest * USD6))
            if used:
                draft.subtract_from_equity(helper)
