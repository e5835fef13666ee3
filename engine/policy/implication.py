"""That one policy implies another for every state, shown from their data alone: initial implies maintenance."""

from __future__ import annotations

import numpy as np

from zkmargin.engine.policy.errors import NotImplied
from zkmargin.engine.policy.record import Policy


def check_implies(stronger: Policy, weaker: Policy) -> None:
    """Every state that meets `stronger` meets `weaker`, shown by mapping certificates.

    Lemma. Take a certificate (x, e) of `stronger` for a state (q, cash), and use the same x, and the same e where
    `weaker` prices the row, for `weaker`. If the checks below hold, it is a certificate of `weaker`.

    Proof. The charge rates of `weaker` are at most those of `stronger`, slot by slot and side by side, so 0 <= K' <= K
    for the same q. Where `weaker` prices a row, `stronger` prices it with at least that weight, so 0 <= X' <= X. Take a
    row of `weaker`; either it holds for every certificate (no positions, cash or charges, no negative number), or a row
    of `stronger` has the same position and cash columns, charges c <= c' <= 0, excess total g <= g' <= 0, helpers h <=
    h' and constant b <= b'. Then the row's value for `weaker` exceeds the other by (c' K' - c K) + (g' X' - g X) + (h'
    - h) x + (b' - b), and each term is at least zero: c' K' >= c K' >= c K, likewise for X, and x >= 0. The ranges hold
    since x, e are the same, and K' <= K. The argument uses no bound on q or cash, so it holds up to the edges of their
    ranges.

    Raises
    ------
    NotImplied
        If the data do not show it; the policies may still imply one another.
    """
    if stronger.preset != weaker.preset:
        raise NotImplied(
            stronger.name, weaker.name, None, f"presets {stronger.preset.name} and {weaker.preset.name} differ"
        )
    for side in ("rate_long", "rate_short"):
        for k, slot in np.argwhere(getattr(weaker, side) > getattr(stronger, side)):
            raise NotImplied(stronger.name, weaker.name, None, f"{side} of K_{k + 1} is larger in slot {slot}")
    for row in range(weaker.preset.excess_rows):
        if weaker.soft[row] and not (stronger.soft[row] and weaker.weights[row] <= stronger.weights[row]):
            raise NotImplied(
                stronger.name, weaker.name, row, "soft, or with a larger weight, only in the weaker policy"
            )
    for row in range(weaker.preset.rows):
        if _always_holds(weaker, row):
            continue
        others = () if row in weaker.soft_rows else range(stronger.preset.rows)
        if not (
            _dominates(stronger, row, weaker, row) or any(_dominates(stronger, other, weaker, row) for other in others)
        ):
            raise NotImplied(stronger.name, weaker.name, row, "no row of the stronger policy dominates it")


def _always_holds(policy: Policy, row: int) -> bool:
    no_state = not (
        policy.positions[row].any() or policy.cash[row] or policy.charges[row].any() or policy.excess_total[row]
    )
    return bool(no_state and (policy.helpers[row] >= 0).all() and policy.constants[row] >= 0)


def _dominates(stronger: Policy, other: int, weaker: Policy, row: int) -> bool:
    return bool(
        weaker.cash[row] == stronger.cash[other]
        and (row in weaker.soft_rows) == (other in stronger.soft_rows)
        and weaker.constants[row] >= stronger.constants[other]
        and (stronger.charges[other] <= weaker.charges[row]).all()
        and (weaker.charges[row] <= 0).all()
        and stronger.excess_total[other] <= weaker.excess_total[row] <= 0
        and (weaker.helpers[row] >= stronger.helpers[other]).all()
        and np.array_equal(weaker.positions[row], stronger.positions[other])
    )
