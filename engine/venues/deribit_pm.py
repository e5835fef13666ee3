"""Deribit's portfolio margin: 27 standard and 8 extended cells in coin, roll shock and delta shock.

References
----------
.. [1] docs.deribit.com, private/pme/simulate (response example), and support article 25944756247837.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

import numpy as np

from zkmargin.engine.market.black76 import black76_greeks
from zkmargin.engine.units import SECONDS_PER_YEAR, require_in_range, require_whole
from zkmargin.engine.venues.decimals import ZERO, to_decimal
from zkmargin.engine.venues.evaluation import scale_by_tenor, shock_in_proportion
from zkmargin.engine.venues.grid import Book, compute_worst_loss
from zkmargin.engine.venues.interface import UP_NONE_DOWN, Margin, OptionExpiry, Scenario

EXTENDED_MOVES = tuple(Decimal(move) for move in ("-0.66", "-0.33", "0.5", "1", "2", "3", "4", "5"))
"""Relative price moves of the extended cells, volatility up."""


@dataclass(frozen=True)
class Parameters:
    """One currency's row of the venue's parameters; fractions unless stated."""

    price_range: Decimal
    volatility_range_up: float
    volatility_range_down: float
    min_volatility_for_shock_up: float
    short_term_vega_power: float
    long_term_vega_power: float
    extended_dampener_usd: Decimal
    min_annualised_move: float
    annualised_move_risk: float
    max_delta_shock: Decimal
    delta_total_liq_shock_threshold_usd: Decimal
    m_inc: Decimal
    """Delta shock per coin above the threshold."""
    pnl_offset: Decimal
    """Share of a cell's gain that counts."""
    mm_factor: Decimal
    extended_table_factor: Decimal = Decimal(1)
    buckets_each_side: int = 4
    max_offsetable_usd: Decimal | None = None
    """Most that a gain may count, US dollars."""

    def __post_init__(self) -> None:
        require_in_range("price_range", float(self.price_range), 0.001, 0.999)
        require_whole("buckets_each_side", self.buckets_each_side, 1, 100)
        for name in ("volatility_range_up", "min_volatility_for_shock_up", "annualised_move_risk"):
            require_in_range(name, getattr(self, name), 0.0, 100.0)
        for name in ("volatility_range_down", "min_annualised_move"):
            require_in_range(name, getattr(self, name), 0.0, 1.0)
        for name in ("pnl_offset", "mm_factor", "max_delta_shock"):
            require_in_range(name, float(getattr(self, name)), 0.0, 1.0)


def build_scenarios(parameters: Parameters) -> list[Scenario]:
    """The standard cells by rising price and by up, none, down; then the extended cells, before their dampener.

    An extended cell's weight is factor (range / |m|) (1 + m) / (1 + sgn(m) range): a linear position loses in it what
    it loses at the edge of the range, in coin.
    """
    p, steps = parameters, parameters.buckets_each_side
    moves = [p.price_range * step / steps for step in range(-steps, steps + 1)]
    standard = [Scenario(1 + move, vol, cell="standard") for move, vol in product(moves, UP_NONE_DOWN)]
    extended = []
    for move in EXTENDED_MOVES:
        edge = 1 + (p.price_range if move > 0 else -p.price_range)
        weight = p.extended_table_factor * p.price_range / abs(move) * (1 + move) / edge
        extended.append(Scenario(1 + move, "up", weight, cell="extended"))
    return standard + extended


