"""Measure what an observer of a venue's chain learns of hidden books: its advantage over guessing.

    python -m zkmargin.scripts.measure.privacy --output costs/privacy.json

Simulated venues of accounts whose books are secret: long or short (the sign of their delta), and of options mostly or
of linear instruments alone. Prices are recorded closes of BTC and ETH, margin is the house's at each day's prices, and
owners act as their margin and their habits have it. What reaches the observer is an `Observation`: of each account the
first deposit, deposits and withdrawals by day and amount, the policy attested on each day or that none was, and the
number of its trades. Of its books, cash and margin there is nothing in it, nor of the other party of a trade.

The observer has the prices too, and more than it has in life: it knows the truth about the accounts of all other
venues, and trains on them. Its advantage is the share of a venue's accounts that it names rightly, less one half, as
both classes are as large; the interval is a bootstrap over venues. Two controls stand beside: an observation into which
the direction is leaked must give it away, and labels that are shuffled must give nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zkmargin.engine.backtest.history import load_history
from zkmargin.engine.house import House
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.batch import BatchModel, compute_batch, read_batch_model
from zkmargin.engine.presets import get_preset
from zkmargin.engine.simulation.statistics import Bootstrap
from zkmargin.engine.units import USD6
from zkmargin.scripts.cli import console
from zkmargin.scripts.measure.output import add_output, write_document

MARKET, SEED = "deribit_2026-08-22", 14
VENUES, ACCOUNTS, DAYS = 16, 60, 40
MEDIAN_USD, SPREAD = 200_000.0, 1.0
"""Of the books' delta: median in US dollars, standard deviation of its logarithm."""
LATE = 0.3
"""Probability that an owner who should add margin does so a day later only."""
DRIFT = 0.15
"""Share of its first delta by which a book of options may drift before its owner hedges."""
TRIMS, TRIM = 0.2, 0.1
"""Mean trades a day by which an owner without options changes its position, and by which share at most."""
TAKING = 1 / 3
"""Probability that an owner who has an excess takes half of it on a day."""
WEEK = 7
STEP_USD = 100.0
"""Amounts that owners move are whole multiples of this."""
CONFIDENT = 0.1
"""Share of accounts that the observer is surest of."""
LAGS = 3
"""Days after a move within which flows are compared with it."""
NONE, MAINTENANCE, INITIAL = 0, 1, 2
"""What an account attested on a day."""


@dataclass(frozen=True)
class Habits:
    """How owners run their margin; amounts as multiples of the book's requirement."""

    about: str
    buffer: tuple[float, float] = (1.3, 3.0)
    """Range from which each owner draws the equity to begin with, of the initial requirement."""
    call: float = 1.2
    """Of the maintenance requirement: an owner whose equity is below adds margin."""
    rich: float = 3.5
    """Of the initial requirement: an owner whose equity is above withdraws half of the excess, some day."""
    highest: int = INITIAL
    """The highest policy that anybody attests."""
    weekly: bool = False
    """Whether owners move money on one day of the week alone, in multiples of 10,000 US dollars, and otherwise only
    where maintenance is missed."""


HABITS: Mapping[str, Habits] = {
    "usual": Habits("margin is added when it is short, profits are withdrawn, the highest policy is attested"),
    "maintenance": Habits("as usual, but nobody attests more than maintenance", highest=MAINTENANCE),
    "weekly": Habits(
        "maintenance alone is attested; flows once a week, in multiples of 10,000 USD", highest=MAINTENANCE, weekly=True
    ),
    "wide": Habits(
        "accounts hold 6 to 10 times the requirement and withdraw nothing",
        buffer=(6.0, 10.0),
        rich=np.inf,
        highest=MAINTENANCE,
    ),
}
"""By name; the first is the reference."""


