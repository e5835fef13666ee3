"""The canonical bytes of a market snapshot, which are posted with a risk epoch and hashed into it.

Big-endian; N is the preset's number of slots, slots in order.

| field | bytes | meaning |
|---|---|---|
| magic | 4 | "ZKM" and the version: 3, or 4 where a split follows |
| preset | 1 + n | length, ASCII name |
| version 4 only: the split | 1 + C (n + 4) + 1 + 2 P | count of coins; of each a length and an ASCII name, slots (2), \
futures (1), in_vault (1); count of netting pairs; of each the places of its coins |
| generation | 3 | |
| time | 5 | unix seconds |
| source | 2 + n | length, UTF-8 |
| per coin, in slot order: index, rate, funding | 6 + 4 + 4 | micro-dollars; signed 1e-9; signed 1e-9 |
| accrued funding | 6 | signed micro-dollars |
| daily volatility | 3 | millionths |
| crowding: ladder down, up, depth down, up, impact | 5 + 5 + 5 + 5 + 3 | US dollars; impact in millionths |
| contagion_multiplier | 2 | thousandths |
| lot sizes | 1 + 8 n | count, then distinct sizes rising, in 1e-8 coin |
| expiries | 1 + 5 n | count, then distinct expiries rising, unix seconds |
| per slot: kind | 1 | 0 empty, 1 spot, 2 perpetual, 3 future, 4 put, 5 call, 6 bond |
| lot size | 1 | place in the lot sizes |
| expiry | 1 | 0 none, else 1 + place in the expiries |
| strike | 6 | micro-dollars, 0 none |
| forward, or a bond's discount factor | 6 | micro-dollars, 0 where nothing is listed |
| volatility | 3 | millionths, 0 where no option is |

A version 4 is canonical only where the split is not that of `engine/presets.json` for so many slots.
Names are left out: they follow from the other facts (`engine.market.instruments.canonical_name`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.market.crowding import IMPACT_STEP, MULTIPLIER_STEP, Crowding
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, Listing, make_instrument
from zkmargin.engine.presets import Coin, CoinShare, Split, get_preset, require_coin
from zkmargin.engine.units import LOT_STEP, USD6

MAGIC, SPLIT_MAGIC = b"ZKM\x03", b"ZKM\x04"
"""First bytes, without a split and with one; the last is the version of the layout."""
VOLATILITY_STEP = 1_000_000
"""Steps per 1.00 of volatility."""
RATE_STEP = 1_000_000_000
"""Steps per 1.00 of a rate or funding."""

CROWDING_FIELDS = (
    *((f"{what}_{side}", 5, 1) for what in ("ladder", "depth") for side in ("down", "up")),
    ("impact", 3, IMPACT_STEP),
)
"""(field, bytes, steps per unit) of a coin's crowding, in order."""

PUT_CODE, CALL_CODE, BOND_CODE = 4, 5, 6
KIND_OF_CODE = {
    1: InstrumentKind.SPOT,
    2: InstrumentKind.PERPETUAL,
    3: InstrumentKind.FUTURE,
    PUT_CODE: InstrumentKind.OPTION,
    CALL_CODE: InstrumentKind.OPTION,
    BOND_CODE: InstrumentKind.BOND,
}
CODE_OF_KIND: dict[InstrumentKind, int] = {
    kind: code for code, kind in KIND_OF_CODE.items() if kind is not InstrumentKind.OPTION
}


