"""Snapshots: what is accepted and refused, and that JSON and canonical bytes are exact inverses."""

import dataclasses
import json
import math

import numpy as np
import pytest
from eth_hash.auto import keccak
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zkmargin.engine.errors import (
    DuplicateName,
    ExpiredInstrument,
    MalformedFile,
    MarketError,
    OutOfRange,
    UnknownName,
    WrongKind,
)
from zkmargin.engine.market.arbitrage import TOLERANCE, find_violations
from zkmargin.engine.market.crowding import MAX_NOTIONAL, MIN_DEPTH, Crowding
from zkmargin.engine.market.file import (
    DATA,
    dump_document,
    load_observations,
    load_snapshot,
    parse_market,
    render_market,
)
from zkmargin.engine.market.instruments import DATED, MAX_EXPIRY, InstrumentKind, Listing, make_instrument
from zkmargin.engine.market.listings import list_bonds, reduce_to_mini
from zkmargin.engine.market.snapshot import MarketSnapshot
from zkmargin.engine.market.valuation import price_per_lot
from zkmargin.engine.presets import Coin, get_preset
from zkmargin.engine.units import SECONDS_PER_DAY

SNAPSHOTS = ("deribit_2026-08-22", "deribit_2026-02-05")


@pytest.fixture(scope="module", params=SNAPSHOTS)
def shipped(request):
    return load_snapshot(request.param)


def test_the_shipped_markets_are_full_and_name_their_source(shipped):
    assert shipped.listing.is_listed.all()
    assert "SVCJ-Deribit-Inverse-Options-Pricer" in shipped.source
    assert set(shipped.index) == set(Coin)
    assert shipped.listing.instruments[128].name == "WETH-SPOT"
    assert shipped.listing.instruments[128].lot_size == 0.001
    derivatives = ~shipped.listing.is_collateral & ~shipped.listing.is_bond
    for code, lot in ((0, 0.01), (1, 0.1)):
        assert set(shipped.listing.lot_size[derivatives & (shipped.listing.underlying == code)]) == {lot}


def test_each_expiry_has_at_least_six_options(shipped):
    listing = shipped.listing
    for code in (0, 1):
        of_coin = listing.is_option & (listing.underlying == code)
        _, counts = np.unique(listing.expiry[of_coin], return_counts=True)
        bonds = listing.is_bond & (listing.underlying == code)
        assert of_coin.sum() + bonds.sum() == 120
        assert counts.min() >= 6


def test_the_calm_market_lists_two_bonds_at_the_futures_yield():
    market = load_snapshot(SNAPSHOTS[0])
    for day, factor in (("25SEP26", 77062.83 / 77405.28), ("25DEC26", 77062.83 / 78343.35)):
        bond = market.listing.get(f"USDC-{day}")
        assert market.forward[bond.slot] == pytest.approx(factor, abs=5e-7)
        assert bond.expiry == market.listing.get(f"BTC-{day}").expiry
    assert market.listing.is_bond.sum() == 2
    assert not load_snapshot(SNAPSHOTS[1]).listing.is_bond.any()


def test_the_listing_rule_holds_for_what_is_listed(shipped):
    listing, options = shipped.listing, shipped.listing.is_option
    years = shipped.years[options]
    assert years.min() * 365 > 1.5
    deviations = np.abs(np.log(listing.strike[options] / shipped.forward[options])) / (
        shipped.volatility[options] * np.sqrt(years)
    )
    assert deviations.max() < 4.5


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_every_listed_option_was_offered(name):
    assert all(item.ask > 0 for item in load_observations(name).values())


def test_bytes_are_exact_and_small(shipped):
    data = shipped.to_bytes()
    assert len(data) < 12_000
    again = MarketSnapshot.from_bytes(data)
    assert again == shipped
    assert again.to_bytes() == data
    assert shipped.hash == keccak(data)
    assert (again.forward == shipped.forward).all()
    assert np.array_equal(again.volatility, shipped.volatility, equal_nan=True)
    assert again.listing == shipped.listing
    assert (again.time, again.source, again.index) == (shipped.time, shipped.source, shipped.index)
    assert (price_per_lot(again) == price_per_lot(shipped)).all()


