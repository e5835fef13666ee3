"""`zkmargin market`: chains from files and from the venue's API, against recorded forms of its answers."""

import json
from datetime import date, timedelta

import httpx
import numpy as np
import pytest

from tests.scripts.test_derive_snapshot import small_chain, write_api, write_chain, write_summary
from tests.support.cli import run_command
from zkmargin.engine.calibration.filters import filter_ewma
from zkmargin.engine.errors import DuplicateName, MalformedFile, OutOfRange, WrongKind
from zkmargin.engine.market.file import load_snapshot
from zkmargin.scripts.cli.market import Layout
from zkmargin.scripts.derive.closes import filter_closes, read_daily_volatility
from zkmargin.scripts.derive.deribit import SUMMARY, TICKER, DeribitClient, FeedUnavailable, keep_usable
from zkmargin.scripts.derive.readers import READERS


def write_closes(path, prices, start=date(2026, 1, 1)):
    lines = [f"{start + timedelta(days=day)},{price}" for day, price in enumerate(prices)]
    path.write_text("\n".join(["date,close", *lines]) + "\n")
    return path


@pytest.fixture
def closes(tmp_path):
    draws = np.random.default_rng(5).normal(0, 0.02, 100)
    prices = 50_000 * np.exp(np.cumsum(draws))
    return [f"{coin}:{write_closes(tmp_path / f'{coin}.csv', prices)}" for coin in ("BTC", "ETH")], prices


@pytest.mark.parametrize("layout,write", [("collector", write_chain), ("api", write_api), ("api", write_summary)])
def test_a_chain_of_ones_own_becomes_a_market(tmp_path, closes, layout, write):
    files, prices = closes
    named = [part for text in files for part in ("--closes", text)]
    chain, out = write(tmp_path / "chain", small_chain()), tmp_path / "market.json"
    command = ("market", "import", "--chain", str(chain), "--layout", layout, "--source", "my own chain", *named)
    shown = run_command(*command, "--out", str(out), "--json")
    assert shown.returncode == 0, shown.stderr
    snapshot, document = load_snapshot(str(out)), json.loads(shown.stdout)
    assert (snapshot.source, document["snapshot_hash"]) == ("my own chain", "0x" + snapshot.hash.hex())
    expected = filter_ewma(np.diff(np.log(prices))).latest[0]
    assert document["daily_volatility"]["BTC"] == pytest.approx(expected, abs=1e-6)
    assert "crowding and contagion multiplier are those of" in json.loads(out.read_text())["about"]
    refused = run_command(*command[:-2], "--out", str(out))
    assert refused.returncode == 1 and "closes of" in refused.stderr
    assert set(Layout) == set(READERS)


def test_closes_without_a_file_or_twice_are_refused(closes):
    (btc, eth), _ = closes
    for texts, error, words in (
        (["BTC"], WrongKind, "COIN:FILE"),
        (["BTC:"], WrongKind, "COIN:FILE"),
        ([btc, eth, btc], DuplicateName, "BTC"),
    ):
        with pytest.raises(error, match=words):
            read_daily_volatility(texts)


def test_closes_that_are_none_are_refused_by_their_line(tmp_path):
    for prices, edit, words in (
        ([1.0] * 61, None, "has 61 closes; allowed: 62 or more"),
        ([1.0] * 70, ("2026-01-05", "2026-01-06"), "line 6, date is '2026-01-06'; allowed: the day after 2026-01-04"),
        ([1.0] * 70, (",1.0\n2026-01-09", ",0\n2026-01-09"), "close is '0'"),
        ([1.0] * 70, ("2026-01-05", "5.1.2026"), "YYYY-MM-DD"),
        ([1.0, 2.0] * 34 + [1e9], None, "return"),
        ([1.0] * 70, None, "variance"),
    ):
        path = write_closes(tmp_path / "closes.csv", prices)
        if edit:
            path.write_text(path.read_text().replace(*edit, 1))
        with pytest.raises((MalformedFile, OutOfRange), match=words):
            filter_closes(path)


def test_a_market_takes_the_place_of_no_file_of_closes(tmp_path, closes):
    _, prices = closes
    read = write_closes(tmp_path / "BTC.json", prices)
    command = ("market", "import", "--chain", "chain.json", "--source", "mine", "--closes", f"BTC:{read}")
    shown = run_command(*command, "--out", str(read))
    assert shown.returncode == 1 and "it is what the command reads" in " ".join(shown.stderr.split())
    assert read.read_text().startswith("date,close")


def make_book(**changes):
    return {"instrument_name": "BTC-27MAR26-50000-C", "creation_timestamp": 10**12, "bid_price": 0.01} | changes


