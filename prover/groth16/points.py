"""The points of policies and settlements: their share of the verifier's sum.

The public inputs of a policy add sum_i a_i IC_i to the verifier's sum: one point, the same for every account.
"""

from collections.abc import Mapping
from functools import reduce

from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Preset
from zkmargin.prover._native import FieldVector, g1_add
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.statement.policy_fields import pack_policy_fields, pack_settlement_fields
from zkmargin.prover.statement.signals import PublicSignals, get_public_signals

Point = tuple[int, int]
"""Affine coordinates on BN254's G1; the identity is (0, 0), as in the EVM's precompiles."""


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
