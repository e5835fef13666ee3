"""Bonds put into a market file: which options make place, at what price, and what is refused."""

import json

import pytest

from zkmargin.engine.errors import UnknownName
from zkmargin.engine.market.file import DATA, load_observations, parse_market
from zkmargin.engine.presets import Coin
from zkmargin.scripts.derive.bonds import add_bonds, choose_slots, main

WITHOUT = DATA / "deribit_2026-02-05.json"


def test_the_least_traded_options_make_place(tmp_path, capsys):
    path = tmp_path / "market.json"
    path.write_text(WITHOUT.read_text())
    before, observed = parse_market(path.read_text()), load_observations(path)
    main(["--market", str(path), "--coin", "ETH", "--expiries", "27MAR26"])
    after = parse_market(path.read_text())
    changed = [slot for slot in range(256) if before.listing.instruments[slot] != after.listing.instruments[slot]]
    assert [after.listing.at(slot).name for slot in changed] == ["USDC-27MAR26"]
    assert f"slot {changed[0]}: USDC-27MAR26 at 0.99" in capsys.readouterr().out
    gone = before.listing.at(changed[0]).name
    assert set(observed) - set(load_observations(path)) == {gone}
    scores = {name: seen.open_interest + 5 * seen.volume for name, seen in observed.items()}
    siblings = [item.name for item in before.listing.by_name.values() if item.expiry == before.listing.get(gone).expiry]
    assert gone == min((name for name in siblings if name in scores and name[:3] == "ETH"), key=scores.__getitem__)
    assert "Bonds: no venue quotes them" in json.loads(path.read_text())["about"]


def test_an_expiry_keeps_its_six_options_and_a_bond_needs_a_future():
    market = parse_market(WITHOUT.read_text())
    scores = dict.fromkeys(load_observations(WITHOUT), 0.0)
    with pytest.raises(UnknownName, match="option of BTC whose place a bond may take, number '120'"):
        choose_slots(market, scores, Coin.BTC, 120)
    with pytest.raises(UnknownName, match="BTC-1JAN30"):
        add_bonds(WITHOUT, Coin.BTC, ["1JAN30"])
