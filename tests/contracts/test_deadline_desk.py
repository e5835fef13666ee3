"""Leases by attested level, early calls, and when an account is overdue; keys are simulated."""

from dataclasses import dataclass, replace

import pytest

from tests.support.court import DEADLINE, TERMS, TICK, Court
from tests.support.reverts import refused
from tests.support.simulator import to_point
from tests.support.world import HOUR, USDC, World, make_wallet
from zkmargin.contracts.clearing_house import Status
from zkmargin.contracts.default_desk import DefaultDesk, Lease
from zkmargin.contracts.deploy import deploy_contract
from zkmargin.contracts.messages import NamedPoint, sign_unchecked
from zkmargin.contracts.requests import ActionRequest
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.fields import encode_policy_name
from zkmargin.prover.messages.records import EarlyCall

pytestmark = pytest.mark.slow

SCALARS = {1: 9_005, 2: 9_006, 3: 9_007}
"""Discrete logarithm of each level's policy point."""
CALL_GRACE = TERMS.call_grace
NO_LEASE = Lease(0, 0, 0)


@pytest.fixture(scope="module")
def deployed_world(chain):
    made = World(chain, terms=TERMS)
    made.prepare()
    return made


def make_point(level: int, scalar: int | None = None) -> NamedPoint:
    return NamedPoint(encode_policy_name(f"lease_{level}"), *to_point(scalar or SCALARS[level]))


@dataclass
class Watch(Court):
    """The desk, and alice, who holds derivatives."""

    @property
    def alice(self) -> bytes:
        return self.world.alice.id

    def attest_level(self, level: int, *, with_margin: bool = True, ahead: int = 0):
        """alice meets the policy of a level, and maintenance, at an epoch that has both, and whose prices are so many
        seconds ahead of the chain's clock."""
        world = self.world
        points = tuple(sorted((*world.points(), *(make_point(item) for item in SCALARS))))
        epoch = world.post(points=points, time=world.chain.time + ahead)
        action = world.draft(ActionKind.ATTEST, world.alice, epoch, policy_name=f"lease_{level}")
        proof = world.prove(action, policy=SCALARS[level])
        world.house.attest(ActionRequest.from_action(action, proof, epoch=epoch.epoch_points))
        if with_margin:
            world.house.attest(world.make_attest(world.alice, epoch))
        return epoch

    def lease(self, level: int) -> None:
        self.attest_level(level)
        self.desk.extend(self.alice, level, make_point(level))

    def call(self, level: int, epoch: int | None = None, wallets=None) -> int:
        self.world.chain.travel(5)
        message = EarlyCall(level=level, epoch=epoch or self.world.post().message.number)
        return self.desk.call_early(message, sign_unchecked(message, wallets or self.publishers, self.world.domain))

    def falls_due(self, seconds: int, call: int = 0, first: int | None = None) -> int:
        """Overdue when the clock has advanced by so much since a checkpoint, as `wait`, and not before; gives it."""
        first = self.wait(seconds - TICK, first)
        assert not self.is_overdue(first, call)
        self.advance(2 * TICK)
        assert self.is_overdue(first, call)
        return first

    @property
    def publishers(self):
        return self.world.publishers[:3]

    def is_overdue(self, checkpoint: int, call: int = 0) -> bool:
        """By the view, and by what a freeze then does."""
        says = self.desk.is_overdue(self.alice, checkpoint, call)
        if not says:
            refused("NotOverdue", self.desk.freeze, self.alice, checkpoint, call)
        return says

    def wait(self, seconds: int, first: int | None = None) -> int:
        """Since a checkpoint, by default a new one, the clock advances by so much; gives the checkpoint."""
        first = first or self.tick(1)
        self.advance(seconds)
        return first


@pytest.fixture
def watch(world) -> Watch:
    return Watch(world, DefaultDesk(world.chain, world.house.contract.address, world.domain))


@pytest.mark.property("P-187")
@pytest.mark.parametrize("level", [1, 2, 3])
def test_an_attested_level_holds_for_its_lease_and_grace(watch, level):
    watch.trade()
    watch.lease(level)
    assert watch.desk.get_lease(watch.alice).level == level
    first = watch.falls_due(TERMS.leases[level - 1] + TERMS.grace)
    assert watch.desk.get_lease(watch.alice) == NO_LEASE
    watch.desk.freeze(watch.alice, first)
    assert watch.get_status() is Status.FROZEN
    assert not watch.desk.is_overdue(watch.alice, first)


