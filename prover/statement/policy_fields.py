"""Policies and settlements as public inputs.

Packing is native, as there are thousands of numbers. This is the only packing of policies; the tests hold it against
one in plain integers (docs/protocol.md, L1).
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import BITS
from zkmargin.prover._native import FieldVector
from zkmargin.prover.errors import OutOfRange

LANES = 3
CHARGES = 2
POLICIES = 16
"""Packed policies that are kept: those of a few epochs, 0.5 MB each at standard."""


@lru_cache(POLICIES)
def pack_policy_fields(policy: Policy) -> Mapping[str, FieldVector]:
    """The policy's public signals by name, packed once while the policy stays in use.

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
    fields = {
        "rowPosition": _pack(policy.positions, LANES),
        "rowCash": _pack(policy.cash, LANES),
        "rowCharge": _pack(policy.charges, LANES),
        "rowExcess": _pack(policy.excess_total, LANES),
        "rowHelper": _pack(policy.helpers, LANES),
        "rowConstant": FieldVector.from_signed(constants, "rowConstant"),
        "soft": _pack(policy.soft),
        "weight": _pack(policy.weights),
        "rateLong": _pack(policy.rate_long, CHARGES),
        "rateShort": _pack(policy.rate_short, CHARGES),
    }
    return MappingProxyType(fields)


def pack_settlement_fields(settlement: ExpiryStep) -> dict[str, FieldVector]:
    """The settlement's public signals by name."""
    return {"drop": _pack(settlement.drop), "payoff": _pack(settlement.payoff)}


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
