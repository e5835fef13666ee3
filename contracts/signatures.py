"""Signatures of contract wallets (ERC-1271, ERC-6492), asked of the chain as the clearing house will ask."""

from __future__ import annotations

from eth_abi.abi import encode as abi_encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.prover.messages.records import TypedMessage
from zkmargin.prover.messages.typed_data import Domain, compute_digest
from zkmargin.prover.messages.wallet import is_signed_by_key

WALLETS, IS_VALID = (keccak(text=text)[:4] for text in ("WALLETS()", "isValid(address,bytes32,bytes)"))
"""Selectors of the clearing house's getter of what asks wallets, and of the question (IWalletSignatures.sol)."""


class ChainSignatureCheck:
    """A `prover.messages.signed.SignatureCheck` for wallets of both kinds: a key's, or else a contract's.

    It answers as the contracts do at the latest block, or at the end of the one of number `block`, for checks that
    belong together. A contract wallet can answer otherwise later, until the signature is used.
    """

    def __init__(self, chain: Chain, block: int | None = None):
        self._chain, self._block = chain, block

    def __call__(self, domain: Domain, message: TypedMessage, signature: bytes, signer: str) -> bool:
        """Whether the signature is `signer`'s over the message.

        Raises
        ------
        CallInvalid
            If the domain is of another chain, or of no clearing house there.
        ChainUnavailable
            If the node does not answer.
        """
        if domain.chain_id != self._chain.id:
            raise CallInvalid("chain id of the domain", domain.chain_id, f"{self._chain.id}, the chain that is asked")
        if is_signed_by_key(domain, message, signature, signer):
            return True
        question = IS_VALID + abi_encode(
            ["address", "bytes32", "bytes"], [signer, compute_digest(domain, message), signature]
        )
        try:
            wallets = self._ask(domain.clearing_house, WALLETS, "ClearingHouse.WALLETS")
            if len(wallets) != 32:
                raise CallInvalid("clearing house of the domain", domain.clearing_house, "one of this chain")
            return any(self._ask("0x" + wallets[12:].hex(), question, "WalletSignatures.isValid"))
        except Reverted:
            return False

    def _ask(self, address: str, call: bytes, name: str) -> bytes:
        return self._chain.call(to_checksum_address(address), "0x" + call.hex(), name=name, block=self._block)
