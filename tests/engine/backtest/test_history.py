"""The history record: what is shipped, and what is refused."""

import json

import numpy as np
import pytest

from zkmargin.engine.backtest.history import DEFAULT, FOLDER, load_history
from zkmargin.engine.errors import MalformedFile, OutOfRange, UnknownName


def test_the_shipped_record_covers_the_crashes():
    history = load_history()
    early, late = history.segments
    assert (str(early.dates[0]), str(early.dates[-1]), str(late.dates[0])) == ("2015-12-31", "2020-12-31", "2024-01-10")
    march = np.flatnonzero(early.dates == np.datetime64("2020-03-12"))[0]
    assert early.closes[march] == pytest.approx([4970.79, 112.3471])
    assert set(history.quotes["BTC"].dates) <= set(late.dates) and len(history.quotes["BTC"].dates) > 200
    assert [event.name for event in history.events] == ["October 2025", "February 2026"]
    assert history.events[0].bars[:, 0, 0].min() == 101516.5
    for event in history.events:
        low, close, high = (event.bars[:, :, place] for place in range(3))
        assert (low <= close).all() and (close <= high).all()


def broken(change):
    document = json.loads((FOLDER / f"{DEFAULT}.json").read_text())
    for segment in document["segments"]:
        segment["rows"] = segment["rows"][:100]
    for coin in document["options"]:
        document["options"][coin] = document["options"][coin][:40]
    change(document)
    return document


def set_value(*place):
    *path, value = place

    def change(document):
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change, error",
    [
        (set_value("format", "zkmargin.history/0"), MalformedFile),
        (set_value("colour", "red"), MalformedFile),
        (set_value("price_columns", ["date", "ETH", "BTC", "ETH spot"]), MalformedFile),
        (set_value("segments", 0, "rows", 5, ["2016-01-05", 1.0]), MalformedFile),
        (set_value("segments", 0, "rows", 5, 0, "the fifth"), MalformedFile),
        (set_value("segments", 0, "rows", 5, 0, "2015-12-31"), MalformedFile),
        (set_value("segments", 0, "rows", 5, 1, "many"), MalformedFile),
        (set_value("segments", 0, "rows", 5, 1, -1.0), OutOfRange),
        (set_value("segments", 0, "rows", 5, 1, None), OutOfRange),
        (set_value("options", "BTC", 3, 2, 0.0), OutOfRange),
        (set_value("options", "BTC", 3, 0, "2026-01-02T"), MalformedFile),
        (set_value("options", {"ETH": [], "BTC": []}), MalformedFile),
        (lambda document: document["options"]["ETH"].pop(), MalformedFile),
        (set_value("events", 0, "rows", 2, 1, 1e12), OutOfRange),
    ],
)
def test_one_wrong_thing_is_refused(tmp_path, change, error):
    path = tmp_path / "history.json"
    path.write_text(json.dumps(broken(lambda document: None)))
    load_history(path)
    path = tmp_path / "other.json"
    path.write_text(json.dumps(broken(change)))
    with pytest.raises(error):
        load_history(path)


def test_an_unknown_record_is_refused():
    with pytest.raises(UnknownName):
        load_history("btc_eth_1999")
