"""Epochs: who may post which, for how long they serve, and what they revoke."""

from dataclasses import replace
from functools import reduce
from operator import xor

import pytest
from eth_utils import function_abi_to_4byte_selector, keccak, to_checksum_address
from py_ecc.optimized_bn128 import field_modulus as base_order

from tests.support.p256 import P256Key
from tests.support.reverts import refused, reverts
from tests.support.simulator import to_point
from tests.support.world import HOUR, SETTLEMENT_DELAY, STEP, World, make_wallet
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.contracts.messages import (
    NamedPoint,
    compute_points_root,
    encode_named_signature,
    sign_unchecked,
    signer_id,
)
from zkmargin.contracts.requests import ActionRequest
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Invalidate
from zkmargin.prover.messages.typed_data import compute_digest


def test_anyone_carries_an_epoch_in(world):
    epoch = world.make_epoch()
    world.oracle.post_epoch(epoch, sender=world.chain.accounts[7])
    stored = world.oracle.get_epoch(epoch.message.number)
    assert (stored.time, stored.generation, stored.key_version) == (epoch.message.time, 0, 1)
    assert epoch.message.points_root == compute_points_root(epoch.points)
    assert stored.points_root == epoch.message.points_root[:22]
    assert world.oracle.get_latest_number() == epoch.message.number


@pytest.mark.property("P-41")
@pytest.mark.parametrize("count", [1, 2, 3, 7, 32])
def test_every_point_of_an_epoch_has_a_path_to_the_root(world, count):
    """Of as many as an epoch may have: each serves under its own name and no other."""
    scalars = {f"policy {number:02}": 100 + number for number in range(count)}
    points = tuple(NamedPoint(encode_policy_name(name), *to_point(scalar)) for name, scalar in scalars.items())
    epoch = world.post(points=points)
    attest = world.house.attest
    for name in {min(scalars), f"policy {count // 2:02}", max(scalars)}:
        action = world.draft(ActionKind.ATTEST, world.alice, epoch, policy_name=name)
        proof = world.prove(action, policy=scalars[name])
        request = ActionRequest.from_action(action, proof, epoch=epoch.epoch_points)
        mark = world.chain.snapshot()
        attest(request)
        world.chain.revert(mark)
        refused("PointsMismatch", attest, replace(request, policy=encode_policy_name("other")))
        assert len(request.epoch.path) in (count.bit_length() - 1, count.bit_length())


@pytest.mark.property("P-127")
def test_a_snapshot_is_published_on_demand_for_an_epoch_of_any_age(world):
    """By the hash that the quorum signed: the ring has forgotten the epoch, and other bytes are nobody's snapshot."""
    first = world.post(snapshot=b"first")
    last = world.post(number=first.message.number + 256, snapshot=b"last")
    refused("EpochUnknown", world.oracle.get_epoch, first.message.number)
    assert world.oracle.read_snapshot(first.message.number) is None
    for data in (b"another", first.snapshot, first.snapshot):
        world.oracle.publish_snapshot(data, sender=world.chain.accounts[7])
    assert world.oracle.read_snapshot(first.message.number) == b"first"
    assert world.oracle.read_snapshot(last.message.number) is None
    with pytest.raises(CallInvalid, match="number of the epoch"):
        world.oracle.read_snapshot(last.message.number + 1)


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
    "field", ["number", "time", "min_epoch", "snapshot_hash", "policy_hash", "settlement_hash", "points_root"]
)
def test_every_field_is_signed(world, field):
    epoch = world.make_epoch(time=world.chain.time - 1)
    value = getattr(epoch.message, field)
    other = value + 1 if isinstance(value, int) else keccak(value)
    changed = replace(epoch, message=epoch.message.model_copy(update={field: other}))
    with reverts("HashMismatch" if field == "points_root" else "SignatureInvalid"):
        world.oracle.post_epoch(changed)


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
    refused("SignerInvalid", world.oracle.set_signers, [addresses[0], *addresses[:2]], 2)
    short = addresses[0][:-2]
    fields = refused("SignerInvalid", world.oracle.set_signers, [*addresses[:2], short], 2)
    assert fields["signer"] == bytes.fromhex(short[2:])


