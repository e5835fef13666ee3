"""Public signals have the names, sizes and places that statement.json gives."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.presets import PRESETS, get_preset
from zkmargin.prover.errors import OutOfRange, StatementError
from zkmargin.prover.groth16.keys import find_first_policy_input
from zkmargin.prover.statement.signals import (
    FIELD_MODULUS,
    STATEMENT_PATH,
    TAGS,
    compute_tag,
    from_field,
    get_public_signals,
    to_field,
)
from zkmargin.prover.statement.transition_signals import TransitionSignals

MINI, STANDARD = get_preset("mini"), get_preset("standard")


def test_sizes_of_the_groups_at_standard():
    signals = get_public_signals("transition", STANDARD)
    groups = ("fixed", "flow", "settlement", "policy")
    sizes = {group: sum(signal.size for signal in signals.get_group(group)) for group in groups}
    policy = 55 * 256 + 55 + 110 + 55 + 55 * 12 + 55 + 51 + 51 + 256 + 256
    assert sizes == {"fixed": 7, "flow": 257, "settlement": 512, "policy": policy}
    assert signals.size == 16405


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
@pytest.mark.parametrize("circuit", ["transition", "open"])
def test_signals_follow_each_other_without_gap(preset, circuit):
    signals = get_public_signals(circuit, preset)
    assert [s.name for s in signals] == [entry["name"] for entry in json.loads(STATEMENT_PATH.read_text())[circuit]]
    place = 0
    for signal in signals:
        assert signal.offset == place
        place += signal.size
    assert place == signals.size


def test_groups_are_contiguous():
    groups = [s.group for s in get_public_signals("transition", MINI)]
    assert groups == sorted(groups, key=["fixed", "flow", "settlement", "policy"].index)


def test_flatten_and_name_are_inverse():
    signals = get_public_signals("transition", MINI)
    flat = list(range(signals.size))
    named = signals.name(flat)
    assert named["commitmentOld"] == 0 and named["cashFlow"] == 7 and named["flow"] == list(range(8, 24))
    assert signals.flatten(named) == flat
    nested = {**named, "rowPosition": [named["rowPosition"][16 * p : 16 * p + 16] for p in range(MINI.rows // 3)]}
    assert signals.flatten(nested) == flat


def test_negative_values_enter_the_field():
    signals = get_public_signals("transition", MINI)
    values = {**signals.name([0] * signals.size), "side": -1}
    assert signals.flatten(values)[signals["side"].offset] == FIELD_MODULUS - 1


def test_missing_unknown_and_wrongly_sized_signals_are_refused():
    signals = get_public_signals("open", MINI)
    good = signals.name([0] * signals.size)
    for wrong in (
        {k: v for k, v in good.items() if k != "context"},
        {**good, "extra": 0},
        {**good, "context": [0, 0]},
        {**good, "context": []},
    ):
        with pytest.raises(StatementError):
            signals.flatten(wrong)
    with pytest.raises(StatementError):
        signals.name([0] * (signals.size + 1))
    with pytest.raises(StatementError):
        signals["nothing"]
    with pytest.raises(StatementError):
        signals.get_group("policy")
    with pytest.raises(StatementError):
        get_public_signals("close", MINI)


def test_tags_are_their_ascii_bytes_and_distinct():
    assert TAGS["TRADE"] == 0x7A6B6D617267696E2E7472616465
    assert len(set(TAGS.values())) == len(TAGS) == 6
    assert all(0 < tag < FIELD_MODULUS for tag in TAGS.values())
    assert compute_tag("x" * 31) < FIELD_MODULUS
    with pytest.raises(OutOfRange):
        compute_tag("x" * 32)


@given(st.integers(-(FIELD_MODULUS // 2), FIELD_MODULUS // 2))
def test_signed_integers_round_trip_through_the_field(value):
    assert from_field(to_field(value)) == value


@pytest.mark.parametrize(
    "value, element",
    [(0, 0), (1, 1), (-1, FIELD_MODULUS - 1), (FIELD_MODULUS - 1, FIELD_MODULUS - 1), (FIELD_MODULUS, 0)],
)
def test_edges_of_the_field(value, element):
    assert to_field(value) == element


@pytest.mark.parametrize("element", [-1, FIELD_MODULUS, FIELD_MODULUS + 1])
def test_what_is_no_field_element_is_refused(element):
    with pytest.raises(OutOfRange):
        from_field(element)


def test_a_policys_signals_are_the_last_ones():
    """What the prover collects for a policy: everything from its first signal on."""
    signals = get_public_signals("transition", MINI)
    policy = signals.get_group("policy")
    assert find_first_policy_input("transition", MINI) == policy[0].offset
    assert [signal for signal in signals if signal.offset >= policy[0].offset] == list(policy)
    assert find_first_policy_input("open", MINI) is None


@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_a_transitions_own_signals_are_the_statements_but_for_the_policys(preset):
    names = [signal.name for signal in get_public_signals("transition", get_preset(preset)) if signal.group != "policy"]
    assert list(TransitionSignals(commitment_old=1, context=2, flow=(), drop=(), payoff=()).name()) == names
