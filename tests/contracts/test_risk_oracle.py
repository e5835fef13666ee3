"""Epochs: who may post which, for how long they serve, and what they revoke."""

from dataclasses import replace

import pytest
from eth_utils import keccak, to_checksum_address
from py_ecc.optimized_bn128 import field_modulus as base_order

from tests.support.reverts import refused, reverts
from tests.support.simulator import to_point
from tests.support.world import HOUR, STEP, make_wallet
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.messages import NamedPoint, compute_points_hash, sign_unchecked
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import encode_policy_name


def test_anyone_carries_an_epoch_in(world):
    epoch = world.make_epoch()
    world.oracle.post_epoch(epoch, sender=world.chain.accounts[7])
    stored = world.oracle.get_epoch(epoch.message.number)
    assert (stored.time, stored.generation, stored.key_version) == (epoch.message.time, 0, 1)
    assert stored.points_hash == epoch.message.points_hash == compute_points_hash(epoch.points)
    assert world.oracle.get_latest_number() == epoch.message.number


def test_the_snapshot_travels_in_the_event_or_follows(world):
    first, second = world.make_epoch(), world.make_epoch(number=9)
    world.oracle.post_epoch(first)
    world.oracle.post_epoch(second, with_snapshot=False)
    assert world.oracle.read_snapshots() == {first.message.number: first.snapshot}
    world.oracle.publish_snapshot(9, second.snapshot)
    assert world.oracle.read_snapshots()[9] == second.snapshot
    refused("HashMismatch", world.oracle.publish_snapshot, 9, b"another snapshot")
    refused("HashMismatch", world.oracle.post_epoch, replace(world.make_epoch(number=10), snapshot=b"another snapshot"))


# ----------------------------------------------------------------------------------------------------------- quorum
@pytest.mark.property("P-40")
def test_the_quorum_signs(world):
    few = world.make_epoch(wallets=world.publishers[:2])
    assert refused("SignaturesMissing", world.oracle.post_epoch, few) == {"count": 2, "threshold": 3}
    stranger = world.make_epoch(wallets=[*world.publishers[:2], make_wallet("stranger")])
    refused("SignatureInvalid", world.oracle.post_epoch, stranger)
    world.oracle.post_epoch(world.make_epoch(wallets=world.publishers))


def test_one_publisher_counts_once(world):
    epoch = world.make_epoch()
    first, second, _ = epoch.signatures
    assert (
        refused("SignatureInvalid", world.oracle.post_epoch, replace(epoch, signatures=(first, first, second)))["index"]
        == 1
    )
    assert (
        refused("SignatureInvalid", world.oracle.post_epoch, replace(epoch, signatures=epoch.signatures[::-1]))["index"]
        == 1
    )
    assert (
        refused("SignatureInvalid", world.oracle.post_epoch, replace(epoch, signatures=(first, second, b"\0" * 65)))[
            "index"
        ]
        == 2
    )


@pytest.mark.property("P-40")
@pytest.mark.parametrize(
    "field", ["number", "time", "min_epoch", "snapshot_hash", "policy_hash", "settlement_hash", "points_hash"]
)
def test_every_field_is_signed(world, field):
    epoch = world.make_epoch(time=world.chain.time - 1)
    value = getattr(epoch.message, field)
    other = value + 1 if isinstance(value, int) else keccak(value)
    changed = replace(epoch, message=epoch.message.model_copy(update={field: other}))
    with reverts("HashMismatch" if field == "points_hash" else "SignatureInvalid"):
        world.oracle.post_epoch(changed, with_snapshot=False)


def test_signatures_count_for_one_oracle_and_one_chain(world):
    epoch = world.make_epoch()
    for change in ({"chain_id": 1337}, {"risk_oracle": world.deployment.clearing_house}):
        domain = replace(world.domain, **change)
        foreign = replace(epoch, signatures=sign_unchecked(epoch.message, world.publishers[:3], domain))
        refused("SignatureInvalid", world.oracle.post_epoch, foreign)


