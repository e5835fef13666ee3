"""Stress runs: what named moves of the market do to an account and to its margin afterwards.

A stress makes a market that has moved; equity and requirements are those of the definition
(`engine.margin.definition`) in that market, with the account's positions unchanged. Nothing here is part of a policy:
the figures stand beside the requirement and say what it covers.

A publisher's next snapshot would not only hold the new prices. So a stress also moves what the market remembers of it:
the forecast of daily volatility, by the filter of the sample, with the move as the day's return; and the contagion
multiplier, by the rule of `engine.contagion`, with the move as a cluster of large hourly moves within one day.

The joint stress is read off the grid itself, without its factor: with correlation one, both coins' worst cells among
those whose price moves have one sign, added; with correlation zero, each coin's worst cell on its own, which is the sum
that netting reduces.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.contagion.estimate import COUNT_WINDOW, FEWEST_EVENTS, MEMORY
from zkmargin.engine.contagion.hawkes import estimate_branching
from zkmargin.engine.contagion.state import StateRule
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.market.crowding import MIN_DEPTH
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.market.snapshot import (
    MAX_DAILY_VOLATILITY,
    MAX_VOLATILITY,
    MIN_DAILY_VOLATILITY,
    MIN_VOLATILITY,
    MarketSnapshot,
)
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import require_in_range

LARGE_MOVE = 0.01
"""Hourly log move that the state records count as large."""
HOURS = 24
"""Hours in which a stress happens."""


def forecast_after(forecast: float, move: float, decay: float) -> float:
    """Daily volatility that the filter forecasts after a day with a relative price `move`; never below `forecast`, as
    the day may end calmer than it was."""
    return max(forecast, math.sqrt(decay * forecast**2 + (1.0 - decay) * math.log1p(move) ** 2))


def multiplier_after(multiplier: float, move: float, rule: StateRule) -> float:
    """The contagion multiplier one day after a relative price `move` in large hourly steps; at least `multiplier`.

    The cluster stands alone in the memory of the estimate, so n is the count's branching ratio of so many events within
    one day; too few events count as calm there, and here. The gain is the calm one.
    """
    events = int(abs(math.log1p(move)) / LARGE_MOVE)
    if events < FEWEST_EVENTS:
        return multiplier
    branching = estimate_branching(MEMORY - HOURS * np.linspace(1.0, 0.0, events + 2)[1:-1], MEMORY, COUNT_WINDOW)
    known = min(multiplier, rule.largest)
    return max(multiplier, rule.update(known, branching, rule.calm_gain, HOURS))


def move_market(
    snapshot: MarketSnapshot,
    decay: float,
    *,
    prices: Mapping[Coin, float],
    volatilities: Mapping[Coin, float],
    depth: float = 1.0,
    token: float = 0.0,
    forecast: float = 1.0,
) -> MarketSnapshot:
    """The market after a move within a day, in units of the cash token.

    Derivatives settle one for one in the token and do not feel its price; spot is worth dollars, so its price and the
    index are divided by 1 + `token`. Volatility, forecast and depth stay within the ranges that a snapshot allows.

    Parameters
    ----------
    snapshot : MarketSnapshot
    decay : float
        Of the filter that makes the forecast.
    prices : mapping of Coin to float
        Relative price moves.
    volatilities : mapping of Coin to float
        Factors of implied volatilities.
    depth, token, forecast : float
        As in `Stress`.
    """
    listing = snapshot.listing
    coins = listing.preset.coins
    shift = np.where(listing.is_bond, 0.0, np.array([prices[coin] for coin in coins])[listing.underlying])
    forward = snapshot.forward * (1.0 + shift)
    is_spot = listing.kind == KIND_CODES[InstrumentKind.SPOT]
    factor = np.array([volatilities[coin] for coin in coins])[listing.underlying]
    return replace(
        snapshot,
        index={coin: value * (1.0 + prices[coin]) / (1.0 + token) for coin, value in snapshot.index.items()},
        forward=np.where(is_spot, forward / (1.0 + token), forward),
        volatility=np.clip(snapshot.volatility * factor, MIN_VOLATILITY, MAX_VOLATILITY),
        crowding={
            coin: replace(
                crowding,
                depth_down=max(crowding.depth_down * depth, MIN_DEPTH),
                depth_up=max(crowding.depth_up * depth, MIN_DEPTH),
            )
            for coin, crowding in snapshot.crowding.items()
        },
        daily_volatility={
            coin: min(
                max(forecast * forecast_after(value, prices[coin], decay), MIN_DAILY_VOLATILITY), MAX_DAILY_VOLATILITY
            )
            for coin, value in snapshot.daily_volatility.items()
        },
        contagion_multiplier=max(
            multiplier_after(snapshot.contagion_multiplier, move, StateRule()) for move in prices.values()
        ),
    )


@dataclass(frozen=True)
class Stress:
    """A named move of the whole market.

    Raises
    ------
    OutOfRange
        If a move, factor or share is outside its range.
    """

    name: str
    """What the tables call it."""
    prices: dict[Coin, float] = field(default_factory=dict)
    """Relative price move by coin: index, perpetual and every forward; -0.95 to 10."""
    others: float = 0.0
    """That of every other coin."""
    volatility: float = 1.0
    """Factor of every implied volatility, 0.05 to 10."""
    depth: float = 1.0
    """Factor of the crowding's depth on both sides, 0.01 to 1."""
    token: float = 0.0
    """Relative move of the cash token's price in US dollars, -0.5 to 0.5."""
    forecast: float = 1.0
    """Factor of the forecasts of daily volatility, besides what the moves do to them; 0.05 to 10."""

    def __post_init__(self) -> None:
        for what, move in (*self.prices.items(), ("others", self.others)):
            require_in_range(f"{what} of stress {self.name}", move, -0.95, 10.0)
        for what, low, high in (
            ("volatility", 0.05, 10.0),
            ("depth", 0.01, 1.0),
            ("token", -0.5, 0.5),
            ("forecast", 0.05, 10.0),
        ):
            require_in_range(f"{what} of stress {self.name}", getattr(self, what), low, high)

    def get_moves(self, coins: Collection[Coin]) -> dict[Coin, float]:
        """Relative price move by coin of a market; raises `UnknownName` for a move of a coin that it has not."""
        for coin in self.prices:
            if coin not in coins:
                raise UnknownName(f"coin of stress {self.name}", coin, coins)
        return {coin: self.prices.get(coin, self.others) for coin in coins}

    def apply(self, snapshot: MarketSnapshot, decay: float) -> MarketSnapshot:
        """The market after the move, in units of the cash token; arguments as `move_market`."""
        coins = snapshot.listing.preset.coins
        return move_market(
            replace(snapshot, source=f"stress {self.name} of a snapshot"),
            decay,
            prices=self.get_moves(coins),
            volatilities=dict.fromkeys(coins, self.volatility),
            depth=self.depth,
            token=self.token,
            forecast=self.forecast,
        )


