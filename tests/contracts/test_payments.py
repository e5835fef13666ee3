"""Payments have two steps: what is released is debited at once, and the recipient's after a delay, a rate and whatever
a pause or a veto adds, each of them bounded; nobody else is ever paid."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.ledger import Bucket
from tests.support.reverts import refused
from tests.support.vaults import absorb, get_dead_end, make_vault, pass_until, release
from tests.support.world import LOT, USDC
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.vault import PaymentState
from zkmargin.prover.account.account import compute_account_id
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.venue import keeper as keeper_module
from zkmargin.venue.keeper import Keeper

DELAY, DAILY_SHARE = 1_800, 2_000
DAY = 86_400
PAUSE_LIMIT, VETO_TIME = 7 * DAY, 14 * DAY


@pytest.fixture
def recipient(world):
    return world.chain.accounts[5]


@pytest.fixture
def guardian(world):
    """The guardian, who is not the owner."""
    address = world.chain.accounts[8]
    world.oracle.contract.send("setGuardian", address)
    return address


def withdraw(world, cash=30 * USDC, lots=0, fee=0):
    """Payments of a withdrawal of alice's."""
    request = world.make_withdraw(world.alice, world.post(), cash, lots, fee)
    return world.vault.find_queued(world.house.withdraw(request, sender=world.submitter))


def leave_flat(world, kind, cash=30 * USDC):
    request = world.make_flat(kind, world.alice, cash)
    return world.vault.find_queued(world.house.act(kind, request, sender=world.submitter))


def collect_fees(world):
    world.house.deposit(world.make_deposit(world.alice, 40 * USDC, fee=30 * USDC), sender=world.submitter)
    return world.vault.find_queued(world.house.collect_fees(world.chain.accounts[5], sender=world.submitter))


WAYS_OUT = {
    "withdraw": withdraw,
    "withdraw flat": lambda world: leave_flat(world, ActionKind.WITHDRAW_FLAT),
    "close": lambda world: leave_flat(world, ActionKind.CLOSE),
    "collect fees": collect_fees,
}


# ----------------------------------------------------------------------------------------------------------- two steps
@pytest.mark.property("P-150")
@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_is_debited_at_once_and_paid_after_the_delay(world, recipient, way):
    vault, before = world.vault, world.cash.get_balance(recipient)
    [payment] = WAYS_OUT[way](world)
    held = vault.get_held(world.cash.address)
    assert (payment.recipient, payment.amount, payment.due_at) == (recipient, 30 * USDC, world.chain.time + DELAY)
    assert payment.account == (bytes(32) if way == "collect fees" else world.alice.id)
    assert world.cash.get_balance(vault.contract.address) == held + 30 * USDC + sum(
        vault.get_inbox(party.id, world.cash.address) for party in (world.alice, world.bob)
    )

    world.chain.travel(DELAY - 2)
    fields = refused("PaymentNotDue", vault.claim, payment, recipient, sender=recipient)
    assert fields["dueAt"] == payment.due_at > fields["time"]
    refused("NothingDone", vault.claim_for, [payment])
    pass_until(world, [payment])
    vault.claim_for([payment], sender=world.submitter)
    assert world.cash.get_balance(recipient) == before + 30 * USDC
    assert vault.get_held(world.cash.address) == held and not vault.is_recorded(payment)
    refused("PaymentUnknown", vault.claim, payment, recipient, sender=recipient)
    refused("NothingDone", vault.claim_for, [payment])


def test_a_payment_of_cash_and_collateral_is_two(world, recipient):
    cash, weth = withdraw(world, 30 * USDC, lots=2, fee=5)
    assert (cash.token, cash.amount) == (world.cash.address, 30 * USDC)
    assert (weth.token, weth.amount) == (world.weth.address, 2 * LOT)
    assert world.vault.read_payments() == [cash, weth]
    assert world.vault.read_payments(recipient=world.funder) == []
    pass_until(world, [cash, weth])
    world.vault.claim(weth, world.funder, sender=recipient)
    assert world.vault.read_payments(recipient=recipient) == [cash]


