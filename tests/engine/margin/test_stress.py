"""Stress runs against revaluation by hand, and the joint stress against the netted requirement."""

import dataclasses
import math

import numpy as np
import pytest

from tests.support.house import get_house, get_snapshot, make_state
from zkmargin.engine.calibration.filters import DECAY, filter_ewma
from zkmargin.engine.contagion.state import StateRule
from zkmargin.engine.errors import OutOfRange, UnknownName
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.stress import (
    STRESSES,
    Stress,
    compute_joint_stress,
    forecast_after,
    multiplier_after,
    run_stresses,
)
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import Coin

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
    found = run(lots, Stress("crash", {Coin.BTC: -0.3, Coin.ETH: -0.25}, volatility=1.5)).results[0]
    shift = np.where(SNAPSHOT.listing.underlying == 0, -0.3, -0.25)
    after = price_per_lot(SNAPSHOT, forward_shift=shift, volatility=SNAPSHOT.volatility * 1.5)
    held = make_state(16, lots).positions
    assert found.pnl == pytest.approx(float((after - price_per_lot(SNAPSHOT)) @ held), abs=0.1)
    assert found.equity == pytest.approx(run(lots).before.equity + found.pnl)


def test_an_account_that_owes_more_than_it_has_is_insolvent():
    found = run({BTC_PERPETUAL: 1000}, Stress("crash", {Coin.BTC: -0.3}), cash=-620_000 * 10**6)
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


class TestWhatTheMarketRemembers:
    """After a move the forecast is the filter's, and the multiplier the state rule's."""

    def test_the_forecast_is_the_filters_own(self):
        """Against the filter of the calibration, run over a history that ends with the move."""
        returns = np.random.default_rng(3).normal(0.0, 0.02, (200, 1))
        moved = np.append(returns, [[math.log(0.7)]], axis=0)
        before, after = (float(filter_ewma(of).latest[0]) for of in (returns, moved))
        assert forecast_after(before, -0.3, DECAY) == pytest.approx(after, rel=1e-12) and after > 2 * before
        assert get_house("mini").shortfall.scenarios.decay == DECAY

    def test_a_crash_raises_forecast_and_multiplier_and_with_them_the_requirement(self):
        """A long perpetual after -30 %: by the old forecast and multiplier it would be asked a third less."""
        lots, crash = {BTC_PERPETUAL: 100}, Stress("crash", {Coin.BTC: -0.3})
        found = run(lots, crash).results[0]
        expected = math.sqrt(0.97 * SNAPSHOT.daily_volatility["BTC"] ** 2 + 0.03 * math.log(0.7) ** 2)
        assert found.daily_volatility["BTC"] == pytest.approx(expected, abs=1e-6)
        assert found.daily_volatility["ETH"] == SNAPSHOT.daily_volatility["ETH"]
        assert SNAPSHOT.contagion_multiplier == 1.0 and 1.9 < found.contagion_multiplier <= 2.0
        market = crash.apply(SNAPSHOT, DECAY)
        asked = {}
        for name, memory in (
            ("both", {}),
            ("old forecast", {"daily_volatility": SNAPSHOT.daily_volatility}),
            ("old multiplier", {"contagion_multiplier": 1.0}),
            ("neither", {"daily_volatility": SNAPSHOT.daily_volatility, "contagion_multiplier": 1.0}),
        ):
            state = make_state(16, lots, 10**12)
            house = HouseModel(dataclasses.replace(market, **memory))
            asked[name] = house.definition_requirement(state, "initial").total
        assert found.requirement["initial"] == pytest.approx(asked["both"])
        assert asked["both"] > max(asked["old forecast"], asked["old multiplier"])
        assert min(asked["old forecast"], asked["old multiplier"]) > asked["neither"]
        assert asked["both"] > 1.2 * asked["neither"]

    @pytest.mark.parametrize("move,rises", [(0.0, False), (0.15, False), (-0.15, False), (-0.19, True), (0.3, True)])
    def test_few_large_moves_are_calm_to_the_multiplier(self, move, rises):
        """Hours of 1 % that add up to less than 20 events: what the estimate calls calm as well."""
        after = multiplier_after(1.0, move, StateRule())
        assert (after > 1.0) is rises and after <= 2.0
        assert multiplier_after(2.0, move, StateRule()) == 2.0 and multiplier_after(3.5, move, StateRule()) == 3.5

    def test_a_calm_day_takes_nothing_back(self):
        assert forecast_after(0.05, 0.0, DECAY) == 0.05 and forecast_after(0.05, 0.01, DECAY) == 0.05

    def test_volatility_may_rise_without_a_move(self):
        found = run({BTC_PERPETUAL: 10}, Stress("spike", forecast=2.0)).results[0]
        for coin, forecast in SNAPSHOT.daily_volatility.items():
            assert found.daily_volatility[coin] == pytest.approx(2 * forecast, abs=1e-6)
        assert run({BTC_PERPETUAL: 10}, Stress("spike", forecast=10.0)).results[0].daily_volatility["BTC"] <= 1.0


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
    ("field", "value"),
    [
        ("others", -1.0),
        ("others", float("nan")),
        ("volatility", 0.0),
        ("depth", 2.0),
        ("token", -0.6),
        ("forecast", 0.0),
    ],
)
def test_a_move_out_of_range_is_refused(field, value):
    with pytest.raises(OutOfRange, match=f"{field} of stress x"):
        Stress("x", **{field: value})


def test_a_coins_move_out_of_range_is_refused():
    with pytest.raises(OutOfRange, match="ETH of stress x"):
        Stress("x", {Coin.ETH: -1.0})


def test_coins_without_a_move_of_their_own_move_as_the_others():
    coins = (Coin.BTC, Coin.ETH, Coin("SOL"))
    moves = Stress("x", {Coin("SOL"): 0.2, Coin.BTC: -0.1}, others=-0.05).get_moves(coins)
    assert moves == {Coin.BTC: -0.1, Coin.ETH: -0.05, Coin("SOL"): 0.2}
    with pytest.raises(UnknownName, match="coin of stress x"):
        Stress("x", {Coin("SOL"): 0.2}).get_moves(coins[:2])
