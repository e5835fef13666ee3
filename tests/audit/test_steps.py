"""A venue that took steps of its listing: settlements, rolls and skips are recomputed like everything else."""

from collections.abc import Iterator

import pytest

from tests.audit.conftest import KEYS
from tests.audit.tampering import alter_events
from tests.chain.conftest import make_venue, open_funded
from tests.chain.test_life import OPTION, PERPETUAL, USD6, trade
from tests.chain.test_roll import sleep
from zkmargin.audit.run import Scope, audit
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.local_venue import LocalVenue

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stepped_venue() -> Iterator[LocalVenue]:
    """Two accounts with an option that expired sleep through five steps and roll; a third one is skipped."""
    for venue in make_venue("mini"):
        alice, bob = open_funded(venue, "alice", 200_000), open_funded(venue, "bob", 300_000)
        idle = open_funded(venue, "idle", 1_000)
        trade(venue, alice, bob, {OPTION: 1, PERPETUAL: 2}, 31 * USD6)
        sleep(venue, 5)
        for trader in (alice, bob):
            venue.catch_up(trader)
        venue.contracts.house.skip(idle.id)
        yield venue


def run(venue: LocalVenue):
    return audit(venue.contracts, Scope([KEYS], sample=4))


@pytest.mark.property("P-280")
def test_steps_rolls_and_skips_agree(stepped_venue):
    report = run(stepped_venue)
    assert report.disagreements == []
    assert report.tallies["settlements"].checked >= 2 * 5 + 2 * 2, "five steps, by event and call, and two of four"


@pytest.mark.property("P-335")
def test_a_roll_before_its_settlement_serves_is_found(stepped_venue, monkeypatch):
    honest = Contract.read_events

    def read_events(self, event, **options):
        found = honest(self, event, **options)
        late = {"readyAt": 1 << 39} if event == "SettlementPublished" else {}
        return [{**item, "args": {**item["args"], **late}} for item in found]

    monkeypatch.setattr(Contract, "read_events", read_events)
    report = run(stepped_venue)
    for check, words in (
        ("history", "live time of a roll over 4"),
        ("settlements", "live time from which the settlement of 1 steps"),
    ):
        assert any(item.check == check and words in str(item) for item in report.disagreements)


@pytest.mark.property("P-281")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": 1}, "point of settlement of 1 steps"),
        ({"settlement": b"no vector"}, "vector of settlement of 1 steps"),
    ],
)
def test_a_settlement_that_was_altered_is_found(stepped_venue, monkeypatch, change, words):
    alter_events(monkeypatch, "SettlementPublished", lambda honest: honest | change)
    report = run(stepped_venue)
    assert any(item.check == "settlements" and words in str(item) for item in report.disagreements)