def test_json_is_exact(shipped):
    again = parse_market(render_market(shipped))
    assert again == shipped
    assert render_market(again) == render_market(shipped)


# The hashes tie the shipped files to the bytes that are posted: a change of data or of layout shows here.
@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("deribit_2026-08-22", "aae64e1b272cf4ff1d75f323fd8be40b55a4dd71e0b26649d4c0d17a599ec4ca"),
        ("deribit_2025-12-30", "e24c0d04b1d8e6da8fac785640624ea9f4831169f21344f5e1edda3d4effb1b5"),
        ("deribit_2026-02-05", "f8814a8385cb360d0e0f44ff6dad929733df823a932951fbae16a9ae7ad2319e"),
    ],
)
def test_hashes_of_the_shipped_markets(name, digest):
    assert load_snapshot(name).hash.hex() == digest


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ladder_down", -1.0),
        ("ladder_up", math.nan),
        ("ladder_up", MAX_NOTIONAL + 1.0),
        ("depth_down", MIN_DEPTH - 1.0),
        ("depth_up", math.inf),
        ("impact", -1e-6),
        ("impact", 1.1),
        ("impact", True),
    ],
)
def test_crowding_out_of_range_is_refused(field, value):
    accepted = {"ladder_down": 0.0, "ladder_up": 0.0, "depth_down": 1e6, "depth_up": 1e6, "impact": 0.01}
    Crowding(**accepted)
    with pytest.raises(OutOfRange, match=field):
        Crowding(**accepted | {field: value})


PER_COIN = ("index", "rates", "funding", "accrued_funding", "daily_volatility", "crowding", "contagion_multiplier")
AT_INDEX = (InstrumentKind.SPOT, InstrumentKind.PERPETUAL)
"""Kinds whose forward is the index here; a perpetual's mark lies near it."""


@st.composite
def mini_snapshots(draw):
    """Any snapshot of 16 slots: any subset listed, numbers up to the edges of their ranges."""
    preset = get_preset("mini")
    time = draw(st.integers(1, MAX_EXPIRY - 2 * SECONDS_PER_DAY))
    usd = st.floats(1e-6, 1e8)
    index = {coin: draw(usd) for coin in Coin}
    slots, forward, volatility = [None] * 16, np.full(16, np.nan), np.full(16, np.nan)
    lot = st.integers(1, 10**11).map(lambda steps: steps / 1e8)
    hour = draw(st.integers(0, SECONDS_PER_DAY - 1))
    days = st.integers(time // SECONDS_PER_DAY + 1, MAX_EXPIRY // SECONDS_PER_DAY)
    expiry = days.map(lambda day: day * SECONDS_PER_DAY + hour)
    for coin, first in ((Coin.BTC, 0), (Coin.ETH, 8)):
        for slot in draw(st.sets(st.integers(first, first + 7))):
            kind = {0: InstrumentKind.SPOT, 1: InstrumentKind.PERPETUAL, 2: InstrumentKind.FUTURE}.get(
                slot - first, InstrumentKind.OPTION
            )
            if slot == 7 and draw(st.booleans()):
                kind = InstrumentKind.BOND
            facts = {"expiry": draw(expiry)} if kind in DATED else {}
            if kind is InstrumentKind.OPTION:
                # Strikes that differ by slot keep names apart.
                strike = draw(st.integers(1, 10**13)) * 8 + slot - first
                facts |= {"strike": strike / 1e6, "is_call": draw(st.booleans())}
                volatility[slot] = draw(st.floats(0.001, 16))
            slots[slot] = make_instrument(slot, kind, coin, draw(lot), **facts)
            forward[slot] = index[coin] if kind in AT_INDEX else draw(usd)
            if kind is InstrumentKind.BOND:
                forward[slot] = 1.0
    rate, accrued = st.floats(-1, 1), st.floats(-1e8, 1e8)
    return MarketSnapshot(
        time=time,
        source=draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)),
        index=index,
        listing=Listing(preset, draw(st.integers(0, 2**24 - 1)), tuple(slots)),
        forward=forward,
        volatility=volatility,
        rates={coin: draw(rate) for coin in Coin},
        funding={coin: draw(rate) for coin in Coin},
        accrued_funding={coin: draw(accrued) if slots[8 * coin.ordinal + 1] else 0.0 for coin in Coin},
        daily_volatility={coin: draw(st.floats(0.001, 1)) for coin in Coin},
        crowding={coin: draw(crowdings()) for coin in Coin},
        contagion_multiplier=draw(st.floats(1, 4)),
    )


