"""Account numbers, keys from wallets, key files; and that no secret reaches repr, str, error text, log or pickle."""

import copy
import hashlib
import json
import logging
import os
import pickle
import traceback

import pytest
from eth_abi import encode as abi_encode
from eth_account import Account as EthAccount
from eth_utils import keccak

from zkmargin.engine.presets import get_preset
from zkmargin.prover.account.account import KEY_PURPOSE, Account, compute_account_id, derive_key
from zkmargin.prover.account.key_file import create_key_file, read_key_file
from zkmargin.prover.errors import KeyFileError, OutOfRange, SigningNotRepeatable, WrongSigner
from zkmargin.prover.messages.records import KeyDerivation
from zkmargin.prover.messages.typed_data import Domain, encode
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import FIELD_MODULUS

MINI = get_preset("mini")
DOMAIN = Domain(31337, "0x" + "11" * 20, "0x" + "22" * 20)
SIGNER = EthAccount.from_key("0x" + "01" * 32)
WALLET = Wallet(SIGNER)
ACCOUNT_ID = compute_account_id(DOMAIN, WALLET.address, 0)


class WalletWithRandomNonces:
    """Signs the same text validly but differently each time, as hedged signers do."""

    address = WALLET.address

    def __init__(self):
        self.count = 0

    def sign(self, domain, message):
        self.count += 1
        other = KeyDerivation(purpose=KEY_PURPOSE, account=ACCOUNT_ID, key_index=self.count)
        return WALLET.sign(domain, other)


class ContractWallet:
    """Signs for an address that is not the signer's own, as ERC-1271 wallets do."""

    address = "0x" + "99" * 20

    def sign(self, domain, message):
        return WALLET.sign(domain, message)


class LowRecoveryWallet:
    """Writes v as 0 or 1."""

    address = WALLET.address

    def sign(self, domain, message):
        signature = WALLET.sign(domain, message)
        return signature[:64] + bytes([signature[64] - 27])


# ---------------------------------------------------------------------------------------------------------------- id
def test_account_id_is_the_hash_of_chain_contract_auth_and_index():
    packed = abi_encode(["uint256", "address", "address", "uint64"], [31337, DOMAIN.clearing_house, WALLET.address, 5])
    assert compute_account_id(DOMAIN, WALLET.address.lower(), 5) == keccak(packed)


def test_account_ids_differ_by_each_part():
    other_chain = Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle)
    other_house = Domain(31337, "0x" + "33" * 20, DOMAIN.risk_oracle)
    ids = {
        ACCOUNT_ID,
        compute_account_id(DOMAIN, WALLET.address, 1),
        compute_account_id(DOMAIN, "0x" + "44" * 20, 0),
        compute_account_id(other_chain, WALLET.address, 0),
        compute_account_id(other_house, WALLET.address, 0),
    }
    assert len(ids) == 5


@pytest.mark.parametrize("index", [-1, 2**64])
def test_index_out_of_range(index):
    with pytest.raises(OutOfRange):
        compute_account_id(DOMAIN, WALLET.address, index)


# --------------------------------------------------------------------------------------------------------------- key
def test_key_is_the_hash_of_the_signature():
    message = KeyDerivation(purpose=KEY_PURPOSE, account=ACCOUNT_ID, key_index=0)
    signature = bytes(SIGNER.sign_message(encode(DOMAIN, message)).signature)
    expected = int.from_bytes(hashlib.sha512(b"zkmargin.key" + signature).digest(), "big") % FIELD_MODULUS
    assert derive_key(WALLET, DOMAIN, ACCOUNT_ID).reveal() == expected


def test_keys_differ_by_wallet_account_index_chain_and_contract():
    other = Wallet.from_key("0x" + "02" * 32)
    keys = [
        derive_key(WALLET, DOMAIN, ACCOUNT_ID),
        derive_key(other, DOMAIN, ACCOUNT_ID),
        derive_key(WALLET, DOMAIN, bytes(32)),
        derive_key(WALLET, DOMAIN, ACCOUNT_ID, 1),
        derive_key(WALLET, Domain(1, DOMAIN.clearing_house, DOMAIN.risk_oracle), ACCOUNT_ID),
        derive_key(WALLET, Domain(31337, "0x" + "33" * 20, DOMAIN.risk_oracle), ACCOUNT_ID),
    ]
    assert len({key.reveal() for key in keys}) == len(keys)


def test_both_forms_of_v_give_the_same_key():
    assert derive_key(LowRecoveryWallet(), DOMAIN, ACCOUNT_ID) == derive_key(WALLET, DOMAIN, ACCOUNT_ID)


def test_a_wallet_that_signs_differently_each_time_is_refused():
    with pytest.raises(SigningNotRepeatable) as caught:
        derive_key(WalletWithRandomNonces(), DOMAIN, ACCOUNT_ID)
    assert caught.value.address == WALLET.address and "key file" in str(caught.value)


def test_a_contract_wallet_is_refused():
    with pytest.raises(WrongSigner) as caught:
        derive_key(ContractWallet(), DOMAIN, ACCOUNT_ID)
    assert caught.value.actual == WALLET.address


