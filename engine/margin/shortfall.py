"""Expected shortfall over joint scenarios, adjusted to the present volatility, on the excess rows.

    ES = min over t of t + (1 / m) sum_h w_h max(0, loss_h - t)        [1]_
    required: f kappa ES, f kappa = m / m'        as the row        m' E - m t - X >= 0

f is 1 for initial; maintenance requires a share of it, in the same scenarios.

Every window of the sample is scaled to the volatility of the snapshot (filtered historical simulation, [2]_), moves
both coins, their implied volatilities and the cash token together and lets the margin period pass; every listed
instrument is revalued in full. The windows of a group are then averaged to one scenario (`engine.margin.reduction`).

Cash is the numeraire. Derivatives settle one for one in the token, so a book of derivatives does not feel the token's
price; spot collateral is worth dollars, hence (1 + r) / (1 + d) when the token's price moves by d.

Against procyclicality one of the options of EMIR RTS 153/2013, article 28 is taken [3]_: a buffer of a quarter (a), a
quarter of the weight for stressed windows (b), or a floor of the volatility (c).

References
----------
.. [1] R. T. Rockafellar, S. Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000), equation 4.
.. [2] G. Barone-Adesi, K. Giannopoulos, L. Vosper, "VaR without correlations for portfolios of derivative securities",
   Journal of Futures Markets 19 (1999).
.. [3] Commission Delegated Regulation (EU) No 153/2013, article 28.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from zkmargin.engine.elementary import expm1
from zkmargin.engine.margin.parameters import PERCENT, Parameters
from zkmargin.engine.margin.reduction import cut_weights, merge_days
from zkmargin.engine.margin.scenarios import ScenarioSet, load_scenarios
from zkmargin.engine.margin.shocks import scale_by_tenor, zero_unaccepted_collateral
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.draft import Draft
from zkmargin.engine.units import DAYS_PER_YEAR, to_usd6

LEAST_VOLATILITY_FACTOR = 0.1
"""A scaled fall of volatility leaves at least this share of it."""
BUFFER = (5, 4)
"""The buffer of option (a): a quarter on top, as a ratio."""
BLOCK = 64
"""Windows revalued at once: what is at work stays in the processor's cache."""


def compute_multiplier(scenarios: ScenarioSet, option: str) -> tuple[int, int]:
    """(m, m') with kappa = m / m', under an option against procyclicality; a buffer is rounded against the account."""
    if option == "stressed":
        return scenarios.stressed_multiplier
    tail, divisor = scenarios.plain_multiplier
    over, under = BUFFER if option == "buffer" else (1, 1)
    return tail, max(1, divisor * under // over)


class ShortfallModel:
    """The expected shortfall at one snapshot.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    scenarios : ScenarioSet, optional
        Another sample than the shipped one that the parameters name, for derivations and tests.
    """

    name = "expected shortfall"

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters, scenarios: ScenarioSet | None = None):
        self.snapshot, self.parameters = snapshot, parameters
        rows = snapshot.listing.preset.excess_rows
        record = scenarios or load_scenarios(parameters.shortfall_scenarios, rows)
        self.scenarios = record.of_coins(snapshot.listing.preset.coins)
        self.option = parameters.procyclicality
        self._more_stress = self.option == "stressed"

    @cached_property
    def volatility(self) -> np.ndarray:
        """(coins,) daily volatility to which the sample is scaled: the snapshot's forecast, or the floor if higher."""
        coins = self.scenarios.coins
        present = np.array([self.snapshot.daily_volatility[coin] for coin in coins])
        floor = np.array([self.parameters.shortfall_volatility_floor[coin] for coin in coins])
        return np.maximum(present, floor) if self.option == "floor" else present

    @cached_property
    def log_moves(self) -> np.ndarray:
        """(D, coins) log moves of the windows."""
        return self.scenarios.log_moves(self.volatility, unfiltered_stress=self._more_stress)

    @cached_property
    def sample_pnl(self) -> np.ndarray:
        """(D, N) change in value of one lot in each window of the sample, US dollars of cash; a loss is negative."""
        snapshot, scenarios = self.snapshot, self.scenarios
        own, tenor = snapshot.listing.underlying, scale_by_tenor(snapshot, self.parameters)
        moves, volatility = expm1(self.log_moves), scenarios.volatility_moves(self.log_moves)
        before = price_per_lot(snapshot)
        collateral = list(snapshot.listing.preset.collateral_slots)
        pnl = np.empty((len(moves), len(before)))
        for first in range(0, len(moves), BLOCK):
            block = slice(first, first + BLOCK)
            factor = np.maximum(1.0 + volatility[block][:, own] * tenor, LEAST_VOLATILITY_FACTOR)
            after = price_per_lot(
                snapshot,
                forward_shift=moves[block][:, own],
                volatility=snapshot.volatility * factor,
                time_shift=scenarios.margin_period_days / DAYS_PER_YEAR,
            )
            after[:, collateral] /= 1.0 + scenarios.token[block, None]
            pnl[block] = after - before
        return zero_unaccepted_collateral(snapshot, self.parameters, pnl)

    @cached_property
    def pnl(self) -> np.ndarray:
        """(S, N) mean change in value of one lot over the windows of each group, US dollars; a loss is negative."""
        return merge_days(self.sample_pnl, self.scenarios.groups, self.window_weights)

    @cached_property
    def returns(self) -> np.ndarray:
        """(S, coins) mean relative price moves of the groups, for reports."""
        return merge_days(expm1(self.log_moves), self.scenarios.groups, self.window_weights)

    @cached_property
    def window_weights(self) -> np.ndarray:
        """(D,) int64 weight of each window of the sample."""
        return self.scenarios.window_weights(self._more_stress)

    @cached_property
    def sample_tail(self) -> int:
        """Weight of the sample's tail, in windows."""
        return self.scenarios.count_tail(self._more_stress)

    @cached_property
    def weights(self) -> np.ndarray:
        """(S,) int64 weight of each group, at most the tail's."""
        scale = self.tail_weight // self.sample_tail
        return scale * cut_weights(self.scenarios.groups, self.sample_tail, self.window_weights).astype(np.int64)

    @property
    def tail_weight(self) -> int:
        """m: the worst scenarios up to this weight are averaged."""
        return compute_multiplier(self.scenarios, self.option)[0]

    def get_tail_divisor(self, level: str) -> int:
        """m': `level` requires m / m' times the expected shortfall, kappa at initial. Rounded against the account."""
        divisor, factor = compute_multiplier(self.scenarios, self.option)[1], self.parameters.shortfall_factor[level]
        return divisor * PERCENT // round(PERCENT * factor)

    @cached_property
    def columns(self) -> np.ndarray:
        """`pnl` in micro-dollars per lot, int64."""
        return to_usd6(self.pnl)

    def add_rows(self, draft: Draft, level: str) -> None:
        """The scenarios' rows, and the row that averages the tail."""
        draft.add_shortfall(self.columns, self.weights, self.tail_weight, self.get_tail_divisor(level))
