"""The concentration charge: chords on net vega, its limit, and the limits on net short options."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.house import get_definition, get_house, get_policies, make_state
from zkmargin.engine.margin.concentration import make_vega_chords
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.lot_values import LotByLot
from zkmargin.engine.margin.parameters import TENORS, load_parameters
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import Coin, get_preset
from zkmargin.engine.units import USD6

PARAMETERS = load_parameters()
RICH = 10**20


def find_options(house, coin, tenor=None):
    """Options of a coin, those of a range of tenors if one is named."""
    options = [
        item
        for item in house.snapshot.listing.by_name.values()
        if item.kind is InstrumentKind.OPTION and item.underlying is coin
    ]
    if tenor is None:
        return options
    near = house.snapshot.years * 365 <= PARAMETERS.short_option_tenor
    return [item for item in options if near[item.slot] == (tenor == "near")]


def find_straddle(house, coin):
    """(call, put) of one strike and expiry beyond the near tenors, nearest the money."""
    options = find_options(house, coin, "far")
    calls = {(item.expiry, item.strike): item for item in options if item.is_call}
    pairs = [
        (calls[key], item) for item in options if not item.is_call and (key := (item.expiry, item.strike)) in calls
    ]
    return min(pairs, key=lambda pair: abs(pair[0].strike - house.snapshot.forward[pair[0].slot]))


def get_charges(size, lots):
    """Concentration charge of each coin in a certificate with ample cash, US dollars."""
    certificate = find_certificate(get_policies(size)["initial"], make_state(get_preset(size).slots, lots, RICH))
    return {coin: certificate.helpers[Layout(get_preset("mini")).concentrations[coin]] / USD6 for coin in Coin}


@given(st.floats(0.1, 50), st.floats(1e3, 1e7), st.floats(1e4, 1e8), st.integers(1, 5), st.floats(0, 1))
def test_chords_lie_above_the_curve_and_are_free_below_the_first_knot(impact, depth, largest, count, part):
    chords = make_vega_chords(impact, depth, largest, count)
    size, free = part * largest, chords.knots[0]
    curve = impact * (size * size - free * free) / (2 * depth)
    scale = chords.get_charge(largest)
    assert free == pytest.approx(largest / (count + 1) ** 2) and chords.largest == pytest.approx(largest)
    assert max(0.0, chords.get_charge(size)) >= max(0.0, curve) - 1e-9 * scale
    assert chords.get_charge(free) == pytest.approx(0.0, abs=1e-9 * scale)
    for knot in chords.knots:
        assert chords.get_charge(knot) == pytest.approx(impact * (knot**2 - free**2) / (2 * depth), abs=1e-9 * scale)


@pytest.mark.parametrize("count", [1, 3])
def test_beyond_the_last_knot_the_chord_goes_on_below_the_curve(count):
    """No limit on vega stands behind it: twice the last knot is charged at the last chord's slope, which is less than
    the curve's."""
    impact, depth, largest = 2.6, 820_000.0, 4_900_000.0
    chords = make_vega_chords(impact, depth, largest, count)
    before, last = chords.knots[-2], chords.knots[-1]
    slope = impact * (last + before) / (2 * depth)
    for times in (1.5, 2.0, 10.0):
        size = times * largest
        assert chords.get_charge(size) == pytest.approx(chords.get_charge(last) + slope * (size - last))
        assert chords.get_charge(size) < impact * (size**2 - chords.knots[0] ** 2) / (2 * depth)


@pytest.mark.property("P-101")
@pytest.mark.parametrize("coin", Coin)
@pytest.mark.parametrize("sign", [1, -1])
def test_vega_that_the_market_does_not_trade_costs_more_per_option(coin, sign):
    """One straddle costs nothing more, several days' vega a growing share of it."""
    house, chords = get_house("standard"), get_house("standard").concentration.chords[coin]
    legs = find_straddle(house, coin)
    vega = sum(house.vegas[leg.slot] for leg in legs)

    def ask(size):
        lots = sign * int(size / vega)
        return lots, get_charges("standard", {leg.slot: lots for leg in legs})

    lots, charges = ask(0.9 * chords.knots[0])
    assert charges[coin] <= 4e-6 * abs(lots)  # rounding
    shares = []
    for part in (0.2, 0.3, 0.4):  # of short straddles more are too many options, or too much exposure
        lots, charges = ask(part * chords.largest)
        expected = chords.get_charge(abs(lots) * vega)
        assert charges[coin] == pytest.approx(max(expected, 0.0), abs=1e-5 * abs(lots) + 1e-5)
        assert all(charges[other] <= 4e-6 * abs(lots) for other in Coin if other is not coin)
        shares.append(charges[coin] / abs(lots))
    assert shares[0] < shares[1] < shares[2]


