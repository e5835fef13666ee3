"""Off-chain attestation: accepted as asked for, refused with one thing wrong. Real proofs at `mini`."""

from dataclasses import replace

import pytest
from eth_utils import keccak

from tests.support.scenes import DOMAIN, MINI, make_account, make_facts, make_session
from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.epoch.record import read_policies
from zkmargin.engine.house import House
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.presets import NO_SPLIT
from zkmargin.prover.attestation import (
    AttestationRequest,
    ProvenAttestation,
    build_attestation,
    verify_attestation,
)
from zkmargin.prover.errors import (
    ActionNotAllowed,
    AttestationRefused,
    GenerationMismatch,
    MessageInvalid,
    NotInField,
    PointRefused,
    PolicyNotMet,
)
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.signed import read_record, write_record
from zkmargin.prover.messages.typed_data import Domain

RECIPIENT, CHALLENGE, NOW = "0x" + "44" * 20, b"\x09" * 32, 1000
ACCOUNT = make_account(lots={1: 40, 9: -5}, cash=10**12 + 987_654_321)


@pytest.fixture(scope="module")
def attestation(epoch, prover):
    return prove(prover, epoch)


REQUEST = AttestationRequest(ACCOUNT.id, "net_delta", RECIPIENT, CHALLENGE)


def prove(prover, epoch, account=ACCOUNT, valid_until=NOW + 60):
    transition = build_attestation(make_session(epoch, valid_until), account, replace(REQUEST, account=account.id))
    return ProvenAttestation(message=transition.message, proof=prover.prove(transition).to_bytes())


def verify(attestation, epoch, prover, facts=None, **changes):
    chain = make_facts(ACCOUNT, epoch, prover, NOW)
    verify_attestation(attestation, replace(REQUEST, **changes), replace(chain, **(facts or {})))


def test_it_is_accepted_after_travelling_as_json(attestation, epoch, prover):
    verify(read_record(write_record(attestation), ProvenAttestation), epoch, prover)
    verify(attestation, epoch, prover, {"time": NOW + 60})


def test_it_shows_no_position(attestation):
    text = write_record(attestation)
    message = attestation.message.to_json_dict()
    assert {"policy", "epoch", "commitmentOld"} < set(message) and len(message) == 9
    assert str(ACCOUNT.key.reveal()) not in text and str(ACCOUNT.state.cash) not in text


@pytest.mark.property("P-59")
@pytest.mark.parametrize(
    "facts, changes, reason",
    [
        ({}, {"challenge": b"\x08" * 32}, "challenge"),
        ({}, {"recipient": "0x" + "45" * 20}, "recipient"),
        ({}, {"policy": "maintenance"}, "policy"),
        ({}, {"account": b"\1" * 32}, "account"),
        ({"time": NOW + 61}, {}, "valid until"),
        ({"is_active": False}, {}, "not active on chain"),
        ({"is_key_live": False}, {}, "key version 1 is not live"),
        ({"commitment": 5}, {}, "commitment_old"),
        ({"epoch": 8}, {}, "epoch is"),
        ({"key_version": 2}, {}, "key_version"),
        ({"generation": 1}, {}, "generation"),
        ({"epoch_generation": 1}, {}, "epoch of generation 1"),
        ({"policy_hash": b"\1" * 32}, {}, "not those that the epoch signed"),
        ({"domain": Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle)}, {}, "does not verify"),
        ({"domain": Domain(31337, "0x" + "77" * 20, DOMAIN.risk_oracle)}, {}, "does not verify"),
    ],
)
def test_one_thing_that_is_not_as_asked(attestation, epoch, prover, facts, changes, reason):
    with pytest.raises(AttestationRefused) as caught:
        verify(attestation, epoch, prover, facts, **changes)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "field, value", [("valid_until", NOW + 61), ("challenge", b"\x08" * 32), ("recipient", "0x" + "45" * 20)]
)
def test_a_message_changed_after_proving_does_not_verify(attestation, epoch, prover, field, value):
    changed = attestation.model_copy(update={"message": attestation.message.model_copy(update={field: value})})
    asked = {field: value} if field != "valid_until" else {}
    with pytest.raises(AttestationRefused) as caught:
        verify(changed, epoch, prover, **asked)
    assert "does not verify" in str(caught.value)


