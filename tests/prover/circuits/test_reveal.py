"""`reveal` at mini: what is published is what the commitment holds, and nothing else has a witness."""

import pytest

from tests.support.circuit_harness import get_circuit
from tests.support.circuit_reference import SLOTS, P, pack_positions
from tests.support.stated_cases import CASH, KEY, NONCE, POSITIONS, RHO, make_reveal

circuit = get_circuit("reveal")
get_labels = circuit.get_labels
WORDS = pack_positions(POSITIONS)


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"positions": [0] * SLOTS, "cash": 0},
        {"positions": [-(2**30)] * SLOTS, "cash": 2**80 - 1},
        {"positions": [2**30 - 1] * SLOTS, "cash": -(2**80)},
        {"key": 0, "nonce": 0},
        {"key": P - 1, "nonce": 2**64 - 1},
    ],
)
def test_every_state_can_be_revealed(state):
    inputs = make_reveal(**state)
    wires = circuit.generate(inputs)
    assert circuit.find_failures(wires) == [] and circuit.is_provable(wires)


@pytest.mark.property("P-260")
@pytest.mark.parametrize("place", range(1 + len(WORDS)))
@pytest.mark.parametrize("difference", [1, -1, 2**32 - 1, P - 2**224])
def test_other_numbers_than_the_committed_ones_have_no_witness(place, difference):
    published = [CASH, *WORDS]
    published[place] += difference
    assert get_labels(make_reveal(published=published)) == ["evaluation~published.out"]


@pytest.mark.property("P-260")
def test_the_same_numbers_in_another_order_have_no_witness():
    published = [CASH, WORDS[1], WORDS[0], *WORDS[2:]]
    assert get_labels(make_reveal(published=published)) == ["evaluation~published.out"]


@pytest.mark.property("P-260")
@pytest.mark.parametrize(
    "change",
    [{"key": KEY + 1}, {"nonce": NONCE + 1}, {"cash": CASH + 1}, {"word": [WORDS[0] + 1, *WORDS[1:]]}],
    ids=["key", "nonce", "cash", "word"],
)
def test_another_opening_has_no_witness(change):
    """Whoever proves knows the commitment's opening; a state of its own choice is not one."""
    assert "commitment~opened.commitment" in get_labels(make_reveal() | change)


@pytest.mark.property("P-260")
def test_a_state_that_is_proved_consistently_but_is_not_the_committed_one():
    other = make_reveal(cash=CASH + 1)
    assert get_labels(other | {"commitment": make_reveal()["commitment"]}) == ["commitment~opened.commitment"]


@pytest.mark.property("P-260")
def test_rho_and_evaluation_of_a_finished_proof_cannot_be_exchanged():
    wires = circuit.force(make_reveal())
    for name in ("rho", "evaluation", "commitment"):
        assert not circuit.is_provable(wires.change({name: wires[name] + 1}))


@pytest.mark.property("P-260")
def test_numbers_made_for_a_rho_that_is_known_beforehand_pass():
    """Why rho is a hash of the numbers: who knows it first finds others with the same evaluation."""
    published = [CASH + RHO, WORDS[0] - 1, *WORDS[1:]]
    assert get_labels(make_reveal(published=published)) == []


@pytest.mark.property("P-14")
def test_no_wire_is_free():
    wires = circuit.force(make_reveal())
    assert circuit.written.find_free_wires(wires.values) == []
    assert circuit.simplified.find_free_wires(circuit.simplify(wires)) == []
