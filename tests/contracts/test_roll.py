"""An account that slept through steps of the listing: it rolls by a proof, or skips where it holds no derivatives."""

from dataclasses import replace

import pytest

from tests.support.reverts import refused
from tests.support.world import HOUR, USDC, World, make_wallet
from zkmargin.contracts.clearing_house import Margin, Status
from zkmargin.contracts.requests import ActionRequest
from zkmargin.prover.messages.action_table import ActionKind

DAY = 86_400


def step(world: World, count: int = 1) -> None:
    """The listing makes `count` steps, an hour and more apart."""
    for _ in range(count):
        world.chain.travel(HOUR + 1)
        world.post(generation=world.oracle.get_generation() + 1)


def trade(world: World) -> None:
    """Both prepared accounts trade, so that they may hold derivatives."""
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch))


@pytest.mark.property("P-130")
def test_a_sleeper_rolls_and_then_trades_and_withdraws(world):
    """Two steps behind nothing at an epoch passes; after a roll everything does."""
    trade(world)
    step(world, 2)
    epoch = world.post()
    withdrawal = lambda: world.make_withdraw(world.alice, epoch, USDC)  # noqa: E731
    fields = refused("GenerationWrong", world.house.withdraw, withdrawal())
    assert (fields["accountGeneration"], fields["generation"]) == (0, 2)
    for party in (world.alice, world.bob):
        for _ in range(2):
            world.house.roll(world.make_roll(party), 1)
        assert world.house.get_account(party.id).generation == 2
    world.house.withdraw(withdrawal())
    world.house.trade(world.make_trade(world.alice, world.bob, epoch))


@pytest.mark.property("P-130")
def test_a_stranger_rolls_an_account_two_steps_behind_and_no_other(world):
    trade(world)
    for behind, allowed in ((0, False), (1, False), (2, True)):
        if behind:
            step(world)
            request = world.make_roll(world.alice, signed=False)
            if allowed:
                world.house.roll(request, 1, sender=world.chain.accounts[7])
            else:
                refused("SignatureWrong", world.house.roll, request, 1)
    assert world.house.get_account(world.alice.id).generation == 1
    refused("SignatureWrong", world.house.roll, world.make_roll(world.alice, signed=False), 1)
    world.house.roll(world.make_roll(world.alice), 1)


def test_a_roll_by_a_stranger_still_needs_the_proof_and_the_submitter_that_it_names(world):
    trade(world)
    step(world, 2)
    stranger = world.chain.accounts[7]
    request = world.make_roll(world.alice, signed=False, submitter=stranger)
    alien = world.make_roll(world.bob, signed=False, submitter=stranger)
    refused("ProofRejected", world.house.roll, replace(request, proof=alien.proof), 1, sender=stranger)
    refused("SubmitterWrong", world.house.roll, request, 1)
    refused("ProofRejected", world.house.roll, replace(request, submitter=world.chain.accounts[0]), 1)
    refused("SignatureWrong", world.house.roll, replace(request, signature=b"\1" * 65), 1, sender=stranger)
    world.house.roll(request, 1, sender=stranger)


@pytest.mark.property("P-130")
def test_a_roll_proves_no_margin_and_goes_on_while_paused_and_frozen(world):
    trade(world)
    before = world.house.get_account(world.alice.id)
    step(world, 2)
    world.oracle.pause()
    world.set_status(world.alice, Status.FROZEN)
    world.house.roll(world.make_roll(world.alice), 1)
    after = world.house.get_account(world.alice.id)
    assert after.proven_at == before.proven_at and after.margin is Margin.NONE
    assert after.may_hold_derivatives and after.status is Status.FROZEN and after.commitment != before.commitment


def test_a_roll_takes_only_steps_that_were_made(world):
    trade(world)
    step(world, 2)
    request = world.make_roll(world.alice)
    assert refused("SettlementUnset", world.house.roll, request, 0)
    assert refused("SettlementUnset", world.house.roll, request, 3)
    ahead = world.draft(ActionKind.ROLL, world.alice, generation_new=2)
    request = ActionRequest.from_action(
        ahead, world.prove(ahead, settlement=world.step + 1), world.sign(world.alice, ahead)
    )
    refused("SignatureWrong", world.house.roll, request, 1)


@pytest.mark.property("P-130")
def test_a_roll_takes_four_and_sixteen_steps_at_once_by_their_own_points(world):
    """The sleeper is twenty steps behind; the points of one step each would bring it there, too."""
    trade(world)
    step(world, 20)
    for start, steps in ((0, 16), (16, 4)):
        request = world.make_roll(world.alice, steps, signed=False)
        assert refused("SettlementUnset", world.house.roll, request, steps)["steps"] == steps
        world.oracle.post_settlement(world.make_settlement(start, steps))
        for wrong in (1, steps + 1):
            refused("SettlementUnset" if wrong > 1 else "ProofRejected", world.house.roll, request, wrong)
        other = replace(
            request, proof=world.make_roll(world.alice, steps, signed=False, deadline=request.deadline).proof
        )
        refused("ProofRejected", world.house.roll, other, steps)
        world.house.roll(request, steps)
        assert world.house.get_account(world.alice.id).generation == start + steps
    world.house.withdraw(world.make_withdraw(world.alice, world.post(), USDC))


