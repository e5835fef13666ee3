"""The packing lemma's premise, from a policy's integers: every row is below 2^83 for every state (L2 of protocol.md).

Written for the auditor and again from the document: sums in plain integers, row by row, without the engine's tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from zkmargin.engine.policy.record import Policy

LOTS, CASH, CHARGE, HELPER, EXCESS = 1 << 30, 1 << 80, 1 << 76, 1 << 60, 1 << 60
"""What one position, cash, K, x and e is at most in size; enforced by the circuit."""
SLACK = 1 << 83


def find_excess(policy: Policy) -> Iterator[tuple[str, int, str]]:
    """(what, value, allowed) of every number outside the bit budget, and of every row that could leave its lane."""
    yield from _find_numbers(policy)
    total_excess = EXCESS * sum(w * u for w, u in zip(policy.weights.tolist(), policy.soft.tolist(), strict=True))
    for row in range(policy.preset.rows):
        own = policy.soft.tolist()[row] if row < policy.preset.excess_rows else 0
        largest = (
            LOTS * sum(abs(value) for value in policy.positions[row].tolist())
            + CASH * abs(int(policy.cash[row]))
            + CHARGE * sum(abs(value) for value in policy.charges[row].tolist())
            + HELPER * sum(abs(value) for value in policy.helpers[row].tolist())
            + total_excess * abs(int(policy.excess_total[row]))
            + EXCESS * own
            + abs(policy.constants[row])
        )
        if largest >= SLACK:
            yield f"largest value of row {row}", largest, f"below 2^83, {SLACK}"


def _find_numbers(policy: Policy) -> Iterator[tuple[str, int, str]]:
    limits = (
        ("W on positions", policy.positions, -(1 << 39) + 1, (1 << 39) - 1),
        ("W on cash", policy.cash, 0, 1),
        ("W on K", policy.charges, -4, 4),
        ("W on X", policy.excess_total, -1, 0),
        ("W on x", policy.helpers, -(1 << 14) + 1, (1 << 14) - 1),
        ("u", policy.soft, 0, 1),
        ("w", policy.weights, 0, (1 << 10) - 1),
        ("long rate", policy.rate_long, 0, (1 << 36) - 1),
        ("short rate", policy.rate_short, 0, (1 << 36) - 1),
    )
    for what, array, low, high in limits:
        least, most = (int(array.min()), int(array.max())) if array.size else (low, high)
        if not low <= least <= most <= high:
            yield what, least if least < low else most, f"{low} to {high}"
    for row, constant in enumerate(policy.constants):
        if abs(constant) >= 1 << 80:
            yield f"b of row {row}", constant, "below 2^80 in size"
