"""A search for the portfolio whose full-sample expected shortfall is largest for its initial margin.

    maximise ES_full(q)   subject to   K(q) + grid(q) <= 1   and   K(q) + kappa ES_reduced(q) <= 1

Both sides are convex in q, so a step replaces the objective by its tangent at the book at hand, which never exceeds it
[1]_, and solves a linear programme; the objective rises until it stands still. ES_reduced is the largest of linear
functions, one for each way to fill the tail: those that have been met are kept as rows, over all starts. What comes out
is a local optimum of each start: a search that fails is no proof.

References
----------
.. [1] A. L. Yuille, A. Rangarajan, "The concave-convex procedure", Neural Computation 15 (2003).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from zkmargin.engine.margin.grid import TRANSFER_SIGNS
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import MILLE
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.margin.tail import expected_shortfall, tail_shares
from zkmargin.engine.policy.batch import net_groups
from zkmargin.engine.presets import Coin

STEPS = 12
"""Linear programmes of one start that move the book, at most."""
CUTS = 40
"""Times a step's programme is solved again because the reduced shortfall was exceeded."""
SECONDS = 60.0
"""Time of one linear programme; a start whose programme takes longer has come to its end."""
LEAST_GAIN = 1e-3
"""Relative rise of the objective below which a start has come to its end."""
MEMORY = 30
"""Programmes after which a known tail that never bound the book is forgotten."""
TOLERANCE = 1e-6
"""By how much the margin may exceed 1 in a programme's solution before a row is added; the ratio is then exact."""


