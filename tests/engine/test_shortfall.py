"""The expected shortfall: scenario record, tail mean, rows, and what it asks of simple books."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from engine import scenarios as scenario_module
from engine.certificate import find_certificate
from engine.errors import MalformedFile, OutOfRange, UnknownName
from engine.parameters import load_parameters
from engine.presets import PRESETS
from engine.reference import tail_mean
from engine.rows import Helper, Layout
from engine.scenarios import FOLDER, load_scenarios
from tests.engine.house import get_house, get_policies, get_reference, make_state

NAME = load_parameters().shortfall_scenarios


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_shipped_sets(preset):
    chosen = load_scenarios(NAME, preset.excess_rows)
    assert 1 <= len(chosen.weights) <= preset.excess_rows
    assert chosen.weights.sum() == 2651 and chosen.tail_weight == 66  # 2.5 % of the sample, rounded down
    assert (chosen.returns > -1).all() and (chosen.volatility > -1).all()
    assert chosen.returns.shape == chosen.volatility.shape == (len(chosen.weights), 2)


def test_the_record_is_small_and_named():
    path = FOLDER / f"{NAME}.json"
    assert path.stat().st_size < 200_000
    record = json.loads(path.read_text())
    assert record["source"] and record["sample"] == 2651 and record["margin_period_days"] == 2


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1), (1, -1), (-1, 1), (1, 1)])
@pytest.mark.parametrize("rows", [12, 64, 256])
def test_reduced_sets_are_not_below_the_full_sample_for_linear_books(direction, rows):
    full, reduced = load_scenarios(NAME, 640), load_scenarios(NAME, rows)

    def shortfall(chosen):
        losses = -np.log1p(chosen.returns) @ np.array(direction)
        return tail_mean(losses.tolist(), chosen.weights.tolist(), chosen.tail_weight)

    assert 0.999 <= shortfall(reduced) / shortfall(full) <= 1.5


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(1, 20)), min_size=1, max_size=12), st.integers(1, 30))
def test_tail_mean_is_the_minimum_over_t(scenarios, tail):
    losses, weights = zip(*scenarios, strict=True)
    tail = min(tail, sum(weights))
    expected = min(tail * t + sum(w * max(0, loss - t) for loss, w in scenarios) for t in losses)
    assert tail_mean(losses, weights, tail) * tail == pytest.approx(expected, abs=1e-9)


def test_rows_of_the_policy():
    policy, scenarios = get_policies("standard")["initial"], get_house("standard").shortfall.scenarios
    count, row = len(scenarios.weights), policy.helpers[Layout(policy.preset).tail]
    assert policy.priced.tolist() == [1] * count + [0] * (policy.preset.excess_rows - count)
    assert np.array_equal(policy.weights[:count], scenarios.weights)
    assert row[[Helper.EQUITY, Helper.THRESHOLD_PLUS, Helper.THRESHOLD_MINUS]].tolist() == [66, -66, 66]


def test_the_certificate_holds_the_tail_mean():
    """t + X / m of the certificate is the expected shortfall of the definition, within K_2 and rounding."""
    policy, reference = get_policies("standard")["initial"], get_reference("standard")
    rng = np.random.default_rng(11)
    for _ in range(5):
        state = make_state(256, dict(enumerate(rng.integers(-100, 100, 256).tolist())), cash=10**14)
        certificate = find_certificate(policy, state)
        t = certificate.helpers[Helper.THRESHOLD_PLUS] - certificate.helpers[Helper.THRESHOLD_MINUS]
        total = sum(int(w) * e for w, e in zip(policy.weights, certificate.excess, strict=True))
        shortfall = reference.compute_requirement(state, "initial").shortfall
        lots = int(np.abs(state.positions).sum())
        assert 0 <= (t + total / 66) / 1e6 - shortfall <= 1.5e-6 * lots + 1e-6


def test_against_a_linear_programme():
    """min t + X/m subject to the rows, by an independent solver."""
    house, rng = get_house("mini"), np.random.default_rng(5)
    lots = rng.integers(-50, 50, 16)
    losses, weights, tail = -(house.shortfall.pnl @ lots), house.shortfall.scenarios.weights, 66
    count = len(losses)
    cost = np.concatenate([weights / tail, [1.0]])
    rows = np.hstack([-np.eye(count), -np.ones((count, 1))])
    result = linprog(cost, A_ub=rows, b_ub=-losses, bounds=[(0, None)] * count + [(None, None)], method="highs")
    assert result.fun == pytest.approx(tail_mean(losses.tolist(), weights.tolist(), tail), rel=1e-9)


def test_options_are_revalued_after_the_margin_period():
    """An option that expires within the period is worth its payoff; a straddle held loses time value in a calm
    scenario."""
    house = get_house("standard")
    snapshot, shortfall = house.snapshot, house.shortfall
    calm = int(np.argmin(np.abs(shortfall.scenarios.returns).sum(axis=1)))
    options = np.flatnonzero(snapshot.listing.is_option)
    pairs = {}
    for slot in options:
        item = snapshot.listing.instruments[slot]
        pairs.setdefault((item.underlying, item.expiry, item.strike), []).append(slot)
    straddles = [slots for slots in pairs.values() if len(slots) == 2]
    nearest = min(
        straddles, key=lambda slots: abs(np.log(snapshot.listing.strike[slots[0]] / snapshot.forward[slots[0]]))
    )
    assert shortfall.pnl[calm, nearest].sum() < 0


class TestRecordFile:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(scenario_module, "FOLDER", tmp_path)
        load_scenarios.cache_clear()
        yield tmp_path
        load_scenarios.cache_clear()

    def write(self, folder, change):
        record = json.loads((FOLDER / f"{NAME}.json").read_text())
        change(record)
        (folder / f"{NAME}.json").write_text(json.dumps(record))

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            (lambda record: record.update(format="x"), MalformedFile),
            (lambda record: record.update(columns=["weight"]), MalformedFile),
            (lambda record: record.update(extra=1), MalformedFile),
            (lambda record: record["sets"].pop("12"), UnknownName),
            (lambda record: record["sets"]["12"]["scenarios"].append([1, 0.0, 0.0, 0.0, 0.0]), MalformedFile),
            (lambda record: record["sets"]["12"]["scenarios"][0].pop(), MalformedFile),
            (lambda record: record["sets"]["12"]["scenarios"][0].__setitem__(0, 1024), OutOfRange),
            (lambda record: record["sets"]["12"]["scenarios"][0].__setitem__(0, 0), OutOfRange),
            (lambda record: record["sets"]["12"]["scenarios"][0].__setitem__(0, 1.5), OutOfRange),
            (lambda record: record["sets"]["12"]["scenarios"][0].__setitem__(1, -1.0), OutOfRange),
            (lambda record: record["sets"]["12"].update(tail_weight=67), OutOfRange),
            (lambda record: record["sets"]["12"].update(tail_weight=0), OutOfRange),
        ],
    )
    def test_refusals(self, folder, change, error):
        self.write(folder, change)
        with pytest.raises(error):
            load_scenarios(NAME, 12)

    def test_unchanged(self, folder):
        self.write(folder, lambda record: None)
        assert load_scenarios(NAME, 12).tail_weight == 66