def test_the_api_is_asked_again_where_it_limits_and_not_where_it_refuses():
    pauses, answers = [], [
        httpx.Response(429, json={"error": {"code": 10028}}),
        httpx.Response(200, json={"error": {"code": 10028}}),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, json={"result": [make_book()]}),
        httpx.Response(400, json={"error": {"code": -32602}}),
        *[httpx.Response(429, json={})] * 5,
    ]  # fmt: skip

    def answer(request):
        return answers.pop(0)

    with httpx.Client(transport=httpx.MockTransport(answer)) as session:
        client = DeribitClient(session, sleep=pauses.append)
        assert client.ask("ticker", list) == [make_book()] and pauses == [1.0, 2.0, 4.0]
        with pytest.raises(FeedUnavailable, match="ticker: status 400, code -32602"):
            client.ask("ticker", list)
        assert len(pauses) == 3
        with pytest.raises(FeedUnavailable, match="status 429"):
            client.ask("ticker", list)
        assert len(pauses) == 7 and not answers


def make_ticker(**changes):
    return {"instrument_name": "BTC-PERPETUAL", "timestamp": 10**12, "best_bid_price": 100.0} | changes


@pytest.mark.parametrize(
    ("method", "make", "stamp", "ask"),
    [(SUMMARY, make_book, "creation_timestamp", "ask_price"), (TICKER, make_ticker, "timestamp", "best_ask_price")],
)
def test_crossed_and_stale_quotes_are_left_out(method, make, stamp, ask):
    """Of options, and of futures and perpetuals; an ask of zero is none."""
    good, crossed, one_sided = make(**{ask: 101}), make(**{ask: 0.009}), make(**{ask: 0.0})
    stale, old = (make(**{stamp: 10**12 - age, ask: None}) for age in (120_001, 120_000))
    assert keep_usable(method, [good, crossed, stale, old, one_sided]) == [good, old, one_sided]
    with pytest.raises(FeedUnavailable, match=f"{method}: none of 1 quotes"):
        keep_usable(method, [crossed])


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([{"error": None}], "status 200, code None"),
        ([{"error": "busy"}], "status 200, code None"),
        ([[]], "status 200, code None"),
        ([{"result": {}}], "result is '{}'; allowed: list"),
        ([{"result": None}], "result is 'None'; allowed: list"),
        ([{"result": [make_book()]}, {"result": ["x"]}], "entry is 'x'; allowed: dict"),
        ([{"result": [make_book()]}, {"result": [{}]}], "instrument_name is 'None'; allowed: str"),
        (
            [{"result": [make_book()]}, {"result": [make_book()]}, {"result": []}],
            "ticker: result is '.*'; allowed: dict",
        ),
        ([{"result": [make_book(creation_timestamp=None)]}, {"result": []}], "creation_timestamp is 'None'"),
        ([{"result": [make_book(bid_price="1")]}, {"result": []}], "bid_price is '1'"),
        ([{"result": [make_book()]}, {"result": []}], "ticker: none of 0 quotes"),
    ],
)
def test_an_answer_of_another_form_is_refused(answers, words):
    replies = iter(answers)
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=next(replies)))
    with httpx.Client(transport=transport) as session, pytest.raises(FeedUnavailable, match=words):
        DeribitClient(session, sleep=lambda seconds: None).fetch()


def test_what_is_fetched_is_what_the_layout_reads(tmp_path):
    """The venue's answers for each coin: summaries of its options, tickers of its perpetual."""
    rows, asked = small_chain(), []

    def answer(request):
        coin, method = request.url.params.get("currency"), request.url.path.rsplit("/", 1)[1]
        asked.append(method)
        if method == "ticker":
            name = request.url.params["instrument_name"]
            ticker = {"instrument_name": name, "timestamp": stamp, "mark_price": 50_100.0, "index_price": 50_000.0,
                      "best_bid_price": 50_099.0, "best_ask_price": 50_101.0, "open_interest": 1.0}  # fmt: skip
            return httpx.Response(200, json={"result": ticker | {"funding_8h": 0.0001}})
        if request.url.params["kind"] == "future":
            return httpx.Response(200, json={"result": [{"instrument_name": f"{coin}-PERPETUAL"}]})
        return httpx.Response(200, json={"result": [item for item in summary if item["instrument_name"][:3] == coin]})

    summary = json.loads(write_summary(tmp_path / "a", rows).read_text())[1]["result"]
    stamp = summary[0]["creation_timestamp"]
    with httpx.Client(transport=httpx.MockTransport(answer)) as session:
        responses = DeribitClient(session).fetch()
    path = tmp_path / "chain.json"
    path.write_text(json.dumps(responses))
    chain = READERS["api"](path)
    assert (len(chain.options), len(chain.linear)) == (36, 2) and asked.count("ticker") == 2
