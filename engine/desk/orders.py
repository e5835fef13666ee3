"""Orders and directions: whole lots of listed instruments, with the cash that they pay."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from zkmargin.engine.account import STATE_LOTS, AccountState, Portfolio
from zkmargin.engine.errors import DuplicateName, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.market.instruments import MAX_USD, Instrument
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import LOT_STEP, USD6, Usd6, require_in_range, require_whole

MAX_ORDER_LOTS = 2**BITS.leg - 1
"""Largest order of one instrument, lots: a leg of a trade."""
MAX_TRADE_CASH = 2**BITS.trade_cash - 1
"""Largest cash of a trade, micro-dollars."""

Number = TypeVar("Number", int, float)

_FORM = re.compile(r"(?P<name>[^:\s]+):(?P<value>\S+)")


@dataclass(frozen=True)
class Order:
    """So many lots of one instrument, at the mark or at a price.

    Raises
    ------
    OutOfRange
        If lots are zero, no whole number or beyond `MAX_ORDER_LOTS`, or the price is no number from 0 to `MAX_USD`.
    """

    name: str
    """Instrument."""
    lots: int
    """Positive buys, negative sells."""
    price: float | None = None
    """US dollars per coin; none is the mark."""

    def __post_init__(self) -> None:
        lots = require_whole(f"lots of {self.name}", self.lots, -MAX_ORDER_LOTS, MAX_ORDER_LOTS)
        if not lots:
            raise OutOfRange(f"lots of {self.name}", 0, f"-{MAX_ORDER_LOTS}", f"{MAX_ORDER_LOTS}, not zero")
        object.__setattr__(self, "lots", lots)
        if self.price is not None:
            require_in_range(f"price of {self.name} in US dollars per coin", self.price, 0.0, MAX_USD)


def parse_orders(orders: Sequence[str], prices: Sequence[str] = ()) -> tuple[Order, ...]:
    """Orders written `NAME:LOTS`, several in one text with commas; prices written `NAME:USD`, US dollars per coin.

    Raises
    ------
    WrongKind
        If a text has another form, or there is no order.
    OutOfRange
        As `Order`.
    DuplicateName
        If an instrument is ordered or priced twice.
    UnknownName
        If a price names an instrument that is not ordered.
    """
    lots = parse_named("order", "NAME:LOTS, such as BTC-PERPETUAL:+10", orders, _parse_lots)
    paid = parse_named("price", "NAME:USD per coin, such as BTC-PERPETUAL:77000.5", prices, _parse_price)
    if not lots:
        raise WrongKind("orders", "none", "at least one NAME:LOTS, such as BTC-PERPETUAL:+10")
    for name in paid:
        if name not in lots:
            raise UnknownName("priced instrument", name, lots)
    return tuple(Order(name, count, paid.get(name)) for name, count in lots.items())


def parse_named(what: str, form: str, texts: Sequence[str], read: Callable[[str, str], Number]) -> dict[str, Number]:
    """Numbers by name, written NAME:NUMBER, several in one text with commas; each read by `read`, which gets name and
    text.

    Raises
    ------
    WrongKind
        If a text has another form; `form` says which is allowed.
    DuplicateName
        If a name comes twice.
    """
    numbers: dict[str, Number] = {}
    for text in (part.strip() for line in texts for part in line.split(",")):
        match = _FORM.fullmatch(text)
        if match is None:
            raise WrongKind(what, text, form)
        name = match["name"]
        if name in numbers:
            raise DuplicateName(what, name)
        numbers[name] = read(name, match["value"])
    return numbers


def _parse_lots(name: str, text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise OutOfRange(f"lots of {name}", text, -MAX_ORDER_LOTS, f"{MAX_ORDER_LOTS}, whole lots")
    return int(text)


def _parse_price(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise OutOfRange(f"price of {name} in US dollars per coin", text, 0.0, MAX_USD) from None


def find_instruments(house: HouseModel, orders: Iterable[Order]) -> list[Instrument]:
    """What each order trades; raises `UnknownName` with the nearest listed names."""
    return [house.snapshot.listing.get(order.name) for order in orders]


def price_lot(house: HouseModel, order: Order) -> Fraction:
    """What one lot costs, micro-dollars: the mark, whole, or the order's own price times the lot size, exact."""
    item = house.snapshot.listing.get(order.name)
    if order.price is None:
        return Fraction(int(house.marks[item.slot]))
    return Fraction(str(order.price)) * Fraction(round(item.lot_size * LOT_STEP), LOT_STEP) * USD6


def trade(house: HouseModel, state: AccountState, orders: Sequence[Order], times: int = 1) -> AccountState:
    """The account after `times` times the orders. It pays what they cost, rounded up to whole micro-dollars once.

    Raises
    ------
    UnknownName
        If an instrument is not listed.
    OutOfRange
        If the cash of the trade or a new position is beyond its range.
    """
    positions = state.positions.astype(object)
    cost = Fraction(0)
    for order, item in zip(orders, find_instruments(house, orders), strict=True):
        positions[item.slot] += times * order.lots
        require_whole(f"lots of {order.name} after the trade", positions[item.slot], *STATE_LOTS)
        cost += times * order.lots * price_lot(house, order)
    paid = math.ceil(cost)
    if abs(paid) > MAX_TRADE_CASH:
        raise OutOfRange("cash of the trade in micro-dollars", paid, -MAX_TRADE_CASH, MAX_TRADE_CASH)
    return AccountState(positions, state.cash - paid)


def pay_out(account: Portfolio, dollars: float) -> Portfolio:
    """The account after a withdrawal of US dollars; raises `OutOfRange` for a negative amount or no number."""
    paid = require_in_range("withdrawal in US dollars", dollars, 0.0, MAX_TRADE_CASH / USD6)
    return replace(account, cash=Usd6(account.cash - round(paid * USD6)))
