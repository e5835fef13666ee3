"""One venue with real keys on one Anvil for each preset; every test goes back to where it began."""

from collections.abc import Iterator

import pytest

from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import VenueKeys, load_venue_keys
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.scripts.setup import set_up

MARKET = "deribit_2026-08-22"


def make_venue(preset: str) -> Iterator[LocalVenue]:
    """A venue at the recorded market's time, with one epoch posted."""
    set_up([preset])
    snapshot = to_preset(load_snapshot(MARKET), preset)
    with LocalVenue(snapshot) as venue:
        venue.post_epoch()
        yield venue


@pytest.fixture(scope="session")
def mini_keys() -> VenueKeys:
    set_up(["mini"])
    return load_venue_keys("mini")


@pytest.fixture(scope="module")
def mini_venue() -> Iterator[LocalVenue]:
    yield from make_venue("mini")


@pytest.fixture(scope="module")
def standard_venue() -> Iterator[LocalVenue]:
    yield from make_venue("standard")


@pytest.fixture
def venue(mini_venue: LocalVenue) -> Iterator[LocalVenue]:
    """The mini venue; chain and Python facts are put back afterwards."""
    mark, latest, snapshot = mini_venue.chain.snapshot(), mini_venue.latest, mini_venue.snapshot
    yield mini_venue
    mini_venue.chain.revert(mark)
    mini_venue.latest, mini_venue.snapshot = latest, snapshot


def open_funded(venue: LocalVenue, name: str, dollars: int, weth_lots: int = 0) -> Trader:
    """A party with an open account that holds this much; a fresh epoch is posted after the opening."""
    party = venue.make_trader(name)
    venue.open_account(party)
    venue.fund(party, cash_usd6=dollars * 10**6, lots={venue.contracts.deployment.weth_slot: weth_lots})
    venue.deposit(party, cash_usd6=dollars * 10**6, lots={venue.contracts.deployment.weth_slot: weth_lots})
    venue.chain.travel(1)  # blocks of one second share a time, and an equal provenAt costs no storage
    venue.post_epoch(with_snapshot=False)
    return party
