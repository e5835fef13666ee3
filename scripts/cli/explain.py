"""`zkmargin explain`: where a requirement comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Level, Market, Portfolio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zkmargin.engine.desk.explanation import Explanation
    from zkmargin.engine.house import House


def explain(
    portfolio: Portfolio,
    level: Annotated[Level, typer.Option(help="The requirement that is explained.")] = Level.INITIAL,
    market: Market = DEFAULT_MARKET,
    as_json: AsJson = False,
) -> None:
    """Which scenarios bind and with what weight, what each leg contributes, and what one more lot would cost.

    Example: zkmargin explain --portfolio hedged_vol_book --level initial
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.house import House
    from zkmargin.engine.market.file import load_snapshot

    house, book = House(load_snapshot(market)), load_portfolio(portfolio)
    found = house.explain(book, level.value, with_distance=True)
    if as_json:
        console.print_json(found.to_document())
        return
    for table in (_tabulate_binding(found), _tabulate_legs(found), _tabulate_rules(found)):
        console.out.print(table)
    for note in (*_notes(found), *describe_paid_options(house, book.positions, found)):
        console.out.print(note)


def describe_paid_options(house: House, positions: Mapping[str, int], found: Explanation) -> list[str]:
    """Why options that are paid in full require more than they can lose; nothing for another book."""
    legs = [(house.snapshot.listing.get(name), lots) for name, lots in positions.items()]
    if not legs or any(item.kind.value != "option" or lots < 0 for item, lots in legs):
        return []
    paid = sum(float(house.prices[item.slot]) * lots for item, lots in legs)
    if found.requirement <= paid:
        return []
    return [
        f"Long options lose at most their price, {paid:,.2f} here. They require more, as the factor and the charges"
        " per lot are of every loss alike: a cap at the price is not convex, as rows are (docs/models.md)."
    ]


def _tabulate_binding(found: Explanation) -> console.WholeTable:
    rows = [(row.rule, row.label, f"{row.weight:.4f}", f"{row.loss:,.2f}", f"{row.part:,.2f}") for row in found.binding]
    columns = ("rule", "scenario", "weight", "loss", "weight x loss")
    return console.make_table(f"What binds in {found.portfolio}, {found.level}, US dollars", columns, rows, (2, 3, 4))


def _tabulate_legs(found: Explanation) -> console.WholeTable:
    rows = [
        (
            leg.name,
            f"{leg.lots:+,}",
            *(f"{value:,.2f}" for value in (leg.contribution, leg.scenarios, leg.buffer)),
            *(f"{value:,.2f}" for value in (leg.concentration, leg.charges)),
            f"{leg.left:,.4f}",
            f"{leg.right:,.4f}",
        )
        for leg in found.legs
    ]
    columns = (
        *("leg", "lots", "contribution", "scenarios", "buffer", "concentration", "charges", "last lot", "next lot"),
    )
    for name, value in (("constants of the charges", found.constants), ("requirement", found.total)):
        rows.append((name, "", f"{value:,.2f}", *("" for _ in columns[3:])))
    return console.make_table("Contributions, and the requirement's change per lot", columns, rows, tuple(range(1, 9)))


def _tabulate_rules(found: Explanation) -> console.WholeTable:
    shown = {name: f"{value:,.2f}" for name, value in found.rules.items() if value}
    shown |= {"definition": f"{found.definition:,.2f}", "policy, with its rounding": f"{found.requirement:,.2f}"}
    return console.make_key_values("The same requirement by rule, US dollars", shown)


def _notes(found: Explanation) -> list[str]:
    from zkmargin.scripts.cli.distance import describe_distance

    notes = [f"Maintenance fails at: {describe_distance(found.distance)}."]
    if not found.is_unique:
        notes.append("Scenarios tie: the weights are one choice of several.")
    if not found.has_unique_marginals:
        notes.append("The requirement has a kink here: marginals lie between the last and the next lot's.")
    return notes
