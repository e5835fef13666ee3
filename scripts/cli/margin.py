"""`zkmargin margin`: what a portfolio needs, without any chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market, Portfolio

if TYPE_CHECKING:
    from zkmargin.engine.margin.report import MarginReport


def margin(portfolio: Portfolio, market: Market = DEFAULT_MARKET, as_json: AsJson = False) -> None:
    """Margin of a portfolio: requirement, worst scenario, contributions, and what it would be without netting.

    Example: zkmargin margin --portfolio market_maker --market deribit_2026-08-22
    """
    from zkmargin.engine.account import load_portfolio
    from zkmargin.engine.house import House
    from zkmargin.engine.market.file import load_snapshot

    report = House(load_snapshot(market)).report(load_portfolio(portfolio))
    if as_json:
        console.print_json(report.to_document())
        return
    for table in render_report(report):
        console.out.print(table)


def render_report(report: MarginReport) -> Iterator[console.WholeTable]:
    """The report as tables: requirement by level with its parts, worst scenario by coin, comparison."""
    yield _tabulate_levels(report)
    yield _tabulate_coins(report)
    yield _tabulate_comparison(report)


def _tabulate_levels(report: MarginReport) -> console.WholeTable:
    levels = report.levels.values()
    rows: list[tuple[object, ...]] = [("equity", *(_usd(report.equity) for _ in levels))]
    for name in dict.fromkeys(name for level in levels for name in level.contributions):
        values = [level.contributions.get(name) for level in levels]
        if any(values):
            rows.append((f"  {name}", *("" if value is None else _usd(value) for value in values)))
    rows += [
        ("requirement", *(Text(_usd(level.requirement), style="bold") for level in levels)),
        ("excess", *(_colour(level.margin_excess) for level in levels)),
        ("binding rule", *(level.binding for level in levels)),
        ("can be proved", *(level.verdict.describe() for level in levels)),
    ]
    title = f"Margin of {report.portfolio}, US dollars ({report.positions} positions)"
    return console.make_table(title, ("", *report.levels), rows, right=(1, 2))


def _tabulate_coins(report: MarginReport) -> console.WholeTable:
    rows = [
        (
            coin,
            row.positions,
            _usd(row.net_delta),
            row.worst_scenario,
            _usd(row.worst_loss),
            _usd(row.worst_loss_alone),
            row.worst_position,
            _usd(row.worst_position_loss) if row.worst_position else "",
        )
        for coin, row in report.coins.items()
    ]
    columns = ("coin", "positions", "net delta", "worst scenario", "loss", "alone", "most by", "loses")
    return console.make_table("Worst scenario by coin, US dollars", columns, rows, right=(1, 2, 4, 5, 7))


def _tabulate_comparison(report: MarginReport) -> console.WholeTable:
    initial = report.levels["initial"]
    rows = [
        ("each position alone", _usd(report.segregated.each_position)),
        ("each coin alone", _usd(report.segregated.each_coin)),
        ("this account", _usd(initial.requirement)),
        ("netting between coins saves", _usd(report.netting)),
        ("saved against each position alone", f"{report.segregated.saving:.1%}"),
        (
            f"expected shortfall 97.5 % of the sample (worst: {report.worst_shortfall_scenario})",
            _usd(report.sample_shortfall),
        ),
        (
            f"what the rule asks for it: {report.shortfall_multiplier:.3f} x that of its groups",
            _usd(initial.expected_shortfall),
        ),
    ]
    return console.make_table("Initial requirement without netting", ("", "US dollars"), rows, right=(1,))


def _usd(value: float) -> str:
    return f"{value:,.2f}"


def _colour(excess: float) -> Text:
    return Text(_usd(excess), style="green" if excess >= 0 else "red")