@pytest.mark.property("P-128")
def test_a_publisher_may_be_a_contract_or_a_key_of_another_kind(world):
    """A wallet contract signs by ERC-1271, a P-256 key by its verifier: each beside ECDSA keys, each counted once."""
    owner, key = world.publishers[3], P256Key(3)
    wallet = deploy_contract(world.chain, "TestWallet", owner.address)[0].address
    verifier = deploy_contract(world.chain, "TestP256Verifier")[0].address
    p256 = verifier + key.public.hex()
    keys = world.publishers[:1]
    world.oracle.set_signers([keys[0].address, wallet, p256], 3)

    epoch = world.make_epoch(wallets=keys)
    digest = compute_digest(world.domain, epoch.message)
    signatures = {
        keys[0].address: epoch.signatures[0],
        wallet: encode_named_signature(wallet, owner.sign(world.domain, epoch.message)),
        p256: encode_named_signature(p256, key.sign(digest)),
    }
    ordered = sorted(signatures, key=signer_id)
    given = tuple(signatures[signer] for signer in ordered)
    for signer, wrong in (
        (wallet, encode_named_signature(wallet, keys[0].sign(world.domain, epoch.message))),
        (p256, encode_named_signature(p256, key.sign(keccak(digest)))),
        (p256, encode_named_signature(verifier + "11" * 64, key.sign(digest))),
        (p256, b"\1" * 64),
    ):
        place = ordered.index(signer)
        changed = replace(epoch, signatures=(*given[:place], wrong, *given[place + 1 :]))
        assert refused("SignatureInvalid", world.oracle.post_epoch, changed)["index"] == place
    twice = replace(epoch, signatures=(given[0], given[0], given[1]))
    assert refused("SignatureInvalid", world.oracle.post_epoch, twice)["index"] == 1
    world.oracle.post_epoch(replace(epoch, signatures=given))


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
    """An epoch numbered 2^64 - 1 would be the last of all; a leap of a thousand is the widest."""
    latest = world.post().message.number
    limit = latest + 1_000
    for number in (limit + 1, 2**64 - 1):
        fields = refused("EpochNumberTooHigh", world.oracle.post_epoch, world.make_epoch(number=number))
        assert fields == {"number": number, "limit": limit}
    world.post(number=limit)
    world.post(number=limit + 1)
    assert world.oracle.get_latest_number() == limit + 1


def test_numbers_end_where_the_records_of_accounts_do(world):
    """The last epochs of all are kept as they are, and none comes after them."""
    latest, last = world.post().message.number, 2**32 - 1
    address = world.oracle.contract.address
    place, word = next(
        (place, word)
        for place in range(16)
        if (word := int.from_bytes(world.chain.w3.eth.get_storage_at(address, place), "big")) % 2**48 == latest
    )
    world.chain._request("anvil_setStorageAt", address, hex(place), f"0x{word - latest + last - 2:064x}")
    for number in (last - 1, last):
        epoch = world.post(number=number)
        stored = world.oracle.get_epoch(number)
        assert (stored.number, stored.time) == (number, epoch.message.time)
        assert stored.points_root == epoch.message.points_root[:22]
    fields = refused("EpochNumberTooHigh", world.oracle.post_epoch, world.make_epoch(number=last + 1))
    assert fields == {"number": last + 1, "limit": last}


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
    assert world.oracle.get_settlement_point(0) == to_point(STEP + 1)
    assert world.oracle.get_min_epoch() == epoch.message.number
    for start, steps in ((1, 1), (0, 4)):
        assert refused("SettlementUnset", world.oracle.get_settlement_point, start, steps) == {
            "keyVersion": 1,
            "fromGeneration": start,
            "steps": steps,
        }
    world.post()
    assert world.oracle.get_settlement_point(0) == to_point(STEP + 1)
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


