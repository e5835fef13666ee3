"""`open` at mini: what it accepts, what it refuses and where, and what it leaves to the contract."""

import pytest

from tests.support.babyjub_reference import BASE8, IDENTITY, A, D, L, P, Point, add, is_on_curve, multiply, root
from tests.support.circuit_harness import WitnessRefused, get_circuit
from tests.support.circuit_reference import SLOTS, commit, tag
from tests.support.poseidon_reference import poseidon

circuit = get_circuit("open")
get_labels = circuit.get_labels
COMMITTEE = multiply(123456789, BASE8)
KEY, RHO = 2**250 + 3, L // 3


def make_inputs(key: int = KEY, rho: int = RHO, committee=COMMITTEE, nonce: int = 0, **others) -> dict:
    """All inputs of an opening, honest but for `others`."""
    ephemeral, shared = multiply(rho, BASE8), multiply(rho, committee)
    return {
        "commitment": commit(key, nonce, [0] * SLOTS, 0),
        "ephemeralX": ephemeral[0], "ephemeralY": ephemeral[1],
        "escrowedKey": (key + poseidon([tag("ESCROW"), *shared])) % P,
        "committeeX": committee[0], "committeeY": committee[1],
        "context": 2**247 + 1, "key": key, "ephemeralScalar": rho,
    } | others  # fmt: skip


@pytest.mark.parametrize("rho", [1, 2, 7, 8, 2**148, 2**249, RHO, L - 2])
def test_an_opening_has_a_witness_and_the_committee_reads_the_key(rho):
    wires = circuit.generate(make_inputs(rho=rho))
    assert circuit.find_failures(wires) == [] and circuit.is_provable(wires)
    ephemeral = (wires["ephemeralX"], wires["ephemeralY"])
    shared = multiply(123456789, ephemeral)
    assert (wires["escrowedKey"] - poseidon([tag("ESCROW"), *shared])) % P == KEY


@pytest.mark.parametrize("key", [0, 1, P - 1])
def test_any_field_element_is_a_key(key):
    assert get_labels(make_inputs(key=key)) == []


@pytest.mark.property("P-16")
@pytest.mark.parametrize(
    "commitment",
    [
        commit(KEY, 0, [1] + [0] * (SLOTS - 1), 0), commit(KEY, 0, [0] * SLOTS, 1), commit(KEY, 0, [0] * SLOTS, -1),
        commit(KEY, 1, [0] * SLOTS, 0), commit(KEY + 1, 0, [0] * SLOTS, 0), 0,
    ],
    ids=["a lot", "a cent", "a debt", "nonce 1", "another key", "nothing"],
)  # fmt: skip
def test_an_account_opens_empty(commitment):
    assert get_labels(make_inputs(commitment=commitment)) == ["commitment~first.commitment"]


@pytest.mark.property("P-16")
def test_the_escrowed_key_is_the_committed_one():
    other = make_inputs(key=KEY + 1)["escrowedKey"]
    assert get_labels(make_inputs(escrowedKey=other)) == ["escrow.escrowedKey~escrowedKey"]
    other = make_inputs(committee=multiply(5, BASE8))["escrowedKey"]
    assert get_labels(make_inputs(escrowedKey=other)) == ["escrow.escrowedKey~escrowedKey"]


def test_the_ephemeral_point_is_that_of_the_scalar():
    other = make_inputs(rho=RHO + 1)
    changed = {name: other[name] for name in ("ephemeralX", "ephemeralY")}
    assert get_labels(make_inputs(**changed)) == ["ephemeralX~escrow.ephemeral[0]", "ephemeralY~escrow.ephemeral[1]"]


@pytest.mark.property("P-16")
def test_one_scalar_makes_both_points():
    """The shared point is computed with other bits than the ephemeral one."""
    inputs, other = make_inputs(), make_inputs(rho=RHO + 1)
    wires = circuit.force(inputs).graft(
        circuit.force(other), "escrow.shared.", "escrow.pad.", "escrow.escrowedKey", "escrowedKey"
    )
    failures = circuit.find_failures(wires)
    changed = {name for failure in failures for name in failure.signals}
    assert {failure.owner for failure in failures} == {"escrow"}
    assert all(name.startswith(("escrow.rho.bits[", "escrow.shared.e[")) for name in changed)
    assert not circuit.is_provable(wires)


