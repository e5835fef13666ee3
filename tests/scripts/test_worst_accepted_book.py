"""The adversary's figure for a move that is a row of the policy is what the row says; for others it may be larger.

Each kind of cell is shown to matter by a book: accepted without the cell and bankrupt after the move, refused with it.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.house import CALM, CRASH, get_policies, get_snapshot, make_state
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.units import USD6
from zkmargin.scripts.measure.worst_accepted_book import (
    EQUITY,
    RevaluedMarket,
    find_worst_book,
    find_worst_loss,
    name_expiry_paths,
    name_moves,
)

PARAMETERS = load_parameters()

LEDGER = json.loads((Path(__file__).parents[2] / "costs/worst_accepted_book.json").read_text())["markets"]
ROUNDING = 0.005
"""The ledger's figures have two digits."""
COVERED = 1.16
"""Largest loss of an accepted book at maintenance in a move inside the grid, as a multiple of equity, with two digits:
the ledger's and the document's row "one day passes, BTC -5%"."""


@pytest.fixture(scope="module")
def policies():
    return get_policies("standard")


@pytest.fixture(scope="module")
def market(snapshot):
    return RevaluedMarket(snapshot)


@pytest.fixture(scope="module")
def moves(snapshot):
    return dict(name_moves(snapshot)) | dict(name_expiry_paths(snapshot))


@pytest.mark.parametrize(("step", "share"), [(1.0, 1.0), (-1.0, -1.0), (0.5, 1.0), (-0.25, -1.0)])
def test_a_cell_of_the_grid_bounds_the_loss_by_the_factor(market, policies, step, share):
    """Both coins at the same step: initial asks 1.25 times the worst cell, so at most 80 % of equity is lost there."""
    change = market.change(0.16 * step, 0.22 * step, volatility=market.scale_volatility(share))
    assert 0.5 < find_worst_loss(policies["initial"], market.snapshot, change) <= 0.8 + 1e-6
    assert find_worst_loss(policies["maintenance"], market.snapshot, change) <= 1.0 + 1e-6


def test_a_path_through_a_settlement_bounds_the_loss(market, policies):
    """Both coins alike: what settles within two days does so at today's price, all else rises by a quarter of the
    range."""
    change = market.settle(market.change(0.04, 0.055, after=2.0))
    assert 0.5 < find_worst_loss(policies["maintenance"], market.snapshot, change) <= 1.0 + 1e-6


@pytest.mark.property("P-78")
@pytest.mark.parametrize(
    "name",
    [
        "BTC -10%",
        "BTC -2%",
        "BTC +6%",
        "ETH -10%",
        "BTC -10 %, volatility half up",
        "BTC +10 %, volatility half down",
        "volatility half up",
        "half a day passes",
        "one day passes",
        "one day passes, BTC -5%",
        "one day passes, volatility half down",
        "dated forwards -5% a year",
    ],
)
def test_between_the_cells_the_loss_is_nearly_bounded(snapshot, policies, moves, name):
    found = find_worst_loss(policies["maintenance"], snapshot, moves[name])
    assert found == pytest.approx(LEDGER[CALM]["moves"][name]["maintenance"], abs=ROUNDING + 1e-6)
    assert 0.1 < found <= COVERED + ROUNDING


def test_the_bound_is_the_largest_figure_of_the_ledger_inside_the_grid():
    inside = {}
    for market in (CALM, CRASH):
        moves = LEDGER[market]["moves"]
        names = list(moves)[: list(moves).index("two days pass")]
        inside |= {(market, name): moves[name]["maintenance"] for name in (*names, "one day passes, BTC -5%")}
    assert len(inside) > 30 and max(inside.values()) == inside[CALM, "one day passes, BTC -5%"] == COVERED


@pytest.mark.slow
@pytest.mark.parametrize("market_name", [CALM, CRASH])
def test_every_move_inside_the_grid_is_nearly_bounded(market_name):
    """All named moves up to the first that is beyond the grid or mixes a rise of volatility with time."""
    policy, shipped = get_policies("standard", market_name)["maintenance"], get_snapshot("standard", market_name)
    inside = list(name_moves(shipped))
    names = [name for name, _ in inside]
    inside = inside[: names.index("two days pass")]
    assert len(inside) > 15
    for name, change in inside:
        assert find_worst_loss(policy, shipped, change) <= COVERED + ROUNDING, name


WITHOUT = {
    "expiry paths": (replace(PARAMETERS, time_days=0.0), "BTC settles at +0.0% within 2 d, then stands at -9.6%"),
    "basis": (replace(PARAMETERS, basis_rate=0.0, basis_floor=0.0), "dated forwards +5% a year"),
    "short tenors": (replace(PARAMETERS, term_short=0.0), "volatility below 30 days -20 %"),
    "long tenors": (replace(PARAMETERS, term_long=0.0), "volatility beyond 60 days +10 %"),
    "fall between range and tails": (replace(PARAMETERS, between_moves=(-0.66, -0.66, 5.0, 5.0)), "BTC -25%"),
    "rise between range and tails": (replace(PARAMETERS, between_moves=(-0.66, -0.66, 5.0, 5.0)), "BTC +50%"),
}


@pytest.mark.property("P-78")
@pytest.mark.parametrize("kind", WITHOUT)
def test_a_book_that_only_a_kind_of_cell_refuses(snapshot, policies, moves, kind):
    parameters, move = WITHOUT[kind]
    weaker = HouseModel(snapshot, parameters).policies["maintenance"]
    loss, lots = find_worst_book(weaker, snapshot, moves[move])
    whole = np.rint(0.97 * lots).astype(np.int64)  # whole lots cost a little
    cash = round(USD6 * (EQUITY - float(price_per_lot(snapshot) @ whole)))
    state = make_state(256, {int(slot): int(whole[slot]) for slot in np.flatnonzero(whole)}, cash)
    assert -float(moves[move] @ whole) > 1.3 * EQUITY and loss > 1.3
    assert find_certificate(weaker, state)
    with pytest.raises(RequirementNotMet):
        find_certificate(policies["maintenance"], state)


def test_beyond_the_grid_the_model_says_less(snapshot, policies, moves):
    assert find_worst_loss(policies["initial"], snapshot, moves["BTC -30%"]) > 1.0


def test_a_policy_without_margin_bounds_next_to_nothing(snapshot, policies, moves):
    assert find_worst_loss(policies["net_delta"], snapshot, moves["BTC -25%"]) > 1e6
