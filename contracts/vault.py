"""Typed bindings of the vault and of the tokens it holds; see ICollateralVault.sol."""

from __future__ import annotations

from zkmargin.contracts.chain import Receipt
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.errors import CallInvalid
from zkmargin.prover.messages.wallet import normalise_v


class CollateralVault:
    """Holds the tokens; see ICollateralVault.sol."""

    def __init__(self, contract: Contract):
        self.contract = contract

    def fund(self, account: bytes, token: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Puts tokens in an account number's inbox; `sender` must have approved the vault."""
        return self.contract.send("fund", account, token, amount, sender=sender)

    def fund_with_permit(
        self, account: bytes, token: str, amount: int, deadline: int, signature: bytes, *, sender: str | None = None
    ) -> Receipt:
        """`fund` with an ERC-2612 permit of `sender` (65 bytes r, s, v; a v of 0 or 1 becomes 27 or 28)."""
        signature = normalise_v(_require_ecdsa(signature))
        r, s, v = signature[:32], signature[32:64], signature[64]
        return self.contract.send("fundWithPermit", account, token, amount, deadline, v, r, s, sender=sender)

    def pull_back(self, index: int, token: str, amount: int, to: str, *, sender: str | None = None) -> Receipt:
        """Takes tokens back out of the inbox of `sender`'s account number `index`."""
        return self.contract.send("pullBack", index, token, amount, to, sender=sender)

    def claim(self, token: str, to: str, *, sender: str | None = None) -> Receipt:
        """Pays out everything that `sender` may claim."""
        return self.contract.send("claim", token, to, sender=sender)

    def get_inbox(self, account: bytes, token: str) -> int:
        """Units funded and not yet absorbed."""
        return int(self.contract.call("inbox", account, token))

    def get_held(self, token: str) -> int:
        """Units that the hidden accounts hold together."""
        return int(self.contract.call("held", token))

    def get_claimable(self, recipient: str, token: str) -> int:
        """Units that `recipient` may claim."""
        return int(self.contract.call("claimable", recipient, token))

    def get_unit(self, slot: int) -> tuple[str, int]:
        """Token of a collateral slot and its units per lot; zeros if the slot has none."""
        token, units = self.contract.call("collateralOf", slot)
        return token, units


class Token:
    """An ERC-20 token; `mint` exists on the test tokens only."""

    def __init__(self, contract: Contract):
        self.contract, self.address = contract, contract.address

    def mint(self, to: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Makes test tokens."""
        return self.contract.send("mint", to, amount, sender=sender)

    def approve(self, spender: str, amount: int, *, sender: str | None = None) -> Receipt:
        """Allows `spender` to take from `sender`."""
        return self.contract.send("approve", spender, amount, sender=sender)

    def get_balance(self, holder: str) -> int:
        """Units that `holder` has."""
        return int(self.contract.call("balanceOf", holder))


def _require_ecdsa(signature: bytes) -> bytes:
    if len(signature) != 65:
        raise CallInvalid("length of the permit's signature", len(signature), "65 bytes r, s, v")
    return signature
