"""The transition builder: what each action does, what it refuses before proving, both sides of a trade cancelling."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scenes import (
    ALICE,
    BOB,
    DOMAIN,
    MARGIN,
    MINI,
    PRICE,
    RECIPIENT,
    Scene,
    make_account,
    make_policy,
    make_settlement,
)
from zkmargin.engine.account import AccountState
from zkmargin.engine.policy.arithmetic import compute_charges, evaluate_rows
from zkmargin.engine.presets import get_preset
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition, get_action_signals
from zkmargin.prover.errors import ActionNotAllowed, GenerationMismatch, OutOfRange, PolicyNotMet
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.fields import ZERO_BYTES32, encode_policy_name
from zkmargin.prover.messages.typed_data import compute_context, compute_digest
from zkmargin.prover.statement.commitment import Trade, compute_pad, decrypt_word, make_trade
from zkmargin.prover.statement.packing import TradeTerms
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, get_public_signals

EPOCH = Scene()
RICH = 10**12


def build(account, intent, epoch=EPOCH, **changes):
    return build_transition(account, intent, domain=DOMAIN, key_version=1, **{"epoch": epoch, **changes})


def trade_intent(trade, side, fee=0):
    return Intent(ActionKind.TRADE, trade=trade, side=side, counterparty=b"\5" * 32, fee_usd6=fee, deadline=99)


def get_lots(account):
    return {slot: int(lots) for slot, lots in enumerate(account.state.positions) if lots}


GOOD = {
    ActionKind.DEPOSIT: Intent(ActionKind.DEPOSIT, cash_usd6=50, lots={8: 3}, fee_usd6=20),
    ActionKind.TRADE: trade_intent(Trade(TradeTerms(((1, 5), (9, -2)), -70), Secret(1)), 1, fee=3),
    ActionKind.WITHDRAW: Intent(ActionKind.WITHDRAW, cash_usd6=50, lots={8: 3}, fee_usd6=20, recipient=RECIPIENT),
    ActionKind.CURE: Intent(ActionKind.CURE, cash_usd6=50, lots={8: 3}, fee_usd6=20),
    ActionKind.ATTEST: Intent(ActionKind.ATTEST, policy="maintenance"),
    ActionKind.WITHDRAW_FLAT: Intent(
        ActionKind.WITHDRAW_FLAT, cash_usd6=50, lots={8: 3}, fee_usd6=20, recipient=RECIPIENT
    ),
    ActionKind.CLOSE: Intent(ActionKind.CLOSE, cash_usd6=50, recipient=RECIPIENT),
}
FLAT = (ActionKind.DEPOSIT, ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE)


def build_good(kind, account=None):
    account = account or make_account(lots={8: 10} if kind in FLAT else {1: 4, 8: 10}, cash=RICH)
    return build(account, GOOD[kind], None if kind in FLAT else EPOCH)


# ------------------------------------------------------------------------------------------------------------- effects
@pytest.mark.parametrize(
    "kind, cash, lots",
    [
        (ActionKind.DEPOSIT, 30, {8: 13}),
        (ActionKind.TRADE, -73, {1: 9, 8: 10, 9: -2}),
        (ActionKind.WITHDRAW, -70, {1: 4, 8: 7}),
        (ActionKind.CURE, 30, {1: 4, 8: 13}),
        (ActionKind.WITHDRAW_FLAT, -70, {8: 7}),
        (ActionKind.CLOSE, -50, {8: 10}),
    ],
)
def test_what_a_written_action_does(kind, cash, lots):
    transition = build_good(kind)
    before, after = transition.before, transition.after
    assert after.state.cash - before.state.cash == cash and get_lots(after) == lots
    assert (after.nonce, after.generation, after.key, after.id) == (before.nonce + 1, 0, before.key, before.id)
    public = transition.name_public_signals()
    assert public["commitmentOld"] == before.commitment and public["commitmentNew"] == after.commitment
    assert public["write"] == 1 and public["side"] == (1 if kind is ActionKind.TRADE else 0)


def test_an_attestation_writes_nothing():
    transition = build_good(ActionKind.ATTEST)
    public = transition.name_public_signals()
    assert transition.after is transition.before
    assert [public[name] for name in ("commitmentNew", "tradeTag", "ciphertext", "side", "write", "cashFlow")] == [
        0
    ] * 6
    assert not any(public["flow"])


@pytest.mark.parametrize("kind", GOOD)
def test_the_message_says_what_the_statement_shows(kind):
    transition = build_good(kind)
    message, public = transition.message, transition.name_public_signals()
    assert (message.kind, message.account, message.key_version) == (kind, transition.before.id, 1)
    assert message.commitment_old == public["commitmentOld"] and message.commitment_new == public["commitmentNew"]
    assert message.trade_tag == public["tradeTag"] and message.ciphertext == public["ciphertext"]
    assert message.cash_flow == public["cashFlow"] and message.side == public["side"]
    assert {flow.slot: flow.lots for flow in message.flows} == {
        s: lots for s, lots in enumerate(public["flow"]) if lots
    }
    assert [flow.slot for flow in message.flows] == sorted({flow.slot for flow in message.flows})
    assert public["context"] == compute_context(compute_digest(DOMAIN, message))
    assert get_action_signals(message, transition.digest, transition.effects.settlement) == transition.own_signals
    rule = ACTION_RULES[kind]
    assert message.epoch == (9 if rule.needs_epoch else 0)
    assert message.policy == encode_policy_name(rule.policy or "maintenance")
    assert message.counterparty == (b"\5" * 32 if kind is ActionKind.TRADE else ZERO_BYTES32)


@pytest.mark.parametrize("kind", GOOD)
def test_signals_are_complete_and_the_certificate_is_the_rows(kind):
    transition = build_good(kind)
    flat = transition.flatten_public_signals()
    assert len(flat) == get_public_signals("transition", MINI).size and all(0 <= x < FIELD_MODULUS for x in flat)
    private = transition.name_private_inputs()
    sizes = {"position": 16, "legSlot": 4, "legLots": 4, "excess": 12, "helper": 12, "charge": 2, "slack": MINI.rows}
    assert {name: len(value) for name, value in private.items() if isinstance(value, list)} == sizes
    effects, certificate = transition.effects, transition.certificate
    assert certificate.slacks == evaluate_rows(
        effects.policy, effects.new_state, certificate.helpers, certificate.excess
    )
    assert certificate.charges == compute_charges(effects.policy, effects.new_state.positions)
    assert all(0 <= slack < 2**83 for slack in certificate.slacks)
    assert (private["cash"], private["nonce"]) == (transition.before.state.cash, transition.before.nonce)


def test_private_inputs_of_a_trade_are_its_legs_and_the_positions_before_the_settlement():
    epoch = Scene(generation=1, settlement=make_settlement({1: 7, 2: -3, 3: 5}))
    trade = Trade(TradeTerms(((4, 5), (4, -2), (5, -4)), -70), Secret(8))
    transition = build(make_account(lots={1: 10, 2: 4, 4: 10}, cash=RICH), trade_intent(trade, -1), epoch)
    private, public = transition.name_private_inputs(), transition.name_public_signals()
    assert private["position"][:6] == [0, 10, 4, 0, 10 - 3, 4]
    assert private["legSlot"] == [4, 4, 5, 0] and private["legLots"] == [5, FIELD_MODULUS - 2, FIELD_MODULUS - 4, 0]
    assert (private["tradeCash"], private["salt"]) == (FIELD_MODULUS - 70, 8)
    assert public["drop"][:4] == (0, 1, 1, 1) and public["payoff"][:4] == (0, 7, -3, 5)
    assert transition.after.state.cash == RICH + 70 + 10 * 7 + 4 * -3
    assert get_lots(transition.after) == {4: 7, 5: 4}
    assert transition.after.generation == 1 == transition.message.generation_new


# -------------------------------------------------------------------------------------------------------------- trades
@pytest.mark.property("P-05")
@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 15).filter(lambda slot: slot not in (3, 9)), st.integers(-1000, 1000)), max_size=4
    ),
    st.integers(-(10**9), 10**9),
    st.booleans(),
)
def test_both_sides_of_a_trade_cancel_exactly(legs, cash, step):
    epoch = Scene(generation=1, settlement=make_settlement({3: 11, 9: -5})) if step else EPOCH
    trade = make_trade(TradeTerms(tuple(legs), cash))
    first, second = make_account(ALICE, {3: 5, 9: 1}, RICH), make_account(BOB, {3: -5, 9: -1}, RICH)
    buy, sell = build(first, trade_intent(trade, 1), epoch), build(second, trade_intent(trade, -1), epoch)
    assert buy.effects.trade_tag == sell.effects.trade_tag != 0
    assert buy.effects.ciphertext != sell.effects.ciphertext
    assert buy.after.state.cash + sell.after.state.cash == 2 * RICH
    assert not (buy.after.state.positions + sell.after.state.positions).any()
    for side, transition in ((1, buy), (-1, sell)):
        terms = decrypt_word(
            transition.effects.ciphertext, transition.before.key, transition.before.nonce, buy.effects.trade_tag, MINI
        )
        assert side * terms.cash_usd6 == side * cash and terms.get_net_legs() == trade.terms.get_net_legs()


def test_four_legs_of_the_largest_size_on_one_slot():
    most = 2**28 - 1
    trade = Trade(TradeTerms(((1, most),) * 4, 0), Secret(1))
    generous = {**EPOCH.policies, "initial": make_policy("initial", 0)}
    transition = build(make_account(lots={1: 3}, cash=RICH), trade_intent(trade, 1), Scene(policies=generous))
    assert get_lots(transition.after) == {1: 2**30 - 1}
    with pytest.raises(OutOfRange) as caught:
        build(make_account(lots={1: 4}, cash=RICH), trade_intent(trade, 1), Scene(policies=generous))
    assert (caught.value.value, caught.value.high) == (2**30, 2**30 - 1) and "slot 1" in str(caught.value)


def test_the_pad_uses_the_nonce_before():
    transition = build_good(ActionKind.TRADE)
    pad = compute_pad(transition.before.key, transition.before.nonce, transition.effects.trade_tag)
    assert transition.effects.ciphertext == (GOOD[ActionKind.TRADE].trade.compute_word(MINI) + pad) % FIELD_MODULUS


# ------------------------------------------------------------------------------------------------------------ refusals
FORBIDDEN = {
    "trade": {"trade": GOOD[ActionKind.TRADE].trade, "side": 1, "counterparty": b"\5" * 32},
    "side": {"side": 1},
    "counterparty": {"counterparty": b"\5" * 32},
    "policy": {"policy": "net_delta"},
    "derivative flow": {"lots": {1: 1}},
    "cash and a derivative flow": {"cash_usd6": 1, "lots": {9: 1}},
}
ALLOWED = {
    (ActionKind.TRADE, "trade"),
    (ActionKind.TRADE, "side"),
    (ActionKind.TRADE, "counterparty"),
    (ActionKind.ATTEST, "policy"),
}


@pytest.mark.parametrize(
    "kind, change",
    [
        pytest.param(kind, change, id=f"{kind.name}-{name}")
        for kind in GOOD
        for name, change in FORBIDDEN.items()
        if (kind, name) not in ALLOWED
    ],
)
def test_what_the_table_does_not_allow(kind, change):
    with pytest.raises(ActionNotAllowed) as caught:
        build(make_account(lots={8: 10}, cash=RICH), replace(GOOD[kind], **change), None if kind in FLAT else EPOCH)
    assert caught.value.kind == kind.name


@pytest.mark.parametrize("kind", GOOD)
def test_an_epoch_exactly_where_the_table_says(kind):
    with pytest.raises(ActionNotAllowed):
        build(make_account(lots={8: 10}, cash=RICH), GOOD[kind], EPOCH if kind in FLAT else None)


@pytest.mark.parametrize(
    "change",
    [{"trade": None}, {"side": 0}, {"side": 2}, {"counterparty": ZERO_BYTES32}, {"cash_usd6": 1}, {"lots": {8: 1}}],
)
def test_a_trade_needs_its_parts_and_moves_nothing_else(change):
    with pytest.raises(ActionNotAllowed):
        build(make_account(cash=RICH), replace(GOOD[ActionKind.TRADE], **change))


def test_other_refusals_by_the_table():
    account = make_account(lots={8: 10}, cash=RICH)
    for intent, epoch in (
        (Intent(ActionKind.OPEN), None),
        (Intent(ActionKind.ATTEST, policy="maintenance", fee_usd6=1), EPOCH),
        (Intent(ActionKind.ATTEST, policy="unheard"), EPOCH),
        (Intent(ActionKind.ATTEST), EPOCH),
        (Intent(ActionKind.DEPOSIT, cash_usd6=5, fee_usd6=6), None),
        (Intent(ActionKind.WITHDRAW, cash_usd6=5), EPOCH),
    ):
        with pytest.raises(ActionNotAllowed):
            build(account, intent, epoch)
    build(account, Intent(ActionKind.DEPOSIT, cash_usd6=5, fee_usd6=5), None)


def test_a_policy_of_another_preset_or_name_is_refused():
    standard = make_policy("initial", 1, preset=get_preset("standard"))
    for wrong in (standard, EPOCH.policies["maintenance"]):
        with pytest.raises(ActionNotAllowed):
            build(make_account(cash=RICH), GOOD[ActionKind.TRADE], Scene(policies={"initial": wrong}))


@pytest.mark.parametrize("kind", [kind for kind in GOOD if ACTION_RULES[kind].needs_epoch])
@pytest.mark.parametrize("account_generation", range(4))
@pytest.mark.parametrize("epoch_generation", range(4))
def test_generations(kind, account_generation, epoch_generation):
    account = make_account(lots={8: 10}, cash=RICH, generation=account_generation)
    epoch = Scene(generation=epoch_generation, settlement=make_settlement({2: 1}))
    step = epoch_generation - account_generation
    if step in (0, 1):
        transition = build(account, GOOD[kind], epoch)
        assert transition.message.generation_old == account_generation
        assert transition.message.generation_new == epoch_generation
        assert transition.after.generation == (account_generation if kind is ActionKind.ATTEST else epoch_generation)
        assert transition.name_public_signals()["drop"][2] == step
    else:
        with pytest.raises(GenerationMismatch) as caught:
            build(account, GOOD[kind], epoch)
        assert (caught.value.account_generation, caught.value.epoch_generation) == (
            account_generation,
            epoch_generation,
        )


@pytest.mark.property("P-53")
@pytest.mark.parametrize("legs", [((2, 5),), ((4, 1), (2, -5)), ((2, 0),), ((2, 5), (2, -5))])
@pytest.mark.parametrize("side", [1, -1])
def test_a_trade_over_a_step_has_no_leg_on_a_dropped_slot(legs, side):
    """Legs come before drop and payoff, so such a leg would trade what expired and not what is listed now."""
    trade = Trade(TradeTerms(legs, -70), Secret(8))
    account, step = make_account(lots={2: 3}, cash=RICH, generation=6), make_settlement({2: 30})
    epoch = Scene(generation=7, settlement=step)
    with pytest.raises(ActionNotAllowed) as caught:
        compute_effects(account, trade_intent(trade, side), epoch)
    assert "slot 2" in caught.value.reason and "generation 6 to 7" in caught.value.reason
    stepped = build(account, Intent(ActionKind.CURE), epoch).after  # the way that the text names
    assert get_lots(stepped) == {} and stepped.state.cash == RICH + 90
    held = get_lots(build(stepped, trade_intent(trade, side), epoch).after)
    assert held == {slot: side * lots for slot, lots in trade.terms.get_net_legs().items()}


def test_an_account_may_step_at_any_epoch_of_the_generation():
    """The vector is the step's, so it serves whoever first acts at the second epoch; without it nobody may step."""
    vector = make_settlement({2: 30})
    first, second = (Scene(number=number, generation=1, settlement=vector) for number in (10, 11))
    early, late = make_account(ALICE, {2: 4}, RICH), make_account(BOB, {2: -4}, RICH)
    intent = Intent(ActionKind.CURE)
    early, late = build(early, intent, first).after, build(late, intent, second).after
    assert early.state.cash - RICH == 120 == RICH - late.state.cash and get_lots(early) == get_lots(late) == {}
    again = build(early, intent, second)  # already stepped: nothing settles twice
    assert again.after.state.cash == early.state.cash and not any(again.own_signals.drop)


