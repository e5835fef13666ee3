"""A venue on a local chain: deployment, publishers, epochs, and the parties that trade on it.

Used by the demo, the benchmarks and the tests on a chain alike. Development keys throughout: `contracts.deploy` refuses
them on any other chain.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from zkmargin.contracts.chain import Chain, Receipt, require_accounts
from zkmargin.contracts.deploy import deploy
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoints, SignedEpoch
from zkmargin.contracts.publisher import PublishedEpoch, Publisher
from zkmargin.contracts.requests import (
    ActionRequest,
    OpenRequest,
    TradeRequest,
    TradeSide,
)
from zkmargin.contracts.venue import Contracts
from zkmargin.contracts.venue_keys import VenueKeys
from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.epoch.succession import MAX_LAG
from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_YEAR
from zkmargin.prover.client import AccountClient, Provers, SignedAction, SignedOpening
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.negotiation import AgreedTrade
from zkmargin.prover.ranges import check_range
from zkmargin.prover.session import VenueFacts

PUBLISHERS, THRESHOLD = 5, 3
ACCOUNTS = 3
"""Accounts that the node must hold: the deployer's, the relayer's, and the payer's, who fills the parties' inboxes."""
PATIENCE = 3600
"""Seconds until a signed action of a party here runs out."""
REPLAY_LAG = 100 * SECONDS_PER_YEAR
"""Seconds by which a chain's clock may be ahead of a recorded market that is replayed on it."""


@dataclass(frozen=True)
class LiveEpoch:
    """An epoch on chain, with what proving needs of it."""

    data: Epoch
    signed: SignedEpoch
    receipt: Receipt
    seconds: Mapping[str, float]
    """How long building the policies ("policy"), one policy's point ("policy_point"), and the publishers' checks and
    signatures ("check") took."""

    @property
    def points(self) -> EpochPoints:
        """What an action at this epoch carries."""
        return self.signed.epoch_points


class Party:
    """A trader with its wallet; `trader` holds the hidden account."""

    def __init__(self, name: str, trader: AccountClient):
        self.name, self.trader = name, trader

    @property
    def id(self) -> bytes:
        """Account number."""
        return self.trader.account.id

    @property
    def address(self) -> str:
        """auth."""
        return self.trader.wallet.address

    @property
    def state(self) -> AccountState:
        """Positions and cash, which only the party knows."""
        return self.trader.account.state


