"""The relay: what a party seals, the addressee alone reads; and a relay cannot put its own key in between."""

import base64
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from zkmargin.prover.errors import KeyFileError
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay.boxes import PADDING, PublishedKey, RelayKey, seal
from zkmargin.venue.relay.client import RelayClient
from zkmargin.venue.relay.server import KEPT_SECONDS, MOST_BOXES, Post, make_relay

DOCUMENT = '{"type": "Quote", "message": {"word": "0x1234"}}'


@contextmanager
def run(post):
    with TestClient(make_relay(post)) as session:
        yield RelayClient(session)


@pytest.fixture
def bob(tmp_path):
    return Wallet.create(), RelayKey.create(tmp_path / "bob.relay.json")


@pytest.mark.property("P-293")
def test_a_document_reaches_its_addressee_and_the_relay_reads_none(bob, tmp_path):
    wallet, key = bob
    post = Post()
    with run(post) as client:
        client.publish(key, wallet)
        client.publish(key, wallet)
        first = client.send(DOCUMENT, wallet.address)
        client.send("x" * 3_000, wallet.address.lower())
        held = post.take(wallet.address, 0)
        sealed = [base64.b64decode(box.sealed) for box in held]
        assert all(b"Quote" not in data and b"xx" not in data for data in sealed)
        assert [(len(data) - 48) % PADDING for data in sealed] == [0, 0]
        documents, last = client.receive(key, wallet.address)
        assert documents == [DOCUMENT, "x" * 3_000] and last > first
        assert client.receive(key, wallet.address, last) == ([], last)
        assert client.receive(RelayKey.create(tmp_path / "other.json"), wallet.address)[0] == []


@pytest.mark.property("P-293")
def test_a_relay_that_gives_a_key_of_its_own_gets_no_document(bob, tmp_path):
    wallet, key = bob
    own = RelayKey.create(tmp_path / "relay.json")
    honest, mallory = key.publish(wallet), Wallet.create()
    forged = (
        honest.model_copy(update={"key": own.public}),
        own.publish(mallory),
        own.publish(mallory).model_copy(update={"address": wallet.address}),
        honest.model_copy(update={"signature": "0x" + "00" * 65}),
    )
    for given in forged:
        post = Post()
        post._keys[wallet.address.lower()] = given
        with run(post) as client, pytest.raises(BoxRefused, match="published key"):
            client.send(DOCUMENT, wallet.address)
        assert post.take(wallet.address, 0) == []
    for given in (*forged[:1], *forged[2:]):
        with pytest.raises(BoxRefused):
            Post().publish(given)


def test_boxes_are_dropped_when_they_are_old_and_refused_where_too_many_wait(bob):
    wallet, key = bob
    now = [1000.0]
    post = Post(clock=lambda: now[0])
    with pytest.raises(BoxRefused, match="published no key"):
        post.put(wallet.address, "AAAA")
    post.publish(key.publish(wallet))
    for _ in range(MOST_BOXES):
        post.put(wallet.address, "AAAA")
    with pytest.raises(BoxRefused, match="256 wait"):
        post.put(wallet.address, "AAAA")
    now[0] += KEPT_SECONDS + 1
    assert post.put(wallet.address, "AAAA") == MOST_BOXES + 1
    assert len(post.take(wallet.address, 0)) == 1
    with run(post) as client:  # somebody's rubbish keeps no document from being read
        client.send(DOCUMENT, wallet.address)
        assert client.receive(key, wallet.address)[0] == [DOCUMENT]
        with pytest.raises(BoxRefused, match="at most 65536"):
            client.send("x" * 65_537, wallet.address)


def test_a_relay_key_stays_in_its_file(tmp_path):
    path = tmp_path / "key.json"
    key = RelayKey.create(path)
    assert RelayKey.load(path).public == key.public and path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError):
        RelayKey.create(path)
    assert bytes(key._private).hex() not in repr(key)
    altered = seal(DOCUMENT, PublishedKey.check(key.publish(wallet := Wallet.create()), wallet.address))
    data = bytearray(base64.b64decode(altered))
    data[40] ^= 1
    with pytest.raises(BoxRefused, match="does not open"):
        key.open(base64.b64encode(bytes(data)).decode())
