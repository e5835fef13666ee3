"""What a risk publisher does before it signs: every hash, point and rule of the epoch is computed again from its data.

A quorum that signs a point it did not compute lets the verifier accept anything, so `sign_epoch` is the only way here
to a publisher's signature, and it looks first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zkmargin.contracts.errors import MessageInvalid
from zkmargin.contracts.messages import IDENTITY, SignedEpoch, make_epoch_message, sign_unchecked, sort_points
from zkmargin.engine.epoch.record import Epoch as RiskEpoch
from zkmargin.engine.epoch.succession import MAX_LAG, check_succession, collateral_lot_sizes
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import Parameters, load_parameters
from zkmargin.engine.margin.rebuild import check_rebuilt
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.implication import check_implies
from zkmargin.engine.policy.record import Policy
from zkmargin.prover.groth16.keys import VerifyingKey
from zkmargin.prover.messages.records import Epoch
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.prover.statement.points import Point, compute_policy_point, compute_settlement_point

IMPLICATIONS = (("withdraw", "initial"), ("initial", "maintenance"))
"""Pairs of policies of which the first implies the second for every state."""


@dataclass(frozen=True)
class PublishedEpoch:
    """An epoch that this publisher has signed, which the next one follows, or a proposal that it has checked."""

    epoch: RiskEpoch
    message: Epoch


def check_epoch(
    previous: PublishedEpoch | None,
    epoch: RiskEpoch,
    message: Epoch,
    points: Mapping[str, Point],
    *,
    verifying_key: VerifyingKey,
    vault_units: Mapping[int, int],
    parameters: Parameters | None = None,
    expected: Mapping[str, Policy] | None = None,
    seen: Iterable[PublishedEpoch] = (),
    max_lag: int = MAX_LAG,
) -> None:
    """Everything that a publisher can know of an epoch before it signs.

    The policies are built again from the snapshot. `min_epoch` is at least the highest that this publisher knows of: a
    higher one is right where it has not seen the urgent epoch behind it, and can only revoke more. So an urgent epoch
    that one quorum signed is carried on for ever if every later quorum shares an honest publisher with it:
    2 * threshold - publishers must exceed the number of dishonest publishers.

    Parameters
    ----------
    previous : PublishedEpoch or None
        The epoch before, with its message; None for the first of a deployment.
    epoch : RiskEpoch
        The data: snapshot, policies, settlement.
    message : Epoch
        What is to be signed for it.
    points : mapping of str to (int, int)
        Policy point of every policy, by name, as it is to be posted.
    verifying_key : VerifyingKey
        The key of `transition` that the points are for.
    vault_units : mapping of int to int
        The vault's token units per lot, by collateral slot; tokens have 18 decimals (`Deployment.vault_units`).
    parameters : Parameters, optional
        The pinned numbers of the house model that the policies must be built from; the shipped ones by default.
    expected : mapping of str to Policy, optional
        The policies that the epoch must have where they are not the house model's; `parameters` is not read then.
    seen : iterable of PublishedEpoch
        Further epochs and proposals that this publisher has checked, posted or not.
    max_lag : int
        Seconds from the snapshot to the epoch, as `check_succession` has it.

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
    _check_collateral(epoch, vault_units)
    check_succession(previous.epoch if previous else None, epoch, max_lag=max_lag)
    is_listed = epoch.snapshot.listing.is_listed
    for policy in epoch.policies.values():
        check_policy(policy, is_listed)
    for stronger, weaker in IMPLICATIONS:
        for name in (stronger, weaker):
            if name not in epoch.policies:
                raise MessageInvalid("Epoch", "policies", sorted(epoch.policies), f"{name} among them")
        check_implies(epoch.policies[stronger], epoch.policies[weaker])
    if expected is None:
        expected = HouseModel(epoch.snapshot, parameters or load_parameters()).policies
    check_rebuilt(epoch.policies, expected)

    computed = {name: compute_policy_point(verifying_key, policy) for name, policy in epoch.policies.items()}
    _require("points", dict(points), computed)
    is_step = previous is not None and epoch.generation != previous.epoch.generation
    has_point = is_step or (message.settlement_x, message.settlement_y) != IDENTITY
    lowest = _lowest_min_epoch(previous, seen)
    if message.min_epoch < lowest:
        raise MessageInvalid("Epoch", "min_epoch", message.min_epoch, f"{lowest}, the highest seen, to {epoch.number}")
    computed_message = make_epoch_message(
        epoch,
        key_hash=verifying_key.hash,
        points=computed,
        is_step=has_point,
        settlement_point=compute_settlement_point(verifying_key, epoch.settlement, epoch.snapshot.listing.preset)
        if has_point
        else IDENTITY,
        min_epoch=message.min_epoch,
    )
    for field, value in computed_message.model_dump().items():
        _require(field, getattr(message, field), value)


