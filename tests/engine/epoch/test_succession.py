"""Which epoch may follow which: an accepted pair of each sort, and one wrong thing at a time."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from tests.support.house import get_snapshot
from zkmargin.engine.epoch.expiry import ExpiryStep, identity_expiry_step
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.epoch.succession import RATE_MOVE, RefusedSuccession, check_succession
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.house import House
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.instruments import (
    InstrumentKind,
    Listing,
    collateral_lot_sizes,
    make_instrument,
)
from zkmargin.engine.market.listings import list_bonds
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import Coin

SNAPSHOT = get_snapshot("mini")
LISTING, PRESET = SNAPSHOT.listing, SNAPSHOT.listing.preset
COLLATERAL = PRESET.collateral_slots[1]
PERPETUAL, FUTURE, OPTION, OTHER_OPTION = 1, 2, 3, 4
FIRST = House(SNAPSHOT).epoch(7)


def settle(payoffs: dict[int, int]) -> ExpiryStep:
    """Drops these slots and pays that much on each."""
    drop, payoff = np.zeros(PRESET.slots, dtype=np.int64), np.zeros(PRESET.slots, dtype=np.int64)
    for slot, paid in payoffs.items():
        drop[slot], payoff[slot] = 1, paid
    return ExpiryStep(PRESET, drop, payoff)


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
            volatility[slot] = 0.5 if item.kind is InstrumentKind.OPTION else np.nan
    listing = Listing(PRESET, snapshot.listing.generation + step, tuple(instruments))
    return dataclasses.replace(snapshot, listing=listing, forward=forward, volatility=volatility)


def follow(previous: Epoch, *, snapshot: MarketSnapshot | None = None, **changes) -> Epoch:
    """The next epoch, a minute later, of a snapshot `lag` seconds older (0), with the policies of `previous`: the rule
    of succession does not look at them."""
    moment = changes.setdefault("time", previous.time + 60)
    snapshot = dataclasses.replace(snapshot or previous.snapshot, time=moment - changes.pop("lag", 0))
    fields = {field.name: getattr(previous, field.name) for field in dataclasses.fields(Epoch)}
    fields |= {"number": previous.number + 1, "snapshot": snapshot}
    return Epoch(**{**fields, "generation": snapshot.listing.generation, **changes})


def other_strike(slot: int):
    item = LISTING.instruments[slot]
    facts = {"strike": item.strike + 500, "expiry": item.expiry, "is_call": item.is_call}
    return make_instrument(slot, item.kind, item.underlying, item.lot_size, **facts)


def price(slot: int) -> int:
    """Micro-dollars that a lot is worth in the snapshot."""
    return round(1e6 * float(price_per_lot(SNAPSHOT)[slot]))


EMPTIED = relist(SNAPSHOT, {OPTION: None}, step=1)
PAID = price(OPTION)
STEPPED = follow(FIRST, snapshot=EMPTIED, settlement=settle({OPTION: PAID}))
"""The option in slot 3 was delisted at its price."""


SEPTEMBER = [slot for slot, item in enumerate(LISTING.instruments) if item and item.name.split("-")[1] == "25SEP26"]
"""Slots whose instruments expire first, all at once."""


def expire(moment: int, settlement: ExpiryStep) -> Epoch:
    """The step at `moment` that drops what `settlement` does and leaves these slots empty."""
    dropped = dict.fromkeys(np.flatnonzero(settlement.drop).tolist())
    return follow(FIRST, snapshot=relist(SNAPSHOT, dropped, step=1), time=moment, settlement=settlement)


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

    def test_no_epoch_uses_up_the_numbers(self):
        check_succession(FIRST, follow(FIRST, number=FIRST.number + 1_000))
        for number in (FIRST.number + 1_001, 2**64 - 1):
            refuse(FIRST, follow(FIRST, number=number), "number", number)
        check_succession(None, House(SNAPSHOT).epoch(1_000))
        refuse(None, House(SNAPSHOT).epoch(1_001), "number", 1_001)

    @pytest.mark.parametrize("previous", [None, FIRST])
    def test_an_epoch_is_dated_by_its_snapshot(self, previous):
        """Old prices dated as new would pass for fresh, and prices of tomorrow are none."""
        for lag in (0, 60):
            check_succession(previous, follow(FIRST, lag=lag))
        for lag in (-1, 61):
            refuse(previous, follow(FIRST, lag=lag), "time", FIRST.time + 60)
        check_succession(previous, follow(FIRST, lag=61), max_lag=61)

    def test_the_time_does_not_fall(self):
        refuse(FIRST, follow(FIRST, time=FIRST.time - 1), "time", FIRST.time - 1)

    def test_the_preset_stays(self):
        standard = House(get_snapshot("standard")).epoch(8)
        refuse(FIRST, standard, "preset", "standard")

    @pytest.mark.parametrize("step", [2, 3])
    def test_no_generation_is_skipped(self, step):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {OPTION: None}, step=step), settlement=settle({OPTION: 0}))
        refuse(FIRST, epoch, "generation", FIRST.generation + step)

    def test_no_way_back(self):
        refuse(STEPPED, follow(STEPPED, snapshot=SNAPSHOT), "generation", FIRST.generation)


class TestCollateral:
    @pytest.mark.property("P-22")
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


class TestEasing:
    """What lowers margin moves slowly; what raises it may move at once."""

    @staticmethod
    def move(hours: float = 0.0, **changes) -> Epoch:
        time = FIRST.time + 60 + int(3_600 * hours)
        return follow(FIRST, snapshot=dataclasses.replace(SNAPSHOT, **changes), time=time)

    @pytest.mark.property("P-62")
    @pytest.mark.parametrize("hours, factor", [(0, 0.986), (24, 0.971), (240, 0.847)])
    def test_a_volatility_falls_no_faster_than_its_filter(self, hours, factor):
        def scaled(by):
            return {coin: value * by for coin, value in SNAPSHOT.daily_volatility.items()}

        check_succession(FIRST, self.move(hours, daily_volatility=scaled(factor)))
        check_succession(FIRST, self.move(hours, daily_volatility=scaled(3.0)))
        refuse(FIRST, self.move(hours, daily_volatility=scaled(factor - 0.005)), "daily volatility of BTC")

    @pytest.mark.property("P-62")
    @pytest.mark.parametrize("field", ["ladder_down", "ladder_up", "depth_down", "depth_up", "impact"])
    @pytest.mark.parametrize("coin", list(Coin))
    def test_crowding_eases_by_a_factor_of_two(self, coin, field):
        old = SNAPSHOT.crowding[coin]
        eased, tightened = (2.0, 0.25) if field.startswith("depth") else (0.5, 4.0)

        def crowd(by):
            return {**SNAPSHOT.crowding, coin: dataclasses.replace(old, **{field: getattr(old, field) * by})}

        check_succession(FIRST, self.move(crowding=crowd(eased)))
        check_succession(FIRST, self.move(crowding=crowd(tightened)))
        refuse(FIRST, self.move(crowding=crowd(eased * (1.01 if eased > 1 else 0.99))), f"{field} of {coin.value}")

    @pytest.mark.property("P-62")
    def test_stress_falls_slowly(self):
        high = follow(FIRST, snapshot=dataclasses.replace(SNAPSHOT, contagion_multiplier=3.0))
        check_succession(FIRST, high)
        check_succession(high, follow(high, snapshot=dataclasses.replace(SNAPSHOT, contagion_multiplier=2.75)))
        refuse(
            high,
            follow(high, snapshot=dataclasses.replace(SNAPSHOT, contagion_multiplier=2.74)),
            "contagion_multiplier",
        )


@pytest.mark.property("P-95")
def test_a_mark_far_from_the_index_is_not_signed():
    forward = SNAPSHOT.forward.copy()
    forward[PERPETUAL] *= 1.06
    with pytest.raises(OutOfRange, match="mark of BTC-PERPETUAL"):
        check_succession(FIRST, follow(FIRST, snapshot=dataclasses.replace(SNAPSHOT, forward=forward)))


class TestAccruedFunding:
    """It moves equity between a perpetual's holders, so it moves slowly: 1 % of the mark for 8 hours, and once more at
    each of 0, 8 and 16 o'clock."""

    @staticmethod
    def accrue(share: float, seconds: int = 60, previous: Epoch = FIRST, **changes) -> Epoch:
        snapshot = changes.pop("snapshot", SNAPSHOT)
        accrued = {coin: share * index for coin, index in SNAPSHOT.index.items()}
        snapshot = dataclasses.replace(snapshot, accrued_funding=accrued)
        return follow(previous, snapshot=snapshot, time=previous.time + seconds, **changes)

    @pytest.mark.property("P-96")
    @pytest.mark.parametrize("seconds, share", [(60, 0.01 * 60 / 28_800), (28_800, 0.02), (86_400, 0.06)])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_it_moves_slowly(self, seconds, share, sign):
        """The snapshot is of 15:33:51, so a minute crosses no hour of payment."""
        check_succession(FIRST, self.accrue(sign * share * 0.999, seconds))
        epoch = self.accrue(sign * share * 1.001, seconds)
        refuse(FIRST, epoch, "accrued funding", epoch.snapshot.accrued_funding[Coin.BTC], PERPETUAL)

    def test_what_has_accrued_stays(self):
        old = dataclasses.replace(FIRST, snapshot=self.accrue(0.2).snapshot)
        check_succession(old, self.accrue(0.2001, 28_800, old))
        refuse(old, self.accrue(0.0, 28_800, old), "accrued funding", 0.0, PERPETUAL)

    @pytest.mark.property("P-96")
    def test_a_perpetual_listed_anew_starts_at_zero(self):
        old = dataclasses.replace(FIRST, snapshot=self.accrue(0.2).snapshot)
        both = settle({slot: round(0.8 * price(slot)) for slot in (PERPETUAL, 9)})
        anew = relist(SNAPSHOT, {}, step=1)
        check_succession(old, self.accrue(0.0, 60, old, snapshot=anew, settlement=both))
        epoch = self.accrue(0.2, 60, old, snapshot=anew, settlement=both)
        refuse(old, epoch, "accrued funding", epoch.snapshot.accrued_funding[Coin.BTC], PERPETUAL)

    @pytest.mark.property("P-22")
    def test_a_dropped_perpetual_pays_its_price_within_half_its_mark(self):
        """With 80 % accrued the price is a fifth of the mark: half of the price would not even cover a 16 % fall."""
        old = dataclasses.replace(FIRST, snapshot=self.accrue(0.8).snapshot)
        anew, mark = relist(SNAPSHOT, {}, step=1), price(PERPETUAL)
        for paid in (round(-0.299 * mark), round(0.699 * mark)):
            step = settle({PERPETUAL: paid, 9: round(0.2 * price(9))})
            check_succession(old, self.accrue(0.0, 60, old, snapshot=anew, settlement=step))
        for paid in (round(-0.301 * mark), round(0.701 * mark)):
            step = settle({PERPETUAL: paid, 9: round(0.2 * price(9))})
            refuse(old, self.accrue(0.0, 60, old, snapshot=anew, settlement=step), "payoff", paid, PERPETUAL)


