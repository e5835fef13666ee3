"""Each constraint of a proved circuit is weakened, not left out: a term changed or dropped, the end of a range moved.

*Terms.* A term counts at an accepted witness if its wire is not zero there, nor the factor that it is multiplied by.
Then whatever other coefficient it gets, or none, the constraint no longer holds at that witness; as every wire follows
from the inputs (`determinism.py`), the accepted case is refused or shows other public signals, and its test goes red.
So one look at a term is a look at all changes of its coefficient. What counts at no witness is on a list, with reasons.

*Ranges.* A decomposition into bits is moved by one at either end: inward, and a number at the end that is accepted
would be refused; outward, and a number beside the end that is refused, by that decomposition alone, would be accepted.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.support import babyjub_reference as curve
from tests.support.circuit_cases import ACCEPTED, at, make_rule
from tests.support.circuit_harness import Circuit, Combination, P, Wires, get_circuit
from tests.support.circuit_reference import EXCESS, HELPERS, LEGS, ROWS, SLOTS, Case, Rule, tag
from tests.support.poseidon_reference import poseidon
from tests.support.soundness.mutation import make_opening
from tests.support.stated_cases import make_rekey, make_reveal

Row = tuple[Combination, Combination, Combination]
Term = tuple[int, int, int]
"""Constraint, side (0, 1, 2 for a, b, c of a b = c), wire."""
RANDOM_CASES = 64
"""Random accepted witnesses that are looked at beside the named ones."""

SCALED = (
    "The only term of a factor of a product that is zero: another coefficient scales the constraint, and to drop it is "
    "to leave the constraint out (mutation.py)."
)
SLOT_BITS = "A leg's slot is the one that was picked, hence below N: its eight bits say it again."
COMPARED = (
    "The scalar's comparison with the order: the bit that answers it is the same for every scalar that is accepted, so "
    "of the product that holds it to 0 or 1 the same factor is zero each time. Scalars beyond the order are tests "
    "(tests/prover/circuits/test_open.py)."
)
NEUTRAL = (
    "Where the committee's key is the neutral point, another is multiplied in its place. The x that is taken away for "
    "it is zero then."
)
ESCROW: Mapping[str, str] = {
    r"escrow\.rho\.above\.num2bits|ephemeralScalar~.*~escrow\.rho\.above\.parts": COMPARED,
    r"committeeX~escrow\.shared\.segments": NEUTRAL,
}
EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "transition": {r"(legSlot\[\d\]~)?word\.slotRange": SLOT_BITS},
    "open": ESCROW,
    "reveal": {},
    "rekey": ESCROW,
}
"""Why a term counts at no accepted witness, by circuit and by how the label of its constraint begins."""
SAID_TWICE = r"word\.slotRange\.number\[\d\]"
"""Ranges whose ends cannot be reached, for the reason of `SLOT_BITS`."""


@dataclass
class Outcome:
    """What became of the weakenings of one circuit."""

    circuit: str
    terms: int
    explained: dict[Term, str] = field(default_factory=dict)
    """Reason by term that counts nowhere."""
    unexplained: dict[Term, str] = field(default_factory=dict)
    """Its wire's name, by term that counts nowhere and is not on the list."""


def weaken(name: str, random_cases: int = RANDOM_CASES) -> Outcome:
    """Looks for every term of a circuit's constraints at which accepted witness it counts."""
    circuit = get_circuit(name)
    rows = circuit.simplified.rows
    terms = {(number, side, wire) for number, row in enumerate(rows) for side in range(3) for wire, _ in row[side]}
    outcome, waiting = Outcome(name, len(terms)), terms
    for wires in make_accepted(circuit, name, random_cases):
        values = circuit.simplify(wires)
        assert not circuit.simplified.find_failing(values)
        waiting = find_silent(rows, values, waiting)
    for term in sorted(waiting):
        number, side, wire = term
        signal = circuit.simplified.names[wire][0] if wire else "1"
        label = circuit.simplified.describe(number).label
        reasons = [reason for pattern, reason in EXPLAINED[name].items() if re.match(pattern, label)]
        if is_only_factor(rows[number], side):
            outcome.explained[term] = SCALED
        elif reasons:
            outcome.explained[term] = reasons[0]
        else:
            outcome.unexplained[term] = signal
    return outcome


