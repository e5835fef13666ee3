"""The contagion buffer: the curve, its chords and the rows that carry them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from tests.support.helpers import Helper
from tests.support.house import CALM, CRASH, get_definition, get_house, get_policies, get_snapshot, make_state
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.buffer import compute_charge, make_chords
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.lot_values import LotByLot
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import Coin, get_preset
from zkmargin.engine.units import USD6

PARAMETERS = load_parameters()
PERPETUAL = {"mini": {"BTC": 1, "ETH": 9}, "standard": {"BTC": 1, "ETH": 129}}
notional = st.floats(0, 1e10)
crowdings = st.builds(
    Crowding, st.floats(0, 1e10), st.floats(0, 1e10), st.floats(1e5, 1e10), st.floats(1e5, 1e10), st.floats(1e-4, 0.2)
)


@given(crowdings, st.floats(-1e10, 1e10), st.floats(1, 4))
def test_the_curve_is_the_increment_of_a_quadratic_cost(crowding, exposure, stress):
    ladder, depth = crowding.get_side(exposure)
    cost = [stress * crowding.impact * volume**2 / (2 * depth) for volume in (abs(exposure) + ladder, ladder)]
    assert compute_charge(exposure, crowding, stress) == pytest.approx(cost[0] - cost[1], rel=1e-6, abs=1e-6 * cost[0])


def test_sides_use_their_own_crowd_and_depth():
    crowding = Crowding(ladder_down=4e6, ladder_up=0.0, depth_down=2e6, depth_up=1e6, impact=0.02)
    assert compute_charge(1e6, crowding, 1.5) == pytest.approx(1.5 * 0.02 * (1e12 + 8e12) / 4e6)
    assert compute_charge(-1e6, crowding, 1.5) == pytest.approx(1.5 * 0.02 * 1e12 / 2e6)
    for exposure in (np.nan, np.inf):
        with pytest.raises(OutOfRange, match="exposure"):
            compute_charge(exposure, crowding, 1.0)


@pytest.mark.property("P-60")
@given(
    st.floats(1e-14, 1e-8), st.floats(0, 1e10), st.integers(1, 6), st.floats(0.001, 0.1), st.floats(0.05, 0.5),
    st.floats(0, 1),
)  # fmt: skip
@settings(max_examples=300)
def test_chords_lie_above_the_curve_and_within_the_stated_share(curvature, ladder, count, share, rate, part):
    chords = make_chords(curvature, ladder, count, share, rate)
    size = part * chords.largest
    curve = curvature * (size * size + 2 * ladder * size)
    error = chords.get_charge(size) - curve
    assert -1e-9 * chords.get_charge(chords.largest) <= error
    assert error <= share * rate * size * (1 + 1e-9) + 1e-9 * chords.get_charge(chords.largest)
    if chords.largest < 1e12:  # the share is reached in the first interval: no larger limit would do
        tiny = 1e-6 * chords.knots[1]
        excess = chords.get_charge(tiny) - curvature * (tiny * tiny + 2 * ladder * tiny)
        assert excess == pytest.approx(share * rate * tiny, rel=1e-5)


def test_knots_equalise_the_error():
    """At four chords and a margin of 15 %, 2 % allows a charge of 4.8 % of the exposure at the last knot."""
    chords = make_chords(1e-10, 0.0, 4, 0.02, 0.15)
    assert 1e-10 * chords.largest == pytest.approx(0.048)
    for low, high in zip(chords.knots, chords.knots[1:], strict=False):
        worst = np.sqrt(low * high) if low else 1e-9 * high
        share = (chords.get_charge(worst) - 1e-10 * worst**2) / (0.15 * worst)
        assert share == pytest.approx(0.02, rel=1e-6)


def asked(policy, definition, positions):
    """Buffer of each coin in a certificate with ample cash, US dollars."""
    certificate = find_certificate(policy, make_state(len(definition.values.prices), positions, 10**20))
    return {coin: certificate.helpers[Helper[f"BUFFER_{coin}"]] / USD6 for coin in Coin}


@pytest.mark.property("P-60", "P-61")
@pytest.mark.parametrize("size", ["mini", "standard"])
@pytest.mark.parametrize("coin", Coin)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_policy_asks_the_chords_and_refuses_beyond_the_last_knot(size, coin, sign):
    definition, house, policy = get_definition(size), get_house(size), get_policies(size)["initial"]
    slot = PERPETUAL[size][coin]
    chords = house.buffer.chords[coin][0 if sign > 0 else 1]
    unit = house.exposures[slot]
    for part in (0.001, 0.05, 0.3, 0.9, 0.9999):
        lots = sign * int(part * chords.largest / unit)
        found = asked(policy, definition, {slot: lots})
        expected = chords.get_charge(abs(lots) * unit)
        assert found[coin] == pytest.approx(expected, abs=1e-5 * abs(lots) + 1e-5)
        assert all(found[other] <= 2e-6 * abs(lots) + 1e-5 for other in Coin if other != coin)
        curve = compute_charge(
            lots * unit, definition.snapshot.crowding[coin], definition.snapshot.contagion_multiplier
        )
        assert found[coin] >= curve
    over = sign * (int(chords.largest / unit) + 1)
    with pytest.raises(RequirementNotMet) as refusal:
        asked(policy, definition, {slot: over})
    index = coin.ordinal
    assert refusal.value.rows == (Layout(get_preset(size)).buffer(index)[-2 if sign > 0 else -1],)
    assert find_certificate(
        get_policies(size)["maintenance"], make_state(definition.preset.slots, {slot: over}, 10**20)
    )


@pytest.mark.property("P-61")
def test_a_hedge_lowers_it_and_maintenance_never_asks_it():
    definition = get_definition("standard")
    outright, hedged = {1: 100_000}, {1: 100_000, 2: -60_000}
    states = [make_state(256, book, 10**16) for book in (outright, hedged)]
    alone, less = (definition.compute_requirement(state, "initial").buffer for state in states)
    assert 0 < less < 0.5 * alone
    assert all(definition.compute_requirement(state, "maintenance").buffer == 0 for state in states)
    rows = [row for index in (0, 1) for row in Layout(get_preset("standard")).buffer(index)]
    maintenance = get_policies("standard")["maintenance"]
    assert not maintenance.positions[rows].any() and not maintenance.helpers[:, [7, 8]].any()


def requirement(crowding, stress, lots):
    snapshot = replace(
        get_snapshot("mini"),
        crowding={**get_snapshot("mini").crowding, Coin.BTC: crowding},
        contagion_multiplier=stress,
    )
    definition = HouseModel(snapshot, PARAMETERS).definition
    return definition.compute_requirement(make_state(16, {1: lots}, 10**14), "initial").buffer


def test_crowd_and_stress_raise_it_and_depth_lowers_it():
    base = Crowding(1e8, 1e8, 2e8, 2e8, 0.01)
    ask = requirement(base, 1.0, 5_000)
    assert ask > 0
    assert requirement(replace(base, ladder_down=2e8), 1.0, 5_000) > 1.5 * ask
    assert requirement(replace(base, ladder_up=2e8), 1.0, 5_000) == ask
    assert requirement(base, 2.0, 5_000) > 1.5 * ask
    assert requirement(replace(base, depth_down=4e8), 1.0, 5_000) < 0.75 * ask
    assert requirement(replace(base, impact=0.0), 1.0, 5_000) == 0


def test_a_market_without_impact_has_no_buffer_rows():
    snapshot = get_snapshot("mini", CALM)
    quiet = {coin: replace(crowding, impact=0.0) for coin, crowding in snapshot.crowding.items()}
    policy = HouseModel(replace(snapshot, crowding=quiet), PARAMETERS).policies["initial"]
    rows = [row for index in (0, 1) for row in Layout(policy.preset).buffer(index)]
    assert not policy.positions[rows].any() and not policy.helpers[rows].any()


def test_the_reference_without_the_house_agrees():
    """Delta by Black's formula written out for single options, and chords applied to it."""
    own, shared = Definition(LotByLot(get_snapshot("mini"), PARAMETERS)), get_definition("mini")
    np.testing.assert_allclose(own.values.exposures, shared.values.exposures, rtol=1e-12)
    np.testing.assert_allclose(own.values.side_exposures, shared.values.side_exposures, rtol=1e-12)
    state = make_state(16, {1: 400, 4: -700, 10: 3_000, 13: 250}, 10**13)
    one, other = (definition.compute_requirement(state, "initial") for definition in (own, shared))
    assert one.buffer == pytest.approx(other.buffer, rel=1e-9) and one.buffer > 0


