"""Keys in files, in the environment and at a signer elsewhere: used, and never shown."""

import json
import stat

import pytest

from zkmargin.contracts.chain import run_anvil
from zkmargin.prover.messages.records import KeyDerivation
from zkmargin.prover.messages.typed_data import Domain, recover_signer
from zkmargin.prover.messages.wallet import Wallet, request_signature
from zkmargin.scripts.cli.connection import read_password
from zkmargin.venue.errors import KeystoreRefused, SignerUnavailable, WalletUnusable
from zkmargin.venue.json_form import to_json_form
from zkmargin.venue.keystore import create_keystore, open_keystore
from zkmargin.venue.signers import RpcSigner, read_environment_wallet

DOMAIN = Domain(31337, "0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02")
MESSAGE = KeyDerivation(purpose="a test", account=bytes(range(32)), key_index=7)
PASSWORD = "correct horse"


# ---------------------------------------------------------------------------------------------------------- keystores
@pytest.mark.property("P-310")
def test_a_keystore_opens_by_its_password_alone(tmp_path):
    path, wallet = tmp_path / "key.json", Wallet.create()
    assert create_keystore(path, PASSWORD, wallet, iterations=2) == wallet.address
    assert open_keystore(path, PASSWORD).account.key == wallet.account.key
    with pytest.raises(KeystoreRefused, match="this password does not open it") as refused:
        open_keystore(path, "another password")
    assert "another password" not in str(refused.value)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert wallet.account.key.hex() not in path.read_text()


def test_a_password_file_that_others_read_is_refused(tmp_path):
    file = tmp_path / "password"
    file.write_text("a password of a test\n")
    file.chmod(0o600)
    assert read_password(file) == "a password of a test"
    for mode in (0o644, 0o640, 0o602):
        file.chmod(mode)
        with pytest.raises(WalletUnusable, match=f"of mode {mode:04o}; allowed: 0600"):
            read_password(file)


def test_a_keystore_is_never_overwritten(tmp_path):
    path = tmp_path / "key.json"
    address = create_keystore(path, PASSWORD, iterations=2)
    with pytest.raises(KeystoreRefused, match="never overwritten"):
        create_keystore(path, PASSWORD, iterations=2)
    assert open_keystore(path, PASSWORD).address == address


def test_a_short_password_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(KeystoreRefused, match="7 characters; allowed: 8 or more"):
        create_keystore(tmp_path / "key.json", "1234567")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["{}", "[]", "no json", json.dumps({"version": 3, "crypto": {"kdf": "none"}})])
def test_what_is_no_keystore_is_named(tmp_path, text):
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(KeystoreRefused, match=r"key\.json"):
        open_keystore(path, PASSWORD)
    with pytest.raises(KeystoreRefused, match=r"missing\.json"):
        open_keystore(tmp_path / "missing.json", PASSWORD)


# -------------------------------------------------------------------------------------------------------- environment
def test_a_key_of_the_environment():
    wallet = Wallet.create()
    assert read_environment_wallet("KEY", {"KEY": wallet.account.key.hex()}).address == wallet.address


@pytest.mark.property("P-310")
def test_a_value_that_is_no_key_is_not_shown():
    with pytest.raises(WalletUnusable, match="KEY, which is not set"):
        read_environment_wallet("KEY", {})
    for secret in ("0x1234abcd", "my secret phrase"):
        with pytest.raises(WalletUnusable, match="holds no private key") as refused:
            read_environment_wallet("KEY", {"KEY": secret})
        assert secret not in str(refused.value) and refused.value.__cause__ is None


# ---------------------------------------------------------------------------------------------------- external signers
@pytest.fixture(scope="module")
def node():
    with run_anvil() as chain:
        yield chain


def test_an_external_signer_signs_what_a_key_here_would(node):
    signer = RpcSigner(node.url, node.accounts[2].lower())
    signature = request_signature(signer, DOMAIN, MESSAGE)
    assert recover_signer(DOMAIN, MESSAGE, signature) == signer.address == node.accounts[2]
    assert signature == request_signature(signer, DOMAIN, MESSAGE)


def test_a_signer_that_refuses_or_does_not_answer_is_named(node, closed_url):
    stranger = RpcSigner(node.url, Wallet.create().address)
    with pytest.raises(SignerUnavailable, match=f"{node.url}: eth_signTypedData_v4 refused"):
        stranger.sign(DOMAIN, MESSAGE)
    with pytest.raises(SignerUnavailable, match="ConnectionError"):
        RpcSigner(closed_url, node.accounts[2]).sign(DOMAIN, MESSAGE)
    with pytest.raises(WalletUnusable, match="address '0x12'"):
        RpcSigner(node.url, "0x12")


def test_no_digit_is_lost_on_the_way_to_a_signer():
    form = to_json_form({"a": [2**53, -(2**53)], "b": b"\x01", "c": (2**53 - 1, "text", True)})
    assert form == {"a": [str(2**53), str(-(2**53))], "b": "0x01", "c": [2**53 - 1, "text", True]}