class Facts(Protocol):
    """What the bytes hold: the fields of `engine.market.snapshot.MarketSnapshot`, which says their units."""

    @property
    def time(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def index(self) -> Mapping[Coin, float]: ...
    @property
    def listing(self) -> Listing: ...
    @property
    def forward(self) -> np.ndarray: ...
    @property
    def volatility(self) -> np.ndarray: ...
    @property
    def daily_volatility(self) -> Mapping[Coin, float]: ...
    @property
    def crowding(self) -> Mapping[Coin, Crowding]: ...
    @property
    def contagion_multiplier(self) -> float: ...
    @property
    def rates(self) -> Mapping[Coin, float]: ...
    @property
    def funding(self) -> Mapping[Coin, float]: ...
    @property
    def accrued_funding(self) -> Mapping[Coin, float]: ...


def _steps(value: float, steps: int) -> int:
    return round(value * steps)


def encode(snapshot: Facts) -> bytes:
    """Canonical bytes of a snapshot whose numbers are on their grids (the constructor puts them there)."""
    listing = snapshot.listing
    items = list(listing.by_name.values())
    lots = sorted({_steps(item.lot_size, LOT_STEP) for item in items})
    expiries = sorted({item.expiry for item in items if item.expiry is not None})
    preset = listing.preset
    out = bytearray(MAGIC if preset.is_split_shipped else SPLIT_MAGIC)

    def put(number: int, size: int, signed: bool = False) -> None:
        out.extend(number.to_bytes(size, "big", signed=signed))

    def put_name(text: str) -> None:
        put(len(text), 1)
        out.extend(text.encode("ascii"))

    source = snapshot.source.encode()
    put_name(preset.name)
    if not preset.is_split_shipped:
        put(len(preset.split.shares), 1)
        for share in preset.split.shares:
            put_name(share.coin)
            for number, size in ((share.slots, 2), (share.futures, 1), (int(share.in_vault), 1)):
                put(number, size)
        put(len(preset.split.netting), 1)
        for pair in preset.split.netting:
            for coin in pair:
                put(preset.place_of(coin), 1)
    put(listing.generation, 3)
    put(snapshot.time, 5)
    put(len(source), 2)
    out.extend(source)
    for coin in preset.coins:
        put(_steps(snapshot.index[coin], USD6), 6)
        put(_steps(snapshot.rates[coin], RATE_STEP), 4, signed=True)
        put(_steps(snapshot.funding[coin], RATE_STEP), 4, signed=True)
        put(_steps(snapshot.accrued_funding[coin], USD6), 6, signed=True)
        put(_steps(snapshot.daily_volatility[coin], VOLATILITY_STEP), 3)
        for field, size, steps in CROWDING_FIELDS:
            put(_steps(getattr(snapshot.crowding[coin], field), steps), size)
    put(_steps(snapshot.contagion_multiplier, MULTIPLIER_STEP), 2)
    for table, size in ((lots, 8), (expiries, 5)):
        put(len(table), 1)
        for entry in table:
            put(entry, size)
    for slot, item in enumerate(listing.instruments):
        if item is None:
            out.extend(bytes(18))
            continue
        is_option = item.kind is InstrumentKind.OPTION
        put((CALL_CODE if item.is_call else PUT_CODE) if is_option else CODE_OF_KIND[item.kind], 1)
        put(lots.index(_steps(item.lot_size, LOT_STEP)), 1)
        put(0 if item.expiry is None else 1 + expiries.index(item.expiry), 1)
        put(_steps(item.strike, USD6) if item.strike is not None else 0, 6)
        put(_steps(float(snapshot.forward[slot]), USD6), 6)
        put(_steps(float(snapshot.volatility[slot]), VOLATILITY_STEP) if is_option else 0, 3)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def raw(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise MalformedFile("snapshot bytes", f"end at byte {len(self.data)}; allowed: at least {self.at + size}")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.raw(size), "big", signed=signed)

    def text(self, size: int) -> str:
        try:
            return self.raw(size).decode()
        except UnicodeDecodeError as error:
            raise MalformedFile("snapshot bytes", f"text before byte {self.at} is not UTF-8: {error}") from None

    def entry(self, what: str, table: list[int], place: int) -> int:
        if place >= len(table):
            raise MalformedFile("snapshot bytes", f"{what} {place} before byte {self.at}; allowed: below {len(table)}")
        return table[place]


def _read_split(reader: _Reader) -> Split:
    shares = []
    for _ in range(reader.number(1)):
        coin = require_coin("coin of a split", reader.text(reader.number(1)))
        shares.append(CoinShare(coin, reader.number(2), reader.number(1), bool(reader.number(1))))
    coins = [share.coin for share in shares]

    def read_coin() -> Coin:
        place = reader.number(1)
        if place >= len(coins):
            raise MalformedFile("snapshot bytes", f"coin {place} before byte {reader.at}; allowed: below {len(coins)}")
        return coins[place]

    return Split(tuple(shares), tuple((read_coin(), read_coin()) for _ in range(reader.number(1))))


def decode(data: bytes) -> dict[str, Any]:
    """Arguments of `MarketSnapshot` for canonical bytes.

    Raises `MalformedFile` on a truncated, overlong or otherwise impossible string, and as the records raise. Whether
    the bytes are canonical is checked by the caller, who encodes the result again.
    """
    reader = _Reader(bytes(data))
    if (magic := reader.raw(4)) not in (MAGIC, SPLIT_MAGIC):
        raise MalformedFile("snapshot bytes", f"begin with {magic.hex()}; allowed: {MAGIC.hex()}, {SPLIT_MAGIC.hex()}")
    preset = get_preset(reader.text(reader.number(1)))
    if magic == SPLIT_MAGIC:
        preset = replace(preset, split=_read_split(reader))
    generation, time = reader.number(3), reader.number(5)
    source = reader.text(reader.number(2))
    index, rates, funding, accrued_funding, daily_volatility, crowding = {}, {}, {}, {}, {}, {}
    for coin in preset.coins:
        index[coin] = reader.number(6) / USD6
        rates[coin] = reader.number(4, signed=True) / RATE_STEP
        funding[coin] = reader.number(4, signed=True) / RATE_STEP
        accrued_funding[coin] = reader.number(6, signed=True) / USD6
        daily_volatility[coin] = reader.number(3) / VOLATILITY_STEP
        crowding[coin] = Crowding(**{field: reader.number(size) / steps for field, size, steps in CROWDING_FIELDS})
    contagion_multiplier = reader.number(2) / MULTIPLIER_STEP
    lots = [reader.number(8) for _ in range(reader.number(1))]
    expiries = [reader.number(5) for _ in range(reader.number(1))]
    instruments: list[Instrument | None] = []
    forward, volatility = np.full(preset.slots, np.nan), np.full(preset.slots, np.nan)
    for slot in range(preset.slots):
        code, lot, expiry, strike, price, vol = (reader.number(size) for size in (1, 1, 1, 6, 6, 3))
        if code == 0:
            instruments.append(None)
            continue
        if code not in KIND_OF_CODE:
            raise MalformedFile("snapshot bytes", f"kind {code} in slot {slot}; allowed: 0 to {BOND_CODE}")
        kind = KIND_OF_CODE[code]
        is_option = kind is InstrumentKind.OPTION
        underlying = preset.coin_of(slot)
        lot_size = reader.entry("lot size", lots, lot) / LOT_STEP
        instruments.append(
            make_instrument(
                slot,
                kind,
                underlying,
                lot_size,
                strike=strike / USD6 if is_option else None,
                expiry=reader.entry("expiry", [0, *expiries], expiry) or None,
                is_call=code == CALL_CODE if is_option else None,
            )
        )
        forward[slot] = price / USD6
        if is_option:
            volatility[slot] = vol / VOLATILITY_STEP
    if reader.at != len(reader.data):
        raise MalformedFile("snapshot bytes", f"have {len(reader.data)} bytes; allowed: {reader.at}")
    listing = Listing(preset, generation, tuple(instruments))
    return {
        "time": time,
        "source": source,
        "index": index,
        "listing": listing,
        "forward": forward,
        "volatility": volatility,
        "rates": rates,
        "funding": funding,
        "accrued_funding": accrued_funding,
        "daily_volatility": daily_volatility,
        "crowding": crowding,
        "contagion_multiplier": contagion_multiplier,
    }
