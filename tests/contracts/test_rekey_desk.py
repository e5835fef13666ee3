"""Each check of the desk where accounts move to a new viewing key, from a move that passes and one thing changed; keys
are simulated."""

from dataclasses import replace

import pytest

from tests.support.court import TERMS, Office, SaleCourt, find_desk
from tests.support.reverts import refused, reverts
from tests.support.simulator import make_rekey_key
from tests.support.world import make_wallet, tamper
from zkmargin.contracts.clearing_house import Margin, Status
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.default_desk import DefaultDesk
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.key_material import encode_key
from zkmargin.contracts.rekey_desk import RekeyDesk
from zkmargin.contracts.requests import TradeBatch
from zkmargin.prover.account.recovery import Rekeyed
from zkmargin.prover.messages.records import Invalidate
from zkmargin.prover.statement.signals import FIELD_MODULUS

pytestmark = pytest.mark.slow
WORLD_OPTIONS = {"terms": TERMS}


@pytest.fixture
def office(world) -> Office:
    return Office(SaleCourt(world, DefaultDesk(world.chain, world.house.contract.address, world.domain)))


@pytest.mark.property("P-176")
def test_an_account_moves_to_a_new_viewing_key(office):
    office.court.trade()
    world = office.world
    before = world.house.get_account(world.alice.id)
    request = office.make()
    office.send(request)
    after = world.house.get_account(world.alice.id)
    assert after == replace(before, commitment=request.commitment_new)
    assert after.margin is Margin.INITIAL
    assert Rekeyed(world.alice.id, request.commitment_new, request.checkpoint) in world.house.read_history()


@pytest.mark.property("P-176")
def test_an_owner_moves_while_the_oracle_is_paused(office):
    office.world.oracle.pause()
    office.send(office.make())


MOVES = {
    "another signer": ({"signed_by": make_wallet("mallory")}, "SignatureWrong"),
    "an old commitment": ({"commitment_old": 5}, "CommitmentStale"),
    "a deadline passed": ({"deadline": 5}, "DeadlinePassed"),
    "another submitter": ({"submitter": "0x" + "77" * 20}, "SubmitterWrong"),
    "a key known to all": ({"ephemeral": (0, 1)}, "EphemeralIdentity"),
    "a number too few": ({"checkpoint": (1, 2, 3)}, "CheckpointMalformed"),
    "a number too many": ({"checkpoint": (1, 2, 3, 4, 5)}, "CheckpointMalformed"),
    "a number beyond the field": ({"checkpoint": (1, 2, 3, FIELD_MODULUS)}, "CheckpointMalformed"),
    "another escrow": ({"stated": {"escrowed_key": 5}}, "SignatureWrong"),
    "another point of the escrow": ({"stated": {"ephemeral_x": 5}}, "SignatureWrong"),
    "another checkpoint": ({"stated": {"checkpoint": (1, 2, 3, 4)}}, "SignatureWrong"),
    "another state": ({"signals": {"commitmentNew": 5}}, "RekeyRejected"),
    "another account": ({"signals": {"commitmentOld": 5}}, "RekeyRejected"),
    "a key that is not escrowed": ({"signals": {"escrowedKey": 5}}, "RekeyRejected"),
    "a point that is not its": ({"signals": {"ephemeralX": 5}}, "RekeyRejected"),
    "the other coordinate": ({"signals": {"ephemeralY": 5}}, "RekeyRejected"),
    "another committee": ({"signals": {"committeeX": 5}}, "RekeyRejected"),
    "another committee's other coordinate": ({"signals": {"committeeY": 5}}, "RekeyRejected"),
    "another checkpoint's evaluation": ({"signals": {"evaluation": 5}}, "RekeyRejected"),
    "another point of evaluation": ({"signals": {"rho": 5}}, "RekeyRejected"),
}


@pytest.mark.property("P-176", "P-177")
@pytest.mark.parametrize("name", MOVES)
def test_a_move_with_one_thing_wrong_is_refused(office, name):
    changes, error = MOVES[name]
    refused(error, office.send, office.make(**changes))


@pytest.mark.property("P-176")
def test_a_proof_that_does_not_hold_is_refused(office):
    request = office.make()
    refused("RekeyRejected", office.send, replace(request, proof=tamper(request.proof)))


@pytest.mark.property("P-176")
def test_a_move_is_made_once(office):
    request = office.make()
    office.send(request)
    refused("CommitmentStale", office.send, request)


@pytest.mark.property("P-176")
def test_a_move_that_its_signer_burned_is_refused(office):
    world, alice = office.world, office.world.alice
    request = office.make()
    digest = refused("SignatureWrong", office.send, replace(request, signature=b"\1" * 65))["digest"]
    burning = alice.wallet.sign(world.domain, Invalidate(account=alice.id, digest=digest))
    world.house.invalidate_for(alice.auth, alice.index, digest, burning)
    refused("DigestInvalidated", office.send, request)


@pytest.mark.property("P-178")
def test_a_frozen_account_keeps_its_key(office):
    """Else it would shut out the committee that is to open it."""
    office.court.freeze()
    fields = refused("AccountNotOpen", office.send, office.make())
    assert fields["status"] == Status.FROZEN


