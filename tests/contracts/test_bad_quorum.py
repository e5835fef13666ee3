"""A quorum that turned bad, with simulated keys: it signs a point for which anybody has a proof, and is stopped.

The attack, which once emptied the vault of a paused venue: a "maintenance" point P = -(IC_0 + sum a_i IC_i) makes
A = alpha, B = beta, C = 0 a proof of a cure of nothing into a state that holds everything; an honest proof of a flat
exit then pays it out. Each test takes the attack up at another step and says where it ends.
"""

import pytest
from py_ecc.optimized_bn128 import curve_order

from tests.support.reverts import refused
from tests.support.simulator import to_pairs, to_point
from tests.support.world import HOUR, SETTLEMENT_DELAY, USDC, World
from zkmargin.contracts.messages import NamedPoint
from zkmargin.contracts.requests import ActionRequest
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.typed_data import compute_context, compute_digest


class Attack:
    """Alice, one of the venue's owners, with a bad quorum behind her."""

    def __init__(self, world):
        self.world, self.thief = world, world.alice
        self.guardian = world.chain.accounts[4]
        world.oracle.contract.send("setGuardian", self.guardian)

    def draft(self):
        """The cure of nothing, at the next epoch, and the epoch whose point fits it."""
        world = self.world
        number = world.oracle.get_latest_number() + 1
        action = world.draft(ActionKind.CURE, self.thief).model_copy(update={"epoch": number})
        signals = {
            "commitmentOld": action.commitment_old,
            "commitmentNew": action.commitment_new,
            "write": 1,
            "context": compute_context(compute_digest(world.domain, action)),
        }
        evil = to_point(-world.key.sum_public(signals) % curve_order)
        points = tuple(
            NamedPoint(point.name, *evil) if point.name == encode_policy_name("maintenance") else point
            for point in world.points()
        )
        return action, world.make_epoch(number=number, points=points)

    def post(self):
        """Posts the epoch; gives the cure that fits it."""
        action, epoch = self.draft()
        self.world.oracle.post_epoch(epoch)
        signature = self.world.sign(self.thief, action)
        return ActionRequest.from_action(action, self.forge(), signature, epoch.epoch_points)

    def forge(self):
        """A = alpha, B = beta, C = 0: the proof of whatever a chosen point brings to nothing."""
        (x, imaginary_x), (y, imaginary_y) = to_pairs(self.world.key.beta)
        return (*to_point(self.world.key.alpha), imaginary_x, x, imaginary_y, y, 0, 0)

    def leave(self):
        """The flat exit, an honest proof of the forged state, of all the cash that the vault holds."""
        held = self.world.vault.get_held(self.world.cash.address)
        request = self.world.make_flat(ActionKind.WITHDRAW_FLAT, self.thief, cash=held)
        return self.world.house.withdraw_flat(request, sender=self.world.submitter)


@pytest.fixture
def attack(world):
    world.post()
    return Attack(world)


def test_the_forgery_is_one(attack):
    """Nobody stops it: a proof of nothing passes at the quorum's own point, and at no other. This is what a quorum is
    trusted for; what follows is about the time after somebody has seen it."""
    world, request = attack.world, attack.post()
    world.house.cure(request)
    assert world.house.get_account(attack.thief.id).commitment == request.commitment_new
    attack.leave()
    assert world.vault.get_held(world.cash.address) == 0


@pytest.mark.property("P-120")
def test_while_paused_the_quorum_posts_no_epoch(attack):
    attack.world.oracle.pause(sender=attack.guardian)
    refused("EpochsPaused", attack.post)


@pytest.mark.property("P-120")
def test_while_paused_an_epoch_posted_before_serves_no_cure(attack):
    request = attack.post()
    attack.world.oracle.pause(sender=attack.guardian)
    assert refused("ActionPaused", attack.world.house.cure, request) == {"kind": int(ActionKind.CURE)}


@pytest.mark.property("P-120", "P-121")
def test_a_revoked_epoch_serves_no_cure_after_the_pause_either(attack):
    world = attack.world
    request = attack.post()
    bad = world.oracle.get_latest_number()
    world.oracle.pause(sender=attack.guardian)
    world.oracle.revoke_epochs(bad, sender=attack.guardian)
    world.oracle.unpause()
    assert refused("EpochRevoked", world.house.cure, request) == {"number": bad}


