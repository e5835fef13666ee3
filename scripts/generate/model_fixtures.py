"""Fixture values in docs/models.md: one lot of a few instruments in every row, for whoever writes the model again."""

from __future__ import annotations

from pathlib import Path

from zkmargin.engine.house import House
from zkmargin.engine.margin.grid import Cell
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.presets import Coin

DOCUMENT = Path(__file__).parents[2] / "docs/models.md"
BEGIN, END = "<!-- fixture values, written by `make generate` -->", "<!-- end of fixture values -->"
MARKET = "deribit_2026-08-22"
INSTRUMENTS = {
    "P": "BTC-PERPETUAL",
    "F": "BTC-25JUN27",
    "N": "BTC-24AUG26-81000-C",
    "M": "BTC-25SEP26-72000-P",
    "E": "ETH-25DEC26-2400-C",
}
"""A perpetual, a future, an option that settles within the margin period, others of a month and of four months."""
STATES = {1: "up", 0: "", -1: "down"}
SIGNS = {1: "+", -1: "-"}


class FixtureMarkersMissing(Exception):
    """The document does not have each marker once, in order."""


def render() -> dict[str, str]:
    """Path, from the repository's root, to the text of the document with the present values."""
    return {"docs/models.md": replace_fixtures(DOCUMENT.read_text())}


def replace_fixtures(text: str) -> str:
    """`text` with what stands between its markers written anew; raises `FixtureMarkersMissing`."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        raise FixtureMarkersMissing(f"allowed in {DOCUMENT.name}: {BEGIN} once, then {END} once")
    return f"{before}{BEGIN}\n\n{render_fixtures()}\n{END}{after}"


def render_fixtures() -> str:
    """Tables of the facts, the grid and the shortfall."""
    house = House(load_snapshot(MARKET))
    slots = [house.snapshot.listing.get(name).slot for name in INSTRUMENTS.values()]
    facts = [("", *INSTRUMENTS)]
    for name, column in (
        ("price", house.prices),
        ("delta notional", house.exposures),
        ("vega per point", house.vegas),
        ("K long, initial", house.contingency("initial")[0]),
        ("K short, initial", house.contingency("initial")[1]),
    ):
        facts.append((name, *(f"{column[slot]:.5f}" for slot in slots)))
    grid = [("cell", *INSTRUMENTS)]
    for cell in range(len(house.grid_pnl)):
        label = describe(*(house.grid.cells[coin][cell] for coin in Coin))
        grid.append((f"{cell}: {label}", *(f"{house.grid_pnl[cell, slot]:.5f}" for slot in slots)))
    model = house.shortfall
    divisors = " and ".join(str(model.get_tail_divisor(level)) for level in LEVELS)
    groups = [("group", "weight", *INSTRUMENTS)]
    for group, weight in enumerate(model.weights.tolist()):
        groups.append((str(group), str(weight), *(f"{model.pnl[group, slot]:.5f}" for slot in slots)))
    return "\n".join(
        [
            f"One lot on `{MARKET}`, at standard size, US dollars; a loss is negative.",
            "",
            *(f"- {letter} is {name}" for letter, name in INSTRUMENTS.items()),
            "",
            *map(_write, _with_rule(facts)),
            "",
            "In the cells of its own coin, BTC's before ETH's where they differ; `1 d at` is where what has at most",
            "one day left settles, `2 d at` what has at most two; what settles elsewhere does so at today's price, all",
            "of it where it says `settled`; `x` is the dampening:",
            "",
            *map(_write, _with_rule(grid)),
            "",
            f"In the groups of windows (m = {model.tail_weight}, m' = {divisors}):",
            "",
            *map(_write, _with_rule(groups)),
            "",
        ]
    )


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
