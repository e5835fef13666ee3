"""The vault under random runs of everything that moves a token or a payment, where the verifier accepts every proof:
the books stay those of a ghost ledger, and each refusal is the one that the ledger expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random

import pytest

from tests.support.ledger import DAY, Bucket, Ledger
from tests.support.world import LOT, USDC, Party, World
from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.messages import SignedEpoch
from zkmargin.contracts.requests import ActionRequest
from zkmargin.contracts.vault import Payment, PaymentState
from zkmargin.prover.messages.action_table import ActionKind

PAUSE_LIMIT, VETO_TIME = 7 * DAY, 14 * DAY
NEAR = 10
"""Seconds within which a test does not say on which side of a payment's time a call will be mined."""
LOOK_EVERY = 20
"""Calls between two looks at all the books."""


class Run:
    """A world whose verifier accepts everything, its ledger, and a method for each thing that may happen.

    Each method works out the error that must come (None for success), tries it, and books it. It returns the error.
    """

    def __init__(self, world: World, seed: int):
        self.world, self.vault, self.random = world, world.vault, Random(seed)
        self.parties = [world.alice, world.bob]
        self.owner, self.guardian = world.chain.accounts[0], world.chain.accounts[8]
        self.recipients = world.chain.accounts[5:8]
        world.oracle.contract.send("setGuardian", self.guardian)
        world.accept_all_proofs()
        for party in self.parties:
            world.chain._request("anvil_impersonateAccount", party.auth)
            world.chain._request("anvil_setBalance", party.auth, hex(10**20))
        self.cash, self.weth = world.cash.address, world.weth.address
        self.tokens = {self.cash: world.cash, self.weth: world.weth}
        self.delay, share = world.oracle.get_payment_terms()
        self.ledger = Ledger({name: Bucket(self.vault.get_held(name), share) for name in self.tokens})
        for party in self.parties:
            for name, amount in ((self.cash, 1_000 * USDC), (self.weth, 10 * LOT)):
                self.ledger.inbox[party.id, name] = self.ledger.hidden[party.id, name] = amount
        self.before = {
            (who, name): self.tokens[name].get_balance(who) for who in self.recipients for name in self.tokens
        }
        self.paused_at, self.lost = 0, 0
        self.outcomes: set[str] = set()
        self.epoch = world.post()

    def go(self, steps: int) -> None:
        """That many things, chosen at random; now and then a look at all the books."""
        weights: dict[Callable[[], str | None], int] = {
            self.fund: 4, self.pull_back: 3, self.deposit: 5, self.withdraw: 5, self.leave_flat: 5, self.trade: 3,
            self.collect: 3, self.claim_for: 6, self.claim: 3, self.veto: 4, self.settle_veto: 5, self.pass_time: 6,
            self.set_terms: 1, self.toggle_pause: 2,
        }  # fmt: skip
        for number, action in enumerate(self.random.choices(list(weights), list(weights.values()), k=steps)):
            error = action()
            self.outcomes.add(action.__name__ + (f": {error}" if error else ""))
            if number % LOOK_EVERY == 0 or number == steps - 1:
                self.look()

    @contextmanager
    def expect(self, error: str | None) -> Iterator[str | None]:
        """What happens inside is refused for that reason, or not at all."""
        if error is None:
            yield error
            return
        with pytest.raises(Reverted) as caught:
            yield error
        assert caught.value.error == error

    # ------------------------------------------------------------------------------------------------------- the clock
    def get_live_time(self) -> int:
        now = self.world.chain.time
        return now - self.lost - (min(now - self.paused_at, PAUSE_LIMIT) if self.paused_at else 0)

    def pass_time(self) -> None:
        self.world.chain.travel(self.random.choice((60, 900, 3_600, DAY, 5 * DAY)))

    def toggle_pause(self) -> str:
        oracle = self.world.oracle
        if self.paused_at:
            oracle.unpause(sender=self.owner)
            self.lost += min(self.world.chain.time - self.paused_at, PAUSE_LIMIT)
            self.paused_at = 0
            return "off"
        oracle.pause(sender=self.guardian)
        self.paused_at = self.world.chain.time
        return "on"

    def set_terms(self) -> None:
        self.delay, share = self.random.choice((0, 1_800, DAY)), self.random.choice((500, 2_000, 10_000))
        self.world.oracle.set_payment_terms(self.delay, share, sender=self.owner)
        for bucket in self.ledger.buckets.values():
            bucket.share = share

    # --------------------------------------------------------------------------------------------------------- inboxes
    def fund(self) -> None:
        party, name = self.pick()
        amount = self.random.randrange(1, 100) * self.unit(name)
        self.vault.fund(party.id, name, amount, sender=self.world.funder)
        self.ledger.inbox[party.id, name] += amount

    def pull_back(self) -> str | None:
        party, name = self.pick()
        available, to = self.ledger.inbox[party.id, name], self.random.choice(self.recipients)
        amount = self.random.randrange(available * 4 // 3 + 2)
        with self.expect("InboxTooLow" if amount > available else None) as error:
            self.vault.pull_back(party.index, name, amount, to, sender=party.auth)
            self.ledger.inbox[party.id, name] -= amount
            self.ledger.paid[to, name] += amount
        return error

    def deposit(self) -> str | None:
        party, _ = self.pick()
        inbox = {name: self.ledger.inbox[party.id, name] for name in self.tokens}
        cash, lots = (
            self.random.randrange(inbox[self.cash] * 9 // 8 + 2),
            self.random.randrange(inbox[self.weth] // LOT + 2),
        )
        fee = min(cash, self.random.randrange(3))
        is_too_much = cash > inbox[self.cash] or lots * LOT > inbox[self.weth]
        request = self.prepare(ActionKind.DEPOSIT, party, cash - fee, lots, fee)
        with self.expect("InboxTooLow" if is_too_much else None) as error:
            self.world.house.deposit(request, sender=self.world.submitter)
            for name, amount in ((self.cash, cash), (self.weth, lots * LOT)):
                self.ledger.inbox[party.id, name] -= amount
                self.ledger.hidden[party.id, name] += amount
                self.ledger.buckets[name].held += amount
            self.pay_fee(party, fee)
        return error

    # ------------------------------------------------------------------------------------------------- hidden accounts
    def withdraw(self) -> str | None:
        return self.leave(ActionKind.WITHDRAW, "ActionPaused" if self.paused_at else None)

    def leave_flat(self) -> str | None:
        return self.leave(ActionKind.WITHDRAW_FLAT, None)

    def leave(self, kind: ActionKind, error: str | None) -> str | None:
        """Of more than the account has, too, since a proof is accepted of anything: even of more than all have."""
        party, _ = self.pick()
        held = {name: bucket.held for name, bucket in self.ledger.buckets.items()}
        share = self.random.choice((20, 20, 5, 1))
        cash, lots = (
            self.random.randrange(held[name] // share // unit + 2) for name, unit in ((self.cash, 1), (self.weth, LOT))
        )
        fee, recipient = self.random.randrange(3), self.random.choice(self.recipients)
        amounts = {self.cash: cash, self.weth: lots * LOT}
        if any(amount > held[name] for name, amount in amounts.items()):
            error = error or "HeldTooLow"
        request = self.prepare(kind, party, -cash - fee, -lots, fee, recipient=recipient)
        with self.expect(error) as expected:
            receipt = self.world.house.act(kind, request, sender=self.world.submitter)
            self.queue(receipt, party.id, recipient, amounts)
            for name, amount in amounts.items():
                self.ledger.hidden[party.id, name] -= amount
            self.pay_fee(party, fee)
        return expected

    def trade(self) -> str | None:
        """Cash changes hands unseen; each side pays a fee."""
        plus, minus = self.random.sample(self.parties, 2)
        fee, cash = self.random.randrange(3), self.random.randrange(100) * USDC
        with self.expect("ActionPaused" if self.paused_at else None) as error:
            self.world.house.trade(
                self.world.make_trade(plus, minus, self.refresh(), (fee, fee)), sender=self.world.submitter
            )
            self.ledger.hidden[plus.id, self.cash] += cash
            self.ledger.hidden[minus.id, self.cash] -= cash
            for party in (plus, minus):
                self.pay_fee(party, fee)
        return error

    def collect(self) -> str | None:
        fees, recipient = self.ledger.fees, self.random.choice(self.recipients)
        error = "FeesZero" if not fees else "HeldTooLow" if fees > self.ledger.buckets[self.cash].held else None
        with self.expect(error) as expected:
            receipt = self.world.house.collect_fees(recipient, sender=self.world.submitter)
            self.queue(receipt, bytes(32), recipient, {self.cash: fees})
            self.ledger.fees = 0
        return expected

    # -------------------------------------------------------------------------------------------------------- payments
    def claim_for(self) -> str | None:
        given = self.pick_payments()
        paid = [item for item in dict.fromkeys(given) if item in self.ledger.payments and self.is_due(item)]
        with self.expect(None if paid else "NothingDone") as error:
            self.vault.claim_for(given, sender=self.world.submitter)
            for item in paid:
                self.make(item, item.recipient)
        return error

    def claim(self) -> str | None:
        if not (given := self.pick_payments()):
            return None
        payment, to = given[0], self.random.choice(self.recipients)
        if payment not in self.ledger.payments:
            error = "PaymentUnknown"
        elif payment.state is PaymentState.RETURNED:
            error = "PaymentStateWrong"
        else:
            error = None if self.is_due(payment) else "PaymentNotDue"
        with self.expect(error) as expected:
            self.vault.claim(payment, to, sender=payment.recipient)
            self.make(payment, to)
        return expected

    def veto(self) -> str | None:
        given = self.pick_payments()
        waiting = [
            item
            for item in dict.fromkeys(given)
            if item in self.ledger.payments and item.state is PaymentState.QUEUED and not self.is_due(item)
        ]
        with self.expect(None if waiting else "NothingDone") as error:
            self.vault.veto(given, sender=self.guardian)
            for item in waiting:
                self.change(item, state=PaymentState.VETOED, due_at=item.due_at + VETO_TIME)
        return error

    def settle_veto(self) -> str | None:
        """The owner returns or reinstates; whatever the payment's state is."""
        if not (given := self.pick_payments()):
            return None
        payment, bucket = given[0], self.ledger.buckets[given[0].token]
        if payment not in self.ledger.payments:
            error = "PaymentUnknown"
        elif self.random.random() < 0.5:
            error = "PaymentStateWrong" if payment.state is not PaymentState.VETOED else None
            error = error or ("PaymentDue" if self.is_due(payment) else None)
            with self.expect(error) as expected:
                self.vault.return_vetoed(payment, sender=self.owner)
                self.change(payment, state=PaymentState.RETURNED)
                bucket.take_back(payment.amount)
            return f"returned {expected}"
        else:
            is_returned = payment.state is PaymentState.RETURNED
            is_vetoed = payment.state in (PaymentState.VETOED, PaymentState.RETURNED)
            error = None if is_vetoed else "PaymentStateWrong"
            error = error or ("HeldTooLow" if is_returned and payment.amount > bucket.held else None)
        with self.expect(error) as expected:
            self.vault.reinstate(payment, sender=self.owner)
            self.change(payment, state=PaymentState.REINSTATED, due_at=payment.due_at - VETO_TIME)
            if is_returned:
                bucket.release_again(payment.amount)
        return f"reinstated {expected}"

    # ----------------------------------------------------------------------------------------------------------- books
    def queue(self, receipt: Receipt, account: bytes, recipient: str, amounts: dict[str, int]) -> None:
        """Books the payments that a release must have made, and compares."""
        now = self.get_live_time()
        expected = [
            (account, recipient, name, now + self.delay + self.ledger.buckets[name].release(amount, now), amount)
            for name, amount in amounts.items()
            if amount
        ]
        queued = self.vault.find_queued(receipt)
        assert [(item.account, item.recipient, item.token, item.due_at, item.amount) for item in queued] == expected
        self.ledger.payments += queued
        places = [(item.token, item.number) for item in self.ledger.payments]
        assert len(set(places)) == len(places), "one record for two payments"

    def make(self, payment: Payment, to: str) -> None:
        self.ledger.payments.remove(payment)
        self.ledger.paid[to, payment.token] += payment.amount

    def change(self, payment: Payment, **changes: object) -> None:
        place = self.ledger.payments.index(payment)
        self.ledger.payments[place] = replace(payment, **changes)  # type: ignore[arg-type]

    def pay_fee(self, party: Party, fee: int) -> None:
        self.ledger.hidden[party.id, self.cash] -= fee
        self.ledger.fees += fee

    def look(self) -> None:
        """The invariants, on chain and in the ledger."""
        ledger, vault = self.ledger, self.vault
        assert self.world.oracle.get_live_time() == self.get_live_time()
        assert self.world.house.get_fees(self.world.submitter) == ledger.fees
        for name, token in self.tokens.items():
            held, returned = vault.get_held(name), ledger.sum_payments(name, returned=True)
            fees = ledger.fees if name == self.cash else 0
            assert held == ledger.buckets[name].held == ledger.sum_hidden(name) + fees + returned
            inboxes, waiting = ledger.sum_inboxes(name), ledger.sum_payments(name, returned=False)
            assert token.get_balance(vault.contract.address) == inboxes + held + waiting
            for party in self.parties:
                assert vault.get_inbox(party.id, name) == ledger.inbox[party.id, name]
            for who in self.recipients:
                assert token.get_balance(who) == self.before[who, name] + ledger.paid[who, name]
        assert all(vault.is_recorded(item) for item in ledger.payments)

    # --------------------------------------------------------------------------------------------------------- choices
    def pick(self) -> tuple[Party, str]:
        return self.random.choice(self.parties), self.random.choice(list(self.tokens))

    def unit(self, name: str) -> int:
        return USDC if name == self.cash else LOT

    def pick_payments(self) -> Sequence[Payment]:
        """A few, some of them twice, some of them not as they are recorded; none whose time is near."""
        now = self.get_live_time()
        known = [item for item in self.ledger.payments if abs(item.due_at - now) > NEAR]
        given = self.random.choices(known, k=self.random.randrange(1, 6)) if known else []
        return [replace(item, amount=item.amount + 1) if self.random.random() < 0.1 else item for item in given]

    def is_due(self, payment: Payment) -> bool:
        return payment.state is not PaymentState.RETURNED and payment.due_at <= self.get_live_time()

    def refresh(self) -> SignedEpoch:
        """An epoch that serves now, unless a pause lets none be posted."""
        if not self.paused_at and self.world.chain.time - self.epoch.message.time > 60:
            self.epoch = self.world.post()
        return self.epoch

    def prepare(
        self, kind: ActionKind, party: Party, cash_flow: int, lots: int, fee: int, **changes: object
    ) -> ActionRequest:
        """A signed request with a proof of nothing."""
        epoch = self.refresh() if kind is ActionKind.WITHDRAW else None
        action = self.world.draft(
            kind, party, epoch, cash_flow=cash_flow, fee=fee, flows=self.world.flows(lots), **changes
        )
        points = epoch.epoch_points if epoch else None
        return ActionRequest.from_action(action, (0,) * 8, self.world.sign(party, action), points)


EVERYTHING = {
    "fund", "pull_back", "pull_back: InboxTooLow", "deposit", "deposit: InboxTooLow", "withdraw", "leave_flat",
    "leave_flat: HeldTooLow", "trade", "collect", "claim_for", "claim_for: NothingDone", "claim",
    "claim: PaymentNotDue", "claim: PaymentUnknown", "veto", "veto: NothingDone", "settle_veto: returned None",
    "settle_veto: reinstated None", "settle_veto: reinstated PaymentStateWrong", "toggle_pause: on",
    "toggle_pause: off", "withdraw: ActionPaused", "pass_time", "set_terms",
}  # fmt: skip
"""Outcomes that a long run must have met: a run in which nothing happens proves nothing."""
RARE = {"leave_flat: HeldTooLow", "settle_veto: returned None", "settle_veto: reinstated None", "claim"}
"""Those that a short run need not meet."""


@pytest.mark.property("P-48")
def test_the_books_are_those_of_a_ledger_after_any_run(world):
    run = Run(world, seed=20260822)
    run.go(160)
    assert run.outcomes >= EVERYTHING - RARE, EVERYTHING - RARE - run.outcomes


@pytest.mark.slow
@pytest.mark.property("P-48")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_books_are_those_of_a_ledger_after_long_runs(world, seed):
    run = Run(world, seed)
    run.go(2_000)
    assert run.outcomes >= EVERYTHING, EVERYTHING - run.outcomes
