"""What an integer policy says of an account: whether a proof is possible, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass

from zkmargin.engine.policy.certificate import RequirementNotMet
from zkmargin.engine.policy.forms import RowKind, read_forms
from zkmargin.engine.policy.record import Policy
from zkmargin.engine.units import USD6


@dataclass(frozen=True)
class Verdict:
    """Of one policy about one account."""

    passes: bool
    """Whether a proof is possible."""
    missing_usd6: int
    """Cash that the rows lack which cash helps, micro-dollars; 0 where none of them fails."""
    beyond_limit_usd6: int
    """Delta notional beyond the largest exposure, or net short options beyond the most, micro-dollars; 0 where none is.
    No cash makes up for it."""

    @classmethod
    def of(cls, policy: Policy, refusal: RequirementNotMet | None) -> Verdict:
        """The verdict of `policy` that refused with `refusal`, or accepted."""
        if refusal is None:
            return cls(True, 0, 0)
        forms, missing, beyond = read_forms(policy), 0, 0
        for row, lacks in refusal.row_missing.items():
            if forms.kinds[row] is RowKind.EXPOSURE:
                beyond = max(beyond, lacks)
            elif forms.takes_cash(row):
                missing = max(missing, lacks)
        return cls(False, missing, beyond)

    def describe(self) -> str:
        """In words, US dollars."""
        if self.passes:
            return "yes"
        reasons = []
        if self.missing_usd6:
            reasons.append(f"{self.missing_usd6 / USD6:,.2f} missing")
        if self.beyond_limit_usd6:
            reasons.append(f"exposure or net short options {self.beyond_limit_usd6 / USD6:,.2f} beyond its limit")
        return "no, " + ("; ".join(reasons) or "a loss is beyond the range of a proof")
