"""Errors of the prover: one tree, typed fields, no secret in any text. The native module raises these classes too.

::

    ProverError                  below `engine.errors.ZkMarginError`
    ├── NotInField               a number that is not a canonical field element
    ├── OutOfRange               an argument outside its range
    ├── PointRefused             a point off its curve, outside the subgroup, or the identity
    ├── FormatError              a file or byte string that is not in its format
    ├── KeyProblem
    │   ├── KeyRefused           a key that lets anybody forge, or a development key where that is not allowed
    │   ├── KeyMismatch          key, circuit and witness that do not belong together
    │   └── KeyMissing           no key at that place
    ├── WitnessError
    │   ├── MissingInput         an input of the circuit was not given
    │   ├── UnknownInput         a name that the circuit does not have
    │   ├── InputShape           the wrong number of elements
    │   ├── RangeCheckFailed     a number does not fit the bits that the circuit gives it
    │   ├── UnsatisfiedConstraint   the first constraint that the witness breaks
    │   └── NotSolvable          wires that do not follow from the inputs
    ├── ProofRejected            a proof that does not verify
    ├── NoRandomness             the operating system gave no randomness
    ├── StatementError           a signal that statement.json does not name, or of another size
    ├── MessageInvalid           a typed message with a field that its EIP-712 type does not allow
    ├── AccountError
    │   ├── SigningNotRepeatable    two signatures of the same text differ: use a key file
    │   ├── WrongSigner          a signature by another address than the one expected
    │   ├── SignatureRefused     a wallet's own signature, in a form that the contracts refuse
    │   └── KeyFileError         a key file that is missing, readable by others, or for another account
    ├── EscrowError              an ephemeral scalar that is not acceptable
    ├── TransitionRefused        refused before proving
    │   ├── ActionNotAllowed     the action table does not allow this combination
    │   ├── GenerationMismatch   the epoch is not of the account's generation or one above
    │   └── PolicyNotMet         rows of the policy that fail, and how much is missing
    ├── RecoveryError            a chain event that does not fit; names the first one
    ├── TradeMessageRefused      an off-chain trade message that is not what it should be
    ├── CompilationError         circom is missing or refuses the sources, in `groth16.compile`
    ├── CeremonyFailed           snarkjs is missing or refuses a step, in `groth16.ceremony`
    └── AttestationRefused       an off-chain attestation that does not verify
"""

from __future__ import annotations

from collections.abc import Mapping

from zkmargin.engine.errors import ZkMarginError

__all__ = [
    "AccountError",
    "ActionNotAllowed",
    "AttestationRefused",
    "EscrowError",
    "FormatError",
    "GenerationMismatch",
    "InputShape",
    "KeyFileError",
    "KeyMismatch",
    "KeyMissing",
    "KeyProblem",
    "KeyRefused",
    "MessageInvalid",
    "MissingInput",
    "NoRandomness",
    "NotInField",
    "NotSolvable",
    "OutOfRange",
    "PointRefused",
    "PolicyNotMet",
    "ProofRejected",
    "ProverError",
    "RangeCheckFailed",
    "RecoveryError",
    "SignatureRefused",
    "SigningNotRepeatable",
    "StatementError",
    "TradeMessageRefused",
    "TransitionRefused",
    "UnknownInput",
    "UnsatisfiedConstraint",
    "WitnessError",
    "WrongSigner",
]


class ProverError(ZkMarginError):
    """Root of the prover's errors."""


class NotInField(ProverError):
    """A number that is not a canonical element of its field. It may be a secret, so the text does not show it."""

    def __init__(self, name: str, value: int) -> None:
        super().__init__(f"{name} is not in the field: allowed are the integers below the modulus")
        self.name = name
        self.value = value


