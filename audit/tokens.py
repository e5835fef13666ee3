"""The vault: tokens in, tokens out, and what is in between, token by token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zkmargin.audit.ledger import Ledger, QueuedPayment
from zkmargin.audit.report import Report
from zkmargin.audit.source import EVENTS, Call, Happened, Source
from zkmargin.contracts.vault import PaymentState
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind, FlowRule
from zkmargin.prover.messages.fields import ZERO_BYTES32


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

    def take(self, event: Happened) -> None:
        """Replays one event of the vault, or the tokens' part of one of the clearing house."""
        handler: Callable[[Happened, Mapping[str, Any]], None] | None = getattr(self, f"_take_{event.name}", None)
        if handler is not None:
            handler(event, event.fields)
        elif event.contract == "vault" and event.name not in EVENTS["vault"]:
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
        self._check_due(event, token, amount)
        left = self.ledger.move(self.ledger.held, token, -amount)
        self.report.count("vault")
        if left < 0:
            self.report.add("vault", f"{token} held after payment {number}", left, "0 or more", event.place)
        self._check_cause(event, fields)

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
        """That what leaves is what the action behind it says."""
        call: Call = self.source.read_call("house", event.place)
        request = call.arguments.get("request")
        if fields["account"] == ZERO_BYTES32:
            return  # fees, whose collection has an event of its own
        if not request or "cash" not in request:
            self.report.skip("vault", f"cause of a payment: {call.reason or f'a call of {call.function}'}")
            return
        expected = {self.cash: request["cash"]} if request["cash"] else {}
        for flow in request["flows"]:
            token, unit = self.units[flow["slot"]]
            expected[token] = expected.get(token, 0) - flow["lots"] * unit
        what = f"payment of account 0x{fields['account'].hex()}"
        found = str(fields["token"]), fields["amount"], fields["recipient"]
        allowed = [(token, amount, request["recipient"]) for token, amount in expected.items()]
        self.report.count("vault")
        if found not in allowed:
            self.report.add("vault", what, found, allowed, event.place)

    def check_sums(self) -> None:
        """That cash and collateral of the hidden accounts, with payments that came back and are nobody's yet, are what
        the vault holds for them, at the end."""
        ledger, place = self.ledger, self.source.end
        if ledger.unfollowed or not ledger.is_vault_followed:
            self.report.skip("vault", "sums of a venue with events that this auditor does not replay")
            return
        owed = ledger.hidden_cash + sum(ledger.fees.values()) + ledger.sum_returned(self.cash)
        what = "cash that the hidden accounts and submitters have, micro-dollars"
        self.report.require("vault", what, owed, ledger.held.get(self.cash, 0), place)
        for slot, (token, unit) in self.units.items():
            what = f"collateral of slot {slot} that the hidden accounts have, units"
            owed = ledger.hidden_lots.get(slot, 0) * unit + ledger.sum_returned(token)
            self.report.require("vault", what, owed, ledger.held.get(token, 0), place)
