"""Off-chain attestation: the owner shows one recipient that the hidden account meets a named policy.

The proof is the statement's `attest`: nothing is written, moved or traded. Its context is the `Attestation` message
with the recipient and its challenge, so it answers that challenge and no other. It is transferable: naming the
recipient keeps it from being passed off as an answer to somebody else, not from being shown on, and whoever gets it
can check it. It shows that somebody with the viewing key made it, not that auth agreed. The
recipient needs the epoch's policy bytes, the verification key, and from the chain the account's commitment and the
epoch's signed header; no transaction is made. A named policy says what its rows say: only `maintenance` and
`initial` speak of solvency.
"""

import secrets
from dataclasses import dataclass
from typing import ClassVar, Self

from eth_utils.crypto import keccak

from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.epoch.record import read_policies
from zkmargin.engine.errors import EngineError
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import Transition, bind
from zkmargin.prover.errors import ActionNotAllowed, AttestationRefused, GenerationMismatch
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.provers import TransitionVerifier
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import ProofBytes, encode_policy_name
from zkmargin.prover.messages.records import Attestation, Record
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.ranges import check_time
from zkmargin.prover.session import Session
from zkmargin.prover.statement.transition_signals import TransitionSignals


class ProvenAttestation(Record):
    """The message and its proof, as they travel to the recipient, who can show them on to anybody."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"proof"})

    message: Attestation
    proof: ProofBytes
    """256 bytes."""


@dataclass(frozen=True, slots=True)
class AttestationRequest:
    """What a recipient asks for."""

    account: bytes
    """32 bytes."""
    policy: str
    """Name of one of the epoch's policies."""
    recipient: str
    """Address of who asks."""
    challenge: bytes
    """32 bytes that the recipient chose for this attestation, used once."""

    @classmethod
    def create(cls, account: bytes, policy: str, recipient: str) -> Self:
        """A request with a fresh challenge."""
        return cls(account, policy, recipient, secrets.token_bytes(32))


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What the recipient knows when it checks: the deployment, its keys, and what it reads from the chain."""

    domain: Domain
    """The deployment's."""
    verifier: TransitionVerifier
    """Over the `transition` key of the account's key version."""
    is_active: bool
    """Whether the account's status is ACTIVE: an account that is frozen, closed or was never opened shows nothing."""
    is_key_live: bool
    """Whether the key registry still has the key version live: a revoked key proves nothing."""
    commitment: int
    """The account's commitment."""
    generation: int
    """The account's generation."""
    key_version: int
    """The account's key version; the verification key is that version's."""
    epoch: int
    """Number of the epoch that the recipient accepts."""
    epoch_generation: int
    """Generation of that epoch."""
    policy_hash: bytes
    """`policyHash` of that epoch's signed header, 32 bytes."""
    policy_bytes: bytes
    """Canonical bytes of the epoch's policies, from whoever serves them: they are checked against the signed hash."""
    time: int
    """Unix seconds, now."""


def build_attestation(session: Session, account: Account, request: AttestationRequest) -> Transition[Attestation]:
    """The attestation that was asked for, ready to be proved.

    Raises
    ------
    GenerationMismatch
        If the epoch is not of the account's generation.
    PolicyNotMet
        If the account does not meet the policy.
    ActionNotAllowed
        If another account is asked for, or the epoch has no such policy.
    """
    epoch = session.epoch
    if request.account != account.id:
        raise ActionNotAllowed("ATTEST", f"account {_show(request.account)} is asked for, this is {_show(account.id)}")
    if epoch.generation != account.generation:
        raise GenerationMismatch(account.generation, epoch.generation, str(account.generation))
    effects = compute_effects(account, Intent(ActionKind.ATTEST, policy=request.policy), epoch)
    message = Attestation(
        account=account.id,
        recipient=request.recipient,
        challenge=request.challenge,
        policy=encode_policy_name(request.policy),
        epoch=epoch.number,
        key_version=session.key_version,
        generation=account.generation,
        commitment_old=account.commitment,
        valid_until=session.valid_until,
    )
    return bind(effects, message, session.domain)


def get_attestation_signals(commitment: int, context: int, preset: Preset) -> TransitionSignals:
    """Public signals of an attestation but for the policy's, from public data alone: the recipient's side."""
    still = identity_expiry_step(preset)
    return TransitionSignals(
        commitment_old=commitment,
        context=context,
        flow=(0,) * preset.slots,
        drop=tuple(still.drop.tolist()),
        payoff=tuple(still.payoff.tolist()),
    )


def verify_attestation(shown: ProvenAttestation, asked: AttestationRequest, chain: ChainFacts) -> None:
    """The recipient's check: returns if the account meets the policy at the epoch's prices, else refuses with the
    reason.

    Raises
    ------
    FormatError, PointRefused, NotInField
        If the proof is malformed.
    AttestationRefused
        If the account is not active, its key version is not live, a field is not what the recipient asked for or the
        chain has, the policy data are not the epoch's, or the proof does not verify.
    """
    _check_message(shown.message, asked, chain)
    policy = _read_policy(asked.policy, chain)
    context = compute_context(compute_digest(chain.domain, shown.message))
    signals = get_attestation_signals(chain.commitment, context, chain.verifier.preset)
    if not chain.verifier.verify(Proof.from_bytes(shown.proof), signals, policy):
        raise AttestationRefused("the proof does not verify")


def _check_message(message: Attestation, asked: AttestationRequest, chain: ChainFacts) -> None:
    """Every field is what was asked for or what the chain has, and it is still valid."""
    if not chain.is_active:
        raise AttestationRefused(f"account {_show(asked.account)} is not active on chain")
    if not chain.is_key_live:
        raise AttestationRefused(f"key version {chain.key_version} is not live on chain")
    expected = Attestation(
        account=asked.account,
        recipient=asked.recipient,
        challenge=asked.challenge,
        policy=encode_policy_name(asked.policy),
        epoch=chain.epoch,
        key_version=chain.key_version,
        generation=chain.generation,
        commitment_old=chain.commitment,
        valid_until=message.valid_until,
    )
    for name in Attestation.model_fields:
        given, wanted = getattr(message, name), getattr(expected, name)
        if given != wanted:
            raise AttestationRefused(f"{name} is {_show(given)}, expected {_show(wanted)}")
    if check_time(chain.time) > message.valid_until:
        raise AttestationRefused(f"valid until {message.valid_until}, now is {chain.time}")
    if chain.epoch_generation != chain.generation:
        raise AttestationRefused(f"epoch of generation {chain.epoch_generation}, account of {chain.generation}")


def _read_policy(name: str, chain: ChainFacts) -> Policy:
    """The policy that the epoch's publishers signed under that name."""
    if keccak(chain.policy_bytes) != chain.policy_hash:
        raise AttestationRefused("the policy data are not those that the epoch signed")
    try:
        # Of a split nothing depends but the facts of a listing, which are not checked here.
        policies = read_policies(chain.policy_bytes, chain.verifier.preset.split)
    except EngineError as error:
        raise AttestationRefused(f"the epoch's policy data are malformed: {error}") from None
    preset = chain.verifier.preset
    if name not in policies or policies[name].preset != preset:
        raise AttestationRefused(f"the epoch has no policy {name!r} of preset {preset.name}: {sorted(policies)}")
    return policies[name]


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
