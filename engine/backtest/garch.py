"""GARCH(1,1) forecasts for every day, fitted again each month on the days so far."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.calibration.filters import LEAST_GARCH_DAYS, check_returns, filter_garch
from zkmargin.engine.errors import OutOfRange

REFIT = 30
"""Days between fits."""


class MonthlyGarch:
    """A filter that goes on day by day, with returns that only grow.

    The recursion sigma'^2 = omega + alpha r^2 + beta sigma^2 is linear, so its constants are read off a fitted path
    without error, and carry it on until the next fit. A fit that does not converge leaves the last one in place; before
    the first that does, there is no forecast.
    """

    def __init__(self) -> None:
        self.fitted_days = 0
        """Days of the last fit, whether it converged or not."""
        self.failures = 0
        """Fits that did not converge."""
        self.standardised = np.empty((0, 0))
        self.latest = np.empty(0)
        self.constants = np.empty((0, 0))

    @property
    def is_fitted(self) -> bool:
        """Whether a fit has converged, so that there is a forecast."""
        return self.latest.size > 0

    def update(self, returns: np.ndarray) -> None:
        """Take in (T, coins) returns of which those of the last call are the first rows.

        Raises `OutOfRange` as `check_returns`, with at least `LEAST_GARCH_DAYS` days until a fit has converged.
        """
        returns = check_returns(returns, 1 if self.is_fitted else LEAST_GARCH_DAYS)
        if not self.fitted_days or len(returns) - self.fitted_days >= REFIT:
            try:
                self._fit(returns)
                return
            except OutOfRange:
                self.failures += 1
                self.fitted_days = len(returns)
        if not self.is_fitted:
            return
        for row in returns[len(self.standardised) :]:
            self.standardised = np.vstack([self.standardised, row / self.latest])
            omega, alpha, beta = self.constants
            self.latest = np.sqrt(omega + alpha * row**2 + beta * self.latest**2)

    def _fit(self, returns: np.ndarray) -> None:
        fit = filter_garch(returns)
        self.standardised, self.latest, self.fitted_days = fit.standardised, fit.latest, len(returns)
        after = np.vstack([fit.volatility[1:], fit.latest]) ** 2
        self.constants = np.array(
            [
                np.linalg.lstsq(
                    np.column_stack([np.ones(len(returns)), returns[:, asset] ** 2, fit.volatility[:, asset] ** 2]),
                    after[:, asset],
                    rcond=None,
                )[0]
                for asset in range(returns.shape[1])
            ]
        ).T
