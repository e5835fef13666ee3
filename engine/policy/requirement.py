"""The requirement that the integer rows of a solvency policy state for an account."""

from __future__ import annotations

from zkmargin.engine.account import AccountState
from zkmargin.engine.policy.arithmetic import exact_product
from zkmargin.engine.policy.certificate import RequirementNotMet, find_certificate
from zkmargin.engine.policy.forms import read_forms
from zkmargin.engine.policy.record import Policy


def measure_requirement(policy: Policy, state: AccountState) -> int:
    """The equity below which `state` fails `policy`, micro-dollars, exact, rounding included.

    Parameters
    ----------
    policy : Policy
        One that measures solvency by one row of equity.
    state : AccountState

    Raises
    ------
    RequirementNotMet
        If a row that cash does not help fails: an exposure beyond its limit.
    """
    try:
        certificate = find_certificate(policy, state)
    except RequirementNotMet as refusal:
        state = AccountState(state.positions, state.cash + refusal.missing_usd6)
        certificate = find_certificate(policy, state)
    forms = read_forms(policy)
    spare = min(certificate.slacks[row] // times for row, times in forms.multiples.items())
    (equity_row,) = forms.equity_rows
    equity = exact_product(policy.positions[[equity_row]], state.positions)[0] + state.cash
    return equity - spare
