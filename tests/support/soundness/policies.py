"""Small random policies that pass every check, against the claim that a feasible policy is a met rule.

The *prover's side* is a linear programme over the bare rows: any helpers and excesses of at least zero, whatever they
are declared to be. It finds the least cash with which a state is feasible.

The *rule's side* is evaluated by the words of docs/protocol.md, section 5, in exact fractions and without the engine: a
loss is the largest of what its rows demand, a value the least of what its rows allow, an excess what its scenario
lacks, and a free pair is the best of every value that could be best: where two lines of its concave, piecewise linear
rows cross. A policy is cheated if its rows are feasible at a cash at which the rule is not met.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from scipy.optimize import linprog

from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.policy.record import HelperKind, Policy, blank_policy_fields
from zkmargin.engine.presets import Preset

PRESET = Preset("fuzz", slots=16, rows=36, excess_rows=6, helpers=9)
FIRST = PRESET.excess_rows
"""First row without an excess."""
SLOTS = (1, 2, 3, 5)
"""Slots with positions: a perpetual, a future and two options of one coin."""
LISTED = np.ones(PRESET.slots, dtype=bool)
PART = 2_500
"""Policies of one seed."""
ROUNDING = 1e-6
"""Fraction of a micro-dollar by which the programme's floats may be off; coefficients are small."""


