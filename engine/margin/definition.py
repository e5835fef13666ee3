"""The definition of the house model's requirement, written to be read, in floats or in exact rational numbers.

    requirement = K + buffer + concentration + max(grid, expected shortfall)
    buffer      = sum over coins of max_k (slope_k |D| - constant_k), D the net delta half the range away (initial only)
    grid        = f times the sum, over netting pairs (a, b), of
                  min over n of max_s (loss_a[s] + n move_s) + max_s (loss_b[s] - n move_s) + c |n|
                  and over coins in no pair of max_s loss[s], no coin's below 0
    K           = contingency per option, perpetual, future and bond, and the haircut of collateral
    concentration = sum over coins of max_k (slope_k |V| - constant_k), V the net vega (initial only)
    met         = cash + sum_i price_i q_i >= requirement, debt slack >= 0, and |D| and net short options <= the largest
                  ones
    debt slack  = debt limit + cash + sum over perpetuals and futures of price_i q_i

Everything is in US dollars. The values of single lots are given (`engine.margin.lot_values`); worst cases, netting and
tails are written out again, scenario by scenario. The exact form runs in rational numbers, so that agreement with the
integer policy can be tested up to the edges of the ranges, where floating point has long lost the micro-dollars.

References
----------
.. [1] R. T. Rockafellar, S. Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from itertools import combinations
from typing import Generic, TypeVar

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.margin.buffer import make_chords
from zkmargin.engine.margin.concentration import make_vega_chords
from zkmargin.engine.margin.grid import TRANSFER_SIGNS, make_cells
from zkmargin.engine.margin.lot_values import LotValues
from zkmargin.engine.margin.netting import compute_transfer_charge
from zkmargin.engine.margin.parameters import MILLE, TENORS, Parameters
from zkmargin.engine.margin.scenarios import load_scenarios
from zkmargin.engine.margin.shortfall import compute_multiplier
from zkmargin.engine.market.instruments import Instrument, InstrumentKind
from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import PRESETS, Coin
from zkmargin.engine.units import SECONDS_PER_DAY, USD6

Number = TypeVar("Number", float, Fraction)
"""What an evaluation computes in."""

TIE = 1e-9
"""Share of the largest loss by which two losses that are one may differ."""

ADD_ONS = ("short options", "long options", "perpetuals and futures", "bonds", "haircut", "closed slots")
"""Parts of K."""


@dataclass(frozen=True)
class Requirement(Generic[Number]):
    """What an account must have at one level, and why. US dollars."""

    level: str
    """"initial" or "maintenance"."""
    equity: Number
    """cash + sum of price times lots."""
    charges: dict[str, Number]
    """K by add-on, in the order of `ADD_ONS`."""
    losses: dict[Coin, Number]
    """Worst loss of each coin's group with the transfer that is best for the account; a loss is positive."""
    worst: dict[Coin, int]
    """Number of the cell in which that is, per coin; the first where several tie."""
    transfers: dict[tuple[Coin, Coin], Number]
    """n by netting pair, long exposure moved from the first coin's group to the second's; negative the other way."""
    transfer_charge: Number
    """Sum of c |n|."""
    factor: Number
    """f."""
    shortfall: Number
    """kappa times the expected shortfall over the joint scenarios; 0 where the level does not ask for it."""
    debt_slack: Number
    """Debt limit of the level, plus cash, plus the value of perpetuals and futures."""
    buffers: dict[Coin, Number]
    """Contagion buffer per coin, as the chords ask it; 0 where the level does not ask for it."""
    exposure_slack: Number | float
    """Least room to the largest exposure over the coins; infinite where nothing limits it."""
    concentrations: dict[Coin, Number]
    """Concentration charge per coin, as the chords ask it; 0 where the level does not ask for it."""
    concentration_slack: Number | float
    """Least room to the most net short options over the coins and ranges of tenors, US dollars at the index; infinite
    where nothing limits them."""

    @property
    def grid(self) -> Number:
        """f (sum of worst losses + transfer charge)."""
        return self.factor * (_total(self.losses.values()) + self.transfer_charge)

    @property
    def charge(self) -> Number:
        """K."""
        return _total(self.charges.values())

    @property
    def buffer(self) -> Number:
        """Contagion buffer of all coins."""
        return _total(self.buffers.values())

    @property
    def concentration(self) -> Number:
        """Concentration charge of all coins."""
        return _total(self.concentrations.values())

    @property
    def scenario_margin(self) -> Number:
        """max(grid, expected shortfall)."""
        return max(self.grid, self.shortfall)

    @property
    def total(self) -> Number:
        """The requirement: K + buffer + concentration charge + max(grid, expected shortfall)."""
        return self.charge + self.buffer + self.concentration + self.scenario_margin

    @property
    def margin_excess(self) -> Number:
        """equity - requirement; negative when margin is missing."""
        return self.equity - self.total

    @property
    def is_met(self) -> bool:
        """Whether the account meets the requirement."""
        slacks = (self.margin_excess, self.debt_slack, self.exposure_slack, self.concentration_slack)
        return all(slack >= 0 for slack in slacks)


