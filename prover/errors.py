"""Errors of the prover. The native module raises these classes too.

::

    ProverError
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
    └── ProofRejected            a proof that does not verify
"""

from __future__ import annotations

__all__ = [
    "FormatError",
    "InputShape",
    "KeyMismatch",
    "KeyMissing",
    "KeyProblem",
    "KeyRefused",
    "MissingInput",
    "NotInField",
    "NotSolvable",
    "OutOfRange",
    "PointRefused",
    "ProofRejected",
    "ProverError",
    "RangeCheckFailed",
    "UnknownInput",
    "UnsatisfiedConstraint",
    "WitnessError",
]


class ProverError(Exception):
    """Root of the prover's errors."""


class NotInField(ProverError):
    """A number that is not a canonical element of its field."""

    def __init__(self, name: str, value: int) -> None:
        super().__init__(f"{name} = {value} is not in the field: allowed are the integers below the modulus")
        self.name = name
        self.value = value


class OutOfRange(ProverError):
    """An argument outside ``low .. high``, both inclusive."""

    def __init__(self, name: str, value: int, low: int, high: int) -> None:
        super().__init__(f"{name} = {value}, allowed {low} .. {high}")
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

    The value is what the circuit checks, offset included, as the representative nearest to zero.
    """

    def __init__(self, component: str, value: int, bits: int) -> None:
        super().__init__(f"{component} checks {value}, allowed 0 .. 2^{bits} - 1")
        self.component = component
        self.value = value
        self.bits = bits


class UnsatisfiedConstraint(WitnessError):
    """The witness breaks `constraint`, the first one of the circuit (from 0) that it breaks."""

    def __init__(self, constraint: int) -> None:
        super().__init__(f"constraint {constraint} is not satisfied")
        self.constraint = constraint


class NotSolvable(WitnessError):
    """The circuit has wires that do not follow from its inputs; the first few names."""

    def __init__(self, wires: list[str]) -> None:
        super().__init__(f"no way to compute {', '.join(wires)}")
        self.wires = wires


class ProofRejected(ProverError):
    """A proof that does not verify was not released or not accepted."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