@pytest.mark.property("P-178")
def test_a_redeemed_account_trades_again_under_a_new_key_alone(office):
    office.redeem()
    world = office.world
    alice, bob, epoch = world.pair()
    assert refused("RekeyFirst", world.house.trade, world.make_trade(alice, bob, epoch)) == {"account": alice.id}
    assert refused("RekeyFirst", world.house.trade, world.make_trade(bob, alice, epoch)) == {"account": alice.id}
    world.house.attest(world.make_attest(alice, epoch))
    world.deposit(alice, 5)
    office.send(office.make())
    world.house.trade(world.make_trade(alice, bob, world.post()))


@pytest.mark.property("P-178")
def test_a_batch_skips_trades_of_a_redeemed_account(office):
    office.redeem()
    world = office.world
    carol = world.open_with("carol")
    alice, bob, epoch = world.pair()
    pairs = ((alice, bob), (bob, alice), (carol, bob))
    batch = TradeBatch.from_requests([world.make_trade(plus, minus, epoch) for plus, minus in pairs], 1, 0)
    receipt = world.house.contract.send("tradeBatch", batch.to_abi(), sender=world.submitter)
    skipped = world.house.contract.decode_logs(receipt, "RowSkipped")
    assert [(event["row"], event["account"]) for event in skipped] == [(0, alice.id), (1, alice.id)]


@pytest.mark.property("P-178")
def test_a_redeemed_account_bids_for_no_book_and_buys_no_part(office):
    """Both add risk as a trade does."""
    office.redeem()
    court, world = office.court, office.world
    court.desk.freeze(world.bob.id, court.let_time_pass())
    account = world.house.get_account(world.bob.id)
    court.send_reveal(court.make_reveal(account=world.bob.id, commitment=account.commitment))
    court.advance(TERMS.window)
    refused("RekeyFirst", court.sell, court.make_sale(bidder=world.alice, book=world.bob.id))
    court.appraise(0, account=world.bob.id, commitment=account.commitment)
    refused("RekeyFirst", court.bid, court.make_bid(bidder=world.alice, book=world.bob.id))


@pytest.mark.property("P-176")
def test_an_account_of_another_key_version_does_not_move(office):
    world = office.world
    successor = world.revoke_key()
    with world.under_key(2):
        world.house.move(world.make_move(world.alice))
    fields = refused("KeyVersionWrong", office.send, office.make())
    assert (fields["accountVersion"], fields["epochVersion"]) == (successor, 1)


@pytest.mark.property("P-178")
@pytest.mark.parametrize("is_redeemed_first", [True, False])
def test_under_another_key_version_nobody_waits_for_a_new_viewing_key(office, is_redeemed_first):
    """No desk gives it one there, so its positions could never be closed."""
    world, alice, bob = office.world, office.world.alice, office.world.bob
    if is_redeemed_first:
        office.redeem()
    else:
        office.court.freeze()
    world.revoke_key()
    with world.under_key(2):
        for account in (alice, bob):
            world.house.move(world.make_move(account))
        if not is_redeemed_first:
            office.court.redeem()
        world.house.trade(world.make_trade(alice, bob, world.post()))


@pytest.mark.property("P-176")
def test_nobody_moves_under_a_key_that_verifies_nothing(office):
    office.world.venue.registry.suspend(1)
    office.world.chain.travel(1)
    refused("KeyIsSuspended", office.send, office.make())


# ------------------------------------------------------------------------------------------------------------- wiring
def test_the_key_of_moves_is_stored_once_and_for_a_committee(office):
    chain, committee = office.world.chain, office.world.material.committee
    address = office.desk.contract.call("REKEYS")
    stored = Contract(chain, compile_contracts()["RekeyVerifier"], address)
    assert (stored.call("committeeX"), stored.call("committeeY")) == committee
    refused("KeyFixed", stored.send, "fix", b"\1", *committee)
    verifier, _ = deploy_contract(chain, "RekeyVerifier")
    key = encode_key(make_rekey_key(office.world.preset).vkey, "rekey", office.world.preset)
    refused("KeyFixed", verifier.send, "fix", key, *committee, sender=chain.accounts[3])
    refused("CommitteeInvalid", verifier.send, "fix", key, 0, 1)
    refused("CommitteeInvalid", verifier.send, "fix", key, 5, 6)
    refused("KeySizeWrong", verifier.send, "fix", key[:-64], *committee)
    verifier.send("fix", key, *committee)


def test_a_desk_is_made_with_a_key_of_moves(office):
    chain, parts = office.world.chain, office.court.get_parts()
    verifier, _ = deploy_contract(chain, "RekeyVerifier")
    refused("KeyMissing", deploy_contract, chain, "RekeyDesk", parts, verifier.address)
    rekeys = office.desk.contract.call("REKEYS")
    refused("KeyUnknown", deploy_contract, chain, "RekeyDesk", office.court.get_parts(KEY_VERSION=9), rekeys)
    deploy_contract(chain, "RekeyDesk", parts, rekeys)


@pytest.mark.property("P-176")
def test_the_desk_for_moves_itself_does_nothing(office):
    chain = office.world.chain
    with reverts("OnlyDelegated"):
        RekeyDesk(chain, find_desk(office.world.house, "rekey")).send(office.make())