@pytest.mark.parametrize("kind", [ActionKind.TRADE, ActionKind.WITHDRAW, ActionKind.CURE, ActionKind.ATTEST])
def test_a_step_without_its_vector_is_refused(kind):
    with pytest.raises(ActionNotAllowed) as caught:
        build(make_account(lots={2: 4, 8: 10}, cash=RICH), GOOD[kind], Scene(number=11, generation=1))
    assert "epoch 11" in caught.value.reason and "generation 0 to 1" in caught.value.reason


def test_a_cure_of_nothing_turns_expired_slots_into_cash():
    epoch = Scene(generation=1, settlement=make_settlement({2: 30, 3: 4}))
    transition = build(make_account(lots={1: 1, 2: 5, 3: -7}, cash=RICH), Intent(ActionKind.CURE), epoch)
    assert transition.after.state.cash == RICH + 150 - 28 and get_lots(transition.after) == {1: 1}


@pytest.mark.parametrize("amount", [2**63, -1, FIELD_MODULUS - 1])
@pytest.mark.parametrize("name", ["cash_usd6", "fee_usd6"])
def test_amounts_and_fees_stay_below_2_63(name, amount):
    with pytest.raises(OutOfRange) as caught:
        build(make_account(), Intent(ActionKind.DEPOSIT, **{"cash_usd6": 1, name: amount}), None)
    assert (caught.value.value, caught.value.low, caught.value.high) == (amount, 0, 2**63 - 1)


