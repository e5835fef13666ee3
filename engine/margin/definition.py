"""The float definition: the definition of the house model's requirement, written to be read.

    requirement = K + buffer + max(grid, expected shortfall)
    buffer      = sum over coins of max_k (slope_k |D| - constant_k), D the net delta (initial only)
    grid        = min over n of f (max_s (loss_BTC[s] + n move_s) + max_s (loss_ETH[s] - n move_s) + c |n|)
    K           = contingency per option, perpetual and future, and the haircut of collateral
    met         = cash + sum_i price_i q_i >= requirement, cash >= -(debt limit), and |D| <= the largest exposure

Everything is in US dollars. It shares Black's formula and the list of grid cells with the policies; shocks, worst
cases, netting and tails are written out again, scenario by scenario. With `exact=True` the sums run in rational
numbers, so that agreement with the integer policy can be tested up to the edges of the ranges, where floating point has
long lost the micro-dollars.

References
----------
.. [1] R. T. Rockafellar, S. Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.margin.buffer import make_chords
from zkmargin.engine.margin.grid import Cell, make_cells
from zkmargin.engine.margin.parameters import Parameters
from zkmargin.engine.margin.policies import HouseModel
from zkmargin.engine.margin.scenarios import load_scenarios
from zkmargin.engine.margin.shortfall import ShortfallModel, compute_multiplier
from zkmargin.engine.market.instruments import Instrument, InstrumentKind
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import black76_price
from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import PRESETS, Coin
from zkmargin.engine.units import DAYS_PER_YEAR, SECONDS_PER_DAY, SECONDS_PER_YEAR, USD6

Number = float | Fraction


@dataclass(frozen=True)
class Requirement:
    """What an account must have at one level, and why. US dollars; `Fraction` after an exact evaluation."""

    level: str
    """"initial" or "maintenance"."""
    equity: Number
    """cash + sum of price times lots."""
    charges: dict[str, Number]
    """K by add-on: options owed, options held, perpetuals and futures, haircut, closed slots."""
    losses: dict[str, Number]
    """Worst loss of each coin's group with the transfer that is best for the account."""
    worst: dict[str, int]
    """Number of the cell in which that is, per coin."""
    transfer: Number
    """n, long exposure moved from the BTC group to the ETH group; negative the other way."""
    transfer_charge: Number
    """c |n|."""
    factor: Number
    """f."""
    shortfall: Number
    """kappa times the expected shortfall over the joint scenarios; 0 where the level does not ask for it."""
    cash_slack: Number
    """cash + debt limit."""
    buffers: dict[str, Number]
    """Contagion buffer per coin, as the chords ask it; 0 where the level does not ask for it."""
    exposure_slack: Number
    """Least room to the largest exposure over the coins; infinite where nothing limits it."""

    @property
    def grid(self) -> Number:
        """f (sum of worst losses + transfer charge)."""
        return self.factor * (sum(self.losses.values()) + self.transfer_charge)

    @property
    def charge(self) -> Number:
        """K."""
        return sum(self.charges.values())

    @property
    def buffer(self) -> Number:
        """Contagion buffer of all coins."""
        return sum(self.buffers.values())

    @property
    def scenario_margin(self) -> Number:
        """max(grid, expected shortfall)."""
        return max(self.grid, self.shortfall)

    @property
    def total(self) -> Number:
        """The requirement: K + buffer + max(grid, expected shortfall)."""
        return self.charge + self.buffer + self.scenario_margin

    @property
    def margin_excess(self) -> Number:
        """equity - requirement; negative when margin is missing."""
        return self.equity - self.total

    @property
    def is_met(self) -> bool:
        """Whether the account meets the requirement."""
        return self.margin_excess >= 0 and self.cash_slack >= 0 and self.exposure_slack >= 0


