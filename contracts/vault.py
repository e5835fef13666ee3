"""Typed bindings of the vault and of the tokens it holds; see ICollateralVault.sol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from enum import IntEnum
from typing import Any

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.contract import Contract, Key
from zkmargin.contracts.errors import CallInvalid
from zkmargin.prover.messages.fields import to_address
from zkmargin.prover.messages.wallet import normalise_v


class PaymentState(IntEnum):
    """Where a payment stands."""

    QUEUED = 0
    VETOED = 1
    RETURNED = 2
    REINSTATED = 3


@dataclass(frozen=True)
class Payment:
    """A payment out of the hidden accounts, which is claimed by giving it in full."""

    account: bytes
    """Account number that was debited; zeros where a submitter collected fees."""
    recipient: str
    token: str
    number: int
    """Of its record, which is used again once it is paid."""
    due_at: int
    """Seconds of the live clock from which it can be claimed."""
    state: PaymentState
    amount: int
    """Token units."""


STATE_AFTER = {"PaymentVetoed": PaymentState.VETOED, "PaymentReinstated": PaymentState.REINSTATED}
"""State of a payment after an event that also says when it is due."""
PaymentEvent = tuple[tuple[int, int], str, Mapping[str, Any]]
"""Block and place in it, name and fields of something that happened to a payment."""
Payments = Mapping[tuple[str, int], Payment]
"""Payments that wait, by token and number of the record, in the order of release."""


class CollateralVault:
    """Holds the tokens; see ICollateralVault.sol."""

    def __init__(self, contract: Contract, first_block: int = 0):
        self.contract, self.first_block = contract, first_block

    def fund(self, account: bytes, token: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Puts tokens in an account number's inbox; `sender` must have approved the vault."""
        return self.contract.send("fund", account, token, amount, sender=sender)

    def fund_with_permit(
        self, account: bytes, token: str, amount: int, deadline: int, signature: bytes, *, sender: str | None = None
    ) -> Receipt:
        """`fund` with an ERC-2612 permit of `sender` (65 bytes r, s, v; a v of 0 or 1 becomes 27 or 28)."""
        signature = normalise_v(_require_ecdsa(signature))
        r, s, v = signature[:32], signature[32:64], signature[64]
        return self.contract.send("fundWithPermit", account, token, amount, deadline, v, r, s, sender=sender)

    def pull_back(self, index: int, token: str, amount: int, to: str, *, sender: str | None = None) -> Receipt:
        """Takes tokens back out of the inbox of `sender`'s account number `index`."""
        return self.contract.send("pullBack", index, token, amount, to, sender=sender)

    def claim(self, payment: Payment, to: str, *, sender: str | None = None) -> Receipt:
        """Makes a payment that is due, to an address that its recipient, `sender`, chooses."""
        return self.contract.send("claim", astuple(payment), to, sender=sender)

    def claim_for(self, payments: Sequence[Payment], *, sender: str | None = None) -> Receipt:
        """Makes every payment that is due, to its recipient; the others are skipped."""
        return self.contract.send("claimFor", [astuple(payment) for payment in payments], sender=sender)

    def veto(self, payments: Sequence[Payment], *, sender: str | None = None) -> Receipt:
        """Vetoes every payment that waits; the others are skipped. `sender` is the guardian."""
        return self.contract.send("veto", [astuple(payment) for payment in payments], sender=sender)

    def return_vetoed(self, payment: Payment, *, sender: str | None = None) -> Receipt:
        """Moves a vetoed payment back to the hidden accounts. `sender` is the owner."""
        return self.contract.send("returnVetoed", astuple(payment), sender=sender)

    def reinstate(self, payment: Payment, *, sender: str | None = None) -> Receipt:
        """Makes a vetoed or returned payment due when it was before the veto. `sender` is the owner."""
        return self.contract.send("reinstate", astuple(payment), sender=sender)

    def is_recorded(self, payment: Payment) -> bool:
        """Whether the payment is not yet paid and stands as it says."""
        return bool(self.contract.call("isRecorded", astuple(payment)))

    def preview_due(self, token: str, amount: int) -> int:
        """Live time at which a payment would be due if it were released now."""
        return int(self.contract.call("previewDue", token, amount))

    def find_queued(self, receipt: Receipt) -> list[Payment]:
        """Payments that a transaction brought into the queue, in order."""
        return [_to_payment(event) for event in self.contract.decode_logs(receipt, "PaymentQueued")]

    def read_payments(self, *, recipient: str | None = None) -> list[Payment]:
        """Every payment that is not yet made, as it stands now, in the order of release.

        Parameters
        ----------
        recipient : str, optional
            Only payments to this address; the node is asked for no others.

        Raises
        ------
        CallInvalid
            If the recipient is no address.
        """
        return self.contract.chain.read_at_one_block(lambda block: self._read_payments(recipient, block.number))

    def _read_payments(self, recipient: str | None, last_block: int) -> list[Payment]:
        """A record's number is used again once its payment is made. So what happened to a number that is none of
        `payments` at that moment happened to a payment to somebody else."""
        wanted = None if recipient is None else _to_word(recipient)
        blocks = self.first_block, last_block
        queued = self._read_events(["PaymentQueued"], [None, wanted], *blocks)
        accounts = None if wanted is None else [int.from_bytes(event["account"], "big") for _, _, event in queued]
        changed = self._read_events([*STATE_AFTER, "PaymentReturned"], [accounts], *blocks) if queued else []
        made = self._read_events(["Claimed"], [wanted], *blocks)
        return list(_apply({}, [*queued, *changed, *made]).values())

    def read_on(self, waiting: Payments, first_block: int, last_block: int) -> Payments:
        """Every payment that waits after these blocks, of what waited before them."""
        names = ["PaymentQueued", *STATE_AFTER, "PaymentReturned", "Claimed"]
        return _apply(waiting, self._read_events(names, [], first_block, last_block))

    def _read_events(
        self, names: Sequence[str], keys: Sequence[Key], first_block: int, last_block: int
    ) -> list[PaymentEvent]:
        return [
            ((int(event["blockNumber"]), int(event["logIndex"])), name, event["args"])
            for name in names
            for event in self.contract.read_events(name, first_block=first_block, last_block=last_block, keys=keys)
        ]

    def get_inbox(self, account: bytes, token: str) -> int:
        """Units funded and not yet absorbed."""
        return int(self.contract.call("inbox", account, token))

    def get_held(self, token: str) -> int:
        """Units that the hidden accounts hold together."""
        return int(self.contract.call("held", token))

    def get_unit(self, slot: int) -> tuple[str, int]:
        """Token of a collateral slot and its units per lot; zeros if the slot has none."""
        token, units = self.contract.call("collateralOf", slot)
        return token, units


