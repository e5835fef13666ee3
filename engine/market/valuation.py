"""Black (1976) prices and Greeks, vectorised; prices and deltas per lot of every slot of a market snapshot.

Prices are undiscounted: options settle in USDC and are worth the expected payoff on the forward of their own expiry.

References
----------
.. [1] F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976), equation 16 without
   its discount factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from zkmargin.engine.elementary import exp, log, normal_cdf
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.units import require_flags

if TYPE_CHECKING:
    from zkmargin.engine.market.snapshot import MarketSnapshot

INVERSE_SQRT_2PI = 0.3989422804014327
"""1 / sqrt(2 pi), the standard normal density at 0."""


class Greeks(NamedTuple):
    """Derivatives of the undiscounted Black (1976) price, each of the broadcast shape."""

    delta: np.ndarray
    """Per US dollar of the forward: N(d1) for calls, N(d1) - 1 for puts."""
    gamma: np.ndarray
    """Change of delta per US dollar of the forward; 0 where volatility * sqrt(years) is 0."""
    vega: np.ndarray
    """US dollars per 1.00 of volatility (a hundred volatility points)."""
    theta: np.ndarray
    """US dollars per year that passes, at a constant forward; never positive; 0 at expiry."""


def _checked(what: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value, dtype=float)
    # One comparison refuses negative numbers, NaN and infinity.
    good = (array >= 0) & (array < np.inf)
    if not good.all():
        raise OutOfRange(what, float(array[~good].flat[0]), 0, "any finite number")
    return array


def _checked_all(forward, strike, years, volatility) -> tuple[np.ndarray, ...]:
    named = zip(("forward", "strike", "years", "volatility"), (forward, strike, years, volatility), strict=True)
    return tuple(_checked(what, value) for what, value in named)


def _d1_d2(forward: np.ndarray, strike: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """d1 and d2 for the deviation volatility * sqrt(years); infinite with the moneyness's sign where that is 0.

    At the money with no deviation both are 0, which makes the price 0 and the delta one half, the limit from above.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        moneyness = log(forward / strike)
        d1 = moneyness / deviation + 0.5 * deviation
        d2 = d1 - deviation
    undefined = np.isnan(d1) | np.isnan(d2)
    if undefined.any():  # 0 / 0: forward = strike without deviation, or forward = strike = 0
        d1, d2 = np.where(undefined, 0.0, d1), np.where(undefined, 0.0, d2)
    return d1, d2


def black76_price(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, is_call: ArrayLike
) -> np.ndarray:
    """Undiscounted value of European options, US dollars per coin [1]_; arguments broadcast.

    The option out of the money is computed and the intrinsic value added: parity holds to the last rounding, a deep
    option in the money keeps its time value, and no price is below its intrinsic value or above its bound.

    Parameters
    ----------
    forward, strike
        US dollars, >= 0.
    years
        Time to expiry in years of 365 days, >= 0; at 0 the price is the payoff.
    volatility
        Fraction per square root of a year, >= 0.
    is_call
        True for calls, False for puts.

    Raises
    ------
    OutOfRange
        If a number is negative or not finite.
    WrongKind
        If a flag is anything but True or False: "p", -1 and NaN are all true to Python, and would price a call.
    """
    forward, strike, years, volatility = _checked_all(forward, strike, years, volatility)
    is_call = require_flags("is_call", is_call)
    d1, d2 = _d1_d2(forward, strike, volatility * np.sqrt(years))
    call_is_out = forward <= strike
    sign = np.where(call_is_out, 1.0, -1.0)
    out_of_the_money = sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))
    out_of_the_money = np.clip(out_of_the_money, 0.0, np.minimum(forward, strike))
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    return out_of_the_money + intrinsic


