"""The publishers are gone: anyone ends the venue after a notice, every position becomes cash by the last step, and
everyone leaves. Keys are simulated."""

import pytest

from tests.support.reverts import refused
from tests.support.simulator import to_point
from tests.support.world import HOUR, SETTLEMENT_DELAY, USDC, World
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.messages import SignedSettlement
from zkmargin.prover.messages.action_table import ActionKind

DAY = 86_400
VECTOR = b"everything at its price"


def make_last_step(world: World, **changes) -> SignedSettlement:
    """Signed by three publishers for the present generation; `vector` and `wallets` may be given too. Its point is that
    of a step into the next one, as `World.make_roll` proves it."""
    generation = world.oracle.get_generation()
    x, y = to_point(world.skip_scalar(generation, 1))
    fields = {"from_generation": generation, "steps": 0, "vector": VECTOR, "x": x, "y": y}
    return world.make_settlement(**{**fields, **changes})


def trade(world: World) -> None:
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch))


def keep_last_step(world: World) -> None:
    """At a new epoch."""
    world.post()
    world.oracle.post_last_step(make_last_step(world))


def wait_for_the_end(world: World) -> None:
    """No epoch for three days, notice, and three days more."""
    world.chain.travel(3 * DAY + 60)
    world.oracle.give_notice(sender=world.chain.accounts[7])
    world.chain.travel(3 * DAY + 1)


def fall_silent(world: World) -> None:
    """A last step is kept; then there are no publishers any more."""
    keep_last_step(world)
    wait_for_the_end(world)


def end(world: World) -> None:
    fall_silent(world)
    world.oracle.end(sender=world.chain.accounts[7])


def get_signers(world: World) -> list[str]:
    return [wallet.address for wallet in world.publishers]


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
    refused("VenueIsEnded", oracle.set_signers, get_signers(world), 3)
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
def test_a_last_step_is_of_a_key_that_verifies(world):
    world.post()
    refused("KeyHashUnknown", world.oracle.post_last_step, make_last_step(world, key_hash=b"\7" * 32))
    world.venue.registry.suspend(1)
    world.chain.travel(1)
    refused("KeyIsSuspended", world.oracle.post_last_step, make_last_step(world))


@pytest.mark.property("P-204")
def test_last_steps_count_in_the_order_in_which_they_were_signed(world):
    """Whoever carries an old one in late shuts out no later one."""
    oracle = world.oracle
    world.post()
    first = make_last_step(world)
    world.post()
    second = make_last_step(world, vector=b"later prices")
    world.post()
    for message in (first, second):
        receipt = oracle.post_last_step(message)
        (event,) = oracle.contract.decode_logs(receipt, "LastStepPublished")
        assert event["number"] == message.message.number
    number = second.message.number
    for old in (first, second):
        fields = refused("SettlementNumberWrong", oracle.post_last_step, old)
        assert (fields["number"], fields["previous"]) == (old.message.number, number)
    wait_for_the_end(world)
    refused("HashMismatch", oracle.contract.send, "end", 1, first.vector)
    oracle.contract.send("end", 1, second.vector)


# ------------------------------------------------------------------------------------------------ what may be refused
@pytest.mark.property("P-204")
def test_a_last_step_is_vetoed_within_its_delay_and_then_ends_nothing(delayed):
    """The next one is signed at a later epoch than any that the publishers knew of then."""
    oracle, guardian = delayed.oracle, delayed.chain.accounts[4]
    oracle.contract.send("setGuardian", guardian)
    refused("CallerNotGuardian", oracle.veto_last_step, sender=delayed.chain.accounts[7])
    unset = {"keyVersion": 1, "fromGeneration": 0, "steps": 0}
    assert refused("SettlementUnset", oracle.veto_last_step, sender=guardian) == unset
    keep_last_step(delayed)
    delayed.chain.travel(SETTLEMENT_DELAY - 10)
    delayed.post()
    at_veto = make_last_step(delayed)
    oracle.veto_last_step(sender=guardian)
    assert refused("SettlementUnset", oracle.veto_last_step, sender=guardian) == unset
    fields = refused("SettlementNumberWrong", oracle.post_last_step, at_veto)
    assert fields["previous"] == at_veto.message.number
    mark = delayed.chain.snapshot()
    wait_for_the_end(delayed)
    assert refused("SettlementUnset", oracle.end) == unset
    delayed.chain.revert(mark)
    keep_last_step(delayed)
    delayed.chain.travel(SETTLEMENT_DELAY)
    refused("SettlementFinal", oracle.veto_last_step, sender=guardian)
    wait_for_the_end(delayed)
    oracle.end()


