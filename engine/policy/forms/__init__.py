"""What the rows of a policy mean. A policy is parsed once, into `Forms`; a policy that does not parse is refused.

The prover chooses helpers and excess freely. The forms are those under which "the rows have a solution" implies "the
requirement is met", whatever it chooses:

    scenario of a tail    e_s + t + P&L . q - K_2 >= 0                       soft: u_s = 1
    tail                  m' E - m t - X >= 0                                0 < m' <= 2 m, m <= sum of weights
    bound of a loss       x + transfer + P&L . q - K + b >= 0                x is a group's worst case, or a charge
    equity                cash + price . q - K - charges - E + b >= 0        b <= 0
    sum                   a E - f (x_1 + x_2 + ..) - c (n+ + n-) + b >= 0    b <= 0
    debt                  cash + price . q - K_2 + b >= 0                    q of perpetuals and dated futures alone
    limit                 cash, positions, charges and b alone

* A loss x is bounded from below and only subtracted elsewhere. A value E is bounded from above and only added
  elsewhere, once per row, beside no cash and no positions: equity counts once.
* t belongs to one expected shortfall, and X is subtracted only in the row that completes it.
* A transfer n moves an exposure between two groups whose rows offer the same moves with opposite signs, and is charged
  in their sum.
* Charges K are subtracted, and every row with positions subtracts the rounding charge K_2.
* A row that bounds a loss has a positive constant b only as a chord of a charge on one exposure a side.
"""

from zkmargin.engine.policy.forms.read import describe_row, read_forms
from zkmargin.engine.policy.forms.record import LIMITS, Forms, Loss, RowKind, Tail, TailSum, Transfer, Value

__all__ = [
    "LIMITS", "Forms", "Loss", "RowKind", "Tail", "TailSum", "Transfer", "Value", "describe_row", "read_forms",
]  # fmt: skip
