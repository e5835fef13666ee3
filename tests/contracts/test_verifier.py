"""The verifier, called directly: it accepts what the key accepts and nothing else."""

from random import Random

import pytest
from py_ecc.optimized_bn128 import FQ, FQ2, FQ12, b, b2, curve_order, is_on_curve, pairing
from py_ecc.optimized_bn128 import field_modulus as base_order

from tests.support.reverts import refused
from tests.support.simulator import name_committee, to_point
from tests.support.world import FLAT, STEP, tamper
from zkmargin.contracts.compile import compile_contracts, compile_sources, read_sources
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import Reverted

POLICY = 9_001
FIXED = ("commitmentOld", "commitmentNew", "tradeTag", "ciphertext", "context")


class Direct:
    """The verifier, and the key it is asked about."""

    def __init__(self, world):
        self.key = world.key
        self.verifier = Contract(world.chain, compile_contracts()["MarginVerifier"], world.deployment.margin_verifier)
        self.address, self.slots = world.venue.registry.get_transition_key(1)
        self.open_address = world.venue.registry.get_open_key(1)
        self.random = Random(5)

    def number(self) -> int:
        return self.random.randrange(1, curve_order)

    def signals(self, **changes) -> dict:
        values = {name: self.number() for name in FIXED}
        return {
            **values,
            "context": values["context"] >> 8,
            "side": 0,
            "write": 1,
            "cashFlow": -5,
            "flow": [0, 7, 0, -9] + [0] * 12,
            **changes,
        }

    def verify(self, values, proof, policy=POLICY, settlement=0, key=None, flows=None):
        if flows is None:
            flows = [(slot, lots) for slot, lots in enumerate(values["flow"]) if lots]
        transition = (
            *(values[name] for name in FIXED[:4]),
            values["side"],
            bool(values["write"]),
            values["context"],
            values["cashFlow"],
            flows,
        )
        self.verifier.call("verify", key or self.address, transition, to_point(policy), to_point(settlement), proof)

    def verify_two(self, plus, minus, proofs, tag=None, policy=POLICY, settlement=0):
        halves = [
            (side["commitmentOld"], side["commitmentNew"], side["ciphertext"], side["context"], side["cashFlow"])
            for side in (plus, minus)
        ]
        pair = (plus["tradeTag"] if tag is None else tag, *halves)
        self.verifier.call("verifyTwo", self.address, pair, to_point(policy), to_point(settlement), *proofs)

    def trade(self):
        tag = self.number()
        sides = [self.signals(tradeTag=tag, side=side, cashFlow=-fee, flow=[0] * 16) for side, fee in ((1, 3), (-1, 4))]
        return sides, [self.key.prove(side, POLICY) for side in sides]

    def batch(self, count, write=1, settlement=0):
        """Rows without flows, sides in turn, and their proofs."""
        rows = [
            self.signals(write=write, side=1 - 2 * (number % 2), cashFlow=-number, flow=[0] * 16)
            for number in range(count)
        ]
        return rows, [self.key.prove(row, POLICY, settlement) for row in rows]

    def verify_many(self, rows, proofs, write=1, policy=POLICY, settlement=0):
        words = [(*(row[name] for name in (*FIXED[:4], "side", "context", "cashFlow")),) for row in rows]
        shared = (to_point(policy), to_point(settlement), bool(write))
        self.verifier.call("verifyMany", self.address, words, *shared, proofs)


@pytest.fixture(scope="module")
def direct(deployed_world):
    return Direct(deployed_world)


@pytest.mark.parametrize("side", [0, 1, -1])
@pytest.mark.parametrize("write", [0, 1])
@pytest.mark.parametrize("settlement", [0, STEP])
def test_a_proof_of_exactly_these_signals_is_accepted(direct, side, write, settlement):
    values = direct.signals(side=side, write=write)
    direct.verify(values, direct.key.prove(values, POLICY, settlement), settlement=settlement)