class Token:
    """An ERC-20 token; `mint` exists on the test tokens only."""

    def __init__(self, contract: Contract):
        self.contract, self.address = contract, contract.address

    def mint(self, to: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Makes test tokens."""
        return self.contract.send("mint", to, amount, sender=sender)

    def approve(self, spender: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Allows `spender` to take from `sender`."""
        return self.contract.send("approve", spender, amount, sender=sender)

    def get_balance(self, holder: str) -> int:
        """Units that `holder` has."""
        return int(self.contract.call("balanceOf", holder))


def _to_payment(event: Mapping[str, Any]) -> Payment:
    return Payment(
        account=bytes(event["account"]),
        recipient=str(event["recipient"]),
        token=str(event["token"]),
        number=int(event["number"]),
        due_at=int(event["dueAt"]),
        state=PaymentState.QUEUED,
        amount=int(event["amount"]),
    )


def _apply(waiting: Payments, events: Sequence[PaymentEvent]) -> Payments:
    """What waits after the events; one of a record that is not known is of a payment that was not asked for."""
    payments = dict(waiting)
    for _, name, event in sorted(events, key=lambda item: item[0]):
        record = str(event["token"]), int(event["number"])
        if name == "PaymentQueued":
            payments[record] = _to_payment(event)
        elif name == "Claimed":
            del payments[record]
        elif record in payments:
            payments[record] = _change(payments[record], name, event)
    return payments


def _change(payment: Payment, name: str, event: Mapping[str, Any]) -> Payment:
    """The payment after an event that changed its state."""
    if name == "PaymentReturned":
        return replace(payment, state=PaymentState.RETURNED)
    return replace(payment, state=STATE_AFTER[name], due_at=int(event["dueAt"]))


def _to_word(address: str) -> int:
    try:
        return int(to_address(address), 16)
    except ValueError as error:
        raise CallInvalid("recipient", address, str(error)) from None


def _require_ecdsa(signature: bytes) -> bytes:
    if len(signature) != 65:
        raise CallInvalid("length of the permit's signature", len(signature), "65 bytes r, s, v")
    return signature
