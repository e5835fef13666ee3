"""Black-76 against published numbers, QuantLib, its own laws, and a venue's marks on two real chains."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erfcx

from zkmargin.engine.errors import OutOfRange, WrongKind
from zkmargin.engine.market.black76 import black76_greeks, black76_price
from zkmargin.engine.market.file import load_observations, load_snapshot
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.valuation import delta_per_lot, greeks_per_lot, price_per_lot

VECTORS = Path(__file__).parents[2] / "vectors"
SNAPSHOTS = ("deribit_2026-08-22", "deribit_2026-02-05")

usd = st.floats(1e-2, 1e6)
years_to_expiry = st.floats(1e-6, 10)
fraction = st.floats(1e-3, 5)


def read_vectors(name):
    return json.loads((VECTORS / name).read_text())


HAUG = read_vectors("pricing_haug.json")
BLACK = read_vectors("pricing_black76.json")


@pytest.mark.parametrize("row", HAUG["prices"], ids=str)
def test_prices_of_haug(row):
    kind, strike, spot, carry, rate, years, volatility, value = row
    forward = spot * math.exp((rate - carry) * years)
    price = math.exp(-rate * years) * black76_price(forward, strike, years, volatility, kind == "C")
    assert price == pytest.approx(value, abs=HAUG["tolerance"])


@pytest.mark.parametrize("row", HAUG["greeks"], ids=str)
def test_greeks_of_haug(row):
    greek, kind, strike, spot, carry, rate, years, volatility, value = row
    growth, discount = math.exp((rate - carry) * years), math.exp(-rate * years)
    found = getattr(black76_greeks(spot * growth, strike, years, volatility, kind == "C"), greek)
    per_spot = {"delta": growth, "gamma": growth**2, "vega": 1.0}[greek]
    assert discount * per_spot * found == pytest.approx(value, abs=HAUG["tolerance"])


@pytest.mark.parametrize("case", BLACK["cases"], ids=lambda case: f"{case['forward']}-{case['strike']}-{case['vol']}")
def test_prices_of_derive(case):
    years = case["sec_to_expiry"] / (365 * 86_400)
    inputs = (float(case["forward"]), float(case["strike"]), years, float(case["vol"]))
    for is_call, key in ((True, "call"), (False, "put")):
        price = float(case["discount"]) * black76_price(*inputs, is_call)
        assert price == pytest.approx(float(case[key]), abs=BLACK["tolerance"], rel=1e-14)
    delta = black76_greeks(*inputs, True).delta
    assert delta == pytest.approx(float(case["call_delta_undiscounted"]), abs=1e-14)


def test_prices_and_greeks_of_vollib():
    row = BLACK["vollib_price"][0]
    price = black76_price(row["F"], row["K"], row["t"], row["sigma"], True)
    assert price == pytest.approx(row["undiscounted"], abs=BLACK["vollib_tolerance"])
    given_, expected = BLACK["vollib_greeks"]["inputs"], BLACK["vollib_greeks"]
    inputs = (given_["F"], given_["K"], given_["t"], given_["sigma"])
    discount = math.exp(-given_["r"] * given_["t"])
    for is_call, letter in ((True, "c"), (False, "p")):
        greeks = black76_greeks(*inputs, is_call)
        # A discounted price also ages by the discount: d/dt (e^{-rt} V) adds r e^{-rt} V.
        theta = discount * greeks.theta + given_["r"] * discount * black76_price(*inputs, is_call)
        assert theta / 365 == pytest.approx(expected[f"theta_{letter}_per_day"], abs=1e-12)
    greeks = black76_greeks(*inputs, True)
    assert discount * greeks.delta == pytest.approx(expected["delta_c"], abs=1e-12)
    assert discount * greeks.gamma == pytest.approx(expected["gamma"], abs=1e-12)
    assert discount * greeks.vega / 100 == pytest.approx(expected["vega_per_1pct"], abs=1e-12)


@given(usd, st.floats(0.05, 20), years_to_expiry, fraction, st.booleans())
def test_quantlib_agrees(forward, moneyness, years, volatility, is_call):
    strike = forward * moneyness
    kind = QuantLib.Option.Call if is_call else QuantLib.Option.Put
    deviation = volatility * math.sqrt(years)
    oracle = QuantLib.BlackCalculator(QuantLib.PlainVanillaPayoff(kind, strike), forward, deviation, 1.0)
    price = black76_price(forward, strike, years, volatility, is_call)
    assert price == pytest.approx(oracle.value(), rel=1e-10, abs=1e-12 * max(forward, strike))
    greeks = black76_greeks(forward, strike, years, volatility, is_call)
    assert greeks.delta == pytest.approx(oracle.deltaForward(), abs=1e-10)
    assert greeks.gamma == pytest.approx(oracle.gammaForward(), rel=1e-7, abs=1e-10 / forward / deviation)
    assert greeks.vega == pytest.approx(oracle.vega(years), rel=1e-7, abs=1e-10 * forward)


@given(usd, usd, years_to_expiry, fraction)
def test_parity(forward, strike, years, volatility):
    call, put = black76_price(forward, strike, years, volatility, [True, False])
    assert call - put == pytest.approx(forward - strike, abs=4e-16 * (forward + strike))
    of_call, of_put = (black76_greeks(forward, strike, years, volatility, is_call) for is_call in (True, False))
    assert of_call.delta - of_put.delta == pytest.approx(1, abs=1e-15)
    assert (of_call.gamma, of_call.vega, of_call.theta) == (of_put.gamma, of_put.vega, of_put.theta)


@given(usd, usd, years_to_expiry, fraction, st.booleans(), st.floats(1.0, 2.0))
def test_price_lies_in_its_bounds_and_rises_with_volatility_and_time(forward, strike, years, volatility, is_call, up):
    bound = forward if is_call else strike
    payoff = max(forward - strike if is_call else strike - forward, 0)
    noise = 1e-14 * max(forward, strike)
    price = black76_price(forward, strike, years, volatility, is_call)
    assert payoff <= price <= bound + noise
    assert black76_price(forward, strike, years, volatility * up, is_call) >= price - noise
    assert black76_price(forward, strike, years * up, volatility, is_call) >= price - noise


@given(usd, usd, usd, years_to_expiry, fraction, st.booleans())
def test_price_is_monotone_and_convex_in_the_forward(first, second, strike, years, volatility, is_call):
    low, high = sorted((first, second))
    prices = black76_price([low, 0.5 * (low + high), high], strike, years, volatility, is_call)
    noise = 1e-13 * max(high, strike)
    assert (prices[2] - prices[0]) * (1 if is_call else -1) >= -noise
    assert prices[1] <= 0.5 * (prices[0] + prices[2]) + noise
    assert abs(prices[2] - prices[0]) <= high - low + noise


@given(usd, st.floats(0.7, 1.4), st.floats(0.02, 2), st.floats(0.2, 1.5), st.booleans())
def test_greeks_are_the_derivatives_of_the_price(forward, moneyness, years, volatility, is_call):
    strike = forward * moneyness
    step = 1e-4

    def price(f=forward, t=years, v=volatility):
        return float(black76_price(f, strike, t, v, is_call))

    greeks = black76_greeks(forward, strike, years, volatility, is_call)
    up, down = price(f=forward * (1 + step)), price(f=forward * (1 - step))
    tolerance = 3e-5
    assert greeks.delta == pytest.approx((up - down) / (2 * step * forward), abs=tolerance)
    assert greeks.gamma * forward == pytest.approx((up - 2 * price() + down) / (step**2 * forward), abs=1e-2)
    assert greeks.vega / forward == pytest.approx(
        (price(v=volatility + step) - price(v=volatility - step)) / (2 * step * forward), abs=tolerance
    )
    dt = step * years
    assert greeks.theta / forward == pytest.approx(
        -(price(t=years + dt) - price(t=years - dt)) / (2 * dt * forward), abs=tolerance
    )


@pytest.mark.parametrize("deviation", [1e-12, 1e-9, 1e-6, 1e-3, 0.1, 1, 5])
def test_at_the_money_is_the_closed_form_down_to_tiny_deviations(deviation):
    # forward = strike: the price is F erf(s / 2 sqrt 2), which math.erf gives without cancellation.
    price = black76_price(77_000.0, 77_000.0, 1.0, deviation, [True, False])
    assert price == pytest.approx(77_000 * math.erf(deviation / math.sqrt(8)), rel=1e-12, abs=77_000 * 3e-16)


@pytest.mark.parametrize("deviations_out", [2, 5, 10, 20, 30])
@pytest.mark.parametrize("deviation", [0.01, 0.2, 1.0])
def test_far_wings_keep_their_relative_accuracy(deviations_out, deviation):
    # F phi(d1) = K phi(d2), so the price is F phi(d1) (m(d1) - m(d2)) with m = N / phi, by the scaled error function.
    forward, d1 = 1_000.0, -float(deviations_out)
    strike = forward * math.exp(deviation * (0.5 * deviation - d1))
    mills = [math.sqrt(math.pi / 2) * erfcx(-d / math.sqrt(2)) for d in (d1, d1 - deviation)]
    expected = forward * math.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi) * (mills[0] - mills[1])
    assert expected > 0
    assert black76_price(forward, strike, 1.0, deviation, True) == pytest.approx(expected, rel=1e-7)


def test_no_price_is_negative_when_rounding_decides():
    # One unit in the last place out of the money and a deviation smaller than that: d1 and d2 round to one number, and
    # the formula alone would give (forward - strike) N(d), below zero.
    strike = np.nextafter(100.0, 200.0)
    assert black76_price(100.0, strike, 1.0, 1e-16, True) == 0
    assert black76_price(strike, 100.0, 1.0, 1e-16, False) == 0


@pytest.mark.parametrize(
    ("forward", "strike", "years", "volatility", "call", "put"),
    [
        (100, 90, 0, 0.5, 10, 0),
        (100, 90, 1, 0, 10, 0),
        (100, 100, 0, 0.5, 0, 0),
        (0, 90, 1, 0.5, 0, 90),
        (100, 0, 1, 0.5, 100, 0),
        (0, 0, 1, 0.5, 0, 0),
        (0, 0, 0, 0, 0, 0),
        (100, 1e9, 1e-9, 1e-3, 0, 1e9 - 100),
    ],
)
def test_degenerate_inputs_have_their_limits_and_finite_greeks(forward, strike, years, volatility, call, put):
    with np.errstate(all="raise", under="ignore"):
        assert black76_price(forward, strike, years, volatility, [True, False]).tolist() == [call, put]
        greeks = black76_greeks(forward, strike, years, volatility, [True, False])
    assert np.isfinite(greeks).all()
    assert (greeks.gamma == 0).all()
    assert ((greeks.delta >= [0, -1]) & (greeks.delta <= [1, 0])).all()


@pytest.mark.parametrize("function", [black76_price, black76_greeks])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e-9])
def test_a_number_that_is_negative_or_not_finite_is_refused(function, place, value):
    inputs = [100.0, 90.0, 0.5, 0.6]
    function(*inputs, True)
    inputs[place] = value
    with pytest.raises(OutOfRange, match=f"^{('forward', 'strike', 'years', 'volatility')[place]} is .*allowed: 0 to"):
        function(*inputs, True)


def test_arguments_broadcast():
    forwards, strikes, sides = np.linspace(50, 150, 7), np.linspace(80, 120, 5), [[True], [False]]
    prices = black76_price(forwards[:, None, None], strikes, 0.5, 0.6, sides)
    assert prices.shape == (7, 2, 5)
    assert prices[3, 1, 2] == black76_price(forwards[3], strikes[2], 0.5, 0.6, False)
    greeks = black76_greeks(forwards[:, None, None], strikes, 0.5, 0.6, sides)
    assert all(part.shape == (7, 2, 5) for part in greeks)


# Median and greatest error as measured on the whole chains: marks in coin (a calm market, and a crash during which the
# tickers of one chain, read over minutes, moved by half a percent), deltas likewise.
NOISE = {
    "deribit_2026-08-22": {"mark": (5e-5, 2e-4), "delta": (1.4e-3, 3e-2)},
    "deribit_2026-02-05": {"mark": (5e-5, 2e-3), "delta": (3e-3, 4.5e-2)},
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_the_venues_marks_and_deltas_are_reproduced(name):
    snapshot, observations = load_snapshot(name), load_observations(name)
    assert len(observations) == snapshot.listing.is_option.sum() >= 238
    items = [snapshot.listing.get(key) for key in observations]
    slots = [item.slot for item in items]
    lot = snapshot.listing.lot_size[slots]
    marks = price_per_lot(snapshot)[slots] / lot / snapshot.forward[slots]
    deltas = delta_per_lot(snapshot)[slots] / lot
    for what, found in (("mark", marks), ("delta", deltas)):
        error = np.abs(found - [getattr(item, what) for item in observations.values()])
        median, greatest = NOISE[name][what]
        assert np.median(error) <= median, what
        assert error.max() <= greatest, what


def test_a_wrong_forward_would_be_seen():
    # The check above can fail: pricing on the index instead of each row's forward misses the calm chain's marks.
    snapshot, observations = load_snapshot(SNAPSHOTS[0]), load_observations(SNAPSHOTS[0])
    slots = [snapshot.listing.get(key).slot for key in observations]
    shift = np.where(snapshot.listing.is_listed, snapshot.index_by_slot / snapshot.forward - 1, 0)
    prices = price_per_lot(snapshot, forward_shift=shift)[slots] / snapshot.listing.lot_size[slots]
    error = np.abs(prices / snapshot.forward[slots] - [item.mark for item in observations.values()])
    assert np.median(error) > NOISE[SNAPSHOTS[0]]["mark"][0]


def test_price_per_lot_of_each_kind(snapshot):
    prices, listing = price_per_lot(snapshot), snapshot.listing
    for item in listing.by_name.values():
        forward = snapshot.forward[item.slot]
        if item.kind is InstrumentKind.OPTION:
            volatility = snapshot.volatility[item.slot]
            years = (item.expiry - snapshot.time) / (365 * 86_400)
            forward = float(black76_price(forward, item.strike, years, volatility, item.is_call))
        assert prices[item.slot] == pytest.approx(forward * item.lot_size, rel=1e-15)


def test_price_per_lot_takes_a_scenario_per_row_and_a_shift_per_slot(snapshot):
    shifts = np.array([-0.5, 0.0, 0.25])
    volatility = snapshot.volatility * np.array([1.5, 1.0, 0.7])[:, None]
    prices = price_per_lot(snapshot, forward_shift=shifts[:, None], volatility=volatility)
    assert prices.shape == (3, 256)
    assert (prices[1] == price_per_lot(snapshot)).all()
    linear = ~snapshot.listing.is_option & ~snapshot.listing.is_bond
    assert prices[0][linear] == pytest.approx(0.5 * prices[1][linear])
    only_ether = np.where(snapshot.listing.underlying == 1, 0.25, 0.0)
    mixed = price_per_lot(snapshot, forward_shift=only_ether)
    assert (mixed[:128] == prices[1][:128]).all()
    assert mixed[128] == pytest.approx(1.25 * prices[1][128])


def test_time_passes_to_the_payoff(snapshot):
    listing = snapshot.listing
    slots = np.flatnonzero(listing.is_option)
    moved = price_per_lot(snapshot, time_shift=5.0, forward_shift=0.1)[slots] / listing.lot_size[slots]
    sign = np.where(listing.is_call[slots], 1, -1)
    assert moved == pytest.approx(np.maximum(sign * (1.1 * snapshot.forward[slots] - listing.strike[slots]), 0))
    day = price_per_lot(snapshot, time_shift=1 / 365) - price_per_lot(snapshot)
    assert (day[slots] <= 0).all()
    assert (day[~listing.is_option & ~listing.is_bond] == 0).all()


def test_greeks_per_lot(snapshot):
    greeks, listing = greeks_per_lot(snapshot), snapshot.listing
    linear = ~listing.is_option & ~listing.is_bond
    assert (greeks.delta[linear] == listing.lot_size[linear]).all()
    assert all((part[linear] == 0).all() for part in greeks[1:])
    assert all((part[listing.is_bond] == 0).all() for part in greeks)
    step = 1e-4
    up, down = (price_per_lot(snapshot, forward_shift=shift) for shift in (step, -step))
    assert greeks.delta == pytest.approx((up - down) / (2 * step * snapshot.forward), abs=1e-6)
    assert (delta_per_lot(snapshot) == greeks.delta).all()


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"forward_shift": -1.01}, "forward shift is -1.01; allowed: -1.0 to"),
        ({"forward_shift": math.nan}, "forward shift is nan"),
        ({"time_shift": -1e-3}, "time shift is -0.001; allowed: 0 to"),
        ({"volatility": -0.1}, "volatility is -0.1; allowed: 0 to"),
    ],
)
def test_shifts_out_of_range_are_refused(snapshot, arguments, what):
    with pytest.raises(OutOfRange, match=what):
        price_per_lot(snapshot, **arguments)


@pytest.mark.parametrize("flag", ["p", "P", "put", "False", -1, 0, 1, 1.0, math.nan, None, [True, "put"]])
@pytest.mark.parametrize("compute", [black76_price, black76_greeks])
def test_a_flag_that_is_no_truth_value_prices_nothing(compute, flag):
    with pytest.raises(WrongKind, match=r"is_call is .*; allowed: True or False"):
        compute(100.0, 90.0, 1.0, 0.5, flag)


def test_a_flag_prices_what_it_says():
    put, call = black76_price(100.0, 90.0, 1.0, 0.5, [False, True])
    assert call - put == pytest.approx(10.0) and put == pytest.approx(14.16, abs=0.01)
