"""Publishers behind HTTP and the keeper that gathers their signatures, in one process and on one chain."""

import json
import socket
from contextlib import ExitStack
from dataclasses import replace
from threading import Thread

import numpy as np
import pytest
import requests

from tests.chain.conftest import mini_venue, open_funded, venue  # noqa: F401
from tests.chain.test_roll import sleep
from tests.support.third_coin import list_three_coins
from zkmargin.contracts.chain import Chain
from zkmargin.contracts.errors import ChainUnavailable, Reverted
from zkmargin.engine.epoch.settling import AVERAGED_SECONDS, list_expiries
from zkmargin.engine.errors import WrongKind
from zkmargin.engine.house import House
from zkmargin.engine.market.file import DATA, render_market
from zkmargin.engine.presets import get_preset
from zkmargin.scripts.demo.expiry import list_successors
from zkmargin.venue import publishing
from zkmargin.venue.errors import ProposalRefused, QuorumMissing, ServiceFailed
from zkmargin.venue.keeper import Keeper
from zkmargin.venue.market_source import MarketSource
from zkmargin.venue.publisher_service import SigningService, make_server
from zkmargin.venue.publishing import PublishingTerms

MARKET = "deribit_2026-08-22"


@pytest.fixture
def terms(venue):  # noqa: F811
    return PublishingTerms.read(venue.contracts, venue.facts.preset)


@pytest.fixture
def source():
    return MarketSource(MARKET, get_preset("mini"))


@pytest.fixture
def services(venue, terms, source, tmp_path):  # noqa: F811
    """Services of three publishers, the oracle's threshold, and the URLs that they are behind."""
    made = [
        SigningService(terms, wallet, source, tmp_path / f"{place}.json", replay=True)
        for place, wallet in enumerate(venue.publishers[:3])
    ]
    with ExitStack() as stack:
        urls = []
        for service in made:
            server = stack.enter_context(make_server(service, "127.0.0.1", 0))
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(server.shutdown)
            urls.append(f"http://127.0.0.1:{server.server_address[1]}")
        yield made, urls


def make_proposal(venue, number=2, **changes):  # noqa: F811
    now = venue.chain.time
    snapshot = "0x" + replace(venue.snapshot, time=now).to_bytes().hex()
    return {"number": number, "time": now, "snapshot": snapshot} | changes


@pytest.mark.property("P-316")
def test_a_keeper_posts_what_a_quorum_signed(venue, terms, source, services):  # noqa: F811
    made, urls = services
    keeper = Keeper(terms, source, urls, replay=True)
    assert [keeper.carry_epoch(), keeper.carry_epoch()] == [2, 3]
    assert venue.contracts.oracle.get_latest_number() == 3
    assert venue.contracts.oracle.read_snapshot(3) is not None
    assert all(service.health["signed"] == 3 for service in made)
    assert requests.get(f"{urls[0]}/health", timeout=5).json()["signer"] == venue.publishers[0].address


@pytest.mark.property("P-383")
def test_publishers_settle_an_expiry_by_what_the_chain_has(venue, terms, source, services, monkeypatch):  # noqa: F811
    """A market of the next listing is all that tells them; each computes the average itself, from epochs on chain."""
    (made, urls), oracle = services, venue.contracts.oracle
    keeper, before = Keeper(terms, source, urls, replay=True), oracle.get_generation()
    put = max(
        (item for item in venue.snapshot.listing.by_name.values() if item.is_call is False),
        key=lambda item: -item.expiry,
    )
    (expiry, *_), forward = list_expiries(venue.snapshot, put.expiry), venue.snapshot.forward

    def carry(time, share, market=venue.snapshot):
        """An epoch then, of a market whose put's forward is a share of its strike."""
        moved = np.where(np.arange(len(forward)) == put.slot, share * put.strike, market.forward)
        dated = replace(market, time=venue.chain.travel_to(time), forward=moved)
        monkeypatch.setattr(source, "load", lambda number: dated)
        return keeper.carry_epoch()

    assert put.expiry == expiry
    carry(expiry - AVERAGED_SECONDS - 600, 0.5)  # too early to count
    numbers = [carry(expiry - left, share) for left, share in ((1_200, 0.9), (600, 0.8), (60, 0.94))]
    following = list_successors(replace(venue.snapshot, time=expiry - 1), expiry)
    with pytest.raises(WrongKind, match="nothing"):
        carry(expiry - 30, 0.9, following)
    early = make_proposal(venue, oracle.get_latest_number() + 1, time=expiry)
    with pytest.raises(WrongKind, match="nothing"):
        made[0].sign(early | {"snapshot": "0x" + source.load(0).to_bytes().hex()})
    assert oracle.get_generation() == before

    carry(expiry + 5, 1.0, following)
    settlement = oracle.read_settlements(venue.facts.preset)[before + 1]
    assert oracle.get_generation() == before + 1
    assert settlement.payoff[put.slot] == pytest.approx(0.12 * put.strike * put.lot_size * 1e6, abs=1)
    assert settlement.drop.nonzero()[0].tolist() == [
        item.slot for item in venue.snapshot.listing.instruments if item is not None and item.expiry == expiry
    ]
    assert carry(expiry + 70, 1.0, following) == numbers[-1] + 2 and oracle.get_generation() == before + 1
    assert all(service.health["signed"] == numbers[-1] + 2 for service in made)