# One coin of the straddle 25SEP26 76000, with the perpetual that makes it delta neutral today.
STRADDLE = {"BTC-25SEP26-76000-P": 100, "BTC-25SEP26-76000-C": 100}


def get_straddle_deltas() -> dict[float, float]:
    """Delta of one coin of the straddle, in coins, at a relative move of the forward: 2 N(d1) - 1."""
    snapshot = get_snapshot("standard")
    options = [snapshot.listing.get(name) for name in STRADDLE]
    deltas = {}
    for move in (-0.08, 0.0, 0.08):
        deltas[move] = 0.0
        for item in options:
            spread = snapshot.volatility[item.slot] * np.sqrt(snapshot.years[item.slot])
            d1 = np.log(snapshot.forward[item.slot] * (1 + move) / item.strike) / spread + spread / 2
            deltas[move] += float(ndtr(d1)) - (not item.is_call)
    return deltas


def hedge_straddle(sign: int) -> dict[int, int]:
    """100 coins of the straddle, long with `sign` 1, delta neutral at the present price to a lot of the perpetual."""
    listing, neutral = get_snapshot("standard").listing, -round(10_000 * get_straddle_deltas()[0.0])
    book = {listing.get(name).slot: 100 * lots for name, lots in STRADDLE.items()} | {1: neutral}
    return {slot: sign * lots for slot, lots in book.items()}


