"""Credits between commodities by SPAN's form, and why the house model has none."""

from decimal import Decimal

import pytest

from zkmargin.engine.errors import OutOfRange
from zkmargin.engine.venues.span import compute_inter_commodity_credit, compute_span_total

RATE = Decimal("0.5")


def credit(first, second, rate=RATE):
    return compute_inter_commodity_credit((Decimal(first), Decimal(10)), (Decimal(second), Decimal(5)), rate)


def test_opposite_sides_are_credited_by_the_smaller_risk():
    assert credit(3, -4) == 20 == credit(-3, 4)  # 30 and 20 of risk: half of 2 x 20
    assert credit(1, -4) == 10


def test_one_side_alone_and_equal_sides_are_not():
    assert credit(3, 4) == credit(3, 0) == 0


@pytest.mark.parametrize(("first", "second"), [(3, -4), (-3, 4), (1, -4), (3, 4), (3, 0)])
def test_it_is_the_difference_of_sizes(first, second):
    risks = Decimal(first) * 10, Decimal(second) * 5
    assert credit(first, second) == RATE * (sum(map(abs, risks)) - abs(sum(risks)))


@pytest.mark.property("P-79")
def test_the_requirement_is_not_convex():
    """A book of options whose scan risk of 30 does not depend on a little delta, against a future that risks 5: between
    two deltas more is asked than the mean of both."""
    asked = [compute_span_total(Decimal(30 + 5), inter_commodity_credit=credit(delta, -1)) for delta in (-1, 0, 1)]
    assert asked == [35, 35, 30] and asked[1] > (asked[0] + asked[2]) / 2


def test_a_rate_above_one_is_refused():
    with pytest.raises(OutOfRange):
        credit(1, -1, Decimal("1.1"))
