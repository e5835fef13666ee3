"""Which epoch may follow which: what a publisher checks before signing, and an auditor for every pair of epochs.

A proof speaks of slots, and a slot means what the listing of its generation says. So a slot's instrument may change
only at a step of generation that drops the slot, also when the slot was empty: lots of nothing bought yesterday would
else be lots of something tomorrow. Collateral never changes, as its slots stand for tokens in a vault.
"""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from zkmargin.engine.calibration.filters import DECAY
from zkmargin.engine.elementary import exp, power
from zkmargin.engine.epoch.record import Epoch
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.market.instruments import Instrument, InstrumentKind, collateral_lot_sizes, get_option_terms
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, USD6

MAX_LAG = 60
"""Seconds by which an epoch's time may lie after its snapshot's: proofs count the age of prices from the epoch's."""
NUMBER_LEAP = 1_000
"""Farthest that a number may lie above the last one's, as `RiskOracle` has it: 2^64 - 1 would be the last of all."""
CALL_BOUND = 10
"""An expired call pays at most this often the last forward: what a market did between the last price and expiry is
the quorum's word, within this."""

EASING = 2.0
"""What lowers the contagion buffer (more depth, a smaller ladder or impact) moves at most by this factor per epoch."""
VOLATILITY_FALL, VOLATILITY_RISE = 0.5, 3.0
"""An option's volatility moves within these factors per epoch, where more would move its price by `LEAST_PRICE`."""
RATE_MOVE = 0.2
"""Largest move of a bond's rate per epoch, continuous per year: the one that the house charges for (`bond_rate`)."""
LEAST_PRICE = 1e-4
"""Change of an option's price that matters, fraction of the forward: a tick of Deribit's options."""
FUNDING_SECONDS = 8 * SECONDS_PER_HOUR
"""Funding is stated and paid for so many seconds, from midnight UTC."""
FUNDING_CAP = 0.01
"""Largest funding of 8 hours, fraction of the mark: this project's choice, twice the cap of Deribit's perpetuals."""
MULTIPLIER_FALL = 0.25
"""The state multiplier falls at most so much per epoch. It may rise at once: a rise blocks new risk only."""


class RefusedSuccession(PolicyError):
    """An epoch that may not follow another one; carries what, value, what is allowed, and the slot or None."""

    def __init__(self, what: str, value: object, allowed: str, slot: int | None = None):
        self.what, self.value, self.allowed, self.slot = what, value, allowed, slot
        place = "" if slot is None else f" in slot {slot}"
        super().__init__(f"{what}{place} is {value}; allowed: {allowed}")


