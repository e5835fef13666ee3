"""Where a requirement comes from: the scenarios that bind, what each leg carries, and what one more lot would cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.desk.distance import WorstDirection, measure_loss_distance
from zkmargin.engine.desk.labels import BUFFER, CONCENTRATION, describe_house_row, describe_rule
from zkmargin.engine.desk.requirement_programme import ONE_MARGINAL_USD, ONE_VALUE, RequirementProgramme
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.report import report_level

LEAST_WEIGHT = 1e-9
"""Rows with a smaller dual variable do not bind."""


@dataclass(frozen=True)
class BindingRow:
    """A scenario or chord that carries a part of the requirement. US dollars."""

    row: int
    """Row of the policy."""
    rule: str
    """"scenario grid", "expected shortfall" or "contagion buffer"."""
    label: str
    """In words."""
    weight: float
    """Dual variable: the requirement rises by so much per dollar of loss in this row."""
    loss: float
    """What the book loses there; for a chord its slope times the exposure."""
    part: float
    """weight times loss."""


@dataclass(frozen=True)
class Leg:
    """One position's part. US dollars."""

    name: str
    """Instrument."""
    lots: int
    """Signed."""
    marginal: float
    """Change of the requirement per lot bought, at the weights shown."""
    left: float
    """The same for the last lot: derivative from below."""
    right: float
    """The same for the next lot: derivative from above; equal to `left` where nothing ties."""
    scenarios: float
    """lots times marginal, the part of grid and shortfall."""
    buffer: float
    """The part of the contagion buffer, its constants apart."""
    concentration: float
    """The part of the concentration charge, its constants apart."""
    charges: float
    """The part of the charges per lot."""

    @property
    def contribution(self) -> float:
        """lots times marginal."""
        return self.scenarios + self.buffer + self.concentration + self.charges


@dataclass(frozen=True)
class Explanation:
    """A requirement taken apart. US dollars."""

    portfolio: str
    """Whose."""
    level: str
    """"initial" or "maintenance"."""
    requirement: float
    """What the integer policy asks, its rounding charge included."""
    definition: float
    """What the definition asks; at most a rounding allowance less."""
    rules: dict[str, float]
    """The definition's parts, as the margin report shows them."""
    binding: tuple[BindingRow, ...]
    """Rows with a weight, the largest part first."""
    legs: tuple[Leg, ...]
    """Positions, the largest contribution first."""
    distance: WorstDirection | None
    """How far the market must move, where equity falls most, until maintenance fails; none where not asked for."""
    constants: float
    """What belongs to no leg: constants of the buffer's chords, at most 0."""
    is_unique: bool
    """Whether the weights are the only ones. If not, scenarios tie and the weights are one choice of several."""
    has_unique_marginals: bool
    """Whether every leg's left and right derivative agree. If not, marginals and contributions are one choice of
    several too, and `left` and `right` say how far the choices reach."""

    @property
    def total(self) -> float:
        """Sum of the legs' contributions and the constants: the requirement."""
        return sum(leg.contribution for leg in self.legs) + self.constants

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        document = asdict(self) | {"total": self.total}
        for row, leg in zip(document["legs"], self.legs, strict=True):
            row["contribution"] = leg.contribution
        return document


def explain_requirement(
    house: HouseModel, name: str, state: AccountState, level: str = "initial", with_distance: bool = False
) -> Explanation:
    """Take the requirement of an account apart.

    Parameters
    ----------
    house : HouseModel
    name : str
        What the result calls the account.
    state : AccountState
    level : str
        "initial" or "maintenance".
    with_distance : bool
        Whether to say how far a margin call is.

    Raises
    ------
    UnknownName
        If there is no such level.
    """
    policy = house.get_solvency_policy(level)
    programme = RequirementProgramme(policy, state.positions)
    report = report_level(house, state, house.definition_requirement(state, level))
    legs = _list_legs(house, programme)
    return Explanation(
        portfolio=name,
        level=level,
        requirement=programme.requirement,
        definition=report.requirement,
        rules=report.contributions,
        binding=_list_binding(house, programme),
        legs=legs,
        distance=measure_loss_distance(house, state) if with_distance else None,
        constants=programme.get_constant_part(programme.duals),
        is_unique=programme.is_unique,
        has_unique_marginals=all(_agree(leg.left, leg.right) for leg in legs),
    )


def _agree(left: float, right: float) -> bool:
    return abs(right - left) <= ONE_MARGINAL_USD + ONE_VALUE * max(abs(left), abs(right))


def _list_binding(house: HouseModel, programme: RequirementProgramme) -> tuple[BindingRow, ...]:
    policy, lots = programme.policy, programme.positions[programme.slots]
    binding = []
    for index in np.flatnonzero(programme.duals > LEAST_WEIGHT):
        row, weight = int(programme.rows[index]), float(programme.duals[index])
        if not programme.exposure[index].any():
            continue
        loss = -float(programme.exposure[index] @ lots)
        rule, label = describe_rule(policy, row), describe_house_row(house, policy, row)
        binding.append(BindingRow(row, rule, label, weight, loss, weight * loss))
    return tuple(sorted(binding, key=lambda item: (-item.part, item.row)))


def _list_legs(house: HouseModel, programme: RequirementProgramme) -> tuple[Leg, ...]:
    duals, lots = programme.duals, programme.positions[programme.slots]
    rules = [describe_rule(programme.policy, int(row)) for row in programme.rows]
    in_buffer, in_concentration = (np.array([rule == name for rule in rules]) for name in (BUFFER, CONCENTRATION))
    scenarios, buffer, concentration = (
        -(duals * which) @ programme.exposure
        for which in (~(in_buffer | in_concentration), in_buffer, in_concentration)
    )
    charges = programme.get_charge_weights(duals) @ programme.rates
    marginals = programme.get_marginals(duals)
    left, right = programme.sides
    legs = [
        Leg(
            name=house.snapshot.listing.at(slot).name,
            lots=int(lots[index]),
            marginal=float(marginals[index]),
            left=float(left[index]),
            right=float(right[index]),
            scenarios=float(lots[index] * scenarios[index]),
            buffer=float(lots[index] * buffer[index]),
            concentration=float(lots[index] * concentration[index]),
            charges=float(lots[index] * charges[index]),
        )
        for index, slot in enumerate(programme.slots)
    ]
    return tuple(sorted(legs, key=lambda leg: (-leg.contribution, leg.name)))
