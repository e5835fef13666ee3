"""No text of an error shows a private number: every class of the tree, raised where private numbers are at hand."""

import inspect
import json
import re
import stat
import traceback
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.support.native_cases import ACCEPTED, make_small_key
from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, RECIPIENT, Scene, make_account, make_session, make_settlement
from zkmargin.prover import _native, errors
from zkmargin.prover.account.account import derive_key
from zkmargin.prover.account.escrow import CommitteeKey, escrow_key
from zkmargin.prover.account.key_file import create_key_file, load_key_file
from zkmargin.prover.account.recovery import Opened, Transitioned, recover_account
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.groth16.witness import compute_witness, write_witness
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Quote, RequestForQuote
from zkmargin.prover.messages.signed import Signed
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.negotiation import Maker, check_quote, make_quote, make_request
from zkmargin.prover.statement.commitment import Trade, compute_state_digest, decrypt_word, hash_chain
from zkmargin.prover.statement.packing import TradeTerms, pack_state_words, pack_trade, unpack_state_words, unpack_trade
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS as P
from zkmargin.prover.statement.signals import get_public_signals

LOTS, SLOT, CASH, SALT, KEY = 7_654_321, 200, 987_654_321_987, 10**40 + 12_345, 10**41 + 67_891
LEG = (1 << 28) + LOTS  # just beyond a leg's range, as the next ones beyond theirs
POSITION, SUM, FEE_ROOM, MONEY = (1 << 30) + LOTS, (1 << 30) + 2 * LOTS, (1 << 63) + CASH, (1 << 80) + CASH
WORD = pack_trade(TradeTerms(((1, LOTS),), -CASH), MINI)
FIELD = P + KEY
HIDDEN = {
    name: (str(value), f"{value:_}", f"{value:,}", hex(value))
    for name, value in {
        "lots": LOTS, "cash": CASH, "salt": SALT, "key": KEY, "leg": LEG, "position": POSITION, "sum": SUM,
        "trade cash": FEE_ROOM, "money": MONEY, "word": WORD, "field": FIELD,
        "wrapped": P - POSITION, "check": LOTS + 256, "state": (1 << 224) + LOTS,
    }.items()
}  # fmt: skip
WHO = {"taker": b"\1" * 32, "maker": b"\2" * 32}


def build(account, intent, epoch=None):
    return build_transition(account, intent, domain=DOMAIN, key_version=1, epoch=epoch)


def trade(legs, cash=-CASH, side=1):
    return Intent(
        ActionKind.TRADE,
        trade=Trade(TradeTerms(legs, cash), Secret(SALT)),
        side=side,
        counterparty=b"\5" * 32,
        deadline=9,
    )


def request_for(legs):
    return RequestForQuote(**WHO, generation=0, legs=legs, valid_until=9, id=bytes(32))


def check_words(word, legs):
    request = make_request(*WHO.values(), legs, 9, generation=0)
    quote = make_quote(make_session(), request, Maker(WHO["maker"], 1), CASH).model_copy(update={"word": word})
    check_quote(make_session(), request, quote, now=1)


def flat_exit():
    return Intent(ActionKind.WITHDRAW_FLAT, recipient=RECIPIENT)


class Fickle(Wallet):
    """Signs the same text in two ways."""

    count = 0

    def sign(self, domain, message):
        self.count += 1
        return bytes(64) + bytes([27 + self.count % 2])


def recover_wrongly():
    account = make_account()
    opened = Opened(account.id, account.auth, 0, 0, replace(account, nonce=0).commitment)
    moved = Transitioned(ActionKind.DEPOSIT, account.id, 0, 5, cash_flow=1)
    recover_account(account.id, [opened, moved], DOMAIN, MINI, {}, account.key)


def settle_wrongly():
    """A position that leaves its range in the owner's reckoning of an event."""
    account = make_account()
    opened = Opened(account.id, account.auth, 0, 0, replace(account, nonce=0).commitment)
    lots = {"flows": ((8, (1 << 30) - 1),), "commitment_new": 5}
    recover_account(
        account.id, [opened, Transitioned(ActionKind.DEPOSIT, account.id, 0, **lots)], DOMAIN, MINI, {}, account.key
    )


def read_malformed_key_file(folder):
    create_key_file(folder / "key.json", bytes(32))
    path = folder / "key.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "key": f"{KEY:064x}g"}))
    load_key_file(path)


