"""Stress runs against revaluation by hand, and the joint stress against the netted requirement."""

import numpy as np
import pytest

from tests.support.house import get_house, get_snapshot, make_state
from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.margin.stress import STRESSES, Stress, compute_joint_stress, run_stresses
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.valuation import price_per_lot

SNAPSHOT = get_snapshot("mini")
ETHER, BTC_PERPETUAL, ETH_PERPETUAL = 8, 1, 9


def run(lots, *stresses, cash=10**12):
    return run_stresses(get_house("mini"), "book", make_state(16, lots, cash), stresses or STRESSES)


def test_slots_are_what_the_tests_take_them_for():
    kinds = [SNAPSHOT.listing.instruments[slot].kind for slot in (ETHER, BTC_PERPETUAL, ETH_PERPETUAL)]
    assert kinds == [InstrumentKind.SPOT, InstrumentKind.PERPETUAL, InstrumentKind.PERPETUAL]


def test_a_crash_is_a_revaluation():
    options = np.flatnonzero(SNAPSHOT.listing.is_option)
    lots = {BTC_PERPETUAL: 30, ETH_PERPETUAL: -50, **{int(slot): 20 - 3 * int(slot) for slot in options}}
    found = run(lots, Stress("crash", btc=-0.3, eth=-0.25, volatility=1.5)).results[0]
    shift = np.where(SNAPSHOT.listing.underlying == 0, -0.3, -0.25)
    after = price_per_lot(SNAPSHOT, forward_shift=shift, volatility=SNAPSHOT.volatility * 1.5)
    held = make_state(16, lots).positions
    assert found.pnl == pytest.approx(float((after - price_per_lot(SNAPSHOT)) @ held), abs=0.1)
    assert found.equity == pytest.approx(run(lots).before.equity + found.pnl)


def test_an_account_that_owes_more_than_it_has_is_insolvent():
    found = run({BTC_PERPETUAL: 1000}, Stress("crash", btc=-0.3), cash=-620_000 * 10**6)
    assert found.before.is_solvent and found.before.is_met["maintenance"] is True
    assert not found.results[0].is_solvent and found.results[0].margin_excess["maintenance"] < 0


def test_depth_loss_touches_the_initial_requirement_alone():
    found = run({BTC_PERPETUAL: 10_000}, Stress("depth loss", depth=0.5))
    before, after = found.before, found.results[0]
    assert after.pnl == 0 and after.requirement["maintenance"] == before.requirement["maintenance"]
    assert 1.5 * before.buffer < after.buffer < 2.5 * before.buffer
    grown = after.requirement["initial"] - before.requirement["initial"]
    assert grown == pytest.approx(after.buffer - before.buffer) and before.buffer > 0


def test_a_cheap_token_costs_whoever_holds_cash_and_not_whoever_holds_spot():
    falls = Stress("token", token=-0.1)
    cash = run({}, falls, cash=10**12).results[0]
    assert cash.pnl == pytest.approx(-100_000)
    spot = run({ETHER: 1000}, falls, cash=0).results[0]
    assert spot.equity > 0 and spot.pnl == pytest.approx(0.0, abs=1e-3)


def test_a_crash_that_breaches_maintenance():
    found = run({BTC_PERPETUAL: 500}, *STRESSES, cash=-280_000 * 10**6)
    by_name = {result.stress.name: result for result in found.results}
    assert list(by_name) == [stress.name for stress in STRESSES]
    assert by_name["rally"].is_met["maintenance"] and by_name["rally"].pnl > 0
    assert not by_name["crash"].is_met["maintenance"]


class TestJointStress:
    def find(self, lots):
        return compute_joint_stress(get_house("mini"), make_state(16, lots))

    def test_a_hedge_across_coins(self):
        """One sign: long BTC loses where short ETH gains. Apart, both lose."""
        found = self.find({BTC_PERPETUAL: 100, ETH_PERPETUAL: -280})
        perpetuals = [abs(get_house("mini").grid_pnl[:, slot]).max() for slot in (BTC_PERPETUAL, ETH_PERPETUAL)]
        sizes = [100 * perpetuals[0], 280 * perpetuals[1]]
        assert found.correlation_one == pytest.approx(max(sizes)) and found.correlation_zero == pytest.approx(
            sum(sizes)
        )
        assert found.house < found.correlation_zero
        assert found.requirement["initial"] == pytest.approx(1.25 * found.house)

    def test_both_long(self):
        found = self.find({BTC_PERPETUAL: 100, ETH_PERPETUAL: 280})
        assert found.correlation_one == pytest.approx(found.correlation_zero) == pytest.approx(found.house)

    def test_netting_lies_between_a_fifth_and_the_sum(self):
        rng = np.random.default_rng(11)
        for _ in range(20):
            lots = dict(enumerate(rng.integers(-300, 300, 16).tolist()))
            found = self.find(lots)
            assert 0.2 * found.correlation_zero <= found.house <= found.correlation_zero * (1 + 1e-12)


@pytest.mark.parametrize(
    ("field", "value"), [("btc", -1.0), ("eth", float("nan")), ("volatility", 0.0), ("depth", 2.0), ("token", -0.6)]
)
def test_a_move_out_of_range_is_refused(field, value):
    with pytest.raises(OutOfRange, match=f"{field} of stress x"):
        Stress("x", **{field: value})
