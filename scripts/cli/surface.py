"""`zkmargin surface`: SVI per expiry of a market, with the arbitrage of the fit and of the listed prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkmargin.scripts.cli import console
from zkmargin.scripts.cli.options import DEFAULT_MARKET, AsJson, Market

if TYPE_CHECKING:
    from zkmargin.engine.market.arbitrage import Violation
    from zkmargin.engine.market.file import Observation
    from zkmargin.engine.market.snapshot import MarketSnapshot
    from zkmargin.engine.market.svi_fit import Breach, SliceFit

SHOWN = 10
"""Violations of listed prices in the table; JSON has all."""


def surface(
    market: Market = DEFAULT_MARKET,
    plot: Annotated[Path | None, typer.Option(help="Write quotes and fits to this PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit SVI to every expiry, and report butterfly and calendar arbitrage of the fits and of the listed prices.

    The fits are free of butterfly arbitrage where that can be had; calendar arbitrage is reported as it is.

    Example: zkmargin surface --market deribit_2026-02-05 --plot surface.png
    """
    from zkmargin.engine.market.arbitrage import find_violations
    from zkmargin.engine.market.file import load_observations, load_snapshot
    from zkmargin.engine.market.svi_fit import SparseSurface, find_sparse, fit_coin
    from zkmargin.scripts.cli.inputs import require_writable

    require_writable(plot, market, suffix=".png")
    snapshot, observations = load_snapshot(market), load_observations(market)
    coins = snapshot.listing.preset.coins
    fits: list[SliceFit] = []
    sparse = [(coin, *entry) for coin in coins for entry in find_sparse(snapshot, coin).items()]
    refused: SparseSurface | None = None
    with console.show_steps(len(coins)) as steps:
        for coin in coins:
            steps.start(f"{coin.value} expiries")
            try:
                fits += fit_coin(snapshot, observations, coin)
            except SparseSurface as error:
                refused = error
            steps.done()
    if refused is not None and not fits:
        raise refused
    violations = find_violations(snapshot)
    if plot is not None:
        _plot(snapshot, observations, fits, plot)
    if as_json:
        console.print_json(
            {
                "format": "zkmargin.surface/1",
                "market": market,
                "time": snapshot.time,
                "slices": [describe(fit) for fit in fits],
                "too_few_options": [
                    {"underlying": coin, "expiry": expiry, "options": count} for coin, expiry, count in sparse
                ],
                "listed_prices": _describe_violations(violations),
            }
        )
        return
    console.out.print(_make_fit_table(market, fits))
    for coin, expiry, count in sparse:
        console.out.print(f"{coin} {_show_day(expiry)}: no surface from {count} options")
    console.out.print(_tabulate_violations(violations))


def _plot(snapshot: MarketSnapshot, observations: Mapping[str, Observation], fits: list[SliceFit], path: Path) -> None:
    from zkmargin.engine.market.svi_fit import read_quotes
    from zkmargin.scripts.cli.plots.surface import plot_surface

    quotes = {
        (coin.value, expiry): own
        for coin in snapshot.listing.preset.coins
        for expiry, own in read_quotes(snapshot, observations, coin).items()
    }
    plot_surface(fits, quotes, path)


def _describe_violations(violations: Sequence[Violation]) -> dict[str, object]:
    from zkmargin.engine.market.arbitrage import TOLERANCE

    return {
        "tolerance_of_forward": TOLERANCE,
        "violations": [
            {"kind": found.kind, "names": list(found.names), "size_of_forward": found.size} for found in violations
        ],
    }


def _tabulate_violations(violations: Sequence[Violation]) -> console.WholeTable:
    from zkmargin.engine.market.arbitrage import TOLERANCE

    rows = [(found.kind, ", ".join(found.names), f"{1e4 * found.size:.3f}") for found in violations[:SHOWN]]
    title = f"Static arbitrage in the listed prices: {len(violations)} found, at most {1e4 * TOLERANCE:g} bp accepted"
    return console.make_table(title, ("kind", "options", "bp of the forward"), rows, right=(2,))


def describe(fit: SliceFit) -> dict[str, object]:
    """A fit as a JSON document."""
    from zkmargin.engine.units import DAYS_PER_YEAR

    def point(breach: Breach | None) -> dict[str, float] | None:
        return None if breach is None else {"value": breach.value, "log_moneyness": breach.moneyness}

    return {
        "underlying": fit.coin,
        "expiry": fit.expiry,
        "days": DAYS_PER_YEAR * fit.years,
        "quotes": fit.quotes,
        **dict(zip(("a", "b", "rho", "m", "sigma"), fit.parameters, strict=True)),
        "rmse_points": fit.rmse_points,
        "free_rmse_points": fit.free_rmse_points,
        "butterfly_repaired": fit.was_repaired,
        "least_density": point(fit.butterfly),
        "largest_calendar_fall": point(fit.calendar),
        "is_butterfly_free": fit.is_butterfly_free,
        "is_calendar_free": fit.is_calendar_free,
    }


def _make_fit_table(market: str, fits: list[SliceFit]) -> console.WholeTable:
    rows = []
    for fit in fits:
        numbers = " ".join(f"{value:.4g}" for value in fit.parameters)
        butterfly = ("repaired" if fit.was_repaired else "free") if fit.is_butterfly_free else _show(fit.butterfly)
        calendar = "free" if fit.calendar is None or fit.is_calendar_free else _show(fit.calendar)
        rows.append(
            (fit.coin, _show_day(fit.expiry), fit.quotes, numbers, f"{fit.rmse_points:.2f}", butterfly, calendar)
        )
    columns = ("", "expiry", "quotes", "a b rho m sigma", "RMSE, points", "butterfly", "calendar")
    return console.make_table(f"SVI of {market}", columns, rows, right=(2, 4))


def _show_day(expiry: int) -> str:
    return datetime.fromtimestamp(expiry, UTC).strftime("%Y-%m-%d")


def _show(breach: Breach) -> str:
    return f"{breach.value:.2g} at {breach.moneyness:.2f}"
