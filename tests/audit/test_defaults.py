"""A venue whose desks had everything to do: freezes, bonds, redemption, revelations, auctions, a sale of a part, a new
viewing key. It audits clean, and what is altered of it is found. Real proofs at mini."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from tests.audit.conftest import KEYS
from tests.audit.tampering import alter_calls, alter_events, alter_storage, ask, negate_c, require_found
from tests.chain.test_default import PERPETUAL, Stage, make_stage
from zkmargin.audit.accounts import AccountAudit
from zkmargin.audit.ledger import Account as LedgerAccount
from zkmargin.audit.ledger import Ledger
from zkmargin.audit.report import Place, Report
from zkmargin.audit.run import Scope, audit
from zkmargin.audit.source import Call, Happened
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.trading import Trader
from zkmargin.engine.units import usd
from zkmargin.prover.messages.wallet import Wallet

pytestmark = pytest.mark.slow

USD6 = 10**6
PRICE = 2_000 * USD6
DEBT = -30 * USD6
"""Price of a book that the surplus pays for."""


@dataclass
class Trial:
    """The venue, and its accounts by what becomes of them."""

    stage: Stage
    sleeper: Trader
    """Proves maintenance after its freeze, is redeemed, and takes a new viewing key."""
    sold: Trader
    """Its book is auctioned."""
    parted: Trader
    """A part of its book is sold, and the surplus pays whoever takes the rest."""
    waiting: Trader
    """Frozen, revealed and appraised at the end."""


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    for stage in make_stage():
        stage.fund(stage.desk.get_insurance(), 100)
        stage.desk.insure(100 * USD6)
        names = ("sleeper", "sold", "parted", "waiting", "bidder")
        parties = [stage.venue.open(Wallet.create(), cash=usd(60_000), name=name) for name in names]
        *owners, bidder = parties
        sleeper, sold, parted, waiting = owners
        for taker, maker in ((sleeper, waiting), (sold, waiting), (parted, waiting)):
            quote = maker.quote(taker.request({PERPETUAL: 3}), taker_pays=usd(0))
            stage.venue.settle(taker.accept(quote))
        for owner, bond in ((sleeper, 60), (sold, 40), (parted, 10)):
            stage.fund(stage.desk.get_bond(owner.id), bond)
        call = stage.call_early(1)
        overdue = stage.let_time_pass()
        for owner, number in zip(owners, (0, call, 0, call), strict=True):
            stage.desk.freeze(owner.id, 0 if number else overdue, number, sender=stage.venue.chain.accounts[7])
        redeem(stage, sleeper)
        for owner in (sold, parted, waiting):
            stage.reveal(owner.client.account)
        stage.tick(4)
        sell_a_book(stage, sold, bidder)
        sell_what_is_left(stage, parted, bidder)
        stage.appraise(waiting.id, waiting.client.account.commitment, PRICE)
        yield Trial(stage, sleeper, sold, parted, waiting)


def redeem(stage: Stage, owner: Trader) -> None:
    stage.wait(1)
    owner.attest()
    stage.desk.redeem(owner.id)
    stage.rekey(owner, owner.client.account)


def sell_a_book(stage: Stage, owner: Trader, bidder: Trader) -> None:
    stage.appraise(owner.id, owner.client.account.commitment, PRICE)
    stage.tick(1)
    stage.bid(bidder, stage.desk.read_book(owner.id, stage.venue.keys.preset), stage.desk.get_price(owner.id))
    ask(stage.venue.chain, "anvil_impersonateAccount", owner.address)
    ask(stage.venue.chain, "anvil_setBalance", owner.address, hex(10**18))
    stage.desk.take_bond(owner.id, owner.address, sender=owner.address)


def sell_what_is_left(stage: Stage, owner: Trader, bidder: Trader) -> None:
    slot = stage.venue.snapshot.listing.get(PERPETUAL).slot
    left, _ = stage.sell_part(bidder, owner.client.account, {slot: 1}, 0, 5 * USD6)
    stage.appraise(owner.id, left.commitment, 0, DEBT)
    stage.tick(int(stage.desk.contract.call("AUCTION")) // 300 + 1)
    stage.bid(bidder, stage.desk.read_book(owner.id, stage.venue.keys.preset), DEBT)


@pytest.fixture
def run(trial: Trial) -> Iterator[Callable[..., Report]]:
    """Audits the venue; chain is put back afterwards."""
    chain = trial.stage.venue.chain
    mark = chain.snapshot()
    yield lambda sample=0: audit(trial.stage.venue.contracts, Scope([KEYS], sample=sample))
    chain.revert(mark)


# ------------------------------------------------------------------------------------------------------- what is honest
@pytest.mark.property("P-116")
def test_a_venue_with_defaults_agrees_and_every_proof_of_it_is_verified(trial, run):
    house = trial.stage.venue.contracts.house
    found = [house.get_account(owner.id).status for owner in (trial.sleeper, trial.sold, trial.parted, trial.waiting)]
    assert found == [Status.ACTIVE, Status.CLOSED, Status.CLOSED, Status.FROZEN]
    report = run(sample=None)
    assert report.disagreements == []
    left_out = [name for name in ("history", "quorum", "signatures", "proofs", "vault") if report.tallies[name].skipped]
    assert not left_out, [report.tallies[name].skipped for name in left_out]
    assert report.facts["defaults"]["window"] == 900


# --------------------------------------------------------------------------------------------------------- what is not
EVENTS = {
    "a bounty": ("Frozen", {"bounty": 1}, "vault", "bounty of account"),
    "a freeze of another state": ("Frozen", {"commitment": 5}, "history", "commitment at the freeze"),
    "a late fee": ("Redeemed", {"lateFee": 1}, "vault", "lateFee of account"),
    "a revealed book": ("Revealed", {"cash": 5}, "history", "book of the revelation"),
    "a revealed state": ("Revealed", {"commitment": 5}, "history", "commitment and listing version of the revelation"),
    "a start of an auction": ("AuctionBegun", {"start": 5}, "history", "prices of the appraisal"),
    "a price": ("TakenOver", {"price": 5}, "history", "price of the bid"),
    "what a bidder gets": ("TakenOver", {"cashFlow": 5}, "history", "cash flow of the bid"),
    "a bidder's state": ("TakenOver", {"commitment": 5}, "history", "outcome of the bid"),
    "a part's price": ("PartSold", {"price": 6 * USD6}, "history", "price, commitment and book of the sale"),
    "a part": ("PartSold", {"part": [{"slot": 3, "lots": 9}]}, "history", "lots of the sale"),
    "a rest": ("PartSold", {"bookCommitment": 5}, "history", "price, commitment and book of the sale"),
    "a new key's state": ("AccountRekeyed", {"commitment": 5}, "history", "checkpoint of the new viewing key"),
    "a new key's escrow": ("AccountRekeyed", {"escrowedKey": 5}, "history", "checkpoint of the new viewing key"),
    "a surplus": ("SurplusAdded", {"amount": 1}, "vault", "surplus after a bid"),
    "a clock": ("Ticked", {"clock": 5}, "history", "checkpoint of the clock"),
    "a call": ("CalledEarly", {"level": 2}, "quorum", "of EarlyCall"),
    "a call's clock": ("CalledEarly", {"clock": 5}, "history", "number and clock of an early call"),
    "a call of no level": ("CalledEarly", {"level": 4}, "history", "early call"),
}
"""Event whose first one the node tells otherwise, the fields, check, words of the disagreement."""


@pytest.mark.property("P-117")
@pytest.mark.parametrize("name", EVENTS)
def test_an_event_of_a_desk_that_was_altered_is_found(run, monkeypatch, name):
    event, fields, check, words = EVENTS[name]
    alter_events(monkeypatch, event, lambda honest: honest | fields)
    require_found(run(), check, words)


HIDDEN = {
    "Frozen": "status before the",
    "Redeemed": "status and key version before the new viewing key",
    "Revealed": "as revealed",
    "AuctionBegun": "price of the bid",
    "PartSold": "history: ",
}


@pytest.mark.property("P-117")
@pytest.mark.parametrize("event", HIDDEN)
def test_an_event_of_a_desk_that_the_node_hides_is_found(run, monkeypatch, event):
    alter_events(monkeypatch, event, lambda honest: None)
    require_found(run(), "history", HIDDEN[event].removeprefix("history: "))


PROOFS = {
    "reveal": (lambda call: call.update(proof=negate_c(call["proof"])), "proof of the revelation"),
    "bid": (lambda call: call["request"].update(proof=negate_c(call["request"]["proof"])), "proof of the bid"),
    "sellPart": (
        lambda call: call["request"].update(bookProof=negate_c(call["request"]["bookProof"])),
        "proof of the sale of a part of account",
    ),
    "rekey": (
        lambda call: call["request"].update(proof=negate_c(call["request"]["proof"])),
        "proof of the new viewing key",
    ),
}


@pytest.mark.property("P-117")
@pytest.mark.parametrize("function", PROOFS)
def test_a_proof_at_a_desk_that_was_altered_is_found(run, monkeypatch, function):
    change, words = PROOFS[function]
    alter_calls(monkeypatch, function, change)
    report = run(sample=None)
    require_found(report, "proofs", words)


NOBODY = bytes(64) + b"\x1b"
CALLS = {
    "a freeze by a late checkpoint": ("freeze", {"checkpoint": 15, "call": 0}, "history", "time of the freeze"),
    "an appraisal that too few signed": ("appraise", {"signatures": []}, "quorum", "signatures of Appraisal is 0"),
    "an appraisal of another price": ("appraise", {"equity": 5}, "quorum", "of Appraisal"),
}
REQUESTS = {
    "a bid's signature": ("bid", {"signature": NOBODY}, "signatures", "signature of the bid"),
    "a bid for another book": ("bid", {"cash": 5}, "history", "price and book of the bid"),
    "an offer that too few signed": ("sellPart", {"quorum": []}, "quorum", "signatures of PartOffer is 0"),
    "a sale below its floor": ("sellPart", {"floor": 7 * USD6}, "history", "price of the sale"),
    "a buyer's signature": ("sellPart", {"signature": NOBODY}, "signatures", "signature of the sale"),
    "a rekey's signature": ("rekey", {"signature": NOBODY}, "signatures", "signature of the new viewing key"),
    "a rekey's deadline": ("rekey", {"deadline": 1}, "history", "block time of the new viewing key"),
}
"""Function, the fields that the node says of its calls instead, check, words of the disagreement."""


@pytest.mark.property("P-117")
@pytest.mark.parametrize("name", CALLS | REQUESTS)
def test_a_call_of_a_desk_that_was_altered_is_found(run, monkeypatch, name):
    function, fields, check, words = (CALLS | REQUESTS)[name]
    alter_calls(monkeypatch, function, lambda call: (call["request"] if name in REQUESTS else call).update(fields))
    require_found(run(), check, words)


STORED = {
    "a case": ("caseOf", lambda trial: [trial.waiting.id], "case of account"),
    "a surplus": ("surplus", lambda trial: [], "surplus"),
    "a checkpoint": (
        "checkpointOf",
        lambda trial: [len(trial.stage.desk.deadlines.read_events("Ticked"))],
        "checkpoint ",
    ),
    "a call": ("callOf", lambda trial: [1], "call 1"),
}


@pytest.mark.property("P-117")
@pytest.mark.parametrize("name", STORED)
def test_what_a_desk_stores_and_no_event_explains_is_found(trial, run, name):
    function, arguments, words = STORED[name]
    desk = trial.stage.desk
    contract = desk.deadlines if function in ("checkpointOf", "callOf") else desk.contract
    alter_storage(contract, function, *arguments(trial), change=lambda word: word ^ 1)
    require_found(run(), "storage", words)


@pytest.mark.property("P-117")
def test_a_clock_that_ran_while_nobody_could_prove_is_found(trial, run, monkeypatch):
    """As a desk would have let it that does not look at epochs: their last one is said to be old."""
    honest = Contract.read_events

    def read_events(self, event, **options):
        found = honest(self, event, **options)
        late = {"time": 1} if event == "EpochPosted" else {}
        return [{**item, "args": {**item["args"], **late}} for item in found]

    monkeypatch.setattr(Contract, "read_events", read_events)
    require_found(run(), "history", "at no fresh epoch")


def test_an_account_that_moved_to_another_key_version_needs_no_new_viewing_key():
    """No desk could give it one: without this, its next trade would be reported."""
    ledger, number = Ledger(house="", next_block=0), bytes(32)
    ledger.accounts[number.hex()] = LedgerAccount(
        auth="", status=Status.ACTIVE, key_version=1, generation=1, commitment=5, must_rekey=True
    )
    source = SimpleNamespace(
        read_call=lambda part, place: Call("", {}, "", "", "called from another contract"), read_time=lambda block: 0
    )
    place = Place(1)
    accounts = AccountAudit(source, ledger, Report(1, 0, 1), {}, {})
    accounts.take(Happened("house", "Moved", {"account": number, "keyVersion": 2}, place))
    assert not ledger.accounts[number.hex()].must_rekey
