"""States as lists of numbers that are published: in the open (`reveal`) or encrypted under a new key (`rekey`).

The numbers are cash, then the state words. A proof has two public inputs for all of them: rho, a hash that covers them
and the commitment, and their evaluation sum_i number_i rho^i (lemma L9 in docs/protocol.md).
"""

from collections.abc import Sequence

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover.errors import OutOfRange
from zkmargin.prover.ranges import check_private, check_range
from zkmargin.prover.statement.commitment import NONCE_BITS, hash_chain
from zkmargin.prover.statement.packing import pack_state_words, unpack_state_words
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, TAGS, from_field, to_field


def count_numbers(preset: Preset) -> int:
    """How many numbers a state has: cash and the words."""
    return 1 + -(-preset.slots // BITS.positions_per_word)


def list_numbers(state: AccountState, preset: Preset) -> tuple[int, ...]:
    """Cash and state words of a state, as field elements.

    Raises
    ------
    OutOfRange
        If a position is outside [-2^30, 2^30) or the cash outside [-2^80, 2^80).
    """
    cash = check_private("cash", state.cash, BITS.cash)
    return (to_field(cash), *pack_state_words(state.positions, preset))


def read_numbers(numbers: Sequence[int], preset: Preset) -> AccountState:
    """Inverse of `list_numbers`.

    Raises
    ------
    OutOfRange
        If they are no state's; the text does not show them.
    """
    count = count_numbers(preset)
    check_range("number of numbers of a state", len(numbers), count, count + 1)
    cash = check_private("cash", from_field(numbers[0] % FIELD_MODULUS), BITS.cash)
    return AccountState(np.array(unpack_state_words(numbers[1:], preset), dtype=np.int64), cash)


def compute_evaluation(numbers: Sequence[int], rho: int) -> int:
    """sum_i number_i rho^i mod p."""
    value = 0
    for number in reversed(numbers):
        value = (value * rho + number) % FIELD_MODULUS
    return value


def encrypt_checkpoint(state: AccountState, key: Secret, nonce: int, preset: Preset) -> tuple[int, ...]:
    """The state's numbers, each plus a pad of the new key and of the nonce that the state has under it."""
    numbers = list_numbers(state, preset)
    pads = (compute_checkpoint_pad(key, nonce, place) for place in range(len(numbers)))
    return tuple((number + pad) % FIELD_MODULUS for number, pad in zip(numbers, pads, strict=True))


def decrypt_checkpoint(checkpoint: Sequence[int], key: Secret, nonce: int, preset: Preset) -> AccountState:
    """Inverse of `encrypt_checkpoint`.

    Raises
    ------
    OutOfRange
        If what comes out is no state: key, nonce or preset is another one's.
    """
    numbers = [
        (number - compute_checkpoint_pad(key, nonce, place)) % FIELD_MODULUS for place, number in enumerate(checkpoint)
    ]
    try:
        return read_numbers(numbers, preset)
    except OutOfRange as error:
        raise OutOfRange(error.name, 0, error.low, error.high, is_private=True) from None


def compute_checkpoint_pad(key: Secret, nonce: int, place: int) -> int:
    """Poseidon(tag, key, nonce + 2^64 place): no two numbers share a pad, since an owner's nonces stay below 2^64."""
    check_range("nonce", nonce, 0, 1 << NONCE_BITS)
    return hash_chain([TAGS["CHECKPOINT"], key.reveal(), nonce + (place << NONCE_BITS)])
