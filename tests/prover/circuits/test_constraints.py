"""The cost ledger `costs/constraints.json` says what the circuits cost, exactly."""

import json

import pytest

from tests.support.constraints import LEDGER, measure
from zkmargin.prover.groth16.compile import constraint_counts


def read_ledger() -> dict:
    return json.loads(LEDGER.read_text())


def test_mini_costs_what_the_ledger_says():
    assert measure("mini") == read_ledger()["mini"]


def test_standard_costs_what_the_ledger_says():
    totals = {
        name: {k: v for k, v in entry.items() if k != "parts"} for name, entry in read_ledger()["standard"].items()
    }
    assert constraint_counts("standard") == totals


@pytest.mark.slow
def test_the_parts_of_standard_cost_what_the_ledger_says():
    assert measure("standard") == read_ledger()["standard"]


def test_standard_fits_its_domain():
    entry = read_ledger()["standard"]["transition"]
    assert entry["constraints"] + entry["public_inputs"] + 1 == entry["rows"] <= entry["domain"] == 65_536


@pytest.mark.parametrize("preset", ["mini", "standard"])
def test_the_parts_make_up_the_whole(preset):
    """Of `open` the fixed-base multiplication of constants folds away, so only `transition` adds up."""
    entry = read_ledger()[preset]["transition"]
    assert entry["constraints"] <= sum(entry["parts"].values()) <= entry["constraints"] * 1.02