def test_payments_of_one_recipient_are_read_whatever_became_of_the_record_before(world, recipient, guardian):
    """A record is used again, by another payment out of the same account; an address is one, however it is written."""
    vault, other = world.vault, world.chain.accounts[6]
    [first] = withdraw(world)
    pass_until(world, [first])
    vault.claim_for([first])
    [second] = vault.find_queued(
        world.house.withdraw(world.make_withdraw(world.alice, world.post(), 7, recipient=other), sender=world.submitter)
    )
    assert (second.number, second.account) == (first.number, first.account)
    vault.veto([second], sender=guardian)
    [vetoed] = vault.read_payments()
    assert vault.read_payments(recipient=recipient) == []
    assert vault.read_payments(recipient=other.lower()) == [vetoed] and vetoed.state is PaymentState.VETOED
    with pytest.raises(CallInvalid, match="recipient is 'nobody'"):
        vault.read_payments(recipient="nobody")


@pytest.mark.property("P-150")
@pytest.mark.parametrize("name", ["account", "recipient", "amount", "due_at", "number", "token", "state"])
def test_a_payment_is_claimed_as_it_is_recorded(world, recipient, name):
    """Each field in turn is another: nobody earlier, elsewhere or more is paid."""
    [payment] = withdraw(world)
    pass_until(world, [payment])
    changed = {
        "account": world.bob.id, "recipient": world.funder, "amount": payment.amount + 1, "due_at": payment.due_at - 1,
        "number": payment.number + 1, "token": world.weth.address, "state": PaymentState.VETOED,
    }  # fmt: skip
    wrong = replace(payment, **{name: changed[name]})
    refused("PaymentUnknown", world.vault.claim, wrong, recipient, sender=wrong.recipient)
    refused("NothingDone", world.vault.claim_for, [wrong])
    assert world.vault.is_recorded(payment)


@pytest.mark.property("P-150")
def test_a_record_is_used_again_but_a_payment_is_not(world, recipient):
    """The record keeps a word that is not zero, so that the next payment writes 2,900 gas and not 20,000."""
    vault = world.vault
    [first], [second] = withdraw(world), withdraw(world)
    assert (first.number, second.number) == (1, 2)
    pass_until(world, [first, second])
    vault.claim_for([first, first])
    vault.claim_for([second])
    [third], [fourth], [fifth] = withdraw(world), withdraw(world), withdraw(world)
    assert (third.number, fourth.number, fifth.number) == (2, 1, 3)
    pass_until(world, [fifth])
    refused("NothingDone", vault.claim_for, [first, second])
    before = world.cash.get_balance(recipient)
    vault.claim_for([first, third, fourth, fifth, fourth])
    assert world.cash.get_balance(recipient) == before + 3 * 30 * USDC


# ---------------------------------------------------------------------------------------------------------------- who
@pytest.mark.property("P-151")
@pytest.mark.parametrize("dead_end", ["zero", "vault", "house"])
def test_nothing_is_released_or_claimed_to_where_it_would_be_lost(world, recipient, dead_end):
    to = get_dead_end(world, dead_end)
    request = world.make_withdraw(world.alice, world.post(), USDC, recipient=to)
    refused("RecipientZero" if dead_end == "zero" else "RecipientRefused", world.house.withdraw, request)
    world.house.deposit(world.make_deposit(world.alice, USDC, fee=7), sender=world.submitter)
    error = "RecipientZero" if dead_end == "zero" else "RecipientRefused"
    refused(error, world.house.collect_fees, to, sender=world.submitter)
    [payment] = withdraw(world)
    pass_until(world, [payment])
    assert refused("RecipientRefused", world.vault.claim, payment, to, sender=recipient) == {"recipient": to}


@pytest.mark.property("P-151")
def test_anyone_makes_a_payment_and_only_its_recipient_says_where_to(world, recipient):
    """A contract that cannot call is paid like anybody else: here it is the test's token."""
    vault = world.vault
    request = world.make_withdraw(world.alice, world.post(), USDC, recipient=world.weth.address)
    [mute] = vault.find_queued(world.house.withdraw(request))
    [payment] = withdraw(world)
    pass_until(world, [mute, payment])
    stranger = world.chain.accounts[6]
    for caller in (stranger, world.alice.auth, world.oracle.contract.call("owner")):
        world.chain._request("anvil_impersonateAccount", caller)
        fields = refused("CallerNotRecipient", vault.claim, payment, stranger, sender=caller)
        assert fields == {"caller": caller, "recipient": recipient}
    before = world.cash.get_balance(recipient)
    vault.claim_for([mute, payment], sender=stranger)
    assert world.cash.get_balance(world.weth.address) == USDC
    assert world.cash.get_balance(recipient) == before + payment.amount
    [another] = withdraw(world)
    pass_until(world, [another])
    held = world.cash.get_balance(stranger)
    vault.claim(another, stranger, sender=recipient)
    assert world.cash.get_balance(stranger) == held + another.amount


