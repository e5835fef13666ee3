"""How much an accepted portfolio can lose in a move that is in no row of the policy.

    python -m zkmargin.scripts.measure.worst_accepted_book --output costs/worst_accepted_book.json

A policy is a linear programme, so the worst accepted portfolio for a given move is one too: maximise the loss over
positions, subject to the policy's rows at an equity of one million dollars. Positions are real numbers here, and every
listed derivative may be held without limit of liquidity. The result is a figure for the documentation
(docs/models.md), not a check: it says what the model leaves out.

Moves are those of the document, and paths through the next settlements: what expires within a day settles at one price,
what expires within two at another, and all else stands at a third when the margin period has passed. Paths are taken
over a mesh of the three prices, and for each move of the document with the settlements at today's price. `--later` lets
days pass before, with prices and volatilities as they are: a listing gets nearer to its settlements while it is in use.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import numpy as np

from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS, load_parameters
from zkmargin.engine.margin.shocks import find_settling_day, scale_by_tenor
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.linear_programme import Programme, ProgrammeFailed, minimise
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR, SECONDS_PER_DAY
from zkmargin.scripts.cli import console
from zkmargin.scripts.measure.output import add_output, write_document

EQUITY = 1e6
"""US dollars."""
DEFAULT_CASES = (("deribit_2026-08-22", 0.0), ("deribit_2026-08-22", 0.7), ("deribit_2026-02-05", 0.0))
"""Markets of the document, and days later: after 0.7 of them two expiries of each coin settle within the period."""
MESHES = {1: (0.0, 0.15, 0.25, 0.375, 0.6, 0.75, 1.0), 2: (0.0, 0.25, 0.6, 1.0)}
"""Moves of a coin's price, of either sign, at the settlements and at the end, in units of its range, by number of
settlements."""
LARGEST_STEP = 1.0
"""Farthest that the price moves between two of these moments, in units of the range."""
SHOWN_PATHS = 12
"""Paths that are kept, the worst ones."""


class RevaluedMarket:
    """One snapshot, revalued.

    Parameters
    ----------
    snapshot : MarketSnapshot
    """

    def __init__(self, snapshot: MarketSnapshot):
        listing = snapshot.listing
        self.snapshot, self.base = snapshot, price_per_lot(snapshot)
        self.is_coin = [listing.underlying == place for place in range(len(Coin))]
        self.is_future = listing.kind == KIND_CODES[InstrumentKind.FUTURE]
        self.is_dated = listing.is_option | self.is_future
        self.years = np.where(self.is_dated, snapshot.years, 0.0)
        self.days = self.years * DAYS_PER_YEAR

    def change(
        self,
        btc: float = 0.0,
        eth: float = 0.0,
        volatility: np.ndarray | float = 1.0,
        after: float = 0.0,
        basis: np.ndarray | float = 0.0,
    ) -> np.ndarray:
        """(N,) change in value of one lot, US dollars.

        Parameters
        ----------
        btc, eth : float
            Relative price moves.
        volatility : ndarray or float
            Factor of the volatilities, scalar or (N,).
        after : float
            Days that pass.
        basis : ndarray or float
            Relative change of dated forwards on top.
        """
        moved = 1.0 + np.where(self.is_coin[0], btc, 0.0) + np.where(self.is_coin[1], eth, 0.0)
        priced = price_per_lot(
            self.snapshot,
            forward_shift=moved * (1.0 + np.where(self.is_dated, basis, 0.0)) - 1.0,
            volatility=self.snapshot.volatility * volatility,
            time_shift=after / DAYS_PER_YEAR,
        )
        change: np.ndarray = priced - self.base
        return change

    @cached_property
    def settling_day(self) -> np.ndarray:
        """(N,) as `find_settling_day`, for the margin period."""
        return find_settling_day(self.snapshot, load_parameters().time_days)

    @cached_property
    def days_with_settlement(self) -> list[int]:
        """0 if something settles within a day, 1 if something does within two."""
        return sorted(set(self.settling_day[self.settling_day >= 0].tolist()))

    def settle_then_move(self, coin: Coin, settlements: Mapping[int, float], after: float) -> np.ndarray:
        """(N,) change in value of one lot when the margin period has passed: what settles on a day of `settlements`
        does so when the coin's price has moved by so much, all else is worth what it is after a move by `after`."""
        name, days = coin.lower(), load_parameters().time_days
        change = self.change(**{name: after}, after=days)
        for day, move in settlements.items():
            change = np.where(self.settling_day == day, self.change(**{name: move}, after=days), change)
        return change

    def settle(self, change: np.ndarray) -> np.ndarray:
        """(N,) a change in value (N,), but for what settles within the margin period at today's price."""
        return np.where(self.settling_day >= 0, self.change(after=load_parameters().time_days), change)

    def scale_volatility(self, share: float) -> np.ndarray:
        """(N,) factor of the volatilities at a share of the grid's move, negative for down."""
        parameters, scale = load_parameters(), scale_by_tenor(self.snapshot, load_parameters())
        moves = parameters.volatility_up if share > 0 else parameters.volatility_down
        by_coin = np.array([moves[coin] for coin in Coin])[self.snapshot.listing.underlying]
        factor: np.ndarray = np.maximum(1.0 + share * by_coin * scale, 0.0)
        return factor