def check_succession(previous: Epoch | None, epoch: Epoch, *, max_lag: int = MAX_LAG) -> None:
    """Whether `epoch` may follow `previous`; the first epoch of all follows None.

    * The time is the snapshot's or at most `max_lag` seconds later.
    * The number rises, by at most `NUMBER_LEAP` (from 0 for the first epoch), the time does not fall, the preset stays,
      the generation stays or rises by one.
    * Each perpetual's mark is near its index (`MarketSnapshot.check_marks`).
    * The collateral slots keep their instruments and lot sizes for ever.
    * At an equal generation the listing is identical and so is the settlement: it is the vector of the step into that
      generation, which every epoch of it carries for the accounts that have not made the step yet.
    * At a step the settlement is not the identity, drops every slot whose instrument changes, also from or to empty,
      and pays nothing on a slot that was empty.
    * What a dropped slot pays is bounded by the snapshot of `previous`. A perpetual pays its last price within 50 % of
      its mark; a future, and what is live at the epoch's time, within 50 % of its last price. An option that has
      expired pays zero or more and at most its strike (put) or `CALL_BOUND` times its forward (call); a bond that has
      expired pays its face, and a live one no more.
    * Margins ease slowly. A daily volatility falls no faster than its filter (`DECAY` a day, and one day more, as
      closes are daily); depth, ladder and impact ease by `EASING` at most, the contagion multiplier falls by
      `MULTIPLIER_FALL` at most.
    * The rate of a bond that stays moves by `RATE_MOVE` at most, and a micro-dollar of its discount factor.
    * An option that stays keeps at least half of its volatility and gets at most three times as much, where it matters.
    * A perpetual's accrued funding moves by at most `FUNDING_CAP` of the larger mark for each 8 hours that pass, and as
      much again for each of 0, 8 and 16 o'clock (venues that pay at once); it begins at 0 where a step drops the slot.
    * The first epoch's generation began without a step: its settlement is the identity.

    Within these bounds a payoff is the quorum's settlement price, which no data of the two epochs show.

    Parameters
    ----------
    previous, epoch : Epoch
    max_lag : int
        Seconds; more than `MAX_LAG` only for the replay of a recorded market on a chain with a clock of its own.

    Raises
    ------
    RefusedSuccession
        If one of these does not hold; says which value and what is allowed.
    OutOfRange
        If a perpetual's mark is far from its index.
    """
    _check_header(previous, epoch, max_lag)
    epoch.snapshot.check_marks()
    if previous is None:
        if not epoch.settlement.is_identity:
            dropped = int(epoch.settlement.drop.sum())
            raise RefusedSuccession("number of slots that the first epoch drops", dropped, "0, as no step led to it")
        return
    _check_collateral(previous, epoch)
    _check_easing(previous, epoch)
    _check_accrued_funding(previous, epoch)
    _check_volatilities(previous, epoch)
    _check_rates(previous, epoch)
    if epoch.generation == previous.generation:
        _check_same_generation(previous, epoch)
    else:
        _check_step(previous, epoch)


def check_step(before: Epoch, epoch: Epoch) -> None:
    """Whether the settlement of `epoch` may lead from the generation of `before`, its predecessor, into its own: the
    part of `check_succession` that a settlement in place of a refused one must pass too.

    Raises
    ------
    RefusedSuccession
        As `check_succession`.
    """
    if epoch.generation != before.generation + 1:
        raise RefusedSuccession("generation", epoch.generation, f"{before.generation + 1}")
    _check_step(before, epoch)


def _check_header(previous: Epoch | None, epoch: Epoch, max_lag: int) -> None:
    moment = epoch.snapshot.time
    if not 0 <= epoch.time - moment <= max_lag:
        raise RefusedSuccession("time", epoch.time, f"{moment} to {moment + max_lag}, as the snapshot is of {moment}")
    last = previous.number if previous else 0
    if epoch.number > last + NUMBER_LEAP:
        raise RefusedSuccession("number", epoch.number, f"at most {last + NUMBER_LEAP}")
    if previous is None:
        return
    if epoch.number <= last:
        raise RefusedSuccession("number", epoch.number, f"{last + 1} or more")
    if epoch.time < previous.time:
        raise RefusedSuccession("time", epoch.time, f"{previous.time} or later")
    before, after = previous.snapshot.listing.preset, epoch.snapshot.listing.preset
    if before != after:
        what = "preset" if before.name != after.name else "split of the slots"
        value, allowed = (preset.name if what == "preset" else str(preset.split) for preset in (after, before))
        raise RefusedSuccession(what, value, allowed)
    if epoch.generation not in (previous.generation, previous.generation + 1):
        raise RefusedSuccession("generation", epoch.generation, f"{previous.generation} or {previous.generation + 1}")


def _check_collateral(previous: Epoch, epoch: Epoch) -> None:
    """A collateral slot's only facts are whether it is listed and its lot size: kind and coin follow from the slot."""
    before, after = (collateral_lot_sizes(each.snapshot.listing) for each in (previous, epoch))
    for slot in previous.snapshot.listing.preset.collateral_slots:
        if after.get(slot) != before.get(slot):
            raise RefusedSuccession("lot size of collateral", after.get(slot), f"{before.get(slot)}, for ever", slot)


