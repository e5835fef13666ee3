"""Each check of the desk for sales of parts of books in default, from a sale that passes and one thing changed; keys
are simulated."""

from dataclasses import replace

import pytest

from tests.contracts.test_lineage import sign as sign_confirmation
from tests.support.court import (
    CASH,
    EQUITY,
    PART,
    PART_FLOOR,
    POSITIONS,
    PRICE,
    TERMS,
    SaleCourt,
    find_desk,
)
from tests.support.reverts import refused
from tests.support.world import POLICIES, USDC, make_wallet
from zkmargin.contracts.clearing_house import Margin, Status
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.sale_desk import SaleDesk
from zkmargin.engine.presets import get_preset
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Flow, Invalidate
from zkmargin.prover.statement.packing import pack_state_words

pytestmark = pytest.mark.slow
WORLD_OPTIONS = {"terms": TERMS}

MINI = get_preset("mini")


@pytest.fixture
def court(world) -> SaleCourt:
    return SaleCourt(world, DefaultDesk(world.chain, world.house.contract.address, world.domain))


def list_left() -> list[int]:
    """Cash and words of the book after the sale."""
    left = [lots - PART.get(slot, 0) for slot, lots in enumerate(POSITIONS)]
    return [CASH + PRICE, *pack_state_words(left, MINI)]


@pytest.mark.property("P-171")
def test_a_part_finds_a_new_owner_and_the_book_goes_on_without_it(court):
    court.put_on_sale()
    world, alice = court.world, court.world.alice
    held = world.vault.get_held(world.cash.address)
    request = court.make_sale()
    court.sell(request)
    bob, book = world.house.get_account(world.bob.id), world.house.get_account(alice.id)
    assert (bob.commitment, bob.margin) == (request.commitment_new, Margin.INITIAL)
    assert (book.commitment, book.status, book.margin) == (request.book_commitment_new, Status.FROZEN, Margin.NONE)
    assert book.proven_epoch == bob.proven_epoch == request.epoch.number
    case = court.desk.get_case(alice.id)
    assert (case.commitment, case.auction_at) == (request.book_commitment_new, 0)
    state = court.desk.read_book(alice.id, world.preset).state
    assert state.cash == CASH + PRICE and list(state.positions) == [
        lots - PART.get(slot, 0) for slot, lots in enumerate(POSITIONS)
    ]
    assert world.vault.get_held(world.cash.address) == held


@pytest.mark.property("P-172")
def test_what_is_left_is_redeemed_by_a_proof_of_maintenance(court):
    court.put_on_sale()
    court.sell(court.make_sale())
    refused("NotRedeemable", court.desk.redeem, court.world.alice.id)
    court.redeem()
    assert court.get_status() is Status.ACTIVE


@pytest.mark.property("P-172")
def test_an_owner_who_has_proved_margin_since_keeps_its_book(court):
    """Also before anybody redeems it: else a buyer with offer and proofs ready comes first."""
    court.put_on_sale()
    alice = court.world.alice
    court.attest()
    assert refused("Redeemable", court.sell, court.make_sale())["account"] == alice.id
    court.desk.redeem(alice.id)


@pytest.mark.property("P-172")
def test_nothing_is_sold_of_an_account_that_is_flat(court):
    court.freeze()
    world, alice = court.world, court.world.alice
    world.house.withdraw_flat(world.make_flat(ActionKind.WITHDRAW_FLAT, alice, cash=USDC))
    court.send_reveal(court.make_reveal())
    court.advance(TERMS.window)
    assert refused("Redeemable", court.sell, court.make_sale())["account"] == alice.id


@pytest.mark.property("P-171")
def test_several_parts_are_sold_one_after_another_and_then_the_rest(court):
    court.put_on_sale()
    world = court.world
    court.sell(court.make_sale())
    left = list_left()
    court.sell(court.make_sale({0: 3}, numbers=left))
    court.appraise(0)
    words = pack_state_words(
        [0 if slot == 0 else lots - PART.get(slot, 0) for slot, lots in enumerate(POSITIONS)], world.preset
    )
    cash = CASH + 2 * PRICE
    flow = [0 if slot == 0 else lots - PART.get(slot, 0) for slot, lots in enumerate(POSITIONS)]
    signals = {"flow": flow, "cashFlow": cash - EQUITY}
    court.bid(court.make_bid(cash_flow=cash - EQUITY, signals=signals, stated={"cash": cash, "words": words}))
    assert court.get_status() is Status.CLOSED


@pytest.mark.property("P-173")
def test_a_sale_ends_the_auction_of_what_the_book_was(court):
    court.begin_auction()
    court.sell(court.make_sale())
    refused("NoAuction", court.desk.get_price, court.world.alice.id)
    refused("BookStale", court.bid, court.make_bid())


