"""How far the market must move until an account's margin fails.

A direction is a move of prices and volatilities in stated units; the distance along it is the first multiple at which
the account, with its positions unchanged, no longer meets a level in the market afterwards. Each market afterwards is
the one that publishers would post (`engine.margin.stress.move_market`): prices, volatilities, forecast and contagion
multiplier. The definition decides (`engine.margin.definition`), in floats; the integer policy asks at most its rounding
allowance more.

Nothing says that an account that fails at one multiple fails at every larger one. So multiples are scanned outwards in
steps, and the first step that fails is then narrowed down; a failure between two steps that both pass is not seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from itertools import product

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.margin.stress import move_market
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import PERPETUAL_OFFSET, Coin

STEPS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Multiples that are scanned, in units of a direction."""
VOLATILITY_UNIT = 1.3
"""Factor of implied volatilities that is one unit up; its inverse is one unit down."""
LEAST_PRICE = -0.95
"""Largest fall of a price that is looked at."""
TOLERANCE = 1e-4
"""Multiples to which a distance is found."""


@dataclass(frozen=True)
class Direction:
    """One unit of a move: of prices as a share of the price range, of volatility in steps of `VOLATILITY_UNIT`."""

    prices: Mapping[Coin, float]
    """By coin, share of its price range."""
    volatilities: Mapping[Coin, float]
    """By coin, units up."""

    def scale(self, times: float, ranges: Mapping[Coin, float]) -> Move:
        """The move of `times` units; prices fall to `LEAST_PRICE` at most."""
        return Move(
            prices={coin: max(times * share * ranges[coin], LEAST_PRICE) for coin, share in self.prices.items()},
            volatilities={coin: VOLATILITY_UNIT ** (times * units) for coin, units in self.volatilities.items()},
        )


@dataclass(frozen=True)
class Move:
    """A move of the market."""

    prices: dict[Coin, float]
    """Relative, by coin."""
    volatilities: dict[Coin, float]
    """Factor of implied volatilities, by coin."""


@dataclass(frozen=True)
class CoinDistance:
    """How far one coin alone must move; none where nothing within four units fails."""

    price_down: float | None
    """Relative fall of the price, negative."""
    price_up: float | None
    """Relative rise."""
    price_down_usd: float | None
    """Index after it, US dollars per coin."""
    price_up_usd: float | None
    """Index after it, US dollars per coin."""
    volatility_down: float | None
    """Factor of implied volatilities, below 1."""
    volatility_up: float | None
    """Factor, above 1."""


@dataclass(frozen=True)
class WorstDirection:
    """The move that fails first, of these: the joint move of both coins and of volatility in which equity falls most,
    each coin's price alone, all volatilities alone."""

    prices: dict[Coin, float]
    """By coin, share of its price range per unit: -1, 0 or 1."""
    volatility: int
    """Steps of volatility per unit: -1, 0 or 1; a step multiplies every implied volatility by 1.3."""
    units: float | None
    """Units at which the level fails; 1 is the edge of the price ranges. None where four units do not fail."""
    move: Move | None
    """The move there."""


@dataclass(frozen=True)
class LevelDistance:
    """One level's distances."""

    is_met: bool
    """Whether the level is met as the market is; if not, every distance is zero."""
    coins: dict[Coin, CoinDistance]
    """By coin, of those in which the account holds something."""
    worst: WorstDirection
    """Both coins together."""


