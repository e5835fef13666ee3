"""Overlapping windows on made-up chains: losses over margins, and which windows count for an event."""

import pytest

from tests.engine.backtest.test_chain_books import START, make_chain
from zkmargin.engine.presets import Coin
from zkmargin.engine.units import SECONDS_PER_DAY
from zkmargin.scripts.measure import overlapping
from zkmargin.scripts.measure.overlapping import HELD, SLACK, measure_windows, summarise


@pytest.fixture(scope="module")
def records():
    """Two windows of two days: a rise of a fifth, and from the fourth day on nothing."""
    return measure_windows([make_chain(2.0, move=1.2), make_chain(0.0), make_chain(4.1, move=1.2)], least_days=0.25)


def test_a_window_is_two_days_and_has_loss_and_margins_of_one_coin(records):
    assert {(record["struck"] - START, record["end"] - START) for record in records} == {
        (0, HELD), (HELD, int(4.1 * SECONDS_PER_DAY)),
    }  # fmt: skip
    assert 0.1 * SECONDS_PER_DAY <= SLACK
    by_book = {(record["book"], record["coin"]): record for record in records if record["struck"] == START}
    short = by_book["short", Coin.BTC]
    assert short["loss"] == pytest.approx(0.2, abs=1e-4) and by_book["long", Coin.BTC]["loss"] == pytest.approx(-0.2)
    assert short["maintenance"] == pytest.approx(0.164, abs=0.01) and short["initial"] > short["maintenance"]
    assert by_book["pair", Coin.BTC]["loss"] == pytest.approx(0.0, abs=1e-3)
    calendar = by_book["near_calendar", Coin.BTC]  # settled at +9 %, against +20 % two days later
    assert calendar["loss"] < -0.05 < 0.05 < by_book["reverse_near_calendar", Coin.BTC]["loss"]


def test_a_chain_without_one_two_days_later_strikes_nothing():
    assert measure_windows([make_chain(0.0), make_chain(1.5)]) == []


def test_exceptions_and_the_worst_ratio_by_name(records, monkeypatch):
    monkeypatch.setattr(overlapping, "EVENTS", {"rise": ("2026-08-22T09:00", "2026-08-24T10:00")})
    found = summarise(records)
    row = next(row for row in found["all"] if (row["coin"], row["book"]) == (Coin.BTC, "short"))
    assert (row["windows"], row["maintenance"]["exceptions"], row["initial"]["exceptions"]) == (2, 1, 0)
    short = next(r for r in records if (r["coin"], r["book"], r["struck"]) == (Coin.BTC, "short", START))
    assert row["maintenance"]["worst_ratio"] == pytest.approx(short["loss"] / short["maintenance"], abs=1e-3)
    assert row["maintenance"]["worst_struck"] == "2026-08-22T09:30:00+00:00"
    (rise,) = (row for row in found["events"]["rise"] if (row["coin"], row["book"]) == (Coin.BTC, "short"))
    assert rise["windows"] == 1  # the other window ends later
