"""Revelations and rekeyings: their proofs, what they are bound to, and recovery across a rekey."""

from dataclasses import replace

import pytest

from tests.support.proving import get_stated_prover
from tests.support.scenes import ALICE, DOMAIN, MINI, RECIPIENT, get_key, make_account
from zkmargin.prover._native import FieldVector
from zkmargin.prover.account.account import derive_key
from zkmargin.prover.account.escrow import CommitteeKey
from zkmargin.prover.account.recovery import (
    Opened,
    Rekeyed,
    Skipped,
    Transitioned,
    recover_account,
    recover_accounts,
    trace_period,
)
from zkmargin.prover.actions.rekeying import build_rekeying
from zkmargin.prover.actions.revelation import build_revelation
from zkmargin.prover.errors import OutOfRange, ProofRejected, RecoveryError, WitnessError
from zkmargin.prover.groth16.proof import verify_native
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.statement.checkpoint import (
    compute_evaluation,
    count_numbers,
    decrypt_checkpoint,
    encrypt_checkpoint,
    list_numbers,
    read_numbers,
)
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

COMMITTEE = CommitteeKey(Secret(123456789))
NEW_KEY = Secret(2**200 + 17)
ACCOUNT = make_account(lots={2: 70, 5: -3, 15: 2**30 - 1}, cash=-5 * 10**9)


def make_rekeying(account=ACCOUNT, key=NEW_KEY, **others):
    return build_rekeying(account, key, DOMAIN, COMMITTEE.public, 1, 9, **others)


# ---------------------------------------------------------------------------------------------------------- checkpoint
def test_numbers_are_those_of_the_state_and_back():
    numbers = list_numbers(ACCOUNT.state, MINI)
    assert len(numbers) == count_numbers(MINI) == 4
    assert numbers[0] == FIELD_MODULUS - 5 * 10**9
    assert read_numbers(numbers, MINI) == ACCOUNT.state


@pytest.mark.parametrize("place", range(4))
def test_numbers_that_are_no_states_are_refused_without_being_shown(place):
    numbers = list(list_numbers(ACCOUNT.state, MINI))
    numbers[place] = 2**240 + 12345
    with pytest.raises(OutOfRange) as refused:
        read_numbers(numbers, MINI)
    assert str(numbers[place]) not in str(refused.value)


@pytest.mark.property("P-264")
def test_a_checkpoint_opens_under_its_key_and_nonce_alone():
    checkpoint = encrypt_checkpoint(ACCOUNT.state, NEW_KEY, 7, MINI)
    assert decrypt_checkpoint(checkpoint, NEW_KEY, 7, MINI) == ACCOUNT.state
    for key, nonce in ((NEW_KEY, 8), (Secret(1), 7)):
        with pytest.raises(OutOfRange):
            decrypt_checkpoint(checkpoint, key, nonce, MINI)


def test_an_evaluation_is_the_polynomial_at_rho():
    assert compute_evaluation([5, 7, 11], 10) == 5 + 70 + 1100
    assert compute_evaluation([5, 7], FIELD_MODULUS - 1) == FIELD_MODULUS - 2


# --------------------------------------------------------------------------------------------------------- revelations
@pytest.mark.property("P-260")
def test_a_revelation_is_proved_and_shows_the_state():
    revelation = build_revelation(ACCOUNT, DOMAIN, 1)
    prover = get_stated_prover("reveal", MINI)
    proof = prover.prove(revelation)
    assert prover.verify(proof, revelation.name_public_signals())
    words = revelation.message.words
    assert read_numbers([revelation.message.cash, *words], MINI) == ACCOUNT.state


@pytest.mark.property("P-260")
def test_a_proof_of_one_revelation_verifies_for_no_other():
    revelation = build_revelation(ACCOUNT, DOMAIN, 1)
    prover = get_stated_prover("reveal", MINI)
    proof, public = prover.prove(revelation), revelation.flatten_public_signals()
    assert verify_native(prover.verifying_key, proof, FieldVector.from_canonical(public))
    for other in (build_revelation(ACCOUNT, DOMAIN, 2), build_revelation(make_account(lots={2: 71}), DOMAIN, 1)):
        assert not prover.verify(proof, other.name_public_signals())


@pytest.mark.property("P-260")
def test_a_revelation_of_another_state_has_no_proof():
    honest = build_revelation(ACCOUNT, DOMAIN, 1)
    lie = replace(honest, account=make_account(lots={2: 71}, cash=1))
    with pytest.raises((WitnessError, ProofRejected)):
        get_stated_prover("reveal", MINI).prove(lie)


# ---------------------------------------------------------------------------------------------------------- rekeyings
@pytest.mark.property("P-262", "P-263")
def test_a_rekeying_is_proved_and_the_committee_reads_the_new_key():
    rekeying = make_rekeying()
    prover = get_stated_prover("rekey", MINI)
    assert prover.verify(prover.prove(rekeying), rekeying.name_public_signals())
    assert COMMITTEE.decrypt(rekeying.escrow.ephemeral, rekeying.escrow.escrowed_key) == NEW_KEY
    assert rekeying.after.state == ACCOUNT.state and rekeying.after.nonce == ACCOUNT.nonce + 1
    assert rekeying.after.commitment == rekeying.message.commitment_new != ACCOUNT.commitment


