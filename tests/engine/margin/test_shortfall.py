"""The expected shortfall in the policy: volatility, cash token, options against procyclicality, multiplier, rows, and
the full sample on held-out books."""

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from tests.support.helpers import Helper
from tests.support.house import CALM, CRASH, get_definition, get_house, get_policies, get_snapshot, make_state
from zkmargin.engine.calibration.sample_books import make_family
from zkmargin.engine.calibration.training import has_loss
from zkmargin.engine.calibration.worst_book_search import Reduced, compute_margin, read_terms
from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.margin import scenarios as scenario_module
from zkmargin.engine.margin.definition import tail_mean
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.margin.parameters import PROCYCLICALITY, load_parameters
from zkmargin.engine.margin.scenarios import FOLDER, STRESS_SHARE, load_scenarios
from zkmargin.engine.margin.shortfall import ShortfallModel
from zkmargin.engine.market.instruments import KIND_CODES, InstrumentKind
from zkmargin.engine.policy.certificate import find_certificate
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import PRESETS, Coin

PARAMETERS = load_parameters()
NAME = PARAMETERS.shortfall_scenarios
HELD_OUT_SEED = 2026


def make_model(size: str = "mini", option: str = "floor", scale: float = 1.0, name: str = CALM) -> ShortfallModel:
    """The model with another option and the snapshot's volatility times `scale`."""
    snapshot = get_snapshot(size, name)
    daily = {coin: scale * value for coin, value in snapshot.daily_volatility.items()}
    changed = dataclasses.replace(snapshot, daily_volatility=daily)
    return ShortfallModel(changed, dataclasses.replace(PARAMETERS, procyclicality=option))


class TestRecord:
    @pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
    def test_shipped_sets(self, preset):
        chosen = load_scenarios(NAME, preset.excess_rows)
        assert len(chosen.token) == len(chosen.groups) == len(chosen.last_day) == 2641
        assert chosen.groups.max() < preset.excess_rows
        assert chosen.count_tail(False) == 66  # 2.5 % of the sample, rounded down
        for tail, divisor in (chosen.plain_multiplier, chosen.stressed_multiplier):
            assert 1 <= divisor <= tail <= 1023

    def test_the_record_is_small_and_named(self):
        path = FOLDER / f"{NAME}.json"
        assert path.stat().st_size < 300_000
        record = json.loads(path.read_text())
        assert record["source"] and record["margin_period_days"] == 2
        assert all(stress["source"] for stress in record["token_stress"])

    def test_named_crashes_are_in_the_sample(self):
        chosen = load_scenarios(NAME, 51)
        crash = chosen.last_day.index("2020-03-12")
        assert (chosen.standardised[crash] < -8).all()
        assert chosen.last_day.index("2026-02-05") > 0

    def test_stressed_windows_can_have_a_quarter_of_the_weight(self):
        chosen = load_scenarios(NAME, 51)
        weights = chosen.window_weights(True)
        assert weights[chosen.stressed].sum() >= STRESS_SHARE * weights.sum()
        lighter = np.where(chosen.stressed, chosen.stress_weight - 1, 1)
        assert lighter[chosen.stressed].sum() < STRESS_SHARE * lighter.sum()
        assert np.array_equal(chosen.window_weights(False), np.ones(2641))


