"""Many attestations or trades in one transaction, without those that would stop the rest; see IBatchDesk.sol.

What may change between a simulation and its inclusion (an account moves, a deadline passes) skips a row. A wrong or
malformed proof, or a row that can never pass, stops the whole batch: `find_refused` says which before anything is sent.
A batch holds accounts of one key version and one listing, so requests are sent by these, in one transaction each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.clearing_house import ClearingHouse
from zkmargin.contracts.errors import Reverted
from zkmargin.contracts.requests import ActionRequest, AttestBatch, TradeBatch, TradeRequest

R = TypeVar("R")
Build = Callable[[Sequence[R], int, int], AttestBatch | TradeBatch]
"""The batch of requests whose accounts have that key version and generation."""
EMPTY = "BatchEmpty"
"""The contract's error where every row would be skipped."""
ROW_ERRORS = ("ProofRejected", "ProofMalformed", "PointRefused", "AmountTooLarge", "FeeTooLarge", "SelfTrade",
              "SubmitterWrong")  # fmt: skip
"""The contract's errors that one row is at fault for, unless they name account 0; every other one is about what all
rows share."""


@dataclass(frozen=True)
class Carried:
    """What became of requests that were to be carried in."""

    receipts: tuple[Receipt, ...]
    """One for each key version and listing of which something was sent."""
    refused: dict[int, Reverted]
    """By place, why the contract refused a request, which was left out."""
    skipped: tuple[int, ...]
    """Places of those that were skipped: their accounts had moved, or a deadline or signature counts no more."""


def carry_attestations(
    house: ClearingHouse, requests: Sequence[ActionRequest], *, sender: str | None = None
) -> Carried:
    """Sends attestations that share policy, deadline, submitter and epoch.

    Raises
    ------
    CallInvalid
        If two requests differ in what a batch shares, or there is none.
    """
    return _carry(house, "attestBatch", requests, AttestBatch.from_requests, lambda item: item.account, sender)


def carry_trades(house: ClearingHouse, requests: Sequence[TradeRequest], *, sender: str | None = None) -> Carried:
    """Sends trades at one epoch, in order; an account may appear in several, but at an expiry step in one only.

    Raises
    ------
    CallInvalid
        If two requests are at different epochs, or there is none.
    """
    return _carry(house, "tradeBatch", requests, TradeBatch.from_requests, lambda item: item.plus.account, sender)


def find_refused(requests: Sequence[R], simulate: Callable[[Sequence[R]], None]) -> dict[int, Reverted]:
    """Places of the requests that are left out so that the rest passes together, each with the contract's reason.

    One row at fault among n is found by halves, in about 2 log2(n) simulations. A request is only ever tried after
    those before it that pass, since it may build on them. Where the contract's reason is about what all rows share,
    all that were tried are left out at once.

    Parameters
    ----------
    simulate : callable
        Raises `Reverted` if requests, in their order, do not pass together.
    """
    refused: dict[int, Reverted] = {}
    kept: list[int] = []

    def sift(places: Sequence[int]) -> None:
        try:
            simulate([requests[place] for place in (*kept, *places)])
        except Reverted as refusal:
            if len(places) == 1 or not _is_of_a_row(refusal):
                refused.update(dict.fromkeys(places, refusal))
                return
            middle = len(places) // 2
            sift(places[:middle])
            sift(places[middle:])
        else:
            kept.extend(places)

    sift(range(len(requests)))
    return refused


def _is_of_a_row(refusal: Reverted) -> bool:
    return refusal.error in ROW_ERRORS and refusal.fields.get("account") != bytes(32)


def _carry(
    house: ClearingHouse,
    function: str,
    requests: Sequence[R],
    build: Build[R],
    get_account: Callable[[R], bytes],
    sender: str | None,
) -> Carried:
    build(requests, 0, 0)  # whatever does not go together is refused before anything is asked
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, request in enumerate(requests):
        stored = house.get_account(get_account(request))
        groups[stored.key_version, stored.generation].append(place)
    receipts: list[Receipt] = []
    refused: dict[int, Reverted] = {}
    skipped: list[int] = []
    for (version, generation), places in groups.items():
        encode = partial(_encode, build, version, generation)
        part = _carry_group(house, function, [requests[place] for place in places], encode, sender)
        receipts += part.receipts
        refused |= {places[row]: reason for row, reason in part.refused.items()}
        skipped += [places[row] for row in part.skipped]
    return Carried(tuple(receipts), refused, tuple(sorted(skipped)))


def _encode(build: Build[R], version: int, generation: int, requests: Sequence[R]) -> dict[str, object]:
    return build(requests, version, generation).to_abi()


def _carry_group(
    house: ClearingHouse,
    function: str,
    requests: Sequence[R],
    encode: Callable[[Sequence[R]], dict[str, object]],
    sender: str | None,
) -> Carried:
    """Requests of one key version and listing; places are theirs."""

    def simulate(chosen: Sequence[R]) -> None:
        try:
            house.contract.call(function, encode(chosen), sender=sender)
        except Reverted as refusal:
            if refusal.error != EMPTY:
                raise

    refused = find_refused(requests, simulate)
    kept = [row for row in range(len(requests)) if row not in refused]
    if not kept:
        return Carried((), refused, ())
    try:
        receipt = house.contract.send(function, encode([requests[row] for row in kept]), sender=sender)
    except Reverted as refusal:
        if refusal.error == EMPTY:
            return Carried((), refused, tuple(kept))
        return Carried((), refused | dict.fromkeys(kept, refusal), ())
    skipped = tuple(kept[int(event["row"])] for event in house.contract.decode_logs(receipt, "RowSkipped"))
    return Carried((receipt,), refused, skipped)
