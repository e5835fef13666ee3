"""Integers packed into field elements: state words and the trade word.

Policies and settlements: `prover.statement.policy_fields`.

A packed word is sound only while each lane keeps its bound (docs/protocol.md, L3): nothing is packed unchecked.
Positions, legs and amounts of a trade are private: errors say which one leaves its range, not its value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover.errors import OutOfRange
from zkmargin.prover.ranges import check_all_private, check_private, check_range

LEG_BITS = BITS.leg_slot + BITS.leg + 1
"""One leg in a trade word: slot, then lots with offset 2^28; 37 bits."""
TRADE_WORD_BITS = BITS.legs * LEG_BITS + BITS.trade_cash + 1
"""Four legs, then cash with offset 2^63; 212 bits, below p, so a word has one reading."""


# ------------------------------------------------------------------------------------------------------------- state
def pack_state_words(positions: Sequence[int] | np.ndarray, preset: Preset) -> tuple[int, ...]:
    """Positions in lots, shape (N,), seven to a word: word_j = sum_k (q_{7j+k} + 2^30) 2^(32 k), only slots below N.

    Raises
    ------
    OutOfRange
        If there are not N positions, or one is outside [-2^30, 2^30).
    """
    check_range("number of positions", len(positions), preset.slots, preset.slots + 1)
    offset, per_word = 1 << BITS.position, BITS.positions_per_word
    given = positions.tolist() if isinstance(positions, np.ndarray) else positions
    lanes = [q + offset for q in check_all_private("position in slot {}".format, given, BITS.position)]
    return tuple(
        sum(lane << BITS.position_lane * k for k, lane in enumerate(lanes[start : start + per_word]))
        for start in range(0, preset.slots, per_word)
    )


def unpack_state_words(words: Sequence[int], preset: Preset) -> tuple[int, ...]:
    """Inverse of `pack_state_words`.

    Raises
    ------
    OutOfRange
        If a word is not the packing of positions in [-2^30, 2^30).
    """
    per_word = BITS.positions_per_word
    check_range("number of state words", len(words), count := -(-preset.slots // per_word), count + 1)
    positions: list[int] = []
    for index, word in enumerate(words):
        lanes = min(per_word, preset.slots - per_word * index)
        check_range(f"state word {index}", word, 0, 1 << BITS.position_lane * lanes, is_private=True)
        for k in range(lanes):
            lane = word >> BITS.position_lane * k & (1 << BITS.position_lane) - 1
            check_range(f"lane of slot {len(positions)}", lane, 0, 1 << BITS.position + 1, is_private=True)
            positions.append(lane - (1 << BITS.position))
    return tuple(positions)


# ------------------------------------------------------------------------------------------------------------- trade
@dataclass(frozen=True, slots=True)
class TradeTerms:
    """What changes hands, as the party with side +1 sees it: it receives `legs` and `cash_usd6`, both signed."""

    legs: tuple[tuple[int, int], ...] = field(repr=False)
    """At most four (slot, lots); a slot may come twice, then the lots add up."""
    cash_usd6: int = field(repr=False)
    """Micro-dollars; a buyer's terms have lots > 0 and cash < 0."""

    def __post_init__(self) -> None:
        check_range("number of legs", len(self.legs), 0, BITS.legs + 1)
        legs = tuple(
            (
                check_range(f"slot of leg {k}", slot, 0, 1 << BITS.leg_slot, is_private=True),
                check_private(f"lots of leg {k}", lots, BITS.leg),
            )
            for k, (slot, lots) in enumerate(self.legs)
        )
        object.__setattr__(self, "legs", legs)
        object.__setattr__(self, "cash_usd6", check_private("cash of the trade", self.cash_usd6, BITS.trade_cash))

    def get_net_legs(self) -> dict[int, int]:
        """Lots by slot with duplicates added up; slots that net to zero are left out."""
        net: dict[int, int] = {}
        for slot, lots in self.legs:
            net[slot] = net.get(slot, 0) + lots
        return {slot: lots for slot, lots in sorted(net.items()) if lots}

    def get_padded_legs(self) -> tuple[tuple[int, int], ...]:
        """Exactly four legs; an unused one is slot 0, lots 0."""
        return self.legs + ((0, 0),) * (BITS.legs - len(self.legs))


def pack_trade(terms: TradeTerms, preset: Preset) -> int:
    """The trade word: sum_k (slot_k + (lots_k + 2^28) 2^8) 2^(37 k) + (cash + 2^63) 2^148.

    Raises
    ------
    OutOfRange
        If a slot is not one of the preset's N (the other bounds hold by construction of the terms).
    """
    word = 0
    for k, (slot, lots) in enumerate(terms.get_padded_legs()):
        check_range(f"slot of leg {k}", slot, 0, preset.slots, is_private=True)
        word |= (slot | lots + (1 << BITS.leg) << BITS.leg_slot) << LEG_BITS * k
    return word | terms.cash_usd6 + (1 << BITS.trade_cash) << LEG_BITS * BITS.legs


def unpack_trade(word: int, preset: Preset) -> TradeTerms:
    """Inverse of `pack_trade`; unused legs (slot 0, lots 0) are left out.

    Raises
    ------
    OutOfRange
        If `word` is not below 2^212 or names a slot that the preset does not have; the text does not show the word.
    """
    if not 0 <= word < 1 << TRADE_WORD_BITS:
        bits = word.bit_length() if word >= 0 else -1
        raise OutOfRange("bits of the trade word", bits, 0, TRADE_WORD_BITS, is_private=True)
    legs = []
    for k in range(BITS.legs):
        lane = word >> LEG_BITS * k & (1 << LEG_BITS) - 1
        slot = check_range(f"slot of leg {k}", lane & (1 << BITS.leg_slot) - 1, 0, preset.slots, is_private=True)
        lots = (lane >> BITS.leg_slot) - (1 << BITS.leg)
        if (slot, lots) != (0, 0):
            legs.append((slot, lots))
    return TradeTerms(tuple(legs), (word >> LEG_BITS * BITS.legs) - (1 << BITS.trade_cash))
