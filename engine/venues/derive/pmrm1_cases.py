"""The case files of Derive's PMRM v1: exact cases with their own market, and named structures on a default market."""

from __future__ import annotations

from typing import Literal

from zkmargin.engine.files import StrictModel
from zkmargin.engine.venues.decimals import Fraction, NonNegative, Number, Positive
from zkmargin.engine.venues.derive.files import Case, CaseFile, MarketOverrides, NamedAccount, NamedCaseFile


class Parameters(StrictModel):
    """The manager's parameters; names as in the case files, meaning in docs/venues.md."""

    basis_up: Positive
    basis_down: Positive
    basis_add: NonNegative
    basis_mult: NonNegative
    peg_threshold: NonNegative
    peg_factor: NonNegative
    conf_threshold: Fraction
    conf_margin: NonNegative
    base_pct: NonNegative
    perp_pct: NonNegative
    option_pct: NonNegative
    im_factor: NonNegative
    base_static_discount: NonNegative
    rate_mult: NonNegative
    rate_add: NonNegative
    vol_range_up: NonNegative
    vol_range_down: NonNegative
    short_term_power: NonNegative
    long_term_power: NonNegative
    dte_floor_days: NonNegative


class CaseScenario(StrictModel):
    """One cell of the grid."""

    spot: NonNegative
    vol: Literal["up", "none", "down"]


class PreciseOption(StrictModel):
    """An option with the venue's mark volatility."""

    sec_to_expiry: int
    strike: NonNegative
    is_call: bool
    amount: Number
    mark_vol: NonNegative
    vol_confidence: Fraction


class PrecisePortfolio(StrictModel):
    """One account."""

    cash: Number
    perps: Number
    base: NonNegative
    unrealised_perp_pnl: Number
    unrealised_funding: Number
    options: list[PreciseOption]


class PreciseExpiry(StrictModel):
    """An expiry's forward and rate; the files repeat it once per option."""

    sec_to_expiry: int
    forward_fixed: NonNegative
    forward_variable: NonNegative
    forward_confidence: Fraction
    rate: Number
    rate_confidence: Fraction


class PreciseMarket(StrictModel):
    """Prices and confidences."""

    spot: Positive
    spot_confidence: Fraction
    perp_price: NonNegative
    perp_confidence: Fraction
    stable_price: Positive
    expiries: list[PreciseExpiry]


class PreciseExpected(StrictModel):
    """Published results; contingencies are negative."""

    MM: Number
    IM: Number
    portfolio_mtm_incl_cash: Number
    perp_contingency: Number
    base_contingency: Number
    option_contingency: Number
    forward_contingency: Number
    oracle_contingency: Number
    im_loss_factor: Number
    min_span: Number


class PreciseTolerance(StrictModel):
    """Allowed error, US dollars."""

    abs: Number


class PreciseCase(Case):
    """One account in one market."""

    portfolio: PrecisePortfolio
    market: PreciseMarket
    expected: PreciseExpected | None = None
    tolerance: PreciseTolerance | None = None


class PreciseFile(CaseFile):
    """`derive_pmrm1_precise`: every case with its market."""

    params: Parameters
    params_source: str = ""
    scenarios: list[CaseScenario]
    scenarios_source: str = ""
    cases: list[PreciseCase]


class DefaultMarket(StrictModel):
    """Market of all cases of a file of named structures, before a case's overrides."""

    spot: Positive
    confidence: Fraction
    perp_price: NonNegative
    stable_price: Positive
    vol: NonNegative
    vol_confidence: Fraction
    rate: Number
    forward_minus_spot: dict[str, Number]
    sec_to_expiry: dict[str, int]


class NamedCase(NamedAccount):
    """One account of named structures."""

    market_overrides: MarketOverrides


class NamedFile(NamedCaseFile):
    """`derive_pmrm1_integer`: named structures on one default market, published in whole dollars."""

    params: Parameters
    scenarios: list[CaseScenario]
    market_default: DefaultMarket
    cases: list[NamedCase]
