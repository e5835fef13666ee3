"""A risk publisher: before it signs, every hash, point and rule of the epoch is computed again from its data.

A quorum that signs a point it did not compute lets the verifier accept anything, so `Publisher.sign` is the only way
here to a publisher's signature, and it looks first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from zkmargin.contracts.errors import MessageInvalid
from zkmargin.contracts.messages import (
    IDENTITY,
    SignedEpoch,
    SignedSettlement,
    make_epoch_message,
    sign_unchecked,
    sort_points,
)
from zkmargin.contracts.registration import RegisteredKey
from zkmargin.engine.epoch.expiry import SKIPS, ExpiryStep, compose_expiry_steps
from zkmargin.engine.epoch.liquidation import liquidate
from zkmargin.engine.epoch.record import Epoch as RiskEpoch
from zkmargin.engine.epoch.succession import MAX_LAG, check_step, check_succession
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import Parameters, load_parameters
from zkmargin.engine.margin.rebuild import check_rebuilt
from zkmargin.engine.market.instruments import collateral_lot_sizes
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.implication import check_implies
from zkmargin.engine.presets import Coin
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.groth16.points import Point, compute_policy_point, compute_settlement_point
from zkmargin.prover.messages.records import Epoch, Settlement, TypedMessage
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Signer
from zkmargin.prover.ranges import check_range

IMPLICATIONS = (("withdraw", "initial"), ("initial", "maintenance"))
"""Pairs of policies of which the first implies the second for every state."""

VAULT_COIN = Coin.ETH
"""Whose spot the vault's token is: it is ether's wrapper (`Deployment.weth`)."""


@dataclass(frozen=True)
class PublishedEpoch:
    """An epoch with its message: one that was signed, or a proposal that this publisher has checked."""

    epoch: RiskEpoch
    message: Epoch


@dataclass(frozen=True)
class Proposal:
    """What is to be signed."""

    epoch: RiskEpoch
    """The data: snapshot, policies, settlement."""
    message: Epoch
    """What the signatures cover."""
    points: Mapping[str, Point]
    """Policy point of every policy, by name, as it is to be posted."""
    is_step: bool = False
    """Whether the epoch raises the generation: settlement point and bytes go along. The settlement's hash is always
    signed."""


@dataclass(frozen=True)
class Publisher:
    """What a publisher holds epochs against, and what it signs with.

    `previous` is the epoch before, None for the first of a deployment; `seen` are further epochs and proposals that
    this publisher has checked, posted or not.
    """

    key: RegisteredKey
    """The key of `transition` that the points are for: `RegisteredKey.find` has compared the registry with it."""
    vault_units: Mapping[int, int]
    """The vault's token units per lot, by collateral slot; tokens have 18 decimals (`Deployment.vault_units`)."""
    domain: Domain
    """Where the signatures count."""
    wallets: Sequence[Signer]
    """The signing keys of this process: one signature each."""
    parameters: Parameters = field(default_factory=load_parameters)
    """The pinned numbers of the house model that policies must be built from."""
    max_lag: int = MAX_LAG
    """Most seconds from the snapshot to the epoch, as `check_succession` has it."""

    def __post_init__(self) -> None:
        check_range("largest lag, seconds", self.max_lag, 0, 1 << 40)

    @property
    def verifying_key(self) -> VerifyingKey:
        """The registered key of `transition`."""
        return self.key.verifying_key

    def propose(
        self,
        epoch: RiskEpoch,
        previous: PublishedEpoch | None = None,
        *,
        is_step: bool = False,
        seen: Iterable[PublishedEpoch] = (),
    ) -> Proposal:
        """The epoch with its points and its message, which carries on the highest `min_epoch` of `previous` and `seen`.

        Raises
        ------
        MessageInvalid
            If a step has no settlement point.
        OutOfRange
            If a coefficient would leave its lane.
        """
        points = {name: compute_policy_point(self.verifying_key, policy) for name, policy in epoch.policies.items()}
        message = make_epoch_message(
            epoch,
            key_hash=self.verifying_key.hash,
            points=points,
            is_step=is_step,
            settlement_point=self._compute_settlement_point(epoch) if is_step else IDENTITY,
            min_epoch=_lowest_min_epoch(previous, seen),
        )
        return Proposal(epoch, message, points, is_step)

    def check(
        self, proposal: Proposal, previous: PublishedEpoch | None = None, *, seen: Iterable[PublishedEpoch] = ()
    ) -> None:
        """Everything that a publisher can know of an epoch before it signs.

        The policies are built again from the snapshot. `min_epoch` is at least the highest that this publisher knows
        of: a higher one is right where it has not seen the urgent epoch behind it, and can only revoke more. So an
        urgent epoch that one quorum signed is carried on for ever if every later quorum shares an honest publisher with
        it: 2 * threshold - publishers must exceed the number of dishonest publishers.

        Raises
        ------
        MessageInvalid
            If a field of the message, a point or a lot size is not what the data say.
        PolicyError
            The engine's: a policy that breaks its rules or that the snapshot does not give (`PolicyNotRebuilt`), or an
            epoch that may not follow `previous`.
        OutOfRange
            The prover's: a coefficient that would leave its lane.
        """
        epoch = proposal.epoch
        _check_collateral(epoch, self.vault_units)
        check_succession(previous.epoch if previous else None, epoch, max_lag=self.max_lag)
        self._check_policies(epoch)
        self._check_message(proposal, previous, _lowest_min_epoch(previous, seen))

    def sign(
        self, proposal: Proposal, previous: PublishedEpoch | None = None, *, seen: Iterable[PublishedEpoch] = ()
    ) -> SignedEpoch:
        """The epoch as `RiskOracle.post_epoch` takes it, signed by each wallet after `check`.

        Raises
        ------
        MessageInvalid, PolicyError, OutOfRange
            As `check`; nothing is signed then.
        """
        self.check(proposal, previous, seen=seen)
        return SignedEpoch(
            message=proposal.message,
            points=sort_points(proposal.points),
            snapshot=proposal.epoch.snapshot_bytes,
            settlement=proposal.epoch.settlement_bytes if proposal.is_step else b"",
            signatures=sign_unchecked(proposal.message, self.wallets, self.domain),
        )

    def propose_settlement(self, steps: Sequence[RiskEpoch], number: int) -> Settlement:
        """A settlement point without an epoch: of one step, or of 4 or 16 at once.

        Parameters
        ----------
        steps : sequence of RiskEpoch
            An epoch of each generation that it leads into, in order: their settlements are composed.
        number : int
            Number of the oracle's latest epoch.

        Raises
        ------
        MessageInvalid
            If there are not 1, 4 or 16 steps, or their generations do not follow one another.
        PolicyError
            If the settlements are of different sizes.
        """
        generations = [epoch.generation for epoch in steps]
        if len(steps) not in SKIPS:
            raise MessageInvalid("Settlement", "steps", len(steps), f"one of {SKIPS}")
        if generations != list(range(generations[0], generations[0] + len(steps))):
            raise MessageInvalid("Settlement", "generations of the steps", generations, "each one more than the last")
        vector = _compose(steps)
        x, y = compute_settlement_point(self.verifying_key, vector, vector.preset)
        return Settlement(
            key_hash=self.verifying_key.hash,
            from_generation=generations[0] - 1,
            steps=len(steps),
            number=number,
            settlement_hash=vector.hash,
            x=x,
            y=y,
        )

    def sign_settlement(
        self,
        message: Settlement,
        steps: Sequence[RiskEpoch],
        latest: int,
        *,
        before: RiskEpoch | None = None,
        serving: Sequence[Point] = (),
    ) -> SignedSettlement:
        """The settlement as `RiskOracle.post_settlement` takes it, after composing the steps and computing the point
        again.

        Parameters
        ----------
        steps : sequence of RiskEpoch
            As `propose_settlement`; epochs that this publisher has checked.
        latest : int
            Number of the oracle's latest epoch, as this publisher reads it: a settlement of an earlier number would
            outlive a revocation of the epochs since. A later one is refused on chain.
        before : RiskEpoch, optional
            The last epoch before the first step, if the settlement comes in place of one that was refused: the new
            vector is then held against its prices.
        serving : sequence of Point
            Of several steps at once: the point of each single one, as the oracle lets it serve. What was vetoed is thus
            in no composed point.

        Raises
        ------
        MessageInvalid
            As `propose_settlement`, if a field of the message is not what the steps say, or if a single step of
            several serves with another point than its own; nothing is signed then.
        PolicyError
            As `propose_settlement`, or if the new vector may not follow `before`.
        """
        expected = self.propose_settlement(steps, latest)
        if before is not None:
            check_step(before, steps[0])
        if len(steps) > 1:
            points = [self._compute_settlement_point(epoch) for epoch in steps]
            _require("points of the single steps", list(serving), points, message="Settlement")
        _check_fields(message, expected)
        return SignedSettlement(message, _compose(steps).to_bytes(), sign_unchecked(message, self.wallets, self.domain))

    def sign_last_step(self, epoch: RiskEpoch) -> SignedSettlement:
        """What every position is worth at an epoch that this publisher has checked, as `RiskOracle.post_last_step`
        takes it: for the case that the publishers are gone."""
        vector = liquidate(epoch.snapshot)
        x, y = compute_settlement_point(self.verifying_key, vector, vector.preset)
        message = Settlement(
            key_hash=self.verifying_key.hash,
            from_generation=epoch.generation,
            steps=0,
            number=epoch.number,
            settlement_hash=vector.hash,
            x=x,
            y=y,
        )
        return SignedSettlement(message, vector.to_bytes(), sign_unchecked(message, self.wallets, self.domain))

    def _compute_settlement_point(self, epoch: RiskEpoch) -> Point:
        return compute_settlement_point(self.verifying_key, epoch.settlement, epoch.snapshot.listing.preset)

    def _check_policies(self, epoch: RiskEpoch) -> None:
        for policy in epoch.policies.values():
            check_policy(policy, epoch.snapshot.listing.is_listed)
        for stronger, weaker in IMPLICATIONS:
            for name in (stronger, weaker):
                if name not in epoch.policies:
                    raise MessageInvalid("Epoch", "policies", sorted(epoch.policies), f"{name} among them")
            check_implies(epoch.policies[stronger], epoch.policies[weaker])
        check_rebuilt(epoch.policies, HouseModel(epoch.snapshot, self.parameters).policies)

    def _check_message(self, proposal: Proposal, previous: PublishedEpoch | None, lowest: int) -> None:
        """Every point and every field of the message, computed again."""
        epoch, message = proposal.epoch, proposal.message
        computed = {name: compute_policy_point(self.verifying_key, policy) for name, policy in epoch.policies.items()}
        _require("points", dict(proposal.points), computed)
        is_step = previous is not None and epoch.generation != previous.epoch.generation
        if message.min_epoch < lowest:
            allowed = f"{lowest}, the highest seen, to {epoch.number}"
            raise MessageInvalid("Epoch", "min_epoch", message.min_epoch, allowed)
        expected = make_epoch_message(
            epoch,
            key_hash=self.verifying_key.hash,
            points=computed,
            is_step=is_step,
            settlement_point=self._compute_settlement_point(epoch) if is_step else IDENTITY,
            min_epoch=message.min_epoch,
        )
        _check_fields(message, expected)