def test_the_publishers_can_be_replaced_by_the_owner(world):
    others = [make_wallet(f"other {number}") for number in range(3)]
    addresses = [wallet.address for wallet in others]
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.oracle.set_signers(addresses, 2, sender=world.chain.accounts[3])
    world.oracle.set_signers(addresses, 2)
    refused("SignatureInvalid", world.oracle.post_epoch, world.make_epoch())
    world.oracle.post_epoch(world.make_epoch(wallets=others))
    for count, threshold in ((2, 2), (3, 1), (3, 4)):
        assert refused("SignersInvalid", world.oracle.set_signers, addresses[:count], threshold)["count"] == count
    refused("SignersInvalid", world.oracle.set_signers, [addresses[0], *addresses[:2]], 2)


def test_publishers_are_at_most_32_and_more_than_half_sign(world):
    addresses = [to_checksum_address(number.to_bytes(20, "big")) for number in range(1, 34)]
    assert refused("SignersInvalid", world.oracle.set_signers, addresses, 17) == {"count": 33, "threshold": 17}
    assert refused("SignersInvalid", world.oracle.set_signers, addresses[:4], 2) == {"count": 4, "threshold": 2}
    world.oracle.set_signers(addresses[:32], 17)
    world.oracle.set_signers(addresses[:4], 3)


# -------------------------------------------------------------------------------------------- number, time, generation
def test_numbers_rise(world):
    epoch = world.post()
    latest = epoch.message.number
    assert refused("EpochNumberTooLow", world.oracle.post_epoch, epoch) == {"number": latest, "latest": latest}
    world.post(number=latest + 5)
    refused("EpochNumberTooLow", world.oracle.post_epoch, world.make_epoch(number=latest + 4))


@pytest.mark.property("P-40")
def test_no_epoch_uses_up_the_numbers(world):
    """An epoch numbered 2^64 - 1 would be the last of all; a leap of a million is the widest."""
    latest = world.post().message.number
    limit = latest + 1_000_000
    for number in (limit + 1, 2**64 - 1):
        fields = refused("EpochNumberTooHigh", world.oracle.post_epoch, world.make_epoch(number=number))
        assert fields == {"number": number, "limit": limit}
    world.post(number=limit)
    world.post(number=limit + 1)
    assert world.oracle.get_latest_number() == limit + 1


def test_time_neither_falls_nor_runs_ahead(world):
    moment = world.post().message.time
    refused("EpochTimeOutOfRange", world.oracle.post_epoch, world.make_epoch(time=moment - 1))
    refused("EpochTimeOutOfRange", world.oracle.post_epoch, world.make_epoch(time=world.chain.time + 1000))
    world.post(time=moment)
    world.chain.travel(100)
    world.post(time=world.chain.time + 10)


def test_a_generation_step_names_its_settlement(world):
    epoch = world.post(generation=1)
    assert world.oracle.get_generation() == 1
    assert world.oracle.get_settlement_point(1) == to_point(STEP + 1)
    assert world.oracle.get_min_epoch() == epoch.message.number
    assert world.oracle.get_settlement_hash(1) == epoch.message.settlement_hash
    for other in (0, 2):
        assert refused("SettlementUnset", world.oracle.get_settlement_point, other) == {
            "keyVersion": 1,
            "generation": other,
        }
        assert world.oracle.get_settlement_hash(other) == bytes(32)
    world.post()
    assert world.oracle.get_settlement_point(1) == to_point(STEP + 1)
    for wrong in (0, 3):
        assert refused("EpochGenerationWrong", world.oracle.post_epoch, world.make_epoch(generation=wrong)) == {
            "generation": wrong,
            "current": 1,
        }


def test_a_step_needs_a_point_and_its_bytes(world):
    refused("PointInvalid", world.oracle.post_epoch, world.make_epoch(generation=1, settlement_x=0, settlement_y=0))
    x, y = to_point(STEP)
    refused(
        "PointInvalid",
        world.oracle.post_epoch,
        world.make_epoch(generation=1, settlement_x=x, settlement_y=y + base_order),
    )
    refused("HashMismatch", world.oracle.post_epoch, replace(world.make_epoch(generation=1), settlement=b"other"))
    refused("SettlementUnexpected", world.oracle.post_epoch, world.make_epoch(settlement_x=x, settlement_y=y))
    refused("SettlementUnexpected", world.oracle.post_epoch, world.make_epoch(settlement=b"settlement"))


