"""`zkmargin bench engine`: the batch margin beside the bare matrix product of the same shape, pricing and one account's
certificate."""

import os
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.house import House
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.batch import KERNELS, compute_batch, read_batch_model
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.record import Policy
from zkmargin.scripts.cli import console

PAUSE = 0.05
"""Seconds between two works: threads of a matrix product go on spinning for a while, on a core that the next needs."""

MARKET, SEED = "deribit_2026-08-22", 20_260_822
THREADS = 2
STEPS = 3
"""Progress steps of `measure`, one more for each run."""
OPTIONS, SCENARIOS = 256, 66
LARGEST = 100
"""Lots of a position in the random books."""


def make_books(house: House, accounts: int, seed: int = SEED) -> tuple[np.ndarray, np.ndarray]:
    """Random accounts: positions (A, N) in lots, as floats, and cash (A,) in micro-dollars.

    Each holds 2 to 30 % of the listed derivatives, up to `LARGEST` lots on either side; every second one is hedged in
    delta with the perpetuals, since it is hedged books that the expected shortfall binds.
    """
    generator, listing = np.random.default_rng(seed), house.snapshot.listing
    slots = listing.preset.slots
    positions = generator.integers(-LARGEST, LARGEST, (accounts, slots), endpoint=True).astype(float)
    positions *= generator.random((accounts, slots)) < generator.uniform(0.02, 0.3, (accounts, 1))
    positions[:, ~listing.is_listed] = 0.0
    positions[:, list(listing.preset.collateral_slots)] = 0.0
    for own in listing.preset.coins.values():
        perpetual, exposures = own.start + 1, house.exposures[own.start : own.stop]
        delta = positions[::2, own.start : own.stop] @ exposures
        positions[::2, perpetual] -= np.rint(delta / house.exposures[perpetual])
    return positions, generator.uniform(0.0, 1e13, accounts)


def measure(runs: int, accounts: int, scheduler: str | None, steps: console.Steps) -> dict[str, object]:
    """Medians over `runs`; the works of a run follow each other, and a ratio is taken within its run."""
    steps.start("policy and random books")
    house = House(load_snapshot(MARKET))
    policy = house.build_policy("initial")
    model, bare = read_batch_model(policy), read_batch_model(policy, without_shortfall=True)
    positions, cash = make_books(house, accounts)
    short = positions.astype(np.int32)
    dense = np.random.default_rng(SEED).integers(-LARGEST, LARGEST, positions.shape, endpoint=True).astype(float)
    matrix = np.ascontiguousarray(policy.positions.T, dtype=float)
    product = np.empty((accounts, policy.preset.rows))
    result = compute_batch(model, positions, cash)
    works: dict[str, Callable[[], object]] = {
        "matmul": lambda: np.matmul(positions, matrix, out=product),
        "batch": lambda: compute_batch(model, positions, cash, workers=THREADS),
        "batch_int32": lambda: compute_batch(model, short, cash, workers=THREADS),
        "batch_dense": lambda: compute_batch(model, dense, cash, workers=THREADS),
        "batch_without_shortfall": lambda: compute_batch(bare, positions, cash, workers=THREADS),
        "batch_numpy": lambda: compute_batch(model, positions, cash, workers=THREADS, kernel="numpy"),
    }
    if scheduler is not None:
        works["cluster"] = lambda: compute_batch(model, positions, cash, scheduler=scheduler)
    steps.done()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    with _limit_threads():
        for work in works.values():
            work()
        for number in range(runs):
            steps.start(f"run {number + 1}")
            for name, work in works.items():
                time.sleep(PAUSE)
                seconds[name].append(_time(work))
            steps.done()
    books = [
        AccountState(book.astype(np.int64), int(money)) for book, money in zip(positions[:runs], cash, strict=False)
    ]
    singles: dict[str, float] = {}
    for name, samples in (
        ("pricing", (time_pricing(house.snapshot) for _ in range(runs))),
        ("certificate", (time_certificate(policy, book) for book in books)),
    ):
        steps.start(name)
        singles[f"{name}_ms"] = round(1e3 * statistics.median(samples), 2)
        steps.done()
    ratios = {
        name: statistics.median(own / base for own, base in zip(seconds[name], seconds["matmul"], strict=True))
        for name in seconds
    }
    return {
        "accounts": accounts,
        "slots": policy.preset.slots,
        "rows": policy.preset.rows,
        "threads": THREADS,
        "runs": runs,
        "ratio_to_matmul": round(ratios["batch"], 3),
        "ratio_int32": round(ratios["batch_int32"], 3),
        "ratio_dense": round(ratios["batch_dense"], 3),
        "ratio_without_shortfall": round(ratios["batch_without_shortfall"], 3),
        "ratio_numpy": round(ratios["batch_numpy"], 3),
        "kernel": KERNELS[0],
        **{f"{name}_ms": round(1e3 * statistics.median(own), 1) for name, own in seconds.items()},
        **singles,
        "share_bound_by_shortfall": round(float((result.scenario > result.grid).mean()), 4),
        "load": round(os.getloadavg()[0], 2),
    }


def time_pricing(snapshot: MarketSnapshot) -> float:
    """Seconds for the prices of `OPTIONS` options in `SCENARIOS` scenarios."""
    listing = snapshot.listing
    slots = np.resize(np.flatnonzero(listing.is_option), OPTIONS)
    shift = np.linspace(-0.5, 0.5, SCENARIOS)[:, None]
    forward, volatility = snapshot.forward[slots] * (1 + shift), snapshot.volatility[slots] * (1 + shift / 2)
    return _time(
        lambda: black76_price(forward, listing.strike[slots], snapshot.years[slots], volatility, listing.is_call[slots])
    )


def time_certificate(policy: Policy, book: AccountState) -> float:
    """Seconds to find one account's certificate, or how much it lacks."""

    def work() -> None:
        with suppress(RequirementNotMet):
            find_certificate(policy, book)

    return _time(work)


def _limit_threads() -> AbstractContextManager[object]:
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(THREADS)
    return limits


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