def _compose(steps: Sequence[RiskEpoch]) -> ExpiryStep:
    return compose_expiry_steps(epoch.settlement for epoch in steps)


def _check_fields(message: TypedMessage, expected: TypedMessage) -> None:
    for name, value in expected.model_dump().items():
        _require(name, getattr(message, name), value, message=type(message).__name__)


def _lowest_min_epoch(previous: PublishedEpoch | None, seen: Iterable[PublishedEpoch]) -> int:
    known = [*seen] if previous is None else [previous, *seen]
    return max((item.message.min_epoch for item in known), default=0)


def _require(field: str, given: object, expected: object, *, message: str = "Epoch") -> None:
    if given != expected:
        raise MessageInvalid(message, field, given, f"{expected!r}, as computed from the data")


def _check_collateral(epoch: RiskEpoch, vault_units: Mapping[int, int]) -> None:
    """The vault's token is in the slot of its coin's spot, and nowhere else, by the vault's lots."""
    listing = epoch.snapshot.listing
    served = {slot: listing.preset.coin_of(slot).value for slot in listing.preset.vault_slots}
    _require("coins that the vault holds, by slot", served, dict.fromkeys(vault_units, VAULT_COIN.value))
    sizes = collateral_lot_sizes(listing)
    for slot, units in vault_units.items():
        size = sizes.get(slot)
        if size is None or size * 10**18 != units:
            raise MessageInvalid(
                "Epoch", f"lot size of collateral slot {slot}", size and float(size), f"{units / 10**18:g}, the vault's"
            )
