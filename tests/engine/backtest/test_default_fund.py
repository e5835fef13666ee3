"""Cover 1 and Cover 2 by hand, and against the ledger's own crash."""

import json
from pathlib import Path

import pytest

from zkmargin.engine.backtest.default_fund import compute_cover, find_uncovered
from zkmargin.engine.errors import OutOfRange, UnknownName

LEDGER = Path(__file__).parents[3] / "costs/backtest.json"


def entry(book, loss, margin, model="m", crash="c"):
    return {"crash": crash, "model": model, "archetype": book, "struck": "2020-03-10",
            "loss_of_notional": loss, "margin_of_notional": margin}  # fmt: skip


DOCUMENTS = {
    "BTC": {"crashes": [entry("long", 0.37, 0.16), entry("short", 0.05, 0.16), entry("long", 0.9, 0.1, "other")]},
    "ETH": {"crashes": [entry("long", 0.40, 0.18), entry("pair", 0.50, 0.45)]},
}


def test_the_worst_book_is_the_one_that_leaves_most():
    found = find_uncovered(DOCUMENTS, "c", "m")
    assert {coin: one.book for coin, one in found.items()} == {"BTC": "long", "ETH": "long"}
    assert found["BTC"].share == pytest.approx(0.21) and found["ETH"].share == pytest.approx(0.22)
    held = find_uncovered({"BTC": {"crashes": [entry("long", 0.1, 0.2)]}}, "c", "m")
    assert held["BTC"].share == 0.0
    with pytest.raises(UnknownName, match="c by none"):
        find_uncovered(DOCUMENTS, "c", "none")


def test_the_worst_accounts_fail_and_each_in_all_its_coins():
    found = find_uncovered(DOCUMENTS, "c", "m")
    accounts = [{"BTC": 100.0}, {"BTC": 50.0, "ETH": 100.0}, {"ETH": 90.0}]
    assert compute_cover(found, accounts, 1) == pytest.approx(0.21 * 50 + 22.0)
    assert compute_cover(found, accounts, 2) == pytest.approx(0.21 * 50 + 22.0 + 21.0)
    assert compute_cover(found, [], 2) == 0.0
    with pytest.raises(OutOfRange, match="notional in BTC"):
        compute_cover(found, [{"BTC": -1.0}], 1)


def test_march_2020_left_a_long_perpetual_uncovered():
    """What docs/backtests.md says of 12 March 2020, from the ledger: loss less maintenance of the notional."""
    ledger = json.loads(LEDGER.read_text())
    found = find_uncovered({"BTC": ledger["BTC"]}, "March 2020", "house_maintenance")["BTC"]
    assert found.book == "long" and found.loss == pytest.approx(0.372, abs=1e-3)
    assert 0.0 < found.share == found.loss - found.margin
