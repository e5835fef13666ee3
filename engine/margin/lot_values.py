"""Values of single lots, written out instrument by instrument and scenario by scenario: the definition's own.

It shares Black's formula and the list of grid cells with the house model, and nothing else: shocks, tenors, basis and
the windows of the sample are written again, to be read, and to be compared with the house model's arrays. 1.8 s at
standard size.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Protocol

import numpy as np

from zkmargin.engine.errors import WrongKind
from zkmargin.engine.margin.grid import Cell, make_cells
from zkmargin.engine.margin.parameters import PERCENT, Parameters
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, get_option_terms
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.units import DAYS_PER_YEAR, SECONDS_PER_YEAR


class LotValues(Protocol):
    """What the definition reads of a market: the value of one lot of each slot, today and in every scenario."""

    @property
    def snapshot(self) -> MarketSnapshot:
        """Market facts."""

    @property
    def parameters(self) -> Parameters:
        """Numbers of the model."""

    @property
    def shortfall(self) -> ShortfallModel:
        """The sample of joint scenarios, with its weights."""

    @property
    def prices(self) -> np.ndarray:
        """(N,) value of one lot, US dollars."""

    @property
    def exposures(self) -> np.ndarray:
        """(N,) delta of one lot times the index, US dollars."""

    @property
    def vegas(self) -> np.ndarray:
        """(N,) change in value of one lot per volatility point, US dollars."""

    @property
    def side_exposures(self) -> np.ndarray:
        """(2, N) the same at half the price range down and at half of it up."""

    @property
    def grid_pnl(self) -> np.ndarray:
        """(cells, N) change in value of one lot in each cell of its own coin, US dollars."""

    @property
    def shortfall_pnl(self) -> np.ndarray:
        """(S, N) mean change in value of one lot over the windows of each group of joint scenarios, US dollars."""


class LotByLot:
    """`LotValues` computed one by one.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    """

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters):
        self.snapshot, self.parameters = snapshot, parameters
        self.preset = snapshot.listing.preset
        self.cells = {coin: make_cells(coin, Layout(self.preset).cells, parameters) for coin in self.preset.coins}
        self.shortfall = ShortfallModel(snapshot, parameters)
        self.scenarios = self.shortfall.scenarios

    def is_unaccepted(self, item: Instrument) -> bool:
        """Whether the instrument is collateral that counts for nothing."""
        return item.kind is InstrumentKind.SPOT and item.underlying.value in self.parameters.unaccepted_collateral

    def value(
        self,
        item: Instrument,
        move: float = 0.0,
        volatility_factor: float = 1.0,
        volatility: float | None = None,
        days: float = 0.0,
    ) -> float:
        """Value of one lot after a relative price move, a change of volatility and some days, US dollars; of a bond,
        after the days alone."""
        if self.is_unaccepted(item):
            return 0.0
        if item.kind is InstrumentKind.BOND:
            return self.discount(item, days) * item.lot_size
        forward = self.forward(item) * (1.0 + move)
        if item.kind is not InstrumentKind.OPTION:
            return (forward - self.accrued_funding(item)) * item.lot_size
        years = max(self.years(item) - days / DAYS_PER_YEAR, 0.0)
        shocked = volatility if volatility is not None else self.volatility(item) * volatility_factor
        strike, is_call = get_option_terms(item)
        return float(black76_price(forward, strike, years, shocked, is_call)) * item.lot_size

    def forward(self, item: Instrument) -> float:
        """US dollars per coin."""
        return float(self.snapshot.forward[item.slot])

    def discount(self, item: Instrument, days: float) -> float:
        """Discount factor of a bond after some days at its own rate; 1 from its expiry on."""
        years = self.years(item)
        left = max(years - days / DAYS_PER_YEAR, 0.0)
        return float(self.forward(item) ** (left / years))

    def accrued_funding(self, item: Instrument) -> float:
        """What a perpetual's longs have paid since it was listed, US dollars per coin; 0 for another instrument."""
        return self.snapshot.accrued_funding[item.underlying] if item.kind is InstrumentKind.PERPETUAL else 0.0

    def volatility(self, item: Instrument) -> float:
        """Of an option, fraction per square root of a year."""
        return float(self.snapshot.volatility[item.slot])

    def years(self, item: Instrument) -> float:
        """Years of 365 days to the expiry of a dated instrument; raises `WrongKind` for another."""
        if item.expiry is None:
            raise WrongKind(f"expiry of {item.name}", None, "a time, as futures and options have")
        return (item.expiry - self.snapshot.time) / SECONDS_PER_YEAR

    def delta(self, item: Instrument, move: float = 0.0) -> float:
        """Change in value per change of the forward, for one coin, after a relative price move."""
        if item.kind is InstrumentKind.BOND:
            return 0.0
        if item.kind is not InstrumentKind.OPTION:
            return 1.0
        years = self.years(item)
        spread = self.volatility(item) * math.sqrt(years)
        strike, is_call = get_option_terms(item)
        d1 = math.log(self.forward(item) * (1.0 + move) / strike) / spread + 0.5 * spread
        return 0.5 * math.erfc(-d1 / math.sqrt(2.0)) - (0.0 if is_call else 1.0)

    def tenor_scale(self, item: Instrument) -> float:
        """(30 days / tenor)^p, the factor of a 30-day volatility shock."""
        days = max(self.years(item) * DAYS_PER_YEAR, self.parameters.tenor_floor)
        short = days <= self.parameters.tenor_reference
        power = self.parameters.tenor_power_short if short else self.parameters.tenor_power_long
        return float((self.parameters.tenor_reference / days) ** power)

    def shocked_volatility(self, item: Instrument, cell: Cell) -> float:
        """Volatility of an option in a grid cell."""
        parameters, coin = self.parameters, item.underlying.value
        volatility = self.volatility(item)
        if cell.volatility > 0:
            rise = parameters.volatility_up[coin] * self.tenor_scale(item)
            return max(volatility * (1.0 + rise), parameters.volatility_floor_up[coin])
        if cell.volatility < 0:
            return volatility * max(1.0 - parameters.volatility_down[coin] * self.tenor_scale(item), 0.0)
        if cell.skew:
            root = math.sqrt(self.years(item))
            cap = max(parameters.skew_shift - parameters.skew_slope * root, 0.0)
            reach = max(parameters.skew_width_floor, parameters.skew_width * root)
            strike, _ = get_option_terms(item)
            moneyness = math.log(strike / self.forward(item))
            return volatility * (1.0 - cell.skew * cap * min(max(moneyness / reach, -1.0), 1.0))
        short, middle, long = parameters.term_tenors
        days = self.years(item) * DAYS_PER_YEAR
        if days < middle:
            weight = min(math.log(middle / days) / math.log(middle / short), 1.0)
            return volatility * (1.0 + cell.short_tenors * parameters.term_short * weight)
        weight = min(math.log(days / middle) / math.log(long / middle), 1.0)
        return volatility * (1.0 + cell.long_tenors * parameters.term_long * weight)

    def price_move(self, item: Instrument, cell: Cell) -> float:
        """Relative change of price in a grid cell: for a future or option that settles in it, up to the settlement."""
        if cell.settlements is None or item.kind not in (InstrumentKind.OPTION, InstrumentKind.FUTURE):
            return cell.move
        days = self.years(item) * DAYS_PER_YEAR
        if days > cell.days:
            return cell.move
        return cell.settlements[0] if days <= 1.0 else cell.settlements[1]

    def basis_shift(self, item: Instrument, cell: Cell) -> float:
        """Relative change of an instrument's forward against spot and perpetual in a grid cell."""
        if item.kind is InstrumentKind.FUTURE and cell.futures:
            return cell.futures
        if not cell.basis or item.kind not in (InstrumentKind.OPTION, InstrumentKind.FUTURE):
            return 0.0
        years = self.years(item)
        grown = math.exp(cell.basis * self.parameters.basis_rate * years) - 1.0
        return cell.basis * max(abs(grown), self.parameters.basis_floor)

    @cached_property
    def items(self) -> tuple[Instrument, ...]:
        """Listed instruments in slot order."""
        return tuple(item for item in self.snapshot.listing.instruments if item is not None)

    @cached_property
    def prices(self) -> np.ndarray:
        """(N,) value of one lot."""
        prices = np.zeros(self.preset.slots)
        for item in self.items:
            prices[item.slot] = self.value(item)
        return prices

    @cached_property
    def exposures(self) -> np.ndarray:
        """(N,) delta of one lot times the index, US dollars."""
        return self._expose(0.0)

    @cached_property
    def side_exposures(self) -> np.ndarray:
        """(2, N) the same at half the price range down and at half of it up."""
        return np.stack([self._expose(-0.5), self._expose(0.5)])

    def _expose(self, part: float) -> np.ndarray:
        """(N,) exposures after a move by that part of each coin's price range."""
        exposures = np.zeros(self.preset.slots)
        for item in self.items:
            if not self.is_unaccepted(item):
                delta = self.delta(item, part * self.parameters.price_range[item.underlying])
                exposures[item.slot] = delta * item.lot_size * self.snapshot.index[item.underlying]
        return exposures

    @cached_property
    def vegas(self) -> np.ndarray:
        """(N,) change in value of one lot per volatility point, US dollars."""
        vegas = np.zeros(self.preset.slots)
        for item in self.items:
            if item.kind is InstrumentKind.OPTION:
                years = self.years(item)
                spread = self.volatility(item) * math.sqrt(years)
                strike, _ = get_option_terms(item)
                d1 = math.log(self.forward(item) / strike) / spread + 0.5 * spread
                density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
                vegas[item.slot] = self.forward(item) * density * math.sqrt(years) * item.lot_size / PERCENT
        return vegas

    @cached_property
    def grid_pnl(self) -> np.ndarray:
        """(cells, N) change in value of one lot in each cell of its own coin."""
        pnl = np.zeros((Layout(self.preset).cells, self.preset.slots))
        for item in self.items:
            for index, cell in enumerate(self.cells[item.underlying]):
                volatility = self.shocked_volatility(item, cell) if item.kind is InstrumentKind.OPTION else None
                move = self.price_move(item, cell) + self.basis_shift(item, cell)
                after = self.value(item, move, volatility=volatility, days=cell.days)
                if item.kind is InstrumentKind.SPOT:
                    after /= 1.0 + cell.token
                pnl[index, item.slot] = cell.dampening * (after - self.prices[item.slot])
        return pnl

    @cached_property
    def shortfall_pnl(self) -> np.ndarray:
        """(S, N) mean change in value of one lot over the windows of each group of joint scenarios."""
        groups, weights = self.scenarios.groups, self.shortfall.window_weights
        pnl = np.zeros((int(groups.max()) + 1, self.preset.slots))
        for item in self.items:
            changes = self._window_changes(item)
            for group in range(len(pnl)):
                windows = groups == group
                pnl[group, item.slot] = np.average(changes[windows], weights=weights[windows])
        return pnl

    def _window_changes(self, item: Instrument) -> np.ndarray:
        """(D,) change in value of one lot in each window of the sample, in cash."""
        if self.is_unaccepted(item):
            return np.zeros(len(self.scenarios.token))
        if item.kind is InstrumentKind.BOND:
            grown = self.value(item, days=self.scenarios.margin_period_days) - self.prices[item.slot]
            return np.full(len(self.scenarios.token), grown)
        coin = self.preset.place_of(item.underlying)
        level, slope, size = self.scenarios.response[coin]
        moved = self.shortfall.log_moves[:, coin]
        forward: np.ndarray = self.forward(item) * np.exp(moved)
        if item.kind is InstrumentKind.OPTION:
            rise = np.exp(level + slope * moved + size * np.abs(moved)) - 1.0
            factor = np.maximum(1.0 + rise * self.tenor_scale(item), 0.1)
            passed = self.scenarios.margin_period_days / DAYS_PER_YEAR
            strike, is_call = get_option_terms(item)
            years = max(self.years(item) - passed, 0.0)
            value: np.ndarray = black76_price(forward, strike, years, self.volatility(item) * factor, is_call)
        else:
            is_spot = item.kind is InstrumentKind.SPOT
            value = forward / (1.0 + self.scenarios.token) if is_spot else forward - self.accrued_funding(item)
        return np.asarray(value * item.lot_size - self.prices[item.slot])
