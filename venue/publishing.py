"""One risk epoch from a market to the chain: built after the last one that the chain has, checked, signed, posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from zkmargin.contracts.chain import Receipt, require_development_chain
from zkmargin.contracts.desks import check_venue
from zkmargin.contracts.errors import CallInvalid, MessageInvalid
from zkmargin.contracts.local_venue import REPLAY_LAG
from zkmargin.contracts.messages import SignedEpoch, make_epoch_message
from zkmargin.contracts.publisher import Proposal, PublishedEpoch, Publisher
from zkmargin.contracts.registration import RegisteredKey
from zkmargin.contracts.venue import Contracts
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.epoch.settling import AVERAGED_SECONDS, list_expiries, settle_expired
from zkmargin.engine.epoch.succession import MAX_LAG
from zkmargin.engine.house import House
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Preset
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.prover.groth16.keys import VerifyingKey, load_verifying_key
from zkmargin.prover.groth16.points import compute_policy_point, compute_settlement_point
from zkmargin.prover.messages.records import Epoch as EpochMessage
from zkmargin.prover.messages.wallet import Signer
from zkmargin.venue.errors import ReplayRefused, WalletUnusable

PROPOSAL_WINDOW = 8
"""Numbers above the chain's last epoch within which services propose and sign the next one."""


@dataclass(frozen=True)
class PublishingTerms:
    """What a publisher of one deployment holds epochs against, read and compared before anything is signed."""

    contracts: Contracts
    key: RegisteredKey
    """Compared with the registry: version, both keys, flat point, committee."""
    preset: Preset

    @classmethod
    def read(cls, contracts: Contracts, preset: Preset) -> PublishingTerms:
        """From this machine's keys of the preset and the deployment's registry.

        Raises
        ------
        KeyMissing
            If there are no keys.
        RegistrationMismatch
            If the registry's version is not what they give.
        DeploymentMismatch
            As `contracts.desks.check_venue`.
        """
        insecure = contracts.chain.is_development
        transition, opening, reveal, rekey = (
            load_verifying_key(name, preset, allow_insecure=insecure)
            for name in ("transition", "open", "reveal", "rekey")
        )
        key = RegisteredKey.find(contracts.registry, transition, opening, contracts.deployment.committee_key, preset)
        check_venue(contracts, key.version, reveal, rekey, preset)
        return cls(contracts, key, preset)

    def make_publisher(self, wallets: Sequence[Signer], max_lag: int) -> Publisher:
        """A publisher with these keys.

        Raises
        ------
        WalletUnusable
            If a wallet is no publisher of the oracle, or comes twice.
        """
        addresses = [wallet.address for wallet in wallets]
        for address in addresses:
            if addresses.count(address) > 1:
                raise WalletUnusable(f"publisher {address}, which comes twice", "each publisher once")
            if not self.contracts.oracle.contract.call("isSigner", bytes.fromhex(address.removeprefix("0x"))):
                raise WalletUnusable(f"publisher {address}", "a publisher that the oracle has")
        deployment = self.contracts.deployment
        return Publisher(self.key, deployment.vault_units, deployment.domain, wallets, max_lag=max_lag)


def date_market(snapshot: MarketSnapshot, contracts: Contracts, *, replay: bool) -> tuple[MarketSnapshot, int]:
    """The market as it may be published now, and the largest lag that its publishers ask for, seconds.

    A market of the last `MAX_LAG` seconds is taken as it is. A replay, on development chains only, dates prices of up
    to a day from the chain's time as of that time; those of older ones keep their time, and the lag is large.

    Raises
    ------
    ReplayRefused
        If the market is older or later than that, and `replay` is not asked for; or it is later by more than a day.
    NotADevelopmentChain
        If a replay is asked for elsewhere.
    """
    chain = contracts.chain
    now = chain.time
    lag = now - snapshot.time
    if 0 <= lag <= MAX_LAG:
        return snapshot, MAX_LAG
    if not replay:
        raise ReplayRefused(chain.id, lag, f"0 to {MAX_LAG}, or a replay on a development chain")
    require_development_chain(chain, "a replay of recorded prices")
    if abs(lag) <= SECONDS_PER_DAY:
        return replace(snapshot, time=now), MAX_LAG
    if lag < 0:
        raise ReplayRefused(chain.id, lag, f"at least -{SECONDS_PER_DAY}")
    return snapshot, REPLAY_LAG


def read_published(terms: PublishingTerms, number: int) -> PublishedEpoch | None:
    """The epoch of that number, built again from what the chain has of it, with its message; None for number 0.

    Raises
    ------
    CallInvalid
        If nobody published its snapshot.
    MessageInvalid
        If this house does not build the policies that were signed.
    """
    if number == 0:
        return None
    oracle = terms.contracts.oracle
    data, posted = oracle.read_snapshot(number), oracle.get_epoch(number)
    if data is None:
        raise CallInvalid("number of the epoch", number, "one whose snapshot is published")
    settlement = oracle.read_settlements(terms.preset).get(posted.generation)
    min_epoch = oracle.read_min_epoch(number)
    epoch = make_house(data).epoch(number, time=posted.time, settlement=settlement, urgent=min_epoch == number)
    if epoch.policy_hash != oracle.read_policy_hash(number):
        raise MessageInvalid("Epoch", "policy_hash", "the publishers'", "that of the policies built here")
    return PublishedEpoch(epoch, _make_message(terms.key.verifying_key, epoch, min_epoch, oracle.is_step(number)))


