"""Which epoch may follow which: what a publisher checks before signing, and an auditor for every pair of epochs.

A proof speaks of slots, and a slot means what the listing of its generation says. So a slot's instrument may change
only at a step of generation that drops the slot, also when the slot was empty: lots of nothing bought yesterday would
else be lots of something tomorrow. Collateral never changes, as its slots stand for tokens in a vault.
"""

from __future__ import annotations

from engine.epoch import Epoch
from engine.instruments import Instrument, Kind, collateral_lot_sizes
from engine.policy import PolicyError

NEVER_OWED = (Kind.OPTION, Kind.FUTURE)
"""Kinds whose holder is paid, never charged, at expiry: an option may lapse, a future is worth its forward. A perpetual
can be worth less than nothing, by the funding that it owes."""


class RefusedSuccession(PolicyError):
    """An epoch that may not follow another one; carries what, value, what is allowed, and the slot or None."""

    def __init__(self, what: str, value: object, allowed: str, slot: int | None = None):
        self.what, self.value, self.allowed, self.slot = what, value, allowed, slot
        place = "" if slot is None else f" in slot {slot}"
        super().__init__(f"{what}{place} is {value}; allowed: {allowed}")


def check_succession(previous: Epoch | None, epoch: Epoch) -> None:
    """Whether `epoch` may follow `previous`; the first epoch of all follows None.

    * The number rises, the time does not fall, the preset stays, the generation stays or rises by one.
    * The collateral slots keep their instruments and lot sizes for ever.
    * At an equal generation the listing is identical and so is the settlement: it is the vector of the step into that
      generation, which every epoch of it carries for the accounts that have not made the step yet.
    * At a step the settlement is not the identity, drops every slot whose instrument changes, also from or to empty,
      pays nothing on a slot that was empty, and no less than zero on an option or a dated future.
    * The first epoch's generation began without a step: its settlement is the identity.

    Whether a payoff is the right one is a matter of prices, which this does not see.

    Raises
    ------
    RefusedSuccession
        If one of these does not hold; says which value and what is allowed.
    """
    if previous is None:
        if not epoch.settlement.is_identity:
            dropped = int(epoch.settlement.drop.sum())
            raise RefusedSuccession("number of slots that the first epoch drops", dropped, "0, as no step led to it")
        return
    _check_header(previous, epoch)
    _check_collateral(previous, epoch)
    if epoch.generation == previous.generation:
        _check_same_generation(previous, epoch)
    else:
        _check_step(previous, epoch)


def _check_header(previous: Epoch, epoch: Epoch) -> None:
    if epoch.number <= previous.number:
        raise RefusedSuccession("number", epoch.number, f"{previous.number + 1} or more")
    if epoch.time < previous.time:
        raise RefusedSuccession("time", epoch.time, f"{previous.time} or later")
    before, after = previous.snapshot.listing.preset, epoch.snapshot.listing.preset
    if before != after:
        raise RefusedSuccession("preset", after.name, before.name)
    if epoch.generation not in (previous.generation, previous.generation + 1):
        raise RefusedSuccession("generation", epoch.generation, f"{previous.generation} or {previous.generation + 1}")


def _check_collateral(previous: Epoch, epoch: Epoch) -> None:
    """A collateral slot's only facts are whether it is listed and its lot size: kind and coin follow from the slot."""
    before, after = (collateral_lot_sizes(each.snapshot.listing) for each in (previous, epoch))
    for slot in previous.snapshot.listing.preset.collateral_slots:
        if after.get(slot) != before.get(slot):
            raise RefusedSuccession("lot size of collateral", after.get(slot), f"{before.get(slot)}, for ever", slot)


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
    for slot, held in enumerate(previous.snapshot.listing.instruments):
        paid = int(payoff[slot])
        if held is None and paid:
            raise RefusedSuccession("payoff", paid, "0, as the slot was empty", slot)
        if held is not None and held.kind in NEVER_OWED and paid < 0:
            raise RefusedSuccession("payoff", paid, f"0 or more, as the slot held {held.name}", slot)


def _changes(previous: Epoch, epoch: Epoch) -> list[tuple[int, str, str]]:
    """(slot, what it held, what it holds) where the two differ."""
    pairs = zip(previous.snapshot.listing.instruments, epoch.snapshot.listing.instruments, strict=True)
    return [(slot, _name(old), _name(new)) for slot, (old, new) in enumerate(pairs) if old != new]


def _name(instrument: Instrument | None) -> str:
    return "empty" if instrument is None else f"{instrument.name} (lot {instrument.lot_size:g})"
