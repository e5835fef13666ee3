"""Sizes of the statement and its bit budget: the typed reader of `engine/presets.json`, their only source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName

LANES = 3
"""Policy rows per packed row: three 84-bit lanes fill one field element."""

SPOT_OFFSET = 0
"""Offset of the spot collateral within a coin's slots."""
PERPETUAL_OFFSET = 1
"""Offset of the perpetual within a coin's slots."""
FIRST_FUTURE_OFFSET = 2
"""Offset of the first dated future within a coin's slots."""


class Coin(StrEnum):
    """The coins, in slot order: each owns a contiguous share of the slots."""

    BTC = "BTC"
    ETH = "ETH"

    @property
    def ordinal(self) -> int:
        """Place in the slot order, from 0; coins are so numbered in numpy columns."""
        return list(Coin).index(self)


def require_coin(what: str, name: str) -> Coin:
    """The coin called `name`; raises `UnknownName`, which lists them."""
    try:
        return Coin(name)
    except ValueError:
        raise UnknownName(what, name, Coin) from None


@dataclass(frozen=True)
class CoinShare:
    """What a coin owns of a preset's slots."""

    coin: Coin
    slots: int
    """Slots, at least those of spot, perpetual and dated futures."""
    futures: int
    """Slots for dated futures."""
    in_vault: bool
    """Whether a vault takes the coin's spot as collateral."""


@dataclass(frozen=True)
class Preset:
    """Sizes of one compiled statement, and how its slots are split between the coins.

    The circuit knows the sizes alone, so presets that differ in the split only share their keys. Within a coin's slots:
    +0 spot collateral, +1 perpetual, then dated futures, then options.

    Raises
    ------
    OutOfRange
        If a size cannot be laid out.
    """

    name: str
    """Key in presets.json."""
    slots: int
    """N, instruments an account can hold."""
    rows: int
    """Policy rows, a multiple of `LANES`."""
    excess_rows: int
    """X, the number of first rows that have an excess variable each."""
    helpers: int
    """J, helper variables of a certificate."""
    split: tuple[CoinShare, ...] = ()
    """The coins' shares in slot order; where none is given, that of presets.json for so many slots."""

    def __post_init__(self) -> None:
        if not self.split:
            if self.slots not in SPLITS:
                raise OutOfRange(f"slots of preset {self.name}", self.slots, *SPLITS)
            object.__setattr__(self, "split", SPLITS[self.slots])
        self._check_split()
        if self.rows % LANES or self.rows <= 0:
            raise OutOfRange(f"rows of preset {self.name}", self.rows, LANES, f"any multiple of {LANES}")
        if not 0 <= self.excess_rows <= self.rows:
            raise OutOfRange(f"excess_rows of preset {self.name}", self.excess_rows, 0, self.rows)
        if self.helpers <= 0:
            raise OutOfRange(f"helpers of preset {self.name}", self.helpers, 1, "any")

    def _check_split(self) -> None:
        given = [share.coin for share in self.split]
        if given != list(Coin):
            raise UnknownName(f"coins of preset {self.name}, in order,", str(given), [str(list(Coin))])
        for share in self.split:
            what = f"slots of {share.coin} in preset {self.name}"
            if not 0 <= share.futures <= share.slots - FIRST_FUTURE_OFFSET:
                raise OutOfRange(what, share.slots, FIRST_FUTURE_OFFSET + max(share.futures, 0), self.slots)
        total = sum(share.slots for share in self.split)
        if total != self.slots:
            raise OutOfRange(f"sum of the coins' slots in preset {self.name}", total, self.slots, self.slots)

    @property
    def packed_rows(self) -> int:
        """P = rows / 3, field elements that hold three rows each."""
        return self.rows // LANES

    @cached_property
    def coins(self) -> Mapping[Coin, range]:
        """Slots of each underlying, in slot order."""
        ends = list(accumulate(share.slots for share in self.split))
        return MappingProxyType(
            {share.coin: range(end - share.slots, end) for share, end in zip(self.split, ends, strict=True)}
        )

    @cached_property
    def _owners(self) -> tuple[Coin, ...]:
        """(N,) the coin of each slot."""
        return tuple(coin for coin, slots in self.coins.items() for _ in slots)

    def coin_slots(self, coin: Coin) -> range:
        """Slots of `coin`; raises `UnknownName` for one that is none."""
        return self.coins[require_coin("underlying", coin)]

    def coin_of(self, slot: int) -> Coin:
        """The coin that owns `slot`, listed or not."""
        return self._owners[slot]

    def span(self, coin: Coin) -> slice:
        """`coin_slots` as an index into columns in slot order."""
        slots = self.coin_slots(coin)
        return slice(slots.start, slots.stop)

    def future_slots(self, coin: Coin) -> range:
        """Slots for the dated futures of `coin`."""
        first = self.coin_slots(coin).start + FIRST_FUTURE_OFFSET
        return range(first, first + self.split[Coin(coin).ordinal].futures)

    def option_slots(self, coin: Coin) -> range:
        """Slots for the options of `coin`."""
        return range(self.future_slots(coin).stop, self.coin_slots(coin).stop)

    @cached_property
    def linear_slots(self) -> tuple[int, ...]:
        """Slots of perpetuals and dated futures, rising."""
        perpetuals = (slots.start + PERPETUAL_OFFSET for slots in self.coins.values())
        return tuple(sorted((*perpetuals, *(slot for coin in self.coins for slot in self.future_slots(coin)))))

    @cached_property
    def collateral_slots(self) -> tuple[int, ...]:
        """The slot of each underlying's spot collateral."""
        return tuple(slots.start + SPOT_OFFSET for slots in self.coins.values())

    @cached_property
    def vault_slots(self) -> tuple[int, ...]:
        """Collateral slots that a vault has a token for, the only ones that deposits and withdrawals may touch.

        The others are reserved: no vault takes anything for them.
        """
        shares = zip(self.split, self.collateral_slots, strict=True)
        return tuple(slot for share, slot in shares if share.in_vault)

    @cached_property
    def derivative_slots(self) -> tuple[int, ...]:
        """Every slot that is not collateral, listed or not, in rising order."""
        return tuple(slot for slot in range(self.slots) if slot not in self.collateral_slots)


