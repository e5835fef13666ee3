"""Settlement points that come without an epoch: of 4 and of 16 steps of the listing at once, and in place of one that
no longer serves.

An account that slept through steps rolls over 16 of them with one proof, where it would need 16. So after each step the
publishers post the points of the 4 and of the 16 steps that end with it. Each signer composes them from its own record
of the steps, and only where every single step's point serves and is that of the recorded vector: a guardian that vetoed
a step need not look for what was composed of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.contracts.publisher import Publisher
from zkmargin.contracts.risk_oracle import RiskOracle
from zkmargin.engine.epoch.expiry import SKIPS, ExpiryStep
from zkmargin.engine.epoch.record import Epoch


@dataclass(frozen=True)
class RecordedStep:
    """A step of the listing that a publisher has checked."""

    before: Epoch
    """The last epoch of the listing version that it leaves, whose prices bound its payoffs."""
    epoch: Epoch
    """An epoch of the one that it leads into, with its settlement vector."""


class StepPoints:
    """A publisher's record of the steps, and the points that it signs and posts by it.

    Parameters
    ----------
    publisher : Publisher
        Signs, after its checks.
    oracle : RiskOracle
    sender : str, optional
        Account that carries the points in.
    """

    def __init__(self, publisher: Publisher, oracle: RiskOracle, *, sender: str | None = None):
        self._publisher, self._oracle, self._sender = publisher, oracle, sender
        self._steps: dict[int, RecordedStep] = {}

    def record(self, before: Epoch, epoch: Epoch) -> None:
        """Keeps a step that was checked and posted, `epoch` being the one that raised the listing version."""
        self._steps[epoch.generation] = RecordedStep(before, epoch)

    def post_skips(self, end: int) -> list[Receipt]:
        """Posts the points of 4 and of 16 steps that end at listing version `end`, where they are not there yet and
        each single step serves.

        Raises
        ------
        MessageInvalid
            If a single step's point on chain is not that of the recorded vector.
        """
        receipts = []
        for count in SKIPS[1:]:
            versions = range(end - count + 1, end + 1)
            are_there = all(version in self._steps and self._serves(version - 1, 1) for version in versions)
            if are_there and not self._serves(end - count, count):
                receipts.append(self._post([self._steps[version].epoch for version in versions]))
        return receipts

    def resettle(self, version: int, settlement: ExpiryStep | None = None) -> Epoch:
        """Posts a point of the step into a listing version in place of one that was vetoed, or whose epoch was revoked.

        Parameters
        ----------
        settlement : ExpiryStep, optional
            The vector; the one of before by default. It is held against the prices before the step.

        Returns
        -------
        Epoch
            The recorded epoch with that vector, which every later epoch of the version carries.

        Raises
        ------
        CallInvalid
            If no such step is recorded.
        PolicyError
            If the vector may not follow the epoch before the step.
        Reverted
            If the point of before still serves, or the oracle's latest epoch is revoked.
        """
        if version not in self._steps:
            raise CallInvalid(
                "listing version", version, f"one of {sorted(self._steps)}, into which a step is recorded"
            )
        step = self._steps[version]
        epoch = replace(step.epoch, settlement=settlement or step.epoch.settlement)
        self._post([epoch], before=step.before)
        self._steps[version] = replace(step, epoch=epoch)
        return epoch

    def _post(self, steps: list[Epoch], before: Epoch | None = None) -> Receipt:
        publisher, latest = self._publisher, self._oracle.get_latest_number()
        serving = [] if before else [self._get_point(epoch.generation - 1, 1) for epoch in steps]
        message = publisher.propose_settlement(steps, latest)
        signed = publisher.sign_settlement(message, steps, latest, before=before, serving=serving)
        return self._oracle.post_settlement(signed, sender=self._sender)

    def _serves(self, start: int, count: int) -> bool:
        try:
            self._get_point(start, count)
        except Reverted:
            return False
        return True

    def _get_point(self, start: int, count: int) -> tuple[int, int]:
        return self._oracle.get_settlement_point(start, count, self._publisher.key.version)