SMALL = make_small_key().circuit
RICH = make_account(lots={2: (1 << 30) - 1}, cash=10**13)
DROPPED = Scene(generation=1, settlement=make_settlement({3: 5}))
FULL = make_account(lots={1: (1 << 30) - 1}, cash=(1 << 80) - 1)
CASES: dict[type, list[Callable]] = {
    errors.NotInField: [
        lambda: _native.FieldVector.from_signed([FIELD], "position"),
        lambda: _native.FieldVector.from_canonical([-LOTS], "position"),
        lambda: compute_witness(SMALL, {**ACCEPTED, "amount": FIELD}),
        lambda: _native.escrow_encrypt(1, FIELD, 5, CommitteeKey(Secret(7)).public),
        lambda: CommitteeKey(Secret(KEY)).decrypt((0, P), 0),
        lambda: _native.poseidon_chain([FIELD]),
    ],
    errors.OutOfRange: [
        lambda: build(FULL, trade(((1, LOTS),)), Scene()),
        lambda: build(FULL, trade(((2, 1),), cash=CASH), Scene()),
        lambda: build(make_account(lots={3: LOTS}, cash=(1 << 80) - 1), Intent(ActionKind.CURE), DROPPED),
        lambda: TradeTerms(((1, LEG),), 0),
        lambda: TradeTerms(((1, -LEG),), 0),
        lambda: TradeTerms(((1, 1),), FEE_ROOM),
        lambda: TradeTerms(((1 << 8 | SLOT, LOTS),), CASH),
        lambda: pack_trade(TradeTerms(((SLOT, LOTS),), CASH), MINI),
        lambda: unpack_trade(WORD | SLOT, MINI),
        lambda: unpack_trade(WORD << 100, MINI),
        lambda: decrypt_word(WORD, Secret(KEY), 0, 5, MINI),
        lambda: pack_state_words([0] * 15 + [POSITION], MINI),
        lambda: pack_state_words([0] * 15 + [-POSITION], MINI),
        lambda: unpack_state_words([(1 << 224) + LOTS, 0, 0], MINI),
        lambda: unpack_state_words([LOTS + (1 << 31), 0, 0], MINI),
        lambda: compute_state_digest(SimpleNamespace(cash=MONEY, positions=[0] * 16), MINI),
        lambda: make_quote(make_session(), request_for([{"slot": 1, "lots": LEG}]), Maker(WHO["maker"], 1), CASH),
    ],
    errors.MissingInput: [lambda: compute_witness(SMALL, {"amount": LOTS})],
    errors.UnknownInput: [lambda: compute_witness(SMALL, {**ACCEPTED, "amount": LOTS, "more": CASH})],
    errors.InputShape: [lambda: compute_witness(SMALL, {**ACCEPTED, "amount": [LOTS, CASH]})],
    errors.RangeCheckFailed: [
        lambda: compute_witness(SMALL, {**ACCEPTED, "amount": LOTS, "divisor": 1}),
        lambda: compute_witness(SMALL, {**ACCEPTED, "amount": -LOTS, "divisor": 1}),
    ],
    errors.UnsatisfiedConstraint: [lambda: compute_witness(SMALL, {**ACCEPTED, "total": LOTS, "divisor": 0})],
    errors.StatementError: [
        lambda: hash_chain([1, FIELD]),
        lambda: get_public_signals("open", MINI).flatten({"commitment": KEY}),
    ],
    errors.MessageInvalid: [
        lambda: request_for([{"slot": SLOT, "lots": (1 << 63) + LOTS}]),
        lambda: request_for([{"slot": (1 << 16) + LOTS, "lots": 1}]),
        lambda: request_for(LOTS),
        lambda: request_for([{"slot": 1, "lots": f"{LOTS}x"}]),
        lambda: request_for([{"slot": 1, "lots": 1, "more": LOTS}]),
        lambda: Quote.parse({"word": WORD << 200, "salt": SALT}),
        lambda: Quote.parse({"word": f"{WORD}x", "salt": f"{SALT}x"}),
    ],
    errors.SigningNotRepeatable: [lambda: derive_key(Fickle(ALICE.account), DOMAIN, bytes(32))],
    errors.WrongSigner: [
        lambda: Signed(request_for([{"slot": 1, "lots": LOTS}]), bytes(65)).check_signer(DOMAIN, BOB.address)
    ],
    errors.KeyFileError: [read_malformed_key_file],
    errors.EscrowError: [lambda: escrow_key(Secret(KEY), CommitteeKey(Secret(7)).public, Secret(P - 1 - LOTS))],
    errors.ActionNotAllowed: [
        lambda: build(make_account(lots={3: LOTS}, cash=CASH), trade(((3, LOTS),)), DROPPED),
        lambda: build(make_account(lots={3: LOTS}, cash=CASH), trade(((1, LOTS),)), Scene(generation=1)),
        lambda: build(RICH, replace(trade(((1, LOTS),)), side=0), Scene()),
    ],
    errors.GenerationMismatch: [lambda: build(RICH, trade(((1, LOTS),)), Scene(generation=2))],
    errors.PolicyNotMet: [
        lambda: build(make_account(cash=CASH), trade(((1, LOTS),), side=-1), Scene()),
        lambda: build(make_account(lots={1: LOTS}, cash=CASH), flat_exit()),
        lambda: build(make_account(lots={1: -LOTS}, cash=CASH), flat_exit()),
        lambda: build(make_account(cash=-CASH), flat_exit()),
        lambda: build(make_account(lots={1: LOTS}, cash=CASH), Intent(ActionKind.ATTEST, policy="net_delta"), Scene()),
    ],
    errors.RecoveryError: [recover_wrongly, settle_wrongly],
    errors.TradeMessageRefused: [
        lambda: check_words(WORD, {1: LOTS + 1}),
        lambda: check_words(WORD | SLOT, {1: LOTS}),
        lambda: make_request(*WHO.values(), {1: LOTS, 2: 0}, 9, generation=0),
    ],
}
NOTHING_PRIVATE = {
    errors.SignatureRefused,  # names a form, not a signature
    errors.PointRefused,  # points of keys, proofs and escrows
    errors.FormatError,  # what is wrong with a file, by place
    errors.KeyRefused,
    errors.KeyMismatch,
    errors.KeyMissing,
    errors.NotSolvable,  # names of wires, before any input is given
    errors.ProofRejected,  # fixed texts
    errors.NoRandomness,  # what the operating system says
    errors.AttestationRefused,  # the recipient has no private number
}
"""Classes whose raisers have public facts only."""


