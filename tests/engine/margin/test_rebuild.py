"""A signer's comparison says which numbers differ, and how many."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.house import get_policies
from zkmargin.engine.margin.rebuild import Difference, PolicyNotRebuilt, check_rebuilt


def change(policies, name, field, changes):
    """`policies` with a few numbers of one field moved by so many units."""
    numbers = np.array(getattr(policies[name], field))
    for at, units in changes.items():
        numbers[at] += units
    return {**policies, name: replace(policies[name], **{field: numbers})}


def test_equal_policies_pass():
    check_rebuilt(get_policies("mini"), get_policies("mini"))


def test_one_unit_of_a_coefficient_passes():
    policies = get_policies("mini")
    check_rebuilt(change(policies, "initial", "positions", {(0, 1): 1, (3, 4): -1}), policies)


def test_every_number_that_differs_is_named():
    policies = get_policies("mini")
    given = change(policies, "initial", "positions", {(0, 1): 2, (3, 4): -5, (4, 4): 1})
    given = change(given, "maintenance", "rate_long", {(0, 2): 3})
    with pytest.raises(PolicyNotRebuilt) as refusal:
        check_rebuilt(given, policies)
    first, second = (int(policies["initial"].positions[at]) for at in ((0, 1), (3, 4)))
    rate = int(policies["maintenance"].rate_long[0, 2])
    assert refusal.value.differences == (
        Difference("initial", "positions", 0, 1, first + 2, first),
        Difference("initial", "positions", 3, 4, second - 5, second),
        Difference("maintenance", "rate_long", 0, 2, rate + 3, rate),
    )
    text = str(refusal.value)
    assert f"policy 'initial': positions, row 3, column 4 is {second - 5}; allowed: {second}" in text
    assert "3 differ: 2 in positions of initial, 1 in rate_long of maintenance" in text


def test_the_text_shows_a_few_and_counts_all():
    policies = get_policies("mini")
    moved = {(row, 1): 2 for row in range(9)}
    with pytest.raises(PolicyNotRebuilt, match="9 differ: 9 in positions of initial") as refusal:
        check_rebuilt(change(policies, "initial", "positions", moved), policies)
    assert str(refusal.value).count("row") == PolicyNotRebuilt.SHOWN and len(refusal.value.differences) == 9


def test_a_policy_too_few_or_too_many_is_named():
    policies = get_policies("mini")
    fewer = {name: policy for name, policy in policies.items() if name != "withdraw"}
    with pytest.raises(PolicyNotRebuilt) as refusal:
        check_rebuilt(fewer, policies)
    assert refusal.value.differences == (Difference("withdraw", "policy", None, None, "missing", "present"),)
