"""CME's SPAN: sixteen scenarios of price and volatility a day ahead, scan risk, and the total with its spreads.

References
----------
.. [1] L. McMillan, Options as a Strategic Investment, chapter 34: arrays of a future, a call and a covered write.
.. [2] CME advisories and methodology deck (2019): extreme moves of three ranges of which 33 % counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import SECONDS_PER_DAY, require_in_range
from zkmargin.engine.venues.decimals import ZERO
from zkmargin.engine.venues.evaluation import shock_in_proportion, value_now
from zkmargin.engine.venues.grid import Book, compute_worst_loss
from zkmargin.engine.venues.interface import Margin, OptionExpiry, Scenario

THIRDS = (0, 1, -1, 2, -2, 3, -3)
"""Price moves of the first fourteen scenarios in thirds of the range, each with volatility up and down."""


@dataclass(frozen=True)
class Parameters:
    """Scan ranges of one combined commodity."""

    price_scan_range: Decimal
    """Points, > 0."""
    volatility_scan_range: float
    """Proportional change of volatility, 0 to 1."""
    extreme_multiple: Decimal = Decimal(3)
    extreme_cover: Decimal = Decimal("0.33")
    lookahead_seconds: int = SECONDS_PER_DAY

    def __post_init__(self) -> None:
        if not self.price_scan_range > 0:
            raise OutOfRange("price_scan_range", self.price_scan_range, "above 0", "any finite number")
        require_in_range("volatility_scan_range", self.volatility_scan_range, 0.0, 1.0)
        require_in_range("extreme_cover", float(self.extreme_cover), 0.0, 1.0)


def build_scenarios(parameters: Parameters, price: Decimal) -> list[Scenario]:
    """The sixteen scenarios in the exchange's order, as factors of `price`; a price is never below 0."""
    p, scenarios = parameters, []
    for thirds in THIRDS:
        move = Fraction(thirds, 3) * Fraction(p.price_scan_range)
        factor = max(ZERO, 1 + Decimal(move.numerator) / Decimal(move.denominator) / price)
        scenarios += [Scenario(factor, vol, cell=f"{thirds:+d}/3") for vol in ("up", "down")]
    for sign in (1, -1):
        factor = max(ZERO, 1 + sign * p.extreme_multiple * p.price_scan_range / price)
        scenarios.append(Scenario(factor, "none", p.extreme_cover, cell="extreme"))
    return scenarios


def combine_arrays(quantities: Sequence[Decimal], arrays: Sequence[Sequence[Decimal]]) -> tuple[Decimal, ...]:
    """A portfolio's array: the instruments' arrays, row by row, times what is held."""
    rows = zip(*arrays, strict=True)
    return tuple(sum((q * cell for q, cell in zip(quantities, row, strict=True)), ZERO) for row in rows)


def compute_span_total(
    scan: Decimal,
    intra_commodity: Decimal = ZERO,
    delivery: Decimal = ZERO,
    inter_commodity_credit: Decimal = ZERO,
    short_option_minimum: Decimal = ZERO,
    net_option_value: Decimal = ZERO,
) -> Decimal:
    """max(scan + intra + delivery - credit, short option minimum) - net option value, at least 0; US dollars."""
    risk = max(scan + intra_commodity + delivery - inter_commodity_credit, short_option_minimum)
    return max(ZERO, risk - net_option_value)


def compute_inter_commodity_credit(
    first: tuple[Decimal, Decimal], second: tuple[Decimal, Decimal], rate: Decimal
) -> Decimal:
    """Credit for opposite positions in two commodities: rate times the smaller of both risks in US dollars.

    Net delta times scan range, d, is what a commodity's delta risks; a spread is formed of as much of it as the other
    side has. The credit is rate (|d_1| + |d_2| - |d_1 + d_2|). Subtracted from a scan risk that does not grow with the
    delta alike, as with options, the result is not convex in the positions, so no policy of linear rows can ask it: the
    house model nets by a transfer instead (`engine.margin.grid`).

    Parameters
    ----------
    first, second : tuple of Decimal
        (net delta, scan range in US dollars per unit of delta) of each commodity.
    rate : Decimal
        Share of both risks that is credited, 0 to 1.

    Raises
    ------
    OutOfRange
        If the rate is outside 0 to 1.
    """
    require_in_range("rate of an inter-commodity credit", float(rate), 0.0, 1.0)
    risks = [delta * scan_range for delta, scan_range in (first, second)]
    if risks[0] * risks[1] >= 0:
        return ZERO
    return 2 * rate * min(abs(risk) for risk in risks)


class Span:
    """SPAN's scan of one book; a `VenueModel`. A contract's multiplier stands in the legs' quantities.

    `book.index` is the price of the future that the range is stated on; options are revalued a day later.
    """

    def __init__(self, book: Book, parameters: Parameters, short_option_minimum: Decimal = ZERO):
        self.book, self.parameters, self.short_option_minimum = book, parameters, short_option_minimum
        self.scenarios = build_scenarios(parameters, book.index)
        later = parameters.lookahead_seconds
        self.expiries = tuple(replace(expiry, seconds=max(0, expiry.seconds - later)) for expiry in book.expiries)
        self.today = {id(then): value_now(now) for then, now in zip(self.expiries, book.expiries, strict=True)}

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`."""
        scan = self.parameters.volatility_scan_range
        return shock_in_proportion(expiry.volatility, scenario.vol, scan, scan)

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """Value a day later under the scenario, less today's; `now` is the unshocked value a day later."""
        return shocked - self.today[id(expiry)]

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """Futures move by the range's points, whatever their own price."""
        return sum((leg.quantity for leg in self.book.linear), ZERO) * self.book.index * (scenario.spot - 1)

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`; options' value is credited."""
        scan, value = compute_worst_loss(pnl), sum(self.today.values(), ZERO)
        total = compute_span_total(scan, short_option_minimum=self.short_option_minimum, net_option_value=value)
        left = self.book.equity - total
        return Margin(left, left, pnl, {"scan_risk": scan, "net_option_value": value, "total": total})
