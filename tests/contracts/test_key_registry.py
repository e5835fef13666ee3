"""Registration of verification keys: every check refuses its own fault, starting from a key that is accepted."""

import copy

import pytest
from py_ecc.optimized_bn128 import curve_order
from py_ecc.optimized_bn128 import field_modulus as base_order

from tests.support.reverts import refused as refused_call
from tests.support.reverts import reverts
from tests.support.simulator import SUBGROUP_GENERATOR, to_pairs
from tests.support.world import make_cached_material, make_keys
from zkmargin.contracts.deploy import deploy_contract, encode_registration
from zkmargin.contracts.errors import KeyUnusable, Reverted
from zkmargin.contracts.key_material import encode_key
from zkmargin.contracts.key_registry import KeyRegistry
from zkmargin.engine.presets import get_preset

GROUP_GENERATOR = (
    995203441582195749578291179787384436505546430278305826713579947235728471134,
    5472060717959818805561601436314318772137091100104008585924551046643952123905,
)
"""Generator of all of BabyJubJub, order 8 l (EIP-2494): on the curve, outside the subgroup."""


@pytest.fixture(scope="module")
def registration():
    return encode_registration(make_cached_material("mini"))


@pytest.fixture
def registry(world):
    return KeyRegistry(deploy_contract(world.chain, "KeyRegistry", *world.chain.accounts[:2], 7 * 24 * 3600)[0])


def refused(registry, registration, error, **changes):
    return refused_call(error, registry.contract.send, "register", {**registration, **changes})


def put(data: bytes, offset: int, *words: int) -> bytes:
    new = b"".join(word.to_bytes(32, "big") for word in words)
    return data[:offset] + new + data[offset + len(new) :]


def test_a_sound_key_is_stored_as_code_behind_a_stop(world, registry, registration):
    receipt = registry.contract.send("register", registration)
    address, slots = registry.get_transition_key(1)
    code = bytes(world.chain.w3.eth.get_code(address))
    assert (code[:1], code[1:], slots) == (b"\0", registration["transition"], 16)
    assert registry.get_version_of(registration["transitionHash"]) == 1
    assert registry.is_live(1) and receipt.gas_used < 16_000_000
    assert registry.get_flat_point(1) == (registration["flatX"], registration["flatY"])


@pytest.mark.parametrize("field", ["transition", "open"])
@pytest.mark.parametrize("offset", [0, 448, 448 + 64 * 7])
def test_every_point_is_on_the_curve_and_canonical(registry, registration, field, offset):
    data = registration[field]
    x, y = (int.from_bytes(data[offset + at : offset + at + 32], "big") for at in (0, 32))
    for words in ((x, y + 1), (x + base_order, y), (x, y + base_order), (0, 0)):
        fields = refused(registry, registration, "KeyPointInvalid", **{field: put(data, offset, *words)})
        assert fields["offset"] == offset


def test_the_last_flow_point_is_checked_too(registry, registration):
    offset = len(registration["transition"]) - 64
    assert (
        refused(registry, registration, "KeyPointInvalid", transition=put(registration["transition"], offset, 0, 0))[
            "offset"
        ]
        == offset
    )


@pytest.mark.parametrize("offset", [64, 192, 320])
def test_every_group_element_is_in_the_subgroup(registry, registration, offset):
    data = registration["transition"]
    words = [int.from_bytes(data[offset + 32 * at : offset + 32 * at + 32], "big") for at in range(4)]
    for other in ([words[0] + 1, *words[1:]], [0, 0, 0, 0], [words[0] + base_order, *words[1:]]):
        assert (
            refused(registry, registration, "KeyGroupElementInvalid", transition=put(data, offset, *other))["offset"]
            == offset
        )


@pytest.mark.property("P-27")
def test_a_key_without_a_contribution_is_refused(registry, registration):
    """delta = generator is what snarkjs exports before the first contribution; delta = gamma forges as well."""
    generator = _pairs_to_words(to_pairs(1))
    refused(registry, registration, "KeySetUpUnsafe", transition=put(registration["transition"], 320, *generator))
    refused(registry, registration, "KeySetUpUnsafe", open=put(registration["open"], 320, *generator))
    gamma = _pairs_to_words(to_pairs(77))
    same = put(put(registration["transition"], 192, *gamma), 320, *gamma)
    refused(registry, registration, "KeySetUpUnsafe", transition=same)


@pytest.mark.property("P-27")
@pytest.mark.parametrize("circuit", ["transition", "open"])
def test_a_key_whose_delta_is_the_negative_of_gamma_or_generator_is_refused(registry, registration, circuit):
    """With delta = -gamma, C = X cancels the public inputs: whoever sees the key proves anything."""
    negative, gamma, minus_gamma = (_pairs_to_words(to_pairs(scalar % curve_order)) for scalar in (-1, 77, -77))
    refused(registry, registration, "KeySetUpUnsafe", **{circuit: put(registration[circuit], 320, *negative)})
    opposite = put(put(registration[circuit], 192, *gamma), 320, *minus_gamma)
    refused(registry, registration, "KeySetUpUnsafe", **{circuit: opposite})


