"""The deriving script on a small made-up chain in the source's format: the listing rule, one candidate at a time."""

import csv
import json
import math
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from zkmargin.engine.errors import DuplicateName, MalformedFile, MixedExpiry, OutOfRange, WrongKind
from zkmargin.engine.market.black76 import black76_greeks, black76_price
from zkmargin.engine.market.file import CrowdingRow, dump_document, load_observations, load_snapshot, parse_market
from zkmargin.engine.market.instruments import InstrumentKind, canonical_name
from zkmargin.engine.market.listings import to_preset
from zkmargin.engine.presets import Coin, get_preset
from zkmargin.scripts.derive.chain import merge_chains
from zkmargin.scripts.derive.readers import COLLECTOR, READERS, read_collector
from zkmargin.scripts.derive.snapshot import Facts, main, select_futures, select_options
from zkmargin.scripts.derive.snapshot import derive_document as derive

TIME = datetime(2026, 3, 1, 12, 30, 5, 250_000, tzinfo=UTC)
DAY = date(2026, 3, 1)
CROWD = {"ladder_down": 1e6, "ladder_up": 2e6, "depth_down": 3e6, "depth_up": 4e6, "impact": 0.01}
FACTS = Facts(
    daily_volatility={"BTC": 0.02, "ETH": 0.03},
    crowding={coin: CrowdingRow(**CROWD) for coin in ("BTC", "ETH")},
    contagion_multiplier=1.5,
)
FALLBACK = ("underlying", "underlying_name")
SOURCE = "a chain that was made up"
FORWARDS = {"BTC": 50_000.0, "ETH": 2_000.0}


def make_row(coin="BTC", days=30, moneyness=1.0, is_call=True, **changes):
    """A row whose mark and delta follow from the rest; `changes` override columns."""
    expiry = (TIME + timedelta(days=days)).replace(hour=8, minute=0, second=0, microsecond=0)
    forward, volatility = FORWARDS[coin], 0.5
    strike = round(forward * moneyness)
    years = (expiry - TIME).total_seconds() / (365 * 86_400)
    inputs = (forward, strike, max(years, 0), volatility, is_call)
    name = canonical_name(InstrumentKind.OPTION, Coin(coin), int(expiry.timestamp()), float(strike), is_call)
    return {
        "timestamp": TIME.isoformat(),
        "instrument_name": name,
        "option_type": "call" if is_call else "put",
        "strike": strike,
        "expiry_datetime": expiry.isoformat(),
        "futures_price": forward,
        "futures_instrument_name": name.rsplit("-", 2)[0],
        "mark_price": float(black76_price(*inputs)) / forward,
        "bid_price": "",
        "ask_price": 0.2,
        "implied_volatility": volatility,
        "delta": float(black76_greeks(*inputs).delta),
        "open_interest": 10.0,
        "volume": 1.0,
        "currency": coin,
        "index_price": forward * 0.999,
    } | changes


def write_chain(path, rows, columns=(*COLLECTOR, *FALLBACK)):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def derive_document(path, day, preset, facts, **options):
    return derive(read_collector(path), SOURCE, day, preset, facts, **options)


def small_chain():
    return [
        make_row(coin, days, moneyness, is_call)
        for coin in ("BTC", "ETH")
        for days in (3, 30, 60)
        for moneyness in (0.95, 1.0, 1.05)
        for is_call in (True, False)
    ]


@pytest.fixture
def chosen(tmp_path):
    """Names that the rule takes of some rows of bitcoin options."""

    def choose(rows, count=120):
        chain = read_collector(write_chain(tmp_path / "chain.csv", rows))
        return [ticker.name for ticker in select_options(chain.options, chain.time, count, index=50_000.0)]

    return choose