class TestVolatility:
    def test_the_sample_follows_the_snapshot(self):
        once, twice = (make_model(option="none", scale=scale) for scale in (1.0, 2.0))
        assert np.array_equal(twice.log_moves, 2 * once.log_moves)
        perpetual = once.snapshot.listing.preset.coins["BTC"].start + 1
        assert np.abs(twice.pnl[:, perpetual]).sum() > 1.8 * np.abs(once.pnl[:, perpetual]).sum()

    @pytest.mark.property("P-64")
    def test_the_floor_holds_in_calm_markets_only(self):
        floor = [PARAMETERS.shortfall_volatility_floor[coin] for coin in Coin]
        calm, wild = make_model(scale=0.1), make_model(scale=4.0)
        assert calm.volatility.tolist() == floor
        assert wild.volatility.tolist() == [wild.snapshot.daily_volatility[coin] for coin in Coin]
        assert (make_model(option="none", scale=0.1).volatility < floor).all()

    def test_moves_of_a_perpetual(self):
        model = make_model("standard")
        slot = model.snapshot.listing.preset.coins["ETH"].start + 1
        moves = np.expm1(model.scenarios.standardised[:, 1] * model.volatility[1])
        price = model.snapshot.forward[slot] * model.snapshot.listing.lot_size[slot]
        assert model.sample_pnl[:, slot] == pytest.approx(price * moves, rel=1e-9, abs=1e-9)


class TestToken:
    def test_collateral_is_worth_dollars_and_derivatives_are_not(self):
        model = make_model("standard")
        listing = model.snapshot.listing
        spot = listing.preset.coins["ETH"].start
        perpetual = spot + 1
        depegged = np.flatnonzero(model.scenarios.token)
        assert sorted(set(model.scenarios.token[depegged])) == [-0.12, 0.06, 0.125]
        price = model.snapshot.forward[spot] * listing.lot_size[spot]
        expected = price * (1 / (1 + model.scenarios.token[depegged]) - 1)
        assert model.sample_pnl[depegged, spot] == pytest.approx(expected, rel=1e-9)
        assert np.abs(model.sample_pnl[depegged, perpetual]).max() == 0

    def test_a_hedged_holder_loses_by_the_token_alone(self):
        model = make_model("standard")
        listing = model.snapshot.listing
        spot = listing.preset.coins["ETH"].start
        hedge = listing.lot_size[spot] / listing.lot_size[spot + 1]
        change = model.sample_pnl[:, spot] - hedge * model.sample_pnl[:, spot + 1]
        quiet = model.scenarios.token == 0
        assert np.abs(change[quiet]).max() < 1e-9 < -change[~quiet].min()


class TestOptions:
    def test_every_option_builds_a_policy(self):
        for option in PROCYCLICALITY:
            parameters = dataclasses.replace(PARAMETERS, procyclicality=option)
            assert HouseModel(get_snapshot("mini"), parameters).policies["initial"].soft.any()

    @pytest.mark.parametrize("size", ["mini", "standard"])
    def test_the_buffer_asks_a_quarter_more(self, size):
        plain, buffered = make_model(size, "none"), make_model(size, "buffer")
        assert buffered.tail_weight == plain.tail_weight and np.array_equal(buffered.columns, plain.columns)
        asked = Fraction(buffered.tail_weight, buffered.get_tail_divisor("initial"))
        least = Fraction(5, 4) * Fraction(plain.tail_weight, plain.get_tail_divisor("initial"))
        assert least <= asked <= least * Fraction(101, 100)

    def test_stressed_windows_are_heavier_and_keep_their_own_volatility(self):
        plain, stressed = make_model(option="none"), make_model(option="stressed")
        scenarios = plain.scenarios
        higher = scenarios.stressed[:, None] & (scenarios.volatility > plain.volatility)
        assert higher.any()
        unfiltered = scenarios.standardised * scenarios.volatility
        assert stressed.log_moves[higher] == pytest.approx(unfiltered[higher])
        assert np.array_equal(stressed.log_moves[~higher], plain.log_moves[~higher])
        group = int(scenarios.groups[np.argmax(scenarios.stressed)])
        own = scenarios.groups == group
        means = np.average(stressed.sample_pnl[own], axis=0, weights=stressed.window_weights[own])
        assert stressed.pnl[group] == pytest.approx(means, abs=1e-9)
        assert stressed.sample_tail == 79 and stressed.tail_weight % 79 == 0


