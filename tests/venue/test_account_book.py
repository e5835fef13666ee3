"""States of accounts on disk: whole, private, of one deployment, and without any key."""

import json
import stat
from dataclasses import replace

import numpy as np
import pytest

from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.presets import get_preset
from zkmargin.prover.account.account import Account
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.statement.secret import Secret
from zkmargin.venue.account_book import AccountBook
from zkmargin.venue.errors import NodeStateInUse, NodeStateRefused

DOMAIN = Domain(31337, "0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02")
PRESET, KEY = get_preset("mini"), Secret(987654321987654321)
AUTH = "0x" + "11" * 20


@pytest.fixture
def book(tmp_path):
    return AccountBook(tmp_path / "state", DOMAIN, PRESET)


@pytest.fixture
def account():
    positions = np.zeros(PRESET.slots, dtype=np.int64)
    positions[[1, 4]] = -7, 2**30 - 1
    held = AccountState(positions, -(10**20))
    return Account.create(DOMAIN, AUTH, 3, KEY, PRESET, 5).advance(held, 6)


@pytest.mark.property("P-311")
def test_what_is_saved_is_loaded_and_nobody_else_can_read_it(book, account):
    book.save(account)
    path = book.get_path(account.id)
    assert book.load(account.id, account.auth, 3, KEY) == account
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert str(KEY.reveal()) not in text and f"{KEY.reveal():x}" not in text
    assert [item.name for item in book.folder.iterdir()] == [path.name]


def test_an_account_without_a_file_is_none(book, account):
    assert book.load(account.id, account.auth, 3, KEY) is None
    assert book.read_key_index(account.id) is None


def test_the_file_says_which_key_the_account_has(book, account):
    book.save(account, 3)
    assert book.read_key_index(account.id) == 3 and book.load(account.id, account.auth, 3, KEY) == account
    path = book.get_path(account.id)
    written = json.loads(path.read_text())
    for wrong in (-1, 2**32):
        path.write_text(json.dumps(written | {"key_index": wrong}))
        with pytest.raises(NodeStateRefused, match=f"key_index is {wrong}; allowed: 0 to"):
            book.read_key_index(account.id)
    del written["key_index"]  # of before accounts moved
    path.write_text(json.dumps(written))
    assert book.read_key_index(account.id) == 0


@pytest.mark.parametrize(
    "change, words",
    [
        ({"clearing_house": "0x" + "00" * 19 + "09"}, "allowed"),
        ({"chain_id": 1}, "allowed"),
        ({"index": 4}, "allowed"),
        ({"preset": "standard"}, "allowed"),
        ({"format": "zkmargin.account/2"}, "allowed"),
        ({"cash_usd6": 2**90}, "outside its range"),
        ({"positions": {"99": 1}}, "outside its range"),
        ({"positions": {"1": 2**40}}, "outside its range"),
        ({"nonce": -1}, "outside its range"),
    ],
)
def test_a_file_of_another_account_or_with_impossible_numbers_is_refused(book, account, change, words):
    book.save(account)
    path = book.get_path(account.id)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(NodeStateRefused, match=words):
        book.load(account.id, account.auth, 3, KEY)


def test_a_file_that_is_cut_is_refused(book, account):
    book.save(account)
    path = book.get_path(account.id)
    path.write_text(path.read_text()[:50])
    with pytest.raises(MalformedFile):
        book.load(account.id, account.auth, 3, KEY)


@pytest.mark.property("P-311")
def test_a_save_that_fails_leaves_what_was_there(book, account, monkeypatch):
    book.save(account)
    before = book.get_path(account.id).read_text()
    monkeypatch.setattr("os.fsync", lambda file: (_ for _ in ()).throw(OSError("the disk is full")))
    with pytest.raises(OSError, match="disk is full"):
        book.save(replace(account, nonce=9))
    assert book.get_path(account.id).read_text() == before
    assert len(list(book.folder.iterdir())) == 1


@pytest.mark.property("P-311")
def test_two_processes_do_not_prove_from_one_state(book):
    with book.hold():
        other = AccountBook(book.folder, DOMAIN, PRESET)
        with pytest.raises(NodeStateInUse, match="in use"), other.hold():
            pass
    with book.hold():
        pass