def test_the_script_writes_a_market_that_loads(tmp_path, capsys):
    chain, output = write_chain(tmp_path / "chain.csv", small_chain()), tmp_path / "market.json"
    facts = tmp_path / "facts.json"
    facts.write_text(FACTS.model_dump_json())
    main(
        [
            "--chain",
            str(chain),
            "--date",
            "2026-03-01",
            "--facts",
            str(facts),
            "--output",
            str(output),
            "--source",
            SOURCE,
        ]
    )
    snapshot = load_snapshot(output)
    assert snapshot.time == int(TIME.timestamp())
    said = capsys.readouterr().out
    assert snapshot.hash.hex() in said
    assert "36 options, of them 0 with the underlying's price as forward; 0 with neither left out" in said
    assert snapshot.source == SOURCE
    assert snapshot.index == {"BTC": 49_950.0, "ETH": 1_998.0}
    assert snapshot.daily_volatility == {"BTC": 0.02, "ETH": 0.03} and snapshot.contagion_multiplier == 1.5
    assert snapshot.crowding["ETH"].depth_up == 4e6
    listing = snapshot.listing
    # Per coin: spot, perpetual, two futures (the third expiry is too near), 18 options.
    assert [int((listing.kind[:128] == code).sum()) for code in (1, 2, 3, 4)] == [1, 1, 2, 18]
    assert listing.instruments[0].name == "BTC-SPOT" and listing.instruments[128].name == "WETH-SPOT"
    assert snapshot.forward[1] == 49_950.0 and snapshot.forward[2] == 50_000.0
    keys = [(item.expiry, item.strike, item.is_call) for item in listing.instruments[8:26]]
    assert keys == sorted(keys)
    assert listing.instruments[26] is None
    observation = load_observations(output)[listing.instruments[8].name]
    assert observation.bid is None and observation.ask == 0.2
    years = snapshot.years[8]
    price = black76_price(snapshot.forward[8], listing.strike[8], years, 0.5, listing.is_call[8])
    # The snapshot's time is in whole seconds.
    assert price / snapshot.forward[8] == pytest.approx(observation.mark, abs=1e-6)


def test_the_same_chain_gives_the_same_file(tmp_path):
    rows = small_chain()
    forward = write_chain(tmp_path / "a.csv", rows)
    backward = write_chain(tmp_path / "b.csv", rows[::-1])
    documents = [derive_document(path, DAY, get_preset("standard"), FACTS) for path in (forward, backward)]
    assert json.dumps(documents[0]) == json.dumps(documents[1])


NEAR = make_row()


@pytest.mark.parametrize(
    ("row", "is_listed"),
    [
        (make_row(moneyness=1.02), True),
        (make_row(moneyness=1.02, ask_price=""), False),
        (make_row(moneyness=1.02, ask_price=0.0), False),
        (make_row(moneyness=1.02, bid_price=""), True),
        (make_row(days=1), False),
        (make_row(days=2), True),  # expires at 8:00, 1.8 days away
        (make_row(moneyness=math.exp(4.45 * 0.5 * math.sqrt(29.81 / 365))), True),
        (make_row(moneyness=math.exp(4.55 * 0.5 * math.sqrt(29.81 / 365))), False),
        (make_row(moneyness=math.exp(-4.55 * 0.5 * math.sqrt(29.81 / 365))), False),
    ],
)
def test_who_is_a_candidate(chosen, row, is_listed):
    names = chosen([NEAR, row])
    assert NEAR["instrument_name"] in names
    assert (row["instrument_name"] in names) == is_listed


def test_the_score_counts_volume_five_times_and_names_break_ties(chosen):
    rows = [
        make_row(moneyness=1.0, open_interest=100.0, volume=0.0),
        make_row(moneyness=1.01, open_interest=0.0, volume=21.0),
        make_row(moneyness=1.02, open_interest=0.0, volume=19.0),
        make_row(moneyness=1.03, open_interest=95.0, volume=0.0),
    ]
    names = [row["instrument_name"] for row in rows]
    assert chosen(rows, 1) == [names[1]]
    assert chosen(rows, 2) == [names[0], names[1]]
    # The third and fourth score the same: the first name wins.
    assert chosen(rows, 3) == names[:3]


