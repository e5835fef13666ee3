"""Ledgers of `costs/` against what measures them, or against each other where a measurement takes minutes."""

import json
from pathlib import Path

import pytest

from zkmargin.engine.margin.netting import measure_relative_move
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.margin.scenarios import load_sample
from zkmargin.scripts.cli.options import DEFAULT_MARKET
from zkmargin.scripts.measure import default_fund, shortfall, surface

COSTS = Path(__file__).parents[2] / "costs"


def load(name):
    return json.loads((COSTS / f"{name}.json").read_text())


def test_default_fund():
    assert default_fund.measure(DEFAULT_MARKET, "March 2020") == load("default_fund")


def test_netting_quantiles():
    """docs/models.md says where they exceed the price range."""
    parameters, netting = load_parameters(), load("shortfall")["netting"]
    sample, found = load_sample(parameters.shortfall_scenarios), netting["q99_at_forecast"]
    for market in shortfall.MARKETS:
        again = measure_relative_move(sample, shortfall.get_forecasts(market), parameters, shortfall.PAIR)
        assert found[market] == pytest.approx(again, abs=1e-4)
    assert found["deribit_2026-08-22"] < parameters.reference_range < found["deribit_2026-02-05"]
    assert netting["q99_at_model_volatility"] > parameters.reference_range


def test_gas_is_split_whole():
    """Up to the bytes of calldata that differ from run to run."""
    whole = load("gas")["gas"]
    for action, spent in load("gas_split").items():
        assert sum(spent.values()) == pytest.approx(whole[action], rel=5e-3, abs=1_000), action


def test_no_attack_was_accepted():
    found = load("soundness")
    witnesses, policies = found["malicious"], found["policies"]
    assert (witnesses["malicious_witnesses"], witnesses["accepted"]) == (100_000, 0)
    assert (policies["policies"], policies["policies_cheated"]) == (100_000, 0)


@pytest.mark.slow
def test_fits_of_a_surface():
    name = surface.MARKETS[0]
    found, known = surface.measure_market(name), load("surface")["markets"][name]
    assert found.keys() == known.keys()
    for key, value in known.items():
        assert found[key] == (value if isinstance(value, str) else pytest.approx(value, abs=0.05)), key
