"""Trade messages: a whole negotiation in JSON, and each way in which a message can be wrong."""

import json
import secrets
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, Scene, make_account, make_session
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.errors import MessageInvalid, OutOfRange, TradeMessageRefused, WrongSigner
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import Accept, Flow, Quote, RequestForQuote
from zkmargin.prover.messages.signed import (
    MAX_JSON_BYTES,
    Signed,
    is_signed_by_key,
    read_record,
    read_signed,
    sign_message,
    write_record,
)
from zkmargin.prover.messages.typed_data import Domain, compute_digest
from zkmargin.prover.negotiation import (
    ANY_MAKER,
    AccountFacts,
    Maker,
    Receipt,
    SettlementProof,
    check_accept,
    check_quote,
    check_receipt,
    check_settlement_proof,
    make_accept,
    make_quote,
    make_request,
)
from zkmargin.prover.statement.commitment import compute_trade_tag
from zkmargin.prover.statement.packing import TradeTerms, pack_trade
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

RICH = 10**12
TAKER, MAKER = make_account(ALICE, cash=RICH), make_account(BOB, cash=RICH)
NOW = 1000
REQUEST = make_request(TAKER.id, MAKER.id, {9: -3, 1: 5}, NOW + 60, generation=0)


SESSION = make_session(valid_until=NOW + 30)


def quote_for(request=REQUEST, side=-1, **changes):
    quote = make_quote(SESSION, request, Maker(MAKER.id, MAKER.commitment, side), 777)
    return quote.model_copy(update=changes)


QUOTE = quote_for()
AGREED = check_quote(SESSION, REQUEST, QUOTE, now=NOW)


def settle(account, wallet=None, agreed=AGREED, signed=True, change=None):
    intent = Intent(
        ActionKind.TRADE,
        trade=agreed.trade,
        side=agreed.get_side(account.id),
        counterparty=agreed.get_counterparty(account.id),
        fee_usd6=4,
        deadline=NOW + 30,
    )
    action = build_transition(account, intent, domain=DOMAIN, key_version=1, epoch=Scene()).message.model_copy(
        update=change or {}
    )
    signature = wallet.sign(DOMAIN, action) if wallet and signed else None
    return SettlementProof(action=action, proof=bytes(256), signature=signature)


def check(side, agreed=AGREED, account=MAKER, wallet=BOB, **changes):
    check_signature = changes.pop("check", is_signed_by_key)
    facts = {"auth": wallet.address, "commitment": account.commitment, "generation": 0, "key_version": 1, **changes}
    return check_settlement_proof(DOMAIN, agreed, side, AccountFacts(**facts), check_signature)


