"""The relay: what a party seals, the addressee alone reads; and a relay cannot put its own key in between."""

import base64
import time
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from zkmargin.prover.errors import KeyFileError
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import BoxRefused
from zkmargin.venue.relay import server
from zkmargin.venue.relay.boxes import AHEAD_SECONDS, KEY_SECONDS, PADDING, RelayKey, seal
from zkmargin.venue.relay.client import RelayClient
from zkmargin.venue.relay.server import KEPT_SECONDS, MOST_BODY, MOST_BOXES, Post, make_relay

NOW = 1_800_000_000
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
    now = int(time.time())
    honest, mallory = key.publish(wallet, now), Wallet.create()
    forged = (
        honest.model_copy(update={"key": own.public}),
        own.publish(mallory, now),
        own.publish(mallory, now).model_copy(update={"address": wallet.address}),
        honest.model_copy(update={"issued": now - 1}),
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
    now = [float(NOW)]
    post = Post(clock=lambda: now[0])
    with pytest.raises(BoxRefused, match="published no key"):
        post.put(wallet.address, "AAAA")
    post.publish(key.publish(wallet, NOW))
    ids = [post.put(wallet.address, "AAAA") for _ in range(MOST_BOXES)]
    assert ids == sorted(set(ids))
    with pytest.raises(BoxRefused, match="256 wait"):
        post.put(wallet.address, "AAAA")
    now[0] += KEPT_SECONDS + 1
    last = post.put(wallet.address, "AAAA")
    assert last > ids[-1] and [box.id for box in post.take(wallet.address, 0)] == [last]
    assert post._characters == 4 and list(post._order) == [wallet.address.lower()]
    restarted = Post(clock=lambda: now[0] + 1)
    restarted.publish(key.publish(wallet, NOW))
    assert restarted.put(wallet.address, "AAAA") > last
    post = Post()
    with run(post) as client:  # somebody's rubbish keeps no document from being read
        client.publish(key, wallet)
        post.put(wallet.address, "AAAA")
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
    altered = seal(DOCUMENT, key.publish(wallet := Wallet.create(), NOW).check(wallet.address, NOW))
    data = bytearray(base64.b64decode(altered))
    data[40] ^= 1
    with pytest.raises(BoxRefused, match="does not open"):
        key.open(base64.b64encode(bytes(data)).decode())


@pytest.mark.property("P-293")
def test_a_key_that_was_replaced_cannot_be_handed_in_again(bob, tmp_path):
    wallet, stolen = bob
    fresh = RelayKey.create(tmp_path / "fresh.json")
    former, current = stolen.publish(wallet, NOW - 60), fresh.publish(wallet, NOW)
    post = Post(clock=lambda: NOW)
    post.publish(former)
    post.publish(current)
    for again in (former, stolen.publish(wallet, NOW)):
        with pytest.raises(BoxRefused, match=f"allowed: after {NOW}"):
            post.publish(again)
    post.publish(current)  # the very one changes nothing
    assert post.find(wallet.address) == current


@pytest.mark.property("P-293")
def test_a_key_that_was_replaced_does_not_come_back_once_the_replacement_made_room(bob, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "MOST_ADDRESSES", 2)
    wallet, stolen = bob
    fresh = RelayKey.create(tmp_path / "fresh.json")
    former, current = stolen.publish(wallet, NOW - 60), fresh.publish(wallet, NOW - 30)
    post = Post(clock=lambda: NOW)
    for key in (former, current, *(fresh.publish(Wallet.create(), NOW) for _ in range(2))):
        post.publish(key)
    with pytest.raises(BoxRefused, match="published no key"):
        post.find(wallet.address)
    for again in (former, current):
        with pytest.raises(BoxRefused, match=f"issued at {again.issued}; allowed: after {NOW - 30}"):
            post.publish(again)
    latest = fresh.publish(wallet, NOW)
    post.publish(latest)
    assert post.find(wallet.address) == latest


@pytest.mark.property("P-293")
def test_a_key_of_a_clock_that_is_ahead_bars_nobody_once_it_made_room(bob, monkeypatch):
    monkeypatch.setattr(server, "MOST_ADDRESSES", 1)
    wallet, key = bob
    now = [NOW]
    post = Post(clock=lambda: now[0])
    for issued in (NOW + AHEAD_SECONDS, NOW):
        post.publish(key.publish(Wallet.create(), issued))
    now[0] += 1
    post.publish(key.publish(wallet, now[0]))
    assert post.find(wallet.address).issued == NOW + 1


@pytest.mark.property("P-293")
@pytest.mark.parametrize("issued", [NOW - KEY_SECONDS - 1, NOW + AHEAD_SECONDS + 1])
def test_a_key_is_good_for_a_month(bob, issued):
    wallet, key = bob
    step = 1 if issued < NOW else -1
    Post(clock=lambda: NOW).publish(key.publish(wallet, issued + step))
    with pytest.raises(BoxRefused, match=f"issued at {issued}"):
        Post(clock=lambda: NOW).publish(key.publish(wallet, issued))


def test_what_does_not_fit_takes_the_place_of_what_is_oldest(bob, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "MOST_ADDRESSES", 2)
    monkeypatch.setattr(server, "MOST_CHARACTERS", 20)
    post, key = Post(clock=lambda: NOW), bob[1]
    first, second, third = (Wallet.create() for _ in range(3))
    for wallet in (first, second):
        post.publish(key.publish(wallet, NOW))
    ids = [post.put(wallet.address, "A" * 8) for wallet in (second, first, second)]
    assert post.take(second.address, 0)[0].id == ids[2] and post.take(first.address, 0)[0].id == ids[1]
    assert post._characters == 16
    post.find(first.address)
    post.publish(key.publish(third, NOW))  # `second` was unused for longer
    assert post.find(first.address) and post.find(third.address)
    with pytest.raises(BoxRefused, match="published no key"):
        post.find(second.address)


def test_a_body_without_a_length_is_bounded():
    """Chunked: httpx announces no length for what a generator gives."""
    with TestClient(make_relay(Post())) as session:
        for size, status in ((MOST_BODY, 422), (MOST_BODY + 1, 413)):
            body = (b"[" * count for count in (size - 1000, 1000))
            assert session.post("/keys", content=body).status_code == status
