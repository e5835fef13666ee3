"""A volatility that does not price what the venue quoted is refused, and which errors still pass."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.support.house import CALM, CRASH
from zkmargin.engine.errors import DuplicateName, OutOfRange, UnknownName, WrongKind
from zkmargin.engine.market.file import DATA, Observation, load_observations, load_snapshot, parse_market
from zkmargin.engine.market.quotes import TICK, check_quotes
from zkmargin.engine.market.valuation import price_per_lot

MARKETS = (CALM, "deribit_2025-12-30", CRASH)


def scale_one(snapshot, slot: int, factor: float):
    """The snapshot with one volatility changed, arbitrage or not."""
    volatility = snapshot.volatility.copy()
    volatility[slot] = min(max(volatility[slot] * factor, 0.001), 16.0)
    return replace(snapshot, volatility=volatility)


def find_passing(name: str, factor: float) -> dict[int, float]:
    """Slots whose volatility may be wrong by `factor`, and what that changes of a coin's option, share of the
    forward."""
    snapshot, observations = load_snapshot(name), load_observations(name)
    found = {}
    for slot in np.flatnonzero(snapshot.listing.is_option).tolist():
        wrong = scale_one(snapshot, slot, factor)
        try:
            check_quotes(wrong, observations)
        except OutOfRange as error:
            assert snapshot.listing.at(slot).name in str(error)
            continue
        change = abs(price_per_lot(wrong)[slot] - price_per_lot(snapshot)[slot])
        found[slot] = change / float(snapshot.listing.lot_size[slot] * snapshot.forward[slot])
    return found


@pytest.mark.property("P-112")
@pytest.mark.parametrize("name, factor, passing", [
    (CALM, 0.25, 4),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        (CALM, 0.5, 4), (CALM, 0.7, 4), (CALM, 1.5, 0), ("deribit_2025-12-30", 0.25, 4), (CRASH, 0.25, 1),
    )),
])  # fmt: skip
def test_a_wrong_volatility_passes_only_where_it_hardly_changes_the_price(name, factor, passing):
    """Few options do, and for each the error is less than a tick."""
    found = find_passing(name, factor)
    assert len(found) == passing
    assert all(change <= TICK for change in found.values())


@pytest.mark.parametrize("name", MARKETS)
def test_the_shipped_markets_price_what_was_quoted(name):
    check_quotes(load_snapshot(name), load_observations(name))


def test_a_file_with_a_wrong_volatility_does_not_load():
    document = json.loads((DATA / f"{CALM}.json").read_text())
    row = next(row for row in document["instruments"] if row["name"] == "BTC-25JUN27-90000-C")
    parse_market(json.dumps(document))
    row["volatility"] *= 0.7
    with pytest.raises(
        OutOfRange, match="price of BTC-25JUN27-90000-C by its volatility, coin, against the venue"
    ) as e:
        parse_market(json.dumps(document))
    assert e.value.value < e.value.low < e.value.high


@pytest.mark.parametrize("field, factor", [("bid", 1.3), ("ask", 0.7), ("mark", 1.3), ("mark", 0.7)])
def test_mark_bid_and_ask_bound_it_each(field, factor):
    """Other quotes than an option's own, one at a time."""
    snapshot, name = load_snapshot(CALM), "BTC-25JUN27-90000-C"
    seen = load_observations(CALM)[name]
    changed = Observation(**{**seen.model_dump(), field: factor * seen.mark})
    check_quotes(snapshot, {name: seen})
    with pytest.raises(OutOfRange, match=name):
        check_quotes(snapshot, {name: changed})


@pytest.mark.property("P-112")
@pytest.mark.parametrize("name", ["BTC-PERPETUAL", "BTC-25JUN27"])
def test_a_quote_of_what_is_no_option_switches_nothing_off(name):
    """Its price by a volatility would be no number, which compares as neither too low nor too high."""
    snapshot = load_snapshot(CALM)
    option = "BTC-25JUN27-90000-C"
    wrong = scale_one(snapshot, snapshot.listing.get(option).slot, 0.5)
    seen = load_observations(CALM)[option]
    stray = Observation(**{**seen.model_dump(), "name": name})
    for quotes in ({option: seen, name: stray}, {name: stray}):
        with pytest.raises(WrongKind, match=f"what the quote of {name} is of is .*; allowed: an option"):
            check_quotes(wrong, quotes)
    with pytest.raises(OutOfRange, match=option):
        check_quotes(wrong, {option: seen})


def test_what_is_not_listed_has_no_quote():
    seen = load_observations(CALM)["BTC-25JUN27-90000-C"]
    with pytest.raises(UnknownName, match="BTC-25JUN27-91000-C"):
        check_quotes(load_snapshot(CALM), {"BTC-25JUN27-91000-C": seen})


@pytest.mark.property("P-112")
def test_an_option_is_quoted_once():
    """The last of two quotes would count, and any first one be ignored."""
    document = json.loads((DATA / f"{CALM}.json").read_text())
    document["observations"].append(document["observations"][0])
    with pytest.raises(DuplicateName, match=document["observations"][0]["name"]):
        parse_market(json.dumps(document))


@pytest.mark.property("P-112")
@pytest.mark.parametrize("factor, is_refused", [(1.004, False), (0.996, False), (1.006, True), (0.994, True)])
def test_a_forward_stays_with_those_of_its_expiry(factor, is_refused):
    """A quote is in coin: with a wrong forward the price in dollars is wrong, and the one in coin need not be."""
    snapshot, name = load_snapshot(CALM), "BTC-25JUN27-90000-C"
    slot, forward = snapshot.listing.get(name).slot, snapshot.forward.copy()
    forward[slot] *= factor
    quotes = {"BTC-25JUN27-90000-C": replace_mark(load_observations(CALM)[name], snapshot, forward, slot)}
    if not is_refused:
        return check_quotes(replace(snapshot, forward=forward), quotes)
    with pytest.raises(OutOfRange, match=f"forward of {name}, beside the median of its expiry"):
        check_quotes(replace(snapshot, forward=forward), quotes)


def replace_mark(seen, snapshot, forward, slot):
    """The quote of a venue that has that forward, too."""
    listing = snapshot.listing
    price = price_per_lot(replace(snapshot, forward=forward))[slot] / (listing.lot_size[slot] * forward[slot])
    return Observation(**{**seen.model_dump(), "mark": price, "bid": None, "ask": None})
