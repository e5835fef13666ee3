"""A bid for a book in default: what it does to the bidder's account, also over a step of the listing."""

import pytest

from tests.support.scenes import ALICE, BOB, DOMAIN, Scene, make_account, make_settlement
from zkmargin.prover.actions.bidding import Book, build_bid
from zkmargin.prover.errors import ActionNotAllowed, GenerationMismatch, OutOfRange, PolicyNotMet

PRICE = 5_000
CASH = -700
RICH = 10**12


def make_book(lots, *, generation=0):
    account = make_account(BOB, lots=lots, cash=CASH)
    return Book(account.id, generation, account.state)


def bid(account, book, epoch, price=PRICE):
    return build_bid(account, book, price, epoch, domain=DOMAIN, key_version=1, deadline=99)


def get_lots(account):
    return {slot: int(lots) for slot, lots in enumerate(account.state.positions) if lots}


@pytest.mark.property("P-269")
def test_the_book_comes_into_the_account():
    made = bid(make_account(lots={1: 10, 4: -2}, cash=RICH), make_book({1: -10, 2: 3, 4: -5}), Scene())
    assert get_lots(made.after) == {2: 3, 4: -7}
    assert made.after.state.cash == RICH + CASH - PRICE
    assert made.effects.flows == ((1, -10), (2, 3), (4, -5))
    assert (made.message.generation_old, made.message.generation_new) == (0, 0)


@pytest.mark.property("P-279")
def test_a_step_settles_what_both_hold():
    """The book's lots of a dropped slot are paid to the bidder, as its own are."""
    epoch = Scene(generation=1, settlement=make_settlement({1: 7, 2: -3}))
    made = bid(make_account(lots={1: 10, 4: -2}, cash=RICH), make_book({1: 5, 2: 3, 4: -5}), epoch)
    assert get_lots(made.after) == {4: -7}
    assert made.after.state.cash == RICH + CASH - PRICE + 15 * 7 + 3 * -3
    assert (made.message.generation_old, made.message.generation_new) == (0, 1) and made.after.generation == 1
    public, private = made.name_public_signals(), made.name_private_inputs()
    assert public["drop"][:3] == (0, 1, 1) and public["payoff"][:3] == (0, 7, -3)
    assert private["position"][:4] == [0, 15, 3, 0], "what is held before the settlement"


@pytest.mark.property("P-279")
@pytest.mark.parametrize("generation", [1, 3])
def test_a_book_of_another_generation_is_not_bid_for(generation):
    with pytest.raises(ActionNotAllowed, match=f"book is of generation {generation} and the account of 2"):
        bid(make_account(generation=2, cash=RICH), make_book({1: 1}, generation=generation), Scene(generation=2))


@pytest.mark.parametrize("generation", [1, 4])
def test_an_epoch_more_than_a_step_away_is_refused(generation):
    with pytest.raises(GenerationMismatch) as caught:
        bid(make_account(generation=2, cash=RICH), make_book({1: 1}, generation=2), Scene(generation=generation))
    assert (caught.value.account_generation, caught.value.epoch_generation) == (2, generation)


def test_a_step_without_its_vector_is_refused():
    with pytest.raises(ActionNotAllowed, match="no settlement vector"):
        bid(make_account(cash=RICH), make_book({1: 1}), Scene(generation=1))


def test_nobody_bids_for_its_own_book():
    account = make_account(lots={1: 1}, cash=RICH)
    with pytest.raises(ActionNotAllowed, match="its own book"):
        bid(account, Book(account.id, 0, account.state), Scene())


def test_who_cannot_carry_the_book_does_not_bid():
    with pytest.raises(PolicyNotMet):
        bid(make_account(ALICE, cash=0), make_book({1: 10}), Scene(), price=20 * 10**6)


def test_a_position_beyond_its_range_is_refused():
    with pytest.raises(OutOfRange, match="position in slot 1 after the bid"):
        bid(make_account(lots={1: 2**30 - 1}, cash=RICH), make_book({1: 1}), Scene())


def test_cash_beyond_its_range_does_not_move():
    account = make_account(BOB, cash=-(2**80))
    with pytest.raises(OutOfRange, match="cash that moves"):
        bid(make_account(cash=RICH), Book(account.id, 0, account.state), Scene(), price=1)
