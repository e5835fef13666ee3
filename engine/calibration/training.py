"""Groups of days and their multiplier: fitted to a family of books on some markets, hardened by an adversary there.

1. Candidates: days are grouped by the family's losses, with the standardised moves beside them so that days that hurt
   no book of the family are not all alike; groupings whose worst book needs a large multiplier are repeated with more
   weight on such books.
2. Each candidate gets the least multiplier of the family, times `MARGIN`, and a short search for books that break it;
   the one with the least multiplier after that is taken. A book whose charges and grid reach its full-sample expected
   shortfall needs no multiplier.
3. The search is repeated with more starts, its own worst books among them, and the multiplier raised until a whole
   round finds no book whose full-sample expected shortfall exceeds its margin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zkmargin.engine.calibration.worst_book_search import Adversary, Reduced, Terms, compute_margin
from zkmargin.engine.margin.reduction import (
    cut_weights,
    group_days,
    least_multiplier,
    make_points,
    merge_days,
)
from zkmargin.engine.margin.tail import expected_shortfall

MARGIN = 1.02
"""Head room on the family's least multiplier."""
SHARES_OF_MOVES = (0.02, 0.05, 0.3)
"""Candidates: root mean square of the moves' coordinates in units of the losses'."""
REPEATS = 4
"""Groupings of a candidate with rising weight on the books that need most."""
PUSH = 2.0
"""How fast that weight rises with the multiplier that a book needs."""
ROUNDS = 12
"""Rounds of the final search, at most."""
OVERSHOOT = 1.2
"""The multiplier rises by so many times the breach that a round found."""
LEAST_RISE = 0.002
"""And by at least this share."""
LARGEST_MOVE = 6.0
"""Standardised moves, in standard deviations, are cut off here as coordinates."""


@dataclass(frozen=True, eq=False)
class TrainingMarket:
    """A market and the family's books on it."""

    terms: Terms
    """What margin and full sample ask there."""
    books: np.ndarray
    """(n, F) lots, no book without a loss."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A reduction."""

    groups: np.ndarray
    """(days,) group of each day."""
    trained: float
    """kappa after the family, with `MARGIN`."""
    hardened: float
    """kappa after the adversary."""
    rounds: tuple[float, ...]
    """Worst ratio of full-sample expected shortfall to margin in each round of the final search."""

    @property
    def settled(self) -> bool:
        """Whether the last round found no breach."""
        return self.rounds[-1] <= 1.0


def has_loss(terms: Terms, books: np.ndarray) -> np.ndarray:
    """(F,) bool: whether a book (n, F) loses anything that is not rounding on the full sample or in charges."""
    size = (np.abs(terms.sample) @ np.abs(books)).max(axis=0)
    return np.asarray(terms.compute_full(books) + terms.compute_charge(books) > 1e-6 * size)