class TestRows:
    def test_rows_of_the_policy(self):
        policy, model = get_policies("standard")["initial"], get_house("standard").shortfall
        count, row = len(model.weights), policy.helpers[Layout(policy.preset).tail]
        assert policy.soft.tolist() == [1] * count + [0] * (policy.preset.excess_rows - count)
        assert np.array_equal(policy.weights[:count], model.weights)
        asked = row[[Helper.EQUITY, Helper.THRESHOLD_PLUS, Helper.THRESHOLD_MINUS]].tolist()
        assert asked == [model.get_tail_divisor("initial"), -model.tail_weight, model.tail_weight]

    def test_weights_are_windows_up_to_the_tail(self):
        model = get_house("standard").shortfall
        scale = model.tail_weight // model.sample_tail
        assert np.array_equal(model.weights, scale * np.minimum(np.bincount(model.scenarios.groups), model.sample_tail))

    @pytest.mark.parametrize("size", ["mini", "standard"])
    def test_the_certificate_holds_kappa_times_the_tail_mean(self, size):
        """(m t + X) / m' of the certificate is the definition's, within K_2 and rounding: the integer rows and the
        float reference ask the same."""
        policy, definition = get_policies(size)["initial"], get_definition(size)
        row, rng = policy.helpers[Layout(policy.preset).tail], np.random.default_rng(11)
        tail, divisor = -int(row[Helper.THRESHOLD_PLUS]), int(row[Helper.EQUITY])
        slots = policy.preset.slots
        for _ in range(5):
            state = make_state(slots, dict(enumerate(rng.integers(-100, 100, slots).tolist())), cash=10**14)
            certificate = find_certificate(policy, state)
            t = certificate.helpers[Helper.THRESHOLD_PLUS] - certificate.helpers[Helper.THRESHOLD_MINUS]
            total = sum(int(w) * e for w, e in zip(policy.weights, certificate.excess, strict=True))
            shortfall = definition.compute_requirement(state, "initial").shortfall
            lots = int(np.abs(state.positions).sum())
            least, most = -1e-6, (1.5e-6 * lots + 1e-6) * tail / divisor
            assert least <= (tail * t + total) / divisor / 1e6 - shortfall <= most

    def test_against_a_linear_programme(self):
        """min (m t + X) / m' subject to the rows, by an independent solver."""
        model, rng = get_house("mini").shortfall, np.random.default_rng(5)
        lots = rng.integers(-50, 50, 16)
        losses, weights = -(model.pnl @ lots), model.weights
        count = len(losses)
        cost = np.concatenate([weights, [model.tail_weight]]) / model.get_tail_divisor("initial")
        rows = np.hstack([-np.eye(count), -np.ones((count, 1))])
        result = linprog(cost, A_ub=rows, b_ub=-losses, bounds=[(0, None)] * count + [(None, None)], method="highs")
        mean = tail_mean(losses.tolist(), weights.tolist(), model.tail_weight)
        assert result.fun == pytest.approx(mean * model.tail_weight / model.get_tail_divisor("initial"), rel=1e-9)

    def test_options_are_revalued_after_the_margin_period(self):
        """A straddle held loses time value in a window without moves; an option that expires in it is worth its
        payoff."""
        model = get_house("standard").shortfall
        snapshot = model.snapshot
        listing, calm = snapshot.listing, int(np.argmin(np.abs(model.log_moves).sum(axis=1)))
        pairs = {}
        for slot in np.flatnonzero(listing.is_option):
            item = listing.instruments[slot]
            pairs.setdefault((item.underlying, item.expiry, item.strike), []).append(slot)
        straddles = [slots for slots in pairs.values() if len(slots) == 2]
        nearest = min(straddles, key=lambda slots: abs(np.log(listing.strike[slots[0]] / snapshot.forward[slots[0]])))
        assert model.sample_pnl[calm, nearest].sum() < 0
        expiring = np.flatnonzero(listing.is_option & (snapshot.years < 2 / 365))
        assert expiring.size
        for slot in expiring:
            item, coin = listing.instruments[slot], int(listing.underlying[slot])
            forward = snapshot.forward[slot] * np.exp(model.log_moves[:, coin])
            payoff = np.maximum((forward - item.strike) * (1 if item.is_call else -1), 0) * item.lot_size
            price = get_house("standard").prices[slot]
            assert model.sample_pnl[:, slot] == pytest.approx(payoff - price, abs=1e-9)