@dataclass(frozen=True)
class Arithmetic(Generic[Number]):
    """How an evaluation reads its inputs."""

    computed: Callable[[float | Fraction], Number]
    """A computed number as it is."""
    stated: Callable[[float], Number]
    """A parameter: the exact form reads it as the decimal that the file states."""
    losses: Callable[[np.ndarray, np.ndarray], list[Number]]
    """Loss of a book (N,) in each scenario of a P&L (S, N), positive when it loses: -(P&L . q)."""


def _compute_losses(pnl: np.ndarray, positions: np.ndarray) -> list[float]:
    slots = np.flatnonzero(positions)
    return [float(value) for value in -(pnl[:, slots] @ positions[slots].astype(float))]


def _compute_exact_losses(pnl: np.ndarray, positions: np.ndarray) -> list[Fraction]:
    slots = np.flatnonzero(positions)
    lots = [int(value) for value in positions[slots]]
    return [
        -sum((Fraction(value) * lot for value, lot in zip(row, lots, strict=True)), Fraction(0))
        for row in pnl[:, slots].tolist()
    ]


def _read_exactly(value: float | Fraction) -> Fraction:
    return Fraction(value)


def _read_decimal(value: float) -> Fraction:
    return Fraction(str(value)) if value == round(value, 9) else Fraction(value)


FLOAT = Arithmetic[float](float, float, _compute_losses)
EXACT = Arithmetic[Fraction](_read_exactly, _read_decimal, _compute_exact_losses)