@pytest.mark.property("P-130")
def test_no_money_goes_into_an_account_that_was_left_behind(world):
    """One step behind, a deposit is taken: the account's next action takes the step. Two behind it must roll first."""
    trade(world)
    step(world)
    world.house.deposit(world.make_deposit(world.alice, USDC))
    step(world)
    fields = refused("AccountLeftBehind", world.house.deposit, world.make_deposit(world.alice, USDC))
    assert fields == {"account": world.alice.id, "accountGeneration": 0, "generation": 2}
    world.house.roll(world.make_roll(world.alice), 1)
    world.house.deposit(world.make_deposit(world.alice, USDC))


@pytest.mark.property("P-130")
def test_an_account_that_never_traded_is_paid_into_and_left_whatever_the_listing(world):
    step(world, 3)
    world.house.deposit(world.make_deposit(world.alice, USDC))
    action = world.draft(ActionKind.WITHDRAW_FLAT, world.alice, cash_flow=-USDC)
    world.submit(world.alice, action)


@pytest.mark.property("P-130")
def test_an_account_without_derivatives_skips_without_a_proof(world):
    before = world.house.get_account(world.alice.id)
    step(world, 2)
    (event,) = world.house.contract.decode_logs(world.house.skip(world.alice.id, sender=world.funder), "Skipped")
    assert dict(event) == {"account": world.alice.id, "generation": 2}
    after = world.house.get_account(world.alice.id)
    assert (after.generation, after.commitment, after.auth) == (2, before.commitment, before.auth)
    epoch = world.post()
    world.house.withdraw(world.make_withdraw(world.alice, epoch, USDC))


@pytest.mark.property("P-130")
def test_an_account_that_may_hold_derivatives_does_not_skip(world):
    """Both sides of a trade; until it has proved to be flat, which nothing else does."""
    trade(world)
    step(world, 2)
    for party in (world.alice, world.bob):
        assert refused("RollNeedsProof", world.house.skip, party.id) == {"account": party.id}
    world.submit(world.alice, world.draft(ActionKind.WITHDRAW_FLAT, world.alice, cash_flow=-USDC))
    world.house.skip(world.alice.id)
    assert world.house.get_account(world.alice.id).generation == 2
    epoch = world.post()
    for _ in range(2):
        world.house.roll(world.make_roll(world.bob), 1)
    world.house.withdraw(world.make_withdraw(world.bob, epoch, USDC))
    world.house.cure(world.make_cure(world.bob, epoch))
    assert world.house.get_account(world.bob.id).may_hold_derivatives


def test_a_stranger_does_not_skip_an_account_that_an_epoch_still_reaches(world):
    """It would void what auth signed for the step; auth itself may."""
    refused("NotBehind", world.house.skip, world.alice.id)
    step(world)
    assert refused("NotBehind", world.house.skip, world.alice.id) == {
        "account": world.alice.id,
        "accountGeneration": 0,
        "generation": 1,
    }
    for method, *arguments in (
        ("anvil_impersonateAccount", world.alice.auth),
        ("anvil_setBalance", world.alice.auth, hex(10**19)),
    ):
        world.chain._request(method, *arguments)
    world.house.skip(world.alice.id, sender=world.alice.auth)
    assert refused("NotBehind", world.house.skip, world.alice.id, sender=world.alice.auth)["accountGeneration"] == 1


def test_only_open_accounts_skip(world):
    step(world, 2)
    assert refused("AccountNotOpen", world.house.skip, b"\7" * 32)["status"] == Status.NONE
    world.submit(world.alice, world.draft(ActionKind.CLOSE, world.alice))
    assert refused("AccountNotOpen", world.house.skip, world.alice.id)["status"] == Status.CLOSED


@pytest.mark.property("P-131")
def test_an_account_behind_the_oracle_is_not_current(world):
    """Unless it attested over the step: that proof is of the listing in force."""
    first, _, epoch = world.pair()
    world.house.trade(world.make_trade(world.alice, world.bob, epoch))
    assert world.views.is_current(first.id, DAY) and world.views.get_steps_behind(first.id) == 0
    step(world)
    assert not world.views.is_current(first.id, DAY) and world.views.get_steps_behind(first.id) == 1
    epoch = world.post()
    world.house.attest(world.make_attest(first, epoch))
    assert world.views.is_current(first.id, DAY) and world.house.get_account(first.id).generation == 0
    world.house.roll(world.make_roll(first), 1)
    assert not world.views.is_current(first.id, DAY), "a roll proves no margin"
    world.house.cure(world.make_cure(first, world.post()))
    assert world.views.is_current(first.id, DAY)


def test_the_history_has_rolls_and_skips(world):
    trade(world)
    carol = world.open("carol")
    step(world, 2)
    before = len(world.house.read_history())
    world.house.roll(world.make_roll(world.alice), 1)
    world.house.skip(carol.id)
    rolled, skipped = world.house.read_history()[before:]
    assert (rolled.kind, rolled.account, rolled.generation) == (ActionKind.ROLL, world.alice.id, 1)
    assert (skipped.account, skipped.generation) == (carol.id, 2)


def test_who_signs_for_a_contract_wallet_does_not_matter_to_a_late_roll(world):
    """No signature is asked for, so that the wallet's code is not run either."""
    owner = make_wallet("contract owner")
    party = world.open("contract owner", auth=owner.address)
    world.chain._request("anvil_setCode", owner.address, "0x5f5ffd")
    step(world, 2)
    world.house.roll(world.make_roll(party, signed=False), 1)