# ------------------------------------------------------------------------------------------------------- generation
class Generator:
    """Draws policies of the documented forms, and alters them."""

    def __init__(self, seed: int):
        self.draw = random.Random(seed)

    def policies(self, count: int) -> Iterator[Policy]:
        """Policies that pass the checks, each after up to four random alterations."""
        made = 0
        while made < count:
            policy = self.make()
            if policy is not None:
                made += 1
                yield policy

    def make(self) -> Policy | None:
        """One policy; None if the checks refuse it."""
        fields = self._plan()
        for _ in range(self.draw.choice((0, 1, 1, 2, 2, 3, 4))):
            self._alter(fields)
        try:
            policy = Policy(name="fuzz", preset=PRESET, **fields)
            check_policy(policy, LISTED)
        except (PolicyError, OverflowError):
            return None
        return policy

    def _plan(self) -> dict[str, Any]:
        """One value, one to three groups, sometimes a transfer, a shortfall, charges and limits."""
        draw, fields = self.draw, blank_policy_fields(PRESET)
        fields["rate_long"][1, :] = fields["rate_short"][1, :] = 1
        fields["rate_long"][0, list(SLOTS)] = [draw.randint(0, 9) for _ in SLOTS]
        fields["rate_short"][0, list(SLOTS)] = [draw.randint(0, 9) for _ in SLOTS]
        fields["rate_short"][0, list(PRESET.collateral_slots)] = CLOSED_SIDE_RATE
        kinds, row, column = fields["helper_kinds"], FIRST, 0
        prices = [draw.randint(1, 40) for _ in SLOTS]

        value, column = column, column + 1
        kinds[value] = HelperKind.VALUE
        equity, total, row = row, row + 1, row + 2
        fields["positions"][equity, list(SLOTS)] = prices
        fields["cash"][equity], fields["charges"][equity] = 1, (-1, -draw.randint(1, 2))
        fields["helpers"][equity, value] = -1
        fields["helpers"][total, value] = draw.choice((1, 1, 2))
        groups = []
        for _ in range(draw.randint(1, 3)):
            groups.append(column)
            kinds[column] = HelperKind.LOSS
            factor = -draw.randint(1, 3) if len(groups) > 2 else -1
            fields["helpers"][total, column] = factor
            for _ in range(draw.randint(2, 4)):
                self._scenario(fields, row, draw.randint(-12, 12))
                fields["helpers"][row, column] = 1
                row += 1
            column += 1
        if len(groups) > 1 and draw.random() < 0.4:
            row, column = self._transfer(fields, groups[:2], total, row, column)
        if draw.random() < 0.5:
            row, column = self._shortfall(fields, value, row, column)
        if draw.random() < 0.4 and column < PRESET.helpers:
            row, column = self._charge(fields, equity, row, column)
        for _ in range(draw.randint(0, 2)):
            self._scenario(fields, row, 0)
            fields["constants"][row] = draw.randint(0, 500)
            row += 1
        return fields

    def _scenario(self, fields: dict[str, Any], row: int, move: int) -> None:
        """Profit and loss by slot: a move of the linear ones, anything of the options."""
        draw = self.draw
        fields["positions"][row, list(SLOTS)] = [move, move, draw.randint(-15, 15), draw.randint(-15, 15)]
        fields["charges"][row, 1] = -draw.randint(1, 2)

    def _transfer(
        self, fields: dict[str, Any], groups: Sequence[int], total: int, row: int, column: int
    ) -> tuple[int, int]:
        """Moves in proportion to the perpetual of each group, mirrored."""
        draw = self.draw
        rows = [[at for at in range(FIRST, row) if fields["helpers"][at, group] > 0] for group in groups]
        moves = [draw.choice((-30, -20, 20, 30, 40)) for _ in range(min(map(len, rows)))]
        for sign, members in zip((-1, 1), rows, strict=True):
            for at, member in enumerate(members):
                move = moves[at % len(moves)]
                fields["positions"][member, 1] = move
                fields["helpers"][member, column : column + 2] = (sign * move, -sign * move)
        fields["helper_kinds"][column : column + 2] = (HelperKind.FREE_PLUS, HelperKind.FREE_MINUS)
        charge = -draw.randint(1, 12)
        fields["helpers"][total, column : column + 2] = (charge, charge)
        return row, column + 2

    def _shortfall(self, fields: dict[str, Any], value: int, row: int, column: int) -> tuple[int, int]:
        draw = self.draw
        plus, count = column, draw.randint(2, 5)
        fields["helper_kinds"][plus : plus + 2] = (HelperKind.FREE_PLUS, HelperKind.FREE_MINUS)
        for scenario in range(count):
            self._scenario(fields, scenario, draw.randint(-20, 20))
            fields["helpers"][scenario, plus : plus + 2] = (1, -1)
            fields["soft"][scenario], fields["weights"][scenario] = 1, draw.randint(1, 4)
        weight = draw.randint(1, int(fields["weights"].sum()))
        fields["helpers"][row, value] = draw.randint(max(1, weight // 2), 2 * weight)
        fields["helpers"][row, plus : plus + 2] = (-weight, weight)
        fields["excess_total"][row] = -1
        return row + 1, column + 2

    def _charge(self, fields: dict[str, Any], equity: int, row: int, column: int) -> tuple[int, int]:
        """Chords of a convex charge on one exposure, both sides."""
        draw = self.draw
        fields["helper_kinds"][column] = HelperKind.LOSS
        exposure = np.array([draw.randint(1, 4), draw.randint(1, 4), draw.randint(-3, 3), draw.randint(-3, 3)])
        for slope, constant in ((1, 0), (2, draw.randint(5, 80)), (4, draw.randint(100, 300))):
            for sign in (-1, 1):
                fields["positions"][row, list(SLOTS)] = sign * slope * exposure
                fields["constants"][row] = constant
                fields["charges"][row, 1] = -1
                fields["helpers"][row, column] = 1
                row += 1
        fields["helpers"][equity, column] = -draw.randint(1, 2)
        return row, column + 1

    def _alter(self, fields: dict[str, Any]) -> None:
        """One number becomes another, in rows and columns that are used or next to them."""
        draw = self.draw
        used = np.flatnonzero(fields["positions"].any(axis=1) | fields["helpers"].any(axis=1)).tolist()
        row = draw.choice([*used, draw.randrange(PRESET.rows)])
        what = draw.choice(("helpers", "helpers", "helpers", "charges", "cash", "excess_total", "constants", "soft",
                            "weights", "positions", "kind", "rates"))  # fmt: skip
        if what == "helpers":
            fields[what][row, draw.randrange(PRESET.helpers)] = draw.choice((-3, -2, -1, 0, 1, 2, 3))
        elif what == "charges":
            fields[what][row, draw.randrange(2)] = draw.choice((-3, -1, 0, 1))
        elif what in ("cash", "excess_total"):
            fields[what][row] = draw.choice((0, 1) if what == "cash" else (0, -1))
        elif what == "constants":
            fields[what][row] = draw.choice((-50, -1, 0, 1, 50, 5_000))
        elif what in ("soft", "weights"):
            fields[what][draw.randrange(PRESET.excess_rows)] = draw.choice((0, 1) if what == "soft" else (0, 1, 5))
        elif what == "positions":
            fields[what][row, draw.choice(SLOTS)] = draw.randint(-30, 30)
        elif what == "kind":
            fields["helper_kinds"][draw.randrange(PRESET.helpers)] = draw.choice(list(HelperKind))
        else:
            fields[draw.choice(("rate_long", "rate_short"))][0, draw.choice(SLOTS)] = draw.randint(0, 30)


# ----------------------------------------------------------------------------------------------------------- the rule
Line = tuple[Fraction, Fraction]
"""Slope and height of a line in the free choice."""


@dataclass
class Rule:
    """A policy's meaning, read from its numbers and declared kinds alone."""

    policy: Policy
    bare: Sequence[int]
    """Value of each row without helpers, excess and X, at a state."""
    losses: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for column, kind in enumerate(self.policy.helper_kinds):
            {HelperKind.LOSS: self.losses, HelperKind.VALUE: self.values, HelperKind.FREE_PLUS: self.free}.get(
                kind, []
            ).append(column)
        policy = self.policy
        terms = [{column: weight for column, weight in enumerate(row) if weight} for row in policy.helpers.tolist()]
        self._rows = {
            row: terms[row]
            for row in range(policy.preset.rows)
            if terms[row] or policy.excess_total[row] or self.bare[row] < 0
        }

    def is_met(self, guess: Mapping[int, float] | None = None) -> bool:
        """Whether some choice of the free pairs satisfies every row.

        Parameters
        ----------
        guess : mapping of int to float, optional
            A choice to try first; where it fails, every one that could be best is tried.
        """
        if guess is not None and self._holds({column: Fraction(guess[column]) for column in self.free}):
            return True
        if any(value < 0 for value in self._evaluate(dict.fromkeys(self.free, Fraction(0)))[1]) and not self.free:
            return False
        choices: list[list[Fraction]] = [self._find_candidates(column) for column in self.free]
        return any(self._holds(dict(zip(self.free, choice, strict=True))) for choice in _product(choices))

    def _holds(self, chosen: Mapping[int, Fraction]) -> bool:
        return all(value >= 0 for value in self._evaluate(chosen)[1])

    def _evaluate(self, chosen: Mapping[int, Fraction]) -> tuple[dict[int, Fraction], list[Fraction]]:
        """Helpers by the rule, and the rows with them."""
        helpers: dict[int, Fraction] = {}
        for column, value in chosen.items():
            helpers[column], helpers[column + 1] = max(value, Fraction(0)), max(-value, Fraction(0))

        def row_value(row: int, without: int = -1) -> Fraction:
            terms = self._rows[row].items()
            return self.bare[row] + sum(
                (w * helpers.get(c, Fraction(0)) for c, w in terms if c != without), Fraction(0)
            )

        for column in self.losses:
            bounds = [row for row in self._rows if self._rows[row].get(column, 0) > 0 and self._is_bound(row, column)]
            helpers[column] = max([Fraction(0), *(-row_value(row, column) for row in bounds)])
        for column in self.values:
            bounds = [row for row in self._rows if self._rows[row].get(column, 0) < 0 and self._is_bound(row, column)]
            helpers[column] = min((row_value(row, column) for row in bounds), default=Fraction(0))
        negative = [helpers[column] for column in self.values if helpers[column] < 0]
        policy = self.policy
        soft = policy.soft.tolist()
        excess = {row: max(Fraction(0), -row_value(row)) for row in self._rows if row < len(soft) and soft[row]}
        total = sum((int(policy.weights[row]) * value for row, value in excess.items()), Fraction(0))
        rows = [row_value(row) + int(policy.excess_total[row]) * total + excess.get(row, 0) for row in self._rows]
        return helpers, rows + negative

    def _is_bound(self, row: int, column: int) -> bool:
        """Whether a row is one of those that bound a loss from below (nothing but positions and free pairs beside it),
        or a value from above (cash, positions, and losses that are subtracted)."""
        others = [(other, weight) for other, weight in self._rows[row].items() if other != column]
        if self.policy.excess_total[row] or (row < self.policy.preset.excess_rows and self.policy.soft[row]):
            return False
        if column in self.losses:
            return not self.policy.cash[row] and all(other not in (*self.losses, *self.values) for other, _ in others)
        return all(other in self.losses and weight < 0 for other, weight in others)

    def _find_candidates(self, column: int) -> list[Fraction]:
        """Where the rows that depend on the pair change slope, or cross zero or each other in between.

        All other free pairs are zero here; `is_met` is exact where no row depends on two of them.
        """
        kinks = {Fraction(0)}
        lines: dict[int, list[Line]] = {}
        for row, terms in self._rows.items():
            if column not in terms and column + 1 not in terms:
                continue
            slope = Fraction(terms.get(column, 0))
            others = {c: w for c, w in terms.items() if c not in (column, column + 1)}
            target = next((c for c in others if c in self.losses and others[c] > 0), -row - 1)
            lines.setdefault(target, []).append((slope, Fraction(self.bare[row])))
        for members in lines.values():
            for (slope, height), (other, level) in combinations([*members, (Fraction(0), Fraction(0))], 2):
                if slope != other:
                    kinks.add((level - height) / (slope - other))
        ordered = sorted(kinks)
        return [*ordered, *self._find_crossings(column, ordered)]

    def _find_crossings(self, column: int, ordered: Sequence[Fraction]) -> list[Fraction]:
        """On each piece the rows are straight lines: where two of them, or one and zero, cross."""
        ends = [ordered[0] - 1_000_000, *ordered, ordered[-1] + 1_000_000]
        found = []
        for low, high in pairwise(ends):
            first, second = (self._evaluate(self._only(column, at))[1] for at in (low, high))
            pieces = {
                (a, (b - a) / (high - low)) for a, b in zip(first, second, strict=True) if a != b and min(a, b) < 0
            }
            for (height, slope), (level, other) in combinations([*pieces, (Fraction(0), Fraction(0))], 2):
                if slope != other:
                    at = low + (level - height) / (slope - other)
                    if low < at < high:
                        found.append(at)
        return found

    def _only(self, column: int, value: Fraction) -> dict[int, Fraction]:
        return {other: value if other == column else Fraction(0) for other in self.free}


def _product(choices: Sequence[Sequence[Fraction]]) -> Iterator[tuple[Fraction, ...]]:
    if not choices:
        yield ()
        return
    for first in choices[0]:
        for rest in _product(choices[1:]):
            yield (first, *rest)


# --------------------------------------------------------------------------------------------------------- the prover
def compute_bare(policy: Policy, lots: Mapping[int, int], cash: int) -> list[int]:
    """Each row without helpers, excess and X, from the document: positions, cash, charges by side, constant."""
    charges = [
        sum(
            int(policy.rate_long[k, slot]) * max(q, 0) + int(policy.rate_short[k, slot]) * max(-q, 0)
            for slot, q in lots.items()
        )
        for k in range(2)
    ]
    return [
        sum(int(policy.positions[row, slot]) * q for slot, q in lots.items())
        + int(policy.cash[row]) * cash
        + sum(int(policy.charges[row, k]) * charges[k] for k in range(2))
        + policy.constants[row]
        for row in range(policy.preset.rows)
    ]


def find_least_cash(policy: Policy, lots: Mapping[int, int]) -> tuple[float, np.ndarray] | None:
    """The least cash at which the bare rows have a solution, down to `-1e6`, with its helpers; None if none has."""
    preset = policy.preset
    bare = compute_bare(policy, lots, 0)
    used = [
        row
        for row in range(preset.rows)
        if policy.helpers[row].any() or policy.excess_total[row] or policy.cash[row] or bare[row] < 0
    ]
    soft = policy.soft.astype(float)
    on_total = policy.excess_total[used].astype(float)
    own = np.zeros((len(used), preset.excess_rows))
    for place, row in enumerate(used):
        if row < preset.excess_rows:
            own[place, row] = soft[row]
    excess = own + np.outer(on_total, policy.weights * soft)
    columns = np.hstack([policy.helpers[used], excess, policy.cash[used][:, None]]).astype(float)
    cost = np.zeros(columns.shape[1])
    cost[-1] = 1.0
    bounds = [(0, None)] * (columns.shape[1] - 1) + [(-1e6, 1e6)]
    solved = linprog(cost, A_ub=-columns, b_ub=[float(bare[row]) for row in used], bounds=bounds, method="highs")
    return (float(solved.x[-1]), solved.x[: preset.helpers]) if solved.status == 0 else None


@dataclass
class Outcome:
    """What became of the policies."""

    policies: int = 0
    """That passed every check."""
    attacked: int = 0
    """Of them, those that some cash makes feasible."""
    cheated: list[tuple[Policy, dict[int, int], int]] = field(default_factory=list)
    """Policy, lots and cash at which the rows are feasible and the rule is not met."""


def attack_all(count: int) -> Outcome:
    """Attacks `count` policies in parts, on every core."""
    parts = [(min(PART, count - start), start) for start in range(0, count, PART)]
    whole = Outcome()
    with ProcessPoolExecutor() as pool:
        for outcome in pool.map(attack, *zip(*parts, strict=True)):
            whole.policies += outcome.policies
            whole.attacked += outcome.attacked
            whole.cheated += outcome.cheated
    return whole


def attack(count: int, seed: int = 0) -> Outcome:
    """Attacks `count` policies, each at one random book."""
    generator, outcome = Generator(seed), Outcome()
    for policy in generator.policies(count):
        outcome.policies += 1
        lots = {slot: generator.draw.randint(-40, 40) for slot in SLOTS}
        cash = find_feasible_cash(policy, lots)
        if cash is not None:
            outcome.attacked += 1
            if not is_met(policy, lots, cash):
                outcome.cheated.append((policy, lots, cash[0]))
    return outcome


def find_feasible_cash(policy: Policy, lots: Mapping[int, int]) -> tuple[int, dict[int, float]] | None:
    """The least whole cash at which the bare rows are feasible, with the prover's choice of each free pair."""
    found = find_least_cash(policy, lots)
    if found is None:
        return None
    least, helpers = found
    pairs = policy.get_columns(HelperKind.FREE_PLUS)
    return int(np.ceil(least + ROUNDING)), {plus: helpers[plus] - helpers[plus + 1] for plus in pairs}


def is_met(policy: Policy, lots: Mapping[int, int], feasible: tuple[int, dict[int, float]]) -> bool:
    """Whether the rule is met at that cash."""
    cash, choice = feasible
    return Rule(policy, compute_bare(policy, lots, cash)).is_met(choice)