def test_each_expiry_gets_six_before_the_score_decides(chosen):
    busy = [make_row(moneyness=1 + k / 100, open_interest=1000.0 + k) for k in range(10)]
    quiet = [make_row(days=60, moneyness=1 + k / 100, open_interest=1.0 + k) for k in range(10)]
    names = chosen(busy + quiet, 13)
    assert sum(row["instrument_name"] in names for row in quiet) == 6
    assert sum(row["instrument_name"] in names for row in busy) == 7
    assert {row["instrument_name"] for row in quiet[4:]} <= set(names)


def test_futures_are_the_expiries_of_most_interest_and_real_ones_first(tmp_path):
    rows = [
        make_row(days=3, open_interest=1e6),
        make_row(days=20, open_interest=5.0, futures_price=50_100.0),
        make_row(days=20, moneyness=1.1, open_interest=5.0, futures_price=50_300.0),
        make_row(days=40, open_interest=7.0),
        make_row(days=60, open_interest=1e5, futures_instrument_name="SYN.BTC-30APR26"),
    ]
    chain = read_collector(write_chain(tmp_path / "chain.csv", rows))
    time, tickers = chain.time, chain.options
    expiries = [int(datetime.fromisoformat(row["expiry_datetime"]).timestamp()) for row in rows]
    assert select_futures(tickers, time, 1) == [(expiries[1], 50_200.0)]
    assert [expiry for expiry, _ in select_futures(tickers, time, 2)] == [expiries[1], expiries[3]]
    assert [expiry for expiry, _ in select_futures(tickers, time, 6)] == [expiries[1], expiries[3], expiries[4]]


def test_a_name_that_contradicts_its_row_is_refused(tmp_path):
    rows = small_chain()
    chain = write_chain(tmp_path / "chain.csv", [rows[-1] | {"instrument_name": "ETH-1APR26-9999-C"}, *rows[:-1]])
    with pytest.raises(MalformedFile, match="'ETH-1APR26-9999-C' has the facts of ETH-30APR26-2100-P"):
        derive_document(chain, DAY, get_preset("standard"), FACTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"futures_price": "nan"}, "line 3, futures_price is 'nan'; allowed: a finite number"),
        ({"strike": ""}, "line 3, strike is ''"),
        ({"delta": "low"}, "line 3, delta is 'low'"),
        ({"option_type": "straddle"}, "line 3, option_type is 'straddle'; allowed: call, put"),
    ],
)
def test_a_chain_with_one_wrong_field_is_refused(tmp_path, change, message):
    read_collector(write_chain(tmp_path / "chain.csv", [NEAR, make_row(moneyness=1.1)]))
    with pytest.raises(MalformedFile, match=message):
        read_collector(write_chain(tmp_path / "chain.csv", [NEAR, make_row(moneyness=1.1) | change]))


def test_a_chain_without_a_column_or_without_rows_is_refused(tmp_path):
    columns = [column for column in COLLECTOR if column != "delta"]
    with pytest.raises(MalformedFile, match=r"columns \['delta'\] are missing"):
        read_collector(write_chain(tmp_path / "chain.csv", [NEAR], columns))
    with pytest.raises(MalformedFile, match="has no rows"):
        read_collector(write_chain(tmp_path / "chain.csv", []))


def test_a_chain_of_another_day_or_of_one_coin_is_refused(tmp_path):
    chain = write_chain(tmp_path / "chain.csv", small_chain())
    with pytest.raises(OutOfRange, match=r"day of chain\.csv is '2026-03-01'; allowed: 2026-03-02"):
        derive_document(chain, date(2026, 3, 2), get_preset("standard"), FACTS)
    with pytest.raises(MalformedFile, match="has no row of ETH"):
        derive_document(write_chain(chain, [NEAR]), DAY, get_preset("standard"), FACTS)