class Definition:
    """The requirement's definition at one market.

    Parameters
    ----------
    values : LotValues
        Values of single lots: the house model's arrays, or `LotByLot`. Tests compare the two.
    """

    def __init__(self, values: LotValues):
        self.values, self.snapshot, self.parameters = values, values.snapshot, values.parameters
        self.preset = self.snapshot.listing.preset
        self.transfer_charges = {
            pair: compute_transfer_charge(self.snapshot, self.parameters, pair) for pair in self.preset.split.netting
        }
        self.cells = {coin: make_cells(coin, Layout(self.preset).cells, self.parameters) for coin in self.coins}
        kinds = [item.kind if item else None for item in self.snapshot.listing.instruments]
        self.is_linear = np.array([kind in (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE) for kind in kinds])

    @property
    def coins(self) -> tuple[Coin, ...]:
        """Coins of the market in slot order."""
        return tuple(self.preset.coins)

    def compute_requirement(self, state: AccountState, level: str) -> Requirement[float]:
        """The requirement of `state` at `level`, "initial" or "maintenance"."""
        return self._compute(state, level, FLOAT)

    def compute_exact_requirement(self, state: AccountState, level: str) -> Requirement[Fraction]:
        """The same in rational numbers: exact for the model's float coefficients."""
        return self._compute(state, level, EXACT)

    def _compute(self, state: AccountState, level: str, numbers: Arithmetic[Number]) -> Requirement[Number]:
        parameters, zero = self.parameters, numbers.computed(0.0)
        spans = {coin: self.preset.span(coin) for coin in self.coins}
        losses = {
            coin: numbers.losses(self.values.grid_pnl[:, span], state.positions[span]) for coin, span in spans.items()
        }
        transfers, moved, transfer_charge = dict[tuple[Coin, Coin], Number](), dict(losses), zero
        for pair, stated in self.transfer_charges.items():
            charge = numbers.stated(stated)
            lines = [self._get_lines(coin, sign, losses[coin]) for coin, sign in zip(pair, TRANSFER_SIGNS, strict=True)]
            transfers[pair] = transfer = _best_transfer(lines, charge, numbers)
            transfer_charge += charge * abs(transfer)
            for coin, of_coin in zip(pair, lines, strict=True):
                moved[coin] = [loss + numbers.computed(slope) * transfer for slope, loss in of_coin]
        buffers, exposure_slack = self._compute_buffers(state, level, numbers)
        concentrations, concentration_slack = self._compute_concentrations(state, level, numbers)
        cash = numbers.computed(Fraction(state.cash, USD6))
        linear_loss = numbers.losses(np.where(self.is_linear, self.values.prices, 0.0)[None], state.positions)[0]
        return Requirement(
            level=level,
            equity=cash - numbers.losses(self.values.prices[None], state.positions)[0],
            charges=self._compute_charges(state, level, numbers),
            losses={coin: max(zero, *moved[coin]) for coin in self.coins},
            worst={coin: find_worst(moved[coin]) for coin in self.coins},
            transfers=transfers,
            transfer_charge=transfer_charge,
            factor=numbers.stated(parameters.factor[level]),
            shortfall=self._compute_shortfall(state, level, numbers),
            debt_slack=cash - linear_loss + numbers.stated(parameters.get_debt_limit(level)),
            buffers=buffers,
            exposure_slack=exposure_slack,
            concentrations=concentrations,
            concentration_slack=concentration_slack,
        )

    def _get_lines(self, coin: Coin, sign: int, losses: list[Number]) -> list[tuple[Fraction, Number]]:
        """By cell: what a unit of the transfer adds to the coin's loss, and the loss without one."""
        moves = (sign * Fraction(cell.transfer_move, MILLE) for cell in self.cells[coin])
        return list(zip(moves, losses, strict=True))

    def _compute_shortfall(self, state: AccountState, level: str, numbers: Arithmetic[Number]) -> Number:
        """The level's share of kappa times the mean of the tail."""
        model = self.values.shortfall
        mean = tail_mean(
            numbers.losses(self.values.shortfall_pnl, state.positions), model.weights.tolist(), model.tail_weight
        )
        return mean * numbers.computed(Fraction(model.tail_weight, model.get_tail_divisor(level)))

    def _compute_buffers(
        self, state: AccountState, level: str, numbers: Arithmetic[Number]
    ) -> tuple[dict[Coin, Number], Number | float]:
        """The buffer per coin, and the least room to a largest exposure."""
        buffers, room = dict.fromkeys(self.coins, numbers.computed(0.0)), list[Number]()
        if level != "initial":
            return buffers, math.inf
        for coin in self.coins:
            span = self.preset.span(coin)
            lots = state.positions[span]
            crowding = self.snapshot.crowding[coin]
            rate = self.parameters.price_range[coin] * self.parameters.factor["initial"]
            for sign, exposures in zip((1.0, -1.0), self.values.side_exposures[:, span], strict=True):
                ladder, depth = crowding.get_side(sign)
                curvature = self.snapshot.contagion_multiplier * crowding.impact / (2.0 * depth)
                if not curvature:
                    continue
                chords = make_chords(curvature, ladder, Layout(self.preset).chords, self.parameters.buffer_error, rate)
                columns = np.array([-slope * sign * exposures for slope in chords.slopes])
                charges = zip(numbers.losses(columns, lots), chords.constants, strict=True)
                buffers[coin] = max(
                    buffers[coin], *(charge - numbers.computed(constant) for charge, constant in charges)
                )
                size = numbers.losses(-sign * exposures[None], lots)[0]
                room.append(numbers.computed(chords.largest) - size)
        return buffers, min(room) if room else math.inf

    def _compute_concentrations(
        self, state: AccountState, level: str, numbers: Arithmetic[Number]
    ) -> tuple[dict[Coin, Number], Number | float]:
        """The charge per coin, and the least room to the most net short options."""
        charges, room = dict.fromkeys(self.coins, numbers.computed(0.0)), list[Number]()
        if level != "initial":
            return charges, math.inf
        parameters, layout = self.parameters, Layout(self.preset)
        for coin in self.coins:
            span = self.preset.span(coin)
            vegas, lots = self.values.vegas[span], state.positions[span]
            depth, largest = parameters.vega_depth[coin], parameters.vega_limit[coin]
            chords = make_vega_chords(parameters.vega_impact, depth, largest, layout.vega_chords)
            for sign in (1.0, -1.0):
                columns = np.array([-slope * sign * vegas for slope in chords.slopes])
                for charge, constant in zip(numbers.losses(columns, lots), chords.constants, strict=True):
                    charges[coin] = max(charges[coin], charge - numbers.computed(constant))
            room += self._compute_short_rooms(coin, state, numbers)
        return charges, min(room)

    def _compute_short_rooms(self, coin: Coin, state: AccountState, numbers: Arithmetic[Number]) -> list[Number]:
        """Room to the most net short options of each range of tenors of a coin, US dollars at the index."""
        rooms = []
        for counted, limit in self._short_options[coin]:
            net_short = numbers.losses(counted[None], state.positions)[0]
            rooms.append(numbers.computed(limit) - net_short)
        return rooms

    @cached_property
    def _short_options(self) -> Mapping[Coin, list[tuple[np.ndarray, float]]]:
        """By coin and range of tenors: (N,) US dollars at the index that a lot of each option counts, and the limit."""
        tenors = [TENORS] if Layout(self.preset).tenors == 1 else [(name,) for name in TENORS]
        counts: dict[Coin, list[tuple[np.ndarray, float]]] = {}
        for coin in self.coins:
            limits, index = self.parameters.short_option_limit[coin], self.snapshot.index[coin]
            counts[coin] = []
            for names in tenors:
                counted = np.zeros(self.preset.slots)
                for item in self.snapshot.listing.by_name.values():
                    if item.underlying is coin and item.kind is InstrumentKind.OPTION and item.expiry is not None:
                        days = (item.expiry - self.snapshot.time) / SECONDS_PER_DAY
                        if ("near" if days <= self.parameters.short_option_tenor else "far") in names:
                            counted[item.slot] = item.lot_size * index
                counts[coin].append((counted, sum(index * limits[name] for name in names)))
        return counts

    def _compute_charges(self, state: AccountState, level: str, numbers: Arithmetic[Number]) -> dict[str, Number]:
        """K by add-on."""
        charges = dict.fromkeys(ADD_ONS, numbers.computed(0.0))
        for slot in np.flatnonzero(state.positions).tolist():
            lots = int(state.positions[slot])
            long_name, long, short_name, short = self.get_charge_rates(
                self.snapshot.listing.instruments[slot], slot, level
            )
            charges[long_name if lots > 0 else short_name] += abs(lots) * numbers.stated(long if lots > 0 else short)
        return charges

    def get_charge_rates(self, item: Instrument | None, slot: int, level: str) -> tuple[str, float, str, float]:
        """(add-on, rate per long lot, add-on, rate per short lot) of a slot, US dollars."""
        closed = CLOSED_SIDE_RATE / USD6
        if slot in self.preset.collateral_slots:
            coin = self.preset.coin_of(slot)
            haircut = self.values.prices[slot] * self.parameters.haircut[level][coin]
            return "haircut", haircut, "closed slots", closed
        if item is None:
            return "closed slots", closed, "closed slots", closed
        notional = self.snapshot.index[item.underlying] * item.lot_size
        if item.kind is InstrumentKind.OPTION:
            long, short = self.parameters.option_long[level], self.parameters.option_short[level]
            return "long options", notional * long, "short options", notional * short
        if item.kind is InstrumentKind.BOND:
            return "bonds", self._charge_bond(item, level, 1), "bonds", self._charge_bond(item, level, -1)
        rate = notional * self.parameters.linear[level]
        return "perpetuals and futures", rate, "perpetuals and futures", rate

    def _charge_bond(self, item: Instrument, level: str, side: int) -> float:
        """K of a bond's lot, long with `side` 1: f times what a move of its rate costs, and a share of the face."""
        years = float(self.snapshot.years[item.slot])
        moved = abs(math.expm1(-side * self.parameters.bond_rate * years)) * float(self.snapshot.forward[item.slot])
        return item.lot_size * (self.parameters.factor[level] * moved + self.parameters.bond[level])