@pytest.mark.property("P-173")
def test_a_sale_waits_for_revelation_and_window(court):
    court.freeze()
    refused("BookStale", court.sell, court.make_sale())
    court.send_reveal(court.make_reveal())
    refused("AppraisalTooEarly", court.sell, court.make_sale())
    court.advance(TERMS.window)
    court.sell(court.make_sale())


@pytest.mark.property("P-173")
def test_only_books_in_default_are_sold(court):
    court.trade()
    refused("NotInDefault", court.sell, court.make_sale())


SALES = {
    "a part that grows a position": ({"part": {0: 8}}, "PartNotOfBook"),
    "a part of the other sign": ({"part": {0: -1}}, "PartNotOfBook"),
    "a short position beyond zero": ({"part": {4: -4}}, "PartNotOfBook"),
    "a slot that is empty": ({"part": {2: 1}}, "PartNotOfBook"),
    "no lots": ({"part": {0: 0}}, "PartNotOfBook"),
    "a slot beyond the last": ({"part": {16: 1}}, "PartNotOfBook"),
    "slots out of order": ({"part": {15: 9, 0: 4}}, "PartNotOfBook"),
    "a slot twice": ({"stated": {"part": (Flow(slot=0, lots=4), Flow(slot=0, lots=3))}}, "PartNotOfBook"),
    "nothing": ({"part": {}}, "PartEmpty"),
    "a price below what was signed": ({"price": PART_FLOOR - 1}, "PriceBelowFloor"),
    "too few publishers": ({"few": 2}, "SignaturesMissing"),
    "another floor signed": ({"offer": {"floor": PART_FLOOR - 1}}, "SignatureInvalid"),
    "another part signed": ({"offer": {"part": (Flow(slot=0, lots=3),)}}, "SignatureInvalid"),
    "another state signed": ({"offer": {"commitment": 5}}, "SignatureInvalid"),
    "another epoch signed": ({"offer": {"epoch": 1}}, "SignatureInvalid"),
    "another account signed": ({"offer": {"account": b"\7" * 32}}, "SignatureInvalid"),
    "other cash": ({"numbers": [CASH + 1, *pack_state_words(POSITIONS, MINI)]}, "BookStale"),
    "other positions": ({"numbers": [CASH, 0, 0, 0]}, "BookStale"),
    "another signer": ({"signed_by": make_wallet("mallory")}, "SignatureWrong"),
    "an old commitment": ({"commitment_old": 5}, "CommitmentStale"),
    "a deadline passed": ({"deadline": 5}, "DeadlinePassed"),
    "another submitter": ({"submitter": "0x" + "77" * 20}, "SubmitterWrong"),
    "maintenance of the buyer alone": ({"signals": {"policy": POLICIES["maintenance"]}}, "ProofRejected"),
    "cash kept by the buyer": ({"signals": {"cashFlow": 1 - PRICE}}, "ProofRejected"),
    "a lot that the buyer leaves": ({"signals": {"flow": [3, *[0] * 15]}}, "ProofRejected"),
    "a lot that the book keeps": ({"book_signals": {"flow": [-3, *[0] * 15]}}, "ProofRejected"),
    "cash made by the book": ({"book_signals": {"cashFlow": PRICE + 1}}, "ProofRejected"),
    "another book": ({"book_signals": {"commitmentOld": 5}}, "ProofRejected"),
    "a book left another": ({"book_signals": {"commitmentNew": 5}}, "ProofRejected"),
    "a purchase of another context": ({"signals": {"context": 5}}, "ProofRejected"),
    "a surrender of another context": ({"book_signals": {"context": 5}}, "ProofRejected"),
    "a side of the buyer": ({"signals": {"side": 1}}, "ProofRejected"),
    "a side of the book": ({"book_signals": {"side": 1}}, "ProofRejected"),
    "nothing written": ({"book_signals": {"write": 0}}, "ProofRejected"),
}


@pytest.mark.property("P-171", "P-174")
@pytest.mark.parametrize("name", SALES)
def test_a_sale_with_one_thing_wrong_is_refused(court, name):
    changes, error = SALES[name]
    changes = dict(changes)
    if "few" in changes:
        changes["wallets"] = court.world.publishers[: changes.pop("few")]
    court.put_on_sale()
    refused(error, court.sell, court.make_sale(**changes))


@pytest.mark.property("P-174")
def test_an_offer_is_of_one_epoch_from_after_the_revelation(court):
    court.freeze()
    old = court.world.post().message.number
    court.world.post()
    court.send_reveal(court.make_reveal())
    court.advance(TERMS.window)
    fields = refused("AppraisalOutdated", court.sell, court.make_sale(epoch=old))
    assert fields["epoch"] == old


