"""Encrypted wallets on disk: Web3 secret storage, version 3, as geth and others write it."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account as EthAccount

from zkmargin.engine.errors import MalformedFile
from zkmargin.engine.files import PRIVATE, read_object, write_whole
from zkmargin.prover.messages.wallet import Wallet
from zkmargin.venue.errors import KeystoreRefused

LEAST_PASSWORD = 8
"""Characters of a password at least."""
OPENING_FAULTS = (ValueError, TypeError, KeyError, AttributeError, NotImplementedError)
"""What eth-account raises for a document that is no keystore, and for a wrong password."""


def create_keystore(path: Path, password: str, wallet: Wallet | None = None, *, iterations: int | None = None) -> str:
    """Writes a wallet, by default a fresh one, encrypted to a new file of mode 0600.

    Parameters
    ----------
    iterations : int, optional
        Work factor of the password's hash (scrypt's N); eth-account's by default. Less is for tests.

    Returns
    -------
    str
        The wallet's address.

    Raises
    ------
    KeystoreRefused
        If the file exists, or the password has fewer than `LEAST_PASSWORD` characters. A key is never overwritten.
    """
    if len(password) < LEAST_PASSWORD:
        raise KeystoreRefused(path, f"the password has {len(password)} characters; allowed: {LEAST_PASSWORD} or more")
    owner = wallet or Wallet.create()
    document = EthAccount.encrypt(owner.account.key, password, iterations=iterations)
    try:
        write_whole(path, json.dumps(document, indent=1) + "\n", mode=PRIVATE, may_replace=False)
    except FileExistsError:
        raise KeystoreRefused(path, "the file exists; a key is never overwritten") from None
    return owner.address


def open_keystore(path: Path, password: str) -> Wallet:
    """The wallet of an encrypted file.

    Raises
    ------
    KeystoreRefused
        If the file cannot be read, is no keystore, or the password is another.
    """
    try:
        document = read_object(path)
    except MalformedFile as error:
        raise KeystoreRefused(path, str(error)) from None
    try:
        return Wallet.from_key(EthAccount.decrypt(document, password))
    except OPENING_FAULTS as error:
        reason = "this password does not open it" if "MAC mismatch" in str(error) else "not a Web3 secret storage file"
        raise KeystoreRefused(path, reason) from None
