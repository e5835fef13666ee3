"""Derive's portfolio margin PMRM_2: a dampened grid over one underlying with collateral of many kinds.

References
----------
.. [1] github.com/derivexyz/v2-core at 7736900d: formulas and numbers were read, no code was taken. docs/venues.md has
   every formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from zkmargin.engine.errors import DuplicateName, OutOfRange
from zkmargin.engine.units import SECONDS_PER_YEAR
from zkmargin.engine.venues.decimals import ZERO, to_decimal
from zkmargin.engine.venues.derive.files import compute_naked_shorts, compute_oracle_charge, require_known_expiry
from zkmargin.engine.venues.derive.pmrm2_cases import Pmrm2Case
from zkmargin.engine.venues.evaluation import compute_basis_contingency, scale_by_tenor, shock_in_proportion
from zkmargin.engine.venues.interface import Margin, OptionExpiry, OptionLeg, Scenario

SPLIT_TOLERANCE = Decimal("1e-9")
"""How far a forward may be from the sum of its fixed and variable parts, as a share of it: the files' rounding."""


def group_options(case: Pmrm2Case) -> Iterator[OptionExpiry]:
    """The case's expiries that have options, in the market's order.

    Raises `OutOfRange` for an expiry before now, `UnknownName` for an option whose expiry the market does not have,
    `DuplicateName` for an expiry that it has twice.
    """
    known = [expiry.sec_to_expiry for expiry in case.market.expiries]
    if len(set(known)) < len(known):
        raise DuplicateName(f"sec_to_expiry in the market of case {case.id}", str(max(known, key=known.count)))
    for option in case.portfolio.options:
        require_known_expiry("sec_to_expiry of an option", case.id, option.sec_to_expiry, known)
    market = case.market
    held = market.perp_confidence if case.portfolio.perps else Decimal(1)
    for expiry in market.expiries:
        whole = expiry.forward_fixed + expiry.forward_variable
        if abs(expiry.forward - whole) > SPLIT_TOLERANCE * whole:
            what = f"forward of expiry {expiry.sec_to_expiry} in case {case.id}, of which fixed + variable"
            raise OutOfRange(what, str(expiry.forward), whole, whole)
        of_expiry = [option for option in case.portfolio.options if option.sec_to_expiry == expiry.sec_to_expiry]
        rate = max(float(expiry.rate), 0.0)
        yield OptionExpiry(
            seconds=expiry.sec_to_expiry,
            forward=expiry.forward_variable,
            forward_fixed=expiry.forward_fixed,
            rate=rate,
            discount=math.exp(-rate * expiry.sec_to_expiry / SECONDS_PER_YEAR),
            legs=tuple(OptionLeg(o.strike, o.is_call, o.amount, float(o.mark_vol)) for o in of_expiry),
            name=f"{expiry.sec_to_expiry} of case {case.id}",
            confidence=min(
                held, market.spot_confidence, expiry.forward_confidence, expiry.rate_confidence, expiry.vol_confidence
            ),
        )


