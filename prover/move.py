"""From a revoked key version to its successor: the account's commitment opens under the successor's key, unchanged.

The proof is that of an attestation to the policy without any rule, bound to the message `Move`. Proving takes the
successor's proving key.
"""

from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.policy.record import none_policy
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.effects import Effects
from zkmargin.prover.actions.transition import Transition, bind
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Move
from zkmargin.prover.messages.typed_data import Domain


def build_move(account: Account, domain: Domain, key_version: int, deadline: int) -> Transition[Move]:
    """The move of an account to `key_version`, ready to be proved under that version's key.

    Parameters
    ----------
    key_version : int
        The successor, as the key registry names it.
    deadline : int
        Unix seconds until which it may be carried in.
    """
    effects = Effects(
        before=account,
        after=account,
        kind=ActionKind.ATTEST,
        trade=None,
        side=0,
        trade_tag=0,
        ciphertext=0,
        cash_flow=0,
        flows=(),
        held=tuple(int(lots) for lots in account.state.positions),
        new_state=account.state,
        generation=account.generation,
        policy=none_policy(account.preset),
        settlement=identity_expiry_step(account.preset),
    )
    message = Move(account=account.id, key_version=key_version, commitment=account.commitment, deadline=deadline)
    return bind(effects, message, domain)
