"""Typed messages: one table, validated records, digests that a second encoder confirms."""

import json

import pytest
from eth_abi import encode as abi_encode
from eth_account import Account as EthAccount
from eth_utils import keccak, to_checksum_address
from pydantic.alias_generators import to_camel

from zkmargin.prover.errors import MessageInvalid, OutOfRange, WrongSigner
from zkmargin.prover.messages.fields import ZERO_BYTES32, encode_policy_name
from zkmargin.prover.messages.records import (
    MESSAGES,
    Action,
    Epoch,
    Flow,
    KeyDerivation,
    Leg,
    Open,
    Quote,
    RequestForQuote,
    Reveal,
)
from zkmargin.prover.messages.typed_data import (
    Domain,
    check_signature,
    compute_context,
    compute_digest,
    encode,
    load_table,
    recover_signer,
)

DOMAIN = Domain(31337, "0x" + "11" * 20, "0x" + "22" * 20)
ACTION = Action(
    kind=4,
    account=b"\1" * 32,
    key_version=1,
    epoch=9,
    policy=encode_policy_name("withdraw"),
    generation_old=2,
    generation_new=3,
    commitment_old=5,
    commitment_new=6,
    cash_flow=-7,
    flows=(Flow(slot=8, lots=-10),),
    recipient="0x" + "33" * 20,
    fee=4,
    deadline=99,
)


def hash_struct(name, values):
    """EIP-712 written again from its text, for the types of our table only."""
    types = load_table()["types"]

    def describe(of):
        return of + "(" + ",".join(f"{f['type']} {f['name']}" for f in types[of]) + ")"

    inner = sorted({f["type"].removesuffix("[]") for f in types[name]} & set(types))
    parts = [keccak(text=describe(name) + "".join(describe(i) for i in inner))]
    kinds = ["bytes32"]
    for field in types[name]:
        value, kind = values[field["name"]], field["type"]
        if kind.endswith("[]"):
            hashed = hash_struct if kind[:-2] in types else lambda of, item: abi_encode([of], [item])
            kind, value = "bytes32", keccak(b"".join(hashed(kind[:-2], item) for item in value))
        elif kind == "string":
            kind, value = "bytes32", keccak(text=value)
        kinds.append(kind)
        parts.append(value)
    return keccak(abi_encode(kinds, parts))


def digest_again(message):
    domain = keccak(
        abi_encode(
            ["bytes32", "bytes32", "bytes32", "uint256", "address"],
            [
                keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak(text="zkmargin"),
                keccak(text="1"),
                DOMAIN.chain_id,
                DOMAIN.get_verifying_contract(type(message).__name__),
            ],
        )
    )
    return keccak(b"\x19\x01" + domain + hash_struct(type(message).__name__, message.to_message()))


def test_records_have_exactly_the_fields_of_the_table_in_order():
    table = load_table()["types"]
    assert set(MESSAGES) == set(table)
    for name, cls in MESSAGES.items():
        assert [to_camel(field) for field in cls.model_fields] == [field["name"] for field in table[name]], name


@pytest.mark.parametrize("name", sorted(load_table()["types"]))
def test_the_record_allows_exactly_the_range_of_the_type(name):
    cls = MESSAGES[name]
    for field, entry in zip(cls.model_fields, load_table()["types"][name], strict=True):
        kind = entry["type"]
        if kind.endswith("[]") or not kind.startswith(("uint", "int")):
            continue
        bits = int(kind.removeprefix("u").removeprefix("int"))
        low, high = (0, 1 << bits) if kind[0] == "u" else (-(1 << bits - 1), 1 << bits - 1)
        for good in (low, high - 1):
            assert getattr(_assign(cls, field, good), field) == good
        for bad in (low - 1, high):
            with pytest.raises(MessageInvalid) as caught:
                _assign(cls, field, bad)
            assert caught.value.field == to_camel(field)
            assert field in cls.secret_fields or str(bad) in caught.value.reason


def _example(cls):
    blank = {"bytes32": ZERO_BYTES32, "address": "0x" + "44" * 20, "bool": False, "string": "x"}
    values = {}
    for field, entry in zip(cls.model_fields, load_table()["types"][cls.__name__], strict=True):
        kind = entry["type"]
        values[field] = () if kind.endswith("[]") else blank.get(kind, 0)
    return values


def test_numbers_of_a_list_are_hashed_in_their_order():
    for words in ((), (2**256 - 1,), (5, 7, 11)):
        message = Reveal(account=b"\1" * 32, key_version=1, generation=2, commitment=3, cash=-4, words=words)
        assert compute_digest(DOMAIN, message) == digest_again(message)


def _assign(cls, field, value):
    return cls(**{**_example(cls), field: value})


@pytest.mark.parametrize("name", sorted(load_table()["verifying_contract"]))
def test_digests_agree_with_a_second_encoder(name):
    message = MESSAGES[name](**_example(MESSAGES[name]))
    assert compute_digest(DOMAIN, message) == digest_again(message)


