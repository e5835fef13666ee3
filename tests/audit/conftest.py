"""One venue with a life behind it: openings, deposits, a trade, a withdrawal, an attestation, and a payment made."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chain.conftest import MARKET, open_funded
from zkmargin.audit.report import Report
from zkmargin.audit.run import Scope, audit
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.prover.paths import BUILD
from zkmargin.scripts.setup import set_up

KEYS = BUILD / "mini"


@pytest.fixture(scope="package")
def lived_venue() -> Iterator[LocalVenue]:
    set_up(["mini"])
    with LocalVenue(to_preset(load_snapshot(MARKET), "mini")) as venue:
        alice, bob = open_funded(venue, "alice", 50_000, 5), open_funded(venue, "bob", 50_000)
        agreed = venue.agree(alice, bob, {1: 3}, 0)
        venue.settle_sides(venue.prove_trade(agreed, alice, bob, fee_usd6=1_000), alice, bob)
        alice.withdraw(5_000_000)
        bob.attest()
        venue.contracts.oracle.publish_snapshot(venue.epoch.signed.snapshot)
        insure(venue, 3_000_000)
        venue.chain.travel(3600)
        alice.claim()
        bob.deposit(1_000_000)
        venue.lived_traders = {"alice": alice, "bob": bob}
        yield venue


def insure(venue: LocalVenue, amount_usd6: int) -> None:
    """A surplus that the clearing house keeps for books in default, and the first tick of the clock of deadlines."""
    contracts, sender = venue.contracts, venue.submitter
    desk = DefaultDesk(venue.chain, contracts.house.contract.address, venue.domain)
    contracts.cash.mint(sender, amount_usd6)
    contracts.cash.approve(contracts.vault.contract.address, amount_usd6, sender=sender)
    contracts.vault.fund(desk.get_insurance(), contracts.cash.address, amount_usd6, sender=sender)
    desk.insure(amount_usd6)
    desk.tick()


@pytest.fixture
def venue(lived_venue: LocalVenue) -> Iterator[LocalVenue]:
    """The same; chain and Python facts are put back afterwards."""
    mark, latest, snapshot = lived_venue.chain.snapshot(), lived_venue.latest, lived_venue.snapshot
    accounts = {name: trader.client.account for name, trader in lived_venue.lived_traders.items()}
    yield lived_venue
    lived_venue.chain.revert(mark)
    lived_venue.latest, lived_venue.snapshot = latest, snapshot
    for name, account in accounts.items():
        lived_venue.lived_traders[name].client.account = account


@pytest.fixture
def run(venue: LocalVenue) -> Callable[..., Report]:
    """Audits the venue; proofs are left out unless asked for, as each takes half a second."""

    def run(*, contracts=None, keys: Path = KEYS, sample: int | None = 0, **scope) -> Report:
        return audit(contracts or venue.contracts, Scope([keys], sample=sample, **scope))

    return run
