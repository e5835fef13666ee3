"""Typed bindings of the desk for defaults, and the rule by which a committee's member gives a share; see
IDefaultDesk.sol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zkmargin.committee.decryption import DecryptionRequest, DecryptionShare, give_share
from zkmargin.committee.record import MemberShare
from zkmargin.contracts.chain import Chain, Receipt
from zkmargin.contracts.clearing_house import ClearingHouse, Status
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import CallInvalid, FreezeNotFinal
from zkmargin.contracts.messages import EpochPoints, NamedPoint
from zkmargin.contracts.requests import BidRequest, Proof
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.escrow import Escrow
from zkmargin.prover.actions.bidding import Book
from zkmargin.prover.actions.part_sale import apply_sale
from zkmargin.prover.actions.revelation import Revelation
from zkmargin.prover.actions.transition import Transition
from zkmargin.prover.messages.records import Appraisal, Bid, EarlyCall
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.statement.checkpoint import read_numbers


@dataclass(frozen=True)
class DefaultCase:
    """An account in default, as the chain has it; see IDefaultDesk.sol."""

    frozen_at: int
    revealed_at: int
    auction_at: int
    least_epoch: int
    commitment: int
    book_hash: bytes
    start_usd6: int
    floor_usd6: int


@dataclass(frozen=True)
class Lease:
    """How long a state of an account holds by the level that it attested; see IDeadlineDesk.sol."""

    level: int
    """1 to 3; 0 without."""
    epoch: int
    """Number of the epoch at which it was attested."""
    until: int
    """Seconds of the clock of deadlines, at which its grace begins."""


class DefaultDesk:
    """Deadlines, freezes, revelations and auctions of a clearing house."""

    def __init__(self, chain: Chain, clearing_house: str, domain: Domain, *, first_block: int = 0):
        self.contract = Contract(chain, compile_contracts()["DefaultDesk"], clearing_house)
        self.house = ClearingHouse(Contract(chain, compile_contracts()["ClearingHouse"], clearing_house), first_block)
        self.deadlines, self._rekeys, self._sales = (
            Contract(chain, compile_contracts()[name], clearing_house)
            for name in ("DeadlineDesk", "RekeyDesk", "SaleDesk")
        )
        self.chain, self.domain, self._first_block = chain, domain, first_block

    # -------------------------------------------------------------------------------------------------------- deadlines
    def tick(self, *, sender: str | None = None) -> int:
        """Advances the clock of deadlines; gives the number of the checkpoint."""
        (event,) = self.deadlines.decode_logs(self.deadlines.send("tick", sender=sender), "Ticked")
        return int(event["checkpoint"])

    def get_checkpoint(self, number: int) -> tuple[int, int]:
        """Unix seconds, and seconds of the clock, of a checkpoint; 0, 0 if there is none."""
        time, clock = self.deadlines.call("checkpointOf", number)
        return int(time), int(clock)

    def freeze(self, account: bytes, checkpoint: int, call: int = 0, *, sender: str | None = None) -> Receipt:
        """Freezes an account that is overdue by a checkpoint, a call, or both; 0 for none."""
        return self.deadlines.send("freeze", account, checkpoint, call, sender=sender)

    def is_overdue(self, account: bytes, checkpoint: int, call: int = 0) -> bool:
        """Whether `freeze` would take the account."""
        return bool(self.deadlines.call("isOverdue", account, checkpoint, call))

    def extend(self, account: bytes, level: int, point: NamedPoint, *, sender: str | None = None) -> Receipt:
        """Lets an attestation of the level's policy, at that point, hold for the level's lease."""
        return self.deadlines.send("extend", account, level, point.hash, sender=sender)

    def shorten(self, account: bytes, *, sender: str | None = None) -> Receipt:
        """Ends a lease that was attested at a revoked epoch."""
        return self.deadlines.send("shorten", account, sender=sender)

    def get_lease(self, account: bytes) -> Lease:
        """Of the account's present state; all zero without."""
        return Lease(*self.deadlines.call("leaseOf", account))

    def call_early(self, call: EarlyCall, signatures: Sequence[bytes], *, sender: str | None = None) -> int:
        """Carries in a quorum's call of all accounts below a level; gives the call's number."""
        receipt = self.deadlines.send("callEarly", call.level, call.epoch, list(signatures), sender=sender)
        (event,) = self.deadlines.decode_logs(receipt, "CalledEarly")
        return int(event["call"])

    def redeem(self, account: bytes, *, sender: str | None = None) -> Receipt:
        """Makes a frozen account active again that has proved maintenance since."""
        return self.contract.send("redeem", account, sender=sender)

    # -------------------------------------------------------------------------------------------------------- committee
    def make_decryption_request(self, account: bytes) -> DecryptionRequest:
        """What members give shares for: the account's freeze, once its block is final.

        Raises
        ------
        FreezeNotFinal
            If the account is not frozen, or its freeze is not in a block that the chain calls final.
        """
        final, status = self.chain.get_block("finalized").number, self.house.get_account(account).status
        if status is not Status.FROZEN or final < self._first_block:
            raise FreezeNotFinal(account, status.name, final)
        events = self.deadlines.read_events("Frozen", first_block=self._first_block, last_block=final)
        freezes = [event for event in events if bytes(event["args"]["account"]) == account]
        if not freezes or self.house.get_account(account, block=final).status is not Status.FROZEN:
            raise FreezeNotFinal(account, status.name, final)
        freeze = freezes[-1]
        return DecryptionRequest(
            domain=self.domain,
            account=account,
            commitment=int(freeze["args"]["commitment"]),
            freeze_block=int(freeze["blockNumber"]),
            freeze_block_hash=bytes(freeze["blockHash"]),
            escrow=self._read_escrow(account, final),
        )

    def release_share(self, account: bytes, share: MemberShare) -> DecryptionShare:
        """A member's share for an account whose freeze is final; raises as `make_decryption_request`.

        A share for a freeze that a reorganisation undoes would open a healthy account.
        """
        return give_share(share, self.make_decryption_request(account))

    def _read_escrow(self, account: bytes, last_block: int) -> Escrow:
        """Of the account's present viewing key: from its last rekey, or its opening."""
        opened, moved = (
            [
                event["args"]
                for event in contract.read_events(name, first_block=self._first_block, last_block=last_block)
                if bytes(event["args"]["account"]) == account
            ]
            for contract, name in ((self.house.contract, "AccountOpened"), (self._rekeys, "AccountRekeyed"))
        )
        latest = [*opened, *moved][-1]
        registry = Contract(self.chain, compile_contracts()["KeyRegistry"], self.contract.call("REGISTRY"))
        keys = registry.read_events("KeyRegistered", first_block=self._first_block, last_block=last_block)
        (key,) = [event["args"] for event in keys if event["args"]["version"] == latest["keyVersion"]]
        ephemeral = (int(latest["ephemeralX"]), int(latest["ephemeralY"]))
        return Escrow(ephemeral, int(latest["escrowedKey"]), (int(key["committeeX"]), int(key["committeeY"])))

    # ---------------------------------------------------------------------------------------------------------- auction
    def reveal(self, revelation: Revelation, proof: Proof, *, sender: str | None = None) -> Receipt:
        """Publishes a frozen account's positions."""
        message = revelation.message
        arguments = (message.account, message.cash, list(message.words), list(proof))
        return self.contract.send("reveal", *arguments, sender=sender)

    def read_book(self, account: bytes, preset: Preset) -> Book:
        """What was revealed last of an account, less the parts that were sold since.

        Raises
        ------
        CallInvalid
            If nothing was.
        """
        last = self.chain.get_block("latest").number
        revealed, sold = (
            contract.read_events(name, first_block=self._first_block, last_block=last, keys=[int.from_bytes(account)])
            for contract, name in ((self.contract, "Revealed"), (self._sales, "PartSold"))
        )
        if not revealed:
            raise CallInvalid("account", f"0x{account.hex()}", "one whose positions were revealed")
        latest = revealed[-1]["args"]
        numbers = [int(latest["cash"]), *(int(word) for word in latest["words"])]
        book = Book(account, int(latest["generation"]), read_numbers(numbers, preset))
        for event in sold:
            if _get_place(event) > _get_place(revealed[-1]):
                part = {int(flow["slot"]): int(flow["lots"]) for flow in event["args"]["part"]}
                book = apply_sale(book, part, int(event["args"]["price"]))
        return book

    def appraise(self, appraisal: Appraisal, signatures: Sequence[bytes], *, sender: str | None = None) -> Receipt:
        """Begins the auction that a quorum signed: from its equity, and down to its floor."""
        stated = (appraisal.account, appraisal.epoch, appraisal.equity, appraisal.floor)
        return self.contract.send("appraise", *stated, list(signatures), sender=sender)

    def bid(
        self,
        bid: Transition[Bid],
        book: Book,
        points: EpochPoints,
        proof: Proof,
        signature: bytes,
        *,
        sender: str | None = None,
    ) -> Receipt:
        """Takes a book over."""
        numbers = book.list_published(bid.before.preset)
        request = BidRequest.from_message(bid.message, numbers, points.select("initial"), proof, signature)
        return self.contract.send("bid", request.to_abi(), sender=sender)

    def get_case(self, account: bytes) -> DefaultCase:
        """The account's case."""
        return DefaultCase(*self.contract.call("caseOf", account))

    def get_price(self, account: bytes) -> int:
        """Micro-dollars that a bid has to reach now."""
        return int(self.contract.call("priceOf", account))

    # ------------------------------------------------------------------------------------------------------------ money
    def get_bond(self, account: bytes) -> bytes:
        """Inbox into which an account's bond is funded."""
        return bytes(self.contract.call("bondOf", account))

    def get_insurance(self) -> bytes:
        """Inbox into which the surplus is funded, before `insure`."""
        return bytes(self.contract.call("INSURANCE"))

    def insure(self, amount_usd6: int, *, sender: str | None = None) -> Receipt:
        """Turns what was funded into surplus."""
        return self.contract.send("insure", amount_usd6, sender=sender)

    def get_surplus(self) -> int:
        """Micro-dollars that books may lack before anybody loses."""
        return int(self.contract.call("surplus"))

    def take_bond(self, account: bytes, to: str, *, sender: str | None = None) -> Receipt:
        """Pays what is left of a closed account's bond; only its auth."""
        return self.contract.send("takeBond", account, to, sender=sender)


def _get_place(event: Mapping[str, Any]) -> tuple[int, int]:
    return int(event["blockNumber"]), int(event["logIndex"])