@pytest.mark.property("P-111")
def test_a_short_straddle_pays_and_a_long_one_does_not():
    """Deltas are those at half the range, 8 % away: a short straddle is long below and short above. Its charge is that
    of the perpetual it then amounts to, on the worse side; at the deltas of today it was nothing."""
    definition, policy = get_definition("standard"), get_policies("standard")["initial"]
    index, deltas = get_snapshot("standard").index["BTC"], get_straddle_deltas()
    assert deltas[-0.08] < -0.3 and deltas[0.08] > 0.5
    down, up = get_house("standard").buffer.chords[Coin.BTC]
    expected = max(
        down.get_charge(100 * (deltas[0.0] - deltas[-0.08]) * index),
        up.get_charge(100 * (deltas[0.08] - deltas[0.0]) * index),
    )
    short, long = (asked(policy, definition, hedge_straddle(sign))[Coin.BTC] for sign in (-1, 1))
    assert short == pytest.approx(expected, rel=1e-3)
    assert short > 100 * 1_000 and long < 1.0


@pytest.mark.property("P-111")
def test_a_long_straddle_without_a_hedge_pays_nothing():
    """At the delta of today it was charged 512 dollars a coin, though it is short when the price falls and long when
    it rises."""
    definition, listing = get_definition("standard"), get_snapshot("standard").listing
    book = {listing.get(name).slot: lots for name, lots in STRADDLE.items()}
    assert asked(get_policies("standard")["initial"], definition, book)[Coin.BTC] < 0.01


def test_linear_instruments_have_one_delta():
    house = get_house("standard")
    linear = ~house.snapshot.listing.is_option
    assert (house.side_exposures[:, linear] == house.exposures[linear]).all()
    assert (house.side_exposures[0] <= house.exposures + 1e-9).all(), "deltas rise with the price"
    assert (house.side_exposures[1] >= house.exposures - 1e-9).all()


@pytest.mark.parametrize("market", [CALM, CRASH])
@pytest.mark.parametrize("millions", [0.1, 1.0, 10.0, 50.0])
def test_below_the_first_knot_the_curve_itself_is_nearly_linear(market, millions):
    """The crowd, not the account, decides what a dollar costs: for D far below L the charge is theta eta L / Q a
    dollar. So a chord near zero would save 0.4 % of the exposure at most, the stated error, and is not worth a row."""
    house = get_house("standard", market)
    snapshot, size = house.snapshot, millions * 1e6
    for coin in Coin:
        for sign, chords in zip((1, -1), house.buffer.chords[coin], strict=True):
            curve = compute_charge(sign * size, snapshot.crowding[coin], snapshot.contagion_multiplier)
            ladder, _ = snapshot.crowding[coin].get_side(sign)
            assert curve / size == pytest.approx(
                compute_charge(sign, snapshot.crowding[coin], snapshot.contagion_multiplier), rel=size / ladder
            )
            saved = chords.get_charge(size) - curve
            share = PARAMETERS.buffer_error * PARAMETERS.price_range[coin] * PARAMETERS.factor["initial"]
            assert 0 <= saved <= share * size * (1 + 1e-9)
