"""Digest, commitment, trade tag and pad, against Poseidon written out by hand, and their edges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.account import AccountState
from zkmargin.engine.presets import get_preset
from zkmargin.prover._native import poseidon, state_digest
from zkmargin.prover.errors import OutOfRange, StatementError
from zkmargin.prover.statement.commitment import (
    Trade,
    compute_commitment,
    compute_pad,
    compute_state_digest,
    compute_trade_tag,
    decrypt_word,
    empty_state,
    encrypt_word,
    hash_chain,
    make_trade,
)
from zkmargin.prover.statement.packing import TradeTerms, pack_state_words
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS

MINI, STANDARD = get_preset("mini"), get_preset("standard")
KEY = Secret(FIELD_MODULUS - 2)
TERMS = TradeTerms(((1, 5), (2, -7)), -123)


def test_hash_chain_takes_sixteen_then_fifteen_at_a_time():
    values = list(range(1, 48))
    assert hash_chain(values[:1]) == poseidon([1])
    assert hash_chain(values[:16]) == poseidon(values[:16])
    first = poseidon(values[:16])
    assert hash_chain(values[:17]) == poseidon([first, 17])
    second = poseidon([first, *values[16:31]])
    assert hash_chain(values[:31]) == second
    assert hash_chain(values) == poseidon([poseidon([second, *values[31:46]]), 47])


@pytest.mark.parametrize("wrong", [-1, FIELD_MODULUS, FIELD_MODULUS + 5])
def test_hash_inputs_must_be_field_elements(wrong):
    hash_chain([0, 1, FIELD_MODULUS - 1])
    with pytest.raises(StatementError) as caught:
        hash_chain([0, wrong])
    assert str(wrong) not in str(caught.value)
    with pytest.raises(OutOfRange):
        hash_chain([])


def test_state_digest_is_the_chain_over_tag_cash_and_words():
    state = AccountState(list(range(-8, 8)), -5)
    words = pack_state_words(state.positions, MINI)
    assert compute_state_digest(state, MINI) == poseidon([TAGS["STATE"], FIELD_MODULUS - 5, *words])
    native = state_digest(TAGS["STATE"], -5, state.positions.astype("<i8").tobytes())
    assert native == compute_state_digest(state, MINI)
    wide = AccountState([0] * 256, 0)
    assert compute_state_digest(wide, STANDARD) == hash_chain(
        [TAGS["STATE"], 0, *pack_state_words([0] * 256, STANDARD)]
    )


@given(st.integers(0, 15), st.integers(1, 2**30 - 1))
def test_every_slot_and_the_cash_move_the_digest(slot, lots):
    positions = [0] * 16
    positions[slot] = lots
    empty = compute_state_digest(empty_state(MINI), MINI)
    assert compute_state_digest(AccountState(positions, 0), MINI) != empty
    assert compute_state_digest(AccountState([0] * 16, lots), MINI) != empty


@pytest.mark.parametrize("cash", [-(2**80), -1, 0, 1, 2**80 - 1])
def test_cash_edges_are_hashed(cash):
    compute_state_digest(AccountState([0] * 16, cash), MINI)


@pytest.mark.parametrize("cash", [-(2**80) - 1, 2**80])
def test_cash_just_outside_is_refused(cash):
    state = empty_state(MINI)
    object.__setattr__(state, "cash", cash)
    with pytest.raises(OutOfRange) as caught:
        compute_state_digest(state, MINI)
    assert (caught.value.value, caught.value.low, caught.value.high) == (cash, -(2**80), 2**80 - 1)


def test_commitment_and_its_nonce():
    assert compute_commitment(KEY, 3, 9) == poseidon([TAGS["COMMITMENT"], KEY.reveal(), 3, 9])
    assert compute_commitment(KEY, 4, 9) != compute_commitment(KEY, 3, 9)
    for wrong in (-1, 2**64):
        with pytest.raises(OutOfRange):
            compute_commitment(KEY, wrong, 9)


def test_trade_tag_and_salt():
    trade = Trade(TERMS, Secret(77))
    assert trade.compute_tag(MINI) == poseidon([TAGS["TRADE"], trade.compute_word(MINI), 77])
    assert compute_trade_tag(5, Secret(0)) == poseidon([TAGS["TRADE"], 5, 0])
    assert make_trade(TERMS).salt != make_trade(TERMS).salt


def test_pad_depends_on_key_nonce_and_tag():
    pads = {compute_pad(Secret(k), n, t) for k in (1, 2) for n in (0, 1) for t in (0, 1)}
    assert len(pads) == 8
    assert compute_pad(Secret(1), 0, 1) == poseidon([TAGS["PAD"], 1, 0, 1])


@given(
    st.lists(st.tuples(st.integers(0, 15), st.integers(-(2**28), 2**28 - 1)), max_size=4),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, FIELD_MODULUS - 1),
    st.integers(0, 2**64 - 1),
)
def test_the_owner_decrypts_what_was_encrypted(legs, cash, key, nonce):
    trade = Trade(TradeTerms(tuple(legs), cash), Secret(1))
    tag = trade.compute_tag(MINI)
    ciphertext = encrypt_word(trade.compute_word(MINI), Secret(key), nonce, tag)
    assert 0 <= ciphertext < FIELD_MODULUS
    terms = decrypt_word(ciphertext, Secret(key), nonce, tag, MINI)
    assert (terms.get_net_legs(), terms.cash_usd6) == (trade.terms.get_net_legs(), cash)


@pytest.mark.parametrize("key, nonce, tag", [(2, 0, 0), (1, 1, 0), (1, 0, 1)])
def test_another_key_nonce_or_tag_does_not_decrypt(key, nonce, tag):
    word = Trade(TERMS, Secret(1)).compute_word(MINI)
    with pytest.raises(OutOfRange) as caught:
        decrypt_word(encrypt_word(word, Secret(1), 0, 0), Secret(key), nonce, tag, MINI)
    assert str(word) not in str(caught.value)


def test_a_trade_shows_neither_terms_nor_salt():
    text = repr(Trade(TradeTerms(((3, 4242),), 4242), Secret(4242))) + str(Trade(TERMS, Secret(4242)))
    assert "4242" not in text
