"""`python -m scripts.adversary`: how much an accepted portfolio can lose in a move that is in no row of the policy.

A policy is a linear programme, so the worst accepted portfolio for a given move is one too: maximise the loss over
positions, subject to the policy's rows at an equity of one million dollars. Positions are real numbers here, and every
listed derivative may be held without limit of liquidity. The result is a figure for the documentation
(docs/models.md), not a check: it says what the model leaves out.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from scipy.optimize import linprog

from engine.compiler import build_policies
from engine.market import MarketSnapshot, load_snapshot
from engine.policy import Policy
from engine.pricing import price_per_lot
from scripts import console

EQUITY_USD6 = 10**12
USD6 = 1e6
DAYS_PER_YEAR = 365
LEVELS = ("initial", "maintenance")


def name_moves(snapshot: MarketSnapshot) -> Iterator[tuple[str, np.ndarray]]:
    """Moves by name, as change in value of one lot of each slot, US dollars, shape (N,)."""
    listing, base = snapshot.listing, price_per_lot(snapshot)
    is_btc, is_eth = listing.underlying == 0, listing.underlying == 1
    days = snapshot.years * DAYS_PER_YEAR

    def revalue(
        btc: float = 0.0, eth: float = 0.0, volatility: np.ndarray | float = 1.0, after: float = 0.0
    ) -> np.ndarray:
        moved = price_per_lot(
            snapshot,
            forward_shift=np.where(is_btc, btc, 0.0) + np.where(is_eth, eth, 0.0),
            volatility=snapshot.volatility * volatility,
            time_shift=after / DAYS_PER_YEAR,
        )
        return moved - base

    for move in (-0.30, -0.25, -0.20, -0.10, 0.10, 0.20, 0.25, 0.50):
        yield f"BTC {move:+.0%}", revalue(btc=move)
    yield "BTC -16 %, ETH +18 %", revalue(btc=-0.16, eth=0.18)
    yield "one day passes", revalue(after=1)
    yield "two days pass", revalue(after=2)
    yield "volatility below 30 days +30 %", revalue(volatility=np.where(days < 30, 1.3, 1.0))
    yield "volatility beyond 60 days +10 %", revalue(volatility=np.where(days >= 60, 1.1, 1.0))
    is_dated = np.array([item is not None and item.kind == "future" for item in listing.instruments])
    yield "dated futures +3 % alone", np.where(is_dated, 0.03 * base, 0.0)


def find_worst_loss(policy: Policy, snapshot: MarketSnapshot, change: np.ndarray) -> float:
    """Largest loss of a portfolio that meets `policy`, as a multiple of its equity.

    Parameters
    ----------
    change : ndarray
        (N,) change in value of one lot, US dollars.

    Returns
    -------
    float
        Infinite if the policy bounds nothing in that direction.
    """
    slots = np.flatnonzero(snapshot.listing.is_listed & ~snapshot.listing.is_collateral)
    count, helpers = len(slots), policy.preset.helpers
    priced = np.flatnonzero(policy.priced)
    price = price_per_lot(snapshot)[slots] * USD6
    # columns: lots held, lots owed, helpers, excess
    own = policy.positions[:, slots] - policy.cash[:, None] * price[None, :]
    rates = policy.charges @ np.hstack([policy.rate_long[:, slots], policy.rate_short[:, slots]])
    excess = policy.excess_total[:, None] * policy.weights[priced][None, :].astype(float)
    excess[priced, np.arange(len(priced))] += 1.0
    matrix = np.hstack([np.hstack([own, -own]) + rates, policy.helpers, excess])
    free = np.array([float(constant) for constant in policy.constants]) + policy.cash * EQUITY_USD6
    scale = 1e-6
    cost = np.concatenate([change[slots], -change[slots], np.zeros(helpers + len(priced))])
    unit = np.concatenate([np.ones(2 * count), np.full(helpers + len(priced), 1 / scale)])
    result = linprog(cost, A_ub=-matrix * unit * scale, b_ub=free * scale, bounds=(0, None), method="highs")
    if result.status == 3:
        return float("inf")
    if result.status != 0:
        raise RuntimeError(f"the linear programme ended with: {result.message}")
    return -float(result.fun) * USD6 / EQUITY_USD6


def measure(snapshot: MarketSnapshot) -> dict[str, dict[str, float]]:
    """Worst loss per move and level, as a multiple of equity."""
    policies = build_policies(snapshot)
    with console.show_steps(len(list(name_moves(snapshot)))) as steps:
        found = {}
        for name, change in name_moves(snapshot):
            steps.start(name)
            found[name] = {level: round(find_worst_loss(policies[level], snapshot, change), 2) for level in LEVELS}
            steps.done()
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog="example: python -m scripts.adversary --json")
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
