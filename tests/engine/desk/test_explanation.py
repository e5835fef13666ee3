"""A requirement taken apart adds up to it; marginals are what one lot more or less costs; ties are said."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.desks import MARKETS, get_books, get_large_book, get_slot
from tests.support.house import CALM, get_house, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.desk.explanation import explain_requirement
from zkmargin.engine.desk.labels import BUFFER, GRID, SHORTFALL, describe_house_row, describe_rule
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.definition import compute_allowance
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.policy.certificate import RequirementNotMet

LEVELS = ("initial", "maintenance")
MICRO = 1e-6


def whole_units(house, level):
    """What whole units of transfer, losses and equity may add to the rows' real optimum, US dollars per account."""
    return compute_allowance(house.definition, level, make_state(house.snapshot.listing.preset.slots, {}))


def shift(state, slot, lots):
    positions = np.array(state.positions)
    positions[slot] += lots
    return AccountState(positions, state.cash)


def check_sum(house, state, level):
    found = explain_requirement(house, "x", state, level)
    assert found.total == pytest.approx(found.requirement, rel=1e-9)
    by_marginal = sum(leg.lots * leg.marginal for leg in found.legs) + found.constants
    assert by_marginal == pytest.approx(found.requirement, rel=1e-9)
    exact = house.policy_requirement(house.policies[level], state) / 1e6
    assert -MICRO <= exact - found.requirement <= whole_units(house, level) + MICRO
    assert -MICRO <= found.requirement - found.definition <= compute_allowance(house.definition, level, state) + MICRO
    assert len(found.legs) == state.open_positions


@pytest.mark.property("P-72")
@pytest.mark.parametrize("size,market", MARKETS)
@pytest.mark.parametrize("level", LEVELS)
def test_legs_and_constants_add_up_to_the_requirement(size, market, level):
    house = get_house(size, market)
    for state in get_books(size, market).values():
        check_sum(house, state, level)


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_the_large_book_adds_up(level):
    check_sum(get_house("standard", CALM), get_large_book(), level)


@pytest.mark.parametrize("size,market", MARKETS)
def test_parts_by_rule_are_those_of_the_report(size, market):
    house = get_house(size, market)
    for name, state in list(get_books(size, market).items())[-2:]:
        found = explain_requirement(house, name, state)
        room = compute_allowance(house.definition, "initial", state)
        requirement = house.definition_requirement(state, "initial")
        parts = {rule: sum(row.part for row in found.binding if row.rule == rule) for rule in (GRID, SHORTFALL, BUFFER)}
        assert parts[GRID] + parts[SHORTFALL] == pytest.approx(float(requirement.scenario_margin), abs=room)
        assert parts[BUFFER] + found.constants == pytest.approx(float(requirement.buffer), abs=room)
        assert sum(leg.charges for leg in found.legs) == pytest.approx(float(requirement.charge), abs=room)
        assert sum(found.rules.values()) == pytest.approx(found.definition, rel=1e-9)
        assert {row.rule for row in found.binding} <= {GRID, SHORTFALL, BUFFER}
        assert all(row.part == row.weight * row.loss and row.weight > 0 for row in found.binding)


@pytest.mark.parametrize("size,market", MARKETS)
def test_one_lot_more_or_less_costs_at_least_the_derivative(size, market):
    """The requirement is convex, so its exact difference over whole lots bounds the derivatives, and reaches them."""
    house = get_house(size, market)
    state, policy = list(get_books(size, market).values())[-1], house.policies["initial"]
    large = AccountState(state.positions * 1000, state.cash * 1000)  # so that one lot stays within one linear piece
    try:
        now = house.policy_requirement(policy, large)
    except RequirementNotMet:
        large = AccountState(state.positions * 10, state.cash * 10)
        now = house.policy_requirement(policy, large)
    found = explain_requirement(house, "x", large)
    rounding = 2e-3  # whole units of the transfer, US dollars
    reached = 0
    for leg in found.legs:
        slot = get_slot(house, leg.name)
        up = (house.policy_requirement(policy, shift(large, slot, 1)) - now) / 1e6
        down = (now - house.policy_requirement(policy, shift(large, slot, -1))) / 1e6
        assert leg.left <= leg.marginal + 1e-6 and leg.marginal <= leg.right + 1e-6
        assert up >= leg.right - rounding and down <= leg.left + rounding
        reached += up == pytest.approx(leg.right, abs=rounding) and down == pytest.approx(leg.left, abs=rounding)
    assert reached >= len(found.legs) - 1


def make_tied_house(size: str) -> HouseModel:
    """A market in which a future has the perpetual's price, and no basis moves: one against the other loses in no
    scenario."""
    snapshot = get_house(size, CALM).snapshot
    forward = np.array(snapshot.forward)
    future = next(item for item in snapshot.listing.by_name.values() if item.kind is InstrumentKind.FUTURE)
    forward[future.slot] = forward[get_slot(get_house(size, CALM), "BTC-PERPETUAL")]
    still = replace(load_parameters(), basis_rate=0.0, basis_floor=0.0, futures_basis=0.0)
    return HouseModel(replace(snapshot, forward=forward), still)