def sign_epoch(
    wallets: Sequence[Wallet],
    domain: Domain,
    previous: PublishedEpoch | None,
    epoch: RiskEpoch,
    message: Epoch,
    points: Mapping[str, Point],
    *,
    verifying_key: VerifyingKey,
    vault_units: Mapping[int, int],
    parameters: Parameters | None = None,
    seen: Iterable[PublishedEpoch] = (),
    max_lag: int = MAX_LAG,
) -> tuple[bytes, ...]:
    """A publisher's signature over an epoch that passed `check_epoch`: one for each wallet of this process, by
    increasing address.

    Raises
    ------
    MessageInvalid, PolicyError, OutOfRange
        As `check_epoch`; nothing is signed then.
    """
    check_epoch(
        previous,
        epoch,
        message,
        points,
        verifying_key=verifying_key,
        vault_units=vault_units,
        parameters=parameters,
        seen=seen,
        max_lag=max_lag,
    )
    return sign_unchecked(message, wallets, domain)


def make_signed_epoch(
    epoch: RiskEpoch,
    *,
    previous: PublishedEpoch | None,
    is_step: bool,
    points: Mapping[str, Point],
    settlement_point: Point = IDENTITY,
    verifying_key: VerifyingKey,
    vault_units: Mapping[int, int],
    wallets: Sequence[Wallet],
    domain: Domain,
    parameters: Parameters | None = None,
    seen: Iterable[PublishedEpoch] = (),
    max_lag: int = MAX_LAG,
) -> SignedEpoch:
    """An epoch as `RiskOracle.postEpoch` takes it: its message, signed by `wallets` after their checks, and the bytes
    that travel along.

    Parameters
    ----------
    is_step : bool
        Whether the epoch raises the generation, or brings the point of the step into its generation for a key version
        that lacks it: only then settlement point and bytes go along. The settlement's hash is always signed.
    parameters, seen, max_lag
        As `check_epoch`; the message carries on the highest `min_epoch` of `previous` and `seen`.

    Raises
    ------
    MessageInvalid, PolicyError, OutOfRange
        As `check_epoch`.
    """
    seen = tuple(seen)
    message = make_epoch_message(
        epoch,
        key_hash=verifying_key.hash,
        points=points,
        is_step=is_step,
        settlement_point=settlement_point,
        min_epoch=_lowest_min_epoch(previous, seen),
    )
    signatures = sign_epoch(
        wallets,
        domain,
        previous,
        epoch,
        message,
        points,
        verifying_key=verifying_key,
        vault_units=vault_units,
        parameters=parameters,
        seen=seen,
        max_lag=max_lag,
    )
    settlement = epoch.settlement_bytes if is_step else b""
    return SignedEpoch(message, sort_points(points), epoch.snapshot_bytes, settlement, signatures)


def _lowest_min_epoch(previous: PublishedEpoch | None, seen: Iterable[PublishedEpoch]) -> int:
    known = [*seen] if previous is None else [previous, *seen]
    return max((item.message.min_epoch for item in known), default=0)


def _require(field: str, given: object, expected: object) -> None:
    if given != expected:
        raise MessageInvalid("Epoch", field, given, f"{expected!r}, as computed from the data")


def _check_collateral(epoch: RiskEpoch, vault_units: Mapping[int, int]) -> None:
    sizes = collateral_lot_sizes(epoch.snapshot.listing)
    for slot, units in vault_units.items():
        size = sizes.get(slot)
        if size is None or size * 10**18 != units:
            raise MessageInvalid(
                "Epoch", f"lot size of collateral slot {slot}", size and float(size), f"{units / 10**18:g}, the vault's"
            )
