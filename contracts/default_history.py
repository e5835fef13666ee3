"""What the desks for defaults do to accounts, from their events: books that were revealed, what was taken over of them,
and accounts that moved to a new viewing key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.engine.presets import BITS
from zkmargin.prover.account.recovery import Event, Rekeyed, Transitioned
from zkmargin.prover.messages.action_table import ActionKind

Place = tuple[int, int]
"""Number of a block and of a log in it."""
DESK_EVENTS = {
    "Revealed": "DefaultDesk",
    "PartSold": "SaleDesk",
    "TakenOver": "DefaultDesk",
    "AccountRekeyed": "RekeyDesk",
}
"""Events, and the contract whose interface has each."""


@dataclass
class RevealedBooks:
    """Lots by slot of each account that was revealed, as sales have left them."""

    slots: Callable[[], int]
    """How many slots a book has; asked once a book was revealed."""
    books: dict[bytes, dict[int, int]] = field(default_factory=dict)

    def reveal(self, account: bytes, words: list[int]) -> None:
        """Takes in what was published."""
        self.books[account] = read_words(words, self.slots())

    def sell(self, account: bytes, part: Mapping[int, int]) -> None:
        """A part is another's now."""
        for slot, lots in part.items():
            self.books[account][slot] = self.books[account].get(slot, 0) - lots

    def take_over(self, account: bytes) -> tuple[tuple[int, int], ...]:
        """(slot, lots) of the whole book, which ends."""
        return tuple((slot, lots) for slot, lots in sorted(self.books.pop(account).items()) if lots)


def read_words(words: list[int], slots: int) -> dict[int, int]:
    """Lots by slot, without zeros, of positions packed seven to a word."""
    per_word, offset = BITS.positions_per_word, 1 << BITS.position
    lots = ((words[slot // per_word] >> 32 * (slot % per_word)) % (1 << 32) - offset for slot in range(slots))
    return {slot: count for slot, count in enumerate(lots) if count}


def read_desk_history(house: Contract, first_block: int, last_block: int) -> list[tuple[Place, Event]]:
    """What the desks did to accounts from `first_block` to `last_block`, as `prover.account.recovery` takes it; in
    the chain's order.

    Raises
    ------
    AnswerMalformed
        If a log is none of the desks.
    """
    found: list[tuple[Place, str, Mapping[str, Any]]] = []
    for name, desk in DESK_EVENTS.items():
        contract = Contract(house.chain, compile_contracts()[desk], house.address)
        for event in contract.read_events(name, first_block=first_block, last_block=last_block):
            found.append(((int(event["blockNumber"]), int(event["logIndex"])), name, event["args"]))
    books = RevealedBooks(lambda: _read_slots(house.chain, house))
    history: list[tuple[Place, Event]] = []
    for place, name, args in sorted(found, key=lambda item: item[0]):
        history += [(place, event) for event in _CONVERTERS[name](args, books)]
    return history


def _read_slots(chain: Chain, house: Contract) -> int:
    """Slots of the desk's key version; from the registry's event, which outlives the key."""
    desk = Contract(chain, compile_contracts()["DefaultDesk"], house.address)
    registry = Contract(chain, compile_contracts()["KeyRegistry"], str(house.call("REGISTRY")))
    version = int(desk.call("KEY_VERSION"))
    (event,) = (item["args"] for item in registry.read_events("KeyRegistered") if item["args"]["version"] == version)
    return int(event["slots"])


def _to_revealed(args: Mapping[str, Any], books: RevealedBooks) -> list[Event]:
    books.reveal(bytes(args["account"]), [int(word) for word in args["words"]])
    return []


def _to_part_sold(args: Mapping[str, Any], books: RevealedBooks) -> list[Event]:
    part = {int(flow["slot"]): int(flow["lots"]) for flow in args["part"]}
    book, price = bytes(args["book"]), int(args["price"])
    books.sell(book, part)
    surrendered = {slot: -lots for slot, lots in part.items()}
    return [
        _transition(book, args["bookCommitment"], args, price, surrendered),
        _transition(bytes(args["account"]), args["commitment"], args, -price, part),
    ]


def _to_taken_over(args: Mapping[str, Any], books: RevealedBooks) -> list[Event]:
    lots = dict(books.take_over(bytes(args["book"])))
    return [_transition(bytes(args["account"]), args["commitment"], args, int(args["cashFlow"]), lots)]


def _to_rekeyed(args: Mapping[str, Any], _: RevealedBooks) -> list[Event]:
    checkpoint = tuple(int(number) for number in args["checkpoint"])
    return [Rekeyed(bytes(args["account"]), int(args["commitment"]), checkpoint)]


def _transition(
    account: bytes, commitment: int, args: Mapping[str, Any], cash_flow: int, lots: Mapping[int, int]
) -> Transitioned:
    return Transitioned(
        kind=ActionKind.TRADE,
        account=account,
        generation=int(args["generation"]),
        commitment_new=int(commitment),
        cash_flow=cash_flow,
        flows=tuple(sorted(lots.items())),
    )


_CONVERTERS: Mapping[str, Callable[[Mapping[str, Any], RevealedBooks], list[Event]]] = {
    "Revealed": _to_revealed,
    "PartSold": _to_part_sold,
    "TakenOver": _to_taken_over,
    "AccountRekeyed": _to_rekeyed,
}
