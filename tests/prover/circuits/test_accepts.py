"""What `transition` accepts, at mini: every kind of action, the edges of each range, random cases of the reference."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.circuit_cases import ACCEPTED, DEPOSIT, OTHER_SIDE, ROLL, TRADE, at, fit, make_rule
from tests.support.circuit_harness import get_circuit
from tests.support.circuit_reference import EXCESS, HELPERS, ROWS, SLOTS, Case, Rule, commit

circuit = get_circuit("transition")


def accept(case: Case):
    """Wires of a case that must be accepted, by generator and by both sets of constraints."""
    wires = circuit.generate(case.compute())
    assert circuit.find_failures(wires) == []
    assert circuit.is_provable(wires)
    return wires


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_action_has_a_witness(name):
    accept(ACCEPTED[name])


@pytest.mark.property("P-05")
def test_both_sides_of_a_trade_show_one_tag_and_move_oppositely():
    one, other = accept(TRADE), accept(OTHER_SIDE.but(salt=TRADE.salt))
    assert one["tradeTag"] == other["tradeTag"] != 0
    assert one["ciphertext"] != other["ciphertext"]
    for slot in range(SLOTS):
        moved = [w.get_signed(f"position[{slot}]") - w.get_signed(f"movement.before[{slot}]") for w in (one, other)]
        assert moved[0] == -moved[1]
    assert one.get_signed("money.traded") == -other.get_signed("money.traded") == TRADE.trade_cash


def test_a_new_commitment_is_the_next_old_one():
    wires = accept(TRADE)
    later = Case(positions=TRADE.positions_after, cash=TRADE.cash_after, key=TRADE.key, nonce=TRADE.nonce + 1)
    assert accept(later)["commitmentOld"] == wires["commitmentNew"] != wires["commitmentOld"]


def test_an_attestation_writes_nothing():
    assert accept(TRADE.but(write=0))["commitmentNew"] == 0


@pytest.mark.property("P-04")
def test_without_a_side_the_word_leaves_no_trace():
    wires = accept(fit(TRADE.but(side=0)))
    assert wires["tradeTag"] == wires["ciphertext"] == 0
    assert [wires.get_signed(f"movement.before[{slot}]") for slot in range(SLOTS)] == TRADE.moved_without_trade


def test_legs_that_name_one_slot_add_up():
    case = fit(TRADE.but(legs=[(5, 7), (5, -2), (5, 100), (5, 1)]))
    assert accept(case).get_signed("position[5]") == TRADE.positions[5] + 106


@pytest.mark.property("P-07")
def test_a_settlement_turns_dropped_lots_into_cash():
    wires = accept(ROLL)
    paid = -40 * (2**36 - 1) + 17 * 1_000
    assert wires.get_signed("money.after") == 10**9 + paid
    assert wires["movement.after[2]"] == wires["movement.after[5]"] == 0
    kept = [0 if slot in (2, 5) else lots for slot, lots in enumerate(ROLL.positions)]
    assert wires["commitmentNew"] == commit(ROLL.key, ROLL.nonce + 1, kept, 10**9 + paid)


def test_dropped_lots_are_not_charged():
    rule = Rule(rate_long=[[5] * SLOTS, [1] * SLOTS], rate_short=[[7] * SLOTS, [1] * SLOTS])
    wires = accept(Case(positions=at(s1=10, s2=-3), drop=at(s2=1), rule=rule))
    assert [wires["charge[0]"], wires["charge[1]"]] == [50, 10]


def test_charges_are_split_by_sign():
    rule = Rule(rate_long=[[5] * SLOTS, [1] * SLOTS], rate_short=[[7] * SLOTS, [2] * SLOTS])
    wires = accept(Case(positions=at(s1=10, s2=-3), rule=rule))
    assert [wires["charge[0]"], wires["charge[1]"]] == [50 + 21, 10 + 6]


def test_a_soft_rows_excess_lifts_its_row_and_counts_in_the_total():
    rule = Rule(soft=[1] + [0] * (EXCESS - 1), weights=[3] * EXCESS).with_rows(
        constants={0: -500, 20: 1600}, excess={20: -1}
    )
    wires = accept(Case(rule=rule, excess=[520] + [9] * (EXCESS - 1)))
    assert wires["excesses.total"] == 3 * 520
    assert [wires["slack[0]"], wires["slack[20]"]] == [20, 1600 - 1560]


EDGES = {
    "slack 0": Case(),
    "slack 2^83 - 1 in every lane": Case(rule=Rule(constants=[2**83 - 1] * ROWS)),
    "largest and smallest slacks side by side": Case(rule=Rule(constants=[2**83 - 1, 0, 2**83 - 1] * (ROWS // 3))),
    "position 2^30 - 1": Case(positions=[2**30 - 1] * SLOTS),
    "position -2^30": Case(positions=[-(2**30)] * SLOTS),
    "position from one end to the other": Case(
        positions=at(s0=-(2**30)), side=1, legs=[(0, 2**28 - 1)] * 4, flow=at(s0=2**30)
    ),
    "leg 2^28 - 1": Case(side=1, legs=[(15, 2**28 - 1)] * 4),
    "leg -2^28, given": Case(side=-1, legs=[(15, -(2**28))] * 3 + [(0, 0)]),
    "leg -2^28, received": Case(side=1, legs=[(7, -(2**28))] * 4),
    "trade cash 2^63 - 1": Case(side=1, trade_cash=2**63 - 1),
    "trade cash -2^63": Case(side=-1, trade_cash=-(2**63)),
    "cash 2^80 - 1": Case(cash=2**80 - 1),
    "cash -2^80": Case(cash=-(2**80)),
    "excess and helper 2^60 - 1": Case(excess=[2**60 - 1] * EXCESS, helpers=[2**60 - 1] * HELPERS),
    "key and salt p - 1": Case(key=-1, salt=-1, side=1),
    "key, salt and nonce 0": Case(key=0, salt=0, nonce=0, side=1),
    "dearest book": Case(
        positions=[2**30 - 1] * 8 + [-(2**30)] * 8,
        rule=Rule(rate_long=[[2**36 - 1] * SLOTS] * 2, rate_short=[[2**36 - 1] * SLOTS] * 2),
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_the_edge_of_a_range_is_inside(name):
    accept(EDGES[name])


@pytest.mark.property("P-24")
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    side=st.sampled_from([-1, 0, 1]),
    write=st.sampled_from([0, 1]),
    slack=st.integers(0, 2**83 - 1),
)
def test_random_transitions_agree_with_the_integers(seed, side, write, slack):
    draw = random.Random(seed)
    signed = lambda bits: draw.randint(-(2**bits), 2**bits - 1)  # noqa: E731
    drop = [draw.randint(0, 1) for _ in range(SLOTS)]
    case = Case(
        positions=[signed(29) for _ in range(SLOTS)],
        cash=signed(79),
        key=draw.getrandbits(250),
        nonce=draw.getrandbits(40),
        side=side,
        write=write,
        legs=[(draw.randrange(SLOTS), signed(26)) for _ in range(4)],
        trade_cash=signed(63),
        salt=draw.getrandbits(250),
        cash_flow=signed(70),
        flow=[signed(28) for _ in range(SLOTS)],
        drop=drop,
        payoff=[bit * draw.getrandbits(36) for bit in drop],
        rule=make_rule(seed),
        helpers=[draw.getrandbits(60) for _ in range(HELPERS)],
        excess=[draw.getrandbits(60) for _ in range(EXCESS)],
        context=draw.getrandbits(248),
    )
    accept(fit(case, slack))


def test_the_cases_differ_in_kind():
    assert TRADE.side == -OTHER_SIDE.side == 1
    assert DEPOSIT.cash_flow > 0
    assert any(TRADE.rule.soft) and not all(TRADE.rule.soft)
