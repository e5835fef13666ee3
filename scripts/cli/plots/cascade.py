"""The plot of `zkmargin simulate cascade`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zkmargin.engine.contagion.records import EventRecord, load_record
from zkmargin.engine.simulation.experiment import PAIRS, Result
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"base": "#b03a2e", "buffer": "#1f618d", "flat": "#7d8a2e"}
"""Of the rules."""
HOURS = 60.0


def plot_cascades(results: list[Result], path: Path) -> None:
    """Per scenario the price with 10 and 90 % quantiles per rule, below the paired differences of bad debt and fall."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        2, len(results), figsize=(3.4 * len(results) + 1.0, 6.4), squeeze=False, layout="constrained", sharey="row"
    )
    for column, result in enumerate(results):
        _draw_paths(axes[0][column], result)
        _draw_differences(axes[1][column], result)
    axes[0][0].set_ylabel("price, thousand US dollars")
    axes[1][0].set_ylabel("difference, % of the mean of base")
    axes[0][0].legend(fontsize=7, loc="lower left")
    figure.suptitle(f"{results[0].seeds} seeds; bands 10 to 90 % of seeds, whiskers 95 % bootstrap of the mean")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_paths(axis: Axes, result: Result) -> None:
    for rule, (low, middle, high) in result.paths.items():
        hours = np.arange(len(middle)) / HOURS + 12.0
        axis.plot(hours, middle / 1e3, color=COLOURS[rule], lw=1.2, label=rule)
        axis.fill_between(hours, low / 1e3, high / 1e3, color=COLOURS[rule], alpha=0.12, lw=0)
    if result.scenario.name == "october":
        event = load_record(EventRecord, "event_2025-10-10")
        hours = (event.start % SECONDS_PER_DAY + event.candle * np.arange(1, len(event.close) + 1)) / SECONDS_PER_HOUR
        axis.plot(hours, np.array(event.close) / 1e3, color="black", lw=0.8, label="BTC, 10 Oct 2025")
    axis.set_title(result.scenario.name)
    axis.set_xlabel("hour, UTC")


def _draw_differences(axis: Axes, result: Result) -> None:
    names = {"bad_debt_usd": "bad debt", "liquidated_usd": "liquidated", "drawdown": "drawdown"}
    for offset, pair in enumerate(" - ".join(pair) for pair in PAIRS):
        for place, key in enumerate(names):
            scale = 100.0 / (result.figures["base"][key].mean or 1.0)
            found = result.differences[pair][key]
            mean, low, high = found.mean * scale, found.low * scale, found.high * scale
            axis.errorbar(
                place + 0.25 * offset, mean, yerr=[[mean - low], [high - mean]], fmt="os"[offset], capsize=3,
                color=COLOURS[pair.split(" - ")[1]], label=pair if place == 0 else None,
            )  # fmt: skip
    axis.axhline(0.0, color="black", lw=0.6)
    axis.set_xticks(range(len(names)), names.values(), fontsize=8)
    axis.legend(fontsize=7)
