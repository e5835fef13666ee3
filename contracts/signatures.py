"""Signatures of contract wallets (ERC-1271), asked of the chain as the clearing house will ask."""

from __future__ import annotations

from eth_abi.abi import encode as abi_encode

from zkmargin.contracts.chain import Chain
from zkmargin.contracts.errors import CallInvalid, Reverted
from zkmargin.prover.messages.records import TypedMessage
from zkmargin.prover.messages.typed_data import Domain, compute_digest
from zkmargin.prover.messages.wallet import is_signed_by_key

ERC1271_VALID = bytes.fromhex("1626ba7e")
"""Selector of `isValidSignature(bytes32,bytes)`, and what it returns, in a word of its own, for a valid signature."""


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
            If the domain is of another chain.
        ChainUnavailable
            If the node does not answer.
        """
        if domain.chain_id != self._chain.id:
            raise CallInvalid("chain id of the domain", domain.chain_id, f"{self._chain.id}, the chain that is asked")
        if is_signed_by_key(domain, message, signature, signer):
            return True
        call = ERC1271_VALID + abi_encode(["bytes32", "bytes"], [compute_digest(domain, message), signature])
        try:
            answer = self._chain.call(signer, "0x" + call.hex(), name="isValidSignature", block=self._block)
        except Reverted:
            return False
        return answer[:32] == ERC1271_VALID.ljust(32, b"\0")