def test_pairing_in_python_agrees_with_the_simulator(direct):
    """Independent of the contract: a simulated proof satisfies Groth16's equation."""
    values = direct.signals()
    proof, vkey = direct.key.prove(values, POLICY), direct.key.vkey
    point = lambda x, y: (FQ(x), FQ(y), FQ.one())  # noqa: E731
    twist = lambda x, y: (FQ2(x), FQ2(y), FQ2.one())  # noqa: E731
    a, c = point(*proof[:2]), point(*proof[6:])
    second = twist([proof[3], proof[2]], [proof[5], proof[4]])
    assert is_on_curve(a, b) and is_on_curve(second, b2)
    total = point(*to_point(direct.key.sum_public(values, POLICY)))
    right = pairing(twist(*vkey["vk_beta_2"][:2]), point(*vkey["vk_alpha_1"][:2]))
    right *= pairing(twist(*vkey["vk_gamma_2"][:2]), total) * pairing(twist(*vkey["vk_delta_2"][:2]), c)
    assert pairing(second, a) == right != FQ12.one()


@pytest.mark.property("P-35")
@pytest.mark.parametrize("name", [*FIXED, "cashFlow", "write", "side", "flow"])
def test_any_other_signal_is_refused(direct, name):
    values = direct.signals()
    proof = direct.key.prove(values, POLICY)
    other = {"write": 0, "side": 1, "cashFlow": 5, "flow": [0, 7, 0, -8] + [0] * 12}
    refused("ProofRejected", direct.verify, {**values, name: other[name] if name in other else values[name] - 1}, proof)


@pytest.mark.property("P-35")
@pytest.mark.parametrize(("policy", "settlement"), [(POLICY + 1, 0), (0, 0), (POLICY, STEP), (FLAT, 0)])
def test_any_other_policy_or_settlement_is_refused(direct, policy, settlement):
    values = direct.signals()
    proof = direct.key.prove(values, POLICY)
    refused("ProofRejected", direct.verify, values, proof, policy=policy, settlement=settlement)


@pytest.mark.property("P-32")
@pytest.mark.parametrize("name", FIXED)
def test_a_signal_plus_the_fields_order_is_refused_by_its_range(direct, name):
    values = direct.signals()
    proof = direct.key.prove(values, POLICY)
    fields = refused("SignalTooLarge", direct.verify, {**values, name: values[name] + curve_order}, proof)
    assert fields == {"value": values[name] + curve_order, "limit": curve_order - 1}


def test_edges_of_the_field(direct):
    values = direct.signals(commitmentOld=curve_order - 1, commitmentNew=0, tradeTag=1)
    direct.verify(values, direct.key.prove(values, POLICY))
    refused("SignalTooLarge", direct.verify, {**values, "commitmentNew": curve_order}, direct.key.prove(values, POLICY))


def test_negative_flows_are_field_elements_of_their_own(direct):
    values = direct.signals(cashFlow=-(2**64), flow=[-(2**30), 2**30] + [0] * 14)
    direct.verify(values, direct.key.prove(values, POLICY))
    refused("ProofRejected", direct.verify, {**values, "cashFlow": 2**64}, direct.key.prove(values, POLICY))


def test_an_unknown_side_is_refused(direct):
    values = direct.signals(side=2)
    assert refused("SideUnknown", direct.verify, values, direct.key.prove(values, POLICY)) == {"side": 2}


def test_points_must_be_points(direct):
    values = direct.signals()
    proof = direct.key.prove(values, POLICY)
    off_curve = (proof[0], (proof[1] + 1) % base_order, *proof[2:])
    refused("ProofMalformed", direct.verify, values, off_curve)
    refused("PointRefused", direct.verify, values, (proof[0], proof[1] + base_order, *proof[2:]))
    refused("ProofMalformed", direct.verify, values, (*proof[:6], proof[6] + base_order, proof[7]))
    refused("ProofMalformed", direct.verify, values, (*proof[:2], proof[3], proof[2], *proof[4:]))
    refused("ProofRejected", direct.verify, values, tamper(proof))
    refused("ProofRejected", direct.verify, values, (0,) * 8)


