"""What `zkmargin explain` adds to its tables in words."""

from tests.support.house import get_house, make_state
from zkmargin.engine.desk.explanation import explain_requirement
from zkmargin.scripts.cli.explain import describe_paid_options

CALL, PUT = "BTC-25SEP26-90000-C", "BTC-25SEP26-72000-P"


def describe(positions):
    house = get_house("standard")
    lots = {house.snapshot.listing.get(name).slot: count for name, count in positions.items()}
    found = explain_requirement(house, "book", make_state(256, lots, 10**12))
    return describe_paid_options(house, positions, found)


def test_who_has_paid_for_options_is_told_why_more_is_required():
    house = get_house("standard")
    paid = 100 * house.prices[house.snapshot.listing.get(CALL).slot]
    (note,) = describe({CALL: 100})
    assert f"at most their price, {paid:,.2f} here" in note and "not convex" in note


def test_another_book_gets_no_such_note():
    """One with a short leg, with another instrument, without positions, or one that requires less than was paid."""
    assert not describe({CALL: 100, PUT: -1}) and not describe({CALL: 100, "BTC-PERPETUAL": 1})
    assert not describe({}) and not describe({CALL: 100, PUT: 100})
