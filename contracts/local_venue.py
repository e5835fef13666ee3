"""A venue on a local chain, with everything that a venue elsewhere has others for: node, keys, publishers, test tokens.

Used by the examples, the demo and the tests on a chain alike. Development keys throughout: `contracts.deploy` refuses
them on any other chain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from zkmargin.contracts.chain import Chain, Receipt, require_accounts, run_anvil
from zkmargin.contracts.default_terms import DefaultTerms
from zkmargin.contracts.deploy import deploy
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoints, SignedEpoch
from zkmargin.contracts.publisher import PublishedEpoch, Publisher
from zkmargin.contracts.registration import RegisteredKey
from zkmargin.contracts.step_points import StepPoints
from zkmargin.contracts.trading import Trader, Venue
from zkmargin.contracts.venue import Contracts
from zkmargin.contracts.venue_keys import VenueKeys, load_venue_keys
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.epoch.succession import MAX_LAG
from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_YEAR
from zkmargin.prover.client import SignedAction
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.negotiation import AgreedTrade, Maker, check_quote, make_quote, make_request
from zkmargin.prover.session import VenueFacts

PUBLISHERS, THRESHOLD = 5, 3
ACCOUNTS = 2
"""Accounts that the node must hold: the deployer's, and the submitter's, who also fills the traders' inboxes."""
REPLAY_LAG = 100 * SECONDS_PER_YEAR
"""Seconds by which a chain's clock may be ahead of a recorded market that is replayed on it."""
LEAST_LEFT = 60
"""Seconds of an epoch's age for a trade that must be left, or a new epoch is posted."""


@dataclass(frozen=True)
class LiveEpoch:
    """An epoch on chain, with what proving needs of it."""

    data: Epoch
    signed: SignedEpoch
    receipt: Receipt
    """Of the epoch."""
    snapshot_receipt: Receipt | None
    """Of its snapshot's bytes, where they were published."""
    seconds: Mapping[str, float]
    """How long computing one policy's point ("policy_point"), the publishers' checks and signatures ("check") and,
    where it was built here, the policies ("policy") took."""

    @property
    def points(self) -> EpochPoints:
        """What an action at this epoch carries."""
        return self.signed.epoch_points