# -------------------------------------------------------------------------------------------------------------- tokens
@pytest.mark.property("P-151")
@pytest.mark.parametrize("is_silent", [False, True])
def test_a_blocked_recipient_blocks_nobody_else_and_may_name_another_address(world, recipient, is_silent):
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 1_000)
    blocked, free = release(world, vault, recipient, 70), release(world, vault, world.chain.accounts[6], 30)
    token.contract.send("setBlocked", recipient, True, is_silent)
    pass_until(world, [blocked, free])
    receipt = vault.claim_for([blocked, free])
    assert [event["number"] for event in vault.contract.decode_logs(receipt, "PaymentBlocked")] == [blocked.number]
    assert token.get_balance(free.recipient) == 30 and token.get_balance(recipient) == 0
    assert vault.is_recorded(blocked) and vault.read_payments() == [blocked]
    refused("NothingDone", vault.claim_for, [blocked])
    refused("SafeERC20FailedOperation" if is_silent else "Blocked", vault.claim, blocked, recipient, sender=recipient)
    [queued] = [release(world, vault, free.recipient, 5)]  # the free list is whole: neither record is given twice
    assert queued.number == free.number and vault.is_recorded(blocked)
    vault.claim(blocked, free.recipient, sender=recipient)
    assert token.get_balance(free.recipient) == 100


@pytest.mark.property("P-151")
def test_a_keeper_makes_every_payment_but_the_one_that_its_token_refuses(world, recipient, monkeypatch):
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 1_000)
    blocked, free = release(world, vault, recipient, 70), release(world, vault, world.chain.accounts[6], 30)
    token.contract.send("setBlocked", recipient, True, False)
    pass_until(world, [blocked, free])
    monkeypatch.setattr(keeper_module, "MAX_CLAIMS", 1)
    keeper = Keeper(SimpleNamespace(contracts=SimpleNamespace(vault=vault, oracle=world.oracle)), None, [])
    assert [keeper.make_payments(), keeper.make_payments()] == [1, 0]
    assert token.get_balance(free.recipient) == 30 and vault.read_payments() == [blocked]


def test_a_keeper_reads_each_block_once_and_all_again_where_the_one_that_it_reached_was_replaced(world, recipient):
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 1_000)
    asked, read_on = [], vault.read_on

    def note(waiting, first, last):
        asked.append((first, last))
        return read_on(waiting, first, last)

    vault.read_on = note
    keeper = Keeper(SimpleNamespace(contracts=SimpleNamespace(vault=vault, oracle=world.oracle)), None, [])
    kept, mark = release(world, vault, recipient, 70), world.chain.snapshot()
    release(world, vault, recipient, 30)
    assert keeper.make_payments() == 0
    reached = world.chain.get_block("latest").number
    release(world, vault, recipient, 20)
    assert keeper.make_payments() == 0
    latest = world.chain.get_block("latest").number
    assert asked == [(0, reached), (reached + 1, latest)] and reached < latest

    world.chain.revert(mark)
    other = [release(world, vault, recipient, amount) for amount in (5, 6)]
    pass_until(world, other)
    assert keeper.make_payments() == 3 and vault.read_payments() == [] and not vault.is_recorded(kept)
    assert asked[2:] == [(0, world.chain.get_block("latest").number - 1)]
    assert keeper.make_payments() == 0  # the block that it made them in is read


@pytest.mark.property("P-151")
@pytest.mark.parametrize("call", ["claim", "claimFor", "fund"])
def test_a_token_that_calls_back_while_it_is_paid_gets_nothing(world, call):
    """The token is the recipient of a second payment that is due, and calls for it while the first is made."""
    vault, token = make_vault(world, "ReentrantToken")
    absorb(world, vault, token, 1_000)
    first, second = release(world, vault, world.funder, 70), release(world, vault, token.address, 30)
    pass_until(world, [first, second])
    fields = tuple(second.__dict__.values())
    calls = {
        "claim": ("claim", fields, world.funder),
        "claimFor": ("claimFor", [fields]),
        "fund": ("fund", bytes(32), token.address, 1),
    }
    token.contract.send("arm", vault.contract.address, vault.contract.encode(*calls[call]))
    refused("NothingDone", vault.claim_for, [first])
    refused("ReentrancyGuardReentrantCall", vault.claim, first, world.funder, sender=world.funder)
    assert vault.is_recorded(first) and vault.is_recorded(second)


