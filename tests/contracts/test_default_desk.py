"""Each check of the desk for defaults, from a case that passes and one thing changed; keys are simulated."""

from dataclasses import replace

import pytest

from tests.contracts.test_lineage import sign as sign_confirmation
from tests.support.court import CASH, DEADLINE, EQUITY, FLOOR, POSITIONS, TERMS, TICK, Court, find_desk
from tests.support.reverts import refused, reverts
from tests.support.world import LOT, POLICIES, USDC, make_wallet, tamper
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.deploy import compute_create_address, deploy_contract, make_route
from zkmargin.contracts.messages import sign_unchecked
from zkmargin.engine.presets import get_preset
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Appraisal, Confirmation, EarlyCall, Invalidate
from zkmargin.prover.statement.packing import pack_state_words

pytestmark = pytest.mark.slow
WORLD_OPTIONS = {"terms": TERMS}


@pytest.fixture
def court(world) -> Court:
    desk = DefaultDesk(world.chain, world.house.contract.address, world.domain)
    return Court(world, desk)


# ----------------------------------------------------------------------------------------------------------- deadlines
@pytest.mark.property("P-265")
def test_the_clock_advances_by_five_minutes_a_tick_at_most(court):
    first = court.tick()
    assert court.desk.get_checkpoint(first)[1] == 0
    assert court.desk.get_checkpoint(court.tick(100))[1] in range(100, 110)
    before = court.desk.get_checkpoint(first + 1)[1]
    assert court.desk.get_checkpoint(court.tick(86_400))[1] == before + TICK


@pytest.mark.property("P-265")
def test_a_stale_oracle_and_a_pause_stop_the_clock(court):
    court.tick()
    court.world.chain.travel(3600)
    refused("EpochStale", court.desk.tick)
    court.world.post()
    court.desk.tick()
    court.world.chain.travel(10)
    court.world.oracle.pause()
    refused("ActionPaused", court.desk.tick)


@pytest.mark.property("P-276")
def test_the_clock_stands_still_under_a_key_that_verifies_nothing(court):
    world = court.world
    court.tick()
    world.chain.travel(10)
    world.venue.registry.suspend(1)
    world.chain.travel(1)
    refused("KeyIsSuspended", court.desk.tick)
    world.venue.registry.resume(1)
    court.desk.tick()
    with world.under_key(2):
        world.chain.travel(10)
        world.post()
    assert refused("EpochOfOtherKey", court.desk.tick) == {"keyVersion": 2, "served": 1}


@pytest.mark.property("P-265")
def test_the_clock_stands_still_while_a_step_waits_for_its_settlement(court):
    world = court.world
    step = world.post(generation=world.oracle.get_generation() + 1).message.number
    court.tick()
    world.oracle.revoke_epochs(step)
    world.chain.travel(10)
    world.post()
    assert refused("EpochRevoked", court.desk.tick) == {"number": step}


@pytest.mark.property("P-265")
def test_a_second_has_one_tick(court):
    court.world.chain.w3.provider.make_request("anvil_setBlockTimestampInterval", [0])
    try:
        court.world.post()
        court.desk.tick()
        refused("TickTooEarly", court.desk.tick)
    finally:
        court.world.chain.w3.provider.make_request("anvil_removeBlockTimestampInterval", [])