class TestVolatilities:
    """An option's volatility is followed within a factor per epoch, where its price depends on it."""

    @staticmethod
    def scale(slot: int, factor: float, snapshot: MarketSnapshot = SNAPSHOT) -> Epoch:
        volatility = snapshot.volatility.copy()
        volatility[slot] *= factor
        return follow(FIRST, snapshot=dataclasses.replace(snapshot, volatility=volatility))

    @pytest.mark.property("P-113")
    @pytest.mark.parametrize("slot", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    def test_a_volatility_at_a_quarter_is_refused(self, slot):
        for accepted in (0.51, 2.9):
            check_succession(FIRST, self.scale(slot, accepted))
        for factor in (0.25, 0.49, 3.1):
            refuse(FIRST, self.scale(slot, factor), "volatility", slot=slot)

    @pytest.mark.property("P-113")
    def test_a_volatility_that_moves_no_price_may_be_anything(self):
        """The option is worth its strike less the forward, to a tick, whatever volatility below this is stated."""
        forward = SNAPSHOT.forward.copy()
        forward[3] = 0.2 * SNAPSHOT.listing.at(3).strike
        deep = dataclasses.replace(SNAPSHOT, forward=forward)
        check_succession(FIRST, self.scale(3, 0.25, deep))

    def test_what_a_step_lists_anew_has_no_volatility_before(self):
        item = other_strike(OPTION)
        snapshot = relist(SNAPSHOT, {OPTION: item}, step=1)
        volatility = snapshot.volatility.copy()
        volatility[OPTION] *= 0.25
        epoch = follow(
            FIRST,
            snapshot=dataclasses.replace(snapshot, volatility=volatility),
            settlement=settle({OPTION: price(OPTION)}),
        )
        check_succession(FIRST, epoch)


class TestSameGeneration:
    @pytest.mark.property("P-22")
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

    @pytest.mark.property("P-22")
    def test_the_settlement_of_the_step_stays(self):
        check_succession(STEPPED, follow(STEPPED))
        check_succession(follow(STEPPED), follow(follow(STEPPED)))

    @pytest.mark.parametrize(
        "settlement",
        [identity_expiry_step(PRESET), settle({OPTION: PAID + 1}), settle({OPTION: PAID, OTHER_OPTION: 0})],
    )
    def test_another_settlement(self, settlement):
        """An account that steps later would be paid something else than one that stepped at once."""
        refuse(STEPPED, follow(STEPPED, settlement=settlement), "settlement", f"0x{settlement.hash.hex()}")

    def test_a_settlement_without_a_step(self):
        settlement = settle({OPTION: 5})
        refuse(FIRST, follow(FIRST, settlement=settlement), "settlement", f"0x{settlement.hash.hex()}")


class TestStep:
    def test_an_option_is_delisted_at_its_price(self):
        check_succession(FIRST, STEPPED)

    def test_a_slot_is_listed_anew(self):
        """At once, or a generation after it was emptied."""
        anew = relist(SNAPSHOT, {OPTION: other_strike(OPTION)}, step=1)
        check_succession(FIRST, follow(FIRST, snapshot=anew, settlement=settle({OPTION: PAID})))
        anew = relist(EMPTIED, {OPTION: other_strike(OPTION)}, step=1)
        check_succession(STEPPED, follow(STEPPED, snapshot=anew, settlement=settle({OPTION: 0})))

    def test_a_step_drops_something(self):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {}, step=1))
        refuse(FIRST, epoch, "number of slots that a step drops", 0)

    @pytest.mark.property("P-22")
    @pytest.mark.parametrize("change", [None, other_strike(OPTION)])
    def test_a_changed_slot_is_dropped(self, change):
        epoch = follow(FIRST, snapshot=relist(SNAPSHOT, {OPTION: change}, step=1), settlement=settle({OTHER_OPTION: 0}))
        refuse(FIRST, epoch, "instrument", None, OPTION)

    @pytest.mark.property("P-22")
    def test_an_empty_slot_that_lists_something_is_dropped(self):
        """Lots of nothing bought yesterday would be lots of something tomorrow."""
        anew = relist(EMPTIED, {OPTION: other_strike(OPTION)}, step=1)
        refuse(STEPPED, follow(STEPPED, snapshot=anew, settlement=settle({PERPETUAL: 0})), "instrument", None, OPTION)

    @pytest.mark.property("P-22")
    @pytest.mark.parametrize("slot", [PERPETUAL, FUTURE, OPTION, OTHER_OPTION, PRESET.slots - 1])
    @pytest.mark.parametrize("relisted", [False, True])
    def test_a_live_instrument_pays_about_its_price(self, slot, relisted):
        """Delisted, or dropped and listed again: half the last price is the least, half as much again the most."""
        usd6 = price(slot)
        later = relist(SNAPSHOT, {} if relisted else {slot: None}, step=1)
        for paid in ((usd6 + 1) // 2, usd6, usd6 * 3 // 2):
            check_succession(FIRST, follow(FIRST, snapshot=later, settlement=settle({slot: paid})))
        for paid in (-1, 0, (usd6 + 1) // 2 - 1, usd6 * 3 // 2 + 1, 10 * usd6):
            refuse(FIRST, follow(FIRST, snapshot=later, settlement=settle({slot: paid})), "payoff", paid, slot)

    def test_one_second_before_expiry_an_option_is_live(self):
        expiry = LISTING.instruments[OPTION].expiry
        for moment, is_live in ((expiry - 1, True), (expiry, False)):
            epoch = expire(moment, settle(dict.fromkeys(SEPTEMBER, 0)))
            if is_live:
                refuse(FIRST, epoch, "payoff", 0, SEPTEMBER[0])
            else:
                check_succession(FIRST, epoch)

    @pytest.mark.property("P-22")
    @pytest.mark.parametrize("slot", [3, 4, 5, 6, 11, 12, 13, 14])
    def test_an_expired_option_pays_within_its_bound(self, slot):
        """A put its strike at most, a call ten forwards: what the market did since, the data do not show."""
        item = LISTING.instruments[slot]
        most = round(1e6 * item.lot_size * (10 * float(SNAPSHOT.forward[slot]) if item.is_call else item.strike))
        others = dict.fromkeys(SEPTEMBER, 0)
        for paid in (0, price(slot), most):
            check_succession(FIRST, expire(item.expiry, settle({**others, slot: paid})))
        for paid in (-1, most + 1):
            refuse(FIRST, expire(item.expiry, settle({**others, slot: paid})), "payoff", paid, slot)

    @pytest.mark.property("P-22")
    def test_a_bond_pays_its_face_at_its_expiry(self):
        """And before it between half of its price and its face."""
        bonds = list_bonds(SNAPSHOT, {7: LISTING.instruments[FUTURE].expiry})
        face, value = 10**8, round(1e6 * float(price_per_lot(bonds)[7]))
        first = follow(FIRST, snapshot=dataclasses.replace(bonds, time=FIRST.time))

        def drop(moment: int, paid: int) -> Epoch:
            expired = [
                slot for slot, item in enumerate(bonds.listing.instruments) if (item.expiry or moment + 1) <= moment
            ]
            payoffs = {slot: min(price(slot), 10**6) if slot not in (FUTURE, 10) else price(slot) for slot in expired}
            step = settle(payoffs | {7: paid})
            return follow(
                first, snapshot=relist(bonds, dict.fromkeys({7, *expired}), step=1), time=moment, settlement=step
            )

        maturity = bonds.listing.at(7).expiry
        check_succession(first, drop(maturity, face))
        for paid in (face - 1, face + 1, 0):
            refuse(first, drop(maturity, paid), "payoff", paid, 7)
        for paid in ((value + 1) // 2, face):
            check_succession(first, drop(first.time + 60, paid))
        for paid in ((value + 1) // 2 - 1, face + 1):
            refuse(first, drop(first.time + 60, paid), "payoff", paid, 7)

    @pytest.mark.property("P-232")
    @pytest.mark.parametrize(("rate", "is_refused"), [(0.199, False), (-0.019, False), (0.201, True)])
    def test_the_rate_of_a_bond_moves_by_what_is_charged_for(self, rate, is_refused):
        """A day later, from the discount factor that the old rate gives then; a rise lets no factor above 1."""
        bonds = list_bonds(SNAPSHOT, {7: LISTING.instruments[FUTURE].expiry})
        first = follow(FIRST, snapshot=dataclasses.replace(bonds, time=FIRST.time))
        moment = first.time + 86_400
        years = (bonds.listing.at(7).expiry - moment) / (365 * 86_400)
        held = float(bonds.forward[7]) ** (years / (years + 1 / 365))
        forward = bonds.forward.copy()
        forward[7] = held * np.exp(-rate * years)
        later = follow(first, snapshot=dataclasses.replace(bonds, time=moment, forward=forward), time=moment)
        if not is_refused:
            return check_succession(first, later)
        with pytest.raises(RefusedSuccession, match=r"discount factor in slot 7 is 0\.8") as refusal:
            check_succession(first, later)
        assert refusal.value.allowed == f"{held * np.exp(-0.2 * years):.6f} to 1.000000, from {held:.6f}"

    @pytest.mark.property("P-232")
    @pytest.mark.parametrize(("fall", "is_refused"), [(0.199, False), (0.201, True)])
    def test_a_high_rate_falls_by_as_much_as_a_rate_may_rise(self, fall, is_refused):
        """From 30 %: the refused factor is below 1, which bounds the fall of a lower rate."""
        bonds = list_bonds(SNAPSHOT, {7: LISTING.instruments[FUTURE].expiry})

        def price_at(moment: int, rate: float) -> MarketSnapshot:
            forward = bonds.forward.copy()
            forward[7] = np.exp(-rate * (bonds.listing.at(7).expiry - moment) / (365 * 86_400))
            return dataclasses.replace(bonds, time=moment, forward=forward)

        moment = FIRST.time + 86_400
        first = follow(FIRST, snapshot=price_at(FIRST.time, 0.3))
        later = follow(first, snapshot=price_at(moment, 0.3 - fall), time=moment)
        if not is_refused:
            return check_succession(first, later)
        with pytest.raises(RefusedSuccession, match=r"discount factor in slot 7 is 0\.9") as refusal:
            check_succession(first, later)
        most = price_at(moment, 0.1).forward[7]
        assert f" to {most:.6f}, from " in refusal.value.allowed

    @pytest.mark.property("P-232")
    def test_the_largest_move_of_a_rate_is_the_one_that_the_house_charges_for(self):
        assert load_parameters().bond_rate == RATE_MOVE

    def test_an_expired_future_pays_about_its_price(self):
        moment, usd6 = LISTING.instruments[FUTURE].expiry, price(FUTURE)
        others = {
            slot: 0 for slot, item in enumerate(LISTING.instruments) if item and item.kind is InstrumentKind.OPTION
        }
        others[10] = price(10)
        for paid in ((usd6 + 1) // 2, usd6 * 3 // 2):
            check_succession(FIRST, expire(moment, settle({**others, FUTURE: paid})))
        for paid in (-1, (usd6 + 1) // 2 - 1, usd6 * 3 // 2 + 1):
            refuse(FIRST, expire(moment, settle({**others, FUTURE: paid})), "payoff", paid, FUTURE)

    @pytest.mark.parametrize("paid", [1, -1])
    def test_an_empty_slot_pays_nothing(self, paid):
        anew = relist(EMPTIED, {}, step=1)
        refuse(STEPPED, follow(STEPPED, snapshot=anew, settlement=settle({OPTION: paid})), "payoff", paid, OPTION)
