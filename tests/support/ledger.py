"""A ghost of the vault's books: what each place should hold, and when each payment should be due."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from zkmargin.contracts.vault import Payment, PaymentState

DAY = 86_400
WHOLE = 10_000
"""A share of one, basis points."""


@dataclass
class Bucket:
    """The rate limit in Python's whole numbers: what is held, what was paid out lately, and what becomes of it."""

    held: int
    share: int
    """Basis points of what is held that become due a day without a wait."""
    level: int = 0
    time: int = 0

    def release(self, amount: int, now: int) -> int:
        """Seconds that a payment released now waits beyond the delay."""
        drained = (self.held + self.level) * self.share * (now - self.time) // (WHOLE * DAY)
        self.level, self.time = max(0, self.level - drained), now
        base = self.held + self.level
        self.held, self.level = self.held - amount, self.level + amount
        excess = self.level * WHOLE - base * self.share
        return -(-excess * DAY // (base * self.share)) if excess > 0 else 0

    def release_again(self, amount: int) -> None:
        """A returned payment leaves after all, when it should have."""
        self.held, self.level = self.held - amount, self.level + amount

    def take_back(self, amount: int) -> None:
        """A payment returns to what is held."""
        self.held, self.level = self.held + amount, max(0, self.level - amount)


@dataclass
class Ledger:
    """Where every unit of every token is, by token's address."""

    buckets: dict[str, Bucket]
    inbox: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    """By account number and token."""
    hidden: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    """What the accounts' states say, by account number and token; cash may be negative."""
    fees: int = 0
    """Micro-dollars that submitters may collect."""
    payments: list[Payment] = field(default_factory=list)
    """Not yet made, returned ones included."""
    paid: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By who received and token."""

    def sum_inboxes(self, token: str) -> int:
        """Units in all inboxes."""
        return sum(amount for (_, name), amount in self.inbox.items() if name == token)

    def sum_hidden(self, token: str) -> int:
        """Units that the accounts' states add up to."""
        return sum(amount for (_, name), amount in self.hidden.items() if name == token)

    def sum_payments(self, token: str, *, returned: bool) -> int:
        """Units of payments that were returned, or of all others."""
        return sum(
            item.amount
            for item in self.payments
            if item.token == token and (item.state is PaymentState.RETURNED) == returned
        )
