"""Each margin against its definition: the engine's own grid, charges and shortfall, sums of z, derivatives."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.histories import get_market
from zkmargin.engine.account import AccountState
from zkmargin.engine.backtest.books import ARCHETYPES, NEAR, list_day, make_lots
from zkmargin.engine.backtest.measures import get_normal_tail
from zkmargin.engine.backtest.models import BacktestedHouse, compute_delta_gamma, compute_sample_figures, revalue_sample
from zkmargin.engine.backtest.paths import State
from zkmargin.engine.errors import UnknownName
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.black76 import black76_price
from zkmargin.engine.market.valuation import greeks_per_lot, price_per_lot
from zkmargin.engine.units import DAYS_PER_YEAR

PARAMETERS = load_parameters()
NAMES = tuple(ARCHETYPES)


def get_day(date: str = "2026-02-04"):
    for path in get_market().paths:
        for row, state in enumerate(path.states):
            if str(state.date) == date:
                return path, row, list_day(state, path.forecast[row])
    raise LookupError(date)


@pytest.mark.property("P-69")
@pytest.mark.parametrize("date", ["2020-03-11", "2026-02-04"])
@pytest.mark.parametrize("level", ["initial", "maintenance"])
def test_grid_and_charges_are_the_references(date, level):
    _, _, listed = get_day(date)
    house = BacktestedHouse(listed, PARAMETERS)
    lots = np.round(10 * make_lots(listed, NAMES, "BTC"))
    grid, charge = house.compute_grid(lots, level), house.compute_charge(lots, level)
    definition = HouseModel(listed.snapshot, PARAMETERS).definition
    for book in range(len(NAMES)):
        positions = np.zeros(listed.snapshot.listing.preset.slots, dtype=np.int64)
        positions[listed.slots] = lots[:, book]
        found = definition.compute_requirement(AccountState(positions, 0), level)
        assert grid[book] == pytest.approx(found.grid, rel=1e-12, abs=1e-6)
        assert charge[book] == pytest.approx(found.charge, rel=1e-12)
        assert found.buffer == 0


def test_the_initial_margin_is_the_worse_of_grid_and_shortfall_with_charges():
    _, _, listed = get_day()
    house, lots = BacktestedHouse(listed, PARAMETERS), make_lots(listed, ("long", "pair"), "BTC")
    grid, charge = house.compute_grid(lots, "initial"), house.compute_charge(lots, "initial")
    shortfall = np.array([0.5, 2.0]) * grid
    assert house.compute(lots, "initial", shortfall).margin == pytest.approx(charge + np.maximum(grid, shortfall))
    scenarios = np.maximum(house.compute_grid(lots, "maintenance"), 0.8 * shortfall)
    expected = house.compute_charge(lots, "maintenance") + scenarios
    assert house.compute(lots, "maintenance", shortfall).margin == pytest.approx(expected)


def test_owing_collateral_is_closed():
    _, _, listed = get_day()
    lots = -make_lots(listed, ("carry",), "ETH")
    assert BacktestedHouse(listed, PARAMETERS).compute_charge(lots, "initial") == np.inf


def test_a_days_own_market_reprices_its_listing():
    _, _, listed = get_day()
    # The snapshot rounds volatilities, forwards and strikes to 1e-6.
    rounding = 1e-6 * (greeks_per_lot(listed.snapshot).vega + 1.0)[listed.slots]
    assert (np.abs(listed.value(listed.state) - price_per_lot(listed.snapshot)[listed.slots]) <= rounding).all()


def test_revaluation_is_full_at_the_later_market():
    path, row, listed = get_day("2026-02-04")
    later = path.states[row + 1]
    values = listed.value(later)
    slot = listed.find("BTC", "put")
    item = listed.snapshot.listing.instruments[slot]
    days = NEAR - 1.0
    forward = later.forward(0, days)
    volatility = later.volatility(0, days, np.log(item.strike / forward))
    expected = black76_price(forward, item.strike, days / DAYS_PER_YEAR, volatility, False) * item.lot_size
    assert values[list(listed.slots).index(slot)] == pytest.approx(float(expected), rel=1e-9)
    assert values[list(listed.slots).index(listed.find("BTC", "perpetual"))] == later.index[0] * 0.01


def test_a_sample_moves_prices_volatility_and_time():
    _, _, listed = get_day()
    responses = get_market().responses[2]
    moves = np.array([[-0.2, 0.1], [0.0, 0.0]])
    pnl = revalue_sample(listed, moves, responses, PARAMETERS, 2)
    slots = list(listed.slots)
    perpetual = slots.index(listed.find("BTC", "perpetual"))
    assert pnl[:, perpetual] == pytest.approx(0.01 * listed.state.index[0] * np.expm1(moves[:, 0]))
    slot = listed.find("BTC", "call")
    item, snapshot = listed.snapshot.listing.instruments[slot], listed.snapshot
    shock = responses["BTC"].compute(-0.2)  # at 30 days the scaling with tenor is 1
    after = black76_price(
        snapshot.forward[slot] * np.exp(-0.2), item.strike, 28 / 365, snapshot.volatility[slot] * (1 + shock), True
    )
    before = black76_price(snapshot.forward[slot], item.strike, 30 / 365, snapshot.volatility[slot], True)
    assert pnl[0, slots.index(slot)] == pytest.approx(float(after - before) * item.lot_size, rel=1e-9)


def test_figures_of_a_linear_book_are_quantiles_of_its_moves():
    _, _, listed = get_day()
    moves = 0.03 * np.random.default_rng(3).standard_normal((500, 2))
    pnl = revalue_sample(listed, moves, get_market().responses[1], PARAMETERS, 1)
    found = compute_sample_figures(pnl, make_lots(listed, ("long",), "BTC"))
    losses = np.sort(-listed.state.index[0] * np.expm1(moves[:, 0]))[::-1]
    assert found.margin[0] == pytest.approx(losses[5]) and found.value_at_risk[0] == pytest.approx(losses[12])
    assert found.shortfall[0] == pytest.approx((losses[:12].sum() + 0.5 * losses[12]) / 12.5)


def test_a_linear_book_by_derivatives_is_normal():
    _, _, listed = get_day()
    covariance = np.diag([0.02, 0.03]) ** 2
    found = compute_delta_gamma(
        listed, make_lots(listed, ("long",), "BTC"), covariance, get_market().responses[1], PARAMETERS
    )
    deviation = 0.02 * listed.state.index[0]
    assert found.margin[0] == pytest.approx(get_normal_tail(0.99, deviation).value_at_risk)
    assert found.shortfall[0] == pytest.approx(get_normal_tail(0.975, deviation).expected_shortfall)


def test_books_are_one_coins_worth():
    _, _, listed = get_day()
    value = listed.value(listed.state)
    lots = make_lots(listed, ("long", "pair", "carry"), "BTC")
    assert value @ lots == pytest.approx([listed.state.index[0], 0.0, 0.0], abs=1e-6)
    with pytest.raises(UnknownName):
        make_lots(listed, ("martingale",), "BTC")
    with pytest.raises(UnknownName):
        make_lots(listed, ("long",), "SOL")


def test_forwards_are_linear_in_time():
    state: State = get_day()[2].state
    at = [np.log(float(state.forward(0, days)) / state.index[0]) for days in (0, 15, 30, 60, 90)]
    assert at == pytest.approx([0, state.basis[0, 0] / 2, state.basis[0, 0], state.basis[0].mean(), state.basis[0, 1]])


def test_the_house_scales_its_sample_to_the_models_volatility():
    path, row, listed = get_day("2025-08-10")
    house = BacktestedHouse(listed, PARAMETERS)
    floor = np.array(list(PARAMETERS.shortfall_volatility_floor.values()))
    assert (path.forecast[row] < floor).all() and np.array_equal(house.volatility, floor)
    path, row, listed = get_day("2020-03-13")
    assert BacktestedHouse(listed, PARAMETERS).volatility == pytest.approx(path.forecast[row], abs=1e-6)


def test_a_house_with_other_weights_is_refused():
    _, _, listed = get_day()
    with pytest.raises(UnknownName):
        BacktestedHouse(listed, replace(PARAMETERS, procyclicality="stressed"))
    assert BacktestedHouse(listed, replace(PARAMETERS, procyclicality="none")).volatility[0] < 0.0357
