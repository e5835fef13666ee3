"""One epoch from a market to the chain: who may sign it, and which markets may be dated as new."""

from dataclasses import replace

import pytest

from tests.chain.conftest import mini_venue, venue  # noqa: F401
from zkmargin.contracts.errors import NotADevelopmentChain
from zkmargin.engine.epoch.succession import MAX_LAG, RefusedSuccession
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import ReplayRefused, WalletUnusable
from zkmargin.venue.publishing import PublishingTerms, date_market, publish_epoch, read_published


@pytest.fixture
def terms(venue):  # noqa: F811
    return PublishingTerms.read(venue.contracts, venue.facts.preset)


@pytest.mark.property("P-314")
def test_an_epoch_follows_the_last_one_of_the_chain(venue, terms):  # noqa: F811
    """What the chain has is enough: nothing of the process that posted the last epoch is needed."""
    before = read_published(terms, 1)
    assert before.message == venue.epoch.signed.message
    assert before.epoch.snapshot_bytes == venue.epoch.data.snapshot_bytes
    epoch, _ = publish_epoch(terms, venue.snapshot, venue.publishers[:3], replay=True, urgent=True)
    assert epoch.number == 2 and venue.contracts.oracle.get_min_epoch() == 2
    carried, _ = publish_epoch(terms, venue.snapshot, venue.publishers, replay=True)
    assert carried.number == 3 and read_published(terms, 3).message.min_epoch == 2
    assert read_published(terms, 0) is None


@pytest.mark.property("P-314")
def test_only_the_oracles_publishers_sign_and_enough_of_them(venue, terms):  # noqa: F811
    first, second, third, *_ = venue.publishers
    for wallets, words in (
        ([first, second], "2 publishers; allowed: 3 or more"),
        ([first, second, second], "comes twice"),
        ([first, second, Wallet.create()], "allowed: a publisher that the oracle has"),
    ):
        with pytest.raises(WalletUnusable, match=words):
            publish_epoch(terms, venue.snapshot, wallets, replay=True)
    assert venue.contracts.oracle.get_latest_number() == 1 and third.address


@pytest.mark.property("P-314")
def test_an_epoch_that_may_not_follow_is_not_posted(venue, terms):  # noqa: F811
    coin = next(iter(venue.snapshot.daily_volatility))
    eased = replace(venue.snapshot, daily_volatility={**venue.snapshot.daily_volatility, coin: 0.001})
    with pytest.raises(RefusedSuccession, match="volatility"):
        publish_epoch(terms, eased, venue.publishers[:3], replay=True)
    assert venue.contracts.oracle.get_latest_number() == 1


@pytest.mark.property("P-315")
def test_an_old_market_is_dated_as_new_on_development_chains_alone(venue, terms, monkeypatch):  # noqa: F811
    snapshot = venue.snapshot
    now = venue.chain.travel_to(snapshot.time + MAX_LAG + 100)
    fresh = replace(snapshot, time=now - MAX_LAG)
    assert date_market(fresh, venue.contracts, replay=False) == (fresh, MAX_LAG)
    with pytest.raises(ReplayRefused, match=f"0 to {MAX_LAG}"):
        date_market(replace(snapshot, time=now - MAX_LAG - 1), venue.contracts, replay=False)
    with pytest.raises(ReplayRefused, match="-1 s older"):
        date_market(replace(snapshot, time=now + 1), venue.contracts, replay=False)
    assert date_market(snapshot, venue.contracts, replay=True) == (replace(snapshot, time=now), MAX_LAG)
    old = replace(snapshot, time=now - 10 * 86400)
    kept, lag = date_market(old, venue.contracts, replay=True)
    assert kept is old and lag > 10 * 86400
    with pytest.raises(ReplayRefused, match="allowed: at least -86400"):
        date_market(replace(snapshot, time=now + 86401), venue.contracts, replay=True)
    monkeypatch.setattr(venue.chain, "id", 1)
    with pytest.raises(NotADevelopmentChain, match="a replay"):
        date_market(snapshot, venue.contracts, replay=True)
