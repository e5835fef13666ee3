"""Which part of a book in default is sold, and for how much at least.

The part is the cheapest one, at a discount from the mark, after whose sale the policy is met. It comes from the linear
programme of a hedge (`engine.desk.hedge_programme`), with no more for sale than brings positions nearer to zero: by
duality that takes the lots which relieve the requirement most per dollar of discount. The lowest price is the one that
the programme counted with. An account that fails and meets its requirement after a sale at that price has more equity
over requirement than before; at any higher price still more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.desk.deadline import Deadline
from zkmargin.engine.desk.find_hedge import MOST_SECONDS, SECONDS, Search
from zkmargin.engine.desk.hedge_programme import Goal
from zkmargin.engine.desk.liquidity import Liquidity
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.policy.linear_programme import ProgrammeFailed
from zkmargin.engine.units import USD6, require_in_range

DISCOUNT = 0.02
"""Default of what a buyer is given at most: a share of the notional of perpetuals and futures, and of the mark of
everything else. Our choice, about ten times the taker's half spread."""
LEAST_DISCOUNT = 1e-4
"""Below it relief per dollar means nothing."""
TARGETS = ("initial", "maintenance")
"""What the rest should meet, the better first: from initial margin on the owner can trade again."""


@dataclass(frozen=True)
class PartialSale:
    """A part of a book, and its lowest price. US dollars where nothing else is said."""

    lots: dict[str, int]
    """By instrument, with the sign of the position that it lessens."""
    part: dict[int, int]
    """The same by slot, rising."""
    target: str
    """The policy that the rest meets at the lowest price."""
    mark: float
    """Value of the part at the mark; negative for what is owed."""
    floor_usd6: int
    """Lowest price, micro-dollars; with a minus, what the book pays to be rid of it."""
    equity: float
    """Of the book before."""
    requirement_before: float
    """Maintenance."""
    requirement_after: float
    """Of the rest, maintenance."""
    relief_per_dollar: float
    """Maintenance that is no longer required, per dollar of discount at the lowest price."""

    def to_document(self) -> dict[str, object]:
        """Plain dictionaries and numbers."""
        return asdict(self)


def choose_part(
    house: HouseModel, state: AccountState, *, discount: float = DISCOUNT, seconds: float = SECONDS
) -> PartialSale | None:
    """The cheapest part whose sale redeems a book that fails maintenance; none where no part does, so that the whole
    book is auctioned, and none where the book does not fail.

    Parameters
    ----------
    house : HouseModel
    state : AccountState
        The book, as it was revealed.
    discount : float
        From the mark, `LEAST_DISCOUNT` to 0.5; see `DISCOUNT`.
    seconds : float
        Time limit of the search, 0.1 to 600.

    Raises
    ------
    OutOfRange
        If a number is not in its range.
    ProgrammeFailed
        If the solver gives no answer, for want of time or otherwise: then nobody knows whether a part redeems.
    """
    require_in_range("discount from the mark", discount, LEAST_DISCOUNT, 0.5)
    deadline = Deadline(require_in_range("seconds of the search", seconds, 0.1, MOST_SECONDS))
    if house.meets(house.get_solvency_policy("maintenance"), state):
        return None
    liquidity = make_sale_liquidity(house, state, discount)
    for target in TARGETS:
        search = Search(house, house.get_solvency_policy(target), state, liquidity, Goal.RESTORE, np.inf, deadline)
        try:
            trades = search.find_rounded(search.make_programme())
        except ProgrammeFailed as failure:
            if not failure.is_infeasible:
                raise
            continue
        if trades is not None and trades.any():
            return _describe(search, trades)
    return None


def make_sale_liquidity(house: HouseModel, state: AccountState, discount: float) -> Liquidity:
    """What a book can sell: its positions down to zero, at the discount; collateral too.

    A lot's discount is a micro-dollar at least, also where its mark rounds to nothing.
    """
    marks, positions = house.marks, state.positions
    base = np.abs(marks).astype(float)
    for item in house.snapshot.listing.by_name.values():
        if item.kind in (InstrumentKind.PERPETUAL, InstrumentKind.FUTURE):
            base[item.slot] = float(house.snapshot.forward[item.slot]) * item.lot_size * USD6
    least = house.snapshot.listing.is_listed.astype(np.int64)
    less = np.maximum(least, np.ceil(discount * base).astype(np.int64))
    return Liquidity(
        mark=marks,
        ask=marks + less,
        bid=marks - less,
        can_buy=np.maximum(-positions, 0),
        can_sell=np.maximum(positions, 0),
    )


def _describe(search: Search, trades: np.ndarray) -> PartialSale:
    """The part has the opposite sign of the trades that lessen the book."""
    house = search.house
    before, after = (
        house.definition_requirement(state, "maintenance") for state in (search.state, search.apply(trades))
    )
    part = {int(slot): -int(trades[slot]) for slot in np.flatnonzero(trades)}
    relief = float(before.total - after.total)
    return PartialSale(
        lots={house.snapshot.listing.at(slot).name: lots for slot, lots in part.items()},
        part=part,
        target=search.level,
        mark=sum(lots * int(house.marks[slot]) for slot, lots in part.items()) / USD6,
        floor_usd6=-search.liquidity.get_payment(trades),
        equity=float(before.equity),
        requirement_before=float(before.total),
        requirement_after=float(after.total),
        relief_per_dollar=relief / search.get_cost(trades),
    )
