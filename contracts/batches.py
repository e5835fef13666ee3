"""Many attestations or trades in one transaction, without those that would stop the rest; see IBatchDesk.sol.

What may change between a simulation and its inclusion (an account moves, a deadline passes) skips a row. A wrong or
malformed proof stops the whole batch: `keep_accepted` finds out which, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.clearing_house import ClearingHouse
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.requests import ActionRequest, AttestBatch, TradeBatch, TradeRequest

R = TypeVar("R")
EMPTY = "BatchEmpty"
"""The contract's error where every row would be skipped."""


@dataclass(frozen=True)
class Carried:
    """What became of a batch."""

    receipt: Receipt | None
    """None if no request could be sent, or all would have been skipped."""
    refused: tuple[int, ...]
    """Places of the requests that were left out, since the simulation refused the batch with them."""
    skipped: tuple[int, ...]
    """Places of those that were skipped: their accounts had moved."""


def carry_attestations(
    house: ClearingHouse, requests: Sequence[ActionRequest], *, sender: str | None = None
) -> Carried:
    """Sends attestations that share policy, deadline, submitter and epoch, of accounts of one key version and listing.

    Raises
    ------
    CallInvalid
        If two requests differ in what a batch shares.
    """
    return _carry(house, "attestBatch", requests, AttestBatch.from_requests, _get_account, sender)


def carry_trades(house: ClearingHouse, requests: Sequence[TradeRequest], *, sender: str | None = None) -> Carried:
    """Sends trades at one epoch, in order; an account may appear in several.

    Raises
    ------
    CallInvalid
        If two requests are at different epochs.
    """
    return _carry(house, "tradeBatch", requests, TradeBatch.from_requests, lambda item: item.plus.account, sender)


def keep_accepted(requests: Sequence[R], is_accepted: Callable[[Sequence[R]], bool]) -> list[int]:
    """Places of the requests that pass together: all, or as many as pass when they are added one by one."""
    places = list(range(len(requests)))
    if is_accepted(requests):
        return places
    kept: list[int] = []
    for place in places:
        if is_accepted([requests[item] for item in (*kept, place)]):
            kept.append(place)
    return kept


def _carry(
    house: ClearingHouse,
    function: str,
    requests: Sequence[R],
    build: Callable[[Sequence[R], int, int], AttestBatch | TradeBatch],
    get_account: Callable[[R], bytes],
    sender: str | None,
) -> Carried:
    stored = house.get_account(get_account(requests[0])) if requests else None
    version, generation = (stored.key_version, stored.generation) if stored else (0, 0)
    build(requests, version, generation)  # whatever does not go together is refused before anything is asked

    def is_accepted(chosen: Sequence[R]) -> bool:
        try:
            house.contract.call(function, build(chosen, version, generation).to_abi(), sender=sender)
        except Reverted as refusal:
            return refusal.error == EMPTY
        return True

    kept = keep_accepted(requests, is_accepted)
    refused = tuple(sorted(set(range(len(requests))) - set(kept)))
    if not kept:
        return Carried(None, refused, ())
    batch = build([requests[place] for place in kept], version, generation)
    try:
        receipt = house.contract.send(function, batch.to_abi(), sender=sender)
    except Reverted as refusal:
        if refusal.error != EMPTY:
            raise
        return Carried(None, refused, tuple(kept))
    skipped = tuple(kept[int(event["row"])] for event in house.contract.decode_logs(receipt, "RowSkipped"))
    return Carried(receipt, refused, skipped)


def _get_account(request: ActionRequest) -> bytes:
    return request.account