@pytest.mark.property("P-187")
def test_a_lease_ends_with_the_state_that_it_was_made_for(watch):
    watch.trade()
    watch.lease(2)
    watch.world.deposit(watch.world.alice, 5 * USDC)
    assert watch.desk.get_lease(watch.alice) == NO_LEASE
    assert watch.is_overdue(watch.let_time_pass())


@pytest.mark.property("P-187")
def test_who_proves_margin_before_a_deposit_keeps_a_lease_of_level_0(watch):
    watch.trade()
    watch.lease(2)
    first = watch.wait(DEADLINE + TICK)
    watch.attest()
    watch.world.deposit(watch.world.alice, 5 * USDC)
    assert not watch.is_overdue(first)
    assert watch.is_overdue(watch.let_time_pass())


@pytest.mark.property("P-187")
def test_a_proof_of_margin_counts_beside_a_lease_that_is_over(watch):
    watch.trade()
    watch.lease(1)
    watch.advance(TERMS.leases[0] + HOUR)
    watch.attest()
    watch.falls_due(DEADLINE)


@pytest.mark.property("P-187")
def test_an_account_of_another_key_version_is_not_overdue_here(watch):
    watch.trade()
    first = watch.let_time_pass()
    assert watch.is_overdue(first)
    watch.world.revoke_key()
    with watch.world.under_key(2):
        watch.world.house.move(watch.world.make_move(watch.world.alice))
    assert not watch.desk.is_overdue(watch.alice, first)


@pytest.mark.property("P-183")
def test_only_an_attestation_of_this_state_and_content_extends(watch):
    watch.trade()
    refused("LeaseNotAttested", watch.desk.extend, watch.alice, 1, make_point(1))
    watch.attest_level(1)
    refused("LeaseNotAttested", watch.desk.extend, watch.alice, 2, make_point(2))
    refused("LeaseNotAttested", watch.desk.extend, watch.alice, 1, make_point(1, scalar=5))
    for level in (0, 4, 255):
        refused("LevelUnknown", watch.desk.extend, watch.alice, level, make_point(1))
    watch.world.deposit(watch.world.alice, 5 * USDC)
    refused("LeaseNotAttested", watch.desk.extend, watch.alice, 1, make_point(1))


@pytest.mark.property("P-183")
def test_who_attests_a_level_proves_margin_as_well(watch):
    """Else a book that gains by a large move and loses by a small one had a lease and no margin."""
    watch.trade()
    watch.world.chain.travel(5)
    epoch = watch.attest_level(1, with_margin=False)
    fields = refused("LeaseWithoutMargin", watch.desk.extend, watch.alice, 1, make_point(1))
    assert fields["provenAt"] < fields["time"]
    watch.world.house.attest(watch.world.make_attest(watch.world.alice, epoch))
    watch.desk.extend(watch.alice, 1, make_point(1))


@pytest.mark.property("P-183")
def test_a_revoked_epoch_extends_nothing(watch):
    watch.trade()
    epoch = watch.attest_level(1)
    watch.world.oracle.revoke_epochs(epoch.message.number)
    refused("LeaseNotAttested", watch.desk.extend, watch.alice, 1, make_point(1))


@pytest.mark.property("P-183")
def test_an_old_attestation_extends_by_what_is_left_of_it(watch):
    watch.trade()
    watch.attest_level(1)
    watch.tick()
    waited = 2 * HOUR
    watch.world.chain.travel(waited)
    watch.desk.extend(watch.alice, 1, make_point(1))
    (_, clock), lease = watch.desk.get_checkpoint(watch.tick()), watch.desk.get_lease(watch.alice)
    # The clock advanced by two ticks, the attestation grew older by both and by what was waited.
    assert clock + TERMS.leases[0] - waited - 3 * TICK < lease.until < clock + TERMS.leases[0] - waited
    assert refused("LeaseNotLonger", watch.desk.extend, watch.alice, 1, make_point(1))["until"] == lease.until
    watch.world.chain.travel(TERMS.leases[0])
    refused("LeaseNotAttested", watch.desk.extend, watch.alice, 1, make_point(1))


@pytest.mark.property("P-183")
def test_prices_ahead_of_the_chains_clock_extend_by_the_lease_and_no_more(watch):
    watch.trade()
    time, clock = watch.desk.get_checkpoint(watch.tick())
    watch.attest_level(1, ahead=14)
    watch.desk.extend(watch.alice, 1, make_point(1))
    assert watch.desk.get_lease(watch.alice).until == clock + watch.world.chain.time - time + TERMS.leases[0]