@st.composite
def crowdings(draw):
    ladder, depth = st.floats(0, MAX_NOTIONAL), st.floats(MIN_DEPTH, MAX_NOTIONAL)
    return Crowding(draw(ladder), draw(ladder), draw(depth), draw(depth), draw(st.floats(0, 1)))


@settings(max_examples=60)
@given(mini_snapshots())
def test_any_snapshot_survives_json_and_bytes(snapshot):
    """A file with gross arbitrage is refused (`tests.engine.market.test_arbitrage`), so those are left out."""
    assume(all(violation.size <= TOLERANCE for violation in find_violations(snapshot)))
    data = snapshot.to_bytes()
    from_bytes, from_json = MarketSnapshot.from_bytes(data), parse_market(render_market(snapshot))
    assert from_bytes.to_bytes() == from_json.to_bytes() == data
    for again in (from_bytes, from_json):
        assert again.listing == snapshot.listing
        for field in PER_COIN:
            assert getattr(again, field) == getattr(snapshot, field), field
        assert np.array_equal(again.forward, snapshot.forward, equal_nan=True)
        assert np.array_equal(again.volatility, snapshot.volatility, equal_nan=True)


@settings(max_examples=200)
@given(st.data())
def test_bytes_with_one_byte_changed_are_refused_or_another_snapshot(mini, data):
    original = mini.to_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        other = MarketSnapshot.from_bytes(bytes(changed))
    except MarketError:
        return
    assert other != mini
    assert other.to_bytes() == bytes(changed)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda data: data[:-1], "end at byte"),
        (lambda data: data + b"\0", r"have \d+ bytes; allowed: \d+"),
        (lambda data: b"", "end at byte 0"),
        (lambda data: b"ZKM\1" + data[4:], "begin with 5a4b4d01; allowed: 5a4b4d03"),
    ],
)
def test_bytes_of_a_wrong_form_are_refused(mini, edit, message):
    MarketSnapshot.from_bytes(mini.to_bytes())
    with pytest.raises(MalformedFile, match=message):
        MarketSnapshot.from_bytes(edit(mini.to_bytes()))


def test_bytes_that_are_not_canonical_are_refused(snapshot):
    # A perpetual with a strike: ignored by the meaning, so it must not pass as the same market.
    data = bytearray(reduce_to_mini(snapshot).to_bytes())
    at = len(data) - 16 * 18 + 18 + 3
    data[at : at + 6] = (1).to_bytes(6, "big")
    with pytest.raises(MalformedFile, match="not canonical"):
        MarketSnapshot.from_bytes(bytes(data))


@pytest.mark.property("P-95")
@pytest.mark.parametrize("share", [0.94, 1.06])
def test_a_mark_far_from_the_index_is_refused_at_the_border(mini, share):
    """A perpetual that stands 6 % off its index is an error of the data, or a price that the quorum made up."""
    index = mini.index["BTC"]
    near = dataclasses.replace(mini, forward=with_value(mini.forward, 1, index * (1 + (share - 1) * 0.8)))
    far = dataclasses.replace(mini, forward=with_value(mini.forward, 1, index * share))
    for read in (
        lambda snapshot: MarketSnapshot.from_bytes(snapshot.to_bytes()),
        lambda s: parse_market(render_market(s)),
    ):
        assert read(near) == near
        with pytest.raises(OutOfRange, match=r"mark of BTC-PERPETUAL, which stays within 5% of the index") as refusal:
            read(far)
        assert refusal.value.value == pytest.approx(index * share)
        assert (refusal.value.low, refusal.value.high) == pytest.approx((0.95 * index, 1.05 * index))


