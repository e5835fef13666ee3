"""Sizes of the statement and its bit budget: the typed reader of `engine/presets.json`, their only source."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType
from typing import Any

from zkmargin.engine.errors import DuplicateName, MalformedFile, OutOfRange, UnknownName

LANES = 3
"""Policy rows per packed row: three 84-bit lanes fill one field element."""

SPOT_OFFSET = 0
"""Offset of the spot collateral within a coin's slots."""
PERPETUAL_OFFSET = 1
"""Offset of the perpetual within a coin's slots."""
FIRST_FUTURE_OFFSET = 2
"""Offset of the first dated future within a coin's slots."""
MAX_SLOTS = 256
"""Most slots of a statement: a leg names one in 8 bits."""


_DOCUMENT = json.loads(Path(__file__).with_name("presets.json").read_text(encoding="utf-8"))
SPOT_NAMES: Mapping[str, str] = MappingProxyType(_DOCUMENT["coins"])
"""By coin that may be listed: the name of its spot collateral; ether is held as its ERC-20 wrapper."""


class Coin(StrEnum):
    """A coin that a market may list: each listed one owns a contiguous share of the slots (`Split`).

    Any name of `SPOT_NAMES` is one. The members, which iteration gives, are the two that the package's price histories
    and shipped markets are of; what is computed at a market goes over the coins of its preset.
    """

    BTC = "BTC"
    ETH = "ETH"

    @property
    def ordinal(self) -> int:
        """Place among the members, from 0: columns of price histories are so numbered. Those of a market are numbered
        by `Preset.place_of`."""
        return list(Coin).index(self)

    @classmethod
    def _missing_(cls, value: object) -> Coin | None:
        """The one object of a further coin of `SPOT_NAMES`."""
        if value not in SPOT_NAMES:
            return None
        coin = str.__new__(cls, value)
        coin._name_ = coin._value_ = str(value)
        cls._value2member_map_[value] = coin
        return coin


def require_coin(what: str, name: str, allowed: Iterable[str] = SPOT_NAMES) -> Coin:
    """The coin called `name`, one of `allowed`; raises `UnknownName`, which lists them."""
    allowed = tuple(allowed)
    if name not in allowed:
        raise UnknownName(what, name, allowed)
    return Coin(name)


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
class Split:
    """How a market's slots are split between its coins, and which coins' risks are netted.

    Raises
    ------
    DuplicateName
        If a coin has two shares or stands in two pairs.
    UnknownName
        If a pair has a coin without a share.
    OutOfRange
        If a share has too few slots for its kinds of instruments.
    """

    shares: tuple[CoinShare, ...]
    """In slot order."""
    netting: tuple[tuple[Coin, Coin], ...] = ()
    """Pairs of coins between which exposure is transferred in the grid; each coin is in one at most."""

    def __post_init__(self) -> None:
        coins = self.coins
        _refuse_repeated("coin of a split", coins)
        _refuse_repeated("coin of the netting pairs", [coin for pair in self.netting for coin in pair])
        for coin in (coin for pair in self.netting for coin in pair):
            require_coin("coin of a netting pair", coin, coins)
        for share in self.shares:
            if not 0 <= share.futures <= share.slots - FIRST_FUTURE_OFFSET:
                least = FIRST_FUTURE_OFFSET + max(share.futures, 0)
                raise OutOfRange(f"slots of {share.coin}", share.slots, least, MAX_SLOTS)

    @property
    def coins(self) -> tuple[Coin, ...]:
        """The coins in slot order."""
        return tuple(share.coin for share in self.shares)

    @property
    def slots(self) -> int:
        """Slots of all coins."""
        return sum(share.slots for share in self.shares)


def _refuse_repeated(what: str, coins: Sequence[Coin]) -> None:
    for place, coin in enumerate(coins):
        if coin in coins[:place]:
            raise DuplicateName(what, coin.value)