# --------------------------------------------------------------------------------------- settlements without an epoch
@pytest.mark.property("P-44")
def test_the_point_of_a_step_belongs_to_one_key_version(world):
    """Points of one vector differ by key: the other version's is posted later, once."""
    world.post(generation=1)
    with world.under_key(2) as version:
        fields = refused("SettlementUnset", world.oracle.get_settlement_point, 0, 1, version)
        assert fields == {"keyVersion": version, "fromGeneration": 0, "steps": 1}
        world.post()  # an epoch need not bring it
        x, y = to_point(world.step + 1)
        refused("SettlementUnexpected", world.oracle.post_epoch, world.make_epoch(settlement_x=x, settlement_y=y))
        for wrong in ({"x": 0, "y": 0}, {"y": y + base_order}):
            refused("PointInvalid", world.oracle.post_settlement, world.make_settlement(0, **wrong))
        refused("HashMismatch", world.oracle.post_settlement, replace(world.make_settlement(0), vector=b""))
        world.oracle.post_settlement(world.make_settlement(0))
        assert world.oracle.get_settlement_point(0, 1, version) == (x, y)
        refused("SettlementTaken", world.oracle.post_settlement, world.make_settlement(0))
    assert world.oracle.get_settlement_point(0) == to_point(STEP + 1)
    refused("SettlementTaken", world.oracle.post_settlement, world.make_settlement(0))


@pytest.fixture
def stepped(world):
    """The world at generation 5, after five steps."""
    for generation in range(1, 6):
        world.chain.travel(HOUR)
        world.post(generation=generation)
    return world


@pytest.mark.property("P-123")
def test_points_of_several_steps_are_posted_by_the_quorum(stepped):
    world = stepped
    world.oracle.post_settlement(world.make_settlement(1, 4), sender=world.chain.accounts[7])
    assert world.oracle.get_settlement_point(1, 4) == to_point(world.skip_scalar(1, 4))
    refused("SettlementUnset", world.oracle.get_settlement_point, 0, 4)
    refused("SettlementTaken", world.oracle.post_settlement, world.make_settlement(1, 4))
    for steps in (0, 2, 5, 64):
        assert refused("StepsWrong", world.oracle.post_settlement, world.make_settlement(0, steps)) == {"steps": steps}
    for start, steps in ((2, 4), (0, 16), (5, 1)):
        fields = refused("SettlementGenerationWrong", world.oracle.post_settlement, world.make_settlement(start, steps))
        assert fields == {"fromGeneration": start, "steps": steps, "first": 0, "current": 5}
    few = world.make_settlement(0, 4, wallets=world.publishers[:2])
    assert refused("SignaturesMissing", world.oracle.post_settlement, few) == {"count": 2, "threshold": 3}
    latest = world.oracle.get_latest_number()
    for number in (0, latest + 1):
        fields = refused(
            "SettlementNumberWrong", world.oracle.post_settlement, world.make_settlement(0, 4, number=number)
        )
        assert fields == {"number": number, "previous": 0, "latest": latest}
    refused("KeyHashUnknown", world.oracle.post_settlement, world.make_settlement(0, 4, key_hash=b"\1" * 32))


@pytest.mark.property("P-123")
@pytest.mark.parametrize("field", ["from_generation", "number", "settlement_hash", "x", "y"])
def test_every_field_of_a_settlement_is_signed(stepped, field):
    settlement = stepped.make_settlement(1, 4)
    value = getattr(settlement.message, field)
    changed = settlement.message.model_copy(update={field: keccak(value) if isinstance(value, bytes) else value - 1})
    refused("SignatureInvalid", stepped.oracle.post_settlement, replace(settlement, message=changed))


def test_sixteen_steps_at_once(stepped):
    world = stepped
    for generation in range(6, 17):
        world.chain.travel(HOUR)
        world.post(generation=generation)
    world.oracle.post_settlement(world.make_settlement(0, 16))
    assert world.oracle.get_settlement_point(0, 16) == to_point(world.skip_scalar(0, 16))


