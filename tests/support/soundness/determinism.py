"""Which wires follow from a circuit's inputs, for every witness: by propagation, without looking at a value.

Four rules, on the constraints as they are written (O0):

1. *Linear.* One wire of a constraint is unknown, and its coefficient is a constant other than zero.
2. *Bits.* All unknown wires of a linear constraint are held to 0 or 1 and stand there with the coefficients c 2^j,
   distinct j below 253: a number below 2^253 has one such form, as p exceeds 2^253.
3. *Picks.* All unknown wires u_i of a linear constraint are held by u_i (x - c_i) = 0 to one known x, with distinct
   constants c_i: at most one u_i is not zero, and the constraint gives it.
4. *Quotients.* One wire of a constraint is unknown, and its coefficient is known but no constant: it follows if that is
   not zero, which has to be argued. Only wires that are named for it are taken so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tests.support.circuit_harness import Combination, P

Row = tuple[Combination, Combination, Combination]
BITS = 253


@dataclass
class Derivation:
    """What propagation found."""

    known: set[int]
    """Wires that follow, the inputs among them."""
    steps: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    """(constraint, wires that it gave), in order."""
    rules: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """How often each rule was used."""

    def find_open(self, wires: int) -> list[int]:
        """Wires that do not follow."""
        return [wire for wire in range(wires) if wire not in self.known]


class Propagation:
    """The constraints of a circuit, prepared for propagation."""

    def __init__(self, rows: Sequence[Row], quotients: Collection[int] = ()):
        self.quotients = frozenset(quotients)
        self.rows = [tuple(dict(_clean(side)) for side in row) for row in rows]
        self.users: dict[int, set[int]] = defaultdict(set)
        for number, row in enumerate(self.rows):
            for side in row:
                for wire in side:
                    self.users[wire].add(number)
        self.booleans: dict[int, int] = {}
        """Constraint that holds a wire to 0 or 1, by wire."""
        self.picks: dict[int, tuple[int, int, int]] = {}
        """(x, c, constraint) of u (x - c) = 0, by u."""
        for number, row in enumerate(self.rows):
            self._read_boolean(number, row)
            self._read_pick(number, row)

    def _read_boolean(self, number: int, row: tuple[dict[int, int], ...]) -> None:
        a, b, c = row
        wires = {wire for side in (a, b) for wire in side if wire}
        if len(wires) == 1 and not any(c.values()):
            (wire,) = wires
            if wire in a and wire in b and {_root(a, wire), _root(b, wire)} == {0, 1}:
                self.booleans[wire] = number

    def _read_pick(self, number: int, row: tuple[dict[int, int], ...]) -> None:
        if any(row[2].values()):
            return
        for one, two in ((row[0], row[1]), (row[1], row[0])):
            form = [wire for wire in two if wire]
            if len(one) == 1 and 0 not in one and len(form) == 1 and form[0] not in one:
                self.picks.setdefault(next(iter(one)), (form[0], _root(two, form[0]), number))

    def derive(self, start: Iterable[int], *, without: int = -1, among: Iterable[int] | None = None) -> Derivation:
        """Propagates from the wires of `start`.

        Parameters
        ----------
        without : int
            A constraint that does not count, also not as one that holds a wire to 0 or 1.
        among : iterable of int, optional
            Constraints to begin with; all by default. Others come in when a wire of theirs becomes known.
        """
        found = Derivation({0, *start})
        waiting = [*(range(len(self.rows)) if among is None else among)]
        progress = True
        while waiting and progress:
            progress = False
            later: list[int] = []
            while waiting:
                number = waiting.pop()
                if number == without:
                    continue
                gained = self._apply(number, found, without)
                if gained:
                    progress = True
                    found.steps.append((number, gained))
                    found.known.update(gained)
                    waiting += [user for wire in gained for user in self.users[wire]]
                elif self._has_unknown(number, found.known):
                    later.append(number)
            waiting = list(dict.fromkeys(later))
        return found

    def _has_unknown(self, number: int, known: set[int]) -> bool:
        return any(wire not in known for side in self.rows[number] for wire in side)

    def _apply(self, number: int, found: Derivation, without: int) -> tuple[int, ...]:
        row, known = self.rows[number], found.known
        unknown = {wire for side in row for wire in side if wire not in known}
        if not unknown:
            return ()
        if len(unknown) == 1:
            (wire,) = unknown
            if _has_constant_coefficient(row, wire):
                found.rules["linear"] += 1
                return (wire,)
            if wire in self.quotients:
                found.rules["quotients"] += 1
                return (wire,)
        form = _to_linear(row)
        if form is None:
            return ()
        weights = {wire: factor for wire, factor in form.items() if wire in unknown}
        if len(weights) != len(unknown):
            return ()
        if all(self._picked_by(wire, known, without) for wire in weights):
            picks = [self.picks[wire][:2] for wire in weights]
            if len({x for x, _ in picks}) == 1 and len({c for _, c in picks}) == len(picks):
                found.rules["picks"] += 1
                return tuple(weights)
        if all(self.booleans.get(wire, without) != without for wire in weights) and _are_powers(weights.values()):
            found.rules["bits"] += 1
            return tuple(weights)
        return ()

    def _picked_by(self, wire: int, known: set[int], without: int) -> bool:
        return wire in self.picks and self.picks[wire][0] in known and self.picks[wire][2] != without


def _clean(side: Combination) -> Iterable[tuple[int, int]]:
    total: dict[int, int] = defaultdict(int)
    for wire, factor in side:
        total[wire] = (total[wire] + factor) % P
    return ((wire, factor) for wire, factor in total.items() if factor)


def _root(form: dict[int, int], wire: int) -> int:
    """The value of `wire` at which constant + factor * wire is zero."""
    return -form.get(0, 0) * pow(form[wire], -1, P) % P


def _get_constant(form: dict[int, int]) -> int | None:
    """The value of a form without wires; None if it has one."""
    return form.get(0, 0) if all(wire == 0 for wire in form) else None


def _has_constant_coefficient(row: tuple[dict[int, int], ...], wire: int) -> bool:
    a, b, c = row
    factors = [-c.get(wire, 0)]
    for own, other in ((a, b), (b, a)):
        if wire in own:
            constant = _get_constant(other)
            if constant is None:
                return False
            factors.append(own[wire] * constant)
    return sum(factors) % P != 0


def _to_linear(row: tuple[dict[int, int], ...]) -> dict[int, int] | None:
    """The constraint as one linear form that is zero; None if it is a product of two."""
    a, b, c = row
    for own, other in ((a, b), (b, a)):
        constant = _get_constant(other)
        if constant is not None:
            form = defaultdict(int, {wire: constant * factor % P for wire, factor in own.items()})
            for wire, factor in c.items():
                form[wire] = (form[wire] - factor) % P
            return {wire: factor for wire, factor in form.items() if factor}
    return None


def _are_powers(factors: Iterable[int]) -> bool:
    """Whether the factors are c times distinct powers of two below 2^`BITS`."""
    values = list(factors)
    for unit in (min(values, key=lambda value: min(value, P - value)),):
        scaled = [value * pow(unit, -1, P) % P for value in values]
        if all(value & (value - 1) == 0 and value.bit_length() <= BITS for value in scaled):
            return len(set(scaled)) == len(scaled)
    return False