def test_policies_of_another_preset_are_malformed(attestation, epoch, prover):
    data = House(load_snapshot("deribit_2026-08-22")).epoch(number=1).policy_bytes
    with pytest.raises(AttestationRefused, match="malformed"):
        verify(attestation, epoch, prover, {"policy_bytes": data, "policy_hash": keccak(data)})


def test_a_policy_made_easier_is_noticed(attestation, epoch, prover):
    easier = replace(
        read_policies(epoch.policy_bytes, NO_SPLIT)["net_delta"],
        constants=tuple(b + 10**12 if b else 0 for b in epoch.policies["net_delta"].constants),
    )
    data = epoch.policy_bytes.replace(epoch.policies["net_delta"].to_bytes(), easier.to_bytes())
    assert data != epoch.policy_bytes
    with pytest.raises(AttestationRefused) as caught:
        verify(attestation, epoch, prover, {"policy_bytes": data})
    assert "not those that the epoch signed" in str(caught.value)
    with pytest.raises(AttestationRefused) as caught:
        verify(attestation, epoch, prover, {"policy_hash": keccak(data), "policy_bytes": data})
    assert "does not verify" in str(caught.value)


def test_policy_data_that_are_malformed_or_lack_the_policy(epoch, prover):
    attestation = prove(prover, epoch)
    data = epoch.policy_bytes[:-1]
    with pytest.raises(AttestationRefused) as caught:
        verify(attestation, epoch, prover, {"policy_hash": keccak(data), "policy_bytes": data})
    assert "malformed" in str(caught.value)
    unknown = attestation.model_copy(
        update={"message": attestation.message.model_copy(update={"policy": encode_policy_name("vega")})}
    )
    with pytest.raises(AttestationRefused) as caught:
        verify(unknown, epoch, prover, policy="vega")
    assert "no policy 'vega'" in str(caught.value)


@pytest.mark.property("P-59")
def test_a_proof_for_another_account_or_a_changed_one(epoch, prover, attestation):
    other = prove(prover, epoch, make_account(lots={1: 1}, cash=10**12, index=1))
    with pytest.raises(AttestationRefused):
        verify(other, epoch, prover)
    swapped = attestation.model_copy(update={"proof": other.proof})
    with pytest.raises(AttestationRefused) as caught:
        verify(swapped, epoch, prover)
    assert "does not verify" in str(caught.value)
    with pytest.raises((PointRefused, NotInField)):
        verify(attestation.model_copy(update={"proof": b"\1" * 256}), epoch, prover)
    with pytest.raises(MessageInvalid):
        ProvenAttestation(message=attestation.message, proof=bytes(255))


def test_the_owner_is_refused_before_proving(epoch):
    session = make_session(epoch, NOW)
    heavy = make_account(lots={1: 10**6}, cash=10**13)
    with pytest.raises(PolicyNotMet):
        build_attestation(session, heavy, replace(REQUEST, account=heavy.id))
    for name in ("flat", "none", "vega"):
        with pytest.raises(ActionNotAllowed):
            build_attestation(session, ACCOUNT, replace(REQUEST, policy=name))
    for account in (make_account(generation=1), make_account(generation=2)):
        with pytest.raises(GenerationMismatch):
            build_attestation(session, account, replace(REQUEST, account=account.id))
    with pytest.raises(ActionNotAllowed, match="is asked for"):
        build_attestation(session, ACCOUNT, replace(REQUEST, account=b"\1" * 32))
    assert epoch.settlement == identity_expiry_step(MINI)


def test_challenges_are_fresh():
    first, second = (AttestationRequest.create(ACCOUNT.id, "net_delta", RECIPIENT) for _ in range(2))
    assert first.challenge != second.challenge and len(first.challenge) == 32
