"""Descriptors of the signed messages: the registry's schema, every field shown, bound to one deployment."""

import json
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from jsonschema import Draft202012Validator

from zkmargin.prover.messages import clear_signing
from zkmargin.prover.messages.clear_signing import describe_messages, list_paths
from zkmargin.prover.messages.typed_data import Domain, encode_type, load_table

SCHEMA = json.loads((Path(__file__).parents[2] / "vectors/erc7730-v2.schema.json").read_text())
DOMAIN = Domain(31337, "0x" + "a1" * 20, "0x" + "b2" * 20)
SIGNED = load_table()["verifying_contract"]


@pytest.fixture(scope="module")
def descriptors():
    return describe_messages(DOMAIN)


def _formats(descriptors):
    return {
        key.split("(")[0]: value for one in descriptors.values() for key, value in one["display"]["formats"].items()
    }


def test_the_descriptors_are_as_the_schema_has_it(descriptors):
    for descriptor in descriptors.values():
        assert not [error.message for error in Draft202012Validator(SCHEMA).iter_errors(descriptor)]


def test_the_schema_would_say_so(descriptors):
    broken = descriptors["ClearingHouse"] | {"context": {"eip712": {"deployments": [{"chainId": "one"}]}}}
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(broken)]


@pytest.mark.parametrize("name", SIGNED)
def test_every_field_of_every_message_is_shown_or_offered(descriptors, name):
    fields = _formats(descriptors)[name]["fields"]
    assert [field["path"] for field in fields] == list_paths(name)
    assert all(field.get("visible", "always") in ("always", "optional") for field in fields)
    shown = {field["path"] for field in fields if field.get("visible", "always") == "always"}
    telling = {"account", "taker", "quote", "number", "fromGeneration", "maker", "level"}
    assert shown & telling, "nothing that tells what it is"


def test_what_takes_money_or_names_a_party_is_always_shown(descriptors):
    words = (
        "price",
        "fee",
        "cashFlow",
        "recipient",
        "submitter",
        "deadline",
        "lots",
        "slot",
        "floor",
        "equity",
        "kind",
    )
    for form in _formats(descriptors).values():
        for field in form["fields"]:
            if field["path"].split(".")[-1] in words:
                assert "visible" not in field, field


def test_a_key_is_the_types_own_text(descriptors):
    for contract, descriptor in descriptors.items():
        names = [name for name, by in SIGNED.items() if by == contract]
        assert list(descriptor["display"]["formats"]) == [encode_type(name) for name in names]
    # EIP-712's own example of a type that refers to another.
    mail = {
        "Mail": [
            {"name": "from", "type": "Person"},
            {"name": "to", "type": "Person"},
            {"name": "text", "type": "string"},
        ],
        "Person": [{"name": "name", "type": "string"}, {"name": "wallet", "type": "address"}],
    }
    assert (
        keccak(text=encode_type("Mail", {**mail, "Mail": [*mail["Mail"][:2], {"name": "contents", "type": "string"}]}))
    ).hex() == "a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2"


def test_a_descriptor_is_bound_to_chain_and_contract(descriptors):
    for contract, address in (("ClearingHouse", "0x" + "a1" * 20), ("RiskOracle", "0x" + "b2" * 20)):
        context = descriptors[contract]["context"]["eip712"]
        assert context["domain"] == {"name": "zkmargin", "version": "1"}
        assert [(d["chainId"], d["address"].lower()) for d in context["deployments"]] == [(31337, address)]


def test_no_words_are_left_over():
    """A field or a message that was renamed leaves no dead words behind."""
    display = json.loads(clear_signing.DISPLAY_PATH.read_text())
    assert display["intents"].keys() == SIGNED.keys()
    assert display["fields"].keys() == {path.removesuffix(".[]") for name in SIGNED for path in list_paths(name)}
    assert display["formats"].keys() == {form for _, form in display["fields"].values()}
