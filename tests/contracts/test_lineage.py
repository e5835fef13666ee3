"""What a revoked epoch may have made stays in: accounts that wrote at one, and whoever traded with them, until the
epoch is restored or the quorum confirms the account. Nobody else is kept."""

import pytest

from tests.support.reverts import refused
from tests.support.world import USDC, Party, World, make_wallet
from zkmargin.contracts.clearing_house import Margin
from zkmargin.contracts.messages import SignedEpoch, sign_unchecked
from zkmargin.prover.messages.action_table import ActionKind
from zkmargin.prover.messages.records import Confirmation
from zkmargin.prover.messages.wallet import Wallet

OUT = (ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE, ActionKind.WITHDRAW, ActionKind.CURE)
"""What an account that wrote at a revoked epoch does not do; a trade is tested apart."""


def write(world: World, party: Party, epoch: SignedEpoch) -> None:
    """The account proves margin at the epoch and writes, which ties its state to it."""
    world.house.cure(world.make_cure(party, epoch))


def act(world: World, kind: ActionKind, party: Party, epoch: SignedEpoch) -> None:
    action = world.draft(kind, party, epoch if kind in (ActionKind.WITHDRAW, ActionKind.CURE) else None)
    world.submit(party, action, epoch)


def sign(world: World, party: Party, epoch: int, wallets: list[Wallet] | None = None, **changes) -> list[bytes]:
    """The quorum's signatures over the confirmation of an account as it is."""
    fields = {"account": party.id, "commitment": world.house.get_account(party.id).commitment, "epoch": epoch}
    message = Confirmation(**{**fields, **changes})
    return list(sign_unchecked(message, wallets or world.publishers[:3], world.domain))


@pytest.fixture
def story(world):
    """Carol wrote at a good epoch, alice at a bad one, which was then revoked; bob never wrote at any."""
    carol = world.open_with("carol")
    write(world, carol, world.post())
    bad = world.post()
    write(world, world.alice, bad)
    world.oracle.revoke_epochs(bad.message.number)
    return carol, bad


@pytest.mark.property("P-138")
@pytest.mark.parametrize("kind", OUT)
def test_who_wrote_at_a_revoked_epoch_does_not_leave(world, story, kind):
    _, bad = story
    epoch = world.post()
    assert refused("AccountOfRevokedEpoch", act, world, kind, world.alice, epoch) == {
        "account": world.alice.id,
        "epoch": bad.message.number,
    }


@pytest.mark.property("P-138")
def test_nobody_trades_with_who_wrote_at_a_revoked_epoch(world, story):
    carol, _ = story
    epoch = world.post()
    for plus, minus in ((world.alice, carol), (carol, world.alice)):
        request = world.make_trade(plus, minus, epoch)
        assert refused("AccountOfRevokedEpoch", world.house.trade, request)["account"] == world.alice.id


@pytest.mark.property("P-139")
@pytest.mark.parametrize("kind", OUT)
def test_nobody_else_is_kept(world, story, kind):
    """Neither who wrote before the range, nor who never wrote, nor who writes at a good epoch after it."""
    carol, _ = story
    epoch = world.post()
    for party in (carol, world.bob):
        mark = world.chain.snapshot()
        act(world, kind, party, epoch)
        world.chain.revert(mark)
    if kind is ActionKind.CURE:
        for party in (carol, world.bob):
            act(world, kind, party, epoch)
        world.house.trade(world.make_trade(carol, world.bob, epoch))


@pytest.mark.property("P-139")
def test_who_is_kept_still_pays_in_and_shows_its_margin(world, story):
    epoch = world.post()
    world.house.deposit(world.make_deposit(world.alice, USDC))
    world.house.attest(world.make_attest(world.alice, epoch))
    assert world.house.get_account(world.alice.id).proven_epoch < epoch.message.number, "which changes no lineage"
    refused("AccountOfRevokedEpoch", act, world, ActionKind.WITHDRAW_FLAT, world.alice, epoch)