@pytest.mark.parametrize("shift", ["", "+00:00", "+05:30", "-08:00"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_a_chain_means_the_same_in_every_zone(tmp_path, monkeypatch, zone, shift):
    """Times without an offset are UTC; others are converted. The machine's zone decides nothing."""

    def write_time(text: str) -> str:
        moment = datetime.fromisoformat(text)
        if not shift:
            return moment.replace(tzinfo=None).isoformat()
        return moment.astimezone(datetime.fromisoformat(f"2026-01-01T00:00:00{shift}").tzinfo).isoformat()

    columns = ("timestamp", "expiry_datetime")
    rows = [row | {column: write_time(row[column]) for column in columns} for row in small_chain()]
    expected = derive_document(write_chain(tmp_path / "a.csv", small_chain()), DAY, get_preset("standard"), FACTS)
    monkeypatch.setenv("TZ", zone)
    try:
        time.tzset()
        document = derive_document(write_chain(tmp_path / "b.csv", rows), DAY, get_preset("standard"), FACTS)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert document == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"futures_price": 0.0}, r"line 3, futures_price is '0\.0'; allowed: a finite number above 0"),
        ({"strike": 0}, "line 3, strike is '0'; allowed: a finite number above 0"),
        ({"index_price": -1}, "line 3, index_price is '-1'; allowed: a finite number above 0"),
        ({"implied_volatility": 0}, "line 3, implied_volatility is '0'; allowed: a finite number above 0"),
        ({"ask_price": -0.01}, r"line 3, ask_price is '-0\.01'; allowed: a finite number at least 0"),
        ({"open_interest": "inf"}, "line 3, open_interest is 'inf'; allowed: a finite number"),
        ({"currency": "SOL"}, "line 3, currency is 'SOL'; allowed: BTC, ETH"),
        ({"expiry_datetime": "soon"}, "line 3, expiry_datetime: time is 'soon'; allowed: ISO 8601"),
    ],
)
def test_a_row_that_would_divide_by_nothing_is_refused_by_its_line(tmp_path, change, message):
    with pytest.raises(MalformedFile, match=message):
        read_collector(write_chain(tmp_path / "chain.csv", [NEAR, make_row(moneyness=1.1) | change]))


@pytest.mark.parametrize("cells", [3, len(COLLECTOR) + len(FALLBACK) + 1])
def test_a_row_of_another_length_is_refused_by_its_line(tmp_path, cells):
    path = write_chain(tmp_path / "chain.csv", [NEAR])
    path.write_text(path.read_text() + ",".join(["1"] * cells) + "\n")
    with pytest.raises(MalformedFile, match="line 3 has more or fewer cells than the header"):
        read_collector(path)


def test_options_beside_a_future_of_another_hour_are_refused(tmp_path):
    rows = small_chain()
    moved = rows[-1]["expiry_datetime"].replace("T08:", "T09:")
    assert moved != rows[-1]["expiry_datetime"]
    with pytest.raises(MixedExpiry, match="ETH-30APR26"):
        chain = write_chain(tmp_path / "chain.csv", [*rows[:-1], rows[-1] | {"expiry_datetime": moved}])
        derive_document(chain, DAY, get_preset("standard"), FACTS)