def test_a_generation_lasts_an_hour(world):
    world.post(generation=1)
    moment = world.chain.time
    assert world.oracle.get_step_time() == moment
    world.chain.travel_to(moment + HOUR - 2)
    fields = refused("StepTooEarly", world.oracle.post_epoch, world.make_epoch(generation=2))
    assert fields["earliest"] == moment + HOUR > fields["time"]
    world.post()
    world.chain.travel_to(moment + HOUR)
    world.post(generation=2)
    assert world.oracle.get_generation() == 2


@pytest.mark.property("P-44")
def test_the_point_of_a_step_belongs_to_one_key_version(world):
    """Points of one vector differ by key: the other version's is brought later, once, of the same vector."""
    step = world.post(generation=1)
    with world.under_key(2) as version:
        assert refused("SettlementUnset", world.oracle.get_settlement_point, 1, version)["keyVersion"] == version
        world.post()  # an epoch need not bring it
        x, y = to_point(world.step + 1)
        bring = {"settlement": step.settlement, "settlement_x": x, "settlement_y": y}
        other = world.make_epoch(**{**bring, "settlement": b"another vector"})
        assert refused("HashMismatch", world.oracle.post_epoch, other)["signed"] == step.message.settlement_hash
        for wrong in ({"settlement_x": 0, "settlement_y": 0}, {"settlement_y": y + base_order}):
            refused("PointInvalid", world.oracle.post_epoch, world.make_epoch(**{**bring, **wrong}))
        refused("HashMismatch", world.oracle.post_epoch, replace(world.make_epoch(**bring), settlement=b""))
        before = world.oracle.get_min_epoch()
        world.post(**bring)
        assert world.oracle.get_settlement_point(1, version) == (x, y)
        assert world.oracle.get_min_epoch() == before
        refused("SettlementUnexpected", world.oracle.post_epoch, world.make_epoch(**bring))
    assert world.oracle.get_settlement_point(1) == to_point(STEP + 1)
    refused("SettlementUnexpected", world.oracle.post_epoch, world.make_epoch(**bring))


def test_an_epoch_is_for_a_live_key(world):
    refused("KeyHashUnknown", world.oracle.post_epoch, world.make_epoch(key_hash=b"\1" * 32))
    world.venue.registry.revoke(1)
    refused("KeyIsRevoked", world.oracle.post_epoch, world.make_epoch())


# ----------------------------------------------------------------------------------------------------------- points
@pytest.mark.property("P-40")
@pytest.mark.parametrize(
    ("points", "error"),
    [
        ((), "PointCountOutOfRange"),
        ((("initial", (0, 0)),), "PointInvalid"),
        ((("initial", (1, 3)),), "PointInvalid"),
        ((("initial", (1 + base_order, 2)),), "PointInvalid"),
        ((("flat", (1, 2)),), "PointNameInvalid"),
        ((("none", (1, 2)),), "PointNameInvalid"),
        ((("initial", (1, 2)), ("initial", (1, 2))), "PointNameInvalid"),
        ((("withdraw", (1, 2)), ("initial", (1, 2))), "PointNameInvalid"),
        (tuple((f"policy {number:02}", (1, 2)) for number in range(33)), "PointCountOutOfRange"),
    ],
)
def test_points_are_points_with_rising_names(world, points, error):
    named = tuple(NamedPoint(encode_policy_name(name), *point) for name, point in points)
    refused(error, world.oracle.post_epoch, world.make_epoch(points=named))


# -------------------------------------------------------------------------------------------------- freshness, revoking
@pytest.mark.property("P-41")
@pytest.mark.parametrize(
    ("kind", "age"),
    [(ActionKind.TRADE, 180), (ActionKind.WITHDRAW, 180), (ActionKind.CURE, 300), (ActionKind.ATTEST, 300)],
)
def test_an_epoch_serves_to_the_second(world, kind, age):
    epoch = world.post()
    number = epoch.message.number
    world.chain.travel_to(epoch.message.time + age)
    assert world.oracle.require_fresh(number, kind).points_hash == epoch.message.points_hash
    world.chain.travel_to(epoch.message.time + age + 1)
    assert refused("EpochStale", world.oracle.require_fresh, number, kind) == {
        "number": number,
        "age": age + 1,
        "maxAge": age,
    }


