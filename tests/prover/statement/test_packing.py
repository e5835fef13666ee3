"""Every packed word at its edges: min, max, just outside; round trips; nothing packed unchecked."""

import random
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.prover.native.test_native import pack_in_integers
from zkmargin.engine.policy.record import flat_policy, none_policy
from zkmargin.engine.presets import BITS, get_preset
from zkmargin.prover._native import FieldVector
from zkmargin.prover.errors import OutOfRange
from zkmargin.prover.statement.packing import (
    TRADE_WORD_BITS,
    TradeTerms,
    pack_state_words,
    pack_trade,
    unpack_state_words,
    unpack_trade,
)
from zkmargin.prover.statement.policy_fields import pack_policy_fields
from zkmargin.prover.statement.signals import FIELD_MODULUS, get_public_signals

MINI, STANDARD = get_preset("mini"), get_preset("standard")
LOTS = st.integers(-(2**30), 2**30 - 1)
LEGS = st.lists(st.tuples(st.integers(0, 15), st.integers(-(2**28), 2**28 - 1)), max_size=4)
CASH = st.integers(-(2**63), 2**63 - 1)


# ------------------------------------------------------------------------------------------------------------- state
def test_empty_state_is_seven_offsets_to_a_word():
    full = sum(2**30 << 32 * k for k in range(7))
    assert pack_state_words([0] * 16, MINI) == (full, full, 2**30 + (2**30 << 32))
    assert len(pack_state_words([0] * 256, STANDARD)) == 37