def find_silent(rows: Sequence[Row], values: Sequence[int], terms: Iterable[Term]) -> set[Term]:
    """Of `terms`, those that do not count at a witness."""
    factors: dict[int, tuple[int, int]] = {}
    silent = set()
    for number, side, wire in terms:
        if number not in factors:
            a, b = (sum(factor * values[other] for other, factor in form) % P for form in rows[number][:2])
            factors[number] = a, b
        a, b = factors[number]
        if not values[wire] * (b, a, 1)[side] % P:
            silent.add((number, side, wire))
    return silent


def is_only_factor(row: Row, side: int) -> bool:
    """Whether a side is a factor of one term in a product that is zero."""
    return side < 2 and len(row[side]) == 1 and not row[2]


# ------------------------------------------------------------------------------------------------------------ witnesses
def make_accepted(circuit: Circuit, name: str, count: int) -> Iterator[Wires]:
    """Accepted witnesses of a circuit: the named ones, those at the ends of every range, and `count` random ones."""
    if name == "transition":
        cases = [*ACCEPTED.values(), *ENDS.values(), *make_slot_cases(), *(draw_case(seed) for seed in range(count))]
        yield from (circuit.force(case.compute()) for case in cases)
        return
    for seed in range(1 + count):
        yield circuit.force(draw_stated(name, seed))


def make_slot_cases() -> Iterator[Case]:
    """Trades in which every leg picks every slot, and charges with all bits but the lowest or the highest: what random
    cases meet too seldom."""
    for first in range(SLOTS):
        yield Case(side=1, legs=[((first + leg) % SLOTS, 3 + leg) for leg in range(LEGS)])
    yield from (_priced(2**76 - 2), _priced(2**75 - 1))


def draw_case(seed: int) -> Case:
    """A random accepted transition: every quantity anywhere in its range, and slacks too."""
    draw = random.Random(seed)
    signed = lambda bits: draw.randint(-(2**bits), 2**bits - 1)  # noqa: E731
    slots = draw.sample(range(SLOTS), 4)
    legs, side = [(slot, signed(28)) for slot in slots], draw.choice([-1, 1])
    before, after = ([signed(30) for _ in range(SLOTS)] for _ in range(2))
    traded = {slot: side * lots for slot, lots in legs}
    case = Case(
        positions=before,
        cash=signed(79),
        key=draw.randrange(P),
        nonce=draw.randrange(2**32),
        side=side,
        write=draw.choice([1, 1, 0]),
        legs=legs,
        trade_cash=signed(63),
        salt=draw.randrange(P),
        cash_flow=signed(77),
        flow=[r - q - traded.get(slot, 0) for slot, (q, r) in enumerate(zip(before, after, strict=True))],
        drop=[draw.randint(0, 1) for _ in range(SLOTS)],
        payoff=[draw.randrange(2**36) for _ in range(SLOTS)],
        rule=make_rule(seed),
        helpers=[draw.randrange(2**60) for _ in range(HELPERS)],
        excess=[draw.randrange(2**60) for _ in range(EXCESS)],
        context=draw.randrange(2**248),
    )
    rule = case.rule.with_rows(constants=dict.fromkeys(range(ROWS), 0))
    values = case.but(rule=rule).slacks
    return case.but(
        rule=rule.with_rows(constants={row: draw.randrange(2**83) - value for row, value in enumerate(values)})
    )


def draw_stated(name: str, seed: int) -> dict[str, object]:
    """Random accepted inputs of `open`, `reveal` or `rekey`.

    Seed 0 is the named case. Seed 1 has a committee whose key is the neutral point, which the contract refuses and the
    circuit multiplies by a rule of its own. Seed 2 has the largest scalar.
    """
    draw = random.Random(seed)
    scalar = curve.L - 1 if seed == 2 else draw.randrange(1, curve.L)
    if name == "open":
        numbers = {"rho": scalar, "key": draw.randrange(P)}
        return (
            escrow_to_nobody(make_opening(**numbers), "key") if seed == 1 else make_opening(**(numbers if seed else {}))
        )
    numbers = {
        "positions": [draw.randint(-(2**30), 2**30 - 1) for _ in range(SLOTS)],
        "cash": draw.randint(-(2**80), 2**80 - 1),
        "key": draw.randrange(P),
        "nonce": draw.randrange(2**32),
    }
    if name == "reveal":
        return make_reveal(**(numbers if seed else {}))
    numbers |= {"key_new": draw.randrange(P), "scalar": scalar}
    drawn = make_rekey(**(numbers if seed else {}))
    return escrow_to_nobody(drawn, "keyNew") if seed == 1 else drawn