class Definition:
    """The requirement's definition at one snapshot.

    Parameters
    ----------
    snapshot : MarketSnapshot
    parameters : Parameters
    house : HouseModel, optional
        Take the values of single lots from this vectorised model of the same snapshot instead of computing them one by
        one (1.8 s at standard size). Tests compare the two.
    """

    def __init__(self, snapshot: MarketSnapshot, parameters: Parameters, house: HouseModel | None = None):
        self.snapshot, self.parameters, self.house = snapshot, parameters, house
        self.preset = snapshot.listing.preset
        self.cells = {coin: make_cells(coin, Layout(self.preset).cells, parameters) for coin in Coin}
        self.shortfall = house.shortfall if house is not None else ShortfallModel(snapshot, parameters)
        self.scenarios = self.shortfall.scenarios

    # ------------------------------------------------------------------------------------------- value of one lot
    def is_dead(self, item: Instrument) -> bool:
        """Whether the instrument is collateral that counts for nothing."""
        return item.kind is InstrumentKind.SPOT and item.underlying.value in self.parameters.unaccepted_collateral

    def value(
        self,
        item: Instrument,
        move: float = 0.0,
        volatility_factor: float = 1.0,
        volatility: float | None = None,
        days: float = 0.0,
    ) -> float:
        """Value of one lot after a relative price move, a change of volatility and some days, US dollars."""
        if self.is_dead(item):
            return 0.0
        forward = float(self.snapshot.forward[item.slot]) * (1.0 + move)
        if item.kind is not InstrumentKind.OPTION:
            return forward * item.lot_size
        years = max((item.expiry - self.snapshot.time) / SECONDS_PER_YEAR - days / DAYS_PER_YEAR, 0.0)
        shocked = (
            volatility if volatility is not None else float(self.snapshot.volatility[item.slot]) * volatility_factor
        )
        return float(black76_price(forward, item.strike, years, shocked, item.is_call)) * item.lot_size

    def delta(self, item: Instrument) -> float:
        """Change in value per change of the forward, for one coin."""
        if item.kind is not InstrumentKind.OPTION:
            return 1.0
        years = (item.expiry - self.snapshot.time) / SECONDS_PER_YEAR
        spread = float(self.snapshot.volatility[item.slot]) * math.sqrt(years)
        d1 = math.log(float(self.snapshot.forward[item.slot]) / item.strike) / spread + 0.5 * spread
        return 0.5 * math.erfc(-d1 / math.sqrt(2.0)) - (0.0 if item.is_call else 1.0)

    def tenor_scale(self, item: Instrument) -> float:
        """(30 days / tenor)^p, the factor of a 30-day volatility shock."""
        days = max((item.expiry - self.snapshot.time) / SECONDS_PER_DAY, self.parameters.tenor_floor)
        short = days <= self.parameters.tenor_reference
        power = self.parameters.tenor_power_short if short else self.parameters.tenor_power_long
        return (self.parameters.tenor_reference / days) ** power

    def shocked_volatility(self, item: Instrument, cell: Cell) -> float:
        """Volatility of an option in a grid cell."""
        parameters, coin = self.parameters, item.underlying.value
        volatility = float(self.snapshot.volatility[item.slot])
        if cell.volatility > 0:
            rise = parameters.volatility_up[coin] * self.tenor_scale(item)
            return max(volatility * (1.0 + rise), parameters.volatility_floor_up[coin])
        if cell.volatility < 0:
            return volatility * max(1.0 - parameters.volatility_down[coin] * self.tenor_scale(item), 0.0)
        if cell.skew:
            root = math.sqrt((item.expiry - self.snapshot.time) / SECONDS_PER_YEAR)
            cap = max(parameters.skew_shift - parameters.skew_slope * root, 0.0)
            reach = max(parameters.skew_width_floor, parameters.skew_width * root)
            moneyness = math.log(item.strike / float(self.snapshot.forward[item.slot]))
            return volatility * (1.0 - cell.skew * cap * min(max(moneyness / reach, -1.0), 1.0))
        short, middle, long = parameters.term_tenors
        days = (item.expiry - self.snapshot.time) / SECONDS_PER_DAY
        if days < middle:
            weight = min(math.log(middle / days) / math.log(middle / short), 1.0)
            return volatility * (1.0 + cell.short_tenors * parameters.term_short * weight)
        weight = min(math.log(days / middle) / math.log(long / middle), 1.0)
        return volatility * (1.0 + cell.long_tenors * parameters.term_long * weight)

    def basis_shift(self, item: Instrument, cell: Cell) -> float:
        """Relative change of an instrument's forward against spot and perpetual in a grid cell."""
        if not cell.basis or item.kind not in (InstrumentKind.OPTION, InstrumentKind.FUTURE):
            return 0.0
        years = (item.expiry - self.snapshot.time) / SECONDS_PER_YEAR
        grown = math.exp(cell.basis * self.parameters.basis_rate * years) - 1.0
        return cell.basis * max(abs(grown), self.parameters.basis_floor)

    @cached_property
    def items(self) -> tuple[Instrument, ...]:
        """Listed instruments in slot order."""
        return tuple(item for item in self.snapshot.listing.instruments if item is not None)

    @cached_property
    def prices(self) -> np.ndarray:
        """(N,) value of one lot."""
        if self.house is not None:
            return self.house.prices
        prices = np.zeros(self.preset.slots)
        for item in self.items:
            prices[item.slot] = self.value(item)
        return prices

    @cached_property
    def exposures(self) -> np.ndarray:
        """(N,) delta of one lot times the index, US dollars."""
        if self.house is not None:
            return self.house.exposures
        exposures = np.zeros(self.preset.slots)
        for item in self.items:
            if not self.is_dead(item):
                exposures[item.slot] = self.delta(item) * item.lot_size * self.snapshot.index[item.underlying]
        return exposures

    @cached_property
    def grid_pnl(self) -> np.ndarray:
        """(cells, N) change in value of one lot in each cell of its own coin."""
        if self.house is not None:
            return self.house.grid.pnl
        pnl = np.zeros((Layout(self.preset).cells, self.preset.slots))
        for item in self.items:
            for index, cell in enumerate(self.cells[item.underlying.value]):
                volatility = self.shocked_volatility(item, cell) if item.kind is InstrumentKind.OPTION else None
                move = cell.move + self.basis_shift(item, cell)
                after = self.value(item, move, volatility=volatility, days=cell.days)
                pnl[index, item.slot] = cell.dampening * (after - self.prices[item.slot])
        return pnl

    @cached_property
    def shortfall_pnl(self) -> np.ndarray:
        """(S, N) mean change in value of one lot over the windows of each group of joint scenarios."""
        if self.house is not None:
            return self.house.shortfall.pnl
        groups, weights = self.scenarios.groups, self.shortfall.window_weights
        pnl = np.zeros((int(groups.max()) + 1, self.preset.slots))
        for item in self.items:
            changes = self._window_changes(item)
            for group in range(len(pnl)):
                own = groups == group
                pnl[group, item.slot] = np.average(changes[own], weights=weights[own])
        return pnl

    def _window_changes(self, item: Instrument) -> np.ndarray:
        """(D,) change in value of one lot in each window of the sample, in cash."""
        if self.is_dead(item):
            return np.zeros(len(self.scenarios.token))
        coin = item.underlying.ordinal
        level, slope, size = self.scenarios.response[coin]
        moved = self.shortfall.log_moves[:, coin]
        forward = float(self.snapshot.forward[item.slot]) * np.exp(moved)
        if item.kind is InstrumentKind.SPOT:
            return forward * item.lot_size / (1.0 + self.scenarios.token) - self.prices[item.slot]
        if item.kind is not InstrumentKind.OPTION:
            return forward * item.lot_size - self.prices[item.slot]
        rise = np.exp(level + slope * moved + size * np.abs(moved)) - 1.0
        volatility = float(self.snapshot.volatility[item.slot]) * np.maximum(1.0 + rise * self.tenor_scale(item), 0.1)
        passed = self.scenarios.margin_period_days / DAYS_PER_YEAR
        years = max((item.expiry - self.snapshot.time) / SECONDS_PER_YEAR - passed, 0.0)
        value = black76_price(forward, item.strike, years, volatility, item.is_call)
        return value * item.lot_size - self.prices[item.slot]

    def charge_rates(self, item: Instrument | None, slot: int, level: str) -> tuple[str, float, str, float]:
        """(add-on, rate per lot held, add-on, rate per lot owed) of a slot."""
        closed = CLOSED_SIDE_RATE / USD6
        if slot in self.preset.collateral_slots:
            coin = self.preset.coin_of(slot)
            return "haircut", self.prices[slot] * self.parameters.haircut[level][coin], "closed slots", closed
        if item is None:
            return "closed slots", closed, "closed slots", closed
        notional = self.snapshot.index[item.underlying] * item.lot_size
        if item.kind is InstrumentKind.OPTION:
            return (
                "options held",
                notional * self.parameters.option_long[level],
                "options owed",
                notional * self.parameters.option_short[level],
            )
        rate = notional * self.parameters.linear[level]
        return "perpetuals and futures", rate, "perpetuals and futures", rate

    # ------------------------------------------------------------------------------------------------ requirement
    def compute_requirement(self, state: AccountState, level: str, *, exact: bool = False) -> Requirement:
        """The requirement of `state` at `level`.

        Parameters
        ----------
        state : AccountState
        level : str
            "initial" or "maintenance".
        exact : bool
            Sum in rational numbers: the result is then exact for the model's float coefficients.
        """
        parameters = self.parameters
        losses = {}
        for coin in Coin:
            own = self.preset.span(coin)
            losses[coin] = _losses(self.grid_pnl[:, own], state.positions[own], exact)
        factor, charge = (_number(value, exact) for value in (parameters.factor[level], parameters.transfer_charge))
        moves = {coin: [Fraction(cell.transfer_move, 1000) for cell in self.cells[coin]] for coin in Coin}
        transfer = _best_transfer(losses, moves, charge, exact)
        moved = {
            coin: [
                loss + sign * (move if exact else float(move)) * transfer
                for loss, move in zip(losses[coin], moves[coin], strict=True)
            ]
            for coin, sign in zip(Coin, (1, -1), strict=True)
        }
        shortfall = 0
        if level == "initial":
            scenario_losses = _losses(self.shortfall_pnl, state.positions, exact)
            tail, divisor = self.shortfall.tail_weight, self.shortfall.tail_divisor
            mean = tail_mean(scenario_losses, self.shortfall.weights.tolist(), tail)
            shortfall = mean * (Fraction(tail, divisor) if exact else tail / divisor)
        buffers, exposure_slack = self._buffers(state, level, exact)
        cash = Fraction(state.cash, USD6) if exact else state.cash / USD6
        return Requirement(
            level=level,
            equity=cash - _losses(self.prices[None], state.positions, exact)[0],
            charges=self._charges(state, level, exact),
            losses={coin: max(0, *moved[coin]) for coin in Coin},
            worst={coin: max(range(len(moved[coin])), key=moved[coin].__getitem__) for coin in Coin},
            transfer=transfer,
            transfer_charge=charge * abs(transfer),
            factor=factor,
            shortfall=shortfall,
            cash_slack=cash + _number(parameters.debt_limit[level], exact),
            buffers=buffers,
            exposure_slack=exposure_slack,
        )

    def _buffers(self, state: AccountState, level: str, exact: bool) -> tuple[dict[str, Number], Number]:
        """The buffer per coin, and the least room to a largest exposure."""
        buffers, slack = dict.fromkeys(Coin, Fraction(0) if exact else 0.0), math.inf
        if level != "initial":
            return buffers, slack
        exposures = self.exposures
        for coin in Coin:
            own = self.preset.span(coin)
            crowding, lots = self.snapshot.crowding[coin], state.positions[own]
            rate = self.parameters.price_range[coin] * self.parameters.factor["initial"]
            for sign in (1.0, -1.0):
                ladder, depth = crowding.get_side(sign)
                curvature = self.snapshot.contagion_multiplier * crowding.impact / (2.0 * depth)
                if not curvature:
                    continue
                count = Layout(self.preset).chords
                chords = make_chords(curvature, ladder, count, self.parameters.buffer_error, rate)
                columns = np.array([-slope * sign * exposures[own] for slope in chords.slopes])
                asked = _losses(columns, lots, exact)
                constants = [_exactly(constant, exact) for constant in chords.constants]
                buffers[coin] = max(buffers[coin], *(a - c for a, c in zip(asked, constants, strict=True)))
                size = -sign * _losses(exposures[own][None], lots, exact)[0]
                slack = min(slack, _exactly(chords.largest, exact) - size)
        return buffers, slack

    def _charges(self, state: AccountState, level: str, exact: bool) -> dict[str, Number]:
        names = ("options owed", "options held", "perpetuals and futures", "haircut", "closed slots")
        charges = dict.fromkeys(names, Fraction(0) if exact else 0.0)
        for slot in np.flatnonzero(state.positions):
            lots = int(state.positions[slot])
            held, long, owed, short = self.charge_rates(self.snapshot.listing.instruments[slot], int(slot), level)
            charges[held if lots > 0 else owed] += abs(lots) * _number(long if lots > 0 else short, exact)
        return charges