@pytest.mark.property("P-120", "P-122")
def test_the_epochs_of_replaced_publishers_serve_no_cure(attack):
    world = attack.world
    request = attack.post()
    world.oracle.set_signers([wallet.address for wallet in world.publishers[2:]], 2)
    refused("EpochSuperseded", world.house.cure, request)


@pytest.mark.property("P-120", "P-123")
def test_a_forged_settlement_is_vetoed_before_it_serves(world_with_delay):
    """The other free point that a quorum has: that of a step."""
    world = world_with_delay
    attack = Attack(world)
    step = world.post(generation=1, settlement_x=1, settlement_y=2)
    request = world.make_cure(attack.thief, step)
    refused("SettlementPending", world.house.cure, request)
    world.oracle.veto_settlement(0, sender=attack.guardian)
    world.chain.travel(HOUR)
    later = world.post()
    refused("SettlementUnset", world.house.cure, world.make_cure(attack.thief, later))


@pytest.mark.property("P-120", "P-138")
def test_what_a_forged_settlement_made_of_an_account_does_not_leave(attack):
    """It has served before anybody saw it: the roll that took it made an account that owns everything."""
    world = attack.world
    roll = world.draft(ActionKind.ROLL, attack.thief)
    signals = {
        "commitmentOld": roll.commitment_old,
        "commitmentNew": roll.commitment_new,
        "write": 1,
        "context": compute_context(compute_digest(world.domain, roll)),
    }
    x, y = to_point(-world.key.sum_public(signals) % curve_order)
    bad = world.post(generation=1, settlement_x=x, settlement_y=y).message.number
    world.house.roll(ActionRequest.from_action(roll, attack.forge(), world.sign(attack.thief, roll)), 1)
    mark = world.chain.snapshot()
    attack.leave()
    assert world.vault.get_held(world.cash.address) == 0, "or the forgery is none"
    world.chain.revert(mark)
    world.oracle.pause(sender=attack.guardian)
    world.oracle.revoke_epochs(bad, sender=attack.guardian)
    assert refused("AccountOfRevokedEpoch", attack.leave) == {"account": attack.thief.id, "epoch": bad}


@pytest.mark.property("P-120", "P-123")
def test_a_pause_leaves_the_guardian_the_rest_of_a_settlements_delay(world_with_delay):
    world = world_with_delay
    attack = Attack(world)
    world.post(generation=1, settlement_x=1, settlement_y=2)
    ready = world.oracle.get_live_time() + SETTLEMENT_DELAY
    world.chain.travel(SETTLEMENT_DELAY - 10)
    world.oracle.pause(sender=attack.guardian)
    world.chain.travel(HOUR)
    fields = refused("SettlementPending", world.house.roll, world.make_roll(attack.thief), 1)
    assert fields == {"readyAt": ready, "time": world.oracle.get_live_time()} and fields["time"] < ready
    world.oracle.veto_settlement(0, sender=attack.guardian)
    refused("SettlementUnset", world.house.roll, world.make_roll(attack.thief), 1)


@pytest.mark.property("P-120", "P-123")
def test_a_settlement_of_replaced_publishers_that_did_not_serve_yet_never_does(world_with_delay):
    """However often they are replaced since; the new ones post another. One that served before goes on."""
    world = world_with_delay
    served = world.open("sleeper")
    world.post(generation=1)
    world.chain.travel(HOUR)
    world.post(generation=2, settlement_x=1, settlement_y=2)
    publishers = [wallet.address for wallet in world.publishers]
    world.oracle.set_signers(publishers[1:4], 3)
    pending = {"keyVersion": 1, "fromGeneration": 1, "steps": 1}
    assert refused("SettlementSuperseded", world.oracle.get_settlement_point, 1) == pending
    world.chain.travel(SETTLEMENT_DELAY)
    for signers in (publishers[:4], publishers):
        assert refused("SettlementSuperseded", world.oracle.get_settlement_point, 1) == pending
        world.oracle.set_signers(signers, 3)
    refused("SettlementNumberWrong", world.oracle.post_settlement, world.make_settlement(1))
    world.post()
    world.oracle.post_settlement(world.make_settlement(1))
    world.chain.travel(SETTLEMENT_DELAY)
    for _ in range(2):
        world.house.roll(world.make_roll(served), 1)


@pytest.fixture
def world_with_delay(chain):
    mark = chain.snapshot()
    world = World(chain, settlement_delay=SETTLEMENT_DELAY)
    world.alice = world.open("alice")
    world.deposit(world.alice, 10 * USDC)
    yield world
    chain.revert(mark)