@pytest.mark.parametrize("size", ["standard", "mini"])
@pytest.mark.parametrize("level", LEVELS)
def test_at_a_tie_left_and_right_differ_and_it_is_said(size, level):
    house = make_tied_house(size)
    future = next(item for item in house.snapshot.listing.by_name.values() if item.kind is InstrumentKind.FUTURE)
    perpetual = get_slot(house, "BTC-PERPETUAL")
    slots = house.snapshot.listing.preset.slots
    state = make_state(slots, {perpetual: 100, future.slot: -100}, 10**12)
    found, policy = explain_requirement(house, "box", state, level), house.policies[level]
    assert not found.has_unique_marginals and not found.is_unique
    assert found.total == pytest.approx(house.policy_requirement(policy, state) / 1e6, abs=whole_units(house, level))
    for leg in found.legs:
        slot = get_slot(house, leg.name)
        moved = [house.policy_requirement(policy, shift(state, slot, lots)) for lots in (-1, 0, 1)]
        assert leg.right == pytest.approx((moved[2] - moved[1]) / 1e6, abs=1e-3)
        assert leg.left == pytest.approx((moved[1] - moved[0]) / 1e6, abs=1e-3)
        move = house.parameters.price_range["BTC"] * house.parameters.factor[level]
        assert leg.right - leg.left >= 2 * move * house.marks[slot] / 1e6 * 0.999
        assert leg.left - 1e-6 <= leg.marginal <= leg.right + 1e-6


def test_equal_scenarios_tie_without_a_kink():
    """A perpetual loses the same whatever volatility does: three cells share a weight, and the marginal is one."""
    house = get_house("standard", CALM)
    found = explain_requirement(house, "long", make_state(256, {get_slot(house, "BTC-PERPETUAL"): 100}, 10**12))
    assert not found.is_unique and found.has_unique_marginals
    assert found.legs[0].left == pytest.approx(found.legs[0].right)


def test_without_ties_the_weights_are_the_only_ones():
    found = explain_requirement(get_house("standard", CALM), "book", get_books("standard", CALM)["hedged_vol_book"])
    assert found.is_unique and found.has_unique_marginals
    assert all(leg.left == leg.right == leg.marginal for leg in found.legs)


def test_constants_stand_apart():
    """A large exposure is on a later chord, whose constant belongs to no leg."""
    house = get_house("standard", CALM)
    slot, lots = get_slot(house, "BTC-PERPETUAL"), 1
    while house.find_refusal(house.policies["initial"], make_state(256, {slot: 2 * lots}, 10**17)) is None:
        lots *= 2
    state = make_state(256, {slot: lots}, 10**17)
    found = explain_requirement(house, "large", state)
    assert found.constants < -1.0
    assert found.total == pytest.approx(house.policy_requirement(house.policies["initial"], state) / 1e6, rel=1e-9)


def test_an_empty_account_and_one_beyond_the_exposure_limit():
    house = get_house("standard", CALM)
    empty = explain_requirement(house, "empty", make_state(256, {}, 0))
    assert (empty.requirement, empty.total, empty.legs, empty.binding) == (0.0, 0.0, (), ())
    assert empty.has_unique_marginals
    huge = explain_requirement(house, "huge", make_state(256, {get_slot(house, "BTC-PERPETUAL"): 2**27}, 10**17))
    assert huge.total == pytest.approx(huge.requirement, rel=1e-9) and huge.requirement > huge.definition * (1 - 1e-6)


def test_an_unknown_level():
    with pytest.raises(UnknownName, match="unknown level 'withdraw'; allowed: initial, maintenance"):
        explain_requirement(get_house("mini", CALM), "x", make_state(16, {}, 0), "withdraw")


@pytest.mark.parametrize("size,market", MARKETS)
def test_every_row_has_a_rule_and_words(size, market):
    house = get_house(size, market)
    policy = house.policies["initial"]
    labels = {}
    for row in range(policy.preset.rows):
        rule = describe_rule(policy, row)
        labels.setdefault(rule, []).append(describe_house_row(house, policy, row))
        if policy.positions[row].any() and rule == "other":
            assert labels[rule][-1] in ("equity after charges", "debt limit")
    assert len(set(labels[GRID])) == len(labels[GRID]) and len(set(labels[BUFFER])) == len(labels[BUFFER])


def test_the_record_is_json():
    house = get_house("mini", CALM)
    found = explain_requirement(house, "x", get_books("mini", CALM)["random 0"])
    document = json.loads(json.dumps(found.to_document(), allow_nan=False))
    assert document["total"] == found.total
    assert sum(leg["contribution"] for leg in document["legs"]) + document["constants"] == pytest.approx(found.total)