@dataclass(frozen=True, eq=False)
class Books:
    """What is hidden. Arrays by account."""

    positions: np.ndarray
    """(A, N) lots, floats."""
    is_long: np.ndarray
    """(A,) whether the delta is positive."""
    has_options: np.ndarray
    """(A,) whether the book is one of options."""
    hedge: np.ndarray
    """(A,) slot of the perpetual of the book's coin."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What the chain shows of a venue's accounts, and the prices that everybody knows."""

    opening: np.ndarray
    """(A,) first deposit, US dollars."""
    deposits: np.ndarray
    """(T, A) US dollars by day."""
    withdrawals: np.ndarray
    """(T, A) US dollars by day."""
    attested: np.ndarray
    """(T, A) `NONE`, `MAINTENANCE` or `INITIAL`: a refused attestation is one that does not appear."""
    trades: np.ndarray
    """(T, A) settled trades by day."""
    returns: np.ndarray
    """(T, coins) relative price moves."""


# ---------------------------------------------------------------------------------------------------------- simulation
@lru_cache(maxsize=1)
def get_market() -> MarketSnapshot:
    """The listing that all venues trade, at the day of its record."""
    return to_preset(load_snapshot(MARKET), get_preset("mini"))


def draw_returns(generator: np.random.Generator, days: int) -> np.ndarray:
    """(T, coins) relative moves of consecutive recorded days, from a random day on."""
    segments = [segment.closes for segment in load_history().segments if len(segment.closes) > days]
    closes = segments[generator.choice(len(segments), p=_normalise([len(item) - days for item in segments]))]
    start = generator.integers(0, len(closes) - days)
    window = closes[start : start + days + 1]
    return np.asarray(window[1:] / window[:-1] - 1.0)


def _normalise(weights: Sequence[int]) -> np.ndarray:
    return np.asarray(weights, dtype=float) / sum(weights)


def draw_books(generator: np.random.Generator, accounts: int) -> Books:
    """Books of all four kinds in equal numbers, in random order; the accounts' number is a multiple of 4.

    A book is of one coin. One of options buys or writes three of the coin's options in the direction of its delta, and
    hedges up to half of the delta in the perpetual; one without holds perpetual and future.
    """
    snapshot = get_market()
    listing, exposures = snapshot.listing, House(snapshot).exposures
    order = generator.permutation(accounts)
    is_long, has_options = order % 2 == 0, order // 2 % 2 == 0
    positions, hedge = np.zeros((accounts, listing.preset.slots)), np.zeros(accounts, dtype=int)
    coins = list(listing.preset.coins.values())
    for account in range(accounts):
        own = coins[generator.integers(len(coins))]
        kinds = listing.kind[own.start : own.stop]
        options = own.start + np.flatnonzero(kinds == KIND_CODES[InstrumentKind.OPTION])
        linear = own.start + np.flatnonzero(
            np.isin(kinds, [KIND_CODES[InstrumentKind.PERPETUAL], KIND_CODES[InstrumentKind.FUTURE]])
        )
        hedge[account] = own.start + np.flatnonzero(kinds == KIND_CODES[InstrumentKind.PERPETUAL])[0]
        sign = 1.0 if is_long[account] else -1.0
        delta = MEDIAN_USD * np.exp(SPREAD * generator.standard_normal())
        chosen = generator.choice(options, 3, replace=False) if has_options[account] else linear
        shares = generator.dirichlet(np.ones(len(chosen)))
        positions[account, chosen] = np.rint(sign * shares * delta / exposures[chosen])
        if has_options[account]:
            kept = generator.uniform(0.0, 0.5) * positions[account] @ exposures / exposures[hedge[account]]
            positions[account, hedge[account]] -= np.rint(kept)
    return Books(positions, is_long, has_options, hedge)