def test_digest_with_arrays_and_negative_numbers():
    assert compute_digest(DOMAIN, ACTION) == digest_again(ACTION)
    request = RequestForQuote(
        taker=b"\1" * 32,
        maker=b"\2" * 32,
        generation=1,
        legs=[Leg(slot=3, lots=-4), Leg(slot=5, lots=6)],
        valid_until=7,
        id=b"\3" * 32,
    )
    assert compute_digest(DOMAIN, request) == digest_again(request)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": 5},
        {"account": b"\2" * 32},
        {"counterparty": b"\1" * 32},
        {"key_version": 2},
        {"epoch": 8},
        {"policy": ZERO_BYTES32},
        {"generation_old": 1},
        {"generation_new": 2},
        {"commitment_old": 4},
        {"commitment_new": 5},
        {"trade_tag": 1},
        {"ciphertext": 1},
        {"side": 1},
        {"cash_flow": -8},
        {"flows": ()},
        {"flows": (Flow(slot=8, lots=-11),)},
        {"recipient": "0x" + "34" * 20},
        {"fee": 5},
        {"deadline": 98},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_an_action_changes_the_digest(change):
    changed = Action(**{**{name: getattr(ACTION, name) for name in Action.model_fields}, **change})
    assert compute_digest(DOMAIN, changed) != compute_digest(DOMAIN, ACTION)


def test_chain_and_contract_change_the_digest():
    other_chain = Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle)
    other_house = Domain(31337, "0x" + "12" * 20, DOMAIN.risk_oracle)
    other_oracle = Domain(31337, DOMAIN.clearing_house, "0x" + "12" * 20)
    assert len({compute_digest(domain, ACTION) for domain in (DOMAIN, other_chain, other_house)}) == 3
    assert compute_digest(other_oracle, ACTION) == compute_digest(DOMAIN, ACTION)
    epoch = Epoch(**_example(Epoch))
    assert compute_digest(other_oracle, epoch) != compute_digest(DOMAIN, epoch)
    assert compute_digest(other_house, epoch) == compute_digest(DOMAIN, epoch)


def test_context_is_the_digest_without_its_lowest_byte():
    assert compute_context(b"\xff" * 32) == (1 << 248) - 1
    assert compute_context(bytes(31) + b"\xff") == 0
    with pytest.raises(MessageInvalid):
        compute_context(b"\1" * 31)


def test_signatures_and_their_refusal():
    wallet, other = EthAccount.create(), EthAccount.create()
    signature = bytes(wallet.sign_message(encode(DOMAIN, ACTION)).signature)
    assert recover_signer(DOMAIN, ACTION, signature) == wallet.address
    check_signature(DOMAIN, ACTION, signature, wallet.address.lower())
    with pytest.raises(WrongSigner) as caught:
        check_signature(DOMAIN, ACTION, signature, other.address)
    assert (caught.value.expected, caught.value.actual) == (other.address, wallet.address)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    mirrored = (order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big") + bytes([55 - signature[64]])
    low = signature[:64] + bytes([signature[64] - 27])
    for malformed in (b"", signature[:-1], bytes(65), b"\xff" * 65, signature[:32] + mirrored, low):
        with pytest.raises(WrongSigner):
            check_signature(DOMAIN, ACTION, malformed, wallet.address)


def test_json_round_trip_keeps_wide_integers_exact():
    message = Open(
        account=b"\7" * 32,
        auth="0x" + "55" * 20,
        index=2**64 - 1,
        key_version=3,
        generation=2**24 - 1,
        commitment=2**256 - 1,
        escrow_hash=b"\x08" * 32,
        deadline=2**40 - 1,
    )
    text = json.dumps(message.to_json_dict())
    assert '"commitment": "115792089237316195423570985008687907853269984665640564039457584007913129639935"' in text
    assert Open.parse(json.loads(text)) == message


@pytest.mark.parametrize(
    "field, value",
    [
        ("commitment", True),
        ("commitment", 1.0),
        ("commitment", None),
        ("commitment", "0x10"),
        ("commitment", "1" * 81),
        ("commitment", "--1"),
        ("account", b"\1" * 31),
        ("account", "0x1g"),
        ("account", 5),
        ("auth", "0x" + "55" * 19),
        ("auth", "0x" + "aB" * 20),
        ("auth", 1),
    ],
)
def test_values_of_another_type_are_refused(field, value):
    with pytest.raises(MessageInvalid) as caught:
        Open(**{**_example(Open), field: value})
    assert caught.value.field == field


def test_unknown_missing_and_nameless_fields_are_refused():
    with pytest.raises(MessageInvalid):
        Flow.parse({"slot": 1, "lots": 2, "more": 3})
    with pytest.raises(MessageInvalid):
        Flow.parse({"slot": 1})
    with pytest.raises(MessageInvalid):
        Flow.parse([1, 2])


def test_a_quote_shows_neither_word_nor_salt():
    quote = Quote(**{**_example(Quote), "word": 987654321, "salt": 123456789})
    for text in (repr(quote), str(quote), f"{quote}"):
        assert "987654321" not in text and "123456789" not in text
    with pytest.raises(MessageInvalid) as caught:
        Quote(**{**_example(Quote), "salt": 1 << 300})
    assert str(1 << 300) not in str(caught.value)


def test_key_derivation_is_signed_and_legs_alone_are_not():
    compute_digest(DOMAIN, KeyDerivation(purpose="p", account=ZERO_BYTES32))
    with pytest.raises(MessageInvalid):
        compute_digest(DOMAIN, Leg(slot=1, lots=1))


def test_policy_names():
    assert encode_policy_name("initial") == b"initial".ljust(32, b"\0")
    assert encode_policy_name("none") == ZERO_BYTES32
    assert encode_policy_name("x" * 31)[31:] == b"\0"
    for wrong in ("", "x" * 32):
        with pytest.raises(OutOfRange):
            encode_policy_name(wrong)


def test_domain_refuses_what_is_no_address():
    with pytest.raises(MessageInvalid):
        Domain(1, "0x12", DOMAIN.risk_oracle)
    assert Domain(1, "0x" + "ab" * 20, DOMAIN.risk_oracle).clearing_house == to_checksum_address("0x" + "ab" * 20)
