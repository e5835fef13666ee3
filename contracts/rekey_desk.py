"""Typed bindings of the desk where accounts move to a new viewing key; see IRekeyDesk.sol."""

from __future__ import annotations

from zkmargin.contracts.chain import Chain, Receipt
from zkmargin.contracts.compile import compile_contracts
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.requests import Proof, RekeyRequest
from zkmargin.prover.actions.rekeying import Rekeying


class RekeyDesk:
    """Moves to new viewing keys."""

    def __init__(self, chain: Chain, clearing_house: str):
        self.contract = Contract(chain, compile_contracts()["RekeyDesk"], clearing_house)

    def rekey(self, rekeying: Rekeying, proof: Proof, signature: bytes, *, sender: str | None = None) -> Receipt:
        """Moves an account to the key that its owner signed for."""
        escrow = rekeying.escrow
        request = RekeyRequest.from_message(rekeying.message, escrow.ephemeral, escrow.escrowed_key, proof, signature)
        return self.send(request, sender=sender)

    def count_moves(self, account: bytes, first_block: int) -> int:
        """How often an account moved to a new viewing key since `first_block`."""
        return len(self.contract.read_events("AccountRekeyed", first_block=first_block, keys=[int.from_bytes(account)]))

    def send(self, request: RekeyRequest, *, sender: str | None = None) -> Receipt:
        """Sends a move as it is."""
        return self.contract.send("rekey", request.to_abi(), sender=sender)
