"""An off-chain attestation, checked on chain for another contract; see IAttestationVerifier.sol.

The owner makes it off chain (`Client.attest_to`) for a recipient that is a contract; whoever brings it sends
`to_shown` of it in that contract's own call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.deployment import Deployment
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.messages import EpochPoints
from zkmargin.prover.attestation import AttestationRequest, ProvenAttestation
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.messages.fields import ZERO_BYTES32, encode_policy_name
from zkmargin.prover.ranges import check_range


@dataclass(frozen=True)
class Checked:
    """What an accepted attestation showed."""

    time: int
    """Unix seconds of the epoch's prices."""
    point_hash: bytes
    """Hash of the policy's point, 32 bytes: which content was met."""


class AttestationVerifier:
    """Checks attestations for whoever calls it; holds nothing and may do nothing. A deployment has one, and anyone may
    deploy another (`deploy`), since nothing trusts it but who asks it."""

    def __init__(self, contract: Contract):
        self.contract = contract

    @classmethod
    def deploy(cls, chain: Chain, deployment: Deployment, *, sender: str | None = None) -> Self:
        """A new one for this deployment."""
        return cls(deploy_contract(chain, "AttestationVerifier", deployment.clearing_house, sender=sender)[0])

    def check(
        self,
        asked: AttestationRequest,
        shown: ProvenAttestation,
        points: EpochPoints,
        *,
        max_age: int,
        point_hash: bytes = ZERO_BYTES32,
    ) -> Checked:
        """What the recipient would be told, asked in its name.

        Parameters
        ----------
        points : EpochPoints
            Of the attestation's epoch.
        max_age : int
            Greatest age of its prices, in seconds; the oracle's bound for attestations holds beside it.
        point_hash : bytes, optional
            Hash of the policy's point (`NamedPoint.hash`), 32 bytes; zero takes what the epoch has under the name.

        Raises
        ------
        Reverted
            With the contract's reason.
        """
        arguments = self._make_arguments(asked, shown, points, max_age, point_hash)
        time, found = self.contract.call("check", *arguments, sender=asked.recipient)
        return Checked(time, found)

    def encode_check(
        self,
        asked: AttestationRequest,
        shown: ProvenAttestation,
        points: EpochPoints,
        *,
        max_age: int,
        point_hash: bytes = ZERO_BYTES32,
    ) -> str:
        """Calldata of `check`, 0x-hex, with the same parameters."""
        return self.contract.encode("check", *self._make_arguments(asked, shown, points, max_age, point_hash))

    @staticmethod
    def _make_arguments(
        asked: AttestationRequest, shown: ProvenAttestation, points: EpochPoints, max_age: int, point_hash: bytes
    ) -> tuple[dict[str, object], dict[str, object]]:
        terms: dict[str, object] = {
            "account": asked.account,
            "policy": encode_policy_name(asked.policy),
            "pointHash": point_hash,
            "challenge": asked.challenge,
            "maxAge": check_range("greatest age, seconds", max_age, 0, 1 << 40),
        }
        return terms, to_shown(shown, points)


def to_shown(shown: ProvenAttestation, points: EpochPoints) -> dict[str, object]:
    """An attestation as contracts take it (ShownAttestation).

    Raises
    ------
    CallInvalid
        If the points are another epoch's, or the policy is not among them.
    """
    message = shown.message
    if points.number != message.epoch:
        raise CallInvalid("number of the points' epoch", points.number, f"{message.epoch}, the attestation's")
    return {
        "epoch": vars(points.select(message.policy)),
        "commitment": message.commitment_old,
        "validUntil": message.valid_until,
        "proof": Proof.from_bytes(shown.proof).words,
    }