class Trainer:
    """The training for one number of rows.

    Parameters
    ----------
    markets : list of TrainingMarket
        Whose families the groups and the first multiplier are fitted to.
    hardened : list of TrainingMarket
        Where the adversary searches.
    moves : ndarray
        (days, coins) standardised moves.
    rows : int
        Largest number of groups.
    alone : int
        Days that stay alone: those that are in most of the family's tails.
    cap : float
        Losses above this multiple of a book's expected shortfall are one.
    most : float
        Largest multiplier: the search ends there, settled or not.
    strips : ndarray, optional
        (strips, days) distance of each day from each strip: a strip is a group of the nearest days, as many as the tail
        has, that no earlier one took. Days on which a coin moves by a certain small amount are the tail of a straddle
        that settles within the margin period.
    shares : tuple of float
        Candidates, see `SHARES_OF_MOVES`.
    repeats : int
        Groupings of a candidate, see `REPEATS`.
    starts : int
        Starts of the search per market and round.
    seed : int
    say : callable, optional
        Takes a line of progress.
    """

    def __init__(
        self,
        markets: list[TrainingMarket],
        hardened: list[TrainingMarket],
        moves: np.ndarray,
        rows: int,
        *,
        alone: int,
        cap: float = np.inf,
        most: float = np.inf,
        strips: np.ndarray | None = None,
        shares: tuple[float, ...] = SHARES_OF_MOVES,
        repeats: int = REPEATS,
        starts: int,
        seed: int,
        say: Callable[[str], None] = lambda line: None,
    ):
        self.hardened, self.rows, self.alone, self.cap = hardened, rows, alone, cap
        self.most, self.starts, self.seed, self.say = most, starts, seed, say
        self.shares, self.repeats = shares, repeats
        self.tail = markets[0].terms.tail
        self.losses = np.hstack([-(market.terms.sample @ market.books) for market in markets])
        self.full = np.concatenate([market.terms.compute_full(market.books) for market in markets])
        self.charges = np.concatenate([market.terms.compute_charge(market.books) for market in markets])
        grids = np.concatenate([market.terms.compute_grid(market.books) for market in markets])
        self.is_covered = self.charges + grids >= self.full
        self.moves = np.clip(moves / moves.std(axis=0), -LARGEST_MOVE, LARGEST_MOVE)
        least = np.partition(self.losses, len(moves) - self.tail, axis=0)[len(moves) - self.tail]
        often = (self.losses >= least).mean(axis=1)
        self.relevance = np.argsort(-often, kind="stable")
        self.set_apart = self._set_apart(np.empty((0, len(moves))) if strips is None else strips)

    def _set_apart(self, strips: np.ndarray) -> np.ndarray:
        """(days,) group of the days of the strips and of those that stay alone, -1 for the rest."""
        groups = np.full(len(self.moves), -1, dtype=np.int64)
        for number, distance in enumerate(strips):
            left = np.where(groups < 0, distance, np.inf)
            groups[np.argpartition(left, self.tail)[: self.tail]] = number
        groups[self.relevance[: self.alone]] = len(strips) + np.arange(self.alone)
        return groups

    def _group(self, share: float, book_weights: np.ndarray, seed: int) -> np.ndarray:
        points = make_points(self.losses, np.maximum(self.full, self.charges), book_weights, self.cap)
        spread = np.sqrt((points**2).sum(axis=1).mean())
        points = np.hstack([points, share * spread * self.moves])
        groups, count = self.set_apart.copy(), int(self.set_apart.max()) + 1
        together = np.flatnonzero(groups < 0)
        groups[together] = count + group_days(points[together], self.rows - count, seed)
        return groups

    def _needs(self, groups: np.ndarray) -> np.ndarray:
        """(F,) multiplier that each book needs; 0 where charges and grid reach the full sample's expected shortfall."""
        reduced = expected_shortfall(merge_days(self.losses, groups), cut_weights(groups, self.tail), self.tail)
        missing = self.full - self.charges
        return np.where(self.is_covered, 0.0, missing / np.maximum(reduced, 1e-12 * self.full))

    def candidate(self, share: float) -> tuple[np.ndarray, float]:
        """Groups and the family's multiplier, the best of `repeats` groupings."""
        weights, candidates = np.ones(self.losses.shape[1]), []
        for repeat in range(self.repeats):
            groups = self._group(share, weights, self.seed + repeat)
            needs = self._needs(groups)
            candidates.append((groups, float(needs.max())))
            weights *= np.exp(PUSH * np.clip(needs - 1.0, 0.0, 2.0))
            weights /= weights.mean()
        groups, multiplier = min(candidates, key=lambda candidate: candidate[1])
        return groups, max(1.0, multiplier) * MARGIN

    def adversaries(self, groups: np.ndarray, multiplier: float) -> list[Adversary]:
        """One search per market of `hardened`."""
        weights = cut_weights(groups, self.tail).astype(np.int64)
        return [
            Adversary(market.terms, Reduced(merge_days(market.terms.sample, groups), weights, self.tail, multiplier))
            for market in self.hardened
        ]

    def attack(
        self, adversaries: list[Adversary], starts: int, seed: int, known: list[list[np.ndarray]]
    ) -> tuple[float, list[list[np.ndarray]]]:
        """The worst ratio of one round, and per market the books that came nearest, worst first."""
        worst, worst_books = 0.0, []
        for market, adversary, books in zip(self.hardened, adversaries, known, strict=True):
            generator = np.random.default_rng(seed)
            ratio = market.terms.compute_full(market.books) / compute_margin(
                market.terms, adversary.reduced, market.books
            )
            near = np.argsort(-ratio, kind="stable")[: starts // 4]
            drawn = generator.choice(market.books.shape[1], starts - len(near), replace=False)
            begins = [*books, *market.books[:, [*near, *drawn]].T]
            results = sorted((adversary.climb(book) for book in begins), key=lambda result: -result[1])
            worst = max(worst, results[0][1])
            worst_books.append([book for book, _ in results[:4]])
        return worst, worst_books

    def train(self) -> Trained:
        """Groups with the least multiplier, hardened."""
        searched = []
        for share in self.shares:
            groups, multiplier = self.candidate(share)
            worst_books: list[list[np.ndarray]] = [[] for _ in self.hardened]
            worst, worst_books = self.attack(
                self.adversaries(groups, multiplier), self.starts // 2, self.seed, worst_books
            )
            hard = multiplier * max(1.0, worst)
            self.say(f"{self.rows} rows, share {share}: multiplier {multiplier:.4f}, {hard:.4f} after a first search")
            searched.append((hard, groups, multiplier, worst_books))
        hard, groups, trained, worst_books = min(searched, key=lambda search: search[0])
        multiplier, rounds = min(hard, self.most), []
        adversaries = self.adversaries(groups, multiplier)
        for step in range(ROUNDS):
            worst, worst_books = self.attack(adversaries, self.starts, self.seed + 1 + step, worst_books)
            rounds.append(worst)
            self.say(f"{self.rows} rows, round {step + 1}: multiplier {multiplier:.4f}, worst ratio {worst:.4f}")
            if worst <= 1.0 or multiplier >= self.most:
                break
            multiplier = min(multiplier * (1.0 + OVERSHOOT * (worst - 1.0) + LEAST_RISE), self.most)
            for adversary in adversaries:
                adversary.raise_multiplier(multiplier)
        return Trained(groups, trained, multiplier, tuple(rounds))


def fit_multiplier(
    losses: list[np.ndarray],
    charges: list[np.ndarray],
    grids: list[np.ndarray],
    groups: np.ndarray,
    day_weights: np.ndarray,
    tail: int,
) -> float:
    """The family's least multiplier, times `MARGIN`, for given groups and weights of days; per market losses (days, F),
    charges (F,) and requirements of the grid (F,)."""
    needed = 1.0
    for lost, charge, grid in zip(losses, charges, grids, strict=True):
        full = expected_shortfall(lost, day_weights, tail)
        merged = merge_days(lost, groups, day_weights)
        reduced = expected_shortfall(merged, cut_weights(groups, tail, day_weights).astype(np.int64), tail)
        short = charge + grid < full
        needed = max(needed, least_multiplier(full[short], reduced[short], charge[short]))
    return needed * MARGIN
