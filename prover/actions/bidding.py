"""Bidding for a book in default: the transition that merges it into the bidder's hidden account."""

from dataclasses import dataclass

from zkmargin.engine.account import AccountState
from zkmargin.engine.presets import BITS, Preset
from zkmargin.prover.account.account import Account
from zkmargin.prover.actions.effects import compute_flow_effects, get_epoch_step
from zkmargin.prover.actions.intent import EpochData
from zkmargin.prover.actions.transition import Transition, bind
from zkmargin.prover.errors import ActionNotAllowed
from zkmargin.prover.messages.fields import ZERO_ADDRESS
from zkmargin.prover.messages.records import Bid
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.ranges import check_range
from zkmargin.prover.statement.packing import pack_state_words


@dataclass(frozen=True, slots=True)
class Book:
    """What was revealed of an account in default."""

    account: bytes
    """32 bytes."""
    generation: int
    """Version of the listing in which its slots are meant."""
    state: AccountState

    def list_published(self, preset: Preset) -> tuple[int, ...]:
        """Cash, which may be negative, and the words of the positions: as they were published."""
        return (self.state.cash, *pack_state_words(self.state.positions, preset))


def build_bid(
    account: Account,
    book: Book,
    price_usd6: int,
    epoch: EpochData,
    *,
    domain: Domain,
    key_version: int,
    deadline: int,
    submitter: str = ZERO_ADDRESS,
) -> Transition[Bid]:
    """The transition of a bidder's account that takes a book over for `price_usd6` micro-dollars (with a minus: is paid
    them), ready to be signed and proved.

    Raises
    ------
    ActionNotAllowed
        If the book is the account's own or of another generation, or the epoch has no settlement vector for a step that
        both have to take.
    GenerationMismatch
        If the epoch's generation is neither the account's nor the next.
    OutOfRange
        If a position, the cash or the price leaves its range.
    PolicyNotMet
        If the account with the book in it does not meet initial margin; says how much is missing.
    """
    if book.account == account.id:
        raise ActionNotAllowed("BID", "an account does not bid for its own book")
    if book.generation != account.generation:
        raise ActionNotAllowed(
            "BID", f"the book is of generation {book.generation} and the account of {account.generation}, so one rolls"
        )
    step = get_epoch_step(account, "BID", epoch)
    cash_flow = book.state.cash - check_price(price_usd6)
    flows = tuple((slot, int(lots)) for slot, lots in enumerate(book.state.positions) if lots)
    effects = compute_flow_effects(account, flows, cash_flow, epoch.policies["initial"], step, "bid")
    message = Bid(
        book=book.account,
        account=account.id,
        key_version=key_version,
        epoch=epoch.number,
        generation_old=account.generation,
        generation_new=effects.generation,
        commitment_old=account.commitment,
        commitment_new=effects.commitment_new,
        price=price_usd6,
        cash_flow=cash_flow,
        submitter=submitter,
        deadline=deadline,
    )
    return bind(effects, message, domain)


def check_price(price_usd6: int) -> int:
    """The price of a book or of a part of one, micro-dollars of either sign; raises `OutOfRange`."""
    return check_range("price", price_usd6, -(1 << BITS.cash), 1 << BITS.cash)
