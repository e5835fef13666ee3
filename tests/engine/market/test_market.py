"""A market is a snapshot with its files and sizes."""

import pytest

from zkmargin.engine.errors import UnknownName
from zkmargin.engine.market.market import Market


def test_a_market_is_the_snapshot_with_its_sizes():
    market = Market.load("deribit_2026-08-22")
    mini = market.at("mini")
    assert (market.preset.name, mini.preset.name) == ("standard", "mini") and market.at("standard") == market
    assert type(mini) is Market and Market.from_json(mini.to_json()) == mini
    with pytest.raises(UnknownName):
        market.at("huge")
