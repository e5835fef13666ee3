"""The ledger of full runs is the present code's: the days around 12 March 2020 come out as it says."""

import json
from pathlib import Path

import pytest

from tests.support.histories import BOOKS, get_run
from zkmargin.engine.backtest.events import get_crash_losses

LEDGER = json.loads((Path(__file__).parents[3] / "costs" / "backtest.json").read_text())
STABLE = ("ewma", "ewma_residual", "two_day", "house_initial", "house_maintenance")
"""Models whose figures do not depend on the first day of a run: others are fitted monthly from it."""


@pytest.mark.property("P-69")
@pytest.mark.parametrize("model", STABLE)
def test_march_2020_is_as_recorded(model):
    recorded = {
        (found["crash"], found["archetype"]): found for found in LEDGER["BTC"]["crashes"] if found["model"] == model
    }
    found = [loss for loss in get_crash_losses(get_run(), (model,)) if loss.crash == "March 2020"]
    assert [loss.book for loss in found] == list(BOOKS)
    for loss in found:
        expected = recorded[loss.crash, loss.book]
        what = f"stale: run {LEDGER['command']}"
        assert (loss.struck, loss.loss, loss.margin) == (
            expected["struck"],
            pytest.approx(expected["loss"], abs=0.01),
            pytest.approx(expected["margin"], abs=0.01),
        ), what
