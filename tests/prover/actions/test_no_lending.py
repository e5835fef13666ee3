"""Ways round a withdrawal into debt, with the policies of the shipped market: each ends at its first step."""

import pytest

from tests.support.proving import make_market_epoch
from tests.support.scenes import ALICE, BOB, DOMAIN, MINI, RECIPIENT, make_account
from zkmargin.engine.policy.layout import Layout
from zkmargin.engine.units import USD6
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.intent import Intent
from zkmargin.prover.actions.transition import build_transition
from zkmargin.prover.errors import PolicyNotMet
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.statement.commitment import make_trade
from zkmargin.prover.statement.packing import TradeTerms

WETH_SLOT, PERPETUAL = MINI.collateral_slots[1], 9
ETHER_LOTS = 5_000_000
"""5,000 ether at a thousandth a lot: margin for far more than what is tried."""
AMOUNT = 4_000_000 * USD6
ROUNDING = ETHER_LOTS
"""K_2 of the lots, micro-dollars."""


def make_owner(cash: int = 0) -> Account:
    """A holder of ether."""
    return make_account(ALICE, {WETH_SLOT: ETHER_LOTS}, cash)


def make_trade_intent(legs, amount: int, fee: int = 0) -> Intent:
    """The owner's side of a trade in which the other, a second account of the same owner, is paid `amount`."""
    second = make_account(BOB)
    terms = make_trade(TradeTerms(legs, amount))
    return Intent(ActionKind.TRADE, trade=terms, side=-1, counterparty=second.id, fee_usd6=fee, deadline=9)


WALKS = {
    "a withdrawal": Intent(ActionKind.WITHDRAW, cash_usd6=AMOUNT, recipient=RECIPIENT, deadline=9),
    "a trade without legs": make_trade_intent((), AMOUNT),
    "a fee": make_trade_intent((), 0, AMOUNT),
    "a perpetual for too little": make_trade_intent(((PERPETUAL, 1),), AMOUNT),
}


@pytest.mark.property("P-90")
@pytest.mark.parametrize("walk", sorted(WALKS))
def test_a_holder_of_ether_borrows_no_cash(walk):
    """The debt row alone refuses, by the whole amount: margin is there."""
    epoch = make_market_epoch()
    with pytest.raises(PolicyNotMet) as refusal:
        build_transition(make_owner(), WALKS[walk], domain=DOMAIN, key_version=1, epoch=epoch)
    assert refusal.value.rows == (Layout(MINI).debt,)
    owed = AMOUNT + ROUNDING
    if walk == "a perpetual for too little":
        owed += 1 + int(epoch.policies["initial"].positions[Layout(MINI).debt, PERPETUAL])
    assert refusal.value.missing_usd6 == owed


@pytest.mark.parametrize("walk", sorted(WALKS))
def test_its_own_cash_goes_the_same_way(walk):
    """The same steps with four million more of cash are permitted."""
    extra = 300 * USD6 if walk == "a perpetual for too little" else 0
    owner = make_owner(AMOUNT + ROUNDING + extra)
    after = build_transition(owner, WALKS[walk], domain=DOMAIN, key_version=1, epoch=make_market_epoch()).after
    assert after.state.cash == ROUNDING + extra
