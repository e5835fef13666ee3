"""The estimate from the shipped records, and the shipped markets that carry it."""

import math
import re
from dataclasses import replace
from functools import lru_cache

import pytest

from zkmargin.engine.contagion.estimate import StaleState, compute_branching, estimate, estimate_crowding, round_figures
from zkmargin.engine.contagion.records import CoinState, DepthRecord, EventRecord, StateRecord, load_record
from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName
from zkmargin.engine.margin.buffer import compute_charge
from zkmargin.engine.margin.parameters import load_parameters
from zkmargin.engine.market.file import load_snapshot
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import read_utc

BOOK = load_record(DepthRecord, "depth_2025-10-10")
EVENT = load_record(EventRecord, "event_2025-10-10")
BAND = load_parameters().price_range
DATES = ("2026-02-05", "2026-08-22")


def get_inputs(date):
    snapshot = load_snapshot(f"deribit_{date}")
    numbers = [{coin.value: value for coin, value in x.items()} for x in (snapshot.index, snapshot.daily_volatility)]
    return snapshot, (load_record(StateRecord, f"state_{date}"), BOOK, EVENT, *numbers, BAND)


PRESENT = read_utc("2026-02-05T21:29:37", "").timestamp()
"""Time of the crash's market."""


def make_present(**changes):
    """The crash's record as if its open interest had been read an hour before; `changes` are BTC's."""
    state = load_record(StateRecord, "state_2026-02-05")
    read = {
        coin: each.model_copy(update={"open_interest_time": "2026-02-05T20:30:00"})
        for coin, each in state.coins.items()
    }
    read[Coin.BTC] = read[Coin.BTC].model_copy(update=changes)
    return state.model_copy(update={"coins": read})


@lru_cache
def get_estimate(date):
    snapshot, inputs = get_inputs(date)
    return estimate(*inputs, snapshot.time, is_replay=True)


@pytest.mark.property("P-114")
def test_a_present_record_is_taken():
    snapshot, inputs = get_inputs("2026-02-05")
    found = estimate(make_present(), *inputs[1:], snapshot.time)
    assert found.departures == () and found.contagion_multiplier > 1.9


@pytest.mark.property("P-114")
@pytest.mark.parametrize(
    "seconds, changes, message",
    [
        (86_401, {}, r"time of the state record is .* \(24\.0 hours old\); allowed: up to 24 hours before"),
        (-1, {}, r"time of the state record is .* \(0\.0 hours ahead\)"),
        (0, {"open_interest_time": "2026-02-04T21:00:00"}, r"time of BTC's open interest is .* \(24\.5 hours old\)"),
        (0, {"open_interest_time": "2026-02-20T04:00:00"}, r"time of BTC's open interest is .* \(342\.5 hours ahead\)"),
        (0, {"candle_hours": 6.0}, r"candle of BTC's large moves, hours, is 6\.0; allowed: at most 1"),
    ],
)
def test_a_stale_or_future_or_coarse_record_is_refused(seconds, changes, message):
    """The shipped records are 155 days old and 14 days ahead, and count moves of half a day."""
    _, inputs = get_inputs("2026-02-05")
    state, now = make_present(**changes), int(PRESENT) + seconds
    with pytest.raises(StaleState, match=message):
        estimate(state, *inputs[1:], now)
    replayed = estimate(state, *inputs[1:], now, is_replay=True)
    assert any(re.search(message, departure) for departure in replayed.departures)


def test_the_shipped_records_are_replays():
    """What is said of them in docs/cavb.md."""
    assert [departure.split(" is ")[0] for departure in get_estimate("2026-08-22").departures] == [
        "time of BTC's open interest", "time of ETH's open interest",
        "candle of BTC's large moves, hours,", "candle of ETH's large moves, hours,",
    ]  # fmt: skip
    assert len(get_estimate("2026-02-05").departures) == 2