class TestGaps:
    """Rows whose forward the source leaves blank."""

    def blank(self, **changes):
        return make_row(moneyness=1.1, futures_price="", futures_instrument_name="") | changes

    def test_the_price_of_the_underlying_stands_for_a_blank_forward_and_is_marked(self, tmp_path):
        facts = {"underlying": 50_005.0, "underlying_name": "index_price"}
        chain = read_collector(write_chain(tmp_path / "chain.csv", [NEAR, self.blank(**facts)]))
        plain, fallen = chain.options
        assert (plain.forward, plain.is_fallback, plain.has_future) == (50_000.0, False, True)
        assert (fallen.forward, fallen.is_fallback, fallen.has_future) == (50_005.0, True, False)
        assert (chain.fallbacks, chain.dropped) == (1, 0)

    def test_a_row_with_neither_is_left_out_and_counted(self, tmp_path):
        chain = read_collector(write_chain(tmp_path / "chain.csv", [NEAR, self.blank()]))
        assert [row.name for row in chain.options] == [NEAR["instrument_name"]] and chain.dropped == 1

    @pytest.mark.parametrize("value", ["nan", "0", "-5", "low"])
    def test_a_price_that_is_none_is_refused_and_not_replaced(self, tmp_path, value):
        rows = [NEAR, self.blank(underlying=value)]
        with pytest.raises(MalformedFile, match=f"line 3, underlying is '{value}'"):
            read_collector(write_chain(tmp_path / "chain.csv", rows))

    def test_the_file_says_which_expiries_and_how_many_rows(self, tmp_path):
        rows = [*small_chain(), self.blank(), self.blank(strike=60_000)]
        fallen = [row | {"underlying": row["futures_price"], "futures_price": ""} for row in rows[:6]]
        document = derive_document(
            write_chain(tmp_path / "a.csv", [*fallen, *rows[6:]]), DAY, get_preset("standard"), FACTS
        )
        assert "stands for it: BTC-4MAR26." in document["about"]
        assert "2 rows that have neither were left out." in document["about"]
        plain = derive_document(write_chain(tmp_path / "b.csv", small_chain()), DAY, get_preset("standard"), FACTS)
        assert "left out" not in plain["about"] and "stands for it" not in plain["about"]
        assert plain["instruments"] == document["instruments"]


class TestTimes:
    """Rows of one chain are read one after the other."""

    @pytest.fixture
    def chain(self, tmp_path):
        def read(seconds):
            later = (TIME + timedelta(seconds=seconds)).isoformat()
            return read_collector(write_chain(tmp_path / "chain.csv", [NEAR, self.later(later)]))

        return read

    def later(self, moment):
        return make_row(moneyness=1.1) | {"timestamp": moment}

    def test_a_chain_is_of_its_latest_row(self, chain):
        read = chain(100.0).require_span(300.0)
        assert (read.time, read.first, read.last) == (int(TIME.timestamp() + 100), TIME.timestamp(), read.first + 100)

    def test_rows_beyond_the_span_are_refused_with_both_times(self, chain):
        chain(300.0).require_span(300.0)
        with pytest.raises(OutOfRange, match=r"12:30:05\.250000\+00:00, and its last, .*12:35:05.* is 300\.001"):
            chain(300.001).require_span(300.0)

    @pytest.mark.parametrize("span", ["-1", "nan", "3601"])
    def test_a_span_that_is_none(self, tmp_path, span):
        facts = tmp_path / "facts.json"
        facts.write_text(FACTS.model_dump_json())
        arguments = ["--date", "2026-03-01", "--facts", str(facts), "--output", "x", "--source", SOURCE]
        with pytest.raises(OutOfRange, match="span in seconds"):
            main(["--chain", "x.csv", f"--span={span}", *arguments])


def test_the_least_life_of_an_option_is_the_callers(tmp_path):
    """A day to its expiry: listed where the caller says so, and a life of nothing never."""
    path = write_chain(tmp_path / "chain.csv", [*small_chain(), make_row(days=1), make_row(days=0, moneyness=1.2)])
    listed = {}
    for least in (1.5, 0.5, 0.0):
        document = derive_document(path, DAY, get_preset("standard"), FACTS, least_days=least)
        listed[least] = {row["name"] for row in document["instruments"]}
    assert listed[0.5] - listed[1.5] == {make_row(days=1)["instrument_name"]} and listed[0.0] == listed[0.5]


