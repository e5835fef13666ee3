"""Every wire of a circuit follows from its inputs, whatever they are; of those with an escrow, but for quotients that
are named and argued one kind at a time."""

import re

import pytest

from tests.support.circuit_harness import Constraints, P, get_circuit
from tests.support.soundness.determinism import Propagation
from zkmargin.prover.groth16.compile import CompiledCircuit, compile_source
from zkmargin.prover.paths import BUILD, CIRCUITS

ONE, A, B, X = 0, 1, 2, 3


def derive_open_wires(compiled: CompiledCircuit) -> list[str]:
    constraints, facts = Constraints(compiled), compiled.facts
    inputs = range(1, 1 + facts.public_inputs + facts.private_inputs)
    derivation = Propagation(constraints.rows).derive(inputs)
    return [constraints.names[wire][0] for wire in derivation.find_open(facts.wires)]


@pytest.mark.property("P-14")
def test_the_inputs_leave_no_wire_open():
    assert derive_open_wires(get_circuit("transition").honest) == []


@pytest.mark.slow
@pytest.mark.property("P-14")
def test_the_inputs_leave_no_wire_open_at_standard():
    main = CIRCUITS / "generated/transition.standard.circom"
    target = BUILD / "tests/transition.standard.O0"
    assert derive_open_wires(compile_source(main, target, optimization="O0")) == []


@pytest.mark.slow
@pytest.mark.property("P-14")
def test_a_constraint_that_is_left_out_leaves_wires_open():
    """The test above can fail: without a constraint that gives a wire, it is open, unless another one gives it too."""
    circuit = get_circuit("transition")
    facts, propagation = circuit.honest.facts, Propagation(circuit.written.rows)
    inputs = range(1, 1 + facts.public_inputs + facts.private_inputs)
    steps = propagation.derive(inputs).steps
    chosen = steps[:: len(steps) // 6]
    opened = [
        number
        for number, gained in chosen
        if set(gained) & set(propagation.derive(inputs, without=number).find_open(facts.wires))
    ]
    assert len(opened) > len(chosen) // 2


QUOTIENTS = {
    "slope": r"escrow\.(point|shared)\..+\.lamda",
    "change of form": r"escrow\.(point|shared)\.(segments\[\d+\]\.)?(e2m|m2e|cm2e)(\[\d+\])?\.out\[\d\]",
    "sum on the Edwards curve": r"escrow\.(point|shared)\..+\.[xy]out",
    "committee's x": r"escrow\.shared\.zeropoint\.(out|inv)",
}
"""Wires that are a known number over a known number, by kind. Why the second is not zero, for a committee that the
contracts accept (of order l) and a scalar below l:

- Slopes: no addition meets equal or opposite points, none is a doubling of order 2, as `escrow.circom` argues; three
  scalars that would have no witness.
- Changes of form: of points that are not the identity and not of order 2, on both curves.
- Sums on the Edwards curve: 1 + d x1 x2 y1 y2 and 1 - d x1 x2 y1 y2 are not zero for points of the curve, as d is no
  square and a is one (Bernstein and others, Twisted Edwards curves, 2008).
- The committee's x is zero in points of order 1 and 2 alone.
"""


def find_open_with(name: str, kinds: set[str]) -> list[str]:
    compiled = get_circuit(name).honest
    constraints, facts = Constraints(compiled), compiled.facts
    patterns = [re.compile(QUOTIENTS[kind]) for kind in kinds]
    allowed = [
        wire
        for wire in range(1, facts.wires)
        if any(pattern.fullmatch(constraints.names[wire][0]) for pattern in patterns)
    ]
    inputs = range(1, 1 + facts.public_inputs + facts.private_inputs)
    derivation = Propagation(constraints.rows, allowed).derive(inputs)
    return [constraints.names[wire][0] for wire in derivation.find_open(facts.wires)]


@pytest.mark.property("P-329")
@pytest.mark.parametrize(("name", "kinds"), [("reveal", set()), ("open", set(QUOTIENTS)), ("rekey", set(QUOTIENTS))])
def test_the_inputs_of_the_other_circuits_leave_no_wire_open(name, kinds):
    assert find_open_with(name, kinds) == []


@pytest.mark.parametrize("kind", QUOTIENTS)
def test_each_kind_of_quotient_is_one_that_an_escrow_has(kind):
    """Nothing is argued that is not needed: without one kind wires stay open."""
    assert find_open_with("open", set(QUOTIENTS) - {kind})


def test_the_edwards_sum_is_complete():
    """a is a square modulo p and d is none: what the third kind rests on."""
    half = (P - 1) // 2
    assert (pow(168700, half, P), pow(168696, half, P)) == (1, P - 1)


def combine(**factors: int) -> list[tuple[int, int]]:
    return [({"one": 0}.get(name, int(name[1:] or 0)), factor) for name, factor in factors.items()]


@pytest.mark.parametrize(
    ("rows", "opens"),
    [
        pytest.param([([(0, 1)], [(1, 1), (9, 3)], [])], [], id="linear, a constant coefficient"),
        pytest.param([([(1, 1)], [(9, 1)], [(2, 1)])], [9], id="a coefficient that may be zero"),
        pytest.param([([(9, 1)], [(9, 1)], [(1, 1)])], [9], id="a square has two roots"),
        pytest.param([([(0, 1)], [(9, 1), (8, 2), (1, -1)], [])], [8, 9], id="bits that nothing holds to 0 and 1"),
        pytest.param(
            [([(0, 1)], [(9, 1), (8, 2), (1, -1)], []), *(([(w, 1)], [(w, 1), (0, -1)], []) for w in (8, 9))],
            [],
            id="bits",
        ),
        pytest.param(
            [([(0, 1)], [(9, 1), (8, 1), (1, -1)], []), *(([(w, 1)], [(w, 1), (0, -1)], []) for w in (8, 9))],
            [8, 9],
            id="two bits of one weight",
        ),
        pytest.param(
            [([(0, 1)], [(9, 1), (8, 2**253), (1, -1)], []), *(([(w, 1)], [(w, 1), (0, -1)], []) for w in (8, 9))],
            [8, 9],
            id="bits that reach p",
        ),
        pytest.param(
            [([(0, 1)], [(9, 5), (8, 5), (0, -5)], []), ([(9, 1)], [(1, 1)], []), ([(8, 1)], [(1, 1), (0, -4)], [])],
            [],
            id="picks",
        ),
        pytest.param(
            [([(0, 1)], [(9, 5), (8, 5), (0, -5)], []), ([(9, 1)], [(1, 1)], []), ([(8, 1)], [(1, 1)], [])],
            [8, 9],
            id="two picks of one constant",
        ),
        pytest.param(
            [([(0, 1)], [(9, 5), (8, 5), (0, -5)], []), ([(9, 1)], [(1, 1)], []), ([(8, 1)], [(2, 1), (0, -4)], [])],
            [8, 9],
            id="picks of two numbers",
        ),
    ],
)
def test_a_rule_holds_what_it_says(rows, opens):
    """Wires 1 and 2 are known."""
    derivation = Propagation(rows).derive([1, 2])
    assert [wire for wire in (8, 9) if any(wire in dict(side) for row in rows for side in row)
            and wire not in derivation.known] == opens  # fmt: skip