NO_SPLIT = Split(())
"""Stands for the one of presets.json."""


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
    split: Split = NO_SPLIT
    """The coins' shares; where none is given, those of presets.json for so many slots."""

    def __post_init__(self) -> None:
        if self.split is NO_SPLIT:
            if self.slots not in SPLITS:
                raise OutOfRange(f"slots of preset {self.name}", self.slots, *SPLITS)
            object.__setattr__(self, "split", SPLITS[self.slots])
        if self.split.slots != self.slots:
            what = f"sum of the coins' slots in preset {self.name}"
            raise OutOfRange(what, self.split.slots, self.slots, self.slots)
        if self.rows % LANES or self.rows <= 0:
            raise OutOfRange(f"rows of preset {self.name}", self.rows, LANES, f"any multiple of {LANES}")
        if not 0 <= self.excess_rows <= self.rows:
            raise OutOfRange(f"excess_rows of preset {self.name}", self.excess_rows, 0, self.rows)
        if self.helpers <= 0:
            raise OutOfRange(f"helpers of preset {self.name}", self.helpers, 1, "any")

    @property
    def is_split_shipped(self) -> bool:
        """Whether the slots are split as presets.json says for so many."""
        return self.split == SPLITS.get(self.slots)

    @property
    def packed_rows(self) -> int:
        """P = rows / 3, field elements that hold three rows each."""
        return self.rows // LANES

    @cached_property
    def coins(self) -> Mapping[Coin, range]:
        """Slots of each underlying, in slot order."""
        shares = self.split.shares
        ends = accumulate(share.slots for share in shares)
        return MappingProxyType(
            {share.coin: range(end - share.slots, end) for share, end in zip(shares, ends, strict=True)}
        )

    def place_of(self, coin: Coin) -> int:
        """Place of `coin` in the slot order, from 0: coins are so numbered in numpy columns; raises `UnknownName` for
        one that has no slots."""
        return tuple(self.coins).index(require_coin("coin", coin, self.coins))

    @cached_property
    def _owners(self) -> tuple[Coin, ...]:
        """(N,) the coin of each slot."""
        return tuple(coin for coin, slots in self.coins.items() for _ in slots)

    def coin_slots(self, coin: Coin) -> range:
        """Slots of `coin`; raises `UnknownName` for one that is none."""
        return self.coins[require_coin("underlying", coin, self.coins)]

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
        return range(first, first + self.split.shares[self.place_of(coin)].futures)

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
        shares = zip(self.split.shares, self.collateral_slots, strict=True)
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


def _read_split(document: Mapping[str, Any]) -> Split:
    shares = (
        CoinShare(require_coin("coin of a split", coin), share["slots"], share["futures"], share["in_vault"])
        for coin, share in document["coins"].items()
    )
    return Split(tuple(shares), tuple((Coin(first), Coin(second)) for first, second in document["netting"]))


def _read(document: Mapping[str, Any]) -> tuple[Mapping[str, Preset], Bits]:
    sizes = ("slots", "rows", "excess_rows", "helpers")
    presets = {name: Preset(name, **{key: entry[key] for key in sizes}) for name, entry in document["presets"].items()}
    names = {field.name for field in fields(Bits)}
    if names != set(document["bits"]):
        raise MalformedFile("presets.json", f"bits named {sorted(names ^ set(document['bits']))} are on one side only")
    return MappingProxyType(presets), Bits(**document["bits"])


SPLITS: Mapping[int, Split] = MappingProxyType(
    {int(slots): _read_split(entry) for slots, entry in _DOCUMENT["splits"].items()}
)
"""By number of slots: the coins' shares."""
PRESETS, BITS = _read(_DOCUMENT)


def get_preset(name: str) -> Preset:
    """The preset called `name`; raises `UnknownName`, which lists the allowed names."""
    try:
        return PRESETS[name]
    except KeyError:
        raise UnknownName("preset", name, PRESETS) from None
