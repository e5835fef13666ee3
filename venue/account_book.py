"""The states of an owner's accounts on disk, one file each, for one deployment.

A file holds positions and cash and is readable by its owner alone; the viewing key is in none. It is a copy of what
wallet and chain give together: before it is used, its commitment is compared with the chain's, and a file that is
missing, old or of a block that was replaced is made again from the events.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zkmargin.engine.account import AccountState
from zkmargin.engine.errors import ZkMarginError
from zkmargin.engine.files import PRIVATE, StrictModel, read_model, read_text, write_whole
from zkmargin.engine.presets import Preset
from zkmargin.prover.account.account import Account
from zkmargin.prover.messages.typed_data import Domain
from zkmargin.prover.statement.secret import Secret
from zkmargin.venue.errors import NodeStateInUse, NodeStateRefused

FORMAT = "zkmargin.account/1"
"""First field of an account's file."""


MOST_KEYS = 1 << 32
"""Viewing keys that a wallet derives for one account."""


class AccountFile(StrictModel):
    """An account's file as it stands on disk."""

    format: str
    """zkmargin.account/1."""
    chain_id: int
    """EIP-155."""
    clearing_house: str
    """Address."""
    auth: str
    """Address that signs."""
    index: int
    """Of the address's accounts."""
    key_index: int = 0
    """Which of the wallet's viewing keys it has: how often it moved to another one."""
    nonce: int
    """Transitions so far."""
    generation: int
    """Of the listing that the positions are meant in."""
    preset: str
    """Whose slots the listing has."""
    cash_usd6: int
    """Signed micro-dollars."""
    positions: dict[str, int]
    """Signed lots by slot, where there are any."""


class AccountBook:
    """A folder with the states of accounts at one deployment."""

    def __init__(self, folder: Path, domain: Domain, preset: Preset):
        self.folder, self._domain, self._preset = folder, domain, preset

    def get_path(self, account_id: bytes) -> Path:
        """File of an account."""
        return self.folder / f"account-{account_id.hex()}.json"

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keeps other processes out while states are read, proved from and written.

        Raises
        ------
        NodeStateInUse
            If another process holds the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.folder / ".lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise NodeStateInUse(self.folder) from None
            yield

    def save(self, account: Account, key_index: int = 0) -> None:
        """Writes an account's state, whole or not at all; mode 0600. `key_index` says which of the wallet's keys it
        has."""
        held = {str(slot): int(account.state.positions[slot]) for slot in np.flatnonzero(account.state.positions)}
        document: dict[str, Any] = {
            "format": FORMAT,
            "chain_id": self._domain.chain_id,
            "clearing_house": self._domain.clearing_house,
            "auth": account.auth,
            "index": account.index,
            "key_index": key_index,
            "nonce": account.nonce,
            "generation": account.generation,
            "preset": account.preset.name,
            "cash_usd6": account.state.cash,
            "positions": held,
        }
        write_whole(self.get_path(account.id), json.dumps(document, indent=1) + "\n", mode=PRIVATE)

    def read_key_index(self, account_id: bytes) -> int | None:
        """Which of the wallet's viewing keys the account has, as its file says; None if there is no file.

        Raises
        ------
        MalformedFile, NodeStateRefused
            If the file is none, or the number is outside its range.
        """
        path = self.get_path(account_id)
        if not path.exists():
            return None
        number = read_model(AccountFile, read_text(path), path).key_index
        if not 0 <= number < MOST_KEYS:
            raise NodeStateRefused(path, f"key_index is {number}; allowed: 0 to {MOST_KEYS - 1}")
        return number

    def load(self, account_id: bytes, auth: str, index: int, key: Secret) -> Account | None:
        """The account as its file has it, None if there is no file.

        Raises
        ------
        NodeStateRefused
            If the file is none, or of another account, deployment or preset.
        """
        path = self.get_path(account_id)
        if not path.exists():
            return None
        file = read_model(AccountFile, read_text(path), path)
        expected = (FORMAT, self._domain.chain_id, self._domain.clearing_house, auth, index, self._preset.name)
        given = (file.format, file.chain_id, file.clearing_house, file.auth, file.index, file.preset)
        if given != expected:
            raise NodeStateRefused(path, f"it is of {given}; allowed: {expected}")
        try:
            state = AccountState(self._read_positions(file.positions), file.cash_usd6)
            return Account(account_id, auth, index, self._preset, key, file.nonce, file.generation, state)
        except (ZkMarginError, ValueError, IndexError):
            raise NodeStateRefused(path, "a number is outside its range; remove the file to rebuild it") from None

    def _read_positions(self, positions: dict[str, int]) -> np.ndarray:
        held = np.zeros(self._preset.slots, dtype=object)
        for slot, lots in positions.items():
            held[int(slot)] = lots
        return held
