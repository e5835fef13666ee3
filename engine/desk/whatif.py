"""What an order would do: the account before and after it, and the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from zkmargin.engine.account import AccountState
from zkmargin.engine.desk.distance import WorstDirection, measure_loss_distance
from zkmargin.engine.desk.orders import Order, find_instruments, price_lot, trade
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import LEVELS
from zkmargin.engine.margin.report import describe_worst_cell, report_level
from zkmargin.engine.margin.verdict import Verdict
from zkmargin.engine.presets import BITS, Coin
from zkmargin.engine.units import USD6


@dataclass(frozen=True)
class Standing:
    """Where an account stands. US dollars."""

    equity: float
    """Cash and the value of every position."""
    initial: float
    """Initial requirement."""
    maintenance: float
    """Maintenance requirement."""
    contagion_buffer: float
    """The part of the initial requirement that is the contagion buffer."""
    margin_excess_initial: float
    """Equity less initial requirement."""
    margin_excess_maintenance: float
    """Equity less maintenance requirement."""
    verdicts: dict[str, Verdict]
    """By level, what the integer policy says."""
    binding: str
    """The rule that decides the initial requirement."""
    worst: dict[Coin, str]
    """By coin, the grid's worst scenario."""
    worst_loss: dict[Coin, float]
    """By coin, the loss in it."""
    distance: WorstDirection | None
    """How far the market must move, where equity falls most, until maintenance fails; none where not asked for."""

    @classmethod
    def of(cls, house: HouseModel, state: AccountState, with_distance: bool = False) -> Standing:
        """Where `state` stands at the market of `house`; its distance takes a second or so."""
        required = {level: house.definition_requirement(state, level) for level in LEVELS}
        levels = {level: report_level(house, state, requirement) for level, requirement in required.items()}
        initial, maintenance = (levels[level] for level in LEVELS)
        return cls(
            equity=required["initial"].equity,
            initial=initial.requirement,
            maintenance=maintenance.requirement,
            contagion_buffer=initial.contagion_buffer,
            margin_excess_initial=initial.margin_excess,
            margin_excess_maintenance=maintenance.margin_excess,
            verdicts={name: level.verdict for name, level in levels.items()},
            binding=initial.binding,
            worst={coin: describe_worst_cell(house, coin, required["initial"]) for coin in required["initial"].losses},
            worst_loss=required["initial"].losses,
            distance=measure_loss_distance(house, state) if with_distance else None,
        )


AMOUNTS = ("equity", "initial", "maintenance", "contagion_buffer", "margin_excess_initial", "margin_excess_maintenance")
"""Fields of a standing that are US dollars."""


@dataclass(frozen=True)
class PricedOrder:
    """An order with what it pays. US dollars."""

    name: str
    """Instrument."""
    lots: int
    """Signed."""
    coins_per_lot: float
    """Coin per lot."""
    price: float
    """Per coin."""
    mark: float
    """Per coin."""
    cash: float
    """What the account pays, negative when it receives."""


@dataclass(frozen=True)
class WhatIf:
    """An account before and after orders."""

    portfolio: str
    """Whose."""
    orders: tuple[PricedOrder, ...]
    """What is traded."""
    trades: int
    """Trades that the orders need, since one has few legs."""
    before: Standing
    """As it is."""
    after: Standing
    """As it would be."""

    @property
    def change(self) -> dict[str, float]:
        """After less before, US dollars, by field."""
        return {name: getattr(self.after, name) - getattr(self.before, name) for name in AMOUNTS}

    def passes(self, level: str) -> bool:
        """Whether the account after the orders could prove the level."""
        return self.after.verdicts[level].passes

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return {**asdict(self), "change": self.change, "passes": {level: self.passes(level) for level in LEVELS}}


def price_orders(house: HouseModel, orders: Sequence[Order]) -> tuple[PricedOrder, ...]:
    """Orders with prices per coin and the cash that each pays; raises `UnknownName` for one that is not listed."""
    priced = []
    for order, item in zip(orders, find_instruments(house, orders), strict=True):
        lot, mark = price_lot(house, order), int(house.marks[item.slot]) / USD6
        priced.append(
            PricedOrder(
                name=order.name,
                lots=order.lots,
                coins_per_lot=item.lot_size,
                price=float(lot) / USD6 / item.lot_size,
                mark=mark / item.lot_size,
                cash=float(lot * order.lots) / USD6,
            )
        )
    return tuple(priced)


def count_trades(instruments: int) -> int:
    """Trades that so many instruments need."""
    return -(-instruments // BITS.legs)


def compute_whatif(
    house: HouseModel, name: str, state: AccountState, orders: Sequence[Order], with_distance: bool = False
) -> WhatIf:
    """What `orders` do to the account `name` in `state`; `with_distance` also says how far a margin call is.

    Raises
    ------
    UnknownName
        If an instrument is not listed.
    OutOfRange
        If the trade's cash or a new position is beyond its range.
    """
    priced, after = price_orders(house, orders), trade(house, state, orders)
    return WhatIf(
        portfolio=name,
        orders=priced,
        trades=count_trades(len(orders)),
        before=Standing.of(house, state, with_distance),
        after=Standing.of(house, after, with_distance),
    )
