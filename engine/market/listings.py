"""The same market in another listing: at a preset with other policy rows, reduced to 16 slots by rule, or with
bonds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from zkmargin.engine.errors import OutOfRange, UnknownName, WrongKind
from zkmargin.engine.market.instruments import (
    KIND_CODES,
    InstrumentKind,
    Listing,
    canonical_name,
    make_instrument,
)
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin, Preset, get_preset
from zkmargin.engine.units import SECONDS_PER_DAY

BOND_FACE = 100.0
"""US dollars of face per lot of a bond."""


def to_preset(snapshot: MarketSnapshot, preset: Preset | str) -> MarketSnapshot:
    """`snapshot` at the sizes of `preset`: itself, reduced to mini, or with other policy rows.

    The split of the slots stays the market's own. Raises as `relist` and `reduce_to_mini`.
    """
    preset = get_preset(preset) if isinstance(preset, str) else preset
    if preset.name == snapshot.listing.preset.name:
        return snapshot
    return reduce_to_mini(snapshot) if preset.name == "mini" else relist(snapshot, preset)


def relist(snapshot: MarketSnapshot, preset: Preset | str) -> MarketSnapshot:
    """`snapshot` with its listing at `preset`: same slots in the same split, same instruments, same
    prices, other policy rows.

    Presets that differ only in rows hold the same accounts, so a position vector means the same at both.

    Raises
    ------
    OutOfRange
        If the preset has another number of slots (`reduce_to_mini` leaves instruments out, by rule).
    UnknownName
        If there is no such preset.
    """
    preset = get_preset(preset) if isinstance(preset, str) else preset
    slots = snapshot.listing.preset.slots
    if preset.slots != slots:
        raise OutOfRange(f"slots of preset {preset.name}", preset.slots, slots, slots)
    preset = dataclasses.replace(preset, split=snapshot.listing.preset.split)
    return dataclasses.replace(snapshot, listing=dataclasses.replace(snapshot.listing, preset=preset))


def reduce_to_mini(snapshot: MarketSnapshot) -> MarketSnapshot:
    """The 16-slot snapshot of the same market: spot, perpetual, one future and five options per coin.

    By rule: the latest future; the expiry nearest to 30 days that has a call and a put at one strike; of it the call
    and the put at such a strike nearest to the forward, and of its other puts and calls those nearest to 0.85 and
    1.15 times the forward (the wings); then, of the latest other expiry, the option nearest to the money. Ties go to
    the lower slot.

    Raises
    ------
    WrongKind
        If the market splits its slots otherwise than presets.json: the rule knows those coins and their netting only.
    UnknownName
        If a coin lists too little for that.
    """
    if not snapshot.listing.preset.is_split_shipped:
        raise WrongKind("split of a market to reduce", snapshot.listing.preset.split, "the one of presets.json")
    preset = get_preset("mini")
    slots = [slot for coin in preset.coins for slot in _slots_of_mini(snapshot, coin)]
    moved = [dataclasses.replace(snapshot.listing.at(slot), slot=number) for number, slot in enumerate(slots)]
    listing = Listing(preset, snapshot.listing.generation, tuple(moved))
    forward, volatility = snapshot.forward[slots], snapshot.volatility[slots]
    return dataclasses.replace(snapshot, listing=listing, forward=forward, volatility=volatility)


def _slots_of_mini(snapshot: MarketSnapshot, coin: Coin) -> list[int]:
    """Slots of a coin's eight instruments, in the order of the mini preset."""
    listing = snapshot.listing
    slots = [slot for slot in listing.preset.coin_slots(coin) if listing.is_listed[slot]]
    options = [slot for slot in slots if listing.is_option[slot]]
    moneyness = listing.strike / snapshot.forward

    def pick(what: str, candidates: list[int], distance: np.ndarray) -> int:
        if not candidates:
            raise UnknownName(f"{coin} instrument for 16 slots", what, [listing.at(slot).name for slot in slots])
        return min(candidates, key=lambda slot: (float(distance[slot]), slot))

    def pick_kind(kind: InstrumentKind) -> int:
        return pick(kind.value, [slot for slot in slots if listing.kind[slot] == KIND_CODES[kind]], -listing.expiry)

    def pick_option(what: str, candidates: list[int], target: float) -> int:
        return pick(what, candidates, np.abs(moneyness - target))

    put_at = {(listing.expiry[slot], listing.strike[slot]): slot for slot in options if not listing.is_call[slot]}
    paired = [
        slot for slot in options if listing.is_call[slot] and (listing.expiry[slot], listing.strike[slot]) in put_at
    ]
    days_30 = snapshot.time + 30 * SECONDS_PER_DAY
    expiry = listing.expiry[pick("call with a put at its strike", paired, np.abs(listing.expiry - days_30))]
    call = pick_option("call", [slot for slot in paired if listing.expiry[slot] == expiry], 1.0)
    put = put_at[listing.expiry[call], listing.strike[call]]
    wings = [slot for slot in options if listing.expiry[slot] == expiry and slot not in (call, put)]
    others = [slot for slot in options if listing.expiry[slot] != expiry]
    latest = max((listing.expiry[slot] for slot in others), default=0)
    return [
        *(pick_kind(kind) for kind in (InstrumentKind.SPOT, InstrumentKind.PERPETUAL, InstrumentKind.FUTURE)),
        put,
        call,
        pick_option("put wing", [slot for slot in wings if not listing.is_call[slot]], 0.85),
        pick_option("call wing", [slot for slot in wings if listing.is_call[slot]], 1.15),
        pick_option("option of another expiry", [slot for slot in others if listing.expiry[slot] == latest], 1.0),
    ]


def list_bonds(snapshot: MarketSnapshot, expiries: Mapping[int, int]) -> MarketSnapshot:
    """`snapshot` with bonds of `BOND_FACE` in the option slots that `expiries` maps to their expiry, unix seconds.

    No venue quotes them. A bond is priced at the index over the forward of the coin's listed future of that expiry, at
    most 1: what the cash token yields to whoever buys spot and sells that future.

    Raises
    ------
    UnknownName
        If the coin that owns a slot lists no future of that expiry.
    WrongKind
        If a slot is no option's.
    """
    instruments, listing = list(snapshot.listing.instruments), snapshot.listing
    forward, volatility = snapshot.forward.copy(), snapshot.volatility.copy()
    for slot, expiry in expiries.items():
        coin = listing.preset.coin_of(slot)
        future = listing.get(canonical_name(InstrumentKind.FUTURE, coin, expiry))
        instruments[slot] = make_instrument(slot, InstrumentKind.BOND, coin, BOND_FACE, expiry=future.expiry)
        forward[slot] = min(1.0, snapshot.index[coin] / float(snapshot.forward[future.slot]))
        volatility[slot] = np.nan
    listed = dataclasses.replace(listing, instruments=tuple(instruments))
    return dataclasses.replace(snapshot, listing=listed, forward=forward, volatility=volatility)
