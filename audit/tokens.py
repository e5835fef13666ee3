"""The vault: tokens in, tokens out, and what is in between, token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from zkmargin.audit.desks import DeskTerms
from zkmargin.audit.ledger import Ledger, QueuedPayment
from zkmargin.audit.report import Report
from zkmargin.audit.source import EVENTS, Happened, Source
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.vault import PaymentState
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, FlowRule
from zkmargin.prover.messages.fields import ZERO_BYTES32

INSURANCE = keccak(b"zkmargin.insurance")
"""Inbox into which the surplus is funded."""


def compute_bond(account: bytes) -> bytes:
    """Inbox into which an account's bond is funded."""
    return keccak(abi_encode(["string", "bytes32"], ["zkmargin.bond", account]))


@dataclass
class TokenAudit:
    """Replays what the vault says, and what the clearing house tells it to take in and to release."""

    source: Source
    ledger: Ledger
    report: Report
    cash: str
    """Address of the token of cash."""
    units: Mapping[int, tuple[str, int]]
    """Token and units per lot, by collateral slot."""
    terms: DeskTerms
    _causes: dict[str, list[tuple[bytes, str, str, int]]] = field(default_factory=dict)
    """Payments that actions of a transaction explain and that were not seen yet: account, recipient, token, units."""

    def take(self, event: Happened) -> None:
        """Replays one event of the vault, or the tokens' part of one of the clearing house."""
        handler: Callable[[Happened, Mapping[str, Any]], None] | None = getattr(self, f"_take_{event.name}", None)
        if handler is not None:
            handler(event, event.fields)
        elif event.contract != "house" and event.name not in EVENTS[event.contract]:
            self.report.skip("vault", f"event {event.name}, which this auditor does not replay")
            self.ledger.is_vault_followed = False

    def _take_Funded(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self._move_inbox(event, fields["account"], fields["token"], int(fields["amount"]))

    def _take_PulledBack(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self._move_inbox(event, fields["account"], fields["token"], -int(fields["amount"]))

    def _take_Flowed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        """Out of the inbox into the hidden accounts; what leaves them is queued, by an event of its own."""
        if ACTION_RULES[ActionKind(fields["kind"])].flows is not FlowRule.IN:
            return
        amounts = {self.cash: fields["cashFlow"] + fields["fee"]}
        for flow in fields["flows"]:
            token, unit = self.units[flow["slot"]]
            amounts[token] = amounts.get(token, 0) + flow["lots"] * unit
        for token, amount in amounts.items():
            if amount:
                self._move_inbox(event, fields["account"], token, -amount)
                self.ledger.move(self.ledger.held, token, amount)

    def _take_PaymentQueued(self, event: Happened, fields: Mapping[str, Any]) -> None:
        token, number, amount = str(fields["token"]), int(fields["number"]), int(fields["amount"])
        place = f"{token} {number}"
        if place in self.ledger.payments:
            self.report.add("vault", f"record {number} of {token}", "taken twice", "one that is free", event.place)
        self.ledger.payments[place] = QueuedPayment(
            account=bytes(fields["account"]),
            recipient=str(fields["recipient"]),
            due_at=int(fields["dueAt"]),
            state=PaymentState.QUEUED,
            amount=amount,
        )
        self._check_cause(event, fields)
        self._check_due(event, token, amount)
        left = self.ledger.move(self.ledger.held, token, -amount)
        self.report.count("vault")
        if left < 0:
            self.report.add("vault", f"{token} held after payment {number}", left, "0 or more", event.place)

    def _take_Claimed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        payment = self.ledger.payments.pop(f"{fields['token']} {fields['number']}", None)
        what = f"payment {fields['number']} of {fields['token']}"
        if payment is None:
            self.report.add("vault", what, "claimed", "one that was queued", event.place)
            return
        if payment.state == PaymentState.RETURNED:
            self.report.add("vault", what, "claimed", "none, as it was returned", event.place)
        live = self.ledger.to_live(self.source.read_time(event.place.block))
        if live < payment.due_at:
            self.report.add(
                "vault", f"live time at which {what} was claimed", live, f"{payment.due_at} or later", event.place
            )
        found = fields["recipient"], fields["amount"]
        self.report.require(
            "vault", f"recipient and amount of {what}", found, (payment.recipient, payment.amount), event.place
        )

    def _take_PaymentVetoed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self._set_state(event, fields, PaymentState.VETOED)

    def _take_PaymentReturned(self, event: Happened, fields: Mapping[str, Any]) -> None:
        payment = self._set_state(event, fields, PaymentState.RETURNED)
        if payment is not None:
            self.ledger.move(self.ledger.held, str(fields["token"]), payment.amount)
            self.ledger.add_outflow(str(fields["token"]), -payment.amount)

    def _take_PaymentReinstated(self, event: Happened, fields: Mapping[str, Any]) -> None:
        payment = self.ledger.payments.get(f"{fields['token']} {fields['number']}")
        was_returned = payment is not None and payment.state == PaymentState.RETURNED
        payment = self._set_state(event, fields, PaymentState.REINSTATED)
        if payment is not None and was_returned:
            self.ledger.move(self.ledger.held, str(fields["token"]), -payment.amount)
            self.ledger.add_outflow(str(fields["token"]), payment.amount)

    def _set_state(self, event: Happened, fields: Mapping[str, Any], state: PaymentState) -> QueuedPayment | None:
        payment = self.ledger.payments.get(f"{fields['token']} {fields['number']}")
        if payment is None:
            what = f"payment {fields['number']} of {fields['token']}"
            self.report.add("vault", what, state.name.lower(), "one that was queued", event.place)
            return None
        payment.state, payment.due_at = state, int(fields.get("dueAt", payment.due_at))
        return payment

    def _move_inbox(self, event: Happened, account: bytes, token: str, amount: int) -> None:
        left = self.ledger.move(self.ledger.inbox, f"{bytes(account).hex()} {token}", amount)
        self.report.count("vault")
        if left < 0:
            what = f"inbox of account 0x{bytes(account).hex()}, units of {token}"
            self.report.add("vault", what, left, "0 or more", event.place)

    def _check_due(self, event: Happened, token: str, amount: int) -> None:
        """That a payment waits as long as the terms in force say."""
        due = self.ledger.meter(token, amount, self.source.read_time(event.place.block))
        if self.ledger.unfollowed or not self.ledger.is_vault_followed:
            self.report.skip("vault", "when payments are due at a venue with events that this auditor does not replay")
            return
        what = f"live time at which payment {event.fields['number']} of {token} is due"
        self.report.require("vault", what, int(event.fields["dueAt"]), due, event.place)

    def _check_cause(self, event: Happened, fields: Mapping[str, Any]) -> None:
        """That what leaves is what an action of the same transaction says, or what is left of a closed account's bond,
        of which no other event tells."""
        account, token, amount = bytes(fields["account"]), str(fields["token"]), int(fields["amount"])
        transaction = event.place.transaction
        if transaction not in self._causes:
            events = self.source.by_transaction.get(transaction, [])
            self._causes[transaction] = [cause for other in events for cause in self._list_causes(other)]
        causes, found = self._causes[transaction], (account, str(fields["recipient"]), token, amount)
        self.report.count("vault")
        if found in causes:
            causes.remove(found)
        elif not causes and token == self.cash and self._is_closed(account):
            self._take_bond(event, account, str(fields["recipient"]), amount)
        else:
            allowed = [(cause[2], cause[3], cause[1]) for cause in causes]
            self.report.add(
                "vault", f"payment of account 0x{account.hex()}", (token, amount, found[1]), allowed, event.place
            )

    def _list_causes(self, event: Happened) -> Iterator[tuple[bytes, str, str, int]]:
        """Payments that an event of the clearing house or of a desk promises."""
        name, fields = event.name, event.fields
        if name == "Flowed" and ACTION_RULES[ActionKind(fields["kind"])].flows is FlowRule.OUT:
            account, recipient = bytes(fields["account"]), str(fields["recipient"])
            if cash := -fields["cashFlow"] - fields["fee"]:
                yield account, recipient, self.cash, cash
            for flow in fields["flows"]:
                token, unit = self.units[flow["slot"]]
                yield account, recipient, token, -flow["lots"] * unit
        elif name == "FeesCollected":
            yield ZERO_BYTES32, str(fields["to"]), self.cash, int(fields["amount"])
        elif name == "TakenOver" and fields["price"] > 0:
            owner = self.ledger.accounts.get(fields["book"].hex())
            yield bytes(fields["book"]), owner.auth if owner else "nobody", self.cash, int(fields["price"])

    def _is_closed(self, account: bytes) -> bool:
        known = self.ledger.accounts.get(account.hex())
        return known is not None and known.status == Status.CLOSED

    def _take_bond(self, event: Happened, account: bytes, recipient: str, amount: int) -> None:
        """All that is left of it, to whom the account's auth said."""
        bond, call = compute_bond(account), self.source.read_call("house", event.place)
        what = f"bond of account 0x{account.hex()}"
        held = self.ledger.inbox.get(f"{bond.hex()} {self.cash}", 0)
        self.report.require("vault", f"payment of the {what}", amount, held, event.place)
        self._absorb(event, bond, amount)
        if call.function != "takeBond":
            self.report.skip("vault", f"who took a bond: {call.reason or f'a call of {call.function}'}")
            return
        found = call.arguments["account"], call.arguments["to"], call.sender
        expected = account, recipient, self.ledger.accounts[account.hex()].auth
        self.report.require("vault", f"account, recipient and sender of the {what}", found, expected, event.place)

    # ------------------------------------------------------------------------------------------------- the desks' money
    def _take_Frozen(self, event: Happened, fields: Mapping[str, Any]) -> None:
        """The keeper earns the bounty, as a submitter its fees."""
        self._take_from_bond(event, "bounty", self.terms.bounty)
        self.ledger.move(self.ledger.fees, str(fields["keeper"]), int(fields["bounty"]))

    def _take_Redeemed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self._take_from_bond(event, "lateFee", self.terms.late_fee)
        self.ledger.surplus += fields["lateFee"]

    def _take_from_bond(self, event: Happened, name: str, most: int) -> None:
        """Into the vault, up to so much."""
        bond, amount = compute_bond(event.fields["account"]), int(event.fields[name])
        expected = min(self.ledger.inbox.get(f"{bond.hex()} {self.cash}", 0), most)
        what = f"{name} of account 0x{event.fields['account'].hex()}"
        self.report.require("vault", what, amount, expected, event.place)
        self._absorb(event, bond, amount)

    def _take_SurplusAdded(self, event: Happened, fields: Mapping[str, Any]) -> None:
        self._absorb(event, INSURANCE, fields["amount"])
        self.ledger.surplus += fields["amount"]

    def _take_TakenOver(self, event: Happened, fields: Mapping[str, Any]) -> None:
        """The bidder's cash pays the former owner, or the surplus pays the bidder."""
        self.ledger.hidden_cash -= fields["price"]
        if fields["price"] < 0:
            self.ledger.surplus += fields["price"]
            self.report.count("vault")
            if self.ledger.surplus < 0:
                self.report.add("vault", "surplus after a bid", self.ledger.surplus, "0 or more", event.place)

    def _absorb(self, event: Happened, account: bytes, amount: int) -> None:
        """Cash out of an inbox into the vault."""
        if amount:
            self._move_inbox(event, account, self.cash, -amount)
            self.ledger.move(self.ledger.held, self.cash, amount)

    def check_sums(self) -> None:
        """That cash and collateral of the hidden accounts, with the surplus and with payments that came back and are
        nobody's yet, are what the vault holds for them, at the end."""
        ledger, place = self.ledger, self.source.end
        if ledger.unfollowed or not ledger.is_vault_followed:
            self.report.skip("vault", "sums of a venue with events that this auditor does not replay")
            return
        owed = ledger.hidden_cash + sum(ledger.fees.values()) + ledger.sum_returned(self.cash) + ledger.surplus
        what = "cash that the hidden accounts and submitters have, and the surplus, micro-dollars"
        self.report.require("vault", what, owed, ledger.held.get(self.cash, 0), place)
        for slot, (token, unit) in self.units.items():
            what = f"collateral of slot {slot} that the hidden accounts have, units"
            owed = ledger.hidden_lots.get(slot, 0) * unit + ledger.sum_returned(token)
            self.report.require("vault", what, owed, ledger.held.get(token, 0), place)