def escrow_to_nobody(inputs: dict[str, object], key: str) -> dict[str, object]:
    """Inputs with the committee's key at the neutral point, and what is escrowed to fit it."""
    escrowed = (inputs[key] + poseidon([tag("ESCROW"), 0, 1])) % P
    return inputs | {"committeeX": 0, "committeeY": 1, "escrowedKey": escrowed}


# --------------------------------------------------------------------------------------------------------------- ranges
def _priced(rate: int) -> Case:
    """One lot whose charges are both `rate`: a rate is public, and its bound is the publishers'."""
    return Case(positions=at(s0=1), rule=Rule(rate_long=[[rate] + [0] * (SLOTS - 1)] * 2))


def _traded(lots: int, cash: int) -> Case:
    return Case(side=1, legs=[(slot, lots) for slot in range(4)], trade_cash=cash)


def _certified(number: int, slack: int) -> Case:
    return Case(helpers=[number] * HELPERS, excess=[number] * EXCESS, rule=Rule(constants=[slack] * ROWS))


ENDS: Mapping[str, Case] = {
    "highest position": Case(positions=[2**30 - 1] * SLOTS),
    "lowest position": Case(positions=[-(2**30)] * SLOTS),
    "highest legs": _traded(2**28 - 1, 2**63 - 1),
    "lowest legs": _traded(-(2**28), -(2**63)),
    "highest certificate": _certified(2**60 - 1, 2**83 - 1),
    "lowest certificate": _certified(0, 0),
    "highest cash": Case(cash=2**80 - 1),
    "lowest cash": Case(cash=-(2**80)),
    "highest charge": _priced(2**76 - 1),
    "lowest charge": _priced(0),
}
"""Accepted cases with the numbers of a range at one of its ends."""
BEYOND: Mapping[str, Case] = {
    "position above": Case(positions=[2**30 - 1] * SLOTS, flow=[1] * SLOTS),
    "position below": Case(positions=[-(2**30)] * SLOTS, flow=[-1] * SLOTS),
    "legs above": _traded(2**28, 2**63),
    "legs below": _traded(-(2**28) - 1, -(2**63) - 1),
    "certificate above": _certified(2**60, 2**83),
    "certificate below": _certified(-1, -1),
    "cash above": Case(cash=2**80 - 1, cash_flow=1),
    "cash below": Case(cash=-(2**80), cash_flow=-1),
    "charge above": _priced(2**76),
    "charge below": _priced(-1),
}
"""Cases with the numbers of a range one beyond an end: "above" the highest, "below" the lowest."""


MOVES = frozenset({"high in", "low in", "high out", "low out"})
"""How the ends of a range can be moved by one."""


def find_ranges(circuit: Circuit) -> dict[str, list[str]]:
    """The bits, by name, of every decomposition of a circuit as it is written, by its component."""
    index, ranges = circuit.written.index, {}
    for name in index:
        stem, _, rest = name.rpartition(".out[")
        if rest == "0]" and f"{stem}.in" in index and f"{stem}.out[1]" in index:
            places = range(sum(other.startswith(f"{stem}.out[") for other in index))
            ranges[stem] = [f"{stem}.out[{place}]" for place in places]
    return ranges


def find_fixed_ends(circuit: Circuit, ranges: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Which of `MOVES` each range would not survive."""
    fixed: dict[str, set[str]] = {name: set() for name in ranges}
    for case in ENDS.values():
        wires = circuit.force(case.compute())
        assert circuit.find_failures(wires) == []
        for name, bits in ranges.items():
            values = {wires[bit] for bit in bits}
            fixed[name] |= {"high in"} if values == {1} else {"low in"} if values == {0} else set()
    for what, case in BEYOND.items():
        labels = {failure.label for failure in circuit.find_failures(circuit.force(case.compute()))}
        assert labels and labels <= fixed.keys(), f"{what}: also {labels - fixed.keys()}"
        for name in labels:
            fixed[name].add("high out" if what.endswith("above") else "low out")
    return fixed


def count_ends() -> dict[str, int]:
    """Ends of the ranges of `transition`, and how many of them could be moved; ranges that say a thing twice are not
    counted."""
    circuit = get_circuit("transition")
    fixed = find_fixed_ends(circuit, find_ranges(circuit))
    counted = [ends for name, ends in fixed.items() if not re.fullmatch(SAID_TWICE, name)]
    return {"ends": len(MOVES) * len(counted), "ends_open": sum(len(MOVES - ends) for ends in counted)}
