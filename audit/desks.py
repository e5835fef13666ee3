"""The desks for defaults: redemptions, revelations, auctions, sales of parts, and moves to new viewing keys. Deadlines
are `audit.deadlines`'s.

Each event is held against the auditor's own ledger, as the desk's code holds its call against the clearing house's
storage, and against the calldata where the transaction has them. Tokens are `audit.tokens`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode as abi_encode
from eth_hash.auto import keccak

from zkmargin.audit.accounts import AccountAudit, read_given
from zkmargin.audit.ledger import Account, Case
from zkmargin.audit.publishers import PublisherAudit
from zkmargin.audit.report import Place
from zkmargin.audit.source import EVENTS, Call, Happened
from zkmargin.contracts.clearing_house import Margin, Status
from zkmargin.engine.presets import BITS
from zkmargin.prover.messages.action_table import ACTION_RULES, ActionKind
from zkmargin.prover.messages.records import Action, Appraisal, Bid, Flow, PartOffer, PartPurchase, Rekey, Reveal
from zkmargin.prover.messages.typed_data import compute_context, compute_digest
from zkmargin.prover.statement.signals import FIELD_MODULUS

TRADE = ACTION_RULES[ActionKind.TRADE]
"""The row by whose rule a bidder and the buyer of a part take a book over."""
LANE, OFFSET = BITS.position_lane, 1 << BITS.position
"""Bits of one position in a word, and what is added to it there."""


@dataclass(frozen=True)
class DeskTerms:
    """Of defaults, as the desks' code has them: seconds of the clock of deadlines, and micro-dollars."""

    version: int
    """Of the keys that the desks serve."""
    deadline: int
    """Lease and grace."""
    grace: int
    call_grace: int
    """After an early call."""
    leases: tuple[int, int, int]
    """Of levels 1, 2, 3."""
    window: int | None
    """None where the code does not tell it."""
    auction: int
    bounty: int
    late_fee: int


