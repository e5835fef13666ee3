"""Derive's standard manager: isolated margins, or the worst payoff of an expiry if that is milder; two underlyings.

Two file formats are read: exact cases with their own market, and named structures on the file's default market.

References
----------
.. [1] github.com/derivexyz/v2-core at 7736900d: formulas and numbers were read, no code was taken. docs/venues.md has
   every formula.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from zkmargin.engine.venues.decimals import ZERO
from zkmargin.engine.venues.derive.files import (
    MarketOverrides,
    NamedBase,
    NamedPerp,
    NamedQuotes,
    compute_oracle_charge,
    group_by_expiry,
    require_known_expiry,
    require_underlying,
)
from zkmargin.engine.venues.derive.srm_cases import (
    DefaultMarket,
    ExactCase,
    ExactOption,
    ExactPrices,
    NamedCase,
    Parameters,
)
from zkmargin.engine.venues.evaluation import value_now
from zkmargin.engine.venues.interface import Margin, OptionExpiry, OptionLeg, Scenario


@dataclass(frozen=True)
class CoinAccount:
    """What one account has in one underlying."""

    spot: Decimal
    spot_confidence: Decimal
    perp_price: Decimal
    perp_confidence: Decimal
    perps: Decimal
    perp_pnl: Decimal
    """Unrealised profit and funding, US dollars."""
    base: Decimal
    expiries: tuple[OptionExpiry, ...]


@dataclass(frozen=True)
class Account:
    """What both formats come to."""

    cash: Decimal
    stable_price: Decimal
    coins: tuple[CoinAccount, ...]


def _sum_linear(perps: Iterable[NamedPerp], bases: Iterable[NamedBase], price: Decimal) -> tuple[Decimal, ...]:
    """Perpetuals, their unrealised profit at `price`, and coins."""
    held = list(perps)
    profit = ((price - perp.entry_price) * perp.amount + perp.unsettled_funding for perp in held)
    return sum((perp.amount for perp in held), ZERO), sum(profit, ZERO), sum((coins.amount for coins in bases), ZERO)


def _build_exact_expiry(case: ExactCase, coin: str, seconds: int, options: list[ExactOption]) -> OptionExpiry:
    forwards = {quote.sec_to_expiry: quote for quote in case.market.forwards if quote.underlying == coin}
    confidences = {
        quote.sec_to_expiry: quote.confidence for quote in case.market.expiry_vol_confidence if quote.underlying == coin
    }
    for what, quotes in (("forward", forwards), ("volatility confidence", confidences)):
        require_known_expiry(f"{coin} sec_to_expiry with a {what}", case.id, seconds, quotes)
    spot_confidence = getattr(case.market, coin).spot_confidence
    return OptionExpiry(
        seconds=seconds,
        forward=forwards[seconds].forward,
        legs=tuple(OptionLeg(o.strike, o.is_call, o.amount, float(o.vol)) for o in options),
        name=f"{seconds} {coin} of case {case.id}",
        confidence=min(spot_confidence, forwards[seconds].confidence, confidences[seconds]),
    )


def build_exact(case: ExactCase) -> Account:
    """The account of a case with its own market; raises `UnknownName` for an option without its expiry."""
    held, coins = case.portfolio, []
    require_underlying(case.id, held.underlyings, {"ETH", "BTC"})
    for coin in ("ETH", "BTC"):
        prices: ExactPrices = getattr(case.market, coin)
        perps, profit, base = _sum_linear(
            (perp for perp in held.perps if perp.underlying == coin),
            (coins for coins in held.bases if coins.underlying == coin),
            prices.perp_price,
        )
        options: dict[int, list[ExactOption]] = {}
        for option in held.options:
            if option.underlying == coin:
                options.setdefault(option.sec_to_expiry, []).append(option)
        expiries = tuple(_build_exact_expiry(case, coin, *group) for group in options.items())
        coins.append(CoinAccount(**prices.model_dump(), perps=perps, perp_pnl=profit, base=base, expiries=expiries))
    return Account(held.cash, case.market.stable_price, tuple(coins))


def build_named(case: NamedCase, default: DefaultMarket) -> Account:
    """The account of named structures; raises `UnknownName` for an expiry that the default market lacks."""
    held, coins = case.portfolio, []
    require_underlying(case.id, held.underlyings, {"eth", "btc"})
    for name, prices in (("eth", default.ETH), ("btc", default.BTC)):
        override = case.market_overrides_eth if name == "eth" else MarketOverrides()
        spot, spot_confidence = override.spot or (prices.spot, default.confidence)
        perp_price, perp_confidence = override.perp or (prices.perp_price, default.confidence)
        perps, profit, base = _sum_linear(
            (perp for perp in held.perps if perp.underlying == name),
            (coins for coins in held.bases if coins.underlying == name),
            perp_price,
        )
        quotes = NamedQuotes(
            prices.spot, prices.forward_minus_spot, default.sec_to_expiry, default.vol, default.confidence, override
        )
        groups = group_by_expiry(option for option in held.options if option.underlying == name)
        expiries = tuple(
            quotes.build_expiry(case.id, expiry, options, [spot_confidence]) for expiry, options in groups.items()
        )
        coins.append(CoinAccount(spot, spot_confidence, perp_price, perp_confidence, perps, profit, base, expiries))
    stable = case.market_overrides_eth.stable_price or default.stable_price
    return Account(held.cash, stable, tuple(coins))


def compute_payoff(expiry: OptionExpiry, price: Decimal) -> Decimal:
    """What the expiry's options pay if they settle at `price`, US dollars, exactly."""
    total = ZERO
    for leg in expiry.legs:
        total += leg.quantity * max(ZERO, price - leg.strike if leg.is_call else leg.strike - price)
    return total