@dataclass(frozen=True, eq=False)
class Day:
    """What margin is computed with on one day."""

    prices: np.ndarray
    """(N,) US dollars a lot."""
    exposures: np.ndarray
    """(N,) delta of a lot in US dollars."""
    models: tuple[BatchModel, BatchModel]
    """Initial and maintenance policy."""

    @classmethod
    def make(cls, snapshot: MarketSnapshot) -> Day:
        """The day at a market."""
        house = House(snapshot)
        models = [read_batch_model(house.build_policy(level)) for level in LEVELS]
        return cls(house.prices, house.exposures, (models[0], models[1]))

    def require(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(A,) initial and maintenance requirement of books, US dollars."""
        cash = np.zeros(len(positions))
        initial, maintenance = (compute_batch(model, positions, cash).requirement / USD6 for model in self.models)
        return initial, maintenance


def simulate(
    seed: int, habits: Mapping[str, Habits] = HABITS, accounts: int = ACCOUNTS, days: int = DAYS
) -> tuple[Books, dict[str, Observation]]:
    """One venue: its hidden books, and what the chain shows of them where owners have these habits or those.

    Books, prices and the owners' draws are the seed's alone, so that habits are compared on the same ones.
    """
    generator = np.random.default_rng(seed)
    returns, books = draw_returns(generator, days), draw_books(generator, accounts)
    path = [Day.make(get_market()), *_move_along(get_market(), returns)]
    return books, {
        name: _Venue(books, each, path[0], np.random.default_rng(seed)).run(path[1:], returns)
        for name, each in habits.items()
    }


class _Venue:
    """The accounts of a venue, day by day."""

    def __init__(self, books: Books, habits: Habits, first: Day, generator: np.random.Generator):
        self.books, self.habits, self.draw = books, habits, generator
        self.positions, self.delta = books.positions.copy(), books.positions @ first.exposures
        required, _ = first.require(self.positions)
        self.opening = self._round_up(self.draw.uniform(*habits.buffer, len(required)) * required)
        self.target = self.opening / required
        self.cash = self.opening - self.positions @ first.prices

    @property
    def _step(self) -> float:
        return 100 * STEP_USD if self.habits.weekly else STEP_USD

    def _round_up(self, amount: np.ndarray) -> np.ndarray:
        return np.asarray(np.ceil(np.maximum(amount, 0.0) / self._step) * self._step)

    def run(self, path: Sequence[Day], returns: np.ndarray) -> Observation:
        """What everybody does on each day, and what is seen of it."""
        days = [self._live(number, day) for number, day in enumerate(path)]
        deposits, withdrawals, attested, trades = (np.array(column) for column in zip(*days, strict=True))
        return Observation(self.opening, deposits, withdrawals, attested, trades, returns)

    def _live(self, number: int, day: Day) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Deposits, withdrawals, attested policies and trades of one day."""
        trades = self._trade(day)
        equity = self.cash + self.positions @ day.prices
        initial, maintenance = day.require(self.positions)
        deposits = self._add_margin(number, equity, initial, maintenance)
        withdrawals = self._withdraw(number, equity + deposits, initial)
        self.cash += deposits - withdrawals
        equity = equity + deposits - withdrawals
        attested = np.select([equity >= initial, equity >= maintenance], [INITIAL, MAINTENANCE], NONE)
        return deposits, withdrawals, np.minimum(attested, self.habits.highest), trades

    def _trade(self, day: Day) -> np.ndarray:
        """Books of options hedge where their delta has drifted; the others change size now and then."""
        accounts, hedge = np.arange(len(self.cash)), self.books.hedge
        drift = self.positions @ day.exposures - self.delta
        hedges = np.where(np.abs(drift) > DRIFT * np.abs(self.delta), np.rint(-drift / day.exposures[hedge]), 0.0)
        trims = self.draw.poisson(TRIMS, len(self.cash))
        share = self.draw.uniform(-TRIM, TRIM, len(self.cash))
        trimmed = np.where(trims > 0, np.rint(share * self.positions[accounts, hedge]), 0.0)
        lots = np.where(self.books.has_options, hedges, trimmed)
        self.positions[accounts, hedge] += lots
        self.cash -= lots * day.prices[hedge]
        return np.where(self.books.has_options, hedges != 0, trims).astype(int)

    def _add_margin(self, number: int, equity: np.ndarray, initial: np.ndarray, maintenance: np.ndarray) -> np.ndarray:
        is_awake = self.draw.random(len(equity)) >= LATE
        if self.habits.weekly:
            is_awake &= (number % WEEK == WEEK - 1) | (equity < maintenance)
        acts = is_awake & (equity < self.habits.call * maintenance)
        return np.where(acts, self._round_up(self.target * initial - equity), 0.0)

    def _withdraw(self, number: int, equity: np.ndarray, initial: np.ndarray) -> np.ndarray:
        draws = self.draw.random(len(equity)) < TAKING
        is_day = np.full(len(equity), number % WEEK == WEEK - 1) if self.habits.weekly else draws
        excess = np.where(is_day, equity - self.habits.rich * initial, 0.0)
        return np.asarray(np.floor(np.maximum(excess, 0.0) / 2 / self._step) * self._step)


def _move_along(snapshot: MarketSnapshot, returns: np.ndarray) -> Iterator[Day]:
    """Each day: index and forwards have moved, all else is as it was."""
    coins = list(snapshot.listing.preset.coins)
    for level in np.cumprod(1.0 + returns, axis=0):
        index = {coin: snapshot.index[coin] * level[number] for number, coin in enumerate(coins)}
        forward = snapshot.forward * level[snapshot.listing.underlying]
        yield Day.make(replace(snapshot, index=index, forward=forward))


# ------------------------------------------------------------------------------------------------------------ observer
def compute_features(seen: Observation) -> np.ndarray:
    """(A, F) what the observer makes of each account: amounts relative to its first deposit, and how its flows, missing
    and lowered attestations and trades go with the prices of the days before."""
    scale = np.maximum(seen.opening, 1.0)
    flows = np.stack([seen.deposits / scale, seen.withdrawals / scale, seen.deposits > 0, seen.withdrawals > 0])
    marks = np.stack([seen.attested == NONE, seen.attested == MAINTENANCE, seen.trades > 0])
    daily = np.concatenate([flows, marks]).astype(float)
    columns = [np.log(scale), *daily.sum(axis=1), seen.trades.sum(axis=0)]
    for moves in (*seen.returns.T, seen.returns.mean(axis=1)):
        for lag in range(LAGS):
            past = np.concatenate([np.zeros(lag), np.cumsum(moves)])[: len(moves)]
            trailing = np.cumsum(moves) - np.concatenate([np.zeros(lag + 1), np.cumsum(moves)])[: len(moves)]
            columns += [*np.einsum("t,fta->fa", past, daily), *np.einsum("t,fta->fa", trailing, daily)]
        columns += [*np.einsum("t,fta->fa", np.abs(moves), daily)]
    return np.column_stack(columns)


CLASSIFIERS: Mapping[str, Callable[[], Any]] = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2_000)),
    "forest": lambda: RandomForestClassifier(100, min_samples_leaf=3, random_state=SEED, n_jobs=1),
}
FOLDS = 5


