"""Inputs of `reveal` and `rekey` in plain integers, honest but for what a test changes."""

from tests.support.babyjub_reference import BASE8, L, multiply
from tests.support.circuit_reference import P, commit, pack_positions, tag
from tests.support.poseidon_reference import poseidon

COMMITTEE = multiply(123456789, BASE8)
KEY, KEY_NEW, NONCE, RHO, SCALAR = 2**250 + 3, 2**249 + 5, 41, 2**247 + 9, L // 3
POSITIONS = [5, -(2**30), 2**30 - 1, 0, -7, *range(11)]
CASH = -(2**70)


def evaluate(numbers: list[int], rho: int) -> int:
    return sum(number * pow(rho, place, P) for place, number in enumerate(numbers)) % P


def make_reveal(positions=POSITIONS, cash=CASH, key=KEY, nonce=NONCE, published=None, **others) -> dict:
    """Inputs of `reveal`; `published` are other numbers than those that the account holds."""
    words = pack_positions(positions)
    return {
        "commitment": commit(key, nonce, positions, cash), "rho": RHO,
        "evaluation": evaluate(published or [cash, *words], RHO),
        "key": key, "nonce": nonce, "cash": cash, "word": words,
    } | others  # fmt: skip


def encrypt(numbers: list[int], key: int, nonce: int) -> list[int]:
    """The checkpoint of a state."""
    pads = (poseidon([tag("CHECKPOINT"), key, nonce + (place << 64)]) for place in range(len(numbers)))
    return [(number + pad) % P for number, pad in zip(numbers, pads, strict=True)]


def make_rekey(positions=POSITIONS, cash=CASH, key=KEY, key_new=KEY_NEW, nonce=NONCE, scalar=SCALAR, **others) -> dict:
    """Inputs of `rekey`."""
    words = pack_positions(positions)
    ephemeral, shared = multiply(scalar, BASE8), multiply(scalar, COMMITTEE)
    return {
        "commitmentOld": commit(key, nonce, positions, cash),
        "commitmentNew": commit(key_new, nonce + 1, positions, cash),
        "ephemeralX": ephemeral[0], "ephemeralY": ephemeral[1],
        "escrowedKey": (key_new + poseidon([tag("ESCROW"), *shared])) % P,
        "committeeX": COMMITTEE[0], "committeeY": COMMITTEE[1], "rho": RHO,
        "evaluation": evaluate(encrypt([cash, *words], key_new, nonce + 1), RHO),
        "keyOld": key, "keyNew": key_new, "nonce": nonce, "cash": cash, "word": words, "ephemeralScalar": scalar,
    } | others  # fmt: skip