# --------------------------------------------------------------------------------------------------------- negotiation
@pytest.mark.parametrize("maker_side", [1, -1])
def test_a_negotiation_by_json(maker_side):
    request = sign_message(ALICE, DOMAIN, make_request(TAKER.id, MAKER.id, {1: 5, 9: -3}, NOW + 60, generation=0))
    seen = read_signed(request.to_json(), RequestForQuote)
    seen.check_signer(DOMAIN, ALICE.address)

    quote = sign_message(BOB, DOMAIN, quote_for(seen.message, maker_side))
    quote = read_signed(quote.to_json(), Quote)
    quote.check_signer(DOMAIN, BOB.address)
    agreed = check_quote(SESSION, request.message, quote.message, now=NOW)

    accept = read_signed(
        sign_message(ALICE, DOMAIN, make_accept(DOMAIN, quote.message, TAKER.commitment)).to_json(), Accept
    )
    accept.check_signer(DOMAIN, ALICE.address)
    check_accept(DOMAIN, quote.message, accept.message, now=NOW)

    mine, theirs = settle(TAKER, ALICE, agreed), settle(MAKER, BOB, agreed)
    assert check(read_record(write_record(theirs), SettlementProof), agreed)
    assert check(read_record(write_record(mine), SettlementProof), agreed, TAKER, ALICE)
    assert mine.action.trade_tag == theirs.action.trade_tag and mine.action.side == -theirs.action.side

    receipt = Receipt(
        quote=compute_digest(DOMAIN, quote.message),
        trade_tag=agreed.trade_tag,
        transaction=b"\7" * 32,
        block=5,
        maker_commitment_new=theirs.action.commitment_new,
        taker_commitment_new=mine.action.commitment_new,
    )
    check_receipt(DOMAIN, quote.message, read_record(write_record(receipt), Receipt))
    assert agreed.get_cash_usd6(TAKER.id) == -777 == -agreed.get_cash_usd6(MAKER.id)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.integers(0, 15), st.integers(1 - 2**28, 2**28 - 1).filter(bool), min_size=1, max_size=4),
    st.integers(1 - 2**63, 2**63 - 1),
    st.sampled_from([1, -1]),
)
def test_what_the_taker_asks_is_what_the_taker_gets(legs, pays, maker_side):
    request = make_request(TAKER.id, MAKER.id, legs, NOW, generation=0)
    quote = make_quote(make_session(valid_until=NOW), request, Maker(MAKER.id, 1, maker_side), pays)
    agreed = check_quote(SESSION, request, quote, now=NOW)
    side = agreed.get_side(TAKER.id)
    assert {slot: side * lots for slot, lots in agreed.trade.terms.get_net_legs().items()} == legs
    assert agreed.get_cash_usd6(TAKER.id) == -pays and agreed.get_side(MAKER.id) == maker_side == -side
    assert agreed.trade_tag == compute_trade_tag(quote.word, Secret(quote.salt))


def test_two_quotes_for_one_request_have_different_salts():
    assert quote_for().salt != quote_for().salt


# ------------------------------------------------------------------------------------------------------------ requests
@pytest.mark.parametrize("legs", [{}, {slot: 1 for slot in range(5)}, {1: 0}])
def test_requests_have_one_to_four_legs_with_lots(legs):
    with pytest.raises(TradeMessageRefused):
        make_request(TAKER.id, MAKER.id, legs, NOW, generation=0)


def test_requests_to_oneself_are_refused():
    with pytest.raises(TradeMessageRefused):
        make_request(TAKER.id, TAKER.id, {1: 1}, NOW, generation=0)


def test_an_open_request_is_anybodys_to_quote_but_the_takers():
    request = make_request(TAKER.id, ANY_MAKER, {1: 5}, NOW + 60, generation=0)
    quote = quote_for(request)
    agreed = check_quote(SESSION, request, quote, now=NOW)
    assert (agreed.maker, agreed.taker) == (MAKER.id, TAKER.id)
    with pytest.raises(TradeMessageRefused, match="same account"):
        make_quote(SESSION, request, Maker(TAKER.id, 1), 0)
    with pytest.raises(TradeMessageRefused, match="other parties"):
        check_quote(SESSION, request, quote.model_copy(update={"maker": TAKER.id}), now=NOW)


def test_a_request_to_one_maker_is_quoted_by_no_other():
    with pytest.raises(TradeMessageRefused, match="another maker"):
        make_quote(SESSION, REQUEST, Maker(b"\5" * 32, 1), 0)


def test_a_request_that_repeats_a_slot_is_refused():
    double = REQUEST.model_copy(update={"legs": (*REQUEST.legs, REQUEST.legs[0])})
    with pytest.raises(TradeMessageRefused):
        quote_for(double)


@pytest.mark.parametrize("legs, pays", [({16: 1}, 0), ({1: 2**28 + 1}, 0), ({1: 1}, 2**63 + 1)])
def test_a_quote_that_does_not_fit_the_word_is_refused(legs, pays):
    request = make_request(TAKER.id, MAKER.id, legs, NOW, generation=0)
    with pytest.raises(OutOfRange):
        make_quote(SESSION, request, Maker(MAKER.id, 1), pays)


@pytest.mark.parametrize("side", [0, 2, -2])
def test_a_maker_takes_one_of_two_sides(side):
    with pytest.raises(TradeMessageRefused):
        quote_for(side=side)