def find_worst(losses: Sequence[Number]) -> int:
    """The first of the largest losses; those that differ by less than `TIE` of the largest in size tie.

    Where netting helps, two cells lose the same at the best transfer, and only the last digits of a float differ.
    """
    tie = TIE * float(max(abs(loss) for loss in losses))
    worst = max(losses)
    return next(place for place, loss in enumerate(losses) if float(worst - loss) <= tie)


def _total(values: Iterable[Number]) -> Number:
    return reduce(lambda left, right: left + right, values)


def tail_mean(losses: Sequence[Number], weights: Sequence[int], tail: int) -> Number:
    """Mean of the worst losses up to the weight `tail`, the last one in part: the expected shortfall."""
    parts, left = list[Number](), tail
    for loss, weight in sorted(zip(losses, weights, strict=True), reverse=True):
        taken = min(weight, left)
        parts.append(taken * loss)
        left -= taken
        if not left:
            break
    return _total(parts) / tail


def _best_transfer(
    groups: Sequence[Sequence[tuple[Fraction, Number]]],
    charge: Number,
    numbers: Arithmetic[Number],
) -> Number:
    """The n that minimises max(loss_1 + n move) + max(loss_2 - n move) + c |n|, given the lines (slope, loss) of both
    groups: the function is convex and piecewise linear, so one of the points where two lines of a coin cross, or zero,
    is a minimum."""
    lines: list[list[tuple[Number, Number]]] = []
    for group in groups:
        steepest: dict[Fraction, Number] = {}
        for slope, loss in group:
            steepest[slope] = max(loss, steepest.get(slope, loss))
        lines.append([(numbers.computed(slope), loss) for slope, loss in steepest.items()])
    candidates = [numbers.computed(0.0)]
    for of_coin in lines:
        candidates += [(b - a) / (slope_a - slope_b) for (slope_a, a), (slope_b, b) in combinations(of_coin, 2)]

    def cost(n: Number) -> Number:
        return _total(max(slope * n + loss for slope, loss in of_coin) for of_coin in lines) + charge * abs(n)

    return min(candidates, key=cost)


