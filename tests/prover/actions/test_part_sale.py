"""A part of a book in default that is sold: both sides, and what is refused before anything is signed."""

import pytest

from tests.support.scenes import BOB, DOMAIN, Scene, make_account
from zkmargin.prover.actions.bidding import Book
from zkmargin.prover.actions.part_sale import apply_sale, build_purchase, build_surrender, join_sale
from zkmargin.prover.errors import ActionNotAllowed, OutOfRange

SOLD = make_account(BOB, lots={1: 10, 2: -3}, cash=-700)
BOOK = Book(SOLD.id, 0, SOLD.state)


def buy(part=None, *, account=None, book=BOOK, epoch=None):
    after = build_surrender(SOLD, {1: 4}, 5).commitment_new
    account = account or make_account(cash=10**12)
    return build_purchase(
        account, book, {1: 4} if part is None else part, 5, after, epoch or Scene(),
        domain=DOMAIN, key_version=1, deadline=99,
    )  # fmt: skip


def test_what_leaves_the_book_comes_to_the_buyer():
    bought = buy()
    sold = join_sale(SOLD, bought.message, DOMAIN)
    assert (bought.effects.flows, sold.effects.flows) == (((1, 4),), ((1, -4),))
    assert bought.effects.cash_flow == -sold.effects.cash_flow == -5
    rest = apply_sale(BOOK, {1: 4}, 5).state
    assert (rest.positions.tolist(), rest.cash) == (sold.after.state.positions.tolist(), sold.after.state.cash)


@pytest.mark.parametrize("part", [{1: 11}, {1: -1}, {1: 0}, {2: 3}, {2: -4}, {3: 1}])
def test_a_part_brings_positions_nearer_to_zero(part):
    for refused in (lambda: buy(part), lambda: build_surrender(SOLD, part, 5), lambda: apply_sale(BOOK, part, 5)):
        with pytest.raises(ActionNotAllowed, match="nearer to zero"):
            refused()


@pytest.mark.parametrize("part", [{16: 1}, {-1: 1}, {1: 1.5}, {1: True}, {1: 2**40}])
def test_slots_and_lots_are_whole_numbers_in_range(part):
    with pytest.raises(OutOfRange, match="of a part"):
        build_surrender(SOLD, part, 5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"part": {}}, "nothing in it"),
        ({"account": SOLD}, "buy from itself"),
        ({"book": Book(SOLD.id, 1, SOLD.state)}, r"generations \[0, 1\]"),
        ({"epoch": Scene(generation=1)}, r"generations \[0, 1\]"),
        ({"account": make_account(cash=10**12, generation=1)}, r"generations \[0, 1\]"),
    ],
)
def test_a_purchase_is_refused(changes, reason):
    with pytest.raises(ActionNotAllowed, match=reason):
        buy(**changes)


@pytest.mark.parametrize("change", [{"book": b"\1" * 32}, {"book_commitment_new": 5}, {"price": 6}])
def test_a_purchase_of_another_book_is_not_joined(change):
    with pytest.raises(ActionNotAllowed, match="not of this book"):
        join_sale(SOLD, buy().message.model_copy(update=change), DOMAIN)
