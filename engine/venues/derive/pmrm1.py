"""Derive's first portfolio margin, PMRM v1: an undampened grid, discounts for assets only, one coin as collateral.

Two file formats are read: exact cases with their own market, and named structures on the file's default market.

References
----------
.. [1] github.com/derivexyz/v2-core at 7736900d: formulas and numbers were read, no code was taken. docs/venues.md has
   every formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from zkmargin.engine.errors import DuplicateName
from zkmargin.engine.venues.decimals import ZERO, to_decimal
from zkmargin.engine.venues.derive.files import (
    NamedQuotes,
    compute_naked_shorts,
    compute_oracle_charge,
    group_by_expiry,
    require_known_expiry,
    require_underlying,
)
from zkmargin.engine.venues.derive.pmrm1_cases import CaseScenario, DefaultMarket, NamedCase, Parameters, PreciseCase
from zkmargin.engine.venues.evaluation import compute_basis_contingency, scale_by_tenor, shock_in_proportion
from zkmargin.engine.venues.interface import Margin, OptionExpiry, OptionLeg, Scenario


@dataclass(frozen=True)
class Account:
    """What both formats come to."""

    equity_linear: Decimal
    """Cash, coins and unrealised profit, US dollars."""
    perps: Decimal
    base: Decimal
    spot: Decimal
    spot_confidence: Decimal
    perp_price: Decimal
    perp_confidence: Decimal
    stable_price: Decimal
    expiries: tuple[OptionExpiry, ...]


def build_precise(case: PreciseCase) -> Account:
    """The account of a case with its own market.

    Raises `UnknownName` if an option's expiry is not in it, `DuplicateName` if two quotes of an expiry differ.
    """
    market, held = case.market, case.portfolio
    quoted = {expiry.sec_to_expiry: expiry for expiry in market.expiries}
    for quote in market.expiries:
        if quote != quoted[quote.sec_to_expiry]:
            raise DuplicateName(f"sec_to_expiry with another quote in case {case.id}", str(quote.sec_to_expiry))
    for option in held.options:
        require_known_expiry("sec_to_expiry of an option", case.id, option.sec_to_expiry, quoted)
    expiries = []
    for seconds, quote in quoted.items():
        options = [option for option in held.options if option.sec_to_expiry == seconds]
        confidences = [option.vol_confidence for option in options]
        if held.perps:
            confidences.append(market.perp_confidence)
        expiries.append(
            OptionExpiry(
                seconds=seconds,
                forward=quote.forward_variable,
                forward_fixed=quote.forward_fixed,
                rate=max(0.0, float(quote.rate)),
                legs=tuple(OptionLeg(o.strike, o.is_call, o.amount, float(o.mark_vol)) for o in options),
                name=f"{seconds} of case {case.id}",
                confidence=min(market.spot_confidence, quote.forward_confidence, quote.rate_confidence, *confidences),
            )
        )
    return Account(
        equity_linear=held.cash + held.base * market.spot + held.unrealised_perp_pnl + held.unrealised_funding,
        perps=held.perps,
        base=held.base,
        spot=market.spot,
        spot_confidence=market.spot_confidence,
        perp_price=market.perp_price,
        perp_confidence=market.perp_confidence,
        stable_price=market.stable_price,
        expiries=tuple(expiries),
    )


def build_named(case: NamedCase, default: DefaultMarket) -> Account:
    """The account of named structures; raises `UnknownName` for an expiry that the default market lacks."""
    held, override = case.portfolio, case.market_overrides
    require_underlying(case.id, held.underlyings, {"eth"})
    spot, spot_confidence = override.spot or (default.spot, default.confidence)
    perp_price, perp_confidence = override.perp or (default.perp_price, default.confidence)
    perps = sum((perp.amount for perp in held.perps), ZERO)
    base = sum((coins.amount for coins in held.bases), ZERO)
    pnl = sum(((perp_price - perp.entry_price) * perp.amount + perp.unsettled_funding for perp in held.perps), ZERO)
    quotes = NamedQuotes(
        spot=default.spot,
        forward_minus_spot=default.forward_minus_spot,
        sec_to_expiry=default.sec_to_expiry,
        vol=default.vol,
        confidence=default.vol_confidence,
        overrides=override,
        rate=max(0.0, float(default.rate)),
    )
    others = [spot_confidence, *([perp_confidence] if perps else [])]
    expiries = tuple(
        quotes.build_expiry(case.id, name, options, others) for name, options in group_by_expiry(held.options).items()
    )
    return Account(
        equity_linear=held.cash + base * spot + pnl,
        perps=perps,
        base=base,
        spot=spot,
        spot_confidence=spot_confidence,
        perp_price=perp_price,
        perp_confidence=perp_confidence,
        stable_price=override.stable_price or default.stable_price,
        expiries=expiries,
    )


class DerivePmrm1:
    """PMRM v1 at one account; a `VenueModel`."""

    def __init__(self, account: Account, parameters: Parameters, scenarios: Sequence[CaseScenario]):
        self.account, self.parameters = account, parameters
        self.scenarios = [Scenario(cell.spot, cell.vol) for cell in scenarios]
        self.expiries = account.expiries

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`."""
        p = self.parameters
        scale = scale_by_tenor(
            expiry.days, float(p.dte_floor_days), float(p.short_term_power), float(p.long_term_power)
        )
        return shock_in_proportion(
            expiry.volatility, scenario.vol, float(p.vol_range_up) * scale, float(p.vol_range_down) * scale
        )

    def compute_static_discount(self, expiry: OptionExpiry) -> float:
        """Factor of an expiry whose shocked value is an asset."""
        p, rate = self.parameters, expiry.rate
        return float(p.base_static_discount) * math.exp(-expiry.years * (rate * float(p.rate_mult) + float(p.rate_add)))

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """The shocked value, discounted if it is an asset, less the value now."""
        if shocked > 0:
            shocked *= to_decimal(self.compute_static_discount(expiry))
        return shocked - now

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """Perpetuals at their own price and coins at spot."""
        held = self.account
        return (held.perps * held.perp_price + held.base * held.spot) * (scenario.spot - 1)

    def compute_oracle_contingency(self) -> Decimal:
        """Initial charge for prices that the oracles are not sure of; confidences are compared in decimals."""
        held, p = self.account, self.parameters
        exposures = [(held.spot_confidence, held.base)]
        if held.perps:
            exposures.append((min(held.spot_confidence, held.perp_confidence), abs(held.perps)))
        for expiry in self.expiries:
            exposures.append((expiry.confidence, sum((abs(leg.quantity) for leg in expiry.legs), ZERO)))
        charges = (
            compute_oracle_charge(confidence, p.conf_threshold, p.conf_margin) * coins * held.spot
            for confidence, coins in exposures
        )
        return sum(charges, ZERO)

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`; the peg's threshold is compared in decimals."""
        held, p = self.account, self.parameters
        equity = sum(now, ZERO) + held.equity_linear
        basis = compute_basis_contingency(self.expiries, now, p.basis_up, p.basis_down, p.basis_add, p.basis_mult)
        worst = min((basis, *pnl))
        naked = sum((compute_naked_shorts(expiry.legs) for expiry in self.expiries), ZERO)
        perp, base, option = abs(held.perps) * p.perp_pct, held.base * p.base_pct, naked * p.option_pct
        loss = worst - (perp + base + option) * held.spot
        factor = p.im_factor + max(ZERO, p.peg_threshold - held.stable_price) * p.peg_factor
        oracle = self.compute_oracle_contingency()
        return Margin(
            maintenance=equity + loss,
            initial=equity + factor * loss - oracle,
            scenario_pnl=pnl,
            parts={
                "equity": equity,
                "basis": basis,
                "worst": worst,
                "perp": perp * held.spot,
                "base": base * held.spot,
                "option": option * held.spot,
                "oracle": oracle,
                "im_loss_factor": factor,
            },
        )
