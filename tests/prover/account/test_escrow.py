"""Escrow to the committee: decrypts to the key, refuses bad points, and its file is private."""

import json

import pytest
from eth_abi import encode as abi_encode
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from zkmargin.engine.presets import get_preset
from zkmargin.prover._native import BABYJUB_ORDER as SUBGROUP_ORDER
from zkmargin.prover.account.account import Account
from zkmargin.prover.account.escrow import (
    CommitteeKey,
    check_committee_key,
    create_committee_file,
    escrow_key,
    make_scalar,
    read_committee_file,
)
from zkmargin.prover.actions.opening import build_opening
from zkmargin.prover.errors import EscrowError, KeyFileError, MessageInvalid, NotInField, OutOfRange, PointRefused
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.statement.commitment import hash_chain
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS, get_public_signals

BASE8 = (
    5299619240641551281634865583518297030282874472190772894086521144482721001553,
    16950150798460657717958625567821834550301663161624707787222815936182638968203,
)
GENERATOR = (  # of the whole curve, of order 8 times the subgroup's; EIP-2494
    995203441582195749578291179787384436505546430278305826713579947235728471134,
    5472060717959818805561601436314318772137091100104008585924551046643952123905,
)
COMMITTEE = CommitteeKey(Secret(123456789))
DOMAIN = Domain(31337, "0x" + "11" * 20, "0x" + "22" * 20)


def add(p, q):
    """EIP-2494's addition, written again."""
    a, d, m = 168700, 168696, FIELD_MODULUS
    t = d * p[0] * q[0] * p[1] * q[1]
    return (
        (p[0] * q[1] + p[1] * q[0]) * pow(1 + t, -1, m) % m,
        (p[1] * q[1] - a * p[0] * q[0]) * pow(1 - t, -1, m) % m,
    )


def multiply(point, scalar):
    result = (0, 1)
    for bit in f"{scalar:b}":
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def test_points_agree_with_addition_written_again():
    assert CommitteeKey(Secret(1)).public == BASE8 == multiply(GENERATOR, 8)
    assert COMMITTEE.public == multiply(BASE8, 123456789)
    assert CommitteeKey(Secret(SUBGROUP_ORDER - 1)).public == (FIELD_MODULUS - BASE8[0], BASE8[1])


def test_escrow_is_elgamal_under_its_own_tag():
    rho = make_scalar()
    escrow = escrow_key(Secret(5), COMMITTEE.public, rho)
    shared = multiply(COMMITTEE.public, rho.reveal())
    assert escrow.ephemeral == multiply(BASE8, rho.reveal())
    assert escrow.escrowed_key == (5 + hash_chain([TAGS["ESCROW"], *shared])) % FIELD_MODULUS


@pytest.mark.property("P-58")
@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from([0, 1, FIELD_MODULUS - 1]) | st.integers(0, FIELD_MODULUS - 1), st.integers(1, SUBGROUP_ORDER - 1)
)
def test_the_committee_decrypts(key, rho):
    escrow = escrow_key(Secret(key), COMMITTEE.public, Secret(rho))
    assert COMMITTEE.decrypt(escrow.ephemeral, escrow.escrowed_key).reveal() == key
    assert CommitteeKey(Secret(7)).decrypt(escrow.ephemeral, escrow.escrowed_key).reveal() != key


@pytest.mark.parametrize(
    "point",
    [
        (0, 1),
        (0, FIELD_MODULUS - 1),
        GENERATOR,
        (1, 1),
        (FIELD_MODULUS, 1),
        (-1, 1),
        (BASE8[0] + FIELD_MODULUS, BASE8[1]),
    ],
    ids=["identity", "order 2", "order 8 l", "off the curve", "x = p", "x = -1", "x + p"],
)
def test_points_that_are_no_key_are_refused(point):
    with pytest.raises((PointRefused, NotInField)):
        check_committee_key(point)
    with pytest.raises((PointRefused, NotInField)):
        escrow_key(Secret(1), point, Secret(1))
    with pytest.raises((PointRefused, NotInField)):
        COMMITTEE.decrypt(point, 0)