def _exactly(value: float, exact: bool) -> Number:
    """A computed float as it is."""
    return Fraction(value) if exact else float(value)


def _number(value: float, exact: bool) -> Number:
    """A parameter as a number: exact ones are read as the decimal that the file states."""
    return Fraction(str(value)) if exact and value == round(value, 9) else (Fraction(value) if exact else float(value))


def _losses(pnl: np.ndarray, positions: np.ndarray, exact: bool) -> list[Number]:
    """Loss of a book in each scenario, positive when it loses: -(P&L . q)."""
    held = np.flatnonzero(positions)
    if not exact:
        return [float(value) for value in -(pnl[:, held] @ positions[held].astype(float))]
    lots = [int(value) for value in positions[held]]
    return [
        -sum((Fraction(value) * lot for value, lot in zip(row, lots, strict=True)), Fraction(0))
        for row in pnl[:, held].tolist()
    ]


def tail_mean(losses: Sequence[Number], weights: Sequence[int], tail: int) -> Number:
    """Mean of the worst losses up to the weight `tail`, the last one in part: the expected shortfall."""
    total, left = 0, tail
    for loss, weight in sorted(zip(losses, weights, strict=True), reverse=True):
        taken = min(weight, left)
        total += taken * loss
        left -= taken
        if not left:
            break
    return total / tail