def test_a_coin_without_rows_is_listed_without_options_where_its_index_is_known(tmp_path):
    rows = [row for row in small_chain() if row["currency"] == "BTC"]
    facts = FACTS.model_copy(update={"index": {"ETH": 2_000.0}})
    document = derive_document(write_chain(tmp_path / "chain.csv", rows), DAY, get_preset("standard"), facts)
    assert [row["name"] for row in document["instruments"] if row["underlying"] == "ETH"] == [
        "WETH-SPOT", "ETH-PERPETUAL",
    ]  # fmt: skip
    assert document["index"] == {"BTC": 49_950.0, "ETH": 2_000.0}


# ------------------------------------------------------------------------------------- the same rows in other layouts
def to_ticker(row):
    """A row as the venue's ticker states it."""
    moment = datetime.fromisoformat(row["timestamp"])
    return {
        "instrument_name": row["instrument_name"],
        "timestamp": round(moment.timestamp() * 1000),
        "underlying_price": row["futures_price"],
        "underlying_index": row["futures_instrument_name"],
        "mark_price": row["mark_price"],
        "mark_iv": 100.0 * row["implied_volatility"],
        "best_bid_price": row["bid_price"] or 0.0,
        "best_ask_price": row["ask_price"],
        "open_interest": row["open_interest"],
        "index_price": row["index_price"],
        "greeks": {"delta": row["delta"], "vega": 1.0},
        "stats": {"volume": row["volume"], "low": None},
    }


def write_tickers(path, rows):
    flat = []
    for row in rows:
        ticker = to_ticker(row)
        greeks, stats = ticker.pop("greeks"), ticker.pop("stats")
        flat.append(ticker | {"greeks_delta": greeks["delta"], "stats_volume": stats["volume"]})
    return write_chain(path, flat, list(flat[0]))


def write_books(path, rows):
    tickers = [to_ticker(row) | {"bids": "[[0.01, 5.0]]"} for row in rows]
    return write_chain(path, tickers, list(tickers[0]))


def write_api(path, rows):
    path.write_text(json.dumps([{"jsonrpc": "2.0", "result": to_ticker(row)} for row in rows]))
    return path


def write_summary(path, rows):
    """A book summary: no delta, no expiry, other names; and the list of instruments beside it."""
    summary = []
    for row in rows:
        ticker = to_ticker(row)
        del ticker["greeks"], ticker["stats"]
        ticker["bid_price"] = ticker.pop("best_bid_price") or None
        ticker["ask_price"] = ticker.pop("best_ask_price")
        ticker["creation_timestamp"] = ticker.pop("timestamp")
        ticker["estimated_delivery_price"] = ticker.pop("index_price")
        summary.append(ticker | {"volume": row["volume"]})
    listed = [{"instrument_name": row["instrument_name"], "kind": "option"} for row in rows]
    path.write_text(json.dumps([{"result": listed}, {"result": summary}]))
    return path


LAYOUTS = {"tickers": write_tickers, "books": write_books, "api": write_api}


@pytest.mark.parametrize("layout,write", [*LAYOUTS.items(), ("api", write_summary)])
def test_every_layout_says_the_same(tmp_path, layout, write):
    rows = small_chain()
    expected = read_collector(write_chain(tmp_path / "a.csv", rows))
    found = READERS[layout](write(tmp_path / "b", rows))
    assert len(found.options) == 36 and abs(found.last - expected.last) < 1e-3
    for one, other in zip(found.options, expected.options, strict=True):
        for field in ("name", "underlying", "expiry", "strike", "is_call", "has_future", "is_fallback", "bid", "ask"):
            assert getattr(one, field) == getattr(other, field), field
        for field in ("forward", "volatility", "index", "mark", "delta", "open_interest", "volume"):
            assert getattr(one, field) == pytest.approx(getattr(other, field), abs=1e-6), field
    document = derive(found, SOURCE, DAY, get_preset("standard"), FACTS)
    assert document["instruments"] == derive(expected, SOURCE, DAY, get_preset("standard"), FACTS)["instruments"]