@dataclass
class DeskAudit:
    """Replays what the desks say of accounts."""

    accounts: AccountAudit
    publishers: PublisherAudit
    terms: DeskTerms

    def __post_init__(self) -> None:
        self.source, self.ledger, self.report = self.accounts.source, self.accounts.ledger, self.accounts.report

    @property
    def _slots(self) -> int:
        """Of a book."""
        return self.ledger.keys[self.terms.version].slots

    def take(self, event: Happened) -> None:
        """Replays one event of a desk."""
        handler: Callable[[Happened, Mapping[str, Any]], None] | None = getattr(self, f"_take_{event.name}", None)
        if handler is not None:
            handler(event, event.fields)
        elif event.name not in EVENTS[event.contract]:
            self.report.skip("history", f"event {event.name}, which this auditor does not replay")
            self.ledger.unfollowed |= {event.fields[name].hex() for name in ("account", "book") if name in event.fields}

    # ------------------------------------------------------------------------------------------------------- redemption
    def _take_Redeemed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place = bytes(fields["account"]), event.place
        what = f"redemption of account 0x{number.hex()}"
        account, case = self._get_case(number, what, place)
        if account is None or case is None:
            return
        if not self._is_redeemable(account, case, self._get_time(event)):
            self._refuse(what, "of an account without a proof since its freeze", "of a solvent or flat one", place)
        account.status, account.must_rekey = Status.ACTIVE, account.key_version == self.terms.version
        del self.ledger.cases[number.hex()]

    def _is_redeemable(self, account: Account, case: Case, time: int) -> bool:
        """Whether it is flat, or has proved margin, as it is, since its freeze and not too long ago."""
        ledger, oldest = self.ledger, max(time - self.ledger.max_age_proof, case.frozen_at)
        if not account.may_hold_derivatives:
            return True
        if account.proven_at >= oldest and account.margin != Margin.NONE:
            return not ledger.is_revoked(account.proven_epoch)
        return account.has_attested(oldest) and not ledger.is_revoked(account.attested[1])

    # -------------------------------------------------------------------------------------------- revelation, appraisal
    def _take_Revealed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place, report, ledger = bytes(fields["account"]), event.place, self.report, self.ledger
        what, version = f"revelation of account 0x{number.hex()}", self.terms.version
        account, case = self._get_case(number, what, place)
        if account is None or case is None:
            return
        found = account.key_version, fields["commitment"], fields["generation"]
        expected = version, account.commitment, account.generation
        report.require("history", f"key version, commitment and listing version of the {what}", found, expected, place)
        cash, words = int(fields["cash"]), [int(word) for word in fields["words"]]
        if case.commitment == account.commitment:
            self._refuse(what, "of the same state again", "one for each state", place)
        self._check_book(cash, words, what, place)
        case.revealed_at, case.auction_at = ledger.advance_deadline_clock(self._get_time(event)), 0
        case.least_epoch, case.commitment = ledger.latest, account.commitment
        case.cash, case.words = cash, words
        call = self._read_call(event, "reveal", number)
        if call is None:
            return
        given = call.arguments["cash"], list(call.arguments["words"])
        report.require("history", f"book of the {what}, by its calldata,", given, (cash, words), place)
        message = Reveal(
            account=number,
            key_version=version,
            generation=account.generation,
            commitment=account.commitment,
            cash=cash,
            words=tuple(words),
        )
        rho = compute_context(compute_digest(self.source.contracts.domain, message))
        signals = {"commitment": account.commitment, "rho": rho, "evaluation": evaluate([cash, *words], rho)}
        self.accounts.claim_signals("reveal", version, signals, call.arguments["proof"], f"proof of the {what}", place)

    def _check_book(self, cash: int, words: Sequence[int], what: str, place: Place) -> None:
        """That what was published reads one way."""
        slots = self._slots
        counts = [min(BITS.positions_per_word, slots - start) for start in range(0, slots, BITS.positions_per_word)]
        is_book = -(1 << BITS.cash) <= cash < 1 << BITS.cash and len(words) == len(counts)
        if not is_book or any(word >> LANE * count for word, count in zip(words, counts, strict=True)):
            self._refuse(f"book of the {what}", f"cash {cash}, words {list(words)}", "of one reading", place)

    def _take_AuctionBegun(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place, ledger, epoch = bytes(fields["account"]), event.place, self.ledger, int(fields["epoch"])
        what, time = f"appraisal of account 0x{number.hex()}", self._get_time(event)
        account, case = self._get_case(number, what, place)
        if account is None or case is None:
            return
        self._check_state(account, case, what, place)
        if case.auction_at:
            self._check_waited(case.auction_at, self.terms.auction, what, place)
        else:
            self._check_waited(case.revealed_at, self.terms.window, what, place)
        self._check_epoch(epoch, case, ledger.max_age_exit, what, time, place)
        call = self._read_call(event, "appraise", number)
        if call is not None:
            equity, floor = call.arguments["equity"], max(call.arguments["floor"], -ledger.surplus)
            found, expected = (fields["start"], fields["floor"]), (max(equity, floor), floor)
            self.report.require("history", f"prices of the {what}", found, expected, place)
            message = Appraisal(
                account=number,
                commitment=case.commitment,
                epoch=epoch,
                equity=equity,
                floor=call.arguments["floor"],
            )
            self.publishers.check_quorum(message, call.arguments["signatures"], place)
        case.auction_at, case.least_epoch = ledger.advance_deadline_clock(time), epoch + 1
        case.start, case.floor = int(fields["start"]), int(fields["floor"])

    def _check_epoch(self, epoch: int, case: Case, age: int, what: str, time: int, place: Place) -> None:
        """That an epoch at which a book was priced was fresh, good, and not from before what it is priced as."""
        ledger, posted = self.ledger, self.ledger.epochs.get(epoch)
        is_fresh = posted is not None and time - posted.time <= age and not ledger.is_paused
        self.report.count("history")
        if not is_fresh or epoch < max(ledger.min_epoch, case.least_epoch) or ledger.is_revoked(epoch):
            self._refuse(f"epoch of the {what}", epoch, f"a fresh one, {case.least_epoch} or later", place)

    # --------------------------------------------------------------------------------------------------- sale of a book
    def _take_TakenOver(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place, price = bytes(fields["book"]), event.place, int(fields["price"])
        what = f"bid for account 0x{number.hex()}"
        book, case = self._get_case(number, what, place)
        if book is not None and case is not None:
            self._check_sale(book, case, what, event)
            least = self._get_price(case)
            self.report.count("history")
            if case.auction_at == 0 or price < least:
                self._refuse(f"price of the {what}", price, f"{least} or more, in an auction", place)
            self.report.require("history", f"cash flow of the {what}", fields["cashFlow"], case.cash - price, place)
            call = self._read_call(event, "bid", number)
            if call is not None:
                self._check_bid(book, case, call, event, what)
            book.status, book.may_hold_derivatives = Status.CLOSED, False
            del self.ledger.cases[number.hex()]
        self._take_in(event)

    def _check_bid(self, book: Account, case: Case, call: Call, event: Happened, what: str) -> None:
        request, fields, place = call.arguments["request"], event.fields, event.place
        found = request["price"], request["cash"], list(request["words"])
        self.report.require("history", f"price and book of the {what}", found, (fields["price"], case.cash, case.words),
                            place)  # fmt: skip
        drafted = self._draft_buyer(request, event, book, what)
        if drafted is None:
            return
        account, action, posted = drafted
        message = Bid(
            book=bytes(request["book"]),
            account=action.account,
            key_version=action.key_version,
            epoch=action.epoch,
            generation_old=action.generation_old,
            generation_new=action.generation_new,
            commitment_old=action.commitment_old,
            commitment_new=action.commitment_new,
            price=request["price"],
            cash_flow=fields["cashFlow"],
            submitter=action.submitter,
            deadline=action.deadline,
        )
        digest = compute_digest(self.source.contracts.domain, message)
        self.accounts.check_signed(what, account, action.account, digest, bytes(request["signature"]), call, place)
        flows = tuple(Flow(slot=slot, lots=lots) for slot, lots in read_words(case.words, self._slots) if lots)
        moved = action.model_copy(update={"cash_flow": message.cash_flow, "flows": flows})
        self.accounts.claim(moved, digest, TRADE, request["proof"], posted, what, place)

    def _get_price(self, case: Case) -> int:
        """What a bid has to reach at the last tick, micro-dollars."""
        elapsed = min(max(self.ledger.get_deadline_clock() - case.auction_at, 0), self.terms.auction)
        fall = (case.start - case.floor) * elapsed // max(self.terms.auction, 1)
        return max(case.start - fall, -self.ledger.surplus)

    # --------------------------------------------------------------------------------------------------- sale of a part
    def _take_PartSold(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place = bytes(fields["book"]), event.place
        what = f"sale of a part of account 0x{number.hex()}"
        book, case = self._get_case(number, what, place)
        if book is not None and case is not None:
            self._check_sale(book, case, what, event)
            self._check_waited(case.revealed_at, self.terms.window, what, place)
            self._check_epoch(fields["epoch"], case, self.ledger.max_age_exit, what, self._get_time(event), place)
            call = self._read_call(event, "sellPart", number)
            if call is not None:
                self._check_part(book, case, call, event, what)
            self._leave(book, case, fields, what, place)
        self._take_in(event)

    def _check_part(self, book: Account, case: Case, call: Call, event: Happened, what: str) -> None:
        request, fields, place, report = call.arguments["request"], event.fields, event.place, self.report
        found = [request[name] for name in ("price", "bookCommitmentNew", "cash")] + list(request["words"])
        expected = [fields["price"], fields["bookCommitment"], case.cash, *case.words]
        report.require("history", f"price, commitment and book of the {what}", found, expected, place)
        part = tuple(Flow(slot=flow["slot"], lots=flow["lots"]) for flow in request["part"])
        sold = tuple(Flow(slot=flow["slot"], lots=flow["lots"]) for flow in fields["part"])
        report.require("history", f"lots of the {what}, by its calldata,", part, sold, place)
        report.require("history", f"listing version after the {what}", fields["generation"], book.generation, place)
        if request["price"] < request["floor"]:
            self._refuse(f"price of the {what}", request["price"], f"{request['floor']} or more", place)
        drafted = self._draft_buyer(request, event, book, what)
        if drafted is None:
            return
        account, action, posted = drafted
        offer = PartOffer(
            account=bytes(request["book"]),
            commitment=case.commitment,
            epoch=action.epoch,
            part=part,
            floor=request["floor"],
        )
        self.publishers.check_quorum(offer, request["quorum"], place)
        message = PartPurchase(
            book=offer.account,
            account=action.account,
            key_version=action.key_version,
            epoch=action.epoch,
            generation=action.generation_new,
            commitment_old=action.commitment_old,
            commitment_new=action.commitment_new,
            book_commitment_new=request["bookCommitmentNew"],
            part=part,
            price=request["price"],
            submitter=action.submitter,
            deadline=action.deadline,
        )
        digest = compute_digest(self.source.contracts.domain, message)
        self.accounts.check_signed(what, account, action.account, digest, bytes(request["signature"]), call, place)
        bought = {"cash_flow": -message.price, "flows": part}
        left = {
            "commitment_old": case.commitment,
            "commitment_new": message.book_commitment_new,
            "cash_flow": message.price,
            "flows": tuple(Flow(slot=flow.slot, lots=-flow.lots) for flow in part),
        }
        claim = self.accounts.claim
        claim(action.model_copy(update=bought), digest, TRADE, request["proof"], posted, f"{what}, the buyer's", place)
        claim(action.model_copy(update=left), digest, TRADE, request["bookProof"], None, f"{what}, the book's", place)

    def _leave(self, book: Account, case: Case, fields: Mapping[str, Any], what: str, place: Place) -> None:
        """The book goes on without the part."""
        held, last = dict(read_words(case.words, self._slots)), -1
        for flow in fields["part"]:
            slot, lots = int(flow["slot"]), int(flow["lots"])
            before, after = held.get(slot, 0), held.get(slot, 0) - lots
            if slot <= last or lots == 0 or not min(0, before) <= after <= max(0, before):
                self._refuse(f"lots of the {what}", f"{lots} of {before} in slot {slot}", "some of them", place)
                continue
            last, (word, lane) = slot, divmod(slot, BITS.positions_per_word)
            case.words[word] -= lots << LANE * lane
        if last < 0:
            self._refuse(f"lots of the {what}", "none", "some", place)
        case.cash += int(fields["price"])
        book.commitment, book.proven_epoch, book.margin = int(fields["bookCommitment"]), int(fields["epoch"]), 0
        case.commitment, case.auction_at, case.least_epoch = book.commitment, 0, int(fields["epoch"])

    # --------------------------------------------------------------------------------------------------- viewing keys
    def _take_AccountRekeyed(self, event: Happened, fields: Mapping[str, Any]) -> None:
        number, place, version = bytes(fields["account"]), event.place, self.terms.version
        account, what = self.accounts.get(number, place), f"new viewing key of account 0x{number.hex()}"
        if account is None:
            return
        found = account.status, account.key_version, fields["keyVersion"]
        expected = int(Status.ACTIVE), version, version
        self.report.require("history", f"status and key version before the {what}", found, expected, place)
        if not self.ledger.is_usable(version, self._get_time(event)):
            self._refuse(f"key version of the {what}", version, "one that is live", place)
        call = self._read_call(event, "rekey", number)
        if call is not None:
            self._check_rekey(account, call, event, what)
        account.commitment, account.must_rekey = int(fields["commitment"]), False

    def _check_rekey(self, account: Account, call: Call, event: Happened, what: str) -> None:
        request, fields, place = call.arguments["request"], event.fields, event.place
        names = ("ephemeralX", "ephemeralY", "escrowedKey")
        found = [request[name] for name in ("commitmentOld", "commitmentNew", *names)] + list(request["checkpoint"])
        told = [fields[name] for name in ("commitment", *names)] + list(fields["checkpoint"])
        self.report.require("history", f"commitments, escrow and checkpoint of the {what}", found,
                            [account.commitment, *told], place)  # fmt: skip
        escrow = [*(request[name] for name in names), self.terms.version]
        message = Rekey(
            account=bytes(request["account"]),
            key_version=self.terms.version,
            commitment_old=account.commitment,
            commitment_new=request["commitmentNew"],
            escrow_hash=keccak(abi_encode(["uint256", "uint256", "uint256", "uint16"], escrow)),
            checkpoint=tuple(request["checkpoint"]),
            submitter=request["submitter"],
            deadline=request["deadline"],
        )
        digest = compute_digest(self.source.contracts.domain, message)
        self.accounts.check_deadline(what, message.deadline, place)
        self.accounts.check_signed(what, account, message.account, digest, bytes(request["signature"]), call, place)
        rho, committee = compute_context(digest), self.ledger.keys[self.terms.version].committee
        signals = {
            "commitmentOld": message.commitment_old,
            "commitmentNew": message.commitment_new,
            **{name: request[name] for name in names},
            "committeeX": committee[0],
            "committeeY": committee[1],
            "rho": rho,
            "evaluation": evaluate(message.checkpoint, rho),
        }
        self.accounts.claim_signals("rekey", self.terms.version, signals, request["proof"], f"proof of the {what}",
                                    place)  # fmt: skip

    # -------------------------------------------------------------------------------------------------- what they share
    def _check_sale(self, book: Account, case: Case, what: str, event: Happened) -> None:
        """Of a book, or of a part of it: its state was revealed, and its owner has not shown that it is solvent."""
        self._check_state(book, case, what, event.place)
        if self._is_redeemable(book, case, self._get_time(event)):
            self._refuse(what, "of a book that its owner could redeem", "of one in default", event.place)

    def _check_state(self, account: Account, case: Case, what: str, place: Place) -> None:
        found = case.commitment, case.revealed_at > 0
        self.report.require("history", f"state at the {what}, as revealed,", found, (account.commitment, True), place)

    def _check_waited(self, since: int, seconds: int | None, what: str, place: Place) -> None:
        """That the clock of deadlines has gone on for so long."""
        if seconds is None:
            self.report.skip("history", "window of a revelation, which the desks' code does not tell")
            return
        clock = self.ledger.get_deadline_clock()
        self.report.count("history")
        if clock < since + seconds:
            self._refuse(f"time of the {what}, on the clock of deadlines", clock, f"{since + seconds} or later", place)

    def _draft_buyer(
        self, request: Mapping[str, Any], event: Happened, book: Account, what: str
    ) -> tuple[Account, Action, Any] | None:
        """The buyer's side, as a trade's, after its checks; of the book's side that both fit together."""
        given = read_given({**request, "fee": 0}, request["epoch"])
        buyer = f"{what} by account 0x{given.account.hex()}"
        drafted = self.accounts.draft(ActionKind.TRADE, given, buyer, event.place)
        if drafted is None:
            return None
        account, action, _ = drafted
        found, fields = (account.generation, account.key_version), event.fields
        expected = book.generation, book.key_version
        self.report.require("history", f"listing and key version of the {buyer}", found, expected, event.place)
        if action.epoch < book.proven_epoch:
            self._refuse(f"epoch of the {buyer}", action.epoch, f"{book.proven_epoch} or later", event.place)
        told = fields["account"], fields["commitment"], fields["epoch"], fields["generation"]
        stated = action.account, action.commitment_new, action.epoch, action.generation_new
        self.report.require("history", f"outcome of the {buyer}", told, stated, event.place)
        return drafted

    def _take_in(self, event: Happened) -> None:
        """What the buyer's account is afterwards."""
        fields = event.fields
        account, commitment, generation = fields["account"], fields["commitment"], fields["generation"]
        self.accounts.write(ActionKind.TRADE, account, commitment, generation, fields["epoch"], event.place)

    def _get_case(self, number: bytes, what: str, place: Place) -> tuple[Account | None, Case | None]:
        """A frozen account with its case."""
        account, case = self.accounts.get(number, place), self.ledger.cases.get(number.hex())
        self.report.count("history")
        if account is not None and (case is None or account.status != Status.FROZEN):
            self._refuse(f"status before the {what}", Status(account.status).name, Status.FROZEN.name, place)
        return account, case

    def _read_call(self, event: Happened, function: str, number: bytes) -> Call | None:
        """The call behind an event, if it is one of that function for that account; else it is told as not known."""
        call = self.source.read_call("house", event.place)
        given = call.arguments.get("request", call.arguments)
        if call.function == function and number in (given.get("account"), given.get("book")):
            return call
        self.accounts.skip_call(call)
        return None

    def _get_time(self, event: Happened) -> int:
        return self.source.read_time(event.place.block)

    def _refuse(self, what: str, found: object, expected: str, place: Place) -> None:
        self.report.add("history", what, found, expected, place)


def evaluate(numbers: Sequence[int], rho: int) -> int:
    """sum_i number_i rho^i mod r: what a proof says of numbers that are published."""
    return sum(number * pow(rho, place, FIELD_MODULUS) for place, number in enumerate(numbers)) % FIELD_MODULUS


def read_words(words: Sequence[int], slots: int) -> Iterator[tuple[int, int]]:
    """(slot, lots) of positions packed seven to a word, as far as there are words."""
    for slot in range(min(slots, len(words) * BITS.positions_per_word)):
        word, lane = divmod(slot, BITS.positions_per_word)
        yield slot, (words[word] >> LANE * lane) % (1 << LANE) - OFFSET
