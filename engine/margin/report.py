"""The margin report: what an account needs, why, and what it would need without netting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.margin.definition import Definition, Requirement
from zkmargin.engine.margin.parameters import LEVELS, Parameters, load_parameters
from zkmargin.engine.margin.policies import HouseModel, build_policies
from zkmargin.engine.market.instruments import Listing
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class LevelReport:
    """The requirement at one level. US dollars."""

    requirement: float
    """What the account must have."""
    margin_excess: float
    """Equity less requirement; negative when margin is missing."""
    is_met: bool
    """Whether the definition's requirement is met, the debt limit included."""
    binding: str
    """The rule that decides: "scenario grid", "expected shortfall", or "debt limit" or "exposure limit" when that
    alone fails."""
    grid: float
    """Requirement by the scenario grid, with its factor, without add-ons."""
    expected_shortfall: float
    """Requirement by the expected shortfall; 0 where the level does not ask for it."""
    contagion_buffer: float
    """Contagion buffer of all coins; 0 where the level does not ask for it."""
    contributions: dict[str, float]
    """Parts that add up to the requirement: groups of the binding rule, transfer charge, buffers, each add-on."""
    missing_usd6: int
    """Cash that the integer policy lacks, micro-dollars; 0 when a proof is possible."""


@dataclass(frozen=True)
class CoinReport:
    """One coin's group."""

    positions: int
    """Slots held."""
    net_delta: float
    """Delta at the index, US dollars."""
    worst_scenario: str
    """The cell in which the group loses most, after netting; "none loses" when the group loses in no cell."""
    worst_loss: float
    """Loss in that cell, US dollars, after netting."""
    worst_loss_alone: float
    """Worst loss of the coin without netting against the other."""
    worst_position: str
    """The instrument that loses most in that cell; empty without positions."""
    worst_position_loss: float
    """Its loss, US dollars."""


@dataclass(frozen=True)
class Segregated:
    """Initial requirement without portfolio margin, US dollars."""

    each_position: float
    """Sum over positions, each alone in an account."""
    each_coin: float
    """Sum over coins, each alone in an account."""
    saving: float
    """1 - requirement / each_position; 0 without positions."""


@dataclass(frozen=True)
class MarginReport:
    """Margin of one account at one snapshot, for people and as JSON. US dollars."""

    portfolio: str
    """Whose."""
    source: str
    """Market data."""
    time: int
    """Unix seconds of the snapshot."""
    parameters: str
    """Parameter file."""
    positions: int
    """Slots held."""
    cash: float
    """Signed."""
    equity: float
    """Cash and the value of every position."""
    levels: dict[str, LevelReport]
    """"initial" and "maintenance"."""
    coins: dict[str, CoinReport]
    """By coin."""
    netting: float
    """What netting between the coins saves in the initial grid, after its charge."""
    transfer: float
    """Long exposure moved from the BTC group to the ETH group, US dollars; negative the other way."""
    worst_shortfall_scenario: str
    """The joint scenario with the largest loss."""
    segregated: Segregated
    """Comparison."""

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return asdict(self)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_document(), indent=1, allow_nan=False) + "\n"


def _restrict(state: AccountState, slots: np.ndarray | list[int]) -> AccountState:
    """The same account with only these slots and no cash."""
    positions = np.zeros_like(state.positions)
    positions[slots] = state.positions[slots]
    return AccountState(positions, 0)


def _find_missing(policy: Policy, state: AccountState) -> int:
    try:
        find_certificate(policy, state)
    except RequirementNotMet as refusal:
        return max(refusal.missing_usd6, 1)
    return 0


def _report_level(requirement: Requirement, missing: int) -> LevelReport:
    by_grid = requirement.grid >= requirement.shortfall
    if by_grid:
        contributions = {
            f"scenario grid {coin}": requirement.factor * loss for coin, loss in requirement.losses.items()
        }
        contributions["transfer charge"] = requirement.factor * requirement.transfer_charge
    else:
        contributions = {"expected shortfall": requirement.shortfall}
    contributions |= {f"contagion buffer {coin}": value for coin, value in requirement.buffers.items()}
    contributions |= requirement.charges
    binding = "scenario grid" if by_grid else "expected shortfall"
    if requirement.margin_excess >= 0 > requirement.cash_slack:
        binding = "debt limit"
    if requirement.margin_excess >= 0 > requirement.exposure_slack:
        binding = "exposure limit"
    return LevelReport(
        requirement=float(requirement.total),
        margin_excess=float(requirement.margin_excess),
        is_met=requirement.is_met,
        binding=binding,
        grid=float(requirement.grid),
        expected_shortfall=float(requirement.shortfall),
        contagion_buffer=float(requirement.buffer),
        contributions={name: float(value) for name, value in contributions.items()},
        missing_usd6=missing,
    )


def _report_coin(
    coin: str, definition: Definition, house: HouseModel, state: AccountState, requirement: Requirement, alone: float
) -> CoinReport:
    slots = definition.preset.coins[coin]
    own = slice(slots.start, slots.stop)
    lots = state.positions[own]
    cell, listing = requirement.worst[coin], definition.snapshot.listing
    by_position = -(house.grid.pnl[cell, own] * lots)
    held = np.flatnonzero(lots)
    loses = requirement.losses[coin] > 0
    worst = int(by_position.argmax()) if held.size and loses else None
    return CoinReport(
        positions=int(held.size),
        net_delta=float(house.exposures[own] @ lots),
        worst_scenario=f"{coin} {definition.cells[coin][cell].label}" if loses else "none loses",
        worst_loss=float(requirement.losses[coin]),
        worst_loss_alone=alone,
        worst_position=_name(listing, slots.start + worst) if worst is not None else "",
        worst_position_loss=float(by_position[worst]) if worst is not None else 0.0,
    )