# -------------------------------------------------------------------------------------------------------------- quotes
def word(legs, cash=777):
    return pack_trade(TradeTerms(legs, cash), MINI)


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"request": b"\1" * 32}, "another request"),
        ({"maker": b"\1" * 32}, "other parties"),
        ({"taker": b"\1" * 32}, "other parties"),
        ({"maker": TAKER.id, "taker": MAKER.id}, "other parties"),
        ({"maker_side": 1}, "legs"),
        ({"maker_side": 0}, "side is 0"),
        ({"word": QUOTE.word ^ 1}, "legs"),
        ({"word": word(((1, 5), (9, -2)))}, "legs"),
        ({"word": word(((1, 5),))}, "legs"),
        ({"word": word(((1, 5), (9, -3), (2, 1)))}, "legs"),
        ({"word": word(((1, -5), (9, 3)))}, "legs"),
        ({"word": word(((0, 0), (1, 5), (9, -3)))}, "canonically"),
        ({"word": QUOTE.word + FIELD_MODULUS}, "malformed"),
        ({"word": 2**212}, "malformed"),
        ({"word": QUOTE.word | 255}, "malformed"),
        ({"salt": FIELD_MODULUS}, "field element"),
        ({"salt": QUOTE.salt + FIELD_MODULUS}, "field element"),
        ({"maker_commitment_old": FIELD_MODULUS}, "field element"),
        ({"valid_until": NOW - 1}, "valid until"),
        ({"generation": 1}, "the quote of 1"),
        ({"epoch": 8}, "is for epoch 8, expected 9"),
    ],
)
def test_a_quote_with_one_thing_wrong(change, reason):
    with pytest.raises(TradeMessageRefused) as caught:
        check_quote(SESSION, REQUEST, QUOTE.model_copy(update=change), now=NOW)
    assert reason in caught.value.reason
    assert str(QUOTE.salt) not in str(caught.value) and str(QUOTE.word) not in str(caught.value)


def test_time_and_domain_of_a_quote():
    check_quote(SESSION, REQUEST, QUOTE, now=NOW + 30)
    with pytest.raises(TradeMessageRefused):
        check_quote(SESSION, REQUEST, QUOTE, now=NOW + 31)
    late = quote_for(valid_until=NOW + 100)
    with pytest.raises(TradeMessageRefused) as caught:
        check_quote(SESSION, REQUEST, late, now=NOW + 61)
    assert "request" in caught.value.reason
    with pytest.raises(TradeMessageRefused):
        elsewhere = Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle)
        check_quote(make_session(domain=elsewhere), REQUEST, QUOTE, now=NOW)


@pytest.mark.property("P-53")
@pytest.mark.parametrize(
    "requested, quoted, actual", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 0, 1)]
)
def test_request_quote_and_epoch_mean_one_generation(requested, quoted, actual):
    """A slot stands for another instrument after a step, so legs count only in the generation they were asked in."""
    request = REQUEST.model_copy(update={"generation": requested})
    quote = QUOTE.model_copy(update={"request": compute_digest(DOMAIN, request), "generation": quoted})
    with pytest.raises(TradeMessageRefused) as caught:
        check_quote(make_session(Scene(generation=actual)), request, quote, now=NOW)
    assert "generation" in caught.value.reason
    same = QUOTE.model_copy(update={"request": compute_digest(DOMAIN, request), "generation": requested})
    session = make_session(Scene(generation=requested))
    assert check_quote(session, request, same, now=NOW).generation == requested


def test_a_maker_quotes_in_the_requests_generation_only():
    with pytest.raises(TradeMessageRefused) as caught:
        quote_for(REQUEST.model_copy(update={"generation": 1}))
    assert "generation 1" in caught.value.reason


def test_a_word_may_split_a_leg_over_two():
    split = QUOTE.model_copy(update={"word": word(((1, 2), (9, -3), (1, 3)))})
    assert check_quote(SESSION, REQUEST, split, now=NOW).trade.terms.get_net_legs() == {
        1: 5,
        9: -3,
    }


