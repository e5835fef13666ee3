"""Plots of a backtest: margin against loss through time, exceptions marked."""

from pathlib import Path

import numpy as np

from zkmargin.engine.backtest.evaluate import GAP, get_series
from zkmargin.engine.backtest.models import DAYS_HELD
from zkmargin.engine.backtest.run import Run

COLUMNS = 2
PANEL = (7.0, 2.4)
"""Inches of one panel."""


def plot_backtest(run: Run, model: str, path: Path) -> None:
    """One panel for each book that `model` was tested on: margin and loss in percent of the notional, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    tested = [(book, get_series(run, model, book)) for book in run.books]
    tested = [(book, series) for book, series in tested if len(series.dates)]
    columns = min(COLUMNS, len(tested))
    rows = -(-len(tested) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(PANEL[0] * columns, PANEL[1] * rows), squeeze=False)
    for place in axes.flat[len(tested) :]:
        place.set_visible(False)
    for place, (book, series) in zip(axes.flat, tested, strict=False):
        margin, loss = (100 * part / series.notional for part in (series.margin, series.loss))
        broken = np.flatnonzero(np.diff(series.dates) > GAP) + 1
        dates = np.insert(series.dates, broken, series.dates[broken] - np.timedelta64(1, "D"))
        place.plot(dates, np.insert(loss, broken, np.nan), linewidth=0.5, color="0.6", label="loss")
        place.plot(dates, np.insert(margin, broken, np.nan), linewidth=1.0, color="tab:blue", label="margin")
        hits = series.is_exception
        place.plot(series.dates[hits], loss[hits], "x", color="tab:red", markersize=5, label="exception")
        place.set_title(f"{book}: {int(hits.sum())} exceptions in {len(hits)} days", fontsize=9, loc="left")
        place.set_ylabel("% of notional", fontsize=8)
        place.tick_params(labelsize=7)
    axes.flat[0].legend(fontsize=7, loc="upper right", ncols=3)
    figure.suptitle(f"{model}, {run.coin}: margin and loss over {DAYS_HELD[model]} day(s)", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