@dataclass(frozen=True)
class Bits:
    """The bit budget of the statement. A field is a number of bits unless its docstring says otherwise."""

    lane: int
    """One row inside a packed row."""
    slack: int
    """0 <= slack < 2^slack."""
    position: int
    """-2^position <= lots < 2^position, before and after a transition."""
    position_lane: int
    """One position inside a packed state word."""
    positions_per_word: int
    """Positions in one state word (a count)."""
    leg: int
    """-2^leg <= lots of a trade's leg < 2^leg."""
    legs: int
    """Legs of a trade (a count)."""
    leg_slot: int
    """Slot number inside a leg."""
    trade_cash: int
    """-2^trade_cash <= cash of a trade < 2^trade_cash, micro-dollars."""
    flow: int
    """abs(flow) <= 2^flow lots."""
    cash_flow: int
    """abs(cash flow) < 2^cash_flow micro-dollars."""
    typed_amount: int
    """0 <= amount or fee of an action < 2^typed_amount."""
    cash: int
    """-2^cash <= cash < 2^cash micro-dollars."""
    charge: int
    """0 <= K_1, K_2 < 2^charge micro-dollars."""
    excess: int
    """0 <= e_s < 2^excess micro-dollars."""
    helper: int
    """0 <= x_j < 2^helper micro-dollars."""
    coefficient: int
    """abs(W) on a position < 2^coefficient micro-dollars per lot."""
    charge_rate: int
    """0 <= charge per lot < 2^charge_rate micro-dollars."""
    charge_coefficient_max: int
    """abs(W) on a charge <= this number (not bits)."""
    helper_coefficient: int
    """abs(W) on a helper < 2^helper_coefficient."""
    weight: int
    """0 <= weight of an excess < 2^weight."""
    constant: int
    """abs(b) < 2^constant micro-dollars."""
    price: int
    """abs(price or payoff) < 2^price micro-dollars per lot."""


def _read_splits(document: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Mapping[int, tuple[CoinShare, ...]]:
    return MappingProxyType(
        {
            int(slots): tuple(
                CoinShare(require_coin("coin of a split", coin), each["slots"], each["futures"], bool(each["in_vault"]))
                for coin, each in shares.items()
            )
            for slots, shares in document.items()
        }
    )


def _read(document: Mapping[str, Any]) -> tuple[Mapping[str, Preset], Bits]:
    sizes = ("slots", "rows", "excess_rows", "helpers")
    presets = {name: Preset(name, **{key: entry[key] for key in sizes}) for name, entry in document["presets"].items()}
    names = {field.name for field in fields(Bits)}
    if names != set(document["bits"]):
        raise MalformedFile("presets.json", f"bits named {sorted(names ^ set(document['bits']))} are on one side only")
    return MappingProxyType(presets), Bits(**document["bits"])


_DOCUMENT = json.loads(Path(__file__).with_name("presets.json").read_text(encoding="utf-8"))
SPLITS = _read_splits(_DOCUMENT["splits"])
"""By number of slots: the coins' shares."""
PRESETS, BITS = _read(_DOCUMENT)


def get_preset(name: str) -> Preset:
    """The preset called `name`; raises `UnknownName`, which lists the allowed names."""
    try:
        return PRESETS[name]
    except KeyError:
        raise UnknownName("preset", name, PRESETS) from None
