"""The cost ledger `costs/constraints.json` says what the circuits cost, exactly."""

import json

import pytest

from tests.support.constraints import LEDGER, measure
from zkmargin.prover.groth16.compile import constraint_counts


def read_ledger() -> dict:
    return json.loads(LEDGER.read_text())


@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_a_preset_costs_what_the_ledger_says(preset):
    totals = {name: {k: v for k, v in entry.items() if k != "parts"} for name, entry in read_ledger()[preset].items()}
    assert constraint_counts(preset) == totals


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_the_parts_of_a_preset_cost_what_the_ledger_says(preset):
    assert measure(preset) == read_ledger()[preset]


def test_standard_fits_its_domain():
    entry = read_ledger()["standard"]["transition"]
    assert entry["constraints"] + entry["public_inputs"] + 1 == entry["rows"] <= entry["domain"] == 65_536


@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_the_parts_make_up_the_whole(preset):
    """Of `open` the fixed-base multiplication of constants folds away, so only `transition` adds up."""
    entry = read_ledger()[preset]["transition"]
    assert entry["constraints"] <= sum(entry["parts"].values()) <= entry["constraints"] * 1.02
