"""The margin report adds up, names the worst scenario, and agrees with policy and definition."""

import dataclasses
import json

import numpy as np
import pytest

from tests.support.house import get_definition, get_house, get_snapshot, make_state
from zkmargin.engine.account import MAX_LOTS, load_portfolio
from zkmargin.engine.margin.report import build_report
from zkmargin.engine.market.instruments import InstrumentKind
from zkmargin.engine.policy.certificate import find_certificate

PORTFOLIOS = ("covered_call", "hedged_vol_book", "market_maker", "short_strangle")
SNAPSHOT = get_snapshot("standard")


def report_of(name):
    return get_house("standard").report(load_portfolio(name))


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_it_adds_up(name):
    report = report_of(name)
    for level in report.levels.values():
        assert sum(level.contributions.values()) == pytest.approx(level.requirement, rel=1e-9)
        assert level.margin_excess == pytest.approx(report.equity - level.requirement, rel=1e-9)
        assert level.is_met == level.verdict.passes == (level.verdict.missing_usd6 == 0)
    assert report.levels["initial"].requirement >= report.levels["maintenance"].requirement > 0
    compared = report.segregated
    assert compared.each_position >= compared.each_coin - 1e-6 >= report.levels["initial"].requirement - 2e-6
    assert compared.saving == pytest.approx(1 - report.levels["initial"].requirement / compared.each_position)
    assert report.netting >= -1e-6


@pytest.mark.parametrize("name", PORTFOLIOS)
def test_json(name):
    report = report_of(name)
    document = json.loads(report.to_json())
    assert document == json.loads(json.dumps(report.to_document())) and document["levels"]["initial"]["binding"]


def test_worst_scenario_in_words():
    definition = get_definition("standard")
    perpetual = next(
        item for item in definition.snapshot.listing.by_name.values() if item.kind is InstrumentKind.PERPETUAL
    )
    report = build_report(get_house("standard"), "long", make_state(256, {perpetual.slot: 10}, 10**10))
    assert report.coins["BTC"].worst_scenario.startswith("BTC -16 %, vol ")
    assert report.coins["BTC"].worst_position == "BTC-PERPETUAL"
    assert report.coins["BTC"].worst_loss == pytest.approx(0.16 * 10 * definition.values.prices[perpetual.slot])
    assert report.coins["ETH"].worst_scenario == "none loses" and report.coins["ETH"].positions == 0
    assert report.levels["initial"].binding == "scenario grid"
    assert report.worst_shortfall_scenario.startswith("BTC -")


def test_missing_margin():
    definition = get_definition("standard")
    perpetual = next(
        item for item in definition.snapshot.listing.by_name.values() if item.kind is InstrumentKind.PERPETUAL
    )
    state = make_state(256, {perpetual.slot: -100}, 80_000 * 10**6)
    report = build_report(get_house("standard"), "short", state)
    level = report.levels["initial"]
    assert not level.is_met and level.margin_excess < 0
    assert level.verdict.missing_usd6 / 1e6 == pytest.approx(-level.margin_excess, abs=0.01)
    richer = make_state(256, {perpetual.slot: -100}, 80_000 * 10**6 + level.verdict.missing_usd6)
    assert find_certificate(get_house("standard").policies["initial"], richer)


def test_the_expected_shortfall_binds():
    """Puts with three days to live against a perpetual: what loses in windows that no cell of the grid is like."""
    put, perpetual = (SNAPSHOT.listing.get(name).slot for name in ("ETH-25AUG26-2260-P", "ETH-PERPETUAL"))
    book = {put: 777, perpetual: 94}
    state = make_state(256, book, 10**11)
    report = build_report(get_house("standard"), "hedged puts", state)
    initial, maintenance = report.levels["initial"], report.levels["maintenance"]
    assert initial.binding == "expected shortfall" and initial.expected_shortfall > 1.1 * initial.grid
    assert initial.contributions["expected shortfall"] == initial.expected_shortfall
    assert maintenance.expected_shortfall == pytest.approx(0.8 * initial.expected_shortfall, rel=1e-3)
    certificate = find_certificate(get_house("standard").policies["initial"], state)
    poorer = make_state(256, book, 10**11 - round(initial.margin_excess * 1e6) - 10**6)
    assert certificate and build_report(get_house("standard"), "x", poorer).levels["initial"].verdict.missing_usd6 > 0


