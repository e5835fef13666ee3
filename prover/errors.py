"""Errors of the prover's Python layer: one tree, typed fields, no secret in any text.

::

    ProverError
    |-- OutOfRange              a value outside the range that the statement allows
    |-- StatementError          a signal that statement.json does not name, or of another size
    |-- MessageInvalid          a typed message with a field that its EIP-712 type does not allow
    |-- AccountError
    |   |-- SigningNotRepeatable    two signatures of the same text differ: use a key file
    |   |-- WrongSigner             a signature by another address than the one expected
    |   `-- KeyFileError            a key file that is missing, readable by others, or for another account
    |-- EscrowError             a committee key or an escrow that is not acceptable
    |-- TransitionRefused       refused before proving
    |   |-- ActionNotAllowed        the action table does not allow this combination
    |   |-- GenerationMismatch      the epoch is not of the account's generation or one above
    |   `-- PolicyNotMet            rows of the policy that fail, and how much is missing
    |-- RecoveryError           a chain event that does not fit; names the first one
    |-- TradeMessageRefused     an off-chain trade message that is not what it should be
    `-- AttestationRefused      an off-chain attestation that does not verify
"""

from collections.abc import Mapping


class ProverError(Exception):
    """Root of the tree."""


class OutOfRange(ProverError):
    """`value` of `what` is not in [low, high)."""

    def __init__(self, what: str, value: int, low: int, high: int):
        self.what, self.value, self.low, self.high = what, value, low, high
        super().__init__(f"{what} = {value} is outside [{low}, {high})")


class StatementError(ProverError):
    """A signal that the statement does not name, or whose values have another size."""


class MessageInvalid(ProverError):
    """A field of a typed message breaks its type; `field` and `reason` say which and how."""

    def __init__(self, message: str, field: str, reason: str):
        self.message, self.field, self.reason = message, field, reason
        super().__init__(f"{message}.{field}: {reason}")


class AccountError(ProverError):
    """Something is wrong with a wallet, a key or an account."""


class SigningNotRepeatable(AccountError):
    """A wallet signed the same text in two ways, so a key derived from one signature could not be derived again."""

    def __init__(self, address: str):
        self.address = address
        super().__init__(
            f"wallet {address} signs the same text differently each time; a key derived from that would be lost. "
            "Use a key file instead (create_key_file) and back it up"
        )


class WrongSigner(AccountError):
    """A signature was made by `actual`, not by `expected`."""

    def __init__(self, expected: str, actual: str | None, message: str):
        self.expected, self.actual, self.message = expected, actual, message
        super().__init__(f"{message}: signed by {actual or 'nobody (malformed signature)'}, expected {expected}")


class KeyFileError(AccountError):
    """A key file is missing, malformed, readable by others, or belongs to another account."""


class EscrowError(ProverError):
    """A committee key that is not a point of the prime-order subgroup, or an escrow that does not open."""


class TransitionRefused(ProverError):
    """Refused before proving: no proof was attempted."""


class ActionNotAllowed(TransitionRefused):
    """The action table does not allow what was asked of `kind`."""

    def __init__(self, kind: str, reason: str):
        self.kind, self.reason = kind, reason
        super().__init__(f"{kind}: {reason}")


class GenerationMismatch(TransitionRefused):
    """An epoch's generation must equal the account's or exceed it by one; attest never moves it."""

    def __init__(self, account_generation: int, epoch_generation: int, allowed: str):
        self.account_generation, self.epoch_generation = account_generation, epoch_generation
        super().__init__(
            f"account is at generation {account_generation}, the epoch at {epoch_generation}; allowed: {allowed}"
        )


class PolicyNotMet(TransitionRefused):
    """The state after the action does not meet the policy.

    `rows` fail; `missing_usd6` is the cash, in micro-dollars, that would make them hold. For rows that cash does
    not enter (a delta limit, the flat policy's positions) it is the excess over the limit in the row's own unit;
    `row_missing` has it row by row.
    """

    def __init__(self, kind: str, policy: str, row_missing: Mapping[int, int], reason: str):
        self.kind, self.policy, self.row_missing = kind, policy, dict(row_missing)
        self.rows = tuple(sorted(self.row_missing))
        self.missing_usd6 = max(self.row_missing.values(), default=0)
        super().__init__(f"{kind}: {reason}")


class RecoveryError(ProverError):
    """Event number `index` of the account's history does not fit what wallet and earlier events say."""

    def __init__(self, index: int, event: str, reason: str):
        self.index, self.event, self.reason = index, event, reason
        super().__init__(f"event {index} ({event}): {reason}")


class TradeMessageRefused(ProverError):
    """An off-chain trade message that does not fit the negotiation; `message` names its type."""

    def __init__(self, message: str, reason: str):
        self.message, self.reason = message, reason
        super().__init__(f"{message}: {reason}")


class AttestationRefused(ProverError):
    """An off-chain attestation that does not show what was asked for."""