@pytest.mark.property("P-316")
def test_without_a_quorum_nothing_is_posted_and_the_next_is_above(venue, terms, source, services, closed_url):  # noqa: F811
    _, urls = services
    keeper = Keeper(terms, source, [*urls[:2], closed_url], replay=True)
    with pytest.raises(QuorumMissing, match=f"2: 2 signatures; allowed: 3 or more; {closed_url}: ConnectionError"):
        keeper.carry_epoch()
    assert venue.contracts.oracle.get_latest_number() == 1
    keeper.publishers = urls
    assert keeper.carry_epoch() == 3

    said = []
    keeper.publishers = urls[:1]
    assert keeper.run_round(lambda duty, outcome: said.append((duty, outcome))) == {"epoch"}
    assert [duty for duty, _ in said] == ["epoch", "payments", "sleepers"]
    assert "QuorumMissing" in said[0][1] and said[1:] == [("payments", 0), ("sleepers", [])]


@pytest.mark.property("P-316")
def test_a_publisher_signs_its_own_market_alone(venue, services):  # noqa: F811
    service = services[0][0]
    spoilt = replace(venue.snapshot, time=venue.chain.time, contagion_multiplier=3.9).to_bytes()
    for proposal, words in (
        (make_proposal(venue, snapshot="0x" + spoilt.hex()), "own source"),
        (make_proposal(venue, snapshot="0x12"), "bytes that are none"),
        (make_proposal(venue, number=1), "2 to 9"),
        (make_proposal(venue, number=10), "2 to 9"),
        (make_proposal(venue, number=True), "two whole numbers"),
        (make_proposal(venue, time=venue.chain.time + 61), "time of the proposal"),
        (make_proposal(venue, urgent=True), "fields of the proposal"),
        ({"number": 2}, "fields of the proposal"),
    ):
        with pytest.raises(ProposalRefused, match=words):
            service.sign(proposal)
    assert service.health["signed"] == 0


@pytest.mark.property("P-317")
def test_a_publisher_signs_one_message_of_a_number_while_it_is_held(venue, terms, source, services):  # noqa: F811
    service = services[0][0]
    proposal = make_proposal(venue)
    first = service.sign(proposal)
    assert service.sign(proposal) == first
    other = make_proposal(venue, time=proposal["time"] + 1)
    with pytest.raises(ProposalRefused, match="number of the proposal is 2; allowed: another one, or the content"):
        service.sign(other)
    service.sign(make_proposal(venue, number=4))
    again = SigningService(terms, venue.publishers[0], source, service._journal, replay=True)
    with pytest.raises(ProposalRefused, match="another one, or the content"):
        again.sign(other)
    assert again.health["signed"] == 4
    again.sign(make_proposal(venue, number=3))  # below the last, and never signed
    assert again.health["signed"] == 3

    venue.chain.travel(301)
    assert again.sign(make_proposal(venue))["digest"] != first["digest"]


def test_a_publisher_builds_the_last_epochs_house_once(venue, services, monkeypatch):  # noqa: F811
    built = []

    class CountedHouse(House):
        def __init__(self, snapshot):
            built.append(snapshot.time)
            super().__init__(snapshot)

    monkeypatch.setattr(publishing, "House", CountedHouse)
    publishing.make_house.cache_clear()
    last = venue.snapshot.time
    for number in (2, 3):
        venue.chain.travel(1)
        services[0][0].sign(make_proposal(venue, number=number))
    assert built.count(last) == 1 and len(built) == 3


