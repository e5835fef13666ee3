"""Opening an account: commitment to the empty state, the key escrowed to the committee, and the context auth signs."""

from dataclasses import dataclass

from zkmargin.prover.account.account import Account
from zkmargin.prover.account.escrow import Escrow, Point, escrow_key, make_scalar
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Open
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.statement.secret import Secret
from zkmargin.prover.statement.signals import get_public_signals


@dataclass(frozen=True)
class Opening:
    """Everything that the circuit `open` and the contract's open need."""

    account: Account
    """The account as it will be once opened."""
    message: Open
    """What auth signs."""
    digest: bytes
    """EIP-712 digest of the message."""
    escrow: Escrow
    """Goes into the event."""
    rho: Secret
    """Ephemeral scalar, private."""

    def name_public_signals(self) -> dict[str, int]:
        """Public signals of `open` by name."""
        return {
            "commitment": self.message.commitment,
            **self.escrow.name_public_signals(),
            "context": compute_context(self.digest),
        }

    def flatten_public_signals(self) -> list[int]:
        """Public signals of `open` in the statement's order."""
        return get_public_signals("open", self.account.preset).flatten(self.name_public_signals())

    def name_private_inputs(self) -> dict[str, int]:
        """Private inputs of `open` by circom name. Secret: they go to the witness and nowhere else."""
        return {"key": self.account.key.reveal(), "ephemeralScalar": self.rho.reveal()}


def build_opening(
    account: Account,
    domain: Domain,
    committee: Point,
    key_version: int,
    deadline: int,
    *,
    submitter: str = ZERO_ADDRESS,
) -> Opening:
    """The opening of a new account under the committee's key of `key_version`, valid until `deadline` (unix seconds);
    only `submitter` may carry it in, unless that is the zero address.

    Raises
    ------
    PointRefused
        If the committee key is not acceptable.
    MessageInvalid
        If version or deadline is outside its type.
    """
    rho = make_scalar()
    escrow = escrow_key(account.key, committee, rho)
    message = Open(
        account=account.id,
        auth=account.auth,
        index=account.index,
        key_version=key_version,
        generation=account.generation,
        commitment=account.commitment,
        escrow_hash=escrow.compute_hash(key_version),
        submitter=submitter,
        deadline=deadline,
    )
    return Opening(account, message, compute_digest(domain, message), escrow, rho)
