"""Off-chain attestation: the owner shows one recipient that the hidden account meets a named policy.

The proof is the statement's `attest`: nothing is written, moved or traded. Its context is the `Attestation` message
with the recipient and its challenge, so it answers that challenge and no other. It is transferable: naming the
recipient keeps it from being passed off as an answer to somebody else, not from being shown on, and whoever gets it
can check it. It shows that somebody with the viewing key made it, not that auth agreed. The
recipient needs the epoch's policy bytes, the verification key, and from the chain the account's commitment and the
epoch's signed header; no transaction is made. A named policy says what its rows say: only `maintenance` and
`initial` speak of solvency.
"""

from dataclasses import dataclass
from typing import ClassVar

from eth_utils.crypto import keccak

from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.epoch.record import read_policies
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.effects import compute_effects
from zkmargin.prover.actions.intent import EpochData, Intent
from zkmargin.prover.actions.transition import Transition, certify
from zkmargin.prover.errors import AttestationRefused, GenerationMismatch
from zkmargin.prover.groth16.proof import Proof
from zkmargin.prover.groth16.provers import TransitionVerifier
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import ProofBytes, encode_policy_name
from zkmargin.prover.messages.records import Attestation, Record
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.ranges import check_time


class ProvenAttestation(Record):
    """The message and its proof, as they travel to the recipient, who can show them on to anybody."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"proof"})

    message: Attestation
    proof: ProofBytes
    """256 bytes."""


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """What the recipient reads from the chain."""

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


def build_attestation(
    account: Account,
    policy: str,
    *,
    domain: Domain,
    key_version: int,
    epoch: EpochData,
    recipient: str,
    challenge: bytes,
    valid_until: int,
) -> Transition:
    """The attestation of `policy`, ready to be proved.

    Raises
    ------
    GenerationMismatch
        If the epoch is not of the account's generation.
    PolicyNotMet
        If the account does not meet the policy.
    ActionNotAllowed
        If the epoch has no such policy.
    """
    if epoch.generation != account.generation:
        raise GenerationMismatch(account.generation, epoch.generation, str(account.generation))
    effects = compute_effects(account, Intent(ActionKind.ATTEST, policy=policy), epoch)
    message = Attestation(
        account=account.id,
        recipient=recipient,
        challenge=challenge,
        policy=encode_policy_name(policy),
        epoch=epoch.number,
        key_version=key_version,
        generation=account.generation,
        commitment_old=account.commitment,
        valid_until=valid_until,
    )
    return Transition(effects, message, compute_digest(domain, message), certify(effects))


def name_attestation_signals(commitment: int, context: int, preset: Preset) -> dict[str, int | list]:
    """Public signals of an attestation but for the policy's, from public data alone: the recipient's side."""
    still = identity_expiry_step(preset)
    return {
        "commitmentOld": commitment,
        "commitmentNew": 0,
        "tradeTag": 0,
        "ciphertext": 0,
        "side": 0,
        "write": 0,
        "context": context,
        "cashFlow": 0,
        "flow": [0] * preset.slots,
        "drop": still.drop.tolist(),
        "payoff": still.payoff.tolist(),
    }


def verify_attestation(
    attestation: ProvenAttestation,
    facts: ChainFacts,
    verifier: TransitionVerifier,
    *,
    domain: Domain,
    preset: Preset,
    policy_bytes: bytes,
    account: bytes,
    policy: str,
    recipient: str,
    challenge: bytes,
    now: int,
) -> None:
    """The recipient's check: returns if the account meets `policy` at the epoch's prices, else refuses with the reason.

    Parameters
    ----------
    verifier : TransitionVerifier
        Over the `transition` key of the account's key version.
    policy_bytes : bytes
        Canonical bytes of the epoch's policies, from whoever serves them: they are checked against the signed hash.
    challenge : bytes
        The 32 bytes that the recipient chose for this attestation, used once.
    now : int
        Unix seconds.

    Raises
    ------
    FormatError, PointRefused, NotInField
        If the proof is malformed.
    AttestationRefused
        If the account is not active, its key version is not live, a field is not what the recipient asked for or the
        chain has, the policy data are not the epoch's, or the proof does not verify.
    """
    if not facts.is_active:
        raise AttestationRefused(f"account {_show(account)} is not active on chain")
    if not facts.is_key_live:
        raise AttestationRefused(f"key version {facts.key_version} is not live on chain")
    message = attestation.message
    expected = Attestation(
        account=account,
        recipient=recipient,
        challenge=challenge,
        policy=encode_policy_name(policy),
        epoch=facts.epoch,
        key_version=facts.key_version,
        generation=facts.generation,
        commitment_old=facts.commitment,
        valid_until=message.valid_until,
    )
    for name in Attestation.model_fields:
        given, wanted = getattr(message, name), getattr(expected, name)
        if given != wanted:
            raise AttestationRefused(f"{name} is {_show(given)}, expected {_show(wanted)}")
    if check_time(now) > message.valid_until:
        raise AttestationRefused(f"valid until {message.valid_until}, now is {now}")
    if facts.epoch_generation != facts.generation:
        raise AttestationRefused(f"epoch of generation {facts.epoch_generation}, account of {facts.generation}")
    if keccak(policy_bytes) != facts.policy_hash:
        raise AttestationRefused("the policy data are not those that the epoch signed")
    try:
        policies = read_policies(policy_bytes)
    except PolicyError as error:
        raise AttestationRefused(f"the epoch's policy data are malformed: {error}") from None
    if policy not in policies or policies[policy].preset != preset:
        raise AttestationRefused(f"the epoch has no policy {policy!r} of preset {preset.name}: {sorted(policies)}")
    context = compute_context(compute_digest(domain, message))
    signals = name_attestation_signals(facts.commitment, context, preset)
    if not verifier.verify(Proof.from_bytes(attestation.proof), signals, policies[policy]):
        raise AttestationRefused("the proof does not verify")


def _show(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