class DeriveSrm:
    """The standard manager at one account; a `VenueModel` without scenarios of the market."""

    scenarios: tuple[Scenario, ...] = ()

    def __init__(self, account: Account, parameters: Parameters):
        self.account, self.parameters = account, parameters
        self.expiries = tuple(expiry for coin in account.coins for expiry in coin.expiries)

    def shock_volatility(self, expiry: OptionExpiry, scenario: Scenario) -> np.ndarray:
        """See `VenueModel`; the manager has no scenarios."""
        return expiry.volatility

    def compute_option_pnl(self, expiry: OptionExpiry, scenario: Scenario, now: Decimal, shocked: Decimal) -> Decimal:
        """See `VenueModel`; the manager has no scenarios."""
        return shocked - now

    def compute_linear_pnl(self, scenario: Scenario) -> Decimal:
        """See `VenueModel`; the manager has no scenarios."""
        return ZERO

    def compute_isolated(self, leg: OptionLeg, mark: Decimal, spot: Decimal, is_initial: bool) -> Decimal:
        """Margin of one option by itself, US dollars, `mark` its value: 0 when held, negative when owed."""
        p, lots = self.parameters, leg.quantity
        if lots >= 0:
            return ZERO
        if leg.is_call:
            maintenance = mark + lots * p.mm_call_spot_req * spot
        else:
            maintenance = mark + min(lots * p.mm_put_spot_req * spot, p.mm_put_mtm_req * mark)
        if not is_initial:
            return maintenance
        out_of_the_money = max(ZERO, leg.strike - spot if leg.is_call else spot - leg.strike) / spot
        initial = mark + lots * spot * max(p.max_spot_req - out_of_the_money, p.min_spot_req)
        return initial if leg.is_call else min(initial, maintenance * p.mm_offset_scale)

    def compute_max_loss(self, expiry: OptionExpiry, scale: Decimal) -> Decimal:
        """The least payoff at 0 and at every strike, and a charge for calls owed that no call held covers."""
        prices = {ZERO, *(leg.strike for leg in expiry.legs)}
        worst = min(ZERO, *(compute_payoff(expiry, price) for price in prices))
        calls = sum((leg.quantity for leg in expiry.legs if leg.is_call), ZERO)
        return worst + min(ZERO, calls) * expiry.forward * scale

    def compute_expiry_margin(self, expiry: OptionExpiry, coin: CoinAccount, is_initial: bool) -> Decimal:
        """The milder of the isolated margins and the worst payoff, and initial charges for oracle and peg."""
        p, account = self.parameters, self.account
        isolated = ZERO
        for leg in expiry.legs:
            alone = OptionExpiry(expiry.seconds, expiry.forward, (leg,), name=expiry.name)
            isolated += self.compute_isolated(leg, value_now(alone), coin.spot, is_initial)
        scale = p.unpaired_im_scale if is_initial else p.unpaired_mm_scale
        margin = max(isolated, self.compute_max_loss(expiry, scale))
        if is_initial:
            owed = sum((-leg.quantity for leg in expiry.legs if leg.quantity < 0), ZERO)
            oracle = compute_oracle_charge(expiry.confidence, p.oc_option_threshold, p.oc_factor)
            depeg = max(ZERO, p.depeg_threshold - account.stable_price) * p.depeg_factor
            margin -= owed * coin.spot * (oracle + depeg)
        return margin

    def compute_coin_margin(self, coin: CoinAccount, is_initial: bool) -> Decimal:
        """Margin of one underlying; thresholds are compared in decimals."""
        p = self.parameters
        perps, base = abs(coin.perps) * coin.spot, coin.base * coin.spot
        perp_price = abs(coin.perps) * coin.perp_price
        margin = coin.perp_pnl - perp_price * (p.perp_im if is_initial else p.perp_mm)
        margin += base * p.base_margin_factor * (p.base_im_scale if is_initial else 1)
        if is_initial and coin.perps:
            confidence = min(coin.spot_confidence, coin.perp_confidence)
            margin -= perps * compute_oracle_charge(confidence, p.oc_perp_threshold, p.oc_factor)
            margin -= perps * max(ZERO, p.depeg_threshold - self.account.stable_price) * p.depeg_factor
        if is_initial:
            margin -= base * compute_oracle_charge(coin.spot_confidence, p.oc_base_threshold, p.oc_factor)
        return margin + sum((self.compute_expiry_margin(e, coin, is_initial) for e in coin.expiries), ZERO)

    def compute_margin(self, pnl: tuple[Decimal, ...], now: tuple[Decimal, ...]) -> Margin:
        """See `VenueModel`."""
        maintenance, initial = (
            self.account.cash + sum((self.compute_coin_margin(coin, is_initial) for coin in self.account.coins), ZERO)
            for is_initial in (False, True)
        )
        linear = sum((coin.perp_pnl + coin.base * coin.spot for coin in self.account.coins), ZERO)
        return Margin(maintenance, initial, pnl, {"mtm": sum(now, ZERO) + linear + self.account.cash})