def test_a_token_that_starts_to_keep_a_fee_pays_less_and_no_books_move(world, recipient):
    vault, token = make_vault(world, "FeeToken")
    token.contract.send("setFee", 0)
    absorb(world, vault, token, 1_000)
    payment = release(world, vault, recipient, 100)
    token.contract.send("setFee", 1)
    pass_until(world, [payment])
    vault.claim_for([payment])
    assert token.get_balance(recipient) == 99
    assert token.get_balance(vault.contract.address) == vault.get_held(token.address) == 900


def test_of_a_token_that_shrinks_whoever_claims_first_is_paid_and_the_rest_is_not_lost(world, recipient):
    """Documented as unsupported: the claim that finds too little stays, and is paid when units come."""
    vault, token = make_vault(world, "ShrinkingToken")
    absorb(world, vault, token, 100)
    first, second = release(world, vault, recipient, 60), release(world, vault, world.chain.accounts[6], 40)
    token.contract.send("shrink", vault.contract.address, 20)
    pass_until(world, [first, second])
    vault.claim_for([first, second])
    assert (token.get_balance(recipient), vault.is_recorded(second)) == (60, True)
    fields = refused("ERC20InsufficientBalance", vault.claim, second, recipient, sender=second.recipient)
    assert (fields["balance"], fields["needed"]) == (20, 40)
    token.mint(vault.contract.address, 20)
    vault.claim_for([second])
    assert token.get_balance(second.recipient) == 40


def test_what_does_not_fit_the_books_stays_in_the_inbox(world):
    """2^96 units and more of a token are not held: the deposit is refused, the tokens can be pulled back."""
    vault, token = make_vault(world, "BlockingToken", lot=2**66)
    token.mint(world.funder, 2**96)
    account = compute_account_id(
        type(world.domain)(world.chain.id, world.chain.accounts[9], world.domain.risk_oracle), world.funder, 0
    )
    vault.fund(account, token.address, 2**96, sender=world.funder)
    call = ("absorb", account, 0, [(1, 2**30)])
    refused("SafeCastOverflowedUintDowncast", vault.contract.send, *call, sender=world.chain.accounts[9])
    vault.contract.send("absorb", account, 0, [(1, 2**30 - 1)], sender=world.chain.accounts[9])
    assert vault.get_held(token.address) == 2**96 - 2**66
    vault.pull_back(0, token.address, 2**66, world.funder, sender=world.funder)