class OutOfRange(ProverError):
    """An argument that is no whole number in ``low .. high``, both inclusive.

    The text names a private quantity without its value.
    """

    def __init__(self, name: str, value: object, low: int, high: int, *, is_private: bool = False) -> None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        what = f"{name} is out of range" if is_private else f"{name} = {value!r}"
        kind = "" if is_whole else f" (whole numbers, not {type(value).__name__})"
        super().__init__(f"{what}, allowed {low} .. {high}{kind}")
        self.name = name
        self.value = value
        self.low = low
        self.high = high


class PointRefused(ProverError):
    """A point that is off its curve, outside the subgroup, or the identity where that is not allowed."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} {reason}")
        self.name = name
        self.reason = reason


class FormatError(ProverError):
    """A file or byte string that is not in the format `what`."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"not a valid {what}: {reason}")
        self.what = what
        self.reason = reason


class KeyProblem(ProverError):
    """A key that cannot be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyRefused(KeyProblem):
    """A key that lets anybody forge proofs, that contradicts itself, or that is for development only."""


class KeyMismatch(KeyProblem):
    """A key that was made for another circuit, or a file that is not the one the manifest names."""


class KeyMissing(KeyProblem):
    """No key, or not all of its files, at that place."""


class WitnessError(ProverError):
    """No witness, or one that the circuit does not accept."""


class MissingInput(WitnessError):
    """An input of the circuit that was not given."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the circuit's input {name} is missing")
        self.name = name


class UnknownInput(WitnessError):
    """A name that the circuit does not have."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the circuit has no {name}")
        self.name = name


class InputShape(WitnessError):
    """The wrong number of elements."""

    def __init__(self, name: str, given: int, expected: int) -> None:
        super().__init__(f"{name} has {given} elements, expected {expected}")
        self.name = name
        self.given = given
        self.expected = expected


class RangeCheckFailed(WitnessError):
    """`value` does not fit the `bits` of the range check `component`; allowed are 0 .. 2^bits - 1.

    The value is what the circuit checks, offset included, as the representative nearest to zero. It comes from the
    witness, so the text does not show it.
    """

    def __init__(self, component: str, value: int, bits: int) -> None:
        super().__init__(f"a number does not fit {component}, allowed 0 .. 2^{bits} - 1")
        self.component = component
        self.value = value
        self.bits = bits


class UnsatisfiedConstraint(WitnessError):
    """The witness breaks `constraint`, the first one of the circuit (from 0) that it breaks."""

    def __init__(self, constraint: int) -> None:
        super().__init__(f"constraint {constraint} is not satisfied")
        self.constraint = constraint


class NotSolvable(WitnessError):
    """The circuit has wires that do not follow from its inputs; `wires` names them."""

    def __init__(self, wires: list[str]) -> None:
        super().__init__(f"no way to compute {len(wires)} wires: {', '.join(wires[:8])}")
        self.wires = wires


class ProofRejected(ProverError):
    """A proof that does not verify was not released or not accepted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoRandomness(ProverError):
    """The operating system gave no randomness, so nothing was blinded, escrowed or set up."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"no randomness: {reason}")
        self.reason = reason


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


class SignatureRefused(AccountError):
    """A wallet signed, in a form that the contracts refuse, so that there are not two names for one signature."""

    def __init__(self, address: str, message: str, reason: str):
        self.address, self.message, self.reason = address, message, reason
        super().__init__(
            f"{message}: the signature of {address} is refused: {reason}; allowed: 65 bytes r, s, v, "
            "s in the lower half, v of 27 or 28 (or 0 or 1)"
        )


class KeyFileError(AccountError):
    """A key file is missing, malformed, readable by others, or belongs to another account."""


class EscrowError(ProverError):
    """An ephemeral scalar outside its range; the value is not shown."""


class TransitionRefused(ProverError):
    """Refused before proving: no proof was attempted."""


class ActionNotAllowed(TransitionRefused):
    """The action table does not allow what was asked of `kind`."""

    def __init__(self, kind: str, reason: str):
        self.kind, self.reason = kind, reason
        super().__init__(f"{kind}: {reason}")


class GenerationMismatch(TransitionRefused):
    """An epoch's generation must equal the account's or exceed it by one."""

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
