"""Typed bindings of the desk for sales of parts of books in default; see ISaleDesk.sol."""

from __future__ import annotations

from collections.abc import Sequence

from zkmargin.contracts.chain import Chain, Receipt
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.messages import EpochPoints
from zkmargin.contracts.requests import PartSaleRequest, Proof
from zkmargin.prover.actions.bidding import Book
from zkmargin.prover.actions.transition import Transition
from zkmargin.prover.messages.records import PartOffer, PartPurchase


class SaleDesk:
    """Sales of parts."""

    def __init__(self, chain: Chain, clearing_house: str):
        self.contract = Contract(chain, compile_contracts()["SaleDesk"], clearing_house)

    def sell_part(
        self,
        purchase: Transition[PartPurchase],
        book: Book,
        offer: PartOffer,
        quorum: Sequence[bytes],
        points: EpochPoints,
        proofs: tuple[Proof, Proof],
        signature: bytes,
        *,
        sender: str | None = None,
    ) -> Receipt:
        """Sells the part that a buyer signed for.

        Parameters
        ----------
        book : Book
            As it was revealed, less the parts that were sold since.
        offer : PartOffer
            What the quorum signed; `quorum` are its signatures.
        proofs : tuple of two proofs
            The buyer's and the book's.
        """
        numbers = book.list_published(purchase.before.preset)
        request = PartSaleRequest.from_message(
            purchase.message, numbers, offer.floor, quorum, points.select("initial"), proofs, signature
        )
        return self.send(request, sender=sender)

    def send(self, request: PartSaleRequest, *, sender: str | None = None) -> Receipt:
        """Sends a sale as it is."""
        return self.contract.send("sellPart", request.to_abi(), sender=sender)
