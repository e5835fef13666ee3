"""The same listing at another preset: what a finer expected shortfall is computed from."""

from __future__ import annotations

import dataclasses

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Preset, get_preset


def relist(snapshot: MarketSnapshot, preset: Preset | str) -> MarketSnapshot:
    """`snapshot` with its listing at `preset`: same slots, same instruments, same prices, other policy rows.

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
    return dataclasses.replace(snapshot, listing=dataclasses.replace(snapshot.listing, preset=preset))