@pytest.mark.parametrize("factor", [1.000001, 0.43, 0.0])
def test_a_bond_is_discounted_by_a_rate_of_0_to_100_percent(mini, factor):
    """Until June 2027 that is 0.431 at least."""
    bond = list_bonds(mini, {7: mini.listing.at(2).expiry})
    for accepted in (1.0, 0.432):
        priced = dataclasses.replace(bond, forward=with_value(bond.forward, 7, accepted))
        assert MarketSnapshot.from_bytes(priced.to_bytes()) == parse_market(render_market(priced)) == priced
    with pytest.raises(OutOfRange, match="USDC-25JUN27") as refusal:
        dataclasses.replace(bond, forward=with_value(bond.forward, 7, factor))
    assert refusal.value.value == factor


def test_funding_accrues_where_a_perpetual_is_listed(mini):
    instruments, forward = list(mini.listing.instruments), mini.forward.copy()
    instruments[1], forward[1] = None, math.nan
    listing = dataclasses.replace(mini.listing, instruments=tuple(instruments))
    dataclasses.replace(mini, listing=listing, forward=forward)
    with pytest.raises(WrongKind, match=r"accrued funding of BTC is 1\.5; allowed: 0, as no perpetual is listed"):
        dataclasses.replace(mini, listing=listing, forward=forward, accrued_funding={"BTC": 1.5, "ETH": 0.0})


def with_value(column, slot, value):
    changed = np.array(column)
    changed[slot] = value
    return changed


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: {"time": 0}, OutOfRange, "time is 0; allowed: 1 to"),
        (lambda s: {"time": 1.5}, OutOfRange, "time is 1.5"),
        (lambda s: {"time": int(s.listing.expiry[3])}, ExpiredInstrument, "later than the market's time"),
        (lambda s: {"time": int(s.listing.expiry[3]) + 1}, ExpiredInstrument, "BTC-25SEP26-76000-P expires at"),
        (lambda s: {"source": ""}, OutOfRange, "source is ''"),
        (lambda s: {"source": "s" * 1001}, OutOfRange, "1000 bytes of text"),
        (lambda s: {"index": {"BTC": 7e4}}, OutOfRange, "index of ETH is None; allowed: 1e-06 to"),
        (lambda s: {"index": {**s.index, "SOL": 1.0}}, UnknownName, "coin of index 'SOL'; allowed: BTC, ETH"),
        (lambda s: {"index": {**s.index, "BTC": math.nan}}, OutOfRange, "index of BTC is nan"),
        (lambda s: {"index": {**s.index, "BTC": 7e4}}, WrongKind, "BTC-SPOT is .* the index of BTC, 70000"),
        (lambda s: {"rates": {"BTC": 0.0, "ETH": 1.01}}, OutOfRange, "rate of ETH is 1.01; allowed: -1.0 to 1.0"),
        (lambda s: {"funding": {"BTC": math.inf, "ETH": 0}}, OutOfRange, "funding of BTC is inf"),
        (
            lambda s: {"accrued_funding": {"BTC": -1.1e8, "ETH": 0}},
            OutOfRange,
            "accrued funding of BTC is -110000000.0",
        ),
        (lambda s: {"daily_volatility": {"BTC": math.nan, "ETH": 0.03}}, OutOfRange, "daily volatility of BTC is nan"),
        (lambda s: {"daily_volatility": {"BTC": 0.0, "ETH": 0.03}}, OutOfRange, "allowed: 0.001 to 1.0"),
        (lambda s: {"daily_volatility": {"BTC": 0.02}}, OutOfRange, "daily volatility of ETH is None"),
        (lambda s: {"crowding": {"BTC": s.crowding["BTC"]}}, WrongKind, "crowding of ETH is None"),
        (lambda s: {"crowding": {**s.crowding, "SOL": s.crowding["BTC"]}}, UnknownName, "SOL"),
        (lambda s: {"contagion_multiplier": 0.99}, OutOfRange, "contagion_multiplier is 0.99; allowed: 1.0 to 4.0"),
        (lambda s: {"contagion_multiplier": math.nan}, OutOfRange, "contagion_multiplier is nan"),
        (lambda s: {"contagion_multiplier": 4.01}, OutOfRange, "contagion_multiplier is 4.01; allowed: 1.0 to 4.0"),
        (lambda s: {"daily_volatility": {"BTC": 1.01, "ETH": 0.03}}, OutOfRange, "daily volatility of BTC is 1.01"),
        (lambda s: {"forward": with_value(s.forward, 3, math.nan)}, OutOfRange, r"forward of .* \(slot 3\) is nan"),
        (
            lambda s: {"forward": with_value(s.forward, 3, 0.0)},
            OutOfRange,
            r"\(slot 3\) is 0.0; allowed: 1e-06 to 1000",
        ),
        (lambda s: {"forward": with_value(s.forward, 3, 1.1e8)}, OutOfRange, r"\(slot 3\) is 110000000.0"),
        (lambda s: {"forward": s.forward[:15]}, OutOfRange, r"shape of forward is \(15,\); allowed: \(16,\)"),
        (lambda s: {"volatility": with_value(s.volatility, 3, -0.1)}, OutOfRange, "is -0.1; allowed: 0.001 to 16.0"),
        (lambda s: {"volatility": with_value(s.volatility, 3, 0.0)}, OutOfRange, "is 0.0; allowed: 0.001 to 16.0"),
        (lambda s: {"volatility": with_value(s.volatility, 3, math.nan)}, OutOfRange, "volatility of BTC-.* is nan"),
        (lambda s: {"volatility": with_value(s.volatility, 1, 0.5)}, WrongKind, "in slot 1 is 0.5; allowed: NaN"),
    ],
)
def test_a_snapshot_with_one_wrong_number_is_refused(mini, change, error, message):
    dataclasses.replace(mini)
    with pytest.raises(error, match=message):
        dataclasses.replace(mini, **change(mini))


