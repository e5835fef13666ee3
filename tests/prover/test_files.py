"""Files and messages from outside end in errors of the tree: cut, of another type, in another encoding, or deep."""

import json

import pytest

from zkmargin.contracts.errors import CallInvalid, KeyUnusable
from zkmargin.contracts.key_material import encode_key
from zkmargin.contracts.requests import encode_proof
from zkmargin.engine.presets import get_preset
from zkmargin.prover.account.escrow import create_committee_file, read_committee_file
from zkmargin.prover.account.key_file import create_key_file, load_key_file
from zkmargin.prover.errors import FormatError, KeyFileError, KeyMissing, MessageInvalid
from zkmargin.prover.groth16.keys import MANIFEST, VerifyingKey, load_verifying_key
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.messages.records import Invalidate
from zkmargin.prover.messages.signed import read_record, read_signed
from zkmargin.prover.negotiation import Receipt

MINI = get_preset("mini")
DEEP = b"[" * 60_000
TEXTS = [b"", b"{", b"[]", b"null", b"1", b'"text"', b'{"a": NaN}', b"\xff\xfe{\0}\0", b"\x80", DEEP, b'{"a":' * 10_000]
"""No object of any format here: cut, of another type, UTF-16, no UTF-8, deep enough to end a process."""
PROOF = {
    "pi_a": ["1", "2", "1"], "pi_b": [["1", "2"], ["3", "4"], ["1", "0"]], "pi_c": ["1", "2", "1"],
    "protocol": "groth16", "curve": "bn128",
}  # fmt: skip
NUMBERS = [float("inf"), float("nan"), 1.0, True, None, "1e3", "-1", "0x1", " 1", [], {}]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_a_number_of_a_proof_that_is_none(number):
    """`Infinity` and `NaN` are numbers to Python's json."""
    places = [
        {"pi_a": [number, "2", "1"]},
        {"pi_b": [["1", number], ["3", "4"], ["1", "0"]]},
        {"pi_c": ["1", "2", number]},
    ]
    for change in places:
        with pytest.raises(FormatError):
            Proof.from_json({**PROOF, **change})
        with pytest.raises(CallInvalid, match="snarkjs's JSON"):
            encode_proof({**PROOF, **change})


@pytest.mark.parametrize("part", ["12", "121", ["1", "2"], ["1", "2", "1", "1"], 5, None, {"0": "1"}], ids=repr)
def test_a_part_of_a_proof_that_is_none(part):
    for name in ("pi_a", "pi_b", "pi_c"):
        with pytest.raises(FormatError):
            Proof.from_json({**PROOF, name: part})
        with pytest.raises(CallInvalid):
            encode_proof({**PROOF, name: part})


@pytest.mark.parametrize("document", [[], None, 1, "text", {}, {"protocol": "groth16", "curve": "bn128"}], ids=repr)
def test_a_document_that_is_no_proof_and_no_key(document):
    with pytest.raises(FormatError):
        Proof.from_json(document)
    with pytest.raises(FormatError):
        VerifyingKey.from_json(document)
    with pytest.raises(CallInvalid):
        encode_proof(document)
    with pytest.raises(KeyUnusable):
        encode_key(document, "transition", MINI)


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_a_number_of_a_verification_key_that_is_none(number):
    g2 = [["1", "2"], ["3", "4"], ["1", "0"]]
    key = {
        "protocol": "groth16", "curve": "bn128", "nPublic": 1, "vk_alpha_1": ["1", "2", "1"], "vk_beta_2": g2,
        "vk_gamma_2": g2, "vk_delta_2": g2, "IC": [["1", "2", "1"]] * 40,
    }  # fmt: skip
    for change in (
        {"vk_alpha_1": [number, "2", "1"]},
        {"vk_beta_2": [[number, "2"], *g2[1:]]},
        {"IC": [[number, "2", "1"]] * 40},
    ):
        with pytest.raises(FormatError):
            VerifyingKey.from_json({**key, **change})
        with pytest.raises(KeyUnusable):
            encode_key({**key, **change}, "transition", MINI)
    with pytest.raises(FormatError):
        VerifyingKey.from_json({**key, "nPublic": number})
    assert len(encode_key(key, "transition", MINI)) % 32 == 0


def create_key(path):
    return create_key_file(path, bytes(32))


SECRET_FILES = [(create_key, load_key_file), (create_committee_file, read_committee_file)]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("create, read", SECRET_FILES)
def test_a_secret_file_that_is_none(tmp_path, create, read, text):
    path = tmp_path / "secret.json"
    create(path)
    read(path)
    path.write_bytes(text)
    with pytest.raises(KeyFileError, match=r"secret\.json"):
        read(path)


NO_SECRETS = ["", "0x", "5", " 0x5", "0x5_0", "0x\uff15", "0X5", "-0x5", "0x" + "f" * 65, 5, None, [], 1e400]


@pytest.mark.parametrize("value", NO_SECRETS, ids=repr)
def test_a_secret_that_is_none(tmp_path, value):
    for name, create, read, field in (
        ("key", create_key, load_key_file, "key"),
        ("committee", create_committee_file, read_committee_file, "secret"),
    ):
        path = tmp_path / name
        create(path)
        path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
        with pytest.raises(KeyFileError):
            read(path)
        if name == "committee":
            path.write_text(json.dumps({**json.loads(path.read_text()), field: "0x5", "public": [value, "1"]}))
            with pytest.raises(KeyFileError):
                read(path)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]))
def test_a_message_that_is_none(text):
    for read, kind in ((read_signed, Invalidate), (read_record, Receipt)):
        with pytest.raises(MessageInvalid):
            read(text, kind)
        with pytest.raises(MessageInvalid):
            read(text.decode("utf-8", errors="replace"), kind)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: repr(text[:12]))
def test_a_manifest_that_is_none_is_a_missing_key(tmp_path, text):
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / MANIFEST).write_bytes(text)
    with pytest.raises(KeyMissing):
        load_verifying_key("transition", MINI, build=tmp_path, allow_insecure=True)
    (tmp_path / "mini" / MANIFEST).unlink()
    (tmp_path / "mini" / MANIFEST).mkdir()  # a folder of that name
    with pytest.raises(KeyMissing):
        load_verifying_key("transition", MINI, build=tmp_path, allow_insecure=True)
