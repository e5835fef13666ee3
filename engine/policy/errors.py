"""What may be wrong with a policy, one tree.

PolicyError
├── MalformedPolicy    shapes, types or bytes that are not in the stated format   (what, reason)
├── RefusedPolicy      numbers that are not allowed                               (rule, row, column, value, allowed)
│   ├── bit budget: BoundExceeded, RowTotalExceeded
│   ├── forms: HelperForm, SoftRowForm, ExcessTotalForm, TransferForm, RoundingMissing, CreditRefused
│   └── listing and name: UnlistedSlot, CollateralSlot, ContingencyMissing, SolvencyForm, DebtForm
├── NotImplied         a policy that is not shown to imply another                (stronger, weaker, row, reason)
├── RefusedSettlement  in `engine.epoch.expiry`
├── RefusedEpoch       in `engine.epoch.record`
├── PolicyNotRebuilt   a policy that its snapshot does not give, in `engine.margin.rebuild`
└── RefusedSuccession  in `engine.epoch.succession`
"""

from __future__ import annotations

from zkmargin.engine.errors import EngineError


class PolicyError(EngineError, ValueError):
    """A policy, or a settlement, that must not be used."""


class MalformedPolicy(PolicyError):
    """Arrays or bytes that do not have the stated shape, type or layout; carries what and why."""

    def __init__(self, what: str, reason: str):
        self.what, self.reason = what, reason
        super().__init__(f"{what}: {reason}")


class RefusedPolicy(PolicyError):
    """A number that a policy must not hold. `row` and `column` are None where they do not apply."""

    def __init__(
        self, policy: str, rule: str, value: object, allowed: str, row: int | None = None, column: int | None = None
    ):
        self.policy, self.rule, self.value, self.allowed = policy, rule, value, allowed
        self.row, self.column = row, column
        place = "".join(f", {axis} {at}" for axis, at in (("row", row), ("column", column)) if at is not None)
        super().__init__(f"policy {policy!r}{place}: {rule} is {value}; allowed: {allowed}")


class BoundExceeded(RefusedPolicy):
    """A single number exceeds its bound in the bit budget."""


class RowTotalExceeded(RefusedPolicy):
    """The largest value that a row can take, in size, does not stay below 2^83."""


class HelperForm(RefusedPolicy):
    """A helper appears with a sign, or in a row, that its kind does not allow."""


class SoftRowForm(RefusedPolicy):
    """A row with u = 1 is not of the exact expected-shortfall form e + t + P&L . q - K_2."""


class ExcessTotalForm(RefusedPolicy):
    """The row that uses X is not of the form m' E - m t - X with 0 < m' <= 2 m and m <= sum of weights;
    m' <= m in a policy named `initial` or `withdraw`."""


class TransferForm(RefusedPolicy):
    """A free choice is neither the t of an expected shortfall nor a charged transfer between two groups with mirrored
    moves."""


class RoundingMissing(RefusedPolicy):
    """A row with position columns does not carry -K_2, or K_2 does not count every lot."""


class CreditRefused(RefusedPolicy):
    """A charge appears as a credit."""


class UnlistedSlot(RefusedPolicy):
    """A slot without an instrument has a value, or a side of it is open."""


class CollateralSlot(RefusedPolicy):
    """A collateral slot may be held short."""


class ContingencyMissing(RefusedPolicy):
    """A row that bounds a value does not subtract K_1, so that closed sides of slots would cost nothing."""


class SolvencyForm(RefusedPolicy):
    """A policy under a name that means solvency has no equity after charges, or requires less than the expected
    shortfall that its name promises in full."""


class DebtForm(RefusedPolicy):
    """A policy under a name that means solvency has no debt row, one with other columns than the prices of perpetuals
    and dated futures, or one that allows more debt than its name does."""


class NotImplied(PolicyError):
    """A policy is not implied by another one, as far as the data show; carries both names, the row (or None) and the
    reason."""

    def __init__(self, stronger: str, weaker: str, row: int | None, reason: str):
        self.stronger, self.weaker, self.row, self.reason = stronger, weaker, row, reason
        place = "" if row is None else f" in row {row}"
        super().__init__(f"policy {stronger!r} is not shown to imply {weaker!r}{place}: {reason}")
