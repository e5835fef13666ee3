"""Parameters of the simulated market. Each says whether it is measured, reported or assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_all_in_range, require_in_range, require_whole

RANGES = {
    "minutes": (60, 5_000), "agents": (20, 20_000), "writers": (0, 2_000), "price": (1.0, 1e7),
    "open_interest": (1e6, 1e12), "depth_down": (1e5, 1e12), "depth_up": (1e5, 1e12), "impact": (1e-6, 1.0),
    "initial_margin": (0.005, 1.0), "maintenance": (0.001, 1.0), "stress": (0.0, 4.0), "band": (0.01, 0.9),
    "oracle_lag": (0, 60), "partial": (0.01, 1.0), "refill_half_life": (0.1, 1e4), "book_levels": (0.1, 100.0),
    "permanent": (0.0, 1.0), "withdrawal": (0.0, 1.0), "least_depth": (0.01, 1.0), "dealer_puts": (0.0, 1e7),
    "late_share": (0.0, 0.9), "governed_share": (0.0, 1.0), "split": (1, 10_000), "wealth_spread": (0.0, 5.0),
    "leverage_spread": (0.0, 3.0), "leverage_median": (0.1, 100.0), "volatility": (1e-6, 1.0),
    "long_share": (0.0, 1.0), "long_interest": (0.001, 1.0), "entry_spread": (0.0, 1.0), "coin_collateral": (0.0, 1.0),
    "option_margin": (0.005, 10.0), "option_maintenance": (0.001, 10.0), "writers_interest": (0.0, 10.0),
    "hedge_minutes": (1, 5_000), "option_volatility": (0.01, 16.0), "option_days": (0.01, 3_650.0),
    "governed_from": (0, 5_000),
}  # fmt: skip
"""Allowed values of every parameter that is one number."""


@dataclass(frozen=True)
class MarketModel:
    """One coin's market and its agents. Amounts in US dollars, time in minutes.

    Raises
    ------
    OutOfRange
        If a parameter is outside `RANGES` or no number, minutes of news do not rise, or maintenance is above initial
        margin.
    """

    price: float = 121_500.0
    """Price at the start: BTC on 10 October 2025, 12:00 UTC (measured)."""
    minutes: int = 720
    """Length: to midnight."""
    news: tuple[tuple[int, float], ...] = (
        (0, 0.0), (175, 0.0), (530, -0.038), (550, -0.06), (560, -0.094), (580, -0.068),
    )  # fmt: skip
    """(minute, log change since the start) of the price without forced trading, joined by lines: quiet, the slow fall
    from 14:55, the shock from 20:50, and the level that the price came back to (measured at those times). The low at
    21:20, below that level, is fitted: how much of the overshoot was free will cannot be known."""
    volatility: float = 0.0163
    """Of daily log returns: EWMA on the eve (measured)."""
    open_interest: float = 16e9
    """Of one side (reported, the venue whose depth is known)."""
    depth_down: float = 1.2e9
    """Bids within five per cent (measured before the crash)."""
    depth_up: float = 0.723e9
    """Offers within five per cent (measured)."""
    impact: float = 0.0393
    """Relative move when that depth is used up once (measured from the book's shape)."""
    book_levels: float = 4.0
    """Depth beyond the band, in multiples of it, at the same slope; then the book is empty (assumed)."""
    refill_half_life: float = 3.5
    """Minutes in which half of the used depth comes back (from the recovery after the low)."""
    permanent: float = 0.02
    """Share of the impact that stays (assumed; the news already holds the level that was come back to)."""
    withdrawal: float = 0.08
    """How far makers withdraw: depth is divided by 1 + this times (volatility / normal - 1) (fitted: no depth of the
    crash is known). Once depth stands at `least_depth` through a crash, from about 0.2 on, more withdraws nothing."""
    least_depth: float = 0.25
    """Depth never falls below this share (assumed). Lower it to let makers withdraw further."""
    agents: int = 600
    """Leveraged accounts per market."""
    long_share: float = 0.7
    """Share of accounts that are long (assumed)."""
    long_interest: float = 0.8
    """Share of the open interest that long accounts hold before any buffer; the rest of both sides is unlevered."""
    wealth_spread: float = 1.0
    """Standard deviation of the logarithm of an account's equity (assumed)."""
    leverage_median: float = 1.3
    """Wanted notional over equity: median (fitted to the fall of open interest)."""
    leverage_spread: float = 0.9
    """Standard deviation of its logarithm (assumed)."""
    entry_spread: float = 0.03
    """Standard deviation of the move between entry and the start (assumed)."""
    coin_collateral: float = 0.3
    """Share of accounts whose collateral is the coin itself (assumed)."""
    late_share: float = 0.3
    """Share of accounts that enter during the run, long or short alike (assumed)."""
    activity: tuple[float, ...] = (0.24, 1.42, 1.35, 5.06, 2.15, 1.94, 0.99, 2.89, 3.63, 14.48, 3.94, 2.15)
    """Weights of equal parts of the run in which they enter: hourly volume of 12:00 to 24:00 (measured)."""
    initial_margin: float = 0.05
    """Required at entry per notional, before any buffer (a common tier for positions of tens of millions)."""
    maintenance: float = 0.025
    """Below this equity per notional an account is liquidated."""
    partial: float = 0.4
    """Share of a position that is closed per minute while below maintenance; all of it below a third of that."""
    oracle_lag: int = 1
    """Minutes by which the liquidation engine's price lags."""
    writers: int = 30
    """Accounts that are short puts."""
    put_strikes: tuple[float, ...] = (0.97, 0.93, 0.88, 0.82)
    """Strikes, shares of the starting price."""
    option_margin: float = 0.15
    """Initial margin of a short put per notional (assumed)."""
    option_maintenance: float = 0.08
    """Maintenance of a short put per notional (assumed)."""
    writers_interest: float = 0.06
    """Their notional as a share of the open interest (assumed)."""
    dealer_puts: float = 4_000.0
    """Coins of puts that hedged dealers are net short of: they sell as the price falls (assumed)."""
    hedge_minutes: int = 5
    """Between two hedges of the dealers."""
    option_volatility: float = 0.45
    """Volatility of all options, fraction per square root of a year."""
    option_days: float = 14.0
    """Days to their expiry."""
    stress: float = 1.0
    """State multiplier of the buffer while positions are built: a calm market."""
    band: float = 0.16
    """Shock band of the ladder, the policy's price range of BTC."""
    governed_share: float = 1.0
    """Share of accounts that the buffer applies to; the others trade on venues without it."""
    governed_from: int = 0
    """First minute of entry to which the buffer applies; 0 includes positions built before the run."""
    split: int = 1
    """Accounts over which each owner splits a position under the buffer."""

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            if isinstance(low, int) and isinstance(high, int):
                require_whole(name, getattr(self, name), low, high)
            else:
                require_in_range(name, getattr(self, name), low, high)
        require_in_range("maintenance", self.maintenance, 0.0, self.initial_margin)
        minutes, levels = zip(*self.news, strict=True)
        require_all_in_range("minute of news", minutes, 0, RANGES["minutes"][1])
        if not (np.diff(minutes) > 0).all():
            raise OutOfRange("minutes of news", minutes, "rising", "rising")
        require_all_in_range("log change of news", levels, -5.0, 5.0)
        require_all_in_range("weight of activity", self.activity, 0.0, 1e9)
        require_in_range("sum of the weights of activity", sum(self.activity), 1e-9, 1e12)
        require_all_in_range("strike of a put", self.put_strikes, 0.01, 10.0)