def test_ages_are_set_within_bounds_by_the_owner(world):
    world.oracle.set_max_age(ActionKind.TRADE, 900)
    world.oracle.set_max_age(ActionKind.CURE, 60)
    assert [
        world.oracle.get_max_age(kind)
        for kind in (ActionKind.TRADE, ActionKind.WITHDRAW, ActionKind.CURE, ActionKind.ATTEST)
    ] == [
        900,
        900,
        60,
        60,
    ]
    for kind, seconds in ((ActionKind.TRADE, 901), (ActionKind.CURE, 59)):
        assert refused("MaxAgeOutOfRange", world.oracle.set_max_age, kind, seconds)["high"] == 900
    assert refused("EpochNotTaken", world.oracle.set_max_age, ActionKind.DEPOSIT, 100) == {
        "kind": int(ActionKind.DEPOSIT)
    }
    assert refused("EpochNotTaken", world.oracle.get_max_age, ActionKind.DEPOSIT) == {"kind": int(ActionKind.DEPOSIT)}
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.oracle.set_max_age(ActionKind.TRADE, 100, sender=world.chain.accounts[3])


@pytest.mark.parametrize("change", [{"urgent": True}, {"generation": 1}])
def test_an_urgent_epoch_or_a_step_revokes_its_predecessors(world, change):
    before = world.post().message.number
    world.oracle.require_fresh(before, ActionKind.TRADE)
    after = world.post(**change).message.number
    assert refused("EpochRevoked", world.oracle.require_fresh, before, ActionKind.TRADE) == {
        "number": before,
        "minEpoch": after,
    }
    world.oracle.require_fresh(after, ActionKind.TRADE)


@pytest.mark.property("P-45")
def test_an_urgent_epoch_cannot_be_jumped_over(world):
    """Its successors carry its number on: whoever posts one of them first revokes as much."""
    before = world.post().message.number
    urgent = world.make_epoch(urgent=True)
    number = urgent.message.number
    world.post(number=number + 1, min_epoch=number)
    assert refused("EpochRevoked", world.oracle.require_fresh, before, ActionKind.TRADE)["minEpoch"] == number
    refused("EpochNumberTooLow", world.oracle.post_epoch, urgent)


def test_what_is_revoked_stays_revoked(world):
    first = world.post().message.number
    urgent = world.post(urgent=True).message.number
    world.post(min_epoch=first)
    assert world.oracle.get_min_epoch() == urgent
    refused("EpochRevoked", world.oracle.require_fresh, first, ActionKind.TRADE)
    number = world.oracle.get_latest_number() + 1
    assert refused("MinEpochTooHigh", world.oracle.post_epoch, world.make_epoch(min_epoch=number + 1)) == {
        "minEpoch": number + 1,
        "number": number,
    }


def test_an_ordinary_epoch_revokes_none(world):
    before = world.post().message.number
    world.post()
    world.oracle.require_fresh(before, ActionKind.ATTEST)


def test_an_unknown_epoch_is_refused(world):
    latest = world.post().message.number
    for number in (0, latest + 1, latest + 128):
        assert refused("EpochUnknown", world.oracle.require_fresh, number, ActionKind.TRADE)["number"] == number
    world.post(number=latest + 128)
    refused("EpochUnknown", world.oracle.require_fresh, latest, ActionKind.TRADE)
    refused("EpochUnknown", world.oracle.get_epoch, latest)


# ------------------------------------------------------------------------------------------------------------ guardian
def test_the_guardian_pauses_and_only_the_owner_ends_it(world):
    guardian, stranger = world.chain.accounts[4], world.chain.accounts[3]
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.oracle.contract.send("setGuardian", stranger, sender=stranger)
    world.oracle.contract.send("setGuardian", guardian)
    refused("CallerNotGuardian", world.oracle.pause, sender=stranger)
    world.oracle.pause(sender=guardian)
    assert world.oracle.is_paused()
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.oracle.unpause(sender=guardian)
    world.oracle.unpause()
    assert not world.oracle.is_paused()


def test_epochs_are_still_posted_while_paused(world):
    world.oracle.pause()
    number = world.post().message.number
    assert refused("ActionPaused", world.oracle.require_fresh, number, ActionKind.TRADE) == {
        "kind": int(ActionKind.TRADE)
    }
    world.oracle.require_fresh(number, ActionKind.CURE)