class DerivePmrm2:
    """PMRM_2 at one case; a `VenueModel`."""

    def __init__(self, case: Pmrm2Case):
        self.case, self.market, self.portfolio, self.parameters = case, case.market, case.portfolio, case.params
        self.scenarios = [Scenario(cell.spot, cell.vol, cell.dampening) for cell in case.scenarios]
        self.expiries = list(group_options(case))
        self.collateral = [held.amount * held.price / case.market.stable_price for held in case.portfolio.collaterals]

    def compute_tilt(self, expiry: OptionExpiry, kind: str) -> np.ndarray:
        """Factor max(0, 1 + clip(k cap / k*, -cap, cap)) of each volatility; k = ln(strike / forward), or its size."""
        p, root = self.parameters, math.sqrt(expiry.years)
        base, slope = (p.linear_base_cap, p.linear_c_base) if kind == "linear" else (p.abs_base_cap, p.abs_c_base)
        cap = float(base) + float(slope) * root
        width = root * float(p.width_scale) * (float(p.vol_param_static) + float(p.vol_param_scale) * root)
        star = max(float(p.min_k_star), width)
        with np.errstate(divide="ignore"):
            k = np.log(expiry.strike / (float(expiry.forward) + float(expiry.forward_fixed)))
        k = np.abs(k) if kind == "abs" else k
        tilt = k * cap / star
        tilt = np.where(k >= 0, np.minimum(tilt, cap), np.maximum(tilt, -cap))
        return np.maximum(0.0, 1.0 + tilt)

    def compute_shocks(self, expiry: OptionExpiry) -> tuple[float, float]:
        """How much volatility rises and falls in this expiry's up and down scenarios, as fractions."""
        p = self.parameters
        scale = scale_by_tenor(
            expiry.days, float(p.dte_floor_days), float(p.short_term_power), float(p.long_term_power)
        )
        return float(p.vol_range_up) * scale, float(p.vol_range_down) * scale

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`."""
        if scenario.vol in ("linear", "abs"):
            return np.asarray(expiry.volatility * self.compute_tilt(expiry, scenario.vol))
        up, down = self.compute_shocks(expiry)
        return shock_in_proportion(expiry.volatility, scenario.vol, up, down, float(self.parameters.min_vol_up_shock))

    def compute_static_discounts(self, expiry: OptionExpiry) -> tuple[float, float]:
        """Factors of an expiry whose shocked value is an asset, and of one whose value is a debt."""
        p, rate, years = self.parameters, expiry.rate, expiry.years
        asset = float(p.long_static_discount) * math.exp(
            -years * (rate * float(p.long_rate_mult) + float(p.long_rate_add))
        )
        debt = float(p.short_static_discount) * math.exp(
            years * (rate * float(p.short_rate_mult) + float(p.short_rate_add))
        )
        return asset, min(1.0 / expiry.discount, debt)

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """The shocked value by its static discount, less the value now; minus its size for a tilt of the skew."""
        asset, debt = self.compute_static_discounts(expiry)
        change = shocked * to_decimal(asset if shocked >= 0 else debt) - now
        return -abs(change) if scenario.vol in ("linear", "abs") else change

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """Perpetuals at their own price, and collateral that cancels risk."""
        exposure = self.portfolio.perps * self.market.perp_price
        for value, held in zip(self.collateral, self.portfolio.collaterals, strict=True):
            exposure += value if held.risk_cancelling else ZERO
        return exposure * (scenario.spot - 1)

    def compute_oracle_contingency(self) -> Decimal:
        """Initial charge for prices that the oracles are not sure of."""
        market, portfolio, p = self.market, self.portfolio, self.parameters
        exposures = []
        if portfolio.perps:
            confidence = min(market.spot_confidence, market.perp_confidence)
            exposures.append((confidence, abs(portfolio.perps) * market.spot))
        for expiry in self.expiries:
            lots = sum((abs(leg.quantity) for leg in expiry.legs), ZERO)
            exposures.append((expiry.confidence, lots * market.spot))
        for value, held in zip(self.collateral, portfolio.collaterals, strict=True):
            exposures.append((min(held.confidence, market.spot_confidence), value))
        charges = (
            compute_oracle_charge(confidence, p.conf_threshold, p.conf_margin) * notional
            for confidence, notional in exposures
        )
        return sum(charges, ZERO)

    def compute_contingencies(self, perp: Decimal, option: Decimal, haircut: str) -> Decimal:
        """Charges at the given rates per dollar of spot, and collateral at the named haircut."""
        naked = sum((compute_naked_shorts(expiry.legs) for expiry in self.expiries), ZERO)
        charge = (abs(self.portfolio.perps) * perp + naked * option) * self.market.spot
        for value, held in zip(self.collateral, self.portfolio.collaterals, strict=True):
            charge += value * getattr(held, haircut)
        return charge

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`; the peg's threshold is compared in decimals."""
        p, portfolio = self.parameters, self.portfolio
        equity = sum(now, ZERO) + sum(self.collateral, ZERO) + portfolio.cash
        equity += portfolio.unrealised_perp_pnl + portfolio.unrealised_funding
        basis = compute_basis_contingency(self.expiries, now, p.basis_up, p.basis_down, p.basis_add, p.basis_mult)
        worst = min((basis, *pnl))
        maintenance = self.compute_contingencies(p.mm_perp_pct, p.mm_option_pct, "mm_haircut")
        extra = self.compute_contingencies(p.im_perp_pct, p.im_option_pct, "im_haircut")
        oracle = self.compute_oracle_contingency()
        factor = p.im_factor + max(ZERO, p.peg_threshold - self.market.stable_price) * p.peg_factor
        return Margin(
            maintenance=equity + p.mm_factor * worst - maintenance,
            initial=equity + factor * worst - maintenance - extra - oracle,
            scenario_pnl=pnl,
            parts={
                "equity": equity,
                "basis": basis,
                "worst": worst,
                "maintenance_contingency": maintenance,
                "initial_contingency_extra": extra + oracle,
                "oracle": oracle,
                "im_loss_factor": factor,
            },
        )
