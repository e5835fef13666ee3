"""A third coin is data: listing, parameters and scenario record state it; circuit and keys of `mini` prove it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.proving import get_transition_prover
from tests.support.scenes import DOMAIN, make_account
from tests.support.third_coin import (
    SHARES,
    SOL,
    THREE,
    describe_parameters,
    list_three_coins,
    make_parameters,
    write_record,
)
from zkmargin.engine.epoch.record import read_policies
from zkmargin.engine.epoch.succession import RefusedSuccession, check_succession
from zkmargin.engine.errors import DuplicateName, MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.house import House
from zkmargin.engine.margin.definition import Definition, compute_allowance
from zkmargin.engine.margin.lot_values import LotByLot
from zkmargin.engine.margin.parameters import load_parameters, read_parameters
from zkmargin.engine.market.file import load_snapshot, parse_market, render_market
from zkmargin.engine.market.instruments import make_instrument
from zkmargin.engine.market.listings import reduce_to_mini
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.policy.checks import check_policy
from zkmargin.engine.policy.errors import RefusedPolicy
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.presets import NO_SPLIT, Coin, Split, get_preset
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.messages.action_table import ActionKind

SOL_PERPETUAL, SOL_PUT, SOL_CALL = 12, 14, 15
BOOKS = (
    {1: 40, 7: -300, SOL_PERPETUAL: 5_000},
    {6: 20_000, 3: -10, SOL_PUT: -40, SOL_CALL: -60},
    {2: 15, 8: 90, 9: -20, 13: -700, SOL_PUT: 30},
)
"""Lots by slot over all three coins."""
ROOMY = replace(THREE, helpers=14, split=Split(SHARES, ((Coin.ETH, SOL),)))
"""Room for a netting pair that is not the shipped one; no circuit is compiled for it."""


@pytest.fixture(scope="module")
def parameters(tmp_path_factory):
    return make_parameters(write_record(tmp_path_factory.mktemp("records")))


@pytest.fixture(scope="module")
def house(parameters):
    return House(list_three_coins(), parameters)


def relist(split: Split) -> MarketSnapshot:
    snapshot = list_three_coins()
    return replace(snapshot, listing=replace(snapshot.listing, preset=replace(ROOMY, split=split)))


@pytest.mark.property("P-115")
def test_bytes_and_files_state_coins_and_slots():
    snapshot = list_three_coins()
    again = MarketSnapshot.from_bytes(snapshot.to_bytes())
    assert again == snapshot and again.listing.preset == THREE
    assert parse_market(render_market(snapshot)) == snapshot
    assert list(snapshot.index) == [Coin.BTC, Coin.ETH, SOL]


@pytest.mark.property("P-115")
def test_two_splits_never_have_the_same_bytes():
    """Which slots a coin has, the order of the coins, who nets with whom and what a vault takes: all in the bytes."""
    pair = Split(SHARES, ((Coin.ETH, SOL),))
    other_way = Split(SHARES, ((SOL, Coin.ETH),))
    kept = Split((*SHARES[:2], replace(SHARES[2], in_vault=True)))
    seen = {relist(split).to_bytes() for split in (Split(SHARES), pair, other_way, kept)}
    assert len(seen) == 4


def test_an_epoch_never_changes_the_split(house, parameters):
    first = house.epoch(9)
    moved = replace(THREE, split=Split((*SHARES[:2], replace(SHARES[2], in_vault=True))))
    snapshot = replace(house.snapshot, listing=replace(house.snapshot.listing, preset=moved))
    with pytest.raises(RefusedSuccession, match="split of the slots is"):
        check_succession(first, House(snapshot, parameters).epoch(10))


def expire(slot: int, seconds: int) -> MarketSnapshot:
    """The market with the slot's instrument settling so soon."""
    snapshot = list_three_coins()
    item, instruments = snapshot.listing.at(slot), list(snapshot.listing.instruments)
    facts = {"expiry": snapshot.time + seconds, "strike": item.strike, "is_call": item.is_call}
    instruments[slot] = make_instrument(slot, item.kind, item.underlying, item.lot_size, **facts)
    return replace(snapshot, listing=replace(snapshot.listing, instruments=tuple(instruments)))


