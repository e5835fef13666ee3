"""The two lemmas on packing at their edges, and the two forgeries that wrong templates let through.

L1: three rows share a number; slacks must be narrower than lanes. L3: a word has one opening; positions must be
range-checked after the trade and before the settlement drops any. Both in docs/protocol.md, "Lemmas".
"""

import pytest

from tests.support.circuit_harness import get_circuit
from tests.support.circuit_reference import Case, pack_positions, pack_rows

LANE, NARROW = 2**84, 2**83


def make_rows(constants: list[int], slack: list[int], lane: int = LANE, **others) -> dict:
    """Inputs of six rows that are constants only, in lanes of `lane`; the first four may have an excess."""
    packed = [sum(value * lane**k for k, value in enumerate(constants[start : start + 3])) for start in (0, 3)]
    none = {"rowPosition": [[0, 0]] * 2, "rowCash": [0] * 2, "rowCharge": [[0, 0]] * 2, "rowExcess": [0] * 2}
    none |= {"rowHelper": [[0]] * 2, "position": [0, 0], "cash": 0, "charge": [0, 0], "excessTotal": 0, "helper": [0]}
    return none | {"rowConstant": packed, "excessCounted": [0] * 4, "slack": slack} | others


def get_labels(name: str, inputs: dict) -> list[str]:
    return get_circuit(name).get_labels(inputs)


# ----------------------------------------------------------------------------------------------------------------- L1
@pytest.mark.parametrize("values", [[0] * 6, [2**83 - 1] * 6, [2**83 - 1, 0] * 3, [0, 2**83 - 1, 1, 2**82, 5, 0]])
def test_rows_at_the_edges_hold(values):
    assert get_labels("rows", make_rows(values, values)) == []


@pytest.mark.parametrize("row", range(6))
@pytest.mark.parametrize("value", [-1, 2**83, -(2**83) + 1])
def test_rows_beyond_the_edges_fail(row, value):
    values = [100] * 6
    values[row] = value
    assert get_labels("rows", make_rows(values, values)) == [f"range.number[{row}]"]


@pytest.mark.property("P-08")
def test_a_deficit_shown_as_a_large_slack_passes_only_with_wrong_lanes():
    """Row 0 lacks 5. With 83-bit lanes and 84-bit slacks it passes as -5 + 2^83, and row 1 shows one less."""
    rows, forged = [-5, 100, 0, 0, 0, 0], [2**83 - 5, 99, 0, 0, 0, 0]
    assert get_labels("rows_narrow_lanes", make_rows(rows, forged, NARROW)) == []
    assert get_labels("rows", make_rows(rows, forged)) == ["~".join(sorted(describe_row(0)))]
    assert get_labels("rows", make_rows(rows, [2**84 - 5, 99, 0, 0, 0, 0])) == ["range.number[0]"]


def describe_row(packed: int) -> set[str]:
    """Signals of the equation of one packed row, read from an honest failure."""
    circuit = get_circuit("rows")
    slack = [0] * 6
    slack[3 * packed + 2] = 1
    failures = circuit.find_failures(circuit.force(make_rows([0] * 6, slack)))
    assert len(failures) == 1
    assert {f"rowConstant[{packed}]", *(f"slack[{3 * packed + lane}]" for lane in range(3))} <= failures[0].signals
    return set(failures[0].signals)


def test_excess_rows_may_end_inside_a_packed_row():
    rows = [-1, -2, -3, -4, 0, 0]
    assert get_labels("rows", make_rows(rows, [0] * 6, excessCounted=[1, 2, 3, 4])) == []
    assert "excessCounted[3]" in describe_row(1)
    assert not any(name.startswith("excessCounted") and name != "excessCounted[3]" for name in describe_row(1))


def test_three_rows_share_a_coefficient():
    """Rows 1 - 2 q, 5 q and -q at q = (3, .) with constants that leave slacks 0, 15, 4."""
    column = pack_rows([-2, 5, -1])[0]
    inputs = make_rows([6, 0, 7, 0, 0, 0], [0, 15, 4, 0, 0, 0], rowPosition=[[column, 0], [0, 0]], position=[3, 99])
    assert get_labels("rows", inputs) == []


# ----------------------------------------------------------------------------------------------------------------- L3
MOVED = 1000
"""Lots that the forgery makes out of nothing in slot 0: (q_0 + 2^32 m, q_1 - m) opens the word of (q_0, q_1)."""


def make_settlement(committed: list[int], opening: list[int]) -> dict:
    return {"word": pack_positions(committed)[0], "position": opening, "drop": [1, 0], "payoff": [10**6, 0]}


def test_a_word_opens_to_what_was_packed():
    circuit = get_circuit("settlement")
    wires = circuit.generate(make_settlement([5, 7], [5, 7]))
    assert circuit.find_failures(wires) == []
    assert [wires.get_signed("paid"), wires["after[0]"], wires["after[1]"]] == [5 * 10**6, 0, 7]


@pytest.mark.property("P-06")
def test_a_second_opening_mints_money_where_only_what_is_left_is_checked():
    forged = make_settlement([5, 7], [5 + 2**32 * MOVED, 7 - MOVED])
    circuit = get_circuit("settlement_late_check")
    wires = circuit.generate(forged)
    assert circuit.find_failures(wires) == [] and circuit.is_provable(wires)
    assert wires.get_signed("paid") == (5 + 2**32 * MOVED) * 10**6


def test_the_second_opening_fails_where_r_is_checked():
    forged = make_settlement([5, 7], [5 + 2**32 * MOVED, 7 - MOVED])
    assert get_labels("settlement", forged) == ["movement.range[0].shifted"]


@pytest.mark.property("P-06")
@pytest.mark.parametrize("moved", [1, -1, 2**20, -(2**20)])
def test_the_second_opening_fails_in_the_whole_statement(moved):
    case = Case(positions=[5, 7] + [0] * 14, drop=[1] + [0] * 15, payoff=[10**6] + [0] * 15)
    honest = case.compute()
    lie = case.but(positions=[5 + 2**32 * moved, 7 - moved] + [0] * 14)
    inputs = lie.compute()
    assert inputs["commitmentOld"] == honest["commitmentOld"]
    assert lie.cash_after - case.cash_after == 2**32 * moved * 10**6
    assert get_labels("transition", inputs) == ["movement.range[0].shifted"]


def test_a_flow_beyond_the_contracts_bound_is_what_the_circuit_relies_on():
    """A flow of 2^32 brings the second opening back into range: the contract bounds flows (docs/protocol.md, L3)."""
    lie = Case(positions=[5 + 2**32, 7 - 1] + [0] * 14, flow=[-(2**32)] + [0] * 15)
    assert get_labels("transition", lie.compute()) == []
    assert lie.compute()["commitmentOld"] == Case(positions=[5, 7] + [0] * 14).compute()["commitmentOld"]
