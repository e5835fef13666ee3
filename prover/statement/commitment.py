"""Hashes of the statement: state digest, commitment, trade tag, and the pad that lets an owner rebuild the account.

All are circomlib's Poseidon over BN254's scalar field, each under its own domain tag; signed numbers enter as v mod p.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover._native import poseidon_chain, random_element
from zkmargin.prover.errors import StatementError
from zkmargin.prover.ranges import check_private, check_range, require_integer
from zkmargin.prover.statement.packing import TradeTerms, pack_state_words, pack_trade, unpack_trade
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS, to_field

NONCE_BITS = 64
"""A nonce counts written transitions; the circuit takes any field element, we stop where no account gets."""


def hash_chain(inputs: Sequence[int]) -> int:
    """Poseidon over any number of inputs: the first min(16, n), then (accumulator, next up to 15) until none is left.

    Raises
    ------
    OutOfRange
        If there is no input.
    StatementError
        If an input is not a field element.
    """
    check_range("number of hash inputs", len(inputs), 1, 1 << 16)
    elements = [require_integer(f"hash input {place}", value) for place, value in enumerate(inputs)]
    for place, value in enumerate(elements):
        if not 0 <= value < FIELD_MODULUS:
            raise StatementError(f"hash input {place} is not in [0, p); it may be a secret and is not shown")
    return poseidon_chain(elements)


def empty_state(preset: Preset) -> AccountState:
    """No positions, no cash: the state of every account at open."""
    return AccountState(np.zeros(preset.slots, dtype=np.int64), 0)


def compute_state_digest(state: AccountState, preset: Preset) -> int:
    """D: the chain over (tag, cash, state words).

    Raises
    ------
    OutOfRange
        If a position is outside [-2^30, 2^30) or the cash outside [-2^80, 2^80).
    """
    cash = check_private("cash", state.cash, BITS.cash)
    return hash_chain([TAGS["STATE"], to_field(cash), *pack_state_words(state.positions, preset)])


def compute_commitment(key: Secret, nonce: int, digest: int) -> int:
    """C = Poseidon(tag, key, nonce, D)."""
    check_range("nonce", nonce, 0, 1 << NONCE_BITS)
    return hash_chain([TAGS["COMMITMENT"], key.reveal(), nonce, digest])


@dataclass(frozen=True, slots=True)
class Trade:
    """Terms and salt: what both parties know and the chain does not."""

    terms: TradeTerms = field(repr=False)
    """As the party with side +1 sees them."""
    salt: Secret
    """Random field element, chosen by the maker; it hides the word in the trade tag."""

    def compute_word(self, preset: Preset) -> int:
        """The packed word; OutOfRange if a slot is not the preset's."""
        return pack_trade(self.terms, preset)

    def compute_tag(self, preset: Preset) -> int:
        """T = Poseidon(tag, word, salt), the same for both parties."""
        return compute_trade_tag(self.compute_word(preset), self.salt)


def make_trade(terms: TradeTerms) -> Trade:
    """The terms under a fresh random salt."""
    return Trade(terms, Secret(random_element()))


def compute_trade_tag(word: int, salt: Secret) -> int:
    """T = Poseidon(tag, word, salt)."""
    return hash_chain([TAGS["TRADE"], word, salt.reveal()])


def compute_pad(key: Secret, nonce: int, trade_tag: int) -> int:
    """Poseidon(tag, key, nonce, T), with the nonce before the transition; never used for two words (lemma L6)."""
    check_range("nonce", nonce, 0, 1 << NONCE_BITS)
    return hash_chain([TAGS["PAD"], key.reveal(), nonce, trade_tag])


def encrypt_word(word: int, key: Secret, nonce: int, trade_tag: int) -> int:
    """The ciphertext of a trade: word + pad mod p."""
    return (word + compute_pad(key, nonce, trade_tag)) % FIELD_MODULUS


def decrypt_word(ciphertext: int, key: Secret, nonce: int, trade_tag: int, preset: Preset) -> TradeTerms:
    """The terms of a trade from its event.

    Raises
    ------
    OutOfRange
        If what comes out is no trade word: the key, the nonce or the tag is another one's. The text does not show it.
    """
    return unpack_trade((ciphertext - compute_pad(key, nonce, trade_tag)) % FIELD_MODULUS, preset)