@pytest.mark.parametrize("lots", [0, -1, 2**30 + 1, FIELD_MODULUS - 1])
def test_flows_are_from_1_to_2_30_lots(lots):
    with pytest.raises(OutOfRange):
        build(make_account(), Intent(ActionKind.DEPOSIT, lots={8: lots}), None)


def test_edges_of_position_and_cash():
    build(make_account(), Intent(ActionKind.DEPOSIT, lots={8: 2**30 - 1}), None)
    with pytest.raises(OutOfRange):
        build(make_account(), Intent(ActionKind.DEPOSIT, lots={8: 2**30}), None)
    build(make_account(lots={8: -1}), Intent(ActionKind.DEPOSIT, lots={8: 2**30}), None)
    build(make_account(cash=2**80 - 2), Intent(ActionKind.DEPOSIT, cash_usd6=1), None)
    with pytest.raises(OutOfRange) as caught:
        build(make_account(cash=2**80 - 1), Intent(ActionKind.DEPOSIT, cash_usd6=1), None)
    assert caught.value.value == 2**80


# -------------------------------------------------------------------------------------------------------------- policy
@pytest.mark.property("P-56")
def test_a_policy_that_does_not_hold_is_refused_with_rows_and_missing_dollars():
    trade = Trade(TradeTerms(((1, 10),), -10 * PRICE), Secret(1))
    needed = 10 * MARGIN + 10  # and one micro-dollar per lot for rounding
    build(make_account(cash=needed), trade_intent(trade, 1))
    with pytest.raises(PolicyNotMet) as caught:
        build(make_account(cash=needed - 2_500_000), trade_intent(trade, 1))
    assert (caught.value.policy, caught.value.rows, caught.value.missing_usd6) == ("initial", (12,), 2_500_000)
    assert "policy 'initial'" in str(caught.value) and "row 12" in str(caught.value)