STRESSES = (
    Stress("crash", others=-0.30, volatility=1.5),
    Stress("rally", others=0.30, volatility=1.2),
    Stress("apart", {Coin.BTC: -0.15}, others=0.15),
    Stress("volatility spike", volatility=2.0, forecast=2.0),
    Stress("volatility crush", volatility=0.6),
    Stress("depth loss", depth=0.5),
    Stress("token below its peg", token=-0.12),
    Stress("token above its peg", token=0.06),
)
"""Stresses that are run unless others are asked for. Sizes are this project's choice, but for the token: USDC at 0.88
and USDT at 1.06 US dollars, both on 11 March 2023 (sources in the scenario record)."""


@dataclass(frozen=True)
class StressResult:
    """An account after one stress. US dollars."""

    stress: Stress
    """What moved."""
    daily_volatility: dict[Coin, float]
    """Forecast by coin, in the market afterwards."""
    contagion_multiplier: float
    """theta there."""
    pnl: float
    """Change of equity; a loss is negative."""
    equity: float
    """Equity afterwards."""
    requirement: dict[str, float]
    """By level, in the market afterwards."""
    buffer: float
    """Contagion buffer within the initial requirement."""
    margin_excess: dict[str, float]
    """By level: equity less requirement; negative when margin is missing."""
    is_met: dict[str, bool]
    """By level: whether the requirement is met, debt and exposure limits included."""

    @property
    def is_solvent(self) -> bool:
        """Whether the account owes no more than it has."""
        return self.equity >= 0


