"""Every wire of `transition` follows from its inputs, whatever they are."""

import pytest

from tests.support.circuit_harness import Constraints, get_circuit
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