# ---------------------------------------------------------------------------------------------------------------- rate
@pytest.mark.property("P-152")
def test_beyond_a_daily_share_payments_wait_as_long_as_the_bucket_takes_to_drain(world, recipient):
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 100_000)
    bucket = Bucket(100_000, DAILY_SHARE)
    waits = []
    for amount, elapsed in ((15_000, 60), (5_000, 60), (20_000, 60), (1, 60), (20_000, DAY // 2), (39_999, 60)):
        world.chain.travel(elapsed)
        payment = release(world, vault, recipient, amount)
        now = world.oracle.get_live_time()
        wait = bucket.release(amount, now)
        assert payment.due_at == now + DELAY + wait
        waits.append(wait)
    assert waits[:2] == [0, 0] and waits[2] == pytest.approx(DAY, abs=200) and waits[3] >= waits[2] - 60
    assert waits[-1] <= 4 * DAY and vault.get_held(token.address) == 0


@pytest.mark.property("P-152")
@given(
    releases=st.lists(st.tuples(st.integers(0, 3 * DAY), st.integers(1, 10**6)), min_size=1, max_size=30),
    share=st.sampled_from((500, 2_000, 10_000)),
)
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_no_run_of_releases_brings_more_forward_than_the_rate_allows(releases, share):
    """Of the bucket in Python, to which the test above holds the contract."""
    held, now, due = 10**6, 0, []
    bucket = Bucket(held, share)
    for gap, wanted in releases:
        now, amount = now + gap, min(wanted, bucket.held)
        if amount:
            wait = bucket.release(amount, now)
            due.append((now + wait, amount))
            assert wait <= -(-DAY * (10_000 - share) // share)
    for moment, _ in due:
        total = sum(amount for other, amount in due if other <= moment)
        assert total * 10_000 * DAY <= held * share * (DAY + moment)


@pytest.mark.property("P-152")
@pytest.mark.parametrize("share", [500, 2_000, 10_000])
def test_whoever_leaves_waits_a_bounded_time_whatever_others_do(world, recipient, share):
    """Everybody leaves at once, in many payments: the last is due after 1 / share - 1 days and the delay, no later."""
    vault, token = make_vault(world, "BlockingToken")
    world.oracle.set_payment_terms(DELAY, share)
    absorb(world, vault, token, 10_000)
    payments = [release(world, vault, recipient, amount) for amount in (9_000, 500, 300, 199, 1)]
    most = DELAY + DAY * (10_000 - share) // share
    assert max(payment.due_at for payment in payments) <= world.oracle.get_live_time() + most
    assert payments[-1].due_at >= world.oracle.get_live_time() + most - DAY // 20
    pass_until(world, payments)
    vault.claim_for(payments)
    assert token.get_balance(recipient) == 10_000


@pytest.mark.property("P-152")
def test_who_pays_in_and_out_again_delays_others_by_no_more_than_his_money(world, recipient):
    """Nobody keeps the bucket full for ever: a refused payment could be forestalled for ever, one that waits cannot."""
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 100_000)
    for _ in range(6):  # 5 % of what is held, in and out every quarter of a day: as fast as the bucket drains
        absorb(world, vault, token, 5_000)
        release(world, vault, world.funder, 5_000)
        world.chain.travel(DAY // 4)
    honest = release(world, vault, recipient, 10_000)
    assert honest.due_at - world.oracle.get_live_time() == DELAY


def test_a_preview_is_what_a_payment_gets(world, recipient):
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 1_000)
    world.chain._request("anvil_setBlockTimestampInterval", 1)
    try:
        world.chain.travel(1)
        predicted = vault.preview_due(token.address, 700)
        assert release(world, vault, recipient, 700).due_at - predicted in (0, 1)
    finally:
        world.chain._request("anvil_removeBlockTimestampInterval")
    fields = refused("HeldTooLow", vault.preview_due, token.address, 301)
    assert (fields["wanted"], fields["available"]) == (301, 300)


def test_terms_have_bounds_and_hold_for_payments_to_come(world, recipient):
    oracle, owner = world.oracle, world.oracle.contract.call("owner")
    assert oracle.get_payment_terms() == (DELAY, DAILY_SHARE)
    [before] = withdraw(world)
    for delay, share in ((DAY + 1, 2_000), (0, 499), (0, 10_001)):
        fields = refused("PaymentTermsOutOfRange", oracle.set_payment_terms, delay, share, sender=owner)
        assert (fields["delay"], fields["dailyShare"]) == (delay, share)
    refused("OwnableUnauthorizedAccount", oracle.set_payment_terms, 0, 2_000, sender=world.chain.accounts[6])
    oracle.set_payment_terms(0, 500, sender=owner)
    assert oracle.get_payment_terms() == (0, 500) and world.vault.is_recorded(before)
    [after] = withdraw(world)
    world.vault.claim_for([after])
    refused("NothingDone", world.vault.claim_for, [before])
    oracle.set_payment_terms(DAY, 10_000, sender=owner)


# --------------------------------------------------------------------------------------------------------------- pause
@pytest.mark.property("P-153")
def test_a_pause_stops_the_clock_and_no_delay_runs_down(world, recipient, guardian):
    vault, oracle = world.vault, world.oracle
    [due] = withdraw(world)
    pass_until(world, [due])
    [waiting] = withdraw(world)
    oracle.pause(sender=guardian)
    stopped = oracle.get_live_time()
    [during] = leave_flat(world, ActionKind.WITHDRAW_FLAT)  # a flat exit goes on, and waits like the others
    assert during.due_at == stopped + DELAY
    world.chain.travel(3 * DAY)
    assert oracle.get_live_time() == stopped
    refused("NothingDone", vault.claim_for, [waiting, during])
    vault.claim_for([due])  # what is due already is the recipient's

    world.fund(world.alice, USDC)
    account = compute_account_id(world.domain, world.funder, 0)
    vault.fund(account, world.cash.address, 5, sender=world.funder)
    vault.pull_back(0, world.cash.address, 5, world.funder, sender=world.funder)

    oracle.unpause()
    refused("NothingDone", vault.claim_for, [waiting, during])
    left = waiting.due_at - stopped
    world.chain.travel(left - 60)
    refused("NothingDone", vault.claim_for, [waiting])
    pass_until(world, [waiting, during])
    vault.claim_for([waiting, during])


@pytest.mark.property("P-153")
def test_a_guardian_cannot_stop_the_clock_for_ever(world, guardian):
    """Nor by pausing again while a pause goes on; the owner's word ends it, and it counts seven days at most."""
    oracle = world.oracle
    [payment] = withdraw(world)
    oracle.pause(sender=guardian)
    begun = oracle.contract.call("pausedAt")
    assert begun == world.chain.time and oracle.contract.call("pauseLimit") == PAUSE_LIMIT
    world.chain.travel(4 * DAY)
    oracle.pause(sender=guardian)
    assert oracle.contract.call("pausedAt") == begun
    world.chain.travel_to(begun + PAUSE_LIMIT + payment.due_at - begun)
    assert oracle.is_paused() and oracle.get_live_time() == payment.due_at
    world.vault.claim_for([payment])
    oracle.unpause()
    assert oracle.get_live_time() == world.chain.time - PAUSE_LIMIT and oracle.contract.call("pausedAt") == 0
    oracle.unpause()
    assert oracle.get_live_time() == world.chain.time - PAUSE_LIMIT
    oracle.pause(sender=guardian)
    world.chain.travel(DAY)
    oracle.unpause()
    assert oracle.get_live_time() == pytest.approx(world.chain.time - PAUSE_LIMIT - DAY, abs=3)


# ---------------------------------------------------------------------------------------------------------------- veto
@pytest.mark.property("P-154")
def test_a_veto_delays_once_and_then_the_payment_is_due(world, recipient, guardian):
    vault, owner = world.vault, world.oracle.contract.call("owner")
    [first], [second], [due] = withdraw(world), withdraw(world), withdraw(world)
    for caller in (world.chain.accounts[6], owner):
        assert refused("CallerNotGuardian", vault.veto, [first], sender=caller)["guardian"] == guardian
    vault.veto([first, replace(second, amount=1), first], sender=guardian)
    vetoed = replace(first, state=PaymentState.VETOED, due_at=first.due_at + VETO_TIME)
    assert vault.is_recorded(vetoed) and not vault.is_recorded(first) and vault.is_recorded(second)
    assert vault.read_payments() == [vetoed, second, due]
    refused("NothingDone", vault.veto, [vetoed, first], sender=guardian)
    pass_until(world, [due])
    refused("NothingDone", vault.veto, [due], sender=guardian)  # due: out of the guardian's reach
    vault.claim_for([second, due])
    refused("NothingDone", vault.claim_for, [first, vetoed])
    pass_until(world, [vetoed])
    refused("PaymentDue", vault.return_vetoed, vetoed, sender=owner)
    before = world.cash.get_balance(recipient)
    vault.claim_for([vetoed])
    assert world.cash.get_balance(recipient) == before + first.amount


@pytest.mark.property("P-154")
def test_the_owner_returns_a_vetoed_payment_to_the_accounts_and_may_take_that_back(world, recipient, guardian):
    vault, owner = world.vault, world.oracle.contract.call("owner")
    token = world.cash.address
    held = vault.get_held(token)
    [payment] = withdraw(world)
    refused("PaymentStateWrong", vault.return_vetoed, payment, sender=owner)
    refused("PaymentStateWrong", vault.reinstate, payment, sender=owner)
    vault.veto([payment], sender=guardian)
    [vetoed] = vault.read_payments()
    for call in (vault.return_vetoed, vault.reinstate):
        refused("CallerNotOwner", call, vetoed, sender=guardian)
    vault.return_vetoed(vetoed, sender=owner)
    [returned] = vault.read_payments()
    assert returned == replace(vetoed, state=PaymentState.RETURNED) and vault.get_held(token) == held
    refused("PaymentStateWrong", vault.return_vetoed, returned, sender=owner)
    refused("PaymentUnknown", vault.return_vetoed, vetoed, sender=owner)
    pass_until(world, [returned])
    refused("NothingDone", vault.claim_for, [returned, vetoed, payment])
    refused("PaymentStateWrong", vault.claim, returned, recipient, sender=recipient)
    refused("NothingDone", vault.veto, [returned], sender=guardian)

    vault.reinstate(returned, sender=owner)
    [reinstated] = vault.read_payments()
    assert reinstated == replace(payment, state=PaymentState.REINSTATED)
    refused("PaymentStateWrong", vault.reinstate, reinstated, sender=owner)
    assert vault.get_held(token) == held - payment.amount
    refused("NothingDone", vault.veto, [reinstated], sender=guardian)
    before = world.cash.get_balance(recipient)
    vault.claim_for([reinstated])
    assert world.cash.get_balance(recipient) == before + payment.amount


@pytest.mark.property("P-154")
def test_a_reinstated_payment_is_due_when_it_was_and_is_not_vetoed_again(world, recipient, guardian):
    """Guardian and owner together do not take a payment past the rate limit either."""
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 1_000)
    payment = release(world, vault, recipient, 1_000)
    assert payment.due_at > world.oracle.get_live_time() + 3 * DAY
    vault.veto([payment], sender=guardian)
    vault.reinstate(*vault.read_payments())
    [reinstated] = vault.read_payments()
    assert reinstated == replace(payment, state=PaymentState.REINSTATED)
    refused("NothingDone", vault.claim_for, [reinstated])
    refused("NothingDone", vault.veto, [reinstated], sender=guardian)
    refused("PaymentStateWrong", vault.return_vetoed, reinstated)
    pass_until(world, [reinstated])
    vault.claim_for([reinstated])
    assert token.get_balance(recipient) == 1_000


@pytest.mark.property("P-154")
def test_a_returned_payment_is_not_reinstated_out_of_nothing(world, guardian):
    """Its tokens went to those who left meanwhile."""
    vault, token = world.vault, world.cash.address
    [payment] = withdraw(world)
    vault.veto([payment], sender=guardian)
    vault.return_vetoed(*vault.read_payments())
    held = vault.get_held(token)
    withdraw(world, held)
    fields = refused("HeldTooLow", vault.reinstate, vault.read_payments()[0])
    assert (fields["wanted"], fields["available"]) == (payment.amount, 0)


@pytest.mark.property("P-154")
def test_a_returned_payment_no_longer_counts_against_the_rate(world, guardian, recipient):
    vault, token = make_vault(world, "BlockingToken")
    absorb(world, vault, token, 1_000)
    thief = release(world, vault, recipient, 1_000)
    assert thief.due_at == world.oracle.get_live_time() + DELAY + 4 * DAY
    vault.veto([thief], sender=guardian)
    vault.return_vetoed(*vault.read_payments())
    honest = release(world, vault, recipient, 200)
    assert honest.due_at == world.oracle.get_live_time() + DELAY


def test_a_bad_quorum_is_stopped_before_its_money_is_gone(world, guardian):
    """The run that emptied a vault: forged states leave by flat exits, while others hold honest ones. At most a daily
    share is due within the delay, the guardian vetoes all of it, the owner returns it, and the honest owner leaves."""
    vault, token, owner = world.vault, world.cash.address, world.oracle.contract.call("owner")
    held = vault.get_held(token)
    world.oracle.pause(sender=guardian)
    stolen = [
        payment
        for amount in (held // 10, held - held // 10)
        for payment in vault.find_queued(
            world.house.withdraw_flat(world.make_flat(ActionKind.WITHDRAW_FLAT, world.bob, amount))
        )
    ]
    honest = world.make_flat(ActionKind.WITHDRAW_FLAT, world.alice, 1)
    refused("HeldTooLow", world.house.withdraw_flat, honest)
    vault.veto(stolen, sender=guardian)
    for payment in vault.read_payments():
        vault.return_vetoed(payment, sender=owner)
    assert vault.get_held(token) == held
    world.oracle.unpause()
    [payment] = leave_flat(world, ActionKind.WITHDRAW_FLAT, 1_000 * USDC)
    pass_until(world, [payment])
    vault.claim_for([payment])