@pytest.mark.property("P-266")
def test_an_account_is_frozen_after_lease_and_grace_and_not_before(court):
    court.trade()
    first = court.tick(1)
    for _ in range(DEADLINE // TICK):
        court.tick()
    fields = refused("NotOverdue", court.desk.freeze, court.world.alice.id, first)
    assert fields["elapsed"] <= DEADLINE
    court.tick(20)
    court.desk.freeze(court.world.alice.id, first)
    assert court.get_status() is Status.FROZEN
    refused("AccountNotOpen", court.desk.freeze, court.world.alice.id, first)


@pytest.mark.property("P-266")
def test_a_checkpoint_before_the_last_proof_shows_nothing(court):
    first = court.let_time_pass()
    court.trade()
    refused("NotOverdue", court.desk.freeze, court.world.alice.id, first)
    refused("NotOverdue", court.desk.freeze, court.world.alice.id, 10_000)


@pytest.mark.property("P-266")
def test_an_attestation_of_maintenance_is_a_proof(court):
    court.trade()
    first = court.let_time_pass()
    world = court.world
    world.house.attest(world.make_attest(world.alice, world.post()))
    refused("NotOverdue", court.desk.freeze, world.alice.id, first)
    court.desk.freeze(world.bob.id, first)


@pytest.mark.property("P-277")
def test_a_confirmed_account_keeps_its_deadline(court):
    court.trade()
    world, alice = court.world, court.world.alice
    before = world.house.get_account(alice.id).proven_at
    epoch = world.post().message.number
    message = Confirmation(account=alice.id, commitment=world.house.get_account(alice.id).commitment, epoch=epoch)
    world.house.confirm(alice.id, epoch, sign_unchecked(message, world.publishers[:3], world.domain))
    assert world.house.get_account(alice.id).proven_at == before
    court.desk.freeze(alice.id, court.let_time_pass())


@pytest.mark.property("P-266")
def test_who_holds_no_derivatives_has_no_deadline(court):
    first = court.let_time_pass()
    assert refused("NotOverdue", court.desk.freeze, court.world.alice.id, first)["provenAt"] == 0


def test_who_freezes_is_paid_from_the_bond(court):
    court.post_bond(30 * USDC)
    keeper = court.world.chain.accounts[7]
    court.trade()
    court.desk.freeze(court.world.alice.id, court.let_time_pass(), sender=keeper)
    assert court.world.house.get_fees(keeper) == 25 * USDC
    court.world.house.collect_fees(keeper, sender=keeper)
    (payment,) = court.world.vault.read_payments(recipient=keeper)
    assert payment.amount == 25 * USDC
    assert court.world.vault.get_inbox(court.desk.get_bond(court.world.alice.id), court.world.cash.address) == 5 * USDC


# --------------------------------------------------------------------------------------------------------- redemption
@pytest.mark.property("P-267")
def test_a_frozen_account_is_redeemed_by_a_fresh_proof_alone(court):
    court.freeze()
    world, alice = court.world, court.world.alice
    refused("NotRedeemable", court.desk.redeem, alice.id)
    court.attest()
    world.chain.travel(world.oracle.get_max_age(ActionKind.ATTEST) + 5)
    refused("NotRedeemable", court.desk.redeem, alice.id)
    court.redeem()
    assert court.get_status() is Status.ACTIVE
    refused("NotInDefault", court.desk.redeem, alice.id)


@pytest.mark.property("P-267")
def test_a_flat_exit_redeems(court):
    court.freeze()
    world, alice = court.world, court.world.alice
    exit_ = world.make_flat(ActionKind.WITHDRAW_FLAT, alice, cash=USDC)
    world.house.withdraw_flat(exit_)
    court.desk.redeem(alice.id)
    assert court.get_status() is Status.ACTIVE


@pytest.mark.property("P-267")
def test_an_attestation_of_another_policy_redeems_nobody(court):
    court.freeze()
    world = court.world
    world.chain.travel(5)
    world.house.attest(world.make_attest(world.alice, world.post(), "net_delta"))
    refused("NotRedeemable", court.desk.redeem, world.alice.id)


@pytest.mark.property("P-267")
def test_a_revoked_epoch_redeems_nobody(court):
    court.freeze()
    court.attest()
    court.world.oracle.revoke_epochs(court.world.oracle.get_latest_number())
    refused("NotRedeemable", court.desk.redeem, court.world.alice.id)


@pytest.mark.property("P-267")
def test_a_cure_redeems_up_to_the_first_bid(court):
    court.begin_auction()
    world = court.world
    world.chain.travel(5)
    world.house.cure(world.make_cure(world.alice, world.post(), cash=100 * USDC))
    with reverts("BookStale", account=world.alice.id):
        court.bid(court.make_bid())
    court.desk.redeem(world.alice.id)
    assert court.get_status() is Status.ACTIVE


# --------------------------------------------------------------------------------------------------------- revelation
@pytest.mark.property("P-268")
def test_a_revelation_is_of_the_stored_commitment(court):
    court.freeze()
    refused("RevelationRejected", court.send_reveal, court.make_reveal(commitment=5))
    refused("RevelationRejected", court.send_reveal, court.make_reveal(generation=9))
    court.send_reveal(court.make_reveal())
    case = court.desk.get_case(court.world.alice.id)
    assert case.commitment == court.world.house.get_account(court.world.alice.id).commitment


@pytest.mark.property("P-268")
@pytest.mark.parametrize("signal", ["commitment", "rho", "evaluation"])
def test_a_proof_of_another_number_is_refused(court, signal):
    court.freeze()
    message = court.make_reveal()
    refused("RevelationRejected", court.send_reveal, message, court.prove_reveal(message, **{signal: 1}))
    refused("RevelationRejected", court.send_reveal, message, tamper(court.prove_reveal(message)))


@pytest.mark.property("P-268")
@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"cash": 2**80}, 0),
        ({"cash": -(2**80) - 1}, 0),
        ({"words": pack_state_words(POSITIONS, get_preset("mini"))[:2]}, 2),
        ({"words": (2**224, 0, 0)}, 1),
        ({"words": (0, 0, 2**64)}, 3),
    ],
    ids=["too much cash", "too much debt", "too few words", "an eighth lane", "a slot beyond the last"],
)
def test_published_numbers_have_one_reading(court, change, place):
    court.freeze()
    assert refused("BookMalformed", court.send_reveal, court.make_reveal(**change))["place"] == place