@pytest.mark.property("P-262")
def test_a_rekeying_to_another_state_has_no_proof():
    rekeying = make_rekeying()
    richer = replace(rekeying.after, state=make_account(lots={2: 70}, cash=10**12).state)
    lie = replace(rekeying, message=rekeying.message.model_copy(update={"commitment_new": richer.commitment}))
    with pytest.raises((WitnessError, ProofRejected)):
        get_stated_prover("rekey", MINI).prove(lie)


def test_the_message_binds_submitter_checkpoint_and_escrow():
    rekeying = make_rekeying()
    digests = {make_rekeying(submitter=RECIPIENT).digest, make_rekeying(key=Secret(5)).digest, rekeying.digest}
    assert len(digests) == 3
    assert rekeying.message.escrow_hash == rekeying.escrow.compute_hash(1)


# ----------------------------------------------------------------------------------------------------------- recovery
def make_history():
    """Opened; two events under the first key, one of them unreadable under the second; a rekey; a deposit after it."""
    key = derive_key(ALICE, DOMAIN, ACCOUNT.id, 1)
    start = replace(ACCOUNT, nonce=2, generation=0)
    rekeying = make_rekeying(start, key)
    after = rekeying.after.advance(replace(start.state, cash=start.state.cash + 9), 0)
    first = make_account()
    opened = replace(first, nonce=0)
    events = [
        Opened(ACCOUNT.id, ACCOUNT.auth, ACCOUNT.index, 0, opened.commitment),
        Transitioned(ActionKind.DEPOSIT, ACCOUNT.id, 0, 5, cash_flow=1),
        Transitioned(ActionKind.TRADE, ACCOUNT.id, 0, 6, trade_tag=4, ciphertext=77, side=1),
        Rekeyed(ACCOUNT.id, rekeying.message.commitment_new, rekeying.message.checkpoint),
        Transitioned(ActionKind.DEPOSIT, ACCOUNT.id, 0, after.commitment, cash_flow=9),
    ]
    return events, after


@pytest.mark.property("P-264")
def test_an_account_is_recovered_from_its_checkpoint_by_wallet_alone():
    events, after = make_history()
    recovery = recover_accounts(ALICE, DOMAIN, MINI, events, {})
    assert recovery.failures == () and recovery.accounts == (after,)


def test_the_first_key_opens_nothing_after_a_rekey():
    events, _ = make_history()
    with pytest.raises(RecoveryError, match=r"event 3 \(Rekeyed\): the checkpoint does not decrypt"):
        recover_account(ACCOUNT.id, events, DOMAIN, MINI, {}, get_key(ALICE))


def test_events_that_do_not_fit_a_rekey_are_named():
    events, after = make_history()
    wrong = [*events[:3], replace(events[3], commitment_new=1), events[4]]
    with pytest.raises(RecoveryError, match=r"event 3 \(Rekeyed\): gives commitment"):
        recover_account(ACCOUNT.id, wrong, DOMAIN, MINI, {}, after.key)
    with pytest.raises(RecoveryError, match=r"event 0 \(Skipped\): comes before the account was opened"):
        recover_account(ACCOUNT.id, [Skipped(ACCOUNT.id, 0), *events[3:]], DOMAIN, MINI, {}, after.key)


@pytest.mark.property("P-381")
def test_a_key_opens_its_own_period_and_no_other():
    """What an owner gives away with an old key: each state from the opening to the rekey; the new one the rest."""
    first, second = get_key(ALICE), derive_key(ALICE, DOMAIN, ACCOUNT.id, 1)
    opened = replace(make_account(), nonce=0, generation=0, key=first)
    paid = opened.advance(replace(opened.state, cash=opened.state.cash + 7), 0)
    rekeying = make_rekeying(paid, second)
    later = rekeying.after.advance(replace(paid.state, cash=paid.state.cash + 9), 0)
    events = [
        Opened(ACCOUNT.id, ACCOUNT.auth, ACCOUNT.index, 0, opened.commitment),
        Transitioned(ActionKind.DEPOSIT, ACCOUNT.id, 0, paid.commitment, cash_flow=7),
        Transitioned(ActionKind.ATTEST, ACCOUNT.id, 0, paid.commitment),
        Rekeyed(ACCOUNT.id, rekeying.message.commitment_new, rekeying.message.checkpoint),
        Transitioned(ActionKind.DEPOSIT, ACCOUNT.id, 0, later.commitment, cash_flow=9),
    ]

    def trace(key, number):
        return list(trace_period(ACCOUNT.id, events, DOMAIN, MINI, {}, key, number))

    assert trace(first, 0) == [(events[0], opened), (events[1], paid)]
    assert trace(second, 1) == [(events[3], rekeying.after), (events[4], later)]
    with pytest.raises(RecoveryError, match="does not open the first commitment"):
        trace(second, 0)
    with pytest.raises(RecoveryError, match="does not decrypt to a state"):
        trace(first, 1)
    for number in (-1, 2):
        with pytest.raises(OutOfRange, match="period of the account"):
            trace(first, number)
