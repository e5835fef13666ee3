"""The case files of Derive's standard manager: exact cases, and named structures on a default market."""

from __future__ import annotations

from zkmargin.engine.files import StrictModel
from zkmargin.engine.venues.decimals import Fraction, NonNegative, Number, Positive
from zkmargin.engine.venues.derive.files import (
    Case,
    CaseFile,
    MarketOverrides,
    NamedAccount,
    NamedBase,
    NamedCaseFile,
    NamedPerp,
)


class Parameters(StrictModel):
    """The manager's parameters; names as in the case files, meaning in docs/venues.md."""

    perp_mm: NonNegative
    perp_im: NonNegative
    max_spot_req: NonNegative
    min_spot_req: NonNegative
    mm_call_spot_req: NonNegative
    mm_put_spot_req: NonNegative
    mm_put_mtm_req: NonNegative
    unpaired_im_scale: NonNegative
    unpaired_mm_scale: NonNegative
    mm_offset_scale: NonNegative
    oc_perp_threshold: Fraction
    oc_option_threshold: Fraction
    oc_base_threshold: Fraction
    oc_factor: NonNegative
    depeg_threshold: NonNegative
    depeg_factor: NonNegative
    base_im_scale: NonNegative
    base_margin_factor: NonNegative


class ExactOption(StrictModel):
    """An option with the venue's mark volatility."""

    underlying: str
    sec_to_expiry: int
    strike: NonNegative
    is_call: bool
    amount: Number
    vol: NonNegative


class ExactPortfolio(StrictModel):
    """One account."""

    cash: Number
    perps: list[NamedPerp]
    bases: list[NamedBase]
    options: list[ExactOption]

    @property
    def underlyings(self) -> list[str]:
        """Of every position."""
        options, perps, bases = self.options, self.perps, self.bases
        return [
            *(item.underlying for item in options),
            *(item.underlying for item in perps),
            *(item.underlying for item in bases),
        ]


class ExactPrices(StrictModel):
    """Prices of one underlying."""

    spot: Positive
    spot_confidence: Fraction
    perp_price: NonNegative
    perp_confidence: Fraction


class ExactForward(StrictModel):
    """Forward of one expiry."""

    underlying: str
    sec_to_expiry: int
    forward: Positive
    confidence: Fraction


class ExactConfidence(StrictModel):
    """Confidence of one expiry's volatilities."""

    underlying: str
    sec_to_expiry: int
    confidence: Fraction


class ExactMarket(StrictModel):
    """Both underlyings."""

    stable_price: Positive
    ETH: ExactPrices
    BTC: ExactPrices
    forwards: list[ExactForward]
    expiry_vol_confidence: list[ExactConfidence]


class ExactExpected(StrictModel):
    """Published results."""

    MM: Number
    IM: Number
    mtm: Number


class ExactTolerance(StrictModel):
    """Allowed relative error."""

    rel: Number


class ExactCase(Case):
    """One account in one market."""

    portfolio: ExactPortfolio
    market: ExactMarket
    expected: ExactExpected | None = None
    tolerance: ExactTolerance | None = None


class ExactFile(CaseFile):
    """`derive_srm_cases`: every case with its market."""

    params: Parameters
    cases: list[ExactCase]


class DefaultPrices(StrictModel):
    """Prices of one underlying before a case's overrides."""

    spot: Positive
    perp_price: NonNegative
    forward_minus_spot: dict[str, Number]


class DefaultMarket(StrictModel):
    """Market of all cases of a file of named structures."""

    ETH: DefaultPrices
    BTC: DefaultPrices
    vol: NonNegative
    confidence: Fraction
    stable_price: Positive
    sec_to_expiry: dict[str, int]


class NamedCase(NamedAccount):
    """One account of named structures; only ETH's market is overridden."""

    market_overrides_eth: MarketOverrides


class NamedFile(NamedCaseFile):
    """`derive_srm_integer`: named structures on one default market, published in whole dollars."""

    params: Parameters
    market_default: DefaultMarket
    cases: list[NamedCase]