def test_an_epoch_is_for_a_live_key(world):
    refused("KeyHashUnknown", world.oracle.post_epoch, world.make_epoch(key_hash=b"\1" * 32))
    world.revoke_key()
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
    assert world.oracle.require_fresh(number, kind).points_root == epoch.message.points_root[:22]
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
def test_an_urgent_epoch_or_a_step_supersedes_its_predecessors(world, change):
    before = world.post().message.number
    world.oracle.require_fresh(before, ActionKind.TRADE)
    after = world.post(**change).message.number
    assert refused("EpochSuperseded", world.oracle.require_fresh, before, ActionKind.TRADE) == {
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
    assert refused("EpochSuperseded", world.oracle.require_fresh, before, ActionKind.TRADE)["minEpoch"] == number
    refused("EpochNumberTooLow", world.oracle.post_epoch, urgent)


def test_what_is_superseded_stays_superseded(world):
    first = world.post().message.number
    urgent = world.post(urgent=True).message.number
    world.post(min_epoch=first)
    assert world.oracle.get_min_epoch() == urgent
    refused("EpochSuperseded", world.oracle.require_fresh, first, ActionKind.TRADE)
    number = world.oracle.get_latest_number() + 1
    assert refused("MinEpochTooHigh", world.oracle.post_epoch, world.make_epoch(min_epoch=number + 1)) == {
        "minEpoch": number + 1,
        "number": number,
    }


def test_an_ordinary_epoch_supersedes_none(world):
    before = world.post().message.number
    world.post()
    world.oracle.require_fresh(before, ActionKind.ATTEST)


def test_an_unknown_epoch_is_refused(world):
    latest = world.post().message.number
    for number in (0, latest + 1, latest + 256):
        assert refused("EpochUnknown", world.oracle.require_fresh, number, ActionKind.TRADE)["number"] == number
    world.post(number=latest + 256)
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


@pytest.mark.property("P-121")
def test_nothing_is_posted_while_paused(world):
    epoch = world.make_epoch()
    world.oracle.pause()
    assert refused("EpochsPaused", world.oracle.post_epoch, epoch) == {}
    assert refused("EpochsPaused", world.oracle.post_settlement, world.make_settlement(0)) == {}
    world.oracle.unpause()
    world.oracle.post_epoch(epoch)


# ------------------------------------------------------------------------------------------------------- a bad quorum
@pytest.mark.property("P-121")
def test_the_guardian_revokes_epochs_up_to_the_latest(world):
    good, bad = world.post(urgent=True).message.number, world.post().message.number
    last = world.post(number=bad + 7).message.number
    guardian, stranger = world.chain.accounts[4], world.chain.accounts[3]
    world.oracle.contract.send("setGuardian", guardian)
    refused("CallerNotGuardian", world.oracle.revoke_epochs, bad, sender=stranger)
    for wrong in (0, last + 1):
        fields = refused("RevocationInvalid", world.oracle.revoke_epochs, wrong, sender=guardian)
        assert fields == {"from": wrong, "latest": last}
    world.oracle.require_fresh(last, ActionKind.TRADE)
    world.oracle.revoke_epochs(bad, sender=guardian)
    assert [world.oracle.is_revoked(number) for number in (0, good, bad, bad + 1, last, last + 1)] == [
        False, False, True, True, True, False,
    ]  # fmt: skip
    for number in (bad, last):
        assert refused("EpochRevoked", world.oracle.require_fresh, number, ActionKind.CURE) == {"number": number}
    world.oracle.require_fresh(good, ActionKind.TRADE)
    after = world.post().message.number
    world.oracle.require_fresh(after, ActionKind.TRADE)


@pytest.mark.property("P-121")
def test_revoked_ranges_merge_and_are_restored_from_below_by_the_owner(world):
    numbers = [world.post().message.number for _ in range(2)]
    world.oracle.revoke_epochs(numbers[1])
    numbers += [world.post().message.number for _ in range(3)]
    world.oracle.revoke_epochs(numbers[4])
    assert [world.oracle.is_revoked(number) for number in numbers] == [False, True, False, False, True]
    numbers.append(world.post().message.number)
    world.oracle.revoke_epochs(numbers[3])  # takes the second range in, not the first
    assert [world.oracle.is_revoked(number) for number in numbers] == [False, True, False, True, True, True]
    stranger = world.chain.accounts[3]
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        world.oracle.restore_epochs(numbers[3], numbers[4], sender=stranger)
    for wrong in (
        (numbers[3], numbers[2]), (numbers[3], numbers[5] + 1), (numbers[2], numbers[4]), (numbers[4], numbers[5]),
        (numbers[0], numbers[1]), (numbers[1], numbers[5]),
    ):  # fmt: skip
        assert refused("RestorationInvalid", world.oracle.restore_epochs, *wrong) == {
            "from": wrong[0],
            "upTo": wrong[1],
        }
    world.oracle.restore_epochs(numbers[3], numbers[4])
    assert [world.oracle.is_revoked(number) for number in numbers] == [False, True, False, False, False, True]
    refused("RestorationInvalid", world.oracle.restore_epochs, numbers[3], numbers[4])  # it begins above that now
    world.oracle.restore_epochs(numbers[1], numbers[1])
    assert [world.oracle.is_revoked(number) for number in numbers] == [False, False, False, False, False, True]
    world.oracle.revoke_epochs(numbers[0])  # everything again, in one range
    assert all(world.oracle.is_revoked(number) for number in numbers)


@pytest.mark.property("P-122")
def test_replaced_publishers_epochs_serve_no_more(world):
    """Superseded, not revoked: the old publishers need not have been dishonest."""
    before = world.post().message.number
    world.oracle.require_fresh(before, ActionKind.TRADE)
    world.oracle.set_signers([wallet.address for wallet in world.publishers[1:]], 3)
    assert refused("EpochSuperseded", world.oracle.require_fresh, before, ActionKind.TRADE) == {
        "number": before,
        "minEpoch": before + 1,
    }
    assert not world.oracle.is_revoked(before)
    after = world.post(wallets=world.publishers[1:4]).message.number
    world.oracle.require_fresh(after, ActionKind.TRADE)


def test_another_contract_asks_for_a_quorum(world):
    message = Invalidate(account=bytes(32), digest=keccak(b"what a contract wants to know"))
    digest = compute_digest(world.domain, message)
    signatures = sign_unchecked(message, world.publishers, world.domain)
    world.oracle.require_quorum(digest, signatures)
    assert refused("SignaturesMissing", world.oracle.require_quorum, digest, signatures[:2])["count"] == 2
    refused("SignatureInvalid", world.oracle.require_quorum, keccak(digest), signatures)


@pytest.mark.property("P-123")
def test_a_settlement_serves_after_its_delay(delayed):
    delayed.post(generation=1)
    ready = delayed.chain.time + SETTLEMENT_DELAY
    delayed.chain.travel_to(ready - 1)
    fields = refused("SettlementPending", delayed.oracle.get_settlement_point, 0)
    assert fields == {"readyAt": ready, "time": ready - 1}
    delayed.chain.travel_to(ready)
    assert delayed.oracle.get_settlement_point(0) == to_point(STEP + 1)


@pytest.mark.property("P-123")
def test_the_guardian_vetoes_a_settlement_within_its_delay(delayed):
    """The quorum posts another; the old message does not come back. No generation begins on a refused settlement."""
    world = delayed
    first = world.post(generation=1)
    guardian = world.chain.accounts[4]
    world.oracle.contract.send("setGuardian", guardian)
    refused("CallerNotGuardian", world.oracle.veto_settlement, 0, sender=world.chain.accounts[3])
    refused("SettlementUnset", world.oracle.veto_settlement, 0, 4, sender=guardian)
    world.oracle.veto_settlement(0, sender=guardian)
    world.chain.travel(HOUR)
    unset = {"keyVersion": 1, "fromGeneration": 0, "steps": 1}
    assert refused("SettlementUnset", world.oracle.get_settlement_point, 0) == unset
    assert refused("SettlementUnset", world.oracle.post_epoch, world.make_epoch(generation=2)) == unset
    number = first.message.number
    old = world.make_settlement(0, number=number)
    assert refused("SettlementNumberWrong", world.oracle.post_settlement, old) == {
        "number": number,
        "previous": number,
        "latest": number,
    }
    world.post()
    refused("SettlementNumberWrong", world.oracle.post_settlement, old)
    world.oracle.post_settlement(world.make_settlement(0, x=1, y=2))
    refused("SettlementPending", world.oracle.post_epoch, world.make_epoch(generation=2))
    world.chain.travel(SETTLEMENT_DELAY)
    assert world.oracle.get_settlement_point(0) == (1, 2)
    assert refused("SettlementFinal", world.oracle.veto_settlement, 0, sender=guardian)["time"] >= world.chain.time - 1
    world.post(generation=2)


@pytest.mark.property("P-121", "P-123")
def test_a_settlement_posted_at_a_revoked_epoch_is_refused_and_posted_again(world):
    good = world.post().message.number
    step = world.post(generation=1).message.number
    world.oracle.revoke_epochs(step)
    assert refused("EpochRevoked", world.oracle.get_settlement_point, 0) == {"number": step}
    for number in (good, step):  # one is below the settlement refused, the other is revoked itself
        refused("SettlementNumberWrong", world.oracle.post_settlement, world.make_settlement(0, number=number))
    world.post()
    world.oracle.post_settlement(world.make_settlement(0, x=1, y=2))
    assert world.oracle.get_settlement_point(0) == (1, 2)


def test_an_oracle_has_a_registry(world):
    signers = [
        bytes.fromhex(item.address[2:]) for item in sorted(world.publishers, key=lambda one: signer_id(one.address))
    ]
    nobody = world.chain.accounts[0]
    with reverts("RegistryMissing", registry=nobody):
        deploy_contract(world.chain, "RiskOracle", nobody, nobody, nobody, 0, 0, signers, 3)


def test_generations_end_where_an_accounts_record_does(world):
    """Sixteen bits: refused where they arise, not by every account that would take the step."""
    limit = 2**16 - 1
    signers = [bytes.fromhex(address[2:]) for address in sorted(world.chain.accounts[:3], key=signer_id)]
    nobody, registry = world.chain.accounts[0], world.deployment.key_registry
    with reverts("GenerationTooHigh", generation=limit + 1, limit=limit):
        deploy_contract(world.chain, "RiskOracle", nobody, nobody, registry, limit + 1, 0, signers, 2)
    last = World(world.chain, generation=limit)
    last.post()
    assert refused("GenerationTooHigh", last.oracle.post_epoch, last.make_epoch(generation=limit + 1)) == {
        "generation": limit + 1,
        "limit": limit,
    }


@pytest.mark.parametrize("length", [66, 127, 128, 200])
def test_a_named_signature_of_no_form_posts_nothing(world, length):
    """Below 128 bytes it names nobody; from there on it is decoded, which fails without a reason."""
    epoch = world.make_epoch()
    malformed = replace(epoch, signatures=(b"\xff" * length, *epoch.signatures[1:]))
    with pytest.raises(Reverted) as caught:
        world.oracle.post_epoch(malformed)
    assert caught.value.error == ("SignatureInvalid" if length < 128 else "Unknown")
    world.oracle.post_epoch(epoch)


@pytest.mark.parametrize("name", ["registry", "oracle"])
def test_interfaces_are_announced(world, name):
    contract = getattr(world.venue, name).contract
    functions = compile_contracts()[f"I{contract.name}"].abi
    selectors = [
        int.from_bytes(function_abi_to_4byte_selector(item), "big") for item in functions if item["type"] == "function"
    ]
    interface = reduce(xor, selectors).to_bytes(4, "big")
    for selector, announced in ((interface, True), (bytes.fromhex("01ffc9a7"), True), (b"\xff" * 4, False)):
        assert contract.call("supportsInterface", selector) is announced


def test_the_settlement_delay_is_at_most_half_of_a_generation(chain, delayed_world):
    with reverts("DelayTooLong", delay=1801, limit=1800):
        World(chain, settlement_delay=1801)
    assert delayed_world.oracle.get_settlement_delay() == SETTLEMENT_DELAY