@pytest.mark.property("P-183")
def test_who_holds_no_derivatives_needs_no_lease_and_has_none(watch):
    watch.attest_level(1)
    assert refused("LeaseWithoutMargin", watch.desk.extend, watch.alice, 1, make_point(1))["provenAt"] == 0


@pytest.mark.property("P-187")
def test_a_longer_lease_of_an_earlier_state_keeps_none_from_the_present_one(watch):
    watch.trade()
    watch.lease(2)
    watch.world.deposit(watch.world.alice, 5 * USDC)
    watch.lease(1)
    assert watch.desk.get_lease(watch.alice).level == 1


@pytest.mark.property("P-183")
def test_nobody_shortens_a_lease(watch):
    watch.trade()
    watch.lease(2)
    watch.attest_level(1)
    until = watch.desk.get_lease(watch.alice).until
    assert refused("LeaseNotLonger", watch.desk.extend, watch.alice, 1, make_point(1))["until"] == until


@pytest.mark.property("P-183")
def test_a_shorter_lease_from_after_a_call_takes_the_place_of_one_from_before(watch):
    watch.trade()
    watch.lease(2)
    watch.attest_level(1)
    watch.call(3)
    refused("LeaseNotLonger", watch.desk.extend, watch.alice, 1, make_point(1))
    watch.lease(1)
    assert watch.desk.get_lease(watch.alice).level == 1


@pytest.mark.property("P-186")
def test_a_lease_of_a_revoked_epoch_ends_with_its_grace(watch):
    watch.trade()
    epoch = watch.attest_level(3)
    watch.desk.extend(watch.alice, 3, make_point(3))
    first = watch.wait(DEADLINE + TICK)
    lease = watch.desk.get_lease(watch.alice)
    assert refused("LeaseStands", watch.desk.shorten, watch.alice)["until"] == lease.until
    watch.world.oracle.revoke_epochs(epoch.message.number)
    assert not watch.is_overdue(first)
    watch.desk.shorten(watch.alice)
    refused("LeaseStands", watch.desk.shorten, watch.alice)
    watch.falls_due(TERMS.grace, first=first)