def test_a_ticker_is_taken_before_a_summary_of_the_same_instrument(tmp_path):
    rows = small_chain()[:2]
    responses = json.loads(write_summary(tmp_path / "a", rows).read_text())
    responses += json.loads(write_api(tmp_path / "b", [rows[0] | {"ask_price": 0.07}]).read_text())
    for order in (responses, responses[::-1]):
        (tmp_path / "c").write_text(json.dumps(order))
        asks = {row.name: row.ask for row in READERS["api"](tmp_path / "c").options}
        assert asks == {rows[0]["instrument_name"]: 0.07, rows[1]["instrument_name"]: 0.2}


def test_perpetuals_and_futures_have_their_own_marks(tmp_path):
    """From tickers of their own, in a second file of the same moment."""
    options = READERS["tickers"](write_tickers(tmp_path / "options.csv", small_chain()))
    linear = [
        {"instrument_name": name, "mark_price": mark, "index_price": 49_950.0, "funding_8h": funding,
         "timestamp": round(TIME.timestamp() * 1000), "open_interest": 1.0, "best_bid_price": 1, "best_ask_price": 2}
        for name, mark, funding in (("BTC-PERPETUAL", 49_960.0, 0.0001), ("BTC-31MAR26", 50_111.0, ""))
    ]  # fmt: skip
    futures = READERS["tickers"](write_chain(tmp_path / "futures.csv", linear, list(linear[0])))
    chain = merge_chains([options, futures])
    document = derive(chain, SOURCE, DAY, get_preset("standard"), FACTS)
    forwards = {row["name"]: row["forward"] for row in document["instruments"]}
    assert forwards["BTC-PERPETUAL"] == 49_960.0 and forwards["BTC-31MAR26"] == 50_111.0
    assert forwards["BTC-30APR26"] == 50_000.0 and forwards["ETH-PERPETUAL"] == document["index"]["ETH"]
    assert document["funding"] == {"BTC": 0.0001, "ETH": 0.0}
    with pytest.raises(DuplicateName, match="BTC-PERPETUAL"):
        merge_chains([options, futures, futures])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("{}", "a response without result"),
        ('{"result": [5]}', "result holds 5"),
        ('{"result": [{"mark_price": 1}]}', "entry 1 has no instrument_name"),
        ('{"result": []}', "has no rows"),
        ('{"result": [{"instrument_name": "SOL-1MAR26-5-C", "mark_price": 1, "timestamp": 1}]}',
         "entry 1, instrument_name is 'SOL-1MAR26-5-C'; allowed: an option, future or perpetual of BTC, ETH"),
        ('{"result": [{"instrument_name": "BTC-31FEB26-5-C", "mark_price": 1, "timestamp": 1, "index_price": 1,'
         '"underlying_price": 1}]}', "a day of the calendar"),
    ],
)  # fmt: skip
def test_a_response_that_is_none_is_refused(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(MalformedFile, match=message):
        READERS["api"](tmp_path / "a.json")


def test_greeks_that_are_no_dictionary_are_refused_by_their_line(tmp_path):
    path = write_books(tmp_path / "books.csv", small_chain()[:1])
    path.write_text(path.read_text().replace("\"{'delta'", "\"__import__('os'){'delta'"))
    with pytest.raises(MalformedFile, match=r"line 2, greeks is .*; allowed: a dictionary"):
        READERS["books"](path)


# ------------------------------------------------------------------------------------ after what is listed already
LATER = TIME + timedelta(days=4)


def quote_at(row, moment):
    """The row as it reads later, at the same forward and volatility."""
    forward = row["futures_price"]
    years = (datetime.fromisoformat(row["expiry_datetime"]) - moment).total_seconds() / (365 * 86_400)
    inputs = (forward, row["strike"], years, row["implied_volatility"], row["option_type"] == "call")
    mark, delta = float(black76_price(*inputs)) / forward, float(black76_greeks(*inputs).delta)
    return row | {"timestamp": moment.isoformat(), "mark_price": mark, "delta": delta}


def derive_market(path, rows, *, moment=TIME, after=None):
    """The market of some rows, all read at that moment."""
    chain = write_chain(path / "chain.csv", [quote_at(row, moment) for row in rows])
    text = dump_document(derive_document(chain, moment.date(), get_preset("standard"), FACTS, after=after))
    return parse_market(text, source="here")


@pytest.fixture
def listed(tmp_path):
    return derive_market(tmp_path, small_chain()).listing


def test_what_is_listed_keeps_its_slot_while_nothing_expires(tmp_path, listed):
    """Though the rule would now choose otherwise: there are options that are traded more, and new ones."""
    rows = [make_row(days=90, open_interest=1e6), *(row | {"ask_price": ""} for row in reversed(small_chain()))]
    market = derive_market(tmp_path, rows, moment=TIME + timedelta(minutes=1), after=listed)
    assert market.listing == listed and market.listing.generation == 0


def test_what_expired_is_followed_in_its_slots_and_nothing_else_moves(tmp_path, listed):
    rows = [row for row in small_chain() if "-4MAR26-" not in row["instrument_name"]]
    rows += [make_row("BTC", 90, moneyness) for moneyness in (0.9, 1.0)] + [make_row("ETH", 90)]
    after = derive_market(tmp_path, rows, moment=LATER, after=listed).listing
    assert after.generation == 1
    expired = [item.slot for item in listed.by_name.values() if item.expiry and item.expiry <= LATER.timestamp()]
    changed = [slot for slot, old in enumerate(listed.instruments) if after.instruments[slot] != old]
    assert changed == expired and len(expired) == 12
    new = [after.instruments[slot].name for slot in expired if after.instruments[slot] is not None]
    assert new == ["BTC-30MAY26-45000-C", "BTC-30MAY26-50000-C", "ETH-30MAY26-2000-C"]


def test_a_future_that_expired_is_followed(tmp_path, listed):
    moment = TIME + timedelta(days=31)
    rows = [row for row in small_chain() if "-30APR26-" in row["instrument_name"]]
    rows += [make_row(coin, 90, changed) for coin in ("BTC", "ETH") for changed in (0.9, 1.0)]
    after = derive_market(tmp_path, rows, moment=moment, after=listed).listing
    slots = after.preset.future_slots(Coin.BTC)
    for listing, names in ((listed, ["BTC-31MAR26", "BTC-30APR26"]), (after, ["BTC-30MAY26", "BTC-30APR26"])):
        assert [item.name for item in map(listing.instruments.__getitem__, slots) if item is not None] == names


def test_a_listed_instrument_without_a_price_is_named(tmp_path, listed):
    rows = small_chain()
    missing = rows.pop(7)["instrument_name"]
    with pytest.raises(MalformedFile, match=f"has no price of {missing}"):
        derive_market(tmp_path, rows, after=listed)
    without = [row for row in small_chain() if "-30APR26-" not in row["instrument_name"]]
    with pytest.raises(MalformedFile, match="has no price of BTC-30APR26;"):
        derive_market(tmp_path, without, after=listed)


def test_a_listing_that_no_chain_follows_is_refused(tmp_path, listed):
    chain = write_chain(tmp_path / "chain.csv", small_chain())
    shipped = load_snapshot("deribit_2026-08-22")  # it lists bonds
    for after, words in ((to_preset(shipped, "mini").listing, "preset"), (shipped.listing, "bond")):
        with pytest.raises(WrongKind, match=words):
            derive_document(chain, DAY, get_preset("standard"), FACTS, after=after)
