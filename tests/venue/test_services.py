"""Publishers behind HTTP and the keeper that gathers their signatures, in one process and on one chain."""

import json
from contextlib import ExitStack
from dataclasses import replace
from threading import Thread

import pytest
import requests

from tests.chain.conftest import mini_venue, venue  # noqa: F401
from zkmargin.engine.market.file import DATA
from zkmargin.engine.presets import get_preset
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
    return {"number": number, "time": now, "urgent": False, "snapshot": snapshot} | changes


@pytest.mark.property("P-316")
def test_a_keeper_posts_what_a_quorum_signed(venue, terms, source, services):  # noqa: F811
    made, urls = services
    keeper = Keeper(terms, source, urls, replay=True)
    assert [keeper.carry_epoch(), keeper.carry_epoch()] == [2, 3]
    assert venue.contracts.oracle.get_latest_number() == 3
    assert venue.contracts.oracle.read_snapshot(3) is not None
    assert all(service.health["signed"] == 3 for service in made)
    assert requests.get(f"{urls[0]}/health", timeout=5).json()["signer"] == venue.publishers[0].address


@pytest.mark.property("P-316")
def test_without_a_quorum_nothing_is_posted_and_the_next_round_goes_on_above(venue, terms, source, services):  # noqa: F811
    _, urls = services
    keeper = Keeper(terms, source, [urls[0], urls[1], "http://127.0.0.1:9"], replay=True)
    with pytest.raises(QuorumMissing, match=r"epoch 2: 2 signatures; allowed: 3 or more; .*:9: ConnectionError"):
        keeper.carry_epoch()
    assert venue.contracts.oracle.get_latest_number() == 1
    keeper.publishers = urls
    assert keeper.carry_epoch() == 3

    said = []
    keeper.publishers = urls[:1]
    assert keeper.run_round(lambda duty, outcome: said.append((duty, outcome))) is False
    assert [duty for duty, _ in said] == ["epoch", "payments", "sleepers"]
    assert "QuorumMissing" in said[0][1] and said[1:] == [("payments", 0), ("sleepers", [])]


@pytest.mark.property("P-316")
def test_a_publisher_signs_its_own_market_alone(venue, services):  # noqa: F811
    service = services[0][0]
    spoilt = replace(venue.snapshot, time=venue.chain.time, contagion_multiplier=3.9).to_bytes()
    for proposal, words in (
        (make_proposal(venue, snapshot="0x" + spoilt.hex()), "own source"),
        (make_proposal(venue, snapshot="0x12"), "bytes that are none"),
        (make_proposal(venue, number=1), "2 to 1001"),
        (make_proposal(venue, number=1002), "2 to 1001"),
        (make_proposal(venue, number=True), "two whole numbers"),
        (make_proposal(venue, time=venue.chain.time + 61), "time of the proposal"),
        (make_proposal(venue, urgent=1), "two whole numbers"),
    ):
        with pytest.raises(ProposalRefused, match=words):
            service.sign(proposal)
    assert service.health["signed"] == 0


@pytest.mark.property("P-317")
def test_a_publisher_signs_one_message_of_a_number(venue, terms, source, services):  # noqa: F811
    service = services[0][0]
    proposal = make_proposal(venue)
    first = service.sign(proposal)
    assert service.sign(proposal) == first
    with pytest.raises(ProposalRefused, match="above 2, which this publisher has signed"):
        service.sign(proposal | {"urgent": True})
    service.sign(make_proposal(venue, number=4))
    again = SigningService(terms, venue.publishers[0], source, service._journal, replay=True)
    with pytest.raises(ProposalRefused, match="above 4"):
        again.sign(make_proposal(venue, number=3))


def test_what_is_no_proposal_is_answered_and_not_a_crash(services):
    _, urls = services
    for body, status in ((b"no json", 409), (b"[]", 409), (b"{}", 409), (b"[" * 100_000, 409)):
        answer = requests.post(f"{urls[0]}/sign", data=body, timeout=20)
        assert answer.status_code == status and "error" in answer.json()
    assert requests.get(f"{urls[0]}/secret", timeout=5).status_code == 404


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
