"""Typed bindings of the risk oracle: signed epochs, and what their events publish; see IRiskOracle.sol."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.contracts.messages import SignedEpoch, SignedSettlement, signer_id
from zkmargin.engine.epoch.expiry import SKIPS, ExpiryStep
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.recovery import StepVectors
from zkmargin.prover.messages.action_table import ActionKind


@dataclass(frozen=True)
class EpochView:
    """What the oracle keeps of an epoch."""

    number: int
    time: int
    generation: int
    key_version: int
    points_root: bytes
    """First 22 bytes of the Merkle root over its points."""


@dataclass(frozen=True)
class FreshEpoch:
    """What an action needs of its epoch."""

    time: int
    """Unix seconds of its prices."""
    generation: int
    key_version: int
    revoked_up_to: int
    """Highest number that was ever revoked, 0 for none."""
    points_root: bytes
    """First 22 bytes of the Merkle root over its points."""


class RiskOracle:
    """Signed risk epochs; see IRiskOracle.sol."""

    def __init__(self, contract: Contract, first_block: int = 0):
        self.contract, self._first_block = contract, first_block

    def post_epoch(self, epoch: SignedEpoch, *, sender: str | None = None) -> Receipt:
        """Posts a signed epoch, without the bytes of its snapshot."""
        message = epoch.message.to_message()
        points = [{"name": point.name, "x": point.x, "y": point.y} for point in epoch.points]
        return self.contract.send("postEpoch", message, points, epoch.settlement, list(epoch.signatures), sender=sender)

    def post_settlement(self, settlement: SignedSettlement, *, sender: str | None = None) -> Receipt:
        """Posts a settlement point without an epoch: of 4 or 16 steps at once, for a key version that lacks the point
        of a step, or in place of one that was refused."""
        message = settlement.message.to_message()
        return self.contract.send(
            "postSettlement", message, settlement.vector, list(settlement.signatures), sender=sender
        )

    def post_last_step(self, settlement: SignedSettlement, *, sender: str | None = None) -> Receipt:
        """Keeps the step that turns every position into cash, for the case that the publishers are gone."""
        message = settlement.message.to_message()
        return self.contract.send(
            "postLastStep", message, settlement.vector, list(settlement.signatures), sender=sender
        )

    def veto_last_step(self, key_version: int = 1, *, sender: str | None = None) -> Receipt:
        """Refuses a last step within its delay; the guardian or the owner."""
        return self.contract.send("vetoLastStep", key_version, sender=sender)

    def give_notice(self, *, sender: str | None = None) -> Receipt:
        """Says that the publishers posted nothing for three days."""
        return self.contract.send("giveNotice", sender=sender)

    def end(self, key_version: int = 1, *, sender: str | None = None) -> Receipt:
        """Ends the venue three days after a notice, by the last step that was published for a key version.

        Raises
        ------
        CallInvalid
            If none was.
        """
        events = self.contract.read_events("LastStepPublished", first_block=self._first_block)
        vectors = [bytes(event["args"]["settlement"]) for event in events if event["args"]["keyVersion"] == key_version]
        if not vectors:
            raise CallInvalid("key version", key_version, "one for which a last step was published")
        return self.contract.send("end", key_version, vectors[-1], sender=sender)

    def is_ended(self) -> bool:
        """Whether the venue has ended."""
        return bool(self.contract.call("isEnded"))

    def veto_settlement(
        self, from_generation: int, steps: int = 1, key_version: int = 1, *, sender: str | None = None
    ) -> Receipt:
        """Refuses a settlement within its delay; the guardian or the owner."""
        return self.contract.send("vetoSettlement", key_version, from_generation, steps, sender=sender)

    def revoke_epochs(self, first: int, *, sender: str | None = None) -> Receipt:
        """Declares every epoch from number `first` to the latest bad; the guardian or the owner."""
        return self.contract.send("revokeEpochs", first, sender=sender)

    def restore_epochs(self, first: int, last: int, *, sender: str | None = None) -> Receipt:
        """Finds the revoked epochs from number `first`, at which a range begins, to `last` good after all; only the
        owner."""
        return self.contract.send("restoreEpochs", first, last, sender=sender)

    def publish_snapshot(self, snapshot: bytes, *, sender: str | None = None) -> Receipt:
        """Publishes the bytes of a snapshot by event, for an epoch of any age."""
        return self.contract.send("publishSnapshot", snapshot, sender=sender)

    def set_signers(self, signers: Sequence[str], threshold: int, *, sender: str | None = None) -> Receipt:
        """Replaces the publishers, 0x-hex each: an address, or a verifier's and a key (ERC-7913); only the owner."""
        ordered = [bytes.fromhex(signer.removeprefix("0x")) for signer in sorted(signers, key=signer_id)]
        return self.contract.send("setSigners", ordered, threshold, sender=sender)

    def set_max_age(self, kind: ActionKind, seconds: int, *, sender: str | None = None) -> Receipt:
        """Sets for how long an epoch serves an action (60 to 900 s; trade and withdraw share one, cure and attest the
        other)."""
        return self.contract.send("setMaxAge", int(kind), seconds, sender=sender)

    def pause(self, *, sender: str | None = None) -> Receipt:
        """Stops opening, trades, withdrawals and attestations; the guardian or the owner."""
        return self.contract.send("pause", sender=sender)

    def unpause(self, *, sender: str | None = None) -> Receipt:
        """Ends a pause; only the owner."""
        return self.contract.send("unpause", sender=sender)

    def get_max_age(self, kind: ActionKind) -> int:
        """Seconds for which an epoch serves an action."""
        return int(self.contract.call("maxAgeOf", int(kind)))

    def get_epoch(self, number: int, *, block: int | None = None) -> EpochView:
        """An epoch still in the ring, fresh or not; now, or at the end of the block of that number."""
        return EpochView(*self.contract.call("getEpoch", number, block=block))

    def require_fresh(self, number: int, kind: ActionKind) -> FreshEpoch:
        """The epoch, if it may serve `kind` now."""
        return FreshEpoch(*self.contract.call("requireFresh", number, int(kind)))

    def get_latest_number(self) -> int:
        """Number of the latest epoch, 0 before the first."""
        return int(self.contract.call("latestNumber"))

    def require_quorum(self, digest: bytes, signatures: Sequence[bytes]) -> None:
        """Refused unless a quorum of the present publishers signed the digest."""
        self.contract.call("requireQuorum", digest, list(signatures))

    def is_revoked(self, number: int) -> bool:
        """Whether the guardian declared the epoch of that number bad."""
        return bool(self.contract.call("isRevoked", number))

    def get_min_epoch(self) -> int:
        """Lowest number that is not superseded."""
        return int(self.contract.call("minEpoch"))

    def is_paused(self) -> bool:
        """Whether the guardian has paused."""
        return bool(self.contract.call("isPaused"))

    def set_payment_terms(self, delay: int, daily_share: int, *, sender: str | None = None) -> Receipt:
        """Sets seconds of delay (up to a day), and basis points of what the vault holds that become due a day without a
        further wait (500 to 10,000), of payments to come; only the owner."""
        return self.contract.send("setPaymentTerms", delay, daily_share, sender=sender)

    def get_payment_terms(self) -> tuple[int, int]:
        """Seconds of delay, and basis points of what the vault holds that become due a day without a further wait."""
        _, delay, daily_share = self.contract.call("paymentTerms")
        return delay, daily_share

    def get_live_time(self) -> int:
        """Seconds of the live clock, which a pause stops: by it payments are due."""
        return int(self.contract.call("liveTime"))

    def get_generation(self) -> int:
        """Generation of the latest epoch."""
        return int(self.contract.call("generation"))

    def get_settlement_point(self, from_generation: int, steps: int = 1, key_version: int = 1) -> tuple[int, int]:
        """Point of `steps` (1, 4 or 16) generation steps under a key version; refused if it is unset or not ready."""
        x, y, _ = self.contract.call("settlementFor", key_version, from_generation, steps)
        return x, y

    def get_settlement_delay(self) -> int:
        """Seconds from the posting of a settlement until it serves."""
        return int(self.contract.call("SETTLEMENT_DELAY"))

    def find_skip(self, key_version: int, start: int, end: int) -> int:
        """How many steps from generation `start`, at most up to `end`, the largest point that serves takes at once.

        Raises
        ------
        Reverted
            If there is no point of even one step.
        """
        for count in reversed(SKIPS):
            if start + count <= end:
                try:
                    self.contract.call("settlementFor", key_version, start, count)
                except Reverted:
                    if count == 1:
                        raise
                else:
                    return count
        raise CallInvalid("generation to end at", end, f"above {start}")

    def get_step_time(self) -> int:
        """Block time of the latest generation step, 0 before the first."""
        return int(self.contract.call("steppedAt"))

    def read_settlements(self, preset: Preset, *, last_block: int | None = None) -> Mapping[int, ExpiryStep]:
        """The settlement vector of every single step, by the generation that it leads into, from the events up to
        `last_block` (the latest by default); each is parsed when it is asked for. Of several in one place, as after a
        veto, the last counts; recovery knows the others too."""
        events = self.contract.read_events("SettlementPublished", first_block=self._first_block, last_block=last_block)
        published: dict[int, list[bytes]] = defaultdict(list)
        for step in (event["args"] for event in events if event["args"]["steps"] == 1):
            published[int(step["fromGeneration"]) + 1].append(bytes(step["settlement"]))
        return Settlements(dict(published), preset)

    def read_policy_hash(self, number: int, *, last_block: int | None = None) -> bytes:
        """Hash of the policies that an epoch's quorum signed, 32 bytes, from its event.

        Raises
        ------
        CallInvalid
            If no epoch of that number was posted up to `last_block`.
        """
        return bytes(self._read_posted(number, last_block)["policyHash"])

    def read_min_epoch(self, number: int) -> int:
        """`min_epoch` of an epoch's message, from its event; raises as `read_policy_hash`."""
        return int(self._read_posted(number, None)["minEpoch"])

    def is_step(self, number: int) -> bool:
        """Whether the epoch of that number led into another generation: its settlement's point came with it."""
        events = self.contract.read_events("SettlementPublished", first_block=self._first_block)
        return any(event["args"]["number"] == number and event["args"]["steps"] == 1 for event in events)

    def read_snapshot(self, number: int) -> bytes | None:
        """Canonical bytes of an epoch's snapshot, from the events; None where nobody published them.

        Raises
        ------
        CallInvalid
            If no epoch of that number was posted.
        """
        signed = bytes(self._read_posted(number, None)["snapshotHash"])
        events = self.contract.read_events(
            "SnapshotPublished", first_block=self._first_block, keys=(int.from_bytes(signed, "big"),)
        )
        return bytes(events[0]["args"]["snapshot"]) if events else None

    def _read_posted(self, number: int, last_block: int | None) -> Mapping[str, Any]:
        events = self.contract.read_events(
            "EpochPosted", first_block=self._first_block, last_block=last_block, keys=(number,)
        )
        if not events:
            raise CallInvalid("number of the epoch", number, "one that was posted")
        arguments: Mapping[str, Any] = events[-1]["args"]
        return arguments


class Settlements(StepVectors):
    """ExpiryStep vectors by generation, parsed one by one: bytes that are none spoil their own step alone.

    Parameters
    ----------
    data : mapping of int to sequence of bytes
        What was published for the step into each generation; of several, in the chain's order, the last stands.

    Getting an item raises `engine.policy.errors.PolicyError` where the published bytes are not canonical or not
    allowed.
    """

    def __init__(self, data: Mapping[int, Sequence[bytes]], preset: Preset):
        self._data, self._preset = data, preset

    def __getitem__(self, generation: int) -> ExpiryStep:
        return ExpiryStep.from_bytes(self._data[generation][-1], self._preset)

    def get_replaced(self, generation: int) -> Iterator[ExpiryStep]:
        """Vectors that the last one took the place of, the latest first; bytes that are none are passed over."""
        for data in self._data[generation][-2::-1]:
            with suppress(PolicyError):
                yield ExpiryStep.from_bytes(data, self._preset)

    def __iter__(self) -> Iterator[int]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, generation: object) -> bool:
        return generation in self._data
