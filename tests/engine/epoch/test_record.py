"""Risk epochs: same snapshot, same bytes; header ranges; reading policies back."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from eth_hash.auto import keccak

from tests.support.house import CRASH, get_policies, get_snapshot, to_fields
from zkmargin.engine.epoch.expiry import ExpiryStep, identity_expiry_step
from zkmargin.engine.epoch.record import MAGIC, Epoch, RefusedEpoch, read_policies
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.errors import MalformedPolicy, RoundingMissing
from zkmargin.engine.policy.record import Policy, flat_policy
from zkmargin.engine.presets import NO_SPLIT

SNAPSHOT = get_snapshot("mini")
EPOCH = House(SNAPSHOT).epoch(7)
FIELDS = {field.name: getattr(EPOCH, field.name) for field in dataclasses.fields(Epoch)}


@pytest.mark.property("P-25")
@pytest.mark.parametrize("size", ["mini", "standard"])
def test_same_snapshot_same_bytes(size):
    snapshot = get_snapshot(size)
    again = MarketSnapshot.from_bytes(snapshot.to_bytes())
    first, second = House(snapshot).epoch(1), House(again).epoch(1)
    assert first.snapshot_bytes == second.snapshot_bytes
    assert first.policy_bytes == second.policy_bytes
    assert first.settlement_bytes == second.settlement_bytes


@pytest.mark.property("P-25")
def test_same_bytes_in_another_process():
    """No hash seed, set order or cache leaks into the bytes."""
    script = (
        "from zkmargin.engine.house import House;"
        "from zkmargin.engine.market.file import load_snapshot;"
        "from zkmargin.engine.market.listings import reduce_to_mini;"
        "epoch = House(reduce_to_mini(load_snapshot('deribit_2026-08-22'))).epoch(1);"
        "print(epoch.snapshot_hash.hex(), epoch.policy_hash.hex(), epoch.settlement_hash.hex())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == [EPOCH.snapshot_hash.hex(), EPOCH.policy_hash.hex(), EPOCH.settlement_hash.hex()]


def test_hashes_are_keccak_of_the_bytes():
    assert EPOCH.snapshot_hash == keccak(EPOCH.snapshot_bytes)
    assert EPOCH.policy_hash == keccak(EPOCH.policy_bytes)
    assert EPOCH.settlement_hash == keccak(EPOCH.settlement_bytes)
    other = House(get_snapshot("mini", CRASH)).epoch(7)
    assert other.policy_hash != EPOCH.policy_hash and other.settlement_hash == EPOCH.settlement_hash


def test_policies_are_sorted_and_read_back():
    assert list(EPOCH.policies) == ["initial", "maintenance", "net_delta", "withdraw"]
    shuffled = Epoch(**{**FIELDS, "policies": dict(reversed(EPOCH.policies.items()))})
    assert shuffled.policy_bytes == EPOCH.policy_bytes
    assert read_policies(EPOCH.policy_bytes, NO_SPLIT) == dict(EPOCH.policies)


def test_defaults():
    assert EPOCH.time == SNAPSHOT.time and not EPOCH.urgent and EPOCH.settlement.is_identity
    assert EPOCH.generation == SNAPSHOT.listing.generation


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"number": -1}, OutOfRange),
        ({"number": 2**64}, OutOfRange),
        ({"number": 1.0}, OutOfRange),
        ({"time": 2**40}, OutOfRange),
        ({"time": True}, OutOfRange),
        ({"generation": 2**24}, OutOfRange),
        ({"generation": SNAPSHOT.listing.generation + 1}, RefusedEpoch),
        ({"urgent": 1}, RefusedEpoch),
        ({"policies": {}}, RefusedEpoch),
        ({"policies": {"initial": EPOCH.policies["maintenance"]}}, RefusedEpoch),
        ({"policies": {"flat": flat_policy(SNAPSHOT.listing.preset)}}, RefusedEpoch),
        ({"policies": dict(get_policies("standard"))}, RefusedEpoch),
        ({"settlement": identity_expiry_step(get_snapshot("standard").listing.preset)}, RefusedEpoch),
    ],
)
def test_refusals(changes, error):
    with pytest.raises(error):
        Epoch(**{**FIELDS, **changes})


def test_a_settlement_is_carried():
    drop, payoff = np.zeros(16, dtype=np.int64), np.zeros(16, dtype=np.int64)
    drop[3], payoff[3] = 1, 12_345
    settlement = ExpiryStep(SNAPSHOT.listing.preset, drop, payoff)
    epoch = House(SNAPSHOT).epoch(1, settlement=settlement, urgent=True, time=5)
    assert epoch.settlement_hash == settlement.hash != EPOCH.settlement_hash and epoch.urgent and epoch.time == 5


def _entry(policy: Policy) -> bytes:
    data = policy.to_bytes()
    return len(data).to_bytes(4, "big") + data


def _pack(*policies: Policy, count: int | None = None) -> bytes:
    number = len(policies) if count is None else count
    return MAGIC + number.to_bytes(2, "big") + b"".join(_entry(policy) for policy in policies)


class TestReading:
    initial, maintenance = EPOCH.policies["initial"], EPOCH.policies["maintenance"]

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"x" * 40,
            EPOCH.policy_bytes[:-1],
            EPOCH.policy_bytes + b"\0",
            EPOCH.policy_bytes[: len(MAGIC) + 4],
            _pack(),
            _pack(initial, count=2),
            _pack(initial, maintenance, count=1),
            _pack(maintenance, initial),
            _pack(initial, initial),
        ],
    )
    def test_bytes_that_are_not_canonical(self, data):
        with pytest.raises(MalformedPolicy):
            read_policies(data, NO_SPLIT)

    def test_a_refused_policy_inside(self):
        fields = to_fields(self.initial)
        fields["charges"][12, 1] = 0
        with pytest.raises(RoundingMissing):
            read_policies(_pack(Policy(name="initial", preset=self.initial.preset, **fields)), NO_SPLIT)
