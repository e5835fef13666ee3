"""The scenario grid: cells, shocks by tenor, tails, skew, netting, collateral, empty slots."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from tests.support.helpers import PAIR
from tests.support.house import get_definition, get_house, get_policies, get_snapshot, make_state
from zkmargin.engine.margin.definition import find_worst
from zkmargin.engine.margin.grid import make_cells
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.shocks import scale_by_tenor
from zkmargin.engine.market.instruments import InstrumentKind, Listing
from zkmargin.engine.policy.bit_budget import CLOSED_SIDE_RATE
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import PRESETS
from zkmargin.engine.units import ceil_usd6, to_usd6

PARAMETERS = load_parameters()


def slot_of(definition, kind, coin="BTC", **facts):
    for item in definition.snapshot.listing.by_name.values():
        if item.kind is kind and item.underlying.value == coin and all(getattr(item, k) == v for k, v in facts.items()):
            return item.slot
    raise LookupError(kind)


def requirement(lots, level="initial", size="standard", cash=0):
    definition = get_definition(size)
    return definition.compute_requirement(make_state(definition.preset.slots, lots, cash), level)


SHAPES = {
    43: dict(standard=14, paths=14, beyond=5, corners=4, tails=2, between=2),
    21: dict(standard=6, paths=4, beyond=2, corners=4, tails=2, between=1),
}


@pytest.mark.parametrize("count", SHAPES)
@pytest.mark.parametrize("coin", ["BTC", "ETH"])
def test_cells(count, coin):
    cells, reach = make_cells(coin, count, PARAMETERS), PARAMETERS.price_range[coin]
    assert len(cells) == len({cell.label for cell in cells}) == count
    corners = [cell for cell in cells if cell.basis]
    dampened = [cell for cell in cells if cell.dampening < 1 and cell.settlements is None]
    paths = [cell for cell in cells if cell.settlements is not None and cell.dampening == 1]
    beyond = [cell for cell in cells if cell.settlements is not None and cell.dampening < 1]
    standard = [
        cell for cell in cells if cell.dampening == 1 and not cell.skew and not cell.basis and cell.settlements is None
    ]
    assert (
        dict(
            standard=len(standard),
            paths=len(paths),
            beyond=len(beyond),
            corners=len(corners),
            tails=sum(cell.volatility > 0 for cell in dampened),
            between=sum(cell.volatility == 0 for cell in dampened),
        )
        == SHAPES[count]
    )
    assert {cell.move for cell in standard} >= {-reach, 0.0, reach}
    assert {cell.volatility for cell in standard} >= {1, -1}
    assert all(cell.move * cell.dampening == pytest.approx(reach * np.sign(cell.move)) for cell in dampened)
    assert [cell.skew for cell in cells if cell.skew] == [1, -1]
    assert not any(cell.move or cell.volatility or cell.transfer_move or cell.skew for cell in corners)
    assert [cell.days for cell in cells if cell.days] == [PARAMETERS.time_days] * len([*corners, *paths, *beyond])
    moves = {(*cell.settlements, cell.move) for cell in paths}
    assert all(sum(move != 0 for move in path) == 1 for path in moves), "a cross: one of the three prices moves"
    assert moves == {tuple(-move for move in path) for path in moves} and not any(cell.volatility for cell in paths)
    assert all(cell.settlements == (0.0, 0.0) for cell in beyond) and {-0.33, 0.5} <= {cell.move for cell in beyond}


def test_a_label_says_all_that_moves():
    labels = [cell.label for cell in make_cells("BTC", 43, PARAMETERS)]
    assert "-16 %, vol down" in labels and "settled within 1 d at +8 %, all else then at today's price" in labels
    assert "settled within 2 d at -16 %, all else then at today's price" in labels
    assert "settled at today's price, all else then at -33 %, vol up (tail, counts 48.5%)" in labels
    assert "basis up, vol of short tenors down, of long ones down, 2 d pass" in labels
    assert "+50 %, vol unchanged (tail, counts 32.0%)" in labels
    assert "skew: puts dearer, calls cheaper; futures up against options, cash token up" in labels


@pytest.mark.property("P-78")
def test_no_cell_is_void():
    """The cell in which nothing moves would be a row without use."""
    for size in ("standard", "mini"):
        assert np.abs(get_house(size).grid.pnl).max(axis=1).min() > 0


def test_both_coins_offer_the_same_moves():
    moves = [{cell.transfer_move for cell in make_cells(coin, 43, PARAMETERS)} for coin in ("BTC", "ETH")]
    assert moves[0] == moves[1] == {-160, -120, -80, -40, 0, 40, 80, 120, 160}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_layout_covers_every_row_once(name):
    layout = Layout(PRESETS[name])
    blocks = [layout.grid(0), layout.grid(1), layout.buffer(0), layout.buffer(1)]
    blocks += [block(index) for index in (0, 1) for block in (layout.vega, layout.short_options)]
    rows = [row for block in (layout.shortfall, *blocks, layout.final) for row in block]
    assert rows == list(range(PRESETS[name].rows)) and len(layout.final) == 4


def test_volatility_shocks_scale_with_tenor():
    definition, scale = get_definition("standard"), scale_by_tenor(get_snapshot("standard"), PARAMETERS)
    for item in definition.snapshot.listing.by_name.values():
        if item.kind is not InstrumentKind.OPTION:
            assert scale[item.slot] == 1.0
            continue
        days = (item.expiry - definition.snapshot.time) / 86_400
        expected = (30 / max(days, 1)) ** (0.30 if days <= 30 else 0.13)
        assert scale[item.slot] == pytest.approx(expected, rel=1e-12)
    assert scale.max() > 1.5 and scale.min() < 0.8


def test_volatility_up_has_a_floor_and_down_stays_positive():
    house = get_house("standard")
    cells = house.grid.cells["BTC"]
    options = house.snapshot.listing.is_option
    for index, cell in enumerate(cells):
        shocked = house.grid.volatility[index][options]
        base = house.snapshot.volatility[options]
        if cell.volatility > 0:
            assert (shocked >= 0.4).all() and (shocked > base).all()
        elif cell.volatility < 0:
            assert (shocked >= 0).all() and (shocked < base).all()


class TestCorners:
    """Time, basis and term structure at unchanged price."""

    def corners(self):
        house = get_house("standard")
        return house, [index for index, cell in enumerate(house.grid.cells["BTC"]) if cell.basis]

    def test_signs_are_those_of_a_tetrahedron(self):
        """Every one of the six signs alone is the mean of two corners."""
        house, rows = self.corners()
        signs = np.array(
            [(c.basis, c.short_tenors, c.long_tenors) for c in (house.grid.cells["BTC"][row] for row in rows)]
        )
        for axis in range(3):
            for sign in (1, -1):
                mean = signs[signs[:, axis] == sign].mean(axis=0)
                assert mean.tolist() == [sign if place == axis else 0 for place in range(3)]

    def test_dated_forwards_move_and_spot_does_not(self):
        house, rows = self.corners()
        definition = get_definition("standard")
        for item in definition.snapshot.listing.by_name.values():
            shift = house.grid.forward_shift[rows, item.slot]
            if item.kind in (InstrumentKind.SPOT, InstrumentKind.PERPETUAL):
                assert not shift.any() and not house.grid.pnl[rows, item.slot].any()
                continue
            if item.kind is InstrumentKind.BOND:
                assert not shift.any()
                continue
            years = (item.expiry - definition.snapshot.time) / (365 * 86_400)
            expected = [max(0.015, np.expm1(0.1 * years)), -max(0.015, -np.expm1(-0.1 * years))]
            assert shift == pytest.approx([expected[0], expected[0], expected[1], expected[1]])

    def test_volatility_moves_at_the_ends(self):
        house, rows = self.corners()
        ratio = house.grid.volatility[rows] / house.snapshot.volatility
        days, options = house.snapshot.years * 365, house.snapshot.listing.is_option
        assert ratio[0][options & (days < 14)] == pytest.approx(1.3)
        assert ratio[1][options & (days < 14)] == pytest.approx(0.7)
        assert ratio[0][options & (days > 120)] == pytest.approx(1.15)
        assert ratio[2][options & (days > 120)] == pytest.approx(0.85)
        between = options & (days > 14) & (days < 45)
        assert ((ratio[0][between] > 1.0) & (ratio[0][between] < 1.3)).all() and between.any()

    def test_a_held_option_decays(self):
        """Without basis and term structure a corner is time alone, which costs whoever is long options."""
        house, rows = self.corners()
        quiet = dataclasses.replace(PARAMETERS, term_short=0.0, term_long=0.0, basis_rate=0.0, basis_floor=0.0)
        pnl = HouseModel(house.snapshot, quiet).grid.pnl[rows]
        options, bonds = house.snapshot.listing.is_option, house.snapshot.listing.is_bond
        assert (pnl[:, options] < 1e-9).all() and (pnl[:, ~(options | bonds)] == 0).all()
        assert (pnl[:, bonds] > 0).all(), "a bond gains what it yields in a day"
        assert pnl[0][options] == pytest.approx(pnl[3][options])

    def test_a_calendar_of_futures_pays_for_the_basis(self):
        definition = get_definition("standard")
        futures = [
            item
            for item in definition.snapshot.listing.by_name.values()
            if item.kind is InstrumentKind.FUTURE and item.underlying.value == "BTC"
        ]
        near, far = futures[0], futures[-1]
        needed = requirement({near.slot: 100, far.slot: -100}, "maintenance")
        assert "basis up" in definition.cells["BTC"][needed.worst["BTC"]].label
        years = (far.expiry - definition.snapshot.time) / (365 * 86_400)
        moved = 100 * (
            definition.values.prices[far.slot] * np.expm1(0.1 * years) - definition.values.prices[near.slot] * 0.015
        )
        assert needed.losses["BTC"] == pytest.approx(moved)


def test_skew_moves_the_wings_apart():
    house = get_house("standard")
    cells = house.grid.cells["ETH"]
    puts_dearer = next(index for index, cell in enumerate(cells) if cell.skew == 1)
    below = house.snapshot.listing.strike < house.snapshot.forward * 0.9
    above = house.snapshot.listing.strike > house.snapshot.forward * 1.1
    ratio = house.grid.volatility / house.snapshot.volatility
    assert (ratio[puts_dearer][below] > 1).all() and (ratio[puts_dearer][above] < 1).all()
    assert (ratio[puts_dearer + 1][below] < 1).all() and (ratio[puts_dearer + 1][above] > 1).all()
    assert np.nanmax(np.abs(ratio[puts_dearer] - 1)) <= PARAMETERS.skew_shift


def test_a_perpetual_loses_the_range_and_its_contingency():
    definition = get_definition("standard")
    slot = slot_of(definition, InstrumentKind.PERPETUAL)
    price = definition.values.prices[slot]
    for lots in (100, -100):
        needed = requirement({slot: lots})
        contingency = 100 * 0.01 * definition.snapshot.index["BTC"] * PARAMETERS.linear["initial"]
        assert needed.grid == pytest.approx(1.25 * 0.16 * 100 * price, rel=1e-12)
        assert needed.charges["perpetuals and futures"] == pytest.approx(contingency, rel=1e-12)
        assert requirement({slot: lots}, "maintenance").grid == pytest.approx(0.16 * 100 * price, rel=1e-12)


def test_a_long_option_cannot_lose_more_than_it_is_worth():
    definition = get_definition("standard")
    for item in definition.snapshot.listing.by_name.values():
        if item.kind is InstrumentKind.OPTION:
            assert (
                requirement({item.slot: 10}, "maintenance").losses[item.underlying.value]
                <= 10 * definition.values.prices[item.slot] + 1e-9
            )


def test_a_naked_short_call_pays_for_the_far_tail():
    definition = get_definition("standard")
    calls = [
        item
        for item in definition.snapshot.listing.by_name.values()
        if item.kind is InstrumentKind.OPTION and item.is_call and item.underlying.value == "BTC"
    ]
    wing = max(calls, key=lambda item: item.strike)
    needed = requirement({wing.slot: -100}, "maintenance")
    worst = definition.cells["BTC"][needed.worst["BTC"]]
    assert worst.move == max(PARAMETERS.tail_moves) and needed.losses["BTC"] > 0


class TestNetting:
    """Long BTC against short ETH pays less than the sum; long against long pays the sum."""

    def books(self):
        definition = get_definition("standard")
        btc, eth = (
            slot_of(definition, InstrumentKind.PERPETUAL, "BTC"),
            slot_of(definition, InstrumentKind.PERPETUAL, "ETH"),
        )
        notional = 1_000_000
        # ETH in the grid's own steps: its range is wider by 22/16
        return {btc: round(notional / definition.values.prices[btc])}, {
            eth: round(notional * 16 / 22 / definition.values.prices[eth])
        }

    def test_opposite_sides(self):
        btc, eth = self.books()
        alone = requirement(btc).grid + requirement(eth).grid
        short = {slot: -lots for slot, lots in eth.items()}
        together = requirement(btc | short)
        assert together.transfers[PAIR] == pytest.approx(1_000_000, rel=1e-3)
        charge = 1.25 * get_definition("standard").transfer_charges[PAIR] * 1_000_000
        assert together.grid == pytest.approx(charge, rel=2e-3)
        assert together.grid == pytest.approx(
            get_definition("standard").transfer_charges[PAIR] / 0.32 * alone, rel=2e-3
        )

    def test_same_side(self):
        btc, eth = self.books()
        together = requirement(btc | eth)
        assert together.transfers[PAIR] == 0 and together.grid == pytest.approx(
            requirement(btc).grid + requirement(eth).grid
        )

    def test_netting_never_costs(self):
        rng = np.random.default_rng(3)
        for _ in range(10):
            lots = dict(enumerate(rng.integers(-200, 200, 256).tolist()))
            coins = [{slot: n for slot, n in lots.items() if slot // 128 == coin} for coin in (0, 1)]
            assert requirement(lots).grid <= sum(requirement(own).grid for own in coins) + 1e-6


class TestCollateral:
    def test_ether_hedges_short_ether_perpetuals(self):
        definition = get_definition("standard")
        spot, perpetual = (
            slot_of(definition, InstrumentKind.SPOT, "ETH"),
            slot_of(definition, InstrumentKind.PERPETUAL, "ETH"),
        )
        assert spot == 128
        naked, hedged = requirement({perpetual: -100}), requirement({perpetual: -100, spot: 10_000})
        # What is left is the token's rise: collateral is worth less cash, the perpetual is not.
        token = PARAMETERS.token_rise / (1 + PARAMETERS.token_rise) * 10_000 * definition.values.prices[spot]
        assert hedged.grid == pytest.approx(1.25 * token) and hedged.grid < 0.6 * naked.grid

    def test_haircut(self):
        definition = get_definition("standard")
        needed = requirement({128: 1000})
        assert needed.equity == pytest.approx(1000 * definition.values.prices[128])
        assert needed.charges["haircut"] == pytest.approx(0.05 * needed.equity)
        assert needed.grid == pytest.approx(1.25 * 0.22 * needed.equity)

    def test_reserved_collateral_is_worth_nothing_anywhere(self):
        policy = get_policies("standard")["initial"]
        assert not policy.positions[:, 0].any() and policy.rate_long[0, 0] == 0
        state, richer = (make_state(256, {1: 10, **more}, 10**10) for more in ({}, {0: 10**6}))
        plain, with_coins = (find_certificate(policy, held) for held in (state, richer))
        assert with_coins.helpers[2] == plain.helpers[2] - 3 * 10**6  # K_2 alone, also in both buffers
        assert not get_policies("standard")["net_delta"].positions[:, 0].any()

    @pytest.mark.parametrize("slot", [0, 128])
    def test_owed_collateral_is_prohibitive(self, slot):
        policy = get_policies("standard")["maintenance"]
        assert policy.rate_short[0, slot] == CLOSED_SIDE_RATE
        with pytest.raises(RequirementNotMet):
            find_certificate(policy, make_state(256, {slot: -100}, cash=6_000_000 * 10**6))


class TestEmptySlot:
    """Lots of nothing help nobody, cannot be taken on, and cannot become something."""

    @pytest.fixture(scope="class")
    @classmethod
    def snapshot(cls):
        full = get_snapshot("mini")
        instruments = list(full.listing.instruments)
        instruments[5] = None
        listing = Listing(full.listing.preset, full.listing.generation, tuple(instruments))
        forward, volatility = np.array(full.forward), np.array(full.volatility)
        forward[5] = volatility[5] = np.nan
        return dataclasses.replace(full, listing=listing, forward=forward, volatility=volatility)

    @pytest.fixture(scope="class")
    @classmethod
    def policies(cls, snapshot):
        return HouseModel(snapshot).policies

    @pytest.mark.parametrize("name", ["initial", "maintenance", "withdraw"])
    @pytest.mark.parametrize("lots", [1, -1])
    def test_one_lot_costs_the_prohibitive_rate(self, policies, name, lots):
        assert not policies[name].positions[:, 5].any()
        with pytest.raises(RequirementNotMet):
            find_certificate(policies[name], make_state(16, {5: lots}, cash=CLOSED_SIDE_RATE))
        assert find_certificate(policies[name], make_state(16, {5: lots}, cash=CLOSED_SIDE_RATE + 10))

    def test_the_definition_says_the_same(self, snapshot):
        definition = HouseModel(snapshot, PARAMETERS).definition
        needed = definition.compute_requirement(make_state(16, {5: 3}), "initial")
        assert needed.charges["closed slots"] == pytest.approx(3 * CLOSED_SIDE_RATE / 1e6) and needed.equity == 0


@pytest.mark.parametrize("name", ["wide", "xl"])
def test_larger_presets_build_and_pass_every_check(name):
    full = get_snapshot("standard")
    listing = dataclasses.replace(full.listing, preset=PRESETS[name])
    policies = HouseModel(dataclasses.replace(full, listing=listing)).policies
    assert policies["initial"].soft.sum() == PRESETS[name].excess_rows
    assert find_certificate(policies["initial"], make_state(256, {1: 10, 129: -20}, 10**12))


def test_position_columns_are_the_same_at_every_level():
    initial, maintenance = (get_policies("standard")[name] for name in ("initial", "maintenance"))
    layout = Layout(initial.preset)
    shared = [*layout.shortfall, *layout.grid(0), *layout.grid(1), *layout.final]
    assert np.array_equal(initial.positions[shared], maintenance.positions[shared])
    assert np.array_equal(initial.soft, maintenance.soft) and np.array_equal(initial.weights, maintenance.weights)
    left_out = [row for index in (0, 1) for block in (layout.buffer, layout.vega) for row in block(index)]
    assert initial.positions[left_out].any(axis=1).all() and not maintenance.positions[left_out].any()


def test_worst_cells_that_tie_are_told_by_order_and_not_by_a_last_digit():
    """A perpetual loses the same at the edge with volatility up and down, and a float's noise does not choose."""
    losses = [100.0, 160.0, 160.0 * (1 + 4e-16), 160.0 * (1 - 1e-12), -5.0]
    assert find_worst(losses) == find_worst(losses[:2]) == 1 and losses[2] > losses[1]
    assert find_worst([160.0, 160.0 * (1 + 1e-8)]) == 1
    assert find_worst([0.0, 0.0]) == 0 and find_worst([Fraction(1, 3), Fraction(1, 3)]) == 0


def test_rounding():
    assert to_usd6(np.array([1.0000004, 1.0000006, -0.0000004, 2.5e-6])).tolist() == [1_000_000, 1_000_001, 0, 2]
    assert ceil_usd6(np.array([0.0000001, 1.0])).tolist() == [1, 1_000_000]


def test_columns_are_the_models_values_to_half_a_micro_dollar():
    house, policy = get_house("standard"), get_policies("standard")["initial"]
    layout = Layout(policy.preset)
    for index, slots in enumerate(policy.preset.coins.values()):
        rows, own = layout.grid(index), slice(slots.start, slots.stop)
        assert np.abs(policy.positions[rows.start : rows.stop, own] - house.grid.pnl[:, own] * 1e6).max() <= 0.5 + 1e-6
        others = np.delete(policy.positions[rows.start : rows.stop], np.r_[own], axis=1)
        assert not others.any()
    assert np.abs(policy.positions[layout.equity] - house.prices * 1e6).max() <= 0.5 + 1e-6