# -------------------------------------------------------------------------------------------------------- key file
def test_key_file_round_trip_and_mode(tmp_path):
    path = tmp_path / "keys" / "a.json"
    key = create_key_file(path, ACCOUNT_ID)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key_file(path, ACCOUNT_ID) == key
    assert os.listdir(path.parent) == ["a.json"]


def test_a_key_file_is_never_overwritten(tmp_path):
    path = tmp_path / "a.json"
    create_key_file(path, ACCOUNT_ID)
    before = path.read_bytes()
    with pytest.raises(KeyFileError):
        create_key_file(path, ACCOUNT_ID)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.json"]


@pytest.mark.property("P-55")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_key_file_that_others_may_touch_is_refused(tmp_path, mode):
    path = tmp_path / "a.json"
    create_key_file(path, ACCOUNT_ID)
    path.chmod(mode)
    with pytest.raises(KeyFileError) as caught:
        read_key_file(path, ACCOUNT_ID)
    assert f"{mode:04o}" in str(caught.value)


def test_a_key_file_of_another_account_is_refused(tmp_path):
    create_key_file(tmp_path / "a.json", ACCOUNT_ID)
    with pytest.raises(KeyFileError):
        read_key_file(tmp_path / "a.json", bytes(32))


@pytest.mark.parametrize(
    "change", [{"key": "0x1g"}, {"key": 567_123_890}, {"key": f"{FIELD_MODULUS:#x}"}, {"key": "-0x1"}]
)
def test_a_malformed_key_is_refused_without_being_shown(tmp_path, change):
    path = tmp_path / "a.json"
    create_key_file(path, ACCOUNT_ID)
    content = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps(content))
    with pytest.raises(KeyFileError) as caught:
        read_key_file(path, ACCOUNT_ID)
    assert str(change["key"]) not in str(caught.value)


def test_missing_files_and_fields_are_named(tmp_path):
    with pytest.raises(KeyFileError):
        read_key_file(tmp_path / "none.json", ACCOUNT_ID)
    path = tmp_path / "a.json"
    create_key_file(path, ACCOUNT_ID)
    for text in ("{", "[]", '{"key": "0x1"}'):
        path.write_text(text)
        with pytest.raises(KeyFileError):
            read_key_file(path, ACCOUNT_ID)


# ----------------------------------------------------------------------------------------------------------- secrets
@pytest.mark.property("P-55")
def test_a_secret_shows_itself_nowhere(caplog):
    value = 123456789123456789
    secret = Secret(value)
    account = Account.create(DOMAIN, WALLET.address, 0, secret, MINI, 0)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:x}", f"{secret!r}", "%s" % secret]  # noqa: UP031
    shown += [repr(account), str(account), repr([account]), repr({"a": secret})]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").warning("%s %r", account, secret)
    shown.append(caplog.text)
    try:
        raise RuntimeError(account, secret)
    except RuntimeError as error:
        shown.append("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
    shown[-1] = shown[-1].replace(f"value = {value}", "")  # the test's own local
    for text in shown:
        for form in (str(value), f"{value:x}", f"{value:X}"):
            assert form not in text


def test_a_secret_is_not_pickled_copied_or_hashed():
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy, hash):
        with pytest.raises(TypeError):
            attempt(Secret(1))
    with pytest.raises(AttributeError):
        Secret(1).anything = 2


@pytest.mark.parametrize("wrong", [-1, FIELD_MODULUS, FIELD_MODULUS + 987654321, True, 1.5, "987654321"])
def test_a_secret_outside_the_field_is_refused_without_being_shown(wrong):
    with pytest.raises(ValueError) as caught:
        Secret(wrong)
    assert str(wrong) not in str(caught.value)


def test_secrets_compare():
    assert Secret(0) == Secret(0) and Secret(0) != Secret(FIELD_MODULUS - 1) and Secret(1) != 1


# ----------------------------------------------------------------------------------------------------------- account
def test_a_new_account_is_empty_and_its_commitment_hides_the_key():
    first, second = (Account.create(DOMAIN, WALLET.address, 0, Secret(key), MINI, 7) for key in (1, 2))
    assert first.nonce == 0 and first.generation == 7 and first.state.cash == 0 and not first.state.positions.any()
    assert first.id == ACCOUNT_ID and first.commitment != second.commitment
    assert first == Account.create(DOMAIN, WALLET.address, 0, Secret(1), MINI, 7) and first != second


def test_advancing_raises_the_nonce_and_leaves_the_old_account_alone():
    account = Account.create(DOMAIN, WALLET.address, 0, Secret(1), MINI, 7)
    later = account.advance(account.state, 8)
    assert (later.nonce, later.generation) == (1, 8) and (account.nonce, account.generation) == (0, 7)
    assert later.commitment != account.commitment


@pytest.mark.parametrize("generation", [-1, 2**24])
def test_generation_out_of_range(generation):
    with pytest.raises(OutOfRange):
        Account.create(DOMAIN, WALLET.address, 0, Secret(1), MINI, generation)
