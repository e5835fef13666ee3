"""Instruments and listings: an accepted record, and one wrong thing at a time."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkmargin.engine.errors import DuplicateName, MixedExpiry, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.market.instruments import (
    KIND_CODES,
    Instrument,
    InstrumentKind,
    Listing,
    canonical_name,
    make_instrument,
)
from zkmargin.engine.presets import Coin, get_preset
from zkmargin.engine.units import SECONDS_PER_DAY

EXPIRY = 1_798_185_600
EIGHT = 1_790_323_200
"""08:00 UTC of a day."""
"""2026-12-25 08:00 UTC."""

OPTION = {
    "slot": 10,
    "name": "BTC-25DEC26-90000-C",
    "kind": "option",
    "underlying": "BTC",
    "lot_size": 0.01,
    "strike": 90_000,
    "expiry": EXPIRY,
    "is_call": True,
}


def test_a_bond_stands_in_an_options_slot_under_the_cash_tokens_name():
    bond = make_instrument(3, InstrumentKind.BOND, Coin.BTC, 100.0, expiry=EXPIRY)
    assert bond.name == "USDC-25DEC26"
    listing = make_mini(s3=bond)
    assert listing.is_bond.nonzero()[0].tolist() == [3] and not listing.is_option[3]
    with pytest.raises(DuplicateName, match="USDC-25DEC26"):
        make_mini(s3=bond, s11=make_instrument(11, InstrumentKind.BOND, Coin.ETH, 50.0, expiry=EXPIRY))
    with pytest.raises(WrongKind, match="instrument in slot 2 is 'BTC bond'; allowed: BTC future"):
        make_mini(s2=make_instrument(2, InstrumentKind.BOND, Coin.BTC, 100.0, expiry=EXPIRY))


def test_an_accepted_option():
    option = Instrument(**OPTION)
    assert (option.kind, option.underlying) == (InstrumentKind.OPTION, Coin.BTC)
    with pytest.raises(dataclasses.FrozenInstanceError):
        option.strike = 1.0


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"kind": "swap"}, UnknownName, "unknown kind 'swap'; allowed: spot, perpetual, future, option, bond"),
        ({"underlying": "DOGE"}, UnknownName, "unknown underlying 'DOGE'; allowed: BTC, ETH, SOL"),
        ({"slot": -1}, OutOfRange, "slot of .* is -1; allowed: 0 to 255"),
        ({"slot": 256}, OutOfRange, "slot of .* is 256"),
        ({"slot": True}, OutOfRange, "slot of .* is True"),
        ({"slot": 1.0}, OutOfRange, "slot of .* is 1.0"),
        ({"lot_size": 0}, OutOfRange, "lot size .* is 0; allowed: 1e-08 to"),
        ({"lot_size": math.nan}, OutOfRange, "lot size .* is nan"),
        ({"lot_size": 1e-9}, OutOfRange, "lot size .* is 1e-09"),
        ({"lot_size": 1.5e-8}, OutOfRange, "a multiple of 1e-08"),
        ({"lot_size": 1001}, OutOfRange, "is 1001; allowed: .* to 1000"),
        ({"strike": math.nan}, OutOfRange, "strike .* is nan"),
        ({"strike": -90_000}, OutOfRange, "strike .* is -90000; allowed: 1e-06 to 100000000"),
        ({"strike": 0}, OutOfRange, "strike .* is 0"),
        ({"strike": 1e9}, OutOfRange, "strike .* is 1000000000.0"),
        ({"strike": 90_000.000_000_5}, OutOfRange, "a multiple of 1e-06"),
        ({"strike": "90000"}, OutOfRange, "strike .* is '90000'"),
        ({"strike": None}, WrongKind, "strike .* is None; allowed: a value for kind option"),
        ({"expiry": None}, WrongKind, "expiry .* is None; allowed: a value for kind option"),
        ({"expiry": 0}, OutOfRange, "expiry .* is 0; allowed: 1 to"),
        ({"expiry": 253_402_300_800}, OutOfRange, "is 253402300800; allowed: 1 to 253402300799"),
        ({"expiry": 1.5}, OutOfRange, "expiry .* is 1.5"),
        ({"is_call": None}, WrongKind, "is_call .* is None"),
        ({"is_call": 1}, WrongKind, "is_call .* is 1; allowed: true or false"),
        ({"is_call": False}, WrongKind, "allowed: BTC-25DEC26-90000-P"),
        ({"name": "BTC-25DEC26-9000-C"}, WrongKind, "allowed: BTC-25DEC26-90000-C"),
        ({"kind": "future"}, WrongKind, "strike .* is 90000; allowed: nothing for kind future"),
    ],
)
def test_one_wrong_thing_is_refused_with_its_reason(change, error, message):
    with pytest.raises(error, match=message):
        Instrument(**OPTION | change)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ((InstrumentKind.SPOT, Coin.BTC), "BTC-SPOT"),
        ((InstrumentKind.SPOT, Coin.ETH), "WETH-SPOT"),
        ((InstrumentKind.PERPETUAL, Coin.ETH), "ETH-PERPETUAL"),
        ((InstrumentKind.FUTURE, Coin.BTC, 1_788_508_800), "BTC-4SEP26"),
        ((InstrumentKind.OPTION, Coin.ETH, EXPIRY, 2_400.0, False), "ETH-25DEC26-2400-P"),
        ((InstrumentKind.OPTION, Coin.ETH, EXPIRY, 0.125, True), "ETH-25DEC26-0d125-C"),
    ],
)
def test_names(facts, name):
    assert canonical_name(*facts) == name


@given(st.integers(1, 10**14), st.integers(1, 10**14))
def test_strikes_have_names_of_their_own(first, second):
    names = {canonical_name(InstrumentKind.OPTION, Coin.BTC, EXPIRY, steps / 1e6, True) for steps in (first, second)}
    assert len(names) == (1 if first == second else 2)


def mini_slots(**changes):
    """A full listing of 16 slots, with `changes` by slot."""
    slots = []
    for coin, first in ((Coin.BTC, 0), (Coin.ETH, 8)):
        slots.append(make_instrument(first, InstrumentKind.SPOT, coin, 0.001))
        slots.append(make_instrument(first + 1, InstrumentKind.PERPETUAL, coin, 0.01))
        slots.append(make_instrument(first + 2, InstrumentKind.FUTURE, coin, 0.01, expiry=EXPIRY))
        for place in range(3, 8):
            facts = {"strike": 1_000.0 * place, "expiry": EXPIRY, "is_call": place % 2 == 0}
            slots.append(make_instrument(first + place, InstrumentKind.OPTION, coin, 0.01, **facts))
    for slot, item in changes.items():
        slots[int(slot[1:])] = item
    return tuple(slots)


def make_mini(**changes):
    return Listing(get_preset("mini"), 0, mini_slots(**changes))


def test_columns_of_a_listing():
    listing = make_mini(s7=None)
    assert listing.kind.tolist() == [1, 2, 3, 4, 4, 4, 4, 0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert listing.underlying.tolist() == [0] * 8 + [1] * 8
    assert listing.is_collateral.nonzero()[0].tolist() == [0, 8]
    assert listing.is_option.sum() == 9
    assert not listing.is_listed[7] and listing.lot_size[7] == 0 and np.isnan(listing.strike[7])
    assert listing.expiry[1] == 0 and listing.expiry[2] == EXPIRY
    assert listing.is_call.nonzero()[0].tolist() == [4, 6, 12, 14]
    assert KIND_CODES[InstrumentKind.SPOT] == 1
    with pytest.raises(ValueError, match="read-only"):
        listing.strike[3] = 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"s3": make_instrument(4, InstrumentKind.OPTION, Coin.BTC, 0.01, strike=3e3, expiry=EXPIRY,
                               is_call=False)},
         OutOfRange, "slot of BTC-25DEC26-3000-P is 4; allowed: 3 to 3"),
        ({"s3": make_instrument(3, InstrumentKind.OPTION, Coin.ETH, 0.01, strike=3e3, expiry=EXPIRY,
                               is_call=False)},
         WrongKind, "instrument in slot 3 is 'ETH option'; allowed: BTC option or bond"),
        ({"s3": make_instrument(3, InstrumentKind.FUTURE, Coin.BTC, 0.01, expiry=EXPIRY + 86_400)},
         WrongKind, "instrument in slot 3 is 'BTC future'; allowed: BTC option or bond"),
        ({"s0": make_instrument(0, InstrumentKind.PERPETUAL, Coin.BTC, 0.01)},
         WrongKind, "instrument in slot 0 is 'BTC perpetual'; allowed: BTC spot"),
        ({"s3": make_instrument(3, InstrumentKind.OPTION, Coin.BTC, 0.01, strike=4e3, expiry=EXPIRY,
                               is_call=True)},
         DuplicateName, "instrument 'BTC-25DEC26-4000-C' appears more than once"),
    ],
)  # fmt: skip
def test_an_instrument_in_a_wrong_slot_is_refused(changes, error, message):
    make_mini()
    with pytest.raises(error, match=message):
        make_mini(**changes)


def test_a_listing_has_as_many_slots_as_its_preset():
    with pytest.raises(OutOfRange, match="number of slots listed is 15; allowed: 16 to 16"):
        Listing(get_preset("mini"), 0, mini_slots()[:15])


@pytest.mark.parametrize("generation", [-1, 2**24, 0.0, True])
def test_a_generation_out_of_range_is_refused(generation):
    with pytest.raises(OutOfRange, match="generation is"):
        Listing(get_preset("mini"), generation, mini_slots())


def test_an_unknown_name_shows_the_nearest():
    with pytest.raises(UnknownName, match=r"unknown instrument 'BTC-25DEC26-4000-P'; allowed: BTC-25DEC26-.000"):
        make_mini().get("BTC-25DEC26-4000-P")


def list_two(first: int, second: int, coin: Coin = Coin.BTC, kind: InstrumentKind = InstrumentKind.FUTURE) -> Listing:
    """A BTC future or bond of one expiry beside an option of another."""
    preset = get_preset("mini")
    slots: list = [None] * preset.slots
    options = preset.option_slots(coin).start
    at = preset.future_slots(Coin.BTC).start if kind is InstrumentKind.FUTURE else preset.option_slots(Coin.BTC)[1]
    slots[at] = make_instrument(at, kind, Coin.BTC, 0.01, expiry=first)
    facts = {"expiry": second, "strike": 90_000.0, "is_call": True}
    slots[options] = make_instrument(options, InstrumentKind.OPTION, coin, 0.01, **facts)
    return Listing(preset, 0, tuple(slots))


@pytest.mark.property("P-230")
@pytest.mark.parametrize("kind", [InstrumentKind.FUTURE, InstrumentKind.BOND])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (EIGHT, EIGHT + 3_600),
        (EIGHT - 9 * 3_600, EIGHT),  # 23:00 and 08:00 of the next date
        (EIGHT, EIGHT + SECONDS_PER_DAY - 1),
    ],
)
def test_expiries_of_a_coin_less_than_a_day_apart_are_refused(first, second, kind):
    """Whatever their dates are: within a day settles one price."""
    for one, other in ((first, second), (second, first)):
        with pytest.raises(MixedExpiry, match=f"expires at {second}; allowed: {first}, with ") as refusal:
            list_two(one, other, kind=kind)
        assert (refusal.value.expiry, refusal.value.other_expiry) == (second, first)


@pytest.mark.property("P-230")
@pytest.mark.parametrize("kind", [InstrumentKind.FUTURE, InstrumentKind.BOND])
@pytest.mark.parametrize(
    ("apart", "coin"), [(0, Coin.BTC), (SECONDS_PER_DAY, Coin.BTC), (SECONDS_PER_DAY + 3_600, Coin.BTC), (1, Coin.ETH)]
)
def test_expiries_at_one_time_or_a_day_apart_or_of_two_coins_are_listed(apart, coin, kind):
    assert list_two(EIGHT, EIGHT + apart, coin, kind).is_listed.sum() == 2