@pytest.mark.parametrize("rho", [L, L + 1, L + 12345, 2**251 - 1])
def test_the_scalar_is_below_the_order(rho):
    """rho + L gives the same points; it is refused so that a scalar has one form."""
    assert get_labels(make_inputs(rho=rho)) == ["escrow.rho.above"]


def test_the_scalar_has_251_bits():
    assert "escrow.rho.number" in get_labels(make_inputs(rho=2**251 + 5))


def test_a_committee_off_the_curve_has_no_witness():
    off = (COMMITTEE[0], (COMMITTEE[1] + 1) % P)
    assert not is_on_curve(off)
    assert "escrow.onCurve" in get_labels(make_inputs(committeeX=off[0], committeeY=off[1]))


def test_the_context_of_a_finished_proof_cannot_be_exchanged():
    wires = circuit.force(make_inputs())
    changed = wires.change({"context": wires["context"] + 1})
    assert [failure.label for failure in circuit.find_failures(changed)] == ["context~contextSquare"]
    assert not circuit.is_provable(changed)


@pytest.mark.property("P-14")
def test_no_wire_is_free():
    wires = circuit.force(make_inputs())
    assert circuit.written.find_free_wires(wires.values) == []
    assert circuit.simplified.find_free_wires(circuit.simplify(wires)) == []


# ------------------------------------------------------- what the contract must pin, because the circuit lets it pass
@pytest.mark.parametrize("point", [IDENTITY, (0, P - 1)], ids=["order 1", "order 2"])
def test_a_committee_at_x_0_is_left_to_the_contract(point):
    """The shared point is the identity whatever the scalar, and anyone reads the key: the contract refuses it."""
    known = (KEY + poseidon([tag("ESCROW"), *IDENTITY])) % P
    assert get_labels(make_inputs(committeeX=point[0], committeeY=point[1], escrowedKey=known)) == []


def make_small_order_point(order: int) -> Point:
    """A point of exactly `order`, 4 or 8: L times a point of the whole curve."""
    for x in range(2, 200):
        square = (1 - A * x * x) * pow(1 - D * x * x, -1, P) % P
        if pow(square, (P - 1) // 2, P) == 1:
            point = multiply(L, (x, root(square)))
            if multiply(order, point) == IDENTITY != multiply(order // 2, point):
                return point
    raise LookupError(f"no point of order {order}")


@pytest.mark.parametrize("order", [4, 8])
def test_a_committee_of_order_4_or_8_has_no_witness(order):
    point = make_small_order_point(order)
    assert is_on_curve(point)
    with pytest.raises(WitnessRefused):
        circuit.generate(make_inputs(committee=point))
    labels = get_labels(make_inputs(committee=point))
    assert labels and all(label.startswith(("escrow.shared", "escrow.escrowedKey")) for label in labels)


def test_a_committee_outside_the_subgroup_is_left_to_the_contract():
    """Its part of small order shows in the shared point; the circuit computes it right, the contract must refuse it."""
    point = add(COMMITTEE, (0, P - 1))
    assert is_on_curve(point) and multiply(L, point) != IDENTITY
    assert get_labels(make_inputs(committee=point)) == []


def test_the_scalar_l_minus_1_is_usable_or_refused_but_never_wrong():
    inputs = make_inputs(rho=L - 1)
    assert get_labels(inputs) == []
    assert (inputs["ephemeralX"], inputs["ephemeralY"]) == (P - BASE8[0], BASE8[1])


@pytest.mark.parametrize("multiple", [0, 1, 2])
def test_the_three_scalars_of_the_fixed_base_multiplication_are_refused(multiple):
    """The sum of its windows meets the opposite of the next one: there is no slope, so no witness."""
    rho = L - 2**250 - (8**83 - 1) // 7 + multiple * 2**249
    assert 0 < rho < L
    assert any(label.startswith("escrow.point.segments[0].adders[82]") for label in get_labels(make_inputs(rho=rho)))