def test_numbers_are_rounded_to_what_is_posted(mini):
    moved = dataclasses.replace(mini, volatility=mini.volatility + 3e-7, forward=mini.forward)
    assert moved == mini
    assert (moved.volatility[3], moved.hash) == (mini.volatility[3], mini.hash)
    with pytest.raises(ValueError, match="read-only"):
        moved.forward[3] = 1


def edit_document(mini, edit):
    document = json.loads(render_market(mini))
    edit(document)
    return dump_document(document)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda d: d.update(format="other"), MalformedFile, "format is 'other'; allowed: 'zkmargin.market/3'"),
        (lambda d: d.update(preset="huge"), UnknownName, "unknown preset 'huge'; allowed: mini"),
        (lambda d: d.pop("time"), MalformedFile, "time: Field required"),
        (lambda d: d.update(surprise=1), MalformedFile, "surprise: Extra inputs are not permitted; found 1"),
        (lambda d: d.update(rates={}), OutOfRange, "^rate of BTC is None; allowed: -1.0 to 1.0"),
        (lambda d: d.update(funding={}), OutOfRange, "^funding of BTC is None; allowed: -1.0 to 1.0"),
        (lambda d: d.update(accrued_funding={}), OutOfRange, "^accrued funding of BTC is None"),
        (lambda d: d["instruments"][3].update(strike="76000"), MalformedFile, "instruments.3.strike: .*found '76000'"),
        (lambda d: d["instruments"][3].update(volatility=-0.5), OutOfRange, "volatility of BTC-.* is -0.5; allowed"),
        (lambda d: d["instruments"][3].pop("volatility"), OutOfRange, "volatility of BTC-25SEP26-76000-P .* is nan"),
        (lambda d: d["instruments"][3].update(slot=16), OutOfRange, "slot of .* is 16; allowed: 0 to 15"),
        (lambda d: d["instruments"][3].update(slot=4), MalformedFile, "slot 4 holds .* and .*; allowed: one"),
        (lambda d: d["instruments"].append(d["instruments"][3]), MalformedFile, "slot 3 holds"),
    ],
)
def test_a_file_with_one_wrong_thing_is_refused(mini, edit, error, message):
    assert parse_market(edit_document(mini, lambda d: None)) == mini
    with pytest.raises(error, match=message):
        parse_market(edit_document(mini, edit))


def test_a_repeated_key_is_refused(mini):
    text = render_market(mini).replace(' "time":', ' "time": 1,\n "time":', 1)
    with pytest.raises(DuplicateName, match="key in market file 'time' appears more than once"):
        parse_market(text)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_json_without_finite_numbers_is_refused(mini, number):
    forward = json.dumps(float(mini.forward[3]))
    with pytest.raises(OutOfRange, match=r"forward of .* is (nan|inf)"):
        parse_market(render_market(mini).replace(f'"forward": {forward}', f'"forward": {number}', 1))