def test_the_key_must_be_stored(direct):
    values = direct.signals()
    proof = direct.key.prove(values, POLICY)
    refused("KeyMissing", direct.verify, values, proof, key="0x" + "11" * 20)
    assert refused("KeyMissing", direct.verify, values, proof, flows=[(direct.slots, 1)])["needed"] == 1 + 448 + 64 * (
        9 + 16 + 1
    )


def test_the_negative_of_both_a_and_b_is_the_same_proof(direct):
    """Groth16 proofs can be made again from others, so nothing may rely on a proof being the only one."""
    values = direct.signals()
    x, y, *rest = direct.key.prove(values, POLICY)
    rest = list(rest)
    rest[2], rest[3] = base_order - rest[2], base_order - rest[3]
    direct.verify(values, (x, base_order - y, *rest))


# ----------------------------------------------------------------------------------------------------------- two sides
def test_two_good_sides_are_accepted(direct):
    (plus, minus), proofs = direct.trade()
    direct.verify_two(plus, minus, proofs)


@pytest.mark.property("P-34")
@pytest.mark.parametrize("bad", [0, 1])
def test_one_bad_proof_of_two_is_enough(direct, bad):
    (plus, minus), proofs = direct.trade()
    proofs[bad] = tamper(proofs[bad])
    refused("ProofRejected", direct.verify_two, plus, minus, proofs)


@pytest.mark.property("P-34")
@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("name", ["commitmentOld", "commitmentNew", "ciphertext", "context", "cashFlow"])
def test_one_other_signal_of_two_sides_is_enough(direct, bad, name):
    sides, proofs = direct.trade()
    sides[bad] = {**sides[bad], name: sides[bad][name] - 1}
    refused("ProofRejected", direct.verify_two, *sides, proofs)


def test_sides_or_proofs_swapped_are_refused(direct):
    (plus, minus), proofs = direct.trade()
    refused("ProofRejected", direct.verify_two, minus, plus, proofs[::-1])
    refused("ProofRejected", direct.verify_two, plus, minus, proofs[::-1])


def test_both_sides_share_tag_policy_and_settlement(direct):
    (plus, minus), proofs = direct.trade()
    for change in ({"tag": plus["tradeTag"] - 1}, {"policy": POLICY + 1}, {"settlement": STEP}):
        refused("ProofRejected", direct.verify_two, plus, minus, proofs, **change)
    other = [
        direct.key.prove({**minus, "tradeTag": 1}, POLICY),
        direct.key.prove({**minus, "write": 0}, POLICY),
        direct.key.prove(minus, POLICY + 1),
    ]
    for proof in other:
        refused("ProofRejected", direct.verify_two, plus, minus, [proofs[0], proof])


@pytest.mark.property("P-34")
def test_errors_that_cancel_without_a_challenge_do_not_cancel(direct):
    """C_1 + d, C_2 - d passes where both equations are just multiplied; and for weights chosen before the proofs, d /
    rho does."""
    (plus, minus), _ = direct.trade()
    sides = (plus, minus)
    for guess in (1, 2, direct.number()):
        halves = []
        for side, shift in zip(sides, (1, -pow(guess, -1, curve_order)), strict=True):
            honest = direct.key.prove(side, POLICY)
            moved = to_point(direct.key.solve_c(side, POLICY) + shift)
            halves.append((*honest[:6], *moved))
        refused("ProofRejected", direct.verify_two, plus, minus, halves)


def test_range_and_points_in_two_sides(direct):
    (plus, minus), proofs = direct.trade()
    for bad in (0, 1):
        sides = [plus, minus]
        sides[bad] = {**sides[bad], "commitmentNew": sides[bad]["commitmentNew"] + curve_order}
        refused("SignalTooLarge", direct.verify_two, *sides, proofs)
        broken = list(proofs)
        broken[bad] = (proofs[bad][0], (proofs[bad][1] + 1) % base_order, *proofs[bad][2:])
        with pytest.raises(Reverted) as refusal:
            direct.verify_two(plus, minus, broken)
        assert refusal.value.error in ("ProofMalformed", "PointRefused")
    refused("SignalTooLarge", direct.verify_two, plus, minus, proofs, tag=plus["tradeTag"] + curve_order)