@pytest.mark.property("P-274")
def test_a_revelation_is_taken_once_for_each_state(court):
    """Whoever repeats one must not begin the window anew, nor end an auction."""
    court.freeze()
    world, alice = court.world, court.world.alice
    message = court.make_reveal()
    proof = court.prove_reveal(message)
    court.send_reveal(message, proof)
    refused("AlreadyRevealed", court.send_reveal, message, proof)
    court.appraise()
    refused("AlreadyRevealed", court.send_reveal, message, proof)
    assert court.desk.get_price(alice.id) == EQUITY
    world.house.cure(world.make_cure(alice, world.post(), cash=100 * USDC))
    court.send_reveal(court.make_reveal())
    refused("NoAuction", court.desk.get_price, alice.id)


@pytest.mark.property("P-276")
def test_an_account_of_another_key_version_is_neither_frozen_nor_revealed(court):
    court.trade()
    first = court.let_time_pass()
    world = court.world
    court.desk.freeze(world.bob.id, first)
    successor = world.revoke_key()
    with world.under_key(2):
        for party in (world.alice, world.bob):
            world.house.move(world.make_move(party))
    fields = {"accountVersion": successor, "epochVersion": 1}
    assert refused("KeyVersionWrong", court.desk.freeze, world.alice.id, first) == {"account": world.alice.id, **fields}
    words = list(court.make_reveal().words)
    wrong = refused("KeyVersionWrong", court.contract.send, "reveal", world.bob.id, CASH, words, [0] * 8)
    assert wrong == {"account": world.bob.id, **fields}


@pytest.mark.property("P-268")
def test_only_accounts_in_default_are_revealed(court):
    court.trade()
    refused("NotInDefault", court.send_reveal, court.make_reveal())


# ------------------------------------------------------------------------------------------------------------ auction
@pytest.mark.property("P-269")
def test_an_appraisal_waits_for_the_window_and_takes_a_quorum(court):
    court.freeze()
    refused("AppraisalTooEarly", court.appraise)
    court.send_reveal(court.make_reveal())
    refused("AppraisalTooEarly", court.appraise, 0)
    refused("SignaturesMissing", court.appraise, wallets=court.world.publishers[:2])
    refused("SignatureInvalid", court.appraise, 1, wallets=[make_wallet(f"stranger {n}") for n in range(3)])
    refused("SignatureInvalid", court.appraise, 1, commitment=7)
    refused("SignatureInvalid", court.appraise, 1, stated={"equity": EQUITY - 1})
    refused("SignatureInvalid", court.appraise, 1, stated={"floor": FLOOR + 1})
    court.appraise(1)
    refused("AppraisalTooEarly", court.appraise)


