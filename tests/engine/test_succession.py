"""Which epoch may follow which: an accepted pair of each sort, and one wrong thing at a time."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from engine.epoch import Epoch, build_epoch
from engine.instruments import Kind, Listing, collateral_lot_sizes, make_instrument
from engine.market import MarketSnapshot
from engine.settlement import Settlement, identity_settlement
from engine.succession import RefusedSuccession, check_succession
from tests.engine.house import get_snapshot

SNAPSHOT = get_snapshot("mini")
LISTING, PRESET = SNAPSHOT.listing, SNAPSHOT.listing.preset
COLLATERAL = PRESET.collateral_slots[1]
PERPETUAL, FUTURE, OPTION, OTHER_OPTION = 1, 2, 3, 4
FIRST = build_epoch(SNAPSHOT, number=7)


def settle(payoffs: dict[int, int]) -> Settlement:
    """Drops these slots and pays that much on each."""
    drop, payoff = np.zeros(PRESET.slots, dtype=np.int64), np.zeros(PRESET.slots, dtype=np.int64)
    for slot, paid in payoffs.items():
        drop[slot], payoff[slot] = 1, paid
    return Settlement(PRESET, drop, payoff)


def relist(snapshot: MarketSnapshot, changes: dict, *, step: int = 0) -> MarketSnapshot:
    """The snapshot with other instruments in some slots (None empties one), `step` generations later."""
    instruments = list(snapshot.listing.instruments)
    forward, volatility = snapshot.forward.copy(), snapshot.volatility.copy()
    for slot, item in changes.items():
        instruments[slot] = item
        if item is None:
            forward[slot] = volatility[slot] = np.nan
        elif np.isnan(forward[slot]):
            forward[slot] = snapshot.index[item.underlying]
            volatility[slot] = 0.5 if item.kind is Kind.OPTION else np.nan
    listing = Listing(PRESET, snapshot.listing.generation + step, tuple(instruments))
    return dataclasses.replace(snapshot, listing=listing, forward=forward, volatility=volatility)


def follow(previous: Epoch, *, snapshot: MarketSnapshot | None = None, **changes) -> Epoch:
    """The next epoch, with the policies of `previous`: the rule of succession does not look at them."""
    snapshot = snapshot or previous.snapshot
    fields = {field.name: getattr(previous, field.name) for field in dataclasses.fields(Epoch)}
    fields |= {"number": previous.number + 1, "time": previous.time + 60, "snapshot": snapshot}
    return Epoch(**{**fields, "generation": snapshot.listing.generation, **changes})


def other_strike(slot: int):
    item = LISTING.instruments[slot]
    facts = {"strike": item.strike + 500, "expiry": item.expiry, "is_call": item.is_call}
    return make_instrument(slot, item.kind, item.underlying, item.lot_size, **facts)


EMPTIED = relist(SNAPSHOT, {OPTION: None}, step=1)
STEPPED = follow(FIRST, snapshot=EMPTIED, settlement=settle({OPTION: 7_000_000}))
"""The option in slot 3 expired."""


def refuse(previous: Epoch | None, epoch: Epoch, what: str, value: object = None, slot: int | None = None):
    with pytest.raises(RefusedSuccession) as refusal:
        check_succession(previous, epoch)
    error = refusal.value
    assert (error.what, error.slot) == (what, slot) and error.allowed
    assert value is None or error.value == value
    assert str(error.value) in str(error)


def test_the_first_epoch():
    check_succession(None, FIRST)
    later = follow(FIRST, snapshot=relist(SNAPSHOT, {}, step=5))
    check_succession(None, later)


def test_the_first_epoch_has_no_step_behind_it():
    refuse(None, STEPPED, "number of slots that the first epoch drops", 1)


class TestHeader:
    def test_the_next_epoch(self):
        check_succession(FIRST, follow(FIRST))
        check_succession(FIRST, follow(FIRST, number=99, time=FIRST.time, urgent=True))

    @pytest.mark.parametrize("number", [7, 6, 0])
    def test_the_number_rises(self, number):
        refuse(FIRST, follow(FIRST, number=number), "number", number)

    def test_the_time_does_not_fall(self):
        refuse(FIRST, follow(FIRST, time=FIRST.time - 1), "time", FIRST.time - 1)

    def test_the_preset_stays(self):
        standard = build_epoch(get_snapshot("standard"), number=8)
        refuse(FIRST, standard, "preset", "standard")

    @pytest.mark.parametrize("step", [2, 3])
    def test_no_generation_is_skipped(self, step):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {OPTION: None}, step=step), settlement=settle({OPTION: 0}))
        refuse(FIRST, epoch, "generation", FIRST.generation + step)

    def test_no_way_back(self):
        refuse(STEPPED, follow(STEPPED, snapshot=SNAPSHOT), "generation", FIRST.generation)


class TestCollateral:
    @pytest.mark.parametrize("slot", PRESET.collateral_slots)
    @pytest.mark.parametrize("step", [0, 1])
    def test_its_lot_size_never_changes(self, slot, step):
        item = LISTING.instruments[slot]
        smaller = make_instrument(slot, item.kind, item.underlying, item.lot_size / 10)
        settlement = settle({OPTION: 0}) if step else FIRST.settlement
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {slot: smaller}, step=step), settlement=settlement)
        value = Fraction(str(item.lot_size)) / 10
        refuse(FIRST, epoch, "lot size of collateral", value, slot)

    @pytest.mark.parametrize("step", [0, 1])
    def test_it_is_not_delisted_or_listed(self, step):
        settlement = settle({OPTION: 0}) if step else FIRST.settlement
        without = follow(FIRST, snapshot=relist(SNAPSHOT, {COLLATERAL: None}, step=step), settlement=settlement)
        refuse(FIRST, without, "lot size of collateral", None, COLLATERAL)
        before = follow(FIRST, snapshot=relist(SNAPSHOT, {COLLATERAL: None}))
        after = follow(before, snapshot=relist(SNAPSHOT, {}, step=step), settlement=settlement)
        refuse(before, after, "lot size of collateral", None, COLLATERAL)

    def test_lot_sizes_are_exact(self):
        """0.001 ETH, which no binary fraction is: a token of 18 decimals counts 1e15 units a lot."""
        sizes = collateral_lot_sizes(LISTING)
        assert sizes[COLLATERAL] == Fraction(1, 1000) and sizes[COLLATERAL] * 10**18 == 10**15
        assert set(sizes) == {slot for slot in PRESET.collateral_slots if LISTING.is_listed[slot]}
        assert COLLATERAL not in collateral_lot_sizes(relist(SNAPSHOT, {COLLATERAL: None}).listing)


class TestSameGeneration:
    @pytest.mark.parametrize("change", [None, other_strike(OPTION)])
    def test_no_instrument_changes(self, change):
        refuse(FIRST, follow(FIRST, snapshot=relist(SNAPSHOT, {OPTION: change})), "instrument", None, OPTION)

    def test_no_instrument_appears(self):
        epoch = follow(STEPPED, snapshot=relist(EMPTIED, {OPTION: LISTING.instruments[OPTION]}))
        refuse(STEPPED, epoch, "instrument", None, OPTION)

    def test_no_lot_size_changes(self):
        item = LISTING.instruments[PERPETUAL]
        larger = make_instrument(PERPETUAL, item.kind, item.underlying, item.lot_size * 2)
        refuse(FIRST, follow(FIRST, snapshot=relist(SNAPSHOT, {PERPETUAL: larger})), "instrument", None, PERPETUAL)

    def test_the_settlement_of_the_step_stays(self):
        check_succession(STEPPED, follow(STEPPED))
        check_succession(follow(STEPPED), follow(follow(STEPPED)))

    @pytest.mark.parametrize(
        "settlement",
        [identity_settlement(PRESET), settle({OPTION: 7_000_001}), settle({OPTION: 7_000_000, OTHER_OPTION: 0})],
    )
    def test_another_settlement(self, settlement):
        """An account that steps later would be paid something else than one that stepped at once."""
        refuse(STEPPED, follow(STEPPED, settlement=settlement), "settlement", f"0x{settlement.hash.hex()}")

    def test_a_settlement_without_a_step(self):
        settlement = settle({OPTION: 5})
        refuse(FIRST, follow(FIRST, settlement=settlement), "settlement", f"0x{settlement.hash.hex()}")


class TestStep:
    def test_an_expired_option(self):
        check_succession(FIRST, STEPPED)

    def test_a_slot_is_listed_anew(self):
        """At once, or a generation after it was emptied."""
        anew = relist(SNAPSHOT, {OPTION: other_strike(OPTION)}, step=1)
        check_succession(FIRST, follow(FIRST, snapshot=anew, settlement=settle({OPTION: 0})))
        anew = relist(EMPTIED, {OPTION: other_strike(OPTION)}, step=1)
        check_succession(STEPPED, follow(STEPPED, snapshot=anew, settlement=settle({OPTION: 0})))

    def test_a_step_drops_something(self):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {}, step=1))
        refuse(FIRST, epoch, "number of slots that a step drops", 0)

    @pytest.mark.parametrize("change", [None, other_strike(OPTION)])
    def test_a_changed_slot_is_dropped(self, change):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {OPTION: change}, step=1), settlement=settle({OTHER_OPTION: 0}))
        refuse(FIRST, epoch, "instrument", None, OPTION)

    def test_an_empty_slot_that_lists_something_is_dropped(self):
        """Lots of nothing bought yesterday would be lots of something tomorrow."""
        anew = relist(EMPTIED, {OPTION: other_strike(OPTION)}, step=1)
        refuse(STEPPED, follow(STEPPED, snapshot=anew, settlement=settle({PERPETUAL: 0})), "instrument", None, OPTION)

    @pytest.mark.parametrize("slot", [FUTURE, OPTION, OTHER_OPTION, PRESET.slots - 1])
    def test_no_holder_of_an_option_or_a_future_is_charged(self, slot):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {slot: None}, step=1), settlement=settle({slot: -1}))
        refuse(FIRST, epoch, "payoff", -1, slot)

    def test_a_perpetual_may_owe_its_funding(self):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {}, step=1), settlement=settle({PERPETUAL: -5}))
        check_succession(FIRST, epoch)

    @pytest.mark.parametrize("paid", [1, -1])
    def test_an_empty_slot_pays_nothing(self, paid):
        anew = relist(EMPTIED, {}, step=1)
        refuse(STEPPED, follow(STEPPED, snapshot=anew, settlement=settle({OPTION: paid})), "payoff", paid, OPTION)