@lru_cache(maxsize=1)
def make_house(snapshot: bytes) -> House:
    """Of a snapshot's canonical bytes. The chain's last epoch is looked at for every proposal of the next one."""
    return House(MarketSnapshot.from_bytes(snapshot))


def _make_message(key: VerifyingKey, epoch: Epoch, min_epoch: int, is_step: bool) -> EpochMessage:
    points = {name: compute_policy_point(key, policy) for name, policy in epoch.policies.items()}
    point = compute_settlement_point(key, epoch.settlement, epoch.snapshot.listing.preset)
    return make_epoch_message(
        epoch, key_hash=key.hash, points=points, is_step=is_step, settlement_point=point, min_epoch=min_epoch
    )


@dataclass(frozen=True)
class Draft:
    """What decides an epoch: everything else follows from it, from the last epoch and from the model."""

    number: int
    time: int
    """Unix seconds."""
    urgent: bool
    market: MarketSnapshot
    """As it is dated in the epoch."""


def propose_draft(terms: PublishingTerms, draft: Draft, max_lag: int) -> tuple[Proposal, PublishedEpoch | None]:
    """The epoch of a draft with its points and message, and the chain's last one, after which it was built.

    Raises
    ------
    WrongKind
        If the draft is of the next listing, and nothing of the last one has expired.
    """
    previous = read_published(terms, terms.contracts.oracle.get_latest_number())
    settlement = find_settlement(terms, previous, draft) if previous else None
    epoch = House(draft.market).epoch(draft.number, time=draft.time, urgent=draft.urgent, settlement=settlement)
    is_step = previous is not None and epoch.generation != previous.epoch.generation
    return terms.make_publisher((), max_lag).propose(epoch, previous, is_step=is_step), previous


def find_settlement(terms: PublishingTerms, previous: PublishedEpoch, draft: Draft) -> ExpiryStep:
    """The last epoch's while the listing stays. A draft of the next listing settles what has expired, at the prices of
    epochs on the chain: whoever looks at the chain finds the same.

    Raises
    ------
    WrongKind
        If nothing has expired.
    """
    last = previous.epoch.snapshot
    if draft.market.listing.generation == last.listing.generation:
        return previous.epoch.settlement
    now = min(draft.time, terms.contracts.chain.time)  # a proposal may be dated ahead of the chain
    first = min(list_expiries(last, now), default=now) - AVERAGED_SECONDS
    return settle_expired(read_markets(terms, previous, first), now)


def read_markets(terms: PublishingTerms, previous: PublishedEpoch, since: int) -> list[MarketSnapshot]:
    """Markets of the last epoch's listing, by rising time: those since then and the one before, of epochs that were not
    revoked and whose snapshots were published."""
    oracle, number = terms.contracts.oracle, previous.epoch.number
    markets = [previous.epoch.snapshot]
    while markets[0].time >= since and number > 1:
        number -= 1
        if oracle.is_revoked(number):
            continue
        try:
            data = oracle.read_snapshot(number)
        except CallInvalid:
            continue  # a number that was never posted
        if data is None:
            continue
        market = MarketSnapshot.from_bytes(data)
        if market.listing.generation != markets[-1].listing.generation:
            break
        markets.insert(0, market)
    return markets


def sign_draft(
    terms: PublishingTerms, draft: Draft, wallets: Sequence[Signer], max_lag: int
) -> tuple[Epoch, SignedEpoch]:
    """The epoch of a draft, signed by each wallet after every check.

    Raises
    ------
    WalletUnusable
        As `PublishingTerms.make_publisher`.
    MessageInvalid, PolicyError, OutOfRange
        As `Publisher.check`; nothing is signed then.
    """
    publisher = terms.make_publisher(wallets, max_lag)
    proposal, previous = propose_draft(terms, draft, max_lag)
    return proposal.epoch, publisher.sign(proposal, previous)


def read_threshold(terms: PublishingTerms) -> int:
    """How many publishers must sign an epoch."""
    return int(terms.contracts.oracle.contract.call("threshold"))


def publish_epoch(
    terms: PublishingTerms,
    market: MarketSnapshot,
    wallets: Sequence[Signer],
    *,
    replay: bool = False,
    urgent: bool = False,
    sender: str | None = None,
) -> tuple[Epoch, Receipt]:
    """Builds the next epoch from a market, checks it after the last one, signs it by each wallet, posts it with the
    bytes of its snapshot.

    Raises
    ------
    ReplayRefused, NotADevelopmentChain
        As `date_market`.
    WalletUnusable
        As `PublishingTerms.make_publisher`, or if there are fewer wallets than the threshold.
    MessageInvalid, PolicyError, OutOfRange
        As `Publisher.check`; nothing is signed then.
    """
    contracts, threshold = terms.contracts, read_threshold(terms)
    if len(wallets) < threshold:
        raise WalletUnusable(f"{len(wallets)} publishers", f"{threshold} or more, the oracle's threshold")
    dated, max_lag = date_market(market, contracts, replay=replay)
    draft = Draft(contracts.oracle.get_latest_number() + 1, contracts.chain.time, urgent, dated)
    epoch, signed = sign_draft(terms, draft, wallets, max_lag)
    return epoch, post(contracts, signed, sender=sender)


def post(contracts: Contracts, signed: SignedEpoch, *, sender: str | None = None) -> Receipt:
    """Publishes the bytes of a signed epoch's snapshot and posts the epoch; the receipt is the epoch's.

    In this order, so that no epoch is ever on the chain without its snapshot: the next one could not be built after it.
    """
    contracts.oracle.publish_snapshot(signed.snapshot, sender=sender)
    return contracts.oracle.post_epoch(signed, sender=sender)
