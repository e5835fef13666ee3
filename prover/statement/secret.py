"""A wrapper for values that must never reach a log, a traceback's text, a repr or a pickle by accident."""

import hmac
from typing import NoReturn, SupportsIndex

from zkmargin.prover.statement.signals import FIELD_MODULUS

_BYTES = 32


class Secret:
    """A hidden field element. `reveal` is the only way to it; comparison takes constant time."""

    __slots__ = ("__value",)

    def __init__(self, value: int):
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < FIELD_MODULUS:
            raise ValueError("a secret is an integer in [0, p); the value given is not shown")
        self.__value = value

    def reveal(self) -> int:
        """The value itself, for the hash and the witness."""
        return self.__value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (value.reveal().to_bytes(_BYTES, "big") for value in (self, other))
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment]  # what Python has for a class without a hash

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied; pass the object itself")
