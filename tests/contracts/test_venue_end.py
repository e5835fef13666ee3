"""The publishers are gone: anyone ends the venue after a notice, every position becomes cash by the last step, and
everyone leaves. Keys are simulated."""

from dataclasses import replace

import pytest
from eth_utils import keccak

from tests.support.reverts import refused
from tests.support.simulator import to_point
from tests.support.world import HOUR, USDC, World
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.messages import SignedSettlement, sign_unchecked
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Settlement

DAY = 86_400
VECTOR = b"everything at its price"


def make_last_step(world: World, **changes) -> SignedSettlement:
    """Signed by three publishers for the present generation; `wallets` may be given too. Its point is that of a step
    into the next one, as `World.make_roll` proves it."""
    wallets, generation = changes.pop("wallets", world.publishers[:3]), world.oracle.get_generation()
    x, y = to_point(world.skip_scalar(generation, 1))
    fields = {
        "key_hash": world.key.hash,
        "from_generation": generation,
        "steps": 0,
        "number": world.oracle.get_latest_number(),
        "settlement_hash": keccak(VECTOR),
        "x": x,
        "y": y,
    }
    message = Settlement(**{**fields, **changes})
    return SignedSettlement(message, VECTOR, sign_unchecked(message, wallets, world.domain))


def trade(world: World) -> None:
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch))


def keep_last_step(world: World) -> None:
    """At a new epoch."""
    world.post()
    world.oracle.post_last_step(make_last_step(world))


def fall_silent(world: World) -> None:
    """A last step is kept; then no epoch for three days, notice, and three days more."""
    keep_last_step(world)
    world.chain.travel(3 * DAY + 60)
    world.oracle.give_notice(sender=world.chain.accounts[7])
    world.chain.travel(3 * DAY + 1)


def end(world: World) -> None:
    fall_silent(world)
    world.oracle.end(sender=world.chain.accounts[7])


@pytest.mark.property("P-203")
def test_everyone_leaves_when_publishers_and_committee_are_gone(world):
    """No signature but the owners' own; one account is frozen, as the committee does not answer."""
    trade(world)
    idle = world.open("carol")
    world.deposit(idle, 70 * USDC)
    end(world)
    assert world.oracle.is_ended()
    world.set_status(world.bob, Status.FROZEN)
    held = world.vault.get_held(world.cash.address)
    for party, cash in ((world.alice, 900 * USDC), (world.bob, 1_100 * USDC), (idle, 70 * USDC)):
        if party is not idle:
            world.house.roll(world.make_roll(party), 1)
        world.house.close(world.make_flat(ActionKind.CLOSE, party, cash))
        assert world.house.get_account(party.id).status is Status.CLOSED
    assert world.vault.get_held(world.cash.address) == held - 2_070 * USDC == 0
    world.chain.travel(9 * DAY)
    payments = world.vault.read_payments()
    assert sum(payment.amount for payment in payments) == 2_070 * USDC
    world.vault.claim_for(payments)
    assert not world.vault.read_payments()


@pytest.mark.property("P-203")
def test_a_sleeper_takes_the_steps_before_the_last_one_too(world):
    trade(world)
    world.chain.travel(HOUR + 1)
    world.post(generation=1)
    end(world)
    for _ in range(2):
        world.house.roll(world.make_roll(world.alice), 1)
    assert world.house.get_account(world.alice.id).generation == world.oracle.get_generation() == 2


@pytest.mark.property("P-204")
def test_nobody_ends_a_venue_whose_publishers_are_there(world):
    oracle = world.oracle
    epoch = world.post()
    oracle.post_last_step(make_last_step(world))
    refused("NoticeMissing", oracle.end)
    world.chain.travel_to(epoch.message.time + 3 * DAY - 1)
    assert refused("QuorumPresent", oracle.give_notice)["until"] == epoch.message.time + 3 * DAY
    world.chain.travel(60)
    oracle.give_notice()
    refused("NoticeGiven", oracle.give_notice)
    world.chain.travel(3 * DAY - 60)
    refused("EndTooEarly", oracle.end)
    world.post()  # they are back
    world.chain.travel(61)
    refused("NoticeMissing", oracle.end)
    refused("QuorumPresent", oracle.give_notice)
    assert not oracle.is_ended() and oracle.get_generation() == 0