@pytest.mark.property("P-174")
def test_after_a_sale_no_price_is_from_before_it(court):
    """Neither of another part nor of the rest."""
    court.put_on_sale()
    alice, old = court.world.alice, court.world.post().message.number
    court.sell(court.make_sale())
    outdated = {"account": alice.id, "epoch": old, "least": old + 1}
    numbers = list_left()
    assert refused("AppraisalOutdated", court.sell, court.make_sale({0: 3}, numbers=numbers, epoch=old)) == outdated
    assert refused("AppraisalOutdated", court.appraise, 0, epoch=old) == outdated


@pytest.mark.property("P-174")
def test_a_sale_is_made_once(court):
    court.put_on_sale()
    request = court.make_sale()
    court.sell(request)
    refused("BookStale", court.sell, request)


@pytest.mark.property("P-171")
def test_no_sale_moves_more_cash_than_the_statement_takes(court):
    court.put_on_sale()
    assert refused("CashFlowTooLarge", court.sell, court.make_sale(price=2**80)) == {"cashFlow": 2**80}
    fields = refused("CashFlowTooLarge", court.sell, court.make_sale(price=2**80 - 1 - CASH))
    assert fields["cashFlow"] == 2**80 - 1 - CASH


@pytest.mark.property("P-171")
def test_book_and_buyer_are_of_the_epochs_generation(court):
    court.put_on_sale()
    court.make_step()
    fields = refused("StepInSale", court.sell, court.make_sale())
    assert (fields["generation"], fields["next"]) == (0, 1)
    world = court.world
    world.house.roll(world.make_roll(world.bob), 1)
    fields = refused("SidesDiffer", court.sell, court.make_sale())
    assert (fields["generationPlus"], fields["generationMinus"]) == (1, 0)


@pytest.mark.property("P-276")
def test_a_buyer_under_another_key_version_buys_nothing(court):
    court.put_on_sale()
    with court.under_successor() as successor:
        request = court.make_sale(key_version=successor)
    fields = refused("SidesDiffer", court.sell, request)
    assert (fields["keyVersionPlus"], fields["keyVersionMinus"]) == (successor, 1)


@pytest.mark.property("P-171")
def test_a_sale_is_at_no_epoch_from_before_what_the_book_depends_on(court):
    """Else the buyer's lineage would be older than that of what it bought."""
    court.put_on_sale()
    world, alice = court.world, court.world.alice
    old, number = world.post().message.number, world.post().message.number
    world.house.confirm(alice.id, number, sign_confirmation(world, alice, number))
    fields = refused("EpochOlderThanProof", court.sell, court.make_sale(epoch=old))
    assert (fields["account"], fields["epoch"]) == (alice.id, old)


@pytest.mark.property("P-171")
def test_who_wrote_at_a_revoked_epoch_buys_nothing(court):
    """The purchase would give its account a later lineage."""
    court.put_on_sale()
    carol, number = court.open_at_revoked_epoch()
    fields = refused("AccountOfRevokedEpoch", court.sell, court.make_sale(bidder=carol))
    assert fields == {"account": carol.id, "epoch": number}


@pytest.mark.property("P-171")
def test_a_frozen_account_and_the_book_itself_buy_nothing(court):
    court.put_on_sale()
    refused("StatusWrong", court.sell, court.make_sale(bidder=court.world.alice))
    court.world.set_status(court.world.bob, Status.FROZEN)
    refused("StatusWrong", court.sell, court.make_sale())


@pytest.mark.property("P-171")
def test_a_purchase_that_its_signer_burned_is_refused(court):
    court.put_on_sale()
    world, bob = court.world, court.world.bob
    request = court.make_sale()
    digest = refused("SignatureWrong", court.sell, replace(request, signature=b"\1" * 65))["digest"]
    burning = bob.wallet.sign(world.domain, Invalidate(account=bob.id, digest=digest))
    world.house.invalidate_for(bob.auth, bob.index, digest, burning)
    refused("DigestInvalidated", court.sell, request)


@pytest.mark.property("P-171")
def test_a_book_of_a_revoked_epoch_loses_no_part(court):
    world = court.world
    alice, bob, epoch = world.pair()
    world.house.trade(world.make_trade(alice, bob, epoch))
    carol = world.open_with("carol")
    court.desk.freeze(alice.id, court.let_time_pass())
    court.send_reveal(court.make_reveal())
    court.advance(TERMS.window)
    world.oracle.revoke_epochs(epoch.message.number)
    fields = refused("AccountOfRevokedEpoch", court.sell, court.make_sale(bidder=carol))
    assert fields == {"account": alice.id, "epoch": epoch.message.number}


@pytest.mark.property("P-171")
def test_the_desk_for_sales_itself_does_nothing(court):
    request = court.make_sale()
    desk = find_desk(court.world.house, "sellPart")
    refused("OnlyDelegated", SaleDesk(court.world.chain, desk).send, request)
