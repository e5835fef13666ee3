"""A registered key version against the keys: each field that the registry takes on trust is compared."""

from dataclasses import replace

import pytest

from tests.support.simulator import to_point
from tests.support.world import FLAT, make_cached_material
from zkmargin.contracts.deploy import deploy_contract, encode_registration
from zkmargin.contracts.errors import CallInvalid, RegistrationMismatch
from zkmargin.contracts.key_registry import KeyRegistry
from zkmargin.contracts.registration import check_registration
from zkmargin.prover.account.escrow import CommitteeKey, make_scalar

DELAY = 7 * 24 * 3600


@pytest.fixture(scope="module")
def material():
    return make_cached_material("mini")


@pytest.fixture
def registry(world):
    return KeyRegistry(
        deploy_contract(world.chain, "KeyRegistry", world.chain.accounts[0], world.chain.accounts[0], DELAY)[0]
    )


def swap_first_flow(vkey):
    """The cash flow's IC exchanged for the first flow's: money out is proved as lots of something else."""
    points = list(vkey["IC"])
    points[8], points[9] = points[9], points[8]
    return {**vkey, "IC": points}


def test_the_registration_of_honest_keys_is_accepted_while_it_is_pending_and_later(world, registry, material):
    registry.register(material)
    other = replace(material, transition_hash=bytes(range(32)))
    registry.register(other)
    assert registry.is_live(1) and not registry.is_live(2)
    check_registration(registry, 1, material)
    check_registration(registry, 2, other)
    registry.suspend(1)
    check_registration(registry, 1, material)


DISHONEST = {
    "flatX": lambda honest: replace(honest, flat_point=to_point(FLAT + 1)),
    "committeeX": lambda honest: replace(honest, committee=CommitteeKey(make_scalar()).public),
    "openHash": lambda honest: replace(honest, open_hash=bytes(32)),
    "stored transition key": lambda honest: replace(honest, transition_vkey=swap_first_flow(honest.transition_vkey)),
    "transitionHash": lambda honest: replace(honest, transition_hash=bytes(31) + b"\1"),
    "stored open key": lambda honest: replace(
        honest, open_vkey={**honest.open_vkey, "IC": honest.open_vkey["IC"][::-1]}
    ),
}


@pytest.mark.property("P-180")
@pytest.mark.parametrize("what", DISHONEST)
def test_a_registration_of_anything_else_is_refused_and_named(registry, material, what):
    registry.register(DISHONEST[what](material))
    with pytest.raises(RegistrationMismatch, match=f"{what} of key version 1 is .* as the keys give"):
        check_registration(registry, 1, material)


@pytest.mark.property("P-180")
def test_slots_are_those_of_the_preset(registry, material):
    given = encode_registration(material)
    given |= {"slots": 17, "transition": given["transition"] + given["transition"][-64:]}
    registry.contract.send("register", given)
    with pytest.raises(RegistrationMismatch, match="slots of key version 1 is 17; allowed: 16"):
        check_registration(registry, 1, material)


def test_a_version_that_was_never_registered(registry, material):
    with pytest.raises(CallInvalid, match="key version is 1; allowed: 1 to 0"):
        check_registration(registry, 1, material)
