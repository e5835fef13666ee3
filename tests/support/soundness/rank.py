"""The constraints at an honest witness, to first order: which wires can move, and which constraints say nothing new.

The Jacobian of all constraints is taken over the field at a witness that they accept. Both questions are exact there:

- With the public inputs fixed, a vector of its right kernel is a direction in which private wires can move.
- A vector of its left kernel is a combination of constraints that vanishes to first order. A constraint outside the
  support of every such vector is independent of all others at this witness: the solutions of the others are, near it, a
  smooth set of one dimension more, on which it is not zero throughout. Leave it out, and there are witnesses that the
  rest accepts and the circuit refuses.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from tests.support.circuit_harness import Combination, P

Row = tuple[Combination, Combination, Combination]
Sparse = dict[int, int]


def differentiate(rows: Sequence[Row], values: Sequence[int], fixed: Collection[int] = (0,)) -> list[Sparse]:
    """Gradient of each constraint a b - c at the witness, on the wires that are not fixed."""
    gradients = []
    for a, b, c in rows:
        at_a, at_b = (sum(factor * values[wire] for wire, factor in side) % P for side in (a, b))
        gradient: Sparse = defaultdict(int)
        for side, scale in ((a, at_b), (b, at_a), (c, P - 1)):
            if scale:
                for wire, factor in side:
                    if wire not in fixed:
                        gradient[wire] = (gradient[wire] + scale * factor) % P
        gradients.append({wire: factor for wire, factor in gradient.items() if factor})
    return gradients


def transpose(rows: Sequence[Mapping[int, int]]) -> list[Sparse]:
    """Rows by column: row w of the result has, at n, what row n has at w."""
    size = 1 + max((wire for row in rows for wire in row), default=-1)
    columns: list[Sparse] = [{} for _ in range(size)]
    for number, row in enumerate(rows):
        for wire, factor in row.items():
            columns[wire][number] = factor
    return columns


def find_kernel(rows: Iterable[Mapping[int, int]], unknowns: Iterable[int]) -> list[Sparse]:
    """A basis of the vectors that every row maps to zero: one for each unknown that elimination leaves free."""
    pivots = _eliminate([dict(row) for row in rows])
    basis = []
    for free in unknowns:
        if free in pivots:
            continue
        vector = {free: 1}
        for wire, row in reversed(pivots.items()):
            value = -sum(factor * vector.get(other, 0) for other, factor in row.items() if other != wire) % P
            if value:
                vector[wire] = value
        basis.append(vector)
    return basis


def _eliminate(rows: list[Sparse]) -> dict[int, Sparse]:
    """Row by pivot, in the order of elimination, pivot coefficient 1: shortest rows first, rarest wires in them."""
    users: dict[int, set[int]] = defaultdict(set)
    for number, row in enumerate(rows):
        for wire in row:
            users[wire].add(number)
    waiting = [(len(row), number) for number, row in enumerate(rows) if row]
    heapq.heapify(waiting)
    pivots: dict[int, Sparse] = {}
    done = set()
    while waiting:
        size, number = heapq.heappop(waiting)
        row = rows[number]
        if number in done or size != len(row) or not row:
            continue
        done.add(number)
        pivot = min(row, key=lambda wire: len(users[wire]))
        inverse = pow(row[pivot], -1, P)
        for wire in row:
            users[wire].discard(number)
            row[wire] = row[wire] * inverse % P
        pivots[pivot] = row
        for other in list(users[pivot]):
            _subtract(rows[other], row, pivot, users, other)
            heapq.heappush(waiting, (len(rows[other]), other))
    return pivots


def _subtract(target: Sparse, row: Sparse, pivot: int, users: Mapping[int, set[int]], number: int) -> None:
    scale = target[pivot]
    for wire, factor in row.items():
        value = (target.get(wire, 0) - scale * factor) % P
        if value:
            target[wire] = value
            users[wire].add(number)
        elif wire in target:
            del target[wire]
            users[wire].discard(number)