# ---------------------------------------------------------------------------------------------------------------- open
def test_open(direct, deployed_world):
    names = ("commitment", "ephemeralX", "ephemeralY", "escrowedKey", "context")
    values = {name: direct.number() for name in names}
    committee = name_committee(deployed_world.material.committee)
    proof = deployed_world.open_key.prove({**values, **committee})
    words = [values[name] for name in names]
    direct.verifier.call("verifyOpen", direct.open_address, tuple(words), proof)
    for place in range(len(words)):
        other = [*words[:place], words[place] - 1, *words[place + 1 :]]
        refused("ProofRejected", direct.verifier.call, "verifyOpen", direct.open_address, tuple(other), proof)
        aliased = [*words[:place], words[place] + curve_order, *words[place + 1 :]]
        if aliased[place] < 2**256:
            refused("SignalTooLarge", direct.verifier.call, "verifyOpen", direct.open_address, tuple(aliased), proof)
    refused("ProofRejected", direct.verifier.call, "verifyOpen", direct.address, tuple(words), proof)


@pytest.mark.property("P-200")
@pytest.mark.parametrize("name", ["committeeX", "committeeY"])
def test_an_escrow_to_another_committee_opens_nothing(direct, deployed_world, name):
    """Its key is no part of a call: it stands in the stored key's constant, with both coordinates."""
    names = ("commitment", "ephemeralX", "ephemeralY", "escrowedKey", "context")
    values = {given: direct.number() for given in names}
    committee = name_committee(deployed_world.material.committee)
    words = tuple(values.values())
    for changed in (committee[name] + 1, 0):
        proof = deployed_world.open_key.prove({**values, **committee, name: changed})
        refused("ProofRejected", direct.verifier.call, "verifyOpen", direct.open_address, words, proof)


# -------------------------------------------------------------------------------------------------------------- batches
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("write", [0, 1])
def test_a_batch_of_good_proofs_is_accepted(direct, count, write):
    rows, proofs = direct.batch(count, write=write, settlement=STEP)
    direct.verify_many(rows, proofs, write=write, settlement=STEP)


@pytest.mark.property("P-97")
@pytest.mark.parametrize("bad", range(4))
def test_one_bad_proof_of_a_batch_is_enough(direct, bad):
    rows, proofs = direct.batch(4)
    proofs[bad] = tamper(proofs[bad])
    assert refused("ProofRejected", direct.verify_many, rows, proofs) == {"context": rows[0]["context"]}


@pytest.mark.property("P-97")
@pytest.mark.parametrize("bad", range(3))
@pytest.mark.parametrize("name", [*FIXED, "side", "cashFlow"])
def test_one_other_signal_of_a_batch_is_enough(direct, bad, name):
    rows, proofs = direct.batch(3)
    other = {"side": -rows[bad]["side"]}.get(name, rows[bad][name] - 1)
    rows[bad] = {**rows[bad], name: other}
    refused("ProofRejected", direct.verify_many, rows, proofs)


@pytest.mark.property("P-97")
def test_rows_and_proofs_of_a_batch_stand_in_one_order(direct):
    rows, proofs = direct.batch(4)
    for first, second in ((0, 1), (1, 3)):
        moved = list(proofs)
        moved[first], moved[second] = moved[second], moved[first]
        refused("ProofRejected", direct.verify_many, rows, moved)
        swapped = list(rows)
        swapped[first], swapped[second] = (
            {**rows[place], "commitmentNew": rows[other]["commitmentNew"]}
            for place, other in ((first, second), (second, first))
        )
        refused("ProofRejected", direct.verify_many, swapped, proofs)


def test_a_row_may_stand_twice_and_proves_nothing_else(direct):
    rows, proofs = direct.batch(2)
    direct.verify_many([rows[0], rows[0], rows[1]], [proofs[0], proofs[0], proofs[1]])
    refused("ProofRejected", direct.verify_many, [rows[0], rows[0]], [proofs[0], proofs[1]])
    refused("ProofRejected", direct.verify_many, [rows[0], rows[1]], [proofs[0], proofs[0]])