def get_leaves():
    classes = {c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.ProverError)}
    return {c for c in classes if not any(other is not c and issubclass(other, c) for other in classes)}


def test_every_class_is_looked_at():
    assert get_leaves() == set(CASES) | NOTHING_PRIVATE and not set(CASES) & NOTHING_PRIVATE


@pytest.mark.property("P-55")
@pytest.mark.parametrize(
    "kind, number", [pytest.param(k, n, id=f"{k.__name__}-{n}") for k, some in CASES.items() for n in range(len(some))]
)
def test_no_text_of_an_error_shows_a_private_number(kind, number, tmp_path):
    attempt = CASES[kind][number]
    with pytest.raises(kind) as caught:
        attempt(tmp_path) if inspect.signature(attempt).parameters else attempt()
    error = caught.value
    texts = [str(error), repr(error), str(error.args), *traceback.format_exception_only(error)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    texts += [str(cause)] if cause else []
    for text in texts:
        if isinstance(getattr(error, "value", None), int):
            assert not re.search(rf"(?<!\d){abs(error.value)}(?!\d)", text), text
        for name, forms in HIDDEN.items():
            assert not any(form in text for form in forms), (name, text)


def test_quantity_and_range_are_named():
    """What is hidden is the value alone."""
    for attempt, name, allowed in (
        (lambda: TradeTerms(((1, 1), (1, LEG)), 0), "lots of leg 1", f"{-(1 << 28)} .. {(1 << 28) - 1}"),
        (lambda: pack_state_words([0] * 15 + [POSITION], MINI), "slot 15", f"{-(1 << 30)} .. {(1 << 30) - 1}"),
        (lambda: build(FULL, trade(((2, 1),), cash=CASH), Scene()), "cash after the trade", f"{(1 << 80) - 1}"),
    ):
        with pytest.raises(errors.OutOfRange) as caught:
            attempt()
        assert name in str(caught.value) and allowed in str(caught.value)
    with pytest.raises(errors.RangeCheckFailed) as caught:
        compute_witness(SMALL, {**ACCEPTED, "amount": LOTS, "divisor": 1})
    assert caught.value.component in str(caught.value) and "2^9 - 1" in str(caught.value)
    with pytest.raises(errors.OutOfRange) as caught:  # a public amount is shown
        build(make_account(), Intent(ActionKind.DEPOSIT, cash_usd6=1 << 63))
    assert str(1 << 63) in str(caught.value)


def test_a_witness_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "w.wtns"
    path.write_bytes(b"old, readable by all")
    path.chmod(0o644)
    write_witness(make_small_key().witness(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.read_bytes()[:4] == b"wtns"
    assert list(tmp_path.iterdir()) == [path]
