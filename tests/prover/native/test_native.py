"""Field vectors, policy points, and malformed files: nothing panics."""

import random
import struct
from dataclasses import replace

import numpy as np
import pytest

from tests.support.native_cases import compile_small, join_sections, load_key, make_small_key, split_sections
from tests.support.scenes import MINI, make_delta_limit, make_policy, make_settlement
from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.policy.record import flat_policy, none_policy
from zkmargin.prover import _native
from zkmargin.prover._native import FieldVector
from zkmargin.prover.errors import (
    FormatError,
    InputShape,
    KeyMismatch,
    NotInField,
    NotSolvable,
    OutOfRange,
    PointRefused,
)
from zkmargin.prover.groth16.points import add_points, compute_policy_point, compute_settlement_point
from zkmargin.prover.groth16.py_ecc_verifier import sum_of_products
from zkmargin.prover.statement.policy_fields import pack_policy_fields
from zkmargin.prover.statement.signals import FIELD_MODULUS as P
from zkmargin.prover.statement.signals import get_public_signals


def test_vectors_take_integers_mod_p():
    assert FieldVector.from_signed([-1, 0, P - 1]).to_list() == [P - 1, 0, P - 1]
    assert FieldVector.from_canonical([0, P - 1]).to_list() == [0, P - 1]
    vector = FieldVector.from_canonical([3, 4, 5])
    assert FieldVector.from_bytes(vector.to_bytes()) == vector
    assert FieldVector.concatenate([vector.slice(0, 1), vector.slice(1, 3)]) == vector
    assert (len(vector), vector[2]) == (3, 5)


@pytest.mark.parametrize("value", [P, -1, 2**256, 2**4000])
def test_canonical_vectors_refuse_other_integers(value):
    with pytest.raises(NotInField, match=r"x\[1\]"):
        FieldVector.from_canonical([0, value], "x")


@pytest.mark.parametrize("value", [P, -P])
def test_signed_vectors_refuse_what_wraps(value):
    with pytest.raises(NotInField):
        FieldVector.from_signed([value])


def test_vectors_refuse_bytes_that_are_not_elements():
    with pytest.raises(FormatError):
        FieldVector.from_bytes(b"\0" * 33)
    with pytest.raises(NotInField):
        FieldVector.from_bytes(P.to_bytes(32, "little"))
    with pytest.raises(FormatError):
        FieldVector.pack(b"\0" * 9, 1)
    with pytest.raises(InputShape):
        FieldVector.pack(b"\0" * 8 * 5, 2, 3, 84)
    with pytest.raises(OutOfRange):
        FieldVector.pack(b"\0" * 8 * 4, 1, 4, 84)
    with pytest.raises(OutOfRange):
        FieldVector.from_canonical([1]).slice(0, 2)


def test_lanes_are_packed_as_the_statement_says():
    low, high = -(2**63), 2**63 - 1
    rows = np.array([[low, 1], [high, -1], [low, 0]], dtype=np.int64)
    packed = FieldVector.pack(rows.tobytes(), 2, 3, 84).to_list()
    assert packed == [(low + (high << 84) + (low << 168)) % P, (1 - (1 << 84)) % P]


def pack_in_integers(policy) -> dict[str, list[int]]:
    """The statement's packing of a policy, number by number."""

    def lanes(rows, group):
        rows = [[int(v) for v in np.atleast_1d(row)] for row in rows]
        return [
            sum(rows[first + k][i] << 84 * k for k in range(group)) % P
            for first in range(0, len(rows), group)
            for i in range(len(rows[0]))
        ]

    return {
        "rowPosition": lanes(policy.positions, 3),
        "rowCash": lanes(policy.cash, 3),
        "rowCharge": lanes(policy.charges, 3),
        "rowExcess": lanes(policy.excess_total, 3),
        "rowHelper": lanes(policy.helpers, 3),
        "rowConstant": lanes(np.array(policy.constants, dtype=object), 3),
        "soft": lanes(policy.soft, 1),
        "weight": lanes(policy.weights, 1),
        "rateLong": lanes(policy.rate_long, 2),
        "rateShort": lanes(policy.rate_short, 2),
    }


@pytest.mark.parametrize("policy", [make_policy("initial", 7), make_delta_limit(5), flat_policy(MINI)])
def test_policies_are_packed_as_the_statement_says(policy):
    signals = get_public_signals("transition", MINI)
    native = pack_policy_fields(policy)
    plain = pack_in_integers(policy)
    assert [s.name for s in signals.get_group("policy")] == list(plain)
    for signal in signals.get_group("policy"):
        assert native[signal.name].to_list() == plain[signal.name]
        assert len(native[signal.name]) == signal.size


def test_constants_and_rates_that_leave_their_lane_are_refused():
    policy = make_policy("initial", 7)
    constants = list(policy.constants)
    constants[3] = 1 << 80
    with pytest.raises(OutOfRange, match="constant of row 3"):
        pack_policy_fields(replace(policy, constants=tuple(constants)))
    for rate in (-1, 1 << 36):
        rates = policy.rate_short.copy()
        rates[1, 2] = rate
        with pytest.raises(OutOfRange, match="rate of charge 2 on slot 2"):
            pack_policy_fields(replace(policy, rate_short=rates))


