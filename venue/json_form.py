"""JSON that loses nothing: what wallets are shown to sign, and what followers of events read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXACT = 1 << 53
"""Integers below are exact in every reader of JSON."""


def to_json_form(value: Any) -> Any:
    """A value in JSON's types: bytes as 0x-hex, integers from 2^53 as decimal text."""
    if isinstance(value, Mapping):
        return {name: to_json_form(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_form(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return "0x" + bytes(value).hex()
    if isinstance(value, int) and not -EXACT < value < EXACT:
        return str(value)
    return value