@pytest.mark.property("P-204")
def test_a_last_step_ends_nothing_within_its_delay(delayed):
    """It may be carried in late, when the notice is over already."""
    oracle = delayed.oracle
    delayed.post()
    message = make_last_step(delayed)
    wait_for_the_end(delayed)
    oracle.post_last_step(message)
    ready = delayed.chain.time + SETTLEMENT_DELAY
    assert refused("SettlementPending", oracle.end)["readyAt"] == ready
    delayed.chain.travel_to(ready)
    oracle.end()


@pytest.mark.property("P-204")
def test_a_last_step_of_publishers_that_were_replaced_within_its_delay_ends_nothing(delayed):
    oracle = delayed.oracle
    keep_last_step(delayed)
    mark = delayed.chain.snapshot()
    delayed.chain.travel(SETTLEMENT_DELAY)
    oracle.set_signers(get_signers(delayed), 3)
    wait_for_the_end(delayed)
    oracle.end()
    delayed.chain.revert(mark)
    oracle.set_signers(get_signers(delayed), 3)
    wait_for_the_end(delayed)
    superseded = {"keyVersion": 1, "fromGeneration": 0, "steps": 0}
    assert refused("SettlementSuperseded", oracle.end) == superseded


@pytest.mark.property("P-204")
def test_a_last_step_of_revoked_epochs_ends_nothing(world):
    """Neither while the latest epoch is revoked, nor if the one of its posting is."""
    oracle = world.oracle
    keep_last_step(world)
    bad = oracle.get_latest_number()
    wait_for_the_end(world)
    oracle.revoke_epochs(bad)
    assert refused("EpochRevoked", oracle.end) == {"number": bad}
    oracle.restore_epochs(bad, bad)
    latest = world.post().message.number
    wait_for_the_end(world)
    oracle.revoke_epochs(latest)
    assert refused("EpochRevoked", oracle.end) == {"number": latest}
    oracle.restore_epochs(latest, latest)
    oracle.revoke_epochs(bad)
    world.post()
    wait_for_the_end(world)
    assert refused("EpochRevoked", oracle.end) == {"number": bad}


@pytest.mark.property("P-204")
def test_a_last_step_ends_its_own_generation_by_its_own_vector(world):
    fall_silent(world)
    refused("HashMismatch", world.oracle.contract.send, "end", 1, b"another vector")
    world.post(generation=1)
    wait_for_the_end(world)
    assert refused("SettlementUnset", world.oracle.end)["fromGeneration"] == 1


@pytest.mark.property("P-203")
def test_nobody_ends_a_venue_while_the_step_before_the_last_one_is_missing(delayed):
    """Who has yet to take it would never reach the last one, as nobody posts settlements after the end."""
    world, oracle = delayed, delayed.oracle
    trade(world)
    world.chain.travel(HOUR + 1)
    world.post(generation=1)
    keep_last_step(world)
    mark = world.chain.snapshot()
    missing = {"keyVersion": 1, "fromGeneration": 0, "steps": 1}
    oracle.veto_settlement(0)
    wait_for_the_end(world)
    assert refused("SettlementUnset", oracle.end) == missing
    world.chain.revert(mark)
    oracle.set_signers(get_signers(world), 3)
    world.post()
    oracle.post_last_step(make_last_step(world))
    wait_for_the_end(world)
    assert refused("SettlementSuperseded", oracle.end) == missing
    oracle.post_settlement(world.make_settlement(0))
    refused("SettlementPending", oracle.end)
    world.chain.travel(SETTLEMENT_DELAY)
    oracle.end()
    world.chain.travel(SETTLEMENT_DELAY)
    for _ in range(2):
        world.house.roll(world.make_roll(world.alice), 1)


def test_the_last_generation_of_all_has_no_end(world):
    """There is none after it that an account's record holds."""
    last = World(world.chain, generation=2**16 - 1)
    fall_silent(last)
    assert refused("GenerationTooHigh", last.oracle.end)["generation"] == 2**16


# ------------------------------------------------------------------------------------------------- several key versions
@pytest.mark.property("P-206")
def test_every_key_version_ends_by_the_same_vector(world):
    """Each has a point of its own, and whoever comes first decides nothing."""
    trade(world)
    oracle = world.oracle
    with world.under_key(2) as second:
        carol = world.open("carol")
    world.post()
    oracle.post_last_step(make_last_step(world))
    with world.under_key(2):
        oracle.post_last_step(make_last_step(world))
        refused("SettlementNumberWrong", oracle.post_last_step, make_last_step(world))
    refused("SettlementNumberWrong", oracle.post_last_step, make_last_step(world))
    wait_for_the_end(world)
    oracle.end(second)
    refused("HashMismatch", oracle.contract.send, "end", 1, b"another vector")
    refused("SettlementTaken", oracle.end, second)
    oracle.end(1)
    refused("SettlementTaken", oracle.end, 1)
    world.house.roll(world.make_roll(world.alice), 1)
    with world.under_key(2):
        world.house.roll(world.make_roll(carol), 1)
    assert oracle.get_generation() == 1