def test_the_fee_counts_against_the_margin():
    trade = Trade(TradeTerms(((1, 10),), -10 * PRICE), Secret(1))
    with pytest.raises(PolicyNotMet) as caught:
        build(make_account(cash=10 * MARGIN + 10), trade_intent(trade, 1, fee=1))
    assert caught.value.missing_usd6 == 1


def test_withdraw_asks_for_cash_that_is_not_negative():
    account = make_account(lots={8: 1000}, cash=5)
    build(account, replace(GOOD[ActionKind.WITHDRAW], lots={}, cash_usd6=5, fee_usd6=0))
    with pytest.raises(PolicyNotMet) as caught:
        build(account, replace(GOOD[ActionKind.WITHDRAW], lots={}, cash_usd6=6, fee_usd6=0))
    assert (caught.value.rows, caught.value.missing_usd6) == ((MINI.rows - 1,), 1)


def test_a_deposit_passes_whatever_the_state():
    build(make_account(lots={1: -(2**30)}, cash=-(2**80)), Intent(ActionKind.DEPOSIT, cash_usd6=1), None)


@pytest.mark.parametrize("lots, cash", [({1: 1}, 100), ({9: -1}, 100), ({8: -1}, 100), ({}, 49)])
@pytest.mark.parametrize("kind", [ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE])
def test_flat_means_no_derivative_and_no_debt(kind, lots, cash):
    build(make_account(lots={0: 5, 8: 5}, cash=50), Intent(kind, cash_usd6=50, recipient=RECIPIENT), None)
    with pytest.raises(PolicyNotMet):
        build(make_account(lots=lots, cash=cash), Intent(kind, cash_usd6=50, recipient=RECIPIENT), None)