def test_accept():
    accept = make_accept(DOMAIN, QUOTE, 5)
    check_accept(DOMAIN, QUOTE, accept, now=NOW)
    for wrong, now in (
        (accept, NOW + 31),
        (accept.model_copy(update={"quote": b"\1" * 32}), NOW),
        (accept.model_copy(update={"taker_commitment_old": FIELD_MODULUS}), NOW),
        (make_accept(DOMAIN, QUOTE.model_copy(update={"salt": 1}), 5), NOW),
    ):
        with pytest.raises(TradeMessageRefused):
            check_accept(DOMAIN, QUOTE, wrong, now=now)


# ---------------------------------------------------------------------------------------------------------- settlement
@pytest.mark.property("P-57")
def test_a_proof_is_inert_until_it_is_signed():
    assert check(settle(MAKER, BOB, signed=False)) is False
    assert check(settle(MAKER, BOB)) is True
    with pytest.raises(WrongSigner):
        check(settle(MAKER, ALICE))
    with pytest.raises(WrongSigner):
        check(settle(MAKER, BOB).model_copy(update={"signature": b"\1" * 65}))


def test_a_contract_wallet_is_asked_through_the_given_check():
    asked = []

    def ask_chain(domain, message, signature, signer):
        asked.append(signer)
        return True

    assert check(settle(MAKER, ALICE), auth="0x" + "77" * 20, check=ask_chain) and asked == ["0x" + "77" * 20]


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"kind": 4}, "kind is 4"),
        ({"side": 1}, "side 1"),
        ({"counterparty": b"\1" * 32}, "counterparty"),
        ({"trade_tag": 1}, "trade tag"),
        ({"epoch": 8}, "epoch 8"),
        ({"policy": encode_policy_name("maintenance")}, "another policy than 'initial'"),
        ({"policy": bytes(32)}, "another policy than 'initial'"),
        ({"generation_new": 1}, "leads to generation 1"),
        ({"generation_old": 1}, "starts from generation 1"),
        ({"deadline": NOW + 31}, "may be settled until"),
        ({"key_version": 2}, "key version 2"),
        ({"commitment_old": 1}, "start from"),
        ({"cash_flow": -5}, "more than the fee"),
        ({"cash_flow": 4}, "more than the fee"),
        ({"flows": (Flow(slot=8, lots=-1),)}, "more than the fee"),
        ({"account": b"\1" * 32}, "no party"),
    ],
)
def test_an_action_with_one_thing_wrong(change, reason):
    with pytest.raises(TradeMessageRefused) as caught:
        check(settle(MAKER, BOB, change=change))
    assert reason in caught.value.reason


@pytest.mark.parametrize("generation, allowed", [(2, False), (3, True), (4, True), (5, False)])
def test_a_side_comes_from_the_agreed_generation_or_the_one_before(generation, allowed):
    agreed = replace(AGREED, generation=4)
    side = settle(MAKER, BOB, change={"generation_old": generation, "generation_new": 4})
    if allowed:
        assert check(side, agreed, generation=generation)
    else:
        with pytest.raises(TradeMessageRefused) as caught:
            check(side, agreed, generation=generation)
        assert "starts from generation" in caught.value.reason
    with pytest.raises(TradeMessageRefused):
        check(side, agreed, generation=generation + 1)


def test_a_maker_that_moved_since_the_quote_is_noticed():
    moved = MAKER.advance(MAKER.state, 0)
    with pytest.raises(TradeMessageRefused) as caught:
        check(settle(moved, BOB), account=moved)
    assert "moved" in caught.value.reason


def test_a_receipt_of_another_trade_is_refused():
    receipt = Receipt(
        quote=compute_digest(DOMAIN, QUOTE),
        trade_tag=AGREED.trade_tag,
        transaction=bytes(32),
        block=1,
        maker_commitment_new=1,
        taker_commitment_new=2,
    )
    check_receipt(DOMAIN, QUOTE, receipt)
    for change in ({"quote": bytes(32)}, {"trade_tag": 1}):
        with pytest.raises(TradeMessageRefused):
            check_receipt(DOMAIN, QUOTE, receipt.model_copy(update=change))


