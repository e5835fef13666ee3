"""The scenario grid: worst loss per coin over moves of price, volatility, its term structure, the basis and time,
summed with bounded netting between the coins.

Per coin at standard size, 43 cells:

* 14 standard ones: price moves up to the price range, with volatility down at seven, up at five and unchanged at two.
  A move with volatility between two of these states is covered by them together;
* 4 corners at unchanged price: the margin period passes, the basis of dated instruments goes up or down, and volatility
  at the short and at the long tenors goes up or down. The signs are those of a tetrahedron's corners: two of the four
  share any one of the six signs and cancel in the rest, so each move alone is covered as their mean;
* 2 far tails with volatility up and 2 moves between range and tails with volatility unchanged, dampened so that a
  linear position loses what it loses at the edge of the range;
* 2 tilts of the skew, in opposite directions also for dated futures against the options of their expiry. The cash token
  rises in both, so its rise alone is covered as their mean;
* 19 expiry paths: futures and options that settle within a day do so at one price, those that settle a day later at
  another, and all else stands at a third when the period has passed. Of the three one moves and two are today's price;
  5 of the paths are dampened moves beyond the range, two of these with volatility up.

Volatility moves are stated at 30 days and scale with tenor. `mini` has 21: three price moves with volatility up and
down, the corners, two tails, one move between, the skew, six expiry paths. Which cells stand where was chosen by
measuring what the worst accepted portfolio can lose (`scripts/measure/worst_accepted_book.py`). `mini` with three coins
has 11, a size to test with: the edges of the range with volatility up, volatility down, the corners, two tails and the
skew. It has no expiry path, so a listing with futures or options that settle within the margin period is refused.

    requirement = f (x_BTC + x_ETH + c |n|)   minimised over n
    x_BTC >= loss of BTC in cell s + n move(s);   x_ETH >= loss of ETH in cell s - n move(s)

n is an exposure in the grid's own steps: the edge of one coin's price range answers the edge of the other's, valued at
the range of the first coin. Two cells with the same move cancel it, so every joint scenario in which both coins move
alike is covered in full; a pair of cells that differ by d in the move is covered up to n d, which is what the charge c
n pays for.

Lemma (netting saves at most 80 % [1]_). Let M be the largest |move|, the price range of the first coin, and R(n) =
x_1(n) + x_2(n) + c |n|. Each x is the largest of lines in n with slopes of at most M in size and 0, so x_i(n) >=
x_i(0) - M |n| and x_i(n) >= 0. Hence R(n) >= S - (2 M - c) |n| and R(n) >= c |n| with S = x_1(0) + x_2(0), and the
larger of the two is least, for c <= 2 M, at |n| = S / 2 M: R(n) >= S c / 2 M. So c >= 0.4 M keeps a fifth of the sum;
`engine.margin.parameters` refuses less. The least c of 0.15 keeps 46 % at M = 0.16. What c is at a snapshot says
`engine.margin.netting`.

References
----------
.. [1] Commission Delegated Regulation (EU) 153/2013 (EMIR), article 27: margin reductions of at most 80 %.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import NamedTuple

import numpy as np

from zkmargin.engine.elementary import expm1, log
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.netting import compute_transfer_charge
from zkmargin.engine.margin.parameters import MILLE, PERCENT, Parameters
from zkmargin.engine.margin.shocks import (
    find_settling_day,
    scale_by_tenor,
    weigh_tenors,
    zero_unaccepted_collateral,
)
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR, to_usd6

TRANSFER_SIGNS = (1, -1)
"""By place in a netting pair: what the transfer takes from one group it gives to the other."""


class _Plan(NamedTuple):
    """Which cells a grid has besides corners, tails and skew: fractions of the price range by state of volatility;
    places in the list of moves between range and tails, for what is alive and with near settlements at today's price;
    expiry paths as fractions of the range (at the settlement within a day, at that within two, for all else)."""

    up: tuple[float, ...]
    down: tuple[float, ...]
    unchanged: tuple[float, ...]
    between: tuple[int, ...]
    settled: tuple[int, ...]
    settled_up: tuple[int, ...]
    expiry: tuple[tuple[float, float, float], ...]


def _cross(*sizes: float, arms: int = 3) -> tuple[tuple[float, float, float], ...]:
    """Paths on which one of the three prices moves, by each size and its opposite: the cross of points that bounds the
    rest, without its last arms if `arms` is less than three."""
    steps = [step for size in sizes for step in (size, -size)]
    paths = ([(step, 0.0, 0.0), (0.0, step, 0.0), (0.0, 0.0, step)] for step in steps)
    return tuple(path for each in zip(*paths, strict=True) for path in each)[: arms * len(steps)]


_PLANS = {
    43: _Plan(
        up=(-1.0, -0.5, 0.0, 0.5, 1.0),
        down=(-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0),
        unchanged=(-0.75, 0.75),
        between=(1, 3),
        settled=(0, 2, 3),
        settled_up=(0, 3),
        expiry=(*_cross(0.5, 1.0), (0.0, 0.0, 0.25), (0.0, 0.0, -0.25)),
    ),
    21: _Plan(
        up=(-1.0, 0.0, 1.0),
        down=(-1.0, 0.0, 1.0),
        unchanged=(),
        between=(1,),
        settled=(0, 3),
        settled_up=(),
        expiry=_cross(1.0, arms=2),
    ),
    11: _Plan(up=(-1.0, 1.0), down=(0.0,), unchanged=(), between=(), settled=(), settled_up=(), expiry=()),
}
"""By number of cells per coin."""

SETTLEMENTS = 2
"""Prices at which an expiry path lets things settle, one for each day of the margin period."""

_CORNERS = ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
"""Signs of (basis, volatility at short tenors, volatility at long tenors)."""

VOLATILITY_STATES = {1: "vol up", 0: "vol unchanged", -1: "vol down"}
_SIGN_NAMES = {1: "up", -1: "down"}


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
    days: float = 0.0
    """Days that pass."""
    basis: int = 0
    """1 dated forwards rise against spot and perpetual, -1 they fall, 0 none; such a cell has no price move."""
    short_tenors: int = 0
    """1 volatility at short tenors up, -1 down, 0 none."""
    long_tenors: int = 0
    """1 volatility at long tenors up, -1 down, 0 none."""
    futures: float = 0.0
    """Relative change of dated futures' forwards against those of the options of their expiry."""
    token: float = 0.0
    """Relative change of the cash token's price, in which collateral is valued."""
    settlements: tuple[float, float] | None = None
    """Relative changes of the forwards at which futures and options settle that expire within one day, and within two;
    none: at `move`, as all else."""

    @property
    def first_settlement(self) -> float:
        """Relative change of the forwards of what expires within one day."""
        return self.move if self.settlements is None else self.settlements[0]

    @property
    def second_settlement(self) -> float:
        """Of what expires within two days, but not within one."""
        return self.move if self.settlements is None else self.settlements[1]

    @property
    def label(self) -> str:
        """How a report names it, without the coin."""
        if self.skew:
            puts, calls = ("dearer", "cheaper") if self.skew > 0 else ("cheaper", "dearer")
            futures = "up" if self.futures > 0 else "down"
            return f"skew: puts {puts}, calls {calls}; futures {futures} against options, cash token up"
        passed = f", {self.days:g} d pass" if self.days else ""
        tail = f" (tail, counts {self.dampening:.1%})" if self.dampening != 1.0 else ""
        if self.settlements is not None:
            moves = [f"within {day} d at {_name_move(move)}" for day, move in enumerate(self.settlements, 1) if move]
            state = f", {VOLATILITY_STATES[self.volatility]}" if self.volatility else ""
            settled = " and ".join(moves) or _name_move(0.0)
            return f"settled {'' if moves else 'at '}{settled}, all else then at {_name_move(self.move)}{state}{tail}"
        if self.basis:
            basis, short, long = (_SIGN_NAMES[sign] for sign in (self.basis, self.short_tenors, self.long_tenors))
            return f"basis {basis}, vol of short tenors {short}, of long ones {long}{passed}"
        price = _name_move(self.move) if self.move else "price unchanged"
        return f"{price}, {VOLATILITY_STATES[self.volatility]}{passed}{tail}"