def _name(listing: Listing, slot: int) -> str:
    item = listing.instruments[slot]
    return item.name if item is not None else f"empty slot {slot}"


def build_report(
    name: str,
    state: AccountState,
    snapshot: MarketSnapshot,
    parameters: Parameters | None = None,
    policies: Mapping[str, Policy] | None = None,
) -> MarginReport:
    """The margin report of an account.

    Parameters
    ----------
    name : str
        What the report calls the account.
    state : AccountState
        Positions (N,) in lots and cash in micro-dollars.
    snapshot : MarketSnapshot
    parameters : Parameters, optional
        The shipped ones by default.
    policies : mapping of str to Policy, optional
        The epoch's, when they are already built.

    Raises
    ------
    StateOutOfRange
        If the state has another number of slots than the listing.
    """
    parameters = parameters or load_parameters()
    house = HouseModel(snapshot, parameters)
    definition = Definition(snapshot, parameters, house)
    policies = policies or build_policies(snapshot, parameters)
    missing = {level: _find_missing(policies[level], state) for level in LEVELS}
    requirements = {level: definition.compute_requirement(state, level) for level in LEVELS}
    initial = requirements["initial"]
    held = np.flatnonzero(state.positions)
    coin_alone = {
        coin: definition.compute_requirement(_restrict(state, list(definition.preset.coins[coin])), "initial")
        for coin in Coin
    }
    each_position = sum(
        float(definition.compute_requirement(_restrict(state, [slot]), "initial").total) for slot in held
    )
    loss_alone = {coin: float(max(coin_alone[coin].losses[coin], 0)) for coin in Coin}
    each_coin = sum(float(requirement.total) for requirement in coin_alone.values())
    scenario_losses = -(house.shortfall.pnl[:, held] @ state.positions[held])
    worst = int(scenario_losses.argmax())
    moves = ", ".join(f"{coin} {move:+.1%}" for coin, move in zip(Coin, house.shortfall.returns[worst], strict=True))
    return MarginReport(
        portfolio=name,
        source=snapshot.source,
        time=snapshot.time,
        parameters=parameters.name,
        positions=int(held.size),
        cash=state.cash / USD6,
        equity=float(initial.equity),
        levels={level: _report_level(requirements[level], missing[level]) for level in LEVELS},
        coins={coin: _report_coin(coin, definition, house, state, initial, loss_alone[coin]) for coin in Coin},
        netting=float(initial.factor) * sum(loss_alone.values()) - float(initial.grid),
        transfer=float(initial.transfer),
        worst_shortfall_scenario=f"{moves} in {definition.scenarios.margin_period_days} days"
        if scenario_losses[worst] > 0
        else "none loses",
        segregated=Segregated(
            each_position=each_position,
            each_coin=each_coin,
            saving=1.0 - float(initial.total) / each_position if each_position > 0 else 0.0,
        ),
    )


def render(report: MarginReport) -> RenderableType:
    """The report as rich tables: requirement by level with its parts, worst scenario by coin, comparison."""
    from rich.console import Group
    from rich.table import Table

    def make(title: str, *columns: str) -> Table:
        table = Table(title=title, title_justify="left", header_style="bold", expand=False)
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        return table

    def usd(value: float) -> str:
        return f"{value:,.2f}"

    margin = make(f"Margin of {report.portfolio}, US dollars ({report.positions} positions)", "", *report.levels)
    margin.add_row("equity", *(usd(report.equity) for _ in report.levels))
    names = dict.fromkeys(name for level in report.levels.values() for name in level.contributions)
    for name in names:
        values = [level.contributions.get(name) for level in report.levels.values()]
        if any(values):
            margin.add_row(f"  {name}", *("" if value is None else usd(value) for value in values))
    margin.add_row("requirement", *(f"[bold]{usd(level.requirement)}[/]" for level in report.levels.values()))
    margin.add_row(
        "excess",
        *(
            f"[{'green' if level.margin_excess >= 0 else 'red'}]{usd(level.margin_excess)}[/]"
            for level in report.levels.values()
        ),
    )
    margin.add_row("binding rule", *(level.binding for level in report.levels.values()))
    margin.add_row(
        "can be proved",
        *(
            "yes" if not level.missing_usd6 else f"no, {usd(level.missing_usd6 / USD6)} missing"
            for level in report.levels.values()
        ),
    )

    coins = make(
        "Worst scenario by coin", "coin", "positions", "net delta", "worst scenario", "loss", "alone", "most by"
    )
    for coin, row in report.coins.items():
        coins.add_row(
            coin,
            str(row.positions),
            usd(row.net_delta),
            row.worst_scenario,
            usd(row.worst_loss),
            usd(row.worst_loss_alone),
            f"{row.worst_position} {usd(row.worst_position_loss)}".strip(),
        )

    compared = make("Initial requirement without netting", "", "US dollars")
    compared.add_row("each position alone", usd(report.segregated.each_position))
    compared.add_row("each coin alone", usd(report.segregated.each_coin))
    compared.add_row("this account", usd(report.levels["initial"].requirement))
    compared.add_row("netting between coins saves", usd(report.netting))
    compared.add_row("saved against each position alone", f"{report.segregated.saving:.1%}")
    shortfall = report.levels["initial"].expected_shortfall
    compared.add_row(f"expected shortfall 97.5 % (worst: {report.worst_shortfall_scenario})", usd(shortfall))
    return Group(margin, coins, compared)