def test_debt_limit_binds():
    """A holder of ether with ample margin: what is missing is its debt, and one micro-dollar per lot for rounding. At
    maintenance a loss may leave ten thousand."""
    house, lots = get_house("standard"), {128: 5_000_000}
    for debt_usd, levels in ((4_000, {"initial"}), (10_010, {"initial", "maintenance"})):
        report = build_report(house, "borrower", make_state(256, lots, -debt_usd * 10**6))
        for level, allowed_usd in (("initial", 0), ("maintenance", 10_000)):
            found, owed = report.levels[level], (debt_usd - allowed_usd) * 10**6
            assert found.is_met == (level not in levels) and found.margin_excess > 10**6
            assert (found.binding == "debt limit") == (level in levels)
            assert found.verdict.missing_usd6 == (owed + 5_000_000 if level in levels else 0)


def test_an_exposure_beyond_its_limit_is_no_missing_cash():
    """A position at the end of its range, and cash beyond all need: what is wrong is the exposure."""
    report = build_report(get_house("standard"), "large", make_state(256, {1: -MAX_LOTS}, 2**79))
    level = report.levels["initial"]
    assert level.binding == "exposure limit" and level.margin_excess > 0 and not level.is_met
    exposure, limit = -report.coins["BTC"].net_delta, get_house("standard").buffer.chords["BTC"][1].largest
    assert level.verdict.missing_usd6 == 0
    beyond = exposure - limit + MAX_LOTS / 1e6  # and K_2, one micro-dollar per lot
    assert level.verdict.beyond_limit_usd6 / 1e6 == pytest.approx(beyond, rel=1e-6)
    dollars = f"{level.verdict.beyond_limit_usd6 / 1e6:,.2f}"
    assert level.verdict.describe() == f"no, exposure or net short options {dollars} beyond its limit"


def test_a_loss_beyond_the_range_of_a_proof_is_no_missing_cash():
    """Perpetual, futures and short calls at the end of their ranges: more than the 60 bits of a helper."""
    house = get_house("standard")
    calls = [item.slot for item in SNAPSHOT.listing.by_name.values() if item.name.startswith("BTC-") and item.is_call]
    lots = dict.fromkeys([*range(1, 8), *calls[:20]], -MAX_LOTS)
    level = build_report(house, "huge", make_state(256, lots, 2**79)).levels["maintenance"]
    assert level.is_met and not level.verdict.passes
    assert level.verdict.describe() == "no, a loss is beyond the range of a proof"


@pytest.mark.parametrize(
    "lots,cash,binding",
    [({}, 10**9, "none"), ({}, -(10**9), "none"), ({0: 5}, 10**9, "none"), ({127: -1}, 10**9, "charges per lot")],
)
def test_where_no_scenario_asks_anything_none_binds(lots, cash, binding):
    """Cash alone, also owed; collateral that is worth nothing; a lot of nothing."""
    house = get_house("standard")
    if 127 in lots:
        house = dataclasses.replace(house, snapshot=relist_without(house.snapshot, 127))
    report = build_report(house, "x", make_state(256, lots, cash))
    assert report.levels["initial"].binding == binding
    assert (report.levels["initial"].requirement > 0) == (binding != "none")


def relist_without(snapshot, slot):
    """The market with nothing in `slot`."""
    listing, nowhere = snapshot.listing, np.arange(256) == slot
    instruments = tuple(None if place == slot else item for place, item in enumerate(listing.instruments))
    return dataclasses.replace(
        snapshot,
        listing=dataclasses.replace(listing, instruments=instruments),
        forward=np.where(nowhere, np.nan, snapshot.forward),
        volatility=np.where(nowhere, np.nan, snapshot.volatility),
    )


def test_the_shortfall_of_the_sample_and_what_the_rule_asks_for_it():
    """A perpetual: the tail's mean is that of the worst windows, and the rule asks kappa times that of its groups."""
    house = get_house("standard")
    state = make_state(256, {1: 10}, 10**12)
    report = build_report(house, "long", state)
    losses = np.sort(-house.shortfall.sample_pnl[:, 1] * 10)[::-1]
    assert report.sample_shortfall == pytest.approx(losses[: house.shortfall.sample_tail].mean())
    model = house.shortfall
    assert report.shortfall_multiplier == model.tail_weight / model.get_tail_divisor("initial")
    assert report.levels["initial"].expected_shortfall > report.sample_shortfall


def test_an_empty_account():
    report = build_report(get_house("standard"), "empty", make_state(256, {}, 0))
    assert report.levels["initial"].requirement == 0 and report.levels["initial"].is_met
    assert report.segregated.saving == 0 and report.worst_shortfall_scenario == "none loses"
