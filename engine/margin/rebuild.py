"""A signer's comparison: whether an epoch's policies are the ones that the snapshot and the parameters give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from zkmargin.engine.policy.errors import PolicyError
from zkmargin.engine.policy.record import Policy

REBUILD_TOLERANCE = {"positions": 1, "rate_long": 1, "rate_short": 1}
"""Units by which a signer lets a coefficient differ. This engine's builds are equal on every machine
(`engine.elementary`); the unit is for another implementation, whose exp and log may differ in the last bit. What is
not named here is exact."""
REBUILT_EXACTLY = ("cash", "charges", "excess_total", "helpers", "constants", "soft", "weights", "helper_kinds")


class Difference(NamedTuple):
    """A number of a policy that is not the expected one."""

    policy: str
    """Name of the policy."""
    what: str
    """Name of the field, or "policy" where the whole of it is missing or too much."""
    row: int | None
    """Row, or place in a vector; None where `what` has none."""
    column: int | None
    """Column; None where `what` has none."""
    value: object
    """As given."""
    expected: object
    """As built."""

    def __str__(self) -> str:
        place = "".join(f", {axis} {at}" for axis, at in (("row", self.row), ("column", self.column)) if at is not None)
        return f"policy {self.policy!r}: {self.what}{place} is {self.value}; allowed: {self.expected}"


class PolicyNotRebuilt(PolicyError):
    """Policies that the snapshot and the parameters do not give; carries every difference beyond the tolerance."""

    SHOWN = 5
    """Differences that the text shows."""

    def __init__(self, differences: Sequence[Difference]):
        self.differences = tuple(differences)
        first = self.differences[0]
        self.policy, self.what, self.row, self.column, self.value, self.expected = first
        counts = Counter(f"{difference.what} of {difference.policy}" for difference in self.differences)
        tolerances = ", ".join(f"{what} {units}" for what, units in REBUILD_TOLERANCE.items())
        super().__init__(
            "; ".join(map(str, self.differences[: self.SHOWN]))
            + f"; as built from the snapshot, within units: {tolerances}. {len(self.differences)} differ: "
            + ", ".join(f"{count} in {what}" for what, count in counts.items())
        )


def check_rebuilt(policies: Mapping[str, Policy], expected: Mapping[str, Policy]) -> None:
    """Whether `policies` are the `expected` ones: the same names, every number equal within `REBUILD_TOLERANCE`.

    Raises
    ------
    PolicyNotRebuilt
        If a number differs, or a name stands in only one of the two; carries all such differences.
    """
    differences: list[Difference] = []
    for name in sorted(policies.keys() | expected.keys()):
        if name in policies and name in expected:
            differences += _compare(name, policies[name], expected[name])
        else:
            present = ["missing", "present"]
            differences.append(
                Difference(name, "policy", None, None, present[name in policies], present[name in expected])
            )
    if differences:
        raise PolicyNotRebuilt(differences)


def _compare(name: str, given: Policy, built: Policy) -> Iterator[Difference]:
    """Numbers of `given` that are further from those of `built` than the tolerance."""
    if (given.name, given.preset) != (built.name, built.preset):
        value, expected = (given.name, given.preset.name), (built.name, built.preset.name)
        yield Difference(name, "name and preset", None, None, value, expected)
        return
    for what in (*REBUILT_EXACTLY, *REBUILD_TOLERANCE):
        theirs, ours = (np.array(getattr(policy, what), dtype=object) for policy in (given, built))
        for at in np.argwhere(np.abs(theirs - ours) > REBUILD_TOLERANCE.get(what, 0)):
            row, column = (*at.tolist(), None)[:2]
            yield Difference(name, what, row, column, int(theirs[tuple(at)]), int(ours[tuple(at)]))
