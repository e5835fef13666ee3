"""Rows of a policy in words: the scenario or the charge that a row stands for."""

from __future__ import annotations

from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import TENORS
from zkmargin.engine.policy.forms import RowKind, describe_row, read_forms
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.policy.record import Policy

GRID, SHORTFALL, BUFFER = "scenario grid", "expected shortfall", "contagion buffer"
CONCENTRATION, OTHER = "concentration", "other"
"""Rules that rows belong to."""


_RULES = {
    RowKind.GROUP: GRID,
    RowKind.SCENARIO: SHORTFALL,
    RowKind.TAIL: SHORTFALL,
    RowKind.CHORD: BUFFER,
    RowKind.EXPOSURE: BUFFER,
}
"""The rule of each kind of row in a policy that measures solvency."""


def describe_rule(policy: Policy, row: int) -> str:
    """The rule that a row of the house belongs to: `GRID`, `SHORTFALL`, `BUFFER`, `CONCENTRATION`, else `OTHER`."""
    forms, layout = read_forms(policy), Layout(policy.preset)
    if not forms.values:
        return OTHER
    coins = range(len(policy.preset.coins))
    blocks = (block(index) for index in coins for block in (layout.vega, layout.short_options))
    if any(row in rows for rows in blocks):
        return CONCENTRATION if policy.positions[row].any() else OTHER
    return _RULES.get(forms.kinds[row], OTHER)


def describe_house_row(house: HouseModel, policy: Policy, row: int) -> str:
    """A row of a policy of the house in words, with its coin and scenario where it is one."""
    layout = Layout(policy.preset)
    if row in policy.soft_rows:
        model = house.shortfall
        moves = zip(model.scenarios.coins, model.returns[row], strict=True)
        days = model.scenarios.margin_period_days
        return ", ".join(f"{coin} {move:+.1%}" for coin, move in moves) + f" in {days} days, mean of group {row}"
    for index, coin in enumerate(policy.preset.coins):
        if row in layout.grid(index):
            return f"{coin} {house.grid.cells[coin][row - layout.grid(index).start].label}"
        if row in layout.buffer(index):
            offset = row - layout.buffer(index).start
            if offset >= 2 * layout.chords:
                return f"{coin} largest {'long' if offset == 2 * layout.chords else 'short'} exposure"
            side, chord = divmod(offset, layout.chords)
            return f"{coin} {'short' if side else 'long'} exposure, chord {chord + 1} of {layout.chords}"
        if row in layout.vega(index):
            side, chord = divmod(row - layout.vega(index).start, layout.vega_chords)
            return f"{coin} {'short' if side else 'long'} vega, chord {chord + 1} of {layout.vega_chords}"
        if row in layout.short_options(index):
            tenor = TENORS[row - layout.short_options(index).start] if layout.tenors > 1 else "all"
            return f"{coin} most net short options, {tenor} tenors"
    return describe_row(policy, row)