def test_text_that_is_no_json_is_refused():
    with pytest.raises(MalformedFile, match="market file: no JSON"):
        parse_market("{")


def test_a_file_may_have_svi_parameters_instead_of_volatilities(mini):
    flat = {"b": 0.0, "rho": 0.0, "m": 0.0, "sigma": 0.1}

    def with_svi(document):
        for row in document["instruments"]:
            row.pop("volatility", None)
        dates = {(row["underlying"], row["expiry"]) for row in document["instruments"] if row["kind"] == "option"}
        document["svi"] = [
            {"underlying": coin, "expiry": expiry, "a": 0.25 * (expiry - mini.time) / (365 * 86_400), **flat}
            for coin, expiry in sorted(dates)
        ]

    read = parse_market(edit_document(mini, with_svi))
    assert read.volatility[mini.listing.is_option] == pytest.approx(0.5)

    def with_both(document):
        with_svi(document)
        document["instruments"][3]["volatility"] = 0.5

    with pytest.raises(MalformedFile, match="has a volatility and the file has svi; allowed: one of the two"):
        parse_market(edit_document(mini, with_both))

    def with_one_twice(document):
        with_svi(document)
        document["svi"].append(document["svi"][0])

    with pytest.raises(MalformedFile, match="twice; allowed: once"):
        parse_market(edit_document(mini, with_one_twice))


def test_an_unknown_market_names_the_shipped_ones():
    names = "deribit_2025-12-30, deribit_2026-02-05, deribit_2026-08-22"
    with pytest.raises(UnknownName, match=f"'nowhere'; allowed: {names}"):
        load_snapshot("nowhere")


def test_a_market_is_read_from_a_path(tmp_path, mini):
    path = tmp_path / "market.json"
    path.write_text(render_market(mini))
    assert load_snapshot(path) == load_snapshot(str(path)) == mini
    assert load_observations(path) == {}


def test_observations_are_of_listed_options_and_once(tmp_path, mini):
    observed = {"name": "BTC-25SEP26-76000-P", "mark": 0.05, "delta": -0.5, "bid": None, "ask": 0.06}
    observed |= {"open_interest": 1.0, "volume": 0.0}
    path = tmp_path / "market.json"

    def load(*observations):
        path.write_text(edit_document(mini, lambda document: document.update(observations=list(observations))))
        return load_observations(path)

    assert load(observed)["BTC-25SEP26-76000-P"].bid is None
    with pytest.raises(DuplicateName, match="observation of 'BTC-25SEP26-76000-P' appears more than once"):
        load(observed, observed)
    with pytest.raises(UnknownName, match="unknown observed instrument 'BTC-25SEP26-1-P'"):
        load(observed | {"name": "BTC-25SEP26-1-P"})


def test_shipped_files_are_within_their_size():
    assert all(path.stat().st_size < 2_000_000 for path in DATA.glob("*.json"))


def test_the_mini_listing(shipped):
    mini = reduce_to_mini(shipped)
    listing = mini.listing
    assert listing.is_listed.all()
    assert mini == reduce_to_mini(MarketSnapshot.from_bytes(shipped.to_bytes()))
    for first in (0, 8):
        put, call, low, high, last = listing.instruments[first + 3 : first + 8]
        assert (put.strike, put.expiry, put.is_call, call.is_call) == (call.strike, call.expiry, False, True)
        assert not low.is_call and low.strike < put.strike
        assert high.is_call and high.strike > call.strike
        assert last.expiry != put.expiry
    # The same market: what both list has the same price.
    prices = price_per_lot(shipped)
    for item, price in zip(listing.instruments, price_per_lot(mini), strict=True):
        assert price == prices[shipped.listing.get(item.name).slot]


def test_a_market_that_lists_too_little_has_no_mini_listing(mini):
    kept = tuple(None if slot == 3 else item for slot, item in enumerate(mini.listing.instruments))
    thin = dataclasses.replace(
        mini,
        listing=dataclasses.replace(mini.listing, instruments=kept),
        forward=with_value(mini.forward, 3, math.nan),
        volatility=with_value(mini.volatility, 3, math.nan),
    )
    with pytest.raises(UnknownName, match="BTC instrument for 16 slots 'call with a put at its strike'"):
        reduce_to_mini(thin)
