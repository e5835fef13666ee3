"""Portfolios in lots: by instrument name for people and files, by slot for the engine and the circuit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.files import StrictModel, find_shipped, list_shipped, read_model, read_text
from zkmargin.engine.market.instruments import Listing
from zkmargin.engine.presets import BITS
from zkmargin.engine.units import Usd6, require_whole

MAX_LOTS = 2**BITS.position - 1
"""Largest position of a portfolio, lots, long or short."""
STATE_LOTS = (-(2**BITS.position), MAX_LOTS)
"""Least and largest position in a state, lots: the circuit's range, one wider on the short side."""
MAX_CASH = 2**BITS.cash - 1
"""Largest cash of a portfolio, micro-dollars, positive or negative."""
STATE_CASH = (-(2**BITS.cash), MAX_CASH)
"""Least and largest cash in a state, micro-dollars: the circuit's range."""
FORMAT = "zkmargin.portfolio/1"
"""First field of a portfolio file."""
PORTFOLIOS = Path(__file__).with_name("data") / "portfolios"
"""Where the shipped examples are."""


@dataclass(frozen=True, eq=False)
class AccountState:
    """What an account holds, in slot order: the part of the committed state that margin is computed from. It is the
    account's secret, so the representation shows none of it.

    Raises `WrongKind` if positions are no vector of whole numbers, and `OutOfRange` if lots are outside `STATE_LOTS` or
    cash outside `STATE_CASH`.
    """

    positions: np.ndarray = field(repr=False)
    """(N,) int64, signed lots; read-only."""
    cash: int = field(repr=False)
    """Signed micro-dollars; a Python int, since it does not fit 64 bits."""

    def __post_init__(self) -> None:
        given = np.asarray(self.positions)
        if given.ndim != 1 or given.dtype.kind not in "iuO":
            raise WrongKind("positions", f"{given.dtype} of shape {given.shape}", "whole numbers of shape (N,)")
        if given.dtype.kind == "O":  # numbers beyond 64 bits, or anything at all
            for slot, lots in enumerate(given.tolist()):
                require_whole(f"lots in slot {slot}", lots, *STATE_LOTS)
        for beyond in np.flatnonzero((given < STATE_LOTS[0]) | (given > STATE_LOTS[1])):
            raise OutOfRange(f"lots in slot {beyond}", int(given[beyond]), *STATE_LOTS)
        positions = given.astype(np.int64)
        positions.flags.writeable = False
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "cash", require_whole("cash_usd6", self.cash, *STATE_CASH))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AccountState)
            and self.cash == other.cash
            and np.array_equal(self.positions, other.positions)
        )

    def __hash__(self) -> int:
        return hash((self.positions.tobytes(), self.cash))

    @property
    def open_positions(self) -> int:
        """Number of slots with a position."""
        return int(np.count_nonzero(self.positions))


@dataclass(frozen=True)
class Portfolio:
    """Positions by instrument name and cash; entries of zero lots are dropped. The representation shows the name only.

    Raises `OutOfRange` if lots or cash are not whole numbers in range.
    """

    name: str
    """What people call it."""
    positions: Mapping[str, int] = field(repr=False)
    """Signed lots by instrument name."""
    cash: Usd6 = field(repr=False)
    """Signed micro-dollars of USDC; `usd` makes them of US dollars."""

    def __post_init__(self) -> None:
        checked = {
            name: require_whole(f"lots of {name}", lots, -MAX_LOTS, MAX_LOTS) for name, lots in self.positions.items()
        }
        object.__setattr__(self, "positions", MappingProxyType({name: lots for name, lots in checked.items() if lots}))
        object.__setattr__(self, "cash", require_whole("cash_usd6", self.cash, -MAX_CASH, MAX_CASH))

    def __hash__(self) -> int:
        return hash((self.name, frozenset(self.positions.items()), self.cash))

    def to_state(self, listing: Listing) -> AccountState:
        """The positions in slot order; raises `UnknownName` for a name that `listing` does not list."""
        positions = np.zeros(listing.preset.slots, dtype=np.int64)
        for name, lots in self.positions.items():
            positions[listing.get(name).slot] = lots
        return AccountState(positions, self.cash)

    @classmethod
    def from_state(cls, name: str, state: AccountState, listing: Listing) -> Portfolio:
        """The inverse of `to_state`; raises `UnknownName` for lots in a slot where nothing is listed."""
        if state.positions.shape != (listing.preset.slots,):
            raise OutOfRange("number of slots", len(state.positions), listing.preset.slots, listing.preset.slots)
        positions = {}
        for slot in np.flatnonzero(state.positions):
            positions[listing.at(slot).name] = int(state.positions[slot])
        return cls(name, positions, Usd6(state.cash))

    def to_json(self) -> str:
        """The portfolio as a JSON document that `from_json` reads back to an equal one."""
        head = {"format": FORMAT, "name": self.name, "cash_usd6": self.cash}
        return json.dumps({**head, "positions": dict(self.positions)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, *, source: str = "portfolio file") -> Portfolio:
        """The portfolio of a JSON document; `source` names the document in errors.

        Raises
        ------
        MalformedFile
            If it is no JSON, a key is missing or unknown, or a value is no whole number.
        DuplicateName
            If an instrument is named twice.
        OutOfRange
            If lots or cash are beyond their range.
        """
        file = read_model(PortfolioFile, text, source)
        if file.format != FORMAT:
            raise MalformedFile(source, f"format is {file.format!r}; allowed: {FORMAT!r}")
        return cls(file.name, file.positions, Usd6(file.cash_usd6))


class PortfolioFile(StrictModel):
    """A portfolio file as it stands on disk."""

    format: str
    """zkmargin.portfolio/1."""
    name: str
    """Of the book."""
    about: str = ""
    """What the book is meant to show, in words."""
    cash_usd6: int
    """Micro-dollars, signed."""
    positions: dict[str, int]
    """Signed lots by instrument."""


def load_portfolio(name_or_path: str | Path) -> Portfolio:
    """A shipped example by name, or a portfolio from a file by path; raises `UnknownName` if it is neither."""
    path = find_shipped(name_or_path, PORTFOLIOS)
    if path is None:
        raise UnknownName("portfolio (neither a shipped name nor a file)", str(name_or_path), list_shipped(PORTFOLIOS))
    return Portfolio.from_json(read_text(path), source=path.name)
