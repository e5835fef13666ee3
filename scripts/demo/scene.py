"""Where `zkmargin demo --default` plays: a recorded market on a chain of its own, a committee, and what happened."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from zkmargin.committee.local import generate_key
from zkmargin.committee.record import MemberShare
from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.default_terms import DefaultTerms
from zkmargin.contracts.deploy import LEAST_SETTLEMENT_DELAY
from zkmargin.contracts.key_material import compute_committee_constant
from zkmargin.contracts.local_venue import THRESHOLD as QUORUM
from zkmargin.contracts.local_venue import LocalVenue
from zkmargin.contracts.messages import sign_unchecked
from zkmargin.contracts.trading import Trader
from zkmargin.contracts.venue_keys import VenueKeys
from zkmargin.engine.margin.stress import move_market
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.presets import Coin
from zkmargin.prover.messages.records import TypedMessage

MARKET = "deribit_2026-02-05"
"""Recorded in the crash of February 2026."""
MEMBERS, THRESHOLD = 5, 3
"""Of the committee."""
TERMS = DefaultTerms(lease=3_600, grace=600)
TICK = 300
"""Seconds between two ticks: the most by which one advances the clock."""


@dataclass
class Scene:
    """A venue with a committee, and what happened on it."""

    venue: LocalVenue
    desk: DefaultDesk
    shares: list[MemberShare]
    happened: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    _since: float = field(default_factory=time.perf_counter)

    @property
    def keeper(self) -> str:
        """Who freezes, and is paid bounties for it."""
        return self.venue.submitter

    def note(self, name: str, receipt: Receipt) -> Receipt:
        """A step with its gas, and the seconds since the last one, proving included."""
        now = time.perf_counter()
        self.happened.append({"name": name, "gas": receipt.gas_used, "seconds": round(now - self._since, 3)})
        self._since = now
        return receipt

    def wait(self, seconds: int) -> None:
        """Lets time pass; the publishers post an epoch."""
        self.venue.chain.travel(seconds)
        self.venue.post_epoch(with_snapshot=False)

    def tick(self, count: int) -> None:
        """So many ticks of the clock of deadlines, each after an epoch."""
        for _ in range(count):
            self.wait(TICK)
            self.desk.tick()

    def sign(self, message: TypedMessage) -> tuple[bytes, ...]:
        """By a quorum of publishers."""
        return sign_unchecked(message, self.venue.publishers[:QUORUM], self.venue.domain)

    def fund(self, inbox: bytes, amount_usd6: int) -> None:
        """Pays new test cash into an inbox."""
        contracts, sender = self.venue.contracts, self.venue.submitter
        contracts.cash.mint(sender, amount_usd6)
        contracts.cash.approve(contracts.vault.contract.address, amount_usd6, sender=sender)
        contracts.vault.fund(inbox, contracts.cash.address, amount_usd6, sender=sender)

    def move_prices(self, share: float) -> None:
        """Every price, by a share of it, from the next epoch on."""
        prices, volatilities = dict.fromkeys(Coin, share), dict.fromkeys(Coin, 1.0)
        self.venue.snapshot = move_market(self.venue.snapshot, 1.0, prices=prices, volatilities=volatilities)

    def is_stored(self, trader: Trader) -> bool:
        """Whether the chain's commitment of the account is that of the trader's own state."""
        account = trader.client.account
        return self.venue.contracts.house.get_account(trader.id).commitment == account.commitment

    def get_status(self, trader: Trader) -> Status:
        """Of the trader's account."""
        return self.venue.contracts.house.get_account(trader.id).status


@contextmanager
def set_scene(keys: VenueKeys) -> Iterator[Scene]:
    """The recorded market on an Anvil of its own, whose escrow key is a fresh committee's."""
    shares = generate_key(MEMBERS, THRESHOLD)
    committee = shares[0].record.public_key
    constant = compute_committee_constant("open", keys.open.verifying_key, committee, keys.preset)
    keys = replace(keys, material=replace(keys.material, committee=committee, open_constant=constant))
    market = to_preset(load_snapshot(MARKET), keys.preset)
    with LocalVenue(market, keys=keys, terms=TERMS, settlement_delay=LEAST_SETTLEMENT_DELAY) as venue:
        venue.post_epoch()
        contracts = venue.contracts
        address, first = contracts.house.contract.address, contracts.deployment.first_block
        yield Scene(venue, DefaultDesk(venue.chain, address, venue.domain, first_block=first), shares)


def require(holds: bool, claim: str) -> None:
    """Raises where the story does not go as it is told."""
    if not holds:
        raise AssertionError(f"not so: {claim}")