def test_an_escrow_that_nobody_can_decrypt_says_why():
    """The chain may hold numbers that no honest wallet made: each is named, and no secret is touched or shown."""
    good = escrow_key(Secret(5), COMMITTEE.public, Secret(6))
    for ephemeral, escrowed, error, reason in (
        ((0, 1), 5, PointRefused, "ephemeral point of the escrow (0, 1) is the identity"),
        ((0, FIELD_MODULUS - 1), 5, PointRefused, "ephemeral point of the escrow"),
        ((1, 1), 5, PointRefused, "not a point of BabyJubJub's prime-order subgroup"),
        ((FIELD_MODULUS, 1), 5, NotInField, "ephemeral point of the escrow.x"),
        ((0, -1), 5, NotInField, "ephemeral point of the escrow.y"),
        (good.ephemeral, FIELD_MODULUS, NotInField, "escrowed key"),
        (good.ephemeral, -1, NotInField, "escrowed key"),
        (good.ephemeral, 2**256 - 1, NotInField, "escrowed key"),
    ):
        with pytest.raises(error) as caught:
            COMMITTEE.decrypt(ephemeral, escrowed)
        assert reason in str(caught.value)
        assert str(COMMITTEE.secret.reveal()) not in str(caught.value)


@pytest.mark.parametrize("rho", [0, SUBGROUP_ORDER, SUBGROUP_ORDER + 1])
def test_scalars_out_of_range_are_refused_without_being_shown(rho):
    with pytest.raises(EscrowError) as caught:
        escrow_key(Secret(1), COMMITTEE.public, Secret(rho))
    assert rho in (0, SUBGROUP_ORDER) or str(rho) not in str(caught.value)


def test_ephemeral_scalars_are_fresh():
    assert make_scalar() != make_scalar()


def test_escrow_hash():
    escrow = escrow_key(Secret(5), COMMITTEE.public, Secret(6))
    expected = keccak(abi_encode(["uint256"] * 4, [*escrow.ephemeral, escrow.escrowed_key, 3]))
    assert escrow.compute_hash(3) == expected != escrow.compute_hash(4)
    with pytest.raises(OutOfRange):
        escrow.compute_hash(2**16)


# -------------------------------------------------------------------------------------------------------------- file
def test_committee_file(tmp_path):
    path = tmp_path / "committee.json"
    key = create_committee_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    content = json.loads(path.read_text())
    assert content["insecure"] is True and "DEVELOPMENT" in content["about"]
    assert read_committee_file(path) == key
    assert str(key.secret.reveal()) not in repr(key)
    with pytest.raises(KeyFileError):
        create_committee_file(path)


@pytest.mark.parametrize(
    "change", [{"secret": "0x5"}, {"secret": "0x0"}, {"secret": 5}, {"public": ["1", "2"]}, {"public": [None]}]
)
def test_a_committee_file_that_does_not_fit_is_refused(tmp_path, change):
    path = tmp_path / "committee.json"
    create_committee_file(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(KeyFileError):
        read_committee_file(path)


# -------------------------------------------------------------------------------------------------------------- open
def test_an_opening_binds_escrow_and_commitment():
    account = Account.create(DOMAIN, "0x" + "33" * 20, 2, Secret(99), get_preset("mini"), 4)
    opening = build_opening(account, DOMAIN, COMMITTEE.public, key_version=1, deadline=1000)
    public = opening.name_public_signals()
    assert list(public) == [signal.name for signal in get_public_signals("open", account.preset)]
    assert public["commitment"] == account.commitment == opening.message.commitment
    assert opening.message.escrow_hash == opening.escrow.compute_hash(1)
    assert public["context"] == compute_context(compute_digest(DOMAIN, opening.message))
    assert (public["committeeX"], public["committeeY"]) == COMMITTEE.public
    assert COMMITTEE.decrypt((public["ephemeralX"], public["ephemeralY"]), public["escrowedKey"]) == account.key
    assert opening.flatten_public_signals() == list(public.values())
    private = opening.name_private_inputs()
    assert private["key"] == 99 and multiply(BASE8, private["ephemeralScalar"]) == opening.escrow.ephemeral
    assert str(private["ephemeralScalar"]) not in repr(opening)
    with pytest.raises(MessageInvalid):
        build_opening(account, DOMAIN, COMMITTEE.public, key_version=1, deadline=2**40)