def _name_move(move: float) -> str:
    return f"{move * 100:+g} %" if move else "today's price"


def make_cells(coin: str, count: int, parameters: Parameters) -> tuple[Cell, ...]:
    """The cells of one coin's grid: standard, corners, tails, moves between, skew, expiry paths."""
    plan, days = _PLANS[count], parameters.time_days
    reach, reference = parameters.price_range[coin], parameters.reference_range

    def standard(fraction: float, state: int) -> Cell:
        return Cell(round(fraction * reach, 10), state, 0, 1.0, round(MILLE * fraction * reference))

    def settled(first: float, second: float, after: float) -> Cell:
        at = (round(first * reach, 10), round(second * reach, 10))
        return replace(standard(after, 0), days=days, settlements=at)

    def dampened(move: float, state: int) -> Cell:
        dampening = min(1.0, reach / abs(move))
        return Cell(move, state, 0, dampening, round(MILLE * move * dampening / reach * reference))

    return (
        *(standard(fraction, 1) for fraction in plan.up),
        *(standard(fraction, -1) for fraction in plan.down),
        *(standard(fraction, 0) for fraction in plan.unchanged),
        *(Cell(0.0, 0, 0, 1.0, 0, days, *signs) for signs in _CORNERS),
        *(dampened(move, 1) for move in parameters.tail_moves),
        *(dampened(parameters.between_moves[place], 0) for place in plan.between),
        *(
            Cell(0.0, 0, tilt, 1.0, 0, futures=tilt * parameters.futures_basis, token=parameters.token_rise)
            for tilt in (1, -1)
        ),
        *(settled(*path) for path in plan.expiry),
        *(
            replace(dampened(parameters.between_moves[place], state), days=days, settlements=(0.0, 0.0))
            for state, places in ((0, plan.settled), (1, plan.settled_up))
            for place in places
        ),
    )


