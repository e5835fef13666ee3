"""Plot of a volatility surface: quotes and fitted SVI, one panel per expiry."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from zkmargin.engine.market.svi import svi_total_variance
from zkmargin.engine.market.svi_fit import Quotes, SliceFit
from zkmargin.engine.units import DAYS_PER_YEAR

COLUMNS = 4
PANEL = (3.4, 2.3)
"""Inches of one panel."""


def plot_surface(fits: Sequence[SliceFit], quotes: Mapping[tuple[str, int], Quotes], path: Path) -> None:
    """Volatility in percent over ln(strike / forward) as a PNG; a red title marks a butterfly or calendar arbitrage."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(COLUMNS, len(fits))
    rows = -(-len(fits) // columns)
    figure, axes = pyplot.subplots(rows, columns, figsize=(PANEL[0] * columns, PANEL[1] * rows), squeeze=False)
    for place in axes.flat[len(fits) :]:
        place.set_visible(False)
    for place, fit in zip(axes.flat, fits, strict=False):
        seen = quotes[fit.coin, fit.expiry]
        k = np.linspace(seen.moneyness.min() - 0.02, seen.moneyness.max() + 0.02, 200)
        place.plot(k, 100 * np.sqrt(svi_total_variance(k, *fit.parameters) / fit.years), linewidth=1.0)
        place.plot(seen.moneyness, 100 * seen.volatility, "o", color="0.3", markersize=2.5)
        colour = "black" if fit.is_butterfly_free and fit.is_calendar_free else "tab:red"
        title = f"{fit.coin}, {DAYS_PER_YEAR * fit.years:.1f} days: {fit.rmse_points:.2f} points"
        place.set_title(title, fontsize=8, loc="left", color=colour)
        place.tick_params(labelsize=6)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