def _check_easing(previous: Epoch, epoch: Epoch) -> None:
    before, after = previous.snapshot, epoch.snapshot
    days = (after.time - before.time) / SECONDS_PER_DAY + 1
    for coin in after.listing.preset.coins:
        least = before.daily_volatility[coin] * float(power(DECAY, days / 2))
        if after.daily_volatility[coin] < least - 1e-6:
            value = after.daily_volatility[coin]
            raise RefusedSuccession(f"daily volatility of {coin.value}", value, f"{least:.6f} or more")
        for field in fields(Crowding):
            old, new = getattr(before.crowding[coin], field.name), getattr(after.crowding[coin], field.name)
            if field.name.startswith("depth"):
                if new > old * EASING:
                    raise RefusedSuccession(f"{field.name} of {coin.value}", new, f"at most {old * EASING:g}")
            elif new < old / EASING:
                raise RefusedSuccession(f"{field.name} of {coin.value}", new, f"{old / EASING:g} or more")
    if after.contagion_multiplier < before.contagion_multiplier - MULTIPLIER_FALL - 1e-9:
        raise RefusedSuccession(
            "contagion_multiplier",
            after.contagion_multiplier,
            f"{before.contagion_multiplier - MULTIPLIER_FALL:g} or more",
        )


def _check_accrued_funding(previous: Epoch, epoch: Epoch) -> None:
    """Funding moves equity between the holders of a perpetual, so no epoch moves much of it."""
    before, after = previous.snapshot, epoch.snapshot
    end = max(after.time, before.time)
    payments = end // FUNDING_SECONDS - before.time // FUNDING_SECONDS
    periods = payments + (end - before.time) / FUNDING_SECONDS
    is_step = epoch.generation != previous.generation
    for item in after.listing.by_name.values():
        if item.kind is not InstrumentKind.PERPETUAL:
            continue
        coin, slot = item.underlying, item.slot
        is_kept = before.listing.is_listed[slot] and not (is_step and epoch.settlement.drop[slot])
        start = before.accrued_funding[coin] if is_kept else 0.0
        mark = max(float(after.forward[slot]), float(before.forward[slot]) if is_kept else 0.0)
        reach = FUNDING_CAP * periods * mark if is_kept else 0.0
        accrued = after.accrued_funding[coin]
        if abs(accrued - start) > reach + 1 / USD6:
            raise RefusedSuccession("accrued funding", accrued, f"{start - reach:.6f} to {start + reach:.6f}", slot)


def _check_volatilities(previous: Epoch, epoch: Epoch) -> None:
    """A price made up by a volatility is equity made up, long or short, and needs no move of the market.

    A market that moves farther is followed in several epochs. Where a volatility does not matter, as an hour before an
    option expires far from the money, quotes give none, and any may be stated.
    """
    before, after = previous.snapshot, epoch.snapshot
    pairs = zip(before.listing.instruments, after.listing.instruments, strict=True)
    is_kept = np.array([old is not None and old == new for old, new in pairs]) & after.listing.is_option
    held = np.where(is_kept, before.volatility, after.volatility)
    low, high = VOLATILITY_FALL * held, VOLATILITY_RISE * held
    change = np.abs(price_per_lot(after) - price_per_lot(after, volatility=held))
    with np.errstate(invalid="ignore"):
        is_far = (after.volatility < low) | (after.volatility > high)
        refused = np.flatnonzero(is_far & (change > LEAST_PRICE * after.forward * after.listing.lot_size))
    for slot in refused.tolist():
        allowed = f"{low[slot]:.6f} to {high[slot]:.6f}, from {held[slot]:.6f}"
        raise RefusedSuccession("volatility", float(after.volatility[slot]), allowed, slot)