@pytest.mark.property("P-275")
def test_window_and_price_stand_still_while_nobody_can_bid(court):
    """An hour without an epoch, hence without a tick; the next tick adds five minutes."""
    court.freeze()
    alice = court.world.alice.id
    court.world.chain.travel(200)
    court.send_reveal(court.make_reveal())
    begun = court.desk.get_case(alice).revealed_at
    court.world.chain.travel(3600)
    clock = court.desk.get_checkpoint(court.tick(1))[1]
    assert clock in range(begun + 90, begun + TICK), "what passed before the revelation is not of its window"
    refused("AppraisalTooEarly", court.appraise, 0)
    court.appraise()
    court.world.chain.travel(3600)
    assert court.desk.get_price(alice) == EQUITY
    court.tick(1)
    assert court.desk.get_price(alice) >= EQUITY - EQUITY * TICK // TERMS.auction


@pytest.mark.property("P-269")
def test_a_book_that_nobody_took_is_appraised_again(court):
    court.begin_auction()
    desk, alice = court.desk, court.world.alice.id
    refused("AppraisalTooEarly", court.appraise, TERMS.auction // 2)
    first = desk.get_case(alice).least_epoch - 1
    court.advance(TERMS.auction)
    assert desk.get_price(alice) == 0
    assert refused("AppraisalOutdated", court.appraise, 0, epoch=first)["least"] == first + 1
    court.appraise(0, equity=-5 * USDC)
    court.insure(5 * USDC)
    assert desk.get_price(alice) == 0 and desk.get_case(alice).start_usd6 == 0
    refused("AppraisalTooEarly", court.appraise, 0)


@pytest.mark.property("P-275")
def test_an_appraisal_is_at_prices_from_after_the_revelation(court):
    court.freeze()
    court.world.post()
    old = court.world.oracle.get_latest_number() - 1
    court.send_reveal(court.make_reveal())
    assert refused("AppraisalOutdated", court.appraise, epoch=old)["least"] == old + 1


@pytest.mark.property("P-269")
def test_the_price_falls_in_a_line_to_what_the_surplus_can_pay(court):
    court.insure(100 * USDC)
    court.begin_auction()
    desk, alice = court.desk, court.world.alice.id
    assert desk.get_price(alice) == EQUITY
    clock = desk.get_checkpoint(court.advance(TERMS.auction // 2))[1]
    elapsed = clock - desk.get_case(alice).auction_at
    assert elapsed in range(TERMS.auction // 2, TERMS.auction // 2 + 10)
    assert desk.get_price(alice) == EQUITY - (EQUITY + 100 * USDC) * elapsed // TERMS.auction
    court.advance(TERMS.auction)
    assert desk.get_price(alice) == -100 * USDC


@pytest.mark.property("P-278")
@pytest.mark.parametrize("floor", [EQUITY // 2, -40 * USDC])
def test_a_lone_bidder_gets_no_more_than_the_quorum_signed(court, floor):
    """Whatever the surplus holds: who owns a book too large for any other bidder waits for the end of the auction."""
    court.insure(100 * USDC)
    court.begin_auction(floor=floor)
    court.advance(TERMS.auction)
    assert court.desk.get_price(court.world.alice.id) == court.desk.get_case(court.world.alice.id).floor_usd6 == floor
    fields = refused("PriceTooLow", court.bid, court.make_bid(price=floor - 1))
    assert fields == {"price": floor - 1, "needed": floor}
    court.bid(court.make_bid(price=floor))
    assert court.desk.get_surplus() == min(100 * USDC, 100 * USDC + floor)


@pytest.mark.property("P-278")
def test_no_price_is_below_what_was_signed(court):
    court.begin_auction(equity=0, floor=5 * USDC)
    assert court.desk.get_price(court.world.alice.id) == 5 * USDC


@pytest.mark.property("P-269")
def test_a_bid_takes_the_book_over(court):
    court.begin_auction()
    world = court.world
    held = world.vault.get_held(world.cash.address)
    request = court.make_bid()
    court.bid(request)
    assert court.get_status() is Status.CLOSED
    bob = world.house.get_account(world.bob.id)
    assert bob.commitment == request.commitment_new and bob.may_hold_derivatives
    assert not world.house.get_account(world.alice.id).may_hold_derivatives
    (payment,) = world.vault.read_payments(recipient=world.alice.auth)
    assert payment.amount == EQUITY and world.vault.get_held(world.cash.address) == held - EQUITY
    refused("NotInDefault", court.bid, court.make_bid(bidder=world.bob))


BIDS = {
    "a price below": ({"price": EQUITY // 2, "cash_flow": CASH - EQUITY // 2}, "PriceTooLow"),
    "other cash": ({"stated": {"cash": CASH + 1}}, "BookStale"),
    "other positions": ({"stated": {"words": (0, 0, 0)}}, "BookStale"),
    "another signer": ({"signed_by": make_wallet("mallory")}, "SignatureWrong"),
    "an old commitment": ({"commitment_old": 5}, "CommitmentStale"),
    "a deadline passed": ({"deadline": 5}, "DeadlinePassed"),
    "another submitter": ({"submitter": "0x" + "77" * 20}, "SubmitterWrong"),
    "cash kept": ({"signals": {"cashFlow": CASH - EQUITY + 1}}, "ProofRejected"),
    "a position left out": ({"signals": {"flow": [*POSITIONS[:-1], 0]}}, "ProofRejected"),
    "maintenance alone": ({"signals": {"policy": POLICIES["maintenance"]}}, "ProofRejected"),
    "nothing written": ({"signals": {"write": 0}}, "ProofRejected"),
    "a side": ({"signals": {"side": 1}}, "ProofRejected"),
    "another context": ({"signals": {"context": 5}}, "ProofRejected"),
    "a price far below": ({"price": -(2**80)}, "PriceTooLow"),
    "too much cash": ({"price": 2**80 + CASH, "cash_flow": -(2**80)}, "CashFlowTooLarge"),
}


@pytest.mark.property("P-269")
@pytest.mark.parametrize("name", BIDS)
def test_a_bid_with_one_thing_wrong_is_refused(court, name):
    changes, error = BIDS[name]
    court.begin_auction()
    refused(
        error, court.bid, court.make_bid(**{key: dict(v) if isinstance(v, dict) else v for key, v in changes.items()})
    )


@pytest.mark.property("P-269")
def test_no_bid_moves_more_cash_in_than_the_statement_takes(court):
    court.insure(USDC)
    court.freeze()
    court.send_reveal(court.make_reveal(cash=2**80 - 1))
    court.appraise(equity=-1)
    request = court.make_bid(price=-1, cash_flow=2**80, stated={"cash": 2**80 - 1})
    assert refused("CashFlowTooLarge", court.bid, request) == {"cashFlow": 2**80}


@pytest.mark.property("P-269")
def test_a_bid_that_its_signer_burned_is_refused(court):
    court.begin_auction()
    world, bob = court.world, court.world.bob
    request = court.make_bid()
    digest = refused("SignatureWrong", court.bid, replace(request, signature=b"\1" * 65))["digest"]
    burning = bob.wallet.sign(world.domain, Invalidate(account=bob.id, digest=digest))
    world.house.invalidate_for(bob.auth, bob.index, digest, burning)
    assert refused("DigestInvalidated", court.bid, request) == {"account": bob.id, "digest": digest}


@pytest.mark.property("P-276")
def test_a_bidder_under_another_key_version_does_not_bid_for_a_book(court):
    court.begin_auction()
    with court.under_successor() as successor:
        request = court.make_bid(key_version=successor)
    fields = refused("SidesDiffer", court.bid, request)
    assert (fields["keyVersionPlus"], fields["keyVersionMinus"]) == (successor, 1)


@pytest.mark.property("P-269")
def test_a_bid_is_at_no_epoch_from_before_what_the_book_depends_on(court):
    """Else the bidder's lineage would be older than that of what it took over."""
    court.trade()
    world, alice = court.world, court.world.alice
    carol = world.open_with("carol")
    court.desk.freeze(alice.id, court.let_time_pass())
    old, number = world.post().message.number, world.post().message.number
    world.house.confirm(alice.id, number, sign_confirmation(world, alice, number))
    court.send_reveal(court.make_reveal())
    court.appraise()
    fields = refused("EpochOlderThanProof", court.bid, court.make_bid(bidder=carol, epoch=old))
    assert (fields["account"], fields["epoch"]) == (alice.id, old)


@pytest.mark.property("P-271")
def test_two_books_do_not_spend_one_surplus(court):
    """Both may fall to all of it; what the first takes the second does not have."""
    court.insure(100 * USDC)
    court.trade()
    world = court.world
    alice, bob, carol = world.alice, world.bob, world.open_with("carol")
    first = court.let_time_pass()
    commitments = {party: world.house.get_account(party.id).commitment for party in (alice, bob)}
    for party in (alice, bob):
        court.desk.freeze(party.id, first)
        court.send_reveal(court.make_reveal(account=party.id, commitment=commitments[party]))
    for wait, party in ((TERMS.window, alice), (0, bob)):
        court.appraise(wait, account=party.id, commitment=commitments[party], equity=-300 * USDC)
        assert court.desk.get_price(party.id) == -100 * USDC
    court.bid(court.make_bid(bidder=carol, price=-60 * USDC))
    assert court.desk.get_price(bob.id) == -40 * USDC
    beyond = {"book": bob.id, "price": -40 * USDC - 1, "cash_flow": CASH + 40 * USDC + 1}
    assert refused("PriceTooLow", court.bid, court.make_bid(bidder=carol, **beyond))["needed"] == -40 * USDC
    court.bid(court.make_bid(bidder=carol, book=bob.id, price=-40 * USDC, cash_flow=CASH + 40 * USDC))
    assert court.desk.get_surplus() == 0


@pytest.mark.property("P-279")
def test_book_and_bidder_take_a_step_of_the_listing_together(court):
    court.begin_auction()
    court.make_step()
    court.bid(court.make_bid())
    assert court.world.house.get_account(court.world.bob.id).generation == 1


@pytest.mark.property("P-279")
def test_a_frozen_account_rolls_without_its_owner_and_its_book_finds_a_bidder_that_did_too(court):
    world, alice, stranger = court.world, court.world.alice, court.world.chain.accounts[7]
    court.begin_auction()
    refused("SettlementUnset", world.house.roll, world.make_roll(alice, signed=False), 1)
    court.make_step()
    refused("SignatureWrong", world.house.roll, world.make_roll(world.bob, signed=False), 1)
    world.house.roll(world.make_roll(world.bob), 1)
    fields = refused("SidesDiffer", court.bid, court.make_bid())
    assert (fields["generationPlus"], fields["generationMinus"]) == (1, 0)
    roll = world.make_roll(alice, signed=False)
    refused("ProofRejected", world.house.roll, replace(roll, proof=tamper(roll.proof)), 1)
    world.house.roll(roll, 1, sender=stranger)
    assert court.get_status() is Status.FROZEN
    refused("BookStale", court.bid, court.make_bid())
    court.send_reveal(court.make_reveal())
    court.appraise()
    court.bid(court.make_bid())
    assert court.get_status() is Status.CLOSED


@pytest.mark.property("P-279")
def test_an_account_that_is_active_again_rolls_by_its_owner_alone(court):
    court.freeze()
    world, alice = court.world, court.world.alice
    court.redeem()
    court.make_step()
    refused("SignatureWrong", world.house.roll, world.make_roll(alice, signed=False), 1)


@pytest.mark.property("P-269")
def test_nobody_bids_before_the_appraisal_or_for_itself(court):
    court.freeze()
    court.send_reveal(court.make_reveal())
    refused("NoAuction", court.bid, court.make_bid())
    court.appraise()
    refused("StatusWrong", court.bid, court.make_bid(bidder=court.world.alice))


@pytest.mark.property("P-271")
def test_what_a_book_lacks_comes_from_the_surplus_and_never_more(court):
    court.insure(100 * USDC)
    court.begin_auction(equity=-300 * USDC)
    assert court.desk.get_price(court.world.alice.id) == -100 * USDC
    refused("PriceTooLow", court.bid, court.make_bid(price=-100 * USDC - 1))
    held = court.world.vault.get_held(court.world.cash.address)
    court.bid(court.make_bid(price=-100 * USDC))
    assert court.desk.get_surplus() == 0
    assert court.world.vault.get_held(court.world.cash.address) == held
    assert court.world.vault.read_payments(recipient=court.world.alice.auth) == []


@pytest.mark.property("P-172")
def test_nobody_bids_for_a_book_whose_owner_has_proved_margin_since(court):
    """Also before anybody redeems it."""
    court.begin_auction()
    court.attest()
    alice = court.world.alice
    assert refused("Redeemable", court.bid, court.make_bid()) == {"account": alice.id}
    court.desk.redeem(alice.id)


@pytest.mark.property("P-172")
def test_nobody_bids_for_an_account_that_is_flat(court):
    court.freeze()
    world, alice = court.world, court.world.alice
    world.house.withdraw_flat(world.make_flat(ActionKind.WITHDRAW_FLAT, alice, cash=USDC))
    court.send_reveal(court.make_reveal())
    court.appraise()
    assert refused("Redeemable", court.bid, court.make_bid()) == {"account": alice.id}
    court.desk.redeem(alice.id)


@pytest.mark.property("P-269")
def test_who_wrote_at_a_revoked_epoch_bids_for_nothing(court):
    """The bid would give its account a later lineage."""
    court.begin_auction()
    carol, number = court.open_at_revoked_epoch()
    fields = refused("AccountOfRevokedEpoch", court.bid, court.make_bid(bidder=carol))
    assert fields == {"account": carol.id, "epoch": number}


@pytest.mark.property("P-269")
def test_a_book_of_a_revoked_epoch_is_sold_to_nobody(court):
    """Its lineage would be hidden by the bidder's later one."""
    world = court.world
    alice, bob, epoch = world.pair()
    world.house.trade(world.make_trade(alice, bob, epoch))
    carol = world.open_with("carol")
    first = court.let_time_pass()
    court.desk.freeze(alice.id, first)
    court.send_reveal(court.make_reveal())
    world.oracle.revoke_epochs(epoch.message.number)
    court.appraise()
    fields = refused("AccountOfRevokedEpoch", court.bid, court.make_bid(bidder=carol))
    assert fields == {"account": alice.id, "epoch": epoch.message.number}


# --------------------------------------------------------------------------------------------------- money and wiring
@pytest.mark.property("P-271")
def test_insurance_is_what_was_funded(court):
    refused("InboxTooLow", court.desk.insure, 1)
    court.insure(5 * USDC)
    assert court.desk.get_surplus() == 5 * USDC


def test_the_bond_stays_until_its_owner_takes_it_after_the_end(court):
    court.post_bond(60 * USDC)
    world = court.world
    alice = world.alice
    world.chain.w3.provider.make_request("anvil_impersonateAccount", [alice.auth])
    world.chain.w3.provider.make_request("anvil_setBalance", [alice.auth, hex(10**20)])
    refused("BondKept", court.desk.take_bond, alice.id, world.submitter, sender=alice.auth)
    court.begin_auction()
    court.bid(court.make_bid())
    refused("BondKept", court.desk.take_bond, alice.id, world.submitter)
    court.desk.take_bond(alice.id, world.chain.accounts[8], sender=alice.auth)
    (payment,) = world.vault.read_payments(recipient=world.chain.accounts[8])
    assert payment.amount == 35 * USDC


@pytest.mark.parametrize(
    "change",
    [
        {"window": 599}, {"auction": 599}, {"late_fee_usd6": 100 * USDC + 1},
    ],
)  # fmt: skip
def test_terms_have_bounds(court, change):
    refused("TermsInvalid", make_desk, court, terms=replace(TERMS, **change))


def make_desk(court, **changes):
    """A desk as deployed, with parts of it changed."""
    reveals, terms = changes.pop("REVEALS", court.contract.call("REVEALS")), changes.pop("terms", TERMS)
    parts = court.get_parts(**changes)
    return deploy_contract(court.world.chain, "DefaultDesk", parts, reveals, terms.to_abi())[0]


@pytest.mark.property("P-276")
def test_a_desk_is_made_for_a_key_that_verifies(court):
    assert refused("KeyUnknown", make_desk, court, KEY_VERSION=9)["version"] == 9
    court.world.venue.registry.suspend(1)
    court.world.chain.travel(1)
    refused("KeyIsSuspended", make_desk, court)


def test_a_desk_is_made_with_a_key_of_revelations(court):
    reveals, _ = deploy_contract(court.world.chain, "RevealVerifier")
    what = refused("TermsInvalid", make_desk, court, REVEALS=reveals.address)["what"]
    assert what.rstrip(b"\0") == b"reveals"


@pytest.mark.property("P-272")
@pytest.mark.parametrize("wrong", ["REGISTRY", "ORACLE", "VERIFIER", "WALLETS", "VAULT", None])
def test_the_house_takes_a_desk_of_its_own_parts_only(court, wrong):
    """It runs in the house's storage, so each part of it must be the house's."""
    world, deployment = court.world, court.world.deployment
    chain, deployer = world.chain, world.chain.accounts[0]
    stranger = chain.accounts[6]
    # A registry that knows every version, else the desk's own constructor refuses it.
    chain._request("anvil_setCode", stranger, "0x60405ff3")
    expected = compute_create_address(deployer, chain.w3.eth.get_transaction_count(deployer) + 2)
    weth = [(deployment.weth_slot, deployment.weth, LOT)]
    vault, _ = deploy_contract(chain, "CollateralVault", expected, deployment.risk_oracle, deployment.cash, weth)
    desk = make_desk(court, **{"VAULT": vault.address, **({wrong: stranger} if wrong else {})})
    parts = [deployment.key_registry, deployment.risk_oracle, deployment.margin_verifier, vault.address]
    house = world.house.contract
    desks = [house.call("DESK"), house.call("BATCHES"), [make_route("DefaultDesk", desk.address)]]
    if wrong is None:
        assert deploy_contract(chain, "ClearingHouse", *parts, *desks)[0].address == expected
    else:
        with reverts("WiringWrong", part=desk.address, named=stranger):
            deploy_contract(chain, "ClearingHouse", *parts, *desks)


@pytest.mark.property("P-272")
def test_the_desk_itself_does_nothing(court):
    """Its code runs in the clearing house's storage alone."""
    world, account = court.world, court.world.alice.id
    alone, deadlines = (
        DefaultDesk(world.chain, find_desk(world.house, function), world.domain) for function in ("redeem", "tick")
    )
    world.post()
    for call in (
        deadlines.tick,
        lambda: deadlines.freeze(account, 1),
        lambda: deadlines.extend(account, 1, world.point("maintenance")),
        lambda: deadlines.shorten(account),
        lambda: deadlines.call_early(EarlyCall(level=1, epoch=1), []),
        lambda: alone.redeem(account),
        lambda: alone.insure(1),
        lambda: alone.take_bond(account, court.world.submitter),
        lambda: alone.appraise(Appraisal(account=account, commitment=1, epoch=1, equity=1, floor=1), []),
        lambda: alone.contract.send("reveal", account, 0, [], [0] * 8),
        lambda: alone.contract.send("bid", court.make_bid().to_abi()),
    ):
        refused("OnlyDelegated", call)


def test_the_key_of_revelations_is_stored_once(court):
    reveals = court.contract.call("REVEALS")
    verifier = Contract(court.world.chain, compile_contracts()["RevealVerifier"], reveals)
    refused("KeyFixed", verifier.send, "fix", b"\1")
