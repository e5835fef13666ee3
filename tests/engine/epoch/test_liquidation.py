"""The step that turns everything into cash, against prices that are worked out by hand here."""

import numpy as np
import pytest

from zkmargin.engine.epoch.liquidation import liquidate
from zkmargin.engine.market.crowding import Crowding
from zkmargin.engine.market.instruments import InstrumentKind, Listing, make_instrument
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Coin, get_preset

MINI = get_preset("mini")
EXPIRY = 1_798_185_600
"""2026-12-25 08:00 UTC, a year of 365 days after the market."""
HALF_LIT = 0.31084348322064836
"""2 N(0.4) - 1, of tables of the normal distribution: the price of an option at the money over its forward, as
volatility 0.8 over one year makes d_1 = 0.4 = -d_2."""
BTC, ETH = Coin.BTC, Coin.ETH


@pytest.fixture(scope="module")
def market() -> MarketSnapshot:
    """A future, perpetuals with funding of both signs, a call and a put at the money, a bond, spot, and empty slots."""
    listed = {
        0: (InstrumentKind.SPOT, BTC, 0.0001, 80_000.0, {}),
        1: (InstrumentKind.PERPETUAL, BTC, 0.01, 80_100.0, {}),
        2: (InstrumentKind.FUTURE, BTC, 0.01, 82_000.0, {"expiry": EXPIRY}),
        3: (InstrumentKind.OPTION, BTC, 0.01, 90_000.0, {"expiry": EXPIRY, "strike": 90_000, "is_call": True}),
        4: (InstrumentKind.BOND, BTC, 100.0, 0.97, {"expiry": EXPIRY}),
        8: (InstrumentKind.SPOT, ETH, 0.001, 2_500.0, {}),
        9: (InstrumentKind.PERPETUAL, ETH, 0.1, 2_510.0, {}),
        11: (InstrumentKind.OPTION, ETH, 0.1, 2_000.0, {"expiry": EXPIRY, "strike": 2_000, "is_call": False}),
    }
    instruments, forward = [None] * MINI.slots, np.full(MINI.slots, np.nan)
    for slot, (kind, coin, lot, price, facts) in listed.items():
        instruments[slot], forward[slot] = make_instrument(slot, kind, coin, lot, **facts), price
    volatility = np.full(MINI.slots, np.nan)
    volatility[[3, 11]] = 0.8
    return MarketSnapshot(
        time=EXPIRY - 365 * 86_400,
        source="made by hand",
        index={BTC: 80_000.0, ETH: 2_500.0},
        listing=Listing(MINI, 7, tuple(instruments)),
        forward=forward,
        volatility=volatility,
        daily_volatility={BTC: 0.03, ETH: 0.04},
        crowding=dict.fromkeys((BTC, ETH), Crowding(0.0, 0.0, 1e9, 1e9, 0.0)),
        contagion_multiplier=1.0,
        accrued_funding={BTC: 123.456789, ETH: 2_600.0},
    )


@pytest.mark.property("P-203")
def test_each_kind_pays_its_price_by_hand(market):
    payoff = liquidate(market).payoff.tolist()
    assert payoff[1] == 799_765_432  # 0.01 (80,100 - 123.456789)
    assert payoff[2] == 820_000_000  # 0.01 x 82,000
    assert payoff[3] == round(1e6 * 0.01 * 90_000 * HALF_LIT) == 279_759_135
    assert payoff[4] == 97_000_000  # 100 x 0.97
    assert payoff[9] == -9_000_000  # 0.1 (2,510 - 2,600): longs paid more in funding than the mark
    assert payoff[11] == round(1e6 * 0.1 * 2_000 * HALF_LIT) == 62_168_697


@pytest.mark.property("P-203")
def test_every_slot_but_the_collaterals_is_emptied(market):
    step = liquidate(market)
    assert MINI.collateral_slots == (0, 8)
    assert step.drop.tolist() == [0, *[1] * 7, 0, *[1] * 7]
    empty = [slot for slot in range(MINI.slots) if market.listing.instruments[slot] is None]
    assert empty and not step.payoff[empty].any(), "a slot that lists nothing pays nothing"
    assert not step.payoff[[0, 8]].any(), "collateral stays what it is"


@pytest.mark.property("P-203")
def test_both_sides_of_a_position_meet_one_payoff(market):
    step = liquidate(market)
    lots = [5, 3, -2, 7, -9, 0, 0, 0, 11, -4, 0, 6, 0, 0, 0, 1]
    paid = 3 * 799_765_432 - 2 * 820_000_000 + 7 * 279_759_135 - 9 * 97_000_000 + 4 * 9_000_000 + 6 * 62_168_697
    assert step.settle(lots, 1_000) == ([5, *[0] * 7, 11, *[0] * 7], 1_000 + paid)
    assert step.settle([-held for held in lots], 0)[1] == -paid
