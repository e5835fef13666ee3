"""Key files: a random viewing key for a wallet that cannot derive one, in a JSON file that its owner alone can read."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from zkmargin.engine.files import PRIVATE, parse_json, write_whole
from zkmargin.prover._native import random_element
from zkmargin.prover.errors import KeyFileError
from zkmargin.prover.messages.fields import to_bytes32
from zkmargin.prover.statement.secret import Secret

SECRET_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)


def create_key_file(path: Path | str, account_id: bytes) -> Secret:
    """A fresh random key in a new file (mode 0600, written whole or not at all), for wallets that cannot derive one.

    The file is then part of the backup: without it the account cannot be proved for.

    Raises
    ------
    KeyFileError
        If the file exists already: a key is never overwritten.
    """
    key = Secret(random_element())
    content = {"about": "zkmargin viewing key; keep it secret, keep a copy", "account": "0x" + account_id.hex()}
    write_secret_file(Path(path), {**content, "key": f"0x{key.reveal():064x}"})
    return key


def read_key_file(path: Path | str, account_id: bytes) -> Secret:
    """The key of a file that `create_key_file` wrote.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others, malformed, or for another account.
    """
    holder, key = load_key_file(path)
    if holder != account_id:
        raise KeyFileError(f"{path} holds the key of account 0x{holder.hex()}, not of 0x{account_id.hex()}")
    return key


def load_key_file(path: Path | str) -> tuple[bytes, Secret]:
    """Account number and key of a file that `create_key_file` wrote, whichever account's it is.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others or malformed.
    """
    content = read_secret_file(Path(path), {"account", "key"})
    try:
        return to_bytes32(content["account"]), read_hex_secret(content["key"])
    except ValueError as error:
        raise KeyFileError(f"{path}: {error}") from None


def read_hex_secret(text: object) -> Secret:
    """The secret of a file, 0x-hex; raises `ValueError`, whose text does not show it."""
    if not isinstance(text, str) or SECRET_HEX.fullmatch(text) is None:
        raise ValueError("a secret is 0x and up to 64 hexadecimal digits; the value given is not shown")
    return Secret(int(text, 16))


def write_secret_file(path: Path, content: dict[str, object]) -> None:
    """JSON in a new file of mode 0600: written beside it, synced, then linked in place; an existing file is left alone.

    Raises
    ------
    KeyFileError
        If `path` exists.
    """
    try:
        write_whole(path, json.dumps(content, indent=1) + "\n", mode=PRIVATE, may_replace=False)
    except FileExistsError:
        raise KeyFileError(f"{path} exists; a secret is never overwritten") from None


def read_secret_file(path: Path, fields: set[str]) -> dict[str, Any]:
    """Inverse of `write_secret_file`.

    Raises
    ------
    KeyFileError
        If the file is missing, readable by others than its owner, not JSON, or without one of `fields`.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyFileError(f"{path} is not UTF-8 text") from None
    if mode & 0o077:
        raise KeyFileError(f"{path} has mode {mode:04o}; allowed: 0600, readable by its owner alone")
    try:
        content = parse_json(text)
    except ValueError:
        raise KeyFileError(f"{path} is not JSON") from None
    if not isinstance(content, dict) or not fields <= set(content):
        raise KeyFileError(f"{path} lacks one of {sorted(fields)}")
    return content