@pytest.mark.property("P-204")
def test_the_last_step_serves_nobody_before_the_end(world):
    """Else an account would leave its positions at a price of its choice."""
    trade(world)
    world.oracle.post_last_step(make_last_step(world))
    for steps in (0, 1):
        fields = refused("SettlementUnset", world.house.roll, world.make_roll(world.alice, steps), steps)
        assert fields["steps"] == steps


@pytest.mark.property("P-205")
def test_after_the_end_nothing_takes_risk_and_nobody_stops_who_leaves(world):
    trade(world)
    end(world)
    oracle, venue = world.oracle, world.venue
    refused("EpochsPaused", world.post)
    refused("EpochsPaused", oracle.post_last_step, make_last_step(world))
    refused("ActionPaused", world.house.open, world.make_open("dora")[1])
    refused("VenueIsEnded", oracle.pause)
    refused("VenueIsEnded", oracle.unpause)
    refused("VenueIsEnded", oracle.revoke_epochs, 1)
    refused("VenueIsEnded", oracle.veto_settlement, 0)
    refused("VenueIsEnded", oracle.veto_last_step)
    refused("VenueIsEnded", oracle.give_notice)
    refused("SettlementTaken", oracle.end)
    before = oracle.get_live_time()
    venue.chain.travel(HOUR)
    assert oracle.get_live_time() >= before + HOUR, "payments fall due"


@pytest.mark.property("P-205")
def test_a_pause_ends_with_the_venue(world):
    """It neither keeps the publishers' silence from counting, nor anybody's payment from falling due."""
    keep_last_step(world)
    world.chain.travel(DAY)
    world.oracle.pause()
    world.chain.travel(2 * DAY + 60)
    world.oracle.give_notice()
    world.chain.travel(3 * DAY + 1)
    world.oracle.end()
    before = world.oracle.get_live_time()
    world.chain.travel(HOUR)
    assert world.oracle.get_live_time() >= before + HOUR


@pytest.mark.property("P-204")
@pytest.mark.parametrize(
    ("error", "changes"),
    [
        ("StepsWrong", {"steps": 1}),
        ("SettlementGenerationWrong", {"from_generation": 1}),
        ("SettlementNumberWrong", {"number": 0}),
        ("SettlementNumberWrong", {"number": 1_000}),
        ("PointInvalid", {"x": 0, "y": 0}),
        ("HashMismatch", {"settlement_hash": bytes(32)}),
        ("SignaturesMissing", {"wallets": []}),
    ],
)
def test_a_last_step_is_what_the_quorum_signed(world, error, changes):
    world.post()
    refused(error, world.oracle.post_last_step, make_last_step(world, **changes))


@pytest.mark.property("P-204")
def test_a_later_last_step_takes_the_place_of_an_earlier(world):
    keep_last_step(world)
    refused("SettlementNumberWrong", world.oracle.post_last_step, make_last_step(world))
    keep_last_step(world)


@pytest.mark.property("P-204")
def test_a_last_step_that_was_vetoed_ends_nothing(world):
    """Within the settlement's delay only, which this venue has none of."""
    oracle = world.oracle
    refused("CallerNotGuardian", oracle.veto_last_step, sender=world.chain.accounts[7])
    refused("SettlementUnset", oracle.veto_last_step)
    keep_last_step(world)
    refused("SettlementFinal", oracle.veto_last_step)


@pytest.mark.property("P-204")
def test_a_last_step_of_another_generation_or_of_revoked_epochs_ends_nothing(world):
    fall_silent(world)
    mark = world.chain.snapshot()
    world.oracle.revoke_epochs(world.oracle.get_latest_number())
    refused("EpochRevoked", world.oracle.end)
    world.chain.revert(mark)
    other = replace(make_last_step(world), vector=b"another vector")
    refused("HashMismatch", world.oracle.contract.send, "end", 1, other.vector)
    world.post(generation=1)
    world.chain.travel(3 * DAY + 60)
    world.oracle.give_notice()
    world.chain.travel(3 * DAY + 1)
    assert refused("SettlementUnset", world.oracle.end)["fromGeneration"] == 1
