"""Moving an account to a new viewing key: the same state, the new key escrowed, and the state encrypted under it.

After an opening it is what shuts the committee out again; an owner may do it at any time. What happened before stays
readable under the old key.
"""

from dataclasses import dataclass, replace

from zkmargin.prover.account.account import Account
from zkmargin.prover.account.escrow import Escrow, Point, escrow_key, make_scalar
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Rekey
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.statement.checkpoint import compute_evaluation, encrypt_checkpoint
from zkmargin.prover.statement.packing import pack_state_words
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import get_public_signals, to_field


@dataclass(frozen=True)
class Rekeying:
    """Everything that the circuit `rekey` and the contract's rekey need."""

    before: Account
    after: Account
    """Under the new key; nonce + 1, the same state."""
    message: Rekey
    """What auth signs."""
    digest: bytes
    """EIP-712 digest of the message."""
    escrow: Escrow
    """Of the new key; goes into the event, as the checkpoint does."""
    rho: Secret
    """Ephemeral scalar of the escrow, private."""

    def name_public_signals(self) -> dict[str, int]:
        """Public signals of `rekey` by name."""
        rho = compute_context(self.digest)
        return {
            "commitmentOld": self.message.commitment_old,
            "commitmentNew": self.message.commitment_new,
            **self.escrow.name_public_signals(),
            "rho": rho,
            "evaluation": compute_evaluation(self.message.checkpoint, rho),
        }

    def flatten_public_signals(self) -> list[int]:
        """Public signals of `rekey` in the statement's order."""
        return get_public_signals("rekey", self.before.preset).flatten(self.name_public_signals())

    def name_private_inputs(self) -> dict[str, int | tuple[int, ...]]:
        """Private inputs of `rekey` by circom name. Secret: they go to the witness and nowhere else."""
        return {
            "keyOld": self.before.key.reveal(),
            "keyNew": self.after.key.reveal(),
            "nonce": self.before.nonce,
            "cash": to_field(self.before.state.cash),
            "word": pack_state_words(self.before.state.positions, self.before.preset),
            "ephemeralScalar": self.rho.reveal(),
        }


def build_rekeying(
    account: Account,
    key: Secret,
    domain: Domain,
    committee: Point,
    key_version: int,
    deadline: int,
    *,
    submitter: str = ZERO_ADDRESS,
) -> Rekeying:
    """The move of an account to `key`, escrowed to the committee's key of `key_version`, valid until `deadline` (unix
    seconds); only `submitter` may carry it in, unless that is the zero address.

    Raises
    ------
    PointRefused
        If the committee key is not acceptable.
    MessageInvalid
        If version or deadline is outside its type.
    """
    rho = make_scalar()
    escrow = escrow_key(key, committee, rho)
    after = replace(account.advance(account.state, account.generation), key=key)
    message = Rekey(
        account=account.id,
        key_version=key_version,
        commitment_old=account.commitment,
        commitment_new=after.commitment,
        escrow_hash=escrow.compute_hash(key_version),
        checkpoint=encrypt_checkpoint(account.state, key, after.nonce, account.preset),
        submitter=submitter,
        deadline=deadline,
    )
    return Rekeying(account, after, message, compute_digest(domain, message), escrow, rho)
