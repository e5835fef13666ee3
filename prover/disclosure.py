"""Disclosure: what an owner shows one third party of a hidden account, off-chain, each checked against the chain.

- *A claim* (one position, "survives -20 %", a margin ratio: `engine.margin.claims`) is an attestation whose policy is
  the claim's. Nobody signs that policy: the recipient builds it from the claim and the epoch's signed snapshot, so it
  takes nothing but the proof from the owner. The proof is zero-knowledge: beside the claim it shows nothing.
- *The whole state* is the statement `reveal`: cash and every position, not the key, hence neither what was before
  nor what comes after, and nothing of counterparties.

Both speak of the commitment that the chain has now, and both can be shown on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import ExpiryStep
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.margin.claims import Claim
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.policy.record import Policy
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.revelation import build_revelation
from zkmargin.prover.actions.transition import Transition
from zkmargin.prover.attestation import (
    AttestationRequest,
    ChainFacts,
    ProvenAttestation,
    build_attestation,
    verify_attestation,
)
from zkmargin.prover.errors import AttestationRefused, OutOfRange
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.provers import RevealProver, StatedVerifier
from zkmargin.prover.messages.fields import ProofBytes
from zkmargin.prover.messages.records import Attestation, Record, Reveal
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.session import Session
from zkmargin.prover.statement.checkpoint import compute_evaluation, read_numbers
from zkmargin.prover.statement.signals import to_field


class ProvenState(Record):
    """An account's whole state and the proof that the commitment holds it."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"proof"})

    message: Reveal
    proof: ProofBytes
    """256 bytes."""


@dataclass(frozen=True, slots=True)
class ClaimedEpoch:
    """An epoch whose one policy is a claim's."""

    number: int
    generation: int
    settlement: ExpiryStep
    policies: Mapping[str, Policy]

    @classmethod
    def make(cls, epoch: Epoch, claim: Claim) -> ClaimedEpoch:
        """The claim at the epoch's snapshot."""
        policy = claim.build(HouseModel(epoch.snapshot))
        return cls(epoch.number, epoch.generation, epoch.settlement, {policy.name: policy})


def build_claim(
    session: Session, account: Account, epoch: Epoch, claim: Claim, recipient: str, challenge: bytes
) -> Transition[Attestation]:
    """The claim, ready to be proved to whoever chose the challenge (32 bytes); `session` is one at that epoch.

    Raises
    ------
    PolicyNotMet
        If it is not true of the account.
    GenerationMismatch
        If the epoch is not of the account's generation.
    UnknownName
        If the claim is about an instrument that is not listed.
    """
    claimed = ClaimedEpoch.make(epoch, claim)
    (name,) = claimed.policies
    asked = AttestationRequest(account.id, name, recipient, challenge)
    return build_attestation(replace(session, epoch=claimed), account, asked)


def verify_claim(
    shown: ProvenAttestation, asked: AttestationRequest, claim: Claim, epoch: Epoch, chain: ChainFacts
) -> None:
    """The recipient's check; returns if the claim is true of the account on chain, else refuses with the reason.

    Parameters
    ----------
    asked : AttestationRequest
        What was asked for; its policy's name does not count, as the claim is the policy.
    epoch : Epoch
        Built from the snapshot whose hash the publishers signed, as `Venue.read_epoch` does.
    chain : ChainFacts
        Read at that epoch.

    Raises
    ------
    AttestationRefused
        As `verify_attestation`, or if the epoch is not the one that the chain's publishers signed.
    """
    if (epoch.number, epoch.policy_hash) != (chain.epoch, chain.policy_hash):
        raise AttestationRefused(f"epoch {epoch.number} is not the one that the publishers signed")
    claimed = ClaimedEpoch.make(epoch, claim)
    own = replace(epoch, policies=claimed.policies)
    (name,) = claimed.policies
    facts = replace(chain, policy_hash=own.policy_hash, policy_bytes=own.policy_bytes)
    verify_attestation(shown, replace(asked, policy=name), facts)


def disclose_state(prover: RevealProver, account: Account, domain: Domain, key_version: int) -> ProvenState:
    """The account's whole state, proved; raises as `build_revelation`.

    Warning: once the account is frozen, whoever has this can also publish it on chain, as its committee would.
    """
    revelation = build_revelation(account, domain, key_version)
    return ProvenState(message=revelation.message, proof=prover.prove(revelation).to_bytes())


def verify_state(shown: ProvenState, account: bytes, verifier: StatedVerifier, chain: ChainFacts) -> AccountState:
    """The state that was shown, if it is the one that the chain's commitment holds now.

    Raises
    ------
    AttestationRefused
        If the account is not active, its key version is not live, it has not taken the step to the epoch's listing
        (its slots then have other names), a field is not what the chain has, a number has a second reading, or the
        proof does not verify.
    """
    if not (chain.is_active and chain.is_key_live):
        raise AttestationRefused("the account is not active, or its key version not live, on chain")
    if chain.epoch_generation != chain.generation:
        raise AttestationRefused(f"epoch of generation {chain.epoch_generation}, account of {chain.generation}")
    message = shown.message
    expected = message.model_copy(
        update={
            "account": account,
            "key_version": chain.key_version,
            "generation": chain.generation,
            "commitment": chain.commitment,
        }
    )
    if message != expected:
        raise AttestationRefused("account, key version, generation or commitment is not what the chain has")
    numbers = (to_field(message.cash), *message.words)
    try:
        state = read_numbers(numbers, verifier.preset)
    except OutOfRange as error:
        raise AttestationRefused(f"a number of the state is out of range: {error}") from None
    rho = compute_context(compute_digest(chain.domain, message))
    signals = {"commitment": chain.commitment, "rho": rho, "evaluation": compute_evaluation(numbers, rho)}
    if not verifier.verify(Proof.from_bytes(shown.proof), signals):
        raise AttestationRefused("the proof does not verify")
    return state