def name_moves(snapshot: MarketSnapshot) -> Iterator[tuple[str, np.ndarray]]:
    """Moves by name, as change in value of one lot of each slot, US dollars, shape (N,)."""
    market = RevaluedMarket(snapshot)
    change, days, years = market.change, market.days, market.years
    up, down = market.scale_volatility(0.5), market.scale_volatility(-0.5)

    for move in (-0.10, -0.06, -0.02, 0.02, 0.06, 0.10):
        yield f"BTC {move:+.0%}", change(btc=move)
    yield "ETH -10%", change(eth=-0.10)
    yield "BTC -10 %, ETH -14 %", change(btc=-0.10, eth=-0.1375)
    yield "BTC -10 %, volatility half up", change(btc=-0.10, volatility=up)
    yield "BTC +6 %, volatility half up", change(btc=0.06, volatility=up)
    yield "BTC -10 %, volatility half down", change(btc=-0.10, volatility=down)
    yield "BTC +10 %, volatility half down", change(btc=0.10, volatility=down)
    yield "BTC -4 %, volatility down", change(btc=-0.04, volatility=market.scale_volatility(-1.0))
    yield "BTC -12 %, volatility up", change(btc=-0.12, volatility=market.scale_volatility(1.0))
    yield "BTC -16 %, ETH unchanged", change(btc=-0.16)
    yield "volatility half up", change(volatility=up)
    yield "volatility half down", change(volatility=down)
    for after, name in ((0.5, "half a day passes"), (1.0, "one day passes"), (2.0, "two days pass")):
        yield name, change(after=after)
    for move in (-0.05, 0.05):
        yield f"one day passes, BTC {move:+.0%}", change(btc=move, after=1)
    yield "one day passes, volatility half down", change(volatility=down, after=1)
    yield "one day passes, volatility half up", change(volatility=up, after=1)
    for move in (-0.30, -0.25, -0.20, 0.20, 0.25, 0.30, 0.50):
        yield f"BTC {move:+.0%}", change(btc=move)
    for move in (-0.30, 0.30, 0.50):
        yield f"BTC {move:+.0%}, volatility up", change(btc=move, volatility=market.scale_volatility(1.0))
    yield "BTC -16 %, ETH +22 %", change(btc=-0.16, eth=0.22)
    yield "all volatilities +25 %", change(volatility=1.25)
    for name, where, factor in (
        ("below 7 days +30 %", days < 7, 1.3),
        ("below 30 days +30 %", days < 30, 1.3),
        ("below 30 days -20 %", days < 30, 0.8),
        ("14 to 60 days +10 %", (days > 14) & (days < 60), 1.1),
        ("beyond 60 days +10 %", days >= 60, 1.1),
        ("beyond 60 days -10 %", days >= 60, 0.9),
    ):
        yield f"volatility {name}", change(volatility=np.where(where, factor, 1.0))
    yield "dated forwards +1 %", change(basis=0.01)
    for rate in (-0.05, 0.05, 0.10):
        yield f"dated forwards {rate:+.0%} a year", change(basis=np.expm1(rate * years))
    yield "dated forwards +3 %", change(basis=0.03)
    yield "dated futures +3 %, options not", np.where(market.is_future, 0.03 * market.base, 0.0)


def name_expiry_paths(snapshot: MarketSnapshot) -> Iterator[tuple[str, np.ndarray]]:
    """Paths through the next settlements by name, as `name_moves`; none where nothing settles within the period."""
    market, ranges = RevaluedMarket(snapshot), load_parameters().price_range
    days = market.days_with_settlement
    if not days:
        return
    mesh = sorted({sign * move for move in MESHES[len(days)] for sign in (1.0, -1.0)})
    for coin in Coin:
        for path in product(mesh, repeat=len(days) + 1):
            if max(abs(one - other) for one, other in pairwise((0.0, *path))) <= LARGEST_STEP:
                *settlements, after = (round(move * ranges[coin], 10) for move in path)
                by_day = dict(zip(days, settlements, strict=True))
                settled = ", ".join(f"{move:+.1%} within {day + 1} d" for day, move in by_day.items())
                change = market.settle_then_move(coin, by_day, after)
                yield f"{coin} settles at {settled}, then stands at {after:+.1%}", change
    for name, change in name_moves(snapshot):
        yield f"all settles at today's price, then {name}", market.settle(change)