@pytest.mark.property("P-206")
def test_another_vector_takes_the_place_of_all_points(world):
    oracle, second = world.oracle, world.register_key(2)
    keep_last_step(world)
    with world.under_key(2):
        other = make_last_step(world, vector=b"other prices")
        refused("SettlementNumberWrong", oracle.post_last_step, other)
        world.post()
        oracle.post_last_step(make_last_step(world, vector=b"other prices"))
    wait_for_the_end(world)
    left_out = {"keyVersion": 1, "fromGeneration": 0, "steps": 0}
    assert refused("SettlementUnset", oracle.contract.send, "end", 1, VECTOR) == left_out
    oracle.contract.send("end", second, b"other prices")
    assert refused("SettlementUnset", oracle.contract.send, "end", 1, VECTOR) == left_out


@pytest.mark.property("P-206")
def test_a_point_of_the_same_vector_is_of_the_same_generation(world):
    """Signed at the same epoch, the last one of the generation, for the next one."""
    keep_last_step(world)
    number = world.oracle.get_latest_number()
    world.register_key(2)
    world.post(generation=1)
    with world.under_key(2):
        refused("SettlementNumberWrong", world.oracle.post_last_step, make_last_step(world, number=number))


@pytest.mark.property("P-206")
def test_a_veto_takes_the_last_step_from_every_key_version(delayed):
    oracle, second = delayed.oracle, delayed.register_key(2)
    keep_last_step(delayed)
    delayed.chain.travel(SETTLEMENT_DELAY)
    refused("SettlementUnset", oracle.veto_last_step, second)
    with delayed.under_key(2):
        oracle.post_last_step(make_last_step(delayed, number=oracle.get_latest_number()))
    refused("SettlementFinal", oracle.veto_last_step, 1)
    oracle.veto_last_step(second)
    refused("SettlementUnset", oracle.veto_last_step, second)
    wait_for_the_end(delayed)
    for version in (1, second):
        assert refused("SettlementUnset", oracle.end, version)["keyVersion"] == version


# ------------------------------------------------------------------------------------------------------- after the end
@pytest.mark.property("P-205")
def test_no_new_publishers_supersede_the_last_step(delayed):
    """It serves after the settlement's delay, within which a replacement would refuse it for good."""
    trade(delayed)
    end(delayed)
    refused("VenueIsEnded", delayed.oracle.set_signers, get_signers(delayed), 3)
    refused("SettlementPending", delayed.house.roll, delayed.make_roll(delayed.alice), 1)
    delayed.chain.travel(SETTLEMENT_DELAY)
    delayed.house.roll(delayed.make_roll(delayed.alice), 1)


@pytest.mark.property("P-205")
def test_the_owner_lets_out_whom_a_revocation_keeps_in(world):
    trade(world)
    bad = world.oracle.get_latest_number()
    world.oracle.revoke_epochs(bad)
    end(world)
    roll = world.make_roll(world.alice)
    refused("AccountOfRevokedEpoch", world.house.roll, roll, 1)
    world.oracle.restore_epochs(bad, bad)
    world.house.roll(roll, 1)


@pytest.mark.property("P-205")
def test_after_the_end_the_guardian_delays_a_payment_once_by_fourteen_days(world):
    vault, guardian, recipient = world.vault, world.chain.accounts[4], world.chain.accounts[5]
    end(world)
    world.oracle.contract.send("setGuardian", guardian)
    world.house.close(world.make_flat(ActionKind.CLOSE, world.alice, USDC))
    vault.veto(vault.read_payments(), sender=guardian)
    (payment,) = vault.read_payments()
    refused("NothingDone", vault.veto, [payment], sender=guardian)
    world.chain.travel_to(payment.due_at - 1)
    refused("PaymentNotDue", vault.claim, payment, recipient, sender=recipient)
    world.chain.travel(1)
    vault.claim(payment, recipient, sender=recipient)


@pytest.mark.property("P-205")
def test_after_the_end_the_owner_takes_a_vetoed_payment_back_and_lets_it_go_again(world):
    """The power that it keeps against forged proofs; nobody else has it."""
    vault, owner, stranger = world.vault, world.chain.accounts[0], world.chain.accounts[5]
    end(world)
    world.house.close(world.make_flat(ActionKind.CLOSE, world.alice, USDC))
    held = vault.get_held(world.cash.address)
    vault.veto(vault.read_payments(), sender=owner)
    (vetoed,) = vault.read_payments()
    refused("CallerNotOwner", vault.return_vetoed, vetoed, sender=stranger)
    vault.return_vetoed(vetoed, sender=owner)
    assert vault.get_held(world.cash.address) == held + USDC
    (returned,) = vault.read_payments()
    world.chain.travel_to(returned.due_at)
    refused("NothingDone", vault.claim_for, [returned])
    vault.reinstate(returned, sender=owner)
    vault.claim_for(vault.read_payments())
    assert not vault.read_payments()
