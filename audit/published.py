"""Bytes that publishers serve beside the chain, found by their hash alone: nobody has to be trusted for them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eth_hash.auto import keccak


class Published:
    """Canonical bytes of snapshots, policies and settlements by keccak256.

    Parameters
    ----------
    folder : Path, optional
        Whatever stands in it, at any depth, is taken in under its hash: file names say nothing.
    """

    def __init__(self, folder: Path | None = None):
        self._found: dict[bytes, bytes] = {}
        if folder is not None:
            self.take_in(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())

    def take_in(self, items: Iterable[bytes]) -> None:
        """Adds bytes, each under its own hash."""
        for data in items:
            self._found[keccak(data)] = data

    def find(self, digest: bytes) -> bytes | None:
        """The bytes that have this hash; None where nobody published them."""
        return self._found.get(digest)