@pytest.mark.parametrize("slot", [2, 9, SOL_CALL])
def test_nothing_settles_within_the_margin_period(parameters, slot):
    """The eleven cells have no expiry path: such a future or option would be margined as if it lived on."""
    assert House(expire(slot, 3 * SECONDS_PER_DAY), parameters).policies
    near = expire(slot, SECONDS_PER_DAY)
    name = near.listing.at(slot).name
    with pytest.raises(OutOfRange, match=rf"days to expiry of {name}, .* is 1\.0; allowed: more than 2 to any"):
        _ = House(near, parameters).policies


@pytest.mark.parametrize("level", ["initial", "maintenance"])
@pytest.mark.parametrize("lots", BOOKS)
def test_the_policy_requires_what_the_definition_does(house, lots, level):
    state = make_account(lots=lots, cash=10**13).state
    needed = house.policy_requirement(house.policies[level], state) / 1e6
    defined = house.definition_requirement(state, level)
    assert -1e-6 <= needed - defined.total <= compute_allowance(house.definition, level, state) + 1e-6
    assert set(defined.losses) == set(THREE.coins) and not defined.transfers
    written_out = Definition(LotByLot(house.snapshot, house.parameters)).compute_requirement(state, level)
    assert written_out.total == pytest.approx(defined.total, rel=1e-9)


def test_each_coin_s_risk_counts_alone(house):
    """A perpetual of SOL requires the factor times its range, and none of it is netted with ether's."""
    long = house.definition_requirement(make_account(lots={SOL_PERPETUAL: 100}).state, "maintenance")
    price = float(house.snapshot.forward[SOL_PERPETUAL])
    assert long.losses[SOL] == pytest.approx(0.26 * price * 100, rel=1e-9) and long.losses[Coin.ETH] == 0
    hedged = make_account(lots={SOL_PERPETUAL: 100, 7: -78}).state
    alone = house.definition_requirement(make_account(lots={7: -78}).state, "maintenance")
    assert house.definition_requirement(hedged, "maintenance").grid == pytest.approx(long.grid + alone.grid)


@pytest.mark.parametrize("pair", [(Coin.ETH, SOL), (SOL, Coin.BTC)])
def test_a_netting_pair_is_data(parameters, pair):
    """With helpers for it: the pair's opposite exposures require less, and policy and definition agree."""
    netted = House(relist(Split(SHARES, (pair,))), parameters)
    first, second = (netted.snapshot.listing.preset.coin_slots(coin).start + 1 for coin in pair)
    reach = [float(abs(netted.grid_pnl[:, slot]).max()) for slot in (first, second)]
    state = make_account(lots={first: 100, second: -round(100 * reach[0] / reach[1])}, cash=10**13, preset=ROOMY).state
    required = netted.definition_requirement(state, "initial")
    assert required.transfers[pair] > 0
    apart = House(relist(Split(SHARES)), parameters).definition_requirement(state, "initial")
    assert required.grid < 0.9 * apart.grid
    above = netted.policy_requirement(netted.policies["initial"], state) / 1e6 - required.total
    assert -1e-6 <= above <= compute_allowance(netted.definition, "initial", state) + 1e-6


@pytest.mark.property("P-115")
def test_policies_are_read_in_the_listing_s_split(house):
    """In another split perpetuals are other slots, and the debt row is then no debt row."""
    data = house.epoch(9).policy_bytes
    read = read_policies(data, THREE.split)
    assert read == dict(house.policies) and read["initial"].preset == THREE
    with pytest.raises(RefusedPolicy):
        check_policy(read_policies(data, NO_SPLIT)["initial"], house.snapshot.listing.is_listed)