@pytest.mark.property("P-330")
def test_a_proposal_of_the_last_number_stops_no_venue_for_good(venue, terms, source, services):  # noqa: F811
    made, urls = services
    for number in range(2, 10):
        for service in made:
            service.sign(make_proposal(venue, number=number))
    venue.chain.travel(1)
    keeper = Keeper(terms, source, urls, replay=True)
    with pytest.raises(QuorumMissing, match="epoch 2: 0 signatures"):
        keeper.carry_epoch()
    venue.chain.travel(301)
    assert [keeper.carry_epoch(), keeper.carry_epoch()] == [3, 4]


@pytest.mark.property("P-330")
def test_a_keeper_without_a_quorum_goes_round_within_the_numbers_that_publishers_sign(venue, terms, source, services):  # noqa: F811
    _, urls = services
    keeper, tried = Keeper(terms, source, urls[:1], replay=True), []
    for _ in range(10):
        with pytest.raises(QuorumMissing) as refusal:
            keeper.carry_epoch()
        tried.append(refusal.value.number)
    assert tried == [2, 3, 4, 5, 6, 7, 8, 9, 2, 3]


@pytest.mark.property("P-331")
def test_no_urgent_epoch_is_signed_over_http(venue, services):  # noqa: F811
    _, urls = services
    answer = requests.post(f"{urls[0]}/sign", json=make_proposal(venue, urgent=True), timeout=20)
    assert (answer.status_code, answer.json()["error"]) == (409, "ProposalRefused")
    assert "fields of the proposal" in answer.json()["text"]


@pytest.mark.property("P-332")
def test_a_caller_does_not_learn_the_url_of_a_publishers_node(venue, services, monkeypatch):  # noqa: F811
    made, urls = services
    fault = ChainUnavailable("https://user:word@node.example:8443/v2/secret?key=secret", "x with url: /v2/secret (y)")
    assert str(fault) == "no usable chain at https://node.example:8443: x with url: /… (y)"

    def fail(number):
        raise fault

    monkeypatch.setattr(made[0]._source, "load", fail)
    answer = requests.post(f"{urls[0]}/sign", json=make_proposal(venue), timeout=20)
    assert (answer.status_code, answer.json()) == (409, {"error": "ChainUnavailable", "text": "ChainUnavailable"})


def test_a_node_that_does_not_answer_is_named_without_the_key_in_its_url(closed_url):
    with pytest.raises(ChainUnavailable, match=closed_url) as refusal:
        Chain(f"{closed_url}/v2/secret?key=secret")
    assert "secret" not in str(refusal.value) and "secret" not in refusal.value.url


def test_a_failed_payment_brings_no_epoch_forward_and_a_failed_epoch_alone_is_tried_again(monkeypatch):
    """The clock stands but for the keeper's own sleep."""
    now, done, failing = [0.0], [], {"payments"}

    def make_duty(name):
        def duty(self):
            done.append((now[0], name))
            if name in failing:
                raise Reverted("NothingDone", {}, name)

        return duty

    def sleep(seconds):
        now[0] += seconds

    for name, method in (("epoch", "carry_epoch"), ("payments", "make_payments"), ("sleepers", "skip_sleepers")):
        monkeypatch.setattr(Keeper, method, make_duty(name))
    keeper = Keeper(None, None, [])
    options = {"interval": 60, "clock": lambda: now[0], "sleep": sleep}
    keeper.run(lambda *_: None, rounds=2, **options)
    names = ("epoch", "payments", "sleepers")
    assert done == [(moment, name) for moment in (0, 60) for name in names]

    done.clear()
    failing.add("epoch")
    keeper.run(lambda *_: None, rounds=3, **options)
    assert done == [(60, name) for name in names] + [(61, "epoch"), (62, "epoch")]


def test_a_keeper_takes_every_sleeper_but_the_one_that_the_contract_refuses(venue, terms, monkeypatch):  # noqa: F811
    carol, dave = (open_funded(venue, name, 1_000) for name in ("carol", "dave"))
    keeper, house, skip = Keeper(terms, None, []), terms.contracts.house, terms.contracts.house.skip
    assert keeper.skip_sleepers() == []
    sleep(venue, 2)

    def refuse(account):
        if account == carol.id:
            raise Reverted("NothingToSkip", {}, "skip")
        return skip(account)

    monkeypatch.setattr(house, "skip", refuse)
    assert keeper.skip_sleepers() == [dave.id]
    monkeypatch.undo()
    assert [keeper.skip_sleepers(), keeper.skip_sleepers()] == [[carol.id], []]


