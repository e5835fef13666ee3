"""Float definition, integer policy and certificate agree: "the policy passes" implies "the requirement is met", and the
excess asked is bounded per lot. The definition is summed in rational numbers, so that the edges of the ranges can be
reached."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.house import CALM, CRASH, get_definition, get_house, get_policies, get_snapshot, make_state, states
from zkmargin.engine.account import MAX_CASH, MAX_LOTS, AccountState
from zkmargin.engine.margin.definition import compute_allowance
from zkmargin.engine.margin.lot_values import LotByLot
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.units import USD6

SIZES = {"mini": 16, "standard": 256}
PARAMETERS = load_parameters()


def passes(policy, state) -> bool:
    try:
        find_certificate(policy, state)
    except RequirementNotMet:
        return False
    return True


def near_boundary(definition, state, level, offset: Fraction) -> AccountState:
    """The same positions with the cash that leaves `offset` dollars above the exact requirement."""
    exact = definition.compute_exact_requirement(AccountState(state.positions, 0), level)
    cash = math.floor((exact.total - exact.equity + offset) * USD6)
    if abs(cash) > MAX_CASH:
        assume(False)
    return AccountState(state.positions, cash)


def check_agreement(size, market, level, state):
    """Both directions of the agreement for one state; returns whether the policy passed."""
    definition = get_definition(size, market)
    exact = definition.compute_exact_requirement(state, level)
    passed = passes(get_policies(size, market)[level], state)
    if passed:
        assert exact.is_met, float(exact.margin_excess)
    allowance = Fraction(compute_allowance(definition, level, state))
    largest = max(exact.equity * 0, *exact.losses.values(), exact.shortfall, exact.scenario_margin, exact.charge)
    in_range = largest + allowance < Fraction(2**60, USD6)
    rounding = Fraction(3 * int(np.abs(state.positions).sum()) + 4, 2 * USD6)
    has_room = min(exact.exposure_slack, exact.debt_slack) >= rounding
    if exact.margin_excess >= allowance and has_room and in_range:
        assert passed, float(exact.margin_excess)
    return passed


@pytest.mark.property("P-17")
@pytest.mark.parametrize("level", ["initial", "maintenance"])
@pytest.mark.parametrize("market", [CALM, CRASH])
@given(state=states(16))
@settings(max_examples=60, deadline=None)
def test_any_state(market, level, state):
    check_agreement("mini", market, level, state)


@pytest.mark.property("P-17")
@pytest.mark.parametrize("level", ["initial", "maintenance"])
@given(
    state=states(16),
    offset=st.one_of(st.integers(-3, 3).map(lambda n: Fraction(n, USD6)), st.fractions(-1, 1)),
    scale=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_at_the_requirement(level, state, offset, scale):
    """Cash within a dollar of the requirement, or within the allowance: where rounding decides."""
    definition = get_definition("mini")
    if scale:
        offset = offset * Fraction(compute_allowance(definition, level, state))
    check_agreement("mini", CALM, level, near_boundary(definition, state, level, offset))


@pytest.mark.parametrize("market", [CALM, pytest.param(CRASH, marks=pytest.mark.slow)])
@given(state=states(256), offset=st.fractions(-1, 1))
@settings(max_examples=20, deadline=None)
def test_at_the_requirement_at_standard_size(market, state, offset):
    allowance = Fraction(compute_allowance(get_definition("standard", market), "initial", state))
    near = near_boundary(get_definition("standard", market), state, "initial", offset * allowance)
    check_agreement("standard", market, "initial", near)


@pytest.mark.property("P-17")
@pytest.mark.parametrize("level", ["initial", "maintenance"])
@pytest.mark.parametrize("size", sorted(SIZES))
@pytest.mark.parametrize("lots", [1, -1, MAX_LOTS, -MAX_LOTS])
def test_one_position_at_its_edges(size, level, lots):
    """Every kind of instrument, one lot and the largest position, just at and just below its requirement."""
    definition = get_definition(size)
    listing = definition.snapshot.listing
    slots = {(item.kind, item.is_call): item.slot for item in reversed(listing.by_name.values()) if item.slot != 0}
    for slot in slots.values():
        if slot in listing.preset.collateral_slots and lots < 0:
            continue
        state = make_state(SIZES[size], {slot: lots})
        allowance = Fraction(compute_allowance(definition, level, state))
        above = near_boundary(definition, state, level, allowance + Fraction(1, USD6))
        needed = definition.compute_exact_requirement(above, level)
        if min(needed.debt_slack, needed.exposure_slack) >= 3 * abs(lots):
            assert check_agreement(size, CALM, level, above), listing.instruments[slot].name
        below = near_boundary(definition, state, level, -Fraction(1, USD6))
        assert not check_agreement(size, CALM, level, below), listing.instruments[slot].name


@pytest.mark.parametrize("size", sorted(SIZES))
def test_nothing_needs_nothing(size):
    empty = make_state(SIZES[size], {}, 0)
    for level in ("initial", "maintenance"):
        assert get_definition(size).compute_exact_requirement(empty, level).total == 0
        assert check_agreement(size, CALM, level, empty)


@pytest.mark.property("P-18")
@given(state=states(16))
@settings(max_examples=150, deadline=None)
def test_withdraw_implies_initial_implies_maintenance(state):
    policies = get_policies("mini")
    withdraw, initial, maintenance = (passes(policies[name], state) for name in ("withdraw", "initial", "maintenance"))
    assert withdraw <= initial <= maintenance


@pytest.mark.property("P-18")
@given(state=states(16, largest=10**6), offset=st.fractions(0, 1))
@settings(max_examples=60, deadline=None)
def test_initial_implies_maintenance_at_the_initial_requirement(state, offset):
    near = near_boundary(
        get_definition("mini"),
        state,
        "initial",
        offset * Fraction(compute_allowance(get_definition("mini"), "initial", state)),
    )
    if passes(get_policies("mini")["initial"], near):
        assert passes(get_policies("mini")["maintenance"], near)


@given(state=states(16, largest=10**6))
@settings(max_examples=60, deadline=None)
def test_net_delta_limit(state):
    """The attestation implies the real limit, coin by coin."""
    if not passes(get_policies("mini")["net_delta"], state):
        return
    exposures = get_house("mini").exposures
    for coin, slots in get_snapshot("mini").listing.preset.coins.items():
        lots = state.positions[slots.start : slots.stop].tolist()
        delta = sum(
            Fraction(value) * count
            for value, count in zip(exposures[slots.start : slots.stop].tolist(), lots, strict=True)
        )
        assert abs(delta) <= Fraction(PARAMETERS.delta_limit[coin])


def test_net_delta_limit_is_reached():
    """A book just inside the limit passes, one lot more does not."""
    house = get_house("mini")
    lots = int(PARAMETERS.delta_limit["BTC"] / house.exposures[1])
    assert passes(get_policies("mini")["net_delta"], make_state(16, {1: lots}))
    assert not passes(get_policies("mini")["net_delta"], make_state(16, {1: lots + 1}))
    assert not passes(get_policies("mini")["net_delta"], make_state(16, {1: -lots - 1}))
    assert passes(get_policies("mini")["net_delta"], make_state(16, {1: lots + 1, 2: -1}))


@pytest.mark.parametrize(
    ("size", "market"),
    [("mini", CALM), ("mini", CRASH), ("standard", CALM), pytest.param("standard", CRASH, marks=pytest.mark.slow)],
)
def test_scenario_values_written_out_one_by_one(size, market):
    """The reference's own loops against the vectorised models."""

    house = get_house(size, market)
    loops = LotByLot(get_snapshot(size, market), PARAMETERS)
    assert np.abs(loops.prices - house.prices).max() < 1e-9
    assert np.abs(loops.grid_pnl - house.grid.pnl).max() < 1e-9
    assert np.abs(loops.shortfall_pnl - house.shortfall.pnl).max() < 1e-9


@given(state=states(16, largest=10**6, cash=st.integers(-(10**12), 10**12)))
@settings(max_examples=50, deadline=None)
def test_float_and_exact_sums_agree(state):
    definition = get_definition("mini")
    for level in ("initial", "maintenance"):
        rough = definition.compute_requirement(state, level)
        exact = definition.compute_exact_requirement(state, level)
        assert abs(rough.total - float(exact.total)) <= 1e-9 * (
            1 + abs(float(exact.total)) + np.abs(state.positions).sum()
        )