@dataclass(frozen=True)
class DistanceReport:
    """How far the market must move until margin fails."""

    portfolio: str
    """Whose."""
    levels: dict[str, LevelDistance]
    """By level."""

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class DistanceSearch:
    """One account at one market."""

    house: HouseModel
    """Market as it is."""
    state: AccountState
    """The account."""
    _seen: dict[tuple[object, ...], HouseModel] = field(default_factory=dict)

    @property
    def coins(self) -> tuple[Coin, ...]:
        """Coins of the market."""
        return tuple(self.house.snapshot.listing.preset.coins)

    @property
    def ranges(self) -> Mapping[Coin, float]:
        """Price range by coin."""
        return {coin: self.house.parameters.price_range[coin] for coin in self.coins}

    @cached_property
    def market(self) -> MarketSnapshot:
        """The market with nothing listed but what the account holds: a revaluation prices no more."""
        snapshot, held = self.house.snapshot, self.state.positions != 0
        listed = snapshot.listing.instruments
        listing = replace(
            snapshot.listing,
            instruments=tuple(item if held[slot] else None for slot, item in enumerate(listed)),
        )
        return replace(
            snapshot,
            listing=listing,
            forward=np.where(listing.is_listed, snapshot.forward, np.nan),
            volatility=np.where(listing.is_listed, snapshot.volatility, np.nan),
            accrued_funding={
                coin: accrued if listing.is_listed[listing.preset.coin_slots(coin).start + PERPETUAL_OFFSET] else 0.0
                for coin, accrued in snapshot.accrued_funding.items()
            },
        )

    def at(self, move: Move) -> HouseModel:
        """The house model in the market after `move`, computed once."""
        key = (*move.prices.values(), *move.volatilities.values())
        if key not in self._seen:
            decay = self.house.shortfall.scenarios.decay
            moved = move_market(self.market, decay, prices=move.prices, volatilities=move.volatilities)
            self._seen[key] = HouseModel(moved, self.house.parameters)
        return self._seen[key]

    def get_room(self, level: str, move: Move) -> float:
        """What the account has beyond `level` after `move`, US dollars: the least of margin and of the room to its
        limits of debt, exposure and concentration."""
        needed = self.at(move).definition_requirement(self.state, level)
        return min(needed.margin_excess, needed.debt_slack, needed.exposure_slack, float(needed.concentration_slack))

    def find_units(self, level: str, direction: Direction) -> float | None:
        """Units along `direction` at which `level` fails first; none within the last of `STEPS`."""
        found = self.find_first(level, [direction])
        return None if found is None else found[1]

    def find_first(self, level: str, directions: Sequence[Direction]) -> tuple[Direction, float] | None:
        """Which of `directions` fails first, and at how many units; none within the last of `STEPS`."""

        def room(direction: Direction, times: float) -> float:
            return self.get_room(level, direction.scale(times, self.ranges))

        rooms, passed = [room(directions[0], 0.0)] * len(directions), 0.0
        if rooms[0] < 0:
            return directions[0], 0.0
        for step in STEPS:
            left = [room(direction, step) for direction in directions]
            failing = [
                (direction, find_root(partial(room, direction), (passed, before), (step, after)))
                for direction, before, after in zip(directions, rooms, left, strict=True)
                if after < 0
            ]
            if failing:
                return min(failing, key=lambda entry: entry[1])
            rooms, passed = left, step
        return None

    @cached_property
    def largest_loss(self) -> Direction:
        """The direction in which equity falls most within the price ranges: each price down, up or unchanged, all
        volatilities down, up or unchanged, half a unit and one unit looked at. Ties go to what moves less."""
        before = price_per_lot(self.market)

        def lose(direction: Direction) -> float:
            losses = []
            for times in (0.5, 1.0):
                move = direction.scale(times, self.ranges)
                shift, factor = (
                    np.array([values[coin] for coin in self.coins])[self.market.listing.underlying]
                    for values in (move.prices, move.volatilities)
                )
                after = price_per_lot(self.market, forward_shift=shift, volatility=self.market.volatility * factor)
                losses.append(-float((after - before) @ self.state.positions.astype(float)))
            return round(max(losses), 6)

        return max(list_directions(self.coins), key=lose)

    @property
    def held(self) -> list[Coin]:
        """Coins in which the account holds something."""
        preset, lots = self.market.listing.preset, self.state.positions
        return [coin for coin in self.coins if lots[preset.span(coin)].any()]

    def measure_coin(self, level: str, coin: Coin) -> CoinDistance:
        """Distances of one coin alone."""
        index, still = self.house.snapshot.index[coin], dict.fromkeys(self.coins, 0.0)

        def find_price(sign: float) -> float | None:
            direction = Direction({**still, coin: sign}, still)
            units = self.find_units(level, direction)
            return None if units is None else direction.scale(units, self.ranges).prices[coin]

        def find_volatility(sign: float) -> float | None:
            direction = Direction(still, {**still, coin: sign})
            units = self.find_units(level, direction)
            return None if units is None else direction.scale(units, self.ranges).volatilities[coin]

        down, up = find_price(-1.0), find_price(1.0)
        return CoinDistance(
            price_down=down,
            price_up=up,
            price_down_usd=None if down is None else index * (1.0 + down),
            price_up_usd=None if up is None else index * (1.0 + up),
            volatility_down=find_volatility(-1.0),
            volatility_up=find_volatility(1.0),
        )

    def measure_worst(self, level: str) -> WorstDirection:
        """The direction that fails first: that of the largest loss, one coin's price alone, or all volatilities."""
        still = dict.fromkeys(self.coins, 0.0)
        alone = [Direction({**still, coin: sign}, still) for coin in self.held for sign in (-1.0, 1.0)]
        volatilities = [Direction(still, dict.fromkeys(self.coins, sign)) for sign in (-1.0, 1.0)]
        return self.measure_first(level, [self.largest_loss, *alone, *volatilities])

    def measure_first(self, level: str, directions: Sequence[Direction]) -> WorstDirection:
        """Which of `directions` fails first, and where; the first of them where none does."""
        direction, units = self.find_first(level, directions) or (directions[0], None)
        return WorstDirection(
            prices=dict(direction.prices),
            volatility=int(next(iter(direction.volatilities.values()))),
            units=units,
            move=None if units is None else direction.scale(units, self.ranges),
        )

    def measure(self, level: str) -> LevelDistance:
        """Distances of `level`: of each coin alone, and along the worst direction."""
        still = Move(dict.fromkeys(self.coins, 0.0), dict.fromkeys(self.coins, 1.0))
        return LevelDistance(
            is_met=self.get_room(level, still) >= 0,
            coins={coin: self.measure_coin(level, coin) for coin in self.held},
            worst=self.measure_worst(level),
        )


