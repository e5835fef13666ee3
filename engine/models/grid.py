"""The scenario grid: worst loss per coin over price and volatility moves, summed with bounded netting between the
coins.

Per coin: standard cells (price moves up to the price range, each with volatility up, unchanged and down), far tails
dampened to the price range with volatility up, and two tilts of the skew. Volatility moves are stated at 30 days and
scale with tenor.

    requirement = f (x_BTC + x_ETH + c |n|)   minimised over n
    x_BTC >= loss of BTC in cell s + n move(s);   x_ETH >= loss of ETH in cell s - n move(s)

n is an exposure in the grid's own steps: the edge of one coin's price range answers the edge of the other's, valued at
the range of the first coin. Two cells with the same move cancel it, so every joint scenario in which both coins move
alike is covered in full; a pair of cells that differ by d in the move is covered up to n d, which is what the charge c
n pays for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.market import MarketSnapshot
from engine.models.base import drop_dead_collateral, scale_by_tenor
from engine.parameters import MILLE, PERCENT, Parameters
from engine.presets import COINS
from engine.pricing import price_per_lot
from engine.rows import Draft, Helper, Layout, to_usd6

LOSSES = {"BTC": Helper.LOSS_BTC, "ETH": Helper.LOSS_ETH}
"""Helper of each coin's group."""

TRANSFER_SIGN = {"BTC": 1, "ETH": -1}
"""What the transfer takes from one group it gives to the other."""

_STANDARD_FRACTIONS = {33: (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0), 15: (-1.0, 0.0, 1.0)}
"""Price moves as fractions of the price range, by number of cells per coin."""

VOLATILITY_STATES = {1: "vol up", 0: "vol unchanged", -1: "vol down"}


@dataclass(frozen=True)
class Cell:
    """One scenario of one coin's grid."""

    move: float
    """Relative change of every forward, mark and index of the coin."""
    volatility: int
    """1 up, 0 unchanged, -1 down."""
    skew: int
    """1 puts dearer and calls cheaper, -1 the reverse, 0 none."""
    dampening: float
    """Share of the change in value that counts."""
    transfer_move: int
    """Thousandths that one unit of transferred exposure gains."""

    @property
    def label(self) -> str:
        """How a report names it, without the coin."""
        if self.skew:
            return "skew: puts dearer, calls cheaper" if self.skew > 0 else "skew: puts cheaper, calls dearer"
        tail = f" (tail, counts {self.dampening:.1%})" if self.dampening != 1.0 else ""
        price = f"{self.move * 100:+g} %" if self.move else "price unchanged"
        return f"{price}, {VOLATILITY_STATES[self.volatility]}{tail}"


def make_cells(coin: str, count: int, parameters: Parameters) -> tuple[Cell, ...]:
    """The cells of one coin's grid: standard, tails, skew."""
    reach, reference = parameters.price_range[coin], parameters.price_range[COINS[0]]
    cells = []
    for fraction in _STANDARD_FRACTIONS[count]:
        transfer = round(MILLE * fraction * reference)
        cells += [Cell(round(fraction * reach, 10), state, 0, 1.0, transfer) for state in VOLATILITY_STATES]
    for move in parameters.tail_moves:
        dampening = min(1.0, reach / abs(move))
        transfer = round(MILLE * move * dampening / reach * reference)
        cells.append(Cell(move, 1, 0, dampening, transfer))
    cells += [Cell(0.0, 0, tilt, 1.0, 0) for tilt in (1, -1)]
    return tuple(cells)


class GridModel:
    """The grid at one snapshot.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    """

    name = "grid"

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters):
        self.snapshot, self.parameters = snapshot, parameters
        self.preset = snapshot.listing.preset
        count = Layout(self.preset).cells
        self.cells = {coin: make_cells(coin, count, parameters) for coin in COINS}

    def _by_slot(self, attribute: str) -> np.ndarray:
        """(cells, N) an attribute of each slot's own coin's cells."""
        columns = np.array([[getattr(cell, attribute) for cell in self.cells[coin]] for coin in COINS], dtype=float)
        return columns[self.snapshot.listing.underlying].T

    @cached_property
    def volatility(self) -> np.ndarray:
        """(cells, N) shocked volatility of each option; NaN where no option is."""
        parameters, snapshot = self.parameters, self.snapshot
        scale, base = scale_by_tenor(snapshot, parameters), snapshot.volatility
        own = snapshot.listing.underlying
        rise, fall, floor = (
            np.array([by_coin[coin] for coin in COINS])[own]
            for by_coin in (parameters.volatility_up, parameters.volatility_down, parameters.volatility_floor_up)
        )
        up = np.maximum(base * (1.0 + rise * scale), floor)
        down = np.maximum(base * (1.0 - fall * scale), 0.0)
        state, skew = self._by_slot("volatility"), self._by_slot("skew")
        shocked = np.where(state > 0, up, np.where(state < 0, down, base))
        return shocked * np.maximum(1.0 - skew * self._tilt, 0.0)

    @cached_property
    def _tilt(self) -> np.ndarray:
        """(N,) relative fall of an option's volatility when the skew tilts: positive above the forward."""
        parameters, listing = self.parameters, self.snapshot.listing
        root = np.sqrt(np.where(listing.is_option, self.snapshot.years, np.nan))
        cap = np.maximum(parameters.skew_shift - parameters.skew_slope * root, 0.0)
        reach = np.maximum(parameters.skew_width_floor, parameters.skew_width * root)
        moneyness = np.log(listing.strike / self.snapshot.forward)
        return cap * np.clip(moneyness / reach, -1.0, 1.0)

    @cached_property
    def pnl(self) -> np.ndarray:
        """(cells, N) change in value of one lot in each cell of its own coin, US dollars, dampened; a loss is
        negative."""
        shocked = price_per_lot(self.snapshot, forward_shift=self._by_slot("move"), volatility=self.volatility)
        change = (shocked - price_per_lot(self.snapshot)) * self._by_slot("dampening")
        return drop_dead_collateral(self.snapshot, self.parameters, change)

    @cached_property
    def columns(self) -> np.ndarray:
        """`pnl` in micro-dollars per lot, int64."""
        return to_usd6(self.pnl)

    def add_rows(self, draft: Draft, level: str) -> None:
        """One group per coin and the row that adds them up; position columns are the same at every level."""
        for index, coin in enumerate(COINS):
            slots = self.preset.coins[coin]
            moves = np.array([cell.transfer_move for cell in self.cells[coin]], dtype=np.int64) * TRANSFER_SIGN[coin]
            draft.add_group(
                draft.layout.grid(index), LOSSES[coin], slots, self.columns[:, slots.start : slots.stop], moves
            )
        draft.add_total(round(PERCENT * self.parameters.factor[level]), round(MILLE * self.parameters.transfer_charge))
