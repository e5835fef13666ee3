"""Fixture values in docs/models.md: one lot of a few instruments in every row, for whoever writes the model again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.house import House
from zkmargin.engine.margin.definition import Requirement
from zkmargin.engine.margin.grid import Cell
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6
from zkmargin.scripts.generate.blocks import render_paragraph

MARKET = "deribit_2026-08-22"
INSTRUMENTS = {
    "P": "BTC-PERPETUAL",
    "F": "BTC-25JUN27",
    "N": "BTC-24AUG26-81000-C",
    "M": "BTC-25SEP26-72000-P",
    "E": "ETH-25DEC26-2400-C",
}
"""A perpetual, a future, an option that settles within the margin period, others of a month and of four months."""
MORE = {"W": "WETH-SPOT", "B": "USDC-25DEC26"}
"""Collateral and a bond."""
BOOK = {"P": 150_000, "F": -40_000, "N": -200_000, "M": 200_000, "E": -400_000, "W": 5_000_000, "B": -100_000}
"""Lots of a portfolio with a transfer, buffers and a concentration charge."""
BOOK_CASH = 60_000_000
"""US dollars."""
STATES = {1: "up", 0: "", -1: "down"}
SIGNS = {1: "+", -1: "-"}
PAID_OPTION = "BTC-25SEP26-90000-C"
"""An option whose requirement exceeds what it can lose."""


def render_fixtures() -> str:
    """Tables of the facts, the grid and the shortfall."""
    house = House(load_snapshot(MARKET))
    slots = [house.snapshot.listing.get(name).slot for name in INSTRUMENTS.values()]
    all_slots = slots + [house.snapshot.listing.get(name).slot for name in MORE.values()]
    facts = [("", *INSTRUMENTS, *MORE)]
    for name, column in (
        ("price", house.prices),
        ("delta notional", house.exposures),
        ("the same, side down", house.side_exposures[0]),
        ("the same, side up", house.side_exposures[1]),
        ("vega per point", house.vegas),
        *(
            (f"K {side}, {level}", house.contingency(level)[place])
            for level in LEVELS
            for place, side in enumerate(("long", "short"))
        ),
    ):
        facts.append((name, *(f"{column[slot]:.5f}".replace("inf", "closed") for slot in all_slots)))
    more = [("cell", *MORE)]
    for cell, values in enumerate(house.grid_pnl[:, all_slots[len(slots) :]]):
        more.append((str(cell), *(f"{value:.5f}" for value in values)))
    grid = [("cell", *INSTRUMENTS)]
    for cell in range(len(house.grid_pnl)):
        label = describe(*(house.grid.cells[coin][cell] for coin in Coin))
        grid.append((f"{cell}: {label}", *(f"{house.grid_pnl[cell, slot]:.5f}" for slot in slots)))
    model = house.shortfall
    divisors = " and ".join(str(model.get_tail_divisor(level)) for level in LEVELS)
    groups = [("group", "weight", *INSTRUMENTS, *MORE)]
    for group, weight in enumerate(model.weights.tolist()):
        groups.append((str(group), str(weight), *(f"{model.pnl[group, slot]:.5f}" for slot in all_slots)))
    return "\n".join(
        [
            f"One lot on `{MARKET}`, at standard size, US dollars; a loss is negative.",
            "",
            *(f"- {letter} is {name}" for letter, name in (INSTRUMENTS | MORE).items()),
            "",
            *map(_write, _with_rule(facts)),
            "",
            "In the cells of its own coin, BTC's before ETH's where they differ; `1 d at` is where what has at most",
            "one day left settles, `2 d at` what has at most two; what settles elsewhere does so at today's price, all",
            "of it where it says `settled`; `x` is the dampening:",
            "",
            *map(_write, _with_rule(grid)),
            "",
            "Collateral and the bond in the same cells:",
            "",
            *map(_write, _with_rule(more)),
            "",
            f"In the groups of windows (m = {model.tail_weight}, m' = {divisors}):",
            "",
            *map(_write, _with_rule(groups)),
            "",
            f"Lots of a portfolio: {', '.join(f'{lots:,} {letter}' for letter, lots in BOOK.items())}, and cash of",
            f"{BOOK_CASH:,}. Its requirement, US dollars, n in US dollars of exposure:",
            "",
            *map(_write, _with_rule(list_parts(house))),
        ]
    )


def render_paid_option() -> str:
    """What a lone, fully paid option of one coin requires, part by part."""
    house = House(load_snapshot(MARKET))
    instrument = house.snapshot.listing.get(PAID_OPTION)
    lots = round(1 / instrument.lot_size)
    positions = np.zeros(house.snapshot.listing.preset.slots, dtype=np.int64)
    positions[instrument.slot] = lots
    initial, maintenance = (house.definition_requirement(AccountState(positions, 0), level) for level in LEVELS)
    return render_paragraph(
        f"A lone call {PAID_OPTION} of one coin, worth {initial.equity:,.0f} USD on 22 August 2026, requires",
        f"{initial.total:,.0f} USD: {initial.charge:,.0f} of K, {sum(initial.buffers.values()):,.0f} of buffer on",
        f"its delta half the range lower, and {initial.grid:,.0f}, which is 1.25 times the {maintenance.grid:,.0f}",
        f"that it loses in the worst cell. At maintenance the same call requires {maintenance.total:,.0f}.",
    )


def list_parts(house: House) -> list[tuple[str, ...]]:
    """The requirement of `BOOK` part by part, a column per level."""
    listing = house.snapshot.listing
    positions = np.zeros(listing.preset.slots, dtype=np.int64)
    for letter, lots in BOOK.items():
        positions[listing.get((INSTRUMENTS | MORE)[letter]).slot] = lots
    state = AccountState(positions, BOOK_CASH * USD6)
    levels = [house.definition_requirement(state, level) for level in LEVELS]
    rows: list[tuple[str, Callable[[Requirement[float]], float]]] = [
        ("equity", lambda needed: needed.equity),
        ("K", lambda needed: needed.charge),
        *((f"buffer, {coin}", partial(lambda coin, needed: needed.buffers[coin], coin)) for coin in Coin),
        *((f"concentration, {coin}", partial(lambda coin, needed: needed.concentrations[coin], coin)) for coin in Coin),
        *((f"x, {coin}", partial(lambda coin, needed: needed.losses[coin], coin)) for coin in Coin),
        ("n", lambda needed: needed.transfers[Coin.BTC, Coin.ETH]),
        ("grid", lambda needed: needed.grid),
        ("shortfall", lambda needed: needed.shortfall),
        ("requirement", lambda needed: needed.total),
        ("debt value and limit", lambda needed: needed.debt_slack),
    ]
    return [("", *LEVELS), *((name, *(f"{part(needed):.2f}" for needed in levels)) for name, part in rows)]


def describe(*cells: Cell) -> str:
    """A cell of all coins in few letters, `/` between them where they differ."""
    parts = zip(*map(_list_parts, cells), strict=True)
    return ", ".join("/".join(dict.fromkeys(part)) for part in parts)


def _list_parts(cell: Cell) -> list[str]:
    """Move, state of volatility, signs of basis, short and long tenors or of the skew, the moves at which what is near
    settles, days, dampening."""
    parts = [f"{cell.move * 100:+g} %"] if cell.move else []
    parts += [f"vol {STATES[cell.volatility]}"] if cell.volatility else []
    if cell.basis:
        parts.append("".join(SIGNS[sign] for sign in (cell.basis, cell.short_tenors, cell.long_tenors)))
    parts += [f"skew {SIGNS[cell.skew]}"] if cell.skew else []
    if cell.settlements is not None:
        parts += [f"{day} d at {move * 100:+g} %" for day, move in enumerate(cell.settlements, 1) if move]
        parts += ["settled"] if not any(cell.settlements) else []
    parts += [f"{cell.days:g} d"] if cell.days else []
    parts += [f"x {cell.dampening:.3g}"] if cell.dampening != 1.0 else []
    return parts


def _with_rule(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [rows[0], ("---",) * len(rows[0]), *rows[1:]]


def _write(row: tuple[str, ...]) -> str:
    return f"| {' | '.join(row)} |"
