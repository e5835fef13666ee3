"""A perpetual has two facts, mark and accrued funding: its price is their difference, its moves are the mark's."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.support.house import get_snapshot, make_state
from zkmargin.engine.account import AccountState
from zkmargin.engine.house import House
from zkmargin.engine.margin.definition import Definition
from zkmargin.engine.margin.lot_values import LotByLot
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.valuation import delta_per_lot, price_per_lot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import USD6

PERPETUAL = 1
LOTS = 100
INDEX = get_snapshot("mini").index[Coin.BTC]
LEVELS = ("initial", "maintenance")


@cache
def get_accrued_house(share: float) -> House:
    """A market whose perpetuals' longs have paid that share of the mark since listing."""
    snapshot = get_snapshot("mini")
    accrued = {coin: share * index for coin, index in snapshot.index.items()}
    return House(replace(snapshot, accrued_funding=accrued))


def hold(lots: int, share: float, equity_usd: int) -> AccountState:
    """An account with that equity, whatever a lot costs."""
    price = int(get_accrued_house(share).marks[PERPETUAL])
    return make_state(16, {PERPETUAL: lots}, equity_usd * USD6 - lots * price)


@pytest.mark.parametrize("share", [-0.4, 0.2, 1.3])
def test_the_price_is_the_mark_less_the_accrued_funding(share):
    without, accrued = get_snapshot("mini"), get_accrued_house(share).snapshot
    lot = without.listing.lot_size[PERPETUAL]
    assert price_per_lot(accrued)[PERPETUAL] == pytest.approx((1.0 - share) * INDEX * lot, abs=1e-6)
    others = np.delete(np.arange(16), [1, 9])
    assert (price_per_lot(accrued)[others] == price_per_lot(without)[others]).all()


@pytest.mark.parametrize("share", [-0.4, 0.2, 1.3])
def test_a_move_is_of_the_mark(share):
    without, accrued = get_snapshot("mini"), get_accrued_house(share).snapshot
    moved = [price_per_lot(each, forward_shift=-0.16) - price_per_lot(each) for each in (without, accrued)]
    assert moved[1] == pytest.approx(moved[0], rel=1e-12)
    assert moved[1][PERPETUAL] == pytest.approx(-0.16 * INDEX * without.listing.lot_size[PERPETUAL], rel=1e-12)
    assert (delta_per_lot(accrued) == delta_per_lot(without)).all()


@pytest.mark.property("P-94")
@pytest.mark.parametrize("lots", [LOTS, -LOTS])
@pytest.mark.parametrize("share", [0.2, -0.4, 1.3])
def test_accrued_funding_changes_no_requirement(share, lots):
    """One coin of BTC: maintenance of a long is the range's 16 % and K's 0.4 %, of the mark; not 0.83 of that."""
    plain, accrued = get_accrued_house(0.0), get_accrued_house(share)
    for level in LEVELS:
        without, needed = (
            house.policy_requirement(house.policies[level], hold(lots, owed, 50_000)) / USD6
            for house, owed in ((plain, 0.0), (accrued, share))
        )
        assert needed == pytest.approx(without, abs=1e-3)
    if lots > 0:  # short, the expected shortfall requires more
        assert needed == pytest.approx((0.16 + 0.004) * INDEX, rel=1e-6)


@pytest.mark.property("P-94")
def test_an_account_at_the_edge_passes_alike():
    """12,639 dollars of equity carry a long of one coin at maintenance, 12,637 do not, whatever has accrued."""
    for share in (0.0, 0.2):
        house = get_accrued_house(share)
        policy = house.policies["maintenance"]
        assert [house.meets(policy, hold(LOTS, share, equity)) for equity in (12_639, 12_637)] == [True, False]


def test_the_definition_values_perpetuals_alike():
    """Lot by lot, written again, against the model's arrays."""
    house = get_accrued_house(0.2)
    loops = LotByLot(house.snapshot, load_parameters())
    assert loops.prices == pytest.approx(house.prices, abs=1e-9)
    assert loops.grid_pnl == pytest.approx(house.grid_pnl, abs=1e-8)
    assert loops.shortfall_pnl == pytest.approx(house.shortfall_pnl, abs=1e-8)
    state = hold(LOTS, 0.2, 50_000)
    for level in LEVELS:
        total = Definition(loops).compute_requirement(state, level).total
        assert total == pytest.approx(house.definition_requirement(state, level).total, rel=1e-9)
