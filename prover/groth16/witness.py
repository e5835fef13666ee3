"""Witnesses: the value of every wire of a circuit from its inputs, natively."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zkmargin.engine.files import PRIVATE, write_whole
from zkmargin.prover._native import Circuit, FieldVector, Witness
from zkmargin.prover.actions.transition import AnyTransition
from zkmargin.prover.ranges import require_integer
from zkmargin.prover.statement.policy_fields import pack_policy_fields, pack_settlement_fields

Value = int | Iterable[Any] | np.ndarray | FieldVector
"""One input: a signed integer, nested integers in row-major order, an integer array, or packed elements."""


def compute_witness(circuit: Circuit, inputs: Mapping[str, Value], *, force: bool = False) -> Witness:
    """All wires from the inputs by circom name, public and private.

    Parameters
    ----------
    force
        Go on where a number does not fit its bits or a division has no result, as a cheating prover would. For tests:
        such a witness breaks a constraint.

    Raises
    ------
    MissingInput, UnknownInput, InputShape
        If the inputs are not the circuit's; carries the name.
    NotInField
        If a number is not below the modulus in absolute value.
    StatementError
        If a value is no whole number.
    RangeCheckFailed
        If a number does not fit the bits that the circuit gives it; carries the check, the number and the bits.
    UnsatisfiedConstraint
        If a wire has no value. Constraints that follow no wire are checked by the prover.
    """
    return circuit.solve({name: to_fields(name, value) for name, value in inputs.items()}, force)


def compute_transition_witness(circuit: Circuit, transition: AnyTransition) -> Witness:
    """The witness of `transition`; raises like `compute_witness`."""
    return compute_witness(circuit, collect_transition_inputs(transition))


class Stated(Protocol):
    """An opening, a revelation or a rekeying: what a circuit without a policy is proved of."""

    def name_public_signals(self) -> dict[str, int]:
        """Public signals by name."""

    def flatten_public_signals(self) -> list[int]:
        """Public signals in the statement's order."""

    def name_private_inputs(self) -> Mapping[str, Value]:
        """Private inputs by circom name; secret."""


def compute_stated_witness(circuit: Circuit, stated: Stated) -> Witness:
    """The witness of `open`, `reveal` or `rekey`; raises like `compute_witness`."""
    return compute_witness(circuit, {**stated.name_public_signals(), **stated.name_private_inputs()})


def collect_transition_inputs(transition: AnyTransition) -> dict[str, Value]:
    """Every input of the circuit `transition` by name. Holds the account's secrets."""
    return {
        **transition.own_signals.name(),
        **transition.name_private_inputs(),
        **pack_settlement_fields(transition.effects.settlement),
        **pack_policy_fields(transition.effects.policy),
    }


def write_witness(witness: Witness, path: Path) -> None:
    """Writes snarkjs's .wtns, whole or not at all, mode 0600: it holds every secret of the account."""
    write_whole(path, witness.to_wtns(), mode=PRIVATE)


def to_fields(name: str, value: Value) -> FieldVector:
    """`value` as field elements, signed integers taken mod p; raises `NotInField` or `StatementError` with the name."""
    if isinstance(value, FieldVector):
        return value
    if isinstance(value, np.ndarray) and value.dtype == np.int64:
        return FieldVector.pack(np.ascontiguousarray(value, dtype="<i8").tobytes(), 1)
    if isinstance(value, list | tuple) and all(type(item) is int for item in value):
        return FieldVector.from_signed(value, name)
    return FieldVector.from_signed(list(_flatten(name, value)), name)


def _flatten(name: str, value: object) -> Iterable[int]:
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            yield from _flatten(name, item)
    else:
        yield require_integer(name, value)
