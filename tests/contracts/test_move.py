"""An account whose key version was revoked moves to the successor with the commitment that it has, and acts again."""

from dataclasses import replace

import pytest

from tests.support.reverts import refused
from tests.support.world import USDC, Party, World, make_wallet, tamper
from zkmargin.contracts.clearing_house import Margin, Status
from zkmargin.prover.messages.action_table import ActionKind

SUCCESSOR = 2
"""Seed of the successor's key."""


@pytest.fixture
def revoked(world):
    """Alice and bob traded and alice attested under version 1, which was then revoked in favour of version 2."""
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch))
    world.house.attest(world.make_attest(first, epoch))
    world.house.attest(world.make_attest(first, epoch, "net_delta"))
    assert world.revoke_key() == 2
    return world


def move(world: World, party: Party, **changes):
    with world.under_key(SUCCESSOR):
        return world.house.move(world.make_move(party, **changes), sender=world.submitter)


@pytest.mark.property("P-201")
def test_an_account_moves_and_acts_under_the_successor(revoked):
    world = revoked
    refused("KeyIsRevoked", world.house.withdraw_flat, world.make_flat(ActionKind.WITHDRAW_FLAT, world.alice, USDC))
    before = world.house.get_account(world.alice.id)
    receipt = move(world, world.alice)
    (event,) = world.house.contract.decode_logs(receipt, "Moved")
    assert dict(event) == {"account": world.alice.id, "keyVersion": 2}
    after = world.house.get_account(world.alice.id)
    assert after == replace(before, key_version=2, margin=Margin.NONE), "nothing else of it changes"
    move(world, world.bob)
    with world.under_key(SUCCESSOR):
        epoch = world.post()
        world.house.trade(world.make_trade(world.alice, world.bob, epoch))
        world.house.withdraw(world.make_withdraw(world.alice, epoch, USDC))
        world.house.deposit(world.make_deposit(world.bob, USDC))
        world.house.withdraw_flat(world.make_flat(ActionKind.WITHDRAW_FLAT, world.bob, USDC))
    assert world.views.is_current(world.alice.id, 600)


@pytest.mark.property("P-201")
def test_what_was_shown_under_the_revoked_key_counts_no_more(revoked):
    """Its proofs may be false. The epoch still counts, so only the key tells."""
    world = revoked
    move(world, world.alice)
    assert not world.views.is_current(world.alice.id, 600) and world.views.get_proved(world.alice.id).margin == ""
    for name in ("maintenance", "net_delta"):
        assert world.views.get_attested(world.alice.id, world.point(name)) == (0, 0)


@pytest.mark.property("P-201")
def test_the_proof_is_of_the_commitment_under_the_successors_key(revoked):
    """Nothing is written, moved or traded on the way, and no policy says anything."""
    world = revoked
    with world.under_key(SUCCESSOR):
        honest = world.make_move(world.alice)
        stranger = replace(honest, proof=world.make_move(world.bob).proof)
        flow = [0] * world.preset.slots
        flow[world.weth_slot] = 1
        forged = [
            world.make_move(world.alice, signals=signals)
            for signals in (
                {"write": 1}, {"commitmentNew": 5}, {"cashFlow": 1}, {"flow": flow}, {"side": 1}, {"tradeTag": 5},
                {"ciphertext": 5}, {"commitmentOld": 5},
            )
        ]  # fmt: skip
        forged += [world.make_move(world.alice, policy=7_001), replace(honest, proof=tamper(honest.proof)), stranger]
    forged.append(world.make_move(world.alice, key_version=2))  # outside the block: under the revoked key
    for request in forged:
        refused("ProofRejected", world.house.move, request)
    world.house.move(honest)


@pytest.mark.property("P-201")
def test_auth_signs_one_move(revoked):
    world = revoked
    with world.under_key(SUCCESSOR):
        honest = world.make_move(world.alice)
        other = world.make_move(world.alice, key_version=1)
        for changes in (
            {"signature": world.make_move(world.alice, wallet=make_wallet("stranger")).signature},
            {"signature": b""},
            {"signature": other.signature},
            {"deadline": honest.deadline + 1},
        ):
            assert refused("SignatureWrong", world.house.move, replace(honest, **changes))["account"] == world.alice.id
        refused("AccountNotOpen", world.house.move, replace(honest, account=b"\7" * 32))
        refused("CommitmentStale", world.house.move, replace(honest, commitment=honest.commitment - 1))
        bobs = world.house.get_account(world.bob.id).commitment
        refused("SignatureWrong", world.house.move, replace(honest, account=world.bob.id, commitment=bobs))
    world.house.move(honest)
    assert refused("KeyNotRevoked", world.house.move, honest) == {"version": 2}


def test_a_move_has_a_deadline(revoked):
    world = revoked
    with world.under_key(SUCCESSOR):
        request = world.make_move(world.alice)
    world.chain.travel(3_700)
    refused("DeadlinePassed", world.house.move, request)


@pytest.mark.property("P-201")
def test_only_a_revoked_key_is_left_and_only_for_a_live_successor(world):
    """A suspended one may be sound; of a chain of revoked ones the account goes to the end."""
    with world.under_key(SUCCESSOR):
        early = world.make_move(world.alice)
    assert refused("KeyNotRevoked", world.house.move, early) == {"version": 1}
    world.venue.registry.suspend(1)
    refused("KeyNotRevoked", world.house.move, early)
    world.venue.registry.revoke(1, 2)
    world.venue.registry.suspend(2)
    refused("KeyIsSuspended", world.house.move, early)
    with world.under_key(3) as last:
        world.venue.registry.revoke(2, last)
        refused("SignatureWrong", world.house.move, early)
        world.house.move(world.make_move(world.alice))
    assert world.house.get_account(world.alice.id).key_version == last


def test_frozen_accounts_move_and_closed_ones_do_not_while_paused_too(world):
    world.submit(world.bob, world.draft(ActionKind.CLOSE, world.bob))
    world.revoke_key()
    world.set_status(world.alice, Status.FROZEN)
    world.oracle.pause()
    move(world, world.alice)
    assert world.house.get_account(world.alice.id).status is Status.FROZEN
    assert refused("AccountNotOpen", move, world, world.bob)["status"] == Status.CLOSED


@pytest.mark.property("P-138", "P-201")
def test_a_move_keeps_the_lineage(revoked):
    """What a revoked epoch may have made stays in under the successor, too."""
    world = revoked
    bad = world.house.get_account(world.alice.id).proven_epoch
    world.oracle.revoke_epochs(bad)
    move(world, world.alice)
    with world.under_key(SUCCESSOR):
        request = world.make_flat(ActionKind.WITHDRAW_FLAT, world.alice, USDC)
        assert refused("AccountOfRevokedEpoch", world.house.withdraw_flat, request)["epoch"] == bad


def test_steps_that_were_missed_are_taken_by_points_of_the_new_version(revoked):
    world = revoked
    with world.under_key(SUCCESSOR):
        for generation in (1, 2):
            world.chain.travel(3_601)
            world.post(generation=generation)
        move(world, world.alice)
        world.house.roll(world.make_roll(world.alice), 1)
    assert world.house.get_account(world.alice.id).generation == 1
