"""The margin report: what an account needs, why, and what it would need without netting."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.margin.definition import Requirement
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.margin.tail import expected_shortfall
from zkmargin.engine.margin.verdict import Verdict
from zkmargin.engine.market.instruments import Listing
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6


@dataclass(frozen=True)
class LevelReport:
    """The requirement at one level. US dollars."""

    requirement: float
    """What the account must have."""
    margin_excess: float
    """Equity less requirement; negative when margin is missing."""
    is_met: bool
    """Whether the definition's requirement is met, debt and exposure limits included."""
    binding: str
    """The rule that decides: "scenario grid" or "expected shortfall"; "charges per lot" where neither asks anything,
    "none" where nothing is required; "debt limit", "exposure limit" or "concentration limit" when that alone fails."""
    grid: float
    """Requirement by the scenario grid, with its factor, without add-ons."""
    expected_shortfall: float
    """Requirement by the expected shortfall: the level's share of kappa times that of the reduced sample."""
    contagion_buffer: float
    """Contagion buffer of all coins; 0 where the level does not ask for it."""
    concentration: float
    """Concentration charge of all coins; 0 where the level does not ask for it."""
    contributions: dict[str, float]
    """Parts that add up to the requirement: groups of the binding rule, transfer charge, buffers, each add-on."""
    verdict: Verdict
    """What the integer policy says."""


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
    initial: LevelReport
    """For taking risk on."""
    maintenance: LevelReport
    """For keeping it."""
    coins: dict[str, CoinReport]
    """By coin."""
    netting: float
    """What netting between the coins saves in the initial grid, after its charge."""
    transfer: float
    """Long exposure moved from the first coin's group of the first netting pair to the second's, BTC to ETH as shipped,
    US dollars; negative the other way."""
    worst_shortfall_scenario: str
    """The joint scenario with the largest loss."""
    sample_shortfall: float
    """Expected shortfall over the full sample's windows, without kappa and reduction; no rule asks it as it is."""
    shortfall_multiplier: float
    """kappa, by which the rule multiplies the reduced sample's expected shortfall."""
    segregated: Segregated
    """Comparison."""

    @property
    def levels(self) -> Mapping[str, LevelReport]:
        """Both levels by name."""
        return {"initial": self.initial, "maintenance": self.maintenance}

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers, the two levels under "levels"."""
        document = asdict(self)
        levels = {level: document.pop(level) for level in LEVELS}
        return document | {"levels": levels}

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_document(), indent=1, allow_nan=False) + "\n"


def _restrict(state: AccountState, slots: np.ndarray | list[int]) -> AccountState:
    """The same account with only these slots and no cash."""
    positions = np.zeros_like(state.positions)
    positions[slots] = state.positions[slots]
    return AccountState(positions, 0)


def report_level(house: HouseModel, state: AccountState, requirement: Requirement[float]) -> LevelReport:
    """One level: the requirement of `state` by the definition, and what its integer policy lacks."""
    refusal = house.find_refusal(house.policies[requirement.level], state)
    by_grid = requirement.grid >= requirement.shortfall
    if by_grid:
        contributions = {
            f"scenario grid {coin}": requirement.factor * loss for coin, loss in requirement.losses.items()
        }
        contributions["transfer charge"] = requirement.factor * requirement.transfer_charge
    else:
        contributions = {"expected shortfall": requirement.shortfall}
    contributions |= {f"contagion buffer {coin}": value for coin, value in requirement.buffers.items()}
    contributions |= {f"concentration {coin}": value for coin, value in requirement.concentrations.items()}
    contributions |= requirement.charges
    binding = "scenario grid" if by_grid else "expected shortfall"
    if not requirement.scenario_margin:
        binding = "charges per lot" if requirement.total else "none"
    if requirement.margin_excess >= 0 > requirement.debt_slack:
        binding = "debt limit"
    if requirement.margin_excess >= 0 > requirement.exposure_slack:
        binding = "exposure limit"
    if requirement.margin_excess >= 0 > requirement.concentration_slack:
        binding = "concentration limit"
    return LevelReport(
        requirement=requirement.total,
        margin_excess=requirement.margin_excess,
        is_met=requirement.is_met,
        binding=binding,
        grid=requirement.grid,
        expected_shortfall=requirement.shortfall,
        contagion_buffer=requirement.buffer,
        concentration=requirement.concentration,
        contributions=contributions,
        verdict=Verdict.of(house.policies[requirement.level], refusal),
    )


def describe_worst_cell(house: HouseModel, coin: Coin, requirement: Requirement[float]) -> str:
    """The grid cell in which the coin's group loses most, after netting; "none loses" when it loses in no cell."""
    if requirement.losses[coin] <= 0:
        return "none loses"
    return f"{coin} {house.grid.cells[coin][requirement.worst[coin]].label}"


