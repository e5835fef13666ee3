"""Many trades in one transaction: a maker's chain of them, or those of many pairs.

::

    queue = TradeQueue(venue)
    for request in requests:
        queue.add(taker.accept(maker.quote(request, ...)))
    queue.send()

Each trade is proved from the states that the ones before it leave, though none of them is on chain yet. What the chain
then skips, and what builds on it, is taken back: its parties go on from the state that the chain has.
"""

from __future__ import annotations

from zkmargin.contracts.batches import Carried, carry_trades
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.requests import TradeRequest
from zkmargin.contracts.trading import AcceptedTrade, Trader, Venue
from zkmargin.prover.client import SignedAction


class TradeQueue:
    """Trades at one epoch that wait for `send`, in order; an account may appear in several, at an expiry step in one.

    Whoever sends is the venue's submitter. A trader of this process whose trade is queued acts only by further trades
    of the queue until then: whatever else it does would void them, and they would be skipped.
    """

    def __init__(self, venue: Venue):
        self._venue = venue
        self._requests: list[TradeRequest] = []
        self._parties: dict[bytes, Trader] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, accepted: AcceptedTrade, maker_side: SignedAction | None = None) -> None:
        """Queues an accepted trade, with the maker's side proved now; its parties here go on from what it leaves.

        Parameters
        ----------
        maker_side : SignedAction, optional
            As `Venue.settle`.

        Raises
        ------
        CallInvalid
            If it is at another epoch than the trades that wait, which are to be sent first, or there is no side of the
            maker.
        """
        venue, epoch = self._venue, accepted.agreed.epoch
        if self._requests and epoch != self._requests[0].epoch.number:
            raise CallInvalid(
                "number of the trade's epoch", epoch, f"{self._requests[0].epoch.number}, of those queued"
            )
        sides = venue.complete(accepted, maker_side)
        self._requests.append(venue.make_trade_request(sides))
        for side in sides.values():
            if (party := venue.traders.get(side.message.account)) is not None:
                party.anticipate(side)
                self._parties[party.id] = party

    def send(self) -> Carried:
        """Sends what waits, in one transaction for each key version and listing, and empties the queue.

        Raises
        ------
        CallInvalid
            If nothing waits.
        """
        requests, parties = self._requests, self._parties.values()
        self._requests, self._parties = [], {}
        for party in parties:
            party.anticipated.clear()
        carried = carry_trades(self._venue.contracts.house, requests, sender=self._venue.submitter)
        for party in parties:
            self._venue.refresh(party)
        return carried