@pytest.mark.property("P-101")
@pytest.mark.parametrize("coin", Coin)
@pytest.mark.parametrize("tenor", TENORS)
def test_net_short_options_are_limited_per_range_of_tenors(coin, tenor):
    """Vega does not see a short expiry against a long one of equal vega; the limit counts options of one range."""
    house, policies = get_house("standard"), get_policies("standard")
    index = TENORS.index(tenor)
    cheapest = min(find_options(house, coin, tenor), key=lambda item: house.vegas[item.slot])
    other = min(find_options(house, coin, TENORS[1 - index]), key=lambda item: house.vegas[item.slot])
    most = int(PARAMETERS.short_option_limit[coin][tenor] / cheapest.lot_size)
    row = Layout(get_preset("standard")).short_options(coin.ordinal)[index]
    within = {cheapest.slot: -most + 1}
    assert find_certificate(policies["initial"], make_state(256, within, RICH))
    for book in ({cheapest.slot: -most - 1}, {cheapest.slot: -most - 1, other.slot: 100}):
        with pytest.raises(RequirementNotMet) as refusal:
            find_certificate(policies["initial"], make_state(256, book, RICH))
        assert refusal.value.rows == (row,)
        assert find_certificate(policies["maintenance"], make_state(256, book, RICH))


def test_maintenance_asks_no_charge():
    layout = Layout(get_preset("standard"))
    rows = [row for coin in Coin for block in (layout.vega, layout.short_options) for row in block(coin.ordinal)]
    initial, maintenance = (get_policies("standard")[name] for name in ("initial", "maintenance"))
    assert initial.positions[rows].any(axis=1).all() and not maintenance.positions[rows].any()
    assert not maintenance.helpers[:, list(layout.concentrations.values())].any()


@pytest.mark.parametrize("size", ["mini", "standard"])
def test_the_definition_says_the_same(size):
    definition, house = get_definition(size), get_house(size)
    option = max(find_options(house, Coin.ETH), key=lambda item: house.vegas[item.slot])
    lots = -int(0.3 * PARAMETERS.vega_limit[Coin.ETH] / house.vegas[option.slot])
    state = make_state(definition.preset.slots, {option.slot: lots}, RICH)
    needed = definition.compute_requirement(state, "initial")
    charges = get_charges(size, {option.slot: lots})
    assert needed.concentrations[Coin.ETH] == pytest.approx(charges[Coin.ETH], rel=1e-6) and charges[Coin.ETH] > 0
    assert needed.total == pytest.approx(
        needed.charge + needed.buffer + needed.concentrations[Coin.ETH] + needed.scenario_margin
    )
    assert definition.compute_requirement(state, "maintenance").concentration == 0
    beyond = make_state(definition.preset.slots, {option.slot: 30 * lots}, RICH)
    assert definition.compute_requirement(beyond, "initial").concentration_slack < 0
    assert not definition.compute_requirement(beyond, "initial").is_met


def test_the_reference_without_the_house_agrees():
    """Vega by Black's formula written out for single options."""
    own, house = LotByLot(get_house("mini").snapshot, PARAMETERS), get_house("mini")
    np.testing.assert_allclose(own.vegas, house.vegas, rtol=1e-12, atol=1e-15)
    state = make_state(16, {11: -3_000_000, 4: 200_000}, RICH)
    one, other = (
        definition.compute_requirement(state, "initial") for definition in (Definition(own), house.definition)
    )
    assert one.concentration == pytest.approx(other.concentration, rel=1e-9)
    assert one.concentration_slack == pytest.approx(other.concentration_slack, rel=1e-9)


def test_depth_and_impact_say_how_much():
    house = get_house("mini")
    option = max(find_options(house, Coin.BTC), key=lambda item: house.vegas[item.slot])
    state = make_state(16, {option.slot: int(0.5 * PARAMETERS.vega_limit["BTC"] / house.vegas[option.slot])}, RICH)

    def ask(**changes):
        return (
            HouseModel(house.snapshot, replace(PARAMETERS, **changes))
            .definition.compute_requirement(state, "initial")
            .concentration
        )

    plain = ask()
    assert plain > 0 and ask(vega_impact=2 * PARAMETERS.vega_impact) == pytest.approx(2 * plain)
    assert ask(vega_depth={coin: 2 * PARAMETERS.vega_depth[coin] for coin in Coin}) == pytest.approx(plain / 2)