class DeribitPm:
    """Deribit's portfolio margin on one book, in coin; a `VenueModel`.

    Linear cells, offset, roll floor and sums are proved by a published response. The tenor law of volatility is the one
    Derive's cases prove; option cells, dampener and delta shock have no published number (docs/venues.md).
    """

    def __init__(self, book: Book, parameters: Parameters, mmp_margin: Decimal = ZERO, open_orders: Decimal = ZERO):
        self.book, self.parameters, self.expiries = book, parameters, book.expiries
        self.scenarios = build_scenarios(parameters)
        self.mmp_margin, self.open_orders = mmp_margin, open_orders

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`; the tenor's floor is a day."""
        p = self.parameters
        scale = scale_by_tenor(expiry.days, 1.0, p.short_term_vega_power, p.long_term_vega_power)
        up, down = p.volatility_range_up * scale, p.volatility_range_down * scale
        return shock_in_proportion(expiry.volatility, scenario.vol, up, down, p.min_volatility_for_shock_up)

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """Options are worth their dollar value at the forward of the time, in coin."""
        return shocked / (expiry.forward * scenario.spot) - now / expiry.forward

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """Inverse contracts: delta m / (1 + m) in coin."""
        return sum((leg.quantity for leg in self.book.linear), ZERO) * (scenario.spot - 1) / scenario.spot

    def compute_deltas(self) -> dict[int | None, Decimal]:
        """Net delta in coin by seconds to expiry; None for perpetuals."""
        deltas: dict[int | None, Decimal] = {}
        for leg in self.book.linear:
            deltas[leg.seconds] = deltas.get(leg.seconds, ZERO) + leg.quantity
        for expiry in self.expiries:
            greeks = black76_greeks(
                float(expiry.forward), expiry.strike, expiry.years, expiry.volatility, expiry.is_call
            )
            held = sum((to_decimal(d) * leg.quantity for d, leg in zip(greeks.delta, expiry.legs, strict=True)), ZERO)
            deltas[expiry.seconds] = deltas.get(expiry.seconds, ZERO) + held
        return deltas

    def compute_roll_shock(self, deltas: dict[int | None, Decimal]) -> Decimal:
        """Sum over expiries of |delta| max(min_annualised_move, e^(annualised_move_risk T) - 1); perpetuals: T = 0."""
        p, total = self.parameters, ZERO
        for seconds, delta in deltas.items():
            grown = math.expm1(p.annualised_move_risk * (seconds or 0) / SECONDS_PER_YEAR)
            total += abs(delta) * to_decimal(max(p.min_annualised_move, grown)).quantize(Decimal("1e-20"))
        return total

    def compute_delta_shock(self, net: Decimal) -> Decimal:
        """|delta| min(max_delta_shock, m_inc max(|delta| - threshold / index, 0)), coin."""
        p = self.parameters
        above = max(ZERO, abs(net) - p.delta_total_liq_shock_threshold_usd / self.book.index)
        return abs(net) * min(p.max_delta_shock, p.m_inc * above)

    def adjust_cell(self, scenario: Scenario, pnl: Decimal) -> Decimal:
        """A cell after the offset of gains and, for extended cells, the dampener toward 0."""
        p = self.parameters
        if scenario.cell == "extended":
            edge = self.book.index * (1 + (p.price_range if scenario.spot > 1 else -p.price_range))
            beyond = max(abs(scenario.spot - 1) / p.price_range, Decimal(1)) - 1
            dampener = min(beyond * p.extended_dampener_usd / edge, abs(pnl))
            pnl = pnl - dampener if pnl > 0 else pnl + dampener
        if pnl <= 0:
            return pnl
        cap = pnl if p.max_offsetable_usd is None else p.max_offsetable_usd / self.book.index
        return min(pnl * p.pnl_offset, cap)

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`; amounts in coin."""
        adjusted = [self.adjust_cell(scenario, cell) for scenario, cell in zip(self.scenarios, pnl, strict=True)]
        deltas = self.compute_deltas()
        worst, roll = compute_worst_loss(adjusted), self.compute_roll_shock(deltas)
        shock = self.compute_delta_shock(sum(deltas.values(), ZERO))
        matrix = worst + roll + shock
        initial = matrix + self.mmp_margin + self.open_orders
        maintenance = self.parameters.mm_factor * matrix
        return Margin(
            maintenance=self.book.equity - maintenance,
            initial=self.book.equity - initial,
            scenario_pnl=pnl,
            parts={
                "worst_case": worst,
                "roll_shock": roll,
                "delta_shock": shock,
                "risk_matrix_margin": matrix,
                "initial_margin": initial,
                "maintenance_margin": maintenance,
            },
        )
