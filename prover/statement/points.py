"""Policies and settlements as public inputs, and their points.

The public inputs of a policy add sum_i a_i IC_i to the verifier's sum: one point, the same for every account. Packing
and summing are native, as there are thousands of numbers. This is the only packing of policies; the tests hold it
against one in plain integers (docs/protocol.md, L1).
"""

from collections.abc import Mapping
from functools import reduce

import numpy as np

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover._native import FieldVector, g1_add
from zkmargin.prover.errors import OutOfRange
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.statement.signals import PublicSignals, get_public_signals

Point = tuple[int, int]
"""Affine coordinates on BN254's G1; the identity is (0, 0), as in the EVM's precompiles."""

LANES = 3
CHARGES = 2


def pack_policy_fields(policy: Policy) -> dict[str, FieldVector]:
    """The policy's public signals by name.

    Raises
    ------
    OutOfRange
        If a constant is not below 2^80 in absolute value or a rate not in [0, 2^36): they could leave their lanes.
        (Other coefficients are 64-bit integers and cannot.)
    """
    for row, constant in enumerate(policy.constants):
        if abs(constant) >= 1 << BITS.constant:
            limit = (1 << BITS.constant) - 1
            raise OutOfRange(f"constant of row {row}", constant, -limit, limit)
    for rates in (policy.rate_long, policy.rate_short):
        _check_rates(rates)
    constants = [
        sum(lane << BITS.lane * k for k, lane in enumerate(policy.constants[row : row + LANES]))
        for row in range(0, len(policy.constants), LANES)
    ]
    return {
        "rowPosition": _pack(policy.positions, LANES),
        "rowCash": _pack(policy.cash, LANES),
        "rowCharge": _pack(policy.charges, LANES),
        "rowExcess": _pack(policy.excess_total, LANES),
        "rowHelper": _pack(policy.helpers, LANES),
        "rowConstant": FieldVector.from_signed(constants, "rowConstant"),
        "priced": _pack(policy.priced),
        "weight": _pack(policy.weights),
        "rateLong": _pack(policy.rate_long, CHARGES),
        "rateShort": _pack(policy.rate_short, CHARGES),
    }


def pack_settlement_fields(settlement: ExpiryStep) -> dict[str, FieldVector]:
    """The settlement's public signals by name."""
    return {"drop": _pack(settlement.drop), "payoff": _pack(settlement.payoff)}


def compute_policy_point(key: VerifyingKey, policy: Policy) -> Point:
    """The policy's share of the verifier's sum under the key of `transition`.

    Raises
    ------
    OutOfRange
        As `pack_policy_fields`, or when the key has fewer public inputs than the statement.
    """
    signals = get_public_signals("transition", policy.preset)
    return _sum(key, signals, "policy", pack_policy_fields(policy))


def compute_settlement_point(key: VerifyingKey, settlement: ExpiryStep, preset: Preset) -> Point:
    """The settlement's share of the verifier's sum; the identity for the settlement that changes nothing."""
    signals = get_public_signals("transition", preset)
    return _sum(key, signals, "settlement", pack_settlement_fields(settlement))


def add_points(*points: Point) -> Point:
    """Sum on BN254's G1; raises `PointRefused` or `NotInField` for what is not a point."""
    return reduce(g1_add, points, (0, 0))


def _sum(key: VerifyingKey, signals: PublicSignals, group: str, fields: Mapping[str, FieldVector]) -> Point:
    members = signals.get_group(group)
    whole = FieldVector.concatenate([fields[signal.name] for signal in members])
    return key.native.ic_sum(members[0].offset, whole)


def _pack(values: np.ndarray, lanes: int = 1) -> FieldVector:
    """Rows of int64 `lanes` at a time into 84-bit lanes, columns kept; shape (rows, ...) to rows / lanes * columns."""
    array = np.ascontiguousarray(values, dtype="<i8")
    columns = int(np.prod(array.shape[1:], dtype=np.int64)) if array.ndim > 1 else 1
    if lanes == 1:
        return FieldVector.pack(array.tobytes(), 1)
    return FieldVector.pack(array.tobytes(), columns, lanes, BITS.lane)


def _check_rates(rates: np.ndarray) -> None:
    limit = (1 << BITS.charge_rate) - 1
    wrong = np.argwhere((rates < 0) | (rates > limit))
    if len(wrong):
        charge, slot = (int(index) for index in wrong[0])
        raise OutOfRange(f"rate of charge {charge + 1} on slot {slot}", int(rates[charge, slot]), 0, limit)