def test_a_pair_needs_helpers():
    with pytest.raises(OutOfRange, match="helpers of preset mini with 3 coins and 1 netting pairs is 12; allowed: 14"):
        Layout(replace(ROOMY, helpers=12))


def test_three_coins_need_their_rows():
    with pytest.raises(OutOfRange, match="hard rows of preset mini with 3 coins is 57; allowed: 58 to any"):
        Layout(replace(THREE, rows=69))


@pytest.mark.parametrize(
    ("netting", "message"),
    [
        (((Coin.BTC, SOL),), "coin of a netting pair"),
        (((Coin.BTC, Coin.ETH), (Coin.ETH, Coin.BTC)), "coin of the netting pairs 'ETH' appears more than once"),
    ],
)
def test_pairs_that_cannot_be_are_refused(netting, message):
    with pytest.raises((UnknownName, DuplicateName), match=message):
        Split(get_preset("mini").split.shares, netting)


def test_parameters_without_a_coin_of_the_listing_are_refused():
    with pytest.raises(UnknownName, match=r"coin of parameters house_v1 .*SOL.*; allowed: BTC, ETH"):
        House(list_three_coins(), load_parameters())


def test_a_parameter_without_a_coin_s_number_is_refused():
    document = describe_parameters()
    del document["parameters"]["vega_depth"]["value"]["SOL"]
    with pytest.raises(MalformedFile, match=r"vega_depth: keys are .*; allowed: .*SOL"):
        read_parameters(json.dumps(document), "x")


def test_the_keys_of_mini_prove_an_account_of_three_coins(house):
    """An attestation of maintenance at an epoch of three coins; one lot of SOL too many has no certificate."""
    lots = {6: 20_000, 1: 10, 7: -30, SOL_PERPETUAL: -150, SOL_CALL: -5}
    account = make_account(lots=lots, cash=10**11, preset=THREE)
    epoch = house.epoch(9)
    transition = build_transition(
        account, Intent(ActionKind.ATTEST, policy="maintenance", deadline=99), epoch=epoch, domain=DOMAIN, key_version=1
    )
    prover = get_transition_prover(get_preset("mini"))
    assert prover.verify_transition(prover.prove(transition), transition)
    state = make_account(lots={SOL_PERPETUAL: -150}, cash=0, preset=THREE).state
    needed = house.policy_requirement(house.policies["maintenance"], state)
    fails = replace(state, cash=needed - 1 - int(np.dot(house.marks, state.positions)))
    assert house.find_refusal(house.policies["maintenance"], fails) is not None
    assert house.find_refusal(house.policies["maintenance"], replace(fails, cash=fails.cash + 1)) is None


SPLIT_AT = 4 + 1 + len("mini")
"""Where the split stands in the bytes of a market at `mini`."""


@pytest.mark.property("P-115")
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (8, 2, "are not canonical"),
        (26, 3, "coin 3 before byte 36; allowed: below 3"),
        (27, 3, "coin 3 before byte 37; allowed: below 3"),
    ],
    ids=["in_vault of BTC", "first of the pair", "second of the pair"],
)
def test_a_split_has_one_form(place, value, message):
    data = bytearray(relist(Split(SHARES, ((Coin.ETH, SOL),))).to_bytes())
    data[SPLIT_AT + place] = value
    with pytest.raises(MalformedFile, match=message):
        MarketSnapshot.from_bytes(bytes(data))


@pytest.mark.property("P-115")
def test_the_shipped_split_is_not_written_out():
    data, split = reduce_to_mini(load_snapshot("deribit_2026-08-22")).to_bytes(), get_preset("mini").split
    shares = b"".join(
        b"\3" + share.coin.encode() + share.slots.to_bytes(2, "big") + bytes([share.futures, share.in_vault])
        for share in split.shares
    )
    stated = b"ZKM\x04" + data[4:SPLIT_AT] + b"\2" + shares + b"\1\0\1" + data[SPLIT_AT:]
    with pytest.raises(MalformedFile, match="are not canonical"):
        MarketSnapshot.from_bytes(stated)