def black76_greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, is_call: ArrayLike
) -> Greeks:
    """Delta, gamma, vega and theta of the price of `black76_price`, same arguments and errors."""
    forward, strike, years, volatility = _checked_all(forward, strike, years, volatility)
    root = np.sqrt(years)
    deviation = volatility * root
    d1, _ = _d1_d2(forward, strike, deviation)
    is_call = require_flags("is_call", is_call)
    delta = np.where(is_call, normal_cdf(d1), -normal_cdf(-d1))
    density = INVERSE_SQRT_2PI * exp(-0.5 * d1 * d1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gamma = np.where((deviation > 0) & (forward > 0), density / (forward * deviation), 0.0)
        theta = np.where(root > 0, -0.5 * forward * density * volatility / root, 0.0)
    vega = forward * density * root + 0.0 * deviation
    shape = np.broadcast_shapes(delta.shape, vega.shape)
    return Greeks(*(np.broadcast_to(part, shape) for part in (delta, gamma, vega, theta)))


def _shifted(
    snapshot: MarketSnapshot, forward_shift: ArrayLike, volatility: ArrayLike | None, time_shift: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Forwards (…, N), 0 where nothing is listed; forward, volatility and years (…, n) of the n listed options."""
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    shift = np.asarray(forward_shift, dtype=float)
    if not ((shift >= -1.0) & (shift < np.inf)).all():
        raise OutOfRange("forward shift", float(shift[~((shift >= -1.0) & (shift < np.inf))].flat[0]), -1.0, "finite")
    elapsed = _checked("time shift", time_shift)
    if volatility is None:
        chosen = snapshot.volatility
    else:
        chosen = np.asarray(volatility, dtype=float)
        if chosen.ndim == 0:
            chosen = np.full(listing.preset.slots, float(chosen))
    shape = np.broadcast_shapes(shift.shape, elapsed.shape, chosen.shape, (listing.preset.slots,))
    forward = np.broadcast_to(np.where(listing.is_listed, snapshot.forward, 0.0) * (1.0 + shift), shape)
    years = np.maximum(snapshot.years[slots] - np.broadcast_to(elapsed, shape)[..., slots], 0.0)
    return forward, forward[..., slots], np.broadcast_to(chosen, shape)[..., slots], years


def price_per_lot(
    snapshot: MarketSnapshot,
    *,
    forward_shift: ArrayLike = 0.0,
    volatility: ArrayLike | None = None,
    time_shift: ArrayLike = 0.0,
) -> np.ndarray:
    """Value of one lot of every slot, US dollars, shape (…, N): the broadcast shape of the arguments against (N,).

    Options: `black76_price` on the row's own forward; futures their forward, perpetuals their mark, spot its index;
    each times the lot size. A slot where nothing is listed is worth 0.

    Parameters
    ----------
    forward_shift
        Relative change of forwards, marks and index, >= -1: scalar or broadcastable to (…, N). For one number per
        scenario pass shape (scenarios, 1).
    volatility
        Volatilities instead of the snapshot's, fraction, broadcastable to (…, N); only option slots are read.
    time_shift
        Years that pass before valuation, >= 0, broadcastable to (…, N). An option that expires meanwhile is worth its
        payoff on the shifted forward.

    Raises
    ------
    OutOfRange
        If a shift, volatility or time is out of its range or not finite.
    """
    forward, option_forward, chosen, years = _shifted(snapshot, forward_shift, volatility, time_shift)
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    price = np.array(forward)
    price[..., slots] = black76_price(option_forward, listing.strike[slots], years, chosen, listing.is_call[slots])
    return price * listing.lot_size


def greeks_per_lot(
    snapshot: MarketSnapshot,
    *,
    forward_shift: ArrayLike = 0.0,
    volatility: ArrayLike | None = None,
    time_shift: ArrayLike = 0.0,
) -> Greeks:
    """Greeks of one lot of every slot, shape (…, N), arguments and errors as `price_per_lot`.

    Units are those of `Greeks` times coin per lot; delta of spot, perpetuals and futures is the lot size, the rest 0.
    """
    forward, option_forward, chosen, years = _shifted(snapshot, forward_shift, volatility, time_shift)
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    of_options = black76_greeks(option_forward, listing.strike[slots], years, chosen, listing.is_call[slots])
    columns = []
    for field, values in zip(Greeks._fields, of_options, strict=True):
        column = np.ones(forward.shape) if field == "delta" else np.zeros(forward.shape)
        column[..., slots] = values
        columns.append(column * listing.lot_size)
    return Greeks(*columns)


def delta_per_lot(
    snapshot: MarketSnapshot,
    *,
    forward_shift: ArrayLike = 0.0,
    volatility: ArrayLike | None = None,
    time_shift: ArrayLike = 0.0,
) -> np.ndarray:
    """Delta of one lot of every slot, coin, shape (…, N): change in US dollars per US dollar of the row's forward."""
    return greeks_per_lot(snapshot, forward_shift=forward_shift, volatility=volatility, time_shift=time_shift).delta
