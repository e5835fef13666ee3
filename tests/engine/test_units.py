"""Units: what is refused at the border, and times that mean the same in every zone."""

import math
import os
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from zkmargin.engine.errors import MalformedFile, OutOfRange, WrongKind
from zkmargin.engine.units import (
    SECONDS_PER_YEAR,
    ceil_usd6,
    read_utc,
    require_all_in_range,
    require_flags,
    require_in_range,
    require_on_grid,
    require_whole,
    to_usd6,
)


def test_money_is_rounded_to_nearest_and_charges_up():
    assert to_usd6([1.0000004, 1.0000006, -1.0000006]).tolist() == [1_000_000, 1_000_001, -1_000_001]
    assert ceil_usd6([0.0000001, 2.0]).tolist() == [1, 2_000_000]
    assert SECONDS_PER_YEAR == 31_536_000


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, 1.5])
def test_what_is_no_number_of_the_range_is_refused(value):
    with pytest.raises(OutOfRange, match=r"price is .*; allowed: 0 to 1"):
        require_in_range("price", value, 0, 1)


@pytest.mark.parametrize("value", [1.0, True, "1", 3, -1, np.bool_(True)])
def test_what_is_no_whole_number_of_the_range_is_refused(value):
    with pytest.raises(OutOfRange, match=r"lots is .*; allowed: 0 to 2"):
        require_whole("lots", value, 0, 2)
    assert require_whole("lots", np.int64(2), 0, 2) == 2


def test_a_number_off_its_grid_is_refused():
    assert require_on_grid("strike", 0.25, 0, 1, 4) == 0.25
    with pytest.raises(OutOfRange, match=r"a multiple of 0\.25"):
        require_on_grid("strike", 0.3, 0, 1, 4)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([0.5, math.nan], "nan"), ([0.5, None], "None"), (["0.5"], "'0.5'"), ([True], "True"), ([0.5, 1.5], "1.5")],
)
def test_one_missing_number_of_many_is_refused(values, shown):
    with pytest.raises(OutOfRange, match=rf"depth is {shown}; allowed: 0 to 1"):
        require_all_in_range("depth", values, 0, 1)
    assert require_all_in_range("depth", [[0, 1], [0.5, 1.0]], 0, 1).shape == (2, 2)


@pytest.mark.parametrize("flag", ["p", "put", "False", "", -1, 0, 1, 1.0, math.nan, None])
def test_only_true_and_false_are_flags(flag):
    for given in (flag, [True, flag]):
        with pytest.raises(WrongKind, match="allowed: True or False"):
            require_flags("is_call", given)
    assert require_flags("is_call", [True, np.False_]).tolist() == [True, False]


@pytest.fixture
def zone(monkeypatch):
    """Sets the machine's time zone, and puts it back."""
    before = os.environ.get("TZ")

    def set_zone(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield set_zone
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
def test_a_time_means_the_same_on_every_machine(zone, name):
    zone(name)
    expected = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    for text in ("2026-03-01T12:30:00", "2026-03-01 12:30Z", "2026-03-01T14:30:00+02:00", "2026-03-01T07:30:00-05:00"):
        moment = read_utc(text, "chain")
        assert moment == expected and moment.utcoffset().total_seconds() == 0, text
        assert moment.date() == expected.date()


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", None, 5])
def test_a_text_that_is_no_time_is_refused(text):
    with pytest.raises(MalformedFile, match=r"chain\.csv: time is .*; allowed: ISO 8601"):
        read_utc(text, "chain.csv")
