"""Disclosure: accepted for the account on chain, refused with one thing wrong. Real proofs at `mini`."""

from dataclasses import replace

import pytest

from tests.support.proving import get_stated_prover, make_market_epoch
from tests.support.scenes import DOMAIN, MINI, make_account, make_facts, make_session
from zkmargin.engine.margin.claims import PositionClaim
from zkmargin.prover.attestation import AttestationRequest, ProvenAttestation
from zkmargin.prover.disclosure import ProvenState, build_claim, disclose_state, verify_claim, verify_state
from zkmargin.prover.errors import AttestationRefused, PolicyNotMet
from zkmargin.prover.messages.signed import read_record, write_record
from zkmargin.prover.statement.signals import FIELD_MODULUS

RECIPIENT, CHALLENGE, NOW = "0x" + "44" * 20, b"\x09" * 32, 1000
ACCOUNT = make_account(lots={1: 40, 9: -5}, cash=10**12 + 987_654_321)
EXACT = PositionClaim("BTC-PERPETUAL", 40, 40)


def prove(prover, epoch, claim=EXACT):
    session = make_session(epoch, NOW + 60)
    transition = build_claim(session, ACCOUNT, epoch, claim, RECIPIENT, CHALLENGE)
    return ProvenAttestation(message=transition.message, proof=prover.prove(transition).to_bytes())


@pytest.fixture(scope="module")
def shown(epoch, prover):
    return prove(prover, epoch)


@pytest.mark.property("P-320")
def test_a_claim_is_accepted_for_what_it_says_alone(shown, epoch, prover):
    chain, asked = make_facts(ACCOUNT, epoch, prover, NOW), AttestationRequest(ACCOUNT.id, "", RECIPIENT, CHALLENGE)
    travelled = read_record(write_record(shown), ProvenAttestation)
    verify_claim(travelled, asked, EXACT, epoch, chain)
    for wrong in (
        replace(EXACT, least=39),
        replace(EXACT, least=39, most=39),
        replace(EXACT, instrument="ETH-PERPETUAL"),
    ):
        with pytest.raises(AttestationRefused, match="does not verify"):
            verify_claim(shown, asked, wrong, epoch, chain)
    with pytest.raises(AttestationRefused, match="challenge"):
        verify_claim(shown, replace(asked, challenge=bytes(32)), EXACT, epoch, chain)
    with pytest.raises(AttestationRefused, match="commitment"):
        verify_claim(shown, asked, EXACT, epoch, replace(chain, commitment=5))
    with pytest.raises(AttestationRefused, match="not the one that the publishers signed"):
        verify_claim(shown, asked, EXACT, epoch, replace(chain, policy_hash=bytes(32)))
    other = make_market_epoch(epoch.number + 1)
    with pytest.raises(AttestationRefused, match="not the one that the publishers signed"):
        verify_claim(shown, asked, EXACT, other, chain)


@pytest.mark.property("P-320")
def test_an_untrue_claim_is_refused_before_it_is_proved(epoch):
    with pytest.raises(PolicyNotMet):
        build_claim(make_session(epoch), ACCOUNT, epoch, replace(EXACT, least=41, most=41), RECIPIENT, CHALLENGE)


@pytest.mark.property("P-320")
def test_a_claim_shows_no_other_position(shown):
    text = write_record(shown)
    assert str(ACCOUNT.key.reveal()) not in text and str(ACCOUNT.state.cash) not in text


@pytest.mark.property("P-321")
def test_the_whole_state_is_the_commitments_and_has_one_reading(epoch, prover):
    revealing = get_stated_prover("reveal", MINI)
    state = disclose_state(revealing, ACCOUNT, DOMAIN, 1)
    chain = make_facts(ACCOUNT, epoch, prover, NOW)
    read = verify_state(read_record(write_record(state), ProvenState), ACCOUNT.id, revealing, chain)
    assert (read.cash, read.positions.tolist()) == (ACCOUNT.state.cash, ACCOUNT.state.positions.tolist())
    assert str(ACCOUNT.key.reveal()) not in write_record(state)

    def refuse(reason, facts=None, account=ACCOUNT.id, **message):
        given = state.model_copy(update={"message": state.message.model_copy(update=message)})
        with pytest.raises(AttestationRefused, match=reason):
            verify_state(given, account, revealing, replace(chain, **(facts or {})))

    words = state.message.words
    refuse("does not verify", cash=state.message.cash + 1)
    refuse("does not verify", words=(words[0] + 1, *words[1:]))
    refuse("out of range", words=(words[0] + FIELD_MODULUS, *words[1:]))
    refuse("out of range", words=words[:-1])
    refuse("not what the chain has", account=b"\1" * 32)
    refuse("not what the chain has", {"commitment": 5})
    refuse("not what the chain has", {"generation": 1, "epoch_generation": 1})
    refuse("epoch of generation 1", {"epoch_generation": 1})
    refuse("not what the chain has", {"key_version": 2})
    refuse("not active", {"is_active": False})
    refuse("not active", {"is_key_live": False})