def _check_rates(previous: Epoch, epoch: Epoch) -> None:
    """A discount factor is equity of the lenders and debt of the borrowers, and no market quotes it."""
    before, after = previous.snapshot, epoch.snapshot
    for item in after.listing.by_name.values():
        slot = item.slot
        if item.kind is not InstrumentKind.BOND or before.listing.instruments[slot] != item:
            continue
        years, factor = float(after.years[slot]), float(after.forward[slot])
        held = float(power(before.forward[slot], years / before.years[slot]))
        low, high = held * float(exp(-RATE_MOVE * years)), min(held * float(exp(RATE_MOVE * years)), 1.0)
        if not low - 1.0 / USD6 <= factor <= high + 1.0 / USD6:
            raise RefusedSuccession("discount factor", factor, f"{low:.6f} to {high:.6f}, from {held:.6f}", slot)


def _check_same_generation(previous: Epoch, epoch: Epoch) -> None:
    for slot, old, new in _changes(previous, epoch):
        raise RefusedSuccession("instrument", new, f"{old}, as the generation stays {epoch.generation}", slot)
    if epoch.settlement != previous.settlement:
        raise RefusedSuccession(
            "settlement",
            f"0x{epoch.settlement_hash.hex()}",
            f"0x{previous.settlement_hash.hex()}, the step into generation {epoch.generation}",
        )


def _check_step(previous: Epoch, epoch: Epoch) -> None:
    drop, payoff = epoch.settlement.drop, epoch.settlement.payoff
    if epoch.settlement.is_identity:
        raise RefusedSuccession("number of slots that a step drops", 0, "1 or more")
    for slot, old, new in _changes(previous, epoch):
        if not drop[slot]:
            raise RefusedSuccession("instrument", new, f"{old}, as the step does not drop the slot", slot)
    prices = price_per_lot(previous.snapshot)
    for slot in drop.nonzero()[0].tolist():
        paid, dropped = int(payoff[slot]), previous.snapshot.listing.instruments[slot]
        if dropped is None:
            if paid:
                raise RefusedSuccession("payoff", paid, "0, as the slot was empty", slot)
            continue
        low, high, reason = _bound_payoff(dropped, previous.snapshot, float(prices[slot]), epoch.time)
        if not low <= paid <= high:
            raise RefusedSuccession("payoff", paid, f"{low} to {high}, as {dropped.name} {reason}", slot)


def _bound_payoff(dropped: Instrument, before: MarketSnapshot, price: float, time: int) -> tuple[int, int, str]:
    """Least and most that one lot of `dropped` may pay when it is dropped at `time`, micro-dollars, and why.

    `price` is the lot's in the snapshot `before`, US dollars.
    """
    has_expired = dropped.expiry is not None and dropped.expiry <= time
    if dropped.kind is InstrumentKind.OPTION and has_expired:
        strike, is_call = get_option_terms(dropped)
        most = CALL_BOUND * float(before.forward[dropped.slot]) if is_call else strike
        return 0, math.floor(USD6 * most * dropped.lot_size), f"expired at {dropped.expiry}"
    usd6 = round(USD6 * price)
    if dropped.kind is InstrumentKind.BOND:
        face = round(USD6 * dropped.lot_size)
        if has_expired:
            return face, face, f"expired at {dropped.expiry} and pays its face"
        return usd6 - usd6 // 2, face, f"is live, has a last price of {usd6} and pays {face} at its expiry"
    if dropped.kind is InstrumentKind.PERPETUAL:
        half = round(USD6 * float(before.forward[dropped.slot]) * dropped.lot_size) // 2
        return usd6 - half, usd6 + half, f"is live and has a last price of {usd6}, give or take 50 % of its mark"
    state = "expired" if has_expired else "is live"
    return usd6 - usd6 // 2, usd6 + usd6 // 2, f"{state} and its last price is {usd6}, from which 50 % are allowed"


def _changes(previous: Epoch, epoch: Epoch) -> list[tuple[int, str, str]]:
    """(slot, instrument before, instrument now) where the two differ."""
    pairs = zip(previous.snapshot.listing.instruments, epoch.snapshot.listing.instruments, strict=True)
    return [(slot, _name(old), _name(new)) for slot, (old, new) in enumerate(pairs) if old != new]


def _name(instrument: Instrument | None) -> str:
    return "empty" if instrument is None else f"{instrument.name} (lot {instrument.lot_size:g})"
