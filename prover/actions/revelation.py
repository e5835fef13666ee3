"""Revealing an account: its cash and positions in the open, proved to be what the commitment holds.

Whoever knows the viewing key can, so the contract takes it for accounts in default alone. The key stays secret: it
would open the account's history and its counterparties'.
"""

from dataclasses import dataclass

from zkmargin.prover.account.account import Account
from zkmargin.prover.messages.records import Reveal
from zkmargin.prover.messages.typed_data import Domain, compute_context, compute_digest
from zkmargin.prover.statement.checkpoint import compute_evaluation, list_numbers
from zkmargin.prover.statement.packing import pack_state_words
from zkmargin.prover.statement.signals import get_public_signals, to_field


@dataclass(frozen=True)
class Revelation:
    """Everything that the circuit `reveal` and the contract's reveal need."""

    account: Account
    message: Reveal
    """What is published; nobody signs it."""
    digest: bytes
    """EIP-712 digest of the message."""

    def name_public_signals(self) -> dict[str, int]:
        """Public signals of `reveal` by name."""
        rho = compute_context(self.digest)
        numbers = list_numbers(self.account.state, self.account.preset)
        return {"commitment": self.message.commitment, "rho": rho, "evaluation": compute_evaluation(numbers, rho)}

    def flatten_public_signals(self) -> list[int]:
        """Public signals of `reveal` in the statement's order."""
        return get_public_signals("reveal", self.account.preset).flatten(self.name_public_signals())

    def name_private_inputs(self) -> dict[str, int | tuple[int, ...]]:
        """Private inputs of `reveal` by circom name. Secret: they go to the witness and nowhere else."""
        account = self.account
        words = pack_state_words(account.state.positions, account.preset)
        cash = to_field(account.state.cash)
        return {"key": account.key.reveal(), "nonce": account.nonce, "cash": cash, "word": words}


def build_revelation(account: Account, domain: Domain, key_version: int) -> Revelation:
    """The revelation of an account as it stands, under the keys of `key_version`.

    Raises
    ------
    MessageInvalid
        If the version is outside its type.
    OutOfRange
        If the state is outside the statement's ranges.
    """
    message = Reveal(
        account=account.id,
        key_version=key_version,
        generation=account.generation,
        commitment=account.commitment,
        cash=account.state.cash,
        words=pack_state_words(account.state.positions, account.preset),
    )
    return Revelation(account, message, compute_digest(domain, message))