@pytest.mark.parametrize("slot", [0, 6, 7, 15])
@pytest.mark.parametrize(
    "lots, lane", [(-(2**30), 0), (-1, 2**30 - 1), (0, 2**30), (1, 2**30 + 1), (2**30 - 1, 2**31 - 1)]
)
def test_position_edges(slot, lots, lane):
    positions = [0] * 16
    positions[slot] = lots
    words = pack_state_words(positions, MINI)
    assert words[slot // 7] >> 32 * (slot % 7) & 0xFFFFFFFF == lane
    assert unpack_state_words(words, MINI) == tuple(positions)


@pytest.mark.parametrize("lots", [-(2**30) - 1, 2**30, FIELD_MODULUS - 1, FIELD_MODULUS])
def test_positions_just_outside_are_refused_with_slot_value_and_range(lots):
    with pytest.raises(OutOfRange) as caught:
        pack_state_words([0] * 9 + [lots] + [0] * 6, MINI)
    assert (caught.value.value, caught.value.low, caught.value.high) == (lots, -(2**30), 2**30 - 1)
    assert "slot 9" in str(caught.value)


@pytest.mark.parametrize("count", [0, 15, 17])
def test_another_number_of_positions_is_refused(count):
    with pytest.raises(OutOfRange):
        pack_state_words([0] * count, MINI)


@given(st.lists(LOTS, min_size=16, max_size=16))
def test_state_round_trip(positions):
    words = pack_state_words(np.array(positions), MINI)
    assert unpack_state_words(words, MINI) == tuple(positions)
    assert all(word < 2**224 < FIELD_MODULUS for word in words)


def test_words_that_no_state_has_are_refused():
    words = pack_state_words([0] * 16, MINI)
    for wrong in (
        (words[0] + 2**31, *words[1:]),  # lane of slot 0 beyond 31 bits
        (words[0] + 2**224, *words[1:]),  # beyond the last lane
        (*words[:2], words[2] + 2**64),  # a lane for slot 16
        (words[0] + FIELD_MODULUS, *words[1:]),  # the same field element
        (-1, *words[1:]),
        words[:2],
    ):
        with pytest.raises(OutOfRange):
            unpack_state_words(wrong, MINI)


# ------------------------------------------------------------------------------------------------------------- trade
def test_the_empty_word():
    empty = sum(2**28 << 8 + 37 * k for k in range(4)) + (2**63 << 148)
    assert pack_trade(TradeTerms((), 0), MINI) == empty
    assert unpack_trade(empty, MINI) == TradeTerms((), 0)


@pytest.mark.parametrize("leg", range(4))
@pytest.mark.parametrize("slot", [0, 15])
@pytest.mark.parametrize("lots", [-(2**28), -1, 1, 2**28 - 1])
@pytest.mark.parametrize("cash", [-(2**63), -1, 0, 1, 2**63 - 1])
def test_trade_edges(leg, slot, lots, cash):
    legs = ((3, 7),) * leg + ((slot, lots),)
    word = pack_trade(TradeTerms(legs, cash), MINI)
    assert word >> 37 * leg & 0xFF == slot
    assert (word >> 37 * leg + 8 & 2**29 - 1) - 2**28 == lots
    assert (word >> 148) - 2**63 == cash
    assert unpack_trade(word, MINI) == TradeTerms(legs, cash)


@pytest.mark.parametrize(
    "legs, cash",
    [
        (((0, -(2**28) - 1),), 0),
        (((0, 2**28),), 0),
        (((256, 1),), 0),
        (((-1, 1),), 0),
        (((0, 1),) * 5, 0),
        ((), -(2**63) - 1),
        ((), 2**63),
        ((), FIELD_MODULUS),
    ],
)
def test_terms_just_outside_are_refused(legs, cash):
    with pytest.raises(OutOfRange):
        TradeTerms(legs, cash)


def test_slots_of_the_preset_only():
    pack_trade(TradeTerms(((255, 1),), 0), STANDARD)
    with pytest.raises(OutOfRange) as caught:
        pack_trade(TradeTerms(((16, 1),), 0), MINI)
    assert (caught.value.value, caught.value.high) == (16, 15)
    with pytest.raises(OutOfRange):
        unpack_trade(pack_trade(TradeTerms(((16, 1),), 0), STANDARD), MINI)


@pytest.mark.parametrize("word", [-1, 2**TRADE_WORD_BITS, FIELD_MODULUS - 1, FIELD_MODULUS])
def test_words_beyond_212_bits_are_refused_without_being_shown(word):
    with pytest.raises(OutOfRange) as caught:
        unpack_trade(word, STANDARD)
    assert word == -1 or str(word) not in str(caught.value)


@given(LEGS, CASH)
def test_trade_round_trip(legs, cash):
    terms = TradeTerms(tuple(legs), cash)
    back = unpack_trade(pack_trade(terms, MINI), MINI)
    assert back.get_net_legs() == terms.get_net_legs() and back.cash_usd6 == cash
    assert back.legs == tuple(leg for leg in terms.legs if leg != (0, 0))


@given(st.integers(0, 2**TRADE_WORD_BITS - 1))
def test_every_word_has_one_reading_at_standard(word):
    terms = unpack_trade(word, STANDARD)
    assert all(-(2**28) <= lots < 2**28 for _, lots in terms.legs)
    if (0, 0) not in terms.legs and len(terms.legs) == 4:
        assert pack_trade(terms, STANDARD) == word


def test_terms_do_not_show_themselves():
    assert "424242" not in repr(TradeTerms(((3, 424242),), -424242))


# ------------------------------------------------------------------------------------------------------------ policy
INT64 = st.integers(-(2**63), 2**63 - 1)


def to_signed_field(element):
    return element if element <= FIELD_MODULUS // 2 else element - FIELD_MODULUS


@given(INT64, INT64, INT64)
def test_lanes_are_told_apart_in_the_field(a, b, c):
    """Lemma L1 read backwards: from the field element alone, lane by lane, the three numbers come back."""
    packed = FieldVector.pack(np.array([a, b, c], dtype="<i8").tobytes(), 1, 3, BITS.lane)
    value, lanes = to_signed_field(packed[0]), []
    for _ in range(3):
        lane = (value + 2**83) % 2**84 - 2**83
        lanes.append(lane)
        value = (value - lane) >> 84
    assert (len(packed), lanes, value) == (1, [a, b, c], 0)


def make_full_policy(preset, seed):
    """A policy with a random number in every place, up to the edges of the bit budget."""
    draw = random.Random(seed)

    def fill(shape, low, high):
        size = int(np.prod(shape))
        values = [draw.choice((low, high, draw.randint(low, high))) for _ in range(size)]
        return np.array(values, dtype=np.int64).reshape(shape)

    rows, slots = preset.rows, preset.slots
    changes = {
        "positions": fill((rows, slots), 1 - 2**39, 2**39 - 1),
        "cash": fill((rows,), 0, 1),
        "charges": fill((rows, 2), -4, 4),
        "excess_total": fill((rows,), -1, 0),
        "helpers": fill((rows, preset.helpers), 1 - 2**14, 2**14 - 1),
        "constants": tuple(
            draw.choice((1 - 2**80, 2**80 - 1, draw.randint(1 - 2**80, 2**80 - 1))) for _ in range(rows)
        ),
        "soft": fill((preset.excess_rows,), 0, 1),
        "weights": fill((preset.excess_rows,), 0, 2**10 - 1),
        "rate_long": fill((2, slots), 0, 2**36 - 1),
        "rate_short": fill((2, slots), 0, 2**36 - 1),
    }
    policy = none_policy(preset)
    for name, value in changes.items():
        object.__setattr__(policy, name, value)  # no model would build it; the packing must not care
    return policy


@pytest.mark.parametrize("preset", [MINI, STANDARD], ids=lambda preset: preset.name)
@pytest.mark.parametrize(
    "make", [partial(make_full_policy, seed=4), flat_policy, none_policy], ids=["full", "flat", "none"]
)
def test_the_native_packing_is_the_plain_one(preset, make):
    """The only packing of production, against plain integers, at full size."""
    policy, signals = make(preset), get_public_signals("transition", preset)
    native, plain = pack_policy_fields(policy), pack_in_integers(policy)
    assert list(native) == list(plain) == [signal.name for signal in signals.get_group("policy")]
    for name, vector in native.items():
        assert len(vector) == signals[name].size == len(plain[name])
        assert vector.to_list() == plain[name], name


@pytest.mark.parametrize("constant", [-(2**80), 2**80])
def test_constants_of_2_80_are_refused(constant):
    policy = none_policy(MINI)
    object.__setattr__(policy, "constants", (constant, *policy.constants[1:]))
    with pytest.raises(OutOfRange):
        pack_policy_fields(policy)


@settings(max_examples=30)
@given(st.integers(0, 47), st.integers(0, 15), st.integers(1 - 2**39, 2**39 - 1), st.integers(1 - 2**80, 2**80 - 1))
def test_a_coefficient_lands_in_its_lane(row, slot, coefficient, constant):
    fields = none_policy(MINI)
    positions, constants = fields.positions.copy(), list(fields.constants)
    positions[row, slot], constants[row] = coefficient, constant
    object.__setattr__(fields, "positions", positions)
    object.__setattr__(fields, "constants", tuple(constants))
    packed = pack_policy_fields(fields)
    place = 16 * (row // 3) + slot
    assert to_signed_field(packed["rowPosition"][place]) == coefficient << 84 * (row % 3)
    assert to_signed_field(packed["rowConstant"][row // 3]) == constant << 84 * (row % 3)
