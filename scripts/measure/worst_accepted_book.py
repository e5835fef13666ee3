"""How much an accepted portfolio can lose in a move that is in no row of the policy.

    python -m zkmargin.scripts.measure.worst_accepted_book

A policy is a linear programme, so the worst accepted portfolio for a given move is one too: maximise the loss over
positions, subject to the policy's rows at an equity of one million dollars. Positions are real numbers here, and every
listed derivative may be held without limit of liquidity. The result is a figure for the documentation
(docs/models.md), not a check: it says what the model leaves out.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.shocks import scale_by_tenor
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.linear_programme import Programme, ProgrammeFailed, minimise
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import DAYS_PER_YEAR
from zkmargin.scripts.cli import console

EQUITY = 1e6
"""US dollars."""
LEVELS = ("initial", "maintenance")


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
        return priced - self.base

    def scale_volatility(self, share: float) -> np.ndarray:
        """(N,) factor of the volatilities at a share of the grid's move, negative for down."""
        parameters, scale = load_parameters(), scale_by_tenor(self.snapshot, load_parameters())
        moves = parameters.volatility_up if share > 0 else parameters.volatility_down
        by_coin = np.array([moves[coin] for coin in Coin])[self.snapshot.listing.underlying]
        return np.maximum(1.0 + share * by_coin * scale, 0.0)


def name_moves(snapshot: MarketSnapshot) -> Iterator[tuple[str, np.ndarray]]:
    """Moves by name, as change in value of one lot of each slot, US dollars, shape (N,)."""
    market = RevaluedMarket(snapshot)
    change, days, years = market.change, market.days, market.years
    up, down = market.scale_volatility(0.5), market.scale_volatility(-0.5)

    for move in (-0.10, -0.06, -0.02, 0.02, 0.06, 0.10):
        yield f"BTC {move:+.0%}", change(btc=move)
    yield "ETH -10%", change(eth=-0.10)
    yield "BTC -10 %, ETH -11 %", change(btc=-0.10, eth=-0.1125)
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
    yield "BTC -16 %, ETH +18 %", change(btc=-0.16, eth=0.18)
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


def measure(snapshot: MarketSnapshot) -> dict[str, dict[str, float]]:
    """Worst loss per move and level, as a multiple of equity."""
    policies = HouseModel(snapshot).policies
    moves = dict(name_moves(snapshot))
    with console.show_steps(len(moves)) as steps:
        found = {}
        for name, change in moves.items():
            steps.start(name)
            found[name] = {level: round(find_worst_loss(policies[level], snapshot, change), 2) for level in LEVELS}
            steps.done()
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python -m zkmargin.scripts.measure.worst_accepted_book --json"
    )
    parser.add_argument("--market", default="deribit_2026-08-22", help="a shipped market's name or a JSON file's path")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    chosen = parser.parse_args()
    found = measure(load_snapshot(chosen.market))
    if chosen.json:
        console.print_json(found)
        return
    rows = [(name, *(f"{row[level]:.2f}" for level in LEVELS)) for name, row in found.items()]
    console.out.print(console.make_table("Worst loss as a multiple of equity", ("move", *LEVELS), rows, right=(1, 2)))


if __name__ == "__main__":
    main()