def _report_coin(
    house: HouseModel, coin: Coin, state: AccountState, requirement: Requirement[float], alone: float
) -> CoinReport:
    listing = house.snapshot.listing
    span = listing.preset.span(coin)
    lots = state.positions[span]
    cell = requirement.worst[coin]
    by_position = -(house.grid_pnl[cell, span] * lots)
    count = int(np.count_nonzero(lots))
    worst = int(by_position.argmax()) if count and requirement.losses[coin] > 0 else None
    return CoinReport(
        positions=count,
        net_delta=float(house.exposures[span] @ lots),
        worst_scenario=describe_worst_cell(house, coin, requirement),
        worst_loss=requirement.losses[coin],
        worst_loss_alone=alone,
        worst_position=_name(listing, span.start + worst) if worst is not None else "",
        worst_position_loss=float(by_position[worst]) if worst is not None else 0.0,
    )


def _name(listing: Listing, slot: int) -> str:
    item = listing.instruments[slot]
    return item.name if item is not None else f"empty slot {slot}"


def _describe_worst_scenario(house: HouseModel, state: AccountState) -> str:
    """The joint scenario in which the account loses most."""
    model = house.shortfall
    slots = np.flatnonzero(state.positions)
    losses = -(model.pnl[:, slots] @ state.positions[slots])
    worst = int(losses.argmax())
    if losses[worst] <= 0:
        return "none loses"
    by_coin = zip(model.scenarios.coins, model.returns[worst], strict=True)
    moves = ", ".join(f"{coin} {move:+.1%}" for coin, move in by_coin)
    return f"{moves} in {model.scenarios.margin_period_days} days"


def _compute_sample_shortfall(house: HouseModel, state: AccountState) -> float:
    """Expected shortfall of `state` over every window of the sample, US dollars."""
    model, slots = house.shortfall, np.flatnonzero(state.positions)
    losses = -(model.sample_pnl[:, slots] @ state.positions[slots].astype(float))
    return float(expected_shortfall(losses[:, None], model.window_weights, model.sample_tail)[0])


def _compare_segregated(
    house: HouseModel, state: AccountState, total: float, coins_alone: Iterable[Requirement[float]]
) -> Segregated:
    """`total`, the initial requirement, beside the sums of its parts, each alone in an account."""
    each_position = sum(
        house.definition_requirement(_restrict(state, [slot]), "initial").total
        for slot in np.flatnonzero(state.positions).tolist()
    )
    return Segregated(
        each_position=float(each_position),
        each_coin=float(sum(requirement.total for requirement in coins_alone)),
        saving=1.0 - total / each_position if each_position > 0 else 0.0,
    )


def build_report(house: HouseModel, name: str, state: AccountState) -> MarginReport:
    """The margin report of an account.

    Parameters
    ----------
    house : HouseModel
    name : str
        What the report calls the account.
    state : AccountState
        Positions (N,) in lots and cash in micro-dollars.

    Raises
    ------
    StateOutOfRange
        If the state has another number of slots than the listing.
    """
    initial, maintenance = (house.definition_requirement(state, level) for level in LEVELS)
    coins = house.snapshot.listing.preset.coins
    alone = {
        coin: house.definition_requirement(_restrict(state, list(slots)), "initial") for coin, slots in coins.items()
    }
    loss_alone = {coin: max(requirement.losses[coin], 0.0) for coin, requirement in alone.items()}
    return MarginReport(
        portfolio=name,
        source=house.snapshot.source,
        time=house.snapshot.time,
        parameters=house.parameters.name,
        positions=state.open_positions,
        cash=state.cash / USD6,
        equity=initial.equity,
        initial=report_level(house, state, initial),
        maintenance=report_level(house, state, maintenance),
        coins={coin: _report_coin(house, coin, state, initial, loss_alone[coin]) for coin in coins},
        netting=initial.factor * sum(loss_alone.values()) - initial.grid,
        transfer=next(iter(initial.transfers.values()), 0.0),
        worst_shortfall_scenario=_describe_worst_scenario(house, state),
        sample_shortfall=_compute_sample_shortfall(house, state),
        shortfall_multiplier=house.shortfall.tail_weight / house.shortfall.get_tail_divisor("initial"),
        segregated=_compare_segregated(house, state, initial.total, alone.values()),
    )
