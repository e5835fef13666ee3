"""Poseidon's parameters against circomlib's tables, and the state digest."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.support.scenes import MINI
from zkmargin.prover import _native
from zkmargin.prover.errors import NotInField, OutOfRange
from zkmargin.prover.statement.packing import pack_state_words
from zkmargin.prover.statement.signals import FIELD_MODULUS as P
from zkmargin.prover.statement.signals import TAGS

TABLES = Path(__file__).parents[3] / "node_modules/circomlib/circuits/poseidon_constants.circom"
PARTIAL_ROUNDS = (56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68)


@cache
def read_table(name: str, t: int) -> list:
    """Branch `t` of the circom function that holds a table, as nested lists."""
    text = TABLES.read_text()
    body = text[text.index(f"function {name}(") :]
    branch = body[re.search(rf"\(t\s*==\s*{t}\)", body).end() :]
    start = branch.index("[")
    depth, end = 0, start
    while True:
        depth += {"[": 1, "]": -1}.get(branch[end], 0)
        end += 1
        if depth == 0:
            break
    return eval(branch[start:end], {"__builtins__": {}})  # digits, commas and brackets of a pinned package


def circomlib_poseidon(inputs: list[int]) -> int:
    """circomlib's `PoseidonEx` line by line, with its own optimised tables."""
    t = len(inputs) + 1
    c, s, m, p = (read_table(f"POSEIDON_{name}", t) for name in "CSMP")
    full, partial = 8, PARTIAL_ROUNDS[t - 2]

    def mix(matrix, state):
        return [sum(matrix[j][i] * state[j] for j in range(t)) % P for i in range(t)]

    state = [(x + k) % P for x, k in zip([0, *inputs], c, strict=False)]
    for r in range(1, full // 2):
        state = mix(m, [(pow(x, 5, P) + c[t * r + j]) % P for j, x in enumerate(state)])
    state = mix(p, [(pow(x, 5, P) + c[t * (full // 2) + j]) % P for j, x in enumerate(state)])
    for r in range(partial):
        head = (pow(state[0], 5, P) + c[(full // 2 + 1) * t + r]) % P
        row, base = [head, *state[1:]], (2 * t - 1) * r
        first = sum(s[base + i] * row[i] for i in range(t)) % P
        state = [first, *((row[i] + head * s[base + t + i - 1]) % P for i in range(1, t))]
    for r in range(full // 2 - 1):
        at = (full // 2 + 1) * t + partial + r * t
        state = mix(m, [(pow(x, 5, P) + c[at + j]) % P for j, x in enumerate(state)])
    return mix(m, [pow(x, 5, P) for x in state])[0]


@pytest.mark.parametrize("t", range(2, 18))
def test_parameters_are_circomlibs(t):
    constants, matrix = _native.poseidon_parameters(t)
    assert len(constants) == 8 + PARTIAL_ROUNDS[t - 2]
    assert constants[0] == read_table("POSEIDON_C", t)[:t]
    table = read_table("POSEIDON_M", t)
    assert matrix == [[table[j][i] for j in range(t)] for i in range(t)]


@pytest.mark.parametrize("inputs", range(1, 17))
def test_hash_is_circomlibs(inputs):
    values = [pow(5, 100 + k, P) for k in range(inputs)]
    assert _native.poseidon(values) == circomlib_poseidon(values)


@pytest.mark.parametrize("count", [0, 17])
def test_number_of_inputs_is_bounded(count):
    with pytest.raises(OutOfRange) as caught:
        _native.poseidon([1] * count)
    assert (caught.value.value, caught.value.low, caught.value.high) == (count, 1, 16)


@pytest.mark.parametrize("value", [-1, P, 2**256])
def test_inputs_are_field_elements(value):
    with pytest.raises(NotInField) as caught:
        _native.poseidon([1, value])
    assert caught.value.value == value


def test_state_digest_is_the_chain_over_packed_words():
    positions = np.array([-(2**30), 2**30 - 1, 0, 7] * 4, dtype=np.int64)
    for cash in (0, -1, 2**80 - 1, -(2**80)):
        words = pack_state_words(positions.tolist(), MINI)
        expected = _native.poseidon_chain([TAGS["STATE"], cash % P, *words])
        assert _native.state_digest(TAGS["STATE"], cash, positions.tobytes()) == expected


@pytest.mark.parametrize("lots", [2**30, -(2**30) - 1])
def test_state_digest_refuses_lots_that_leave_their_lane(lots):
    with pytest.raises(OutOfRange) as caught:
        _native.state_digest(1, 0, np.array([0, lots], dtype=np.int64).tobytes())
    assert caught.value.value == lots