@pytest.mark.property("P-68")
@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("coin", Coin)
def test_the_shipped_markets_ask_no_less_than_the_estimate(date, coin):
    snapshot, _ = get_inputs(date)
    found = get_estimate(date)
    assert snapshot.contagion_multiplier == pytest.approx(found.contagion_multiplier, abs=0.005)
    shipped, estimated = snapshot.crowding[coin], found.crowding[coin.value]
    assert shipped.depth_down == pytest.approx(estimated.depth_down, rel=0.01)
    assert shipped.depth_up == pytest.approx(estimated.depth_up, rel=0.01)
    for size in (1e5, 1e8, -1e5, -1e8):
        asked, needed = (
            compute_charge(size, crowding, snapshot.contagion_multiplier) for crowding in (shipped, estimated)
        )
        assert asked >= 0.99 * needed, size
        assert size < 0 or asked <= 1.15 * needed, size


def test_a_crash_raises_the_multiplier_and_lowers_depth():
    (calm, crash) = (get_estimate(date) for date in ("2026-08-22", "2026-02-05"))
    assert calm.contagion_multiplier == 1.0 < 1.9 < crash.contagion_multiplier <= 2.0
    for coin in ("BTC", "ETH"):
        assert crash.crowding[coin].depth_down < calm.crowding[coin].depth_down
    assert min(crash.branching) > 0.6 > max(calm.branching)


def test_longs_are_the_crowd_that_october_showed():
    scales = EVENT.get_distance_scales()
    assert EVENT.closed_share == pytest.approx(1 - 481 / 560)
    assert scales["up"] > 3 * scales["down"]
    crowding, ladders = estimate_crowding(*get_inputs("2026-08-22")[1])
    assert ladders["down"].notional.sum() == pytest.approx(
        load_record(StateRecord, "state_2026-08-22").coins["BTC"].open_interest * 77_062.83 * EVENT.closed_share,
        rel=0.02,
    )
    assert crowding["BTC"].ladder_up < 0.4 * crowding["BTC"].ladder_down


def test_more_open_interest_raises_the_ladder_and_never_the_depth():
    _, inputs = get_inputs("2026-08-22")
    state = inputs[0]
    doubled = state.coins["BTC"].model_copy(update={"open_interest": 2 * state.coins["BTC"].open_interest})
    more = state.model_copy(update={"coins": {**state.coins, "BTC": doubled}})
    one, other = (estimate_crowding(s, *inputs[1:])[0]["BTC"] for s in (state, more))
    assert other.ladder_down == pytest.approx(2 * one.ladder_down, rel=0.01)
    assert other == replace(one, ladder_down=other.ladder_down, ladder_up=other.ladder_up)


def test_a_handful_of_events_is_no_estimate():
    few = CoinState(
        open_interest=1.0, open_interest_time="", candle_hours=1.0, large_moves=[float(k) for k in range(600, 619)]
    )
    assert compute_branching(few, 768.0) == 0.0


def test_figures_are_rounded():
    assert round_figures(123_456.0) == 123_000.0 and round_figures(0.0) == 0.0


def test_records_refuse_unknown_names_and_fields(tmp_path):
    with pytest.raises(UnknownName, match="depth_2025-10-10"):
        load_record(DepthRecord, "depth_2025-10-11")
    with pytest.raises(MalformedFile):
        load_record(DepthRecord, "event_2025-10-10")
    text = BOOK.model_dump_json().replace('"price"', '"prize"')
    (tmp_path / "book.json").write_text(text)
    with pytest.raises(MalformedFile, match="price"):
        load_record(DepthRecord, str(tmp_path / "book.json"))


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_an_estimate_of_nothing_is_not_rounded_to_zero(value):
    assert round_figures(123_456.0) == 123_000.0 and round_figures(0.0) == 0.0
    with pytest.raises(OutOfRange, match="estimate is"):
        round_figures(value)


def test_a_large_move_without_its_hour_does_not_calm_the_market():
    figures = load_record(StateRecord, "state_2026-02-05").coins[Coin.BTC]
    with pytest.raises(OutOfRange, match="hour of a large move is nan"):
        compute_branching(figures.model_copy(update={"large_moves": [1.0, math.nan]}), 768.0)