def list_directions(coins: Sequence[Coin]) -> Iterator[Direction]:
    """All joint directions of which one is the worst: signs of the coins' prices, and of all volatilities; what does
    not move comes before what does."""
    for *prices, volatility in product((0.0, -1.0, 1.0), repeat=len(coins) + 1):
        if any(prices) or volatility:
            yield Direction(dict(zip(coins, prices, strict=True)), dict.fromkeys(coins, volatility))


def find_root(room: Callable[[float], float], passes: tuple[float, float], fails: tuple[float, float]) -> float:
    """Where `room` falls below zero between two multiples with their room, to `TOLERANCE`, on the side that fails.

    The Illinois rule: a secant through both ends, whose value at an end that stays is halved.
    """
    (low, has), (high, lacks) = passes, fails
    side = 0
    while high - low > TOLERANCE:
        middle = low + (high - low) * has / (has - lacks) if math.isfinite(has) else 0.5 * (low + high)
        middle = min(max(middle, low + 0.4 * TOLERANCE), high - 0.4 * TOLERANCE)
        left = room(middle)
        if left < 0:
            high, lacks = middle, left
            has = 0.5 * has if side < 0 else has
            side = -1
        else:
            low, has = middle, left
            lacks = 0.5 * lacks if side > 0 else lacks
            side = 1
    return high


def measure_distance(
    house: HouseModel, name: str, state: AccountState, levels: Sequence[str] = LEVELS
) -> DistanceReport:
    """How far the market must move until the account called `name` fails each of `levels`."""
    search = DistanceSearch(house, state)
    return DistanceReport(name, {level: search.measure(level) for level in levels})


def measure_loss_distance(house: HouseModel, state: AccountState, level: str = "maintenance") -> WorstDirection:
    """How far the market must move in the direction in which equity falls most until `level` fails."""
    search = DistanceSearch(house, state)
    return search.measure_first(level, [search.largest_loss])