@dataclass(frozen=True)
class JointStress:
    """The grid's worst losses put together in three ways, without its factor. US dollars, a loss is positive."""

    correlation_one: float
    """Both coins' worst cells with price moves of one sign, the worse sign."""
    correlation_zero: float
    """Each coin's worst cell on its own: no netting."""
    house: float
    """What the rule takes: with the transfer that is best for the account, and its charge."""
    requirement: dict[str, float]
    """By level: the rule's loss times the level's factor."""


@dataclass(frozen=True)
class StressReport:
    """An account under every stress. US dollars."""

    portfolio: str
    """Whose."""
    before: StressResult
    """The market as it is."""
    results: tuple[StressResult, ...]
    """In the order asked for."""
    joint: JointStress
    """Both coins' cells put together."""

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return asdict(self)


def _evaluate(house: HouseModel, stress: Stress, state: AccountState, before: float | None = None) -> StressResult:
    """The account in the market of `house`, which is the one after `stress`; `before` is the equity without it, US
    dollars, none for the market as it is."""
    dollars = 1.0 + stress.token
    levels = {level: house.definition_requirement(state, level) for level in LEVELS}
    equity = levels["initial"].equity * dollars
    return StressResult(
        stress=stress,
        daily_volatility=dict(house.snapshot.daily_volatility),
        contagion_multiplier=house.snapshot.contagion_multiplier,
        pnl=0.0 if before is None else equity - before,
        equity=equity,
        requirement={level: needed.total * dollars for level, needed in levels.items()},
        buffer=levels["initial"].buffer * dollars,
        margin_excess={level: needed.margin_excess * dollars for level, needed in levels.items()},
        is_met={level: needed.is_met for level, needed in levels.items()},
    )


def compute_joint_stress(house: HouseModel, state: AccountState) -> JointStress:
    """The grid's losses of `state` with the coins' moves of one sign, and without any relation."""
    by_sign, alone = {1: 0.0, -1: 0.0}, 0.0
    for coin in house.snapshot.listing.preset.coins:
        span = house.snapshot.listing.preset.span(coin)
        losses = -(house.grid_pnl[:, span] @ state.positions[span].astype(float))
        moves = np.array([cell.move for cell in house.grid.cells[coin]])
        for sign in by_sign:
            by_sign[sign] += max(0.0, float(losses[moves * sign >= 0].max()))
        alone += max(0.0, float(losses.max()))
    needed = {level: house.definition_requirement(state, level) for level in LEVELS}
    return JointStress(
        correlation_one=max(by_sign.values()),
        correlation_zero=alone,
        house=needed["maintenance"].grid / needed["maintenance"].factor,
        requirement={level: of_level.grid for level, of_level in needed.items()},
    )


def run_stresses(
    house: HouseModel, portfolio: str, state: AccountState, stresses: Sequence[Stress] = STRESSES
) -> StressReport:
    """The account under each stress; each makes one market, and a house model at it.

    Parameters
    ----------
    house : HouseModel
        At the market as it is.
    portfolio : str
        Whose account, for the report.
    state : AccountState
    stresses : sequence of Stress

    Raises
    ------
    OutOfRange
        If a stressed price leaves the range of a snapshot.
    """
    before = _evaluate(house, Stress("as it is"), state)
    decay = house.shortfall.scenarios.decay
    moved = ((stress, HouseModel(stress.apply(house.snapshot, decay), house.parameters)) for stress in stresses)
    return StressReport(
        portfolio=portfolio,
        before=before,
        results=tuple(_evaluate(after, stress, state, before.equity) for stress, after in moved),
        joint=compute_joint_stress(house, state),
    )