@pytest.mark.property("P-131")
def test_of_a_state_that_a_revoked_epoch_made_nothing_is_shown(world, story):
    """It attests at a good epoch, to which nobody may lend: the cash that it shows may be forged."""
    epoch = world.post()
    for policy in ("maintenance", "net_delta"):
        world.house.attest(world.make_attest(world.alice, epoch, policy))
    shown = lambda: (  # noqa: E731
        world.views.is_current(world.alice.id, 600),
        world.views.get_proved(world.alice.id).margin,
        *(world.views.get_attested(world.alice.id, world.point(name))[1] for name in ("maintenance", "net_delta")),
    )
    assert shown() == (False, "", 0, 0)
    number = epoch.message.number
    world.oracle.restore_epochs(story[1].message.number, number - 1)
    assert shown() == (True, "maintenance", number, number)


@pytest.mark.property("P-138")
def test_what_was_made_at_a_bad_epoch_is_not_washed_at_a_later_one(world):
    """A revocation reaches to the latest epoch of its moment: who traded on, and with whom, is within it."""
    carol = world.open_with("carol")
    bad = world.post()
    write(world, world.alice, bad)
    later = world.post()
    world.house.trade(world.make_trade(world.alice, world.bob, later))
    last = world.post()
    world.house.trade(world.make_trade(world.bob, carol, last))
    world.oracle.revoke_epochs(bad.message.number)
    epoch = world.post()
    for party in (world.alice, world.bob, carol):
        refused("AccountOfRevokedEpoch", act, world, ActionKind.WITHDRAW_FLAT, party, epoch)


@pytest.mark.property("P-138")
def test_a_roll_depends_on_the_settlement_that_it_takes(world):
    """A settlement with a chosen point forges as an epoch does; bob, who only lets it lie, is free."""
    epoch = world.post()
    world.house.trade(world.make_trade(world.alice, world.bob, epoch))
    bad = world.post(generation=1)
    world.post()
    world.house.roll(world.make_roll(world.alice), 1)
    assert world.house.get_account(world.alice.id).proven_epoch == bad.message.number
    world.oracle.revoke_epochs(bad.message.number)
    for kind in (ActionKind.WITHDRAW_FLAT, ActionKind.CLOSE):
        fields = refused("AccountOfRevokedEpoch", act, world, kind, world.alice, epoch)
        assert fields == {"account": world.alice.id, "epoch": bad.message.number}
    act(world, ActionKind.WITHDRAW_FLAT, world.bob, epoch)


@pytest.mark.property("P-138")
def test_who_depends_on_a_revoked_epoch_takes_no_later_lineage_by_a_roll(world):
    epoch = world.post()
    world.house.trade(world.make_trade(world.alice, world.bob, epoch))
    number = epoch.message.number
    world.oracle.revoke_epochs(number)
    world.post(generation=1)
    request = world.make_roll(world.alice)
    assert refused("AccountOfRevokedEpoch", world.house.roll, request, 1) == {
        "account": world.alice.id,
        "epoch": number,
    }
    world.oracle.restore_epochs(number, number)
    world.house.roll(request, 1)
    act(world, ActionKind.WITHDRAW_FLAT, world.alice, epoch)


@pytest.mark.property("P-138")
def test_a_roll_does_not_lower_the_lineage(world):
    """Confirmed at a later epoch than that of the settlement: a revocation of either still keeps the account."""
    epoch = world.post()
    world.house.trade(world.make_trade(world.alice, world.bob, epoch))
    world.post(generation=1)
    number = world.post().message.number
    world.house.confirm(world.alice.id, number, sign(world, world.alice, number))
    world.house.roll(world.make_roll(world.alice), 1)
    assert world.house.get_account(world.alice.id).proven_epoch == number
    world.oracle.revoke_epochs(number)
    refused("AccountOfRevokedEpoch", act, world, ActionKind.WITHDRAW_FLAT, world.alice, epoch)