def compute_allowance(definition: Definition, level: str, state: AccountState) -> float:
    """The most that the integer policy may ask beyond the real requirement of `definition`, US dollars.

    Per lot, with C coins: 2.5 micro-dollars in the equity row (price to nearest, contingency up, K_2), (C + 0.5) f in
    the groups (P&L to nearest in the lot's own group, K_2 in all), and for initial C + 0.5 in the buffers and as much
    in the concentration charges: 10.625 with two coins at f = 1.25. The expected shortfall's 1.5 kappa (P&L to
    nearest, K_2) take the place of (C + 0.5) f where they are more. Per account, from whole units of the transfers, of
    the losses and of E: f (sum over pairs of 1000 range + 500 c, and C) + 1 micro-dollars, and 4 C for whole units of
    these charges and their constants.
    """
    parameters, coins, pairs = definition.parameters, len(definition.coins), len(definition.transfer_charges)
    factor, charges = parameters.factor[level], 2 * int(level == "initial")
    multiplier = parameters.shortfall_factor[level] * _largest_multiplier(parameters, len(state.positions))
    per_lot = coins + 0.5
    scenarios = max(per_lot * factor, 1.5 * multiplier)
    charge = sum(definition.transfer_charges.values())
    lots = int(np.abs(state.positions).sum())
    whole_units = factor * (1000 * pairs * max(parameters.price_range.values()) + 500 * charge + coins) + 1
    return ((2.5 + scenarios + per_lot * charges) * lots + whole_units + 2 * coins * charges) / USD6


def _largest_multiplier(parameters: Parameters, slots: int) -> float:
    """Largest kappa of the expected shortfall over the presets with so many slots."""
    largest = 1.0
    for preset in PRESETS.values():
        if preset.slots == slots:
            scenarios = load_scenarios(parameters.shortfall_scenarios, preset.excess_rows)
            tail, divisor = compute_multiplier(scenarios, parameters.procyclicality)
            largest = max(largest, tail / divisor)
    return largest