def find_worst_book(policy: Policy, snapshot: MarketSnapshot, change: np.ndarray) -> tuple[float, np.ndarray]:
    """The portfolio that meets `policy` at an equity of one million dollars and loses most.

    Parameters
    ----------
    change : ndarray
        (N,) change in value of one lot, US dollars.

    Returns
    -------
    loss : float
        As a multiple of equity; infinite if the policy bounds nothing in that direction.
    lots : ndarray
        (N,) what the portfolio holds, real numbers; zero where the loss is infinite.

    Raises
    ------
    ProgrammeFailed
        If the solver ends without an answer.
    """
    slots = np.flatnonzero(snapshot.listing.is_listed & ~snapshot.listing.is_collateral)
    programme, price = Programme(policy, slots), price_per_lot(snapshot)[slots]
    equity = np.zeros((1, programme.size))
    equity[0, programme.long], equity[0, programme.short], equity[0, programme.cash] = price, -price, 1.0
    cost = np.zeros(programme.size)
    cost[programme.long], cost[programme.short] = change[slots], -change[slots]
    lots = np.zeros(policy.preset.slots)
    try:
        result = minimise(
            cost,
            A_ub=-programme.matrix,
            b_ub=programme.constants,
            A_eq=equity,
            b_eq=[EQUITY],
            bounds=programme.bounds,
        )
    except ProgrammeFailed as failure:
        if failure.is_unbounded:
            return float("inf"), lots
        raise
    lots[slots] = result.x[programme.long] - result.x[programme.short]
    return -float(result.fun) / EQUITY, lots


def find_worst_loss(policy: Policy, snapshot: MarketSnapshot, change: np.ndarray) -> float:
    """The loss of `find_worst_book`, as a multiple of equity."""
    return find_worst_book(policy, snapshot, change)[0]


def measure(snapshot: MarketSnapshot, moves: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Worst loss per move and level, as a multiple of equity."""
    policies = HouseModel(snapshot).policies
    with console.show_steps(len(moves)) as steps:
        found = {}
        for name, change in moves.items():
            steps.start(name)
            found[name] = {level: round(find_worst_loss(policies[level], snapshot, change), 2) for level in LEVELS}
            steps.done()
    return found


def keep_worst(paths: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """The `SHOWN_PATHS` paths that lose most at the initial level, worst first."""
    return dict(sorted(paths.items(), key=lambda path: -path[1]["initial"])[:SHOWN_PATHS])


def wait(snapshot: MarketSnapshot, days: float) -> MarketSnapshot:
    """The market some days later, with prices and volatilities as they are."""
    return replace(snapshot, time=snapshot.time + round(days * SECONDS_PER_DAY))


def measure_market(snapshot: MarketSnapshot) -> dict[str, Any]:
    """The document of one market: each move, and of the paths how many there are and the worst ones."""
    moves, paths = (measure(snapshot, dict(make(snapshot))) for make in (name_moves, name_expiry_paths))
    worst = {level: max(losses[level] for losses in (*moves.values(), *paths.values())) for level in LEVELS}
    return {"worst": worst, "moves": moves, "paths": len(paths), "worst_paths": keep_worst(paths)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m zkmargin.scripts.measure.worst_accepted_book --json"
    )
    parser.add_argument(
        "--market", nargs="+", help="shipped markets' names or JSON files' paths; those of the document"
    )
    parser.add_argument("--later", type=float, default=0.0, help="days that pass in the markets named before")
    add_output(parser)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    chosen = parser.parse_args()
    command = "python -m zkmargin.scripts.measure.worst_accepted_book --output costs/worst_accepted_book.json"
    cases = [(name, chosen.later) for name in chosen.market] if chosen.market else DEFAULT_CASES
    markets = {
        f"{name}, {days:g} d later" if days else name: measure_market(wait(load_snapshot(name), days))
        for name, days in cases
    }
    found = {"command": command, "markets": markets}
    if chosen.output is not None:
        write_document(found, chosen.output)
    if chosen.json:
        console.print_json(found)
        return
    for name, document in markets.items():
        losses = document["moves"] | document["worst_paths"]
        rows = [(move, *(f"{row[level]:.2f}" for level in LEVELS)) for move, row in losses.items()]
        title = f"{name}: worst loss as a multiple of equity"
        console.out.print(console.make_table(title, ("move", *LEVELS), rows, right=(1, 2)))


if __name__ == "__main__":
    main()