def test_policy_points_are_sums_of_ic():
    key = load_key("transition").verifying_key
    signals = get_public_signals("transition", MINI)
    assert compute_policy_point(key, none_policy(MINI)) == (0, 0)
    assert compute_settlement_point(key, identity_expiry_step(MINI), MINI) == (0, 0)
    settlement = make_settlement({3: 5})
    flat = []
    for name, values in (("drop", settlement.drop), ("payoff", settlement.payoff)):
        flat += [(signals[name].offset + slot, int(v)) for slot, v in enumerate(values) if v]
    x, y, z = sum_of_products([(*map(_fq, key.get_ic(1 + i)), _fq(1)) for i, _ in flat], [v for _, v in flat])
    assert compute_settlement_point(key, settlement, MINI) == (int(x / z), int(y / z))
    policy = make_policy("initial", 7)
    point = compute_policy_point(key, policy)
    assert point != compute_policy_point(key, make_policy("initial", 8))
    negative = (point[0], _native.BASE_MODULUS - point[1])
    assert add_points(point, negative) == (0, 0)
    assert add_points() == (0, 0)


def _fq(value: int):
    from py_ecc.optimized_bn128 import FQ

    return FQ(value)


def test_points_off_the_curve_are_refused():
    with pytest.raises(PointRefused):
        add_points((1, 1))
    with pytest.raises(NotInField):
        add_points((_native.BASE_MODULUS, 0))


def test_ic_sum_stays_within_the_inputs():
    key = make_small_key().native.verifying_key()
    assert key.ic_sum(1, FieldVector.zeros(0)) == (0, 0)
    with pytest.raises(OutOfRange):
        key.ic_sum(1, FieldVector.zeros(1))
    with pytest.raises(OutOfRange):
        key.ic_sum(2**64 - 1, FieldVector.zeros(2))
    with pytest.raises(OutOfRange):
        key.ic(2)


# ------------------------------------------------------------------------------------------------------ circuit files
def test_malformed_constraints_are_refused():
    compiled = compile_small()
    data, sym = compiled.r1cs.read_bytes(), compiled.sym.read_text()
    sections = split_sections(data)
    header, body = bytearray(sections[1]), sections[2]
    wrong = {
        "magic": b"r1cz" + data[4:],
        "version": data[:4] + b"\2" + data[5:],
        "truncated": data[:-1],
        "too long": data + b"\0",
        "no header": join_sections(data[:8], {2: body}),
        "field": join_sections(data[:8], {**sections, 1: header[:4] + bytes(32) + header[36:]}),
        "wire count": join_sections(data[:8], {**sections, 1: header[:36] + b"\xff" * 4 + header[40:]}),
        "constraint count": join_sections(data[:8], {**sections, 1: header[:60] + struct.pack("<I", 2**32 - 1)}),
        "wire": join_sections(data[:8], {**sections, 2: body[:4] + struct.pack("<I", 2**31) + body[8:]}),
        "coefficient": join_sections(data[:8], {**sections, 2: body[:8] + b"\xff" * 32 + body[40:]}),
        "custom gates": join_sections(data[:8], {**sections, 4: b"\1\0\0\0"}),
    }
    for name, bad in wrong.items():
        with pytest.raises(FormatError):
            pytest.fail(f"{name} was taken: {_native.Circuit(bad, sym)}")


def test_malformed_names_are_refused():
    compiled = compile_small()
    data, sym = compiled.r1cs.read_bytes(), compiled.sym.read_text()
    nameless = sym.replace("main.index\n", "main.x.y\n")
    for bad in ("1,x,0,main.a", "1", "1,99999,0,main.a", "1,-2,0,main.a", "", nameless):
        with pytest.raises(FormatError):
            _native.Circuit(data, bad)


def test_random_damage_never_panics():
    key = make_small_key()
    rng = random.Random(11)
    r1cs, sym = key.compiled.r1cs.read_bytes(), key.compiled.sym.read_text()
    for _ in range(150):
        damaged = bytearray(r1cs)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            _native.Circuit(bytes(damaged[: rng.choice([len(damaged), rng.randrange(len(damaged))])]), sym)
        except (FormatError, NotSolvable):
            continue


def test_a_circuit_that_its_inputs_do_not_fix_is_refused():
    """Without names no bit decomposition is recognised."""
    compiled = compile_small()
    sym = "\n".join(line.replace(".out[", ".other.").replace("]", "") for line in compiled.sym.read_text().splitlines())
    with pytest.raises(NotSolvable) as caught:
        _native.Circuit(compiled.r1cs.read_bytes(), sym)
    assert caught.value.wires


def test_a_key_of_another_circuit_is_refused():
    key = make_small_key()
    other = load_key("open").circuit
    with pytest.raises(KeyMismatch, match="wires"):
        _native.ProvingKey.load(key.zkey, other)
