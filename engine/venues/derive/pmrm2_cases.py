"""The case file of Derive's PMRM_2: one account, market, parameters, scenarios and published results per case."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zkmargin.engine.files import StrictModel
from zkmargin.engine.venues.decimals import Fraction, NonNegative, Number, Positive
from zkmargin.engine.venues.derive.files import Case, CaseFile


class Option(StrictModel):
    """An option with the venue's mark volatility."""

    sec_to_expiry: int
    strike: NonNegative
    is_call: bool
    amount: Number
    mark_vol: NonNegative
    discount: Positive | None = None
    """The venue's discount factor; computed from the rate here, kept for the tests."""


class Collateral(StrictModel):
    """A coin or token held; its value counts in stable dollars."""

    name: str
    amount: NonNegative
    price: NonNegative
    confidence: Fraction
    mm_haircut: Fraction
    im_haircut: Fraction
    risk_cancelling: bool
    """Whether its price moves with the scenarios, as that of the underlying and its wrapped forms does."""


class Portfolio(StrictModel):
    """Cash, perpetuals, options and collateral of one account."""

    cash: Number
    perps: Number
    unrealised_perp_pnl: Number
    unrealised_funding: Number
    options: list[Option]
    collaterals: list[Collateral]


class Svi(StrictModel):
    """Raw SVI parameters the mark volatilities came from; see `engine.venues.svi`."""

    a: Number
    b: NonNegative
    rho: Number
    m: Number
    sigma: NonNegative
    fwd: Positive
    tau: Positive


class Expiry(StrictModel):
    """An expiry's forward, rate and confidences."""

    sec_to_expiry: int
    forward: NonNegative
    forward_fixed: NonNegative
    forward_variable: NonNegative
    forward_confidence: Fraction
    rate: Number
    rate_confidence: Fraction
    vol_confidence: Fraction
    svi: Svi | None = None


class UnderlyingMarket(StrictModel):
    """Prices and confidences of one underlying."""

    spot: Positive
    spot_confidence: Fraction
    perp_price: NonNegative
    perp_confidence: Fraction
    stable_price: Positive
    expiries: list[Expiry]


class Parameters(StrictModel):
    """The manager's parameters; names as in the case files, meaning in docs/venues.md."""

    im_factor: NonNegative
    mm_factor: NonNegative
    short_rate_mult: NonNegative
    long_rate_mult: NonNegative
    short_rate_add: NonNegative
    long_rate_add: NonNegative
    long_static_discount: NonNegative
    short_static_discount: NonNegative
    basis_up: Positive
    basis_down: Positive
    basis_add: NonNegative
    basis_mult: NonNegative
    peg_threshold: NonNegative
    peg_factor: NonNegative
    conf_threshold: Fraction
    conf_margin: NonNegative
    mm_perp_pct: NonNegative
    im_perp_pct: NonNegative
    mm_option_pct: NonNegative
    im_option_pct: NonNegative
    vol_range_up: NonNegative
    vol_range_down: NonNegative
    short_term_power: NonNegative
    long_term_power: NonNegative
    dte_floor_days: NonNegative
    min_vol_up_shock: NonNegative
    linear_base_cap: Number
    abs_base_cap: Number
    linear_c_base: Number
    abs_c_base: Number
    min_k_star: NonNegative
    width_scale: NonNegative
    vol_param_static: Number
    vol_param_scale: Number


class CaseScenario(StrictModel):
    """One cell of the grid."""

    spot: NonNegative
    vol: Literal["up", "none", "down", "linear", "abs"]
    dampening: NonNegative


class Expected(StrictModel):
    """Published results; a `contingency` is negative, an `extra` comes on top of the maintenance figure."""

    MM: Number
    IM: Number
    option_mtm: Number
    collateral_mtm: Number
    scenario_pnl: list[Number]
    forward_contingency: Number
    mm_perp_contingency: Number
    im_perp_contingency_extra: Number
    mm_collateral_contingency: Number
    im_collateral_contingency_extra: Number
    mm_option_contingency: Number
    im_option_contingency_extra: Number
    oracle_contingency: Number
    im_loss_factor: Number
    worst_kind: str
    option_mtm_per_expiry: list[Number]
    discount_factors_pos_neg: list[Annotated[list[Number], Field(min_length=2, max_length=2)]] | None


class Tolerance(StrictModel):
    """Allowed relative error."""

    MM_IM_scenario_rel: Number


class ContractExpiry(StrictModel):
    """The contract's intermediates of one expiry."""

    sec_to_expiry: int
    mtm: Number
    vol_shock_up: Number
    vol_shock_down: Number
    static_discount_pos: Number
    static_discount_neg: Number
    discount: Number


class ContractVolatility(StrictModel):
    """The contract's mark volatility of one option."""

    sec_to_expiry: int
    strike: Number
    is_call: bool
    vol: Number


class ContractOutput(StrictModel):
    """What the contract returned, to the last of 18 decimals."""

    MM: Number
    IM: Number
    mtm_incl_cash: Number
    atm_MM_trusted_path: Number
    worst_scenario_mm: int
    worst_scenario_im: int
    basis_contingency: Number
    mm_contingency: Number
    im_contingency_extra: Number
    scenario_pnl: list[Number]
    expiries: list[ContractExpiry]
    option_vols: list[ContractVolatility]


class Pmrm2Case(Case):
    """One account in one market."""

    portfolio: Portfolio
    market: UnderlyingMarket
    params: Parameters
    scenarios: list[CaseScenario]
    expected: Expected | None = None
    tolerance: Tolerance | None = None
    contract_output_wei_exact: ContractOutput | None = None


class Pmrm2File(CaseFile):
    """`derive_pmrm2_portfolios`."""

    cases: list[Pmrm2Case]
