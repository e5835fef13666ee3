"""No constraint of the proved circuits can be spared, but for those that say a thing twice."""

import pytest

from tests.support.circuit_harness import P, get_circuit
from tests.support.soundness.malicious import PRIVATE
from tests.support.soundness.mutation import EXPLAINED, find_movable, make_witnesses, mutate
from tests.support.soundness.rank import differentiate, find_kernel, transpose
from zkmargin.prover.statement.signals import STATEMENTS

SLOW = ("open", "reveal", "rekey")
CASES = [("transition", 1), *(pytest.param(circuit, 1, marks=pytest.mark.slow) for circuit in SLOW)]


@pytest.mark.property("P-285")
@pytest.mark.parametrize(("circuit", "cases"), CASES)
def test_every_constraint_is_missed_or_explained(circuit, cases):
    outcome = mutate(circuit, cases)
    assert outcome.unexplained == []
    assert outcome.killed + len(outcome.explained) == outcome.constraints
    if circuit == "transition":
        assert (len(outcome.by_witness), len(outcome.explained)) == (4, 32), "four legs of eight bits, and their picks"


@pytest.mark.slow
@pytest.mark.property("P-285")
def test_every_reason_is_used():
    """A reason that explains nothing any more goes."""
    assert EXPLAINED.keys() == {*STATEMENTS}
    for circuit, reasons in EXPLAINED.items():
        assert set(mutate(circuit).explained.values()) == set(reasons.values())


@pytest.mark.property("P-285")
@pytest.mark.parametrize("circuit", ["transition", pytest.param("open", marks=pytest.mark.slow)])
def test_nothing_moves_behind_the_public_signals(circuit):
    """To first order; in `reveal` and `rekey` the opening of a commitment and an evaluation leave room to first order,
    and collision resistance and the hash in `rho` forbid it."""
    assert find_movable(get_circuit(circuit), next(make_witnesses(circuit))) == []


@pytest.mark.slow
@pytest.mark.property("P-285")
def test_without_a_trade_only_the_salt_moves():
    """Side 0 kills the tag, so what is hashed for it is nobody's. An attestation writes nothing: key and nonce then
    stand in one hash only, and what else opens a commitment is for collision resistance to forbid."""
    circuit = get_circuit("transition")
    for wires in make_witnesses("transition"):
        freedoms = find_movable(circuit, wires)
        moved = {name.split(".")[0].split("[")[0] for freedom in freedoms for name in freedom}
        assert bool(freedoms) is (wires["side"] == 0)
        assert moved & {*PRIVATE} <= ({"salt"} if wires["write"] else {"salt", "key", "nonce"})


def test_the_elimination_finds_kernels():
    rows = [
        {0: 1, 1: 2},
        {1: 1, 2: P - 1},
        {0: 1, 2: 2},
        {3: 5},
    ]  # the third is the first less twice the second... plus
    kernel = find_kernel(rows, range(5))
    for vector in kernel:
        assert all(sum(factor * vector.get(wire, 0) for wire, factor in row.items()) % P == 0 for row in rows)
    assert len(kernel) == 5 - 3, "rank 3: wire 4 is free, and one direction of the first three"
    left = find_kernel(transpose(rows), range(len(rows)))
    assert [sorted(vector) for vector in left] == [[0, 1, 2]], "the fourth row is independent of the others"


def test_the_gradient_of_a_product():
    row = ([(1, 3)], [(2, 1), (0, 5)], [(3, 1)])
    assert differentiate([row], [1, 7, 11, 0]) == [{1: 3 * 16, 2: 21, 3: P - 1}]
    assert differentiate([row], [1, 7, 11, 0], {0, 1}) == [{2: 21, 3: P - 1}]