class LocalVenue:
    """Contracts, publishers and oracle of one deployment on a development chain.

    Where the chain's clock is within a day of the market's when the venue is made, every epoch's snapshot is the market
    as of the epoch's time: same prices, less time to expiry. Publishers then ask for the lag of `MAX_LAG`, as they do
    on any venue, and an option whose expiry the clock has reached must have been dropped.

    Elsewhere (`zkmargin demo --rpc-url` on a chain that runs) the venue is a replay of a recorded market: snapshots
    keep their own time, and the publishers are told to accept epochs up to `REPLAY_LAG` later than that. Such epochs
    date old prices as new, so this is for showing only. A chain whose clock is earlier than the market's is refused.
    """

    def __init__(self, chain: Chain, keys: VenueKeys, snapshot: MarketSnapshot):
        require_accounts(chain, ACCOUNTS)
        self.chain, self.keys, self.snapshot = chain, keys, snapshot
        self.is_replay = abs(chain.time - snapshot.time) > SECONDS_PER_DAY
        self.publishers = [Wallet.create() for _ in range(PUBLISHERS)]
        addresses = [wallet.address for wallet in self.publishers]
        deployment = deploy(
            chain, keys.material, addresses, threshold=THRESHOLD, generation=snapshot.listing.generation
        )
        self.contracts = Contracts(chain, deployment)
        self.publisher = Publisher(
            verifying_key=keys.transition.verifying_key,
            vault_units=deployment.vault_units,
            domain=deployment.domain,
            wallets=self.publishers[:THRESHOLD],
            max_lag=REPLAY_LAG if self.is_replay else MAX_LAG,
        )
        self.facts = VenueFacts(deployment.domain, keys.preset, 1, keys.material.committee)
        self.provers: Provers = keys.provers
        self.relayer = chain.accounts[1]
        self.epoch: LiveEpoch | None = None

    @property
    def domain(self) -> Domain:
        """Where signatures count."""
        return self.facts.domain

    @property
    def deadline(self) -> int:
        """Unix seconds; far enough for what is signed now."""
        return self.chain.time + PATIENCE

    # ------------------------------------------------------------------------------------------------------ publishers
    def make_epoch(
        self, *, urgent: bool = False, settlement: ExpiryStep | None = None, snapshot: MarketSnapshot | None = None
    ) -> tuple[Epoch, SignedEpoch, dict[str, float]]:
        """The next epoch, signed by a quorum that has checked it, with the seconds of each step; nothing is posted.

        A settlement makes it the step into the snapshot's generation; other epochs keep the one of their generation.
        """
        moment = self.chain.time
        self.snapshot = snapshot or self.snapshot
        if not self.is_replay:
            self.snapshot = replace(self.snapshot, time=moment)
        is_step = settlement is not None
        if settlement is None and self.epoch is not None:
            settlement = self.epoch.data.settlement
        number = self.contracts.oracle.get_latest_number() + 1
        start = time.perf_counter()
        data = House(self.snapshot).epoch(number, time=moment, urgent=urgent, settlement=settlement)
        seconds = {"policy": time.perf_counter() - start}
        previous = PublishedEpoch(self.epoch.data, self.epoch.signed.message) if self.epoch else None
        start = time.perf_counter()
        proposal = self.publisher.propose(data, previous, is_step=is_step)
        seconds["policy_point"] = (time.perf_counter() - start) / len(data.policies)
        start = time.perf_counter()
        signed = self.publisher.sign(proposal, previous)
        seconds["check"] = time.perf_counter() - start
        return data, signed, seconds

    def post_epoch(
        self,
        *,
        urgent: bool = False,
        settlement: ExpiryStep | None = None,
        snapshot: MarketSnapshot | None = None,
        with_snapshot: bool = True,
    ) -> LiveEpoch:
        """Builds, signs and posts the next epoch at the chain's time; the relayer carries it in."""
        data, signed, seconds = self.make_epoch(urgent=urgent, settlement=settlement, snapshot=snapshot)
        receipt = self.contracts.oracle.post_epoch(signed, with_snapshot=with_snapshot, sender=self.relayer)
        self.epoch = LiveEpoch(data, signed, receipt, seconds)
        return self.epoch

    def refresh(self) -> LiveEpoch:
        """The present epoch, or a new one when less than a minute of its age is left for a trade."""
        epoch = self.get_epoch()
        if self.chain.time - epoch.data.time + 60 > self.contracts.oracle.get_max_age(ActionKind.TRADE):
            epoch = self.post_epoch(with_snapshot=False)
        return epoch

    def get_epoch(self) -> LiveEpoch:
        """The latest epoch; raises `CallInvalid` before the first."""
        if self.epoch is None:
            raise CallInvalid("number of the latest epoch", 0, "1 or more: post an epoch first")
        return self.epoch

    # ---------------------------------------------------------------------------------------------------------- parties
    def make_party(self, name: str, *, wallet: Wallet | None = None) -> Party:
        """A party with a wallet of its own; its account is not open yet."""
        wallet = wallet or Wallet.create()
        trader = AccountClient.create(
            wallet, self.facts, self.provers, generation=self.contracts.oracle.get_generation()
        )
        return Party(name, trader)

    def open(self, party: Party) -> Receipt:
        """Opens the party's account."""
        return self.submit_opening(party.trader.open(deadline=self.deadline))

    def submit_opening(self, signed: SignedOpening) -> Receipt:
        """Sends a signed opening, as the relayer."""
        request = OpenRequest.from_message(
            signed.message,
            signed.opening.escrow.ephemeral,
            signed.opening.escrow.escrowed_key,
            signed.proof_words,
            signed.signature,
        )
        return self.contracts.house.open(request, sender=self.relayer)

    def fund(self, party: Party, *, cash_usd6: int = 0, weth_lots: int = 0) -> list[Receipt]:
        """Puts test tokens into the party's inbox; one receipt per token."""
        cash_usd6 = check_range("cash to fund", cash_usd6, 0, 1 << 128)
        weth_lots = check_range("lots of WETH to fund", weth_lots, 0, 1 << 64)
        contracts, payer = self.contracts, self.chain.accounts[2]
        receipts = []
        for token, amount in ((contracts.cash, cash_usd6), (contracts.weth, weth_lots * 10**15)):
            if amount:
                token.mint(payer, amount)
                token.approve(contracts.vault.contract.address, amount, sender=payer)
                receipts.append(contracts.vault.fund(party.id, token.address, amount, sender=payer))
        return receipts

    def deposit(self, party: Party, *, cash_usd6: int = 0, weth_lots: int = 0) -> Receipt:
        """Absorbs that much of the inbox into the hidden account."""
        lots = {self.contracts.deployment.weth_slot: weth_lots} if weth_lots else {}
        return self.submit(party, party.trader.deposit(cash_usd6, lots, deadline=self.deadline))

    def submit(self, party: Party, action: SignedAction) -> Receipt:
        """Sends a party's action that is no trade, as the relayer; takes over the new state once it is mined."""
        kind = ActionKind(action.message.kind)
        points = self.epoch.points if self.epoch and ACTION_RULES[kind].needs_epoch else None
        request = ActionRequest.from_action(action.message, action.proof_words, action.signature, points)
        receipt = self.contracts.house.act(kind, request, sender=self.relayer)
        party.trader.confirm(action)
        return receipt

    def prove_trade(self, agreed: AgreedTrade, *parties: Party, fee_usd6: int = 0) -> dict[int, SignedAction]:
        """Each party's side of an agreed trade, signed and proved, by side."""
        deadline = min(self.deadline, agreed.valid_until)
        actions = {}
        for party in parties:
            action = party.trader.trade(agreed, self.get_epoch().data, deadline=deadline, fee_usd6=fee_usd6)
            actions[action.message.side] = action
        return actions

    def make_trade_request(
        self, actions: Mapping[int, SignedAction], points: EpochPoints | None = None
    ) -> TradeRequest:
        """The call that settles both sides."""
        plus, minus = (
            TradeSide.from_action(actions[side].message, actions[side].proof_words, actions[side].signature)
            for side in (1, -1)
        )
        return TradeRequest(actions[1].message.trade_tag, points or self.get_epoch().points, plus, minus)

    def settle(self, actions: Mapping[int, SignedAction], *parties: Party) -> Receipt:
        """Sends a trade, as the relayer, and takes over both new states once it is mined."""
        receipt = self.contracts.house.trade(self.make_trade_request(actions), sender=self.relayer)
        for party in parties:
            party.trader.confirm(next(action for action in actions.values() if action.message.account == party.id))
        return receipt