ALPHA, BETA, GAMMA, DELTA = 0, 64, 192, 320
"""Byte at which each element of a stored key begins."""


@pytest.mark.property("P-27")
@pytest.mark.parametrize("circuit", ["transition", "open"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("other", [GAMMA, DELTA])
def test_a_key_whose_beta_is_gamma_or_delta_up_to_sign_is_refused(registry, registration, circuit, sign, other):
    """beta = gamma: A = alpha + L, B = gamma + s delta, C = s A; delta = beta: A = L, C = s L - alpha."""
    point, same = (_pairs_to_words(to_pairs(scalar % curve_order)) for scalar in (77, sign * 77))
    refused(
        registry,
        registration,
        "KeySetUpUnsafe",
        **{circuit: put(put(registration[circuit], BETA, *point), other, *same)},
    )


@pytest.mark.property("P-27")
@pytest.mark.parametrize("sign", [1, -1])
def test_a_key_whose_alpha_or_beta_is_a_generator_up_to_sign_is_refused(registry, registration, sign):
    generator = _pairs_to_words(to_pairs(sign % curve_order))
    gamma = _pairs_to_words(to_pairs(77))
    key = put(put(registration["transition"], GAMMA, *gamma), BETA, *generator)
    refused(registry, registration, "KeySetUpUnsafe", transition=key)
    alpha = put(registration["open"], ALPHA, 1, 2 if sign == 1 else base_order - 2)
    refused(registry, registration, "KeySetUpUnsafe", open=alpha)


def test_the_activation_delay_has_an_upper_bound(world):
    limit = 30 * 24 * 3600
    with reverts("DelayTooLong", delay=limit + 1, limit=limit):
        deploy_contract(world.chain, "KeyRegistry", *world.chain.accounts[:2], limit + 1)
    deploy_contract(world.chain, "KeyRegistry", *world.chain.accounts[:2], limit)


def test_sizes_follow_the_slots(registry, registration):
    refused(registry, registration, "KeySizeWrong", slots=17)
    refused(registry, registration, "KeySizeWrong", transition=registration["transition"] + b"\0")
    refused(registry, registration, "SlotsOutOfRange", slots=0)
    refused(registry, registration, "SlotsOutOfRange", slots=257)


def test_the_flat_point_is_a_point(registry, registration):
    refused(registry, registration, "FlatPointInvalid", flatX=0, flatY=0)
    refused(registry, registration, "FlatPointInvalid", flatY=registration["flatY"] + base_order)


@pytest.mark.property("P-58")
@pytest.mark.parametrize(
    "point",
    [
        (0, 1),  # identity
        (0, curve_order - 1),  # order 2
        GROUP_GENERATOR,
        (SUBGROUP_GENERATOR[0], SUBGROUP_GENERATOR[1] + 1),
        (SUBGROUP_GENERATOR[0] + curve_order, SUBGROUP_GENERATOR[1]),
        (0, 0),
    ],
)
def test_the_committee_key_is_of_prime_order(registry, registration, point):
    assert refused(registry, registration, "CommitteeKeyInvalid", committeeX=point[0], committeeY=point[1]) == {
        "x": point[0],
        "y": point[1],
    }


def test_a_hash_is_registered_once(registry, registration):
    registry.contract.send("register", registration)
    assert refused(registry, registration, "KeyHashTaken")["version"] == 1


DELAY = 7 * 24 * 3600


def test_a_later_key_waits(world, registry, registration):
    registry.contract.send("register", registration)
    registry.contract.send("register", {**registration, "transitionHash": b"\1" * 32})
    assert (registry.get_latest(), registry.is_live(1), registry.is_live(2)) == (2, True, False)
    with pytest.raises(Reverted, match="KeyNotLive"):
        registry.get_transition_key(2)
    world.chain.travel(DELAY)
    assert registry.is_live(2)
    with pytest.raises(Reverted, match="KeyUnknown"):
        registry.get_transition_key(3)


@pytest.fixture
def versions(world, registry, registration):
    """The registry with three live versions."""
    for number in range(3):
        registry.contract.send("register", {**registration, "transitionHash": bytes([number + 1]) * 32})
    world.chain.travel(DELAY)
    return registry


def asks(registry, version):
    """Each way to use a version."""
    return (
        lambda: registry.get_transition_key(version),
        lambda: registry.get_open_key(version),
        lambda: registry.get_flat_point(version),
    )


SUSPENSION = 45 * 24 * 3600


@pytest.mark.property("P-124")
def test_the_guardian_suspends_a_version_once_and_for_a_bounded_time(world, versions):
    owner, guardian, stranger = world.chain.accounts[:3]
    refused_call("CallerNotGuardian", versions.suspend, 1, sender=stranger)
    refused_call("KeyUnknown", versions.suspend, 4, sender=guardian)
    versions.suspend(1, sender=guardian)
    until = world.chain.time + SUSPENSION
    for ask in asks(versions, 1):
        assert refused_call("KeyIsSuspended", ask) == {"version": 1, "until": until}
    assert not versions.is_live(1) and versions.is_live(2)
    world.chain.travel_to(until)
    assert versions.is_live(1)
    for ask in asks(versions, 1):
        ask()
    assert refused_call("KeySuspendedBefore", versions.suspend, 1, sender=guardian) == {"version": 1, "until": until}
    with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
        versions.resume(1, sender=guardian)
    versions.resume(1, sender=owner)
    versions.suspend(1, sender=guardian)
    versions.resume(1, sender=owner)
    assert versions.is_live(1)


def test_a_suspension_outlasts_the_delay_of_a_successor():
    assert SUSPENSION > 30 * 24 * 3600, "the longest activation delay"


@pytest.mark.property("P-124")
def test_a_version_is_revoked_in_favour_of_a_live_one(world, versions, registration):
    assert refused_call("KeyNotRevoked", versions.get_successor, 1) == {"version": 1}
    assert refused_call("SuccessorInvalid", versions.revoke, 1, 1) == {"version": 1, "successor": 1}
    refused_call("KeyUnknown", versions.revoke, 1, 4)
    versions.contract.send("register", {**registration, "transitionHash": b"\4" * 32})
    refused_call("KeyNotLive", versions.revoke, 1, 4)
    versions.suspend(2)
    refused_call("KeyIsSuspended", versions.revoke, 1, 2)
    versions.resume(2)
    versions.suspend(1)  # a suspended version may be revoked
    versions.revoke(1, 2)
    assert versions.get_successor(1) == 2
    for ask in (*asks(versions, 1), lambda: versions.revoke(1, 3), lambda: versions.suspend(1)):
        assert refused_call("KeyIsRevoked", ask) == {"version": 1}
    refused_call("KeyIsRevoked", versions.resume, 1)
    refused_call("KeyIsRevoked", versions.revoke, 2, 1)
    versions.revoke(2, 3)
    assert (versions.get_successor(1), versions.get_successor(2)) == (3, 3)
    assert not versions.is_live(1)


@pytest.mark.property("P-124")
def test_a_successor_has_as_many_slots(versions, registration, world):
    larger = encode_registration(make_cached_material("standard"))
    versions.contract.send("register", larger)
    world.chain.travel(DELAY)
    assert refused_call("SuccessorInvalid", versions.revoke, 1, 4) == {"version": 1, "successor": 4}


def test_only_the_owner_registers_revokes_and_names_the_guardian(world, registry, registration):
    stranger = world.chain.accounts[3]
    for call in (("register", registration), ("revoke", 1, 2), ("resume", 1), ("setGuardian", stranger)):
        with pytest.raises(Reverted, match="OwnableUnauthorizedAccount"):
            registry.contract.send(*call, sender=stranger)


@pytest.mark.property("P-126")
@pytest.mark.parametrize("name", ["registry", "oracle"])
def test_no_owner_leaves_the_place_empty(world, name):
    assert refused_call("OwnerNeeded", getattr(world.venue, name).contract.send, "renounceOwnership") == {}


@pytest.mark.parametrize("stop", ["suspend", "revoke"])
def test_a_stopped_key_stops_every_action(world, stop):
    epoch = world.post()
    if stop == "suspend":
        world.venue.registry.suspend(1)
    else:
        world.revoke_key()
    for call, request in (
        (world.house.trade, world.make_trade(world.alice, world.bob, epoch)),
        (world.house.deposit, world.make_deposit(world.alice, 1)),
    ):
        with pytest.raises(Reverted, match="KeyIsSuspended" if stop == "suspend" else "KeyIsRevoked"):
            call(request)
    assert not world.views.is_current(world.alice.id, 10**6)


def test_python_refuses_a_key_that_does_not_fit():
    vkey = make_keys("mini")[0].vkey
    with pytest.raises(KeyUnusable, match="at least 25"):
        encode_key({**copy.deepcopy(vkey), "IC": vkey["IC"][:24]}, "transition", get_preset("mini"))
    with pytest.raises(KeyUnusable, match="bls12381"):
        encode_key({**vkey, "curve": "bls12381"}, "transition", get_preset("mini"))


def _pairs_to_words(pairs):
    return [word for real, imaginary in pairs for word in (imaginary, real)]


def test_versions_end_where_an_accounts_record_does(world):
    """Eight bits: refused at registration, not by every account that would open. `latest` is written to storage."""
    registry, limit = world.venue.registry.contract, 2**8 - 1
    place = "0x" + "1".rjust(64, "0")  # behind the owner to be, 20 bytes
    world.chain._request("anvil_setStorageAt", registry.address, place, "0x" + (limit << 160).to_bytes(32, "big").hex())
    assert world.venue.registry.get_latest() == limit
    with reverts("VersionsUsedUp", limit=limit):
        world.venue.registry.register(make_cached_material("mini", 7))