@pytest.mark.property("P-186")
def test_time_since_the_last_tick_is_not_taken_from_the_grace_of_a_lease_that_ends(watch):
    watch.trade()
    epoch = watch.attest_level(3)
    watch.desk.extend(watch.alice, 3, make_point(3))
    first = watch.wait(DEADLINE + TICK)
    watch.world.oracle.revoke_epochs(epoch.message.number)
    watch.world.chain.travel(TICK)
    watch.desk.shorten(watch.alice)
    watch.advance(TERMS.grace - TICK // 5)
    assert not watch.is_overdue(first)


@pytest.mark.property("P-186")
def test_a_lease_stands_where_the_later_proof_of_margin_alone_is_of_a_revoked_epoch(watch):
    """Its own epoch is what counts; docs/clearing.md says what that leaves open."""
    watch.trade()
    watch.world.chain.travel(5)
    epoch = watch.attest_level(1, with_margin=False)
    watch.attest()
    watch.desk.extend(watch.alice, 1, make_point(1))
    watch.world.oracle.revoke_epochs(epoch.message.number + 1)
    assert refused("LeaseStands", watch.desk.shorten, watch.alice)["epoch"] == epoch.message.number


@pytest.mark.property("P-186")
def test_a_lease_of_a_revoked_epoch_gives_way_to_a_shorter_one(watch):
    watch.trade()
    epoch = watch.attest_level(3)
    watch.desk.extend(watch.alice, 3, make_point(3))
    watch.world.oracle.revoke_epochs(epoch.message.number)
    watch.lease(1)
    assert watch.desk.get_lease(watch.alice).level == 1


@pytest.mark.property("P-184")
def test_a_call_touches_accounts_below_its_level(watch):
    watch.trade()
    watch.lease(2)
    first = watch.tick(1)
    below, above = watch.call(2), watch.call(3)
    watch.advance(CALL_GRACE - TICK)
    assert not watch.is_overdue(first, above)
    watch.advance(2 * TICK)
    assert not watch.is_overdue(first, below) and not watch.is_overdue(first)
    assert not watch.desk.is_overdue(watch.world.bob.id, first, 9)
    assert watch.is_overdue(0, above)
    watch.desk.freeze(watch.alice, 0, above)
    assert watch.get_status() is Status.FROZEN


@pytest.mark.property("P-184")
def test_a_called_account_has_the_grace_of_the_call_however_old_its_proof_is(watch):
    watch.trade()
    watch.lease(2)
    first = watch.wait(DEADLINE + HOUR)
    watch.falls_due(CALL_GRACE, watch.call(3), first)


@pytest.mark.property("P-184")
def test_time_since_the_last_tick_is_not_taken_from_the_grace_of_a_call(watch):
    watch.trade()
    watch.tick(1)
    watch.world.chain.travel(TICK)
    call = watch.call(1)
    watch.advance(CALL_GRACE - TICK // 5)
    assert not watch.is_overdue(0, call)


@pytest.mark.property("P-184")
def test_a_later_call_takes_nothing_from_an_earlier_ones_grace(watch):
    """Else who calls again would give time to those who were called."""
    watch.trade()
    call = watch.call(1)
    watch.advance(CALL_GRACE - TICK)
    later = watch.call(1)
    watch.advance(2 * TICK)
    assert watch.is_overdue(0, call) and not watch.is_overdue(0, later)


@pytest.mark.property("P-184")
def test_a_proof_of_margin_answers_a_call_and_then_holds_for_its_own_lease(watch):
    watch.trade()
    watch.lease(2)
    call = watch.call(3)
    watch.world.chain.travel(5)
    watch.attest()
    watch.falls_due(DEADLINE, call)  # the lease from before the call covers nothing any more


@pytest.mark.property("P-184")
def test_an_attested_level_from_after_a_call_answers_it(watch):
    watch.trade()
    watch.lease(1)
    call = watch.call(2)
    watch.world.chain.travel(5)
    watch.lease(1)
    first = watch.wait(DEADLINE + TICK)
    assert not watch.is_overdue(first, call)


@pytest.mark.property("P-184")
def test_a_call_is_a_quorums_at_a_fresh_epoch_and_made_once(watch):
    world = watch.world
    refused("SignaturesMissing", watch.call, 1, wallets=world.publishers[:2])
    refused("SignatureInvalid", watch.call, 1, wallets=[make_wallet(f"stranger {n}") for n in range(3)])
    old = world.post().message.number
    assert watch.call(1, old) == 1
    assert refused("CallOutdated", watch.call, 2, old) == {"epoch": old, "last": old}
    stale = world.post().message.number
    world.chain.travel(world.oracle.get_max_age(ActionKind.ATTEST) + 5)
    refused("EpochStale", watch.call, 1, stale)
    for level in (0, 4):
        refused("LevelUnknown", watch.call, level)


@pytest.mark.property("P-184")
def test_who_holds_no_derivatives_is_not_called(watch):
    first = watch.tick(1)
    call = watch.call(3)
    watch.advance(CALL_GRACE + TICK)
    assert not watch.is_overdue(first, call)


@pytest.mark.property("P-185")
@pytest.mark.parametrize(
    "change",
    [
        {"lease": 3599}, {"lease": 86_401}, {"grace": 599}, {"window": 599}, {"bounty_usd6": 500 * USDC + 1},
        {"margin_period": 5799}, {"margin_period": 172_801},
        {"call_grace": 599}, {"call_grace": DEADLINE + 1}, {"grace": 5 * HOUR, "call_grace": 4 * HOUR + 1},
        {"leases": (3599, *TERMS.leases[1:])}, {"leases": (TERMS.leases[1] + 1, *TERMS.leases[1:])},
        {"leases": (*TERMS.leases[:2], 31 * 86_400 + 1)},
        {"periods": (TERMS.leases[0] + 2199, *TERMS.periods[1:])},
        {"periods": (*TERMS.periods[:2], TERMS.leases[2] + 2199)}, {"periods": (*TERMS.periods[:2], 32 * 86_400 + 1)},
    ],
)  # fmt: skip
def test_a_level_covers_its_lease_grace_window_and_auction(watch, change):
    terms = replace(TERMS, **change).to_abi()
    refused("TermsInvalid", deploy_contract, watch.world.chain, "DeadlineDesk", watch.get_parts(), terms)


def test_terms_at_their_bounds_are_taken(watch):
    changes = {"periods": tuple(lease + 2200 for lease in TERMS.leases), "call_grace": DEADLINE, "margin_period": 5800}
    deploy_contract(watch.world.chain, "DeadlineDesk", watch.get_parts(), replace(TERMS, **changes).to_abi())