def test_a_named_policy_limits_net_delta():
    build(make_account(lots={1: 9, 2: -4}), Intent(ActionKind.ATTEST, policy="net_delta"))
    with pytest.raises(PolicyNotMet) as caught:
        build(make_account(lots={1: 9, 2: -3}), Intent(ActionKind.ATTEST, policy="net_delta"))
    assert caught.value.rows == (12,)


# ------------------------------------------------------------------------------------------------------------- secrecy
@pytest.mark.property("P-55")
def test_neither_repr_nor_errors_show_key_salt_terms_or_state():
    account = make_account(lots={1: 7777777}, cash=RICH + 888_888_888)
    salt = 999_999_999_999_999
    trade = Trade(TradeTerms(((1, 66666),), -55555), Secret(salt))
    transition = build(account, trade_intent(trade, 1))
    word, key = trade.compute_word(MINI), account.key.reveal()
    for text in (repr(transition), str(transition.effects), repr(transition.message), repr(transition.after)):
        for hidden in (salt, word, key, 7777777, 66666, 55555, RICH + 888_888_888):
            assert str(hidden) not in text
    with pytest.raises(PolicyNotMet) as caught:
        build(make_account(lots={1: 1}, cash=0), trade_intent(Trade(trade.terms, Secret(salt)), -1))
    for hidden in (salt, word, make_account().key.reveal()):
        assert str(hidden) not in str(caught.value)


def test_building_leaves_the_account_alone():
    account = make_account(lots={1: 4, 8: 10}, cash=RICH)
    commitment = account.commitment
    for kind in GOOD:
        build_good(kind, None if kind in FLAT else account)
    assert account.commitment == commitment and np.array_equal(
        account.state.positions, make_account(lots={1: 4, 8: 10}).state.positions
    )
    assert isinstance(account.state, AccountState)