def test_what_is_no_proposal_is_answered_and_not_a_crash(services):
    _, urls = services
    for body, status in ((b"no json", 409), (b"[]", 409), (b"{}", 409), (b"[" * 100_000, 409)):
        answer = requests.post(f"{urls[0]}/sign", data=body, timeout=20)
        assert answer.status_code == status and "error" in answer.json()
    assert requests.get(f"{urls[0]}/secret", timeout=5).status_code == 404
    host, port = urls[0].removeprefix("http://").split(":")
    for length in ("\u00b2", "-1", "1" * 5_000):
        with socket.create_connection((host, int(port)), timeout=20) as caller:
            caller.sendall(f"POST /sign HTTP/1.0\r\nContent-Length: {length}\r\n\r\n".encode("latin-1"))
            assert b" 404 " in caller.recv(100)


def test_a_source_follows_its_file_and_walks_through_a_folder(tmp_path):
    preset = get_preset("mini")
    market, single = json.loads((DATA / f"{MARKET}.json").read_text()), tmp_path / "1.json"
    for name, multiplier in (("1", 1.0), ("2", 2.0)):
        market["contagion_multiplier"] = multiplier
        (tmp_path / f"{name}.json").write_text(json.dumps(market))
    folder = MarketSource(tmp_path, preset)
    assert [folder.load(number).contagion_multiplier for number in (1, 2, 3)] == [1.0, 2.0, 1.0]
    file = MarketSource(single, preset)
    assert file.load(1) is file.load(2)
    market["contagion_multiplier"] = 3.0
    single.write_text(json.dumps(market))
    assert file.load(3).contagion_multiplier == 3.0
    with pytest.raises(ServiceFailed, match=r"nowhere\.json"):
        MarketSource(tmp_path / "nowhere.json", preset)


def test_a_market_of_three_coins_is_served_with_its_own_split(tmp_path):
    path = tmp_path / "three.json"
    path.write_text(render_market(list_three_coins()))
    assert MarketSource(path, get_preset("mini")).load(1) == list_three_coins()


@pytest.mark.slow
def test_a_keeper_goes_on_from_its_checkpoint_and_not_from_one_of_a_replaced_block(venue, terms, tmp_path, monkeypatch):  # noqa: F811
    alice = open_funded(venue, "alice", 1_000)
    alice.withdraw(1_000_000)
    first = Keeper(terms, None, [], folder=tmp_path)
    waiting, opened = first._payments.read(), first._opened.read()
    assert len(waiting) == 1 and opened == (alice.id,)
    asked, read_on = [], terms.contracts.vault.read_on

    def count(before, start, end):
        asked.append(start)
        return read_on(before, start, end)

    monkeypatch.setattr(terms.contracts.vault, "read_on", count)
    height, mark = venue.chain.get_block("latest").number, venue.chain.snapshot()
    venue.chain.travel(1)
    again = Keeper(terms, None, [], folder=tmp_path)
    assert again._payments.read() == waiting and again._opened.read() == opened and asked == [height + 1]
    venue.chain.revert(mark)
    venue.chain.travel(9)
    assert Keeper(terms, None, [], folder=tmp_path)._payments.read() == waiting
    assert asked == [height + 1, venue.contracts.vault.first_block]
    file = tmp_path / "keeper-payments.json"
    for text in ("no json", file.read_text().replace(venue.contracts.deployment.clearing_house, "0x" + "11" * 20)):
        file.write_text(text)
        assert Keeper(terms, None, [], folder=tmp_path)._payments.read() == waiting
    assert asked[2:] == [venue.contracts.vault.first_block] * 2


@pytest.mark.property("P-330")
def test_a_keeper_killed_between_its_two_transactions_stops_no_venue(venue, terms, source, services, monkeypatch):  # noqa: F811
    _, urls = services
    sent, send = [], venue.chain.send

    def send_once(*arguments, **options):
        if sent:
            raise KeyboardInterrupt
        sent.append(options["name"])
        return send(*arguments, **options)

    monkeypatch.setattr(venue.chain, "send", send_once)
    with pytest.raises(KeyboardInterrupt):
        Keeper(terms, source, urls, replay=True).carry_epoch()
    monkeypatch.undo()
    assert len(sent) == 1
    oracle = venue.contracts.oracle
    assert oracle.read_snapshot(oracle.get_latest_number()) is not None
    venue.chain.travel(301)
    assert Keeper(terms, source, urls, replay=True).carry_epoch() == 2