@pytest.mark.property("P-138")
@pytest.mark.parametrize("kind", [ActionKind.CURE, ActionKind.WITHDRAW, ActionKind.ATTEST])
def test_an_epoch_takes_no_settlement_that_came_after_it(world, kind):
    """Its number would then be no bound of what the account depends on: here the settlement was posted again."""
    step = world.post(generation=1)
    world.oracle.revoke_epochs(step.message.number)
    later = world.post()
    world.oracle.post_settlement(world.make_settlement(0))
    world.oracle.restore_epochs(step.message.number, step.message.number)
    action = world.draft(kind, world.alice, step)
    assert refused("EpochOlderThanSettlement", world.submit, world.alice, action, step) == {
        "account": world.alice.id,
        "epoch": step.message.number,
        "settlement": later.message.number,
    }
    world.submit(world.alice, world.draft(kind, world.alice, later), later)


@pytest.mark.property("P-139")
def test_an_epoch_that_is_restored_frees_who_wrote_at_it(world):
    good = world.post()
    write(world, world.alice, good)
    bad = world.post()
    write(world, world.bob, bad)
    world.oracle.revoke_epochs(good.message.number)
    world.oracle.restore_epochs(good.message.number, good.message.number)
    epoch = world.post()
    act(world, ActionKind.WITHDRAW_FLAT, world.alice, epoch)
    refused("AccountOfRevokedEpoch", act, world, ActionKind.WITHDRAW_FLAT, world.bob, epoch)


@pytest.mark.property("P-139")
def test_the_quorum_confirms_an_account(world, story):
    epoch = world.post()
    number, proven_at = epoch.message.number, world.house.get_account(world.alice.id).proven_at
    receipt = world.house.confirm(world.alice.id, number, sign(world, world.alice, number))
    (event,) = world.house.contract.decode_logs(receipt, "Confirmed")
    stored = world.house.get_account(world.alice.id)
    assert dict(event) == {"account": world.alice.id, "commitment": stored.commitment, "epoch": number}
    assert (stored.proven_epoch, stored.proven_at, stored.margin) == (number, proven_at, Margin.NONE)
    assert proven_at, "a confirmation moves no deadline"
    assert not world.views.is_current(world.alice.id, 10**9), "the quorum says nothing of margin"
    act(world, ActionKind.WITHDRAW, world.alice, epoch)
    assert world.views.is_current(world.alice.id, 600)


@pytest.mark.property("P-138")
def test_a_confirmation_is_of_one_state_by_a_quorum_at_a_good_epoch(world, story):
    _, bad = story
    number = world.post().message.number
    strangers = [make_wallet(f"stranger {place}") for place in range(3)]
    for signatures, error in (
        (sign(world, world.alice, number, world.publishers[:2]), "SignaturesMissing"),
        (sign(world, world.alice, number, strangers), "SignatureInvalid"),
        (sign(world, world.alice, number, commitment=5), "SignatureInvalid"),
        (sign(world, world.alice, number, account=world.bob.id), "SignatureInvalid"),
        (sign(world, world.alice, number - 1), "SignatureInvalid"),
    ):
        refused(error, world.house.confirm, world.alice.id, number, signatures)
    for wrong in (bad.message.number, number + 1):
        fields = refused(
            "ConfirmationInvalid", world.house.confirm, world.alice.id, wrong, sign(world, world.alice, wrong)
        )
        assert fields == {"account": world.alice.id, "epoch": wrong, "provenEpoch": bad.message.number}
    signatures = sign(world, world.alice, number)
    world.house.deposit(world.make_deposit(world.alice, USDC))
    refused("SignatureInvalid", world.house.confirm, world.alice.id, number, signatures)
    world.oracle.revoke_epochs(number)
    refused("ConfirmationInvalid", world.house.confirm, world.alice.id, number, sign(world, world.alice, number))


@pytest.mark.property("P-131")
def test_what_was_proved_at_a_revoked_epoch_does_not_count(world):
    first, second, epoch = world.pair()
    world.house.trade(world.make_trade(first, second, epoch))
    world.house.attest(world.make_attest(second, epoch, "net_delta"))
    assert world.views.is_current(first.id, 600) and world.views.get_attested(second.id, world.point("net_delta"))[0]
    world.oracle.revoke_epochs(epoch.message.number)
    assert not world.views.is_current(first.id, 600)
    assert world.views.get_attested(second.id, world.point("net_delta")) == (0, 0)