# ---------------------------------------------------------------------------------------------------------------- JSON
def test_signed_messages_of_others_are_refused():
    signed = sign_message(ALICE, DOMAIN, REQUEST)
    with pytest.raises(WrongSigner) as caught:
        signed.check_signer(DOMAIN, BOB.address)
    assert caught.value.actual == ALICE.address
    changed = Signed(REQUEST.model_copy(update={"valid_until": NOW + 61}), signed.signature)
    for wrong, domain in ((changed, DOMAIN), (signed, Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle))):
        with pytest.raises(WrongSigner):
            wrong.check_signer(domain, ALICE.address)


GOOD = json.loads(sign_message(BOB, DOMAIN, QUOTE).to_json())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "1" * 5000,
        "[" * 50000,
        "x" * (MAX_JSON_BYTES + 1),
        json.dumps({**GOOD, "type": "Accept"}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "self": 1}),
        json.dumps({**GOOD, "signature": "11"}),
        json.dumps({**GOOD, "signature": "0x1"}),
        json.dumps({**GOOD, "signature": "0x" + "11" * 5000}),
        json.dumps({**GOOD, "message": []}),
        json.dumps({**GOOD, "message": {**GOOD["message"], "salt": -1}}),
        json.dumps({**GOOD, "message": {**GOOD["message"], "salt": 1.0}}),
        json.dumps({**GOOD, "message": {**GOOD["message"], "epoch": str(2**64)}}),
        json.dumps({**GOOD, "message": {**GOOD["message"], "maker": "0x11"}}),
        json.dumps({k: v for k, v in GOOD.items() if k != "signature"}),
    ],
    ids=range(19),
)
def test_json_that_is_no_signed_quote_is_refused(text):
    with pytest.raises(MessageInvalid):
        read_signed(text, Quote)


def test_a_request_hides_its_legs():
    request = make_request(TAKER.id, MAKER.id, {7: 987_654}, NOW, generation=0)
    for text in (repr(request), str(request), repr(request.legs[0]), repr(sign_message(ALICE, DOMAIN, request))):
        assert "987654" not in text and "slot=7" not in text
    assert "legs='(hidden)'" in repr(request)  # not even how many
    with pytest.raises(MessageInvalid) as caught:
        RequestForQuote.parse({**request.to_json_dict(), "legs": [987_654]})
    assert (caught.value.field, caught.value.reason) == ("legs.0", "not of its type")
    for leg in ({"slot": 7, "lots": 2**63 + 987_654}, {"slot": 987_654, "lots": 1}):
        with pytest.raises(MessageInvalid) as caught:
            RequestForQuote.parse({**request.to_json_dict(), "legs": [leg]})
        assert "987654" not in str(caught.value) and str(2**63 + 987_654) not in str(caught.value)


def test_errors_and_reprs_hide_word_and_salt():
    signed = read_signed(json.dumps(GOOD), Quote)
    for text in (repr(signed), str(signed.message), repr(AGREED)):
        assert str(QUOTE.salt) not in text and str(QUOTE.word) not in text
    bad = {**GOOD, "message": {**GOOD["message"], "salt": str(QUOTE.salt) + "x"}}
    with pytest.raises(MessageInvalid) as caught:
        read_signed(json.dumps(bad), Quote)
    assert str(QUOTE.salt) not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"proof": "0x" + "00" * 255}, {"proof": "0x" + "00" * 257}, {"action": {}}, {"action": 5}, {"type": "x"}]
)
def test_malformed_settlement_proofs_are_refused(change):
    good = json.loads(write_record(settle(MAKER, BOB)))
    assert read_record(json.dumps(good), SettlementProof) == settle(MAKER, BOB)
    with pytest.raises(MessageInvalid):
        read_record(json.dumps({**good, **change}), SettlementProof)


@settings(max_examples=30)
@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), st.integers(0, 2**64 - 1))
def test_quotes_round_trip(word, salt, epoch):
    quote = QUOTE.model_copy(update={"word": word, "salt": salt, "epoch": epoch})
    assert read_signed(Signed(quote, secrets.token_bytes(65)).to_json(), Quote).message == quote