class LocalVenue(Venue):
    """Contracts, publishers and oracle of one deployment on a development chain, which ends with `close`.

    The venue's publishers keep it current: when a trade needs an epoch and the latest is too old for it, they post a
    new one of the same market.

    Where the chain's clock is within a day of the market's when the venue is made, every epoch's snapshot is the market
    as of the epoch's time: same prices, less time to expiry. Publishers then ask for the lag of `MAX_LAG`, as they do
    on any venue, and an option whose expiry the clock has reached must have been dropped.

    Elsewhere (`zkmargin demo --rpc-url` on a chain that runs) the venue is a replay of a recorded market: snapshots
    keep their own time, and the publishers are told to accept epochs up to `REPLAY_LAG` later than that. Such epochs
    date old prices as new, so this is for showing only. A chain whose clock is earlier than the market's is refused.

    Parameters
    ----------
    snapshot : MarketSnapshot
        The market.
    keys : VenueKeys, optional
        By default those that `zkmargin setup` made for the market's preset.
    terms : DefaultTerms, optional
        Of defaults.
    settlement_delay : int
        As `deploy` has it, seconds; none by default.
    chain : Chain, optional
        A development chain that runs; by default an Anvil of this venue's own, whose clock starts at the market's time.

    Raises
    ------
    KeyMissing
        If there are no keys.
    ChainUnavailable
        If there is no Anvil.
    """

    def __init__(
        self,
        snapshot: MarketSnapshot,
        *,
        keys: VenueKeys | None = None,
        chain: Chain | None = None,
        terms: DefaultTerms | None = None,
        settlement_delay: int = 0,
    ):
        self._resources = ExitStack()
        self.keys = keys or load_venue_keys(snapshot.listing.preset.name)
        self.snapshot = snapshot
        self._terms, self._settlement_delay = terms, settlement_delay
        self.latest: LiveEpoch | None = None
        self._live: dict[int, LiveEpoch] = {}
        try:
            self._deploy(chain or self._resources.enter_context(run_anvil(timestamp=snapshot.time)))
        except BaseException:
            self._resources.close()
            raise

    def _deploy(self, chain: Chain) -> None:
        require_accounts(chain, ACCOUNTS)
        keys, snapshot = self.keys, self.snapshot
        self.is_replay = abs(chain.time - snapshot.time) > SECONDS_PER_DAY
        self.publishers = [Wallet.create() for _ in range(PUBLISHERS)]
        addresses = [wallet.address for wallet in self.publishers]
        deployment = deploy(
            chain,
            keys.material,
            addresses,
            threshold=THRESHOLD,
            generation=snapshot.listing.generation,
            terms=self._terms,
            settlement_delay=self._settlement_delay,
        )
        contracts = Contracts(chain, deployment)
        registered = RegisteredKey.find(
            contracts.registry,
            keys.transition.verifying_key,
            keys.open.verifying_key,
            keys.material.committee,
            keys.preset,
        )
        self.publisher = Publisher(
            key=registered,
            vault_units=deployment.vault_units,
            domain=deployment.domain,
            wallets=self.publishers[:THRESHOLD],
            max_lag=REPLAY_LAG if self.is_replay else MAX_LAG,
        )
        self.steps = StepPoints(self.publisher, contracts.oracle, sender=chain.accounts[1])
        facts = VenueFacts(deployment.domain, keys.preset, registered.version, keys.material.committee)
        super().__init__(contracts, facts, keys.provers, submitter=chain.accounts[1])

    def close(self) -> None:
        """Ends the chain, if it is the venue's own."""
        self._resources.close()

    # ----------------------------------------------------------------------------------------------------------- epochs
    @property
    def epoch(self) -> LiveEpoch:
        """The latest epoch, whether it is fresh or not; raises `CallInvalid` before the first."""
        if self.latest is None:
            raise CallInvalid("epoch", None, "one that was posted")
        return self.latest

    def publish(self, epoch: Epoch, *, with_snapshot: bool = True) -> LiveEpoch:
        """Signs an epoch by a quorum that has checked it, and posts it.

        Raises
        ------
        MessageInvalid, PolicyError, OutOfRange
            As `Publisher.check`; nothing is posted then.
        """
        signed, seconds = self.sign(epoch)
        return self._post(epoch, signed, seconds, with_snapshot=with_snapshot)

    def sign(self, epoch: Epoch) -> tuple[SignedEpoch, dict[str, float]]:
        """The epoch, signed by a quorum that has checked it, with the seconds of each step; nothing is posted."""
        previous = PublishedEpoch(self.latest.data, self.latest.signed.message) if self.latest else None
        is_step = previous is not None and epoch.generation != previous.epoch.generation
        start = time.perf_counter()
        proposal = self.publisher.propose(epoch, previous, is_step=is_step)
        middle = time.perf_counter()
        signed = self.publisher.sign(proposal, previous)
        points, checks = middle - start, time.perf_counter() - middle
        return signed, {"policy_point": points / len(epoch.policies), "check": checks}

    def _post(
        self, epoch: Epoch, signed: SignedEpoch, seconds: Mapping[str, float], *, with_snapshot: bool
    ) -> LiveEpoch:
        oracle = self.contracts.oracle
        receipt = oracle.post_epoch(signed, sender=self.submitter)
        before = self.latest.data if self.latest else None
        published = oracle.publish_snapshot(signed.snapshot, sender=self.submitter) if with_snapshot else None
        live = LiveEpoch(epoch, signed, receipt, published, seconds)
        self.latest = self._live[epoch.number] = live
        self.snapshot = epoch.snapshot
        if before is not None and before.generation != epoch.generation:
            self.steps.record(before, epoch)
            self.steps.post_skips(epoch.generation)
        return live

    def post_last_step(self) -> Receipt:
        """Keeps what every position is worth at the latest epoch, for the case that the publishers are gone."""
        signed = self.publisher.sign_last_step(self.epoch.data)
        return self.contracts.oracle.post_last_step(signed, sender=self.submitter)

    def resettle(self, settlement: ExpiryStep | None = None) -> None:
        """Posts another point of the latest step of the listing, as `StepPoints.resettle`; later epochs carry its
        vector."""
        latest = self.epoch.data
        settled = self.steps.resettle(latest.generation, settlement).settlement
        for number, live in self._live.items():
            if live.data.generation == latest.generation:
                self._live[number] = replace(live, data=replace(live.data, settlement=settled))
        self.latest = self._live[latest.number]
        self.steps.post_skips(latest.generation)

    def make_epoch(
        self, *, urgent: bool = False, settlement: ExpiryStep | None = None, snapshot: MarketSnapshot | None = None
    ) -> Epoch:
        """The next epoch at the chain's time.

        A settlement makes it the step into the snapshot's generation; other epochs keep the one of their generation.
        """
        moment, market = self.chain.time, snapshot or self.snapshot
        if not self.is_replay:
            market = replace(market, time=moment)
        if settlement is None and self.latest is not None:
            settlement = self.latest.data.settlement
        number = self.contracts.oracle.get_latest_number() + 1
        return House(market).epoch(number, time=moment, urgent=urgent, settlement=settlement)

    def post_epoch(
        self,
        *,
        urgent: bool = False,
        settlement: ExpiryStep | None = None,
        snapshot: MarketSnapshot | None = None,
        with_snapshot: bool = True,
    ) -> LiveEpoch:
        """Builds, signs and posts the next epoch at the chain's time."""
        start = time.perf_counter()
        epoch = self.make_epoch(urgent=urgent, settlement=settlement, snapshot=snapshot)
        built = time.perf_counter() - start
        signed, seconds = self.sign(epoch)
        return self._post(epoch, signed, {"policy": built, **seconds}, with_snapshot=with_snapshot)

    def current_epoch(self) -> Epoch:
        """The latest epoch, or a new one where a trade could not be proved at it."""
        if self.latest is None or self._is_outdated(self.latest.data):
            return self.post_epoch(with_snapshot=self.latest is None).data
        return self.latest.data

    def _is_outdated(self, epoch: Epoch) -> bool:
        """Whether less than a minute of its age is left for a trade."""
        age = self.chain.time - epoch.time
        return age + LEAST_LEFT > self.contracts.oracle.get_max_age(ActionKind.TRADE)

    def read_epoch(self, number: int) -> Epoch:
        """An epoch that this venue's publishers posted; raises `CallInvalid` for another."""
        return self._get_live(number).data

    def get_points(self, number: int) -> EpochPoints:
        """What an action at that epoch carries; raises as `read_epoch`."""
        return self._get_live(number).points

    def _get_live(self, number: int) -> LiveEpoch:
        if number not in self._live:
            raise CallInvalid("number of the epoch", number, f"one of {sorted(self._live)}, posted here")
        return self._live[number]

    # ----------------------------------------------------------------------------------------------------- test tokens
    def fund(self, trader: Trader, *, cash_usd6: int = 0, lots: Mapping[int, int] | None = None) -> list[Receipt]:
        """Makes test tokens and pays them into the trader's inbox: cash, and collateral in lots by slot."""
        contracts, units = self.contracts, self.contracts.deployment.vault_units
        if cash_usd6:
            contracts.cash.mint(self.submitter, cash_usd6)
        for slot, count in (lots or {}).items():
            if slot in units:
                contracts.weth.mint(self.submitter, count * units[slot])
        return super().fund(trader, cash_usd6=cash_usd6, lots=lots)

    def deposit(self, trader: Trader, *, cash_usd6: int = 0, lots: Mapping[int, int] | None = None) -> Receipt:
        """Absorbs that much of the inbox into the hidden account."""
        absorbed = {slot: count for slot, count in (lots or {}).items() if count}
        return self.submit(trader, trader.client.deposit(cash_usd6, absorbed, deadline=self.deadline))

    # ------------------------------------------------------------------------------------- both parties in one process
    def agree(
        self, taker: Trader, maker: Trader, legs: Mapping[int, int], taker_pays_usd6: int, *, maker_side: int = -1
    ) -> AgreedTrade:
        """A trade that both parties want, lots by slot, without the messages' signatures."""
        session = self.begin(self.current_epoch())
        request = make_request(taker.id, maker.id, legs, self.deadline, generation=session.epoch.generation)
        quote = make_quote(
            session, request, Maker(maker.id, maker.client.account.commitment, maker_side), taker_pays_usd6
        )
        return check_quote(session, request, quote, now=self.time)

    def prove_trade(self, agreed: AgreedTrade, *parties: Trader, fee_usd6: int = 0) -> dict[int, SignedAction]:
        """Each party's side of an agreed trade, signed and proved, by side."""
        deadline = min(self.deadline, agreed.valid_until)
        sides = {}
        for party in parties:
            side = party.client.trade(agreed, self.read_epoch(agreed.epoch), deadline=deadline, fee_usd6=fee_usd6)
            sides[side.message.side] = side
        return sides