@dataclass(frozen=True, eq=False)
class Terms:
    """What the margin and the full sample require, per lot of n instruments; P&L in US dollars, a loss is negative."""

    sample: np.ndarray
    """(days, n) P&L on every day of the full sample."""
    tail: int
    """Days of the full sample's tail."""
    grids: tuple[np.ndarray, ...]
    """Per coin (cells, n), zero in the other coins' columns."""
    moves: tuple[np.ndarray, ...]
    """Per coin (cells,) what a unit of transferred exposure gains, with the coin's sign."""
    factor: float
    """f of the grid."""
    transfer_charge: float
    """c of the transfer."""
    long: np.ndarray
    """(n,) K per lot long; infinite where the side is closed."""
    short: np.ndarray
    """(n,) K per lot short."""

    def compute_charge(self, books: np.ndarray) -> np.ndarray:
        """(F,) K of books (n, F)."""
        long, short = np.maximum(books, 0.0), np.maximum(-books, 0.0)
        rates = [np.where(np.isinf(rate), 0.0, rate) for rate in (self.long, self.short)]
        closed = (long * np.isinf(self.long)[:, None] + short * np.isinf(self.short)[:, None]).sum(axis=0) > 0
        return np.where(closed, np.inf, rates[0] @ long + rates[1] @ short)

    def compute_grid(self, books: np.ndarray) -> np.ndarray:
        """(F,) f times the least sum of the coins' worst losses and the transfer's charge, over the transfer n."""
        losses = [-(grid @ books) for grid in self.grids]
        return self.factor * net_groups(losses, self.moves, self.transfer_charge)

    def compute_full(self, books: np.ndarray) -> np.ndarray:
        """(F,) expected shortfall on the full sample."""
        return expected_shortfall(-(self.sample @ books), None, self.tail)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A reduced set at the same market."""

    pnl: np.ndarray
    """(S, n) P&L of the merged scenarios."""
    weights: np.ndarray
    """(S,) whole numbers."""
    tail: int
    """m."""
    multiplier: float
    """kappa."""

    def compute(self, books: np.ndarray) -> np.ndarray:
        """(F,) kappa times the expected shortfall on the reduced set."""
        return self.multiplier * expected_shortfall(-(self.pnl @ books), self.weights, self.tail)


def compute_margin(terms: Terms, reduced: Reduced, books: np.ndarray) -> np.ndarray:
    """(F,) initial margin of books (n, F) without the contagion buffer: K + max(grid, kappa ES_reduced)."""
    return np.asarray(terms.compute_charge(books) + np.maximum(terms.compute_grid(books), reduced.compute(books)))


@dataclass(eq=False)
class Adversary:
    """The search, with the rows that it has learned."""

    terms: Terms
    reduced: Reduced
    """The set to be attacked."""
    rows: list[np.ndarray] = field(default_factory=list)
    """Known tails of the reduced set: (n,) mean loss per lot, without kappa."""
    idle: list[int] = field(default_factory=list)
    """For each row, programmes since it last bound the book."""

    def __post_init__(self) -> None:
        terms = self.terms
        # Columns are scaled so that one unit of either side of an instrument costs a margin near 1.
        worst = terms.factor * sum(np.maximum((-grid).max(axis=0), grid.max(axis=0)) for grid in terms.grids)
        self.scale = 1.0 / (worst + np.where(np.isinf(terms.long), 0.0, terms.long) + 1e-9)
        n, blocks, limits = len(self.scale), [], []
        for place, (grid, move) in enumerate(zip(terms.grids, terms.moves, strict=True)):
            pnl = grid * self.scale
            own = np.zeros((len(grid), 2))
            own[:, place] = -1.0
            blocks.append(np.hstack([-pnl, pnl, own, move[:, None], -move[:, None]]))
            limits.append(np.zeros(len(grid)))
        closed = [np.isinf(rate) for rate in (terms.long, terms.short)]
        self.charges = np.concatenate(
            [
                np.where(shut, 0.0, rate * self.scale)
                for shut, rate in zip(closed, (terms.long, terms.short), strict=True)
            ]
        )
        factor, charge = terms.factor, terms.transfer_charge
        total = np.concatenate([self.charges, [factor, factor, factor * charge, factor * charge]])
        blocks.append(total[None])
        limits.append(np.ones(1))
        self.fixed, self.limits = np.vstack(blocks), np.concatenate(limits)
        self.bounds = [(0.0, 0.0 if shut else None) for side in closed for shut in side] + [(0.0, None)] * 4
        self.size = n

    def _tail_row(self, book: np.ndarray) -> np.ndarray:
        losses = -(self.reduced.pnl @ book)[:, None]
        shares = tail_shares(losses, self.reduced.weights, self.reduced.tail)[:, 0]
        return np.asarray(-(shares @ self.reduced.pnl))

    def raise_multiplier(self, multiplier: float) -> None:
        """Another kappa from now on; the known tails stay."""
        self.reduced = replace(self.reduced, multiplier=multiplier)

    def _forget(self, slack: np.ndarray) -> None:
        """Drop the rows that have long not mattered, given each row's slack in the last programme."""
        self.idle = [0 if room < TOLERANCE else age + 1 for room, age in zip(slack, self.idle, strict=True)]
        kept = [place for place, age in enumerate(self.idle) if age <= MEMORY]
        self.rows, self.idle = [self.rows[place] for place in kept], [self.idle[place] for place in kept]

    def _solve(self, gradient: np.ndarray) -> np.ndarray | None:
        """The book (n,) with the largest gradient . q at a margin of at most 1; None if the solver gives up."""
        n, scaled = self.size, gradient * self.scale
        objective = np.concatenate([-scaled, scaled, np.zeros(4)])
        for _ in range(CUTS):
            learned = self.reduced.multiplier * np.array([row * self.scale for row in self.rows]).reshape(-1, n)
            cuts = np.hstack([learned + self.charges[:n], -learned + self.charges[n:], np.zeros((len(learned), 4))])
            table = csr_matrix(np.vstack([self.fixed, cuts]))
            limits = np.concatenate([self.limits, np.ones(len(learned))])
            result = linprog(  # type: ignore[call-overload]  # the stubs know no sparse table
                objective, A_ub=table, b_ub=limits, bounds=self.bounds, method="highs", options={"time_limit": SECONDS}
            )
            if result.status != 0:
                return None
            self._forget(result.slack[len(self.limits) :])
            book: np.ndarray = (result.x[:n] - result.x[n : 2 * n]) * self.scale
            row = self._tail_row(book)
            if self.reduced.multiplier * (row @ book) + self.charges @ result.x[: 2 * n] <= 1 + TOLERANCE:
                break
            self.rows.append(row)
            self.idle.append(0)
        return book

    def climb(self, start: np.ndarray) -> tuple[np.ndarray, float]:
        """From the book `start` (n,) to a local optimum: the book and its ES_full over margin, exact for the book."""
        book, best = start, self.ratio(start)
        for _ in range(STEPS):
            losses = -(self.terms.sample @ book)
            days = np.argpartition(losses, len(losses) - self.terms.tail)[len(losses) - self.terms.tail :]
            moved = self._solve(-self.terms.sample[days].mean(axis=0))
            if moved is None or not np.abs(moved).max() > 0:
                break
            ratio = self.ratio(moved)
            gained = ratio > best * (1 + LEAST_GAIN)
            if ratio > best:
                book, best = moved, ratio
            if not gained:
                break
        return book, best

    def ratio(self, book: np.ndarray) -> float:
        """ES_full over margin of one book; above 1 the margin is below the full sample's expected shortfall."""
        column = book[:, None]
        margin = float(compute_margin(self.terms, self.reduced, column)[0])
        return float(self.terms.compute_full(column)[0]) / margin if margin > 0 else 0.0


def read_terms(house: HouseModel, shortfall: ShortfallModel) -> tuple[np.ndarray, Terms]:
    """The slots (n,) whose value can change, and the terms of their market, from a house model and a full sample.

    Every window of the sample counts once: `shortfall` must not weigh stressed windows more.
    """
    snapshot, parameters = house.snapshot, house.parameters
    sample = shortfall.sample_pnl
    slots = np.flatnonzero(snapshot.listing.is_listed & (np.abs(sample).max(axis=0) > 0))
    own, cells = snapshot.listing.underlying[slots], house.grid.pnl[:, slots]
    long, short = house.contingency("initial")
    moves = [
        sign * np.array([cell.transfer_move for cell in house.grid.cells[coin]]) / MILLE
        for coin, sign in zip(Coin, TRANSFER_SIGNS, strict=True)
    ]
    return slots, Terms(
        sample=sample[:, slots],
        tail=shortfall.sample_tail,
        grids=tuple(np.where(own == place, cells, 0.0) for place in range(len(Coin))),
        moves=tuple(moves),
        factor=parameters.factor["initial"],
        transfer_charge=house.grid.transfer_charges[Coin.BTC, Coin.ETH],
        long=long[slots],
        short=short[slots],
    )
