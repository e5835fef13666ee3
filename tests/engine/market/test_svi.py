"""SVI: published points, the published example of butterfly arbitrage, and one refusal per rule."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from zkmargin.engine.errors import ArbitrageableSurface, ExpiredInstrument, OutOfRange, UnknownName
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.svi import SviSlice, VolatilitySurface, svi_total_variance
from zkmargin.engine.presets import Coin

POINTS = json.loads((Path(__file__).parents[2] / "vectors" / "pricing_svi.json").read_text())
GOOD = SviSlice(a=0.01, b=0.08, rho=-0.3, m=0.02, sigma=0.15)


@pytest.mark.parametrize("row", POINTS["rows"], ids=lambda row: f"{row[0]:.4g}-{row[7]:g}")
def test_published_points(row):
    *parameters, forward, tau, strike, volatility = row
    found = math.sqrt(svi_total_variance(math.log(strike / forward), *parameters) / tau)
    assert found == pytest.approx(volatility, rel=POINTS["tolerance_relative"])


def test_the_published_butterfly_arbitrage_is_seen():
    # A. Vogt's parameters, example 3.1 and figure 1 of Gatheral and Jacquier (2014): variance positive, density not.
    with pytest.raises(ArbitrageableSurface, match=r"butterfly arbitrage, g is -.* at log-moneyness .*; allowed: >= 0"):
        SviSlice(a=-0.0410, b=0.1331, rho=0.3060, m=0.3586, sigma=0.4153)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"b": -0.01}, OutOfRange, "SVI b is -0.01; allowed: 0 to 10"),
        ({"rho": 1.0}, OutOfRange, "SVI rho is 1.0; allowed: -0.9999 to 0.9999"),
        ({"rho": math.nan}, OutOfRange, "SVI rho is nan"),
        ({"sigma": 0.0}, OutOfRange, "SVI sigma is 0.0; allowed: 1e-06 to 10"),
        ({"sigma": -0.1}, OutOfRange, "SVI sigma is -0.1"),
        ({"m": math.inf}, OutOfRange, "SVI m is inf"),
        ({"a": "0.1"}, OutOfRange, "SVI a is '0.1'"),
        ({"a": -0.012}, ArbitrageableSurface, "least total variance is -0.000"),
        ({"b": 1.6}, ArbitrageableSurface, "slope of a wing is 2.08; allowed: at most 2"),
    ],
)
def test_one_wrong_parameter_is_refused(change, error, message):
    dataclasses.replace(GOOD)
    with pytest.raises(error, match=message):
        dataclasses.replace(GOOD, **change)


parameters = st.tuples(
    st.floats(0.001, 0.3), st.floats(0, 0.6), st.floats(-0.9, 0.9), st.floats(-0.3, 0.3), st.floats(0.02, 0.6)
)


@given(parameters)
def test_calls_of_an_accepted_slice_fall_and_are_convex_in_the_strike(numbers):
    try:
        slice_ = SviSlice(*numbers)
    except ArbitrageableSurface:
        assume(False)
    strikes = np.exp(np.linspace(-2.5, 2.5, 301))
    calls = black76_price(1.0, strikes, 1.0, slice_.volatility(np.log(strikes), 1.0), True)
    slopes = np.diff(calls) / np.diff(strikes)
    assert (slopes <= 1e-9).all()
    assert (slopes >= -1 - 1e-9).all()
    assert (np.diff(slopes) >= -1e-9).all()


@given(parameters, st.floats(-2, 2))
def test_durrlemans_function_uses_the_slices_derivatives(numbers, k):
    try:
        slice_ = SviSlice(*numbers)
    except ArbitrageableSurface:
        assume(False)
    step = 1e-4
    down, w, up = (float(slice_.total_variance(k + shift)) for shift in (-step, 0, step))
    slope, curvature = (up - down) / (2 * step), (up - 2 * w + down) / step**2
    expected = (1 - k * slope / (2 * w)) ** 2 - slope**2 / 4 * (1 / w + 0.25) + curvature / 2
    assert slice_.durrleman(k) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_volatility_needs_time():
    assert GOOD.volatility(0.0, 0.25) == pytest.approx(math.sqrt(float(GOOD.total_variance(0.0)) / 0.25))
    for years in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(OutOfRange, match="years is"):
            GOOD.volatility(0.0, years)


def test_variance_that_falls_with_time_is_refused():
    later = dataclasses.replace(GOOD, a=0.02)
    VolatilitySurface({Coin.BTC: {100: GOOD, 200: later}})
    # Order by expiry counts, not order of writing.
    VolatilitySurface({Coin.BTC: {200: later, 100: GOOD}})
    with pytest.raises(ArbitrageableSurface, match=r"variance falls by 0\.01 from expiry 100 to 200 of BTC"):
        VolatilitySurface({Coin.BTC: {100: later, 200: GOOD}})
    # One coin does not bind another.
    VolatilitySurface({Coin.BTC: {100: later}, Coin.ETH: {200: GOOD}})


def test_variance_that_falls_in_a_wing_only_is_refused():
    steeper = dataclasses.replace(GOOD, a=0.005, b=0.12, m=0.0, rho=0.0)
    flatter = dataclasses.replace(steeper, a=0.02, b=0.06)
    assert (flatter.total_variance(0.0) > steeper.total_variance(0.0)).all()
    with pytest.raises(ArbitrageableSurface, match="calendar arbitrage"):
        VolatilitySurface({Coin.ETH: {100: steeper, 200: flatter}})


def test_a_coin_that_is_none_is_refused():
    with pytest.raises(UnknownName, match="coin of a surface 'DOGE'; allowed: BTC, ETH, SOL"):
        VolatilitySurface({"DOGE": {100: GOOD}})


def rising_surface(snapshot, skip=None):
    listing = snapshot.listing
    slices = {}
    for place, coin in enumerate(Coin):
        expiries = np.unique(listing.expiry[listing.is_option & (listing.underlying == place)])
        slices[coin] = {
            int(expiry): dataclasses.replace(GOOD, a=0.01 * (1 + rank))
            for rank, expiry in enumerate(expiries)
            if (coin, rank) != skip
        }
    return VolatilitySurface(slices)


def test_volatilities_of_a_listing(snapshot):
    surface, listing = rising_surface(snapshot), snapshot.listing
    volatility = surface.volatility_by_slot(listing, snapshot.forward, snapshot.time)
    assert np.array_equal(np.isnan(volatility), ~listing.is_option)
    for slot in (10, 127, 200, 255):
        item = listing.instruments[slot]
        slice_ = surface.get_slice(item.underlying, item.expiry)
        moneyness = math.log(item.strike / snapshot.forward[slot])
        assert volatility[slot] ** 2 * snapshot.years[slot] == pytest.approx(float(slice_.total_variance(moneyness)))
    replaced = dataclasses.replace(snapshot, volatility=volatility)
    assert replaced.volatility[10] == pytest.approx(volatility[10], abs=1e-6)


def test_a_missing_expiry_is_named(snapshot):
    with pytest.raises(UnknownName, match="ETH expiry of a surface"):
        surface = rising_surface(snapshot, skip=(Coin.ETH, 3))
        surface.volatility_by_slot(snapshot.listing, snapshot.forward, snapshot.time)


def test_an_expiry_in_the_past_is_refused(snapshot):
    time = int(snapshot.listing.expiry[snapshot.listing.is_option].min())
    with pytest.raises(ExpiredInstrument, match="later than the market's time"):
        rising_surface(snapshot).volatility_by_slot(snapshot.listing, snapshot.forward, time)
