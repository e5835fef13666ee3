"""What the demo's expiry pays, and what follows in the slots."""

from dataclasses import replace

import numpy as np
import pytest

from zkmargin.engine.epoch.settling import settle_expiry
from zkmargin.engine.errors import WrongKind
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6
from zkmargin.scripts.demo.expiry import choose_options, list_successors
from zkmargin.scripts.demo.scene import MARKET

AWAY = 0.01
"""Relative distance of two prices from their mean."""


@pytest.fixture(scope="module")
def market():
    return to_preset(load_snapshot(MARKET), "mini")


def at_mark(market, slot: int, share: float):
    """The market with one forward moved by a share of it."""
    forward = market.forward.copy()
    forward[slot] *= 1.0 + share
    return replace(market, forward=forward)


def test_an_expiry_pays_on_the_mean_of_its_prices(market):
    put, call = choose_options(market, Coin.BTC)
    assert put.strike > market.forward[put.slot] and call.strike > market.forward[call.slot]
    before = replace(market, time=put.expiry - 1)
    step = settle_expiry([at_mark(before, put.slot, share) for share in (AWAY, -AWAY, -AWAY, AWAY)], put.expiry)
    paid = (put.strike - market.forward[put.slot]) * put.lot_size * USD6
    assert step.payoff[put.slot] == pytest.approx(paid, abs=1) and step.payoff[call.slot] == 0
    one_sided = settle_expiry([before, at_mark(before, put.slot, 2 * AWAY)], put.expiry)
    assert one_sided.payoff[put.slot] == pytest.approx(
        paid - AWAY * market.forward[put.slot] * put.lot_size * USD6, abs=1
    )


def test_only_what_expires_is_dropped(market):
    put, _ = choose_options(market, Coin.BTC)
    step = settle_expiry([replace(market, time=put.expiry - 1)], put.expiry)
    expires = [item is not None and item.expiry == put.expiry for item in market.listing.instruments]
    assert step.drop.astype(bool).tolist() == expires
    assert not step.payoff[~np.array(expires)].any()


def test_what_follows_is_the_same_but_for_its_expiry(market):
    put, _ = choose_options(market, Coin.BTC)
    later = list_successors(replace(market, time=put.expiry - 1), put.expiry)
    assert later.listing.generation == market.listing.generation + 1
    for old, new in zip(market.listing.instruments, later.listing.instruments, strict=True):
        if old is None or old.expiry != put.expiry:
            assert new == old
        else:
            assert (new.kind, new.strike, new.is_call, new.slot) == (old.kind, old.strike, old.is_call, old.slot)
            assert new.expiry > old.expiry and new.name != old.name


def test_a_next_expiry_without_puts_has_none_to_show(market):
    first, _ = choose_options(market, Coin.BTC)
    instruments = tuple(
        None
        if item is not None
        and (item.kind, item.underlying, item.expiry) == (InstrumentKind.OPTION, Coin.BTC, first.expiry)
        and not item.is_call
        else item
        for item in market.listing.instruments
    )
    gone = np.array([item is None for item in instruments])
    forward, volatility = (np.where(gone, np.nan, row) for row in (market.forward, market.volatility))
    bare = replace(
        market, listing=replace(market.listing, instruments=instruments), forward=forward, volatility=volatility
    )
    with pytest.raises(WrongKind, match="one of puts and calls"):
        choose_options(bare, Coin.BTC)
