"""Witnesses that a malicious prover might try: accepted ones, altered and completed, none of which may pass.

Every witness of `transition` follows from its inputs (`determinism.py`), so what is left to try is other inputs behind
the same public signals, other public signals, and wires that only look like decompositions. Each kind is drawn from a
seed; the constraints are those that are proved.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property

from tests.support.circuit_cases import ACCEPTED
from tests.support.circuit_harness import P
from zkmargin.engine.presets import get_preset
from zkmargin.prover._native import Circuit, FieldVector, Witness
from zkmargin.prover.groth16.compile import compile_circuit
from zkmargin.prover.groth16.keys import load_circuit
from zkmargin.prover.groth16.witness import to_fields
from zkmargin.prover.statement.signals import get_public_signals

PRESET = get_preset("mini")
PRIVATE = (
    *("position", "cash", "key", "nonce", "legSlot", "legLots", "tradeCash", "salt"),
    *("excess", "helper", "charge", "slack"),
)
"""Private inputs of `transition`."""
PART = 5_000
"""Attempts of one seed."""
STATE = ("position", "cash", "key", "nonce")
"""Private inputs that are the account."""
FREE = {"context": "bound, and any value of it is a statement of its own"}
"""Public signals that are left as they are, and why."""


@dataclass(frozen=True)
class Attempt:
    """One altered witness."""

    kind: str
    case: str
    witness: Witness


class Attacker:
    """Draws altered witnesses of `transition` at mini, from a seed."""

    def __init__(self, seed: int):
        self.draw = random.Random(seed)
        self.circuit: Circuit = load_circuit("transition", "mini")
        self.public = get_public_signals("transition", PRESET)
        self.inputs = {
            case: {name: to_fields(name, value) for name, value in accepted.compute().items()}
            for case, accepted in ACCEPTED.items()
        }
        self.honest = {name: self._solve(inputs) for name, inputs in self.inputs.items()}
        assert all(self.accepts(witness) for witness in self.honest.values())
        self.kinds: Mapping[str, Callable[[str], Witness | None]] = {
            "one wire": self._one_wire,
            "two wires exchanged": self._exchange,
            "a group of wires": self._group,
            "bits with the same sum": self._bits,
            "a witness grafted on another": self._graft,
            "a public signal": self._public_signal,
            "a private input": self._private_input,
            "a packed word read otherwise": self._alias,
        }

    def accepts(self, witness: Witness) -> bool:
        """Whether every constraint holds."""
        return self.circuit.first_unsatisfied(witness) is None

    def is_break(self, attempt: Attempt) -> bool:
        """Whether an altered witness passes and means something else: other signals of its own, or another state.

        What passes and means the same is no break: a coefficient that multiplies zero is another policy's, a salt
        without a trade is nobody's, and a certificate is the prover's to choose.
        """
        if not self.accepts(attempt.witness):
            return False
        honest = self.honest[attempt.case]
        return any(attempt.witness[wire] != honest[wire] for wire in self._meaning)

    def attempts(self, count: int) -> Iterator[Attempt]:
        """Altered witnesses, kind by kind in turn; what came out as the honest one is drawn again."""
        names, kinds = [*ACCEPTED], [*self.kinds.items()]
        made = 0
        while made < count:
            kind, make = kinds[made % len(kinds)]
            case = self.draw.choice(names)
            witness = make(case)
            if witness is not None:
                made += 1
                yield Attempt(kind, case, witness)

    # ---------------------------------------------------------------------------------------------------- alterations
    def _value(self, held: int) -> int:
        """Another value for a wire: near, opposite, at the edges of its range, at those of the field, or any."""
        draw = self.draw
        return (
            draw.choice(
                [
                    *(held + 1, held - 1, -held, 2 * held, 0, 1, 2, P - 1, held + 2**32, held - 2**32, held + 2**84),
                    *(held + 2**30, 1 - held, held + 2**64, held + 2**83, draw.randrange(P)),
                ]
            )
            % P
        )

    def _one_wire(self, case: str) -> Witness | None:
        honest = self.honest[case]
        wire = self.draw.randrange(1, len(honest))
        return self._change(honest, {wire: self._value(honest[wire])})

    def _exchange(self, case: str) -> Witness | None:
        honest = self.honest[case]
        one, two = (self.draw.randrange(1, len(honest)) for _ in range(2))
        return self._change(honest, {one: honest[two], two: honest[one]})

    def _group(self, case: str) -> Witness | None:
        """Neighbours all raised by one amount, or all multiplied."""
        honest, draw = self.honest[case], self.draw
        first, size = draw.randrange(1, len(honest) - 40), draw.randrange(2, 40)
        amount = draw.choice([1, 2, P - 1, draw.randrange(P)])
        if draw.random() < 0.5:
            return self._change(honest, {wire: honest[wire] + amount for wire in range(first, first + size)})
        return self._change(honest, {wire: honest[wire] * amount for wire in range(first, first + size)})

    def _bits(self, case: str) -> Witness | None:
        """Two bits of one number changed so that the number stays: 2 and -1 in place of 0 and 0."""
        honest = self.honest[case]
        low, high, distance = self.draw.choice(self._pairs)
        amount = self.draw.choice([1, -1, 2, self.draw.randrange(P)])
        return self._change(honest, {low: honest[low] + amount * 2**distance, high: honest[high] - amount})

    @cached_property
    def _symbols(self) -> list[tuple[str, int]]:
        """(name, wire) of every signal that simplification kept."""
        lines = compile_circuit("transition", PRESET).sym.read_text().splitlines()
        parts = [line.split(",") for line in lines]
        return [(name.removeprefix("main."), int(wire)) for _, wire, _, name in parts if int(wire) > 0]

    @cached_property
    def _meaning(self) -> list[int]:
        """Wires of what a transition means: its own public signals, and the state that it starts from."""
        own = [signal.span for signal in self.public if signal.group in ("fixed", "flow")]
        state = [wire for name, wire in self._symbols if name.split("[")[0] in STATE]
        return [1 + place for span in own for place in range(span.start, span.stop)] + state

    @cached_property
    def _pairs(self) -> list[tuple[int, int, int]]:
        """(wire, wire, distance) of bits of one number that simplification kept."""
        wires = dict(self._symbols)
        pairs = []
        for name, wire in wires.items():
            stem, _, index = name.removesuffix("]").rpartition("[")
            if stem.endswith(".out"):
                others = [(wires.get(f"{stem}[{int(index) + distance}]"), distance) for distance in (1, 3, 17)]
                pairs += [(wire, other, distance) for other, distance in others if other]
        return pairs

    def _graft(self, case: str) -> Witness | None:
        """Private wires of one accepted witness, in part, behind the public signals of another."""
        other = self.honest[self.draw.choice([*ACCEPTED])]
        start = self.draw.randrange(self.public.size + 1, len(other))
        end = min(len(other), start + self.draw.choice([1, 50, 1_000, len(other)]))
        honest = self.honest[case]
        return self._change(honest, {wire: other[wire] for wire in range(start, end) if other[wire] != honest[wire]})

    def _public_signal(self, case: str) -> Witness | None:
        """Another public signal, and every wire computed again: the statement would be another one."""
        inputs = dict(self.inputs[case])
        signal = self.draw.choice([signal for signal in self.public if signal.name not in FREE])
        return self._resolve(case, inputs, signal.name)

    def _private_input(self, case: str) -> Witness | None:
        """Another private input behind the same public signals, and every wire computed again."""
        return self._resolve(case, dict(self.inputs[case]), self.draw.choice(PRIVATE))

    def _alias(self, case: str) -> Witness | None:
        """(q_0 + 2^32 m, q_1 - m): the same packed word."""
        inputs = dict(self.inputs[case])
        values = inputs["position"].to_list()
        slot, amount = self.draw.randrange(0, 6), self.draw.choice([1, -1, 2, self.draw.randrange(1, 2**20)])
        values[slot], values[slot + 1] = (values[slot] + amount * 2**32) % P, (values[slot + 1] - amount) % P
        inputs["position"] = FieldVector.from_canonical(values, "position")
        return self._solve(inputs, force=True)

    # ---------------------------------------------------------------------------------------------------------- tools
    def _resolve(self, case: str, inputs: dict[str, FieldVector], name: str) -> Witness | None:
        values = inputs[name].to_list()
        place = self.draw.randrange(len(values))
        changed = self._value(values[place])
        if changed == values[place]:
            return None
        values[place] = changed
        inputs[name] = FieldVector.from_canonical(values, name)
        return self._solve(inputs, force=True)

    def _solve(self, inputs: Mapping[str, FieldVector], force: bool = False) -> Witness:
        return self.circuit.solve(dict(inputs), force)

    def _change(self, witness: Witness, changes: Mapping[int, int]) -> Witness | None:
        changes = {wire: value % P for wire, value in changes.items() if value % P != witness[wire]}
        if not changes:
            return None
        for wire, value in changes.items():
            witness = witness.with_wire(wire, value)
        return witness


@dataclass
class Outcome:
    """What became of the attempts."""

    tried: Counter[str]
    """Attempts by kind."""
    passed: Counter[str]
    """Of them, those that pass and mean the same."""
    breaks: list[tuple[str, str]]
    """Kind and case of those that pass and mean something else."""


def attack_all(count: int) -> Outcome:
    """Tries `count` altered witnesses in parts, on every core."""
    parts = [(min(PART, count - start), start) for start in range(0, count, PART)]
    whole = Outcome(Counter(), Counter(), [])
    with ProcessPoolExecutor() as pool:
        for outcome in pool.map(attack, *zip(*parts, strict=True)):
            whole.tried += outcome.tried
            whole.passed += outcome.passed
            whole.breaks += outcome.breaks
    return whole


def attack(count: int, seed: int = 0) -> Outcome:
    """Tries `count` altered witnesses; one that passes with another meaning is a break."""
    attacker = Attacker(seed)
    outcome = Outcome(Counter(), Counter(), [])
    for attempt in attacker.attempts(count):
        outcome.tried[attempt.kind] += 1
        if attacker.is_break(attempt):
            outcome.breaks.append((attempt.kind, attempt.case))
        elif attacker.accepts(attempt.witness):
            outcome.passed[attempt.kind] += 1
    return outcome
