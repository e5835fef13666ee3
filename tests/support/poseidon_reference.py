"""Poseidon over BN254's scalar field in plain Python, from the paper alone: an oracle for circuit and native prover.

Round constants and matrix come from the Grain LFSR of Grassi et al., "Poseidon", appendix E, with the parameters that
circomlib uses (x^5, 8 full rounds, t = inputs + 1); the rounds are the plain ones, not circomlib's optimised form.
"""

from functools import cache

P = 21888242871839275222246405745257275088548364400416034343698204186575808495617
FULL_ROUNDS = 8
PARTIAL_ROUNDS = (56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68)
"""For 1 to 16 inputs: circomlib's choice, the paper's table 2 rounded up."""
FIELD_BITS = 254


def _grain(width: int, partial_rounds: int):
    """Self-shrinking stream of bits of the 80-bit LFSR."""
    state = [
        int(bit)
        for size, value in ((2, 1), (4, 0), (12, FIELD_BITS), (12, width), (10, FULL_ROUNDS))
        for bit in f"{value:0{size}b}"
    ]
    state += [int(bit) for bit in f"{partial_rounds:010b}"] + [1] * 30

    def step() -> int:
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.pop(0)
        state.append(bit)
        return bit

    for _ in range(160):
        step()
    while True:
        chosen, bit = step(), step()
        if chosen:
            yield bit


def _number(bits) -> int:
    value = 0
    for _ in range(FIELD_BITS):
        value = value << 1 | next(bits)
    return value


@cache
def _parameters(width: int) -> tuple[list[int], list[list[int]]]:
    partial_rounds = PARTIAL_ROUNDS[width - 2]
    bits = _grain(width, partial_rounds)
    constants: list[int] = []
    while len(constants) < width * (FULL_ROUNDS + partial_rounds):
        value = _number(bits)
        if value < P:
            constants.append(value)
    points = [_number(bits) % P for _ in range(2 * width)]
    assert len(set(points)) == 2 * width
    matrix = [[pow(points[row] + points[width + column], -1, P) for column in range(width)] for row in range(width)]
    return constants, matrix


def poseidon(inputs: list[int]) -> int:
    """Hash of 1 to 16 integers, taken mod p; circomlib's `Poseidon(n)`: the first element of the final state."""
    width = len(inputs) + 1
    constants, matrix = _parameters(width)
    partial_rounds = PARTIAL_ROUNDS[width - 2]
    state = [0, *(value % P for value in inputs)]
    for number in range(FULL_ROUNDS + partial_rounds):
        state = [(value + constants[number * width + place]) % P for place, value in enumerate(state)]
        is_full = not FULL_ROUNDS // 2 <= number < FULL_ROUNDS // 2 + partial_rounds
        state = [pow(value, 5, P) if is_full or place == 0 else value for place, value in enumerate(state)]
        state = [sum(factor * value for factor, value in zip(row, state, strict=True)) % P for row in matrix]
    return state[0]