class TestAgainstTheFullSample:
    """The claim that is made: on a family of books drawn with a seed that no multiplier was fitted to, on a market that
    was trained on and on the one of the crash, which was not, the margin is at least the full sample's expected
    shortfall."""

    def terms(self, size: str, name: str):
        house = HouseModel(get_snapshot(size, name), PARAMETERS)
        slots, terms = read_terms(house, house.shortfall)
        model = house.shortfall
        kappa = model.tail_weight / model.get_tail_divisor("initial")
        reduced = Reduced(model.pnl[:, slots], model.weights, model.tail_weight, kappa)
        books = make_family(house.snapshot, HELD_OUT_SEED).lots[slots]
        return terms, reduced, books[:, has_loss(terms, books)]

    @pytest.mark.property("P-63")
    @pytest.mark.parametrize("size", ["mini", "standard"])
    @pytest.mark.parametrize("name", [CALM, CRASH])
    def test_margin_is_at_least_the_full_shortfall(self, size, name):
        terms, reduced, books = self.terms(size, name)
        full = terms.compute_full(books)
        assert books.shape[1] > 400
        assert (compute_margin(terms, reduced, books) >= full).all()

    @pytest.mark.property("P-63")
    @pytest.mark.parametrize("name", [CALM, CRASH])
    def test_without_the_multiplier_it_is_not(self, name):
        """K and the reduced shortfall alone, kappa = 1: below the full sample for some books. With kappa and the grid,
        for none."""
        terms, reduced, books = self.terms("standard", name)
        full, charge = terms.compute_full(books), terms.compute_charge(books)
        bare = dataclasses.replace(reduced, multiplier=1.0)
        assert (bare.compute(books) <= full + 1e-9 * np.abs(full).max()).all()  # averaging never raises it
        assert (charge + bare.compute(books) < full).any()
        assert (charge + np.maximum(terms.compute_grid(books), reduced.compute(books)) >= full).all()

    def test_vectorised_margin_is_the_definition(self):
        """The margin of the search is the reference's without the contagion buffer."""
        terms, reduced, books = self.terms("mini", CALM)
        slots, _ = read_terms(get_house("mini"), get_house("mini").shortfall)
        definition = get_definition("mini")
        for column in range(0, books.shape[1], 60):
            lots = np.rint(books[:, column] * 1000 / np.abs(books[:, column]).max())
            state = make_state(16, dict(zip(slots.tolist(), lots.astype(int).tolist(), strict=True)))
            needed = definition.compute_requirement(state, "initial")
            margin = compute_margin(terms, reduced, lots[:, None])[0]
            assert margin == pytest.approx(float(needed.charge + needed.scenario_margin), rel=1e-6)
            assert margin >= float(needed.charge + needed.scenario_margin) * (1 - 1e-12)

    def test_one_scenario_a_window_is_exact(self):
        """With a group for every window and kappa = 1 the reduced figure is the full sample's."""
        house = get_house("mini")
        whole = load_scenarios(NAME, 12)
        single = dataclasses.replace(whole, groups=np.arange(2641), plain_multiplier=(66, 66))
        model = ShortfallModel(house.snapshot, PARAMETERS, single)
        _, terms = read_terms(house, model)
        slots = np.flatnonzero(np.abs(model.sample_pnl).max(axis=0) > 0)
        books = make_family(house.snapshot, 3).lots[slots]
        reduced = Reduced(model.pnl[:, slots], model.weights, 66, 1.0)
        assert reduced.compute(books) == pytest.approx(terms.compute_full(books), rel=1e-9, abs=1e-9)


