"""A listing at a preset with more rows: nothing but the rows changes."""

import dataclasses

import numpy as np
import pytest

from zkmargin.engine.errors import OutOfRange, UnknownName, WrongKind
from zkmargin.engine.margin.house import HouseModel
from zkmargin.engine.market.file import load_snapshot, parse_market, render_market
from zkmargin.engine.market.listings import relist, to_preset
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.presets import Split, get_preset

STANDARD = load_snapshot("deribit_2026-08-22")


def test_only_the_preset_changes():
    wide = relist(STANDARD, "wide")
    assert wide.listing.preset == get_preset("wide")
    assert wide.listing.instruments == STANDARD.listing.instruments
    assert wide != STANDARD
    assert relist(wide, get_preset("standard")) == STANDARD
    assert MarketSnapshot.from_bytes(wide.to_bytes()) == wide
    assert parse_market(render_market(wide)) == wide


@pytest.mark.property("P-75")
@pytest.mark.parametrize("name", ["wide", "xl"])
def test_policies_of_every_size_have_the_same_hard_rows(name):
    """The grid, the charges and the equity do not know how many scenarios the expected shortfall has."""
    preset = get_preset(name)
    large, small = HouseModel(relist(STANDARD, name)).policies, HouseModel(STANDARD).policies
    assert list(large) == list(small)
    assert large["initial"].soft.sum() > small["initial"].soft.sum() > 0
    for policy in large:
        hard = large[policy].positions[preset.excess_rows :]
        assert np.array_equal(hard, small[policy].positions[STANDARD.listing.preset.excess_rows :])


def test_other_slots_are_refused():
    with pytest.raises(OutOfRange, match="slots of preset mini is 16; allowed: 256"):
        relist(STANDARD, "mini")
    with pytest.raises(UnknownName, match="preset"):
        relist(STANDARD, "huge")


def split_apart(snapshot: MarketSnapshot) -> MarketSnapshot:
    """The same market with netting between no coins."""
    preset = snapshot.listing.preset
    preset = dataclasses.replace(preset, split=Split(preset.split.shares))
    return dataclasses.replace(snapshot, listing=dataclasses.replace(snapshot.listing, preset=preset))


def test_a_market_keeps_its_own_split():
    """With the shipped one it would net what the market does not, and require too little."""
    apart = split_apart(STANDARD)
    assert not apart.listing.preset.split.netting and STANDARD.listing.preset.split.netting
    assert to_preset(apart, "standard") is apart
    assert to_preset(apart, get_preset("standard")) is apart
    wide = to_preset(apart, "wide").listing.preset
    assert wide.split == apart.listing.preset.split
    assert (wide.name, wide.rows) == ("wide", get_preset("wide").rows)


def test_only_the_shipped_split_is_reduced():
    assert to_preset(STANDARD, "mini").listing.preset == get_preset("mini")
    with pytest.raises(WrongKind, match=r"split of a market to reduce is .*; allowed: the one of presets\.json"):
        to_preset(split_apart(STANDARD), "mini")
