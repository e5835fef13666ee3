"""Selling a part of a book in default: what its buyer proves, and what whoever has the book's viewing key does.

The part is public, as the book is: it was revealed. So both transitions move it by flows, with opposite signs, and are
bound to one message, which the buyer signs.
"""

from collections.abc import Mapping

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.epoch.expiry import identity_expiry_step
from zkmargin.engine.policy.record import none_policy
from zkmargin.engine.presets import BITS
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.bidding import Book, check_price
from zkmargin.prover.actions.effects import Effects, compute_flow_effects
from zkmargin.prover.actions.intent import EpochData
from zkmargin.prover.actions.transition import Transition, bind
from zkmargin.prover.errors import ActionNotAllowed
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Flow, PartPurchase
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.ranges import check_range

NAME = "SELL PART"
"""What errors call it."""
LOTS = 1 << BITS.position
"""Bound of lots, either sign."""


def build_surrender(book: Account, part: Mapping[int, int], price_usd6: int) -> Effects:
    """What the sale makes of the book, from its viewing key: the buyer names its new commitment.

    Parameters
    ----------
    part : mapping of int to int
        Lots by slot, each with the sign of the position that it lessens.
    price_usd6 : int
        Micro-dollars into the book.

    Raises
    ------
    ActionNotAllowed
        If the part is empty, or a slot's lots would not bring the position nearer to zero.
    OutOfRange
        If the cash leaves its range.
    """
    flows = tuple((slot, -lots) for slot, lots in _list_part(book.state, part))
    step = book.generation, identity_expiry_step(book.preset)
    price = check_price(price_usd6)
    return compute_flow_effects(book, flows, price, none_policy(book.preset), step, "sale")


def build_purchase(
    account: Account,
    book: Book,
    part: Mapping[int, int],
    price_usd6: int,
    book_commitment_new: int,
    epoch: EpochData,
    *,
    domain: Domain,
    key_version: int,
    deadline: int,
    submitter: str = ZERO_ADDRESS,
) -> Transition[PartPurchase]:
    """The buyer's transition, ready to be signed and proved.

    Parameters
    ----------
    book_commitment_new : int
        Of the book without the part, as whoever has its viewing key says (`build_surrender`).

    Raises
    ------
    ActionNotAllowed
        As `build_surrender`; and if the book is the account's own, or book, account and epoch are not of one
        generation.
    OutOfRange
        If a position, the cash or the price leaves its range.
    PolicyNotMet
        If the account with the part in it does not meet initial margin.
    """
    if book.account == account.id:
        raise ActionNotAllowed(NAME, "an account does not buy from itself")
    generations = {book.generation, account.generation, epoch.generation}
    if len(generations) > 1:
        raise ActionNotAllowed(NAME, f"book, account and epoch are of generations {sorted(generations)}, not of one")
    price = check_price(price_usd6)
    flows = _list_part(book.state, part)
    step = account.generation, identity_expiry_step(account.preset)
    effects = compute_flow_effects(account, flows, -price, epoch.policies["initial"], step, "sale")
    message = PartPurchase(
        book=book.account,
        account=account.id,
        key_version=key_version,
        epoch=epoch.number,
        generation=account.generation,
        commitment_old=account.commitment,
        commitment_new=effects.commitment_new,
        book_commitment_new=book_commitment_new,
        part=tuple(Flow(slot=slot, lots=lots) for slot, lots in flows),
        price=price,
        submitter=submitter,
        deadline=deadline,
    )
    return bind(effects, message, domain)


def join_sale(book: Account, message: PartPurchase, domain: Domain) -> Transition[PartPurchase]:
    """The book's transition for a purchase that a buyer signed, ready to be proved.

    Raises
    ------
    ActionNotAllowed
        If the purchase is of another book or state of it, or names another commitment; and as `build_surrender`.
    """
    effects = build_surrender(book, {flow.slot: flow.lots for flow in message.part}, message.price)
    if message.book != book.id or message.book_commitment_new != effects.commitment_new:
        raise ActionNotAllowed(NAME, "the purchase is not of this book as it stands")
    return bind(effects, message, domain)


def apply_sale(book: Book, part: Mapping[int, int], price_usd6: int) -> Book:
    """What everybody knows of the book after the sale of a part; raises as `build_surrender`."""
    positions = np.array(book.state.positions)
    for slot, lots in _list_part(book.state, part):
        positions[slot] -= lots
    return Book(book.account, book.generation, AccountState(positions, book.state.cash + price_usd6))


def _list_part(state: AccountState, part: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    if not part:
        raise ActionNotAllowed(NAME, "the part has nothing in it")
    for slot, lots in part.items():
        check_range("lots of a part", lots, -LOTS, LOTS + 1)
        held = int(state.positions[check_range("slot of a part", slot, 0, len(state.positions))])
        if not (0 < lots <= held or held <= lots < 0):
            raise ActionNotAllowed(NAME, f"{lots} lots of slot {slot} do not bring its position nearer to zero")
    return tuple(sorted(part.items()))