def classify(features: Sequence[np.ndarray], labels: Sequence[np.ndarray], make: Callable[[], Any]) -> np.ndarray:
    """(V, A) the observer's probability that an account's label is true, from a classifier trained on other venues."""
    guesses = np.zeros((len(features), len(labels[0])))
    for fold in range(min(FOLDS, len(features))):
        held = [venue for venue in range(len(features)) if venue % FOLDS == fold]
        others = [venue for venue in range(len(features)) if venue % FOLDS != fold]
        trained = make().fit(
            np.concatenate([features[venue] for venue in others]), np.concatenate([labels[venue] for venue in others])
        )
        for venue in held:
            guesses[venue] = trained.predict_proba(features[venue])[:, 1]
    return guesses


def compute_advantage(guesses: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Share of right guesses less one half, with its interval: of all accounts, and of those that the observer is
    surest of in each venue."""
    right = (guesses >= 0.5) == labels
    surest = np.argsort(-np.abs(guesses - 0.5), axis=1)[:, : max(1, round(CONFIDENT * right.shape[1]))]
    bootstrap = Bootstrap(len(right))
    values = {"all": right.mean(axis=1), "surest": np.take_along_axis(right, surest, axis=1).mean(axis=1)}
    return {
        name: {key: round(value, 4) for key, value in bootstrap.get_interval(each - 0.5).to_document().items()}
        for name, each in values.items()
    }


QUESTIONS: Mapping[str, Callable[[Books], np.ndarray]] = {
    "direction": lambda books: books.is_long,
    "options": lambda books: books.has_options,
}
"""What the observer wants to know of each account."""


def attack(venues: Sequence[tuple[Books, Observation]], questions: Iterable[str] = QUESTIONS) -> dict[str, Any]:
    """The observer's advantage by question and classifier."""
    features = [compute_features(seen) for _, seen in venues]
    found: dict[str, Any] = {}
    for question in questions:
        labels = [QUESTIONS[question](books) for books, _ in venues]
        found[question] = {
            name: compute_advantage(classify(features, labels, make), np.array(labels))
            for name, make in CLASSIFIERS.items()
        }
    return found


# ------------------------------------------------------------------------------------------------------------ controls
def leak(venue: tuple[Books, Observation]) -> tuple[Books, Observation]:
    """The venue with its directions in sight: whoever is long opens with more."""
    books, seen = venue
    return books, replace(seen, opening=np.where(books.is_long, 1e9, 1e3))


def shuffle(venue: tuple[Books, Observation], seed: int) -> tuple[Books, Observation]:
    """The venue with its labels dealt out anew."""
    books, seen = venue
    order = np.random.default_rng(seed).permutation(len(books.is_long))
    return replace(books, is_long=books.is_long[order], has_options=books.has_options[order]), seen


def measure(venues: int, accounts: int, days: int, steps: console.Steps) -> dict[str, Any]:
    """Advantages under all habits, and the two controls on the first."""
    steps.start("venues")
    simulated = [simulate(SEED * 1_000 + venue, HABITS, accounts, days) for venue in range(venues)]
    steps.done()
    found: dict[str, Any] = {}
    for name, habits in HABITS.items():
        steps.start(f"habits: {name}")
        seen = [(books, observations[name]) for books, observations in simulated]
        found[name] = {"about": habits.about, **describe(seen), **attack(seen)}
        steps.done()
    reference = [(books, observations[next(iter(HABITS))]) for books, observations in simulated]
    steps.start("controls")
    controls = {
        "leaked": attack([leak(venue) for venue in reference], ["direction"]),
        "shuffled": attack([shuffle(venue, seed) for seed, venue in enumerate(reference)]),
    }
    steps.done()
    return {"seed": SEED, "venues": venues, "accounts": accounts, "days": days, "habits": found, "controls": controls}


def describe(venues: Sequence[tuple[Books, Observation]]) -> dict[str, float]:
    """How much there was to see: figures an account, over all days."""
    seen = [observation for _, observation in venues]
    figures = {
        "deposits": np.mean([(item.deposits > 0).sum(axis=0).mean() for item in seen]),
        "withdrawals": np.mean([(item.withdrawals > 0).sum(axis=0).mean() for item in seen]),
        "days_without_attestation": np.mean([(item.attested == NONE).sum(axis=0).mean() for item in seen]),
        "trades": np.mean([item.trades.sum(axis=0).mean() for item in seen]),
    }
    return {name: round(float(value), 2) for name, value in figures.items()}


def main(arguments: list[str] | None = None) -> None:
    """Measure, write the document where asked, and print the advantages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venues", type=int, default=VENUES)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="of a venue; a multiple of 4")
    parser.add_argument("--days", type=int, default=DAYS)
    add_output(parser)
    options = parser.parse_args(arguments)
    with console.show_steps(len(HABITS) + 2) as steps:
        document = measure(options.venues, options.accounts, options.days, steps)
    command = "python -m zkmargin.scripts.measure.privacy --output costs/privacy.json"
    if options.output is not None:
        write_document({"command": command, **document}, options.output)
    console.print_json(document)


if __name__ == "__main__":
    main()
