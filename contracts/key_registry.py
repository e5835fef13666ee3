"""Typed bindings of the key registry: verification keys by version; see IKeyRegistry.sol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zkmargin.contracts.chain import Block, Receipt
from zkmargin.contracts.contract import Contract
from zkmargin.contracts.deploy import encode_registration
from zkmargin.contracts.errors import CallInvalid
from zkmargin.contracts.key_material import KeyMaterial


class KeyRegistry:
    """Verification keys by version; see IKeyRegistry.sol."""

    def __init__(self, contract: Contract, first_block: int = 0):
        self.contract, self._first_block = contract, first_block

    def register(self, keys: KeyMaterial, *, sender: str | None = None) -> Receipt:
        """Adds a version; only the owner."""
        return self.contract.send("register", encode_registration(keys), sender=sender)

    def suspend(self, version: int, *, sender: str | None = None) -> Receipt:
        """Stops a version for 45 days, once; the guardian or the owner."""
        return self.contract.send("suspend", version, sender=sender)

    def resume(self, version: int, *, sender: str | None = None) -> Receipt:
        """Ends a suspension, and lets the guardian suspend the version again; only the owner."""
        return self.contract.send("resume", version, sender=sender)

    def revoke(self, version: int, successor: int, *, sender: str | None = None) -> Receipt:
        """Revokes a version for good, in favour of a live one; only the owner."""
        return self.contract.send("revoke", version, successor, sender=sender)

    def get_successor(self, version: int) -> int:
        """Version to which the accounts of a revoked one move; refused if it is not revoked."""
        return int(self.contract.call("successorOf", version))

    def accept_ownership(self, *, sender: str) -> Receipt:
        """Second step of the hand-over: the owner that `deploy` named takes the registry."""
        return self.contract.send("acceptOwnership", sender=sender)

    def get_owners(self) -> tuple[str, str]:
        """The owner, and who is named to follow it (zero for nobody), at one block."""

        def read(block: Block) -> tuple[str, str]:
            owner, pending = (self.contract.call(name, block=block.number) for name in ("owner", "pendingOwner"))
            return owner, pending

        return self.contract.chain.read_at_one_block(read)

    def get_latest(self) -> int:
        """Highest version, 0 for none."""
        return int(self.contract.call("latest"))

    def read_registration(self, version: int) -> Mapping[str, Any]:
        """Fields of the version's `KeyRegistered` event, which tells of pending and revoked versions too.

        Raises
        ------
        CallInvalid
            If no such version was registered.
        """
        events = self.contract.read_events("KeyRegistered", first_block=self._first_block, keys=(version,))
        if not events:
            raise CallInvalid("key version", version, f"1 to {self.get_latest()}, the registered ones")
        arguments: Mapping[str, Any] = events[0]["args"]
        return arguments

    def is_live(self, version: int, *, block: int | None = None) -> bool:
        """Whether the version may be used now, or at the end of the block of that number."""
        return bool(self.contract.call("isLive", version, block=block))

    def get_version_of(self, transition_hash: bytes) -> int:
        """Version of the transition key with that declared hash."""
        return int(self.contract.call("versionOf", transition_hash))

    def get_transition_key(self, version: int) -> tuple[str, int]:
        """Address of the data contract of `transition`, and the number of slots."""
        address, slots = self.contract.call("transitionKey", version)
        return address, slots

    def get_open_key(self, version: int) -> str:
        """Address of the data contract of `open`, made for the version's committee."""
        return str(self.contract.call("openKey", version))

    def get_flat_point(self, version: int) -> tuple[int, int]:
        """Point of the constant policy "flat"."""
        x, y = self.contract.call("flatPoint", version)
        return x, y
