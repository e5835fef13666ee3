"""The cost ledger: gas and code sizes are what `costs/gas.json` says. Moved on purpose? `python -m
tests.support.gas`."""

import json

import pytest

from tests.support.gas import LEDGER, measure
from zkmargin.contracts.compile import CODE_LIMIT

LEAST_TOLERANCE = 1_000
"""Gas: calldata has more or fewer zero bytes from run to run."""
TARGETS = {
    "trade": 400_000,
    "trade_fee": 400_000,
    "attest": 290_000,
    "deposit": 290_000,
    "open": 420_000,
    "fund": 70_000,
}


@pytest.fixture(scope="module")
def measured():
    return measure()


@pytest.fixture(scope="module")
def ledger():
    return json.loads(LEDGER.read_text())


def test_gas_is_what_the_ledger_says(measured, ledger):
    assert measured["gas"].keys() == ledger["gas"].keys()
    moved = {
        name: (known, measured["gas"][name])
        for name, known in ledger["gas"].items()
        if abs(measured["gas"][name] - known) > max(LEAST_TOLERANCE, known // 200)
    }
    assert not moved, "cost moved (ledger, now); see the module's text"


def test_code_sizes_are_what_the_ledger_says(measured, ledger):
    assert measured["size"] == ledger["size"]
    assert max(ledger["size"].values()) < CODE_LIMIT


@pytest.mark.parametrize("name", TARGETS)
def test_targets_are_met(ledger, name):
    assert ledger["gas"][name] <= TARGETS[name]
