"""Each constraint of a proved circuit is left out in turn, and is missed: or it is on the list below, with the reason.

A constraint counts as killed by *rank* if it is independent of all others at an accepted witness (`rank.py`): what the
others leave is then larger without it. To first order a constraint can be spared although it decides between values
far apart; such ones are killed by a *cheating witness*, which breaks that constraint alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.support import babyjub_reference as curve
from tests.support.circuit_cases import ACCEPTED, TRADE, fit
from tests.support.circuit_harness import Circuit, P, Wires, get_circuit
from tests.support.circuit_reference import SLOTS, commit, tag
from tests.support.poseidon_reference import poseidon
from tests.support.soundness.rank import differentiate, find_kernel, transpose
from tests.support.stated_cases import make_rekey, make_reveal

COMPARED = (
    "The scalar's comparison with the order, and the bits that it compares: one of some 410 constraints follows from "
    "the others to first order, as bits cannot move a little. Scalars beyond the order, which only the comparison "
    "refuses, are tests (tests/prover/circuits/test_open.py)."
)
EXPLAINED: Mapping[str, Mapping[str, str]] = {
    "transition": {
        r"word\.slotRange\..*": "A leg's slot is the one that was picked, hence below N: its eight bits say it again.",
    },
    "open": {r"escrow\.(rho\.|point\.e\[).*": COMPARED},
    "reveal": {},
    "rekey": {r"escrow\.(rho\.|point\.e\[).*": COMPARED},
}
"""Why a constraint is not shown to be missed, by circuit and by a pattern of its last signal, in the order of names."""


@dataclass
class Outcome:
    """What became of the constraints of one circuit."""

    circuit: str
    constraints: int
    by_rank: int
    """Independent of all others at some accepted witness."""
    by_witness: list[int] = field(default_factory=list)
    """Broken alone by a cheating witness."""
    explained: dict[int, str] = field(default_factory=dict)
    """Reason by constraint."""
    unexplained: list[int] = field(default_factory=list)

    @property
    def killed(self) -> int:
        """Constraints that are missed."""
        return self.by_rank + len(self.by_witness)


def mutate(name: str, cases: int | None = None) -> Outcome:
    """Leaves each constraint of a circuit out in turn.

    Parameters
    ----------
    cases : int, optional
        How many accepted witnesses are looked at; all by default.
    """
    circuit = get_circuit(name)
    rows, spared = circuit.simplified.rows, None
    for wires in [*make_witnesses(name)][:cases]:
        found = find_dependent(circuit, wires)
        spared = found if spared is None else spared & found
    left = spared or set()
    outcome = Outcome(name, len(rows), len(rows) - len(left))
    cheats = {number for cheat in CHEATS.get(name, ()) for number in cheat(circuit)}
    for number in sorted(left):
        signal = max(circuit.simplified.describe(number).signals)
        reasons = [reason for pattern, reason in EXPLAINED[name].items() if re.fullmatch(pattern, signal)]
        if number in cheats:
            outcome.by_witness.append(number)
        elif reasons:
            outcome.explained[number] = reasons[0]
        else:
            outcome.unexplained.append(number)
    return outcome


def find_dependent(circuit: Circuit, wires: Wires) -> set[int]:
    """Constraints that are in a combination that vanishes to first order at an accepted witness."""
    values = circuit.simplify(wires)
    rows = circuit.simplified.rows
    assert not circuit.simplified.find_failing(values)
    kernel = find_kernel(transpose(differentiate(rows, values)), range(len(rows)))
    return {number for vector in kernel for number in vector}


def find_movable(circuit: Circuit, wires: Wires) -> list[list[str]]:
    """Private wires that can move together while the public signals stay, to first order: one list for each freedom."""
    values = circuit.simplify(wires)
    public = range(circuit.proved.facts.public_inputs + 1)
    gradients = differentiate(circuit.simplified.rows, values, set(public))
    kernel = find_kernel(gradients, range(len(public), len(values)))
    return [sorted(circuit.simplified.names[wire][0] for wire in vector) for vector in kernel]


# ------------------------------------------------------------------------------------------------------------ witnesses
def make_witnesses(name: str) -> Iterator[Wires]:
    """Accepted witnesses of a circuit."""
    circuit = get_circuit(name)
    if name == "transition":
        yield from (circuit.force(case.compute()) for case in ACCEPTED.values())
    else:
        yield circuit.force({"open": make_opening, "reveal": make_reveal, "rekey": make_rekey}[name]())


def make_opening(rho: int = 123_456_789, key: int = 987_654_321) -> dict[str, int]:
    """Inputs of `open`: an escrow to a committee whose scalar is 11."""
    committee = curve.multiply(11, curve.BASE8)
    shared = curve.multiply(rho, committee)
    ephemeral = curve.multiply(rho, curve.BASE8)
    return {
        "commitment": commit(key, 0, [0] * SLOTS, 0),
        "ephemeralX": ephemeral[0],
        "ephemeralY": ephemeral[1],
        "escrowedKey": (key + poseidon([tag("ESCROW"), *shared])) % P,
        "committeeX": committee[0],
        "committeeY": committee[1],
        "context": 2**247 + 11,
        "key": key,
        "ephemeralScalar": rho,
    }


# --------------------------------------------------------------------------------------------------- cheating witnesses
def pick_another_slot(circuit: Circuit) -> Iterator[int]:
    """A leg whose word names one slot and whose lots move in another: the trade's other side would not cancel it."""
    for leg, (_slot, lots) in enumerate(TRADE.legs):
        elsewhere = next(other for other in range(SLOTS) if other not in {taken for taken, _ in TRADE.legs})
        legs = [*TRADE.legs[:leg], (elsewhere, lots), *TRADE.legs[leg + 1 :]]
        moved, named = circuit.force(TRADE.compute()), circuit.force(fit(TRADE.but(legs=legs)).compute())
        words = ("legSlot", "legs.legSlot", f"legs.leg[{leg}].slot", "word", "tag", "tradeTag", "hidden", "ciphertext")
        failing = circuit.simplified.find_failing(circuit.simplify(moved.graft(named, *words)))
        if len(failing) == 1:
            yield failing[0]


def escrow_beyond_the_order(circuit: Circuit) -> Iterator[int]:
    """rho + l gives the same points: a scalar would have two forms."""
    inputs = make_opening() if "commitment" in circuit.written.index else make_rekey()
    forced = circuit.force(inputs | {"ephemeralScalar": inputs["ephemeralScalar"] + curve.L})
    failing = circuit.simplified.find_failing(circuit.simplify(forced))
    if len(failing) == 1:
        yield failing[0]


CHEATS: Mapping[str, Sequence[Callable[[Circuit], Iterator[int]]]] = {
    "transition": (pick_another_slot,),
    "open": (escrow_beyond_the_order,),
    "rekey": (escrow_beyond_the_order,),
}
"""By circuit, what yields constraints that a cheating witness breaks alone."""
