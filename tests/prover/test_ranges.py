"""A float, a text or a truth value is no amount, slot, count or time, at any entrance: nothing is cut or guessed."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tests.support.scenes import ALICE, DOMAIN, MINI, RECIPIENT, make_account, make_session
from zkmargin.engine.account import AccountState, Portfolio
from zkmargin.engine.errors import MarketError
from zkmargin.prover.account.account import Account, compute_account_id
from zkmargin.prover.account.escrow import check_committee_key
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.errors import (
    ActionNotAllowed,
    FormatError,
    MessageInvalid,
    OutOfRange,
    ProverError,
    StatementError,
)
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.witness import to_fields
from zkmargin.prover.messages.action_table import ActionKind, get_action_rule
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Action, Flow, Leg
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.negotiation import Maker, make_quote, make_request
from zkmargin.prover.ranges import check_all_private, check_private, check_range, check_time, read_decimal
from zkmargin.prover.statement.commitment import compute_commitment, hash_chain
from zkmargin.prover.statement.packing import TradeTerms, pack_state_words
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS, compute_tag, from_field, to_field

NO_NUMBERS = [2.01 * 10**6, 1.0, 1.999999, "7", True, np.True_, None, Decimal(1), float("nan"), float("inf"), [1]]
"""What converts to a whole number, or nearly, and is none."""
ACTION = dict(
    kind=2, account=b"\1" * 32, key_version=1, generation_old=0, generation_new=0, commitment_old=1, commitment_new=2,
    deadline=9,
)  # fmt: skip


def deposit(**changes):
    return compute_effects(make_account(), Intent(ActionKind.DEPOSIT, **{"deadline": 1, **changes}), None)


def request():
    return make_request(b"\1" * 32, b"\2" * 32, {1: 5}, 99, generation=0)


def quote(**changes):
    return make_quote(make_session(), request(), Maker(b"\2" * 32, 1), **{"taker_pays_usd6": 1, **changes})


ENTRANCES = {
    "cash": lambda value: deposit(cash_usd6=value),
    "fee": lambda value: deposit(cash_usd6=10**9, fee_usd6=value),
    "lots of a flow": lambda value: deposit(lots={8: value}),
    "deadline": lambda value: deposit(deadline=value),
    "side": lambda value: deposit(side=value),
    "lots of a leg": lambda value: TradeTerms(((1, value),), 0),
    "slot of a leg": lambda value: TradeTerms(((value, 1),), 0),
    "cash of a trade": lambda value: TradeTerms((), value),
    "price of a quote": lambda value: quote(taker_pays_usd6=value),
    "legs of a request": lambda value: make_request(b"\1" * 32, b"\2" * 32, {1: value}, 99, generation=0),
    "index": lambda value: compute_account_id(DOMAIN, ALICE.address, value),
    "generation": lambda value: Account.create(DOMAIN, ALICE.address, 0, Secret(1), MINI, value),
    "nonce": lambda value: compute_commitment(Secret(1), value, 5),
    "nonce of an account": lambda value: replace(make_account(), nonce=value),
    "hash input": lambda value: hash_chain([1, value]),
    "signal": to_field,
    "field element": from_field,
    "input of a circuit": lambda value: to_fields("amount", [[value]] if value != [1] else [[None]]),
    "word of a proof": lambda value: Proof((1, 2, 3, 4, 5, 6, 7, value)),
    "coordinate": lambda value: check_committee_key((0, value)),
    "chain id": lambda value: Domain(value, "0x" + "11" * 20, "0x" + "22" * 20),
    "fee of a message": lambda value: Action(**ACTION, fee=value),
    "flow of a message": lambda value: Flow(slot=8, lots=value),
    "leg of a message": lambda value: Leg(slot=value, lots=1),
    "now": check_time,
    "positions": lambda value: pack_state_words([0] * 15 + [value], MINI),
}


@pytest.mark.property("P-83")
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("entrance", ENTRANCES)
def test_what_is_no_whole_number_is_refused(entrance, value):
    with pytest.raises((OutOfRange, StatementError, MessageInvalid)):
        ENTRANCES[entrance](value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_the_engine_refuses_the_same(value):
    for make in (
        lambda: AccountState(np.array([0, value], dtype=object), 0),
        lambda: AccountState([0, 0], value),
        lambda: Portfolio("book", {"BTC-PERPETUAL": value}, 0),
        lambda: Portfolio("book", {}, value),
    ):
        with pytest.raises(MarketError):
            make()


def test_numbers_of_numpy_are_numbers():
    assert deposit(cash_usd6=np.int64(7), lots={np.uint8(8): np.int32(3)}).flows == ((8, 3),)
    assert type(check_range("number", np.int64(5), 0, 9)) is int


def test_the_error_names_quantity_value_kind_and_range():
    with pytest.raises(OutOfRange) as caught:
        deposit(cash_usd6=2.01 * 10**6)
    assert str(caught.value) == (
        f"cash amount = 2009999.9999999998, allowed 0 .. {2**63 - 1} (whole numbers, not float)"
    )
    with pytest.raises(OutOfRange) as caught:
        check_private("cash", 12345.5, 8)
    assert "12345" not in str(caught.value) and "not float" in str(caught.value)
    assert caught.value.__context__ is None  # the engine's error would show it


def test_text_is_a_number_in_json_only():
    assert Action.parse({**Action(**ACTION).to_json_dict(), "fee": "7"}).fee == 7
    for text in ("7.0", " 7", "7 ", "+7", "\uff11", "0x7", "", "7" * 81):
        with pytest.raises(MessageInvalid):
            Action.parse({**Action(**ACTION).to_json_dict(), "fee": text})


NO_DECIMALS = [-1, "-1", "+1", " 1", "1.0", "1e3", "", "\uff11", "0x1", "9" * 81, 1.0, float("inf"), True, None, [1]]


@pytest.mark.parametrize("value", NO_DECIMALS, ids=repr)
def test_decimals_of_a_file(value):
    with pytest.raises(FormatError, match="decimal"):
        read_decimal("proof", value)
    assert read_decimal("proof", str(2**256)) == 2**256


# ----------------------------------------------------------------------------------------------------- kinds and names
@pytest.mark.parametrize("kind", [0, len(ActionKind) + 1, 99, 255])
def test_an_action_kind_that_is_none(kind):
    for attempt in (lambda: ActionKind(kind), lambda: Intent(kind), lambda: get_action_rule(kind)):
        with pytest.raises(ActionNotAllowed, match=f"action kind {kind}: is none; allowed: 1 OPEN, 2 DEPOSIT"):
            attempt()


@pytest.mark.parametrize("slot", [-1, -8, 16, 1 << 16, -(1 << 63)])
def test_slots_outside_the_preset(slot):
    for attempt in (
        lambda: deposit(lots={slot: 1}),
        lambda: TradeTerms(((slot, 1),), 0) and pack_state_words([0] * (16 + (slot > 0)), MINI),
    ):
        with pytest.raises(ProverError):
            attempt()


def test_the_slot_that_no_vault_takes_is_refused_before_proving():
    """BTC's collateral slot is reserved; without this the proof is made and the vault refuses it."""
    assert MINI.collateral_slots == (0, 8) and MINI.vault_slots == (8,)
    for kind in (ActionKind.DEPOSIT, ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE):
        with pytest.raises(ActionNotAllowed, match=r"no collateral for slot 0; allowed: \(8,\)"):
            compute_effects(make_account(lots={0: 5}), Intent(kind, lots={0: 1}, recipient=RECIPIENT), None)


@pytest.mark.parametrize("name", ["prêt", "initial\n", "a\0", "名", "\x7f"])
def test_a_policy_name_that_is_not_printable_ascii(name):
    with pytest.raises(OutOfRange, match="printable ASCII"):
        encode_policy_name(name)


def test_a_tag_that_is_not_ascii():
    with pytest.raises(StatementError, match="not ASCII"):
        compute_tag("prêt")
    assert compute_tag("a") == 97 and to_field(-1) == FIELD_MODULUS - 1


@pytest.mark.parametrize("wrong", [1 << 8, -(1 << 8) - 1, 1.0, True, "1", None])
def test_private_numbers_are_checked_one_by_one(wrong):
    good = [0, (1 << 8) - 1, -(1 << 8), np.int64(7)]
    checked = check_all_private("lots {}".format, good, 8)
    assert checked == good and all(type(value) is int for value in checked)
    with pytest.raises(OutOfRange) as refusal:
        check_all_private("lots {}".format, [*good, wrong, 1 << 9], 8)
    assert str(refusal.value).startswith("lots 4 is out of range, allowed -256 .. 255")
