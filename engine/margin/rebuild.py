"""Whether policies are those that a market and the parameters give: what a publisher compares before it signs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.policy.record import Policy

REBUILD_TOLERANCE = {"positions": 1, "rate_long": 1, "rate_short": 1}
"""Units by which two builds may differ in a coefficient: exp and log of two machines may differ in the last bit. What
is not named here is exact."""
REBUILT_EXACTLY = ("cash", "charges", "excess_total", "helpers", "constants", "priced", "weights", "helper_kinds")


class PolicyNotRebuilt(PolicyError):
    """A policy that the snapshot and the parameters do not give; carries policy, what, row, column, value, expected.

    Row and column are None where `what` has none (a vector has no column, a missing policy neither).
    """

    def __init__(self, policy: str, what: str, row: int | None, column: int | None, value: object, expected: object):
        self.policy, self.what, self.row, self.column = policy, what, row, column
        self.value, self.expected = value, expected
        place = "".join(f", {name} {at}" for name, at in (("row", row), ("column", column)) if at is not None)
        slack = REBUILD_TOLERANCE.get(what, 0)
        super().__init__(
            f"policy {policy!r}: {what}{place} is {value}; allowed: {expected}, as built from the snapshot"
            + (f", within {slack}" if slack else "")
        )


def check_rebuilt(policies: Mapping[str, Policy], expected: Mapping[str, Policy]) -> None:
    """Whether `policies` are the `expected` ones: the same names, every number equal within `REBUILD_TOLERANCE`.

    Raises
    ------
    PolicyNotRebuilt
        At the first number that differs, or a name that only one of the two has.
    """
    for name in sorted(policies.keys() | expected.keys()):
        if name not in policies or name not in expected:
            present = ["missing", "present"]
            raise PolicyNotRebuilt(name, "policy", None, None, present[name in policies], present[name in expected])
        given, built = policies[name], expected[name]
        if (given.name, given.preset) != (built.name, built.preset):
            raise PolicyNotRebuilt(
                name, "name and preset", None, None, (given.name, given.preset.name), (built.name, built.preset.name)
            )
        for what in (*REBUILT_EXACTLY, *REBUILD_TOLERANCE):
            ours, theirs = (np.array(getattr(policy, what), dtype=object) for policy in (built, given))
            wrong = np.argwhere(np.abs(theirs - ours) > REBUILD_TOLERANCE.get(what, 0))
            if len(wrong):
                at = tuple(wrong[0].tolist())
                row, column = (*at, None)[:2]
                raise PolicyNotRebuilt(name, what, row, column, int(theirs[at]), int(ours[at]))