@pytest.mark.property("P-97")
@pytest.mark.parametrize("guess", [0, 1, 2, curve_order - 1])
def test_errors_that_cancel_for_a_guessed_challenge_do_not_cancel(direct, guess):
    """C_1 - guess d, C_2 + d: their errors cancel in the sum if rows 1 and 2 weigh 1 and 1 / guess to each other."""
    rows, proofs = direct.batch(3)
    for row, shift in ((1, -guess), (2, 1)):
        proofs[row] = (*proofs[row][:6], *to_point(direct.key.solve_c(rows[row], POLICY) + shift))
    refused("ProofRejected", direct.verify_many, rows, proofs)


@pytest.mark.parametrize("change", [{"policy": POLICY + 1}, {"settlement": STEP}, {"write": 0}])
def test_rows_of_a_batch_share_policy_settlement_and_write(direct, change):
    rows, proofs = direct.batch(2)
    refused("ProofRejected", direct.verify_many, rows, proofs, **change)
    proofs[1] = direct.key.prove({**rows[1], "write": change.get("write", 1)}, change.get("policy", POLICY),
                                 change.get("settlement", 0))  # fmt: skip
    refused("ProofRejected", direct.verify_many, rows, proofs)


@pytest.mark.parametrize("bad", range(2))
def test_range_points_and_sides_in_a_batch(direct, bad):
    rows, proofs = direct.batch(2)
    changed = list(rows)
    changed[bad] = {**rows[bad], "commitmentOld": rows[bad]["commitmentOld"] + curve_order}
    refused("SignalTooLarge", direct.verify_many, changed, proofs)
    changed[bad] = {**rows[bad], "side": 2}
    refused("SideUnknown", direct.verify_many, changed, proofs)
    x, y, *rest = proofs[bad]
    for spelling in (
        (x + base_order, y, *rest),
        (x, y + base_order, *rest),
        (x, (y + 1) % base_order, *rest),
        (x, y, *rest[:4], rest[4] + base_order, rest[5]),
        (x, y, *rest[:4], rest[4], rest[5] + base_order),
        (x, y, rest[1], rest[0], *rest[2:]),
    ):
        changed = list(proofs)
        changed[bad] = spelling
        with pytest.raises(Reverted) as refusal:
            direct.verify_many(rows, changed)
        assert refusal.value.error in ("ProofMalformed", "PointRefused")


def test_a_batch_needs_a_row_and_a_proof_for_each(direct):
    rows, proofs = direct.batch(2)
    assert refused("BatchSizesDiffer", direct.verify_many, [], []) == {"rows": 0, "proofs": 0}
    assert refused("BatchSizesDiffer", direct.verify_many, rows, proofs[:1]) == {"rows": 2, "proofs": 1}
    assert refused("BatchSizesDiffer", direct.verify_many, rows[:1], proofs) == {"rows": 1, "proofs": 2}


@pytest.mark.slow
@pytest.mark.property("P-97")
def test_a_challenge_of_zero_leaves_no_row_out(direct):
    """With a hash that is 0 every row still weighs 1; without the one that is added, only the first row would count."""
    file, shipped = "MarginVerifier.sol", direct.verifier
    sources = read_sources()
    hashed = "digest := keccak256(input, add(length, calldatasize()))"
    assert sources[file].count(hashed) == sources[file].count("= 1 + (_hashAll(") == 1
    rows, proofs = direct.batch(3)
    proofs[2] = tamper(proofs[2])
    try:
        zero = sources[file].replace(hashed, "digest := 0")
        for text, is_refused in ((zero, True), (zero.replace("= 1 + (_hashAll(", "= (_hashAll("), False)):
            artifact = compile_sources({**sources, file: text}, (file,))["MarginVerifier"]
            address = shipped.chain.send(None, artifact.bytecode).contract_address
            direct.verifier = Contract(shipped.chain, artifact, address)
            if is_refused:
                refused("ProofRejected", direct.verify_many, rows, proofs)
            else:
                direct.verify_many(rows, proofs)
    finally:
        direct.verifier = shipped