class GridModel:
    """The grid at one snapshot.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters

    Raises
    ------
    OutOfRange
        If the margin period has more days than a path has prices of settlement; or if a future or option settles within
        it, and the size has no cells for that.
    """

    name = "grid"

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters):
        if not 0.0 <= parameters.time_days <= SETTLEMENTS:
            raise OutOfRange("margin period, days", parameters.time_days, 0, SETTLEMENTS)
        self.snapshot, self.parameters = snapshot, parameters
        self.preset = snapshot.listing.preset
        count = Layout(self.preset).cells
        if not _PLANS[count].expiry:
            self._refuse_settlements()
        self.cells = {coin: make_cells(coin, count, parameters) for coin in self.preset.coins}

    def _refuse_settlements(self) -> None:
        for slot in np.flatnonzero(find_settling_day(self.snapshot, self.parameters.time_days) >= 0):
            what = f"days to expiry of {self.snapshot.listing.at(slot).name}, in a grid without expiry paths"
            left = float(self.snapshot.years[slot]) * DAYS_PER_YEAR
            raise OutOfRange(what, left, f"more than {self.parameters.time_days:g}", "any")

    @cached_property
    def transfer_charges(self) -> dict[tuple[Coin, Coin], float]:
        """c by netting pair, what a unit of its transfer costs, fraction of the exposure."""
        return {
            pair: compute_transfer_charge(self.snapshot, self.parameters, pair) for pair in self.preset.split.netting
        }

    def _by_slot(self, attribute: str) -> np.ndarray:
        """(cells, N) an attribute of each slot's own coin's cells."""
        columns = np.array([[getattr(cell, attribute) for cell in cells] for cells in self.cells.values()], dtype=float)
        return np.asarray(columns[self.snapshot.listing.underlying].T)

    @cached_property
    def volatility(self) -> np.ndarray:
        """(cells, N) shocked volatility of each option; NaN where no option is."""
        parameters, snapshot = self.parameters, self.snapshot
        scale, base = scale_by_tenor(snapshot, parameters), snapshot.volatility
        own = snapshot.listing.underlying
        rise, fall, floor = (
            np.array([by_coin[coin] for coin in self.preset.coins])[own]
            for by_coin in (parameters.volatility_up, parameters.volatility_down, parameters.volatility_floor_up)
        )
        up = np.maximum(base * (1.0 + rise * scale), floor)
        down = np.maximum(base * (1.0 - fall * scale), 0.0)
        state, skew = self._by_slot("volatility"), self._by_slot("skew")
        shocked = np.where(state > 0, up, np.where(state < 0, down, base))
        return np.asarray(shocked * np.maximum(1.0 - skew * self._tilt, 0.0) * self._term_factor)

    @cached_property
    def _term_factor(self) -> np.ndarray:
        """(cells, N) factor of an option's volatility when the term structure moves."""
        parameters = self.parameters
        short, long = weigh_tenors(self.snapshot, parameters)
        rise = self._by_slot("short_tenors") * parameters.term_short * short
        return np.asarray(1.0 + rise + self._by_slot("long_tenors") * parameters.term_long * long)

    @cached_property
    def forward_shift(self) -> np.ndarray:
        """(cells, N) relative change of each slot's forward: the price move, or that at which it settles, and the basis
        of dated instruments."""
        listing, sign = self.snapshot.listing, self._by_slot("basis")
        is_future = listing.kind == KIND_CODES[InstrumentKind.FUTURE]
        dated = listing.is_option | is_future
        years = np.where(dated, self.snapshot.years, 0.0)
        size = np.maximum(np.abs(expm1(sign * self.parameters.basis_rate * years)), self.parameters.basis_floor)
        basis = np.where(dated, sign * size, 0.0) + np.where(is_future, self._by_slot("futures"), 0.0)
        move, day = self._by_slot("move"), find_settling_day(self.snapshot, self.parameters.time_days)
        for place, settlement in enumerate((self._by_slot("first_settlement"), self._by_slot("second_settlement"))):
            move = np.where(day == place, settlement, move)
        return np.asarray(move + basis)

    @cached_property
    def _tilt(self) -> np.ndarray:
        """(N,) relative fall of an option's volatility when the skew tilts: positive above the forward."""
        parameters, listing = self.parameters, self.snapshot.listing
        root = np.sqrt(np.where(listing.is_option, self.snapshot.years, np.nan))
        cap = np.maximum(parameters.skew_shift - parameters.skew_slope * root, 0.0)
        reach = np.maximum(parameters.skew_width_floor, parameters.skew_width * root)
        moneyness = log(listing.strike / self.snapshot.forward)
        return cap * np.clip(moneyness / reach, -1.0, 1.0)

    @cached_property
    def pnl(self) -> np.ndarray:
        """(cells, N) change in value of one lot in each cell of its own coin, US dollars, dampened; a loss is
        negative."""
        shocked = price_per_lot(
            self.snapshot,
            forward_shift=self.forward_shift,
            volatility=self.volatility,
            time_shift=self._by_slot("days") / DAYS_PER_YEAR,
        )
        collateral = list(self.preset.collateral_slots)
        shocked[:, collateral] /= 1.0 + self._by_slot("token")[:, collateral]
        change = (shocked - price_per_lot(self.snapshot)) * self._by_slot("dampening")
        return zero_unaccepted_collateral(self.snapshot, self.parameters, change)

    @cached_property
    def columns(self) -> np.ndarray:
        """`pnl` in micro-dollars per lot, int64."""
        return to_usd6(self.pnl)

    def add_rows(self, draft: Draft, level: str) -> None:
        """One group per coin and the row that adds them up; position columns are the same at every level."""
        for coin in self.preset.coins:
            moves = np.array([cell.transfer_move for cell in self.cells[coin]], dtype=np.int64)
            draft.add_group(coin, self.columns[:, self.preset.span(coin)], moves)
        factors = {name: round(PERCENT * factor) for name, factor in self.parameters.factor.items()}
        unit = gcd(PERCENT, *factors.values())  # the same at every level, so that one row can imply another
        charges = {pair: round(MILLE * charge) for pair, charge in self.transfer_charges.items()}
        draft.add_total(PERCENT // unit, factors[level] // unit, charges)