def _best_transfer(
    losses: dict[str, list[Number]], moves: dict[str, list[Fraction]], charge: Number, exact: bool
) -> Number:
    """The n that minimises max(loss_1 + n move) + max(loss_2 - n move) + c |n|: the function is convex and piecewise
    linear, so one of the points where two lines of a coin cross, or zero, is a minimum."""
    lines = {}
    for coin, sign in zip(Coin, (1, -1), strict=True):
        steepest: dict[Fraction, Number] = {}
        for loss, move in zip(losses[coin], moves[coin], strict=True):
            steepest[sign * move] = max(loss, steepest.get(sign * move, loss))
        lines[coin] = [(slope if exact else float(slope), loss) for slope, loss in steepest.items()]
    candidates: list[Number] = [Fraction(0) if exact else 0.0]
    for own in lines.values():
        candidates += [(b - a) / (slope_a - slope_b) for (slope_a, a), (slope_b, b) in combinations(own, 2)]

    def cost(n: Number) -> Number:
        return sum(max(slope * n + loss for slope, loss in own) for own in lines.values()) + charge * abs(n)

    return min(candidates, key=cost)


def compute_allowance(parameters: Parameters, level: str, state: AccountState) -> float:
    """The most that the integer policy may ask beyond the real requirement, US dollars.

    Per lot: 2.5 micro-dollars in the equity row (price to nearest, contingency up, K_2), 2.5 f in the two groups (P&L
    to nearest in the lot's own group, K_2 in both), and for initial 2.5 in the two buffers likewise, that is 8.125 at
    f = 1.25; the expected shortfall's 1.5 kappa (P&L to nearest, K_2) take the place of 2.5 f where they are more. Per
    account, from whole units of the transfer, of the losses and of E: f (1000 range + 500 c + 2) + 1 micro-dollars, and
    4 for whole units of the buffers and their constants: 318 with the shipped parameters.
    """
    factor, buffers = parameters.factor[level], int(level == "initial")
    scenarios = 2.5 * factor
    if buffers:
        scenarios = max(scenarios, 1.5 * _largest_multiplier(parameters, len(state.positions)))
    lots = int(np.abs(state.positions).sum())
    whole_units = factor * (1000 * max(parameters.price_range.values()) + 500 * parameters.transfer_charge + 2) + 1
    return ((2.5 + scenarios + 2.5 * buffers) * lots + whole_units + 4 * buffers) / USD6


def _largest_multiplier(parameters: Parameters, slots: int) -> float:
    """Largest kappa of the expected shortfall over the presets with so many slots."""
    found = 1.0
    for preset in PRESETS.values():
        if preset.slots == slots:
            scenarios = load_scenarios(parameters.shortfall_scenarios, preset.excess_rows)
            tail, divisor = compute_multiplier(scenarios, parameters.procyclicality)
            found = max(found, tail / divisor)
    return found