class TestFamily:
    def test_same_seed_same_books(self):
        snapshot = get_snapshot("standard")
        first, again, other = (make_family(snapshot, seed) for seed in (4, 4, 5))
        assert np.array_equal(first.lots, again.lots) and first.kinds == again.kinds
        assert first.lots.shape[0] == 256 and not np.array_equal(first.lots, other.lots)

    def test_kinds_and_closed_sides(self):
        snapshot = get_snapshot("standard")
        family = make_family(snapshot, 4)
        wanted = {"outright", "straddle", "calendar", "box", "basis", "hedged book", "near dated", "spot hedged"}
        assert {f"{coin} {kind}" for coin in Coin for kind in wanted} <= set(family.kinds)
        spot = snapshot.listing.kind == KIND_CODES[InstrumentKind.SPOT]
        assert (family.lots[spot] >= 0).all() and (family.lots[spot] > 0).any()
        assert not family.lots[~snapshot.listing.is_listed].any()


class TestRecordFile:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        caches = (scenario_module._load_file, scenario_module.load_sample, load_scenarios)
        monkeypatch.setattr(scenario_module, "FOLDER", tmp_path)
        for cached in caches:
            cached.cache_clear()
        yield tmp_path
        for cached in caches:
            cached.cache_clear()

    def write(self, folder, change):
        record = json.loads((FOLDER / f"{NAME}.json").read_text())
        change(record)
        (folder / f"{NAME}.json").write_text(json.dumps(record))

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            (lambda record: record.update(format="zkmargin.scenarios/1"), MalformedFile),
            (lambda record: record.update(columns=["last_day"]), MalformedFile),
            (lambda record: record.update(extra=1), MalformedFile),
            (lambda record: record.update(confidence=1.0), OutOfRange),
            (lambda record: record.update(margin_period_days=0), OutOfRange),
            (lambda record: record["volatility_response"].pop("ETH"), MalformedFile),
            (lambda record: record["volatility_response"].update(BTC=[0.0, 0.0]), MalformedFile),
            (lambda record: record["sets"].pop("12"), UnknownName),
            (lambda record: record["sets"]["12"].pop("trained"), MalformedFile),
            (lambda record: record["sets"]["12"]["groups"].pop(), MalformedFile),
            (lambda record: record["sets"]["12"]["groups"].__setitem__(0, 12), OutOfRange),
            (lambda record: record["sets"]["12"]["groups"].__setitem__(0, -1), OutOfRange),
            (lambda record: record["sets"]["12"].update(groups=[0] * 2640 + [2]), MalformedFile),
            (lambda record: record["sets"]["12"].update(multiplier=[990]), MalformedFile),
            (lambda record: record["sets"]["12"].update(multiplier=[990, 991]), OutOfRange),
            (lambda record: record["sets"]["12"].update(multiplier=[990, 0]), OutOfRange),
            (lambda record: record["sets"]["12"].update(multiplier=[989, 900]), OutOfRange),
            (lambda record: record["sets"]["12"].update(multiplier=[1056, 1000]), OutOfRange),
            (lambda record: record["sets"]["12"].update(stressed_multiplier=[990, 900]), OutOfRange),
            (lambda record: record["sample"][0].pop(), MalformedFile),
            (lambda record: record["sample"][0].__setitem__(0, 1), MalformedFile),
            (lambda record: record["sample"][0].__setitem__(1, "x"), MalformedFile),
            (lambda record: record["sample"][0].__setitem__(1, 51.0), OutOfRange),
            (lambda record: record["sample"][0].__setitem__(3, 0.0), OutOfRange),
            (lambda record: record["sample"][0].__setitem__(5, -0.9), OutOfRange),
            (lambda record: record["sample"][0].__setitem__(6, 2), OutOfRange),
            (lambda record: [row.__setitem__(6, 0) for row in record["sample"]], MalformedFile),
        ],
    )
    def test_refusals(self, folder, change, error):
        self.write(folder, change)
        with pytest.raises(error):
            load_scenarios(NAME, 12)

    def test_unchanged(self, folder):
        self.write(folder, lambda record: None)
        assert load_scenarios(NAME, 12).count_tail(False) == 66
