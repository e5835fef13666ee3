"""Public signals by name: the typed reader of `statement.json`.

Circom constants, Solidity offsets and everything in Python that touches a public signal take order and size from here:
nobody writes `signals[5]`. Index 0 is the first public signal; the constant 1 of Groth16 is not counted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zkmargin.engine.presets import Preset
from zkmargin.prover.errors import StatementError
from zkmargin.prover.ranges import check_range, require_integer

STATEMENT_PATH = Path(__file__).with_name("statement.json")

FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of BN254's scalar field, the p of the documents; EIP-197."""


@cache
def _load() -> Mapping[str, Any]:
    return MappingProxyType(json.loads(STATEMENT_PATH.read_text()))


def compute_tag(text: str) -> int:
    """Tag integer of an ASCII text: its bytes, big-endian.

    Raises
    ------
    OutOfRange
        If the text has more than 31 bytes and could exceed the field.
    StatementError
        If it is not ASCII.
    """
    if not text.isascii():
        raise StatementError(f"tag {text!r} is not ASCII")
    check_range(f"length of tag {text!r}", len(text), 0, 32)
    return int.from_bytes(text.encode("ascii"), "big")


TAGS: Mapping[str, int] = MappingProxyType({name: compute_tag(text) for name, text in _load()["tags"].items()})
"""Domain tag of each use of the hash, as a field element: STATE, COMMITMENT, TRADE, PAD, ESCROW, CHECKPOINT."""
STATEMENTS = ("transition", "open", "reveal", "rekey")
"""What is proved, by the name of its circuit."""


def to_field(value: int) -> int:
    """A signed integer as a field element, v mod p; raises `StatementError` for what is no whole number."""
    return require_integer("signal", value) % FIELD_MODULUS


def from_field(element: int) -> int:
    """The signed integer nearest to zero that `element` stands for, in (-p/2, p/2].

    Raises
    ------
    OutOfRange
        If `element` is not in [0, p).
    """
    element = check_range("field element", element, 0, FIELD_MODULUS)
    return element if element <= FIELD_MODULUS // 2 else element - FIELD_MODULUS


@dataclass(frozen=True, slots=True)
class Signal:
    """One named public signal with its place in the flat list."""

    name: str
    """Circom name."""
    group: str
    """fixed, flow, settlement or policy: which of the verifier's points it belongs to."""
    shape: tuple[int, ...]
    """Dimensions, row-major; () for a single element."""
    offset: int
    """Index of its first element among the public signals."""

    @property
    def size(self) -> int:
        """Number of field elements."""
        return prod(self.shape)

    @property
    def span(self) -> slice:
        """Its place in the flat list."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class PublicSignals:
    """The public signals of one circuit at one preset, in order."""

    circuit: str
    """One of `STATEMENTS`."""
    signals: tuple[Signal, ...]
    """In the order of the statement."""

    @property
    def size(self) -> int:
        """Number of public signals, without the constant 1."""
        return self.signals[-1].offset + self.signals[-1].size

    def __iter__(self) -> Iterator[Signal]:
        return iter(self.signals)

    def __getitem__(self, name: str) -> Signal:
        for signal in self.signals:
            if signal.name == name:
                return signal
        raise StatementError(f"{self.circuit} has no public signal {name!r}; it has {[s.name for s in self.signals]}")

    def get_group(self, group: str) -> tuple[Signal, ...]:
        """The signals of one group.

        Raises
        ------
        StatementError
            If the circuit has no such group.
        """
        found = tuple(signal for signal in self.signals if signal.group == group)
        if not found:
            raise StatementError(
                f"{self.circuit} has no group {group!r}; it has {sorted({s.group for s in self.signals})}"
            )
        return found

    def flatten(self, values: Mapping[str, int | Sequence[Any]]) -> list[int]:
        """Flat list of field elements from values by name (nested or flat, signed integers allowed).

        Raises
        ------
        StatementError
            If a name is missing, unknown, or has another number of elements than the statement says.
        """
        unknown = set(values) - {signal.name for signal in self.signals}
        missing = [signal.name for signal in self.signals if signal.name not in values]
        if unknown or missing:
            raise StatementError(f"{self.circuit}: missing signals {missing}, unknown signals {sorted(unknown)}")
        flat: list[int] = []
        for signal in self.signals:
            elements = list(_walk(values[signal.name]))
            if len(elements) != signal.size:
                raise StatementError(
                    f"{self.circuit}.{signal.name} has {len(elements)} elements, the statement says {signal.size}"
                )
            flat += [element % FIELD_MODULUS for element in elements]
        return flat

    def name(self, flat: Sequence[int]) -> dict[str, int | list[int]]:
        """Values by name from the flat list; a single element is an int, an array a flat row-major list.

        Raises
        ------
        StatementError
            If the list has another length than the statement says.
        """
        if len(flat) != self.size:
            raise StatementError(f"{self.circuit} has {self.size} public signals, got {len(flat)}")
        return {s.name: list(flat[s.span]) if s.shape else flat[s.offset] for s in self.signals}


def _walk(value: object) -> Iterator[int]:
    if hasattr(value, "__iter__"):
        for item in value:
            yield from _walk(item)
    else:
        yield require_integer("signal", value)


@cache
def get_public_signals(circuit: str, preset: Preset) -> PublicSignals:
    """Public signals of `circuit`, one of `STATEMENTS`, at `preset`.

    Raises
    ------
    StatementError
        If the statement has no such circuit.
    """
    if circuit not in STATEMENTS:
        raise StatementError(f"the statement has no circuit {circuit!r}; it has {', '.join(STATEMENTS)}")
    letters = {"N": preset.slots, "P": preset.packed_rows, "J": preset.helpers, "X": preset.excess_rows}
    signals, offset = [], 0
    for entry in _load()[circuit]:
        shape = tuple(letters[size] if isinstance(size, str) else size for size in entry["shape"])
        signals.append(Signal(entry["name"], entry["group"], shape, offset))
        offset += prod(shape)
    return PublicSignals(circuit, tuple(signals))
